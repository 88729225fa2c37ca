//! RFC 5109: generic forward error correction.

use bytes::BytesMut;
use rtc_core::fec::{FecDecoder, FecEncoder};
use rtc_core::{Fault, PayloadType, RtpPacket, RtpTime, SeqNum, Ssrc};
use rtc_fec::red::{RedDecoder, RedDecoderConfig, blocks, encapsulate};
use rtc_fec::ulpfec::{
    Level, Pattern, Protection, UlpfecDecoder, UlpfecDecoderConfig, UlpfecEncoder, UlpfecEncoderConfig, UlpfecInRed,
};

use crate::packets::{RED, SSRC, media, media_of};

const FEC: PayloadType = PayloadType::new(127);

fn encoder(media: usize, repair: usize, pattern: Pattern) -> UlpfecEncoder {
    let mut config = UlpfecEncoderConfig::default();
    config.protection = Protection::even(media, repair).unwrap().with_pattern(pattern);
    UlpfecEncoder::new(config).unwrap()
}

fn decoder() -> UlpfecDecoder {
    UlpfecDecoder::new(UlpfecDecoderConfig::default()).unwrap()
}

fn repairs(encoder: &mut UlpfecEncoder) -> Vec<RtpPacket> {
    core::iter::from_fn(|| encoder.poll_repair()).collect()
}

fn protect(encoder: &mut UlpfecEncoder, packets: &[RtpPacket]) -> Vec<RtpPacket> {
    packets.iter().for_each(|packet| encoder.protect(packet));
    encoder.flush();
    repairs(encoder)
}

fn recovered(decoder: &mut UlpfecDecoder) -> Vec<RtpPacket> {
    core::iter::from_fn(|| decoder.poll_recovered()).collect()
}

fn seqs(first: u16, count: u16) -> Vec<RtpPacket> {
    (0..count).map(|n| media(first.wrapping_add(n), u32::from(n) * 3_000)).collect()
}

fn repair_packet(payload: &[u8]) -> RtpPacket {
    RtpPacket::builder(FEC, SeqNum(1), RtpTime(0), SSRC).build(payload).unwrap()
}

/// The four packets of §10.
fn abcd() -> Vec<RtpPacket> {
    [(8, 3, 11, true, 200), (9, 5, 18, false, 140), (10, 7, 11, true, 100), (11, 9, 18, false, 340)]
        .map(|(seq, timestamp, payload_type, marker, len)| {
            let payload: Vec<u8> = (0..len).map(|byte: u16| (byte ^ seq).to_le_bytes()[0]).collect();
            RtpPacket::builder(PayloadType::new(payload_type), SeqNum(seq), RtpTime(timestamp), Ssrc(2))
                .marker(marker)
                .build(&payload)
                .unwrap()
        })
        .to_vec()
}

#[test]
fn rfc5109_s10_1_example() {
    let mut config = UlpfecEncoderConfig::default();
    (config.protection, config.first_seq) = (Protection::even(4, 1).unwrap(), SeqNum(1));
    let packets = abcd();
    let repairs = protect(&mut UlpfecEncoder::new(config).unwrap(), &packets);
    let [repair] = &repairs[..] else { panic!("one repair packet") };
    // Figure 7.
    assert_eq!(repair.as_bytes()[..12], [0x80, 127, 0, 1, 0, 0, 0, 9, 0, 0, 0, 2]);
    // Figure 8: all flags and PT 0, SN base 8, TS 8, length 372.
    assert_eq!(repair.payload()[..10], [0, 0, 0, 8, 0, 0, 0, 8, 0x01, 0x74]);
    // Figure 9: L0 340, mask 61440.
    assert_eq!(repair.payload()[10..14], [0x01, 0x54, 0xf0, 0]);
    assert_eq!(repair.payload().len(), 10 + 4 + 340);
    let data = |at: usize| packets.iter().filter_map(|packet| packet.payload().get(at)).fold(0, |sum, byte| sum ^ byte);
    assert!((0..340).all(|at| repair.payload()[14 + at] == data(at)));
    for lost in 0..4 {
        let mut decoder = decoder();
        packets.iter().enumerate().filter(|(at, _)| *at != lost).for_each(|(_, packet)| decoder.insert_source(packet));
        decoder.insert_repair(repair).unwrap();
        assert_eq!(recovered(&mut decoder), [packets[lost].clone()]);
    }
}

