use std::collections::VecDeque;

use bytes::BytesMut;
use rtc_core::fec::FecEncoder;
use rtc_core::{ConfigError, PayloadType, RtpPacket, RtpTime, SeqNum, Ssrc};

use super::group::{Group, Place, Repair};
use super::header::{MAX_LEN, Writer, retransmission_bits};
use super::protection::{FlexfecProtection, Shape};
use super::{FlexfecVariant, MAX_SIDE, MAX_SOURCES};
use crate::POOL_LEN;
use crate::parity::{BODY_LEN, RTP_LEN, Recovery};

/// Repair packets held at most until polled, more than the largest block has; the oldest goes first.
const MAX_DUE: usize = 2 * (MAX_SIDE + 1);

/// Settings of a [`FlexfecEncoder`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct FlexfecEncoderConfig {
    /// Which of the two formats to write. [`FlexfecVariant::Rfc8627`].
    pub variant: FlexfecVariant,
    /// Payload type of the repair packets. 118: any that is negotiated.
    pub payload_type: PayloadType,
    /// SSRC of the repair packets, which must not be that of any media (RFC 8627 §4.2.1). 0; a random one, told to the receiver
    /// with those it protects (`a=ssrc-group:FEC-FR`), avoids collisions.
    pub ssrc: Ssrc,
    /// Sequence number of the first repair packet. 0; a random one protects better (RFC 3550 §5.1).
    pub first_seq: SeqNum,
    /// How much to protect at first; see [`FlexfecEncoder::set_protection`]. 5 repair packets for 10 of media.
    pub protection: FlexfecProtection,
}

impl Default for FlexfecEncoderConfig {
    fn default() -> Self {
        Self {
            variant: FlexfecVariant::Rfc8627,
            payload_type: PayloadType::new(118),
            ssrc: Ssrc(0),
            first_seq: SeqNum(0),
            protection: FlexfecProtection::default(),
        }
    }
}

/// What happened so far: `packets = protected + unprotected + duplicates`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct FlexfecEncoderStats {
    /// Packets of media seen.
    pub packets: u64,
    /// Packets that repair packets protect, or will when their row, column or group ends.
    pub protected: u64,
    /// Packets seen while there was no protection, too long for its length field, or of the repair packets' own SSRC.
    pub unprotected: u64,
    /// Packets protected in the same group before.
    pub duplicates: u64,
    /// Repair packets made.
    pub repairs: u64,
    /// Of these, retransmissions.
    pub retransmissions: u64,
    /// Bytes of repair packets made (`fecBytesSent` less the RTP headers).
    pub repair_bytes: u64,
    /// Repair packets dropped because they were not polled.
    pub overflowed: u64,
}

/// Makes repair packets for groups of media packets (RFC 8627 §6.2).
///
/// Each packet is added to its repair packets as it comes; nothing is read again at the end of the group. A group ends with as
/// many packets as [`FlexfecProtection::media`] says, before a packet it cannot have, or when [`flush`](Self::flush) says so.
/// Groups by masks can have any packet a mask reaches, of 15 sources at most; rows and columns by their numbers only the next in
/// sequence of one source.
///
/// A repair packet is up to 24 bytes longer than the longest packet it protects, 32 in the draft, and for each source but the
/// first up to 20 more: packets of media must leave that room in the path's MTU.
#[derive(Debug)]
pub struct FlexfecEncoder {
    config: FlexfecEncoderConfig,
    next_seq: SeqNum,
    group: Group,
    /// As many as the group in progress has, and some not in use.
    repairs: Vec<Repair>,
    due: VecDeque<RtpPacket>,
    /// A retransmission in the making.
    scratch: Vec<u8>,
    pool: BytesMut,
    stats: FlexfecEncoderStats,
}

impl FlexfecEncoder {
    /// An encoder that has seen nothing.
    ///
    /// # Errors
    /// Never with the settings there are now.
    pub fn new(config: FlexfecEncoderConfig) -> Result<Self, ConfigError> {
        let mut encoder = Self {
            config,
            next_seq: config.first_seq,
            group: Group::new(),
            repairs: Vec::new(),
            due: VecDeque::with_capacity(MAX_DUE),
            scratch: Vec::with_capacity(BODY_LEN),
            pool: BytesMut::with_capacity(POOL_LEN),
            stats: FlexfecEncoderStats::default(),
        };
        encoder.set_protection(config.protection);
        Ok(encoder)
    }

    /// Sets how much to protect, from the next group on. The draft knows no columns and rows but by masks.
    pub fn set_protection(&mut self, protection: FlexfecProtection) {
        self.config.protection = match self.config.variant {
            FlexfecVariant::Rfc8627 => protection,
            FlexfecVariant::Draft03 => protection.with_masks(),
        };
        let len = self.repairs.len().max(protection.sums());
        self.repairs.resize_with(len, Repair::new);
    }

