use rtc_core::{Fault, Malformed, SeqNum};

use super::covered::{Covered, MAX_SOURCES, MAX_SPAN};

/// Bytes without a mask.
const FIXED_LEN: usize = 6;
const VERSION: u8 = 0xc0;
const CAUCHY: u8 = 0x20;
const MASKED: u8 = 0x10;
const DENSITY: u8 = 0x0f;
const FORMAT: &str = "linear repair";

/// What a repair packet says of itself before its symbol; `docs/mechanisms/fec.md` has a picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) code: Code,
    pub(crate) base: SeqNum,
    pub(crate) covered: Covered,
}

/// How the coefficients are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Code {
    /// As RFC 8681 §3.6 has it, from a repair key and a density threshold of 0 to 15.
    Rlc { key: u16, density: u8 },
    /// This row of the matrix, below 64, whose columns are the distances from the base, below 64 as well.
    Cauchy { row: u8 },
}

impl Header {
    /// Bytes on the wire at most.
    pub(crate) const MAX_LEN: usize = FIXED_LEN + MAX_SPAN / 8;
    /// The byte that has the row of [`Code::Cauchy`].
    pub(crate) const ROW: usize = 5;

    /// Reads the header; what follows is the symbol.
    pub(crate) fn parse(payload: &[u8]) -> Result<(Self, &[u8]), Malformed> {
        let fault = |fault| Malformed::new(FORMAT, fault);
        let (fixed, rest) = payload.split_first_chunk::<FIXED_LEN>().ok_or_else(|| fault(Fault::Truncated))?;
        let [first, span, b0, b1, k0, k1] = *fixed;
        if first & VERSION != 0 {
            return Err(fault(Fault::Version));
        }
        let (key, density) = (u16::from_be_bytes([k0, k1]), first & DENSITY);
        let code = match first & CAUCHY {
            0 => Code::Rlc { key, density },
            _ if density != DENSITY || usize::from(key) >= MAX_SOURCES => return Err(fault(Fault::Reserved)),
            _ => Code::Cauchy { row: k1 },
        };
        let (covered, symbol) = Covered::read(usize::from(span) + 1, first & MASKED != 0, rest).map_err(fault)?;
        if matches!(code, Code::Cauchy { .. }) && covered.span() > MAX_SOURCES {
            return Err(fault(Fault::Length));
        }
        Ok((Self { code, base: SeqNum(u16::from_be_bytes([b0, b1])), covered }, symbol))
    }

    /// The newest packet covered.
    pub(crate) fn last(&self) -> SeqNum {
        self.base + self.covered.reach()
    }

