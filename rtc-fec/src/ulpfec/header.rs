use rtc_core::{Fault, Malformed, SeqNum, Ssrc};

use super::mask::Mask;

/// Bytes of the fixed RTP header, which the FEC header stands for (RFC 5109 §8.2).
pub(super) const RTP_LEN: usize = 12;
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

    /// The fixed header of the packet these are the fields of (RFC 5109 §9.1).
    pub(super) fn rtp_header(self, seq: SeqNum, ssrc: Ssrc) -> [u8; RTP_LEN] {
        let ([first, second, t0, t1, t2, t3, _, _], [s0, s1]) = (self.0.to_be_bytes(), seq.0.to_be_bytes());
        let [a, b, c, d] = ssrc.0.to_be_bytes();
        [0x80 | first, second, s0, s1, t0, t1, t2, t3, a, b, c, d]
    }
}

/// The FEC header and the header of level 0 (RFC 5109 §7.3, §7.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct FecHeader {
    pub(super) recovery: Recovery,
    /// The lowest sequence number protected.
    pub(super) base: SeqNum,
    pub(super) mask: Mask,
    /// Bytes after the fixed header that level 0 protects.
    pub(super) protected: u16,
}

impl FecHeader {
    /// Bytes on the wire at most.
    pub(super) const MAX_LEN: usize = 18;

    /// Reads the headers of a repair payload; returns the protected bytes of level 0 as well. Higher levels may follow.
    pub(super) fn parse(payload: &[u8]) -> Result<(Self, &[u8]), Malformed> {
        let fault = |fault| Malformed::new("ULPFEC", fault);
        let truncated = || fault(Fault::Truncated);
        let (fixed, rest) = payload.split_first_chunk::<10>().ok_or_else(truncated)?;
        let [first, second, s0, s1, t0, t1, t2, t3, l0, l1] = *fixed;
        let (length, rest) = rest.split_first_chunk::<2>().ok_or_else(truncated)?;
        let protected = u16::from_be_bytes(*length);
        let (mask, rest) = if first & LONG == 0 {
            let (mask, rest) = rest.split_first_chunk::<2>().ok_or_else(truncated)?;
            (Mask::from_short(*mask), rest)
        } else {
            let (mask, rest) = rest.split_first_chunk::<6>().ok_or_else(truncated)?;
            (Mask::from_long(*mask), rest)
        };
        if mask.is_empty() {
            return Err(fault(Fault::Inconsistent));
        }
        let data = rest.get(..usize::from(protected)).ok_or_else(truncated)?;
        // The extension flag, bit 0, should be ignored (§7.3).
        let recovery = Recovery(u64::from_be_bytes([first & RECOVERED, second, t0, t1, t2, t3, l0, l1]));
        Ok((Self { recovery, base: SeqNum(u16::from_be_bytes([s0, s1])), mask, protected }, data))
    }

    /// The packets protected.
    pub(super) fn seqs(&self) -> impl Iterator<Item = SeqNum> + use<> {
        let base = self.base;
        self.mask.offsets().map(move |offset| base + offset)
    }

    /// The last packet protected.
    pub(super) fn last(&self) -> SeqNum {
        self.base + self.mask.last()
    }

    pub(super) fn protects(&self, seq: SeqNum) -> bool {
        u16::try_from(seq.distance_from(self.base)).is_ok_and(|offset| self.mask.contains(offset))
    }

    /// The headers on the wire, with the short mask where it does; and their length.
    pub(super) fn to_bytes(self) -> ([u8; Self::MAX_LEN], usize) {
        let [first, second, t0, t1, t2, t3, l0, l1] = self.recovery.0.to_be_bytes();
        let ([s0, s1], [p0, p1], mask) =
            (self.base.0.to_be_bytes(), self.protected.to_be_bytes(), self.mask.to_bytes());
        let long = self.mask.last() >= 16;
        let first = first | if long { LONG } else { 0 };
        let mut bytes = [first, second, s0, s1, t0, t1, t2, t3, l0, l1, p0, p1, 0, 0, 0, 0, 0, 0];
        bytes[12..].copy_from_slice(&mask);
        (bytes, if long { Self::MAX_LEN } else { 14 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The two header layouts, as other implementations test them.
    #[test]
    fn rfc5109_s7_3_s7_4_short_and_long_headers() {
        let mut short = vec![0x00, 0x12, 0xab, 0xcd, 0x12, 0x34, 0x56, 0x78, 0xab, 0xcd, 0x11, 0x22, 0x33, 0x44];
        short.resize(14 + 0x1122, 7);
        let (header, data) = FecHeader::parse(&short).unwrap();
        assert_eq!((header.base, header.protected, data.len()), (SeqNum(0xabcd), 0x1122, 0x1122));
        assert_eq!(header.mask, Mask::from_short([0x33, 0x44]));
        assert_eq!(header.recovery.len(), 0xabcd);
        assert_eq!(header.to_bytes().0[..header.to_bytes().1], short[..14]);

        let mut long = vec![0x40, 0x12, 0xab, 0xcd, 0x12, 0x34, 0x56, 0x78, 0xab, 0xcd, 0x11, 0x22];
        long.extend([0x33, 0x44, 0x55, 0x66, 0x77, 0x88]);
        long.resize(18 + 0x1122, 7);
        let (header, data) = FecHeader::parse(&long).unwrap();
        assert_eq!((header.mask, data.len()), (Mask::from_long([0x33, 0x44, 0x55, 0x66, 0x77, 0x88]), 0x1122));
        assert_eq!(header.to_bytes().0[..header.to_bytes().1], long[..18]);
    }
}
