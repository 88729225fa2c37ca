//! RFC 8627: flexible forward error correction; and draft-ietf-payload-flexible-fec-scheme-03, which browsers speak.

use rtc_core::fec::{FecDecoder, FecEncoder};
use rtc_core::{Fault, PayloadType, RtpPacket, RtpTime, SeqNum, Ssrc};
use rtc_fec::flexfec::{
    FlexfecDecoder, FlexfecDecoderConfig, FlexfecEncoder, FlexfecEncoderConfig, FlexfecProtection, FlexfecVariant,
    Outlook,
};

use crate::packets::{SSRC, media, media_of};

const FEC: PayloadType = PayloadType::new(118);
const REPAIR: Ssrc = Ssrc(0xfec);
const OTHER: Ssrc = Ssrc(0x8765_4321);

fn encoder(variant: FlexfecVariant, protection: FlexfecProtection) -> FlexfecEncoder {
    let mut config = FlexfecEncoderConfig::default();
    (config.variant, config.protection, config.ssrc, config.first_seq) = (variant, protection, REPAIR, SeqNum(65_535));
    FlexfecEncoder::new(config).unwrap()
}

fn rfc(protection: FlexfecProtection) -> FlexfecEncoder {
    encoder(FlexfecVariant::Rfc8627, protection)
}

fn draft(protection: FlexfecProtection) -> FlexfecEncoder {
    encoder(FlexfecVariant::Draft03, protection)
}

fn decoder(variant: FlexfecVariant) -> FlexfecDecoder {
    let mut config = FlexfecDecoderConfig::default();
    config.variant = variant;
    FlexfecDecoder::new(config).unwrap()
}

fn even(media: usize, repair: usize) -> FlexfecProtection {
    FlexfecProtection::even(media, repair).unwrap()
}

fn repairs(encoder: &mut FlexfecEncoder) -> Vec<RtpPacket> {
    core::iter::from_fn(|| encoder.poll_repair()).collect()
}

fn protect(mut encoder: FlexfecEncoder, packets: &[RtpPacket]) -> Vec<RtpPacket> {
    packets.iter().for_each(|packet| encoder.protect(packet));
    encoder.flush();
    repairs(&mut encoder)
}

fn seqs(first: u16, count: u16) -> Vec<RtpPacket> {
    (0..count).map(|n| media(first.wrapping_add(n), u32::from(n) * 3_000)).collect()
}

fn of(ssrc: Ssrc, mut packets: Vec<RtpPacket>) -> Vec<RtpPacket> {
    packets.iter_mut().for_each(|packet| packet.rewrite(|header| header.set_ssrc(ssrc)));
    packets
}

fn polled(decoder: &mut FlexfecDecoder) -> Vec<RtpPacket> {
    core::iter::from_fn(|| decoder.poll_recovered()).collect()
}

/// What comes back of the packets if some of them are lost.
fn recover(variant: FlexfecVariant, packets: &[RtpPacket], repairs: &[RtpPacket], lost: &[usize]) -> Vec<RtpPacket> {
    let mut decoder = decoder(variant);
    let here = packets.iter().enumerate().filter(|(at, _)| !lost.contains(at));
    here.for_each(|(_, packet)| decoder.insert_source(packet));
    repairs.iter().for_each(|repair| decoder.insert_repair(repair).unwrap());
    let mut recovered = polled(&mut decoder);
    recovered.sort_by_key(|packet| packets.iter().position(|original| original == packet));
    recovered
}

fn lost(packets: &[RtpPacket], lost: &[usize]) -> Vec<RtpPacket> {
    lost.iter().map(|at| packets[*at].clone()).collect()
}

fn repair_packet(csrcs: &[Ssrc], payload: &[u8]) -> RtpPacket {
    RtpPacket::builder(FEC, SeqNum(1), RtpTime(0), REPAIR).csrcs(csrcs).build(payload).unwrap()
}

