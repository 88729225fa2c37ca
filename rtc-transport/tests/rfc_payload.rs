//! Clauses of the payload formats, at the sender: RFC 6184, RFC 7741, RFC 9628, the AV1 RTP payload specification, RFC 7587,
//! RFC 3551.

#![expect(clippy::unwrap_used, reason = "a test ends at the first surprise")]

use bytes::BytesMut;
use rtc_core::Frequency;
use rtc_core::audio::{AudioMut, AudioRef};
use rtc_core::rtp::payload::{PictureId, av1 as av1_header, vp8 as vp8_header, vp9 as vp9_header};
use rtc_transport::payload::{Payloads, av1, g711, h264, l16, opus, vp8, vp9};

/// The payloads of whatever `cut` writes.
fn payloads(cut: impl FnOnce(&mut Payloads)) -> Vec<Vec<u8>> {
    let mut payloads = Payloads::default();
    cut(&mut payloads);
    payloads.iter().map(<[u8]>::to_vec).collect()
}

fn h264(units: &[&[u8]], max: usize) -> Vec<Vec<u8>> {
    let stream: Vec<u8> = units.iter().flat_map(|unit| [&[0, 0, 1][..], unit].concat()).collect();
    payloads(|out| h264::packetize(h264::Mode::NonInterleaved, &stream, max, out).unwrap())
}

#[test]
fn rfc6184_s5_6_a_nal_unit_is_a_payload_as_it_is() {
    assert_eq!(h264(&[&[0x65, 1, 2, 3]], 100), [[0x65, 1, 2, 3]]);
}

#[test]
fn rfc6184_s5_7_1_small_units_share_a_payload_with_their_lengths() {
    // The aggregate has the greatest NRI of its units, and F if one has it (§5.7).
    assert_eq!(
        h264(&[&[0x67, 1, 2], &[0x28, 3], &[0x86, 4]], 100),
        [[0xf8, 0, 3, 0x67, 1, 2, 0, 2, 0x28, 3, 0, 2, 0x86, 4]]
    );
}

#[test]
fn rfc6184_s5_8_large_units_are_cut_into_fragments() {
    let unit: Vec<u8> = core::iter::once(0x65).chain(0..10).collect();
    let expected: [&[u8]; 3] = [&[0x7c, 0x85, 0, 1, 2, 3], &[0x7c, 0x05, 4, 5, 6, 7], &[0x7c, 0x45, 8, 9]];
    assert_eq!(h264(&[&unit], 6), expected);
}

#[test]
fn rfc6184_s5_8_no_fragment_both_starts_and_ends_a_unit() {
    for len in 3..200 {
        for payload in h264(&[&vec![0x65; len]], 20) {
            assert!(payload[0] & 0x1f != 28 || payload[1] & 0xc0 != 0xc0);
        }
    }
}

#[test]
fn rfc6184_s5_4_reserved_types_and_those_of_packets_are_not_sent() {
    assert_eq!(h264(&[&[0x00, 1], &[0x78, 2], &[0x65, 3], &[0x7e, 4]], 100), [[0x65, 3]]);
}

#[test]
fn rfc6184_s6_2_mode_0_has_whole_units_only() {
    let mut out = Payloads::default();
    let stream = [0, 0, 1, 0x67, 1, 0, 0, 1, 0x68, 2];
    h264::packetize(h264::Mode::SingleNalUnit, &stream, 5, &mut out).unwrap();
    assert_eq!(out.iter().collect::<Vec<_>>(), [&[0x67, 1][..], &[0x68, 2]]);
    let long = [&[0, 0, 1][..], &[0x65; 6]].concat();
    assert!(h264::packetize(h264::Mode::SingleNalUnit, &long, 5, &mut out).is_err() && out.is_empty());
}

#[test]
fn rfc7741_s4_2_s_is_set_where_the_frame_begins() {
    let picture_id = Some(PictureId { value: 0x1234, is_long: true });
    let descriptor = vp8_header::Descriptor { picture_id, ..Default::default() };
    let cut = payloads(|out| vp8::packetize(&descriptor, &[1, 2, 3, 4], 6, out).unwrap());
    assert_eq!(cut, [[0x90, 0x80, 0x92, 0x34, 1, 2], [0x80, 0x80, 0x92, 0x34, 3, 4]]);
}

#[test]
fn rfc7741_s4_2_tl0picidx_comes_with_tid() {
    let descriptor = vp8_header::Descriptor { base_index: Some(7), ..Default::default() };
    let cut = payloads(|out| vp8::packetize(&descriptor, &[1], 6, out).unwrap());
    assert_eq!(cut, [[0x90, 0x60, 7, 0, 1]], "X S, L T, TL0PICIDX, TID 0");
}

