//! Congestion control feedback clause by clause (RFC 8888).

#![expect(clippy::unwrap_used, reason = "a test ends at the first surprise")]

use core::time::Duration;

use bytes::{Bytes, BytesMut};
use rtc_core::bwe::{Ecn, ProbeCluster, ProbeId, SentPacket};
use rtc_core::pacing::Pacer;
use rtc_core::time::{Instant, NtpTime};
use rtc_core::{Bitrate, DataSize, Fault, PayloadType, RtpPacket, RtpTime, SeqNum, Ssrc};
use rtc_transport::feedback::{CongestionRecorder, HistoryConfig, Recorded, RecorderConfig, SendHistory};
use rtc_transport::pacer::{LeakyBucketPacer, PacerConfig, Release};
use rtc_transport::rtcp::{ArrivalOffset, Compound, CongestionFeedback, MAX_REPORTS, PacketMetric, RtcpPacket};
use rtc_transport::session::{Event, Session, SessionConfig};

const US: Ssrc = Ssrc(0x0101_0101);
const THEM: Ssrc = Ssrc(0x0202_0202);
const OTHER: Ssrc = Ssrc(0x0303_0303);
/// A whole second, so that report timestamps are those of the test's clock.
const NTP: NtpTime = NtpTime::from_bits(0x1234 << 32);

fn ms(millis: u64) -> Instant {
    Instant::from_millis(millis)
}

fn recorder() -> CongestionRecorder {
    CongestionRecorder::new(RecorderConfig::default(), 4).unwrap()
}

fn written(feedback: CongestionFeedback) -> Bytes {
    let mut out = BytesMut::new();
    RtcpPacket::CongestionFeedback(feedback).write(&mut out).unwrap();
    out.freeze()
}

fn read(bytes: &[u8]) -> Result<CongestionFeedback, Fault> {
    let mut packets = Compound::parse(Bytes::copy_from_slice(bytes)).unwrap().packets();
    match packets.next().unwrap() {
        Ok(RtcpPacket::CongestionFeedback(feedback)) => Ok(feedback),
        Ok(other) => panic!("{other:?}"),
        Err(malformed) => Err(malformed.fault()),
    }
}

fn fates(feedback: &CongestionFeedback) -> Vec<(Ssrc, Vec<PacketMetric>)> {
    feedback.streams().map(|stream| (stream.ssrc, stream.metrics().collect())).collect()
}

/// Reports at `now`, milliseconds on both clocks.
fn report(recorder: &mut CongestionRecorder, now: u64) -> CongestionFeedback {
    recorder.poll(ms(now), NTP + Duration::from_millis(now), US, 1_200).unwrap()
}

fn units(units: u16) -> Option<(ArrivalOffset, Ecn)> {
    Some((ArrivalOffset::Units(units), Ecn::NotEct))
}

#[test]
fn rfc8888_s3_1_format() {
    let mut recorder = recorder();
    recorder.insert(ms(500), THEM, SeqNum(0xffff), ms(500), Ecn::Ect1);
    recorder.insert(ms(750), THEM, SeqNum(1), ms(750), Ecn::Ce);
    recorder.insert(ms(875), OTHER, SeqNum(7), ms(875), Ecn::NotEct);
    let bytes = [
        0x8b, 205, 0, 9, 1, 1, 1, 1, // version 2, FMT 11, ten words, sender
        2, 2, 2, 2, 0xff, 0xff, 0, 3, // stream, begin_seq, num_reports
        0xa2, 0x00, 0, 0, // received, ECT(1), 512/1024 s; lost
        0xe1, 0x00, 0, 0, // received, CE, 256/1024 s; two octets of padding
        3, 3, 3, 3, 0, 7, 0, 1, // the next stream
        0x80, 0x80, 0, 0, // 128/1024 s; padding
        0x12, 0x35, 0, 0, // report timestamp: one second later
    ];
    let feedback = report(&mut recorder, 1_000);
    assert_eq!(written(feedback.clone()), &bytes[..]);
    assert_eq!(read(&bytes), Ok(feedback.clone()));
    let metric = |seq, arrival| PacketMetric { seq: SeqNum(seq), arrival };
    let them = vec![
        metric(0xffff, Some((ArrivalOffset::Units(512), Ecn::Ect1))),
        metric(0, None),
        metric(1, Some((ArrivalOffset::Units(256), Ecn::Ce))),
    ];
    assert_eq!(fates(&feedback), [(THEM, them), (OTHER, vec![metric(7, units(128))])]);
}

