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
