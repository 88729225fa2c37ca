//! What is added up: the length of a packet in two bytes, then the whole packet from its first byte, then zeros.

use bytes::BytesMut;
use rtc_core::{RtpPacket, SeqNum, Ssrc};

use crate::gf256::mul;

/// Bytes of the length.
pub(crate) const LENGTH_LEN: usize = 2;

/// `factor` times the length of the packet; `None` if two bytes do not hold it.
pub(crate) fn length_product(factor: u8, packet: &RtpPacket) -> Option<[u8; LENGTH_LEN]> {
    let length = u16::try_from(packet.as_bytes().len()).ok()?;
    Some(length.to_be_bytes().map(|byte| mul(factor, byte)))
}

/// The packet with this number that a symbol without its length is; `None` if it is not.
///
/// A symbol that came of a damaged or foreign repair packet passes by chance only: length, zeros after it, version, number
/// and, where it is known, source must be right.
pub(crate) fn packet_of(
    length: [u8; LENGTH_LEN],
    symbol: &[u8],
    seq: SeqNum,
    ssrc: Option<Ssrc>,
    pool: &mut BytesMut,
) -> Option<RtpPacket> {
    let (packet, rest) = symbol.split_at_checked(usize::from(u16::from_be_bytes(length)))?;
    if rest.iter().any(|byte| *byte != 0) {
        return None;
    }
    pool.clear();
    pool.extend_from_slice(packet);
    let packet = RtpPacket::parse(pool.split().freeze()).ok()?;
    (packet.seq() == seq && ssrc.is_none_or(|ssrc| packet.ssrc() == ssrc)).then_some(packet)
}
