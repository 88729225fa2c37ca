use std::collections::VecDeque;

use bytes::BytesMut;
use rtc_core::fec::FecEncoder;
use rtc_core::{ConfigError, PayloadType, RtpPacket, RtpTime, SeqNum, Ssrc};

use super::header::{FecHeader, LEVEL_LEN, level_header};
use super::protection::Protection;
use super::{MAX_GROUP, MAX_LEVELS};
use crate::POOL_LEN;
use crate::parity::{Mask, RTP_LEN, Recovery, Sum};

/// Bits of a long mask (RFC 5109 §7.4).
const MASK_LEN: u16 = 48;
/// Repair packets held at most until polled, two groups of the most; the oldest goes first.
const MAX_DUE: usize = 2 * MAX_GROUP;

/// Settings of a [`UlpfecEncoder`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct UlpfecEncoderConfig {
    /// Payload type of the repair packets. 127, as in the examples of RFC 5109 §10.
    pub payload_type: PayloadType,
    /// SSRC of the repair packets; `None`, the default, for that of the media (RFC 5109 §7.2; then in another session or
    /// inside RED).
    pub ssrc: Option<Ssrc>,
    /// Sequence number of the first repair packet. 0; a random one protects better (RFC 3550 §5.1).
    pub first_seq: SeqNum,
    /// How much to protect at first; see [`UlpfecEncoder::set_protection`]. 5 repair packets for 10 of media.
    pub protection: Protection,
}

impl Default for UlpfecEncoderConfig {
    fn default() -> Self {
        Self {
            payload_type: PayloadType::new(127),
            ssrc: None,
            first_seq: SeqNum(0),
            protection: Protection::default(),
        }
    }
}

/// What happened so far: `packets = protected + unprotected + duplicates`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct UlpfecEncoderStats {
    /// Packets of media seen.
    pub packets: u64,
    /// Packets that repair packets protect, or will when their group ends.
    pub protected: u64,
    /// Packets seen while there was no protection, or too long for its length field.
    pub unprotected: u64,
    /// Packets protected in the same group before.
    pub duplicates: u64,
    /// Repair packets made.
    pub repairs: u64,
    /// Bytes of repair packets made (`fecBytesSent` less the RTP headers).
    pub repair_bytes: u64,
    /// Repair packets dropped because they were not polled.
    pub overflowed: u64,
}

/// Makes repair packets for groups of media packets (RFC 5109 §8).
///
/// Each packet is added to the repair packets of its group as it comes; nothing is read again at the end of the group. A
/// group ends with as many packets as [`Protection::media`] says, before a packet too far off for the mask or of another
/// source, or when [`flush`](Self::flush) says so.
///
/// A repair packet is up to 10 bytes, and 8 for each level, longer than the longest packet it protects: packets of media must
/// leave that room in the path's MTU. Packets should come in the order they are sent.
#[derive(Debug)]
pub struct UlpfecEncoder {
    config: UlpfecEncoderConfig,
    /// A packet without payload, the model of all repair packets.
    model: RtpPacket,
    next_seq: SeqNum,
    group: Option<Group>,
    /// By level: as many as the group in progress has repair packets, and some not in use.
    sums: [Vec<Part>; MAX_LEVELS],
    due: VecDeque<RtpPacket>,
    pool: BytesMut,
    stats: UlpfecEncoderStats,
}

/// The group in progress.
#[derive(Debug, Clone, Copy)]
struct Group {
    protection: Protection,
    ssrc: Ssrc,
    /// Lowest sequence number.
    base: SeqNum,
    /// All packets of the group.
    mask: Mask,
    count: usize,
    /// Newest timestamp.
    timestamp: RtpTime,
    /// Most bytes after the fixed header.
    longest: usize,
}

/// One level of a repair packet in the making.
#[derive(Debug)]
struct Part {
    mask: Mask,
    sum: Sum,
}

