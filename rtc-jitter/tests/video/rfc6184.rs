//! Clauses of RFC 6184 (H.264) that concern a receiver of packetization modes 0 and 1.

use rtc_core::jitter::Inserted;
use rtc_jitter::VideoCodec;

use crate::payloads::Receiver;

const SPS: [u8; 2] = [0x67, 1];
const PPS: [u8; 2] = [0x68, 2];
const IDR: [u8; 3] = [0x65, 0x88, 3];
const SLICE: [u8; 3] = [0x61, 0x9a, 4];

fn receiver() -> Receiver {
    Receiver::new(VideoCodec::H264)
}

/// NAL units with the start codes of a byte stream.
fn stream(units: &[&[u8]]) -> Vec<u8> {
    units.iter().flat_map(|unit| [&[0, 0, 0, 1], *unit].concat()).collect()
}

#[test]
fn rfc6184_s5_1_the_marker_is_on_the_last_packet_of_an_access_unit() {
    let mut receiver = receiver();
    receiver.packet(0, &SPS, false);
    receiver.packet(0, &PPS, false);
    assert_eq!(receiver.count(), 0);
    receiver.packet(0, &IDR, true);
    assert_eq!(receiver.frames(), [stream(&[&SPS, &PPS, &IDR])]);
    assert_eq!(receiver.keys(), [true]);
}

/// §5.1: receivers "can use" the marker but have to cope without.
#[test]
fn rfc6184_s5_1_another_timestamp_ends_an_access_unit_too() {
    let mut receiver = receiver();
    receiver.packet(0, &SPS, false);
    receiver.packet(0, &IDR, false);
    assert_eq!(receiver.count(), 0);
    receiver.packet(3_000, &SLICE, true);
    assert_eq!(receiver.frames(), [stream(&[&SPS, &IDR]), stream(&[&SLICE])]);
}

#[test]
fn rfc6184_s5_7_1_units_of_an_aggregate_come_out_in_order() {
    let mut receiver = receiver();
    receiver.packet(0, &[&[0x78, 0, 2][..], &SPS, &[0, 2], &PPS, &[0, 3], &IDR].concat(), true);
    assert_eq!(receiver.frames(), [stream(&[&SPS, &PPS, &IDR])]);
}

#[test]
fn rfc6184_s5_8_fragments_are_one_unit() {
    let mut receiver = receiver();
    receiver.packet(0, &SPS, false);
    receiver.packet(0, &[0x7c, 0x85, 0x88, 1], false);
    receiver.packet(0, &[0x7c, 0x05, 2, 3], false);
    receiver.packet(0, &[0x7c, 0x45, 4], true);
    assert_eq!(receiver.frames(), [stream(&[&SPS, &[0x65, 0x88, 1, 2, 3, 4]])]);
    assert_eq!(receiver.keys(), [true]);
}

#[test]
fn rfc6184_s5_8_a_lost_fragment_loses_the_unit() {
    let mut receiver = receiver();
    receiver.packet(0, &SPS, false);
    receiver.packet(0, &IDR, true);
    receiver.packet(3_000, &[0x7c, 0x81, 0x88, 1], false);
    receiver.skip();
    receiver.packet(3_000, &[0x7c, 0x41, 4], true);
    receiver.packet(6_000, &SLICE, true);
    assert_eq!(receiver.count(), 1, "the picture after it needs it");
    receiver.packet(9_000, &SPS, false);
    receiver.packet(9_000, &IDR, true);
    assert_eq!(receiver.count(), 2);
}

#[test]
fn rfc6184_s5_8_fragments_that_contradict_each_other_are_no_picture() {
    let mut receiver = receiver();
    receiver.packet(0, &SPS, false);
    // A unit goes on that never began.
    receiver.packet(0, &[0x7c, 0x05, 2, 3], true);
    receiver.packet(3_000, &SPS, false);
    receiver.packet(3_000, &IDR, true);
    assert_eq!(receiver.frames(), [stream(&[&SPS, &IDR])]);
    assert_eq!(receiver.buffer.stats().frames_dropped, 1);
}

#[test]
fn rfc6184_s5_3_a_picture_nothing_needs_may_be_passed_over() {
    let mut receiver = receiver();
    receiver.packet(0, &SPS, false);
    receiver.packet(0, &IDR, true);
    // nal_ref_idc is zero, and a unit goes on that never began.
    receiver.packet(3_000, &[0x1c, 0x01, 2], true);
    receiver.packet(6_000, &SLICE, true);
    assert_eq!(receiver.frames(), [stream(&[&SPS, &IDR]), stream(&[&SLICE])]);
}

#[test]
fn rfc6184_s5_2_types_of_the_interleaved_mode_are_refused() {
    let mut receiver = receiver();
    receiver.packet(0, &SPS, false);
    for kind in [25, 26, 27, 29] {
        assert_eq!(receiver.packet(0, &[kind, 0, 0, 1, 2], false), Inserted::Foreign);
    }
    assert_eq!(receiver.buffer.stats().packets_malformed, 4);
}

#[test]
fn rfc6184_s5_4_reserved_types_are_passed_over() {
    let mut receiver = receiver();
    for kind in [0, 30, 31] {
        assert_eq!(receiver.packet(0, &[kind, 1], false), Inserted::Accepted);
    }
    receiver.packet(0, &SPS, false);
    receiver.packet(0, &IDR, false);
    receiver.packet(0, &[31, 2], true);
    assert_eq!(receiver.frames(), [stream(&[&SPS, &IDR])]);
    assert_eq!(receiver.keys(), [true]);
}
