//! Feedback clause by clause: RFC 4585, RFC 5104, RFC 5506, RFC 5761, the draft of REMB, and
//! RFC 3550 where a whole session is needed to show it.

#![expect(clippy::unwrap_used, reason = "a test ends at the first surprise")]

use core::time::Duration;

use bytes::{Bytes, BytesMut};
use rtc_core::time::{Instant, NtpTime};
use rtc_core::{Bitrate, DataSize, PayloadType, RtpPacket, RtpTime, SeqNum, Ssrc};
use rtc_transport::rtcp::*;
use rtc_transport::schedule::{Membership, Profile, RtcpScheduler, SchedulerConfig, Slot};
use rtc_transport::session::{Event, Received, Session, SessionConfig};

const US: Ssrc = Ssrc(0x0101_0101);
const THEM: Ssrc = Ssrc(0x0202_0202);
const PAIR: Membership = Membership { members: 2, senders: 1, we_sent: false };
const SIZE: DataSize = DataSize::from_bytes(128);

fn ms(millis: u64) -> Instant {
    Instant::from_millis(millis)
}

fn written(packet: &RtcpPacket) -> Bytes {
    let mut out = BytesMut::new();
    packet.write(&mut out).unwrap();
    out.freeze()
}

fn read(datagram: &[u8]) -> Vec<RtcpPacket> {
    Compound::parse(Bytes::copy_from_slice(datagram)).unwrap().packets().map(Result::unwrap).collect()
}

#[test]
fn rfc4585_s6_2_1_generic_nack() {
    let nack = Nack::new(US, THEM, [SeqNum(0xfffe), SeqNum(0xffff), SeqNum(14), SeqNum(15)]);
    let bytes = [
        0x81, 205, 0, 4, 1, 1, 1, 1, 2, 2, 2, 2, // version 2, FMT 1, five words
        0xff, 0xfe, 0x80, 0x01, // the lowest bit is the packet after, the highest the 16th
        0, 15, 0, 0,
    ];
    assert_eq!(written(&RtcpPacket::Nack(nack.clone())), &bytes[..]);
    assert_eq!(read(&bytes), [RtcpPacket::Nack(nack)]);
}

#[test]
fn rfc4585_s6_2_1_short_nacks_are_malformed() {
    for bytes in [&[0x81, 205, 0, 1, 1, 1, 1, 1][..], &[0x81, 205, 0, 0]] {
        let mut packets = Compound::parse(Bytes::copy_from_slice(bytes)).unwrap().packets();
        assert!(packets.next().unwrap().is_err());
    }
}

#[test]
fn rfc4585_s6_3_1_pli_is_two_words() {
    let pli = RtcpPacket::Pli(Pli { sender: US, media: THEM });
    let bytes = [0x81, 206, 0, 2, 1, 1, 1, 1, 2, 2, 2, 2];
    assert_eq!(written(&pli), &bytes[..]);
    assert_eq!(read(&bytes), [pli]);
}

#[test]
fn rfc5104_s4_3_1_fir() {
    let fir = Fir { sender: US, requests: vec![FirRequest { media: THEM, number: 9 }] };
    let bytes = [0x84, 206, 0, 4, 1, 1, 1, 1, 0, 0, 0, 0, 2, 2, 2, 2, 9, 0, 0, 0];
    assert_eq!(written(&RtcpPacket::Fir(fir.clone())), &bytes[..]);
    assert_eq!(read(&bytes), [RtcpPacket::Fir(fir)]);
}

#[test]
fn draft_remb_s2_2_mantissa_and_exponent() {
    let remb = Remb { sender: US, bitrate: Bitrate::from_bps(0x2_0001 << 7), sources: vec![THEM] };
    let bytes = [0x8f, 206, 0, 5, 1, 1, 1, 1, 0, 0, 0, 0, b'R', b'E', b'M', b'B', 1, 0b0001_1110, 0, 1, 2, 2, 2, 2];
    assert_eq!(written(&RtcpPacket::Remb(remb.clone())), &bytes[..]);
    assert_eq!(read(&bytes), [RtcpPacket::Remb(remb)]);
    let zero = [0x8f, 206, 0, 4, 1, 1, 1, 1, 0, 0, 0, 0, b'R', b'E', b'M', b'B', 0, 0xfc, 0, 0];
    let [RtcpPacket::Remb(read)] = &read(&zero)[..] else { panic!() };
    assert_eq!(read.bitrate, Bitrate::ZERO, "whatever the exponent");
}

