use alloc::collections::VecDeque;

use bytes::{Buf, BufMut, Bytes, BytesMut};

use crate::codec::{EncodeError, EncodedFrame, VideoDecoder, VideoEncoder};
use crate::svc::LayerId;
use crate::video::{PixelFormat, VideoBuffer, VideoFrame};
use crate::{Bitrate, Fault, Malformed, RtpTime};

/// Frames or pictures held at most until polled.
const QUEUE: usize = 16;
/// Width and height, and the time of the picture a delta is the difference to.
const HEADER_LEN: usize = 2 + 2 + 4;

/// Encodes I420 pictures losslessly: a key frame is the samples, a delta frame their difference to the picture before.
#[derive(Debug)]
pub struct RawVideoEncoder {
    width: u16,
    height: u16,
    last: Option<VideoBuffer>,
    ready: VecDeque<EncodedFrame>,
}

impl RawVideoEncoder {
    /// For pictures of this size.
    #[must_use]
    pub fn new(width: u16, height: u16) -> Self {
        Self { width, height, last: None, ready: VecDeque::new() }
    }
}

impl VideoEncoder for RawVideoEncoder {
    fn encode(&mut self, picture: VideoFrame<'_>, key: bool) -> Result<(), EncodeError> {
        let size = (usize::from(self.width), usize::from(self.height));
        if picture.format() != PixelFormat::I420 || (picture.width(), picture.height()) != size {
            return Err(EncodeError::Shape);
        }
        if self.ready.len() == QUEUE {
            return Err(EncodeError::NoRoom);
        }
        let picture = VideoBuffer::copy_of(picture);
        let reference = self.last.take().filter(|_| !key);
        let mut payload = BytesMut::new();
        payload.put_u16(self.width);
        payload.put_u16(self.height);
        payload.put_u32(reference.as_ref().unwrap_or(&picture).timestamp.0);
        match &reference {
            Some(reference) => {
                payload.extend(samples(&picture).zip(samples(reference)).map(|(a, b)| a.wrapping_sub(b)))
            }
            None => payload.extend(samples(&picture)),
        }
        self.ready.push_back(EncodedFrame {
            timestamp: picture.timestamp,
            key: reference.is_none(),
            layer: LayerId::default(),
            payload: payload.freeze(),
            user_data: Bytes::copy_from_slice(&picture.user_data),
        });
        self.last = Some(picture);
        Ok(())
    }

    fn poll_frame(&mut self) -> Option<EncodedFrame> {
        self.ready.pop_front()
    }

    /// Changes nothing: the rate follows from the picture's size.
    fn set_bitrate(&mut self, _rate: Bitrate) {}
}

/// Decodes what [`RawVideoEncoder`] makes; of pictures that are not polled, the oldest go first.
#[derive(Debug, Default)]
pub struct RawVideoDecoder {
    reference: Option<VideoBuffer>,
    ready: VecDeque<VideoBuffer>,
    lent: Option<VideoBuffer>,
}

impl RawVideoDecoder {
    /// Waits for a key frame.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }
}

impl VideoDecoder for RawVideoDecoder {
    fn decode(&mut self, frame: &EncodedFrame) -> Result<(), Malformed> {
        let fault = |fault| Malformed::new("raw video", fault);
        let mut payload = &frame.payload[..];
        if payload.len() < HEADER_LEN {
            return Err(fault(Fault::Truncated));
        }
        let (width, height) = (usize::from(payload.get_u16()), usize::from(payload.get_u16()));
        let refers_to = RtpTime(payload.get_u32());
        let len: usize = (0..PixelFormat::I420.planes())
            .filter_map(|plane| PixelFormat::I420.plane_size(plane, width, height))
            .map(|(row, rows)| row * rows)
            .sum();
        if payload.len() != len {
            return Err(fault(Fault::Length));
        }
        let mut picture = if frame.key {
            VideoBuffer::new(PixelFormat::I420, width, height).map_err(|_| fault(Fault::Length))?
        } else {
            let usable = |reference: &&VideoBuffer| {
                let picture = reference.as_frame();
                reference.timestamp == refers_to && (picture.width(), picture.height()) == (width, height)
            };
            self.reference.as_ref().filter(usable).ok_or_else(|| fault(Fault::Inconsistent))?.clone()
        };
        for plane in 0..PixelFormat::I420.planes() {
            for sample in picture.plane_mut(plane) {
                *sample = sample.wrapping_add(payload.get_u8());
            }
        }
        picture.timestamp = frame.timestamp;
        picture.user_data = frame.user_data.to_vec();
        if self.ready.len() == QUEUE {
            self.ready.pop_front();
        }
        self.ready.push_back(picture.clone());
        self.reference = Some(picture);
        Ok(())
    }

    fn poll_picture(&mut self) -> Option<VideoFrame<'_>> {
        self.lent = Some(self.ready.pop_front()?);
        self.lent.as_ref().map(VideoBuffer::as_frame)
    }
}

fn samples(picture: &VideoBuffer) -> impl Iterator<Item = u8> + '_ {
    let picture = picture.as_frame();
    (0..picture.format().planes()).flat_map(move |plane| picture.rows(plane)).flatten().copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn picture(n: u8) -> VideoBuffer {
        let mut picture = VideoBuffer::new(PixelFormat::I420, 5, 3).unwrap();
        picture.plane_mut(0).fill(n.wrapping_mul(91));
        picture.plane_mut(2).fill(n);
        picture.timestamp = RtpTime(u32::from(n) * 3_000);
        picture.user_data = vec![n; 3];
        picture
    }

    fn frames(keys: &[bool]) -> Vec<EncodedFrame> {
        let mut encoder = RawVideoEncoder::new(5, 3);
        let mut encode = |(n, key): (u8, &bool)| {
            encoder.encode(picture(n).as_frame(), *key).unwrap();
            encoder.poll_frame().unwrap()
        };
        (0..).zip(keys).map(&mut encode).collect()
    }

    #[test]
    fn pictures_survive_key_and_delta_frames() {
        let frames = frames(&[false, false, false, true]);
        assert_eq!(frames.iter().map(|frame| frame.key).collect::<Vec<_>>(), [true, false, false, true]);
        let mut decoder = RawVideoDecoder::new();
        for (n, frame) in (0..).zip(&frames) {
            decoder.decode(frame).unwrap();
            assert_eq!(VideoBuffer::copy_of(decoder.poll_picture().unwrap()), picture(n));
        }
        assert!(decoder.poll_picture().is_none());
    }

    #[test]
    fn a_delta_needs_the_picture_before_it() {
        let frames = frames(&[true, false, false, true]);
        let mut decoder = RawVideoDecoder::new();
        let mut fault = |frame: &EncodedFrame| decoder.decode(frame).map_err(|error| error.fault());
        assert_eq!(fault(&frames[1]), Err(Fault::Inconsistent));
        assert_eq!(fault(&frames[0]), Ok(()));
        assert_eq!(fault(&frames[2]), Err(Fault::Inconsistent));
        assert_eq!(fault(&frames[3]), Ok(()));
    }
}
