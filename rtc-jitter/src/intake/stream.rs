use rtc_core::time::Instant;
use rtc_core::{Frequency, RtpPacket, RtpTime, SeqNum, SeqUnwrapper, Ssrc, TimeUnwrapper};

use super::media_time;
use crate::arrival::Nanos;

/// Most packets one can be ahead of the newest (RFC 3550 §A.1, `MAX_DROPOUT`).
const MAX_DROPOUT: u64 = 3_000;
/// Packets that one may be behind the newest even in a small buffer (RFC 3550 §A.1, `MAX_MISORDER`).
const MAX_MISORDER: u64 = 100;
/// Most a packet can be early or late and still be of this timeline. Whatever stalls longer is better begun anew.
const MAX_STEP: Nanos = 10_000_000_000;

/// Numbers of the stream being played, unwrapped.
#[derive(Debug)]
pub(crate) struct Stream {
    ssrc: Ssrc,
    first: RtpTime,
    origin: u64,
    newest: u64,
    seqs: SeqUnwrapper,
    times: TimeUnwrapper,
}

impl Stream {
    pub(crate) fn starting_with(packet: &RtpPacket) -> Self {
        let (mut seqs, mut times) = (SeqUnwrapper::default(), TimeUnwrapper::default());
        let (newest, origin) = (seqs.unwrap(packet.seq()), times.unwrap(packet.timestamp()));
        Self { ssrc: packet.ssrc(), first: packet.timestamp(), origin, newest, seqs, times }
    }

    /// The packet's sequence number, unwrapped, and its media ticks since the first packet.
    pub(crate) fn unwrap(&mut self, packet: &RtpPacket) -> (u64, i64) {
        let seq = self.seqs.unwrap(packet.seq());
        self.newest = self.newest.max(seq);
        let ticks = self.ticks(packet.timestamp());
        self.times.unwrap(packet.timestamp());
        (seq, ticks)
    }

    /// Whether the packet's numbers are near the newest of this stream.
    pub(crate) fn continues_with(&self, packet: &RtpPacket, reach: u64) -> bool {
        let seq = self.seqs.peek(packet.seq());
        packet.ssrc() == self.ssrc && seq <= self.newest + MAX_DROPOUT && seq + MAX_MISORDER.max(reach) >= self.newest
    }

    /// Media ticks since the first packet.
    pub(crate) fn ticks(&self, time: RtpTime) -> i64 {
        self.times.peek(time).wrapping_sub(self.origin).cast_signed()
    }

    /// The timestamp so many ticks after the first packet's.
    pub(crate) fn timestamp(&self, ticks: i64) -> RtpTime {
        let [.., a, b, c, d] = ticks.to_be_bytes();
        self.first + u32::from_be_bytes([a, b, c, d])
    }
}

/// Whether a packet with this delay can be of the same timeline.
pub(crate) fn is_plausible(delay: Nanos) -> bool {
    (1 - MAX_STEP..MAX_STEP).contains(&delay)
}

/// Packets in a row that do not belong to the stream but to each other.
#[derive(Debug)]
pub(crate) struct Candidate {
    ssrc: Ssrc,
    seq: SeqNum,
    timestamp: RtpTime,
    arrival: Instant,
    packets: u32,
}

impl Candidate {
    /// With one more packet: counts on if the packet follows the ones before, else from one.
    pub(crate) fn after(earlier: Option<Self>, now: Instant, packet: &RtpPacket, clock: Frequency) -> Self {
        let before = earlier.filter(|before| before.leads_to(now, packet, clock)).map_or(0, |before| before.packets);
        Self {
            ssrc: packet.ssrc(),
            seq: packet.seq(),
            timestamp: packet.timestamp(),
            arrival: now,
            packets: before.saturating_add(1),
        }
    }

    pub(crate) fn packets(&self) -> u32 {
        self.packets
    }

    fn leads_to(&self, now: Instant, packet: &RtpPacket, clock: Frequency) -> bool {
        let seqs = u64::try_from(packet.seq().distance_from(self.seq)).unwrap_or(0);
        let media = media_time(i64::from(packet.timestamp().distance_from(self.timestamp)), clock);
        packet.ssrc() == self.ssrc
            && (1..=MAX_MISORDER).contains(&seqs)
            && is_plausible(now.nanos_since(self.arrival).saturating_sub(media))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_at_the_ends_of_the_range_are_not_plausible() {
        assert!([Nanos::MIN, -MAX_STEP, MAX_STEP, Nanos::MAX].into_iter().all(|delay| !is_plausible(delay)));
        assert!([1 - MAX_STEP, 0, MAX_STEP - 1].into_iter().all(is_plausible));
    }
}
