//! Streams that real encoders and packetizers made, where their files are.

use std::fs;
use std::path::Path;

use bytes::Bytes;
use rtc_core::jitter::{JitterBuffer, Playout};
use rtc_core::rtp::payload::av1::{ObuHeader, obu, read_leb128};
use rtc_core::{PayloadType, RtpPacket, RtpTime, SeqNum, Ssrc};
use rtc_jitter::{TimedFrame, VideoCodec, VideoConfig, VideoJitterBuffer};

use crate::streams::{at, ms};

const DATA: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/data");
/// Bytes of payload in the packets made here.
const PACKET: usize = 1_100;

/// A file of the data, if it is there.
fn read(name: &str) -> Option<Vec<u8>> {
    let bytes = fs::read(Path::new(DATA).join(name)).ok();
    if bytes.is_none() {
        println!("skipped: no {name} in the data folder");
    }
    bytes
}

/// All pictures of a stream whose packets arrive at once with the rest of their picture, 33 ms apart.
fn play(codec: VideoCodec, packets: &[RtpPacket]) -> (Vec<TimedFrame>, VideoJitterBuffer) {
    let mut buffer = VideoJitterBuffer::new(VideoConfig::new(codec)).unwrap();
    let (mut now, mut time, mut out) = (at(0), packets[0].timestamp(), Vec::new());
    for packet in packets {
        if packet.timestamp() != time {
            (now, time) = (now + ms(33), packet.timestamp());
        }
        while let Playout::Ready(picture) = buffer.poll(now) {
            out.push(picture);
        }
        buffer.insert(now, packet.clone());
    }
    while let Some(due) = buffer.poll_timeout() {
        if let Playout::Ready(picture) = buffer.poll(due.max(now)) {
            out.push(picture);
        }
    }
    (out, buffer)
}

/// RTP behind lengths of two bytes (RFC 4571), of one payload type.
fn packets_of(stream: &[u8], payload_type: u8) -> Vec<RtpPacket> {
    let (mut rest, mut packets) = (stream, Vec::new());
    while let Some((length, after)) = rest.split_first_chunk::<2>() {
        let (packet, after) = after.split_at(usize::from(u16::from_be_bytes(*length)));
        rest = after;
        let packet = RtpPacket::parse(Bytes::copy_from_slice(packet)).unwrap();
        packets.extend((packet.payload_type() == PayloadType::new(payload_type)).then_some(packet));
    }
    packets
}

#[test]
fn vp8_of_gstreamer_comes_out_whole() {
    let Some(stream) = read("fec/ulp.rtpstream") else { return };
    let packets = packets_of(&stream, 96);
    let pictures = packets.iter().filter(|packet| packet.marker()).count();
    // The repair packets between them have numbers of the same sequence, so padding stands in for them.
    let mut all = Vec::new();
    for packet in &packets {
        let missing = all.last().map_or(0, |last: &RtpPacket| packet.seq().distance_from(last.seq()) - 1);
        for step in 1..=missing.unsigned_abs() {
            let last = &all[all.len() - 1];
            let seq = last.seq() + 1;
            assert!(step < 20, "no packet was lost");
            all.push(RtpPacket::builder(PayloadType::new(96), seq, last.timestamp(), last.ssrc()).build(&[]).unwrap());
        }
        all.push(packet.clone());
    }
    let (out, buffer) = play(VideoCodec::Vp8, &all);
    assert_eq!(out.len(), pictures, "{:?}", buffer.stats());
    assert!(out[0].frame.key && pictures > 50);
    // RFC 6386 §9.1: a key frame begins with its tag and this start code.
    assert!(out.iter().filter(|picture| picture.frame.key).all(|key| key.frame.payload[3..6] == [0x9d, 0x01, 0x2a]));
}

/// The temporal units of an IVF file, each as OBUs without length, their delimiters left away.
fn units_of(ivf: &[u8]) -> Vec<Vec<Vec<u8>>> {
    let (mut rest, mut units) = (&ivf[32..], Vec::new());
    while rest.len() > 12 {
        let len = u32::from_le_bytes(rest[..4].try_into().unwrap()) as usize;
        let (mut unit, after) = rest[12..].split_at(len);
        let mut obus = Vec::new();
        while !unit.is_empty() {
            let (header, header_len) = ObuHeader::parse(unit).unwrap();
            let (size, size_len) = read_leb128(&unit[header_len..]).unwrap();
            let end = header_len + size_len + size;
            if header.kind != obu::TEMPORAL_DELIMITER {
                let head = [&[unit[0] & !2], &unit[1..header_len]].concat();
                obus.push([&head, &unit[header_len + size_len..end]].concat());
            }
            unit = &unit[end..];
        }
        units.push(obus);
        rest = after;
    }
    units
}

/// The packets of a temporal unit: an OBU element each, cut where they are long.
fn packets(obus: &[Vec<u8>], seq: &mut SeqNum, time: RtpTime) -> Vec<RtpPacket> {
    let mut packets = Vec::new();
    for (index, obu) in obus.iter().enumerate() {
        let starts = index == 0 && ObuHeader::parse(obu).unwrap().0.kind == obu::SEQUENCE_HEADER;
        let pieces = obu.chunks(PACKET).count();
        for (piece, bytes) in obu.chunks(PACKET).enumerate() {
            let flags = u8::from(piece > 0) << 7 | u8::from(piece + 1 < pieces) << 6;
            let new = u8::from(starts && piece == 0) << 3;
            let is_last = index + 1 == obus.len() && piece + 1 == pieces;
            let builder = RtpPacket::builder(PayloadType::new(98), *seq, time, Ssrc(9)).marker(is_last);
            packets.push(builder.build(&[&[flags | 0x10 | new], bytes].concat()).unwrap());
            *seq = seq.next();
        }
    }
    packets
}

#[test]
fn av1_of_libaom_comes_out_as_it_went_in() {
    for name in ["L1T1", "L1T3", "L2T2", "L3T3"] {
        let Some(ivf) = read(&format!("svc/{name}.ivf")) else { return };
        let units = units_of(&ivf);
        let mut seq = SeqNum(65_500);
        let sent: Vec<RtpPacket> =
            (0..).step_by(3_000).zip(&units).flat_map(|(time, obus)| packets(obus, &mut seq, RtpTime(time))).collect();
        let (out, buffer) = play(VideoCodec::Av1, &sent);
        assert_eq!(out.len(), units.len(), "{name}: {:?}", buffer.stats());
        let mut whole = ivf[32..].to_vec();
        for picture in &out {
            let (_, rest) = whole.split_at(12);
            assert!(rest.starts_with(&picture.frame.payload), "{name}: byte for byte");
            whole = rest[picture.frame.payload.len()..].to_vec();
        }
        assert!(whole.is_empty() && out[0].frame.key);
    }
}
