//! The short form of a linear repair packet: what the headers of a regular stream have in common is told once, not summed up.
//!
//! Voice has packets hardly longer than their headers, and all that changes in these from one to the next is the number and the
//! timestamp, in steps that are known. So the receiver works out what the RTP headers sum up to, as header compression does for one
//! packet (RFC 3095), and the symbol begins with the payload.

use rtc_core::{Fault, Malformed, PayloadType, RtpPacket, RtpTime, SeqNum, Ssrc};

use super::LENGTH_LEN;
use super::header::{Code, Covered, Header, MAX_SOURCES, MAX_SPAN};
use crate::gf256::mul;

/// A fixed RTP header (RFC 3550 §5.1), which is all of it in the short form.
pub(crate) const RTP_LEN: usize = 12;
/// Its first byte: version 2, no padding, no extension, no contributing sources.
const FIRST: u8 = 0x80;
const VERSION: u8 = 0x40;
const VERSIONS: u8 = 0xc0;
const LENGTHS: u8 = 0x20;
const LONG: u8 = 0x10;
const STEP: u8 = 0x0f;
/// Bytes before mask and step.
const FIXED_LEN: usize = 3;
/// Packets that a mask without a span has room for.
const NEAR: usize = 16;
/// Steps are told in 2.5 ms at 48 kHz, as Opus has them (RFC 7587 §4.2), or in two bytes.
const STEP_UNIT: u16 = 120;
const FORMAT: &str = "short linear repair";

/// What the headers of the packets that are covered have in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Common {
    /// Payload type; the marker is not set.
    pub(crate) payload_type: PayloadType,
    /// From one number to the next.
    pub(crate) step: u16,
    /// Of the newest packet covered; it is that of the repair packet as well.
    pub(crate) timestamp: RtpTime,
    pub(crate) ssrc: Ssrc,
    /// Whether all are of one length.
    pub(crate) equal: bool,
}

/// A repair packet in the short form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Short {
    pub(crate) header: Header,
    pub(crate) common: Common,
}

impl Common {
    /// What these packets, oldest first and at least one, have in common; `None` if it is too little.
    pub(crate) fn of<'a>(mut packets: impl Iterator<Item = &'a RtpPacket> + Clone) -> Option<Self> {
        let (first, last) = (packets.clone().next()?, packets.clone().last()?);
        let span = u32::from(last.seq().distance_from(first.seq()).unsigned_abs());
        let ticks = last.timestamp().0.wrapping_sub(first.timestamp().0);
        // Of one packet any step will do.
        let step = ticks.checked_div(span).map_or(Some(STEP_UNIT), |step| u16::try_from(step).ok())?;
        let mut common = Self {
            payload_type: last.payload_type(),
            step,
            timestamp: last.timestamp(),
            ssrc: last.ssrc(),
            equal: true,
        };
        common.equal = packets.clone().all(|packet| packet.as_bytes().len() == last.as_bytes().len());
        packets.all(|packet| common.fits(packet, last.seq())).then_some(common)
    }

    /// Whether the packet has the header it should have, `last` being the newest packet covered.
    pub(crate) fn fits(&self, packet: &RtpPacket, last: SeqNum) -> bool {
        packet.as_bytes().starts_with(&self.header_of(packet.seq(), last))
    }

    /// The header of the packet with this number.
    fn header_of(&self, seq: SeqNum, last: SeqNum) -> [u8; RTP_LEN] {
        let back = u32::from(last.distance_from(seq).unsigned_abs());
        let timestamp = self.timestamp.0.wrapping_sub(back * u32::from(self.step));
        let mut bytes = [0; RTP_LEN];
        (bytes[0], bytes[1]) = (FIRST, self.payload_type.value());
        bytes[2..4].copy_from_slice(&seq.0.to_be_bytes());
        bytes[4..8].copy_from_slice(&timestamp.to_be_bytes());
        bytes[8..].copy_from_slice(&self.ssrc.0.to_be_bytes());
        bytes
    }

    /// What the headers of these packets sum up to, each times its factor.
    pub(crate) fn sum(&self, covered: &[(SeqNum, u8)], last: SeqNum) -> [u8; RTP_LEN] {
        let mut sum = [0; RTP_LEN];
        for (seq, factor) in covered {
            let header = self.header_of(*seq, last);
            sum.iter_mut().zip(header).for_each(|(sum, byte)| *sum ^= mul(*factor, byte));
        }
        sum
    }

    /// What their lengths sum up to if all have so many bytes after the header.
    pub(crate) fn length_sum(covered: &[(SeqNum, u8)], payload: usize) -> Option<[u8; LENGTH_LEN]> {
        let length = u16::try_from(payload + RTP_LEN).ok()?.to_be_bytes();
        let factor = covered.iter().fold(0, |sum, (_, factor)| sum ^ factor);
        Some(length.map(|byte| mul(factor, byte)))
    }
}