/// The exclusive or, by the letter of §6.2, of everything after the fixed header.
fn sum(packets: &[RtpPacket]) -> Vec<u8> {
    let longest = packets.iter().map(|packet| packet.as_bytes().len() - 12).max().unwrap();
    let byte = |packet: &RtpPacket, at: usize| packet.as_bytes().get(12 + at).copied().unwrap_or_default();
    (0..longest).map(|at| packets.iter().fold(0, |sum, packet| sum ^ byte(packet, at))).collect()
}

#[test]
fn rfc8627_s4_2_1_rtp_header_of_repair_packets() {
    let mut packets = seqs(1, 2);
    packets[1].rewrite(|header| header.set_marker(true));
    for (repair, seq) in protect(rfc(even(1, 1)), &packets).iter().zip([65_535, 0]) {
        assert_eq!((repair.marker(), repair.payload_type(), repair.ssrc()), (false, FEC, REPAIR));
        assert_eq!(repair.seq(), SeqNum(seq), "one higher than before");
        assert!(repair.csrcs().eq([SSRC]), "the protected source");
    }
    let mut own = packets[0].clone();
    own.rewrite(|header| header.set_ssrc(REPAIR));
    assert_eq!(protect(rfc(even(1, 1)), &[own]), [], "no media has the SSRC of repair packets");
}

#[test]
fn rfc8627_s4_2_2_1_flexible_mask_header() {
    let packets = [media_of(100, 3, 9), media_of(102, 5, 20), media_of(114, 9, 4)];
    let [repair] = &protect(rfc(even(3, 1)), &packets)[..] else { panic!("one") };
    // R 0, F 0; M 0, PT 111; length 9^20^4; TS 3^5^9; SN base; k 0, for no other follows, and the mask of 15.
    let header = [0, 111, 0, 9 ^ 20 ^ 4, 0, 0, 0, 3 ^ 5 ^ 9, 0, 100, 0b101_0000, 0b0000_0001];
    assert_eq!(repair.payload()[..12], header);
    assert_eq!(repair.payload()[12..], sum(&packets));
    assert_eq!(repair.timestamp(), RtpTime(9), "the media clock when it is sent");
}

#[test]
fn rfc8627_s4_2_2_1_masks_of_15_46_and_110() {
    let cases: [(u16, &[u8]); 5] = [
        // k is 1 if another part follows.
        (14, &[0x40, 1]),
        (15, &[0xc0, 0, 0x40, 0, 0, 0]),
        (45, &[0xc0, 0, 0, 0, 0, 1]),
        (46, &[0xc0, 0, 0x80, 0, 0, 0, 0x80, 0, 0, 0, 0, 0, 0, 0]),
        (109, &[0xc0, 0, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]),
    ];
    for (last, mask) in cases {
        let packets = [media(65_500, 0), media(65_500u16.wrapping_add(last), 0)];
        let repairs = protect(rfc(even(2, 1)), &packets);
        assert_eq!(repairs[0].payload()[10..][..mask.len()], *mask, "{last}");
        assert_eq!(repairs[0].payload()[10 + mask.len()..], sum(&packets), "{last}");
        for at in 0..2 {
            assert_eq!(recover(FlexfecVariant::Rfc8627, &packets, &repairs, &[at]), lost(&packets, &[at]));
        }
    }
    assert_eq!(protect(rfc(even(2, 1)), &[media(0, 0), media(110, 0)]).len(), 2, "no mask can hold both");
}

#[test]
fn rfc8627_s4_2_2_1_sn_base_is_the_lowest_in_wrap_order() {
    let packets = [media(1, 0), media(65_534, 0), media(65_535, 0)];
    let repair = &protect(rfc(even(3, 1)), &packets)[0];
    assert_eq!(repair.payload()[8..12], [0xff, 0xfe, 0b110_1000, 0]);
}