/// The payloads of the two repair packets of figures 11 to 17, by the letter of §8.
///
/// The figures have M 0 in both headers, of all four packets; the header is of those protected at level 0 (§8.1), as PT, TS
/// and length are in the figures.
fn s10_2_payloads(packets: &[RtpPacket]) -> [Vec<u8>; 2] {
    let sum = |packets: &[RtpPacket], bytes: core::ops::Range<usize>| -> Vec<u8> {
        let byte = |packet: &RtpPacket, at| packet.as_bytes().get(12 + at).copied().unwrap_or_default();
        bytes.map(|at| packets.iter().fold(0, |sum, packet| sum ^ byte(packet, at))).collect()
    };
    let (ab, cd) = packets.split_at(2);
    let first = [&[0, 0x80 | 25, 0, 8, 0, 0, 0, 6, 0, 68, 0, 70, 0xc0, 0][..], &sum(ab, 0..70)].concat();
    let second = [
        &[0, 0x80 | 25, 0, 8, 0, 0, 0, 14, 0x01, 0x30, 0, 70, 0x30, 0][..],
        &sum(cd, 0..70),
        &[0, 90, 0xf0, 0],
        &sum(packets, 70..160),
    ];
    [first, second.concat()]
}

#[test]
fn rfc5109_s10_2_example_is_recovered_level_by_level() {
    let packets = abcd();
    // What is lost; of each lost packet how much of the payload comes back.
    let cases: [(&[usize], &[usize]); 7] = [
        (&[0], &[160]), // 200 bytes long: 40 are protected by nobody.
        (&[1], &[140]),
        (&[2], &[100]),
        (&[3], &[160]),
        (&[1, 2], &[70, 70]), // Beyond 70 bytes both are unknown to level 1.
        (&[0, 1], &[0, 0]),
        (&[0, 3], &[70, 70]),
    ];
    for (lost, expected) in cases {
        let mut decoder = decoder();
        let here = packets.iter().enumerate().filter(|(at, _)| !lost.contains(at));
        here.for_each(|(_, packet)| decoder.insert_source(packet));
        for payload in s10_2_payloads(&packets) {
            decoder.insert_repair(&repair_packet(&payload)).unwrap();
        }
        let recovered = recovered(&mut decoder);
        for (lost, len) in lost.iter().zip(expected) {
            let original = &packets[*lost];
            let partial = decoder.partial(original.seq());
            let whole = *len == original.payload().len();
            assert_eq!(recovered.contains(original), whole, "{lost}");
            if whole || *len == 0 {
                assert_eq!(partial, None);
                continue;
            }
            let partial = partial.unwrap();
            assert_eq!(partial.packet.payload(), &original.payload()[..*len]);
            assert_eq!(partial.packet.as_bytes()[..12], original.as_bytes()[..12]);
            assert_eq!(partial.lacking, original.payload().len() - len);
        }
    }
}

#[test]
fn rfc5109_s10_2_uneven_protection_is_written_as_in_the_example() {
    // As above, but the packets alternate between the repair packets: A and C, B and D.
    let mut packets = abcd();
    packets.swap(1, 2);
    let levels = [Level { len: 70, repair: 2 }, Level { len: 90, repair: 1 }];
    let mut config = UlpfecEncoderConfig::default();
    config.protection = Protection::uneven(4, &levels).unwrap();
    let repairs = protect(&mut UlpfecEncoder::new(config).unwrap(), &packets);
    let mut expected = s10_2_payloads(&abcd());
    // The first repair packet has level 1 here, the second in the example; A is in one group with B again.
    let level_1 = expected[1].split_off(14 + 70);
    expected[0].extend(level_1);
    expected[1][3] = 10;
    expected[1][12] = 0xc0;
    assert_eq!(repairs[0].payload(), expected[0]);
    assert_eq!(repairs[1].payload(), expected[1]);
}

