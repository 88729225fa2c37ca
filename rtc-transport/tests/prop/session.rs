//! Whole sessions, alone with hostile bytes and in pairs over a network.

use core::time::Duration;
use std::collections::{BTreeMap, VecDeque};

use bytes::{Bytes, BytesMut};
use proptest::collection::vec;
use proptest::prelude::*;
use rtc_core::time::{Instant, NtpTime, earliest};
use rtc_core::{Frequency, PayloadType, RtpPacket, RtpTime, SeqNum, Ssrc};
use rtc_transport::rtcp::is_rtcp;
use rtc_transport::session::{Event, Received, Session, SessionConfig};

use crate::wire;

const ALICE: Ssrc = Ssrc(1);
const BOB: Ssrc = Ssrc(2);
const START: Instant = Instant::from_millis(1_000);

fn session(local: Ssrc, first_transport_sequence: u16, reduced_size: bool) -> Session {
    session_with(local, first_transport_sequence, reduced_size, |_| ())
}

fn session_with(
    local: Ssrc,
    first_transport_sequence: u16,
    reduced_size: bool,
    edit: impl FnOnce(&mut SessionConfig),
) -> Session {
    let mut config = SessionConfig::default();
    config.clocks = vec![(PayloadType::new(96), Frequency::KHZ_90)];
    config.transport_sequence_id = Some(3);
    config.first_transport_sequence = SeqNum(first_transport_sequence);
    config.reduced_size = reduced_size;
    config.receiver.min_sequential = 1;
    config.max_sources = 4;
    config.max_events = 8;
    config.scheduler.seed = u64::from(local.0);
    edit(&mut config);
    Session::new(START, NtpTime::from_bits(u64::from(local.0) << 40), &[local], config).unwrap()
}

fn media(ssrc: Ssrc, seq: u16, timestamp: u32) -> RtpPacket {
    RtpPacket::builder(PayloadType::new(96), SeqNum(seq), RtpTime(timestamp), ssrc)
        .extensions(&[(3, &[0, 0])])
        .build(b"media")
        .unwrap()
}

#[derive(Debug, Clone)]
enum Op {
    Datagram(Vec<u8>),
    Media(u32, u16),
    Send(u16),
    RequestPackets(Vec<u16>),
    RequestKeyFrame(u32),
    Message(usize),
    NotifyLoss(u32),
    Wait(u64),
    Rtcp,
    Events,
    Leave,
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        2 => vec(any::<u8>(), 0..60).prop_map(Op::Datagram),
        4 => wire::framed().prop_map(Op::Datagram),
        4 => wire::framed_feedback().prop_map(Op::Datagram),
        4 => wire::framed_congestion_feedback().prop_map(Op::Datagram),
        6 => (0..8_u32, any::<u16>()).prop_map(|(ssrc, seq)| Op::Media(ssrc, seq)),
        4 => any::<u16>().prop_map(Op::Send),
        1 => vec(any::<u16>(), 0..600).prop_map(Op::RequestPackets),
        1 => (0..80_u32).prop_map(Op::RequestKeyFrame),
        1 => (0..500_usize).prop_map(Op::Message),
        1 => (0..80_u32).prop_map(Op::NotifyLoss),
        4 => (0..40_000_u64).prop_map(Op::Wait),
        4 => Just(Op::Rtcp),
        2 => Just(Op::Events),
        1 => prop::bool::weighted(0.02).prop_map(|leave| if leave { Op::Leave } else { Op::Rtcp }),
    ]
}

fn drain(session: &mut Session, now: Instant) -> Vec<Bytes> {
    core::iter::from_fn(|| session.poll_rtcp(now)).collect()
}

