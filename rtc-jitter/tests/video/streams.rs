//! Video as senders make it, without a codec: the media is random bytes behind real headers.

use core::time::Duration;

use rtc_core::rtp::payload::av1::to_leb128;
use rtc_core::testkit::rng::Rng;
use rtc_core::time::Instant;
use rtc_core::{Frequency, PayloadType, RtpPacket, RtpTime, SeqNum, Ssrc};
use rtc_jitter::{VideoCodec, VideoConfig, VideoJitterBuffer};

/// Identifier of the dependency descriptor.
pub(crate) const DESCRIPTOR: u8 = 5;
pub(crate) const SSRC: Ssrc = Ssrc(0x00c0_ffee);
/// Ticks from picture to picture: 30 a second.
pub(crate) const STEP: u32 = 3_000;

/// One frame as it is sent.
#[derive(Debug, Clone, Default)]
pub(crate) struct Sent {
    pub(crate) key: bool,
    pub(crate) temporal: u8,
    /// It needs the base layer only.
    pub(crate) is_sync: bool,
    /// How many frames back those are that it needs.
    pub(crate) needs: Vec<u16>,
    /// The media of each packet.
    pub(crate) pieces: Vec<Vec<u8>>,
}

/// Frames in a row with the numbers they are sent under.
#[derive(Debug, Clone)]
pub(crate) struct Sender {
    pub(crate) codec: VideoCodec,
    pub(crate) with_descriptor: bool,
    pub(crate) seq: u16,
    pub(crate) time: u32,
    pub(crate) number: u16,
    base: u8,
}

impl Sender {
    pub(crate) fn new(codec: VideoCodec, with_descriptor: bool) -> Self {
        Self { codec, with_descriptor, seq: 65_400, time: 0u32.wrapping_sub(20 * STEP), number: 32_700, base: 250 }
    }

    pub(crate) fn config(&self) -> VideoConfig {
        let mut config = VideoConfig::new(self.codec);
        config.dependency_descriptor = self.with_descriptor.then_some(DESCRIPTOR);
        config
    }

    pub(crate) fn buffer(&self) -> VideoJitterBuffer {
        VideoJitterBuffer::new(self.config()).unwrap()
    }

    /// The packets of the next picture.
    pub(crate) fn send(&mut self, frame: &Sent) -> Vec<RtpPacket> {
        if frame.temporal == 0 {
            self.base = self.base.wrapping_add(1);
        }
        let count = frame.pieces.len();
        let packets = (0..count).map(|index| self.packet(frame, index, index + 1 == count)).collect();
        self.number = self.number.wrapping_add(1);
        self.time = self.time.wrapping_add(STEP);
        packets
    }

    fn packet(&mut self, frame: &Sent, index: usize, is_last: bool) -> RtpPacket {
        let payload = self.payload(frame, index, is_last);
        let descriptor = descriptor(frame, self.number, index == 0, is_last);
        let elements: &[(u8, &[u8])] = if self.with_descriptor { &[(DESCRIPTOR, &descriptor)] } else { &[] };
        let packet = RtpPacket::builder(PayloadType::new(96), SeqNum(self.seq), RtpTime(self.time), SSRC)
            .marker(is_last)
            .extensions(elements)
            .build(&payload)
            .unwrap();
        self.seq = self.seq.wrapping_add(1);
        packet
    }

    fn payload(&self, frame: &Sent, index: usize, is_last: bool) -> Vec<u8> {
        let is_first = index == 0;
        let media = &frame.pieces[index];
        let [high, low] = self.number.to_be_bytes();
        match self.codec {
            VideoCodec::Vp8 => {
                let layers = frame.temporal << 6 | u8::from(frame.is_sync) << 5;
                let start = if is_first { 0x90 } else { 0x80 };
                [&[start, 0xe0, high | 0x80, low, self.base, layers], &media[..]].concat()
            }
            VideoCodec::Vp9 => {
                let edges = u8::from(is_first) << 3 | u8::from(is_last) << 2;
                let inter = if frame.key { 0 } else { 0x40 };
                let layers = frame.temporal << 5 | u8::from(frame.is_sync) << 4;
                [&[0xa0 | inter | edges, high | 0x80, low, layers, self.base], &media[..]].concat()
            }
            VideoCodec::H264 => {
                let kind = if frame.key { 0x65 } else { 0x61 };
                // first_mb_in_slice of zero is a single one.
                let slice: &[u8] = if is_first { &[0x88] } else { &[] };
                if frame.pieces.len() == 1 {
                    return [&[kind], slice, &media[..]].concat();
                }
                let edges = u8::from(is_first) << 7 | u8::from(is_last) << 6;
                [&[kind & 0xe0 | 28, edges | kind & 0x1f], slice, &media[..]].concat()
            }
            VideoCodec::Av1 => {
                let pieces = u8::from(!is_first) << 7 | u8::from(!is_last) << 6;
                let new = u8::from(is_first && frame.key) << 3;
                [&[pieces | 0x10 | new], &media[..]].concat()
            }
            _ => media.clone(),
        }
    }

