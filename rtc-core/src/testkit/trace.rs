//! Recorded and synthetic behaviour of paths: per-packet delays, delivery opportunities, rates over time.

mod delay;
mod delivery;
mod generate;
mod rate;

use core::fmt;

pub use delay::DelayTrace;
pub use delivery::DeliveryTrace;
pub use rate::RateSchedule;
pub(crate) use rate::work;

/// A line of a trace that is not what the format says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TraceError {
    line: usize,
    reason: &'static str,
}

impl TraceError {
    pub(crate) const fn new(line: usize, reason: &'static str) -> Self {
        Self { line, reason }
    }

    /// The number of the line, from one; zero if the fault is of the whole.
    #[must_use]
    pub const fn line(&self) -> usize {
        self.line
    }
}

impl fmt::Display for TraceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => write!(f, "trace {}", self.reason),
            line => write!(f, "trace line {line} {}", self.reason),
        }
    }
}

impl core::error::Error for TraceError {}

/// The lines that carry data, with their numbers: blank ones and comments (`#`) are left out.
fn data_lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let trimmed = text.lines().enumerate().map(|(index, line)| (index + 1, line.trim()));
    trimmed.filter(|(_, line)| !line.is_empty() && !line.starts_with('#'))
}
