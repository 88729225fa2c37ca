//! Clauses of RFC 9628 (VP9) that concern a receiver.

use rtc_core::svc::LayerId;
use rtc_jitter::VideoCodec;

use crate::payloads::Receiver;

const INTER: u8 = 0x40;
const BEGIN: u8 = 0x08;
const END: u8 = 0x04;

/// Flexible mode: picture number, layers, and the differences to the pictures it needs.
fn flexible(picture: u8, layer: LayerId, below: bool, diffs: &[u8]) -> Vec<u8> {
    let inter = if diffs.is_empty() { 0 } else { INTER };
    let layers = layer.temporal << 5 | layer.spatial << 1 | u8::from(below);
    let mut payload = vec![0xb0 | inter | BEGIN | END, picture, layers];
    let last = diffs.len().wrapping_sub(1);
    payload.extend(diffs.iter().enumerate().map(|(index, diff)| diff << 1 | u8::from(index != last)));
    payload.extend([0xaa, picture]);
    payload
}

fn layer(spatial: u8, temporal: u8) -> LayerId {
    LayerId { spatial, temporal }
}

fn receiver() -> Receiver {
    Receiver::new(VideoCodec::Vp9)
}

#[test]
fn rfc9628_s4_2_b_and_e_bound_a_layer_frame() {
    let mut receiver = receiver();
    receiver.packet(0, &[0x80 | BEGIN, 1, 10], false);
    receiver.packet(0, &[0x80, 1, 11], false);
    assert_eq!(receiver.count(), 0);
    receiver.packet(0, &[0x80 | END, 1, 12], true);
    assert_eq!(receiver.frames(), [[10, 11, 12]]);
}

#[test]
fn rfc9628_s4_1_the_marker_ends_a_picture_of_several_layer_frames() {
    let mut receiver = receiver();
    receiver.packet(0, &flexible(1, layer(0, 0), false, &[]), false);
    receiver.packet(0, &flexible(1, layer(1, 0), true, &[]), true);
    receiver.packet(3_000, &flexible(2, layer(0, 0), false, &[1]), false);
    receiver.packet(3_000, &flexible(2, layer(1, 0), true, &[1]), true);
    let pictures = receiver.pictures();
    assert_eq!(pictures.len(), 2, "a picture comes out once");
    assert_eq!(pictures[0].frame.payload[..], [0xaa, 1, 0xaa, 1]);
    assert_eq!((pictures[0].frame.key, pictures[0].frame.layer), (true, layer(1, 0)));
    assert!(!pictures[1].frame.key);
}

#[test]
fn rfc9628_s4_2_flexible_mode_names_what_is_needed() {
    let mut receiver = receiver();
    receiver.packet(0, &flexible(126, layer(0, 0), false, &[]), true);
    // Picture 127 is lost. Picture 0 needs 126, picture 1 needs 127, picture 2 needs 0 and 126.
    receiver.skip();
    receiver.packet(6_000, &flexible(0, layer(0, 0), false, &[2]), true);
    receiver.packet(9_000, &flexible(1, layer(0, 0), false, &[2]), true);
    receiver.packet(12_000, &flexible(2, layer(0, 0), false, &[2, 4]), true);
    let numbers: Vec<u8> = receiver.frames().iter().map(|frame| frame[1]).collect();
    assert_eq!(numbers, [126, 0, 2]);
}

#[test]
fn rfc9628_s4_2_d_needs_the_layer_below() {
    let mut receiver = receiver();
    receiver.packet(0, &flexible(1, layer(0, 0), false, &[]), false);
    receiver.packet(0, &flexible(1, layer(1, 0), true, &[]), true);
    // The base of picture 2 is lost: its upper layer needs it, that of picture 3 does not.
    receiver.skip();
    receiver.packet(3_000, &flexible(2, layer(1, 0), true, &[1]), true);
    receiver.packet(6_000, &flexible(3, layer(0, 0), false, &[2]), false);
    receiver.packet(6_000, &flexible(3, layer(1, 0), false, &[2]), true);
    let frames = receiver.frames();
    assert_eq!(frames, [vec![0xaa, 1, 0xaa, 1], vec![0xaa, 3, 0xaa, 3]]);
}