    /// The frame as it is to come out.
    pub(crate) fn media(&self, frame: &Sent) -> Vec<u8> {
        let all = frame.pieces.concat();
        match self.codec {
            VideoCodec::H264 => [&[0, 0, 0, 1, if frame.key { 0x65 } else { 0x61 }, 0x88], &all[..]].concat(),
            VideoCodec::Av1 => {
                let (size, len) = to_leb128(u32::try_from(all.len() - 1).unwrap());
                [&[0x12, 0x00, all[0] | 0x02], &size[..len], &all[1..]].concat()
            }
            _ => all,
        }
    }
}

/// A dependency descriptor with differences of its own; a key frame brings a structure of one template.
fn descriptor(frame: &Sent, number: u16, is_first: bool, is_last: bool) -> Vec<u8> {
    let mut bits = Bits::default();
    bits.put(u32::from(is_first), 1);
    bits.put(u32::from(is_last), 1);
    bits.put(0, 6);
    bits.put(u32::from(number), 16);
    let structure = frame.key && is_first;
    for flag in [structure, false, false, true, false] {
        bits.put(u32::from(flag), 1);
    }
    if structure {
        // Templates from 0 on, one decode target, one template of the base layers, required, without references, no chain,
        // no resolutions.
        for (value, width) in [(0, 6), (0, 5), (3, 2), (3, 2), (0, 1), (0, 1), (0, 1)] {
            bits.put(value, width);
        }
    }
    for back in &frame.needs {
        bits.put(3, 2);
        bits.put(u32::from(*back - 1), 12);
    }
    bits.put(0, 2);
    bits.bytes
}

/// Writes bits, most significant first.
#[derive(Default)]
struct Bits {
    bytes: Vec<u8>,
    count: usize,
}

impl Bits {
    fn put(&mut self, value: u32, width: u32) {
        for bit in (0..width).rev() {
            if self.count.is_multiple_of(8) {
                self.bytes.push(0);
            }
            let last = self.bytes.len() - 1;
            self.bytes[last] |= u8::from(value >> bit & 1 == 1) << (7 - self.count % 8);
            self.count += 1;
        }
    }
}

/// Pictures of three temporal layers: 0 2 1 2, a key frame first.
pub(crate) fn pictures(count: usize, seed: u64) -> Vec<Sent> {
    let mut rng = Rng::new(seed);
    (0..count)
        .map(|n| {
            let key = n == 0;
            let (temporal, is_sync, needs): (u8, bool, &[u16]) = match n % 4 {
                0 => (0, false, &[4]),
                1 => (2, true, &[1]),
                2 => (1, true, &[2]),
                _ => (2, false, &[1, 3]),
            };
            let needs = if key { Vec::new() } else { needs.to_vec() };
            let size = if key { 9_000 } else { 600 + rng.below(3_000) };
            Sent { key, temporal, is_sync, needs, pieces: pieces(&mut rng, usize::try_from(size).unwrap(), key) }
        })
        .collect()
}

/// Pictures that each need the one before.
pub(crate) fn chain(count: usize, seed: u64) -> Vec<Sent> {
    let frames = pictures(count, seed).into_iter();
    let plain =
        |frame: Sent| Sent { temporal: 0, is_sync: false, needs: if frame.key { vec![] } else { vec![1] }, ..frame };
    frames.map(plain).collect()
}

/// Media of so many bytes in packets of 1000, its first byte telling key frames of VP8 and OBUs.
pub(crate) fn pieces(rng: &mut Rng, size: usize, key: bool) -> Vec<Vec<u8>> {
    let mut media = vec![0; size.max(2)];
    rng.fill(&mut media);
    // An AV1 frame OBU is even as a key frame of VP8 is; another VP8 frame is odd, a metadata OBU with its reserved bit set.
    media[0] = if key { 0x30 } else { 0x31 };
    media.chunks(1_000).map(<[u8]>::to_vec).collect()
}

/// All packets of these pictures.
pub(crate) fn packets(sender: &mut Sender, frames: &[Sent]) -> Vec<RtpPacket> {
    frames.iter().flat_map(|frame| sender.send(frame)).collect()
}

pub(crate) fn at(millis: u64) -> Instant {
    Instant::from_millis(7_000 + millis)
}

pub(crate) fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// All ways video is sent.
pub(crate) fn senders() -> [Sender; 6] {
    [
        Sender::new(VideoCodec::Vp8, false),
        Sender::new(VideoCodec::Vp9, false),
        Sender::new(VideoCodec::H264, false),
        Sender::new(VideoCodec::Av1, false),
        Sender::new(VideoCodec::Av1, true),
        Sender::new(VideoCodec::Other, true),
    ]
}

/// Frames this way of sending can tell apart.
pub(crate) fn frames_for(sender: &Sender, count: usize, seed: u64) -> Vec<Sent> {
    let is_layered = sender.with_descriptor || matches!(sender.codec, VideoCodec::Vp8 | VideoCodec::Vp9);
    if is_layered { pictures(count, seed) } else { chain(count, seed) }
}

pub(crate) const CLOCK: Frequency = Frequency::KHZ_90;
