//! A received stream against the sample code of RFC 3550.

use core::time::Duration;

use proptest::collection::vec;
use proptest::prelude::*;
use rtc_core::time::Instant;
use rtc_core::{Frequency, PayloadType, RtpPacket, RtpTime, SeqNum, Ssrc};
use rtc_transport::receiver::{Arrival, ReceiveStream, ReceiverConfig};
use rtc_transport::rtcp::ReportBlock;

const CLOCK: Frequency = Frequency::KHZ_90;

/// RFC 3550 A.1, A.3 and A.8 in their own words and arithmetic.
#[derive(Default)]
struct Model {
    begun: bool,
    max_seq: u32,
    cycles: u32,
    base_seq: u32,
    bad_seq: u32,
    probation: u32,
    received: u32,
    expected_prior: u32,
    received_prior: u32,
    transit: Option<u32>,
    jitter: u32,
}

impl Model {
    fn init_seq(&mut self, seq: u32) {
        (self.base_seq, self.max_seq, self.bad_seq) = (seq, seq, 65_537);
        (self.cycles, self.received, self.received_prior, self.expected_prior) = (0, 0, 0, 0);
    }

    fn update_seq(&mut self, seq: u32) -> bool {
        if !self.begun {
            self.init_seq(seq);
            (self.begun, self.max_seq, self.probation) = (true, (seq + 65_535) % 65_536, 2);
        }
        let delta = (seq + 65_536 - self.max_seq) % 65_536;
        if self.probation > 0 {
            if seq == (self.max_seq + 1) % 65_536 {
                self.probation -= 1;
                self.max_seq = seq;
                if self.probation == 0 {
                    self.init_seq(seq);
                    self.received += 1;
                    return true;
                }
            } else {
                self.probation = 1;
                self.max_seq = seq;
            }
            return false;
        } else if delta < 3_000 {
            self.cycles += if seq < self.max_seq { 65_536 } else { 0 };
            self.max_seq = seq;
        } else if delta <= 65_536 - 100 {
            if seq != self.bad_seq {
                self.bad_seq = (seq + 1) % 65_536;
                return false;
            }
            self.init_seq(seq);
        }
        self.received += 1;
        true
    }

    fn update_jitter(&mut self, arrival: u32, timestamp: u32) {
        let transit = arrival.wrapping_sub(timestamp);
        if let Some(last) = self.transit {
            let d = transit.wrapping_sub(last).cast_signed().unsigned_abs();
            self.jitter = self.jitter + d - ((self.jitter + 8) >> 4);
        }
        self.transit = Some(transit);
    }

    fn report(&mut self) -> Option<(u8, i32, u32, u32)> {
        if !self.begun || self.probation > 0 || self.received == self.received_prior {
            return None;
        }
        let extended_max = self.cycles + self.max_seq;
        let expected = extended_max - self.base_seq + 1;
        let lost = expected.cast_signed() - self.received.cast_signed();
        let expected_interval = expected - self.expected_prior;
        let received_interval = self.received - self.received_prior;
        (self.expected_prior, self.received_prior) = (expected, self.received);
        let lost_interval = expected_interval.cast_signed() - received_interval.cast_signed();
        let fraction = if expected_interval == 0 || lost_interval <= 0 {
            0
        } else {
            (lost_interval.cast_unsigned() << 8) / expected_interval
        };
        Some((fraction.try_into().unwrap(), lost, extended_max, self.jitter >> 4))
    }
}

#[derive(Debug, Clone, Copy)]
enum Op {
    /// A packet this far from the newest sent, media time this far from the last, after this many microseconds.
    Packet(i32, u32, u64),
    Report,
}

fn op() -> impl Strategy<Value = Op> {
    let step = prop_oneof![10 => Just(1), 3 => -5..20, 1 => -150..150, 1 => 2_900..3_100, 1 => any::<i16>().prop_map(i32::from)];
    prop_oneof![
        8 => (step, 0..6_000_u32, 0..50_000_u64).prop_map(|(step, ticks, gap)| Op::Packet(step, ticks, gap)),
        1 => Just(Op::Report),
    ]
}

fn packet(seq: u16, timestamp: u32) -> RtpPacket {
    RtpPacket::builder(PayloadType::new(96), SeqNum(seq), RtpTime(timestamp), Ssrc(7)).build(b"media").unwrap()
}

struct Run {
    stream: ReceiveStream,
    arrivals: Vec<Arrival>,
    reports: Vec<Option<ReportBlock>>,
}