#[test]
fn rfc8888_s3_1_a_stream_may_be_named_without_reports() {
    let bytes = [0x8b, 205, 0, 4, 1, 1, 1, 1, 2, 2, 2, 2, 0, 9, 0, 0, 0, 0, 0, 1];
    let feedback = read(&bytes).unwrap();
    assert_eq!(fates(&feedback), [(THEM, vec![])]);
    assert!(feedback.streams().all(|stream| stream.is_empty()));
    assert_eq!(feedback.timestamp, 1);
}

#[test]
fn rfc8888_s3_1_no_more_than_16384_reports_and_none_beyond_the_end() {
    let head = [0x8b, 205, 0, 5, 1, 1, 1, 1, 2, 2, 2, 2];
    let with = |count: u16, len: usize| {
        let mut bytes = head.to_vec();
        bytes.extend([0, 9]);
        bytes.extend(count.to_be_bytes());
        bytes.resize(bytes.len() + len, 0);
        bytes[3] = u8::try_from(bytes.len() / 4 - 1).unwrap();
        read(&bytes).map(|feedback| feedback.streams().map(|stream| stream.len()).sum::<usize>())
    };
    assert_eq!(with(2, 8), Ok(2));
    assert_eq!(with(3, 8), Err(Fault::Truncated), "padding and all");
    assert_eq!(with(16_385, 8), Err(Fault::Length));
    assert_eq!(MAX_REPORTS, 16_384);
    assert_eq!(read(&[0x8b, 205, 0, 1, 1, 1, 1, 1]), Err(Fault::Truncated), "no report timestamp");
}

#[test]
fn rfc8888_s3_1_the_offset_has_an_end() {
    let mut recorder = recorder();
    // 8189/1024 s are 7997.07 ms, 8190/1024 s 7998.05 ms.
    for (seq, at) in [(0, 0), (1, 2), (2, 3), (3, 10_000), (4, 10_001)] {
        recorder.insert(ms(10_000), THEM, SeqNum(seq), ms(at), Ecn::NotEct);
    }
    let feedback = recorder.poll(ms(10_000), NTP, US, 1_200);
    assert_eq!(feedback, None, "the interval is not over");
    let feedback = report(&mut recorder, 10_050);
    let told: Vec<_> = fates(&feedback).remove(0).1.into_iter().map(|metric| metric.arrival.unwrap().0).collect();
    assert_eq!(told[..3], [ArrivalOffset::OverRange; 3]);
    assert_eq!(told[3..], [ArrivalOffset::Units(51), ArrivalOffset::Units(50)]);
}

#[test]
fn rfc8888_s3_1_arrivals_after_the_report_are_unavailable() {
    let mut recorder = recorder();
    recorder.insert(ms(1_000), THEM, SeqNum(0), ms(1_200), Ecn::NotEct);
    let feedback = report(&mut recorder, 1_050);
    assert_eq!(fates(&feedback)[0].1[0].arrival, Some((ArrivalOffset::Unavailable, Ecn::NotEct)));
}

#[test]
fn rfc8888_s3_1_of_duplicates_the_first_counts_but_any_mark_of_congestion() {
    let mut recorder = recorder();
    recorder.insert(ms(0), THEM, SeqNum(5), ms(0), Ecn::Ect0);
    assert_eq!(recorder.insert(ms(25), THEM, SeqNum(5), ms(25), Ecn::Ce), Recorded::Duplicate);
    let feedback = report(&mut recorder, 125);
    assert_eq!(fates(&feedback)[0].1[0].arrival, Some((ArrivalOffset::Units(128), Ecn::Ce)));
}

