//! libspeexdsp, to measure ours against: its jitter buffer, echo canceller, preprocessor and resampler.
//!
//! The jitter buffer orders packets and says when to play, when to conceal and when to insert; it neither stretches nor conceals
//! itself.

mod audio;
mod ffi;
mod jitter;

pub use audio::{Processing, ProcessingConfig, Resampler};
pub use jitter::{Got, JitterBuffer};

/// Of Debian 12's package.
pub const VERSION: &str = "1.2.1";