#[test]
fn rfc8627_s4_2_2_2_columns_and_rows_header() {
    let packets = seqs(65_530, 12);
    let header = |repair: &RtpPacket| (repair.payload()[0] & 0xc0, repair.payload()[8..12].to_vec());
    let [s0, s1] = 65_530u16.to_be_bytes();
    let row = protect(rfc(FlexfecProtection::rows(4).unwrap()), &packets);
    assert_eq!(header(&row[0]), (0x40, vec![s0, s1, 4, 0]), "D 0: no columns follow");
    assert_eq!(header(&row[2]), (0x40, vec![0, 2, 4, 0]));
    assert_eq!(row[1].payload()[12..], sum(&packets[4..8]));
    let columns = protect(rfc(FlexfecProtection::columns(4, 3).unwrap()), &packets);
    assert_eq!(header(&columns[0]), (0x40, vec![s0, s1, 4, 3]));
    assert_eq!(header(&columns[3]), (0x40, vec![s0, s1 + 3, 4, 3]));
    assert_eq!(columns[1].payload()[12..], sum(&lost(&packets, &[1, 5, 9])));
    let grid = protect(rfc(FlexfecProtection::grid(4, 3).unwrap()), &packets);
    assert_eq!(grid.len(), 7);
    assert_eq!(header(&grid[0]), (0x40, vec![s0, s1, 4, 1]), "D 1: columns follow");
    assert_eq!(header(&grid[3]), (0x40, vec![s0, s1, 4, 3]), "rows first, then columns");
    for (repairs, at) in [(&row, 5), (&columns, 0), (&grid, 11)] {
        assert_eq!(recover(FlexfecVariant::Rfc8627, &packets, repairs, &[at]), lost(&packets, &[at]));
    }
}

#[test]
fn rfc8627_s4_2_2_2_a_block_longer_than_any_mask() {
    let packets = seqs(65_000, 400);
    let mut config = FlexfecDecoderConfig::default();
    (config.window, config.max_repairs) = (512, 64);
    let mut decoder = FlexfecDecoder::new(config).unwrap();
    // A burst as long as a row.
    packets.iter().enumerate().filter(|(at, _)| !(95..115).contains(at)).for_each(|(_, p)| decoder.insert_source(p));
    for repair in protect(rfc(FlexfecProtection::columns(20, 20).unwrap()), &packets) {
        decoder.insert_repair(&repair).unwrap();
    }
    let mut recovered = polled(&mut decoder);
    recovered.sort_by_key(|packet| packet.seq().distance_from(SeqNum(65_000)));
    assert_eq!(recovered, packets[95..115]);
}

#[test]
fn rfc8627_s4_2_2_2_reserved_values_are_refused() {
    let fixed = |columns, rows| [0x40, 0, 0, 0, 0, 0, 0, 0, 0, 1, columns, rows, 7];
    let mut decoder = decoder(FlexfecVariant::Rfc8627);
    for (columns, rows) in [(0, 0), (0, 4)] {
        let repair = repair_packet(&[SSRC], &fixed(columns, rows));
        assert_eq!(decoder.insert_repair(&repair).unwrap_err().fault(), Fault::Reserved);
    }
    assert_eq!(decoder.insert_repair(&repair_packet(&[SSRC], &fixed(1, 0))), Ok(()));
    // R 1, F 1.
    let repair = repair_packet(&[SSRC], &[0xc0; 40]);
    assert_eq!(decoder.insert_repair(&repair).unwrap_err().fault(), Fault::Reserved);
    assert_eq!((decoder.stats().malformed, decoder.stats().repairs), (3, 1));
}

#[test]
fn rfc8627_s4_2_2_2_a_block_beyond_the_repair_window_is_ignored() {
    let packets = seqs(1, 300);
    let repairs = protect(rfc(FlexfecProtection::columns(15, 20).unwrap()), &packets);
    let mut decoder = decoder(FlexfecVariant::Rfc8627);
    packets[1..].iter().for_each(|packet| decoder.insert_source(packet));
    decoder.insert_repair(&repairs[0]).unwrap();
    assert_eq!(polled(&mut decoder), [], "it is of packets 1 to 286, and 256 are remembered");
    assert_eq!(decoder.stats().expired, 1);
}

