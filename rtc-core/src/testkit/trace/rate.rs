use alloc::vec::Vec;
use core::time::Duration;

use crate::{Bitrate, ConfigError, DataSize};

/// What one bit costs in the unit of [`RateSchedule`]'s arithmetic, in which rate × time is exact: bit-nanoseconds per second.
const WORK_PER_BIT: u128 = 1_000_000_000;

/// A rate that changes in steps, once or over and over.
///
/// ```
/// use core::time::Duration;
/// use rtc_core::Bitrate;
/// use rtc_core::testkit::trace::RateSchedule;
///
/// // RFC 8867 §5.1: one flow, variable capacity.
/// let seconds = Duration::from_secs;
/// let schedule = RateSchedule::new(
///     &[
///         (seconds(0), Bitrate::from_kbps(1_000)),
///         (seconds(40), Bitrate::from_kbps(2_500)),
///         (seconds(60), Bitrate::from_kbps(600)),
///         (seconds(80), Bitrate::from_kbps(1_000)),
///     ],
///     None,
/// )?;
/// assert_eq!(schedule.rate_at(seconds(65)), Bitrate::from_kbps(600));
/// assert_eq!(schedule.size_until(seconds(60)).as_bytes(), (40 * 1_000_000 + 20 * 2_500_000) / 8);
/// # Ok::<(), rtc_core::ConfigError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RateSchedule {
    steps: Vec<Step>,
    cycle: Option<Cycle>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Step {
    /// Nanoseconds from the start of the cycle.
    from: u64,
    rate: Bitrate,
    /// The rate, or the last one that was not zero.
    nominal: Bitrate,
    /// Work done in this cycle before this step.
    before: u128,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Cycle {
    nanos: u64,
    work: u128,
}

impl RateSchedule {
    /// The same rate for ever.
    ///
    /// # Errors
    ///
    /// If it is zero.
    pub fn constant(rate: Bitrate) -> Result<Self, ConfigError> {
        Self::new(&[(Duration::ZERO, rate)], None)
    }

    /// Each step is a time from the start and the rate from then on; a rate of zero stalls the link and loses nothing. With a
    /// `period` the steps start over after it, without one the last rate stays.
    ///
    /// # Errors
    ///
    /// If the first step is not at zero, times do not ascend, all rates are zero, or the period ends before the last step.
    pub fn new(steps: &[(Duration, Bitrate)], period: Option<Duration>) -> Result<Self, ConfigError> {
        if steps.first().is_none_or(|&(from, _)| from > Duration::ZERO) {
            return Err(ConfigError::new("steps", "must begin at zero"));
        }
        if !steps.is_sorted_by(|a, b| a.0 < b.0) {
            return Err(ConfigError::new("steps", "must be in ascending order of time"));
        }
        let period = period.map(nanos);
        if period.is_some_and(|period| steps.iter().any(|&(from, _)| nanos(from) >= period)) {
            return Err(ConfigError::new("period", "must be longer than the steps"));
        }
        let nonzero = |&&(_, rate): &&(Duration, Bitrate)| rate > Bitrate::ZERO;
        let wrapped = if period.is_some() { steps.iter().rfind(nonzero) } else { steps.iter().find(nonzero) };
        let Some(&(_, mut nominal)) = wrapped else {
            return Err(ConfigError::new("steps", "must not all be zero"));
        };
        let mut before = 0;
        let mut built: Vec<Step> = Vec::with_capacity(steps.len());
        for &(from, rate) in steps {
            before += built.last().map_or(0, |last| last.work_to(nanos(from)));
            nominal = if rate > Bitrate::ZERO { rate } else { nominal };
            built.push(Step { from: nanos(from), rate, nominal, before });
        }
        let last = built[built.len() - 1];
        let cycle = period.map(|nanos| Cycle { nanos, work: before + last.work_to(nanos) });
        Ok(Self { steps: built, cycle })
    }

    /// Its steps, as given.
    pub fn steps(&self) -> impl Iterator<Item = (Duration, Bitrate)> + '_ {
        self.steps.iter().map(|step| (Duration::from_nanos(step.from), step.rate))
    }

    /// After which time it starts over.
    #[must_use]
    pub fn period(&self) -> Option<Duration> {
        self.cycle.map(|cycle| Duration::from_nanos(cycle.nanos))
    }

    /// The rate at `time` from the start.
    #[must_use]
    pub fn rate_at(&self, time: Duration) -> Bitrate {
        self.step_at(nanos(time)).rate
    }

    /// What can pass in the first `time`, rounded down to a byte.
    #[must_use]
    pub fn size_until(&self, time: Duration) -> DataSize {
        let bytes = self.work_until(nanos(time)) / (8 * WORK_PER_BIT);
        DataSize::from_bytes(u64::try_from(bytes).unwrap_or(u64::MAX))
    }

    /// The rate at `nanos`, or the last before it that was not zero.
    pub(crate) fn nominal_at(&self, nanos: u64) -> Bitrate {
        self.step_at(nanos).nominal
    }

    /// Work done in the first `nanos`, in bit-nanoseconds per second.
    pub(crate) fn work_until(&self, nanos: u64) -> u128 {
        let (cycles, within) = self.split(nanos);
        let step = self.step_within(within);
        let earlier = self.cycle.map_or(0, |cycle| cycle.work.saturating_mul(cycles.into()));
        earlier.saturating_add(step.before + step.work_to(within))
    }

    /// The first nanosecond at whose end `work` is done; `None` if it never is.
    pub(crate) fn time_of(&self, work: u128) -> Option<u64> {
        let Some(last) = work.checked_sub(1) else { return Some(0) };
        // Within (0, cycle], so that work done exactly at the end of a cycle is not waited for in the next.
        let (start, within) = match self.cycle {
            Some(cycle) => (u64::try_from(last / cycle.work).ok()?.checked_mul(cycle.nanos)?, last % cycle.work + 1),
            None => (0, work),
        };
        let step = self.steps[self.steps.partition_point(|step| step.before < within) - 1];
        let rate = u128::from(step.rate.as_bps());
        // Only the last step of a schedule without period can be zero here: that work is never done.
        let time = (within - step.before).checked_add(rate.checked_sub(1)?)? / rate;
        start.checked_add(step.from)?.checked_add(u64::try_from(time).ok()?)
    }

    fn step_at(&self, nanos: u64) -> &Step {
        self.step_within(self.split(nanos).1)
    }

    fn split(&self, nanos: u64) -> (u64, u64) {
        self.cycle.map_or((0, nanos), |cycle| (nanos / cycle.nanos, nanos % cycle.nanos))
    }

    fn step_within(&self, within: u64) -> &Step {
        // The first step is at zero, so the count of steps not after `within` is at least one.
        &self.steps[self.steps.partition_point(|step| step.from <= within) - 1]
    }
}

