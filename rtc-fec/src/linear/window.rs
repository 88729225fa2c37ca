use rtc_core::{RtpPacket, SeqNum};

/// What is known of the packets with the newest sequence numbers, in a ring.
#[derive(Debug)]
pub(crate) struct Window {
    /// A power of two of places, so that numbers keep theirs when they wrap.
    places: Box<[Place]>,
    newest: Option<SeqNum>,
    /// Places from the newest back that may not be empty.
    reached: usize,
}

/// What is known of a packet.
#[derive(Debug, Clone)]
pub(crate) enum Place {
    Empty,
    /// All.
    Known(RtpPacket),
    /// What the equations say in which it is this column.
    Unknown(SeqNum, usize),
}

impl Window {
    /// `len` must be a power of two, 16384 at most.
    pub(crate) fn new(len: usize) -> Self {
        Self { places: vec![Place::Empty; len].into(), newest: None, reached: 0 }
    }

    /// Reaches up to `seq` if it is newer than all before, and gives away what it then no longer reaches.
    pub(crate) fn advance(&mut self, seq: SeqNum, mut gone: impl FnMut(Place)) {
        let ahead = self.newest.map_or(1, |newest| seq.distance_from(newest));
        let Ok(ahead @ 1..) = usize::try_from(ahead) else { return };
        self.reached = (self.reached + ahead).min(self.places.len());
        let mut cleared = seq;
        for _ in 0..ahead.min(self.places.len()) {
            gone(core::mem::replace(self.at(cleared), Place::Empty));
            cleared = cleared - 1;
        }
        self.newest = Some(seq);
    }

    /// Puts what is known of a packet that the window reaches.
    pub(crate) fn put(&mut self, seq: SeqNum, place: Place) {
        let behind = self.newest.and_then(|newest| usize::try_from(newest.distance_from(seq)).ok());
        self.reached = self.reached.max((behind.unwrap_or_default() + 1).min(self.places.len()));
        *self.at(seq) = place;
    }

    /// Forgets everything.
    pub(crate) fn clear(&mut self) {
        let mut seq = self.newest.take().unwrap_or_default();
        for _ in 0..core::mem::take(&mut self.reached) {
            *self.at(seq) = Place::Empty;
            seq = seq - 1;
        }
    }

    /// Whether the number is neither newer than the newest nor too old.
    pub(crate) fn reaches(&self, seq: SeqNum) -> bool {
        let behind = self.newest.and_then(|newest| usize::try_from(newest.distance_from(seq)).ok());
        behind.is_some_and(|behind| behind < self.places.len())
    }

    pub(crate) fn packet(&self, seq: SeqNum) -> Option<&RtpPacket> {
        match &self.places[self.index(seq)] {
            Place::Known(packet) if packet.seq() == seq => Some(packet),
            _ => None,
        }
    }

    /// The column a packet is in the equations, if it is in any.
    pub(crate) fn column(&self, seq: SeqNum) -> Option<usize> {
        match self.places[self.index(seq)] {
            Place::Unknown(of, column) if of == seq => Some(column),
            _ => None,
        }
    }

    /// The packets that are known, newest first.
    pub(crate) fn known(&self) -> impl Iterator<Item = &RtpPacket> {
        let newest = self.newest.unwrap_or_default();
        (0..self.reached).filter_map(move |back| self.packet(newest - u16::try_from(back).unwrap_or(u16::MAX)))
    }

    pub(crate) fn newest(&self) -> Option<SeqNum> {
        self.newest
    }

    fn at(&mut self, seq: SeqNum) -> &mut Place {
        &mut self.places[self.index(seq)]
    }

    fn index(&self, seq: SeqNum) -> usize {
        usize::from(seq.0) & (self.places.len() - 1)
    }
}
