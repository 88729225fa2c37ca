//! How much faster the receiver's clock runs than the sender's, apart from delay.
//!
//! The fastest packet of each second met next to no queue, so over a minute those fastest packets lie on a line whose slope is
//! the difference of the clocks (the lower envelope of S. Moon, P. Skelly, D. Towsley, "Estimation and removal of clock skew
//! from network delay measurements", INFOCOM 1999). The slope is that between the medians of the first and of the last third:
//! a few seconds in which every packet waited move it little, and their scatter says how far it can be trusted.

use rtc_core::time::Instant;

use crate::arrival::Nanos;

/// Seconds looked back on, each with its fastest packet.
const SECONDS: usize = 60;
/// Seconds before there is an estimate.
const LEAST: usize = 15;
const SECOND: Nanos = 1_000_000_000;
/// Clocks differ by less (RFC 3550 §A.8 has no figure; quartz is within 100, bad sound cards within 500).
const MOST: f64 = 1_000e-6;
/// Error beyond which an estimate says nothing.
const TRUSTED: f64 = 12e-6;
/// Least skew taken out: less drifts by a packet of 20 ms in half an hour.
const NEGLIGIBLE: f64 = 8e-6;
/// Standard deviations that make it certain that there is any.
const SURE: f64 = 5.0;
/// A fastest packet this far off the line tells of another path.
const JUMP: f64 = 10e6;

/// Arrival and offset (arrival less media time) of the fastest packet of a second, in nanoseconds.
#[derive(Debug, Clone, Copy, Default)]
struct Fastest {
    at: f64,
    offset: f64,
}

/// Estimates the skew of a sender's clock.
#[derive(Debug)]
pub(crate) struct Skew {
    epoch: Option<Instant>,
    second: Nanos,
    current: Option<Fastest>,
    /// The oldest first.
    seconds: [Fastest; SECONDS],
    len: usize,
    estimate: f64,
}

impl Default for Skew {
    fn default() -> Self {
        let seconds = [Fastest::default(); SECONDS];
        Self { epoch: None, second: 0, current: None, seconds, len: 0, estimate: 0.0 }
    }
}

impl Skew {
    /// Takes note of a packet; returns the skew if it is another now.
    pub(crate) fn observe(&mut self, now: Instant, media: Nanos) -> Option<f64> {
        let epoch = *self.epoch.get_or_insert(now);
        let at = now.nanos_since(epoch);
        let packet = Fastest { at: at as f64, offset: at.saturating_sub(media) as f64 };
        let second = at / SECOND;
        let before = self.estimate;
        if second > self.second {
            self.second = second;
            if let Some(fastest) = self.current.take() {
                self.add(fastest);
            }
        }
        if self.current.is_none_or(|fastest| packet.offset < fastest.offset) {
            self.current = Some(packet);
        }
        (self.estimate.to_bits() != before.to_bits()).then_some(self.estimate)
    }

    /// Begins anew with another stream.
    pub(crate) fn restart(&mut self) {
        *self = Self { estimate: self.estimate, ..Self::default() };
    }

    fn add(&mut self, fastest: Fastest) {
        if let Some(last) = self.seconds[..self.len].last() {
            let expected = last.offset + (fastest.at - last.at) * self.estimate;
            if (fastest.offset - expected).abs() > JUMP {
                self.len = 0;
            }
        }
        if self.len == SECONDS {
            self.seconds.copy_within(1.., 0);
            self.len -= 1;
        }
        self.seconds[self.len] = fastest;
        self.len += 1;
        if let Some((slope, error)) = self.slope()
            && error < TRUSTED
            && slope.abs() < MOST
            && (self.estimate.abs() > 0.0 || slope.abs() > NEGLIGIBLE.max(SURE * error))
        {
            self.estimate = slope;
        }
    }

