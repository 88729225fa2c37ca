//! The packets that wait, in order of sequence number.

use alloc::boxed::Box;

use rtc_core::RtpPacket;
use rtc_core::time::Instant;

use crate::arrival::Nanos;

/// A packet that waits.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) packet: RtpPacket,
    /// Sequence number that does not wrap.
    pub(crate) seq: u64,
    /// Media time since the first packet of the stream.
    pub(crate) media: Nanos,
    /// Media ticks since the first packet of the stream.
    pub(crate) ticks: i64,
    pub(crate) arrival: Instant,
    /// Whether it is what was first sent, not a copy that may be coarser.
    pub(crate) original: bool,
}

/// Bounded ring of packets by sequence number.
#[derive(Debug)]
pub(crate) struct Store {
    slots: Box<[Slot]>,
    /// The first number that was not released or given up.
    next: u64,
    /// One past the newest number seen.
    end: u64,
    held: usize,
    state: State,
}

#[derive(Debug)]
enum Slot {
    Empty,
    Held(Entry),
    /// Released under this number: tells a copy of what was played from what comes too late.
    Released(u64),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    New,
    /// Nothing was released: an earlier packet may still become the first.
    Filling,
    Running,
}

/// Where a sequence number falls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    Free,
    Taken,
    Passed,
}

/// What is at the front.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Head<'a> {
    Empty,
    /// The next number.
    Next(&'a Entry),
    /// The next number that is here, with `missing` before it that are not.
    After {
        missing: u64,
        entry: &'a Entry,
    },
}

impl<'a> Head<'a> {
    pub(crate) fn entry(self) -> Option<&'a Entry> {
        match self {
            Self::Empty => None,
            Self::Next(entry) | Self::After { entry, .. } => Some(entry),
        }
    }
}

impl Store {
    pub(crate) fn new(capacity: usize) -> Self {
        let slots = (0..capacity.max(1)).map(|_| Slot::Empty).collect();
        Self { slots, next: 0, end: 0, held: 0, state: State::New }
    }

    /// Keeps a packet whose place is [`Place::Free`]; returns how many older ones had to go.
    pub(crate) fn put(&mut self, entry: Entry) -> u64 {
        let seq = entry.seq;
        if self.state == State::New {
            (self.next, self.end, self.state) = (seq, seq, State::Filling);
        }
        self.next = self.next.min(seq);
        let dropped = self.make_room(seq);
        self.end = self.end.max(seq + 1);
        self.held += 1;
        *self.slot_mut(seq) = Slot::Held(entry);
        dropped
    }

    /// Puts the packet that was first sent in the place of a copy that waits.
    pub(crate) fn improve(&mut self, seq: u64, packet: RtpPacket) {
        if let Slot::Held(entry) = self.slot_mut(seq)
            && entry.seq == seq
            && !entry.original
        {
            (entry.packet, entry.original) = (packet, true);
        }
    }

    /// Releases the packet at the front; returns it and how many before it never came.
    pub(crate) fn pop(&mut self) -> Option<(Entry, u64)> {
        let seq = self.head().entry()?.seq;
        let missing = seq - self.next;
        let Slot::Held(entry) = core::mem::replace(self.slot_mut(seq), Slot::Released(seq)) else {
            return None;
        };
        self.held -= 1;
        self.next = seq + 1;
        self.state = State::Running;
        Some((entry, missing))
    }

    /// Gives the next number up, if it is missing.
    pub(crate) fn pass(&mut self) {
        if matches!(self.head(), Head::After { .. }) {
            self.next += 1;
            self.state = State::Running;
        }
    }

    /// Forgets all; returns how many packets were dropped.
    pub(crate) fn clear(&mut self) -> u64 {
        self.slots.fill_with(|| Slot::Empty);
        self.state = State::New;
        core::mem::take(&mut self.held) as u64
    }

    pub(crate) fn place(&self, seq: u64) -> Place {
        if self.state == State::New {
            return Place::Free;
        }
        match self.slot(seq) {
            Slot::Held(entry) if entry.seq == seq => return Place::Taken,
            Slot::Released(released) if *released == seq => return Place::Taken,
            _ => {}
        }
        let may_be_first = self.state == State::Filling && self.end.saturating_sub(seq) <= self.slots.len() as u64;
        if seq >= self.next || may_be_first { Place::Free } else { Place::Passed }
    }

    pub(crate) fn head(&self) -> Head<'_> {
        if self.held == 0 {
            return Head::Empty;
        }
        for seq in self.next..self.end {
            if let Slot::Held(entry) = self.slot(seq)
                && entry.seq == seq
            {
                let missing = seq - self.next;
                return if missing == 0 { Head::Next(entry) } else { Head::After { missing, entry } };
            }
        }
        Head::Empty
    }

    /// The packets that wait, in order.
    pub(crate) fn waiting(&self) -> impl Iterator<Item = &Entry> {
        (self.next..self.end).filter_map(|seq| match self.slot(seq) {
            Slot::Held(entry) if entry.seq == seq => Some(entry),
            _ => None,
        })
    }

    pub(crate) fn len(&self) -> usize {
        self.held
    }

    pub(crate) fn capacity(&self) -> usize {
        self.slots.len()
    }

    /// Drops from the front what cannot be in the ring together with `seq`.
    fn make_room(&mut self, seq: u64) -> u64 {
        let first = (seq + 1).saturating_sub(self.slots.len() as u64);
        if first <= self.next {
            return 0;
        }
        let held = self.held;
        for old in self.next..first.min(self.end) {
            let slot = self.slot_mut(old);
            if matches!(slot, Slot::Held(entry) if entry.seq == old) {
                *slot = Slot::Empty;
                self.held -= 1;
            }
        }
        self.next = first;
        (held - self.held) as u64
    }

    fn slot(&self, seq: u64) -> &Slot {
        &self.slots[self.index(seq)]
    }

    fn slot_mut(&mut self, seq: u64) -> &mut Slot {
        let index = self.index(seq);
        &mut self.slots[index]
    }

    #[expect(clippy::cast_possible_truncation, reason = "a remainder by a usize fits one")]
    fn index(&self, seq: u64) -> usize {
        (seq % self.slots.len() as u64) as usize
    }
}

#[cfg(test)]
mod tests;