proptest! {
    #[test]
    fn anything_goes_in_and_is_counted_once(ops in vec(op(), 1..200), reduced_size: bool, by_stream: bool) {
        let mut session = session_with(ALICE, 65_000, reduced_size, |config| {
            config.congestion_feedback = by_stream;
            config.extended_reports = by_stream;
            config.reporting_group = by_stream.then(|| Bytes::from_static(b"group"));
            config.feedback_share = by_stream.then_some(0.05);
        });
        let mut now = START;
        for op in ops {
            match op {
                Op::Datagram(bytes) => {
                    let result = session.receive(now, bytes.clone().into());
                    prop_assert!(result.is_err() || bytes.len() >= 4);
                }
                Op::Media(ssrc, seq) => {
                    session.receive(now, media(Ssrc(ssrc), seq, 0).into_bytes()).unwrap();
                }
                Op::Send(seq) => prop_assert!(session.send_rtp(now, media(ALICE, seq, 0), None).sent.is_some()),
                Op::RequestPackets(seqs) => {
                    prop_assert!(session.request_retransmission(now, BOB, seqs.into_iter().map(SeqNum)) >= now);
                }
                Op::RequestKeyFrame(ssrc) => prop_assert!(session.request_key_frame(now, Ssrc(ssrc)) >= now),
                Op::Message(len) => {
                    let text = vec![7; len];
                    prop_assert!(session.send_message(now, ALICE, RtpTime(0), &text).is_none_or(|at| at >= now));
                }
                Op::NotifyLoss(ssrc) => {
                    prop_assert!(session.notify_loss(now, Ssrc(ssrc), SeqNum(1), SeqNum(9), false) >= now);
                }
                Op::Wait(micros) => now += Duration::from_micros(micros),
                Op::Rtcp => {
                    let datagrams = drain(&mut session, now);
                    prop_assert!(datagrams.iter().all(|datagram| is_rtcp(datagram) && datagram.len() <= 1_200));
                    prop_assert!(session.poll_timeout().is_none_or(|next| next > now), "nothing is left to do");
                }
                Op::Events => while session.poll_event().is_some() {},
                Op::Leave => session.leave(now, "enough"),
            }
            let stats = session.stats();
            let told = stats.rtp_received + stats.rtcp_received + stats.collisions + stats.refused + stats.malformed;
            prop_assert_eq!(stats.datagrams, told);
            prop_assert!(session.receivers().len() <= 4);
            let history = session.history_stats();
            prop_assert_eq!(history.sent, history.in_flight + history.received + history.lost + history.unreported);
        }
    }
}

/// What strangers can do, without anything of ours.
fn hostile() -> impl Strategy<Value = Op> {
    prop_oneof![
        2 => vec(any::<u8>(), 0..60).prop_map(Op::Datagram),
        4 => wire::framed().prop_map(Op::Datagram),
        2 => wire::framed_feedback().prop_map(Op::Datagram),
        2 => wire::framed_congestion_feedback().prop_map(Op::Datagram),
        8 => (0..200_u32, any::<u16>()).prop_map(|(ssrc, seq)| Op::Media(ssrc, seq)),
        8 => (5..8_u32, 0..40_000_u16).prop_map(|(ssrc, seq)| Op::Media(ssrc, seq)),
        3 => (0..80_000_u64).prop_map(Op::Wait),
    ]
}

proptest! {
    /// Whatever arrives: we send no more RTCP than arrived and RTCP may take, and keep no more than was allowed.
    #[test]
    fn no_flood_makes_us_send_more_than_it_was(ops in vec(hostile(), 1..300), by_stream: bool) {
        let mut session = session_with(ALICE, 65_000, by_stream, |config| {
            config.congestion_feedback = by_stream;
            config.extended_reports = by_stream;
        });
        let (mut now, mut received, mut sent) = (START, 0, 0);
        for op in ops {
            let until = match op {
                Op::Wait(micros) => now + Duration::from_micros(micros),
                Op::Datagram(bytes) => {
                    received += bytes.len() + 28;
                    // Malformed or not.
                    let _ = session.receive(now, bytes.into());
                    now
                }
                Op::Media(ssrc, seq) => {
                    let datagram = media(Ssrc(ssrc), seq, 0).into_bytes();
                    received += datagram.len() + 28;
                    session.receive(now, datagram).unwrap();
                    now
                }
                _ => now,
            };
            while let Some(due) = session.poll_timeout().filter(|due| *due <= until) {
                now = now.max(due);
                sent += drain(&mut session, now).iter().map(|datagram| datagram.len() + 28).sum::<usize>();
                prop_assert!(session.poll_timeout().is_none_or(|next| next > now));
            }
            now = until;
            // Twice the 100 kb/s of RTCP, as a quarter more or less of chance evens out over seconds only, and a datagram.
            let allowed = received + 1_300 + usize::try_from((now - START).as_micros()).unwrap() * 25 / 1_000;
            prop_assert!(sent <= allowed, "{sent} bytes for {received} in {:?}", now - START);
            prop_assert!(session.receivers().len() <= 4);
        }
        let mut events = 0;
        while session.poll_event().is_some() {
            events += 1;
        }
        prop_assert!(events <= 8);
    }
}