fn run(
    ops: &[Op],
    first_seq: u16,
    first_timestamp: u32,
    mut each: impl FnMut(u16, u32, Instant, &ReceiveStream, Arrival),
) -> Run {
    let stream = ReceiveStream::new(Ssrc(7), ReceiverConfig::default()).unwrap();
    let mut run = Run { stream, arrivals: Vec::new(), reports: Vec::new() };
    let (mut seq, mut timestamp, mut now) = (first_seq, first_timestamp, Instant::from_millis(100));
    for op in ops {
        match *op {
            Op::Packet(step, ticks, gap) => {
                seq = u16::try_from((i32::from(seq) + step).rem_euclid(65_536)).unwrap();
                timestamp = timestamp.wrapping_add(ticks);
                now += Duration::from_micros(gap);
                let arrival = run.stream.on_packet(now, &packet(seq, timestamp), Some(CLOCK));
                run.arrivals.push(arrival);
                each(seq, timestamp, now, &run.stream, arrival);
            }
            Op::Report => run.reports.push(run.stream.take_report(now)),
        }
    }
    run.reports.push(run.stream.take_report(now));
    run
}

proptest! {
    #[test]
    fn a_stream_is_counted_as_the_sample_code_counts(ops in vec(op(), 1..200), first_seq: u16, first_timestamp: u32) {
        let mut model = Model::default();
        let mut stream = ReceiveStream::new(Ssrc(7), ReceiverConfig::default()).unwrap();
        let (mut seq, mut timestamp, mut now) = (first_seq, first_timestamp, Instant::from_millis(100));
        for op in ops.into_iter().chain([Op::Report]) {
            match op {
                Op::Packet(step, ticks, gap) => {
                    seq = u16::try_from((i32::from(seq) + step).rem_euclid(65_536)).unwrap();
                    timestamp = timestamp.wrapping_add(ticks);
                    now += Duration::from_micros(gap);
                    let arrival = stream.on_packet(now, &packet(seq, timestamp), Some(CLOCK));
                    let counted = model.update_seq(u32::from(seq));
                    prop_assert_eq!(!matches!(arrival, Arrival::Probation | Arrival::Implausible), counted);
                    if counted {
                        let ticks = CLOCK.ticks_in(now - Instant::ZERO) % (1 << 32);
                        model.update_jitter(u32::try_from(ticks).unwrap(), timestamp);
                    }
                }
                Op::Report => {
                    let told = stream.take_report(now).map(|block| {
                        (block.fraction_lost, block.lost, block.highest_seq, block.jitter)
                    });
                    prop_assert_eq!(told, model.report());
                }
            }
        }
    }

    #[test]
    fn every_arrival_is_counted_once(ops in vec(op(), 1..200), first_seq: u16) {
        let run = run(&ops, first_seq, 0, |_, _, _, stream, _| {
            let stats = stream.stats();
            let counted = stats.newest + stats.late + stats.duplicates + stats.probation + stats.implausible;
            assert_eq!(stats.arrived, counted);
            assert_eq!(stats.payload_bytes, 5 * stats.received());
            assert_eq!(stats.header_bytes, 12 * stats.received());
        });
        prop_assert_eq!(run.stream.stats().arrived, run.arrivals.len() as u64);
    }

    #[test]
    fn a_packet_is_a_duplicate_if_and_only_if_it_was_seen(ops in vec(op(), 1..200), first_seq: u16) {
        let mut seen = std::collections::BTreeSet::new();
        run(&ops, first_seq, 0, |seq, _, _, _, arrival| match arrival {
            Arrival::Restarted => seen = [seq].into(),
            Arrival::Probation | Arrival::Implausible => {}
            Arrival::Duplicate => assert!(seen.contains(&seq)),
            _ => {
                // Numbers half a cycle away are forgotten, so that those of the next cycle are new.
                seen.retain(|old| SeqNum(seq).distance_from(SeqNum(*old)).unsigned_abs() < 10_000);
                assert!(seen.insert(seq));
            }
        });
    }

    #[test]
    fn shifted_numbers_give_shifted_reports(ops in vec(op(), 1..200), first_seq in 0..20_u16) {
        let plain = run(&ops, first_seq, 1_000, |_, _, _, _, _| ());
        let shifted = run(&ops, first_seq.wrapping_add(65_500), u32::MAX - 5_000, |_, _, _, _, _| ());
        prop_assert_eq!(&plain.arrivals, &shifted.arrivals);
        prop_assert_eq!(plain.stream.stats(), shifted.stream.stats());
        for (plain, shifted) in plain.reports.iter().zip(&shifted.reports) {
            let Some((plain, shifted)) = plain.zip(*shifted) else { continue };
            let mut back = shifted;
            // Cycles are counted from where the stream began, so that only the number itself can be compared.
            back.highest_seq = plain.highest_seq;
            prop_assert_eq!(plain, back);
            prop_assert_eq!(shifted.highest_seq.wrapping_sub(plain.highest_seq) % 65_536, 65_500);
        }
    }
}
