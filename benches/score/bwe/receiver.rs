//! A receiver that reports each packet, as transport-wide feedback does.

use core::time::Duration;
use std::collections::BTreeMap;

use rtc_core::bwe::Ecn;
use rtc_core::time::Instant;

pub(super) const INTERVAL: Duration = Duration::from_millis(50);
/// The resolution of arrival times in transport-wide feedback.
const TICK: u64 = 250_000;

pub(super) type Arrival = (Instant, Ecn);

/// What is known of packets since the last report.
#[derive(Debug, Clone)]
pub(super) struct Feedback {
    /// By id, in order: when and with what mark it arrived, `None` if it did not and one after it did.
    pub(super) packets: Vec<(u64, Option<Arrival>)>,
    /// How long the newest packet has waited to be reported.
    pub(super) hold: Duration,
}

impl Feedback {
    /// Bytes on the wire: headers, and two to three per packet.
    pub(super) fn bytes(&self) -> u64 {
        28 + 20 + 3 * self.packets.len() as u64
    }
}

/// The receiving end of a flow.
#[derive(Debug, Default)]
pub(super) struct Receiver {
    arrived: BTreeMap<u64, Arrival>,
    /// The first id not reported yet.
    next: u64,
    newest: Instant,
}

impl Receiver {
    pub(super) fn on_packet(&mut self, now: Instant, id: u64, ecn: Ecn) {
        self.newest = now;
        self.arrived.insert(id, (Instant::from_nanos(now.as_nanos() / TICK * TICK), ecn));
    }

    /// What arrived since the last report; `None` if nothing did.
    pub(super) fn report(&mut self, now: Instant) -> Option<Feedback> {
        let highest = *self.arrived.last_key_value()?.0;
        let mut packets: Vec<(u64, Option<Arrival>)> = Vec::with_capacity(self.arrived.len());
        packets.extend(self.arrived.range(..self.next).map(|(id, at)| (*id, Some(*at))));
        packets.extend((self.next..=highest).map(|id| (id, self.arrived.get(&id).copied())));
        self.arrived.clear();
        self.next = self.next.max(highest + 1);
        Some(Feedback { packets, hold: now - self.newest })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_packet_is_reported_once_or_again_when_it_came_after_all() {
        let mut receiver = Receiver::default();
        let at = Instant::from_micros;
        let not = Ecn::NotEct;
        receiver.on_packet(at(1_000), 0, not);
        receiver.on_packet(at(1_400), 3, Ecn::Ce);
        let first = receiver.report(at(2_400)).unwrap();
        let [zero, three] = [Some((at(1_000), not)), Some((at(1_250), Ecn::Ce))];
        assert_eq!(first.packets, [(0, zero), (1, None), (2, None), (3, three)]);
        assert_eq!(first.hold, Duration::from_millis(1));
        assert!(receiver.report(at(3_000)).is_none());
        receiver.on_packet(at(3_000), 2, not);
        receiver.on_packet(at(3_250), 4, not);
        let second = [(2, Some((at(3_000), not))), (4, Some((at(3_250), not)))];
        assert_eq!(receiver.report(at(4_000)).unwrap().packets, second);
    }
}
