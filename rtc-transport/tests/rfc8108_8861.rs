//! Several streams of one endpoint, clause by clause: RFC 8108 and reporting groups, RFC 8861.

#![expect(clippy::unwrap_used, reason = "a test ends at the first surprise")]

use bytes::{Bytes, BytesMut};
use rtc_core::time::{Instant, NtpTime};
use rtc_core::{Fault, PayloadType, RtpPacket, RtpTime, SeqNum, Ssrc};
use rtc_transport::rtcp::*;
use rtc_transport::session::{Event, Session, SessionConfig};

const FIRST: Ssrc = Ssrc(0x0101_0101);
const SECOND: Ssrc = Ssrc(0x0202_0202);

fn ms(millis: u64) -> Instant {
    Instant::from_millis(millis)
}

fn session(local: &[Ssrc], group: Option<&'static [u8]>) -> Session {
    let mut config = SessionConfig::default();
    config.cname = Bytes::from_static(b"me");
    config.reporting_group = group.map(Bytes::from_static);
    config.receiver.min_sequential = 1;
    Session::new(Instant::ZERO, NtpTime::from_bits(1 << 40), local, config).unwrap()
}

fn media(ssrc: Ssrc, seq: u16) -> RtpPacket {
    RtpPacket::builder(PayloadType::new(96), SeqNum(seq), RtpTime(0), ssrc).build(b"media").unwrap()
}

fn read(datagram: &Bytes) -> Vec<RtcpPacket> {
    Compound::parse(datagram.clone()).unwrap().packets().map(Result::unwrap).collect()
}

fn written(packets: &[RtcpPacket]) -> Bytes {
    let mut out = BytesMut::new();
    for packet in packets {
        packet.write(&mut out).unwrap();
    }
    out.freeze()
}

/// The first datagram after both streams sent and one of another party arrived.
fn report(session: &mut Session) -> Bytes {
    for seq in 0..3 {
        session.send_rtp(ms(1), media(FIRST, seq), None);
        session.send_rtp(ms(1), media(SECOND, seq), None);
        session.receive(ms(1), media(Ssrc(9), seq).into_bytes()).unwrap();
    }
    loop {
        let now = session.poll_timeout().unwrap();
        if let Some(datagram) = session.poll_rtcp(now) {
            return datagram;
        }
    }
}

#[test]
fn rfc8861_s3_2_2_reporting_sources_on_the_wire() {
    let packet = RtcpPacket::ReportingSources(ReportingSources { sender: SECOND, sources: vec![FIRST] });
    let bytes = [0x81, 212, 0, 2, 2, 2, 2, 2, 1, 1, 1, 1];
    assert_eq!(written(core::slice::from_ref(&packet)), &bytes[..]);
    assert_eq!(read(&Bytes::copy_from_slice(&bytes)), [packet]);
    for (bytes, fault) in [
        (&[0x80, 212, 0, 1, 2, 2, 2, 2][..], Fault::Length),
        (&[0x82, 212, 0, 2, 2, 2, 2, 2, 1, 1, 1, 1], Fault::Truncated),
        (&[0x81, 212, 0, 0], Fault::Truncated),
    ] {
        let packet = Compound::parse(Bytes::copy_from_slice(bytes)).unwrap().packets().next().unwrap();
        assert_eq!(packet.map_err(|malformed| malformed.fault()), Err(fault));
    }
}

#[test]
fn rfc8861_s3_2_1_the_source_that_reports_names_the_group_and_no_other() {
    let mut session = session(&[FIRST, SECOND], Some(b"group"));
    let packets = read(&report(&mut session));
    let Some(RtcpPacket::Sdes(sdes)) = packets.iter().find(|packet| matches!(packet, RtcpPacket::Sdes(_))) else {
        panic!("{packets:?}")
    };
    assert_eq!(sdes.chunks.iter().map(|chunk| chunk.source).collect::<Vec<_>>(), [FIRST, SECOND]);
    let told = |chunk: &SdesChunk| chunk.items.iter().map(|item| (item.kind, item.text.clone())).collect::<Vec<_>>();
    let (name, group) = (Bytes::from_static(b"me"), Bytes::from_static(b"group"));
    assert_eq!(told(&sdes.chunks[0]), [(SdesType::CNAME, name.clone()), (SdesType(11), group)]);
    assert_eq!(told(&sdes.chunks[1]), [(SdesType::CNAME, name)]);
}

#[test]
fn rfc8861_s3_1_one_source_reports_for_all_and_the_others_say_so() {
    let mut session = session(&[FIRST, SECOND], Some(b"group"));
    let packets = read(&report(&mut session));
    let blocks = |ssrc| {
        packets.iter().find_map(|packet| match packet {
            RtcpPacket::SenderReport(report) if report.ssrc == ssrc => Some(report.blocks.len()),
            _ => None,
        })
    };
    assert_eq!((blocks(FIRST), blocks(SECOND)), (Some(1), Some(0)));
    let rgrs = RtcpPacket::ReportingSources(ReportingSources { sender: SECOND, sources: vec![FIRST] });
    assert_eq!(packets.iter().filter(|packet| matches!(packet, RtcpPacket::ReportingSources(_))).count(), 1);
    assert!(packets.contains(&rgrs), "{packets:?}");
}

