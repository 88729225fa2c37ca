//! The delay of the empty path: a windowed minimum, along the line of clock drift.

use std::collections::VecDeque;

use core::time::Duration;

/// Seconds of history: what drift is estimated from.
const BUCKETS: usize = 64;
/// Drift is not estimated from less than this many seconds: a parts-per-million slope drowns in the noise of a short line.
const MIN_SPAN: f64 = 20.0;
/// Nor from lows that lie higher above their line than this on average, in seconds.
const MAX_SCATTER: f64 = 0.003;
/// Weight of one new estimate of drift, once a second.
const DRIFT_GAIN: f64 = 0.1;

/// Keeps the least delay of each second. Times and delays are in seconds.
#[derive(Debug)]
pub(super) struct Base {
    lows: VecDeque<Low>,
    window: f64,
    max_drift: f64,
    drift: f64,
    delay: f64,
    bucket_end: f64,
}

/// The least delay of a second, and when it was.
#[derive(Debug, Clone, Copy)]
struct Low {
    time: f64,
    delay: f64,
}

impl Base {
    pub(super) fn new(window: Duration, max_drift_ppm: f64) -> Self {
        Self {
            lows: VecDeque::with_capacity(BUCKETS),
            window: window.as_secs_f64(),
            max_drift: max_drift_ppm / 1e6,
            drift: 0.0,
            delay: f64::INFINITY,
            bucket_end: f64::NEG_INFINITY,
        }
    }

    pub(super) fn push(&mut self, time: f64, delay: f64) {
        if time >= self.bucket_end {
            self.open_bucket(time, delay);
        }
        if let Some(low) = self.lows.back_mut()
            && delay < low.delay
        {
            *low = Low { time, delay };
        }
        self.delay = self.delay.min(delay);
    }

    /// Begins anew, with what is known of the drift.
    pub(super) fn restart(&mut self, time: f64, delay: f64) {
        self.lows.clear();
        self.delay = f64::INFINITY;
        self.open_bucket(time, delay);
    }

    /// Forgets the path and the clock.
    pub(super) fn reset(&mut self) {
        self.lows.clear();
        self.drift = 0.0;
        self.delay = f64::INFINITY;
        self.bucket_end = f64::NEG_INFINITY;
    }

    /// The delay of the empty path now.
    pub(super) const fn delay(&self) -> f64 {
        self.delay
    }

    /// How much longer a second is on the receiver's clock, in seconds.
    pub(super) const fn drift(&self) -> f64 {
        self.drift
    }

    fn open_bucket(&mut self, time: f64, delay: f64) {
        if self.lows.len() == BUCKETS {
            self.lows.pop_front();
        }
        self.bucket_end = time + 1.0;
        self.estimate_drift();
        self.lows.push_back(Low { time, delay });
        let in_window = self.lows.iter().filter(|low| time - low.time <= self.window);
        self.delay = in_window.fold(delay, |least, low| least.min(low.delay + self.drift * (time - low.time)));
    }

    /// The drift is the slope of the line that lies under all lows and closest to them (Moon, Skelly, Towsley 1999): the edge
    /// of their lower convex hull above the middle of the time they span.
    fn estimate_drift(&mut self) {
        let (Some(first), Some(last)) = (self.lows.front(), self.lows.back()) else { return };
        if last.time - first.time < MIN_SPAN {
            return;
        }
        let count = self.lows.len() as f64;
        let middle = self.lows.iter().map(|low| low.time).sum::<f64>() / count;
        let Some((height, slope)) = hull_at(&self.lows, middle) else { return };
        let mean = self.lows.iter().map(|low| low.delay).sum::<f64>() / count;
        // A change of the path is not a drift, nor is what lows that are no line suggest.
        if slope.abs() <= self.max_drift && mean - height <= MAX_SCATTER {
            self.drift += DRIFT_GAIN * (slope - self.drift);
        }
    }
}

/// Height and slope of the lower convex hull at a time: of the edge from a point before to a point after it that no other pair
/// undercuts there.
fn hull_at(lows: &VecDeque<Low>, middle: f64) -> Option<(f64, f64)> {
    let mut lowest: Option<(f64, f64)> = None;
    for left in lows.iter().filter(|low| low.time <= middle) {
        for right in lows.iter().filter(|low| low.time > middle) {
            let slope = (right.delay - left.delay) / (right.time - left.time);
            let height = left.delay + slope * (middle - left.time);
            if lowest.is_none_or(|(least, _)| height < least) {
                lowest = Some((height, slope));
            }
        }
    }
    lowest
}