/// What happened in a call.
#[derive(Debug, Default, PartialEq)]
struct Log {
    /// RTCP datagrams and when they were sent.
    rtcp: Vec<(Instant, usize)>,
    round_trips: Vec<Duration>,
    arrived: BTreeMap<u64, Instant>,
    results: BTreeMap<u64, bool>,
    retransmit: Vec<u16>,
    asked: Vec<u16>,
    key_frames: usize,
}

struct Call {
    alice: Session,
    bob: Session,
    /// Datagrams under way: when they arrive, and whether at Bob.
    link: VecDeque<(Instant, bool, Bytes)>,
    delay: Duration,
    log: Log,
}

impl Call {
    /// Alice sends a packet every 10 ms, of which those named are lost, and Bob, who has a way of knowing, asks for them again;
    /// all RTCP arrives.
    fn run(lost: &[bool], delay_ms: u64, shift: u16, extra_polls: bool) -> Log {
        let mut call = Self {
            alice: session(ALICE, 100_u16.wrapping_add(shift), true),
            bob: session(BOB, 1, false),
            link: VecDeque::new(),
            delay: Duration::from_millis(delay_ms),
            log: Log::default(),
        };
        let mut sends = lost.iter().zip(0_u16..).peekable();
        loop {
            let send = sends.peek().map(|(_, index)| START + Duration::from_millis(10 * u64::from(*index)));
            let Some(now) = earliest([send, call.next()]) else { break };
            if now > START + Duration::from_secs(4) {
                break;
            }
            if extra_polls {
                let early = now - Duration::from_nanos(1);
                call.alice.handle_timeout(early);
                assert_eq!(call.alice.poll_rtcp(early), None);
                assert_eq!(call.bob.poll_rtcp(early), None);
            }
            if send == Some(now)
                && let Some((lost, index)) = sends.next()
            {
                call.send(now, index, shift, *lost);
            }
            call.deliver(now);
            call.poll(now);
        }
        call.log
    }

    fn next(&self) -> Option<Instant> {
        let arrival = self.link.front().map(|(at, ..)| *at);
        earliest([arrival, self.alice.poll_timeout(), self.bob.poll_timeout()])
    }

    fn send(&mut self, now: Instant, index: u16, shift: u16, lost: bool) {
        let timestamp = (900 * u32::from(index)).wrapping_sub(50_000);
        let outgoing = self.alice.send_rtp(now, media(ALICE, shift.wrapping_add(index), timestamp), None);
        let id = outgoing.sent.unwrap().id - u64::from(shift);
        if lost {
            self.log.asked.push(index);
            self.bob.request_retransmission(now, ALICE, [SeqNum(shift.wrapping_add(index))]);
            return;
        }
        self.log.arrived.insert(id, now + self.delay);
        self.link.push_back((now + self.delay, true, outgoing.datagram));
    }

    fn deliver(&mut self, now: Instant) {
        while self.link.front().is_some_and(|(at, ..)| *at <= now) {
            let (_, at_bob, datagram) = self.link.pop_front().unwrap();
            let receiver = if at_bob { &mut self.bob } else { &mut self.alice };
            let received = receiver.receive(now, datagram).unwrap();
            assert!(matches!(received, Received::Rtp(..) | Received::Rtcp));
        }
    }

