/// Fate of a packet as a chunk tells it (§3.1.1). The fourth value of the two bits is reserved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Symbol {
    /// Not received: no delta.
    Lost = 0,
    /// Received, the delta in one unsigned byte.
    Small = 1,
    /// Received, the delta in two signed bytes.
    Large = 2,
}

impl Symbol {
    /// Bytes of delta.
    pub(super) const fn delta_len(self) -> usize {
        self as usize
    }

    const fn from_bits(bits: u16) -> Option<Self> {
        match bits {
            0 => Some(Self::Lost),
            1 => Some(Self::Small),
            2 => Some(Self::Large),
            _ => None,
        }
    }
}

/// 16 bits that tell the fates of several packets (§3.1.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Chunk {
    /// The same fate, in two bits, up to 8191 times (§3.1.3).
    Run { bits: u16, len: u16 },
    /// 14 fates of one bit, [`Symbol::Lost`] or [`Symbol::Small`], the first in the highest bit (§3.1.4).
    OneBit(u16),
    /// 7 fates of two bits (§3.1.4).
    TwoBit(u16),
}

/// The fates a chunk tells, one after the other.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Fates {
    left: u16,
    /// The next fate in the highest bits.
    bits: u16,
    /// How far down these are, and how far the next ones below; a run has no next ones.
    down: u8,
    step: u8,
}

impl Iterator for Fates {
    /// Two bits, never the reserved value in feedback that was checked.
    type Item = u16;

    #[inline]
    fn next(&mut self) -> Option<u16> {
        self.left = self.left.checked_sub(1)?;
        let fate = self.bits >> self.down;
        self.bits <<= self.step;
        Some(fate)
    }
}

const ONE_BITS: usize = 14;
const TWO_BITS: usize = 7;

impl Chunk {
    /// Most fates a chunk can tell.
    pub(super) const MAX_RUN: usize = (1 << 13) - 1;

    pub(super) const fn from_wire(word: u16) -> Self {
        match word >> 14 {
            0 | 1 => Self::Run { bits: word >> 13 & 3, len: word & 0x1fff },
            2 => Self::OneBit(word & 0x3fff),
            _ => Self::TwoBit(word & 0x3fff),
        }
    }

    pub(super) const fn to_wire(self) -> u16 {
        match self {
            Self::Run { bits, len } => bits << 13 | len,
            Self::OneBit(bits) => 0x8000 | bits,
            Self::TwoBit(bits) => 0xc000 | bits,
        }
    }

    /// A chunk for the first of `symbols`, which must not be empty, and how many of them it tells.
    ///
    /// Takes whatever tells most, and never tells less than seven of them while there are seven.
    #[expect(clippy::cast_possible_truncation, reason = "the run is cut to 13 bits")]
    pub(crate) fn first_of(symbols: &[Symbol]) -> (Self, usize) {
        let first = symbols[0];
        let run = symbols.iter().take(Self::MAX_RUN).take_while(|symbol| **symbol == first).count();
        let as_run = (Self::Run { bits: first as u16, len: run as u16 }, run);
        if run >= ONE_BITS || run == symbols.len() {
            return as_run;
        }
        let window = &symbols[..symbols.len().min(ONE_BITS)];
        if !window.contains(&Symbol::Large) {
            return (Self::OneBit(pack(window, ONE_BITS, 1)), window.len());
        }
        if run >= TWO_BITS {
            return as_run;
        }
        let window = &symbols[..symbols.len().min(TWO_BITS)];
        (Self::TwoBit(pack(window, TWO_BITS, 2)), window.len())
    }

    /// Fates it can tell.
    pub(super) const fn len(self) -> usize {
        match self {
            Self::Run { len, .. } => len as usize,
            Self::OneBit(_) => ONE_BITS,
            Self::TwoBit(_) => TWO_BITS,
        }
    }

    pub(super) const fn fates(self) -> Fates {
        match self {
            Self::Run { bits, len } => Fates { left: len, bits: bits << 14, down: 14, step: 0 },
            Self::OneBit(bits) => Fates { left: 14, bits: bits << 2, down: 15, step: 1 },
            Self::TwoBit(bits) => Fates { left: 7, bits: bits << 2, down: 14, step: 2 },
        }
    }

