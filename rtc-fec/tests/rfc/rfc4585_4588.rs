//! RFC 4585 §6.2.1: generic NACK. RFC 4588: retransmission.

use core::time::Duration;

use rtc_core::time::Instant;
use rtc_core::{DataSize, Fault, PayloadType, RtpPacket, RtpTime, SeqNum, Ssrc};
use rtc_fec::nack::{Arrival, NackConfig, NackGenerator, NackPair, pack};
use rtc_fec::rtx::{
    Received, Retransmit, RtxHistory, RtxHistoryConfig, RtxPayloadType, RtxReceiver, RtxReceiverConfig,
};

use crate::packets::{MEDIA, SSRC, media, media_of};

const RTX: PayloadType = PayloadType::new(97);
const RTX_SSRC: Ssrc = Ssrc(0x2222);

fn ms(millis: u64) -> Instant {
    Instant::from_millis(millis)
}

fn generator(change: impl FnOnce(&mut NackConfig)) -> NackGenerator {
    let mut config = NackConfig::default();
    change(&mut config);
    NackGenerator::new(config).unwrap()
}

fn poll(generator: &mut NackGenerator, now: Instant) -> Vec<u16> {
    generator.poll(now).map(|seq| seq.0).collect()
}

fn history(change: impl FnOnce(&mut RtxHistoryConfig)) -> RtxHistory {
    let mut config = RtxHistoryConfig::default();
    config.payload_types = vec![RtxPayloadType { rtx: RTX, original: MEDIA }];
    config.ssrc = Some(RTX_SSRC);
    change(&mut config);
    RtxHistory::new(config).unwrap()
}

fn receiver(ssrc: Option<Ssrc>) -> RtxReceiver {
    let mut config = RtxReceiverConfig::default();
    config.payload_types = vec![RtxPayloadType { rtx: RTX, original: MEDIA }];
    config.ssrc = ssrc;
    RtxReceiver::new(config).unwrap()
}

fn packet(answer: Retransmit) -> RtpPacket {
    match answer {
        Retransmit::Packet(packet) => packet,
        other => panic!("{other:?}"),
    }
}

#[test]
fn rfc4585_s6_2_1_blp_bit_1_is_the_packet_after_pid() {
    let pairs: Vec<_> = pack([100, 101, 116].map(SeqNum)).collect();
    assert_eq!(pairs, [NackPair { pid: SeqNum(100), blp: 0x8001 }]);
    assert!(NackPair { pid: SeqNum(7), blp: 0b10_0000 }.seqs().eq([7, 13].map(SeqNum)));
}

#[test]
fn rfc4585_s6_2_1_a_pair_reaches_17_packets_and_wraps() {
    let pairs: Vec<_> = pack((0..18).map(|n| SeqNum(65_530) + n)).collect();
    assert_eq!(pairs, [NackPair { pid: SeqNum(65_530), blp: 0xffff }, NackPair { pid: SeqNum(11), blp: 0 }]);
}

#[test]
fn rfc4585_s6_2_1_a_gap_is_asked_for_at_once_and_again_each_round_trip() {
    let mut generator = generator(|config| config.rtt = Duration::from_millis(40));
    assert_eq!(generator.insert(ms(0), SeqNum(65_534)), Arrival::Newest { missing: 0 });
    assert_eq!(generator.insert(ms(20), SeqNum(1)), Arrival::Newest { missing: 2 });
    assert_eq!(generator.poll_timeout(), Some(ms(20)));
    assert_eq!(poll(&mut generator, ms(20)), [65_535, 0]);
    assert_eq!(poll(&mut generator, ms(20)), [], "asked");
    assert_eq!(generator.poll_timeout(), Some(ms(70)), "1.25 round trips");
    assert_eq!(generator.on_recovered(ms(60), SeqNum(0)), Arrival::Filled);
    assert_eq!(poll(&mut generator, ms(70)), [65_535]);
    generator.set_rtt(Duration::from_millis(100));
    assert_eq!(generator.poll_timeout(), Some(ms(195)));
    assert_eq!((generator.stats().requests, generator.stats().repeats), (3, 1));
}