#[test]
fn rfc5109_s5_the_beginning_survives_more_than_the_rest() {
    let packets: Vec<_> = (0..12).map(|seq| media_of(seq, 0, 100)).collect();
    let levels = [Level { len: 30, repair: 6 }, Level { len: u16::MAX, repair: 1 }];
    let mut config = UlpfecEncoderConfig::default();
    config.protection = Protection::uneven(12, &levels).unwrap();
    let repairs = protect(&mut UlpfecEncoder::new(config).unwrap(), &packets);
    let lengths: Vec<_> = repairs.iter().map(|repair| repair.payload().len()).collect();
    assert_eq!(lengths, [14 + 30 + 4 + 70, 44, 44, 44, 44, 44]);
    let mut decoder = decoder();
    // Three lost in a row: their beginnings come back.
    packets.iter().filter(|packet| !(3..6).contains(&packet.seq().0)).for_each(|packet| decoder.insert_source(packet));
    repairs.iter().for_each(|repair| decoder.insert_repair(repair).unwrap());
    assert_eq!(recovered(&mut decoder), []);
    for lost in &packets[3..6] {
        let partial = decoder.partial(lost.seq()).unwrap();
        assert_eq!((partial.packet.payload(), partial.lacking), (&lost.payload()[..30], 70));
    }
    // With two of them late, the third is whole.
    decoder.insert_source(&packets[3]);
    decoder.insert_source(&packets[5]);
    assert_eq!(recovered(&mut decoder), packets[4..5]);
}

#[test]
fn rfc5109_s7_1_levels_are_bounded() {
    let level = |count: usize| [&[0; 10][..], &[0, 1, 0x80, 0, 7].repeat(count)].concat();
    let mut decoder = decoder();
    assert_eq!(decoder.insert_repair(&repair_packet(&level(4))), Ok(()));
    assert_eq!(decoder.insert_repair(&repair_packet(&level(5))).unwrap_err().fault(), Fault::Length);
}

#[test]
fn rfc5109_s10_3_repair_data_of_the_example_in_a_red_block() {
    let repairs = protect(&mut encoder(4, 1, Pattern::Interleaved), &abcd());
    let red = encapsulate(&repairs[0], PayloadType::new(100), SeqNum(12), &mut BytesMut::new());
    assert_eq!((red.payload_type().value(), red.seq(), red.ssrc()), (100, SeqNum(12), Ssrc(2)));
    let primary = blocks(red.payload()).unwrap().primary();
    assert_eq!((primary.payload_type, primary.data.len()), (FEC, 354));

    let mut config = RedDecoderConfig::default();
    config.payload_type = PayloadType::new(100);
    let mut plain = RedDecoder::new(config);
    plain.insert(&red).unwrap();
    let mut decoder = decoder();
    abcd()[1..].iter().for_each(|packet| decoder.insert_source(packet));
    decoder.insert_repair(&plain.poll().unwrap()).unwrap();
    assert_eq!(recovered(&mut decoder), abcd()[..1]);
}

#[test]
fn rfc5109_s7_2_marker_is_zero_numbers_count_up_and_ssrc_is_the_medias() {
    let mut encoder = encoder(1, 1, Pattern::Interleaved);
    let mut packets = seqs(1, 3);
    packets[0].rewrite(|header| header.set_marker(true));
    let repairs = protect(&mut encoder, &packets);
    for (repair, n) in repairs.iter().zip(0..) {
        assert_eq!((repair.marker(), repair.seq(), repair.ssrc()), (false, SeqNum(n), SSRC));
        assert_eq!(repair.timestamp(), packets[usize::from(n)].timestamp(), "the media clock when it is sent");
    }
    assert_eq!(repairs[0].payload()[1], 0x80 | 111, "the marker is recovered from the FEC header");
}

#[test]
fn rfc5109_s7_3_the_extension_flag_is_refused() {
    let packets = seqs(1, 2);
    let mut payload = protect(&mut encoder(2, 1, Pattern::Interleaved), &packets)[0].payload().to_vec();
    assert_eq!(payload[0] & 0x80, 0, "zero when sent");
    let mut decoder = decoder();
    decoder.insert_source(&packets[0]);
    payload[0] |= 0x80;
    assert_eq!(decoder.insert_repair(&repair_packet(&payload)).unwrap_err().fault(), Fault::Reserved);
    assert_eq!((recovered(&mut decoder), decoder.stats().malformed), (vec![], 1));
    payload[0] &= 0x7f;
    decoder.insert_repair(&repair_packet(&payload)).unwrap();
    assert_eq!(recovered(&mut decoder), packets[1..]);
}

