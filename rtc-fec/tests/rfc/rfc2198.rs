//! RFC 2198: RTP payload for redundant audio data.

use bytes::BytesMut;
use rtc_core::{Fault, PayloadType, RtpPacket, RtpTime, SeqNum, Ssrc};
use rtc_fec::red::{
    MAX_COPIES, RedBlock, RedDecoder, RedDecoderConfig, RedDecoderStats, RedEncoder, RedEncoderConfig, RedForwarder,
    RedForwarderConfig, blocks, decapsulate, encapsulate,
};
use rtc_fec::rtx::{
    Received, Retransmit, RtxHistory, RtxHistoryConfig, RtxPayloadType, RtxReceiver, RtxReceiverConfig,
};

use crate::packets::{MEDIA, RED, SSRC, media, media_of, stream};

fn encoder(copies: usize, distance: usize) -> RedEncoder {
    let mut config = RedEncoderConfig::default();
    (config.copies, config.distance) = (copies, distance);
    RedEncoder::new(config).unwrap()
}

fn encode(encoder: &mut RedEncoder, packets: &[RtpPacket]) -> Vec<RtpPacket> {
    packets.iter().map(|packet| encoder.encode(packet)).collect()
}

fn red_packet(payload: &[u8]) -> RtpPacket {
    RtpPacket::builder(RED, SeqNum(100), RtpTime(10_000), SSRC).build(payload).unwrap()
}

/// Decodes those packets that are not lost.
fn decode(red: &[RtpPacket], lost: &[usize]) -> (Vec<RtpPacket>, RedDecoderStats) {
    let mut decoder = RedDecoder::new(RedDecoderConfig::default());
    let mut plain = Vec::new();
    for (index, packet) in red.iter().enumerate() {
        if !lost.contains(&index) {
            decoder.insert(packet).unwrap();
            plain.extend(core::iter::from_fn(|| decoder.poll()));
        }
    }
    (plain, decoder.stats())
}

#[test]
fn rfc2198_s3_a_block_header_is_f_type_offset_and_length() {
    let packets = [media_of(7, 960, 0x155), media_of(8, 960 + 0x2aaa, 3)];
    let red = encode(&mut encoder(1, 1), &packets);
    // F=1 111, then 14 bits 10101010101010, then 10 bits 0101010101.
    assert_eq!(red[1].payload()[..4], [0x80 | 111, 0b1010_1010, 0b1010_1001, 0b0101_0101]);
    assert_eq!(red[1].payload()[4], 111, "the primary's header is one byte with F=0");
    assert_eq!(red[1].payload()[5..][..0x155], *packets[0].payload());
    assert_eq!(red[1].payload()[5 + 0x155..], *packets[1].payload());
}

#[test]
fn rfc2198_s3_the_last_block_is_the_primary() {
    let red = encode(&mut encoder(2, 1), &stream(1, 0, [960, 960]));
    let got: Vec<_> =
        blocks(red[2].payload()).unwrap().map(|b| (b.timestamp_offset, b.primary, b.data.len())).collect();
    assert_eq!(got, [(1920, false, 41), (960, false, 42), (0, true, 43)], "oldest first");
    assert_eq!(blocks(red[2].payload()).unwrap().len(), 3);
}

#[test]
fn rfc2198_s3_rtp_header_is_the_primarys() {
    let packet = RtpPacket::builder(MEDIA, SeqNum(9), RtpTime(77), SSRC)
        .marker(true)
        .csrcs(&[Ssrc(5), Ssrc(6)])
        .extensions(&[(1, &[0x80])])
        .padding(5)
        .build(b"opus")
        .unwrap();
    let red = encoder(1, 1).encode(&packet);
    assert_eq!((red.payload_type(), red.seq(), red.timestamp(), red.ssrc()), (RED, SeqNum(9), RtpTime(77), SSRC));
    assert_eq!((red.marker(), red.extension(1), red.padding_len()), (true, Some(&[0x80][..]), 0));
    assert!(red.csrcs().eq([Ssrc(5), Ssrc(6)]));
    assert_eq!(red.payload(), b"\x6fopus");
    assert_eq!(RtpPacket::parse(red.as_bytes().clone()), Ok(red.clone()));

    let plain = decapsulate(&red, &mut BytesMut::new()).unwrap();
    assert_eq!(plain.payload(), packet.payload());
    assert_eq!(plain.as_bytes()[1..packet.header_len()], packet.as_bytes()[1..packet.header_len()]);
    assert_eq!(decode(&[red], &[]).0, [plain]);
}

