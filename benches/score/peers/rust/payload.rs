//! Payload formats of `rtp`.

use bytes::{Bytes, BytesMut};
use rtp::codecs::{av1, h264, vp8, vp9};
use rtp::packetizer::{Depacketizer, Payloader};

use crate::subject::{MakePayloadCode, PayloadCode, PayloadFormat, Subject};

pub(super) fn code() -> Subject<MakePayloadCode> {
    Subject::peer("rtp", "0.17", Box::new(|format| Box::new(Rtp::new(format))))
}

struct Rtp {
    format: PayloadFormat,
    payloader: Box<dyn Payloader + Send + Sync>,
    payloads: Vec<Bytes>,
    joined: BytesMut,
}

impl Rtp {
    fn new(format: PayloadFormat) -> Self {
        let payloader: Box<dyn Payloader + Send + Sync> = match format {
            PayloadFormat::Vp8 => {
                let mut payloader = vp8::Vp8Payloader::default();
                payloader.enable_picture_id = true;
                Box::new(payloader)
            }
            PayloadFormat::Vp9 => Box::new(vp9::Vp9Payloader::default()),
            PayloadFormat::H264 => Box::new(h264::H264Payloader::default()),
            PayloadFormat::Av1 => Box::new(av1::Av1Payloader::default()),
        };
        Self { format, payloader, payloads: Vec::new(), joined: BytesMut::with_capacity(1 << 15) }
    }
}

impl PayloadCode for Rtp {
    fn cut(&mut self, frame: &Bytes, max: usize) -> usize {
        self.payloads = self.payloader.payload(max, frame).unwrap_or_default();
        self.payloads.len()
    }

    fn join(&mut self) -> Option<usize> {
        // What it gives for each packet is put together by its caller.
        self.joined.clear();
        let mut depacketizer: Box<dyn Depacketizer> = match self.format {
            PayloadFormat::Vp8 => Box::new(vp8::Vp8Packet::default()),
            PayloadFormat::Vp9 => Box::new(vp9::Vp9Packet::default()),
            PayloadFormat::H264 => Box::new(h264::H264Packet::default()),
            PayloadFormat::Av1 => return None,
        };
        for payload in &self.payloads {
            self.joined.extend_from_slice(&depacketizer.depacketize(payload).ok()?);
        }
        Some(self.joined.len())
    }
}
