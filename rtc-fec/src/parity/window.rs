use rtc_core::{RtpPacket, SeqNum};

use super::part::Part;

/// The packets with the newest sequence numbers, in a ring.
#[derive(Debug)]
pub(super) struct Window {
    /// A power of two of places, so that numbers keep theirs when they wrap.
    places: Box<[Option<Entry>]>,
    newest: Option<SeqNum>,
}

/// What is known of a packet.
#[derive(Debug)]
pub(super) enum Entry {
    /// Received, or recovered as a whole.
    Whole(RtpPacket),
    /// Recovered in part.
    Part(SeqNum, Box<Part>),
}

impl Window {
    /// `len` must be a power of two, 16384 at most.
    pub(super) fn new(len: usize) -> Self {
        Self { places: (0..len).map(|_| None).collect(), newest: None }
    }

    /// Reaches up to `seq` if it is newer than all before; whether it was.
    pub(super) fn advance(&mut self, seq: SeqNum) -> bool {
        let ahead = self.newest.map_or(1, |newest| seq.distance_from(newest));
        let Ok(ahead @ 1..) = usize::try_from(ahead) else { return false };
        let mut cleared = seq;
        for _ in 0..ahead.min(self.places.len()) {
            let place = self.place(cleared);
            self.places[place] = None;
            cleared = cleared - 1;
        }
        self.newest = Some(seq);
        true
    }

    /// Puts a packet that the window reaches into its place.
    pub(super) fn insert(&mut self, packet: RtpPacket) {
        let place = self.place(packet.seq());
        self.places[place] = Some(Entry::Whole(packet));
    }

    /// What is recovered of a packet that the window reaches and does not have.
    pub(super) fn part_mut(&mut self, seq: SeqNum) -> Option<&mut Part> {
        let place = self.place(seq);
        let entry = self.places[place].get_or_insert_with(|| Entry::Part(seq, Box::default()));
        match entry {
            Entry::Part(_, part) => Some(part),
            Entry::Whole(_) => None,
        }
    }

    /// Forgets what is known of a packet that the window reaches.
    pub(super) fn remove(&mut self, seq: SeqNum) {
        let place = self.place(seq);
        self.places[place] = None;
    }

    pub(super) fn clear(&mut self) {
        self.places.fill_with(|| None);
        self.newest = None;
    }

    /// Whether the number is neither newer than the newest nor too old.
    pub(super) fn reaches(&self, seq: SeqNum) -> bool {
        let behind = self.newest.and_then(|newest| usize::try_from(newest.distance_from(seq)).ok());
        behind.is_some_and(|behind| behind < self.places.len())
    }

    pub(super) fn get(&self, seq: SeqNum) -> Option<&Entry> {
        self.places[self.place(seq)].as_ref().filter(|entry| entry.seq() == seq)
    }

    /// Whether the packet is there as a whole.
    pub(super) fn has(&self, seq: SeqNum) -> bool {
        matches!(self.get(seq), Some(Entry::Whole(_)))
    }

    /// Numbers it reaches over.
    pub(super) fn len(&self) -> usize {
        self.places.len()
    }

    pub(super) fn newest(&self) -> Option<SeqNum> {
        self.newest
    }

    fn place(&self, seq: SeqNum) -> usize {
        usize::from(seq.0) & (self.places.len() - 1)
    }
}

impl Entry {
    fn seq(&self) -> SeqNum {
        match self {
            Self::Whole(packet) => packet.seq(),
            Self::Part(seq, _) => *seq,
        }
    }
}