#[test]
fn rfc5109_s7_3_sn_base_is_the_lowest_in_wrap_order() {
    let packets = [media(1, 0), media(65_534, 0), media(65_535, 0)];
    let repair = &protect(&mut encoder(3, 1, Pattern::Interleaved), &packets)[0];
    assert_eq!(repair.payload()[2..4], [0xff, 0xfe]);
    assert_eq!(repair.payload()[12..14], [0b1101_0000, 0]);
    // Of each repair packet by itself.
    let repairs = protect(&mut encoder(4, 2, Pattern::Interleaved), &seqs(65_535, 4));
    assert_eq!((&repairs[0].payload()[2..4], &repairs[1].payload()[2..4]), (&[0xff, 0xff][..], &[0, 0][..]));
}

#[test]
fn rfc5109_s7_3_p_x_cc_m_pt_and_length_are_recovered() {
    let builder = |seq| RtpPacket::builder(PayloadType::new(96), SeqNum(seq), RtpTime(77), SSRC);
    let packets = [
        builder(1).marker(true).csrcs(&[Ssrc(1), Ssrc(2), Ssrc(3)]).build(b"a").unwrap(),
        builder(2).extensions(&[(5, b"xyz")]).build(b"").unwrap(),
        builder(3).padding(9).build(b"payload before padding").unwrap(),
        builder(4).build(&[]).unwrap(),
    ];
    let repair = &protect(&mut encoder(4, 1, Pattern::Interleaved), &packets)[0];
    assert_eq!(repair.payload()[0], 0x30 | 3, "E and L 0; P, X, CC");
    for lost in 0..packets.len() {
        let mut decoder = decoder();
        packets.iter().enumerate().filter(|(at, _)| *at != lost).for_each(|(_, packet)| decoder.insert_source(packet));
        decoder.insert_repair(repair).unwrap();
        assert_eq!(recovered(&mut decoder), packets[lost..=lost]);
    }
}

#[test]
fn rfc5109_s7_4_long_masks_only_where_needed() {
    for (last, header, first_byte) in [(15, 14, 0), (16, 18, 0x40), (47, 18, 0x40)] {
        let packets = [media(100, 0), media(100 + last, 0)];
        let repair = &protect(&mut encoder(2, 1, Pattern::Interleaved), &packets)[0];
        assert_eq!(repair.payload().len(), header + packets.iter().map(|p| p.payload().len()).max().unwrap());
        assert_eq!(repair.payload()[0], first_byte);
        let mut decoder = decoder();
        decoder.insert_repair(repair).unwrap();
        decoder.insert_source(&packets[1]);
        assert_eq!(recovered(&mut decoder), packets[..1]);
    }
    // 48 apart no mask can hold both.
    let repairs = protect(&mut encoder(2, 1, Pattern::Interleaved), &[media(100, 0), media(148, 0)]);
    assert_eq!(repairs.len(), 2);
}

#[test]
fn rfc5109_s7_4_a_packets_repair_packets_have_equal_length() {
    let packets: Vec<_> = (0..10u16).map(|seq| media_of(seq, 0, 100 + 10 * usize::from(seq))).collect();
    let lengths = |pattern| protect(&mut encoder(10, 5, pattern), &packets).iter().map(|r| r.payload().len()).collect();
    let crossed: Vec<usize> = lengths(Pattern::Crossed);
    assert_eq!(crossed, [14 + 190; 5]);
    let interleaved: Vec<usize> = lengths(Pattern::Interleaved);
    assert_eq!(
        interleaved,
        [150, 160, 170, 180, 190].map(|longest| 14 + longest),
        "each protected once: no longer than need be"
    );
}

#[test]
fn rfc5109_s8_2_shorter_packets_are_padded_with_zeros() {
    let packets = [media_of(1, 0, 3), media_of(2, 0, 5)];
    let repair = &protect(&mut encoder(2, 1, Pattern::Interleaved), &packets)[0];
    // §7.3: 0b011 xor 0b101 = 0b110.
    assert_eq!(repair.payload()[8..10], [0, 0b110]);
    assert_eq!(repair.payload()[17..], packets[1].payload()[3..]);
}

