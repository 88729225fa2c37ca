//! libwebrtc's own mechanisms as of January 2023, to measure ours against.
//!
//! Debian's `libtgowt-dev` carries libwebrtc as one static archive, compiled as its authors wrote it. A small C++ shim gives
//! its congestion controller, jitter buffer, forward error correction, audio processing and mixer a C face, and the types here give that a Rust one.
//! Everything is driven in virtual time. No source of libwebrtc is part of this package: its headers are read from the system.

mod audio;
mod ffi;
mod goog_cc;
mod heap;
mod neteq;
mod ulpfec;

pub use audio::{Apm, ApmConfig, AudioMixer};
pub use goog_cc::{GoogCc, GoogCcLimits, GoogCcTrials};
pub use heap::HeapUse;
pub use neteq::{NetEq, NetEqConfig, NetEqFrame, NetEqStats, Speech};
pub use ulpfec::{Masks, Ulpfec};

/// Where the code comes from, for the tables: month of the source in Debian's package.
pub const VERSION: &str = "2023-01";
