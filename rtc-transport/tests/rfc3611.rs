//! Extended reports clause by clause (RFC 3611).

#![expect(clippy::unwrap_used, reason = "a test ends at the first surprise")]

use core::time::Duration;

use bytes::{Bytes, BytesMut};
use rtc_core::time::{Instant, NtpTime};
use rtc_core::{Fault, PayloadType, RtpPacket, RtpTime, SeqNum, Ssrc};
use rtc_transport::rtcp::*;
use rtc_transport::session::{Event, Session, SessionConfig};

const US: Ssrc = Ssrc(0x0101_0101);
const THEM: Ssrc = Ssrc(0x0202_0202);

fn ms(millis: u64) -> Instant {
    Instant::from_millis(millis)
}

fn written(packet: &RtcpPacket) -> Bytes {
    let mut out = BytesMut::new();
    packet.write(&mut out).unwrap();
    out.freeze()
}

fn read(bytes: &[u8]) -> Result<RtcpPacket, Fault> {
    let mut packets = Compound::parse(Bytes::copy_from_slice(bytes)).unwrap().packets();
    packets.next().unwrap().map_err(|malformed| malformed.fault())
}

#[test]
fn rfc3611_s2_s4_4_s4_5_blocks_on_the_wire() {
    let report = RtcpPacket::ExtendedReport(ExtendedReport {
        sender: US,
        blocks: vec![
            ExtendedBlock::ReferenceTime(NtpTime::from_bits(0x0102_0304_0506_0708)),
            ExtendedBlock::Delays(vec![DelaySinceReport { ssrc: THEM, last_rr: 0x0a0b_0c0d, delay: 0x1_0000 }]),
        ],
    });
    let bytes = [
        0x80, 207, 0, 8, 1, 1, 1, 1, // version 2, eight words more, sender
        4, 0, 0, 2, 1, 2, 3, 4, 5, 6, 7, 8, // BT 4, two words
        5, 0, 0, 3, 2, 2, 2, 2, 10, 11, 12, 13, 0, 1, 0, 0, // BT 5, three words for each receiver
    ];
    assert_eq!(written(&report), &bytes[..]);
    assert_eq!(read(&bytes), Ok(report));
}

/// A report with one block, and its bytes.
fn assert_on_the_wire(block: ExtendedBlock, bytes: &[u8]) {
    let report = RtcpPacket::ExtendedReport(ExtendedReport { sender: US, blocks: vec![block] });
    let words = u8::try_from(1 + bytes.len() / 4).unwrap();
    let bytes = [&[0x80, 207, 0, words, 1, 1, 1, 1], bytes].concat();
    assert_eq!(written(&report), &bytes[..]);
    assert_eq!(read(&bytes), Ok(report));
}

#[test]
fn rfc3611_s4_1_losses_are_runs_and_vectors_of_ones_that_arrived() {
    // From 65530 on twenty arrived, then every other one of 16, the first of them not.
    let begin = SeqNum(65_530);
    let bit = |seq: SeqNum| seq.distance_from(begin) < 20 || !seq.0.is_multiple_of(2);
    let runs = RunLengths::new(THEM, 0, begin, begin + 36, bit);
    let told = (0..36).map(|at| (begin + at, bit(begin + at)));
    assert_eq!(runs.iter().collect::<Vec<_>>(), told.collect::<Vec<_>>());
    // BT 1, no thinning, four words; begin and end.
    let head = [1, 0, 0, 4, 2, 2, 2, 2, 0xff, 0xfa, 0, 30];
    // A run of twenty ones, a vector of fifteen, a run of one one, the terminating null chunk.
    let chunks = [0x40, 20, 0b1010_1010, 0b1010_1010, 0x40, 1, 0, 0];
    let bytes = [&head[..], &chunks].concat();
    assert_on_the_wire(ExtendedBlock::Losses(runs), &bytes);
}

