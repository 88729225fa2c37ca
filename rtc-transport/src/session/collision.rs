//! Somebody else with one of our SSRCs (RFC 3550 §8.2).

use rtc_core::time::Instant;
use rtc_core::{RtpPacket, Ssrc};

use super::event::Event;
use super::{Local, Session};

/// Most of our former SSRCs that are remembered.
const MAX_FORMER: usize = 31;

/// What is known of collisions.
#[derive(Debug, Default)]
pub(super) struct Collisions {
    /// Our former SSRCs, and what became of them, the oldest first.
    former: Vec<(Ssrc, Ssrc)>,
    /// Until when the remote address counts as one that sends what bears our SSRCs.
    conflict_until: Option<Instant>,
}

impl Collisions {
    /// What `ssrc` is called now.
    fn current(&self, mut ssrc: Ssrc) -> Ssrc {
        for (old, new) in &self.former {
            if *old == ssrc {
                ssrc = *new;
            }
        }
        ssrc
    }

    fn rename(&mut self, old: Ssrc, new: Ssrc) {
        if self.former.len() == MAX_FORMER {
            self.former.remove(0);
        }
        self.former.push((old, new));
    }
}

impl Session {
    /// Something arrived that bears one of our own SSRCs.
    ///
    /// The first time from an address it is taken for a collision: we say goodbye, and the stream goes on under another SSRC.
    /// After that it is our own packets that come back, a loop, until none came for ten report intervals.
    pub(super) fn on_own_source(&mut self, now: Instant, ssrc: Ssrc) {
        if !self.config.resolve_collisions || self.left {
            return;
        }
        let until = now + 2 * self.scheduler.timeout(self.membership());
        let is_loop = self.collisions.conflict_until.replace(until).is_some_and(|until| now < until);
        if is_loop {
            self.stats.loops += 1;
            return;
        }
        let Some(index) = self.senders.iter().position(|local| local.stream.ssrc() == ssrc) else { return };
        let new = self.unused_ssrc();
        self.senders[index] = Local { stream: self.senders[index].stream.renamed(new), last_fir: None };
        self.collisions.rename(ssrc, new);
        self.requests.goodbye(ssrc);
        self.stats.ssrc_changes += 1;
        self.push_event(Event::SsrcChanged { old: ssrc, new });
        self.request_feedback(now);
    }

    /// What one of our streams is called now, whatever it was called when the caller made something for it.
    pub(super) fn current(&self, ssrc: Ssrc) -> Ssrc {
        self.collisions.current(ssrc)
    }

    /// The packet under the name its stream has now.
    pub(super) fn renamed(&self, mut packet: RtpPacket) -> RtpPacket {
        let now = self.current(packet.ssrc());
        if now != packet.ssrc() {
            packet.rewrite(|header| header.set_ssrc(now));
        }
        packet
    }

    fn unused_ssrc(&mut self) -> Ssrc {
        loop {
            let ssrc = Ssrc(self.rng.next_u32());
            let is_used = self.is_ours(ssrc) || self.sources.find(ssrc).is_some() || self.current(ssrc) != ssrc;
            if !is_used && ssrc != Ssrc(0) {
                return ssrc;
            }
        }
    }
}
