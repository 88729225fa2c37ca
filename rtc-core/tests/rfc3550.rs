//! RFC 3550, clause by clause: the packet format.

#![expect(clippy::unwrap_used, reason = "a test ends at the first surprise")]

use bytes::Bytes;
use rtc_core::time::NtpTime;
use rtc_core::{Fault, PayloadType, RtpPacket, RtpTime, SeqNum, Ssrc};

/// A header with all bits of `first` and nothing after the SSRC.
fn header(first: u8) -> Vec<u8> {
    vec![first, 0xe0, 0x12, 0x34, 0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef]
}

fn parse(bytes: &[u8]) -> RtpPacket {
    RtpPacket::parse(Bytes::copy_from_slice(bytes)).unwrap()
}

fn fault(bytes: &[u8]) -> Option<Fault> {
    RtpPacket::parse(Bytes::copy_from_slice(bytes)).err().map(|malformed| malformed.fault())
}

#[test]
fn rfc3550_s5_1_fixed_fields_in_network_order() {
    let packet = parse(&[header(0x80), b"media".to_vec()].concat());
    assert!(packet.marker());
    assert_eq!(packet.payload_type(), PayloadType::new(0x60));
    assert_eq!(packet.seq(), SeqNum(0x1234));
    assert_eq!(packet.timestamp(), RtpTime(0x0123_4567));
    assert_eq!(packet.ssrc(), Ssrc(0x89ab_cdef));
    assert_eq!(packet.payload(), b"media");
    assert_eq!((packet.header_len(), packet.csrcs().len(), packet.raw_extension()), (12, 0, None));
}

#[test]
fn rfc3550_s5_1_first_twelve_octets_are_in_every_packet() {
    for len in 0..12 {
        assert_eq!(fault(&header(0x80)[..len]), Some(Fault::Truncated), "{len}");
    }
    assert_eq!(parse(&header(0x80)).payload(), b"");
}

#[test]
fn rfc3550_s5_1_version_is_two() {
    for version in [0, 1, 3] {
        assert_eq!(fault(&header(version << 6)), Some(Fault::Version));
    }
}

#[test]
fn rfc3550_s5_1_last_octet_counts_the_padding_with_itself() {
    let packet = parse(&[header(0xa0), b"media\0\0\x03".to_vec()].concat());
    assert_eq!((packet.payload(), packet.padding_len()), (&b"media"[..], 3));
    let only_padding = parse(&[header(0xa0), vec![0, 0, 3]].concat());
    assert_eq!(only_padding.payload(), b"");
}

#[test]
fn rfc3550_s5_1_padding_count_cannot_be_zero_or_reach_the_header() {
    assert_eq!(fault(&[header(0xa0), b"media\0".to_vec()].concat()), Some(Fault::Padding));
    assert_eq!(fault(&[header(0xa0), b"media\x07".to_vec()].concat()), Some(Fault::Padding));
    assert_eq!(fault(&header(0xa0)), Some(Fault::Padding));
    // The count must not be taken from the extension either.
    assert_eq!(fault(&[header(0xb0), vec![0xbe, 0xde, 0, 1, 0x10, 0, 0, 1]].concat()), Some(Fault::Padding));
}

#[test]
fn rfc3550_s5_1_csrc_count_says_how_many_follow() {
    for count in 0..=15 {
        let list: Vec<u8> = (0..4 * count).collect();
        let packet = parse(&[header(0x80 | count), list.clone(), vec![0xff]].concat());
        assert_eq!(packet.csrcs().len(), usize::from(count));
        assert_eq!(packet.payload(), [0xff]);
        if count > 0 {
            assert_eq!(fault(&[header(0x80 | count), list[1..].to_vec()].concat()), Some(Fault::Truncated));
        }
    }
    let packet = parse(&[header(0x82), vec![0, 0, 0, 1, 0, 0, 1, 0]].concat());
    assert_eq!(packet.csrcs().collect::<Vec<_>>(), [Ssrc(1), Ssrc(256)]);
}

#[test]
fn rfc3550_s5_1_no_more_than_15_sources_can_be_identified() {
    let builder = RtpPacket::builder(PayloadType::new(0), SeqNum(0), RtpTime(0), Ssrc(0));
    assert_eq!(builder.clone().csrcs(&[Ssrc(0); 15]).build(b"").unwrap().csrcs().len(), 15);
    assert_eq!(builder.csrcs(&[Ssrc(0); 16]).build(b"").unwrap_err().setting(), "csrcs");
}

#[test]
fn rfc3550_s5_1_payload_type_has_seven_bits() {
    let packet = RtpPacket::builder(PayloadType::new(0xff), SeqNum(0), RtpTime(0), Ssrc(0)).build(b"").unwrap();
    assert_eq!((packet.payload_type().value(), packet.marker()), (127, false));
}

#[test]
fn rfc3550_s5_3_1_extension_length_counts_words_after_its_header() {
    let extension = vec![0x12, 0x34, 0, 2, 1, 2, 3, 4, 5, 6, 7, 8];
    let packet = parse(&[header(0x90), extension.clone(), b"media".to_vec()].concat());
    assert_eq!(packet.raw_extension(), Some((0x1234, &[1, 2, 3, 4, 5, 6, 7, 8][..])));
    assert_eq!((packet.header_len(), packet.payload()), (24, &b"media"[..]));
    assert_eq!(packet.extensions().count(), 0, "of another profile than RFC 8285");
    for cut in 1..=extension.len() {
        let bytes = [header(0x90), extension[..extension.len() - cut].to_vec()].concat();
        assert_eq!(fault(&bytes), Some(Fault::Truncated), "{cut}");
    }
}

#[test]
fn rfc3550_s5_3_1_zero_is_a_valid_extension_length() {
    let packet = parse(&[header(0x90), vec![0x12, 0x34, 0, 0], b"media".to_vec()].concat());
    assert_eq!((packet.raw_extension(), packet.payload()), (Some((0x1234, &[][..])), &b"media"[..]));
}

#[test]
fn rfc3550_s5_3_1_extension_follows_the_csrc_list() {
    let packet = parse(&[header(0x91), vec![0, 0, 0, 9], vec![0x12, 0x34, 0, 1, 1, 2, 3, 4]].concat());
    assert_eq!(packet.csrcs().collect::<Vec<_>>(), [Ssrc(9)]);
    assert_eq!(packet.raw_extension(), Some((0x1234, &[1, 2, 3, 4][..])));
}

#[test]
fn rfc3550_s4_middle_32_bits_of_ntp_time() {
    assert_eq!(NtpTime::from_bits(0x0123_4567_89ab_cdef).to_short(), 0x4567_89ab);
}

#[test]
fn rfc3550_a1_sequence_numbers_extend_past_65535() {
    let mut unwrapper = rtc_core::SeqUnwrapper::default();
    let before = unwrapper.unwrap(SeqNum(65_535));
    assert_eq!(unwrapper.unwrap(SeqNum(0)), before + 1);
}