#[test]
fn rfc3611_s4_1_thinning_leaves_multiples_of_a_power_of_two() {
    let runs = RunLengths::new(THEM, 3, SeqNum(5), SeqNum(41), |seq| seq.0 > 20);
    assert_eq!(runs.iter().map(|(seq, _)| seq.0).collect::<Vec<_>>(), [8, 16, 24, 32, 40]);
    // The field is public, and has four bits on the wire.
    let mut beyond = runs.clone();
    beyond.thinning = 0x13;
    assert!(beyond.iter().eq(runs.iter()));
    // All five fit one vector: 0 0 1 1 1.
    let bytes = [1, 3, 0, 3, 2, 2, 2, 2, 0, 5, 0, 41, 0b1001_1100, 0, 0, 0];
    assert_on_the_wire(ExtendedBlock::Losses(runs), &bytes);
}

/// The trace of the clause: 45 packets from 13821 on, of which the 22nd, the 24th and the 44th are lost.
#[test]
fn rfc3611_s4_1_example() {
    let (begin, lost) = (SeqNum(13_821), [21, 23, 43]);
    let bit = |seq: SeqNum| !lost.contains(&seq.distance_from(begin));
    // A run of 21 receipts, then vectors, and the bits beyond the trace are zero.
    let runs = RunLengths::new(THEM, 0, begin, begin + 45, bit);
    let chunks = [0x40, 21, 0b1010_1111, 0xff, 0b1111_1111, 0b0100_0000, 0, 0];
    let head = |thinning, words| [1, thinning, 0, words, 2, 2, 2, 2, 0x35, 0xfd, 0x36, 0x2a];
    assert_on_the_wire(ExtendedBlock::Losses(runs.clone()), &[&head(0, 4)[..], &chunks].concat());
    // The other encoding, all in vectors, is read the same.
    let vectors = [0xff, 0xff, 0b1111_1110, 0b1011_1111, 0b1111_1111, 0b1111_1101, 0, 0];
    let bytes = [&[0x80, 207, 0, 6, 1, 1, 1, 1][..], &head(0, 4), &vectors].concat();
    let Ok(RtcpPacket::ExtendedReport(report)) = read(&bytes) else { panic!() };
    let [ExtendedBlock::Losses(read)] = &report.blocks[..] else { panic!("{report:?}") };
    assert!(read.iter().eq(runs.iter()));
    // Thinned: of 13824 to 13864 in steps of four, 13844 and 13864 are lost.
    let thinned = RunLengths::new(THEM, 2, begin, begin + 45, bit);
    let chunks = [0b1111_1101, 0b1110_0000, 0, 0];
    assert_on_the_wire(ExtendedBlock::Losses(thinned), &[&head(2, 3)[..], &chunks].concat());
}

#[test]
fn rfc3611_s4_1_no_report_is_on_65534_numbers() {
    let runs = RunLengths::new(THEM, 0, SeqNum(7), SeqNum(6), |_| true);
    assert_eq!((runs.iter().count(), runs.end), (65_533, SeqNum(7) + 65_533));
}

#[test]
fn rfc3611_s4_1_3_the_null_chunk_ends_the_trace() {
    let bytes = [0x80, 207, 0, 6, 1, 1, 1, 1, 1, 0xf0, 0, 4, 2, 2, 2, 2, 0, 5, 0, 41, 0x40, 3, 0, 0, 0x40, 9, 0x40, 9];
    let Ok(RtcpPacket::ExtendedReport(report)) = read(&bytes) else { panic!() };
    let [ExtendedBlock::Losses(runs)] = &report.blocks[..] else { panic!("{report:?}") };
    assert_eq!(runs.iter().collect::<Vec<_>>(), [5, 6, 7].map(|seq| (SeqNum(seq), true)));
    assert_eq!(runs.thinning, 0, "reserved bits are ignored");
}

#[test]
fn rfc3611_s4_2_duplicates_are_zeros() {
    let runs = RunLengths::new(THEM, 0, SeqNum(1), SeqNum(17), |seq| seq != SeqNum(3));
    let bytes = [2, 0, 0, 3, 2, 2, 2, 2, 0, 1, 0, 17, 0b1110_1111, 0xff, 0x40, 1];
    assert_on_the_wire(ExtendedBlock::Duplicates(runs), &bytes);
}

#[test]
fn rfc3611_s4_3_receipt_times_are_in_ticks() {
    let times =
        ReceiptTimes { ssrc: THEM, thinning: 2, begin: SeqNum(4), end: SeqNum(9), times: vec![0x0102_0304, 960] };
    let bytes = [3, 2, 0, 4, 2, 2, 2, 2, 0, 4, 0, 9, 1, 2, 3, 4, 0, 0, 3, 0xc0];
    assert_on_the_wire(ExtendedBlock::ReceiptTimes(times), &bytes);
}

