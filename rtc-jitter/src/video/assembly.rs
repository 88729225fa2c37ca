//! Packets that wait for the rest of their frame.

use alloc::boxed::Box;

use rtc_core::RtpPacket;
use rtc_core::time::Instant;

use super::packet::{Edge, Told};

/// Bounded ring of packets by sequence number.
#[derive(Debug)]
pub(super) struct Assembly {
    slots: Box<[Slot]>,
    /// The newest number seen; `None` before the first packet.
    newest: Option<u64>,
    /// The oldest number seen.
    first: u64,
    /// All numbers up to this are done with: released, or given up.
    passed: u64,
    held: usize,
}

#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "most slots in use hold a packet, and a box each would allocate")]
enum Slot {
    Empty,
    /// Waits for the rest of its frame.
    Held(Piece),
    /// Its frame is whole: tells a copy, and where the next frame begins.
    Done {
        seq: u64,
        ticks: i64,
    },
    /// Nothing but padding.
    Padding {
        seq: u64,
    },
}

/// A packet that waits.
#[derive(Debug)]
pub(super) struct Piece {
    pub(super) seq: u64,
    /// Media ticks since the first packet of the stream.
    pub(super) ticks: i64,
    pub(super) packet: RtpPacket,
    /// What it tells; `None` while the templates it refers to are not here.
    pub(super) told: Option<Told>,
    pub(super) arrival: Instant,
    pub(super) is_repaired: bool,
}

/// Where a packet falls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    Free,
    Taken,
    Passed,
}

/// What is known of a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Known {
    Missing,
    Padding,
    Of(i64),
}

impl Assembly {
    pub(super) fn new(capacity: usize) -> Self {
        Self { slots: (0..capacity).map(|_| Slot::Empty).collect(), newest: None, first: 0, passed: 0, held: 0 }
    }

    pub(super) fn capacity(&self) -> usize {
        self.slots.len()
    }

    /// Packets that wait.
    pub(super) fn held(&self) -> usize {
        self.held
    }

    pub(super) fn place(&self, seq: u64) -> Place {
        match self.slot(seq) {
            Slot::Held(Piece { seq: here, .. }) | Slot::Done { seq: here, .. } | Slot::Padding { seq: here }
                if *here == seq =>
            {
                Place::Taken
            }
            _ if self.newest.is_some() && (seq <= self.passed || self.is_behind(seq)) => Place::Passed,
            _ => Place::Free,
        }
    }

    /// Puts a packet in; what it pushed out of the ring is counted.
    pub(super) fn put(&mut self, piece: Piece) -> u64 {
        let dropped = self.advance(piece.seq);
        self.held += 1;
        let slot = self.slot_mut(piece.seq);
        *slot = Slot::Held(piece);
        dropped
    }

    /// Takes note of a packet of padding; what it pushed out of the ring is counted.
    pub(super) fn put_padding(&mut self, seq: u64) -> u64 {
        let dropped = self.advance(seq);
        *self.slot_mut(seq) = Slot::Padding { seq };
        dropped
    }

    /// Forgets all; says how many packets waited.
    pub(super) fn clear(&mut self) -> u64 {
        let held = core::mem::take(&mut self.held);
        self.slots.fill_with(|| Slot::Empty);
        (self.newest, self.passed) = (None, 0);
        held as u64
    }

    /// The numbers around `seq` that hold a whole frame, if all of it is here.
    pub(super) fn whole_frame(&self, seq: u64) -> Option<(u64, u64)> {
        let (mut first, mut last) = (seq, seq);
        self.piece(seq)?;
        while !self.starts(first)? {
            first = self.neighbour(first, false)?;
        }
        while !self.ends(last)? {
            last = self.neighbour(last, true)?;
        }
        Some((first, last))
    }

    /// Takes the packets of a whole frame in order.
    pub(super) fn take(&mut self, first: u64, last: u64, mut each: impl FnMut(Piece)) {
        for seq in first..=last {
            let slot = self.slot_mut(seq);
            let Slot::Held(piece) = slot else { continue };
            let done = Slot::Done { seq, ticks: piece.ticks };
            if let Slot::Held(piece) = core::mem::replace(slot, done) {
                self.held -= 1;
                each(piece);
            }
        }
    }

    /// Everything up to `seq` is done with; says how many packets still waited there.
    pub(super) fn pass(&mut self, seq: u64) -> u64 {
        let first = self.passed.max(self.oldest()) + 1;
        let mut abandoned = 0;
        for seq in first..=seq {
            let slot = self.slot_mut(seq);
            if matches!(slot, Slot::Held(piece) if piece.seq == seq) {
                *slot = Slot::Empty;
                self.held -= 1;
                abandoned += 1;
            }
        }
        self.passed = self.passed.max(seq);
        abandoned
    }

    /// The packet that waits under this number.
    pub(super) fn piece(&self, seq: u64) -> Option<&Piece> {
        match self.slot(seq) {
            Slot::Held(piece) if piece.seq == seq => Some(piece),
            _ => None,
        }
    }

    pub(super) fn piece_mut(&mut self, seq: u64) -> Option<&mut Piece> {
        match self.slot_mut(seq) {
            Slot::Held(piece) if piece.seq == seq => Some(piece),
            _ => None,
        }
    }