#[test]
fn rfc5109_s9_recovery_is_recursive() {
    // With one packet for 1-2 and one for 2-3, packet 1 gives 2 and 2 gives 3.
    let packets = seqs(65_535, 3);
    let first = &protect(&mut encoder(2, 1, Pattern::Interleaved), &packets[..2])[0];
    let second = &protect(&mut encoder(2, 1, Pattern::Interleaved), &packets[1..])[0];
    let mut decoder = decoder();
    decoder.insert_repair(first).unwrap();
    decoder.insert_repair(second).unwrap();
    assert_eq!(recovered(&mut decoder), []);
    assert!(packets.iter().all(|packet| decoder.covers(packet.seq())));
    decoder.insert_source(&packets[0]);
    assert_eq!(recovered(&mut decoder), packets[1..]);
    assert!(packets.iter().all(|packet| !decoder.covers(packet.seq())));
    assert_eq!((decoder.stats().recovered, decoder.held()), (2, 0));
}

#[test]
fn rfc5109_s9_1_recovered_packets_have_the_ssrc_of_the_media() {
    let mut config = UlpfecEncoderConfig::default();
    (config.protection, config.ssrc) = (Protection::even(2, 1).unwrap(), Some(Ssrc(99)));
    let packets = seqs(1, 2);
    let repair = &protect(&mut UlpfecEncoder::new(config).unwrap(), &packets)[0];
    assert_eq!(repair.ssrc(), Ssrc(99));
    let mut decoder = decoder();
    decoder.insert_source(&packets[1]);
    decoder.insert_repair(repair).unwrap();
    assert_eq!(recovered(&mut decoder), packets[..1]);

    let mut config = UlpfecDecoderConfig::default();
    config.ssrc = Some(SSRC);
    let mut decoder = UlpfecDecoder::new(config).unwrap();
    let mut foreign = packets[1].clone();
    foreign.rewrite(|header| header.set_ssrc(Ssrc(5)));
    decoder.insert_source(&foreign);
    decoder.insert_repair(repair).unwrap();
    assert_eq!((recovered(&mut decoder), decoder.stats().strays), (vec![], 1));
}

#[test]
fn rfc5109_s9_2_what_is_protected_in_part_is_not_given_out() {
    let packets = [media_of(1, 0, 30), media_of(2, 0, 50)];
    let mut payload = protect(&mut encoder(2, 1, Pattern::Interleaved), &packets)[0].payload().to_vec();
    // Level 0 protects 40 bytes only.
    payload[11] = 40;
    payload.truncate(14 + 40);
    for (here, recoverable) in [(1, true), (0, false)] {
        let mut decoder = decoder();
        decoder.insert_source(&packets[here]);
        decoder.insert_repair(&repair_packet(&payload)).unwrap();
        let expected = if recoverable { packets[..1].to_vec() } else { vec![] };
        assert_eq!(recovered(&mut decoder), expected);
        assert_eq!(decoder.stats().recovered, u64::from(recoverable));
        let partial = decoder.partial(SeqNum(2)).map(|partial| (partial.packet.payload().to_vec(), partial.lacking));
        assert_eq!(partial, (!recoverable).then(|| (packets[1].payload()[..40].to_vec(), 10)));
    }
}

#[test]
fn rfc5109_s7_impossible_repair_packets_are_malformed() {
    let mut decoder = decoder();
    let cases: [(&[u8], Fault); 5] = [
        (&[0; 9], Fault::Truncated),
        (&[0; 13], Fault::Truncated),
        (&[0x40, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x80, 0], Fault::Truncated),
        (&[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0x80, 0, 1], Fault::Truncated),
        (&[0; 14], Fault::Inconsistent),
    ];
    for (payload, fault) in cases {
        assert_eq!(decoder.insert_repair(&repair_packet(payload)).unwrap_err().fault(), fault, "{payload:?}");
    }
    assert_eq!(decoder.insert_repair(&media(1, 0)).unwrap_err().fault(), Fault::Type);
    assert_eq!((decoder.stats().malformed, decoder.stats().repairs), (6, 0));
}