#[test]
fn rfc8627_s4_2_1_the_marker_of_a_repair_packet_is_ignored() {
    let packets = seqs(1, 2);
    let mut repairs = protect(rfc(even(2, 1)), &packets);
    repairs[0].rewrite(|header| header.set_marker(true));
    assert_eq!(recover(FlexfecVariant::Rfc8627, &packets, &repairs, &[1]), packets[1..]);
}

#[test]
fn rfc8627_s4_2_2_3_a_retransmission_is_the_packet_itself() {
    let original = RtpPacket::builder(PayloadType::new(96), SeqNum(7), RtpTime(9), SSRC)
        .marker(true)
        .csrcs(&[Ssrc(1)])
        .extensions(&[(1, b"x")])
        .padding(4)
        .build(b"media")
        .unwrap();
    for variant in [FlexfecVariant::Rfc8627, FlexfecVariant::Draft03] {
        let mut encoder = encoder(variant, even(2, 1));
        let repair = encoder.retransmit(&original);
        let bits = if variant == FlexfecVariant::Rfc8627 { 0x80 } else { 0xc0 };
        assert_eq!(repair.payload()[0], bits | 0x31, "R, F, P, X, CC");
        assert_eq!(repair.payload()[1..], original.as_bytes()[1..]);
        assert_eq!((encoder.stats().repairs, encoder.stats().retransmissions), (1, 1));
        let mut decoder = decoder(variant);
        for _ in 0..2 {
            decoder.insert_repair(&repair).unwrap();
        }
        assert_eq!(polled(&mut decoder), core::slice::from_ref(&original));
        assert_eq!((decoder.stats().solved, decoder.stats().unused), (1, 1), "once");
        let cut = repair_packet(&[], &repair.payload()[..11]);
        assert_eq!(decoder.insert_repair(&cut).unwrap_err().fault(), Fault::Truncated);
    }
}

#[test]
fn rfc8627_s4_2_2_3_a_retransmission_enables_other_recoveries() {
    let packets = seqs(1, 3);
    let mut encoder = rfc(even(3, 1));
    packets.iter().for_each(|packet| encoder.protect(packet));
    let (repair, again) = (encoder.poll_repair().unwrap(), encoder.retransmit(&packets[1]));
    assert_eq!(recover(FlexfecVariant::Rfc8627, &packets, &[repair, again], &[0, 1]), packets[..2]);
}

#[test]
fn rfc8627_s6_2_several_sources_are_protected_together() {
    for variant in [FlexfecVariant::Rfc8627, FlexfecVariant::Draft03] {
        let (a, b) = (seqs(65_534, 4), of(OTHER, seqs(300, 4)));
        let packets: Vec<_> = a.iter().zip(&b).flat_map(|(a, b)| [a.clone(), b.clone()]).collect();
        let repairs = protect(encoder(variant, even(8, 2).with_pattern(Default::default())), &packets);
        // Interleaved over both: one repair packet has all of the first source, the other all of the second.
        assert_eq!(repairs.len(), 2);
        let repairs = protect(encoder(variant, even(8, 1)), &packets);
        let payload = repairs[0].payload();
        if variant == FlexfecVariant::Rfc8627 {
            assert!(repairs[0].csrcs().eq([SSRC, OTHER]));
            assert_eq!(payload[8..16], [0xff, 0xfe, 0b111_1000, 0, 1, 44, 0b111_1000, 0]);
            assert_eq!(payload[16..], sum(&packets));
        } else {
            assert_eq!(repairs[0].csrcs().len(), 0);
            assert_eq!(payload[8..12], [2, 0, 0, 0], "SSRCCount, reserved");
            assert_eq!(payload[12..20], [0x12, 0x34, 0x56, 0x78, 0xff, 0xfe, 0x80 | 0b111_1000, 0]);
            assert_eq!(payload[20..28], [0x87, 0x65, 0x43, 0x21, 1, 44, 0x80 | 0b111_1000, 0]);
            assert_eq!(payload[28..], sum(&packets));
        }
        for at in 0..packets.len() {
            assert_eq!(recover(variant, &packets, &repairs, &[at]), lost(&packets, &[at]), "{at}");
        }
        assert_eq!(recover(variant, &packets, &repairs, &[2, 3]), []);
    }
}

