use rtc_core::bwe::{Ecn, PacketResult, SentPacket};
use rtc_core::time::Instant;
use rtc_core::{ConfigError, DataSize, RtpTime, TimeUnwrapper};

use crate::rtcp::{TICK, TransportFeedback};

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
}

/// Remembers packets that were sent, and matches feedback with them.
#[derive(Debug)]
pub struct SendHistory {
    /// Packet `id` at `id % capacity`.
    ring: Box<[Option<Record>]>,
    newest: Option<u64>,
    in_flight: DataSize,
    /// The receiver's reference time, which wraps after 2³² ticks.
    clock: TimeUnwrapper,
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

    /// What feedback tells that was not known: packets in order of identifiers, each as lost once, and as received once.
    ///
    /// Feedback may be lost, repeated and out of order. A packet no feedback speaks of is not taken for lost.
    pub fn on_feedback(&mut self, feedback: &TransportFeedback) -> &[PacketResult] {
        self.results.clear();
        // Reference times are 24 bits of 256 ticks each, so that in ticks they wrap as RTP timestamps do.
        let reference = self.clock.unwrap(RtpTime(feedback.reference_time() << 8));
        for status in feedback.statuses() {
            let Some(id) = self.id_of(status.seq.0) else {
                self.stats.unknown += 1;
                continue;
            };
            let slot = self.slot(id);
            let Some(record) = self.ring[slot].as_mut().filter(|record| record.packet.id == id) else {
                self.stats.unknown += 1;
                continue;
            };
            let fate = if status.arrival.is_some() { Fate::Received } else { Fate::Lost };
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
                    continue;
                }
            }
            record.fate = fate;
            match fate {
                Fate::Received => self.stats.received += 1,
                _ => self.stats.lost += 1,
            }
            let received = status.arrival.map(|ticks| from_ticks(reference.saturating_add_signed(i64::from(ticks))));
            self.results.push(PacketResult { packet: record.packet, received, ecn: Ecn::NotEct });
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