#[test]
fn rfc4585_s6_2_1_requests_end_when_the_answer_would_be_too_late() {
    let mut generator = generator(|config| config.deadline = Duration::from_millis(300));
    generator.insert(ms(0), SeqNum(1));
    generator.insert(ms(0), SeqNum(3));
    let mut asked = Vec::new();
    while let Some(next) = generator.poll_timeout() {
        asked.extend(poll(&mut generator, next).into_iter().map(|_| next.as_millis()));
    }
    assert_eq!(asked, [0, 125], "an answer to a request at 250 ms could not be here at 300 ms");
    assert_eq!((generator.missing(), generator.stats().expired), (0, 1));
    assert_eq!(generator.insert(ms(301), SeqNum(2)), Arrival::Known);
}

#[test]
fn rfc4585_s6_2_1_reordering_is_waited_for_by_count_or_time() {
    let mut generator = generator(|config| config.reorder_packets = 2);
    for seq in [1, 3] {
        generator.insert(ms(0), SeqNum(seq));
    }
    assert_eq!(poll(&mut generator, ms(5)), []);
    assert_eq!(generator.insert(ms(5), SeqNum(2)), Arrival::Filled);
    assert_eq!(generator.stats().arrived_late, 1);

    generator.insert(ms(10), SeqNum(5));
    assert_eq!(generator.poll_timeout(), Some(ms(30)));
    generator.insert(ms(11), SeqNum(6));
    assert_eq!(poll(&mut generator, ms(11)), []);
    generator.insert(ms(12), SeqNum(7));
    assert_eq!(poll(&mut generator, ms(12)), [4], "three newer ones are more than two");
    generator.insert(ms(13), SeqNum(9));
    assert_eq!(poll(&mut generator, ms(33)), [8], "20 ms");
}

#[test]
fn rfc4585_s6_2_1_what_may_still_be_recovered_is_not_asked_for() {
    let mut generator = generator(|_| {});
    generator.insert(ms(0), SeqNum(1));
    generator.insert(ms(0), SeqNum(4));
    assert!(generator.withhold(SeqNum(2), ms(60)));
    assert!(!generator.withhold(SeqNum(4), ms(60)), "not missing");
    assert_eq!(poll(&mut generator, ms(0)), [3]);
    assert_eq!(generator.poll_timeout(), Some(ms(60)));
    assert_eq!(generator.on_recovered(ms(50), SeqNum(2)), Arrival::Filled);
    assert_eq!(poll(&mut generator, ms(60)), []);
}

#[test]
fn rfc4585_s6_2_1_what_error_correction_may_bring_is_asked_for_at_the_last_chance_only() {
    let mut generator = generator(|config| config.deadline = Duration::from_millis(300));
    for seq in [1, 4] {
        generator.insert(ms(0), SeqNum(seq));
    }
    let mut asked = Vec::new();
    let mut waits = 0;
    while let Some(next) = generator.poll_timeout() {
        assert!(next <= ms(300), "a request put off is not due all the time");
        let may_come = |seq| {
            waits += 1;
            seq == SeqNum(2)
        };
        let seqs: Vec<_> = generator.poll_unless(next, may_come).collect();
        asked.extend(seqs.into_iter().map(|seq| (next.as_millis(), seq.0)));
    }
    assert_eq!(asked, [(0, 3), (125, 3), (200, 2)], "its answer is here at 300 ms");
    let stats = generator.stats();
    assert_eq!((stats.put_off, stats.given_up()), (40, 2));
    assert!(waits < 50, "{waits}");
}

#[test]
fn rfc4585_s6_2_1_a_recovered_packet_may_be_the_newest() {
    let mut generator = generator(|_| {});
    generator.insert(ms(0), SeqNum(1));
    assert_eq!(generator.on_recovered(ms(5), SeqNum(3)), Arrival::Newest { missing: 1 });
    assert_eq!(poll(&mut generator, ms(5)), [2]);
    assert_eq!(generator.on_recovered(ms(5), SeqNum(30_000)), Arrival::Known, "far off");
}

