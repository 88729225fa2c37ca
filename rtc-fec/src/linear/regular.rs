use rtc_core::{PayloadType, RtpPacket, RtpTime, SeqNum, Ssrc};

use crate::gf256::mul;

use super::LENGTH_LEN;

/// A fixed RTP header (RFC 3550 §5.1), which is all of it in a regular stream.
pub(crate) const RTP_LEN: usize = 12;
/// Its first byte: version 2, no padding, no extension, no contributing sources.
const FIRST: u8 = 0x80;

/// What the headers of packets that follow each other regularly have in common: it tells all of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Regular {
    /// Payload type; the marker is not set.
    pub(crate) payload_type: PayloadType,
    pub(crate) ssrc: Ssrc,
    /// Ticks from one number to the next.
    pub(crate) step: u16,
    /// Number and timestamp of the newest of them.
    pub(crate) last: SeqNum,
    pub(crate) timestamp: RtpTime,
}

impl Regular {
    /// What these packets, oldest first, have in common; `None` if it is too little. Of one packet alone, `step` is believed.
    pub(crate) fn of<'a>(mut packets: impl Iterator<Item = &'a RtpPacket> + Clone, step: u16) -> Option<Self> {
        let (first, last) = (packets.clone().next()?, packets.clone().last()?);
        let span = u32::from(last.seq().distance_from(first.seq()).unsigned_abs());
        let ticks = last.timestamp().0.wrapping_sub(first.timestamp().0);
        let step = ticks.checked_div(span).map_or(Some(step), |step| u16::try_from(step).ok())?;
        let (payload_type, ssrc) = (last.payload_type(), last.ssrc());
        let regular = Self { payload_type, ssrc, step, last: last.seq(), timestamp: last.timestamp() };
        packets.all(|packet| regular.fits(packet)).then_some(regular)
    }

    /// Whether the packet has the header it should have.
    pub(crate) fn fits(&self, packet: &RtpPacket) -> bool {
        packet.as_bytes().starts_with(&self.header_of(packet.seq()))
    }

    /// The header of the packet with this number.
    fn header_of(&self, seq: SeqNum) -> [u8; RTP_LEN] {
        let back = u32::from(self.last.distance_from(seq).unsigned_abs());
        let timestamp = self.timestamp.0.wrapping_sub(back * u32::from(self.step));
        let mut bytes = [0; RTP_LEN];
        (bytes[0], bytes[1]) = (FIRST, self.payload_type.value());
        bytes[2..4].copy_from_slice(&seq.0.to_be_bytes());
        bytes[4..8].copy_from_slice(&timestamp.to_be_bytes());
        bytes[8..].copy_from_slice(&self.ssrc.0.to_be_bytes());
        bytes
    }

    /// What the headers of these packets sum up to, each times its factor.
    pub(crate) fn sum(&self, covered: &[(SeqNum, u8)]) -> [u8; RTP_LEN] {
        let mut sum = [0; RTP_LEN];
        for (seq, factor) in covered {
            sum.iter_mut().zip(self.header_of(*seq)).for_each(|(sum, byte)| *sum ^= mul(*factor, byte));
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

#[cfg(test)]
mod tests {
    use super::*;

    const OPUS: PayloadType = PayloadType::new(111);

    fn packet(seq: u16, timestamp: u32) -> RtpPacket {
        RtpPacket::builder(OPUS, SeqNum(seq), RtpTime(timestamp), Ssrc(7)).build(b"ab").unwrap()
    }

    #[test]
    fn only_what_is_regular_has_all_in_common() {
        let packets = [packet(65_535, 0), packet(0, 960), packet(2, 2_880)];
        let regular = Regular::of(packets.iter(), 1).unwrap();
        assert_eq!((regular.step, regular.last, regular.timestamp), (960, SeqNum(2), RtpTime(2_880)));
        assert_eq!(Regular::of(packets[..1].iter(), 480).unwrap().step, 480);
        let with = |other: &RtpPacket| Regular::of([&packets[0], other, &packets[2]].into_iter(), 1);
        assert_eq!(with(&packets[1]), Some(regular));
        let like = |payload_type, ssrc| RtpPacket::builder(payload_type, SeqNum(0), RtpTime(960), ssrc);
        let others = [
            packet(0, 961),
            like(PayloadType::new(1), Ssrc(7)).build(b"ab").unwrap(),
            like(OPUS, Ssrc(8)).build(b"ab").unwrap(),
            like(OPUS, Ssrc(7)).marker(true).build(b"ab").unwrap(),
            like(OPUS, Ssrc(7)).extensions(&[(1, &[1])]).build(b"ab").unwrap(),
        ];
        assert!(others.iter().all(|other| with(other).is_none()));
        assert_eq!(Regular::of([].iter(), 960), None);
    }
}