#[test]
fn rfc2198_s3_length_has_10_bits() {
    for (len, copies, skipped) in [(1_023, 1, 0), (1_024, 0, 1)] {
        let mut encoder = encoder_with_room();
        encode(&mut encoder, &[media_of(1, 0, len), media(2, 960)]);
        assert_eq!((encoder.stats().copies, encoder.stats().skipped_size), (copies, skipped), "{len}");
    }
}

#[test]
fn rfc2198_s3_offset_has_14_bits() {
    for (ticks, copies, skipped) in [(16_383, 1, 0), (16_384, 0, 1)] {
        let mut encoder = encoder(1, 1);
        encode(&mut encoder, &stream(1, u32::MAX - 5, [ticks]));
        assert_eq!((encoder.stats().copies, encoder.stats().skipped_offset), (copies, skipped), "{ticks}");
    }
}

#[test]
fn rfc2198_s3_offset_is_unsigned_redundancy_is_never_newer() {
    let mut encoder = encoder(2, 1);
    let red = encode(&mut encoder, &[media(1, 960), media(2, 960), media(3, 0)]);
    assert!(red.iter().all(|packet| blocks(packet.payload()).unwrap().len() == 1));
    assert_eq!(encoder.stats().skipped_offset, 3);
}

#[test]
fn rfc2198_s3_truncated_headers_and_blocks_are_malformed() {
    let truncated: [&[u8]; 6] = [
        &[],
        &[0x80 | 111],
        &[0x80 | 111, 0, 0],
        &[0x80 | 111, 0, 0, 0],
        &[0xef, 0, 0, 2, 111, 1],
        &[0xef, 3, 0xff, 0xff],
    ];
    for payload in truncated {
        assert_eq!(blocks(payload).unwrap_err().fault(), Fault::Truncated, "{payload:?}");
    }
    assert_eq!(blocks(&[0xef, 0, 0, 1, 111, 1]).unwrap().primary().data, b"", "an absent primary is legal");
}

#[test]
fn rfc2198_s3_blocks_are_bounded() {
    let header = |count: usize| [[0xef, 0, 4, 0]].repeat(count).concat().into_iter().chain([111]).collect::<Vec<u8>>();
    assert_eq!(blocks(&header(MAX_COPIES)).unwrap().len(), MAX_COPIES + 1);
    assert_eq!(blocks(&header(MAX_COPIES + 1)).unwrap_err().fault(), Fault::Length);
}

#[test]
fn rfc2198_s3_blocks_may_be_of_another_type_than_the_primary() {
    // The codec changed between the two packets.
    let mut packets = stream(1, 0, [960, 960]);
    packets[1].rewrite(|header| header.set_payload_type(PayloadType::new(9)));
    let red = encode(&mut encoder(1, 1), &packets);
    let (plain, _) = decode(&red, &[1]);
    assert_eq!(plain, packets);
}

#[test]
fn rfc2198_s3_empty_blocks_bring_nothing_back() {
    let mut decoder = RedDecoder::new(RedDecoderConfig::default());
    decoder.insert(&media(98, 10_000 - 1_920)).unwrap();
    decoder.insert(&red_packet(&[0xef, 0b0000_1111, 0, 0, 111, 42])).unwrap();
    assert_eq!((decoder.stats().blocks, decoder.stats().empty, decoder.stats().recovered), (1, 1, 0));
}

#[test]
fn rfc2198_s3_red_in_red_is_refused() {
    let mut decoder = RedDecoder::new(RedDecoderConfig::default());
    for payload in [&[63, 111, 1][..], &[0x80 | 63, 0, 4, 1, 111, 7, 8]] {
        assert_eq!(decoder.insert(&red_packet(payload)).unwrap_err().fault(), Fault::Inconsistent);
    }
    assert_eq!(decoder.stats().malformed, 2);
    let (mut encoder, red) = (encoder(1, 1), red_packet(&[111, 1]));
    assert_eq!(encoder.encode(&red), red);
    assert_eq!(encoder.stats().passed, 1);
}

