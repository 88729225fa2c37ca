//! Properties: arbitrary feedback, a naive model of the accounts, numbers that must not matter.

use std::collections::BTreeMap;

use core::time::Duration;

use proptest::collection::vec;
use proptest::prelude::*;
use rtc_bwe::{Gcc, GccConfig, Stats};
use rtc_core::bwe::{BandwidthEstimator, Ecn, PacketResult, ProbeId, SentPacket};
use rtc_core::testkit::strategies;
use rtc_core::time::Instant;
use rtc_core::{Bitrate, DataSize};

#[derive(Debug, Clone)]
enum Op {
    /// Time passes.
    Wait(Duration),
    /// A packet is sent; its number is this much after the last.
    Send {
        step: u64,
        size: u64,
        probe: Option<u32>,
    },
    /// Results for packets counted back from the newest; travel time in us, `None` for lost.
    Report(Vec<(u64, Option<u64>)>),
    /// Whatever a peer may make up.
    Lie(Vec<PacketResult>),
    Rtt(Duration),
    Timeout,
    Probe,
    Limits {
        min: u64,
        max: u64,
    },
    Route(u64),
}

fn op() -> impl Strategy<Value = Op> {
    let report = vec((0..40_u64, prop_oneof![4 => (0..2_000_000_u64).prop_map(Some), 1 => Just(None)]), 0..20);
    prop_oneof![
        4 => (0..200_000_u64).prop_map(|micros| Op::Wait(Duration::from_micros(micros))),
        1 => (0..100_000_u64).prop_map(|millis| Op::Wait(Duration::from_millis(millis))),
        8 => (1..3_u64, 0..2_000_u64, proptest::option::weighted(0.1, 0..3_u32))
            .prop_map(|(step, size, probe)| Op::Send { step, size, probe }),
        1 => any::<u64>().prop_map(|step| Op::Send { step, size: 1_000, probe: None }),
        8 => report.prop_map(Op::Report),
        1 => vec(lie(), 0..5).prop_map(Op::Lie),
        1 => strategies::packet_results(0..5).prop_map(Op::Lie),
        1 => any::<Duration>().prop_map(Op::Rtt),
        1 => Just(Op::Timeout),
        1 => Just(Op::Probe),
        1 => (0..50_000_000_u64, 0..50_000_000_u64).prop_map(|(min, max)| Op::Limits { min, max }),
        1 => any::<u64>().prop_map(Op::Route),
    ]
}

fn lie() -> impl Strategy<Value = PacketResult> {
    (any::<u64>(), any::<u64>(), any::<u64>(), any::<Option<u64>>(), any::<Option<u32>>()).prop_map(
        |(id, sent, size, received, probe)| {
            let (sent, size) = (Instant::from_nanos(sent), DataSize::from_bytes(size));
            let packet = SentPacket { id, sent, size, probe: probe.map(ProbeId) };
            PacketResult { packet, received: received.map(Instant::from_nanos), ecn: Ecn::Ce }
        },
    )
}

/// An estimator driven by operations, beside a naive account of what they say.
struct Driver {
    estimator: Gcc,
    now: Instant,
    receiver_ahead: Duration,
    next_id: u64,
    sent: Vec<SentPacket>,
    fates: BTreeMap<u64, Option<bool>>,
    expected: Stats,
    limits: (Bitrate, Bitrate),
    targets: Vec<Bitrate>,
}

impl Driver {
    fn new(config: GccConfig, first_id: u64, start: Duration, receiver_ahead: Duration) -> Self {
        Self {
            estimator: Gcc::new(config).expect("valid"),
            now: Instant::ZERO + start,
            receiver_ahead,
            next_id: first_id,
            sent: Vec::new(),
            fates: BTreeMap::new(),
            expected: Stats::default(),
            limits: (config.min, config.max),
            targets: Vec::new(),
        }
    }

    fn run(&mut self, ops: &[Op]) -> Result<(), TestCaseError> {
        for op in ops {
            self.step(op);
            self.check()?;
            self.targets.push(self.estimator.estimate().target);
        }
        Ok(())
    }

