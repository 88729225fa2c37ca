use alloc::vec::Vec;
use core::time::Duration;

use super::{TraceError, data_lines};
use crate::{Bitrate, DataSize};

/// A link recorded as its chances to deliver, in the format of Mahimahi (Netravali et al., USENIX ATC 2015): each line is a
/// millisecond at which 1500 bytes may pass; the last line is also the length of the trace, which then starts over.
///
/// Packets are served byte by byte and in order: an opportunity carries the ends and starts of several packets, and what of it
/// nobody waits for is wasted. A packet that arrives in the very nanosecond of an opportunity can use it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeliveryTrace {
    /// Nanoseconds from the start, ascending; the last one is the period and not zero.
    opportunities: Vec<u64>,
}

impl DeliveryTrace {
    /// What one opportunity carries.
    pub const OPPORTUNITY: DataSize = DataSize::from_bytes(1_500);

    /// From the opportunities of one period, which ends with the last of them.
    ///
    /// # Errors
    ///
    /// If there is none, if they are not in ascending order (equal ones are fine), or if the last is at zero.
    pub fn new(opportunities: impl IntoIterator<Item = Duration>) -> Result<Self, TraceError> {
        let nanos = |time: Duration| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        let opportunities: Vec<u64> = opportunities.into_iter().map(nanos).collect();
        if let Some(index) = opportunities.windows(2).position(|pair| pair[1] < pair[0]) {
            return Err(TraceError::new(index + 2, "is earlier than the one before"));
        }
        match opportunities.last() {
            None => Err(TraceError::new(0, "is empty")),
            Some(0) => Err(TraceError::new(0, "ends at zero and so has no length")),
            Some(_) => Ok(Self { opportunities }),
        }
    }

    /// From the text of a Mahimahi trace. Blank lines and lines that start with `#` are skipped.
    ///
    /// # Errors
    ///
    /// If a line is not a whole number of milliseconds, or as [`new`](Self::new).
    pub fn parse(text: &str) -> Result<Self, TraceError> {
        let mut times = Vec::new();
        let mut last = 0;
        for (number, line) in data_lines(text) {
            let millis: u32 =
                line.parse().map_err(|_| TraceError::new(number, "is not a whole number of milliseconds"))?;
            if millis < last {
                return Err(TraceError::new(number, "is earlier than the one before"));
            }
            last = millis;
            times.push(Duration::from_millis(millis.into()));
        }
        Self::new(times)
    }

    /// The length of the trace.
    #[must_use]
    pub fn period(&self) -> Duration {
        Duration::from_nanos(self.period_nanos())
    }

    /// What it carries on average.
    #[must_use]
    pub fn mean_rate(&self) -> Bitrate {
        DataSize::from_bytes(self.opportunities.len() as u64 * Self::OPPORTUNITY.as_bytes()).per(self.period())
    }

    /// What all opportunities before `time` carry together.
    #[must_use]
    pub fn size_until(&self, time: Duration) -> DataSize {
        self.size_before(u64::try_from(time.as_nanos()).unwrap_or(u64::MAX))
    }

    pub(crate) fn size_before(&self, nanos: u64) -> DataSize {
        let Some(last) = nanos.checked_sub(1) else { return DataSize::ZERO };
        // Within (0, period], so that the opportunity at the end of a period belongs to it and not to the next.
        let within = last % self.period_nanos() + 1;
        let cycles = last / self.period_nanos();
        let count = self.opportunities.partition_point(|&time| time < within) as u64;
        let total = cycles.saturating_mul(self.opportunities.len() as u64).saturating_add(count);
        DataSize::from_bytes(total.saturating_mul(Self::OPPORTUNITY.as_bytes()))
    }

    /// The time of the opportunity that carries the byte after `size`.
    pub(crate) fn time_after(&self, size: DataSize) -> u64 {
        let index = size.as_bytes() / Self::OPPORTUNITY.as_bytes();
        let len = self.opportunities.len() as u64;
        let within = usize::try_from(index % len).map_or(0, |position| self.opportunities[position]);
        (index / len).saturating_mul(self.period_nanos()).saturating_add(within)
    }

    fn period_nanos(&self) -> u64 {
        self.opportunities[self.opportunities.len() - 1]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_name_the_line() {
        let line = |text| DeliveryTrace::parse(text).unwrap_err().line();
        assert_eq!(line("1\n2.5\n"), 2);
        assert_eq!(line("5\n# x\n4\n"), 3);
        assert_eq!(line("-1\n"), 1);
        assert_eq!(line(""), 0);
        assert_eq!(line("0\n0\n"), 0);
    }

    /// A naive walk over the opportunities finds the same sums and moments.
    #[test]
    fn sums_and_moments_agree_with_a_walk() {
        for text in ["0\n1\n1\n4\n", "2\n3\n", "5\n", "0\n0\n7\n"] {
            let trace = DeliveryTrace::parse(text).unwrap();
            let period = trace.period_nanos();
            let walk: Vec<u64> =
                (0..5).flat_map(|cycle| trace.opportunities.iter().map(move |time| cycle * period + time)).collect();
            for nanos in (0..4 * period).step_by(500_000) {
                for nanos in [nanos.saturating_sub(1), nanos, nanos + 1] {
                    let before = walk.iter().filter(|&&time| time < nanos).count() as u64;
                    assert_eq!(trace.size_before(nanos).as_bytes(), before * 1_500, "{text:?} at {nanos}");
                }
            }
            for (index, &time) in walk.iter().enumerate() {
                let size = index as u64 * 1_500;
                assert_eq!(trace.time_after(DataSize::from_bytes(size)), time);
                assert_eq!(trace.time_after(DataSize::from_bytes(size + 1_499)), time);
            }
        }
    }

    #[test]
    fn mean_rate_is_opportunities_over_period() {
        let trace = DeliveryTrace::parse("0\n5\n10\n").unwrap();
        assert_eq!(trace.mean_rate(), Bitrate::from_kbps(3_600));
    }
}