impl Step {
    fn work_to(&self, nanos: u64) -> u128 {
        u128::from(self.rate.as_bps()) * u128::from(nanos - self.from)
    }
}

/// The work of carrying `size`.
pub(crate) fn work(size: DataSize) -> u128 {
    u128::from(size.as_bits()) * WORK_PER_BIT
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn impossible_schedules_are_refused() {
        let setting = |steps: &[(Duration, Bitrate)], period| RateSchedule::new(steps, period).unwrap_err().setting();
        let rate = Bitrate::from_bps(1);
        assert_eq!(setting(&[], None), "steps");
        assert_eq!(setting(&[(MS, rate)], None), "steps");
        assert_eq!(setting(&[(Duration::ZERO, rate), (MS, rate), (MS, rate)], None), "steps");
        assert_eq!(setting(&[(Duration::ZERO, Bitrate::ZERO)], Some(MS)), "steps");
        assert_eq!(setting(&[(Duration::ZERO, rate), (MS, rate)], Some(MS)), "period");
    }

    /// `time_of` is the least time with `work_until(time) >= work`, stalls and cycles included.
    #[test]
    fn time_of_work_is_its_inverse() {
        let rate = Bitrate::from_bps;
        let steps = [(Duration::ZERO, rate(0)), (MS, rate(7)), (2 * MS, rate(0)), (3 * MS, rate(1_000_003))];
        for period in [None, Some(3 * MS + Duration::from_nanos(1)), Some(5 * MS)] {
            let schedule = RateSchedule::new(&steps, period).unwrap();
            for work in (1..3_000_000_000_000).step_by(999_999_937).chain([1, 7, 7_000_000, 7_000_001]) {
                let time = schedule.time_of(work).unwrap();
                assert!(schedule.work_until(time) >= work);
                assert!(time == 0 || schedule.work_until(time - 1) < work);
            }
        }
    }

    #[test]
    fn a_rate_that_ends_in_zero_never_finishes() {
        let schedule = RateSchedule::new(&[(Duration::ZERO, Bitrate::from_bps(8)), (MS, Bitrate::ZERO)], None).unwrap();
        assert_eq!(schedule.time_of(8_000_000), Some(1_000_000));
        assert_eq!(schedule.time_of(8_000_001), None);
        assert_eq!(schedule.nominal_at(9_000_000), Bitrate::from_bps(8));
    }

    #[test]
    fn extremes_do_not_overflow() {
        let schedule = RateSchedule::constant(Bitrate::MAX).unwrap();
        assert_eq!(schedule.time_of(schedule.work_until(u64::MAX)), Some(u64::MAX));
        assert_eq!(schedule.size_until(Duration::MAX), DataSize::from_bytes(u64::MAX));
        let slow = RateSchedule::new(&[(Duration::ZERO, Bitrate::from_bps(1))], Some(MS)).unwrap();
        assert_eq!(slow.time_of(u128::MAX), None);
    }
}