    fn poll(&mut self, now: Instant) {
        while let Some(datagram) = self.alice.poll_rtcp(now) {
            self.log.rtcp.push((now, datagram.len()));
            self.link.push_back((now + self.delay, true, datagram));
        }
        while let Some(datagram) = self.bob.poll_rtcp(now) {
            self.log.rtcp.push((now, datagram.len()));
            self.link.push_back((now + self.delay, false, datagram));
        }
        while self.bob.poll_event().is_some() {}
        while let Some(event) = self.alice.poll_event() {
            match event {
                Event::PacketResults(results) => {
                    self.log.results.extend(results.iter().map(|result| (result.packet.id, result.received.is_some())));
                }
                Event::Report(view) => self.log.round_trips.extend(view.round_trip),
                Event::Retransmit(nack) => self.log.retransmit.extend(nack.lost().map(|seq| seq.0)),
                Event::KeyFrame { .. } => self.log.key_frames += 1,
                _ => {}
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_call_tells_what_happened(lost in vec(prop::bool::weighted(0.1), 1..200), delay_ms in 0..200_u64) {
        let log = Call::run(&lost, delay_ms, 0, false);
        // The fate of all packets up to the last that arrived.
        let last = log.arrived.keys().last().copied().unwrap_or(0);
        let first = log.arrived.keys().next().copied().unwrap_or(1);
        for id in first..=last {
            prop_assert_eq!(log.results.get(&id), Some(&log.arrived.contains_key(&id)), "{}", id);
        }
        let mut retransmit = log.retransmit.clone();
        retransmit.sort_unstable();
        prop_assert_eq!(retransmit, log.asked);
        for round_trip in log.round_trips {
            let off = round_trip.abs_diff(Duration::from_millis(2 * delay_ms));
            prop_assert!(off < Duration::from_micros(100), "{:?}", off);
        }
    }

    #[test]
    fn rtcp_keeps_to_its_bandwidth(lost in vec(prop::bool::weighted(0.2), 1..200), delay_ms in 0..200_u64) {
        let log = Call::run(&lost, delay_ms, 0, false);
        // 100 kb/s are for both; randomness and the first feedback may take a little more in any one second.
        for (from, _) in &log.rtcp {
            let second = log.rtcp.iter().filter(|(at, _)| (*from..*from + Duration::from_secs(1)).contains(at));
            let bytes: usize = second.map(|(_, len)| len + 28).sum();
            prop_assert!(bytes < 14_000, "{} bytes in a second", bytes);
        }
    }

    #[test]
    fn extra_timeouts_change_nothing(lost in vec(prop::bool::weighted(0.1), 1..100), delay_ms in 0..100_u64) {
        prop_assert_eq!(Call::run(&lost, delay_ms, 0, false), Call::run(&lost, delay_ms, 0, true));
    }

    #[test]
    fn shifted_numbers_give_the_same_call(lost in vec(prop::bool::weighted(0.1), 1..200), delay_ms in 0..100_u64) {
        let plain = Call::run(&lost, delay_ms, 0, false);
        let shift = 65_400;
        let mut shifted = Call::run(&lost, delay_ms, shift, false);
        shifted.retransmit.iter_mut().for_each(|seq| *seq = seq.wrapping_sub(shift));
        shifted.results = shifted.results.into_iter().map(|(id, fate)| (id - u64::from(shift), fate)).collect();
        prop_assert_eq!(plain, shifted);
    }
}

#[test]
fn a_call_of_some_seconds_knows_its_round_trip() {
    for delay_ms in [0, 30, 200] {
        let log = Call::run(&[false; 300], delay_ms, 0, false);
        assert!((3..=7).contains(&log.round_trips.len()), "two reports about each second: {:?}", log.round_trips);
    }
}

/// 100 packets a second are a megabit of video.
#[test]
fn rtcp_both_ways_takes_two_percent_of_a_megabit() {
    let lost: Vec<bool> = (0..300).map(|index| index % 50 == 7).collect();
    let log = Call::run(&lost, 30, 0, false);
    let seconds = (log.rtcp.last().unwrap().0 - START).as_secs_f64();
    let bits: usize = log.rtcp.iter().map(|(_, len)| 8 * (len + 28)).sum();
    let rate = bits as f64 / seconds;
    assert!((5_000.0..20_000.0).contains(&rate), "{rate} b/s");
}

#[test]
fn the_first_packets_of_a_pool_survive_the_numbering_of_later_ones() {
    let mut session = session(ALICE, 1, true);
    let shared = media(ALICE, 1, 0);
    let mut seen = BytesMut::new();
    for _ in 0..3 {
        let outgoing = session.send_rtp(START, shared.clone(), None);
        seen.extend_from_slice(RtpPacket::parse(outgoing.datagram).unwrap().extension(3).unwrap());
    }
    assert_eq!(&seen[..], [0, 1, 0, 2, 0, 3]);
    assert_eq!(shared.extension(3), Some(&[0, 0][..]));
}