#[test]
fn rfc8627_s6_2_a_sixteenth_source_starts_a_group() {
    let packets: Vec<_> = (0..16).flat_map(|n| of(Ssrc(n + 1), seqs(1, 1))).collect();
    let repairs = protect(rfc(even(16, 1)), &packets);
    assert!(repairs.iter().map(|repair| repair.csrcs().len()).eq([15, 1]));
    assert_eq!(recover(FlexfecVariant::Rfc8627, &packets[..15], &repairs[..1], &[3]), lost(&packets, &[3]));
}

#[test]
fn rfc8627_s6_3_2_all_header_fields_are_recovered() {
    let builder = |seq| RtpPacket::builder(PayloadType::new(96), SeqNum(seq), RtpTime(77), SSRC);
    let packets = [
        builder(1).marker(true).csrcs(&[Ssrc(1), Ssrc(2), Ssrc(3)]).build(b"a").unwrap(),
        builder(2).extensions(&[(5, b"xyz")]).build(b"").unwrap(),
        builder(3).padding(9).build(b"payload before padding").unwrap(),
        builder(4).build(&[]).unwrap(),
    ];
    for variant in [FlexfecVariant::Rfc8627, FlexfecVariant::Draft03] {
        let repairs = protect(encoder(variant, even(4, 1)), &packets);
        for at in 0..packets.len() {
            assert_eq!(recover(variant, &packets, &repairs, &[at]), lost(&packets, &[at]));
        }
    }
}

#[test]
fn rfc8627_s6_3_4_rows_and_columns_are_decoded_by_turns() {
    let packets = seqs(65_530, 20);
    let grid = FlexfecProtection::grid(5, 4).unwrap();
    for (variant, protection) in
        [(FlexfecVariant::Rfc8627, grid), (FlexfecVariant::Rfc8627, grid.with_masks()), (FlexfecVariant::Draft03, grid)]
    {
        let repairs = protect(encoder(variant, protection), &packets);
        assert_eq!(repairs.len(), 9);
        // Neither rows nor columns alone: row 0 has 0, 1, 2, row 1 has 5, 6; columns 0 and 1 have two each.
        let staircase = [0, 1, 2, 5, 6, 11];
        let four_corners = [6, 8, 16, 18];
        assert_eq!(recover(variant, &packets, &repairs, &staircase[1..]), lost(&packets, &staircase[1..]));
        assert_eq!(recover(variant, &packets, &repairs, &[0, 1, 2, 3, 4]), packets[..5], "a burst as long as a row");
        assert_eq!(recover(variant, &packets, &repairs, &four_corners), [], "the pattern of §1.1.4 that cannot be");
    }
}

#[test]
fn rfc8627_s6_2_a_block_cut_short_is_protected_as_far_as_it_goes() {
    let packets = seqs(10, 7);
    let repairs = protect(rfc(FlexfecProtection::grid(3, 5).unwrap()), &packets);
    let sides: Vec<_> = repairs.iter().map(|repair| repair.payload()[10..12].to_vec()).collect();
    assert_eq!(sides, [[3, 1], [3, 1], [1, 1], [3, 3], [3, 2], [3, 2]]);
    for at in 0..7 {
        assert_eq!(recover(FlexfecVariant::Rfc8627, &packets, &repairs, &[at]), lost(&packets, &[at]));
    }
    // A gap ends a block of columns and rows, not one by masks.
    let gap = [&seqs(10, 2)[..], &seqs(14, 2)].concat();
    assert_eq!(protect(rfc(FlexfecProtection::rows(4).unwrap()), &gap).len(), 2);
    assert_eq!(protect(rfc(FlexfecProtection::rows(4).unwrap().with_masks()), &gap).len(), 1);
}