#[test]
fn rfc2198_s4_csrcs_are_assumed_to_hold_for_redundant_data_marker_is_not_preserved() {
    let packets: Vec<_> = (0..3u16)
        .map(|n| RtpPacket::builder(MEDIA, SeqNum(n), RtpTime(u32::from(n) * 960), SSRC).marker(true).csrcs(&[Ssrc(8)]))
        .map(|builder| builder.extensions(&[(1, &[3])]).build(b"opus").unwrap())
        .collect();
    let (plain, _) = decode(&encode(&mut encoder(1, 1), &packets), &[1]);
    let recovered = &plain[1];
    assert_eq!((recovered.seq(), recovered.timestamp(), recovered.payload()), (SeqNum(1), RtpTime(960), &b"opus"[..]));
    assert!(recovered.csrcs().eq([Ssrc(8)]));
    assert_eq!((recovered.marker(), recovered.raw_extension()), (false, None));
}

#[test]
fn rfc2198_s7_example_packet() {
    // A DVI4 primary (type 5, 84 bytes) with one block of LPC (type 7, 14 bytes), both 20 ms at 8 kHz.
    let mut payload = vec![0x80 | 7, 0b0000_0010, 0b1000_0000, 14, 5];
    payload.extend([0xcc; 14]);
    payload.extend([0xdd; 84]);
    let block = |payload_type, timestamp_offset, primary, data| RedBlock {
        payload_type: PayloadType::new(payload_type),
        timestamp_offset,
        primary,
        data,
    };
    let expected = [block(7, 160, false, &payload[5..19]), block(5, 0, true, &payload[19..])];
    assert!(blocks(&payload).unwrap().eq(expected));
}

#[test]
fn rfc5109_s14_2_repair_blocks_are_told_by_their_payload_type() {
    let mut config = RedDecoderConfig::default();
    config.repair = Some(PayloadType::new(127));
    let mut decoder = RedDecoder::new(config);
    // As a block beside media, with offset 0.
    decoder.insert(&red_packet(&[0x80 | 127, 0, 0, 2, 111, 0xfe, 0xc0, 42])).unwrap();
    let (repair, primary) = (decoder.poll().unwrap(), decoder.poll().unwrap());
    assert_eq!((repair.payload_type().value(), repair.payload(), repair.ssrc()), (127, &[0xfe, 0xc0][..], SSRC));
    assert_eq!((primary.payload_type(), primary.payload(), primary.seq()), (MEDIA, &[42][..], SeqNum(100)));
    // Alone, in a number of the media stream.
    let alone = encapsulate(&repair, RED, SeqNum(101), &mut BytesMut::new());
    decoder.insert(&alone).unwrap();
    let got = decoder.poll().unwrap();
    assert_eq!((got.payload_type().value(), got.seq(), got.payload()), (127, SeqNum(101), &[0xfe, 0xc0][..]));
    assert_eq!((decoder.stats().repairs, decoder.stats().primaries), (1, 2));
}

fn encoder_with_room() -> RedEncoder {
    let mut config = RedEncoderConfig::default();
    config.max_payload = 4_000;
    RedEncoder::new(config).unwrap()
}

#[test]
fn opus_red_of_browsers_has_1_to_9_copies_at_a_distance() {
    // 20 ms of Opus: 17 packets back is as far as 14 bits of 48 kHz reach.
    let packets = stream(65_500, u32::MAX - 40_000, [960; 80]);
    for (copies, distance, sent) in [(1, 1, 1), (5, 1, 5), (9, 1, 9), (8, 2, 8), (9, 2, 8), (1, 17, 1), (1, 18, 0)] {
        let mut encoder = encoder(copies, distance);
        let red = encode(&mut encoder, &packets);
        let offsets: Vec<_> =
            blocks(red[59].payload()).unwrap().map(|block| usize::from(block.timestamp_offset)).collect();
        let expected: Vec<_> = (0..=sent).rev().map(|back| back * distance * 960).collect();
        assert_eq!(offsets, expected, "{copies} {distance}");
        assert_eq!(encoder.stats().skipped_offset > 0, sent < copies);
        if sent > 0 {
            let burst: Vec<_> = (30..30 + distance * sent).collect();
            let (mut plain, _) = decode(&red, &burst);
            plain.sort_by_key(|packet| packet.seq().distance_from(packets[0].seq()));
            assert!(plain == packets, "a burst of {} comes back", burst.len());
        }
    }
}

