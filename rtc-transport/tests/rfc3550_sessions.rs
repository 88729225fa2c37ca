//! Collisions of SSRCs, messages, loss notifications and capture times: whole sessions where a clause needs one.

#![expect(clippy::unwrap_used, reason = "a test ends at the first surprise")]

use core::time::Duration;

use bytes::{Bytes, BytesMut};
use rtc_core::rtp::extension::{AbsoluteCaptureTime, ClockOffset, HeaderExtension};
use rtc_core::time::{Instant, NtpTime};
use rtc_core::{Frequency, PayloadType, RtpPacket, RtpTime, SeqNum, Ssrc};
use rtc_transport::rtcp::*;
use rtc_transport::session::{Event, Received, Session, SessionConfig};

const US: Ssrc = Ssrc(0x0101_0101);
const THEM: Ssrc = Ssrc(0x0202_0202);

fn ms(millis: u64) -> Instant {
    Instant::from_millis(millis)
}

fn session(local: Ssrc, edit: impl FnOnce(&mut SessionConfig)) -> Session {
    let mut config = SessionConfig::default();
    config.cname = Bytes::from_static(b"me");
    config.clocks = vec![(PayloadType::new(96), Frequency::KHZ_90)];
    config.receiver.min_sequential = 1;
    edit(&mut config);
    Session::new(Instant::ZERO, NtpTime::from_bits(0xe000_0000_0000_0000), &[local], config).unwrap()
}

fn media(ssrc: Ssrc, seq: u16, timestamp: u32) -> RtpPacket {
    RtpPacket::builder(PayloadType::new(96), SeqNum(seq), RtpTime(timestamp), ssrc).build(b"media").unwrap()
}

fn read(datagram: &Bytes) -> Vec<RtcpPacket> {
    Compound::parse(datagram.clone()).unwrap().packets().map(Result::unwrap).collect()
}

fn written(packet: &RtcpPacket) -> Bytes {
    let mut out = BytesMut::new();
    packet.write(&mut out).unwrap();
    out.freeze()
}

fn changed(session: &mut Session) -> Option<(Ssrc, Ssrc)> {
    while let Some(event) = session.poll_event() {
        if let Event::SsrcChanged { old, new } = event {
            return Some((old, new));
        }
    }
    None
}

#[test]
fn rfc3550_s8_2_a_collision_ends_in_goodbye_and_another_ssrc() {
    let mut session = session(US, |_| ());
    session.send_rtp(ms(1), media(US, 1, 0), None);
    assert_eq!(session.receive(ms(2), media(US, 9, 0).into_bytes()), Ok(Received::Collision(US)));
    let (old, new) = changed(&mut session).unwrap();
    assert_eq!(old, US);
    assert_ne!(new, US);
    let packets = read(&session.poll_rtcp(ms(2)).unwrap());
    assert_eq!(packets.last(), Some(&RtcpPacket::Bye(Bye { sources: vec![US], reason: Bytes::new() })));
    let reporter = match &packets[0] {
        RtcpPacket::ReceiverReport(report) => report.ssrc,
        RtcpPacket::SenderReport(report) => report.ssrc,
        other => panic!("{other:?}"),
    };
    assert_eq!(reporter, new, "we go on under the new one");
    let outgoing = session.send_rtp(ms(3), media(US, 2, 0), None);
    assert_eq!(RtpPacket::parse(outgoing.datagram).unwrap().ssrc(), new, "packets made before they knew are renamed");
    assert_eq!(session.senders().map(|stream| stream.ssrc()).collect::<Vec<_>>(), [new]);
    assert_eq!(session.senders().map(|stream| stream.stats().packets).sum::<u64>(), 1, "counts begin anew (§6.4.1)");
}

#[test]
fn rfc3550_s8_2_the_other_one_keeps_the_ssrc() {
    let mut session = session(US, |_| ());
    session.receive(ms(2), media(US, 9, 0).into_bytes()).unwrap();
    let next = session.receive(ms(20), media(US, 10, 0).into_bytes()).unwrap();
    assert!(matches!(next, Received::Rtp(..)), "{next:?}");
    assert_eq!(session.receiver(US).map(|stream| stream.stats().arrived), Some(1));
    let stats = session.stats();
    assert_eq!((stats.collisions, stats.ssrc_changes, stats.loops), (1, 1, 0));
}

