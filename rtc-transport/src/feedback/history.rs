use rtc_core::bwe::{Ecn, PacketResult, SentPacket};
use rtc_core::time::Instant;
use rtc_core::{ConfigError, DataSize, RtpTime, SeqNum, Ssrc, TimeUnwrapper};

use crate::rtcp::{ArrivalOffset, CongestionFeedback, TICK, TransportFeedback};

use super::index::StreamIndex;

/// Settings of a [`SendHistory`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct HistoryConfig {
    /// Packets remembered, a power of two, 32768 at most: what can be sent until feedback comes back. Default 4096, two
    /// seconds at 20 Mb/s.
    pub capacity: usize,
}

impl Default for HistoryConfig {
    fn default() -> Self {
        Self { capacity: 4_096 }
    }
}

/// What a [`SendHistory`] knows of packets. `sent = in_flight + received + lost + unreported`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct HistoryStats {
    /// Packets sent.
    pub sent: u64,
    /// Packets remembered and not yet reported on.
    pub in_flight: u64,
    /// Packets reported as received.
    pub received: u64,
    /// Packets reported as lost, and not as received later.
    pub lost: u64,
    /// Packets forgotten before anything was reported of them.
    pub unreported: u64,
    /// Of `received`, those that had been reported as lost.
    pub recovered: u64,
    /// Reports of packets that told nothing new.
    pub repeated: u64,
    /// Reports of packets never sent, or forgotten.
    pub unknown: u64,
    /// Of `received`, those whose report could not say when: they count as arrived at the nearest moment it could have told.
    pub untimed: u64,
}

/// Remembers packets that were sent, and matches feedback with them.
#[derive(Debug)]
pub struct SendHistory {
    /// Packet `id` at `id % capacity`.
    ring: Box<[Option<Record>]>,
    newest: Option<u64>,
    in_flight: DataSize,
    /// The reference time of transport-wide feedback, which wraps after 2³² ticks.
    clock: TimeUnwrapper,
    /// The report timestamp of congestion control feedback, which wraps after 2³² units.
    wall_clock: TimeUnwrapper,
    index: StreamIndex,
    results: Vec<PacketResult>,
    stats: HistoryStats,
}

#[derive(Debug, Clone, Copy)]
struct Record {
    packet: SentPacket,
    fate: Fate,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    InFlight,
    Lost,
    Received,
}

impl SendHistory {
    /// An empty history.
    ///
    /// # Errors
    /// [`ConfigError`] if `capacity` is not a power of two from 2 to 32768, beyond which sequence numbers are ambiguous.
    pub fn new(config: &HistoryConfig) -> Result<Self, ConfigError> {
        if !config.capacity.is_power_of_two() || !(2..=1 << 15).contains(&config.capacity) {
            return Err(ConfigError::new("capacity", "must be a power of two from 2 to 32768"));
        }
        Ok(Self {
            ring: vec![None; config.capacity].into_boxed_slice(),
            newest: None,
            in_flight: DataSize::ZERO,
            clock: TimeUnwrapper::default(),
            wall_clock: TimeUnwrapper::default(),
            index: StreamIndex::default(),
            results: Vec::with_capacity(config.capacity.min(256)),
            stats: HistoryStats::default(),
        })
    }

    /// Takes note of a packet that left. Its transport-wide sequence number is the low 16 bits of its identifier, which
    /// must be higher than all before; false, and nothing done, if it is not.
    pub fn on_sent(&mut self, packet: SentPacket) -> bool {
        if self.newest >= Some(packet.id) {
            return false;
        }
        self.newest = Some(packet.id);
        let slot = self.slot(packet.id);
        if let Some(forgotten) = self.ring[slot].replace(Record { packet, fate: Fate::InFlight })
            && forgotten.fate == Fate::InFlight
        {
            self.stats.unreported += 1;
            self.stats.in_flight -= 1;
            self.in_flight = self.in_flight - forgotten.packet.size;
        }
        self.stats.sent += 1;
        self.stats.in_flight += 1;
        self.in_flight += packet.size;
        true
    }

    /// As [`on_sent`](Self::on_sent), for a packet that is number `seq` of `ssrc`: only of such packets congestion control
    /// feedback (RFC 8888) can tell. Of 64 streams at most.
    pub fn on_sent_of(&mut self, packet: SentPacket, ssrc: Ssrc, seq: SeqNum) -> bool {
        self.on_sent(packet) && self.index.insert(ssrc, seq, packet.id, self.ring.len())
    }

