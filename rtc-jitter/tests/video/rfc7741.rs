//! Clauses of RFC 7741 (VP8) that concern a receiver.

use rtc_core::jitter::Inserted;
use rtc_jitter::VideoCodec;

use crate::payloads::Receiver;

/// A descriptor with picture number, TL0PICIDX and layer, for a frame in one packet; the frame's first byte tells a key frame.
fn layered(picture: u16, base: u8, temporal: u8, is_sync: bool, key: bool) -> Vec<u8> {
    let [high, low] = picture.to_be_bytes();
    vec![0x90, 0xe0, high | 0x80, low, base, temporal << 6 | u8::from(is_sync) << 5, u8::from(!key), 0xaa]
}

fn receiver() -> Receiver {
    Receiver::new(VideoCodec::Vp8)
}

#[test]
fn rfc7741_s4_1_the_marker_is_on_the_last_packet_of_a_frame() {
    let mut receiver = receiver();
    receiver.packet(0, &[0x10, 0x00, 1], false);
    assert_eq!(receiver.frames(), Vec::<Vec<u8>>::new());
    receiver.packet(0, &[0x00, 2], true);
    assert_eq!(receiver.frames(), [[0x00, 1, 2]]);
}

#[test]
fn rfc7741_s4_2_a_frame_begins_with_partition_0() {
    let mut receiver = receiver();
    // The first packet of the frame is lost; S of a later partition begins no frame.
    receiver.packet(0, &[0x11, 0x00], false);
    receiver.packet(0, &[0x01, 0x00], true);
    receiver.packet(3_000, &[0x10, 0x00, 7], true);
    assert_eq!(receiver.frames(), [[0x00, 7]]);
}

#[test]
fn rfc7741_s4_2_partitions_in_packets_of_their_own_are_one_frame() {
    let mut receiver = receiver();
    receiver.packet(0, &[0x10, 0x00, 1], false);
    receiver.packet(0, &[0x11, 2], false);
    receiver.packet(0, &[0x12, 3], true);
    assert_eq!(receiver.frames(), [[0x00, 1, 2, 3]]);
}

#[test]
fn rfc7741_s4_2_picture_numbers_of_7_and_15_bits_wrap() {
    for (flags, numbers) in [(0x00, [126, 127, 0, 1]), (0x80, [32_766, 32_767, 0, 1])] {
        let mut receiver = receiver();
        for (time, number) in (0..).step_by(3_000).zip(numbers) {
            let [high, low] = u16::to_be_bytes(number);
            let id = if flags == 0 { vec![low] } else { vec![high | flags, low] };
            let payload = [&[0x90, 0x80], &id[..], &[u8::from(time > 0), low]].concat();
            receiver.packet(time, &payload, true);
            // A packet without media, such as padding, is lost on the way: no frame is missing.
            receiver.skip();
        }
        assert_eq!(receiver.frames().len(), 4);
    }
}

#[test]
fn rfc7741_s4_2_a_sync_frame_needs_the_base_layer_only() {
    let mut receiver = receiver();
    receiver.packet(0, &layered(1, 10, 0, false, true), true);
    // Layer 1 is lost. Layer 2 in sync can be decoded, not in sync it cannot.
    receiver.skip();
    receiver.packet(6_000, &layered(3, 10, 2, false, false), true);
    assert_eq!(receiver.count(), 1);
    receiver.packet(9_000, &layered(4, 10, 2, true, false), true);
    assert_eq!(receiver.count(), 2);
}

#[test]
fn rfc7741_s4_2_tl0picidx_tells_whether_a_base_frame_is_missing() {
    let mut receiver = receiver();
    receiver.packet(0, &layered(1, 255, 0, false, true), true);
    receiver.skip();
    // A frame is lost, but not of the base: the numbers of that go on, over their wrap.
    receiver.packet(6_000, &layered(3, 0, 0, false, false), true);
    assert_eq!(receiver.count(), 2);
    receiver.skip();
    // Now one of the base is.
    receiver.packet(12_000, &layered(5, 2, 0, false, false), true);
    receiver.packet(15_000, &layered(6, 2, 2, true, false), true);
    assert_eq!(receiver.count(), 2);
    receiver.packet(18_000, &layered(7, 3, 0, false, true), true);
    assert_eq!(receiver.count(), 3);
}

#[test]
fn rfc7741_s4_3_p_of_the_payload_header_tells_a_key_frame() {
    let mut receiver = receiver();
    receiver.packet(0, &[0x10, 0x01, 1], true);
    assert_eq!(receiver.count(), 0);
    assert!(receiver.asks());
    receiver.packet(3_000, &[0x10, 0x00, 1], true);
    assert_eq!(receiver.keys(), [true]);
}

#[test]
fn rfc7741_s4_2_a_descriptor_without_frame_is_refused() {
    let mut receiver = receiver();
    receiver.packet(0, &[0x10, 0x00, 1], true);
    for payload in [&[0x90][..], &[0x90, 0x80], &[0x90, 0x80, 0x81], &[0x10]] {
        assert_eq!(receiver.packet(3_000, payload, true), Inserted::Foreign);
    }
}
