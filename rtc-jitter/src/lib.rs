#![forbid(unsafe_code)]
#![doc = include_str!("../README.md")]

extern crate alloc;

mod arrival;
mod buffer;
mod conceal;
mod decide;
mod delay;
mod intake;
mod joint;
mod lanes;
mod lpc;
mod noise;
mod playout;
mod resample;
mod skew;
mod stats;
mod store;
mod stretch;
mod sync;
mod video;

pub use buffer::{AudioJitterBuffer, JitterConfig};
pub use conceal::{Concealer, PitchConcealer};
pub use delay::{
    Aim, DelayConfig, DelayPolicy, ExpectedStall, FixedDelay, Lateness, LeastCost, Reason, WindowQuantile,
};
pub use playout::{AudioPlayout, ConcealedBy, PlayoutConfig, Pulled, PulledKind};
pub use stats::{JitterStats, PlayoutStats};
pub use sync::{MediaKind, NtpMapping, Played, ReportOutcome, SyncConfig, SyncGroup};
pub use video::{TimedFrame, VideoCodec, VideoConfig, VideoJitterBuffer, VideoStats};
