#![deny(clippy::missing_trait_methods)]

use crate::audio::{AudioMut, AudioRef};
use crate::{Bitrate, Frequency, Malformed};

use super::EncodeError;

/// The shape of a codec's audio.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AudioFormat {
    /// Sample rate.
    pub rate: Frequency,
    /// 1 or 2.
    pub channels: usize,
}

/// What an encoder wrote.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EncodedAudio {
    /// Bytes written.
    pub len: usize,
    /// Whether the frame is silence the receiver can fill in by itself, so need not be sent (discontinuous transmission).
    pub silent: bool,
}

/// Turns frames of audio into payloads, one each.
pub trait AudioEncoder: Send {
    /// The audio it takes.
    fn format(&self) -> AudioFormat;

    /// Encodes one frame into `out`.
    ///
    /// # Errors
    /// [`EncodeError`] if the frame's shape is not one the codec can encode, or `out` is too small.
    fn encode(&mut self, frame: AudioRef<'_>, out: &mut [u8]) -> Result<EncodedAudio, EncodeError>;

    /// Sets the rate of payload to aim at, cut to what the codec can do.
    fn set_bitrate(&mut self, rate: Bitrate);

    /// Tells the fraction of packets (0 to 1) expected to be lost, so that the codec can protect itself.
    fn set_expected_loss(&mut self, fraction: f32) {
        let _ = fraction;
    }
}

/// Turns payloads into audio, and fills in what is missing.
///
/// Output has the decoder's rate and channels, samples nominally in -1.0..=1.0; lengths and offsets are in samples per channel.
/// All methods return samples written and leave the rest of the output alone.
pub trait AudioDecoder: Send {
    /// The audio it gives.
    fn format(&self) -> AudioFormat;

    /// Decodes a payload.
    ///
    /// # Errors
    /// [`Malformed`] if the payload is not of this codec, or holds more than `out` can take.
    fn decode(&mut self, payload: &[u8], out: AudioMut<'_>) -> Result<usize, Malformed>;

    /// Fills all of `out` in for audio that never came, continuing what was played before.
    fn conceal(&mut self, out: AudioMut<'_>) -> usize;

    /// Decodes from `payload` a redundant copy of the audio that begins `offset` samples before the payload's own, as much
    /// as fills `out`. `None`, and nothing written, if the payload has none of it.
    ///
    /// How far back copies reach is the codec's business, and not having one says nothing about smaller offsets, nor about
    /// other payloads: fill a gap from its oldest sample on, a frame at a time, from the nearest payload that has a copy, and
    /// conceal where none has. Where a payload has several copies, the best is decoded.
    fn decode_redundant(&mut self, payload: &[u8], offset: usize, out: AudioMut<'_>) -> Option<usize> {
        let _ = (payload, offset, out);
        None
    }

    /// Samples per channel `payload` would decode to; `None` if it is not of this codec.
    fn samples_in(&self, payload: &[u8]) -> Option<usize>;
}

impl<T: AudioEncoder + ?Sized> AudioEncoder for &mut T {
    fn format(&self) -> AudioFormat {
        (**self).format()
    }

    fn encode(&mut self, frame: AudioRef<'_>, out: &mut [u8]) -> Result<EncodedAudio, EncodeError> {
        (**self).encode(frame, out)
    }

    fn set_bitrate(&mut self, rate: Bitrate) {
        (**self).set_bitrate(rate);
    }

    fn set_expected_loss(&mut self, fraction: f32) {
        (**self).set_expected_loss(fraction);
    }
}

impl<T: AudioEncoder + ?Sized> AudioEncoder for Box<T> {
    fn format(&self) -> AudioFormat {
        (**self).format()
    }

    fn encode(&mut self, frame: AudioRef<'_>, out: &mut [u8]) -> Result<EncodedAudio, EncodeError> {
        (**self).encode(frame, out)
    }

    fn set_bitrate(&mut self, rate: Bitrate) {
        (**self).set_bitrate(rate);
    }

    fn set_expected_loss(&mut self, fraction: f32) {
        (**self).set_expected_loss(fraction);
    }
}

impl<T: AudioDecoder + ?Sized> AudioDecoder for &mut T {
    fn format(&self) -> AudioFormat {
        (**self).format()
    }

    fn decode(&mut self, payload: &[u8], out: AudioMut<'_>) -> Result<usize, Malformed> {
        (**self).decode(payload, out)
    }

    fn conceal(&mut self, out: AudioMut<'_>) -> usize {
        (**self).conceal(out)
    }

    fn decode_redundant(&mut self, payload: &[u8], offset: usize, out: AudioMut<'_>) -> Option<usize> {
        (**self).decode_redundant(payload, offset, out)
    }

    fn samples_in(&self, payload: &[u8]) -> Option<usize> {
        (**self).samples_in(payload)
    }
}

impl<T: AudioDecoder + ?Sized> AudioDecoder for Box<T> {
    fn format(&self) -> AudioFormat {
        (**self).format()
    }

    fn decode(&mut self, payload: &[u8], out: AudioMut<'_>) -> Result<usize, Malformed> {
        (**self).decode(payload, out)
    }

    fn conceal(&mut self, out: AudioMut<'_>) -> usize {
        (**self).conceal(out)
    }

    fn decode_redundant(&mut self, payload: &[u8], offset: usize, out: AudioMut<'_>) -> Option<usize> {
        (**self).decode_redundant(payload, offset, out)
    }

    fn samples_in(&self, payload: &[u8]) -> Option<usize> {
        (**self).samples_in(payload)
    }
}
