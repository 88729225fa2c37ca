use core::time::Duration;
use std::collections::VecDeque;

use bytes::BytesMut;
use rtc_core::time::Instant;
use rtc_core::{ConfigError, DataSize, PayloadType, RtpPacket, SeqNum, Ssrc};

use super::{RtxPayloadType, check};
use crate::POOL_LEN;
use crate::continuity::same_run;

/// Most numbers the history reaches back: well within half a cycle, so that they keep their order.
const MAX_SPAN: usize = 1 << 14;

/// Settings of an [`RtxHistory`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct RtxHistoryConfig {
    /// SSRC of the retransmission packets; `None`, the default, for that of the originals (session multiplexing, RFC 4588
    /// §4).
    pub ssrc: Option<Ssrc>,
    /// What is retransmitted as what. Empty by default: only [`RtxHistory::resend`] works.
    pub payload_types: Vec<RtxPayloadType>,
    /// Sequence number of the first retransmission packet. 0; a random one protects better (RFC 3550 §5.1).
    pub first_seq: SeqNum,
    /// Most bytes of packets kept. 2 MiB: a second at 16 Mb/s.
    pub max_size: DataSize,
    /// How long packets are kept. 1 s: longer than any receiver of interactive media asks for.
    pub max_age: Duration,
    /// Round-trip time until [`RtxHistory::set_rtt`]. 50 ms: a request for what was sent again less than that ago is taken
    /// for the same request.
    pub rtt: Duration,
}

impl Default for RtxHistoryConfig {
    fn default() -> Self {
        Self {
            ssrc: None,
            payload_types: Vec::new(),
            first_seq: SeqNum(0),
            max_size: DataSize::from_bytes(2 << 20),
            max_age: Duration::from_secs(1),
            rtt: Duration::from_millis(50),
        }
    }
}

/// What happened so far: requests are `retransmitted + suppressed + unknown + unmapped`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RtxHistoryStats {
    /// Packets kept at some time.
    pub inserted: u64,
    /// Packets not kept: kept already, or larger than all that may be kept.
    pub refused: u64,
    /// Packets sent again (`retransmittedPacketsSent`).
    pub retransmitted: u64,
    /// Bytes of payload sent again (`retransmittedBytesSent`).
    pub retransmitted_bytes: u64,
    /// Requests for what was sent again less than a round trip before.
    pub suppressed: u64,
    /// Requests for what is not kept.
    pub unknown: u64,
    /// Requests for packets whose payload type has no retransmission type.
    pub unmapped: u64,
}

/// The answer to a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Retransmit {
    /// The packet to send.
    Packet(RtpPacket),
    /// It was sent again less than a round trip ago: the request crossed it.
    Suppressed,
    /// It is not kept: never sent, or too long ago.
    Unknown,
    /// Its payload type has no retransmission type.
    Unmapped,
}

/// Keeps packets that were sent, to send them again when asked.
///
/// Finding a packet takes constant time. Packets may come out of order, as they do at a relay.
#[derive(Debug)]
pub struct RtxHistory {
    config: RtxHistoryConfig,
    rtt: Duration,
    next_seq: SeqNum,
    /// One place for each number from `first` on.
    kept: VecDeque<Option<Kept>>,
    first: SeqNum,
    size: DataSize,
    pool: BytesMut,
    stats: RtxHistoryStats,
}

#[derive(Debug)]
struct Kept {
    packet: RtpPacket,
    sent: Instant,
    sent_again: Option<Instant>,
}

impl RtxHistory {
    /// A history of one stream.
    ///
    /// # Errors
    /// [`ConfigError`] if a payload type has several partners, or a retransmission type is itself retransmitted.
    pub fn new(config: RtxHistoryConfig) -> Result<Self, ConfigError> {
        check(&config.payload_types)?;
        Ok(Self {
            rtt: config.rtt,
            next_seq: config.first_seq,
            kept: VecDeque::new(),
            first: SeqNum(0),
            size: DataSize::ZERO,
            pool: BytesMut::with_capacity(POOL_LEN),
            stats: RtxHistoryStats::default(),
            config,
        })
    }

    /// Keeps a packet that is sent. Its buffer is shared, not copied.
    ///
    /// A number far from all others starts the history anew.
    pub fn insert(&mut self, now: Instant, packet: &RtpPacket) {
        let size = DataSize::of(packet.as_bytes());
        let fits = size <= self.config.max_size;
        match self.place_for(packet.seq()) {
            Some(place @ None) if fits => {
                *place = Some(Kept { packet: packet.clone(), sent: now, sent_again: None });
                self.size += size;
                self.stats.inserted += 1;
            }
            _ => self.stats.refused += 1,
        }
        self.evict(now);
    }

