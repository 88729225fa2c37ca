//! Lip sync: streams of one sender are played so that what belongs together is heard and seen together.

mod group;
mod mapping;

pub use group::{MediaKind, Played, SyncConfig, SyncGroup};
pub use mapping::{NtpMapping, ReportOutcome};