#[test]
fn rfc4585_s6_4_other_application_feedback_is_not_remb() {
    let bytes = [0x8f, 206, 0, 3, 1, 1, 1, 1, 0, 0, 0, 0, b'O', b'H', b'N', b'O'];
    assert!(matches!(&read(&bytes)[..], [RtcpPacket::Unknown(raw)] if raw.packet_type == 206 && raw.count == 15));
}

#[test]
fn rfc5506_s3_4_2_a_datagram_may_begin_with_feedback() {
    let compound = Compound::parse(written(&RtcpPacket::Pli(Pli { sender: US, media: THEM }))).unwrap();
    assert!(compound.is_reduced_size());
    let report = ReceiverReport { ssrc: US, blocks: Vec::new() };
    assert!(!Compound::parse(written(&RtcpPacket::ReceiverReport(report))).unwrap().is_reduced_size());
}

#[test]
fn rfc5761_s4_rtcp_is_known_by_its_packet_type() {
    for packet_type in 0..=u8::MAX {
        assert_eq!(is_rtcp(&[0x80, packet_type, 0, 0]), (192..=223).contains(&packet_type), "{packet_type}");
    }
    assert!(!is_rtcp(&[0x40, 200, 0, 0]), "version 1");
    assert!(!is_rtcp(&[0x80]));
}

// RFC 4585 §3.5, timing.

fn avpf(report_interval: Duration, point_to_point: bool) -> RtcpScheduler {
    let mut config = SchedulerConfig::default();
    config.bandwidth = Bitrate::from_bps(8_000);
    config.profile = Profile::Avpf { report_interval, point_to_point };
    config.seed = 5;
    RtcpScheduler::new(Instant::ZERO, config, PAIR).unwrap()
}

/// Runs to the next slot granted.
fn next_slot(scheduler: &mut RtcpScheduler) -> (Instant, Slot) {
    loop {
        let now = scheduler.poll_timeout().unwrap();
        if let Some(slot) = scheduler.handle_timeout(now, PAIR) {
            return (now, slot);
        }
        assert!(scheduler.poll_timeout().unwrap() > now);
    }
}

/// Runs to just after a report.
fn after_report(scheduler: &mut RtcpScheduler) -> Instant {
    let (now, slot) = next_slot(scheduler);
    assert_eq!(slot, Slot::Report);
    scheduler.on_sent(now, SIZE, PAIR);
    now
}

#[test]
fn rfc4585_s3_5_2_feedback_between_two_is_at_once() {
    let mut scheduler = avpf(Duration::ZERO, true);
    let now = after_report(&mut scheduler) + Duration::from_millis(1);
    assert_eq!(scheduler.request_feedback(now), now);
    assert_eq!(scheduler.poll_timeout(), Some(now));
    assert_eq!(scheduler.handle_timeout(now, PAIR), Some(Slot::Feedback));
    assert_eq!(scheduler.handle_timeout(now, PAIR), Some(Slot::Feedback), "until it is sent");
}

#[test]
fn rfc4585_s3_5_2_early_feedback_skips_a_regular_slot() {
    let mut scheduler = avpf(Duration::ZERO, true);
    let tp = after_report(&mut scheduler);
    let tn = scheduler.poll_timeout().unwrap();
    let now = tp + Duration::from_millis(1);
    scheduler.request_feedback(now);
    assert_eq!(scheduler.handle_timeout(now, PAIR), Some(Slot::Feedback));
    scheduler.on_sent(now, SIZE, PAIR);
    assert_eq!(scheduler.poll_timeout(), Some(tn + (tn - tp)), "tn = tp + 2 T_rr");
}

#[test]
fn rfc4585_s3_5_2_a_second_feedback_waits_for_the_regular_slot() {
    let mut scheduler = avpf(Duration::ZERO, true);
    let now = after_report(&mut scheduler) + Duration::from_millis(1);
    scheduler.request_feedback(now);
    scheduler.handle_timeout(now, PAIR);
    scheduler.on_sent(now, SIZE, PAIR);
    let tn = scheduler.poll_timeout().unwrap();
    assert_eq!(scheduler.request_feedback(now), tn);
    assert_eq!(scheduler.handle_timeout(now, PAIR), None);
    let now = after_report(&mut scheduler) + Duration::from_millis(1);
    assert_eq!(scheduler.request_feedback(now), now, "allowed again after it");
}