#[test]
fn rfc3611_s4_6_flags_say_what_a_summary_tells() {
    let jitter = Spread { min: 1, max: 4, mean: 2, deviation: 1 };
    let hops = Some((HopField::HopLimit, Spread { min: 50, max: 60, mean: 55, deviation: 2 }));
    let (ssrc, begin, end) = (THEM, SeqNum(7), SeqNum(107));
    let all = StatisticsSummary { ssrc, begin, end, lost: Some(9), duplicates: Some(1), jitter: Some(jitter), hops };
    let head = |flags| [6, flags, 0, 9, 2, 2, 2, 2, 0, 7, 0, 107];
    let fields = [0, 0, 0, 9, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 4, 0, 0, 0, 2, 0, 0, 0, 1, 50, 60, 55, 2];
    // L, D, J, and two for the hop limit of IPv6.
    assert_on_the_wire(ExtendedBlock::Summary(all), &[&head(0b1111_0000)[..], &fields].concat());
    let none = StatisticsSummary { lost: None, duplicates: None, jitter: None, hops: None, ..all };
    assert_on_the_wire(ExtendedBlock::Summary(none), &[&head(0)[..], &[0; 28]].concat());
}

#[test]
fn rfc3611_s4_6_a_summary_that_contradicts_its_flags_is_ignored() {
    // All but one of the flags, with something in all fields; and a ToH of three, which must not be used.
    for flags in [0b0111_0000_u8, 0b1011_0000, 0b1101_0000, 0b1110_0000, 0b1111_1000] {
        let summary = [&[6, flags, 0, 9, 2, 2, 2, 2, 0, 7, 0, 107][..], &[1; 28]].concat();
        let bytes = [&[0x80, 207, 0, 14, 1, 1, 1, 1][..], &summary, &[4, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 0]].concat();
        let Ok(RtcpPacket::ExtendedReport(report)) = read(&bytes) else { panic!("{flags:b}") };
        let ignored = ExtendedBlock::Other { kind: 6, specific: flags, content: Bytes::from(summary).slice(4..) };
        let after = ExtendedBlock::ReferenceTime(NtpTime::from_bits(1 << 32));
        assert_eq!(report.blocks, [ignored, after], "the other blocks are read");
    }
}

#[test]
fn rfc3611_s4_7_what_is_not_known_has_the_value_that_says_so() {
    let bytes = [
        7, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, // nothing lost, no delay known
        127, 127, 127, 16, 127, 127, 127, 127, 0, 0, 0, 0, 0, 0, 0, 0, // levels, Gmin, quality, the jitter buffer
    ];
    assert_on_the_wire(ExtendedBlock::Voip(VoipMetrics::default()), &bytes);
}

#[test]
fn rfc3611_s4_7_5_factors_and_scores_beyond_their_range_are_not_told() {
    let mut metrics = VoipMetrics::default();
    (metrics.r_factor, metrics.external_r_factor) = (101, 100);
    (metrics.mos_listening, metrics.mos_conversational) = (9, 51);
    let report = ExtendedReport { sender: US, blocks: vec![ExtendedBlock::Voip(metrics)] };
    let mut bytes = written(&RtcpPacket::ExtendedReport(report)).to_vec();
    assert_eq!(bytes[32..36], [127, 100, 127, 127]);
    bytes[32..36].copy_from_slice(&[200, 101, 0, 60]);
    let Ok(RtcpPacket::ExtendedReport(report)) = read(&bytes) else { panic!() };
    assert_eq!(report.blocks, [ExtendedBlock::Voip(VoipMetrics::default())], "nor heard");
}