#[test]
fn rfc8888_s3_1_the_report_timestamp_is_the_wall_clock_of_sender_reports() {
    let mut session = session(true);
    session.receive(ms(0), media(THEM, 1).into_bytes()).unwrap();
    let ntp = session.ntp(ms(50));
    let feedback = sent(&mut session, ms(50));
    let off = feedback.timestamp.wrapping_sub(ntp.to_short());
    assert!(off <= 1, "rounded up: {off}");
}

#[test]
fn rfc8888_s3_1_reports_are_contiguous_and_overlap_for_late_packets() {
    let mut recorder = recorder();
    let mut told = |now: u64, seqs: &[u16]| {
        for seq in seqs {
            recorder.insert(ms(now), THEM, SeqNum(*seq), ms(now), Ecn::NotEct);
        }
        let feedback = report(&mut recorder, now + 50);
        let metrics = fates(&feedback).remove(0).1;
        metrics.into_iter().map(|metric| (metric.seq.0, metric.arrival.is_some())).collect::<Vec<_>>()
    };
    assert_eq!(told(0, &[0, 2]), [(0, true), (1, false), (2, true)]);
    assert_eq!(told(100, &[3, 4]), [(3, true), (4, true)]);
    let late = told(200, &[1]);
    assert_eq!(late, [(1, true), (2, true), (3, true), (4, true)], "what was received stays received");
}

#[test]
fn rfc8888_s3_1_what_does_not_fit_goes_into_more_packets() {
    let mut recorder = recorder();
    for seq in 0..1_500 {
        recorder.insert(ms(0), THEM, SeqNum(seq), ms(0), Ecn::NotEct);
        recorder.insert(ms(0), OTHER, SeqNum(seq), ms(0), Ecn::NotEct);
    }
    let mut counts = std::collections::BTreeMap::new();
    while let Some(feedback) = recorder.poll(ms(50), NTP, US, 1_200) {
        for stream in feedback.streams() {
            *counts.entry(stream.ssrc).or_insert(0) += stream.len();
        }
        assert!(written(feedback).len() <= 1_200);
    }
    assert_eq!(counts.into_iter().collect::<Vec<_>>(), [(THEM, 1_500), (OTHER, 1_500)]);
}

#[test]
fn gaps_do_not_make_reports_larger_than_what_arrived() {
    let mut recorder = recorder();
    let (mut seq, mut reports) = (0_u16, 0);
    for packet in 0..400 {
        seq = seq.wrapping_add(2_999);
        let now = ms(60 * packet);
        recorder.insert(now, THEM, SeqNum(seq), now, Ecn::NotEct);
        while let Some(feedback) = recorder.poll(now + Duration::from_millis(50), NTP, US, 1_200) {
            reports += feedback.streams().map(|stream| stream.len()).sum::<usize>();
        }
    }
    assert!(2 * reports <= 400 * 40, "{reports} reports of two bytes on 400 packets of 40 bytes");
    assert!(recorder.stats().skipped > 0);
}