    fn step(&mut self, op: &Op) {
        match op {
            Op::Wait(time) => self.now += *time,
            Op::Send { step, size, probe } => self.send(*step, *size, *probe),
            Op::Report(results) => {
                let result = |&(back, travel): &(u64, Option<u64>)| {
                    let back = usize::try_from(back).unwrap_or(usize::MAX);
                    let packet = *self.sent.get(self.sent.len().checked_sub(back + 1)?)?;
                    let travel = travel.map(Duration::from_micros);
                    let received = travel.map(|travel| packet.sent + self.receiver_ahead + travel);
                    Some(PacketResult { packet, received, ecn: Ecn::NotEct })
                };
                let results: Vec<_> = results.iter().filter_map(result).collect();
                self.feed(&results);
            }
            Op::Lie(results) => {
                let ours = |result: &PacketResult| self.sent.contains(&result.packet);
                let results: Vec<_> = results.iter().filter(|result| !ours(result)).copied().collect();
                self.expected.results += results.len() as u64;
                self.expected.unknown += results.len() as u64;
                self.expected.feedbacks += 1;
                self.estimator.on_feedback(self.now, &results);
            }
            Op::Rtt(rtt) => self.estimator.on_rtt(self.now, *rtt),
            Op::Timeout => self.estimator.handle_timeout(self.now),
            Op::Probe => {
                if let Some(probe) = self.estimator.poll_probe(self.now) {
                    assert!(probe.rate <= self.limits.1 && probe.packets > 0);
                }
            }
            Op::Limits { min, max } => {
                let (min, max) = (Bitrate::from_bps(*min), Bitrate::from_bps(*max));
                match self.estimator.set_limits(min, max) {
                    Ok(()) => self.limits = (min, max),
                    Err(_) => assert!(min == Bitrate::ZERO || min > max),
                }
            }
            Op::Route(start) => self.estimator.route_changed(Bitrate::from_bps(*start)),
        }
    }

    fn send(&mut self, step: u64, size: u64, probe: Option<u32>) {
        let Some(id) = self.next_id.checked_add(step) else { return };
        let size = DataSize::from_bytes(size);
        let packet = SentPacket { id, sent: self.now, size, probe: probe.map(ProbeId) };
        self.next_id = id;
        self.sent.push(packet);
        self.fates.insert(id, None);
        self.expected.packets_sent += 1;
        self.estimator.on_sent(packet);
    }

    fn feed(&mut self, results: &[PacketResult]) {
        self.expected.feedbacks += 1;
        for result in results {
            self.expected.results += 1;
            let fate = self.fates.entry(result.packet.id).or_default();
            match (*fate, result.received.is_some()) {
                (None, true) => self.expected.packets_received += 1,
                (None, false) => self.expected.packets_lost += 1,
                (Some(false), true) => {
                    self.expected.packets_received += 1;
                    self.expected.packets_lost -= 1;
                    self.expected.recovered += 1;
                }
                _ => self.expected.duplicates += 1,
            }
            *fate = Some(*fate == Some(true) || result.received.is_some());
        }
        self.estimator.on_feedback(self.now, results);
    }

    fn check(&self) -> Result<(), TestCaseError> {
        let estimate = self.estimator.estimate();
        prop_assert!((self.limits.0..=self.limits.1).contains(&estimate.target), "{:?}", estimate);
        prop_assert!(estimate.pacing >= estimate.target && estimate.pacing <= self.limits.1 * 1.1);
        prop_assert!((0.0..=1.0).contains(&estimate.random_loss));
        let snapshot = self.estimator.snapshot();
        prop_assert!((0.0..=1.0).contains(&snapshot.loss));
        prop_assert!(snapshot.drift_ppm.abs() <= 200.0);
        prop_assert!(snapshot.response_time > Duration::ZERO && snapshot.response_time <= Duration::from_secs(1));
        let stats = self.estimator.stats();
        prop_assert!(stats.packets_received + stats.packets_lost + stats.packets_expired <= stats.packets_sent);
        let accounted =
            stats.packets_received + stats.packets_lost + stats.recovered + stats.duplicates + stats.unknown;
        prop_assert_eq!(stats.results, accounted);
        Ok(())
    }
}