    /// The header on the wire, and how much of it there is. Something must be covered, the first included.
    pub(crate) fn to_bytes(self) -> ([u8; Self::MAX_LEN], usize) {
        let mut bytes = [0; Self::MAX_LEN];
        let (span, masked) = (self.covered.span(), self.covered.has_holes());
        let (code, key) = match self.code {
            Code::Rlc { key, density } => (density & DENSITY, key),
            Code::Cauchy { row } => (CAUCHY | DENSITY, u16::from(row)),
        };
        bytes[0] = code | if masked { MASKED } else { 0 };
        bytes[1] = u8::try_from(span.saturating_sub(1)).unwrap_or(u8::MAX);
        bytes[2..4].copy_from_slice(&self.base.0.to_be_bytes());
        bytes[4..6].copy_from_slice(&key.to_be_bytes());
        if !masked {
            return (bytes, FIXED_LEN);
        }
        bytes[FIXED_LEN..].copy_from_slice(&self.covered.mask());
        (bytes, FIXED_LEN + span.div_ceil(8))
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::btree_set;
    use proptest::prelude::*;

    use super::*;

    fn header() -> impl Strategy<Value = Header> {
        let rlc = (any::<u16>(), 0u8..16).prop_map(|(key, density)| Code::Rlc { key, density });
        let cauchy = (0u8..64).prop_map(|row| Code::Cauchy { row });
        let some = btree_set(1usize..256, 0..64).prop_map(|offsets| {
            let mut covered = Covered::all(1);
            offsets.into_iter().for_each(|offset| covered.insert(offset));
            covered
        });
        let covered = prop_oneof![(1usize..=64).prop_map(Covered::all), some];
        let near = btree_set(0usize..64, 1..64).prop_map(|offsets| {
            let mut covered = Covered::all(1);
            offsets.into_iter().for_each(|offset| covered.insert(offset));
            covered
        });
        let code = prop_oneof![(rlc, covered), (cauchy, near)];
        (code, any::<u16>()).prop_map(|((code, covered), base)| Header { code, base: SeqNum(base), covered })
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(header in header(), symbol in proptest::collection::vec(any::<u8>(), 0..9)) {
            let (bytes, len) = header.to_bytes();
            let payload = [&bytes[..len], &symbol].concat();
            prop_assert_eq!(Header::parse(&payload), Ok((header, &symbol[..])));
            prop_assert!((0..len).all(|short| Header::parse(&payload[..short]).is_err()));
            let offsets: Vec<_> = (0..256).filter(|offset| header.covered.contains(usize::from(*offset))).collect();
            prop_assert_eq!(header.covered.offsets().collect::<Vec<_>>(), offsets);
        }

        #[test]
        fn what_is_read_is_written(payload in proptest::collection::vec(any::<u8>(), 0..50)) {
            if let Ok((header, symbol)) = Header::parse(&payload) {
                let (bytes, len) = header.to_bytes();
                prop_assert_eq!([&bytes[..len], symbol].concat(), payload);
                prop_assert!((1..=MAX_SOURCES).contains(&header.covered.count()));
            }
        }
    }

    #[test]
    fn the_bytes_of_the_format() {
        let mut covered = Covered::all(3);
        let code = Code::Rlc { key: 0x0102, density: 15 };
        let mut header = Header { code, base: SeqNum(0xabcd), covered };
        assert_eq!(header.to_bytes().0[..6], [0x0f, 2, 0xab, 0xcd, 1, 2]);
        covered.insert(9);
        (header.covered, header.code) = (covered, Code::Cauchy { row: 7 });
        let (bytes, len) = header.to_bytes();
        assert_eq!(bytes[..len], [0x3f, 9, 0xab, 0xcd, 0, 7, 0b1110_0000, 0b0100_0000]);
    }

    #[test]
    fn impossible_headers_are_malformed() {
        let fault = |payload: &[u8]| Header::parse(payload).map(|_| ()).map_err(|error| error.fault());
        assert_eq!(fault(&[0x0f, 0, 0, 0, 0]), Err(Fault::Truncated));
        assert_eq!(fault(&[0x4f, 0, 0, 0, 0, 0]), Err(Fault::Version));
        // A row beyond the matrix, a Cauchy matrix with holes in it.
        assert_eq!(fault(&[0x2f, 0, 0, 0, 0, 64]), Err(Fault::Reserved));
        assert_eq!(fault(&[0x2e, 0, 0, 0, 0, 0]), Err(Fault::Reserved));
        assert_eq!(fault(&[0x1f, 8, 0, 0, 0, 0, 0x80]), Err(Fault::Truncated));
        // Not the first, not the last, more than the last, all of them.
        for mask in [0x40_u8, 0x80, 0xd0, 0xe0] {
            assert_eq!(fault(&[0x1f, 2, 0, 0, 0, 0, mask]), Err(Fault::Inconsistent), "{mask:x}");
        }
        assert_eq!(fault(&[0x0f, 64, 0, 0, 0, 0]), Err(Fault::Length));
        assert_eq!(fault(&[0x0f, 63, 0, 0, 0, 0]), Ok(()));
        assert_eq!(fault(&[0x1f, 64, 0, 0, 0, 0, 0x80, 0, 0, 0, 0, 0, 0, 0, 0x80]), Ok(()));
        assert_eq!(fault(&[0x3f, 64, 0, 0, 0, 0, 0x80, 0, 0, 0, 0, 0, 0, 0, 0x80]), Err(Fault::Length));
    }
}
