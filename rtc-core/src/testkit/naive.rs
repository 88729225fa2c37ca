//! The simplest correct implementation of every role: references for tests, and the first users of the traits.
//!
//! They are complete, but naive: nothing adapts to the network, nothing is fast, and some allocate.

mod bwe;
mod conceal;
mod fec;
mod g711;
mod gain;
mod jitter;
mod mix;
mod nlms;
mod pacing;
mod pcm;
mod svc;
mod temporal;
mod video;

pub use bwe::{FixedRate, ReceivedRate};
pub use fec::{Duplicator, Restorer};
pub use gain::Gain;
pub use jitter::FixedDelay;
pub use mix::SaturatingSum;
pub use nlms::Nlms;
pub use pacing::LeakyBucket;
pub use pcm::{Coding, PcmDecoder, PcmEncoder};
pub use svc::Filter;
pub use temporal::TemporalSelector;
pub use video::{RawVideoDecoder, RawVideoEncoder};