/// Packets every 5 ms over a fixed-delay path, with loss and jitter, reported every 50 ms.
fn session(steps: &[(u64, u8)], first_id: u64, start: Duration, receiver_ahead: Duration, nudge: bool) -> Vec<Bitrate> {
    let mut estimator = Gcc::new(GccConfig::default()).expect("valid");
    let (mut now, mut results, mut targets) = (Instant::ZERO + start, Vec::new(), Vec::new());
    for (id, &(travel, chance)) in (first_id..).zip(steps) {
        now += Duration::from_millis(5);
        if nudge || estimator.poll_timeout().is_some_and(|at| at <= now) {
            estimator.handle_timeout(now);
        }
        if nudge {
            estimator.handle_timeout(now);
        }
        let packet = SentPacket { id, sent: now, size: DataSize::from_bytes(800), probe: None };
        estimator.on_sent(packet);
        let received = (chance >= 10).then(|| now + receiver_ahead + Duration::from_micros(travel));
        results.push(PacketResult { packet, received, ecn: Ecn::NotEct });
        if id % 10 == first_id % 10 && chance < 240 {
            estimator.on_feedback(now + Duration::from_millis(60), &results);
            results.clear();
        }
        targets.push(estimator.estimate().target);
    }
    targets
}

fn steps() -> impl Strategy<Value = Vec<(u64, u8)>> {
    // Up to 150 ms of queue that comes and goes, and noise on top.
    (vec((20_000..30_000_u64, any::<u8>()), 0..1_500), 50..700_u64).prop_map(|(mut steps, period)| {
        for (index, step) in (0_u64..).zip(&mut steps) {
            step.0 += 300 * (index % (2 * period)).saturating_sub(period).min(500);
        }
        steps
    })
}

proptest! {
    #[test]
    fn anything_keeps_the_estimate_in_range(ops in vec(op(), 0..400)) {
        let mut config = GccConfig::default();
        config.history = 32;
        Driver::new(config, 0, Duration::ZERO, Duration::from_secs(9)).run(&ops)?;
    }

    #[test]
    fn accounts_equal_a_naive_model(ops in vec(op(), 0..400)) {
        // Steps beyond what the history spans would let it forget, which the model does not.
        let close = |op: &Op| !matches!(op, Op::Send { step, .. } if *step > 2);
        let ops: Vec<_> = ops.into_iter().filter(close).collect();
        let mut driver = Driver::new(GccConfig::default(), 0, Duration::ZERO, Duration::from_secs(9));
        driver.run(&ops)?;
        let (stats, expected) = (driver.estimator.stats(), driver.expected);
        prop_assert_eq!(
            (stats.packets_sent, stats.packets_received, stats.packets_lost, stats.recovered),
            (expected.packets_sent, expected.packets_received, expected.packets_lost, expected.recovered)
        );
        prop_assert_eq!(
            (stats.results, stats.duplicates, stats.unknown, stats.feedbacks),
            (expected.results, expected.duplicates, expected.unknown, expected.feedbacks)
        );
        prop_assert_eq!((stats.packets_expired, stats.packets_misnumbered), (0, 0));
    }

    #[test]
    fn numbers_and_clocks_can_be_shifted(
        ops in vec(op(), 0..300),
        ids in 0..1_000_000_u64,
        start in 0..1_000_000_u64,
        ahead in 0..10_000_000_u64,
    ) {
        let honest = |op: &Op| !matches!(op, Op::Lie(_) | Op::Send { step: 3.., .. });
        let ops: Vec<_> = ops.into_iter().filter(honest).collect();
        let mut one = Driver::new(GccConfig::default(), 0, Duration::from_secs(1), Duration::ZERO);
        let start = Duration::from_millis(start);
        let mut other = Driver::new(GccConfig::default(), 65_500 + ids, start, Duration::from_millis(ahead));
        one.run(&ops)?;
        other.run(&ops)?;
        prop_assert_eq!(one.targets, other.targets);
    }

    #[test]
    fn a_session_can_be_shifted(steps in steps()) {
        let usual = session(&steps, 0, Duration::from_secs(1), Duration::ZERO, false);
        let shifted = session(&steps, 65_500, Duration::from_secs(777), Duration::from_secs(1 << 33), false);
        prop_assert_eq!(usual, shifted);
    }

    #[test]
    fn extra_timeouts_change_nothing(steps in steps()) {
        let usual = session(&steps, 0, Duration::from_secs(1), Duration::ZERO, false);
        let nudged = session(&steps, 0, Duration::from_secs(1), Duration::ZERO, true);
        prop_assert_eq!(usual, nudged);
    }
}
