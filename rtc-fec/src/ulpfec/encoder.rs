use std::collections::VecDeque;

use bytes::BytesMut;
use rtc_core::fec::FecEncoder;
use rtc_core::{ConfigError, PayloadType, RtpPacket, RtpTime, SeqNum, Ssrc};

use super::MAX_GROUP;
use super::header::{FecHeader, RTP_LEN, Recovery};
use super::mask::{Mask, Pattern, Protection};
use crate::POOL_LEN;
use crate::xor::xor_into;

/// Bytes an accumulator starts with: as much as common packets have. It grows to what is protected.
const BODY_LEN: usize = 1_500;
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
    /// How much to protect; see [`UlpfecEncoder::set_protection`]. 5 repair packets for 10 of media.
    pub protection: Protection,
    /// What each repair packet protects. Interleaved: for bursts.
    pub pattern: Pattern,
}

impl Default for UlpfecEncoderConfig {
    fn default() -> Self {
        Self {
            payload_type: PayloadType::new(127),
            ssrc: None,
            first_seq: SeqNum(0),
            protection: Protection { media: 10, repair: 5 },
            pattern: Pattern::default(),
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
/// A repair packet is up to 18 bytes longer than the longest packet it protects: packets of media must leave that room in the
/// path's MTU. Packets should come in the order they are sent.
#[derive(Debug)]
pub struct UlpfecEncoder {
    config: UlpfecEncoderConfig,
    /// A packet without payload, the model of all repair packets.
    model: RtpPacket,
    next_seq: SeqNum,
    group: Option<Group>,
    /// As many as the group in progress has repair packets, and some not in use.
    sums: Vec<Sum>,
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
}

/// A repair packet in the making.
#[derive(Debug, Default)]
struct Sum {
    recovery: Recovery,
    mask: Mask,
    body: Vec<u8>,
}

impl UlpfecEncoder {
    /// An encoder that has seen nothing.
    ///
    /// # Errors
    /// [`ConfigError`] if `protection` is out of its range.
    pub fn new(config: UlpfecEncoderConfig) -> Result<Self, ConfigError> {
        config.protection.check()?;
        let mut encoder = Self {
            config,
            model: RtpPacket::builder(config.payload_type, SeqNum(0), RtpTime(0), Ssrc(0)).build(&[])?,
            next_seq: config.first_seq,
            group: None,
            sums: Vec::new(),
            due: VecDeque::with_capacity(MAX_DUE),
            pool: BytesMut::with_capacity(POOL_LEN),
            stats: UlpfecEncoderStats::default(),
        };
        encoder.reserve(config.protection);
        Ok(encoder)
    }

    /// Sets how much to protect, from the next group on.
    ///
    /// # Errors
    /// [`ConfigError`], and nothing changed, if it is out of its range.
    pub fn set_protection(&mut self, protection: Protection) -> Result<(), ConfigError> {
        protection.check()?;
        self.config.protection = protection;
        self.reserve(protection);
        Ok(())
    }

    /// Ends the group in progress; from the next on, sets what each repair packet protects.
    pub fn set_pattern(&mut self, pattern: Pattern) {
        self.flush();
        self.config.pattern = pattern;
    }

    /// Ends the group in progress, such as after a picture that should not wait for the next. Only repair packets that
    /// protect something are made.
    pub fn flush(&mut self) {
        let Some(group) = self.group.take() else { return };
        let sums = &self.sums[..group.protection.repair];
        // Where a packet is protected more than once, level 0 has the same length everywhere (§7.4, rule a).
        let longest = sums.iter().map(|sum| sum.body.len()).max().unwrap_or_default();
        // At once, or repair packets already made keep the memory from being used again for the next.
        self.pool.reserve(sums.len() * (RTP_LEN + FecHeader::MAX_LEN + longest));
        for at in 0..group.protection.repair {
            if self.sums[at].mask.is_empty() {
                continue;
            }
            if self.config.pattern.overlaps() {
                self.sums[at].body.resize(longest, 0);
            }
            self.emit(group, at);
            self.sums[at].clear();
        }
    }

    /// What happened so far.
    #[must_use]
    pub const fn stats(&self) -> UlpfecEncoderStats {
        self.stats
    }

    fn reserve(&mut self, protection: Protection) {
        let new = || Sum { body: Vec::with_capacity(BODY_LEN), ..Sum::default() };
        let len = self.sums.len().max(protection.repair);
        self.sums.resize_with(len, new);
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
        });
        let back = group.base.distance_from(packet.seq()).max(0).unsigned_abs();
        group.base = group.base - back;
        group.mask.rebase(back);
        self.sums.iter_mut().for_each(|sum| sum.mask.rebase(back));
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

    fn emit(&mut self, group: Group, at: usize) {
        let sum = &self.sums[at];
        let (first, mask) = sum.mask.normalized();
        // Each packet's length was checked to fit.
        let protected = u16::try_from(sum.body.len()).unwrap_or(u16::MAX);
        let header = FecHeader { recovery: sum.recovery, base: group.base + first, mask, protected };
        let ((header, len), seq) = (header.to_bytes(), self.next_seq);
        let ssrc = self.config.ssrc.unwrap_or(group.ssrc);
        let repair = self.model.repack_in(&mut self.pool, &[&header[..len], &sum.body], |header| {
            header.set_seq(seq);
            header.set_timestamp(group.timestamp);
            header.set_ssrc(ssrc);
        });
        self.next_seq = seq.next();
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
        let (Some(recovery), true) = (Recovery::of(packet.as_bytes()), protection.repair > 0) else {
            self.stats.unprotected += 1;
            return;
        };
        let Some(offset) = self.join(packet) else {
            self.stats.duplicates += 1;
            return;
        };
        let Some(group) = &mut self.group else { return };
        for at in self.config.pattern.covering(group.count, group.protection.repair) {
            self.sums[at].add(offset, recovery, &packet.as_bytes()[RTP_LEN..]);
        }
        self.stats.protected += 1;
        group.count += 1;
        if group.count == group.protection.media {
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
        ends.iter().all(|end| seq.distance_from(*end).unsigned_abs() < Mask::LEN)
    }
}

impl Sum {
    fn add(&mut self, offset: u16, recovery: Recovery, body: &[u8]) {
        self.mask.insert(offset);
        self.recovery.add(recovery);
        // What is longer than all before meets zeros (§8.2).
        let (met, new) = body.split_at(body.len().min(self.body.len()));
        xor_into(&mut self.body, met);
        self.body.extend_from_slice(new);
    }

    fn clear(&mut self) {
        (self.recovery, self.mask) = (Recovery::default(), Mask::default());
        self.body.clear();
    }
}