    /// What feedback tells that was not known: packets in order of identifiers, each as lost once, and as received once.
    ///
    /// Feedback may be lost, repeated and out of order. A packet no feedback speaks of is not taken for lost.
    pub fn on_feedback(&mut self, feedback: &TransportFeedback) -> &[PacketResult] {
        self.results.clear();
        // Reference times are 24 bits of 256 ticks each, so that in ticks they wrap as RTP timestamps do.
        let reference = self.clock.unwrap(RtpTime(feedback.reference_time() << 8));
        for status in feedback.statuses() {
            let arrival = status.arrival.map(|ticks| reference.saturating_add_signed(i64::from(ticks)));
            match self.id_of(status.seq.0) {
                Some(id) => self.settle(id, arrival.map(from_ticks), Ecn::NotEct),
                None => self.stats.unknown += 1,
            }
        }
        &self.results
    }

    /// What congestion control feedback (RFC 8888) tells that was not known, as [`on_feedback`](Self::on_feedback) does.
    ///
    /// A number that was sent twice stands for the packet sent last.
    pub fn on_congestion_feedback(&mut self, feedback: &CongestionFeedback) -> &[PacketResult] {
        self.results.clear();
        let timestamp = self.wall_clock.unwrap(RtpTime(feedback.timestamp));
        let index = core::mem::take(&mut self.index);
        for stream in feedback.streams() {
            let packets = index.stream(stream.ssrc);
            for metric in stream.metrics() {
                let Some(id) = packets.id(metric.seq) else {
                    self.stats.unknown += 1;
                    continue;
                };
                let (arrival, ecn) = match metric.arrival {
                    Some((offset, ecn)) => (Some(from_offset(timestamp, offset)), ecn),
                    None => (None, Ecn::NotEct),
                };
                let received = self.stats.received;
                self.settle(id, arrival, ecn);
                if !matches!(metric.arrival, None | Some((ArrivalOffset::Units(_), _))) {
                    self.stats.untimed += self.stats.received - received;
                }
            }
        }
        self.index = index;
        if !self.results.is_sorted_by_key(|result| result.packet.id) {
            self.results.sort_unstable_by_key(|result| result.packet.id);
        }
        &self.results
    }

    /// What the last feedback told, again.
    #[must_use]
    pub fn results(&self) -> &[PacketResult] {
        &self.results
    }

    /// Data sent and not yet reported on.
    #[must_use]
    pub fn in_flight(&self) -> DataSize {
        self.in_flight
    }

    /// Counters since the beginning.
    #[must_use]
    pub fn stats(&self) -> HistoryStats {
        self.stats
    }

    /// Takes the fate of packet `id`, and keeps it as a result if it is new.
    fn settle(&mut self, id: u64, received: Option<Instant>, ecn: Ecn) {
        let slot = self.slot(id);
        let Some(record) = self.ring[slot].as_mut().filter(|record| record.packet.id == id) else {
            self.stats.unknown += 1;
            return;
        };
        let fate = if received.is_some() { Fate::Received } else { Fate::Lost };
        match (record.fate, fate) {
            (Fate::InFlight, _) => {
                self.stats.in_flight -= 1;
                self.in_flight = self.in_flight - record.packet.size;
            }
            (Fate::Lost, Fate::Received) => {
                self.stats.lost -= 1;
                self.stats.recovered += 1;
            }
            _ => {
                self.stats.repeated += 1;
                return;
            }
        }
        record.fate = fate;
        match fate {
            Fate::Received => self.stats.received += 1,
            _ => self.stats.lost += 1,
        }
        self.results.push(PacketResult { packet: record.packet, received, ecn });
    }

    /// The packet of sequence number `seq` among those remembered.
    #[expect(clippy::cast_possible_truncation, reason = "sequence numbers are the low 16 bits")]
    fn id_of(&self, seq: u16) -> Option<u64> {
        let newest = self.newest?;
        let behind = (newest as u16).wrapping_sub(seq);
        if usize::from(behind) >= self.ring.len() {
            return None;
        }
        newest.checked_sub(u64::from(behind))
    }

    #[expect(clippy::cast_possible_truncation, reason = "cut to the capacity")]
    fn slot(&self, id: u64) -> usize {
        id as usize & (self.ring.len() - 1)
    }
}

fn from_ticks(ticks: u64) -> Instant {
    Instant::from_nanos(ticks.saturating_mul(u64::from(TICK.subsec_nanos())))
}

/// `offset` before the report's time, which is in units of 1/65536 s.
fn from_offset(timestamp: u64, offset: ArrivalOffset) -> Instant {
    let units = match offset {
        ArrivalOffset::Units(units) => units,
        ArrivalOffset::OverRange => 8_190,
        ArrivalOffset::Unavailable => 0,
    };
    // 64 of them are 1/1024 s. The first report's time is unwrapped to 18 hours at least.
    let units = timestamp.saturating_sub(64 * u64::from(units));
    let (seconds, fraction) = (units >> 16, units & 0xffff);
    Instant::from_nanos(seconds.saturating_mul(1_000_000_000).saturating_add((fraction * 1_000_000_000) >> 16))
}
