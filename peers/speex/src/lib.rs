//! The jitter buffer of libspeexdsp, to measure ours against.
//!
//! It orders packets and says when to play, when to conceal and when to insert; it neither stretches nor conceals itself.

mod ffi;
mod jitter;

pub use jitter::{Got, JitterBuffer};

/// Of Debian 12's package.
pub const VERSION: &str = "1.2.1";
