// With `dred` one private module, `opus/ffi.rs`, may use it: crate `opus` has no way to the handles that DRED needs.
#![cfg_attr(not(feature = "dred"), forbid(unsafe_code))]
#![doc = include_str!("../README.md")]

extern crate alloc;

mod error;
mod id;
mod seq;
mod units;

pub mod audio;
pub mod bwe;
pub mod codec;
pub mod fec;
pub mod jitter;
pub mod mix;
#[cfg(feature = "opus")]
pub mod opus;
pub mod pacing;
pub mod rtp;
pub mod svc;
#[cfg(feature = "testkit")]
pub mod testkit;
pub mod time;
pub mod video;

pub use error::{ConfigError, Fault, Malformed};
pub use id::{PayloadType, Ssrc};
pub use rtp::RtpPacket;
pub use seq::{RtpTime, SeqNum, SeqUnwrapper, TimeUnwrapper};
pub use units::{Bitrate, DataSize, Frequency};
