//! The account of sent packets that window-based and rate-based estimators share: what is in flight, what became of the rest.

use core::time::Duration;

use rtc_core::bwe::{Ecn, PacketResult, SentPacket};
use rtc_core::time::Instant;

use crate::history::{History, Noted, Record, Resolved};

/// Counters of packets and results since construction.
///
/// `packets_sent = packets_received + packets_lost + packets_expired + in flight` and
/// `results = packets_received + packets_lost + recovered + duplicates + unknown`: one that is received after all had a result
/// before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct PacketStats {
    /// Packets noted as sent.
    pub packets_sent: u64,
    /// Packets whose number was used before or is older than what is remembered; ignored.
    pub packets_misnumbered: u64,
    /// Packets forgotten before their result came.
    pub packets_expired: u64,
    /// Packets reported as received.
    pub packets_received: u64,
    /// Packets reported as lost, and not as received since.
    pub packets_lost: u64,
    /// Packets reported as received after they were reported as lost.
    pub recovered: u64,
    /// Feedback messages.
    pub feedbacks: u64,
    /// Results in them.
    pub results: u64,
    /// Results that said nothing new.
    pub duplicates: u64,
    /// Results for packets never sent, sent otherwise, or forgotten.
    pub unknown: u64,
    /// Received packets with a congestion mark.
    pub congestion_marks: u64,
    /// Times feedback stayed out while packets were in flight.
    pub feedback_timeouts: u64,
    /// Times a delay changed so much that a clock must have jumped.
    pub clock_jumps: u64,
}

/// What a result brought.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Fate {
    /// Received, on the receiver's clock; `again` if it was counted as lost before.
    Received { at: Instant, marked: bool, again: bool },
    /// Lost.
    Lost,
}

/// Remembers what was sent, counts what became of it, and knows when feedback is overdue.
#[derive(Debug)]
pub(crate) struct Ledger {
    history: History,
    pub(crate) stats: PacketStats,
    /// Bytes sent in all.
    sent: u64,
    /// Bytes sent up to and with the newest packet that has a result.
    settled: u64,
    lost: u64,
    /// Packets sent before took another route.
    since: Instant,
    timeout: Duration,
    silent_at: Option<Instant>,
}

impl Ledger {
    /// Remembers at least `packets`; feedback is overdue after `timeout`.
    pub(crate) fn new(packets: usize, timeout: Duration) -> Self {
        Self {
            history: History::new(packets),
            stats: PacketStats::default(),
            sent: 0,
            settled: 0,
            lost: 0,
            since: Instant::ZERO,
            timeout,
            silent_at: None,
        }
    }

    pub(crate) fn on_sent(&mut self, packet: SentPacket) {
        let Noted::Accepted { bytes, expired } = self.history.note(packet) else {
            self.stats.packets_misnumbered += 1;
            return;
        };
        self.sent = bytes;
        self.stats.packets_sent += 1;
        self.stats.packets_expired += u64::from(expired);
        self.silent_at.get_or_insert(packet.sent + self.timeout);
    }

    pub(crate) const fn on_feedback(&mut self) {
        self.stats.feedbacks += 1;
        self.silent_at = None;
    }

    /// Packets sent before `now` are counted, but say nothing any more.
    pub(crate) const fn change_route(&mut self, now: Instant) {
        self.since = now;
    }

    /// Settles a packet; `None` if the result says nothing new of the route.
    pub(crate) fn on_result(&mut self, result: &PacketResult) -> Option<(Record, Fate)> {
        self.stats.results += 1;
        let (record, again) = match self.history.resolve(result) {
            Resolved::Duplicate => {
                self.stats.duplicates += 1;
                return None;
            }
            Resolved::Unknown => {
                self.stats.unknown += 1;
                return None;
            }
            Resolved::Lost(record) => {
                self.stats.packets_lost += 1;
                self.lost = self.lost.saturating_add(record.size);
                self.settle(&record);
                return self.is_of_route(&record).then_some((record, Fate::Lost));
            }
            Resolved::Received(record) => (record, false),
            Resolved::Recovered(record) => (record, true),
        };
        self.stats.packets_received += 1;
        if again {
            self.stats.packets_lost -= 1;
            self.stats.recovered += 1;
            self.lost = self.lost.saturating_sub(record.size);
        }
        self.settle(&record);
        let marked = result.ecn == Ecn::Ce;
        self.stats.congestion_marks += u64::from(marked);
        let at = result.received.filter(|_| self.is_of_route(&record))?;
        Some((record, Fate::Received { at, marked, again }))
    }