/// The descriptors of the examples: PictureID 17 in a key frame and in two partitions, none, and PictureID 4711.
#[test]
fn rfc7741_s4_6_examples() {
    let parse = |payload: &[u8]| vp8_header::Descriptor::parse(payload).map(|(descriptor, _)| descriptor).unwrap();
    let of = |value, is_long| vp8_header::Descriptor {
        picture_id: Some(PictureId { value, is_long }),
        starts_partition: true,
        ..Default::default()
    };
    assert_eq!(parse(&[0x90, 0x80, 0x11, 0]), of(17, false));
    assert_eq!(parse(&[0x10, 1]), vp8_header::Descriptor { picture_id: None, ..of(0, false) });
    assert_eq!(parse(&[0x91, 0x80, 0x11, 0]), vp8_header::Descriptor { partition: 1, ..of(17, false) });
    let fragment = vp8_header::Descriptor { partition: 1, starts_partition: false, ..of(17, false) };
    assert_eq!(parse(&[0x81, 0x80, 0x11, 0]), fragment);
    assert_eq!(parse(&[0x90, 0x80, 0x92, 0x67, 1]), of(4_711, true));
    let cut = payloads(|out| vp8::packetize(&of(4_711, true), &[1], 9, out).unwrap());
    assert_eq!(cut, [[0x90, 0x80, 0x92, 0x67, 1]]);
}

#[test]
fn rfc9628_s4_2_f_comes_with_a_picture_number() {
    let flexible = vp9_header::Descriptor::default().with_diffs(&[3]).unwrap();
    let cut = payloads(|out| vp9::packetize(&flexible, None, &[1], 9, out).unwrap());
    assert_eq!(cut, [[0x4c, 1]], "P B E: without a number there is nothing to differ from");
    assert_eq!(vp9_header::Descriptor::default().with_diffs(&[0]), None, "a P_DIFF of zero is invalid");
}

#[test]
fn rfc9628_s4_2_b_and_e_are_set_at_the_ends_of_a_layer_frame() {
    let descriptor = vp9_header::Descriptor::default();
    let cut = payloads(|out| vp9::packetize(&descriptor, None, &[1, 2, 3], 2, out).unwrap());
    assert_eq!(cut, [[0x08, 1], [0x00, 2], [0x04, 3]]);
}

#[test]
fn rfc9628_s4_2_1_the_structure_comes_with_the_first_packet() {
    let descriptor = vp9_header::Descriptor::default();
    let structure = vp9_header::Structure::with_sizes(&[(320, 180), (640, 360)]);
    let cut = payloads(|out| vp9::packetize(&descriptor, structure.as_ref(), &[1, 2], 11, out).unwrap());
    assert_eq!(cut, [&[0x0a, 0x30, 1, 64, 0, 180, 2, 128, 1, 104, 1][..], &[0x04, 2]]);
}

#[test]
fn rfc9628_s4_2_1_a_group_of_pictures_is_written_and_read() {
    // Three temporal layers in the pattern 0 2 1 2.
    let picture = |temporal, up, diffs: &[u8]| vp9_header::GroupPicture::new(temporal, up, diffs).unwrap();
    let group = [picture(0, false, &[4]), picture(2, true, &[1]), picture(1, true, &[2]), picture(2, false, &[1, 2])];
    let structure =
        vp9_header::Structure::with_sizes(&[(640, 360)]).and_then(|structure| structure.with_group(&group)).unwrap();
    let descriptor = vp9_header::Descriptor::default();
    let cut = payloads(|out| vp9::packetize(&descriptor, Some(&structure), &[1], 100, out).unwrap());
    let pictures = [4, 0x04, 4, 0x54, 1, 0x34, 2, 0x48, 1, 2];
    assert_eq!(cut, [[&[0x0e, 0x18, 2, 128, 1, 104][..], &pictures, &[1]].concat()]);
    let read = vp9_header::Descriptor::parse_structure(&cut[0]).unwrap().unwrap();
    assert_eq!(read.group(), Some(&group[..]));
    assert_eq!((read.sizes(), read.layers()), (&[(640, 360)][..], 1));
    assert!(
        vp9_header::GroupPicture::new(8, false, &[]).is_none()
            && vp9_header::GroupPicture::new(0, false, &[1; 4]).is_none()
    );
    assert!(vp9_header::Structure::default().with_group(&[group[0]; 256]).is_none());
}

fn av1(unit: &[u8], max: usize) -> Vec<Vec<u8>> {
    payloads(|out| av1::packetize(unit, max, out).unwrap())
}

#[test]
fn av1_s4_4_w_counts_the_elements_and_the_last_has_no_length() {
    // Sequence header and frame; the frame's header loses has_size.
    let unit = [0x0a, 2, 7, 8, 0x32, 3, 0x10, 2, 3];
    assert_eq!(av1(&unit, 100), [[0x28, 3, 0x08, 7, 8, 0x30, 0x10, 2, 3]]);
}