impl Short {
    /// Bytes on the wire at most, before lengths and symbol.
    pub(crate) const MAX_LEN: usize = FIXED_LEN + 1 + MAX_SPAN / 8 + 2;

    /// Whether a payload is in this form.
    pub(crate) fn is(payload: &[u8]) -> bool {
        payload.first().is_some_and(|first| first & VERSIONS == VERSION)
    }

    /// Reads it from a packet; what follows is the sum of lengths unless all are equal, and the symbol. Payload type and SSRC are
    /// those of the media.
    pub(crate) fn parse(packet: &RtpPacket, payload_type: PayloadType, ssrc: Ssrc) -> Result<(Self, &[u8]), Malformed> {
        let fault = |fault| Malformed::new(FORMAT, fault);
        let cut = || fault(Fault::Truncated);
        let (fixed, rest) = packet.payload().split_first_chunk::<FIXED_LEN>().ok_or_else(cut)?;
        let [first, b0, b1] = *fixed;
        if first & VERSIONS != VERSION {
            return Err(fault(Fault::Version));
        }
        let (len, rest) = match first & LONG {
            0 => (NEAR / 8, rest),
            _ => rest.split_first().map(|(span, rest)| ((usize::from(*span) + 1).div_ceil(8), rest)).ok_or_else(cut)?,
        };
        let (mask, rest) = rest.split_at_checked(len).ok_or_else(cut)?;
        let covered = Covered::from_mask(mask);
        if !covered.contains(0) || (first & LONG != 0 && covered.span() != usize::from(packet.payload()[FIXED_LEN]) + 1)
        {
            return Err(fault(Fault::Inconsistent));
        }
        if covered.count() > MAX_SOURCES {
            return Err(fault(Fault::Length));
        }
        let (step, rest) = match u16::from(first & STEP) {
            0 => rest.split_first_chunk().map(|(step, rest)| (u16::from_be_bytes(*step), rest)).ok_or_else(cut)?,
            units => (units * STEP_UNIT, rest),
        };
        let code = Code::Rlc { key: packet.seq().0, density: 15 };
        let header = Header { code, base: SeqNum(u16::from_be_bytes([b0, b1])), covered };
        let equal = first & LENGTHS == 0;
        let common = Common { payload_type, step, timestamp: packet.timestamp(), ssrc, equal };
        Ok((Self { header, common }, rest))
    }