#[test]
fn rfc3550_s8_2_what_goes_on_coming_back_is_a_loop() {
    let mut session = session(US, |_| ());
    let mut names = vec![US];
    for packet in 0..2_000_u16 {
        let now = ms(20 * u64::from(packet));
        let outgoing = session.send_rtp(now, media(US, packet, 0), None);
        session.receive(now, outgoing.datagram).unwrap();
        names.extend(changed(&mut session).map(|(_, new)| new));
    }
    let stats = session.stats();
    assert_eq!((names.len(), stats.ssrc_changes, stats.collisions, stats.loops), (2, 1, 2_000, 1_999));
}

#[test]
fn rfc3550_s8_2_a_conflict_is_forgotten_after_ten_intervals() {
    let mut session = session(US, |_| ());
    session.receive(ms(0), media(US, 1, 0).into_bytes()).unwrap();
    let (_, second) = changed(&mut session).unwrap();
    session.receive(ms(49_000), media(second, 1, 0).into_bytes()).unwrap();
    assert_eq!(changed(&mut session), None, "ten intervals of five seconds are not over");
    session.receive(ms(150_000), media(second, 2, 0).into_bytes()).unwrap();
    assert_eq!(changed(&mut session).map(|(old, _)| old), Some(second));
    let outgoing = session.send_rtp(ms(150_001), media(US, 2, 0), None);
    let name = RtpPacket::parse(outgoing.datagram).unwrap().ssrc();
    assert_eq!(session.senders().next().map(|stream| stream.ssrc()), Some(name), "renamed twice");
}

#[test]
fn rfc3550_s8_2_reports_collide_as_well() {
    let mut session = session(US, |_| ());
    let report = ReceiverReport { ssrc: US, blocks: Vec::new() };
    session.receive(ms(1), written(&RtcpPacket::ReceiverReport(report))).unwrap();
    assert_eq!(changed(&mut session).map(|(old, _)| old), Some(US));
}

#[test]
fn rfc3550_s8_2_signalled_ssrcs_can_be_kept() {
    let mut session = session(US, |config| config.resolve_collisions = false);
    for seq in 0..5 {
        session.receive(ms(1), media(US, seq, 0).into_bytes()).unwrap();
    }
    assert_eq!((changed(&mut session), session.stats().collisions, session.poll_rtcp(ms(1))), (None, 5, None));
}

/// A stranger who follows every change makes no more than one a conflict's time.
#[test]
fn rfc3550_s8_2_a_stranger_cannot_make_us_change_without_end() {
    let mut session = session(US, |_| ());
    let mut name = US;
    for packet in 0..6_000_u16 {
        session.receive(ms(100 * u64::from(packet)), media(name, packet, 0).into_bytes()).unwrap();
        name = changed(&mut session).map_or(name, |(_, new)| new);
    }
    assert_eq!(session.stats().ssrc_changes, 1);
}

#[test]
fn rfc3550_s6_3_7_who_never_sent_anything_says_no_goodbye() {
    let mut silent = session(US, |_| ());
    silent.receive(ms(0), media(THEM, 1, 0).into_bytes()).unwrap();
    silent.leave(ms(0), "unheard");
    for now in 0..60 {
        assert_eq!(silent.poll_rtcp(ms(1_000 * now)), None);
    }
    let mut heard = session(US, |_| ());
    heard.send_rtp(ms(0), media(US, 1, 0), None);
    heard.leave(ms(0), "heard");
    assert!(matches!(read(&heard.poll_rtcp(ms(0)).unwrap()).last(), Some(RtcpPacket::Bye(_))));
}

// RFC 3550 §6.7: messages in APP packets.

#[test]
fn rfc3550_s6_7_app_on_the_wire() {
    let app = App { ssrc: US, name: *b"TEST", subtype: 3, data: Bytes::from_static(&[9, 8, 7, 6]) };
    let bytes = [0x83, 204, 0, 3, 1, 1, 1, 1, b'T', b'E', b'S', b'T', 9, 8, 7, 6];
    assert_eq!(written(&RtcpPacket::App(app.clone())), &bytes[..]);
    assert_eq!(read(&Bytes::copy_from_slice(&bytes)), [RtcpPacket::App(app.clone())]);
    let mut out = BytesMut::new();
    for wrong in [App { subtype: 32, ..app.clone() }, App { data: Bytes::from_static(b"odd"), ..app }] {
        assert!(RtcpPacket::App(wrong).write(&mut out).is_err());
    }
    let short = Compound::parse(Bytes::from_static(&[0x80, 204, 0, 1, 1, 1, 1, 1])).unwrap().packets().next().unwrap();
    assert!(short.is_err());
}

