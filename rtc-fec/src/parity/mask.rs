/// A set of packets by their distance from a base, most significant bit first (RFC 5109 §7.4, RFC 8627 §4.2.2.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Mask(u128);

impl Mask {
    /// The first bits of a set, the first of all the most significant.
    pub(crate) const fn from_bits(bits: u128) -> Self {
        Self(bits)
    }

    /// All bits, the first the most significant.
    pub(crate) const fn bits(self) -> u128 {
        self.0
    }

    pub(crate) fn insert(&mut self, offset: u16) {
        debug_assert!(offset < 128);
        self.0 |= bit(offset);
    }

    /// The same packets from a base this far back.
    pub(crate) fn rebased_back(self, back: u16) -> Self {
        Self(self.0.checked_shr(u32::from(back)).unwrap_or_default())
    }

    /// The same packets from a base this far on, which is none after the first of them.
    pub(crate) fn rebased_on(self, on: u16) -> Self {
        Self(self.0.checked_shl(u32::from(on)).unwrap_or_default())
    }

    pub(crate) fn contains(self, offset: u16) -> bool {
        offset < 128 && self.0 & bit(offset) != 0
    }

    pub(crate) fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The least distance in the set.
    #[expect(clippy::cast_possible_truncation, reason = "128 at most")]
    pub(crate) fn first(self) -> u16 {
        self.0.leading_zeros() as u16
    }

    /// The greatest distance in the set.
    pub(crate) fn last(self) -> u16 {
        127 - self.0.trailing_zeros().min(127) as u16
    }

    /// Takes the least distance out of the set.
    pub(super) fn pop(&mut self) -> Option<u16> {
        let first = (!self.is_empty()).then(|| self.first())?;
        self.0 &= !bit(first);
        Some(first)
    }
}

fn bit(offset: u16) -> u128 {
    1 << (127 - offset)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_significant_bit_is_the_base() {
        let mut mask = Mask::from_bits(0b1010_0000_0000_0001 << 112);
        assert_eq!((mask.first(), mask.last(), mask.contains(2), mask.contains(1)), (0, 15, true, false));
        assert_eq!([mask.pop(), mask.pop(), mask.pop(), mask.pop()], [Some(0), Some(2), Some(15), None]);
        let mut mask = Mask::default();
        mask.insert(13);
        assert_eq!((mask.rebased_on(13).first(), mask.rebased_on(13).rebased_back(13)), (0, mask));
        mask.insert(127);
        assert_eq!(mask.last(), 127);
        assert!(!mask.contains(128));
    }
}
