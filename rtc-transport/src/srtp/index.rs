//! Packet indices: sequence numbers made 48 bits long, and which of them were there.

/// The index of a packet with sequence number `seq`, in a stream whose highest index so far is `highest` (RFC 3711 §3.3.1 and
/// appendix A); `None` if it lies before the first or beyond the last that 48 bits count.
#[inline]
pub(super) fn estimate(highest: u64, seq: u16) -> Option<u64> {
    #[expect(clippy::cast_possible_truncation, reason = "the low bits are the sequence number")]
    let last = highest as u16;
    let rollovers = highest >> 16;
    let rollovers = if last < 1 << 15 {
        if i32::from(seq) - i32::from(last) > 1 << 15 { rollovers.checked_sub(1)? } else { rollovers }
    } else if i32::from(last) - (1 << 15) > i32::from(seq) {
        rollovers + 1
    } else {
        rollovers
    };
    (rollovers < 1 << 32).then_some(rollovers << 16 | u64::from(seq))
}

/// Which of the last indices were there (RFC 3711 §3.3.2): a ring of bits.
#[derive(Debug, Clone)]
pub(super) struct ReplayWindow {
    highest: u64,
    is_empty: bool,
    bits: Box<[u64]>,
}

impl ReplayWindow {
    /// A window of at least `size` indices.
    pub(super) fn new(size: u32) -> Self {
        Self { highest: 0, is_empty: true, bits: vec![0; size.div_ceil(64) as usize].into() }
    }

    /// The highest index that was there.
    #[inline]
    pub(super) fn highest(&self) -> Option<u64> {
        (!self.is_empty).then_some(self.highest)
    }

    /// Whether `index` was not there yet, and would be known if it had been.
    #[inline]
    pub(super) fn is_fresh(&self, index: u64) -> bool {
        if self.is_empty || index > self.highest {
            return true;
        }
        let (word, bit) = self.place(index);
        self.highest - index < self.size() && self.bits[word] & bit == 0
    }

    /// Takes note that `index`, which is fresh, was there.
    #[inline]
    pub(super) fn insert(&mut self, index: u64) {
        if self.is_empty {
            (self.is_empty, self.highest) = (false, index);
        } else if index > self.highest {
            if index - self.highest >= self.size() {
                self.bits.fill(0);
            } else {
                for skipped in self.highest + 1..index {
                    let (word, bit) = self.place(skipped);
                    self.bits[word] &= !bit;
                }
            }
            self.highest = index;
        }
        let (word, bit) = self.place(index);
        self.bits[word] |= bit;
    }

    #[inline]
    fn size(&self) -> u64 {
        64 * self.bits.len() as u64
    }

    #[inline]
    fn place(&self, index: u64) -> (usize, u64) {
        let word = (index / 64 % self.bits.len() as u64) as usize;
        (word, 1 << (index % 64))
    }
}