    /// The retransmission packet for the packet of this number (RFC 4588 §4): the original sequence number before its
    /// payload, the next number of the retransmission stream, the timestamp, marker, CSRCs and header extension of the
    /// original, and no padding.
    ///
    /// Header extensions that must differ each time (transport-wide sequence numbers, `rid` for `repaired-rid`, RFC 8852)
    /// are the caller's to rewrite.
    pub fn retransmit(&mut self, now: Instant, seq: SeqNum) -> Retransmit {
        let original = match self.wanted(now, seq) {
            Ok(original) => original,
            Err(refusal) => return refusal,
        };
        let Some(payload_type) = self.rtx_of(original.payload_type()) else {
            self.stats.unmapped += 1;
            return Retransmit::Unmapped;
        };
        let (ssrc, rtx_seq) = (self.config.ssrc.unwrap_or_else(|| original.ssrc()), self.next_seq);
        let parts = [&seq.0.to_be_bytes(), original.payload()];
        let packet = original.repack_in(&mut self.pool, &parts, |header| {
            header.set_payload_type(payload_type);
            header.set_seq(rtx_seq);
            header.set_ssrc(ssrc);
        });
        self.next_seq = rtx_seq.next();
        self.mark(now, seq, packet)
    }

    /// The packet of this number as it was sent, for receivers that do not know RFC 4588.
    pub fn resend(&mut self, now: Instant, seq: SeqNum) -> Retransmit {
        match self.wanted(now, seq) {
            Ok(original) => self.mark(now, seq, original),
            Err(refusal) => refusal,
        }
    }

    /// Sets the round-trip time, within which a packet is not sent again twice.
    pub fn set_rtt(&mut self, rtt: Duration) {
        self.rtt = rtt;
    }

    /// What happened so far.
    #[must_use]
    pub const fn stats(&self) -> RtxHistoryStats {
        self.stats
    }

    /// The original, if it may be sent again now; else the answer to give.
    fn wanted(&mut self, now: Instant, seq: SeqNum) -> Result<RtpPacket, Retransmit> {
        let (max_age, rtt) = (self.config.max_age, self.rtt);
        match self.kept_mut(seq).filter(|kept| now <= kept.sent + max_age) {
            Some(kept) if kept.sent_again.is_some_and(|last| now < last + rtt) => {
                self.stats.suppressed += 1;
                Err(Retransmit::Suppressed)
            }
            Some(kept) => Ok(kept.packet.clone()),
            None => {
                self.stats.unknown += 1;
                Err(Retransmit::Unknown)
            }
        }
    }

    fn mark(&mut self, now: Instant, seq: SeqNum, packet: RtpPacket) -> Retransmit {
        if let Some(kept) = self.kept_mut(seq) {
            kept.sent_again = Some(now);
        }
        self.stats.retransmitted += 1;
        self.stats.retransmitted_bytes += packet.payload().len() as u64;
        Retransmit::Packet(packet)
    }

    fn kept_mut(&mut self, seq: SeqNum) -> Option<&mut Kept> {
        let place = usize::try_from(seq.distance_from(self.first)).ok()?;
        self.kept.get_mut(place)?.as_mut()
    }

    fn rtx_of(&self, original: PayloadType) -> Option<PayloadType> {
        self.config.payload_types.iter().find(|pair| pair.original == original).map(|pair| pair.rtx)
    }

    /// The place of this number, made if need be.
    fn place_for(&mut self, seq: SeqNum) -> Option<&mut Option<Kept>> {
        let newest = self.first + u16::try_from(self.kept.len()).ok()?.saturating_sub(1);
        if self.kept.is_empty() || !same_run(newest, seq) {
            self.kept.clear();
            (self.first, self.size) = (seq, DataSize::ZERO);
        }
        let behind = usize::from(self.first.distance_from(seq).max(0).unsigned_abs());
        for _ in 0..behind {
            self.kept.push_front(None);
            self.first = self.first - 1;
        }
        let place = usize::try_from(seq.distance_from(self.first)).ok()?;
        if place >= self.kept.len() {
            self.kept.resize_with(place + 1, || None);
        }
        self.kept.get_mut(place)
    }

    fn evict(&mut self, now: Instant) {
        while let Some(oldest) = self.kept.front() {
            let size = match oldest {
                Some(kept) => {
                    let fits = self.size <= self.config.max_size && self.kept.len() <= MAX_SPAN;
                    if fits && now <= kept.sent + self.config.max_age {
                        return;
                    }
                    DataSize::of(kept.packet.as_bytes())
                }
                None => DataSize::ZERO,
            };
            self.size = self.size - size;
            self.kept.pop_front();
            self.first = self.first.next();
        }
    }
}