    /// The numbers that are not done with, oldest first.
    pub(super) fn numbers(&self) -> core::ops::RangeInclusive<u64> {
        let newest = self.newest.unwrap_or(self.passed);
        (self.passed.max(self.oldest()) + 1).max(self.first)..=newest
    }

    /// The first number of which nothing is here, or not the whole frame; everything between those done with and this is whole.
    /// `None` before anything is done with.
    pub(super) fn whole_to(&self) -> Option<u64> {
        if self.passed == 0 || self.passed < self.oldest() {
            return None;
        }
        let mut numbers = self.numbers();
        let end = *numbers.end() + 1;
        Some(numbers.find(|seq| self.known(*seq) == Known::Missing || self.piece(*seq).is_some()).unwrap_or(end))
    }

    /// `seq` itself, and the numbers with media before and after it: where its arrival may make a frame whole.
    pub(super) fn around(&self, seq: u64) -> [Option<u64>; 3] {
        [Some(seq), self.beside(seq, true), self.beside(seq, false)]
    }

    /// Whether a packet is missing before the newest.
    pub(super) fn has_holes(&self) -> bool {
        self.numbers().any(|seq| self.known(seq) == Known::Missing)
    }

    /// The next number with media after `seq`, of which time.
    pub(super) fn next_ticks(&self, seq: u64) -> Option<i64> {
        let newest = self.newest?;
        let mut seq = seq + 1;
        while seq <= newest {
            match self.known(seq) {
                Known::Of(ticks) => return Some(ticks),
                Known::Missing => return None,
                Known::Padding => seq += 1,
            }
        }
        None
    }

    /// The number before the oldest the ring can hold.
    fn oldest(&self) -> u64 {
        self.newest.map_or(0, |newest| newest.saturating_sub(self.slots.len() as u64))
    }

    fn is_behind(&self, seq: u64) -> bool {
        seq <= self.oldest()
    }

    fn advance(&mut self, seq: u64) -> u64 {
        let Some(newest) = self.newest else {
            // The first packet: those just before it may be of its frame.
            (self.newest, self.first, self.passed) = (Some(seq), seq, 0);
            return 0;
        };
        self.first = self.first.min(seq);
        let mut dropped = 0;
        let span = self.slots.len() as u64;
        for next in (newest + 1).max(seq.saturating_sub(span - 1))..=seq {
            let slot = self.slot_mut(next);
            if matches!(slot, Slot::Held(_)) {
                dropped += 1;
            }
            *slot = Slot::Empty;
        }
        self.held -= usize::try_from(dropped).unwrap_or(0);
        self.newest = Some(newest.max(seq));
        dropped
    }

    /// Whether the frame of the packet at `seq` begins with it; `None` while that is not known.
    fn starts(&self, seq: u64) -> Option<bool> {
        let piece = self.piece(seq)?;
        match piece.told?.start {
            Edge::Here => Some(true),
            Edge::Elsewhere => Some(false),
            Edge::ByTime => match self.known_beside(seq, false) {
                Known::Of(ticks) => Some(ticks != piece.ticks),
                _ => None,
            },
        }
    }

    /// Whether the frame of the packet at `seq` ends with it; `None` while that is not known.
    fn ends(&self, seq: u64) -> Option<bool> {
        let piece = self.piece(seq)?;
        match piece.told?.end {
            Edge::Here => Some(true),
            Edge::Elsewhere => Some(false),
            Edge::ByTime => match self.known_beside(seq, true) {
                Known::Of(ticks) => Some(ticks != piece.ticks),
                _ => None,
            },
        }
    }

    /// The next or previous number with a waiting packet of the same time, over padding.
    fn neighbour(&self, seq: u64, forward: bool) -> Option<u64> {
        let ticks = self.piece(seq)?.ticks;
        let beside = self.beside(seq, forward)?;
        (self.piece(beside)?.ticks == ticks).then_some(beside)
    }

    fn known_beside(&self, seq: u64, forward: bool) -> Known {
        self.beside(seq, forward).map_or(Known::Missing, |beside| self.known(beside))
    }

    fn beside(&self, seq: u64, forward: bool) -> Option<u64> {
        let mut at = seq;
        for _ in 0..self.slots.len() {
            at = if forward { at + 1 } else { at.checked_sub(1)? };
            if self.known(at) != Known::Padding {
                return Some(at);
            }
        }
        None
    }

    fn known(&self, seq: u64) -> Known {
        match self.slot(seq) {
            Slot::Held(piece) if piece.seq == seq => Known::Of(piece.ticks),
            Slot::Done { seq: here, ticks } if *here == seq => Known::Of(*ticks),
            Slot::Padding { seq: here } if *here == seq => Known::Padding,
            _ => Known::Missing,
        }
    }

    fn slot(&self, seq: u64) -> &Slot {
        &self.slots[self.index(seq)]
    }

    fn slot_mut(&mut self, seq: u64) -> &mut Slot {
        let index = self.index(seq);
        &mut self.slots[index]
    }

    fn index(&self, seq: u64) -> usize {
        usize::try_from(seq % self.slots.len() as u64).unwrap_or(0)
    }
}
