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

    /// Where the numbers start again.
    #[must_use]
    pub const fn cycle(self) -> u16 {
        if self.is_long { 1 << 15 } else { 1 << 7 }
    }
}
