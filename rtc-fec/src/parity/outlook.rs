use rtc_core::SeqNum;

/// Whether error correction may still bring a packet: what to know before one asks for it again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Outlook {
    /// It is here, received or recovered.
    Here,
    /// A repair packet is held that recovers it once so many others that it protects are here.
    Held {
        /// How many others, the fewest of all repair packets that protect it.
        lacking: usize,
    },
    /// No repair packet that protects it came yet, but one may: others came for packets as old, and have not ceased to.
    Expected,
    /// Nothing is to be hoped for.
    None,
}

impl Outlook {
    /// Whether it is worth while to wait rather than ask.
    #[must_use]
    pub const fn may_come(self) -> bool {
        matches!(self, Self::Held { .. } | Self::Expected)
    }
}

/// Repair packets over which the largest distance is taken.
const MEMORY: u16 = 32;

/// How far behind the newest packet repair packets reach back when they come, learnt from those that came.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Lag {
    /// Largest of the period in progress and of the one before.
    reach: [u16; 2],
    count: u16,
    /// The newest packet when the last repair packet came.
    last: Option<SeqNum>,
}

impl Lag {
    /// Takes note of a repair packet that protects packets from `base` on.
    pub(crate) fn learn(&mut self, newest: SeqNum, base: SeqNum) {
        if self.count == MEMORY {
            (self.reach, self.count) = ([0, self.reach[0]], 0);
        }
        self.count += 1;
        self.reach[0] = self.reach[0].max(newest.distance_from(base).max(0).unsigned_abs());
        self.last = Some(newest);
    }

    /// Whether a repair packet may be yet to come for packet `seq`: not once it is older than any was when its repair packet
    /// came, nor when two such spans have passed without any repair packet.
    pub(crate) fn expects(&self, newest: SeqNum, seq: SeqNum) -> bool {
        let reach = self.reach[0].max(self.reach[1]);
        let within = |from: SeqNum, most: u16| u16::try_from(newest.distance_from(from)).is_ok_and(|age| age <= most);
        self.last.is_some_and(|last| within(last, reach.saturating_mul(2).max(1))) && within(seq, reach)
    }
}
