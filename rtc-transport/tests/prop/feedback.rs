//! Transport-wide feedback: recorded, written, read and matched, it tells what happened.

use core::time::Duration;
use std::collections::BTreeMap;

use bytes::BytesMut;
use proptest::collection::vec;
use proptest::prelude::*;
use rtc_core::bwe::{PacketResult, SentPacket};
use rtc_core::time::Instant;
use rtc_core::{DataSize, SeqNum, Ssrc};
use rtc_transport::feedback::{FeedbackRecorder, HistoryConfig, Recorded, RecorderConfig, SendHistory};
use rtc_transport::rtcp::{Compound, RtcpPacket, TransportFeedback};

/// What the network does to a packet.
#[derive(Debug, Clone, Copy)]
struct Trip {
    /// From the packet before.
    gap_us: u64,
    /// `None` if lost.
    delay_us: Option<u64>,
    duplicated: bool,
}

fn trips() -> impl Strategy<Value = Vec<Trip>> {
    let gap = prop_oneof![8 => 0..3_000_u64, 1 => 0..200_000_u64];
    let delay =
        prop_oneof![8 => (0..30_000_u64).prop_map(Some), 2 => Just(None), 1 => (0..2_000_000_u64).prop_map(Some)];
    let trip = (gap, delay, prop::bool::weighted(0.1));
    vec(trip.prop_map(|(gap_us, delay_us, duplicated)| Trip { gap_us, delay_us, duplicated }), 1..200)
}

/// Which feedback packets get lost, repeated or swapped with the next.
fn feedback_fates() -> impl Strategy<Value = Vec<u8>> {
    vec(prop_oneof![7 => Just(0_u8), 1 => Just(1), 1 => Just(2), 1 => Just(3)], 64)
}

fn seq_of(id: u64) -> SeqNum {
    SeqNum(u16::try_from(id % 65_536).unwrap())
}

struct Outcome {
    results: Vec<PacketResult>,
    first_arrivals: BTreeMap<u64, Instant>,
    recorder: FeedbackRecorder,
    history: SendHistory,
}

fn through_the_wire(feedback: TransportFeedback, room: usize) -> TransportFeedback {
    let mut out = BytesMut::new();
    RtcpPacket::TransportFeedback(feedback).write(&mut out).unwrap();
    assert!(out.len() <= room, "{} bytes", out.len());
    let mut packets = Compound::parse(out.freeze()).unwrap().packets();
    match packets.next() {
        Some(Ok(RtcpPacket::TransportFeedback(feedback))) => feedback,
        other => panic!("{other:?}"),
    }
}

fn run(trips: &[Trip], first_id: u64, start: Instant, room: usize, fates: &[u8]) -> Outcome {
    let mut history = SendHistory::new(&HistoryConfig::default()).unwrap();
    let recorder = FeedbackRecorder::new(RecorderConfig::default()).unwrap();
    let mut arrivals = Vec::new();
    let mut sent = start;
    for (id, trip) in (first_id..).zip(trips) {
        sent += Duration::from_micros(trip.gap_us);
        assert!(history.on_sent(SentPacket { id, sent, size: DataSize::from_bytes(1_000), probe: None }));
        if let Some(delay) = trip.delay_us {
            let at = sent + Duration::from_micros(delay);
            arrivals.extend(core::iter::repeat_n((at, id), 1 + usize::from(trip.duplicated)));
        }
    }
    arrivals.sort();
    let mut outcome = Outcome { results: Vec::new(), first_arrivals: BTreeMap::new(), recorder, history };
    let mut feedbacks = Vec::new();
    for (at, id) in arrivals {
        poll_until(&mut outcome.recorder, at, room, &mut feedbacks);
        let recorded = outcome.recorder.insert(at, seq_of(id), at);
        let expected = if outcome.first_arrivals.contains_key(&id) { Recorded::Duplicate } else { Recorded::Accepted };
        assert_eq!(recorded, expected);
        outcome.first_arrivals.entry(id).or_insert(at);
    }
    poll_until(&mut outcome.recorder, Instant::MAX, room, &mut feedbacks);
    deliver(feedbacks, room, fates, &mut outcome);
    outcome
}

fn poll_until(recorder: &mut FeedbackRecorder, end: Instant, room: usize, feedbacks: &mut Vec<TransportFeedback>) {
    while let Some(due) = recorder.poll_timeout().filter(|due| *due <= end) {
        assert!(recorder.poll(due - Duration::from_nanos(1), Ssrc(1), Ssrc(2), room).is_none() || due == Instant::ZERO);
        feedbacks.push(recorder.poll(due, Ssrc(1), Ssrc(2), room).expect("the deadline was reached"));
    }
}

fn deliver(mut feedbacks: Vec<TransportFeedback>, room: usize, fates: &[u8], outcome: &mut Outcome) {
    for index in 0..feedbacks.len() {
        let times = match fates.get(index) {
            Some(1) => 0,
            Some(2) => 2,
            Some(3) if index + 1 < feedbacks.len() => {
                feedbacks.swap(index, index + 1);
                1
            }
            _ => 1,
        };
        for _ in 0..times {
            let feedback = through_the_wire(feedbacks[index].clone(), room);
            assert_eq!(feedback, feedbacks[index]);
            let results = outcome.history.on_feedback(&feedback);
            assert!(results.is_sorted_by(|a, b| a.packet.id < b.packet.id));
            outcome.results.extend_from_slice(results);
        }
    }
}