#[test]
fn rfc8627_s4_2_2_impossible_repair_packets_are_malformed() {
    let mut decoder = decoder(FlexfecVariant::Rfc8627);
    let cases: [(&[Ssrc], &[u8], Fault); 6] = [
        (&[SSRC], &[0; 3], Fault::Truncated),
        (&[SSRC], &[0; 9], Fault::Truncated),
        (&[SSRC], &[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xc0, 0, 0, 0], Fault::Truncated),
        (&[SSRC], &[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], Fault::Inconsistent),
        (&[], &[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x40, 0, 0, 0], Fault::Inconsistent),
        (&[SSRC, SSRC], &[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x40, 0, 0, 0, 0x40, 0], Fault::Inconsistent),
    ];
    for (csrcs, payload, fault) in cases {
        assert_eq!(decoder.insert_repair(&repair_packet(csrcs, payload)).unwrap_err().fault(), fault, "{payload:?}");
    }
    assert_eq!(decoder.insert_repair(&media(1, 0)).unwrap_err().fault(), Fault::Type);
    let mut config = FlexfecDecoderConfig::default();
    config.ssrc = Some(Ssrc(1));
    let mut of_another = FlexfecDecoder::new(config).unwrap();
    let repair = repair_packet(&[SSRC], &[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x40, 0]);
    assert_eq!(of_another.insert_repair(&repair).unwrap_err().fault(), Fault::Type);
}

#[test]
fn flexfec_03_header_as_browsers_write_it() {
    let packets = [media_of(100, 3, 9), media_of(102, 5, 20), media_of(114, 9, 4)];
    let [repair] = &protect(draft(even(3, 1)), &packets)[..] else { panic!("one") };
    let header = [
        [0, 111, 0, 9 ^ 20 ^ 4], // R, F, P, X, CC; M, PT; length
        [0, 0, 0, 3 ^ 5 ^ 9],
        [1, 0, 0, 0], // SSRCCount, reserved
        [0x12, 0x34, 0x56, 0x78],
        [0, 100, 0x80 | 0b101_0000, 1],
    ];
    assert_eq!(repair.payload()[..20], header.concat());
    assert_eq!(repair.payload()[20..], sum(&packets));
}

#[test]
fn flexfec_03_masks_of_15_46_and_109() {
    let cases: [(u16, &[u8]); 4] = [
        (14, &[0xc0, 1]),
        (45, &[0x40, 0, 0x80, 0, 0, 1]),
        (46, &[0x40, 0, 0, 0, 0, 0, 0xc0, 0, 0, 0, 0, 0, 0, 0]),
        (108, &[0x40, 0, 0, 0, 0, 0, 0x80, 0, 0, 0, 0, 0, 0, 1]),
    ];
    for (last, mask) in cases {
        let packets = [media(65_500, 0), media(65_500u16.wrapping_add(last), 0)];
        let repairs = protect(draft(even(2, 1)), &packets);
        assert_eq!(repairs[0].payload()[18..][..mask.len()], *mask, "{last}");
        for at in 0..2 {
            assert_eq!(recover(FlexfecVariant::Draft03, &packets, &repairs, &[at]), lost(&packets, &[at]));
        }
    }
    assert_eq!(protect(draft(even(2, 1)), &[media(0, 0), media(109, 0)]).len(), 2, "no mask can hold both");
}