#[test]
fn rfc3611_s4_7_a_call_in_eight_words() {
    let mut metrics = VoipMetrics::default();
    (metrics.noise_level, metrics.echo_return_loss) = (-60, 45);
    (metrics.external_r_factor, metrics.mos_listening) = (94, 35);
    (metrics.ssrc, metrics.loss_rate, metrics.gap_density) = (THEM, 26, 3);
    (metrics.burst_duration, metrics.round_trip, metrics.signal_level) = (400, 150, -20);
    (metrics.gap_threshold, metrics.r_factor, metrics.mos_conversational) = (16, 80, 41);
    (metrics.receiver_config, metrics.buffer_nominal, metrics.buffer_limit) = (0xf3, 60, 1_000);
    let bytes = [
        7, 0, 0, 8, 2, 2, 2, 2, 26, 0, 0, 3, 1, 0x90, 0, 0, 0, 150, 0, 0, // rates, burst and gap, delays
        0xec, 0xc4, 45, 16, 80, 94, 35, 41, 0xf3, 0, 0, 60, 0, 0, 0x03,
        0xe8, // levels, quality, the jitter buffer
    ];
    assert_on_the_wire(ExtendedBlock::Voip(metrics), &bytes);
}

#[test]
fn rfc3611_s4_blocks_of_the_wrong_length_are_refused() {
    for (kind, words) in [(1, 1), (2, 0), (3, 1), (6, 8), (6, 10), (7, 7), (7, 9)] {
        let mut bytes = vec![0x80, 207, 0, 2 + words, 1, 1, 1, 1, kind, 0, 0, words];
        bytes.resize(12 + 4 * usize::from(words), 0);
        assert_eq!(read(&bytes), Err(Fault::Length), "{kind}, {words}");
    }
}

#[test]
fn rfc3611_s4_what_a_session_does_not_use_it_gives_out() {
    let mut alice = session(US, 1 << 40, |_| ());
    let runs = RunLengths::new(US, 0, SeqNum(1), SeqNum(9), |_| true);
    let report = ExtendedReport { sender: THEM, blocks: vec![ExtendedBlock::Losses(runs)] };
    alice.receive(ms(1), written(&RtcpPacket::ExtendedReport(report.clone()))).unwrap();
    assert_eq!(alice.poll_event(), Some(Event::ExtendedReport(report)));
}

#[test]
fn rfc3611_s3_blocks_of_other_types_are_passed_over() {
    let bytes = [0x80, 207, 0, 6, 1, 1, 1, 1, 99, 7, 0, 1, 9, 9, 9, 9, 4, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 0];
    let Ok(RtcpPacket::ExtendedReport(report)) = read(&bytes) else { panic!() };
    let other = ExtendedBlock::Other { kind: 99, specific: 7, content: Bytes::from_static(&[9; 4]) };
    assert_eq!(report.blocks, [other, ExtendedBlock::ReferenceTime(NtpTime::from_bits(1 << 32))]);
}

#[test]
fn rfc3611_s3_lengths_must_add_up() {
    let head = [0x80, 207, 0, 2, 1, 1, 1, 1];
    for (block, fault) in
        [([4, 0, 0, 1], Fault::Truncated), ([99, 0, 255, 255], Fault::Truncated), ([4, 0, 0, 0], Fault::Length)]
    {
        assert_eq!(read(&[&head[..], &block[..]].concat()), Err(fault), "{block:?}");
    }
    assert_eq!(
        read(&[0x80, 207, 0, 3, 1, 1, 1, 1, 5, 0, 0, 1, 0, 0, 0, 0]),
        Err(Fault::Length),
        "a third of an answer"
    );
    assert_eq!(read(&[0x80, 207, 0, 0]), Err(Fault::Truncated));
}

fn session(local: Ssrc, ntp: u64, edit: impl FnOnce(&mut SessionConfig)) -> Session {
    let mut config = SessionConfig::default();
    config.extended_reports = true;
    config.receiver.min_sequential = 1;
    edit(&mut config);
    Session::new(Instant::ZERO, NtpTime::from_bits(ntp), &[local], config).unwrap()
}

fn media(ssrc: Ssrc, seq: u16) -> RtpPacket {
    RtpPacket::builder(PayloadType::new(96), SeqNum(seq), RtpTime(0), ssrc).build(b"media").unwrap()
}

