//! Packets of a frame to the bytes a decoder takes.

use bytes::{BufMut, Bytes, BytesMut};
use rtc_core::rtp::payload::{av1, h264, vp8, vp9};
use rtc_core::{Malformed, RtpPacket};

use super::VideoCodec;

/// A temporal delimiter OBU of no length: each temporal unit begins with one (AV1 specification §7.5).
pub(super) const TEMPORAL_DELIMITER: [u8; 2] = [0x12, 0x00];
/// Frames that may be held elsewhere, in the queue or by a decoder, before more memory is taken.
const POOLS: usize = 32;
/// Largest frame that memory is kept for beforehand: 64 KB are a key frame of 15 Mb/s at 30 a second.
const MAX_POOL: usize = 1 << 16;

/// Puts frames together, in memory of its own.
#[derive(Debug)]
pub(super) struct Depacketizer {
    codec: VideoCodec,
    /// What the next frame is written to.
    pool: BytesMut,
    /// Memory of earlier frames, used again once those are gone.
    used: [BytesMut; POOLS],
    /// The most room a frame needed.
    largest: usize,
}

impl Depacketizer {
    pub(super) fn new(codec: VideoCodec) -> Self {
        Self { codec, pool: BytesMut::new(), used: Default::default(), largest: 0 }
    }

    /// The frame these packets hold, in order.
    pub(super) fn frame(&mut self, packets: &[RtpPacket]) -> Result<Bytes, Malformed> {
        if let [packet] = packets
            && let Some(media) = self.media(packet)?
        {
            return Ok(media);
        }
        let len = packets.iter().map(|packet| packet.payload().len()).sum::<usize>();
        // Lengths and start codes that the packets leave away take little more.
        self.make_room(len + len / 4 + 64);
        let payloads = packets.iter().map(RtpPacket::payload);
        match self.codec {
            VideoCodec::Av1 => av1::depacketize(payloads, &mut self.pool)?,
            VideoCodec::H264 => h264::depacketize(payloads, &mut self.pool)?,
            VideoCodec::Vp8 | VideoCodec::Vp9 | VideoCodec::Other => {
                for packet in packets {
                    let media = self.media(packet)?.unwrap_or_default();
                    self.pool.put_slice(&media);
                }
            }
        }
        Ok(self.pool.split().freeze())
    }

    /// Several layers of one picture as one.
    pub(super) fn join(&mut self, layers: impl Iterator<Item = Bytes> + Clone) -> Bytes {
        let mut all = layers.clone();
        if let (Some(only), None, false) = (all.next(), all.next(), self.codec == VideoCodec::Av1) {
            return only;
        }
        self.make_room(layers.clone().map(|layer| layer.len()).sum::<usize>() + TEMPORAL_DELIMITER.len());
        if self.codec == VideoCodec::Av1 {
            self.pool.put_slice(&TEMPORAL_DELIMITER);
        }
        layers.for_each(|layer| self.pool.put_slice(&layer));
        self.pool.split().freeze()
    }

    /// Makes room for a frame: where an earlier one was and is gone, else where none was.
    fn make_room(&mut self, len: usize) {
        self.pool.clear();
        if self.pool.try_reclaim(len) {
            return;
        }
        let free = self.used.iter_mut().position(|used| used.try_reclaim(len));
        self.used.rotate_right(1);
        // What was last is first now: the next place to look, and the one to give up.
        let place = free.map_or(0, |free| (free + 1) % POOLS);
        core::mem::swap(&mut self.pool, &mut self.used[place]);
        // Of one size, so that each can hold any frame.
        self.largest = self.largest.max(len.min(MAX_POOL));
        self.pool.reserve(len.max(self.largest));
    }

    /// The packet's media where that is a piece of the frame as it is, sharing the packet's memory.
    fn media(&self, packet: &RtpPacket) -> Result<Option<Bytes>, Malformed> {
        let payload = packet.payload();
        let media = match self.codec {
            VideoCodec::Vp8 => vp8::Descriptor::parse(payload)?.1,
            VideoCodec::Vp9 => vp9::Descriptor::parse(payload)?.1,
            VideoCodec::Other => payload,
            VideoCodec::Av1 | VideoCodec::H264 => return Ok(None),
        };
        let bytes = packet.payload_bytes();
        Ok(Some(bytes.slice(payload.len() - media.len()..)))
    }
}