    /// The bytes before lengths and symbol, and how many they are.
    pub(crate) fn to_bytes(self) -> ([u8; Self::MAX_LEN], usize) {
        let mut bytes = [0; Self::MAX_LEN];
        let (covered, step) = (self.header.covered, self.common.step);
        let (span, mask) = (covered.span(), covered.mask());
        let units = u8::try_from(step / STEP_UNIT).unwrap_or(0);
        let units = if step % STEP_UNIT == 0 && units <= STEP { units } else { 0 };
        bytes[0] = VERSION | units | if self.common.equal { 0 } else { LENGTHS };
        bytes[1..FIXED_LEN].copy_from_slice(&self.header.base.0.to_be_bytes());
        let (mut len, mut mask_len) = (FIXED_LEN, NEAR / 8);
        if span > NEAR {
            bytes[0] |= LONG;
            bytes[len] = u8::try_from(span - 1).unwrap_or(u8::MAX);
            (len, mask_len) = (len + 1, span.div_ceil(8));
        }
        bytes[len..len + mask_len].copy_from_slice(&mask[..mask_len]);
        len += mask_len;
        if units == 0 {
            bytes[len..len + 2].copy_from_slice(&step.to_be_bytes());
            len += 2;
        }
        (bytes, len)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const OPUS: PayloadType = PayloadType::new(111);

    fn packet(seq: u16, timestamp: u32, payload: &[u8]) -> RtpPacket {
        RtpPacket::builder(OPUS, SeqNum(seq), RtpTime(timestamp), Ssrc(7)).build(payload).unwrap()
    }

    fn covered(offsets: &[usize]) -> Covered {
        let mut covered = Covered::default();
        offsets.iter().for_each(|offset| covered.insert(*offset));
        covered
    }

    #[test]
    fn the_bytes_of_the_short_form() {
        let code = Code::Rlc { key: 0, density: 15 };
        let header = Header { code, base: SeqNum(0xabcd), covered: covered(&[0, 1, 2]) };
        let common = Common { payload_type: OPUS, step: 960, timestamp: RtpTime(5), ssrc: Ssrc(7), equal: true };
        let bytes = |short: Short| short.to_bytes().0[..short.to_bytes().1].to_vec();
        assert_eq!(bytes(Short { header, common }), [0x48, 0xab, 0xcd, 0xe0, 0]);
        let header = Header { covered: covered(&[0, 1, 2, 17]), ..header };
        let common = Common { step: 961, equal: false, ..common };
        assert_eq!(bytes(Short { header, common }), [0x70, 0xab, 0xcd, 17, 0xe0, 0, 0x40, 0x03, 0xc1]);
    }

    #[test]
    fn only_what_is_regular_is_short() {
        let regular = [packet(65_535, 0, b"ab"), packet(0, 960, b"cd"), packet(2, 2_880, b"ef")];
        let common = Common::of(regular.iter()).unwrap();
        assert_eq!((common.step, common.equal, common.timestamp), (960, true, RtpTime(2_880)));
        let with = |at: usize, other: RtpPacket| {
            let mut packets = regular.clone();
            packets[at] = other;
            Common::of(packets.iter())
        };
        assert!(!with(1, packet(0, 960, b"longer")).unwrap().equal);
        assert_eq!(with(1, packet(0, 961, b"cd")), None);
        let other_type =
            RtpPacket::builder(PayloadType::new(1), SeqNum(0), RtpTime(960), Ssrc(7)).build(b"cd").unwrap();
        assert_eq!(with(1, other_type), None);
        let extended = RtpPacket::builder(OPUS, SeqNum(0), RtpTime(960), Ssrc(7));
        assert_eq!(with(1, extended.extensions(&[(1, &[1])]).build(b"cd").unwrap()), None);
        assert_eq!(Common::of([].iter()), None);
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(
            base: u16, offsets in proptest::collection::btree_set(1usize..256, 0..63), step: u16, timestamp: u32,
            equal: bool, key: u16, symbol in proptest::collection::vec(any::<u8>(), 0..9),
        ) {
            let mut all = covered(&[0]);
            offsets.into_iter().for_each(|offset| all.insert(offset));
            let header = Header { code: Code::Rlc { key, density: 15 }, base: SeqNum(base), covered: all };
            let common = Common { payload_type: OPUS, step, timestamp: RtpTime(timestamp), ssrc: Ssrc(7), equal };
            // A step of zero is told in full.
            let (bytes, len) = Short { header, common }.to_bytes();
            let payload = [&bytes[..len], &symbol].concat();
            let carry = |payload: &[u8]| {
                RtpPacket::builder(PayloadType::new(126), SeqNum(key), RtpTime(timestamp), Ssrc(9)).build(payload).unwrap()
            };
            let packet = carry(&payload);
            prop_assert_eq!(Short::parse(&packet, OPUS, Ssrc(7)), Ok((Short { header, common }, &symbol[..])));
            prop_assert!((0..len).all(|short| Short::parse(&carry(&payload[..short]), OPUS, Ssrc(7)).is_err()));
        }
    }
}