#[test]
fn rfc4585_s3_5_2_feedback_joins_the_packet_already_scheduled() {
    let mut scheduler = avpf(Duration::ZERO, false);
    let now = after_report(&mut scheduler);
    let early = scheduler.request_feedback(now);
    assert_eq!(scheduler.request_feedback(now + Duration::from_millis(1)), early);
}

#[test]
fn rfc4585_s3_5_2_feedback_among_many_waits_up_to_half_an_interval() {
    let mut spread = Duration::ZERO;
    let mut scheduler = avpf(Duration::ZERO, false);
    for _ in 0..200 {
        let tp = after_report(&mut scheduler);
        let tn = scheduler.poll_timeout().unwrap();
        let wait = scheduler.request_feedback(tp) - tp;
        assert!(wait <= (tn - tp) / 2);
        spread = spread.max(wait);
        let early = scheduler.poll_timeout().unwrap();
        assert_eq!(scheduler.handle_timeout(early, PAIR), Some(Slot::Feedback));
        scheduler.on_sent(early, SIZE, PAIR);
    }
    assert!(spread > Duration::from_millis(20), "{spread:?}");
}

#[test]
fn rfc4585_s3_5_2_feedback_late_in_the_interval_waits_for_the_report() {
    let mut scheduler = avpf(Duration::ZERO, false);
    after_report(&mut scheduler);
    let tn = scheduler.poll_timeout().unwrap();
    assert_eq!(scheduler.request_feedback(tn - Duration::from_micros(1)), tn, "t0 + T_dither_max > tn");
}

#[test]
fn rfc4585_s3_5_3_reports_are_suppressed_within_t_rr_interval() {
    let interval = Duration::from_secs(2);
    let mut scheduler = avpf(interval, true);
    let mut last = after_report(&mut scheduler);
    let mut sum = Duration::ZERO;
    for _ in 0..500 {
        let now = after_report(&mut scheduler);
        assert!(now - last >= interval / 2, "{:?}", now - last);
        assert!(now - last <= interval.mul_f64(1.5) + Duration::from_secs(1), "{:?}", now - last);
        sum += now - last;
        last = now;
    }
    let mean = sum.as_secs_f64() / 500.0;
    assert!((1.0..2.5).contains(&mean), "{mean}");
}

#[test]
fn rfc4585_s3_5_3_stored_feedback_leaves_in_the_regular_slot_all_the_same() {
    let mut scheduler = avpf(Duration::from_secs(60), true);
    let now = after_report(&mut scheduler);
    scheduler.request_feedback(now);
    scheduler.handle_timeout(now, PAIR);
    scheduler.on_sent(now, SIZE, PAIR);
    let tn = scheduler.request_feedback(now + Duration::from_millis(1));
    let (at, slot) = next_slot(&mut scheduler);
    assert_eq!(slot, Slot::Feedback, "a minimal packet, long before the next report");
    assert!(at >= tn && at - now < Duration::from_secs(2));
}

#[test]
fn rfc4585_s3_1_without_avpf_feedback_waits_for_the_report() {
    let mut config = SchedulerConfig::default();
    config.profile = Profile::Avp { minimum_interval: Duration::from_secs(5) };
    let mut scheduler = RtcpScheduler::new(Instant::ZERO, config, PAIR).unwrap();
    let tn = scheduler.poll_timeout().unwrap();
    assert_eq!(scheduler.request_feedback(ms(1)), tn);
    assert_eq!(scheduler.handle_timeout(ms(1), PAIR), None);
}

// Sessions.

const NTP: NtpTime = NtpTime::from_bits(0xe000_0000_0000_0000);

fn session(local: Ssrc, edit: impl FnOnce(&mut SessionConfig)) -> Session {
    let mut config = SessionConfig::default();
    config.cname = Bytes::from_static(b"me");
    config.receiver.min_sequential = 1;
    edit(&mut config);
    Session::new(Instant::ZERO, NTP, &[local], config).unwrap()
}

fn media(ssrc: Ssrc, seq: u16) -> RtpPacket {
    RtpPacket::builder(PayloadType::new(96), SeqNum(seq), RtpTime(0), ssrc)
        .extensions(&[(3, &[0, 0])])
        .build(b"media")
        .unwrap()
}