#[test]
fn rfc8888_s3_1_feedback_is_matched_by_stream_and_tells_marks() {
    let mut history = SendHistory::new(&HistoryConfig::default()).unwrap();
    let packet = |id| SentPacket { id, sent: ms(id), size: DataSize::from_bytes(100), probe: None };
    assert!(history.on_sent_of(packet(1), THEM, SeqNum(0xffff)));
    assert!(history.on_sent_of(packet(2), OTHER, SeqNum(7)));
    assert!(history.on_sent_of(packet(3), THEM, SeqNum(0)));
    let mut recorder = recorder();
    recorder.insert(ms(20), THEM, SeqNum(0xffff), ms(20), Ecn::Ect1);
    recorder.insert(ms(30), OTHER, SeqNum(7), ms(30), Ecn::Ce);
    recorder.insert(ms(40), THEM, SeqNum(1), ms(40), Ecn::Ect1);
    let results = history.on_congestion_feedback(&report(&mut recorder, 70));
    let told: Vec<_> = results.iter().map(|result| (result.packet.id, result.received.is_some(), result.ecn)).collect();
    assert_eq!(
        told,
        [(1, true, Ecn::Ect1), (2, true, Ecn::Ce), (3, false, Ecn::NotEct)],
        "in the order they were sent"
    );
    let apart = results[1].received.unwrap() - results[0].received.unwrap();
    assert!(apart.abs_diff(Duration::from_millis(10)) < Duration::from_millis(1), "{apart:?}");
    assert_eq!(history.stats().unknown, 1, "number 1 was never sent");
    assert_eq!(history.in_flight(), DataSize::ZERO);
}

#[test]
fn rfc8888_s3_1_the_report_timestamp_wraps() {
    let mut history = SendHistory::new(&HistoryConfig::default()).unwrap();
    let wrap = NtpTime::from_bits(0xffff_u64 << 32) + Duration::from_millis(990);
    let mut recorder = recorder();
    for (id, at) in [(1, 0), (2, 100)] {
        let packet = SentPacket { id, sent: ms(at), size: DataSize::from_bytes(100), probe: None };
        history.on_sent_of(packet, THEM, SeqNum(u16::try_from(id).unwrap()));
        recorder.insert(ms(at), THEM, SeqNum(u16::try_from(id).unwrap()), ms(at), Ecn::NotEct);
        let now = ms(at) + Duration::from_millis(50);
        let feedback = recorder.poll(now, wrap + (now - Instant::ZERO), US, 1_200).unwrap();
        history.on_congestion_feedback(&feedback);
        if id == 1 {
            assert!(feedback.timestamp < 0x1_0000, "{:x}: wrapped", feedback.timestamp);
        }
    }
    assert_eq!(history.stats().received, 2);
}

fn session(reduced_size: bool) -> Session {
    let mut config = SessionConfig::default();
    config.congestion_feedback = true;
    config.reduced_size = reduced_size;
    config.receiver.min_sequential = 1;
    Session::new(Instant::ZERO, NTP, &[US], config).unwrap()
}

fn media(ssrc: Ssrc, seq: u16) -> RtpPacket {
    RtpPacket::builder(PayloadType::new(96), SeqNum(seq), RtpTime(0), ssrc).build(&[7; 1_100]).unwrap()
}

/// The feedback a session sends by `until`.
fn sent(session: &mut Session, until: Instant) -> CongestionFeedback {
    loop {
        let now = session.poll_timeout().unwrap();
        assert!(now <= until, "{now}");
        while let Some(datagram) = session.poll_rtcp(now) {
            for packet in Compound::parse(datagram).unwrap().packets() {
                if let Ok(RtcpPacket::CongestionFeedback(feedback)) = packet {
                    return feedback;
                }
            }
        }
    }
}

#[test]
fn rfc8888_s4_feedback_leaves_each_interval_and_comes_back_as_results() {
    let (mut alice, mut bob) = (session(true), session(true));
    let (mut told, mut marked, mut bytes) = (0, 0, 0);
    for tick in 0..1_000_u64 {
        let now = ms(10 * tick);
        let outgoing = alice.send_rtp(now, media(US_TOO, u16::try_from(tick).unwrap()), None);
        assert!(outgoing.sent.is_some(), "no header extension is needed");
        let mark = if tick.is_multiple_of(100) { Ecn::Ce } else { Ecn::Ect1 };
        bob.receive_marked(now, outgoing.datagram, mark).unwrap();
        while let Some(datagram) = bob.poll_rtcp(now) {
            bytes += datagram.len() + 28;
            alice.receive(now, datagram).unwrap();
        }
        while let Some(event) = alice.poll_event() {
            if let Event::PacketResults(results) = event {
                told += results.len();
                marked += results.iter().filter(|result| result.ecn == Ecn::Ce).count();
            }
        }
    }
    assert!(told > 980, "{told} of 1000");
    assert_eq!(marked, 10);
    // 10 s of 912 kb/s.
    let share = bytes as f64 * 8.0 / 10.0 / 912_000.0;
    assert!(share < 0.02, "{share}");
}

