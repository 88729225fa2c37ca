use std::collections::VecDeque;

use bytes::Bytes;
use rtc_core::time::Instant;
use rtc_core::{RtpPacket, RtpTime, SeqNum};

use super::EgressConfig;

/// What a track sent, by its number, for as long as the settings say. Shares the payload with what came in.
#[derive(Debug, Default)]
pub(super) struct History {
    /// In the order of numbers.
    sent: VecDeque<Sent>,
    bytes: u64,
}

/// A packet as it was sent: what came, and the numbers it got. There are as many of these as all subscribers were sent in a
/// second, and most are never looked at again: each is one line of the cache.
#[derive(Debug)]
pub(super) struct Sent {
    bytes: Bytes,
    sent_at: Instant,
    /// When it was last sent, the first time included.
    pub(super) last: Instant,
    pub(super) timestamp: RtpTime,
    seq: SeqNum,
}

impl Sent {
    /// What came.
    pub(super) fn packet(&self) -> Option<RtpPacket> {
        // It was a packet when it came, and nobody can have changed it.
        RtpPacket::parse(self.bytes.clone()).ok()
    }
}

impl History {
    #[inline]
    pub(super) fn insert(
        &mut self,
        now: Instant,
        seq: SeqNum,
        timestamp: RtpTime,
        packet: RtpPacket,
        config: &EgressConfig,
    ) {
        let bytes = packet.into_bytes();
        self.bytes += bytes.len() as u64;
        let sent = Sent { bytes, sent_at: now, last: now, timestamp, seq };
        if self.sent.back().is_none_or(|last| last.seq.distance_from(seq) <= 0) {
            self.sent.push_back(sent);
        } else {
            let behind = self.sent.iter().rev().take_while(|sent| sent.seq.distance_from(seq) > 0).count();
            self.sent.insert(self.sent.len() - behind, sent);
        }
        self.forget(now, config);
    }

    /// The packet of this number, if it is still known.
    pub(super) fn find(&mut self, now: Instant, seq: SeqNum, config: &EgressConfig) -> Option<&mut Sent> {
        self.forget(now, config);
        let newest = self.sent.back()?.seq;
        let age = newest.distance_from(seq);
        let place = self.sent.partition_point(|sent| newest.distance_from(sent.seq) > age);
        self.sent.get_mut(place).filter(|sent| sent.seq == seq)
    }

    #[inline]
    fn forget(&mut self, now: Instant, config: &EgressConfig) {
        while let Some(oldest) = self.sent.front() {
            // Half of all numbers is as far as their order goes.
            let is_far = self.sent.len() > 1 << 14;
            if now - oldest.sent_at <= config.history_age && self.bytes <= config.history.as_bytes() && !is_far {
                break;
            }
            self.bytes -= oldest.bytes.len() as u64;
            self.sent.pop_front();
        }
    }

    /// Packets and bytes that are kept.
    #[cfg(test)]
    pub(super) fn kept(&self) -> (usize, u64) {
        (self.sent.len(), self.bytes)
    }
}