#[test]
fn rfc4585_s3_1_feedback_comes_with_a_report_and_a_name() {
    let mut session = session(US, |_| ());
    session.request_key_frame(ms(1), THEM);
    let packets = read(&session.poll_rtcp(ms(1)).unwrap());
    let [RtcpPacket::ReceiverReport(report), RtcpPacket::Sdes(sdes), RtcpPacket::Pli(pli)] = &packets[..] else {
        panic!("{packets:?}")
    };
    assert_eq!((report.ssrc, report.blocks.len()), (US, 0));
    assert_eq!(sdes, &Sdes::cname([US], &Bytes::from_static(b"me")));
    assert_eq!(*pli, Pli { sender: US, media: THEM });
    assert_eq!(session.poll_rtcp(ms(1)), None);
}

#[test]
fn rfc5506_s4_feedback_may_come_alone_if_agreed_but_not_before_a_compound_packet() {
    let mut session = session(US, |config| config.reduced_size = true);
    session.request_key_frame(ms(1), THEM);
    let first = read(&session.poll_rtcp(ms(1)).unwrap());
    assert!(matches!(first[..], [RtcpPacket::ReceiverReport(_), RtcpPacket::Sdes(_), RtcpPacket::Pli(_)]), "{first:?}");
    let report = loop {
        let now = session.poll_timeout().unwrap();
        if session.poll_rtcp(now).is_some() {
            break now;
        }
    };
    let now = report + Duration::from_millis(1);
    session.request_retransmission(now, THEM, [SeqNum(7), SeqNum(9)]);
    session.request_key_frame(now, THEM);
    let packets = read(&session.poll_rtcp(now).unwrap());
    let nack = Nack::new(US, THEM, [SeqNum(7), SeqNum(9)]);
    assert_eq!(packets, [RtcpPacket::Pli(Pli { sender: US, media: THEM }), RtcpPacket::Nack(nack)]);
}

#[test]
fn rfc4585_s3_5_2_requests_are_merged() {
    let mut session = session(US, |config| config.reduced_size = true);
    for seq in [1, 2, 3] {
        session.request_retransmission(ms(1), THEM, [SeqNum(seq)]);
        session.request_key_frame(ms(1), THEM);
    }
    let packets = read(&session.poll_rtcp(ms(1)).unwrap());
    assert!(
        matches!(packets[2..], [RtcpPacket::Pli(_), RtcpPacket::Nack(_)]),
        "after a report and a name: {packets:?}"
    );
}

#[test]
fn rfc5104_s4_3_1_1_a_repeated_fir_is_one_request() {
    let mut session = session(US, |_| ());
    for number in [4, 4, 5, 5] {
        let fir = Fir { sender: THEM, requests: vec![FirRequest { media: US, number }] };
        assert_eq!(session.receive(ms(1), written(&RtcpPacket::Fir(fir))), Ok(Received::Rtcp));
    }
    assert_eq!(session.poll_event(), Some(Event::KeyFrame { ssrc: US }));
    assert_eq!(session.poll_event(), Some(Event::KeyFrame { ssrc: US }));
    assert_eq!(session.poll_event(), None);
}

#[test]
fn rfc3550_s8_2_our_own_source_coming_back_is_a_collision() {
    let mut session = session(US, |_| ());
    let received = session.receive(ms(1), media(US, 1).into_bytes());
    assert_eq!(received, Ok(Received::Collision(US)));
    assert_eq!(session.stats().collisions, 1);
}

#[test]
fn feedback_on_sources_that_are_not_ours_is_counted_and_not_told() {
    let mut session = session(US, |_| ());
    for packet in [
        RtcpPacket::Pli(Pli { sender: THEM, media: Ssrc(9) }),
        RtcpPacket::Nack(Nack::new(THEM, Ssrc(9), [SeqNum(1)])),
        RtcpPacket::Bye(Bye { sources: vec![Ssrc(9)], reason: Bytes::new() }),
    ] {
        session.receive(ms(1), written(&packet)).unwrap();
    }
    assert_eq!(session.poll_event(), None);
    assert_eq!(session.stats().foreign, 3);
}

