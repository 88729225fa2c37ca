use core::fmt;
use std::collections::VecDeque;

use re_rav1d::dav1d::{Decoder, PixelLayout, PlanarImageComponent, Settings};
use rtc_core::codec::{EncodedFrame, VideoDecoder};
use rtc_core::video::{PixelFormat, Plane, VideoBuffer, VideoFrame};
use rtc_core::{ConfigError, Fault, Malformed, RtpTime};

/// AV1 by rav1d, the port of dav1d to Rust: nothing to install.
pub struct Av1Decoder {
    decoder: Decoder,
    ready: VecDeque<VideoBuffer>,
    lent: Option<VideoBuffer>,
}

impl Av1Decoder {
    /// A decoder that gives each picture as soon as it has its frame.
    ///
    /// # Errors
    /// [`ConfigError`] if it cannot be opened.
    pub fn new() -> Result<Self, ConfigError> {
        let mut settings = Settings::new();
        settings.set_n_threads(1);
        settings.set_max_frame_delay(1);
        let decoder = Decoder::with_settings(&settings).map_err(|_| ConfigError::new("decoder", "cannot be opened"))?;
        Ok(Self { decoder, ready: VecDeque::new(), lent: None })
    }

    /// Takes the pictures the decoder has.
    fn drain(&mut self, timestamp: RtpTime) -> Result<(), Malformed> {
        while let Ok(picture) = self.decoder.get_picture() {
            if picture.pixel_layout() != PixelLayout::I420 || picture.bit_depth() != 8 {
                return Err(fault());
            }
            let components = [PlanarImageComponent::Y, PlanarImageComponent::U, PlanarImageComponent::V];
            let samples = components.map(|component| (picture.plane(component), picture.stride(component)));
            let planes = samples.each_ref().map(|(data, stride)| Plane { data, stride: *stride as usize });
            let (width, height) = (picture.width() as usize, picture.height() as usize);
            let frame = VideoFrame::new(PixelFormat::I420, width, height, &planes, timestamp).map_err(|_| fault())?;
            self.ready.push_back(VideoBuffer::copy_of(frame));
        }
        Ok(())
    }
}

impl VideoDecoder for Av1Decoder {
    fn decode(&mut self, frame: &EncodedFrame) -> Result<(), Malformed> {
        let sent = self.decoder.send_data(frame.payload.clone(), None, None, None);
        if sent.is_err() {
            self.decoder.flush();
            return Err(fault());
        }
        self.drain(frame.timestamp)
    }

    fn poll_picture(&mut self) -> Option<VideoFrame<'_>> {
        self.lent = Some(self.ready.pop_front()?);
        self.lent.as_ref().map(VideoBuffer::as_frame)
    }
}

impl fmt::Debug for Av1Decoder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Av1Decoder").field("ready", &self.ready.len()).finish_non_exhaustive()
    }
}

fn fault() -> Malformed {
    Malformed::new("AV1", Fault::Inconsistent)
}