#[test]
fn rfc9628_s4_2_a_layer_that_cannot_be_decoded_leaves_the_others() {
    let mut receiver = receiver();
    receiver.packet(0, &flexible(1, layer(0, 0), false, &[]), false);
    receiver.skip();
    receiver.packet(3_000, &flexible(2, layer(0, 0), false, &[1]), false);
    receiver.packet(3_000, &flexible(2, layer(1, 0), true, &[1]), true);
    let pictures = receiver.pictures();
    assert_eq!(pictures[1].frame.payload[..], [0xaa, 2], "its upper layer needs that of picture 1");
    assert_eq!(pictures[1].frame.layer, layer(0, 0));
}

#[test]
fn rfc9628_s4_2_tl0picidx_and_u_in_the_other_mode() {
    // I L B E, then picture, layers with U, TL0PICIDX.
    let frame = |inter: u8, picture: u8, temporal: u8, switching: bool, base: u8| {
        vec![0xa0 | inter | BEGIN | END, picture, temporal << 5 | u8::from(switching) << 4, base, 0xaa, picture]
    };
    let mut receiver = receiver();
    receiver.packet(0, &frame(0, 1, 0, false, 9), true);
    receiver.skip();
    receiver.packet(6_000, &frame(INTER, 3, 2, false, 9), true);
    // U speaks of the layers above, and of what follows: 4 itself may need what is lost.
    receiver.packet(9_000, &frame(INTER, 4, 1, true, 9), true);
    receiver.packet(12_000, &frame(INTER, 5, 0, false, 10), true);
    receiver.packet(15_000, &frame(INTER, 6, 1, false, 10), true);
    // After 7, no picture above needs one above before it.
    receiver.packet(18_000, &frame(INTER, 7, 0, true, 11), true);
    receiver.packet(21_000, &frame(INTER, 8, 2, false, 11), true);
    receiver.packet(24_000, &frame(INTER, 9, 1, false, 11), true);
    receiver.skip();
    receiver.packet(30_000, &frame(INTER, 11, 0, false, 13), true);
    let numbers: Vec<u8> = receiver.frames().iter().map(|frame| frame[1]).collect();
    assert_eq!(numbers, [1, 5, 7, 8, 9], "3, 4 and 6 may need what is lost, 11 needs a base that is");
}

/// The pattern of §4.5.1, table 1, in which U is always set, with what its second picture on the middle layer needs lost.
#[test]
fn rfc9628_s4_5_1_a_picture_of_the_example_needs_the_middle_layer_though_it_sets_u() {
    let frame = |inter: u8, picture: u8, temporal: u8, base: u8| {
        vec![0xa0 | inter | BEGIN | END, picture, temporal << 5 | 1 << 4, base, 0xaa, picture]
    };
    let mut receiver = receiver();
    receiver.packet(0, &frame(0, 1, 0, 9), true);
    receiver.packet(3_000, &frame(INTER, 2, 2, 9), true);
    receiver.skip(); // Picture 3, of temporal layer 1.
    receiver.packet(9_000, &frame(INTER, 4, 2, 9), true);
    receiver.packet(12_000, &frame(INTER, 5, 0, 10), true);
    receiver.packet(15_000, &frame(INTER, 6, 2, 10), true);
    let numbers: Vec<u8> = receiver.frames().iter().map(|frame| frame[1]).collect();
    assert_eq!(numbers, [1, 2, 5, 6], "4 refers to 3");
}

#[test]
fn rfc9628_s4_2_f_without_picture_numbers_is_ignored() {
    let mut receiver = receiver();
    // P, F, B, E, but not I: no differences follow.
    receiver.packet(0, &[BEGIN | END | 0x10, 1, 2], true);
    receiver.packet(3_000, &[INTER | BEGIN | END | 0x10, 3, 4], true);
    assert_eq!(receiver.frames(), [[1, 2], [3, 4]]);
}

#[test]
fn rfc9628_s4_2_no_picture_needs_itself() {
    let mut receiver = receiver();
    receiver.packet(0, &flexible(1, layer(0, 0), false, &[]), true);
    receiver.packet(3_000, &flexible(2, layer(0, 0), false, &[0]), true);
    assert_eq!((receiver.count(), receiver.buffer.stats().packets_malformed), (1, 1), "a P_DIFF of zero is invalid");
}

#[test]
fn rfc9628_s4_2_a_picture_that_needs_none_on_the_base_layer_is_a_key_frame() {
    let mut receiver = receiver();
    receiver.packet(0, &[0x80 | INTER | BEGIN | END, 1, 0xaa], true);
    assert_eq!(receiver.count(), 0);
    receiver.packet(3_000, &[0x80 | BEGIN | END, 2, 0xaa], true);
    assert_eq!(receiver.keys(), [true]);
}