impl UlpfecEncoder {
    /// An encoder that has seen nothing.
    ///
    /// # Errors
    /// Never with the settings there are now.
    pub fn new(config: UlpfecEncoderConfig) -> Result<Self, ConfigError> {
        let mut encoder = Self {
            config,
            model: RtpPacket::builder(config.payload_type, SeqNum(0), RtpTime(0), Ssrc(0)).build(&[])?,
            next_seq: config.first_seq,
            group: None,
            sums: Default::default(),
            due: VecDeque::with_capacity(MAX_DUE),
            pool: BytesMut::with_capacity(POOL_LEN),
            stats: UlpfecEncoderStats::default(),
        };
        encoder.reserve(config.protection);
        Ok(encoder)
    }

    /// Sets how much to protect, from the next group on.
    pub fn set_protection(&mut self, protection: Protection) {
        self.config.protection = protection;
        self.reserve(protection);
    }

    /// Ends the group in progress, such as after a picture that should not wait for the next. Only repair packets that
    /// protect something are made.
    pub fn flush(&mut self) {
        let Some(group) = self.group.take() else { return };
        let room = RTP_LEN + FecHeader::LEN + MAX_LEVELS * LEVEL_LEN + group.longest;
        // At once, or repair packets already made keep the memory from being used again for the next.
        self.pool.reserve(group.protection.repair() * room);
        for at in 0..group.protection.repair() {
            self.emit(group, at);
        }
    }

    /// What happened so far.
    #[must_use]
    pub const fn stats(&self) -> UlpfecEncoderStats {
        self.stats
    }

    fn reserve(&mut self, protection: Protection) {
        let new = || Part { mask: Mask::default(), sum: Sum::with_room(0) };
        for (sums, level) in self.sums.iter_mut().zip(protection.levels()) {
            let len = sums.len().max(level.repair);
            sums.resize_with(len, new);
        }
    }

    /// The packet's distance from the base of the group, which is begun or moved to have it; `None` if it has it already.
    fn join(&mut self, packet: &RtpPacket) -> Option<u16> {
        let far = |group: &Group| packet.ssrc() != group.ssrc || !group.reaches(packet.seq());
        if self.group.as_ref().is_some_and(far) {
            self.flush();
        }
        let group = self.group.get_or_insert_with(|| Group {
            protection: self.config.protection,
            ssrc: packet.ssrc(),
            base: packet.seq(),
            mask: Mask::default(),
            count: 0,
            timestamp: packet.timestamp(),
            longest: 0,
        });
        let back = group.base.distance_from(packet.seq()).max(0).unsigned_abs();
        group.base = group.base - back;
        group.mask = group.mask.rebased_back(back);
        if back > 0 {
            self.sums.iter_mut().flatten().for_each(|part| part.mask = part.mask.rebased_back(back));
        }
        let offset = packet.seq().distance_from(group.base).unsigned_abs();
        if group.mask.contains(offset) {
            return None;
        }
        group.mask.insert(offset);
        if packet.timestamp().is_newer_than(group.timestamp) {
            group.timestamp = packet.timestamp();
        }
        Some(offset)
    }