#[test]
fn rfc3550_a1_a_new_run_forgets_what_was_missing() {
    let mut generator = generator(|_| {});
    generator.insert(ms(0), SeqNum(1));
    generator.insert(ms(0), SeqNum(3));
    assert_eq!(generator.insert(ms(1), SeqNum(40_000)), Arrival::Stray);
    assert_eq!(generator.insert(ms(1), SeqNum(4)), Arrival::Newest { missing: 0 });
    assert_eq!(generator.insert(ms(2), SeqNum(40_000)), Arrival::Stray);
    assert_eq!(generator.insert(ms(2), SeqNum(40_001)), Arrival::Restart);
    assert_eq!((poll(&mut generator, ms(2)), generator.missing()), (vec![], 0));
    assert_eq!((generator.stats().forgotten, generator.stats().strays), (1, 1));
}

#[test]
fn rfc4588_s4_a_retransmission_is_the_original_number_and_payload_in_its_own_stream() {
    let original = RtpPacket::builder(MEDIA, SeqNum(65_535), RtpTime(9), SSRC)
        .marker(true)
        .csrcs(&[Ssrc(3), Ssrc(4)])
        .extensions(&[(1, &[7]), (2, b"mid")])
        .padding(6)
        .build(b"media")
        .unwrap();
    let mut history = history(|config| config.first_seq = SeqNum(500));
    history.insert(ms(0), &media(65_534, 0));
    history.insert(ms(0), &original);
    let first = packet(history.retransmit(ms(1), SeqNum(65_534)));
    let rtx = packet(history.retransmit(ms(1), SeqNum(65_535)));
    assert_eq!((first.seq(), rtx.seq()), (SeqNum(500), SeqNum(501)), "numbers of its own, one after the other");
    assert_eq!((rtx.payload_type(), rtx.ssrc(), rtx.timestamp()), (RTX, RTX_SSRC, RtpTime(9)));
    assert_eq!(rtx.payload(), b"\xff\xffmedia");
    assert_eq!(rtx.padding_len(), 0, "padding must be removed");
    assert_eq!((rtx.marker(), rtx.raw_extension()), (true, original.raw_extension()));
    assert!(rtx.csrcs().eq([Ssrc(3), Ssrc(4)]), "the CSRC list must be copied");
    assert_eq!(RtpPacket::parse(rtx.as_bytes().clone()), Ok(rtx.clone()));

    let Ok(Received::Original(back)) = receiver(Some(SSRC)).receive(&rtx) else { panic!("an original") };
    assert_eq!(back, original.to_builder().padding(0).extensions(&[(1, &[7]), (2, b"mid")]).build(b"media").unwrap());
}

#[test]
fn rfc4588_s4_session_multiplexing_keeps_the_ssrc() {
    let mut history = history(|config| config.ssrc = None);
    history.insert(ms(0), &media(1, 0));
    let rtx = packet(history.retransmit(ms(1), SeqNum(1)));
    assert_eq!(rtx.ssrc(), SSRC);
    assert_eq!(receiver(None).receive(&rtx), Ok(Received::Original(media(1, 0))));
}

#[test]
fn rfc4588_s4_packets_without_an_original_number() {
    let mut receiver = receiver(Some(SSRC));
    let rtx = |payload: &[u8], padding| {
        RtpPacket::builder(RTX, SeqNum(1), RtpTime(0), RTX_SSRC).padding(padding).build(payload).unwrap()
    };
    assert_eq!(receiver.receive(&rtx(&[], 200)), Ok(Received::Padding));
    assert_eq!(receiver.receive(&rtx(&[1], 0)).unwrap_err().fault(), Fault::Truncated);
    assert_eq!(receiver.receive(&media(1, 0)), Ok(Received::Foreign));
    let Ok(Received::Original(empty)) = receiver.receive(&rtx(&[0, 5], 0)) else { panic!("an original") };
    assert_eq!((empty.seq(), empty.payload()), (SeqNum(5), &[][..]));
    let stats = receiver.stats();
    assert_eq!((stats.packets, stats.padding, stats.malformed, stats.foreign, stats.originals), (4, 1, 1, 1, 1));
}