/// Checks the times told against those recorded: one constant offset, and half a tick of rounding.
fn check_times(outcome: &Outcome) {
    let mut offsets = outcome.results.iter().filter_map(|result| {
        let told = i128::from(result.received?.as_nanos());
        Some(told - i128::from(outcome.first_arrivals[&result.packet.id].as_nanos()))
    });
    // The epoch of the receiver's clock is lost modulo 2^32 ticks.
    let cycle = 250_000_i128 << 32;
    let Some(first) = offsets.next() else { return };
    let epoch = (first + cycle / 2).div_euclid(cycle) * cycle;
    for offset in core::iter::once(first).chain(offsets) {
        assert!((offset - epoch).abs() <= 125_000, "{} ns off", offset - epoch);
    }
}

fn check_counters(outcome: &Outcome) {
    let stats = outcome.history.stats();
    assert_eq!(stats.sent, stats.in_flight + stats.received + stats.lost + stats.unreported);
    let received = outcome.results.iter().filter(|result| result.received.is_some()).count();
    assert_eq!(stats.received, received as u64);
    assert_eq!(stats.lost + stats.recovered, (outcome.results.len() - received) as u64);
    assert_eq!(outcome.recorder.stats().accepted, outcome.first_arrivals.len() as u64);
    assert_eq!(outcome.history.in_flight(), DataSize::from_bytes(1_000 * stats.in_flight));
}

proptest! {
    #[test]
    fn what_arrived_is_told_within_half_a_tick(
        trips in trips(), first_id in 1..200_000_u64, start_ms in 0..2_000_000_000_u64, room in 24..1_200_usize,
    ) {
        let outcome = run(&trips, first_id, Instant::from_millis(start_ms), room, &[]);
        check_times(&outcome);
        check_counters(&outcome);
        // Every arrival is told once, and everything before the last arrival that did not arrive is told lost, once.
        let mut told: BTreeMap<u64, Vec<bool>> = BTreeMap::new();
        for result in &outcome.results {
            told.entry(result.packet.id).or_default().push(result.received.is_some());
        }
        let ends = outcome.first_arrivals.keys().next().zip(outcome.first_arrivals.keys().last());
        for id in first_id..first_id + trips.len() as u64 {
            let fates = told.remove(&id).unwrap_or_default();
            let arrived = outcome.first_arrivals.contains_key(&id);
            let between = ends.is_some_and(|(first, last)| (*first..=*last).contains(&id));
            match (arrived, between) {
                (true, _) => prop_assert!(matches!(fates[..], [true] | [false, true]), "{:?}", fates),
                (false, true) => prop_assert_eq!(fates, [false]),
                (false, false) => prop_assert!(fates.is_empty()),
            }
        }
    }

    #[test]
    fn lost_repeated_and_swapped_feedback_tells_nothing_wrong(
        trips in trips(), fates in feedback_fates(), room in 24..300_usize,
    ) {
        let outcome = run(&trips, 70_000, Instant::from_millis(5), room, &fates);
        check_times(&outcome);
        check_counters(&outcome);
        for result in &outcome.results {
            prop_assert!(result.received.is_none() || outcome.first_arrivals.contains_key(&result.packet.id));
        }
    }

    #[test]
    fn shifted_numbers_give_shifted_results(trips in trips(), fates in feedback_fates()) {
        let near_wrap = 65_500;
        let plain = run(&trips, 70_000, Instant::from_millis(5), 200, &fates);
        let shifted = run(&trips, 70_000 + near_wrap, Instant::from_millis(5), 200, &fates);
        let back: Vec<_> = shifted.results.iter().map(|result| PacketResult {
            packet: SentPacket { id: result.packet.id - near_wrap, ..result.packet },
            ..*result
        }).collect();
        prop_assert_eq!(plain.results, back);
        prop_assert_eq!(plain.history.stats(), shifted.history.stats());
        prop_assert_eq!(plain.recorder.stats(), shifted.recorder.stats());
    }

    #[test]
    fn any_order_of_numbers_is_taken(seqs in vec((any::<u16>(), 0..60_000_u64), 1..300), window in 2..10_u32) {
        let mut config = RecorderConfig::default();
        config.window = 1 << window;
        config.reorder = 1;
        let mut recorder = FeedbackRecorder::new(config).unwrap();
        let mut history = SendHistory::new(&HistoryConfig::default()).unwrap();
        history.on_sent(SentPacket { id: 100_000, sent: Instant::ZERO, size: DataSize::ZERO, probe: None });
        let mut now = Instant::ZERO;
        let count = seqs.len() as u64;
        for (seq, gap) in seqs {
            now += Duration::from_millis(gap);
            recorder.insert(now, SeqNum(seq), now);
            while let Some(feedback) = recorder.poll(now, Ssrc(1), Ssrc(2), 1_100) {
                prop_assert!(feedback.status_count() > 0);
                prop_assert_eq!(&through_the_wire(feedback.clone(), 1_100), &feedback);
                prop_assert!(history.on_feedback(&feedback).len() <= 1);
            }
        }
        let stats = recorder.stats();
        prop_assert_eq!(stats.accepted + stats.duplicates + stats.late, count);
    }
}
