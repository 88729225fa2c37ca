use std::collections::VecDeque;

use rtc_core::SeqNum;
use rtc_core::time::Instant;

use super::Carried;

/// Identifiers remembered: the newest so many packets sent.
const IDS: usize = 4_096;

/// What is known of something sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    Air,
    Arrived,
    Lost,
}

/// A packet on its way, or back from it.
#[derive(Debug, Clone, Copy)]
pub(super) struct FlightRecord {
    pub(super) carried: Carried,
    pub(super) sent: Instant,
    pub(super) fate: Fate,
    /// Whether it has left, so that feedback can speak of it.
    has_id: bool,
}

/// Everything sent lately, oldest first, found by the identifier it left with.
#[derive(Debug, Clone)]
pub(super) struct Flights {
    records: VecDeque<FlightRecord>,
    /// The number of the first record.
    first: u64,
    /// Identifier and number of a record, at the identifier modulo their count.
    ids: Box<[(u64, u64)]>,
    capacity: usize,
    /// The number of the first record whose fate is open.
    first_open: u64,
}

impl Flights {
    pub(super) fn new(capacity: usize) -> Self {
        Self {
            records: VecDeque::with_capacity(capacity),
            first: 0,
            ids: vec![(u64::MAX, 0); IDS].into_boxed_slice(),
            capacity,
            first_open: 0,
        }
    }

    /// Takes note of what is to leave.
    pub(super) fn push(&mut self, now: Instant, carried: Carried) {
        if self.records.len() == self.capacity {
            self.pop();
        }
        self.records.push_back(FlightRecord { carried, sent: now, fate: Fate::Air, has_id: false });
    }

    /// It leaves now, by this identifier; false if there is no such thing.
    pub(super) fn leave(&mut self, now: Instant, id: u64, carried: Carried) -> bool {
        let waiting = |record: &FlightRecord| !record.has_id && record.carried == carried;
        let Some(at) = self.records.iter().rposition(waiting) else { return false };
        let record = &mut self.records[at];
        (record.sent, record.has_id, record.fate) = (now, true, Fate::Air);
        let number = self.first + at as u64;
        self.first_open = self.first_open.min(number);
        self.ids[slot(id)] = (id, number);
        true
    }

    /// Settles the fate of what left by this identifier; what it was, and its fate before.
    pub(super) fn settle(&mut self, id: u64, fate: Fate) -> Option<(Carried, Fate)> {
        let (known, number) = self.ids[slot(id)];
        let at = usize::try_from(number.checked_sub(self.first).filter(|_| known == id)?).ok()?;
        let record = self.records.get_mut(at)?;
        Some((record.carried, core::mem::replace(&mut record.fate, fate)))
    }

    /// The next that left at `sent` or before and of which nothing was heard; it is taken for lost.
    pub(super) fn lose_until(&mut self, sent: Instant) -> Option<Carried> {
        loop {
            let at = usize::try_from(self.first_open.saturating_sub(self.first)).ok()?;
            let record = self.records.get_mut(at)?;
            if record.fate == Fate::Air {
                if record.sent > sent {
                    return None;
                }
                record.fate = Fate::Lost;
                return Some(record.carried);
            }
            self.first_open = self.first + at as u64 + 1;
        }
    }

    /// Forgets what left before this.
    pub(super) fn forget_before(&mut self, sent: Instant) {
        while self.records.front().is_some_and(|record| record.sent < sent) {
            self.pop();
        }
    }

    /// Repair packets over more than one packet that are not lost: what they cover, and whether they arrived.
    pub(super) fn coded(&self) -> impl Iterator<Item = (SeqNum, SeqNum, bool)> + '_ {
        self.records.iter().filter_map(|record| match (record.carried, record.fate) {
            (_, Fate::Lost) => None,
            (Carried::Coded { first, last }, fate) => Some((first, last, fate == Fate::Arrived)),
            _ => None,
        })
    }

    /// Whether something about this packet is in the air or, as a repair packet, held.
    pub(super) fn about(&self, seq: SeqNum) -> bool {
        self.records.iter().any(|record| match record.carried {
            _ if record.fate == Fate::Lost => false,
            Carried::Media(one) | Carried::Copy(one) => one == seq && record.fate == Fate::Air,
            Carried::Coded { first, last } => !first.is_newer_than(seq) && !seq.is_newer_than(last),
        })
    }

    /// This packet will not be known: to leave it out of the repair packets over it takes one of those that arrived, of which the
    /// one that ends first does least for others.
    pub(super) fn spend(&mut self, seq: SeqNum) {
        let mut spent: Option<(usize, SeqNum)> = None;
        for (at, record) in self.records.iter().enumerate() {
            if let Carried::Coded { first, last } = record.carried
                && record.fate == Fate::Arrived
                && !first.is_newer_than(seq)
                && !seq.is_newer_than(last)
                && spent.is_none_or(|(_, end)| end.is_newer_than(last))
            {
                spent = Some((at, last));
            }
        }
        if let Some((at, _)) = spent {
            self.records[at].fate = Fate::Lost;
        }
    }

    fn pop(&mut self) {
        if self.records.pop_front().is_some() {
            self.first += 1;
            self.first_open = self.first_open.max(self.first);
        }
    }
}

#[expect(clippy::cast_possible_truncation, reason = "cut to the number of identifiers")]
fn slot(id: u64) -> usize {
    id as usize % IDS
}