/// Alice's stream.
const US_TOO: Ssrc = Ssrc(0x0404_0404);

#[test]
fn rfc8888_s4_feedback_keeps_to_the_share_of_what_arrives() {
    let taken = |share: Option<f64>| {
        let mut config = SessionConfig::default();
        config.congestion_feedback = true;
        config.reduced_size = true;
        config.feedback_share = share;
        let mut bob = Session::new(Instant::ZERO, NTP, &[US], config).unwrap();
        let mut bytes = 0;
        // A voice of 44 kb/s, headers included.
        for tick in 0..3_000_u64 {
            let now = ms(20 * tick);
            let seq = SeqNum(u16::try_from(tick).unwrap());
            let packet = RtpPacket::builder(PayloadType::new(111), seq, RtpTime(0), THEM).build(&[7; 70]).unwrap();
            bob.receive(now, packet.into_bytes()).unwrap();
            while let Some(datagram) = bob.poll_rtcp(now) {
                bytes += datagram.len() + 28;
            }
        }
        bytes as f64 / (3_000.0 * 110.0)
    };
    let (free, limited) = (taken(None), taken(Some(0.08)));
    assert!(free > 0.12, "{free}");
    // Reports, each second or so, are not feedback and come on top.
    assert!(limited < 0.10, "{limited}");
}

/// What a probe is told by: its packets leave at its rate, and feedback gives them back with its name and times.
#[test]
fn rfc8888_s3_1_a_probe_comes_back_tagged_and_timed() {
    let (mut alice, mut bob) = (session(true), session(true));
    let mut config = PacerConfig::default();
    config.padding_size = Some(DataSize::from_bytes(1_200));
    let mut pacer = LeakyBucketPacer::<RtpPacket>::new(config).unwrap();
    pacer.set_rate(ms(0), Bitrate::from_kbps(1_000));
    let cluster = ProbeCluster {
        id: ProbeId(7),
        rate: Bitrate::from_kbps(4_000),
        size: DataSize::from_bytes(12_000),
        packets: 5,
    };
    pacer.probe(ms(0), cluster);
    let (mut seq, mut told) = (0, Vec::new());
    for tick in 0..3_000_u64 {
        let now = Instant::from_micros(100 * tick);
        while let Some(release) = pacer.poll_release(now) {
            let Release::Padding { size, probe } = release else { panic!("nothing was queued") };
            let len = usize::try_from(size.as_bytes()).unwrap() - 12 - 28;
            let packet = RtpPacket::builder(PayloadType::new(96), SeqNum(seq), RtpTime(0), US_TOO);
            let outgoing = alice.send_rtp(now, packet.build(&vec![0; len]).unwrap(), probe);
            assert_eq!(outgoing.sent.map(|sent| (sent.sent, sent.size, sent.probe)), Some((now, size, probe)));
            bob.receive(now, outgoing.datagram).unwrap();
            seq += 1;
        }
        while let Some(datagram) = bob.poll_rtcp(now) {
            alice.receive(now, datagram).unwrap();
        }
        while let Some(event) = alice.poll_event() {
            if let Event::PacketResults(results) = event {
                told.extend_from_slice(results);
            }
        }
    }
    assert_eq!(told.len(), 10);
    assert!(told.iter().all(|result| result.packet.probe == Some(ProbeId(7))));
    // Nine packets of 2.4 ms between the first and the last.
    let apart = told[9].received.unwrap() - told[0].received.unwrap();
    assert!(apart.abs_diff(Duration::from_micros(9 * 2_400)) < Duration::from_micros(1_200), "{apart:?}");
}
