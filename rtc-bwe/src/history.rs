//! What was sent and what became of it, in a ring of bounded length.

use rtc_core::bwe::{PacketResult, ProbeId, SentPacket};
use rtc_core::time::Instant;

/// A sent packet, as remembered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Record {
    pub(crate) sent: Instant,
    /// Bytes on the wire.
    pub(crate) size: u64,
    /// Bytes sent up to and with this packet that are not known to be lost.
    ///
    /// A packet without a result between two that have one counts as delivered: its feedback was lost, not the packet.
    pub(crate) delivered: u64,
    pub(crate) probe: Option<ProbeId>,
}

/// What a result says about a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Resolved {
    /// First result: received.
    Received(Record),
    /// First result: lost.
    Lost(Record),
    /// Received after all.
    Recovered(Record),
    /// Nothing new.
    Duplicate,
    /// Never sent, sent otherwise than claimed, or forgotten.
    Unknown,
}

/// What became of noting a sent packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Noted {
    Accepted {
        /// Bytes sent up to and with it.
        bytes: u64,
        /// A packet without a result had to be forgotten for it.
        expired: bool,
    },
    /// Its number was used before, or is older than what is remembered.
    Misnumbered,
}

#[derive(Debug)]
pub(crate) struct History {
    slots: Box<[Slot]>,
    sent_bytes: u64,
    lost_bytes: u64,
}

#[derive(Debug, Clone, Copy)]
struct Slot {
    packet: SentPacket,
    /// Bytes sent up to and with this packet.
    position: u64,
    fate: Fate,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Vacant,
    InFlight,
    Lost,
    Received,
}

impl History {
    /// Remembers at least `packets`.
    pub(crate) fn new(packets: usize) -> Self {
        let packet = SentPacket { id: 0, sent: Instant::ZERO, size: rtc_core::DataSize::ZERO, probe: None };
        let vacant = Slot { packet, position: 0, fate: Fate::Vacant };
        Self { slots: vec![vacant; packets.next_power_of_two()].into_boxed_slice(), sent_bytes: 0, lost_bytes: 0 }
    }

    pub(crate) fn note(&mut self, packet: SentPacket) -> Noted {
        let slot = Self::slot(&mut self.slots, packet.id);
        if slot.fate != Fate::Vacant && slot.packet.id >= packet.id {
            return Noted::Misnumbered;
        }
        let expired = slot.fate == Fate::InFlight;
        self.sent_bytes = self.sent_bytes.saturating_add(packet.size.as_bytes());
        *slot = Slot { packet, position: self.sent_bytes, fate: Fate::InFlight };
        Noted::Accepted { bytes: self.sent_bytes, expired }
    }

    pub(crate) fn resolve(&mut self, result: &PacketResult) -> Resolved {
        let slot = Self::slot(&mut self.slots, result.packet.id);
        if slot.fate == Fate::Vacant || slot.packet != result.packet {
            return Resolved::Unknown;
        }
        let size = slot.packet.size.as_bytes();
        let verdict: fn(Record) -> Resolved = match (slot.fate, result.received.is_some()) {
            (Fate::InFlight, true) => Resolved::Received,
            (Fate::InFlight, false) => {
                self.lost_bytes = self.lost_bytes.saturating_add(size);
                Resolved::Lost
            }
            (Fate::Lost, true) => {
                self.lost_bytes = self.lost_bytes.saturating_sub(size);
                Resolved::Recovered
            }
            _ => return Resolved::Duplicate,
        };
        slot.fate = if result.received.is_some() { Fate::Received } else { Fate::Lost };
        verdict(Record {
            sent: slot.packet.sent,
            size,
            delivered: slot.position.saturating_sub(self.lost_bytes),
            probe: slot.packet.probe,
        })
    }

    /// Bytes sent that are not known to be lost.
    pub(crate) const fn bytes(&self) -> u64 {
        self.sent_bytes.saturating_sub(self.lost_bytes)
    }

    fn slot(slots: &mut [Slot], id: u64) -> &mut Slot {
        // The length is a power of two.
        let index = id & (slots.len() as u64 - 1);
        &mut slots[usize::try_from(index).unwrap_or(0)]
    }
}

#[cfg(test)]
mod tests {
    use rtc_core::DataSize;
    use rtc_core::bwe::Ecn;

    use super::*;

    fn packet(id: u64) -> SentPacket {
        SentPacket { id, sent: Instant::from_millis(id), size: DataSize::from_bytes(100), probe: None }
    }

    fn result(id: u64, received: bool) -> PacketResult {
        let received = received.then(|| Instant::from_millis(id + 50));
        PacketResult { packet: packet(id), received, ecn: Ecn::NotEct }
    }

    #[test]
    fn each_result_counts_once() {
        let mut history = History::new(16);
        for id in 0..3 {
            assert_eq!(history.note(packet(id)), Noted::Accepted { bytes: 100 * (id + 1), expired: false });
        }
        assert!(matches!(history.resolve(&result(0, true)), Resolved::Received(record) if record.delivered == 100));
        assert!(matches!(history.resolve(&result(1, false)), Resolved::Lost(_)));
        assert!(matches!(history.resolve(&result(2, true)), Resolved::Received(record) if record.delivered == 200));
        assert!(matches!(history.resolve(&result(1, true)), Resolved::Recovered(_)));
        for (id, received) in [(0, true), (0, false), (1, true), (1, false)] {
            assert_eq!(history.resolve(&result(id, received)), Resolved::Duplicate);
        }
    }

    #[test]
    fn an_unreported_packet_between_reported_ones_counts_as_delivered() {
        let mut history = History::new(16);
        for id in 0..4 {
            history.note(packet(id));
        }
        history.resolve(&result(0, true));
        assert!(matches!(history.resolve(&result(3, true)), Resolved::Received(record) if record.delivered == 400));
    }

    #[test]
    fn strangers_are_unknown() {
        let mut history = History::new(16);
        history.note(packet(7));
        assert_eq!(history.resolve(&result(8, true)), Resolved::Unknown);
        assert_eq!(history.resolve(&result(7 + 16, true)), Resolved::Unknown);
        let mut forged = result(7, true);
        forged.packet.sent = Instant::from_millis(1);
        assert_eq!(history.resolve(&forged), Resolved::Unknown);
    }

    #[test]
    fn the_oldest_are_forgotten_and_numbers_are_not_reused() {
        let mut history = History::new(16);
        history.note(packet(5));
        assert_eq!(history.note(packet(5)), Noted::Misnumbered);
        assert_eq!(history.note(packet(5 + 16)), Noted::Accepted { bytes: 200, expired: true });
        assert_eq!(history.resolve(&result(5, true)), Resolved::Unknown);
        assert_eq!(history.note(packet(5)), Noted::Misnumbered);
    }
}