    fn is_of_route(&self, record: &Record) -> bool {
        record.sent >= self.since
    }

    fn settle(&mut self, record: &Record) {
        self.settled = self.settled.max(record.delivered.saturating_add(self.lost));
    }

    /// Bytes sent after the newest packet that has a result: one lost in between is not in flight.
    pub(crate) const fn in_flight(&self) -> u64 {
        self.sent.saturating_sub(self.settled)
    }

    pub(crate) const fn poll_timeout(&self) -> Option<Instant> {
        self.silent_at
    }

    /// Whether feedback is overdue; asks again after half of the timeout.
    pub(crate) fn is_overdue(&mut self, now: Instant) -> bool {
        if self.silent_at.is_none_or(|at| now < at) {
            return false;
        }
        self.silent_at = Some(now + self.timeout / 2);
        self.stats.feedback_timeouts += 1;
        true
    }
}

#[cfg(test)]
mod tests {
    use rtc_core::DataSize;

    use super::*;

    fn packet(id: u64) -> SentPacket {
        SentPacket { id, sent: Instant::from_millis(10 * id), size: DataSize::from_bytes(100), probe: None }
    }

    fn result(id: u64, received: bool) -> PacketResult {
        let received = received.then(|| Instant::from_millis(10 * id + 50));
        PacketResult { packet: packet(id), received, ecn: Ecn::Ce }
    }

    fn ledger(packets: u64) -> Ledger {
        let mut ledger = Ledger::new(64, Duration::from_secs(1));
        (0..packets).for_each(|id| ledger.on_sent(packet(id)));
        ledger
    }

    #[test]
    fn a_lost_packet_before_a_received_one_is_not_in_flight() {
        let mut ledger = ledger(5);
        assert_eq!(ledger.in_flight(), 500);
        ledger.on_result(&result(0, true));
        ledger.on_result(&result(1, false));
        assert_eq!(ledger.in_flight(), 300);
        ledger.on_result(&result(3, true));
        assert_eq!(ledger.in_flight(), 100);
        ledger.on_result(&result(1, true));
        ledger.on_result(&result(2, true));
        assert_eq!(ledger.in_flight(), 100, "order of results does not matter");
    }

    #[test]
    fn counters_add_up() {
        let mut ledger = ledger(3);
        for (id, received) in [(0, true), (1, false), (1, true), (1, true), (2, false), (9, true)] {
            ledger.on_result(&result(id, received));
        }
        let stats = ledger.stats;
        assert_eq!((stats.packets_received, stats.packets_lost, stats.recovered), (2, 1, 1));
        assert_eq!((stats.duplicates, stats.unknown, stats.congestion_marks), (1, 1, 2));
        let explained =
            stats.packets_received + stats.packets_lost + stats.recovered + stats.duplicates + stats.unknown;
        assert_eq!(stats.results, explained);
    }

    #[test]
    fn packets_of_another_route_are_counted_only() {
        let mut ledger = ledger(3);
        ledger.change_route(Instant::from_millis(20));
        assert!(ledger.on_result(&result(0, true)).is_none() && ledger.on_result(&result(1, false)).is_none());
        assert!(ledger.on_result(&result(2, true)).is_some());
        assert_eq!((ledger.stats.packets_received, ledger.stats.packets_lost), (2, 1));
    }

    #[test]
    fn feedback_is_overdue_only_while_something_is_in_flight() {
        let mut ledger = ledger(1);
        assert!(!ledger.is_overdue(Instant::from_millis(999)));
        assert!(ledger.is_overdue(Instant::from_millis(1_000)));
        assert_eq!(ledger.poll_timeout(), Some(Instant::from_millis(1_500)));
        ledger.on_feedback();
        assert_eq!(ledger.poll_timeout(), None);
    }
}
