use rtc_core::testkit::naive::{Filter, LeakyBucket};
use rtc_core::{PayloadType, RtpPacket, RtpTime, SeqNum, Ssrc};

use super::*;

const SOURCE: Ssrc = Ssrc(7);
const TRACK: Ssrc = Ssrc(100);
const RTX: Ssrc = Ssrc(101);
const START: Instant = Instant::from_millis(1_000);

fn ms(after: u64) -> Instant {
    START + core::time::Duration::from_millis(after)
}

/// A packet whose transport number, element 3, came from elsewhere.
fn packet(seq: u16, payload: &[u8]) -> RtpPacket {
    RtpPacket::builder(PayloadType::new(96), SeqNum(seq), RtpTime(3_000), SOURCE)
        .extensions(&[(3, &[9, 9])])
        .padding(4)
        .build(payload)
        .unwrap()
}

fn config() -> EgressConfig {
    let mut config = EgressConfig::default();
    config.pacer.rate = rtc_core::Bitrate::from_kbps(100_000);
    config.transport_sequence_id = Some(3);
    config
}

/// Without protection, so that what is sent can be read.
fn egress(config: EgressConfig) -> (Egress<Filter>, TrackId) {
    let mut egress = Egress::new(config, None).unwrap();
    let track = TrackConfig::video(TRACK).with_rtx(RTX, PayloadType::new(97));
    let track = egress.add_track(track, Filter::all());
    (egress, track)
}

/// What is to be sent, transmit by transmit.
fn sent(egress: &mut Egress<Filter>, now: Instant) -> Vec<Vec<RtpPacket>> {
    let (mut all, mut buffer) = (Vec::new(), Vec::new());
    while let Some(transmit) = egress.poll_transmit(now, &mut buffer) {
        let datagrams = buffer.chunks(transmit.segment_size);
        assert_eq!(datagrams.len(), transmit.segments);
        all.push(datagrams.map(|bytes| RtpPacket::parse(bytes.to_vec().into()).unwrap()).collect());
    }
    all
}

#[test]
fn a_packet_goes_by_its_new_numbers_and_is_else_the_same() {
    let (mut egress, track) = egress(config());
    let original = packet(5, b"media");
    assert!(egress.push(START, track, &original));
    let sent = sent(&mut egress, START).concat();
    let [sent] = &sent[..] else { panic!("{sent:?}") };
    assert_eq!((sent.ssrc(), sent.payload_type(), sent.payload()), (TRACK, PayloadType::new(96), &b"media"[..]));
    assert_eq!((sent.padding_len(), sent.timestamp()), (4, RtpTime(3_000)));
    assert_eq!(sent.extension(3), Some(&[0, 0][..]), "numbered as it leaves");
    assert_eq!(original.extension(3), Some(&[9, 9][..]), "the original is shared, and left alone");
}

#[test]
fn packets_of_one_size_leave_together() {
    let (mut egress, track) = egress(config());
    for (seq, size) in [100, 100, 100, 60, 100, 100, 120, 120].into_iter().enumerate() {
        egress.push(START, track, &packet(u16::try_from(seq).unwrap(), &vec![1; size]));
    }
    let sizes: Vec<Vec<usize>> = sent(&mut egress, START)
        .iter()
        .map(|sent| sent.iter().map(|packet| packet.payload().len()).collect())
        .collect();
    // A shorter one ends a run, a longer one begins another.
    assert_eq!(sizes, [vec![100, 100, 100, 60], vec![100, 100], vec![120, 120]]);
    assert_eq!(egress.poll_timeout(), None);
}

#[test]
fn a_transmit_has_so_many_segments_and_numbers_go_on() {
    let mut config = config();
    config.max_segments = 3;
    let (mut egress, track) = egress(config);
    for seq in 0..7 {
        egress.push(START, track, &packet(seq, &[1; 50]));
    }
    let (mut buffer, mut transmits) = (Vec::new(), Vec::new());
    while let Some(transmit) = egress.poll_transmit(START, &mut buffer) {
        transmits.push((transmit.segments, transmit.transport_sequence));
    }
    assert_eq!(transmits, [(3, Some(0)), (3, Some(3)), (1, Some(6))]);
}

#[test]
fn what_was_lost_is_sent_again_in_a_stream_of_its_own() {
    let (mut egress, track) = egress(config());
    for seq in 65_534..=65_536_u32 {
        #[expect(clippy::cast_possible_truncation, reason = "sequence numbers wrap")]
        egress.push(START, track, &packet(seq as u16, &[1, 2, 3]));
    }
    sent(&mut egress, START);
    let lost = [SeqNum(65_535), SeqNum(0), SeqNum(500)];
    assert_eq!(egress.retransmit(ms(10), TRACK, lost), 0, "too soon");
    assert_eq!(egress.retransmit(ms(30), TRACK, lost), 2);
    let again = sent(&mut egress, ms(30)).concat();
    for (nth, (packet, original)) in again.iter().zip([65_535_u16, 0]).enumerate() {
        assert_eq!((packet.ssrc(), packet.payload_type()), (RTX, PayloadType::new(97)));
        assert_eq!(usize::from(packet.seq().0), nth, "one after the other");
        assert_eq!(packet.payload(), [&original.to_be_bytes()[..], &[1, 2, 3]].concat());
        assert_eq!(packet.padding_len(), 0);
    }
    assert_eq!(egress.retransmit(ms(35), TRACK, lost), 0, "too soon after the second time");
    assert_eq!(egress.retransmit(ms(60), Ssrc(1), lost), 0, "no such track");
    let stats = egress.stats();
    assert_eq!((stats.requested, stats.resent, stats.unknown, stats.too_soon), (12, 2, 6, 4));
}