#[test]
fn rfc4588_s4_red_is_retransmitted_with_the_original_number_before_its_headers() {
    let packets = stream(7, 0, [960; 4]);
    let red = encode(&mut encoder(1, 1), &packets);
    let types = vec![RtxPayloadType { rtx: PayloadType::new(97), original: RED }];
    let (mut sender, mut receiver) = (RtxHistoryConfig::default(), RtxReceiverConfig::default());
    (sender.ssrc, sender.payload_types) = (Some(Ssrc(2)), types.clone());
    (receiver.ssrc, receiver.payload_types) = (Some(SSRC), types);
    let mut history = RtxHistory::new(sender).unwrap();
    let now = rtc_core::time::Instant::ZERO;
    red.iter().for_each(|packet| history.insert(now, packet));
    let Retransmit::Packet(again) = history.retransmit(now, SeqNum(9)) else { panic!("kept") };
    assert_eq!(again.payload()[..3], [0, 9, 0x80 | 111], "OSN, then the header of the first block");
    let Ok(Received::Original(original)) = RtxReceiver::new(receiver).unwrap().receive(&again) else { panic!("RTX") };
    assert_eq!(original, red[2]);
    let (plain, stats) = decode(&[red[0].clone(), red[1].clone(), red[3].clone(), original], &[]);
    // Its media was in the packet after it already.
    assert_eq!((plain, stats.late), (packets[..4].to_vec(), 1));
}

fn forward(forwarder: &mut RedForwarder, packets: &[RtpPacket]) -> Vec<RtpPacket> {
    let mut left = Vec::new();
    for packet in packets {
        forwarder.insert(packet).unwrap();
        left.extend(core::iter::from_fn(|| forwarder.poll()));
    }
    left
}

#[test]
fn forwarding_to_a_subscriber_without_red_strips_and_fills_in() {
    let packets = stream(65_530, 0, [960; 20]);
    let mut red = encode(&mut encoder(2, 1), &packets[..15]);
    red.extend_from_slice(&packets[15..]); // The publisher stops to send RED.
    let arrived: Vec<_> = [&red[..4], &red[6..], &red[10..11]].concat();
    let mut forwarder = RedForwarder::new(RedForwarderConfig::default()).unwrap();
    assert_eq!(forward(&mut forwarder, &arrived), packets);
    let stats = forwarder.stats();
    assert_eq!((stats.stripped, stats.passed, stats.recovered, stats.unwanted), (13, 6, 2, 1));
    assert!(forwarder.insert(&red_packet(&[0x80])).is_err());
    let stats = forwarder.stats();
    let spent = stats.passed + stats.stripped + stats.encoded + stats.unwanted + stats.malformed;
    assert_eq!((spent, stats.malformed), (stats.packets, 1));
}

#[test]
fn forwarding_to_a_subscriber_with_red_adds_copies_or_passes_them() {
    let packets = stream(65_530, 0, [960; 20]);
    let mut config = RedForwarderConfig::default();
    let mut outgoing = RedEncoderConfig::default();
    (outgoing.payload_type, outgoing.copies) = (PayloadType::new(64), 2);
    config.outgoing = Some(outgoing);
    let mut forwarder = RedForwarder::new(config).unwrap();
    let red = encode(&mut encoder(1, 1), &packets[..10]);
    let left = forward(&mut forwarder, &[&red[..], &packets[10..]].concat());
    assert!(left.iter().all(|packet| packet.payload_type() == PayloadType::new(64)));
    assert_eq!(left[5].payload(), red[5].payload());
    let counts: Vec<_> = left.iter().map(|packet| blocks(packet.payload()).unwrap().len()).collect();
    assert_eq!(counts, [&[1][..], &[2; 9], &[3; 11]].concat(), "with copies of what came as RED");
    let stats = forwarder.stats();
    assert_eq!((stats.passed, stats.encoded), (10, 11));
    let mut config = RedDecoderConfig::default();
    config.payload_type = PayloadType::new(64);
    let mut decoder = RedDecoder::new(config);
    let mut plain = Vec::new();
    for packet in left.iter().enumerate().filter(|(at, _)| ![4, 10, 11, 15].contains(at)).map(|(_, packet)| packet) {
        decoder.insert(packet).unwrap();
        plain.extend(core::iter::from_fn(|| decoder.poll()));
    }
    assert_eq!(plain, packets);
}
