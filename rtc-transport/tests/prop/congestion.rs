//! Congestion control feedback (RFC 8888): what it tells is what transport-wide feedback tells of the same arrivals.

use core::time::Duration;
use std::collections::BTreeMap;

use bytes::BytesMut;
use proptest::collection::vec;
use proptest::prelude::*;
use rtc_core::bwe::{Ecn, PacketResult, SentPacket};
use rtc_core::time::{Instant, NtpTime};
use rtc_core::{DataSize, SeqNum, Ssrc};
use rtc_transport::feedback::{
    CongestionRecorder, FeedbackRecorder, HistoryConfig, Recorded, RecorderConfig, SendHistory,
};
use rtc_transport::rtcp::{Compound, CongestionFeedback, RtcpPacket};

const NTP: NtpTime = NtpTime::from_bits(0xe000_0000_1234_5678);

/// What the network does to a packet.
#[derive(Debug, Clone, Copy)]
struct Trip {
    /// From the packet before.
    gap_us: u64,
    /// `None` if lost.
    delay_us: Option<u64>,
    stream: u32,
    ecn: Ecn,
}

fn trips(streams: u32) -> impl Strategy<Value = Vec<Trip>> {
    let gap = prop_oneof![8 => 0..3_000_u64, 1 => 0..200_000_u64];
    let delay = prop_oneof![8 => (0..30_000_u64).prop_map(Some), 2 => Just(None)];
    let ecn = prop_oneof![Just(Ecn::NotEct), Just(Ecn::Ect0), Just(Ecn::Ect1), Just(Ecn::Ce)];
    let trip = (gap, delay, 0..streams, ecn);
    vec(trip.prop_map(|(gap_us, delay_us, stream, ecn)| Trip { gap_us, delay_us, stream, ecn }), 1..200)
}

fn through_the_wire(packet: &RtcpPacket, room: usize) -> RtcpPacket {
    let mut out = BytesMut::new();
    packet.write(&mut out).unwrap();
    assert!(out.len() <= room, "{} bytes in {room}", out.len());
    let read = Compound::parse(out.freeze()).unwrap().packets().next().unwrap().unwrap();
    assert_eq!(&read, packet);
    read
}

/// One trace, told in both formats.
struct Both {
    wide: FeedbackRecorder,
    by_stream: CongestionRecorder,
    wide_history: SendHistory,
    stream_history: SendHistory,
    wide_results: Vec<PacketResult>,
    stream_results: Vec<PacketResult>,
    room: usize,
}

impl Both {
    fn new(room: usize) -> Self {
        Self {
            wide: FeedbackRecorder::new(RecorderConfig::default()).unwrap(),
            by_stream: CongestionRecorder::new(RecorderConfig::default(), 8).unwrap(),
            wide_history: SendHistory::new(&HistoryConfig::default()).unwrap(),
            stream_history: SendHistory::new(&HistoryConfig::default()).unwrap(),
            wide_results: Vec::new(),
            stream_results: Vec::new(),
            room,
        }
    }

    /// Packets begin with identifier and sequence numbers `first`.
    fn run(mut self, trips: &[Trip], first: u64, start: Instant) -> Self {
        let mut arrivals = Vec::new();
        let mut numbers = BTreeMap::new();
        let mut sent = start;
        for (id, trip) in (first..).zip(trips) {
            sent += Duration::from_micros(trip.gap_us);
            let number = numbers.entry(trip.stream).or_insert(first);
            let seq = seq_of(*number);
            *number += 1;
            let packet = SentPacket { id, sent, size: DataSize::from_bytes(1_000), probe: None };
            assert!(self.wide_history.on_sent(packet));
            assert!(self.stream_history.on_sent_of(packet, Ssrc(trip.stream), seq));
            if let Some(delay) = trip.delay_us {
                arrivals.push((sent + Duration::from_micros(delay), id, Ssrc(trip.stream), seq, trip.ecn));
            }
        }
        arrivals.sort_by_key(|(at, id, ..)| (*at, *id));
        for (at, id, ssrc, seq, ecn) in arrivals {
            self.poll_until(at);
            assert_eq!(self.wide.insert(at, seq_of(id), at), Recorded::Accepted);
            assert_eq!(self.by_stream.insert(at, ssrc, seq, at, ecn), Recorded::Accepted);
        }
        self.poll_until(Instant::MAX);
        self
    }

    fn poll_until(&mut self, end: Instant) {
        while let Some(due) = self.wide.poll_timeout().filter(|due| *due <= end) {
            let feedback = self.wide.poll(due, Ssrc(1), Ssrc(2), self.room).expect("the deadline was reached");
            let RtcpPacket::TransportFeedback(feedback) =
                through_the_wire(&RtcpPacket::TransportFeedback(feedback), self.room)
            else {
                panic!("another packet")
            };
            self.wide_results.extend_from_slice(self.wide_history.on_feedback(&feedback));
        }
        while let Some(due) = self.by_stream.poll_timeout().filter(|due| *due <= end) {
            let ntp = NTP + (due - Instant::ZERO);
            let feedback = self.by_stream.poll(due, ntp, Ssrc(1), self.room).expect("the deadline was reached");
            let RtcpPacket::CongestionFeedback(feedback) =
                through_the_wire(&RtcpPacket::CongestionFeedback(feedback), self.room)
            else {
                panic!("another packet")
            };
            let results = self.stream_history.on_congestion_feedback(&feedback);
            assert!(results.is_sorted_by(|a, b| a.packet.id < b.packet.id));
            self.stream_results.extend_from_slice(results);
        }
    }
}

fn seq_of(id: u64) -> SeqNum {
    SeqNum(u16::try_from(id % 65_536).unwrap())
}

