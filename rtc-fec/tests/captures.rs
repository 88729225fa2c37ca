//! Streams recorded from GStreamer 1.22 (rtpulpfecenc, rtpredenc), as packets with a 16-bit length before each (RFC 4571).
//!
//! They are not part of the package: where they are absent, the tests say so and pass.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::path::Path;

use bytes::{Bytes, BytesMut};
use rtc_core::fec::FecDecoder;
use rtc_core::{PayloadType, RtpPacket, SeqNum};
use rtc_fec::red::{RedDecoder, RedDecoderConfig, blocks, decapsulate};
use rtc_fec::ulpfec::{UlpfecDecoder, UlpfecDecoderConfig};

const FEC: PayloadType = PayloadType::new(122);

fn capture(name: &str) -> Option<Vec<RtpPacket>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data/fec").join(name);
    let Ok(bytes) = std::fs::read(&path) else {
        println!("skipped: no recording {}", path.display());
        return None;
    };
    let (mut bytes, mut packets) = (Bytes::from(bytes), Vec::new());
    while !bytes.is_empty() {
        let mut packet = bytes.split_off(2);
        let len = usize::from(u16::from_be_bytes([bytes[0], bytes[1]]));
        bytes = packet.split_off(len);
        packets.push(RtpPacket::parse(packet).unwrap());
    }
    Some(packets)
}

/// What error correction makes of a stream that lacks one packet.
fn recover(packets: &[RtpPacket], lost: usize) -> Vec<RtpPacket> {
    let mut config = UlpfecDecoderConfig::default();
    config.payload_type = FEC;
    let mut decoder = UlpfecDecoder::new(config).unwrap();
    let mut recovered = Vec::new();
    for packet in packets.iter().enumerate().filter(|(at, _)| *at != lost).map(|(_, packet)| packet) {
        if packet.payload_type() == FEC {
            decoder.insert_repair(packet).unwrap();
        } else {
            decoder.insert_source(packet);
        }
        recovered.extend(core::iter::from_fn(|| decoder.poll_recovered()));
    }
    assert_eq!(decoder.stats().corrupt, 0);
    recovered
}

/// Whether a repair packet protects this number, read from its mask (RFC 5109 §7.4).
fn protects(repair: &RtpPacket, seq: SeqNum) -> bool {
    let payload = repair.payload();
    let mask = if payload[0] & 0x40 == 0 { &payload[12..14] } else { &payload[12..18] };
    let bit = usize::from(seq.0.wrapping_sub(u16::from_be_bytes([payload[2], payload[3]])));
    mask.get(bit / 8).is_some_and(|byte| byte & (0x80 >> (bit % 8)) != 0)
}

/// A packet of media lost alone comes back, to the last byte, iff a repair packet protects it. Some are not: GStreamer was
/// told to protect by half.
fn check_each_protected_packet_comes_back(packets: &[RtpPacket], least: usize) {
    let (repairs, media): (Vec<_>, Vec<_>) = (0..packets.len()).partition(|at| packets[*at].payload_type() == FEC);
    let mut count = 0;
    for lost in media {
        let protected = repairs.iter().any(|repair| protects(&packets[*repair], packets[lost].seq()));
        let expected = if protected { &packets[lost..=lost] } else { &[] };
        assert_eq!(recover(packets, lost), expected, "{lost}");
        count += usize::from(protected);
    }
    assert!(count >= least, "{count}");
}

#[test]
fn ulpfec_of_gstreamer() {
    let Some(packets) = capture("ulp.rtpstream") else { return };
    check_each_protected_packet_comes_back(&packets, 75);
}

/// The exclusive or of two and three packets each.
#[test]
fn ulpfec_of_gstreamer_over_several_packets() {
    let Some(packets) = capture("ulp_multi.rtpstream") else { return };
    check_each_protected_packet_comes_back(&packets, 500);
}

#[test]
fn ulpfec_in_red_of_gstreamer() {
    let Some(packets) = capture("ulpred.rtpstream") else { return };
    let mut config = RedDecoderConfig::default();
    config.payload_type = PayloadType::new(100);
    let mut red = RedDecoder::new(config);
    let mut plain = Vec::new();
    for packet in &packets {
        red.insert(packet).unwrap();
        plain.extend(core::iter::from_fn(|| red.poll()));
    }
    assert_eq!((red.stats().primaries, red.stats().blocks), (225, 0));
    check_each_protected_packet_comes_back(&plain, 75);
}

#[test]
fn red_audio_of_gstreamer() {
    let Some(packets) = capture("red_d1.rtpstream") else { return };
    let plain: Vec<_> = packets.iter().map(|packet| decapsulate(packet, &mut BytesMut::new()).unwrap()).collect();
    assert!(packets[1..].iter().all(|packet| blocks(packet.payload()).unwrap().len() == 2));
    let mut config = RedDecoderConfig::default();
    // From the second on: before the first packet that arrives nothing is brought back. The last is not carried again.
    for lost in 1..packets.len() - 1 {
        config.payload_type = packets[0].payload_type();
        let (mut red, mut got) = (RedDecoder::new(config), Vec::new());
        for (at, packet) in packets.iter().enumerate() {
            if at != lost {
                red.insert(packet).unwrap();
                got.extend(core::iter::from_fn(|| red.poll()));
            }
        }
        assert_eq!(got, plain, "{lost}");
        assert_eq!(red.stats().recovered, 1);
    }
}
