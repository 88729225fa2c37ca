//! Clauses of the AV1 RTP payload specification that concern a receiver, with its appendix A on the dependency descriptor.

use rtc_core::jitter::Inserted;
use rtc_core::svc::LayerId;
use rtc_jitter::VideoCodec;

use crate::payloads::Receiver;

const DELIMITER: [u8; 2] = [0x12, 0x00];

fn receiver() -> Receiver {
    Receiver::new(VideoCodec::Av1)
}

/// OBUs with their lengths, behind a temporal delimiter.
fn unit(obus: &[&[u8]]) -> Vec<u8> {
    let sized = |obu: &&[u8]| [&[obu[0] | 2, u8::try_from(obu.len() - 1).unwrap()], &obu[1..]].concat();
    [DELIMITER.to_vec(), obus.iter().flat_map(sized).collect()].concat()
}

#[test]
fn av1_rtp_s4_4_elements_become_obus_with_lengths() {
    let mut receiver = receiver();
    // N, two elements: a sequence header and a frame.
    receiver.packet(0, &[0x28, 3, 0x08, 1, 2, 0x30, 3, 4], true);
    assert_eq!(receiver.frames(), [unit(&[&[0x08, 1, 2], &[0x30, 3, 4]])]);
    assert_eq!(receiver.keys(), [true]);
}

#[test]
fn av1_rtp_s4_4_z_and_y_join_an_obu() {
    let mut receiver = receiver();
    receiver.packet(0, &[0x68, 2, 0x08, 1, 0x30, 3], false);
    receiver.packet(0, &[0xd0, 4, 5], false);
    receiver.packet(0, &[0xa0, 1, 6, 0x28, 7], true);
    assert_eq!(receiver.frames(), [unit(&[&[0x08, 1], &[0x30, 3, 4, 5, 6], &[0x28, 7]])]);
}

#[test]
fn av1_rtp_s4_4_z_and_y_that_do_not_fit_are_no_frame() {
    let mut receiver = receiver();
    receiver.packet(0, &[0x58, 0x30, 3], false);
    receiver.packet(0, &[0x10, 0x30, 4], true);
    receiver.packet(3_000, &[0x18, 0x30, 5], true);
    assert_eq!(receiver.frames(), [unit(&[&[0x30, 5]])]);
    assert_eq!(receiver.buffer.stats().frames_dropped, 1);
}

#[test]
fn av1_rtp_s4_4_n_and_z_exclude_each_other() {
    let mut receiver = receiver();
    receiver.packet(0, &[0x18, 0x30, 5], true);
    assert_eq!(receiver.packet(3_000, &[0x98, 0x30, 5], true), Inserted::Foreign);
}

#[test]
fn av1_rtp_s4_5_temporal_delimiters_and_tile_lists_are_taken_out() {
    let mut receiver = receiver();
    receiver.packet(0, &[0x38, 1, 0x10, 2, 0x40, 9, 0x30, 3], true);
    assert_eq!(receiver.frames(), [unit(&[&[0x30, 3]])]);
}

#[test]
fn av1_rtp_s4_5_obus_that_have_their_length_keep_it() {
    let mut receiver = receiver();
    receiver.packet(0, &[0x18, 0x32, 1, 9], true);
    assert_eq!(receiver.frames(), [unit(&[&[0x30, 9]])]);
}

#[test]
fn av1_rtp_s4_2_the_marker_is_on_the_last_packet_of_a_temporal_unit() {
    let mut receiver = receiver();
    receiver.packet(0, &[0x18, 0x30, 1], false);
    assert_eq!(receiver.count(), 0);
    receiver.packet(0, &[0x10, 0x30, 2], true);
    assert_eq!(receiver.frames(), [unit(&[&[0x30, 1], &[0x30, 2]])]);
}

/// Descriptors captured from a browser: three spatial layers with three temporal layers each.
fn captured() -> [(&'static str, u8, u32); 5] {
    const KEY: &str = "c1017280081485214eafffaaaa863cf0430c10c302afc0aaa0063c00430010c002a000a80006000040001d954926e082b04a09\
                       41b820ac1282503157f974000ca864330e222222eca8655304224230eca877530077004200ef008601df010d";
    // Frame 370 is the key frame; spatial layer and picture of each. Frames of more packets are made one of one packet.
    [(KEY, 0, 0), ("c6017340fc", 1, 0), ("c3017540fc", 0, 1), ("c8017640fc", 1, 1), ("c2017840fc", 0, 2)]
}

fn bytes(hex: &str) -> Vec<u8> {
    (0..hex.len() / 2).map(|at| u8::from_str_radix(&hex[2 * at..2 * at + 2], 16).unwrap()).collect()
}

#[test]
fn av1_rtp_a_frames_need_what_their_differences_name() {
    let mut receiver = receiver();
    for (index, (hex, _, time)) in captured().into_iter().take(5).enumerate() {
        let last_of_picture = index % 2 == 1 || index == 4;
        receiver.described(3_000 * time, &[0x10, 0x30, time.to_le_bytes()[0]], last_of_picture, &bytes(hex));
    }
    let pictures = receiver.pictures();
    assert_eq!(pictures.len(), 3);
    assert_eq!(pictures.iter().map(|picture| picture.frame.key).collect::<Vec<_>>(), [true, false, false]);
    let layers: Vec<_> = pictures.iter().map(|picture| picture.frame.layer.spatial).collect();
    assert_eq!(layers, [1, 1, 0]);
    assert_eq!(pictures[0].frame.payload[..], unit(&[&[0x30, 0], &[0x30, 0]]));
}

#[test]
fn av1_rtp_a_descriptors_without_templates_wait_for_them() {
    let mut receiver = receiver();
    let [(key, _, _), (next, _, _), ..] = captured();
    // The key frame is overtaken by the layer above it.
    receiver.skip();
    receiver.described(0, &[0x10, 0x30, 1], true, &bytes(next));
    assert_eq!(receiver.count(), 0);
    receiver.back(2);
    receiver.described(0, &[0x10, 0x30, 0], false, &bytes(key));
    assert_eq!(receiver.frames(), [unit(&[&[0x30, 0], &[0x30, 1]])]);
    assert_eq!(receiver.pictures()[0].frame.layer, LayerId { spatial: 1, temporal: 0 });
}

#[test]
fn av1_rtp_a_layers_that_are_left_out_are_not_missed() {
    let mut receiver = receiver();
    for (hex, spatial, time) in captured().into_iter().take(5) {
        if spatial == 0 {
            receiver.described(3_000 * time, &[0x10, 0x30, time.to_le_bytes()[0]], true, &bytes(hex));
        }
    }
    assert_eq!(receiver.count(), 3);
    assert!(!receiver.asks());
}
