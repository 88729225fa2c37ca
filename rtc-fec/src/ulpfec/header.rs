use rtc_core::{Fault, Malformed, SeqNum, Ssrc};

use super::MAX_LEVELS;
use super::mask::Mask;

/// Bytes of the fixed RTP header, which the FEC header stands for (RFC 5109 §8.2).
pub(super) const RTP_LEN: usize = 12;
/// Bytes of a level header at most.
pub(super) const LEVEL_LEN: usize = 8;
/// In the first byte: long masks.
const LONG: u8 = 0x40;
/// In the first byte: P, X and CC. The version, which they share it with, is not recovered but known.
const RECOVERED: u8 = 0x3f;

/// The fields of a packet that the FEC header recovers, as they lie on the wire without the sequence number: P, X, CC; M, PT;
/// timestamp; length (RFC 5109 §7.3). The exclusive or of several is the recovery field of them all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Recovery(u64);

impl Recovery {
    /// Of a whole packet, whose length past the fixed header must fit 16 bits.
    pub(super) fn of(packet: &[u8]) -> Option<Self> {
        let &[first, second, _, _, t0, t1, t2, t3, ..] = packet else { return None };
        let [l0, l1] = u16::try_from(packet.len().checked_sub(RTP_LEN)?).ok()?.to_be_bytes();
        Some(Self(u64::from_be_bytes([first & RECOVERED, second, t0, t1, t2, t3, l0, l1])))
    }

    pub(super) fn add(&mut self, other: Self) {
        self.0 ^= other.0;
    }

    /// Bytes after the fixed header.
    pub(super) fn len(self) -> usize {
        let [.., l0, l1] = self.0.to_be_bytes();
        usize::from(u16::from_be_bytes([l0, l1]))
    }

    /// The same of a packet without padding.
    pub(super) fn without_padding(self) -> Self {
        Self(self.0 & !(0x20 << 56))
    }

    /// The fixed header of the packet these are the fields of (RFC 5109 §9.1).
    pub(super) fn rtp_header(self, seq: SeqNum, ssrc: Ssrc) -> [u8; RTP_LEN] {
        let ([first, second, t0, t1, t2, t3, _, _], [s0, s1]) = (self.0.to_be_bytes(), seq.0.to_be_bytes());
        let [a, b, c, d] = ssrc.0.to_be_bytes();
        [0x80 | first, second, s0, s1, t0, t1, t2, t3, a, b, c, d]
    }
}

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
        (Mask::from_long(*mask), rest)
    } else {
        let (mask, rest) = rest.split_first_chunk()?;
        (Mask::from_short(*mask), rest)
    };
    let (data, rest) = rest.split_at_checked(usize::from(u16::from_be_bytes(*length)))?;
    Some((mask, data, rest))
}

/// A level's header on the wire, and how much of it there is.
pub(super) fn level_header(protected: u16, mask: Mask, long: bool) -> ([u8; LEVEL_LEN], usize) {
    let mut bytes = [0; LEVEL_LEN];
    bytes[..2].copy_from_slice(&protected.to_be_bytes());
    bytes[2..].copy_from_slice(&mask.to_bytes());
    (bytes, if long { LEVEL_LEN } else { 4 })
}

impl FecHeader {
    /// Bytes on the wire.
    pub(super) const LEN: usize = 10;

    fn from_bytes([first, second, s0, s1, t0, t1, t2, t3, l0, l1]: [u8; Self::LEN]) -> Self {
        // The extension flag, the most significant bit, should be ignored.
        let recovery = Recovery(u64::from_be_bytes([first & RECOVERED, second, t0, t1, t2, t3, l0, l1]));
        Self { recovery, base: SeqNum(u16::from_be_bytes([s0, s1])), long: first & LONG != 0 }
    }

    pub(super) fn to_bytes(self) -> [u8; Self::LEN] {
        let [first, second, t0, t1, t2, t3, l0, l1] = self.recovery.0.to_be_bytes();
        let ([s0, s1], long) = (self.base.0.to_be_bytes(), if self.long { LONG } else { 0 });
        [first | long, second, s0, s1, t0, t1, t2, t3, l0, l1]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The two header layouts, as other implementations test them.
    #[test]
    fn rfc5109_s7_3_s7_4_short_and_long_headers() {
        let short = [0x00, 0x12, 0xab, 0xcd, 0x12, 0x34, 0x56, 0x78, 0xab, 0xcd, 0x11, 0x22, 0x33, 0x44];
        check(&short, Mask::from_short([0x33, 0x44]));
        let mut long = short.to_vec();
        long[0] = 0x40;
        long.extend([0x55, 0x66, 0x77, 0x88]);
        check(&long, Mask::from_long([0x33, 0x44, 0x55, 0x66, 0x77, 0x88]));
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
