use core::time::Duration;
use std::collections::VecDeque;

use rtc_core::bwe::PacketResult;
use rtc_core::time::Instant;

/// For so long a packet that was said to be lost may come and be taken for overtaken.
const MEMORY: Duration = Duration::from_millis(250);
/// So many of them at most: what is beyond is lost at once, the oldest first. More than 250 ms hold at 20 Mb/s.
const MOST_DOUBTS: usize = 1_024;

/// Tells what is lost from what is merely overtaken by others.
///
/// Feedback calls lost whatever has not come when something newer has. Where packets overtake each other most of that comes after all,
/// and repair of it would be in vain. So word of a loss is held back for as long as packets were overtaken by lately, which is no time at
/// all where the order is kept (the reordering window of RFC 8985 §6.2 is the same thought). All times are the receiver's, so that
/// it does not matter how long feedback takes.
#[derive(Debug, Default)]
pub(super) struct Overtaken {
    window: Duration,
    /// The newest arrival.
    newest: Instant,
    doubts: VecDeque<Doubt>,
    settled: Vec<PacketResult>,
}

/// A packet that was said to be lost.
#[derive(Debug)]
struct Doubt {
    result: PacketResult,
    /// The newest arrival when it was said.
    since: Instant,
    /// Whether it was passed on.
    told: bool,
}

impl Overtaken {
    /// What is settled by what feedback says, in the order of packets.
    pub(super) fn settle(&mut self, results: &[PacketResult]) -> &[PacketResult] {
        self.settled.clear();
        self.newest = results.iter().filter_map(|result| result.received).fold(self.newest, Instant::max);
        for result in results {
            match result.received {
                None => self.doubt(*result),
                Some(received) => {
                    self.arrived(result.packet.id, received);
                    self.settled.push(*result);
                }
            }
        }
        for doubt in self.doubts.iter_mut().filter(|doubt| !doubt.told) {
            if self.newest - doubt.since >= self.window {
                doubt.told = true;
                self.settled.push(doubt.result);
            }
        }
        while self.doubts.front().is_some_and(|doubt| doubt.told && self.newest - doubt.since > MEMORY) {
            self.doubts.pop_front();
            // The order may be kept by now.
            self.window -= self.window / 32;
        }
        self.settled.sort_by_key(|result| result.packet.id);
        &self.settled
    }

    fn doubt(&mut self, result: PacketResult) {
        if self.doubts.len() == MOST_DOUBTS {
            let oldest = self.doubts.pop_front().filter(|oldest| !oldest.told);
            self.settled.extend(oldest.map(|oldest| oldest.result));
        }
        self.doubts.push_back(Doubt { result, since: self.newest, told: false });
    }

    /// This packet is here: if it was said to be lost, others may be as late.
    fn arrived(&mut self, id: u64, received: Instant) {
        let Some(at) = self.doubts.iter().position(|doubt| doubt.result.packet.id == id) else { return };
        if let Some(doubt) = self.doubts.remove(at) {
            let late = received.saturating_since(doubt.since);
            self.window = self.window.max(late + late / 4).min(MEMORY);
        }
    }
}

#[cfg(test)]
mod tests {
    use rtc_core::DataSize;
    use rtc_core::bwe::{Ecn, SentPacket};

    use super::*;

    fn result(id: u64, received_ms: Option<u64>) -> PacketResult {
        let packet = SentPacket { id, sent: Instant::ZERO, size: DataSize::from_bytes(100), probe: None };
        PacketResult { packet, received: received_ms.map(Instant::from_millis), ecn: Ecn::NotEct }
    }

    fn lost(settled: &[PacketResult]) -> Vec<u64> {
        settled.iter().filter(|result| result.received.is_none()).map(|result| result.packet.id).collect()
    }

    /// Nothing arrives any more, so that no time passes for the receiver.
    #[test]
    fn what_is_too_much_to_remember_is_lost_and_never_forgotten() {
        let mut overtaken = Overtaken::default();
        overtaken.settle(&[result(0, Some(10)), result(1, None), result(2, Some(11))]);
        overtaken.settle(&[result(1, Some(60))]);
        let mut told = Vec::new();
        for id in 3..5_000 {
            told.extend(lost(overtaken.settle(&[result(id, None)])));
        }
        assert_eq!(overtaken.doubts.len(), MOST_DOUBTS);
        told.extend(lost(overtaken.settle(&[result(5_000, Some(900))])));
        assert_eq!(told, (3..5_000).collect::<Vec<_>>());
    }

    #[test]
    fn where_the_order_is_kept_a_loss_is_told_at_once() {
        let mut overtaken = Overtaken::default();
        assert_eq!(lost(overtaken.settle(&[result(1, Some(10)), result(2, None), result(3, Some(30))])), [2]);
        assert_eq!(lost(overtaken.settle(&[result(4, Some(1_000))])), []);
    }

    #[test]
    fn what_was_overtaken_makes_the_next_loss_wait() {
        let mut overtaken = Overtaken::default();
        overtaken.settle(&[result(1, None), result(2, Some(100))]);
        // It comes 40 ms after what it was missed at.
        overtaken.settle(&[result(1, Some(140))]);
        assert_eq!(lost(overtaken.settle(&[result(3, None), result(4, Some(150))])), []);
        assert_eq!(lost(overtaken.settle(&[result(5, Some(199))])), []);
        assert_eq!(lost(overtaken.settle(&[result(6, Some(200))])), [3]);
        // And what comes is not lost.
        assert_eq!(lost(overtaken.settle(&[result(7, None), result(8, Some(210))])), []);
        assert_eq!(lost(overtaken.settle(&[result(7, Some(230)), result(9, Some(400))])), []);
    }

    #[test]
    fn once_the_order_is_kept_again_losses_are_told_sooner() {
        let mut overtaken = Overtaken::default();
        overtaken.settle(&[result(0, None), result(1, Some(100))]);
        overtaken.settle(&[result(0, Some(180))]);
        for id in 1..200 {
            overtaken.settle(&[result(2 * id, None), result(2 * id + 1, Some(200 + 20 * id))]);
        }
        assert!(overtaken.window < Duration::from_millis(5) && overtaken.doubts.len() < 30, "{overtaken:?}");
    }
}
