use core::fmt;

use alloc::collections::BTreeSet;

use crate::svc::{Forward, LayerSelector};
use crate::time::Instant;
use crate::{Bitrate, RtpPacket, SeqNum, SeqUnwrapper, Ssrc};

/// Dropped packets remembered; one older than all of them is dropped as well.
const MEMORY: usize = 1024;

/// Forwards the packets a rule keeps, whatever the rate, and closes the gaps the others leave.
///
/// A packet that never came leaves a gap, so that the receiver can ask for it. A packet to be dropped that comes after newer
/// ones leaves one too: its number was spent already.
pub struct Filter {
    keep: Box<dyn FnMut(&RtpPacket) -> bool + Send>,
    ssrc: Option<Ssrc>,
    wants_keyframe: bool,
    unwrapper: SeqUnwrapper,
    newest: u64,
    dropped: BTreeSet<u64>,
    forgotten: u64,
}

impl Filter {
    /// Forwards packets of the first stream it meets for which `keep` holds.
    pub fn new(keep: impl FnMut(&RtpPacket) -> bool + Send + 'static) -> Self {
        Self {
            keep: Box::new(keep),
            ssrc: None,
            wants_keyframe: false,
            unwrapper: SeqUnwrapper::default(),
            newest: 0,
            dropped: BTreeSet::new(),
            forgotten: 0,
        }
    }

    /// Forwards everything.
    #[must_use]
    pub fn all() -> Self {
        Self::new(|_| true)
    }

    /// Forwards nothing.
    #[must_use]
    pub fn none() -> Self {
        Self::new(|_| false)
    }

    fn drop_packet(&mut self, seq: u64) {
        if seq <= self.newest {
            return;
        }
        self.dropped.insert(seq);
        if self.dropped.len() > MEMORY {
            self.dropped.pop_first();
            self.forgotten += 1;
        }
    }
}

impl LayerSelector for Filter {
    fn set_target(&mut self, _now: Instant, _rate: Bitrate) {}

    fn select(&mut self, _now: Instant, packet: &RtpPacket) -> Forward {
        if self.ssrc.is_none() {
            self.wants_keyframe = true;
        }
        if *self.ssrc.get_or_insert_with(|| packet.ssrc()) != packet.ssrc() {
            return Forward::Drop;
        }
        let seq = self.unwrapper.unwrap(packet.seq());
        let outlived = self.forgotten > 0 && self.dropped.first().is_some_and(|oldest| seq < *oldest);
        let keep = !outlived && !self.dropped.contains(&seq) && (self.keep)(packet);
        if !keep {
            self.drop_packet(seq);
        }
        self.newest = self.newest.max(seq);
        if !keep {
            return Forward::Drop;
        }
        let before = self.forgotten + self.dropped.range(..seq).count() as u64;
        #[expect(clippy::cast_possible_truncation, reason = "the low bits are the sequence number")]
        let seq = SeqNum((seq - before) as u16);
        Forward::As { seq, timestamp: packet.timestamp() }
    }

    fn poll_keyframe_request(&mut self) -> Option<Ssrc> {
        if core::mem::take(&mut self.wants_keyframe) { self.ssrc } else { None }
    }
}

impl fmt::Debug for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Filter").field("ssrc", &self.ssrc).field("dropped", &self.dropped).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{PayloadType, RtpTime};

    /// Forwards even payload bytes; gives the numbers of `seqs` sent out.
    fn numbers(seqs: &[u16]) -> Vec<Option<u16>> {
        let mut filter = Filter::new(|packet| packet.payload()[0].is_multiple_of(2));
        let select = |seq: &u16| {
            let packet = RtpPacket::builder(PayloadType::new(96), SeqNum(*seq), RtpTime(0), Ssrc(1));
            match filter.select(Instant::ZERO, &packet.build(&seq.to_be_bytes()[1..]).unwrap()) {
                Forward::As { seq, .. } => Some(seq.0),
                Forward::Drop => None,
            }
        };
        seqs.iter().map(select).collect()
    }

    #[test]
    fn gaps_of_dropped_packets_close_and_those_of_lost_ones_stay() {
        let sent = numbers(&[65_534, 65_535, 0, 1, 2, 6, 4]);
        assert_eq!(sent, [Some(65_534), None, Some(65_535), None, Some(0), Some(4), Some(2)]);
    }

    #[test]
    fn a_number_once_given_stays() {
        // 3 comes after 4 was numbered as if 3 were to be sent.
        assert_eq!(numbers(&[2, 4, 3, 4, 6, 5]), [Some(2), Some(4), None, Some(4), Some(6), None]);
    }
}
