//! Packets of a frame to the bytes a decoder takes.

use alloc::vec::Vec;

use bytes::{BufMut, Bytes, BytesMut};
use rtc_core::rtp::payload::{av1, h264, vp8, vp9};
use rtc_core::{Fault, Malformed, RtpPacket};

use super::VideoCodec;

/// What goes before a NAL unit in a byte stream (H.264 annex B).
const START_CODE: [u8; 4] = [0, 0, 0, 1];
/// A temporal delimiter OBU of no length: each temporal unit begins with one (AV1 specification §7.5).
pub(super) const TEMPORAL_DELIMITER: [u8; 2] = [0x12, 0x00];
/// Frames that may be held elsewhere, in the queue or by a decoder, before more memory is taken.
const POOLS: usize = 32;
/// Largest frame that memory is kept for beforehand: 64 KB are a key frame of 15 Mb/s at 30 a second.
const MAX_POOL: usize = 1 << 16;
/// Bit of an OBU header: a length follows.
const HAS_SIZE: u8 = 0x02;

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
    /// An OBU in pieces.
    unit: Vec<u8>,
}

impl Depacketizer {
    pub(super) fn new(codec: VideoCodec) -> Self {
        Self { codec, pool: BytesMut::new(), used: Default::default(), largest: 0, unit: Vec::new() }
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
        self.unit.clear();
        match self.codec {
            VideoCodec::Av1 => self.av1(packets)?,
            VideoCodec::H264 => self.h264(packets)?,
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

    /// OBUs of the low-overhead format: each with its length (AV1 RTP payload specification §4.4, §4.5).
    fn av1(&mut self, packets: &[RtpPacket]) -> Result<(), Malformed> {
        let inconsistent = Malformed::new("AV1 payload", Fault::Inconsistent);
        let mut is_open = false;
        for packet in packets {
            let payload = av1::Payload::parse(packet.payload())?;
            if payload.continues != is_open {
                return Err(inconsistent);
            }
            let mut elements = payload.elements().enumerate().peekable();
            while let Some((index, element)) = elements.next() {
                let goes_on = payload.is_continued && elements.peek().is_none();
                let was_open = is_open && index == 0;
                if was_open || goes_on {
                    self.unit.extend_from_slice(element);
                }
                if goes_on {
                    is_open = true;
                } else if was_open {
                    put_obu(&mut self.pool, &self.unit)?;
                    self.unit.clear();
                    is_open = false;
                } else {
                    put_obu(&mut self.pool, element)?;
                }
            }
        }
        if is_open { Err(inconsistent) } else { Ok(()) }
    }

    /// NAL units of the byte-stream format.
    fn h264(&mut self, packets: &[RtpPacket]) -> Result<(), Malformed> {
        let mut is_open = false;
        for packet in packets {
            let payload = h264::Payload::parse(packet.payload())?;
            let goes_on = matches!(payload, h264::Payload::Fragment(piece) if !piece.is_start);
            if goes_on != is_open {
                return Err(Malformed::new("H.264 payload", Fault::Inconsistent));
            }
            match payload {
                h264::Payload::Single(unit) => self.put_nal(unit),
                h264::Payload::Aggregate(units) => units.for_each(|unit| self.put_nal(unit)),
                h264::Payload::Fragment(piece) => {
                    if piece.is_start {
                        self.put_nal(&[piece.header]);
                    }
                    self.pool.put_slice(piece.data);
                    is_open = !piece.is_end;
                }
            }
        }
        if is_open { Err(Malformed::new("H.264 payload", Fault::Truncated)) } else { Ok(()) }
    }

    fn put_nal(&mut self, unit: &[u8]) {
        self.pool.put_slice(&START_CODE);
        self.pool.put_slice(unit);
    }
}

/// Adds an OBU with its length, unless it is one that is not sent (§4.5: temporal delimiters, tile lists).
fn put_obu(out: &mut BytesMut, bytes: &[u8]) -> Result<(), Malformed> {
    let (header, header_len) = av1::ObuHeader::parse(bytes)?;
    if matches!(header.kind, av1::obu::TEMPORAL_DELIMITER | av1::obu::TILE_LIST) {
        return Ok(());
    }
    if header.has_size {
        out.put_slice(bytes);
        return Ok(());
    }
    let (head, rest) = bytes.split_at(header_len);
    let len = u32::try_from(rest.len()).map_err(|_| Malformed::new("AV1 payload", Fault::Length))?;
    let (size, size_len) = av1::to_leb128(len);
    out.put_u8(head[0] | HAS_SIZE);
    out.put_slice(&head[1..]);
    out.put_slice(&size[..size_len]);
    out.put_slice(rest);
    Ok(())
}