#[test]
fn the_history_is_bounded_in_bytes_and_age() {
    let mut config = config();
    config.history = rtc_core::DataSize::from_bytes(1_000);
    let (mut egress, track) = egress(config);
    for seq in 0..100 {
        egress.push(START, track, &packet(seq, &[1; 76]));
        sent(&mut egress, START);
        let (packets, bytes) = egress.kept(track);
        assert!(bytes <= 1_000 && packets <= 10, "{packets} packets, {bytes} bytes");
    }
    assert_eq!(egress.retransmit(ms(500), TRACK, [SeqNum(89), SeqNum(90)]), 1, "one is of the last ten");
    assert_eq!(egress.retransmit(ms(1_001), TRACK, [SeqNum(99)]), 0, "too old");
    assert_eq!(egress.kept(track), (0, 0));
}

#[test]
fn packets_late_here_are_found_as_well() {
    let (mut egress, track) = egress(config());
    for seq in [10, 12, 13, 11, 15, 9] {
        egress.push(START, track, &packet(seq, &[1]));
    }
    sent(&mut egress, START);
    let asked = (8..=16).map(SeqNum);
    assert_eq!(egress.retransmit(ms(30), TRACK, asked), 6);
}

#[test]
fn routes_lead_to_tracks_that_are_there() {
    let mut room = Fanout::default();
    let (ours, track) = egress(config());
    let first = room.add(ours);
    let second = room.add(egress(config()).0);
    assert!(room.route(SOURCE, first, track) && room.route(SOURCE, first, track));
    assert!(room.route(SOURCE, second, track));
    assert_eq!(room.forward(START, &packet(1, &[1])), 2, "a route is there once");
    assert_eq!(room.poll_keyframe_request(), Some(SOURCE), "asked for once, for both");
    assert_eq!(room.poll_keyframe_request(), None);
    assert!(room.unroute(SOURCE, second, track) && !room.unroute(SOURCE, second, track));
    assert_eq!(room.forward(START, &packet(2, &[1])), 1);
    assert!(room.remove(first).is_some() && room.remove(first).is_none());
    assert!(!room.route(SOURCE, first, track));
    assert_eq!(room.forward(START, &packet(3, &[1])), 0);
    assert_eq!(room.iter_mut().count(), 1);
    assert_eq!(room.add(egress(config()).0), first, "a place that is free is used again");
}

#[test]
fn packets_that_came_together_are_handed_on_as_one_by_one() {
    let other = |seq| {
        let mut packet = packet(seq, &[2; 30]);
        packet.rewrite(|header| header.set_ssrc(Ssrc(8)));
        packet
    };
    let packets = [packet(1, &[1; 40]), packet(2, &[1; 40]), other(7), packet(3, &[1; 20]), other(8)];
    let run = |forward: fn(&mut Fanout<Filter>, &[RtpPacket]) -> usize| {
        let mut room = Fanout::default();
        for _ in 0..3 {
            let (ours, track) = egress(config());
            let subscriber = room.add(ours);
            assert!(room.route(SOURCE, subscriber, track) && room.route(Ssrc(8), subscriber, track));
        }
        let queued = forward(&mut room, &packets);
        let all: Vec<_> = room.iter_mut().map(|(_, egress)| sent(egress, START)).collect();
        (queued, all)
    };
    let together = run(|room, packets| room.forward_all(START, packets));
    let one_by_one = run(|room, packets| packets.iter().map(|packet| room.forward(START, packet)).sum());
    assert_eq!(together, one_by_one);
}

#[test]
fn any_pacer_will_do() {
    // One packet at a time, whatever a burst might be.
    let rate = rtc_core::Bitrate::from_kbps(800);
    let pacer = LeakyBucket::new(rate, rtc_core::DataSize::from_bytes(1_000));
    let mut egress: Egress<Filter, _> = Egress::with_pacer(config(), pacer, None).unwrap();
    let track = egress.add_track(TrackConfig::video(TRACK), Filter::all());
    let queued = (0..9).filter(|seq| egress.push(START, track, &packet(*seq, &[1; 48]))).count();
    assert_eq!(queued, 9, "of 100 bytes each");
    assert!(!egress.push(START, track, &packet(9, &[1; 200])), "so many do not fit");
    let mut buffer = Vec::new();
    for after in 0..9 {
        assert_eq!(egress.poll_transmit(ms(after), &mut buffer).map(|transmit| transmit.segments), Some(1));
        assert!(egress.poll_transmit(ms(after), &mut buffer).is_none());
    }
    assert_eq!((egress.stats().sent, egress.stats().overflowed), (9, 1));
    assert_eq!(egress.pacer_mut().queued(), rtc_core::DataSize::ZERO);
}

#[test]
fn a_buffer_is_written_over_and_left_alone_where_nothing_is_due() {
    let (mut egress, track) = egress(config());
    let mut buffer = vec![7; 500];
    assert!(egress.poll_transmit(START, &mut buffer).is_none());
    assert_eq!(buffer, [7; 500]);
    egress.push(START, track, &packet(0, &[1; 48]));
    let transmit = egress.poll_transmit(START, &mut buffer).unwrap();
    assert_eq!((transmit.segments, transmit.segment_size), (1, buffer.len()));
    assert_eq!(RtpPacket::parse(buffer.into()).unwrap().payload(), [1; 48]);
}

#[test]
fn impossible_settings_are_refused() {
    let mut config = config();
    config.max_segments = 0;
    assert!(Egress::<Filter>::new(config, None).is_err());
}
