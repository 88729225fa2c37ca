use core::ops::Range;

use bytes::{BufMut, Bytes};
use proptest::collection::vec;
use proptest::prelude::*;

use crate::{PayloadType, RtpPacket, RtpTime, SeqNum, Ssrc};

/// Any sequence number, one in two close to the wrap.
pub fn seq_num() -> impl Strategy<Value = SeqNum> {
    prop_oneof![any::<u16>(), (0u16..100).prop_map(|ahead| 50u16.wrapping_sub(ahead))].prop_map(SeqNum)
}

/// Any timestamp, one in two close to the wrap.
pub fn rtp_time() -> impl Strategy<Value = RtpTime> {
    prop_oneof![any::<u32>(), (0u32..200_000).prop_map(|ahead| 100_000u32.wrapping_sub(ahead))].prop_map(RtpTime)
}

/// Any packet: with or without CSRCs, padding, and an extension of elements in either form of RFC 8285 or of another profile;
/// payloads of up to 1200 bytes.
pub fn rtp_packet() -> impl Strategy<Value = RtpPacket> {
    (fixed_fields(), vec(any::<u32>(), 0..=15), extension(), 0..=u8::MAX, vec(any::<u8>(), 0..1_200))
        .prop_map(|(fixed, csrcs, extension, padding, payload)| assemble(fixed, &csrcs, extension, padding, &payload))
}

/// Packets of one source with consecutive numbers from anywhere, all `ticks` apart, with payloads of 1 to 200 bytes.
pub fn rtp_stream(len: Range<usize>, ticks: u32) -> impl Strategy<Value = Vec<RtpPacket>> {
    let payloads = vec((any::<bool>(), vec(any::<u8>(), 1..200)), len);
    (0..0x80u8, any::<u32>(), seq_num(), rtp_time(), payloads).prop_map(
        move |(payload_type, ssrc, seq, time, payloads)| {
            let packet = |(n, (marker, payload)): (u32, &(bool, Vec<u8>))| {
                #[expect(clippy::cast_possible_truncation, reason = "sequence numbers wrap")]
                let (seq, time) = (seq + n as u16, time + n.wrapping_mul(ticks));
                assemble((*marker, payload_type, seq, time, ssrc), &[], None, 0, payload)
            };
            (0..).zip(&payloads).map(packet).collect()
        },
    )
}

/// Marker, payload type, sequence number, timestamp, SSRC.
type FixedFields = (bool, u8, SeqNum, RtpTime, u32);

fn fixed_fields() -> impl Strategy<Value = FixedFields> {
    (any::<bool>(), 0..0x80u8, seq_num(), rtp_time(), any::<u32>())
}

/// Profile and data of a header extension.
fn extension() -> impl Strategy<Value = Option<(u16, Vec<u8>)>> {
    let one_byte = vec((1..=14u8, vec(any::<u8>(), 1..=16)), 1..5).prop_map(|elements| {
        let element =
            |(id, value): &(u8, Vec<u8>)| [vec![(id << 4) | (low_byte(value.len()) - 1)], value.clone()].concat();
        Some((0xbede, elements.iter().flat_map(element).collect()))
    });
    let two_byte = (0..16u16, vec((1..=u8::MAX, vec(any::<u8>(), 0..40)), 1..5)).prop_map(|(bits, elements)| {
        let element = |(id, value): &(u8, Vec<u8>)| [vec![*id, low_byte(value.len())], value.clone()].concat();
        Some((0x1000 | bits, elements.iter().flat_map(element).collect()))
    });
    let other = (any::<u16>(), vec(any::<u8>(), 0..40)).prop_map(Some);
    prop_oneof![Just(None), one_byte, two_byte, other]
}

/// Written by hand, not by the builder, so that the builder can be held against it.
fn assemble(
    (marker, payload_type, seq, time, ssrc): FixedFields,
    csrcs: &[u32],
    extension: Option<(u16, Vec<u8>)>,
    padding: u8,
    payload: &[u8],
) -> RtpPacket {
    let mut bytes = Vec::new();
    bytes.put_u8(0x80 | (u8::from(padding > 0) << 5) | (u8::from(extension.is_some()) << 4) | low_byte(csrcs.len()));
    bytes.put_u8((u8::from(marker) << 7) | PayloadType::new(payload_type).value());
    bytes.put_u16(seq.0);
    bytes.put_u32(time.0);
    bytes.put_u32(Ssrc(ssrc).0);
    csrcs.iter().for_each(|csrc| bytes.put_u32(*csrc));
    if let Some((profile, mut data)) = extension {
        data.resize(data.len().next_multiple_of(4), 0);
        bytes.put_u16(profile);
        bytes.put_u16(u16::from(low_byte(data.len() / 4)));
        bytes.extend(data);
    }
    bytes.extend(payload);
    if padding > 0 {
        bytes.resize(bytes.len() + usize::from(padding) - 1, 0);
        bytes.put_u8(padding);
    }
    RtpPacket::parse(Bytes::from(bytes)).unwrap_or_else(|error| unreachable!("{error}"))
}

#[expect(clippy::cast_possible_truncation, reason = "all lengths here are under 256")]
const fn low_byte(len: usize) -> u8 {
    len as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    proptest! {
        #[test]
        fn packets_hold_together(packet in rtp_packet()) {
            prop_assert_eq!(packet.as_bytes().len(), packet.header_len() + packet.payload().len() + usize::from(packet.padding_len()));
            prop_assert!(packet.extensions().all(|(id, _)| id > 0));
        }

        #[test]
        fn streams_have_no_gaps(stream in rtp_stream(1..50, 960)) {
            for pair in stream.windows(2) {
                prop_assert_eq!(pair[1].seq(), pair[0].seq().next());
                prop_assert_eq!(pair[1].timestamp(), pair[0].timestamp() + 960);
                prop_assert_eq!(pair[1].ssrc(), pair[0].ssrc());
            }
        }
    }
}