/// Who counts rounds of feedback, and takes for lost what should be in one and is not, needs each of them.
#[test]
fn feedback_that_tells_nothing_new_is_an_event_all_the_same() {
    let mut alice = session(US, |config| config.transport_sequence_id = Some(3));
    let mut bob = session(THEM, |config| {
        config.transport_sequence_id = Some(3);
        config.recorder.repeat = Duration::from_millis(300);
    });
    let outgoing = alice.send_rtp(ms(1), media(US, 1), None);
    bob.receive(ms(1), outgoing.datagram).unwrap();
    let mut told = Vec::new();
    for now in (1..1_000).map(ms) {
        while let Some(datagram) = bob.poll_rtcp(now) {
            alice.receive(now, datagram).unwrap();
        }
        while let Some(event) = alice.poll_event() {
            if let Event::PacketResults(results) = event {
                told.push(results.len());
            }
        }
    }
    assert!(told.len() > 4, "{told:?}");
    assert!(told[0] == 1 && told[1..].iter().all(|count| *count == 0), "{told:?}");
}

#[test]
fn sources_never_believed_make_room_and_others_do_not() {
    let mut session = session(US, |config| {
        config.receiver.min_sequential = 2;
        config.max_sources = 2;
    });
    for seq in [1, 2] {
        session.receive(ms(1), media(THEM, seq).into_bytes()).unwrap();
    }
    for stray in 10..20 {
        assert!(matches!(session.receive(ms(2), media(Ssrc(stray), 1).into_bytes()), Ok(Received::Rtp(..))));
    }
    assert_eq!(session.receivers().map(|stream| stream.ssrc()).collect::<Vec<_>>(), [THEM, Ssrc(19)]);
    session.receive(ms(3), media(Ssrc(19), 2).into_bytes()).unwrap();
    let refused = session.receive(ms(3), media(Ssrc(20), 1).into_bytes());
    assert_eq!(refused, Ok(Received::TooManySources(Ssrc(20))));
    assert_eq!(session.stats().refused, 1);
}

#[test]
fn rfc3550_s6_6_goodbye_names_all_streams_and_is_the_last() {
    let mut session = session(US, |config| config.transport_sequence_id = Some(3));
    session.send_rtp(ms(1), media(Ssrc(5), 1), None);
    session.leave(ms(2), "off to lunch");
    let packets = read(&session.poll_rtcp(ms(2)).unwrap());
    let bye = Bye { sources: vec![US, Ssrc(5)], reason: Bytes::from_static(b"off to lunch") };
    assert_eq!(packets.last(), Some(&RtcpPacket::Bye(bye)));
    session.request_key_frame(ms(3), THEM);
    session.receive(ms(3), media(THEM, 1).into_bytes()).unwrap();
    assert_eq!(session.poll_rtcp(ms(9_000)), None);
}

#[test]
fn rfc3550_s6_3_5_silent_sources_time_out() {
    let mut session = session(US, |_| ());
    session.receive(ms(1_000), media(THEM, 1).into_bytes()).unwrap();
    session.handle_timeout(ms(25_999));
    assert_eq!(session.poll_event(), None);
    session.handle_timeout(ms(26_000));
    assert_eq!(session.poll_event(), Some(Event::TimedOut { ssrc: THEM }));
    assert!(session.receiver(THEM).is_none());
}

#[test]
fn rfc3550_s6_1_a_full_house_fits_the_datagram_and_all_get_their_turn() {
    let mut session = session(US, |config| config.max_rtcp_size = 768);
    let (mut reported, mut heard) = (std::collections::BTreeSet::new(), std::collections::BTreeSet::new());
    let mut now = Instant::ZERO;
    for round in 0..4_000_u16 {
        for ssrc in 0..30 {
            session.send_rtp(now, media(Ssrc(100 + ssrc), round), None);
            session.receive(now, media(Ssrc(200 + ssrc), round).into_bytes()).unwrap();
        }
        while let Some(datagram) = session.poll_rtcp(now) {
            assert!(datagram.len() <= 768);
            for packet in read(&datagram) {
                match packet {
                    RtcpPacket::SenderReport(report) => {
                        reported.insert(report.ssrc);
                    }
                    RtcpPacket::ReceiverReport(report) => heard.extend(report.blocks.iter().map(|block| block.ssrc)),
                    _ => {}
                }
            }
        }
        now += Duration::from_millis(20);
    }
    assert_eq!((reported.len(), heard.len()), (30, 30));
}
