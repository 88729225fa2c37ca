//! Transport-wide feedback, both ways: what arrived is recorded and reported, and what is reported is matched with what was
//! sent (draft-holmer-rmcat-transport-wide-cc-extensions-01).

mod history;
mod recorder;
#[cfg(test)]
mod tests;

pub use history::{HistoryConfig, HistoryStats, SendHistory};
pub use recorder::{FeedbackRecorder, Recorded, RecorderConfig, RecorderStats};