    /// Makes the repair packet of this place from its sums, which begin anew; none if nothing was added to them.
    fn emit(&mut self, group: Group, at: usize) {
        if self.sums[0][at].mask.is_empty() {
            return;
        }
        let levels = group.protection.levels();
        let used = |level: usize| at < levels[level].repair && !self.sums[level][at].sum.body().is_empty();
        let top = (1..levels.len()).rev().find(|level| used(*level)).unwrap_or_default();
        self.pad(group, at, top);
        let made = self.sums[..=top].iter().map(|parts| &parts[at]);
        let first = made.clone().map(|part| part.mask.first()).min().unwrap_or_default();
        let long = made.clone().any(|part| part.mask.last() - first >= 16);
        let fixed = FecHeader { recovery: self.sums[0][at].sum.recovery, base: group.base + first, long }.to_bytes();
        let headers: [_; MAX_LEVELS] = core::array::from_fn(|level| match self.sums.get(level) {
            Some(parts) if level <= top => parts[at].header(first, long),
            _ => ([0; LEVEL_LEN], 0),
        });
        let mut parts: [&[u8]; 1 + 2 * MAX_LEVELS] = [&[]; 1 + 2 * MAX_LEVELS];
        parts[0] = &fixed;
        for ((parts, (header, len)), part) in parts[1..].chunks_exact_mut(2).zip(&headers).zip(made) {
            (parts[0], parts[1]) = (&header[..*len], part.sum.body());
        }
        let (seq, ssrc) = (self.next_seq, self.config.ssrc.unwrap_or(group.ssrc));
        let repair = self.model.repack_in(&mut self.pool, &parts, |header| {
            header.set_seq(seq);
            header.set_timestamp(group.timestamp);
            header.set_ssrc(ssrc);
        });
        self.next_seq = seq.next();
        self.push(repair);
        self.sums.iter_mut().filter_map(|parts| parts.get_mut(at)).for_each(Part::clear);
    }

    /// Gives the levels of a repair packet the lengths they must have: each as long as configured if another begins where it
    /// ends, and the lowest as long as in the other repair packets if it must.
    fn pad(&mut self, group: Group, at: usize, top: usize) {
        for (level, config) in group.protection.levels().iter().enumerate().take(top) {
            self.sums[level][at].sum.resize(usize::from(config.len));
        }
        if top == 0 && group.protection.aligned() {
            let len = usize::from(group.protection.levels()[0].len).min(group.longest);
            self.sums[0][at].sum.resize(len);
        }
    }

    fn push(&mut self, repair: RtpPacket) {
        self.stats.repairs += 1;
        self.stats.repair_bytes += repair.payload().len() as u64;
        if self.due.len() == MAX_DUE {
            self.due.pop_front();
            self.stats.overflowed += 1;
        }
        self.due.push_back(repair);
    }
}

impl FecEncoder for UlpfecEncoder {
    fn protect(&mut self, packet: &RtpPacket) {
        self.stats.packets += 1;
        let protection = self.group.map_or(self.config.protection, |group| group.protection);
        let (Some(recovery), 1..) = (Recovery::of(packet.as_bytes()), protection.repair()) else {
            self.stats.unprotected += 1;
            return;
        };
        let Some(offset) = self.join(packet) else {
            self.stats.duplicates += 1;
            return;
        };
        let Some(group) = &mut self.group else { return };
        let mut body = &packet.as_bytes()[RTP_LEN..];
        group.longest = group.longest.max(body.len());
        for (at, (level, sums)) in group.protection.levels().iter().zip(&mut self.sums).enumerate() {
            let (part, rest) = body.split_at(body.len().min(usize::from(level.len)));
            for place in group.protection.covering(at, group.count) {
                sums[place].mask.insert(offset);
                sums[place].sum.add(recovery, part);
            }
            body = rest;
        }
        self.stats.protected += 1;
        group.count += 1;
        if group.count == group.protection.media() {
            self.flush();
        }
    }

    fn poll_repair(&mut self) -> Option<RtpPacket> {
        self.due.pop_front()
    }
}

impl Group {
    /// Whether a mask can hold the group and this packet.
    fn reaches(&self, seq: SeqNum) -> bool {
        let ends = [self.base, self.base + self.mask.last()];
        ends.iter().all(|end| seq.distance_from(*end).unsigned_abs() < MASK_LEN)
    }
}

impl Part {
    /// The header of the level on the wire, in a packet whose base is that far from the group's.
    fn header(&self, base: u16, long: bool) -> ([u8; LEVEL_LEN], usize) {
        // Each packet's length was checked to fit.
        let protected = u16::try_from(self.sum.body().len()).unwrap_or(u16::MAX);
        level_header(protected, self.mask.rebased_on(base), long)
    }

    fn clear(&mut self) {
        self.mask = Mask::default();
        self.sum.clear();
    }
}
