//! The Opus codec (RFC 6716) in the codec roles, on libopus (feature `opus`).
//!
//! ```
//! use rtc_core::audio::AudioBuffer;
//! use rtc_core::codec::{AudioDecoder, AudioEncoder};
//! use rtc_core::opus::{OpusConfig, OpusDecoder, OpusEncoder};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let config = OpusConfig::default();
//! let mut encoder = OpusEncoder::new(&config)?;
//! let mut decoder = OpusDecoder::new(config.format)?;
//!
//! let mut frame = AudioBuffer::new(1, 960, config.format.rate)?;
//! let mut payload = [0; 1275];
//! let encoded = encoder.encode(frame.as_ref(), &mut payload)?;
//! assert_eq!(decoder.decode(&payload[..encoded.len], frame.as_mut())?, 960);
//! # Ok(())
//! # }
//! ```

use ::opus::Channels;

use crate::codec::AudioFormat;
use crate::{ConfigError, Frequency};

mod config;
mod decoder;
#[cfg(feature = "dred")]
mod dred;
mod encoder;
#[cfg(feature = "dred")]
mod ffi;
mod packet;
#[cfg(feature = "dred")]
mod span;
#[cfg(test)]
mod tests;

pub use config::{OpusApplication, OpusConfig, Redundancy};
pub use decoder::OpusDecoder;
pub use encoder::OpusEncoder;
#[cfg(feature = "dred")]
pub use span::{dred_bitrate, dred_span};

#[cfg(not(feature = "dred"))]
use ::opus::{Decoder, Encoder, Error};
#[cfg(feature = "dred")]
use ffi::{Decoder, Encoder, Error};

/// Samples per channel of the longest packet, 120 ms (RFC 6716 §3.2.5, requirement 5).
fn longest(rate: Frequency) -> usize {
    samples(rate, 48)
}

/// Samples in `units` of 2.5 ms, the shortest Opus frame.
fn samples(rate: Frequency, units: u32) -> usize {
    (units * (rate / 400)) as usize
}

/// The library's word for a number of channels, if Opus can have this format.
fn check(format: AudioFormat) -> Result<Channels, ConfigError> {
    if ![8_000, 12_000, 16_000, 24_000, 48_000].contains(&format.rate.as_hz()) {
        return Err(ConfigError::new("rate", "must be 8, 12, 16, 24 or 48 kHz"));
    }
    match format.channels {
        1 => Ok(Channels::Mono),
        2 => Ok(Channels::Stereo),
        _ => Err(ConfigError::new("channels", "must be 1 or 2")),
    }
}

/// What is left when the library refuses a setting that was checked: it ran out of memory.
fn refused(_: Error) -> ConfigError {
    ConfigError::new("format", "was refused by the codec library, which is out of memory")
}

/// The library's number of an error.
#[cfg_attr(feature = "dred", expect(clippy::unnecessary_cast, reason = "crate `opus` has an enum for it"))]
fn code(error: &Error) -> i32 {
    error.code() as i32
}