#[test]
fn rfc5109_s9_a_recovery_that_is_no_packet_is_dropped() {
    let mut decoder = decoder();
    // Padding of which there is none.
    decoder.insert_repair(&repair_packet(&[0x20, 96, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0x80, 0])).unwrap();
    assert_eq!((recovered(&mut decoder), decoder.stats().corrupt), (vec![], 1));
}

#[test]
fn rfc5109_s8_2_what_is_not_zero_beyond_the_end_was_damaged() {
    let packets = [media_of(1, 0, 30), media_of(2, 0, 50)];
    let mut payload = protect(&mut encoder(2, 1, Pattern::Interleaved), &packets)[0].payload().to_vec();
    payload[14 + 45] ^= 1;
    let mut decoder = decoder();
    decoder.insert_source(&packets[1]);
    decoder.insert_repair(&repair_packet(&payload)).unwrap();
    assert_eq!((recovered(&mut decoder), decoder.stats().corrupt), (vec![], 1));
}

#[test]
fn a_damaged_repair_packet_does_not_move_the_window_out_of_reach() {
    let packets = seqs(65_500, 60);
    let (mut encoder, mut decoder) = (encoder(2, 1, Pattern::Interleaved), decoder());
    for (at, packet) in packets.iter().enumerate() {
        encoder.protect(packet);
        if at % 2 == 0 {
            decoder.insert_source(packet);
        }
        for repair in repairs(&mut encoder) {
            let mut damaged = repair.payload().to_vec();
            // SN base some 900 ahead: of the same run, but beyond the window.
            damaged[2..4].copy_from_slice(&(packet.seq() + 900).0.to_be_bytes());
            decoder.insert_repair(&repair_packet(&damaged)).unwrap();
            decoder.insert_repair(&repair).unwrap();
        }
    }
    assert_eq!(recovered(&mut decoder).len(), 30);
    assert_eq!((decoder.stats().expired, decoder.stats().old), (30, 0));
}

#[test]
fn the_window_and_the_held_repair_packets_are_bounded() {
    let mut config = UlpfecDecoderConfig::default();
    (config.window, config.max_repairs) = (64, 2);
    let mut decoder = UlpfecDecoder::new(config).unwrap();
    for group in 0..3 {
        let repair = &protect(&mut encoder(2, 1, Pattern::Interleaved), &seqs(65_530 + 2 * group, 2))[0];
        decoder.insert_repair(repair).unwrap();
    }
    assert_eq!((decoder.held(), decoder.stats().overflowed), (2, 1));
    decoder.insert_source(&media(65_533, 3_000));
    assert_eq!(recovered(&mut decoder).len(), 1);
    decoder.insert_source(&media(62, 0));
    assert_eq!((decoder.held(), decoder.stats().expired), (0, 1), "65534 left the window");
    decoder.insert_source(&media(65_534, 0));
    assert_eq!(decoder.stats().old, 1);
    assert!(!decoder.covers(SeqNum(65_535)));
}

#[test]
fn an_original_that_comes_before_its_recovery_is_polled_replaces_it() {
    let packets = seqs(1, 2);
    let repair = &protect(&mut encoder(2, 1, Pattern::Interleaved), &packets)[0];
    let mut decoder = decoder();
    decoder.insert_source(&packets[0]);
    decoder.insert_repair(repair).unwrap();
    decoder.insert_source(&packets[1]);
    assert_eq!((recovered(&mut decoder), decoder.stats().late), (vec![], 1));
}

#[test]
fn rfc3550_a1_a_new_run_or_source_forgets_the_old() {
    let mut decoder = decoder();
    let packets = seqs(1, 2);
    decoder.insert_source(&media(0, 0));
    decoder.insert_repair(&protect(&mut encoder(2, 1, Pattern::Interleaved), &packets)[0]).unwrap();
    for seq in [30_000, 30_001] {
        decoder.insert_source(&media(seq, 0));
    }
    assert_eq!((decoder.stats().strays, decoder.stats().forgotten), (1, 1));
    decoder.insert_repair(&protect(&mut encoder(2, 1, Pattern::Interleaved), &seqs(30_001, 2))[0]).unwrap();
    assert_eq!(recovered(&mut decoder).len(), 1);
}

