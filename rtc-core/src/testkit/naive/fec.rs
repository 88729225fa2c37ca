use alloc::collections::{BTreeSet, VecDeque};

use crate::fec::{FecDecoder, FecEncoder};
use crate::{Fault, Malformed, PayloadType, RtpPacket, SeqNum, SeqUnwrapper, Ssrc};

/// Sequence numbers a [`Restorer`] remembers; a repair packet further behind than this comes too late.
const MEMORY: usize = 1024;
/// Packets held at most until polled; the oldest goes first.
const QUEUE: usize = 256;

/// Sends every packet twice: the repair packet's payload is the whole source packet.
#[derive(Debug)]
pub struct Duplicator {
    payload_type: PayloadType,
    ssrc: Ssrc,
    seq: SeqNum,
    due: VecDeque<RtpPacket>,
}

impl Duplicator {
    /// Repair packets have this payload type and source.
    #[must_use]
    pub fn new(payload_type: PayloadType, ssrc: Ssrc) -> Self {
        Self { payload_type, ssrc, seq: SeqNum(0), due: VecDeque::new() }
    }
}

impl FecEncoder for Duplicator {
    fn protect(&mut self, packet: &RtpPacket) {
        let repair = RtpPacket::builder(self.payload_type, self.seq, packet.timestamp(), self.ssrc);
        if let Ok(repair) = repair.build(packet.as_ref()) {
            self.seq = self.seq.next();
            push_bounded(&mut self.due, repair);
        }
    }

    fn poll_repair(&mut self) -> Option<RtpPacket> {
        self.due.pop_front()
    }
}

/// Takes the source packets that never came out of a [`Duplicator`]'s repair packets.
#[derive(Debug)]
pub struct Restorer {
    payload_type: PayloadType,
    unwrapper: SeqUnwrapper,
    seen: BTreeSet<u64>,
    recovered: VecDeque<RtpPacket>,
}

impl Restorer {
    /// Knows repair packets by this payload type.
    #[must_use]
    pub fn new(payload_type: PayloadType) -> Self {
        let (seen, recovered) = (BTreeSet::new(), VecDeque::new());
        Self { payload_type, unwrapper: SeqUnwrapper::default(), seen, recovered }
    }

    /// Whether this is the first time the number is seen, as far back as memory goes.
    fn is_new(&mut self, seq: SeqNum) -> bool {
        let seq = self.unwrapper.unwrap(seq);
        let forgotten = self.seen.len() == MEMORY && self.seen.first().is_some_and(|oldest| seq < *oldest);
        if forgotten || !self.seen.insert(seq) {
            return false;
        }
        if self.seen.len() > MEMORY {
            self.seen.pop_first();
        }
        true
    }
}

impl FecDecoder for Restorer {
    fn insert_source(&mut self, packet: &RtpPacket) {
        self.is_new(packet.seq());
        self.recovered.retain(|waiting| waiting.seq() != packet.seq());
    }

    fn insert_repair(&mut self, packet: &RtpPacket) -> Result<(), Malformed> {
        if packet.payload_type() != self.payload_type {
            return Err(Malformed::new("duplicate", Fault::Type));
        }
        let source = RtpPacket::parse(packet.payload_bytes())?;
        if self.is_new(source.seq()) {
            push_bounded(&mut self.recovered, source);
        }
        Ok(())
    }

    fn poll_recovered(&mut self) -> Option<RtpPacket> {
        self.recovered.pop_front()
    }
}

fn push_bounded(queue: &mut VecDeque<RtpPacket>, packet: RtpPacket) {
    if queue.len() == QUEUE {
        queue.pop_front();
    }
    queue.push_back(packet);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::RtpTime;

    #[test]
    fn only_what_never_came_is_recovered_and_only_once() {
        let (mut encoder, mut decoder) =
            (Duplicator::new(PayloadType::new(127), Ssrc(2)), Restorer::new(PayloadType::new(127)));
        for seq in [65_535, 0, 1] {
            let source = RtpPacket::builder(PayloadType::new(96), SeqNum(seq), RtpTime(9), Ssrc(1));
            let source = source.marker(true).padding(3).build(b"media").unwrap();
            encoder.protect(&source);
            let repair = encoder.poll_repair().unwrap();
            if seq != 0 {
                decoder.insert_source(&source);
            }
            decoder.insert_repair(&repair).unwrap();
            decoder.insert_repair(&repair).unwrap();
            assert_eq!(decoder.poll_recovered(), (seq == 0).then_some(source));
            assert_eq!(decoder.poll_recovered(), None);
        }
        assert_eq!(encoder.poll_repair(), None);
    }
}