#[test]
fn rfc8861_s3_6_nothing_of_groups_is_sent_that_was_not_agreed_on() {
    let mut session = session(&[FIRST, SECOND], None);
    let packets = read(&report(&mut session));
    assert!(packets.iter().all(|packet| !matches!(packet, RtcpPacket::ReportingSources(_))), "{packets:?}");
}

#[test]
fn rfc8861_s3_2_2_the_other_party_learns_who_reports() {
    let mut sender = session(&[FIRST, SECOND], Some(b"group"));
    let mut receiver = session(&[Ssrc(9)], None);
    let datagram = report(&mut sender);
    receiver.receive(ms(9), datagram.clone()).unwrap();
    receiver.receive(ms(10), datagram).unwrap();
    let mut told = Vec::new();
    while let Some(event) = receiver.poll_event() {
        if let Event::ReportedBy { ssrc, by } = event {
            told.push((ssrc, by));
        }
    }
    assert_eq!(told, [(SECOND, vec![FIRST])], "once");
    assert_eq!(receiver.reported_by(SECOND), [FIRST]);
    assert_eq!(receiver.reported_by(FIRST), []);
}

#[test]
fn rfc8861_s3_2_2_sources_of_another_group_or_endpoint_do_not_report() {
    let third = Ssrc(0x0303_0303);
    let sdes = |names: [(&'static [u8], Option<&'static [u8]>); 3]| {
        let chunks = [FIRST, SECOND, third].into_iter().zip(names).map(|(source, (cname, group))| {
            let item = |kind, text| SdesItem { kind, text: Bytes::from_static(text) };
            let group = group.map(|group| item(SdesType::REPORTING_GROUP, group));
            SdesChunk { source, items: [item(SdesType::CNAME, cname)].into_iter().chain(group).collect() }
        });
        RtcpPacket::Sdes(Sdes { chunks: chunks.collect() })
    };
    let report = |ssrc| RtcpPacket::ReceiverReport(ReceiverReport { ssrc, blocks: Vec::new() });
    let rgrs = RtcpPacket::ReportingSources(ReportingSources { sender: SECOND, sources: vec![FIRST, third] });
    let (a, b): (&'static [u8], &'static [u8]) = (b"a", b"b");
    let (g, h): (Option<&'static [u8]>, Option<&'static [u8]>) = (Some(b"g"), Some(b"h"));
    for (names, believed) in [
        ([(a, g), (a, None), (a, g)], true),
        ([(a, g), (a, None), (a, h)], false),
        ([(a, g), (a, None), (a, None)], false),
        ([(a, g), (b, None), (a, g)], false),
        ([(a, g), (a, None), (b, g)], false),
    ] {
        let mut session = session(&[Ssrc(9)], None);
        session
            .receive(ms(1), written(&[report(FIRST), report(SECOND), report(third), sdes(names), rgrs.clone()]))
            .unwrap();
        assert_eq!(session.reported_by(SECOND) == [FIRST, third], believed, "{names:?}");
        assert_eq!(session.stats().foreign, u64::from(!believed));
    }
    let own = RtcpPacket::ReportingSources(ReportingSources { sender: FIRST, sources: vec![FIRST] });
    let mut session = session(&[Ssrc(9)], None);
    session.receive(ms(1), written(&[report(FIRST), sdes([(a, g), (a, None), (a, g)]), own])).unwrap();
    assert_eq!(session.reported_by(FIRST), [], "who reports does not say that another does");
}

#[test]
fn rfc8108_s5_3_reports_of_all_streams_share_a_datagram() {
    let mut session = session(&[FIRST, SECOND], None);
    let packets = read(&report(&mut session));
    let reports = packets.iter().filter(|packet| matches!(packet, RtcpPacket::SenderReport(_))).count();
    assert_eq!(reports, 2);
    assert!(matches!(packets[0], RtcpPacket::SenderReport(_)), "the first is a report, the names come after");
}

/// Reports of 31 streams on 60 others grow with the streams, not with their product: §1 of RFC 8861.
#[test]
fn rfc8861_s1_reports_grow_with_streams_and_not_with_their_product() {
    let local: Vec<_> = (1..=31).map(Ssrc).collect();
    let mut session = session(&local, Some(b"group"));
    let (mut blocks, mut seconds) = (0, 0);
    for now in 0..10_000_u64 {
        let seq = u16::try_from(now / 20).unwrap();
        for ssrc in &local {
            if now.is_multiple_of(20) {
                session.send_rtp(ms(now), media(*ssrc, seq), None);
            }
        }
        for ssrc in 100..160 {
            if now.is_multiple_of(20) {
                session.receive(ms(now), media(Ssrc(ssrc), seq).into_bytes()).unwrap();
            }
        }
        while let Some(datagram) = session.poll_rtcp(ms(now)) {
            seconds = now / 1_000;
            for packet in read(&datagram) {
                if let RtcpPacket::SenderReport(report) = packet {
                    assert!(report.ssrc == FIRST_OF_MANY || report.blocks.is_empty());
                    blocks += report.blocks.len();
                }
            }
        }
    }
    assert!(seconds >= 9 && blocks > 100, "{blocks} blocks in {seconds} s");
}

const FIRST_OF_MANY: Ssrc = Ssrc(1);