#[test]
fn protection_changes_with_the_next_group() {
    let mut encoder = encoder(2, 1, Pattern::Interleaved);
    encoder.protect(&media(1, 0));
    encoder.set_protection(Protection::even(4, 2).unwrap());
    encoder.protect(&media(2, 0));
    assert_eq!(repairs(&mut encoder).len(), 1);
    seqs(3, 4).iter().for_each(|packet| encoder.protect(packet));
    assert_eq!(repairs(&mut encoder).len(), 2);
    encoder.set_protection(Protection::NONE);
    encoder.protect(&media(7, 0));
    assert_eq!((repairs(&mut encoder).len(), encoder.stats().unprotected), (0, 1));
}

#[test]
fn a_duplicate_is_not_protected_twice_and_another_source_starts_a_group() {
    let mut encoder = encoder(3, 1, Pattern::Interleaved);
    let packets = seqs(1, 2);
    for packet in [&packets[0], &packets[0], &packets[1]] {
        encoder.protect(packet);
    }
    let mut other = media(3, 0);
    other.rewrite(|header| header.set_ssrc(Ssrc(1)));
    encoder.protect(&other);
    let repairs = repairs(&mut encoder);
    assert_eq!((repairs.len(), repairs[0].ssrc(), encoder.stats().duplicates), (1, SSRC, 1));
    assert_eq!(repairs[0].payload()[12..14], [0xc0, 0]);
}

/// Takes a stream of RED packets apart, and recovers.
fn receive_red(packets: &[RtpPacket]) -> Vec<RtpPacket> {
    let (mut red, mut decoder) = (RedDecoder::new(RedDecoderConfig::default()), decoder());
    let mut received = Vec::new();
    for packet in packets {
        red.insert(packet).unwrap();
        while let Some(plain) = red.poll() {
            if plain.payload_type() == FEC {
                decoder.insert_repair(&plain).unwrap();
            } else {
                decoder.insert_source(&plain);
                received.push(plain);
            }
            received.extend(core::iter::from_fn(|| decoder.poll_recovered()));
        }
    }
    received
}

#[test]
fn rfc5109_s14_2_in_red_media_and_repair_share_numbers() {
    let mut config = UlpfecEncoderConfig::default();
    config.protection = Protection::even(2, 1).unwrap();
    let mut sender = UlpfecInRed::new(config, RED).unwrap();
    let mut sent = Vec::new();
    for n in 0..7u16 {
        let builder = RtpPacket::builder(PayloadType::new(96), SeqNum(65_533) + n, RtpTime(u32::from(n) * 3_000), SSRC);
        let media = builder.extensions(&[(1, b"x")]).padding(3).build(&[n.to_be_bytes()[1]; 50]).unwrap();
        sender.insert(&media);
        sent.extend(core::iter::from_fn(|| sender.poll()));
    }
    assert_eq!(sent.len(), 10);
    sender.flush();
    sent.extend(core::iter::from_fn(|| sender.poll()));
    assert!(sent.iter().map(|packet| packet.seq().0).eq((0..11).map(|n| 65_533u16.wrapping_add(n))), "no holes");
    assert!(sent.iter().all(|packet| packet.payload_type() == RED && packet.ssrc() == SSRC));
    let types: Vec<_> = sent.iter().map(|packet| packet.payload()[0]).collect();
    assert_eq!(types, [96, 96, 127, 96, 96, 127, 96, 96, 127, 96, 127], "a header of one byte");

    let originals = receive_red(&sent);
    assert_eq!(originals.len(), 7);
    let arrived: Vec<_> = sent.iter().enumerate().filter(|(at, _)| ![1, 5, 6, 9].contains(at)).collect();
    let mut received = receive_red(&arrived.into_iter().map(|(_, packet)| packet.clone()).collect::<Vec<_>>());
    received.sort_by_key(|packet| packet.timestamp().0);
    assert_eq!(received, originals, "the numbers and all other bytes");
    assert_eq!((sender.stats().repairs, sender.overflowed()), (4, 0));
}
