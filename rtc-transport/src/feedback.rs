//! Feedback on single packets, both ways: what arrived is recorded and reported, and what is reported is matched with what was
//! sent. Two formats say the same: transport-wide feedback (draft-holmer-rmcat-transport-wide-cc-extensions-01), which numbers
//! the packets of all streams together, and congestion control feedback (RFC 8888), which goes by stream and tells congestion
//! marks as well.

mod congestion;
mod history;
mod index;
mod recorder;
#[cfg(test)]
mod tests;
mod window;

pub use congestion::CongestionRecorder;
pub use history::{HistoryConfig, HistoryStats, SendHistory};
pub use recorder::{FeedbackRecorder, Recorded, RecorderConfig, RecorderStats};