#[test]
fn flexfec_03_headers_no_browser_writes_are_malformed() {
    let mut decoder = decoder(FlexfecVariant::Draft03);
    let header = |first: u8, count: u8, mask: &[u8]| {
        [&[first, 0, 0, 0, 0, 0, 0, 0, count, 0, 0, 0, 1, 2, 3, 4, 0, 9][..], mask].concat()
    };
    for (payload, fault) in [
        (header(0, 0, &[0xc0, 0]), Fault::Inconsistent), // Draft: not a valid count.
        (header(0, 16, &[0xc0, 0]), Fault::Length),
        (header(0, 2, &[0xc0, 0]), Fault::Truncated),
        (header(0x40, 1, &[4, 1]), Fault::Reserved),
        (header(0x80, 1, &[0xc0, 0]), Fault::Reserved),
        (header(0, 1, &[0x40, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]), Fault::Length), // A fourth part.
    ] {
        assert_eq!(decoder.insert_repair(&repair_packet(&[], &payload)).unwrap_err().fault(), fault, "{payload:?}");
    }
    let reserved = [&[0, 0, 0, 0, 0, 0, 0, 0, 1, 9, 9, 9, 1, 2, 3, 4, 0, 9][..], &[0xc0, 0]].concat();
    assert_eq!(decoder.insert_repair(&repair_packet(&[], &reserved)), Ok(()), "reserved bytes are ignored");
}

#[test]
fn outlook_tells_what_is_worth_waiting_for() {
    let mut encoder = draft(even(4, 1));
    let mut decoder = decoder(FlexfecVariant::Draft03);
    let packets = seqs(65_532, 12);
    assert_eq!(decoder.outlook(SSRC, SeqNum(1)), Outlook::None);
    let mut outlooks = Vec::new();
    for (at, packet) in packets.iter().enumerate() {
        encoder.protect(packet);
        if ![5, 6].contains(&at) {
            decoder.insert_source(packet);
        }
        if let Some(repair) = encoder.poll_repair() {
            decoder.insert_repair(&repair).unwrap();
        }
        outlooks.push(decoder.outlook(SSRC, packets[5].seq()));
    }
    assert_eq!(outlooks[4], Outlook::None, "not sent yet");
    assert_eq!(outlooks[7], Outlook::Held { lacking: 1 });
    assert_eq!(decoder.outlook(SSRC, packets[4].seq()), Outlook::Here);
    decoder.insert_source(&packets[6]);
    assert_eq!(decoder.outlook(SSRC, packets[5].seq()), Outlook::Here, "recovered");
    // The next group: its repair packet is yet to come, until it is overdue.
    let next = seqs(8, 9);
    for packet in [&next[0], &next[2]] {
        decoder.insert_source(packet);
    }
    assert_eq!(decoder.outlook(SSRC, next[1].seq()), Outlook::Expected);
    assert!(decoder.outlook(SSRC, next[1].seq()).may_come());
    next[3..8].iter().for_each(|packet| decoder.insert_source(packet));
    assert_eq!(decoder.outlook(SSRC, next[1].seq()), Outlook::None);
}

#[test]
fn rfc8627_s6_3_1_sources_are_told_apart_and_foreign_ones_left_out() {
    let mut config = FlexfecDecoderConfig::default();
    config.sources = vec![SSRC];
    let mut decoder = FlexfecDecoder::new(config).unwrap();
    let (own, foreign) = (seqs(1, 2), of(OTHER, seqs(1, 2)));
    decoder.insert_source(&foreign[0]);
    decoder.insert_source(&own[0]);
    decoder.insert_repair(&protect(rfc(even(2, 1)), &foreign)[0]).unwrap();
    decoder.insert_repair(&protect(rfc(even(2, 1)), &own)[0]).unwrap();
    assert_eq!(polled(&mut decoder), own[1..]);
    let stats = decoder.stats();
    assert_eq!((stats.sources, stats.kept, stats.strays, stats.levels, stats.expired), (2, 1, 1, 2, 1));
}