    /// The fate at `index`, which must be below [`len`](Self::len); `None` if it is the reserved one.
    pub(super) const fn symbol(self, index: usize) -> Option<Symbol> {
        Symbol::from_bits(match self {
            Self::Run { bits, .. } => bits,
            Self::OneBit(bits) => bits >> (ONE_BITS - 1 - index) & 1,
            Self::TwoBit(bits) => bits >> (2 * (TWO_BITS - 1 - index)) & 3,
        })
    }

    /// Bytes of delta of the first `count` fates; `None` if one of them is the reserved one.
    pub(super) fn deltas_len(self, count: usize) -> Option<usize> {
        match self {
            Self::Run { bits, .. } => Some(count * Symbol::from_bits(bits)?.delta_len()),
            Self::OneBit(bits) => Some((bits >> (ONE_BITS - count.min(ONE_BITS))).count_ones() as usize),
            _ => (0..count).map(|index| self.symbol(index).map(Symbol::delta_len)).sum(),
        }
    }
}

/// Symbols of `width` bits each, the first highest, `slots` of them.
fn pack(symbols: &[Symbol], slots: usize, width: usize) -> u16 {
    let bits = symbols.iter().fold(0, |bits, symbol| bits << width | *symbol as u16);
    bits << (width * (slots - symbols.len()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use Symbol::{Large, Lost, Small};

    /// §3.1.3, example 1: run length chunk, symbol 00, run length 221.
    /// §3.1.3, example 2: symbol 11, reserved in version 01, run length 24.
    #[test]
    fn draft_holmer_s3_1_3_run_length_chunks() {
        assert_eq!(Chunk::from_wire(0b0000_0000_1101_1101), Chunk::Run { bits: 0, len: 221 });
        assert_eq!(Chunk::from_wire(0b0110_0000_0001_1000), Chunk::Run { bits: 3, len: 24 });
        assert_eq!(Chunk::from_wire(0b0110_0000_0001_1000).deltas_len(24), None);
    }

    /// §3.1.4, example 1: one-bit symbols 0, 11111, 00, 111, 000 in their order.
    #[test]
    fn draft_holmer_s3_1_4_one_bit_vector() {
        let symbols = [Lost, Small, Small, Small, Small, Small, Lost, Lost, Lost, Small, Small, Small, Lost, Lost];
        let (chunk, len) = Chunk::first_of(&symbols);
        assert_eq!((chunk.to_wire(), len), (0b1001_1111_0001_1100, 14));
        let read: Vec<_> = (0..14).map(|index| Chunk::from_wire(chunk.to_wire()).symbol(index)).collect();
        assert_eq!(read, symbols.map(Some));
    }

    /// §3.1.4, example 2: two-bit symbols.
    #[test]
    fn draft_holmer_s3_1_4_two_bit_vector() {
        let symbols = [Lost, Large, Small, Small, Small, Lost, Lost];
        let (chunk, len) = Chunk::first_of(&symbols);
        assert_eq!((chunk.to_wire(), len), (0b1100_1001_0101_0000, 7));
        let read: Vec<_> = (0..7).map(|index| Chunk::from_wire(chunk.to_wire()).symbol(index)).collect();
        assert_eq!(read, symbols.map(Some));
    }

    #[test]
    fn the_chunk_that_tells_most_is_taken() {
        let told = |symbols: &[Symbol]| Chunk::first_of(symbols);
        assert_eq!(told(&[Small; 9_000]), (Chunk::Run { bits: 1, len: 8_191 }, 8_191));
        assert_eq!(told(&[Large; 3]), (Chunk::Run { bits: 2, len: 3 }, 3));
        let mut mixed = [Small; 20];
        mixed[10] = Lost;
        assert!(matches!(told(&mixed), (Chunk::OneBit(_), 14)));
        mixed[12] = Large;
        assert!(matches!(told(&mixed), (Chunk::Run { bits: 1, len: 10 }, 10)));
        mixed[3] = Lost;
        assert!(matches!(told(&mixed), (Chunk::TwoBit(_), 7)));
        assert!(matches!(told(&[Lost, Small]), (Chunk::OneBit(0x1000), 2)));
    }
}
