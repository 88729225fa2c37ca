use rtc_core::{Fault, Malformed, SeqNum};

use super::MAX_LEVELS;
use crate::parity::{Mask, Recovery};

/// Bytes of a level header at most.
pub(super) const LEVEL_LEN: usize = 8;
/// In the first byte: an extension of the format, reserved.
const EXTENDED: u8 = 0x80;
/// In the first byte: long masks.
const LONG: u8 = 0x40;

/// The FEC header (RFC 5109 §7.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct FecHeader {
    pub(super) recovery: Recovery,
    /// The lowest sequence number protected at any level.
    pub(super) base: SeqNum,
    /// Whether the masks of all levels are long.
    pub(super) long: bool,
}

/// The header and the payload of a level (RFC 5109 §7.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct LevelData<'a> {
    /// Bytes, after the fixed header, below the first that this level protects.
    pub(super) start: usize,
    pub(super) mask: Mask,
    pub(super) data: &'a [u8],
}

/// Reads a repair payload: the header, and the levels, lowest first.
pub(super) fn parse(payload: &[u8]) -> Result<(FecHeader, [Option<LevelData<'_>>; MAX_LEVELS]), Malformed> {
    let fault = |fault| Malformed::new("ULPFEC", fault);
    let (fixed, mut rest) = payload.split_first_chunk().ok_or_else(|| fault(Fault::Truncated))?;
    if fixed[0] & EXTENDED != 0 {
        return Err(fault(Fault::Reserved));
    }
    let header = FecHeader::from_bytes(*fixed);
    let (mut levels, mut start) = ([None; MAX_LEVELS], 0);
    for level in &mut levels {
        let (mask, data, after) = split_level(rest, header.long).ok_or_else(|| fault(Fault::Truncated))?;
        if mask.is_empty() {
            return Err(fault(Fault::Inconsistent));
        }
        *level = Some(LevelData { start, mask, data });
        (rest, start) = (after, start + data.len());
        if rest.is_empty() {
            return Ok((header, levels));
        }
    }
    Err(fault(Fault::Length))
}

/// A level's mask and data, and what follows.
fn split_level(bytes: &[u8], long: bool) -> Option<(Mask, &[u8], &[u8])> {
    let (length, rest) = bytes.split_first_chunk()?;
    let (mask, rest) = if long {
        let (mask, rest) = rest.split_first_chunk()?;
        (long_mask(*mask), rest)
    } else {
        let (&[first, second], rest) = rest.split_first_chunk()?;
        (long_mask([first, second, 0, 0, 0, 0]), rest)
    };
    let (data, rest) = rest.split_at_checked(usize::from(u16::from_be_bytes(*length)))?;
    Some((mask, data, rest))
}

/// A level's header on the wire, and how much of it there is.
pub(super) fn level_header(protected: u16, mask: Mask, long: bool) -> ([u8; LEVEL_LEN], usize) {
    let mut bytes = [0; LEVEL_LEN];
    bytes[..2].copy_from_slice(&protected.to_be_bytes());
    bytes[2..].copy_from_slice(&mask.bits().to_be_bytes()[..6]);
    (bytes, if long { LEVEL_LEN } else { 4 })
}

impl FecHeader {
    /// Bytes on the wire.
    pub(super) const LEN: usize = 10;

    fn from_bytes([first, second, s0, s1, t0, t1, t2, t3, l0, l1]: [u8; Self::LEN]) -> Self {
        let recovery = Recovery::new([first, second], [t0, t1, t2, t3], [l0, l1]);
        Self { recovery, base: SeqNum(u16::from_be_bytes([s0, s1])), long: first & LONG != 0 }
    }

    pub(super) fn to_bytes(self) -> [u8; Self::LEN] {
        let ([first, second], [t0, t1, t2, t3], [l0, l1]) = self.recovery.to_fields();
        let ([s0, s1], long) = (self.base.0.to_be_bytes(), if self.long { LONG } else { 0 });
        [first | long, second, s0, s1, t0, t1, t2, t3, l0, l1]
    }
}

/// The mask of these bits, most significant first.
fn long_mask([a, b, c, d, e, f]: [u8; 6]) -> Mask {
    Mask::from_bits(u128::from(u64::from_be_bytes([a, b, c, d, e, f, 0, 0])) << 64)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The two header layouts, as other implementations test them.
    #[test]
    fn rfc5109_s7_3_s7_4_short_and_long_headers() {
        let short = [0x00, 0x12, 0xab, 0xcd, 0x12, 0x34, 0x56, 0x78, 0xab, 0xcd, 0x11, 0x22, 0x33, 0x44];
        check(&short, long_mask([0x33, 0x44, 0, 0, 0, 0]));
        let mut long = short.to_vec();
        long[0] = 0x40;
        long.extend([0x55, 0x66, 0x77, 0x88]);
        check(&long, long_mask([0x33, 0x44, 0x55, 0x66, 0x77, 0x88]));
    }

    fn check(headers: &[u8], mask: Mask) {
        let payload = [headers, &[7; 0x1122]].concat();
        let (header, [Some(level), None, ..]) = parse(&payload).unwrap() else { panic!("one level") };
        assert_eq!((header.base, header.recovery.len()), (SeqNum(0xabcd), 0xabcd));
        assert_eq!((level.start, level.mask, level.data.len()), (0, mask, 0x1122));
        let (level, len) = level_header(0x1122, mask, header.long);
        assert_eq!([&header.to_bytes(), &level[..len]].concat(), headers);
    }
}
