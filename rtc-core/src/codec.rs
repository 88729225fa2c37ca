//! The codec roles: audio and video encoders and decoders.

use core::fmt;

mod audio;
mod video;

pub use audio::{AudioDecoder, AudioEncoder, AudioFormat, EncodedAudio};
pub use video::{EncodedFrame, VideoDecoder, VideoEncoder};

/// An encoder could not encode.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum EncodeError {
    /// The input is not of the shape (rate, channels, samples, picture size) the encoder was built for.
    Shape,
    /// The output buffer is too small.
    NoRoom,
    /// The codec library failed, with this code of its own.
    Codec(i32),
}

impl fmt::Display for EncodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Shape => f.write_str("input is not of the shape the encoder was built for"),
            Self::NoRoom => f.write_str("output buffer is too small"),
            Self::Codec(code) => write!(f, "codec library failed with code {code}"),
        }
    }
}

impl core::error::Error for EncodeError {}