#[test]
fn rfc3550_s6_7_other_applications_are_given_out() {
    let mut session = session(US, |_| ());
    let app = App { ssrc: THEM, name: *b"ELSE", subtype: 0, data: Bytes::new() };
    session.receive(ms(1), written(&RtcpPacket::App(app.clone()))).unwrap();
    assert_eq!(session.poll_event(), Some(Event::App(app)));
}

/// Carries RTCP of `from` to `to`, of which each `lost`th datagram is lost; what arrived of messages.
fn carry(from: &mut Session, to: &mut Session, until: u64, lost: usize) -> Vec<(Bytes, Option<NtpTime>)> {
    let (mut count, mut told) = (0_usize, Vec::new());
    for now in 0..until {
        while let Some(datagram) = from.poll_rtcp(ms(now)) {
            count += 1;
            if lost == 0 || !count.is_multiple_of(lost) {
                to.receive(ms(now), datagram).unwrap();
            }
        }
        while let Some(event) = to.poll_event() {
            if let Event::Message { message, ntp } = event {
                told.push((message.text, ntp));
            }
        }
    }
    told
}

#[test]
fn messages_arrive_once_with_the_time_of_their_media() {
    let (mut alice, mut bob) = (session(US, |_| ()), session(THEM, |_| ()));
    for seq in 0..10 {
        let now = ms(u64::from(seq));
        let outgoing = alice.send_rtp(now, media(US, seq, 90 * u32::from(seq)), None);
        bob.receive(now, outgoing.datagram).unwrap();
    }
    alice.set_media_time(US, ms(0), RtpTime(0));
    assert!(alice.send_message(ms(10), US, RtpTime(900), b"a caption").is_some());
    let told = carry(&mut alice, &mut bob, 3_000, 2);
    let [(text, Some(ntp))] = &told[..] else { panic!("{told:?}") };
    assert_eq!(&text[..], b"a caption");
    let off = ntp.nanos_since(alice.ntp(ms(10)));
    assert!(off.abs() < 20_000, "{off} ns: 900 ticks are 10 ms");
    assert!(bob.stats().messages_repeated > 0);
}

#[test]
fn messages_are_bounded_in_size_number_and_rate() {
    let mut session = session(US, |_| ());
    assert_eq!(session.send_message(ms(0), US, RtpTime(0), &[0; 401]), None, "too long");
    assert_eq!(session.send_message(ms(0), THEM, RtpTime(0), b"x"), None, "not our stream");
    let (mut sent, mut bytes) = (0, 0);
    for now in 0..60_000 {
        sent += usize::from(session.send_message(ms(now), US, RtpTime(0), &[7; 380]).is_some());
        while let Some(datagram) = session.poll_rtcp(ms(now)) {
            for packet in read(&datagram) {
                bytes += if matches!(packet, RtcpPacket::App(_)) { written(&packet).len() } else { 0 };
            }
        }
    }
    // 16 kb/s for a minute, and the burst.
    assert!((50_000..130_000).contains(&bytes), "{bytes} bytes of {sent} messages");
    assert_eq!(session.stats().messages_refused, 60_002 - sent as u64);
}

#[test]
fn messages_of_strangers_and_malformed_ones_are_counted() {
    let mut session = session(US, |_| ());
    let message = TimedMessage { ssrc: THEM, rtp_time: RtpTime(0), number: 1, text: Bytes::from_static(b"psst") };
    session.receive(ms(1), written(&RtcpPacket::App(message.to_app().unwrap()))).unwrap();
    assert_eq!(session.poll_event(), None);
    assert_eq!(session.stats().foreign, 1);
    let app = App { data: Bytes::from_static(&[0, 0, 0, 0, 0, 1, 0, 9]), ..message.to_app().unwrap() };
    session.receive(ms(1), written(&RtcpPacket::App(app))).unwrap();
    assert_eq!(session.poll_event(), None);
    assert_eq!(session.stats().malformed_rtcp, 1);
}

