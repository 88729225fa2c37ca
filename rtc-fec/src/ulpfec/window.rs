use rtc_core::{RtpPacket, SeqNum};

/// The packets with the newest sequence numbers, in a ring.
#[derive(Debug)]
pub(super) struct Window {
    /// A power of two of places, so that numbers keep theirs when they wrap.
    places: Box<[Option<RtpPacket>]>,
    newest: Option<SeqNum>,
}

impl Window {
    /// `len` must be a power of two, 16384 at most.
    pub(super) fn new(len: usize) -> Self {
        Self { places: vec![None; len].into_boxed_slice(), newest: None }
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
        self.places[place] = Some(packet);
    }

    pub(super) fn clear(&mut self) {
        self.places.fill(None);
        self.newest = None;
    }

    /// Whether the number is neither newer than the newest nor too old.
    pub(super) fn reaches(&self, seq: SeqNum) -> bool {
        let behind = self.newest.and_then(|newest| usize::try_from(newest.distance_from(seq)).ok());
        behind.is_some_and(|behind| behind < self.places.len())
    }

    pub(super) fn get(&self, seq: SeqNum) -> Option<&RtpPacket> {
        self.places[self.place(seq)].as_ref().filter(|packet| packet.seq() == seq)
    }

    pub(super) fn newest(&self) -> Option<SeqNum> {
        self.newest
    }

    fn place(&self, seq: SeqNum) -> usize {
        usize::from(seq.0) & (self.places.len() - 1)
    }
}