    /// The slope of the line, and how much it may be wrong by (a standard deviation).
    fn slope(&self) -> Option<(f64, f64)> {
        if self.len < LEAST {
            return None;
        }
        let known = &self.seconds[..self.len];
        let third = self.len / 3;
        let (first, last) = (&known[..third], &known[self.len - third..]);
        let center = |part: &[Fastest]| part.iter().map(|fastest| fastest.at).sum::<f64>() / part.len() as f64;
        let span = center(last) - center(first);
        // The medians are of offsets without the slope known so far, that a steep one does not spread them.
        let level = |part: &[Fastest]| median(part.iter().map(|fastest| fastest.offset - fastest.at * self.estimate));
        let slope = self.estimate + (level(last) - level(first)) / span;
        let middle = median(known.iter().map(|fastest| fastest.offset - fastest.at * slope));
        let scatter = median(known.iter().map(|fastest| (fastest.offset - fastest.at * slope - middle).abs()));
        // Of a median, for a normal distribution: 1.48 makes a standard deviation of the scatter, 1.25 that of the median.
        let error = 1.48 * 1.25 * scatter * (2.0 / third as f64).sqrt() / span;
        Some((slope, error))
    }
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut sorted = [0.0; SECONDS];
    let mut len = 0;
    for (slot, value) in sorted.iter_mut().zip(values) {
        *slot = value;
        len += 1;
    }
    if len == 0 {
        return 0.0;
    }
    *sorted[..len].select_nth_unstable_by(len / 2, f64::total_cmp).1
}

#[cfg(test)]
mod tests {
    use core::time::Duration;

    use rtc_core::testkit::rng::Rng;

    use super::*;

    /// The estimate each second, in ppm, of packets each 20 ms with a delay by time in seconds.
    fn estimates(ppm: f64, seconds: u32, mut delay: impl FnMut(f64) -> f64) -> Vec<f64> {
        let mut skew = Skew::default();
        (0..seconds * 50)
            .map(|n| {
                let media = f64::from(n) * 0.02;
                let arrival = media * (1.0 + ppm * 1e-6) + delay(media) + 5.0;
                skew.observe(Instant::ZERO + Duration::from_secs_f64(arrival), Nanos::from(n) * 20_000_000);
                skew.estimate * 1e6
            })
            .step_by(50)
            .collect()
    }

    #[test]
    fn skew_is_known_to_five_ppm_within_a_minute() {
        for ppm in [-500.0, -100.0, 100.0, 500.0] {
            let clean = estimates(ppm, 60, |_| 0.0);
            assert!(clean[20..].iter().all(|estimate| (estimate - ppm).abs() < 1.0), "{ppm}: {clean:?}");
            let mut rng = Rng::new(1);
            let jittered = estimates(ppm, 120, |_| 0.005 * rng.exponential());
            assert!(jittered[60..].iter().all(|estimate| (estimate - ppm).abs() < 5.0), "{ppm}: {jittered:?}");
        }
    }

    #[test]
    fn jitter_is_not_skew() {
        let mut rng = Rng::new(2);
        assert!(estimates(0.0, 120, |_| 0.005 * rng.exponential()).iter().all(|estimate| *estimate == 0.0));
        let mut rng = Rng::new(3);
        let heavy = estimates(0.0, 120, |_| 0.2 * rng.uniform());
        assert!(heavy.iter().all(|estimate| estimate.abs() < 15.0), "{heavy:?}");
    }

    #[test]
    fn a_longer_path_and_a_full_queue_are_not_skew() {
        let step = estimates(0.0, 120, |time| if time > 50.0 { 0.1 } else { 0.0 });
        assert!(step.iter().all(|estimate| *estimate == 0.0), "{step:?}");
        // A queue that fills for ten seconds and drains for ten.
        let queue = estimates(0.0, 120, |time| 0.05 * (time % 20.0 - 10.0).abs() / 10.0);
        assert!(queue.iter().all(|estimate| estimate.abs() < 15.0), "{queue:?}");
    }
}
