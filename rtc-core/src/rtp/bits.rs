use alloc::vec::Vec;

use crate::{Fault, Malformed};

/// Reads bits, most significant first.
#[derive(Debug, Clone)]
pub(super) struct Bits<'a> {
    format: &'static str,
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Bits<'a> {
    /// `format` names the bytes in errors.
    pub(super) fn new(format: &'static str, bytes: &'a [u8]) -> Self {
        Self { format, bytes, at: 0 }
    }

    pub(super) fn flag(&mut self) -> Result<bool, Malformed> {
        let byte = self.bytes.get(self.at / 8).ok_or_else(|| Malformed::new(self.format, Fault::Truncated))?;
        let bit = byte >> (7 - self.at % 8) & 1;
        self.at += 1;
        Ok(bit == 1)
    }

    /// The next `count` bits, 32 at most.
    pub(super) fn take(&mut self, count: u32) -> Result<u32, Malformed> {
        (0..count).try_fold(0, |value, _| Ok(value << 1 | u32::from(self.flag()?)))
    }

    /// The next `count` bits, 8 at most.
    #[expect(clippy::cast_possible_truncation, reason = "8 bits at most")]
    pub(super) fn byte(&mut self, count: u32) -> Result<u8, Malformed> {
        Ok(self.take(count.min(8))? as u8)
    }

    /// The next 16 bits.
    #[expect(clippy::cast_possible_truncation, reason = "16 bits")]
    pub(super) fn word(&mut self) -> Result<u16, Malformed> {
        Ok(self.take(16)? as u16)
    }

    /// A value below `bound`, in as many bits as that needs or one less: AV1's ns(n).
    pub(super) fn below(&mut self, bound: u32) -> Result<u32, Malformed> {
        let width = u32::BITS - bound.leading_zeros();
        if width <= 1 {
            return Ok(0);
        }
        let short = (1 << width) - bound;
        let value = self.take(width - 1)?;
        if value < short { Ok(value) } else { Ok((value << 1 | u32::from(self.flag()?)) - short) }
    }

    pub(super) fn fault<T>(&self, fault: Fault) -> Result<T, Malformed> {
        Err(Malformed::new(self.format, fault))
    }
}

/// Writes bits behind what is there, most significant first; what is left of the last byte is zero.
#[derive(Debug)]
pub(super) struct BitWriter<'a> {
    bytes: &'a mut Vec<u8>,
    /// Bits of the last byte that are free.
    free: u32,
}

impl<'a> BitWriter<'a> {
    pub(super) fn new(bytes: &'a mut Vec<u8>) -> Self {
        Self { bytes, free: 0 }
    }

    /// The lowest `count` bits of `value`, 32 at most.
    pub(super) fn put(&mut self, value: u32, count: u32) {
        for index in (0..count).rev() {
            if self.free == 0 {
                self.bytes.push(0);
                self.free = 8;
            }
            self.free -= 1;
            if let Some(last) = self.bytes.last_mut() {
                *last |= u8::from(value >> index & 1 == 1) << self.free;
            }
        }
    }

    /// A value below `bound`, as [`Bits::below`] reads it.
    pub(super) fn put_below(&mut self, value: u32, bound: u32) {
        let width = u32::BITS - bound.leading_zeros();
        if width <= 1 {
            return;
        }
        let short = (1 << width) - bound;
        if value < short { self.put(value, width - 1) } else { self.put(value + short, width) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_is_read_again() {
        for bound in 1..=40 {
            let mut bytes = alloc::vec![0xff];
            let mut writer = BitWriter::new(&mut bytes);
            writer.put(0b101, 3);
            (0..bound).for_each(|value| writer.put_below(value, bound));
            let mut bits = Bits::new("test", &bytes[1..]);
            assert_eq!(bits.take(3), Ok(0b101));
            assert!((0..bound).all(|value| bits.below(bound) == Ok(value)), "{bound}");
        }
    }

    #[test]
    fn bits_come_most_significant_first_and_end_with_the_bytes() {
        let mut bits = Bits::new("test", &[0b1010_0110, 0xff]);
        assert_eq!(bits.flag(), Ok(true));
        assert_eq!(bits.take(3), Ok(0b010));
        assert_eq!(bits.byte(5), Ok(0b01101));
        assert_eq!(bits.take(8), Err(Malformed::new("test", Fault::Truncated)));
    }

    /// AV1 specification §4.10.7: with n = 5, the values 0 to 2 take two bits, 3 and 4 three.
    #[test]
    fn non_symmetric_numbers_are_as_short_as_they_can_be() {
        let read = |bound, byte| {
            let bytes = [byte];
            let mut bits = Bits::new("test", &bytes);
            (bits.below(bound), bits.at)
        };
        assert_eq!(read(5, 0b0000_0000), (Ok(0), 2));
        assert_eq!(read(5, 0b1000_0000), (Ok(2), 2));
        assert_eq!(read(5, 0b1100_0000), (Ok(3), 3));
        assert_eq!(read(5, 0b1110_0000), (Ok(4), 3));
        assert_eq!(read(1, 0xff), (Ok(0), 0));
        assert_eq!(read(2, 0x80), (Ok(1), 1));
    }
}
