use rtc_core::{SeqNum, Ssrc};

use super::RTP_LEN;

/// In the first byte: P, X and CC. The version, which they share it with, is not recovered but known.
const RECOVERED: u8 = 0x3f;

/// The fields of a packet that a FEC header recovers, without the sequence number: P, X, CC; M, PT; timestamp; length (RFC 5109
/// §7.3, RFC 8627 §4.2.2). The exclusive or of several is the recovery field of them all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Recovery(u64);

impl Recovery {
    /// Of a whole packet, whose length past the fixed header must fit 16 bits.
    pub(crate) fn of(packet: &[u8]) -> Option<Self> {
        let &[first, second, _, _, t0, t1, t2, t3, ..] = packet else { return None };
        let len = u16::try_from(packet.len().checked_sub(RTP_LEN)?).ok()?.to_be_bytes();
        Some(Self::new([first, second], [t0, t1, t2, t3], len))
    }

    /// From the first two bytes, of which the two highest bits mean something else, the timestamp and the length.
    pub(crate) fn new([first, second]: [u8; 2], [t0, t1, t2, t3]: [u8; 4], [l0, l1]: [u8; 2]) -> Self {
        Self(u64::from_be_bytes([first & RECOVERED, second, t0, t1, t2, t3, l0, l1]))
    }

    /// The first two bytes, the timestamp and the length.
    pub(crate) fn to_fields(self) -> ([u8; 2], [u8; 4], [u8; 2]) {
        let [first, second, t0, t1, t2, t3, l0, l1] = self.0.to_be_bytes();
        ([first, second], [t0, t1, t2, t3], [l0, l1])
    }

    pub(crate) fn add(&mut self, other: Self) {
        self.0 ^= other.0;
    }

    /// Bytes after the fixed header.
    pub(crate) fn len(self) -> usize {
        usize::from(u16::from_be_bytes(self.to_fields().2))
    }

    /// The same of a packet without padding.
    pub(crate) fn without_padding(self) -> Self {
        Self(self.0 & !(0x20 << 56))
    }

    /// The fixed header of the packet these are the fields of (RFC 5109 §9.1, RFC 8627 §6.3.2).
    pub(crate) fn rtp_header(self, seq: SeqNum, ssrc: Ssrc) -> [u8; RTP_LEN] {
        let ([first, second], [t0, t1, t2, t3], _) = self.to_fields();
        let ([s0, s1], [a, b, c, d]) = (seq.0.to_be_bytes(), ssrc.0.to_be_bytes());
        [0x80 | first, second, s0, s1, t0, t1, t2, t3, a, b, c, d]
    }
}