#[test]
fn message_numbers_wrap_and_begin_anew() {
    let mut session = session(US, |_| ());
    session.receive(ms(1), media(THEM, 1, 0).into_bytes()).unwrap();
    let mut hear = |number| {
        let message = TimedMessage { ssrc: THEM, rtp_time: RtpTime(0), number, text: Bytes::new() };
        session.receive(ms(1), written(&RtcpPacket::App(message.to_app().unwrap()))).unwrap();
        session.poll_event().is_some()
    };
    let numbers = [65_530, 65_532, 65_531, 65_530, 3, 2, 2, 65_532, 40_000, 3];
    let new = [true, true, true, false, true, true, false, false, true, true];
    assert_eq!(numbers.map(&mut hear), new);
}

#[test]
fn loss_notification_on_the_wire_and_through_a_session() {
    let mut bob = session(THEM, |_| ());
    bob.notify_loss(ms(1), US, SeqNum(0xfffe), SeqNum(1), true);
    bob.notify_loss(ms(1), US, SeqNum(0xffff), SeqNum(3), true);
    let datagram = bob.poll_rtcp(ms(1)).unwrap();
    let bytes = [0x8f, 206, 0, 4, 2, 2, 2, 2, 1, 1, 1, 1, b'L', b'N', b'T', b'F', 0xff, 0xff, 0, 9];
    assert!(datagram.ends_with(&bytes), "the newest of a stream; four packets on, decodable: {datagram:?}");
    let mut alice = session(US, |_| ());
    alice.receive(ms(2), datagram.clone()).unwrap();
    let expected = LossNotification {
        sender: THEM,
        media: US,
        last_decoded: SeqNum(0xffff),
        last_received: SeqNum(3),
        decodable: true,
    };
    assert_eq!(alice.poll_event(), Some(Event::LossNotification(expected)));
    let mut stranger = session(Ssrc(9), |_| ());
    stranger.receive(ms(2), datagram).unwrap();
    assert_eq!(stranger.poll_event(), None);
    assert_eq!(stranger.stats().foreign, 1);
}

#[test]
fn capture_times_drive_the_clock_of_streams_that_have_them() {
    let mut bob = session(THEM, |config| config.capture_time_id = Some(5));
    let captured = NtpTime::from_bits(77 << 32);
    let with = |seq: u16, time: Option<AbsoluteCaptureTime>| {
        let value = time.map(|time| time.to_value());
        let extensions: Vec<(u8, &[u8])> = value.iter().map(|value| (5, &value[..])).collect();
        let timestamp = RtpTime(90_000 * u32::from(seq));
        let packet = RtpPacket::builder(PayloadType::new(96), SeqNum(seq), timestamp, US).extensions(&extensions);
        packet.build(b"media").unwrap().into_bytes()
    };
    let offset = Some(ClockOffset::from_nanos(2_000_000_000));
    bob.receive(ms(1), with(1, Some(AbsoluteCaptureTime { captured, clock_offset: offset }))).unwrap();
    bob.receive(ms(2), with(2, None)).unwrap();
    let stream = bob.receiver(US).unwrap();
    assert_eq!(stream.capture_time(RtpTime(180_000)), Some(captured + Duration::from_secs(1)), "reckoned between");
    assert_eq!(stream.sender_time(RtpTime(90_000)), Some(captured - Duration::from_secs(2)), "the capturer is ahead");
    bob.receive(ms(3), with(3, Some(AbsoluteCaptureTime { captured, clock_offset: None }))).unwrap();
    let stream = bob.receiver(US).unwrap();
    assert_eq!(stream.capture_time(RtpTime(270_000)), Some(captured));
    assert_eq!(stream.capture_point().and_then(|point| point.clock_offset), offset, "an offset once told stays");
    let report = SenderReport {
        ssrc: US,
        ntp: NtpTime::from_bits(5 << 32),
        rtp_time: RtpTime(270_000),
        packets: 0,
        octets: 0,
        blocks: Vec::new(),
    };
    bob.receive(ms(4), written(&RtcpPacket::SenderReport(report))).unwrap();
    let stream = bob.receiver(US).unwrap();
    assert_eq!(stream.sender_time(RtpTime(270_000)), Some(NtpTime::from_bits(5 << 32)), "its own reports come first");
}
