#![deny(clippy::missing_trait_methods)]

use bytes::Bytes;

use crate::svc::LayerId;
use crate::video::VideoFrame;
use crate::{Bitrate, Malformed, RtpTime};

use super::EncodeError;

/// One encoded picture, or one spatial layer of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EncodedFrame {
    /// Media time, 90 kHz.
    pub timestamp: RtpTime,
    /// Whether decoding can start here.
    pub key: bool,
    /// Its place in a layered stream.
    pub layer: LayerId,
    /// The codec's bytes.
    pub payload: Bytes,
    /// Custom data carried with the picture.
    pub user_data: Bytes,
}

/// Turns pictures into encoded frames.
pub trait VideoEncoder: Send {
    /// Takes the next picture, to be encoded as a key frame if `key` is set.
    ///
    /// # Errors
    /// [`EncodeError`] if the picture has not the shape the encoder was built for, or the codec fails.
    fn encode(&mut self, picture: VideoFrame<'_>, key: bool) -> Result<(), EncodeError>;

    /// The next frame that is ready, in decoding order; an encoder may hold several pictures back.
    fn poll_frame(&mut self) -> Option<EncodedFrame>;

    /// Sets the rate to aim at.
    fn set_bitrate(&mut self, rate: Bitrate);
}

/// Turns encoded frames into pictures.
pub trait VideoDecoder: Send {
    /// Takes the next frame in decoding order.
    ///
    /// # Errors
    /// [`Malformed`] if the frame is not of this codec, or refers to frames never decoded.
    fn decode(&mut self, frame: &EncodedFrame) -> Result<(), Malformed>;

    /// The next picture that is ready, in display order, lent until the next call.
    fn poll_picture(&mut self) -> Option<VideoFrame<'_>>;
}

impl<T: VideoEncoder + ?Sized> VideoEncoder for &mut T {
    fn encode(&mut self, picture: VideoFrame<'_>, key: bool) -> Result<(), EncodeError> {
        (**self).encode(picture, key)
    }

    fn poll_frame(&mut self) -> Option<EncodedFrame> {
        (**self).poll_frame()
    }

    fn set_bitrate(&mut self, rate: Bitrate) {
        (**self).set_bitrate(rate);
    }
}

impl<T: VideoEncoder + ?Sized> VideoEncoder for Box<T> {
    fn encode(&mut self, picture: VideoFrame<'_>, key: bool) -> Result<(), EncodeError> {
        (**self).encode(picture, key)
    }

    fn poll_frame(&mut self) -> Option<EncodedFrame> {
        (**self).poll_frame()
    }

    fn set_bitrate(&mut self, rate: Bitrate) {
        (**self).set_bitrate(rate);
    }
}

impl<T: VideoDecoder + ?Sized> VideoDecoder for &mut T {
    fn decode(&mut self, frame: &EncodedFrame) -> Result<(), Malformed> {
        (**self).decode(frame)
    }

    fn poll_picture(&mut self) -> Option<VideoFrame<'_>> {
        (**self).poll_picture()
    }
}

impl<T: VideoDecoder + ?Sized> VideoDecoder for Box<T> {
    fn decode(&mut self, frame: &EncodedFrame) -> Result<(), Malformed> {
        (**self).decode(frame)
    }

    fn poll_picture(&mut self) -> Option<VideoFrame<'_>> {
        (**self).poll_picture()
    }
}