/// Carries all RTCP both ways for some seconds over a path of `delay`; Alice sends media, Bob none. What each heard of the
/// round trip.
fn talk(alice: &mut Session, bob: &mut Session, delay: u64) -> [Vec<Duration>; 2] {
    let mut link: Vec<(Instant, bool, Bytes)> = Vec::new();
    let mut heard = [Vec::new(), Vec::new()];
    for now in 0..5_000 {
        let at = ms(now + delay);
        let now = ms(now);
        if now.as_millis().is_multiple_of(20) {
            let seq = u16::try_from(now.as_millis() / 20).unwrap();
            link.push((at, false, alice.send_rtp(now, media(US, seq), None).datagram));
        }
        while let Some(datagram) = alice.poll_rtcp(now) {
            link.push((at, false, datagram));
        }
        while let Some(datagram) = bob.poll_rtcp(now) {
            link.push((at, true, datagram));
        }
        for (_, to_alice, datagram) in link.extract_if(.., |(at, ..)| *at <= now) {
            let receiver = if to_alice { &mut *alice } else { &mut *bob };
            receiver.receive(now, datagram).unwrap();
        }
        for (session, heard) in [&mut *alice, &mut *bob].into_iter().zip(&mut heard) {
            while let Some(event) = session.poll_event() {
                if let Event::RoundTrip { round_trip, .. } = event {
                    heard.push(round_trip);
                }
            }
        }
    }
    heard
}

#[test]
fn rfc3611_s4_5_who_sends_nothing_learns_the_round_trip() {
    let mut alice = session(US, 1 << 40, |_| ());
    let mut bob = session(THEM, 1 << 50, |_| ());
    let [at_alice, at_bob] = talk(&mut alice, &mut bob, 35);
    assert!(at_alice.is_empty(), "who sends media has sender reports for it");
    assert!(at_bob.len() > 2, "{at_bob:?}");
    for round_trip in &at_bob {
        assert!(round_trip.abs_diff(Duration::from_millis(70)) < Duration::from_millis(1), "{round_trip:?}");
    }
    assert_eq!(bob.round_trip(), at_bob.last().copied());
    let by_reports = alice.round_trip().unwrap();
    assert!(by_reports.abs_diff(Duration::from_millis(70)) < Duration::from_millis(1), "{by_reports:?}");
}

#[test]
fn rfc3611_s5_nothing_is_sent_that_was_not_agreed_on() {
    let mut alice = session(US, 1 << 40, |config| config.extended_reports = false);
    let mut bob = session(THEM, 1 << 50, |_| ());
    let [_, at_bob] = talk(&mut alice, &mut bob, 35);
    assert_eq!(at_bob, []);
    assert_eq!(bob.round_trip(), None);
}

#[test]
fn rfc3611_s4_5_answers_to_others_are_not_ours() {
    let mut alice = session(US, 1 << 40, |_| ());
    let delays = vec![DelaySinceReport { ssrc: Ssrc(9), last_rr: 1, delay: 0 }];
    let report = ExtendedReport { sender: THEM, blocks: vec![ExtendedBlock::Delays(delays)] };
    alice.receive(ms(1), written(&RtcpPacket::ExtendedReport(report))).unwrap();
    assert_eq!(alice.poll_event(), None);
    assert_eq!(alice.stats().foreign, 1);
}

/// A flood of reference times costs one answer in each report.
#[test]
fn rfc3611_s4_5_each_receiver_is_answered_once_a_report() {
    let mut alice = session(US, 1 << 40, |config| config.max_sources = 64);
    for round in 0..20 {
        for stranger in 0..100 {
            let sender = Ssrc(1_000 + stranger);
            let blocks = vec![ExtendedBlock::ReferenceTime(NtpTime::from_bits(round << 32 | 1 << 20))];
            let report = ExtendedReport { sender, blocks };
            alice.receive(ms(1), written(&RtcpPacket::ExtendedReport(report))).unwrap();
        }
    }
    let now = alice.poll_timeout().unwrap();
    let datagram = alice.poll_rtcp(now).unwrap();
    let answers = |packet: Result<RtcpPacket, _>| match packet {
        Ok(RtcpPacket::ExtendedReport(report)) => report.blocks.iter().map(delays).sum(),
        _ => 0,
    };
    let told: usize = Compound::parse(datagram.clone()).unwrap().packets().map(answers).sum();
    assert_eq!((told, datagram.len() <= 1_200), (16, true), "16 answers at most");
}

fn delays(block: &ExtendedBlock) -> usize {
    match block {
        ExtendedBlock::Delays(delays) => delays.len(),
        _ => 0,
    }
}
