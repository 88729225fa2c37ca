use std::collections::VecDeque;

use bytes::BytesMut;
use rtc_core::{ConfigError, PayloadType, RtpPacket, RtpTime};

use super::block::{FOLLOWED, HEADER_LEN, RedBlock};
use super::{MAX_BLOCK_LEN, MAX_COPIES, MAX_OFFSET};
use crate::POOL_LEN;

/// Most packets between a payload and its next copy.
pub const MAX_DISTANCE: usize = 32;

/// Settings of a [`RedEncoder`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct RedEncoderConfig {
    /// Payload type of the RED packets. 63, as browsers offer it.
    pub payload_type: PayloadType,
    /// How many older payloads each packet carries, 0 to [`MAX_COPIES`]; see [`RedEncoder::set_copies`]. 1: bridges any
    /// single loss for twice the payload.
    pub copies: usize,
    /// Packets from a payload to its first copy, and from copy to copy, 1 to [`MAX_DISTANCE`]. 1: the least delay; more
    /// bridges bursts of that many losses, as much later.
    pub distance: usize,
    /// Bytes of RED payload, block headers included, that redundancy may not push a packet over; the nearest copies are
    /// kept first. 1100: leaves a 1200-byte datagram room for the RTP header, extensions and SRTP.
    pub max_payload: usize,
}

impl Default for RedEncoderConfig {
    fn default() -> Self {
        Self { payload_type: PayloadType::new(63), copies: 1, distance: 1, max_payload: 1_100 }
    }
}

/// What a [`RedEncoder`] did: each copy a packet should have carried is either sent or skipped for one reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RedEncoderStats {
    /// Packets encoded.
    pub packets: u64,
    /// Packets returned as they were, being RED already.
    pub passed: u64,
    /// Redundant blocks sent.
    pub copies: u64,
    /// Copies skipped: empty or over [`MAX_BLOCK_LEN`] bytes.
    pub skipped_size: u64,
    /// Copies skipped: not older than the primary, or over [`MAX_OFFSET`] ticks older (after silence).
    pub skipped_offset: u64,
    /// Copies skipped: over [`RedEncoderConfig::max_payload`].
    pub skipped_budget: u64,
}

/// Turns packets of media into RED packets that carry older payloads again (RFC 2198).
///
/// For audio: one packet per timestamp. Sequence number, timestamp, SSRC, marker, CSRCs and header extension stay those of
/// the primary. Offsets are taken from the packets' own timestamps, so silence and changes of packet time need no notice.
#[derive(Debug)]
pub struct RedEncoder {
    config: RedEncoderConfig,
    history: VecDeque<Sent>,
    pool: BytesMut,
    stats: RedEncoderStats,
}

/// What was sent, to be sent again.
#[derive(Debug)]
struct Sent {
    packet: RtpPacket,
    payload_type: PayloadType,
    /// Where it begins in the payload of the packet, which may be RED.
    start: usize,
}

impl RedEncoder {
    /// An encoder with no history.
    ///
    /// # Errors
    /// [`ConfigError`] if `copies` or `distance` is out of its range.
    pub fn new(config: RedEncoderConfig) -> Result<Self, ConfigError> {
        if config.copies > MAX_COPIES {
            return Err(ConfigError::new("copies", "must be 31 at most"));
        }
        if !(1..=MAX_DISTANCE).contains(&config.distance) {
            return Err(ConfigError::new("distance", "must be 1 to 32"));
        }
        let history = VecDeque::with_capacity(MAX_COPIES * config.distance + 1);
        Ok(Self { config, history, pool: BytesMut::with_capacity(POOL_LEN), stats: RedEncoderStats::default() })
    }

