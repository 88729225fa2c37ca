//! RFC 8285, clause by clause: header extension elements.

#![expect(clippy::unwrap_used, reason = "a test ends at the first surprise")]

use bytes::Bytes;
use rtc_core::{PayloadType, RtpPacket, RtpTime, SeqNum, Ssrc};

/// A packet with a header extension as it is on the wire.
fn packet(profile: u16, data: &[u8]) -> RtpPacket {
    builder().raw_extension(profile, data).build(b"media").unwrap()
}

fn builder<'a>() -> rtc_core::rtp::RtpBuilder<'a> {
    RtpPacket::builder(PayloadType::new(96), SeqNum(0), RtpTime(0), Ssrc(0))
}

fn elements(packet: &RtpPacket) -> Vec<(u8, &[u8])> {
    packet.extensions().collect()
}

#[test]
fn rfc8285_s4_1_2_padding_may_stand_between_elements_and_at_the_end() {
    let one_byte = packet(0xbede, &[0, 0x10, 7, 0, 0, 0x21, 8, 9, 0, 0, 0, 0]);
    assert_eq!(elements(&one_byte), [(1, &[7][..]), (2, &[8, 9])]);
    let two_byte = packet(0x1000, &[0, 1, 1, 7, 0, 0, 2, 2, 8, 9, 0, 0]);
    assert_eq!(elements(&two_byte), [(1, &[7][..]), (2, &[8, 9])]);
}

#[test]
fn rfc8285_s4_1_2_identifier_0_with_a_length_ends_the_list() {
    assert_eq!(elements(&packet(0xbede, &[0x10, 7, 0x02, 1, 2, 3, 0x20, 8])), [(1, &[7][..])]);
}

#[test]
fn rfc8285_s4_1_2_identifier_0_is_not_for_elements() {
    assert_eq!(builder().extensions(&[(0, &[1])]).build(b"").unwrap_err().setting(), "extensions");
    assert_eq!(builder().always_two_byte().extensions(&[(0, &[1])]).build(b"").unwrap_err().setting(), "extensions");
    assert_eq!(packet(0xbede, &[0x10, 7, 0, 0]).extension(0), None);
}

#[test]
fn rfc8285_s4_1_2_streams_can_be_kept_to_the_two_byte_form() {
    let packet = builder().always_two_byte().extensions(&[(1, &[7])]).build(b"").unwrap();
    assert_eq!(packet.raw_extension(), Some((0x1000, &[1, 1, 7, 0][..])));
    assert_eq!(elements(&packet), [(1, &[7][..])]);
    assert_eq!(builder().always_two_byte().build(b"").unwrap().raw_extension(), None);
}

#[test]
fn rfc8285_s4_2_example_of_the_one_byte_form() {
    let example = packet(0xbede, &[0x10, 1, 0x21, 2, 3, 0, 0, 0x33, 4, 5, 6, 7]);
    assert_eq!(elements(&example), [(1, &[1][..]), (2, &[2, 3]), (3, &[4, 5, 6, 7])]);
    assert_eq!(example.extension(2), Some(&[2, 3][..]));
    assert_eq!(example.payload(), b"media");
}

#[test]
fn rfc8285_s4_2_length_is_the_number_of_bytes_minus_one() {
    for len in 1..=16_u8 {
        let value = vec![9; usize::from(len)];
        let packet = builder().extensions(&[(14, &value)]).build(b"").unwrap();
        let (profile, data) = packet.raw_extension().unwrap();
        assert_eq!((profile, data[0]), (0xbede, 0xe0 | (len - 1)));
        assert_eq!(packet.extension(14), Some(&value[..]));
    }
}

#[test]
fn rfc8285_s4_2_identifier_15_ends_the_list_whatever_its_length() {
    for stop in [0xf0, 0xf1, 0xff] {
        assert_eq!(elements(&packet(0xbede, &[0x10, 7, stop, 0x20, 8, 0, 0, 0])), [(1, &[7][..])], "{stop:#x}");
    }
}

#[test]
fn rfc8285_s4_3_example_of_the_two_byte_form() {
    let example = packet(0x1000, &[1, 0, 2, 1, 7, 0, 3, 4, 1, 2, 3, 4]);
    assert_eq!(elements(&example), [(1, &[][..]), (2, &[7]), (3, &[1, 2, 3, 4])]);
}

#[test]
fn rfc8285_s4_3_identifiers_up_to_255_and_values_of_0_to_255_bytes() {
    for (id, len) in [(15, 1), (255, 1), (1, 0), (1, 17), (255, 255)] {
        let value = vec![9; len];
        let packet = builder().extensions(&[(id, &value), (2, &[1])]).build(b"").unwrap();
        assert_eq!(packet.raw_extension().map(|(profile, _)| profile), Some(0x1000));
        assert_eq!(elements(&packet), [(id, &value[..]), (2, &[1])]);
    }
    assert_eq!(builder().extensions(&[(1, &[0; 256])]).build(b"").unwrap_err().setting(), "extensions");
}

#[test]
fn rfc8285_s4_3_appbits_are_sent_as_zero_and_ignored_by_the_receiver() {
    for appbits in 0..16 {
        assert_eq!(elements(&packet(0x1000 | appbits, &[15, 1, 7, 0])), [(15, &[7][..])]);
    }
    for other in [0x0fff, 0x1010, 0xbedd, 0xbedf] {
        assert_eq!(elements(&packet(other, &[0x10, 1, 7, 0])), [], "{other:#x}");
    }
}

#[test]
fn rfc8285_s4_1_2_elements_end_with_the_extension() {
    assert_eq!(elements(&packet(0xbede, &[0x10, 7, 0x22, 8])), [(1, &[7][..])]);
    assert_eq!(elements(&packet(0x1000, &[1, 1, 7, 2])), [(1, &[7][..])]);
    assert_eq!(elements(&packet(0x1000, &[1, 0, 2, 1])), [(1, &[][..])]);
}

#[test]
fn rfc8285_s4_2_one_byte_form_is_used_where_it_fits() {
    let packet = builder().extensions(&[(1, &[7]), (14, &[8; 16])]).build(b"media").unwrap();
    assert_eq!(packet.as_bytes()[12..16], [0xbe, 0xde, 0, 5]);
    assert_eq!(RtpPacket::parse(Bytes::copy_from_slice(packet.as_bytes())), Ok(packet));
}