    /// Ends the group in progress, such as after a picture that should not wait for the next. Only repair packets that protect
    /// something are made; of a grid without a second row, that of the row.
    pub fn flush(&mut self) {
        let sums = self.group.protection.sums();
        // At once, or repair packets already made keep the memory from being used again for the next.
        self.pool.reserve(sums * (RTP_LEN + 4 * MAX_SOURCES + MAX_LEN + self.group.longest));
        for at in 0..sums {
            let column_of_one = matches!(self.group.protection.shape(), Shape::Grid { .. }) && at > 0;
            if column_of_one && self.repairs[at].count() == 1 {
                self.repairs[at].clear();
            }
            self.emit(at);
        }
        self.group.start(FlexfecProtection::NONE);
    }

    /// The packet again, in a repair packet of its own: to answer a request in the repair stream, or to protect what matters
    /// most (RFC 8627 §4.2.2.3). It is returned, not queued.
    #[must_use]
    pub fn retransmit(&mut self, packet: &RtpPacket) -> RtpPacket {
        self.scratch.clear();
        self.scratch.extend_from_slice(packet.as_bytes());
        self.scratch[0] = self.scratch[0] & 0x3f | retransmission_bits(self.config.variant);
        let repair = self.next(packet.timestamp(), &[packet.ssrc()], None);
        self.stats.retransmissions += 1;
        repair
    }

    /// What happened so far.
    #[must_use]
    pub const fn stats(&self) -> FlexfecEncoderStats {
        self.stats
    }

    /// Makes the repair packet of this sum, which begins anew; none if nothing was added to it.
    fn emit(&mut self, at: usize) {
        let protection = self.group.protection;
        let repair = &mut self.repairs[at];
        if repair.count() == 0 {
            return;
        }
        let (protected, count) = repair.protected((!protection.masks()).then(|| protection.step(at)));
        let more = matches!(protection.shape(), Shape::Grid { .. });
        let header = Writer::write(self.config.variant, repair.sum.recovery, &protected[..count], more);
        let mut sources = [Ssrc(0); MAX_SOURCES];
        for (source, protected) in sources.iter_mut().zip(&protected[..count]) {
            *source = protected.ssrc;
        }
        let repair = self.next(self.group.timestamp, &sources[..count], Some((at, &header)));
        self.repairs[at].clear();
        if self.due.len() == MAX_DUE {
            self.due.pop_front();
            self.stats.overflowed += 1;
        }
        self.due.push_back(repair);
    }

    /// The next repair packet: of a sum with its header, or else of what is in `scratch`.
    fn next(&mut self, timestamp: RtpTime, sources: &[Ssrc], sum: Option<(usize, &Writer)>) -> RtpPacket {
        let named = match self.config.variant {
            FlexfecVariant::Rfc8627 => sources,
            FlexfecVariant::Draft03 => &[],
        };
        let payload = match sum {
            Some((at, header)) => self.repairs[at].sum.with_header(header.bytes()),
            None => &self.scratch,
        };
        let FlexfecEncoderConfig { payload_type, ssrc, .. } = self.config;
        let builder = RtpPacket::builder(payload_type, self.next_seq, timestamp, ssrc).csrcs(named);
        self.next_seq = self.next_seq.next();
        self.stats.repairs += 1;
        self.stats.repair_bytes += payload.len() as u64;
        builder.build_in(&mut self.pool, payload).expect("15 sources at most, and no extension")
    }
}

impl FecEncoder for FlexfecEncoder {
    fn protect(&mut self, packet: &RtpPacket) {
        self.stats.packets += 1;
        let started = self.group.count > 0;
        let protection = if started { self.group.protection } else { self.config.protection };
        let own = packet.ssrc() == self.config.ssrc;
        let (Some(recovery), 1.., false) = (Recovery::of(packet.as_bytes()), protection.repair(), own) else {
            self.stats.unprotected += 1;
            return;
        };
        match self.group.place(self.config.variant, packet) {
            Place::Free if started => {}
            Place::Taken => {
                self.stats.duplicates += 1;
                return;
            }
            Place::Free | Place::Beyond => {
                self.flush();
                self.group.start(self.config.protection);
            }
        }
        if self.group.protection.repair() == 0 {
            self.stats.unprotected += 1;
            return;
        }
        let (protection, place) = (self.group.protection, self.group.count);
        let body = &packet.as_bytes()[RTP_LEN..];
        for at in protection.covering(place) {
            self.repairs[at].add(packet, recovery, body);
        }
        self.group.add(packet, body.len());
        self.stats.protected += 1;
        if self.group.count == protection.media() {
            self.flush();
        } else if let Shape::Grid { columns, .. } = protection.shape()
            && self.group.count.is_multiple_of(columns)
        {
            self.emit(0);
        }
    }

    fn poll_repair(&mut self) -> Option<RtpPacket> {
        self.due.pop_front()
    }
}