#[test]
fn av1_s4_4_z_and_y_say_that_an_obu_goes_on() {
    let unit = [&[0x32, 70][..], &[9; 70]].concat();
    let headers: Vec<u8> = av1(&unit, 32).iter().map(|payload| payload[0]).collect();
    assert_eq!(headers, [0x50, 0xd0, 0x90]);
}

#[test]
fn av1_s4_4_n_is_set_where_a_sequence_starts() {
    let first = |unit: &[u8]| av1(unit, 100)[0][0] & 0x08 != 0;
    // A sequence header, and a key frame that is shown.
    assert!(first(&[0x0a, 1, 7, 0x32, 1, 0x10]) && !first(&[0x32, 1, 0x10]));
    // The header is repeated with an inter frame, or with a key frame of the upper spatial layer of a simulcast.
    assert!(!first(&[0x0a, 1, 7, 0x32, 1, 0x30]) && !first(&[0x0a, 1, 7, 0x36, 0x08, 1, 0x10]));
    // A still picture has no such bits.
    assert!(first(&[0x0a, 1, 0x18, 0x32, 1, 0xff]));
}

#[test]
fn av1_s5_no_payload_has_two_layers_and_a_sequence_header_is_the_first() {
    // The example of §5.1: SH MD MD(0,0) FH(0,0) TG(0,0) MD(0,1) FH(0,1) TG(0,1), of two spatial layers.
    let of = |kind: u8, layer: Option<u8>, body: u8| match layer {
        None => vec![kind << 3 | 2, 1, body],
        Some(spatial) => vec![kind << 3 | 6, spatial << 3, 1, body],
    };
    let (metadata, header, tiles) = (5, 3, 4);
    let unit = [
        of(1, None, 1),
        of(metadata, None, 2),
        of(metadata, Some(0), 3),
        of(header, Some(0), 0x10),
        of(tiles, Some(0), 5),
        of(metadata, Some(1), 6),
        of(header, Some(1), 0x30),
        of(tiles, Some(1), 8),
    ];
    let cut = av1(&unit.concat(), 100);
    let bodies: Vec<Vec<u8>> = cut
        .iter()
        .map(|payload| av1_header::Payload::parse(payload).unwrap().elements().map(|obu| obu[obu.len() - 1]).collect())
        .collect();
    assert_eq!(bodies, [vec![1, 2, 3], vec![0x10, 5], vec![6, 0x30, 8]]);
    let again = [of(header, None, 4), of(1, None, 1)].concat();
    assert_eq!(av1(&again, 100).len(), 2);
}

#[test]
fn av1_s5_delimiters_and_tile_lists_are_not_sent() {
    assert_eq!(av1(&[0x12, 0, 0x42, 1, 5, 0x32, 1, 1], 100), [[0x10, 0x30, 1]]);
}

#[test]
fn rfc7587_s4_1_the_clock_is_48_khz() {
    assert_eq!(opus::CLOCK, Frequency::KHZ_48);
}

#[test]
fn rfc7587_s3_1_3_packets_without_sound_are_not_sent() {
    assert!(!opus::is_sent(&[0xf8]) && !opus::is_sent(&[0xf8, 0xff]) && opus::is_sent(&[0xf8, 0xff, 0xfe]));
}

#[test]
fn rfc3551_s4_1_the_marker_is_set_where_speech_begins() {
    assert!(opus::marker(false) && !opus::marker(true));
}

#[test]
fn rfc3551_s4_5_11_l16_is_in_network_order_channels_by_turns() {
    let (left, right) = ([0.5, -1.0], [1.0 / 32_768.0, 0.0]);
    let mut payload = BytesMut::new();
    l16::packetize(AudioRef::stereo(&left, &right, Frequency::KHZ_48).unwrap(), &mut payload);
    assert_eq!(payload[..], [0x40, 0, 0, 1, 0x80, 0, 0, 0]);
    let (mut far_left, mut far_right) = ([0.0; 2], [0.0; 2]);
    let mut audio = AudioMut::stereo(&mut far_left, &mut far_right, Frequency::KHZ_48).unwrap();
    assert_eq!(l16::depacketize(&payload, &mut audio), Ok(2));
    assert!(l16::depacketize(&payload[..7], &mut audio).is_err(), "half a sample");
    assert_eq!((far_left, far_right), (left, right));
}

#[test]
fn rfc3551_s4_5_14_a_byte_per_sample() {
    let sound = [0.0, 0.25, -0.25];
    for law in [g711::Law::Mu, g711::Law::A] {
        let mut payload = BytesMut::new();
        g711::packetize(law, AudioRef::mono(&sound, Frequency::KHZ_8), &mut payload);
        let mut heard = [1.0; 3];
        let samples = g711::depacketize(law, &payload, &mut AudioMut::mono(&mut heard, Frequency::KHZ_8));
        assert_eq!((payload.len(), samples), (3, Ok(3)));
        assert!(sound.iter().zip(heard).all(|(sound, heard)| (sound - heard).abs() < 0.01), "{law:?} {heard:?}");
    }
}
