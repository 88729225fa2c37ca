use alloc::vec::Vec;
use core::time::Duration;

use super::{TraceError, data_lines};

/// What became of each packet on a recorded path: its one-way delay, or its loss. Starts over at its end.
///
/// ```
/// use core::time::Duration;
/// use rtc_core::testkit::trace::DelayTrace;
///
/// let trace = DelayTrace::parse("# one line per packet, in ms\n12.5\n-1\n0\n")?;
/// assert_eq!(trace.delays(), [Some(Duration::from_micros(12_500)), None, Some(Duration::ZERO)]);
/// # Ok::<(), rtc_core::testkit::trace::TraceError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DelayTrace {
    delays: Vec<Option<Duration>>,
}

impl DelayTrace {
    /// One entry per packet, `None` for one that was lost.
    ///
    /// # Errors
    ///
    /// If there is none.
    pub fn new(delays: Vec<Option<Duration>>) -> Result<Self, TraceError> {
        if delays.is_empty() {
            return Err(TraceError::new(0, "is empty"));
        }
        Ok(Self { delays })
    }

    /// From text with one packet per line: its delay in milliseconds, below zero if it was lost. Blank lines and lines that start
    /// with `#` are skipped.
    ///
    /// # Errors
    ///
    /// If a line is not a number or a delay is above an hour, or there is no line.
    pub fn parse(text: &str) -> Result<Self, TraceError> {
        Self::new(data_lines(text).map(|(number, line)| parse_line(number, line)).collect::<Result<_, _>>()?)
    }

    /// All packets in order.
    #[must_use]
    pub fn delays(&self) -> &[Option<Duration>] {
        &self.delays
    }

    /// The packet numbered `index` from zero, in a trace repeated for ever.
    #[must_use]
    pub fn packet(&self, index: u64) -> Option<Duration> {
        let position = index % self.delays.len() as u64;
        usize::try_from(position).ok().and_then(|position| self.delays[position])
    }
}

fn parse_line(number: usize, line: &str) -> Result<Option<Duration>, TraceError> {
    const HOUR_MS: f64 = 3_600_000.0;
    let millis: f64 = line.parse().map_err(|_| TraceError::new(number, "is not a number of milliseconds"))?;
    if millis < 0.0 {
        return Ok(None);
    }
    if (0.0..=HOUR_MS).contains(&millis) {
        return Ok(Some(Duration::from_secs_f64(millis / 1e3)));
    }
    Err(TraceError::new(number, "is not a delay of at most an hour"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_name_the_line() {
        let line = |text| DelayTrace::parse(text).unwrap_err().line();
        assert_eq!(line("1\n\n# two\nthree\n"), 4);
        assert_eq!(line("NaN"), 1);
        assert_eq!(line("1\ninf"), 2);
        assert_eq!(line("# nothing\n"), 0);
        assert_eq!(DelayTrace::parse("1e9").unwrap_err().to_string(), "trace line 1 is not a delay of at most an hour");
    }

    #[test]
    fn repeats_for_ever() {
        let trace = DelayTrace::parse("1\r\n-3.5\r\n2\r\n").unwrap();
        assert_eq!(trace.packet(0), Some(Duration::from_millis(1)));
        assert_eq!(trace.packet(4), None);
        assert_eq!(trace.packet(3_000_000_002), Some(Duration::from_millis(2)));
    }
}
