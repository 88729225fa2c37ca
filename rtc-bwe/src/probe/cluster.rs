//! What became of a probe: whether the path carried it, and if not, what it carried instead.

use core::time::Duration;

use rtc_core::bwe::{ProbeId, SentPacket};
use rtc_core::time::Instant;

use super::{Finding, Kind};

/// Share of a probe's packets and bytes that must have arrived for it to say anything.
const MIN_DELIVERED: f64 = 0.8;
/// A probe delivered faster than this multiple of how it was sent was held back and let go: it says nothing.
const MAX_COMPRESSION: f64 = 2.0;
/// A probe that took longer to arrive than to leave by this factor met the capacity of the link...
const SATURATED: f64 = 0.9;
/// ... where little is known of it, and by this where the capacity is, and others may share it ...
const STRICT: f64 = 0.95;
/// ... of which this much is used, to leave room for the queue it made.
const SATURATED_USE: f64 = 0.95;

/// A probe under way.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cluster {
    pub(super) id: ProbeId,
    pub(super) kind: Kind,
    pub(super) rate: f64,
    pub(super) asked: Instant,
    sent: Span,
    received: Span,
}

/// The packets of a probe at one end: when the first and the last were there, and how many bytes they are in between.
#[derive(Debug, Clone, Copy, Default)]
struct Span {
    packets: u32,
    /// Bytes of the probe itself.
    bytes: u64,
    first: Option<Mark>,
    last: Option<Mark>,
}

#[derive(Debug, Clone, Copy)]
struct Mark {
    at: Instant,
    /// Bytes up to here, of the probe or not.
    bytes: u64,
}

impl Cluster {
    pub(super) fn new(id: ProbeId, kind: Kind, rate: f64, asked: Instant) -> Self {
        Self { id, kind, rate, asked, sent: Span::default(), received: Span::default() }
    }

    /// Takes a packet that left, with the bytes sent up to and with it.
    pub(super) fn on_sent(&mut self, packet: &SentPacket, bytes: u64) {
        // What was sent by the time the last packet leaves does not include it.
        let size = packet.size.as_bytes();
        self.sent.add(packet.sent, size, bytes.saturating_sub(size));
    }

    /// Takes a packet that arrived, with the bytes delivered up to and with it.
    pub(super) fn on_received(&mut self, received: Instant, size: u64, bytes: u64) {
        self.received.add(received, size, bytes);
    }

    /// Whether at least this many packets left and enough of them arrived.
    pub(super) fn is_complete(&self, packets: u32) -> bool {
        let expected = f64::from(self.sent.packets.max(packets));
        f64::from(self.received.packets) >= MIN_DELIVERED * expected
            && self.received.bytes as f64 >= MIN_DELIVERED * self.sent.bytes as f64
    }

    /// What it says, if it says anything.
    pub(super) fn finding(&self) -> Option<Finding> {
        let sent = self.sent.rate()?;
        let received = self.received.rate()?;
        let stretch = self.received.seconds()? / self.sent.seconds()?;
        if stretch * MAX_COMPRESSION < 1.0 {
            return None;
        }
        // Times are compared, not rates: packets of unlike size have unlike rates at the two ends of the same spacing.
        let limit = if matches!(self.kind, Kind::Growth | Kind::Micro) { STRICT } else { SATURATED };
        let saturated = stretch * limit > 1.0;
        let rate = if saturated { SATURATED_USE * received.min(sent) } else { sent.min(self.rate) };
        Some(Finding { kind: self.kind, rate, probed: self.rate, saturated })
    }
}

impl Span {
    fn add(&mut self, at: Instant, size: u64, bytes: u64) {
        let mark = Mark { at, bytes };
        self.packets = self.packets.saturating_add(1);
        self.bytes = self.bytes.saturating_add(size);
        self.first.get_or_insert(mark);
        if self.last.is_none_or(|last| at >= last.at) {
            self.last = Some(mark);
        }
    }

    fn seconds(&self) -> Option<f64> {
        let (first, last) = (self.first?, self.last?);
        let time = last.at - first.at;
        (time > Duration::ZERO).then_some(time.as_secs_f64())
    }

    fn rate(&self) -> Option<f64> {
        let bytes = self.last?.bytes.saturating_sub(self.first?.bytes);
        let seconds = self.seconds()?;
        (bytes > 0).then(|| 8.0 * bytes as f64 / seconds)
    }
}
