//! Virtual time: ticks to drive a run, and endpoint clocks that are wrong.

use core::time::Duration;

use crate::ConfigError;
use crate::time::Instant;

/// Moments at a fixed distance, without end: the heartbeat of a run in virtual time.
///
/// ```
/// use core::time::Duration;
/// use rtc_core::testkit::clock::Ticks;
/// use rtc_core::time::Instant;
///
/// let last = Ticks::every(Duration::from_millis(10)).take(101).last();
/// assert_eq!(last, Some(Instant::from_millis(1_000)));
/// ```
#[derive(Debug, Clone)]
pub struct Ticks {
    next: Option<Instant>,
    period: Duration,
}

impl Ticks {
    /// From [`Instant::ZERO`] on, one tick per `period`.
    #[must_use]
    pub const fn every(period: Duration) -> Self {
        Self { next: Some(Instant::ZERO), period }
    }

    /// The same ticks, the first of them at `start`.
    #[must_use]
    pub const fn starting_at(self, start: Instant) -> Self {
        Self { next: Some(start), ..self }
    }
}

impl Iterator for Ticks {
    type Item = Instant;

    fn next(&mut self) -> Option<Instant> {
        let now = self.next?;
        let next = now + self.period;
        self.next = (next < Instant::MAX).then_some(next);
        Some(now)
    }
}

/// The clock of an endpoint: it started at a time of its own and runs fast or slow.
///
/// A run is driven in true time. An endpoint is told [`local`](Self::local) of it, and its deadlines are brought back by
/// [`true_time`](Self::true_time), the first true moment at which the endpoint's clock has reached the deadline. Integer
/// arithmetic, so an hour is as exact as a second.
///
/// ```
/// use core::time::Duration;
/// use rtc_core::testkit::clock::SkewedClock;
/// use rtc_core::time::Instant;
///
/// // Shows 100 s when the run starts, and gains 300 µs per second.
/// let clock = SkewedClock::new(Duration::from_secs(100), 300.0)?;
/// assert_eq!(clock.local(Instant::from_millis(10_000)), Instant::from_millis(110_003));
/// assert_eq!(clock.true_time(Instant::from_millis(110_003)), Instant::from_millis(10_000));
/// # Ok::<(), rtc_core::ConfigError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SkewedClock {
    offset: u64,
    /// Nanoseconds gained per second.
    skew: i32,
}

impl SkewedClock {
    /// A clock that shows `offset` at true time zero and gains `ppm` microseconds per second (loses, if negative), which is kept
    /// to a thousandth.
    ///
    /// # Errors
    ///
    /// If `ppm` is not within ±100 000 (a tenth of real time).
    pub fn new(offset: Duration, ppm: f64) -> Result<Self, ConfigError> {
        if !(-100_000.0..=100_000.0).contains(&ppm) {
            return Err(ConfigError::new("ppm", "must be within ±100000"));
        }
        #[expect(clippy::cast_possible_truncation, reason = "checked just above")]
        let skew = (ppm * 1_000.0).round() as i32;
        Ok(Self { offset: (Instant::ZERO + offset).as_nanos(), skew })
    }

    /// What this clock shows at `true_time`.
    #[must_use]
    pub fn local(&self, true_time: Instant) -> Instant {
        let elapsed = i128::from(true_time.as_nanos());
        // Floor, not truncation, though both are the same here: the factor is positive.
        instant(i128::from(self.offset) + elapsed * self.pace() / BILLION)
    }

    /// The first true moment at which this clock shows `local` or later; [`Instant::ZERO`] for what it never showed in this run.
    #[must_use]
    pub fn true_time(&self, local: Instant) -> Instant {
        let elapsed = i128::from(local.as_nanos()) - i128::from(self.offset);
        let pace = self.pace();
        instant((elapsed * BILLION + pace - 1).div_euclid(pace))
    }

    /// Local nanoseconds per true second.
    fn pace(&self) -> i128 {
        BILLION + i128::from(self.skew)
    }
}

const BILLION: i128 = 1_000_000_000;

fn instant(nanos: i128) -> Instant {
    Instant::from_nanos(u64::try_from(nanos.max(0)).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testkit::rng::Rng;

    #[test]
    fn ticks_end_with_time() {
        let near_the_end = Instant::MAX - Duration::from_nanos(25);
        assert_eq!(Ticks::every(Duration::from_nanos(10)).starting_at(near_the_end).count(), 3);
    }

    /// `true_time` is the least `t` with `local(t) >= l`, checked from both sides.
    #[test]
    fn true_time_is_the_first_moment_the_clock_has_got_there() {
        let mut rng = Rng::new(1);
        for ppm in [-100_000.0, -500.0, -0.001, 0.0, 0.001, 20.0, 300.0, 100_000.0] {
            let clock = SkewedClock::new(Duration::from_secs(5), ppm).unwrap();
            for _ in 0..1_000 {
                let local = Instant::from_nanos(5_000_000_001 + rng.below(1 << 50));
                let found = clock.true_time(local);
                assert!(clock.local(found) >= local);
                assert!(clock.local(found - Duration::from_nanos(1)) < local);
            }
        }
    }

    #[test]
    fn a_round_trip_is_exact_or_one_nanosecond_early() {
        let mut rng = Rng::new(2);
        for ppm in [-900.0, -1.0, 0.0, 1.0, 900.0] {
            let clock = SkewedClock::new(Duration::from_secs(1), ppm).unwrap();
            for _ in 0..1_000 {
                let time = Instant::from_nanos(rng.below(1 << 55));
                let back = clock.true_time(clock.local(time));
                let slack = if ppm < 0.0 { 1 } else { 0 };
                assert!(back <= time && (time - back).as_nanos() <= slack, "{ppm} ppm: {time:?} came back as {back:?}");
            }
        }
    }

    #[test]
    fn extremes_saturate() {
        let clock = SkewedClock::new(Duration::MAX, 1.0).unwrap();
        assert_eq!(clock.local(Instant::MAX), Instant::MAX);
        assert_eq!(clock.true_time(Instant::ZERO), Instant::ZERO);
        assert_eq!(SkewedClock::default().local(Instant::MAX), Instant::MAX);
        assert!(SkewedClock::new(Duration::ZERO, f64::NAN).is_err());
        assert!(SkewedClock::new(Duration::ZERO, -1e6).is_err());
    }
}