    /// The RED packet to send in place of `packet`.
    ///
    /// A packet that is RED already is returned as it is: RED does not nest.
    pub fn encode(&mut self, packet: &RtpPacket) -> RtpPacket {
        if packet.payload_type() == self.config.payload_type {
            self.stats.passed += 1;
            return packet.clone();
        }
        self.follow(packet);
        self.stats.packets += 1;
        let (chosen, count) = choose(&self.config, &self.history, packet, &mut self.stats);

        let mut headers = [0; MAX_COPIES * HEADER_LEN + 1];
        let mut parts: [&[u8]; MAX_COPIES + 2] = [&[]; MAX_COPIES + 2];
        let oldest_first = chosen[..count].iter().rev();
        for ((header, part), copy) in headers.chunks_exact_mut(HEADER_LEN).zip(&mut parts[1..]).zip(oldest_first) {
            header.copy_from_slice(&copy.header);
            *part = copy.data;
        }
        headers[count * HEADER_LEN] = packet.payload_type().value();
        parts[0] = &headers[..=count * HEADER_LEN];
        parts[count + 1] = packet.payload();
        let red = self.config.payload_type;
        let encoded = packet.repack_in(&mut self.pool, &parts[..count + 2], |header| header.set_payload_type(red));

        self.remember(packet, packet.payload_type(), 0);
        encoded
    }

    /// Takes note of a packet that was sent as RED by other means, whose primary those that follow carry again.
    pub(super) fn pass(&mut self, red: &RtpPacket, primary: RedBlock<'_>) {
        self.follow(red);
        self.remember(red, primary.payload_type, red.payload().len() - primary.data.len());
    }

    /// Sets how many older payloads each packet carries from now on, cut to [`MAX_COPIES`].
    ///
    /// More copies take effect as history grows; fewer at once.
    pub fn set_copies(&mut self, copies: usize) {
        self.config.copies = copies.min(MAX_COPIES);
    }

    /// What was done so far.
    #[must_use]
    pub const fn stats(&self) -> RedEncoderStats {
        self.stats
    }

    /// Begins anew with another source.
    fn follow(&mut self, packet: &RtpPacket) {
        if self.history.back().is_some_and(|last| last.packet.ssrc() != packet.ssrc()) {
            self.history.clear();
        }
    }

    fn remember(&mut self, packet: &RtpPacket, payload_type: PayloadType, start: usize) {
        let reach = self.config.copies * self.config.distance;
        self.history.push_back(Sent { packet: packet.clone(), payload_type, start });
        while self.history.len() > reach {
            self.history.pop_front();
        }
    }
}

/// A redundant block to be.
#[derive(Clone, Copy)]
struct Copied<'a> {
    header: [u8; HEADER_LEN],
    data: &'a [u8],
}

/// The blocks to carry with `packet`, nearest first, and their number.
fn choose<'a>(
    config: &RedEncoderConfig,
    history: &'a VecDeque<Sent>,
    packet: &RtpPacket,
    stats: &mut RedEncoderStats,
) -> ([Copied<'a>; MAX_COPIES], usize) {
    let mut chosen = [Copied { header: [0; HEADER_LEN], data: &[] }; MAX_COPIES];
    let mut count = 0;
    let mut room = config.max_payload.saturating_sub(1 + packet.payload().len());
    for back in 1..=config.copies {
        let Some(old) = history.len().checked_sub(back * config.distance).and_then(|at| history.get(at)) else {
            break;
        };
        let data = &old.packet.payload()[old.start..];
        if data.is_empty() || data.len() > MAX_BLOCK_LEN {
            stats.skipped_size += 1;
            continue;
        }
        let Some(offset) = block_offset(packet.timestamp(), old.packet.timestamp()) else {
            stats.skipped_offset += 1;
            continue;
        };
        let Some(left) = room.checked_sub(HEADER_LEN + data.len()) else {
            stats.skipped_budget += 1;
            continue;
        };
        room = left;
        chosen[count] = Copied { header: block_header(old.payload_type, offset, data.len()), data };
        count += 1;
        stats.copies += 1;
    }
    (chosen, count)
}

/// F, block payload type, timestamp offset, block length (RFC 2198 §3); offset and length were checked to fit.
fn block_header(payload_type: PayloadType, offset: u16, len: usize) -> [u8; HEADER_LEN] {
    let [_, o0, o1, _] = (u32::from(offset) << 10).to_be_bytes();
    let [.., l0, l1] = len.to_be_bytes();
    [FOLLOWED | payload_type.value(), o0, o1 | l0, l1]
}

/// Ticks from `old` to `new` if a block can say so.
fn block_offset(new: RtpTime, old: RtpTime) -> Option<u16> {
    u16::try_from(new.distance_from(old)).ok().filter(|offset| (1..=MAX_OFFSET).contains(offset))
}
