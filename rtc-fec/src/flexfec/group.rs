use rtc_core::{RtpPacket, RtpTime, SeqNum, Ssrc};

use super::header::{MAX_LEN, Protected};
use super::protection::FlexfecProtection;
use super::{FlexfecVariant, MAX_SOURCES};
use crate::parity::{Mask, Members, Recovery, Sum};

/// The group in progress.
#[derive(Debug)]
pub(super) struct Group {
    pub(super) protection: FlexfecProtection,
    /// Packets so far.
    pub(super) count: usize,
    /// Newest timestamp.
    pub(super) timestamp: RtpTime,
    /// Most bytes after the fixed header.
    pub(super) longest: usize,
    /// What it has of each source.
    sources: Vec<Source>,
}

/// Packets of one source, by a mask where a mask reaches over them.
#[derive(Debug, Clone, Copy)]
struct Source {
    ssrc: Ssrc,
    base: SeqNum,
    mask: Mask,
    count: u16,
}

/// What a packet is to a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// One it can have.
    Free,
    /// One it has.
    Taken,
    /// One for another group.
    Beyond,
}

/// A repair packet in the making.
#[derive(Debug)]
pub(super) struct Repair {
    pub(super) sum: Sum,
    sources: Vec<Source>,
}

impl Group {
    pub(super) fn new() -> Self {
        let sources = Vec::with_capacity(MAX_SOURCES);
        let (protection, timestamp) = (FlexfecProtection::NONE, RtpTime(0));
        Self { protection, count: 0, timestamp, longest: 0, sources }
    }

    /// Begins anew, without packets.
    pub(super) fn start(&mut self, protection: FlexfecProtection) {
        (self.protection, self.count, self.longest) = (protection, 0, 0);
        self.sources.clear();
    }

    /// Where the packet would go. By rows and columns, only the next in sequence of one source is in the group; by masks, any
    /// that a mask can hold with all others of its source.
    pub(super) fn place(&self, variant: FlexfecVariant, packet: &RtpPacket) -> Place {
        let seq = packet.seq();
        let own = self.sources.iter().find(|source| source.ssrc == packet.ssrc());
        match own {
            None if self.count == 0 => Place::Free,
            None if self.protection.masks() && self.sources.len() < MAX_SOURCES => Place::Free,
            None => Place::Beyond,
            Some(source) if self.protection.masks() => source.place(variant.mask_len(), seq),
            Some(source) => match u16::try_from(seq.distance_from(source.base)) {
                Ok(offset) if offset < source.count => Place::Taken,
                Ok(offset) if offset == source.count => Place::Free,
                _ => Place::Beyond,
            },
        }
    }

    /// Takes note of a packet with a free place.
    pub(super) fn add(&mut self, packet: &RtpPacket, body: usize) {
        if self.count == 0 || packet.timestamp().is_newer_than(self.timestamp) {
            self.timestamp = packet.timestamp();
        }
        self.count += 1;
        self.longest = self.longest.max(body);
        Source::add(&mut self.sources, packet.ssrc(), packet.seq());
    }
}

impl Source {
    fn place(&self, mask_len: u16, seq: SeqNum) -> Place {
        let ends = [self.base, self.base + self.mask.last()];
        let offset = u16::try_from(seq.distance_from(self.base));
        if ends.iter().any(|end| seq.distance_from(*end).unsigned_abs() >= mask_len) {
            Place::Beyond
        } else if offset.is_ok_and(|offset| self.mask.contains(offset)) {
            Place::Taken
        } else {
            Place::Free
        }
    }

    fn add(sources: &mut Vec<Self>, ssrc: Ssrc, seq: SeqNum) {
        let at = sources.iter().position(|source| source.ssrc == ssrc).unwrap_or_else(|| {
            sources.push(Self { ssrc, base: seq, mask: Mask::default(), count: 0 });
            sources.len() - 1
        });
        let source = &mut sources[at];
        let back = source.base.distance_from(seq).max(0).unsigned_abs();
        (source.base, source.mask) = (source.base - back, source.mask.rebased_back(back));
        let offset = seq.distance_from(source.base).unsigned_abs();
        // Rows and columns may be longer than a mask; they are told by their count.
        if offset < 128 {
            source.mask.insert(offset);
        }
        source.count += 1;
    }
}

impl Repair {
    pub(super) fn new() -> Self {
        Self { sum: Sum::with_room(MAX_LEN), sources: Vec::with_capacity(MAX_SOURCES) }
    }

    pub(super) fn add(&mut self, packet: &RtpPacket, recovery: Recovery, body: &[u8]) {
        Source::add(&mut self.sources, packet.ssrc(), packet.seq());
        self.sum.add(recovery, body);
    }

    /// Packets it is of.
    pub(super) fn count(&self) -> usize {
        self.sources.iter().map(|source| usize::from(source.count)).sum()
    }

    /// The packets it is of by source, as many as are returned, as masks or as every `step`th.
    pub(super) fn protected(&self, step: Option<usize>) -> ([Protected; MAX_SOURCES], usize) {
        let none = Protected { ssrc: Ssrc(0), base: SeqNum(0), members: Members::Mask(Mask::default()) };
        let mut protected = [none; MAX_SOURCES];
        for (protected, source) in protected.iter_mut().zip(&self.sources) {
            let members = match step.and_then(|step| u16::try_from(step).ok()) {
                Some(step) => Members::Run { step, count: source.count },
                None => Members::Mask(source.mask),
            };
            *protected = Protected { ssrc: source.ssrc, base: source.base, members };
        }
        (protected, self.sources.len())
    }

    pub(super) fn clear(&mut self) {
        self.sources.clear();
        self.sum.clear();
    }
}
