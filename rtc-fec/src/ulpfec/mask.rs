/// A set of packets by their distance from a base, up to 47, most significant bit first (RFC 5109 §7.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Mask(u64);

impl Mask {
    pub(super) const LEN: u16 = 48;

    /// From the bits of a long mask.
    pub(super) fn from_long(bits: [u8; 6]) -> Self {
        let [a, b, c, d, e, f] = bits;
        Self(u64::from_be_bytes([a, b, c, d, e, f, 0, 0]))
    }

    /// From the bits of a short mask.
    pub(super) fn from_short([a, b]: [u8; 2]) -> Self {
        Self::from_long([a, b, 0, 0, 0, 0])
    }

    pub(super) fn insert(&mut self, offset: u16) {
        debug_assert!(offset < Self::LEN);
        self.0 |= bit(offset);
    }

    /// The same packets from a base this far back.
    pub(super) fn rebased_back(self, back: u16) -> Self {
        Self(self.0.checked_shr(u32::from(back)).unwrap_or_default())
    }

    /// The same packets from a base this far on, which is none after the first of them.
    pub(super) fn rebased_on(self, on: u16) -> Self {
        Self(self.0.checked_shl(u32::from(on)).unwrap_or_default())
    }

    pub(super) fn contains(self, offset: u16) -> bool {
        offset < Self::LEN && self.0 & bit(offset) != 0
    }

    pub(super) fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The least distance in the set.
    #[expect(clippy::cast_possible_truncation, reason = "64 at most")]
    pub(super) fn first(self) -> u16 {
        self.0.leading_zeros() as u16
    }

    /// The greatest distance in the set.
    pub(super) fn last(self) -> u16 {
        63 - self.0.trailing_zeros().min(63) as u16
    }

    /// The distances in the set, least first.
    pub(super) fn offsets(self) -> impl Iterator<Item = u16> {
        let mut rest = self;
        core::iter::from_fn(move || {
            let first = (!rest.is_empty()).then(|| rest.first())?;
            rest.0 &= !bit(first);
            Some(first)
        })
    }

    /// The six bytes of a long mask; of a short one the first two.
    pub(super) fn to_bytes(self) -> [u8; 6] {
        let [a, b, c, d, e, f, _, _] = self.0.to_be_bytes();
        [a, b, c, d, e, f]
    }
}

fn bit(offset: u16) -> u64 {
    1 << (63 - offset)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc5109_s7_4_the_most_significant_bit_is_the_base() {
        let mask = Mask::from_short([0b1010_0000, 1]);
        assert!(mask.offsets().eq([0, 2, 15]));
        assert_eq!((mask.last(), mask.to_bytes()), (15, [0b1010_0000, 1, 0, 0, 0, 0]));
        assert!(Mask::from_long([0, 0, 0, 0, 0, 1]).offsets().eq([47]));
        let mask = Mask::from_long([0, 4, 0, 0, 0, 0]);
        assert_eq!((mask.first(), mask.rebased_on(13)), (13, Mask::from_short([0x80, 0])));
        assert_eq!(mask.rebased_on(13).rebased_back(13), mask);
    }
}
