//! A share of a queue that others keep full: the rate follows the window of TCP Cubic (RFC 9438) for as long as yielding does
//! not empty the queue.

use core::time::Duration;

use rtc_core::time::Instant;

use crate::config::CompeteConfig;

mod crowd;

pub(crate) use crowd::{Crowd, Queue};

/// `β_cubic` (RFC 9438 §4.6).
const BETA: f64 = 0.7;
/// `α_cubic = 3 (1 - β) / (1 + β)`, segments per round trip (RFC 9438 §4.3).
const FRIENDLY: f64 = 3.0 * (1.0 - BETA) / (1.0 + BETA);
/// Bits of a segment: 1500 bytes with headers.
const SEGMENT: f64 = 12_000.0;
/// A queue empty for this long means that the others are gone.
const GONE: Duration = Duration::from_millis(2_000);

/// What is known when the rate is updated. Rates in b/s, times in seconds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct View {
    pub(crate) now: Instant,
    /// Round trip, the queue included.
    pub(crate) round_trip: f64,
    /// Packets were lost from a queue.
    pub(crate) lost: bool,
    /// There is no queue.
    pub(crate) is_clear: bool,
}

/// The window of Cubic, as a rate.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Compete {
    config: CompeteConfig,
    since: Instant,
    /// `W_max` and the time `K` to reach it again.
    most: f64,
    delay: f64,
    /// When the present epoch began, and its first rate.
    epoch: Instant,
    first: f64,
    clear_since: Option<Instant>,
}

impl Compete {
    /// Begins at `rate`, at the point where Cubic begins to search for more.
    pub(crate) fn new(config: CompeteConfig, now: Instant, rate: f64) -> Self {
        Self { config, since: now, most: rate, delay: 0.0, epoch: now, first: rate, clear_since: None }
    }

    /// Whether it is time to see if it is over.
    pub(crate) fn is_due(&self, now: Instant) -> bool {
        now - self.since >= self.config.check
    }

    /// The next rate after `rate`; `None` when there is nobody to compete with.
    pub(crate) fn update(&mut self, rate: f64, view: &View) -> Option<f64> {
        self.clear_since = if view.is_clear { self.clear_since.or(Some(view.now)) } else { None };
        if self.clear_since.is_some_and(|since| view.now - since >= GONE) {
            return None;
        }
        let round_trip = view.round_trip.max(0.01);
        let elapsed = (view.now - self.epoch).as_secs_f64();
        if view.lost && elapsed >= round_trip {
            return Some(self.back_off(rate, round_trip, view.now));
        }
        // §4.2: W_cubic(t) = C (t - K)^3 + W_max; §4.3: at least what Reno would have.
        let segments = SEGMENT / round_trip;
        let offset = elapsed - self.delay;
        let cubic = self.most + self.config.scale * offset * offset * offset * segments;
        let reno = self.first + FRIENDLY * elapsed / round_trip * segments;
        Some(cubic.max(reno))
    }

    /// §4.6 and, for fast convergence, §4.7.
    fn back_off(&mut self, rate: f64, round_trip: f64, now: Instant) -> f64 {
        self.most = if rate < self.most { rate * (1.0 + BETA) / 2.0 } else { rate };
        self.first = BETA * rate;
        self.epoch = now;
        let missing = (self.most - self.first).max(0.0) * round_trip / SEGMENT;
        self.delay = cube_root(missing / self.config.scale);
        self.first
    }
}

/// By Newton's method, so that it is the same on every machine.
fn cube_root(value: f64) -> f64 {
    if value <= 0.0 {
        return 0.0;
    }
    let mut root = value.max(1.0);
    for _ in 0..60 {
        root -= (root - value / (root * root)) / 3.0;
    }
    root
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `C` of RFC 9438 §5.
    fn config() -> CompeteConfig {
        CompeteConfig { scale: 0.4, ..CompeteConfig::default() }
    }

    fn view(millis: u64, lost: bool) -> View {
        View { now: Instant::from_millis(millis), round_trip: 0.2, lost, is_clear: false }
    }

    #[test]
    fn cube_roots_are() {
        for value in [0.001, 0.5, 1.0, 8.0, 27.0, 1e6] {
            let root = cube_root(value);
            assert!((root * root * root / value - 1.0).abs() < 1e-9, "{value}");
        }
    }

    #[test]
    fn rfc9438_s4_6_a_loss_lowers_the_rate_to_seven_tenths_once_in_a_round_trip() {
        let mut compete = Compete::new(config(), Instant::ZERO, 1e6);
        assert_eq!(compete.update(1e6, &view(1_000, true)), Some(0.7e6));
        assert!(compete.update(0.7e6, &view(1_100, true)).unwrap() > 0.69e6);
    }

    #[test]
    fn rfc9438_s4_2_it_returns_to_the_rate_before_after_k() {
        let mut compete = Compete::new(config(), Instant::ZERO, 10e6);
        compete.update(10e6, &view(1_000, true));
        // K = cbrt(0.3 × 10 Mb/s × 0.2 s / 12 kb / 0.4) = cbrt(125) = 5 s.
        let rate = compete.update(7e6, &view(6_000, false)).unwrap();
        assert!((rate - 10e6).abs() < 1.0, "{rate}");
        assert!(compete.update(rate, &view(9_000, false)).unwrap() > 10.5e6);
    }

    #[test]
    fn it_ends_when_the_queue_stays_empty() {
        let mut compete = Compete::new(config(), Instant::ZERO, 1e6);
        let clear = |millis| View { is_clear: true, ..view(millis, false) };
        assert!(compete.update(1e6, &clear(100)).is_some());
        assert!(compete.update(1e6, &view(600, false)).is_some());
        assert!(compete.update(1e6, &clear(700)).is_some());
        assert!(compete.update(1e6, &clear(2_600)).is_some());
        assert!(compete.update(1e6, &clear(2_700)).is_none());
    }
}
