use core::num::NonZeroU64;

use rtc_core::{SeqNum, SeqUnwrapper};

use super::recorder::{Recorded, RecorderStats};

/// The last arrivals of one numbering, and where the next report begins.
///
/// What is kept of an arrival is one number that grows with time; what it means is the recorder's.
#[derive(Debug)]
pub(super) struct Window {
    unwrapper: SeqUnwrapper,
    /// Arrival of packet `id` at `id % len`, plus one.
    arrivals: Box<[Option<NonZeroU64>]>,
    /// The newest packet that arrived.
    newest: Option<u64>,
    /// The first packet to be reported next.
    next: u64,
    reorder: u16,
    /// The number after the last one that was too late: a second in a row means that numbers began anew.
    expected_restart: Option<SeqNum>,
}

impl Window {
    /// `len` is a power of two, 32768 at most, and more than `reorder`.
    pub(super) fn new(len: usize, reorder: u16) -> Self {
        Self {
            unwrapper: SeqUnwrapper::default(),
            arrivals: vec![None; len].into_boxed_slice(),
            newest: None,
            next: 0,
            reorder,
            expected_restart: None,
        }
    }

    /// Keeps the arrival of `seq`. A packet that comes after it was reported lost is to be reported next, with all after it.
    pub(super) fn insert(&mut self, seq: SeqNum, arrival: u64, stats: &mut RecorderStats) -> Recorded {
        let id = match self.place(seq, stats) {
            Ok(id) => id,
            Err(Recorded::Duplicate) => {
                stats.duplicates += 1;
                return Recorded::Duplicate;
            }
            Err(outcome) => {
                stats.late += 1;
                return outcome;
            }
        };
        stats.accepted += 1;
        let slot = self.slot(id);
        self.arrivals[slot] = NonZeroU64::new(arrival.saturating_add(1));
        self.next = self.next.min(id);
        Recorded::Accepted
    }

    pub(super) fn newest(&self) -> Option<u64> {
        self.newest
    }

    pub(super) fn next(&self) -> u64 {
        self.next
    }

    /// Takes note that everything before `end` was reported.
    pub(super) fn reported(&mut self, end: u64) {
        self.next = self.next.max(end);
    }

    /// Whether so much waits to be reported that more could push it out: reporting now keeps up at any rate.
    pub(super) fn is_half_full(&self) -> bool {
        self.newest.is_some_and(|newest| newest - self.next >= self.arrivals.len() as u64 / 2)
    }

    /// The arrival of packet `id`, which must be no older than the window.
    pub(super) fn arrival(&self, id: u64) -> Option<u64> {
        self.arrivals[self.slot(id)].map(|arrival| arrival.get() - 1)
    }

    /// Changes what is kept of the arrival of `seq`, if it is known.
    pub(super) fn amend(&mut self, seq: SeqNum, edit: impl FnOnce(u64) -> u64) {
        let id = self.unwrapper.peek(seq);
        let in_window = self.newest.is_some_and(|newest| id <= newest && newest - id < self.arrivals.len() as u64);
        let slot = self.slot(id);
        if in_window && let Some(arrival) = self.arrivals[slot] {
            self.arrivals[slot] = NonZeroU64::new(edit(arrival.get() - 1).saturating_add(1));
        }
    }

    /// The first packet to report now if arrivals later than `since` are to be reported again, and whether there are such.
    pub(super) fn first_repeated(&self, since: u64) -> (u64, bool) {
        let Some(newest) = self.newest else { return (self.next, false) };
        let oldest = (newest + 1).saturating_sub(self.arrivals.len() as u64 / 2);
        let recent = |id: &u64| self.arrivals[self.slot(*id)].is_some_and(|arrival| arrival.get() > since);
        // Arrivals are about in order of their numbers: the first that is too old ends the search, lost ones do not.
        let known = |id: &u64| self.arrivals[self.slot(*id)].is_some();
        let mut arrived = (oldest.min(self.next)..=newest).rev().filter(known).take_while(recent);
        let first = arrived.by_ref().last();
        (first.map_or(self.next, |first| first.min(self.next)), first.is_some())
    }

    /// Finds the place of `seq`, moving the window if it is the newest; `Err` if it has none.
    fn place(&mut self, seq: SeqNum, stats: &mut RecorderStats) -> Result<u64, Recorded> {
        let id = self.unwrapper.peek(seq);
        let Some(newest) = self.newest else {
            self.begin_at(id);
            return Ok(self.unwrapper.unwrap(seq));
        };
        if id > newest {
            self.advance(newest, id, stats);
            return Ok(self.unwrapper.unwrap(seq));
        }
        let in_window = newest - id < self.arrivals.len() as u64;
        if in_window && self.arrivals[self.slot(id)].is_some() {
            return Err(Recorded::Duplicate);
        }
        if in_window && self.next.saturating_sub(id) <= u64::from(self.reorder) {
            return Ok(id);
        }
        // As for RTP sequence numbers (RFC 3550 A.1): two in a row where they cannot be are a sender that began anew.
        if self.expected_restart.replace(seq.next()) != Some(seq) {
            return Err(Recorded::Late);
        }
        self.restart(seq, stats);
        Ok(self.unwrapper.unwrap(seq))
    }

    fn begin_at(&mut self, id: u64) {
        self.newest = Some(id);
        self.next = id;
        self.expected_restart = None;
    }

    fn advance(&mut self, newest: u64, id: u64, stats: &mut RecorderStats) {
        let first_kept = (id + 1).saturating_sub(self.arrivals.len() as u64);
        for old in self.next..first_kept.min(newest + 1) {
            let slot = self.slot(old);
            stats.unreported += u64::from(self.arrivals[slot].is_some());
        }
        for fresh in (newest + 1).max(first_kept)..=id {
            let slot = self.slot(fresh);
            self.arrivals[slot] = None;
        }
        self.next = self.next.max(first_kept);
        self.newest = Some(id);
        self.expected_restart = None;
    }

    fn restart(&mut self, seq: SeqNum, stats: &mut RecorderStats) {
        let unreported = self.newest.map_or(0, |newest| {
            (self.next..=newest).filter(|id| self.arrivals[self.slot(*id)].is_some()).count() as u64
        });
        stats.unreported += unreported;
        stats.restarts += 1;
        self.arrivals.fill(None);
        self.unwrapper = SeqUnwrapper::default();
        self.begin_at(self.unwrapper.peek(seq));
    }

    #[expect(clippy::cast_possible_truncation, reason = "cut to the window")]
    fn slot(&self, id: u64) -> usize {
        id as usize & (self.arrivals.len() - 1)
    }
}