#[test]
fn rfc4588_s8_6_retransmissions_are_not_retransmitted() {
    let mut config = RtxReceiverConfig::default();
    let pair = |rtx, original| RtxPayloadType { rtx: PayloadType::new(rtx), original: PayloadType::new(original) };
    for pairs in [[pair(97, 96), pair(98, 97)], [pair(97, 96), pair(97, 95)], [pair(97, 96), pair(98, 96)]] {
        config.payload_types = pairs.to_vec();
        assert_eq!(RtxReceiver::new(config.clone()).unwrap_err().setting(), "payload_types");
        let mut history = RtxHistoryConfig::default();
        history.payload_types = pairs.to_vec();
        assert!(RtxHistory::new(history).is_err());
    }
    let mut history = history(|_| {});
    let rtx = RtpPacket::builder(RTX, SeqNum(1), RtpTime(0), SSRC).build(&[0, 9, 1]).unwrap();
    history.insert(ms(0), &rtx);
    assert_eq!(history.retransmit(ms(0), SeqNum(1)), Retransmit::Unmapped);
}

#[test]
fn rfc4588_s6_a_request_that_crossed_the_retransmission_is_not_answered_twice() {
    let mut history = history(|_| {});
    history.insert(ms(0), &media(1, 0));
    packet(history.retransmit(ms(10), SeqNum(1)));
    assert_eq!(history.retransmit(ms(59), SeqNum(1)), Retransmit::Suppressed);
    assert_eq!(history.resend(ms(59), SeqNum(1)), Retransmit::Suppressed);
    assert_eq!(packet(history.resend(ms(60), SeqNum(1))), media(1, 0));
    history.set_rtt(Duration::from_millis(5));
    packet(history.retransmit(ms(65), SeqNum(1)));
    assert_eq!((history.stats().retransmitted, history.stats().suppressed), (3, 2));
}

#[test]
fn rfc4588_s6_the_history_is_bounded_in_time_and_bytes() {
    let mut history = history(|config| config.max_size = DataSize::from_bytes(1_000));
    for seq in 0..10 {
        history.insert(ms(u64::from(seq)), &media_of(SeqNum(65_533).0.wrapping_add(seq), 0, 288));
    }
    assert_eq!(history.resend(ms(9), SeqNum(3)), Retransmit::Unknown, "three of 300 bytes fit");
    for seq in 4..7 {
        packet(history.resend(ms(9), SeqNum(seq)));
    }
    assert_eq!(history.resend(ms(1_010), SeqNum(6)), Retransmit::Unknown, "a second and more");
    history.insert(ms(1_010), &media_of(7, 0, 2_000));
    assert_eq!((history.stats().inserted, history.stats().refused), (10, 1), "larger than all that may be kept");
}

#[test]
fn rfc4588_s6_packets_may_come_out_of_order_and_start_anew() {
    let mut history = history(|_| {});
    for seq in [5, 3, 4, 8, 4] {
        history.insert(ms(0), &media(seq, 0));
    }
    for seq in [3, 4, 5, 8] {
        assert_eq!(packet(history.resend(ms(0), SeqNum(seq))), media(seq, 0));
    }
    assert_eq!(history.resend(ms(0), SeqNum(6)), Retransmit::Unknown);
    assert_eq!(history.stats().refused, 1, "4 came twice");
    history.insert(ms(0), &media(40_000, 0));
    assert_eq!(history.resend(ms(0), SeqNum(8)), Retransmit::Unknown);
    assert_eq!(packet(history.resend(ms(0), SeqNum(40_000))), media(40_000, 0));
}