/// What was last told of each packet.
fn last(results: &[PacketResult]) -> BTreeMap<u64, PacketResult> {
    results.iter().map(|result| (result.packet.id, *result)).collect()
}

/// Arrivals apart from the first, in nanoseconds.
fn relative(results: &BTreeMap<u64, PacketResult>) -> BTreeMap<u64, i64> {
    let mut epoch = None;
    let arrived = results.iter().filter_map(|(id, result)| Some((*id, result.received?)));
    arrived.map(|(id, at)| (id, at.nanos_since(*epoch.get_or_insert(at)))).collect()
}

/// Rounding of both formats: 1/8 ms and 1/2048 s, for the packet and for the first, and rounding of the report's time.
const RESOLUTION: u64 = 2 * (125_000 + 488_282) + 2_000;

proptest! {
    #[test]
    fn both_formats_tell_the_same_of_one_stream(
        trips in trips(1), first in 1..200_000_u64, start_ms in 0..2_000_000_u64, room in 64..1_200_usize,
    ) {
        let both = Both::new(room).run(&trips, first, Instant::from_millis(start_ms));
        let (wide, by_stream) = (last(&both.wide_results), last(&both.stream_results));
        let fates = |told: &BTreeMap<u64, PacketResult>| {
            told.iter().map(|(id, result)| (*id, result.received.is_some())).collect::<Vec<_>>()
        };
        prop_assert_eq!(fates(&wide), fates(&by_stream));
        let (wide, by_stream) = (relative(&wide), relative(&by_stream));
        for (id, at) in &wide {
            let off = at.abs_diff(by_stream[id]);
            prop_assert!(off <= RESOLUTION, "packet {id}: {off} ns apart");
        }
        for history in [&both.wide_history, &both.stream_history] {
            let stats = history.stats();
            prop_assert_eq!(stats.sent, stats.in_flight + stats.received + stats.lost + stats.unreported);
            prop_assert_eq!((stats.unknown, stats.untimed), (0, 0));
        }
    }

    /// Of several streams, each ends with its last arrival, so that losses after it are not told, where transport-wide
    /// feedback goes on with the packets of other streams.
    #[test]
    fn both_formats_tell_the_same_arrivals_of_many_streams(
        trips in trips(5), first in 1..200_000_u64, room in 64..1_200_usize,
    ) {
        let both = Both::new(room).run(&trips, first, Instant::from_millis(5));
        let (wide, by_stream) = (last(&both.wide_results), last(&both.stream_results));
        for (id, result) in &by_stream {
            let same = wide.get(id).map(|told| told.received.is_some());
            // Before the first arrival of all, only a stream of its own could tell a loss, and does not.
            prop_assert_eq!(same, Some(result.received.is_some()), "packet {}", id);
        }
        let arrived = |told: &BTreeMap<u64, PacketResult>| {
            told.iter().filter(|(_, result)| result.received.is_some()).map(|(id, _)| *id).collect::<Vec<_>>()
        };
        prop_assert_eq!(arrived(&wide), arrived(&by_stream));
        let (wide, told) = (relative(&wide), relative(&by_stream));
        for (id, at) in &wide {
            prop_assert!(at.abs_diff(told[id]) <= RESOLUTION);
        }
        for (id, result) in &by_stream {
            let trip = trips[usize::try_from(id - first).unwrap()];
            prop_assert_eq!(result.ecn, if result.received.is_some() { trip.ecn } else { Ecn::NotEct });
        }
    }

    #[test]
    fn shifted_numbers_give_shifted_results(trips in trips(3)) {
        let shift = 65_500;
        let plain = Both::new(300).run(&trips, 70_000, Instant::from_millis(5));
        let shifted = Both::new(300).run(&trips, 70_000 + shift, Instant::from_millis(5));
        let back: Vec<_> = shifted.stream_results.iter().map(|result| PacketResult {
            packet: SentPacket { id: result.packet.id - shift, ..result.packet },
            ..*result
        }).collect();
        prop_assert_eq!(plain.stream_results, back);
        prop_assert_eq!(plain.by_stream.stats(), shifted.by_stream.stats());
    }

    /// Whatever numbers come in: all are counted, every packet fits, and reports take no more than arrivals paid for.
    #[test]
    fn reports_never_outgrow_what_arrived(
        packets in vec((0..5_u32, any::<u16>(), 0..40_000_u64), 1..200), window in 2..12_u32, room in 24..400_usize,
    ) {
        let mut config = RecorderConfig::default();
        config.window = 1 << window;
        config.reorder = 1;
        let mut recorder = CongestionRecorder::new(config, 3).unwrap();
        let mut now = Instant::from_millis(1);
        let (mut metrics, mut accepted) = (0, 0);
        let count = packets.len() as u64;
        for (ssrc, seq, gap) in packets {
            now += Duration::from_micros(gap);
            accepted += usize::from(recorder.insert(now, Ssrc(ssrc), SeqNum(seq), now, Ecn::Ect0) == Recorded::Accepted);
            while let Some(feedback) = recorder.poll(now, NTP, Ssrc(9), room) {
                through_the_wire(&RtcpPacket::CongestionFeedback(feedback.clone()), room);
                metrics += count_metrics(&feedback);
            }
            prop_assert!(metrics <= 16 * accepted, "{metrics} reports on {accepted} arrivals");
            prop_assert!(recorder.poll_timeout().is_none_or(|due| due > now || room < CongestionRecorder::MIN_ROOM));
        }
        let stats = recorder.stats();
        prop_assert_eq!(stats.accepted + stats.duplicates + stats.late + stats.refused, count);
    }
}

fn count_metrics(feedback: &CongestionFeedback) -> usize {
    feedback.streams().map(|stream| stream.metrics().count()).sum()
}
