use bytes::BufMut;

/// A picture's number, in the 7 or 15 bits that VP8 and VP9 have for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct PictureId {
    /// The number.
    pub value: u16,
    /// Whether it has 15 bits (wraps at 32768) rather than 7 (wraps at 128).
    pub is_long: bool,
}

impl PictureId {
    /// Reads a number from its first byte on; the bytes it takes are one or two.
    pub(super) fn read(bytes: &[u8]) -> Option<(Self, usize)> {
        let first = *bytes.first()?;
        if first & 0x80 == 0 {
            return Some((Self { value: u16::from(first), is_long: false }, 1));
        }
        let value = u16::from_be_bytes([first & 0x7f, *bytes.get(1)?]);
        Some((Self { value, is_long: true }, 2))
    }

    /// Writes the number, in one or two bytes.
    pub(super) fn write(self, out: &mut impl BufMut) {
        let [high, low] = (self.value % self.cycle()).to_be_bytes();
        if self.is_long {
            out.put_slice(&[high | 0x80, low]);
        } else {
            out.put_u8(low);
        }
    }

    /// The next picture's.
    #[must_use]
    pub const fn next(self) -> Self {
        Self { value: self.value.wrapping_add(1) % self.cycle(), ..self }
    }

    /// Where the numbers start again.
    #[must_use]
    pub const fn cycle(self) -> u16 {
        if self.is_long { 1 << 15 } else { 1 << 7 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_start_again_after_their_bits() {
        let next = |value, is_long| PictureId { value, is_long }.next().value;
        assert_eq!([next(126, false), next(127, false), next(127, true), next(32_767, true)], [127, 0, 128, 0]);
        // More than the bits hold is taken modulo them, as it is written.
        assert_eq!([next(u16::MAX, true), next(128, false)], [0, 1]);
    }
}
