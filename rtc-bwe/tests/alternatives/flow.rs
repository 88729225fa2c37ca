//! One flow of video over an emulated path with any estimator: 30 frames a second that vary by 10 % around the target, a pacer that keeps
//! to the estimate's rate and window, feedback on each packet.

use std::collections::{BTreeMap, VecDeque};

use core::time::Duration;

use rtc_core::bwe::{BandwidthEstimator, Ecn, PacketResult, SentPacket};
use rtc_core::testkit::netem::{Duplex, Loss, NetemConfig};
use rtc_core::testkit::rng::Rng;
use rtc_core::time::{Instant, earliest};
use rtc_core::{Bitrate, DataSize};

use crate::RAMP;

/// Largest packet on the wire.
const MTU: u64 = 1_200;
/// What may wait in the pacer before frames are skipped.
const MAX_WAIT: Duration = Duration::from_millis(200);
const FRAME: Duration = Duration::from_nanos(33_333_333);
/// The receiver's clock shows this at the start.
const AHEAD: Duration = Duration::from_secs(86_400);

/// The path, and how it is used.
#[derive(Debug, Clone)]
pub(crate) struct Scenario {
    pub(crate) name: &'static str,
    pub(crate) forward: NetemConfig,
    pub(crate) ecn: Ecn,
    /// Between two feedback messages.
    pub(crate) feedback: Duration,
    /// Share of them that is lost.
    pub(crate) feedback_loss: f64,
    /// When each flow starts, in seconds.
    pub(crate) starts: &'static [u64],
    pub(crate) seconds: u64,
}

/// What was delivered: of each flow, when, how large, how long it waited for the link.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    pub(crate) delivered: Vec<(Instant, DataSize, Duration, usize)>,
    /// What the link could carry after the ramp, and the rate it begins with.
    pub(crate) capacity: DataSize,
    pub(crate) first_capacity: Bitrate,
    pub(crate) lost: f64,
    /// The target of the first flow after each feedback.
    pub(crate) targets: Vec<(Instant, Bitrate)>,
}

struct Flow {
    start: Instant,
    estimator: Box<dyn BandwidthEstimator>,
    random: Rng,
    next_frame: Instant,
    backlog: VecDeque<DataSize>,
    pacer_free: Instant,
    sent: Vec<SentPacket>,
    /// The first packet without a result.
    reported: usize,
    /// Bytes from there on.
    in_flight: DataSize,
    arrived: BTreeMap<u64, (Instant, Ecn)>,
    /// The first packet the receiver has not spoken of.
    unspoken: u64,
    next_report: Instant,
}

/// The first packet it speaks of, and the arrivals since the last one.
type Report = (u64, Vec<(u64, Instant, Ecn)>);
type Path = Duplex<(usize, u64), (usize, Report)>;

pub(crate) fn run(scenario: &Scenario, seed: u64, make: &dyn Fn() -> Box<dyn BandwidthEstimator>) -> Outcome {
    let mut reverse = NetemConfig::default();
    reverse.delay = scenario.forward.delay;
    reverse.loss = Loss::Bernoulli(scenario.feedback_loss);
    let mut path = Path::new(scenario.forward.clone(), reverse, seed).unwrap();
    let flow = |(index, start): (usize, &u64)| Flow::new(make(), *start, seed * 16 + index as u64);
    let mut flows: Vec<_> = scenario.starts.iter().enumerate().map(flow).collect();
    let (mut outcome, mut now) = (Outcome::default(), Instant::ZERO);
    let end = Instant::ZERO + Duration::from_secs(scenario.seconds);
    while now < end {
        while let Some(packet) = path.forward.poll(now) {
            let (index, id) = packet.item;
            flows[index].arrived.insert(id, (packet.delivered + AHEAD, packet.ecn));
            outcome.delivered.push((packet.delivered, packet.size, packet.queued, index));
        }
        while let Some(packet) = path.reverse.poll(now) {
            let (index, report) = packet.item;
            flows[index].on_report(now, &report);
            if index == 0 {
                outcome.targets.push((now, flows[0].estimator.estimate().target));
            }
        }
        for (index, flow) in flows.iter_mut().enumerate().filter(|(_, flow)| flow.start <= now) {
            flow.step(now, index, scenario, &mut path);
        }
        let wakes = flows.iter().map(|flow| Some(flow.next_wake()));
        now = earliest(wakes.chain([path.poll_timeout(), Some(end)])).unwrap_or(end).max(now);
    }
    let capacity = |from, to| path.forward.capacity_between(from, to).unwrap_or(DataSize::ZERO);
    outcome.capacity = capacity(Instant::ZERO + RAMP, end);
    let second = Duration::from_secs(1);
    outcome.first_capacity = capacity(Instant::ZERO, Instant::ZERO + second).per(second);
    let stats = path.forward.stats();
    outcome.lost = stats.lost() as f64 / stats.sent as f64;
    outcome
}

impl Flow {
    fn new(estimator: Box<dyn BandwidthEstimator>, start: u64, seed: u64) -> Self {
        let start = Instant::ZERO + Duration::from_secs(start);
        Self {
            start,
            estimator,
            random: Rng::stream(seed, 100),
            next_frame: start,
            backlog: VecDeque::new(),
            pacer_free: start,
            sent: Vec::new(),
            reported: 0,
            in_flight: DataSize::ZERO,
            arrived: BTreeMap::new(),
            unspoken: 0,
            next_report: start,
        }
    }

    fn next_wake(&self) -> Instant {
        let pacer = self.backlog.front().filter(|_| self.may_send()).map(|_| self.pacer_free);
        let others = [Some(self.next_frame), Some(self.next_report), pacer, self.estimator.poll_timeout()];
        earliest(others).unwrap_or(Instant::MAX).max(self.start)
    }

    fn step(&mut self, now: Instant, index: usize, scenario: &Scenario, path: &mut Path) {
        self.estimator.handle_timeout(now);
        if now >= self.next_frame {
            self.encode();
            self.next_frame += FRAME;
        }
        while now >= self.pacer_free && self.may_send() {
            let Some(size) = self.backlog.pop_front() else { break };
            self.pacer_free = now + self.estimator.estimate().pacing.time_for(size);
            let packet = SentPacket { id: self.sent.len() as u64, sent: now, size, probe: None };
            self.sent.push(packet);
            self.in_flight += size;
            self.estimator.on_sent(packet);
            path.forward.send(now, size, scenario.ecn, (index, packet.id));
        }
        if now >= self.next_report {
            self.next_report += scenario.feedback;
            let arrivals: Vec<_> = self.arrived.iter().map(|(id, (at, ecn))| (*id, *at, *ecn)).collect();
            self.arrived.clear();
            if let Some((newest, _, _)) = arrivals.last() {
                let from = self.unspoken;
                self.unspoken = from.max(newest + 1);
                path.reverse.send(now, DataSize::from_bytes(100), Ecn::NotEct, (index, (from, arrivals)));
            }
        }
    }

    /// Whether the window lets a packet go; bytes in flight are those after the newest that is reported.
    fn may_send(&self) -> bool {
        self.estimator.estimate().window.is_none_or(|window| self.in_flight < window)
    }

    fn encode(&mut self) {
        let (estimate, share) = (self.estimator.estimate(), 1.0 + 0.1 * self.random.normal());
        let waiting: DataSize = self.backlog.iter().copied().sum();
        if estimate.pacing.time_for(waiting) > MAX_WAIT {
            return;
        }
        let mut left = (estimate.target * share.clamp(0.5, 1.5)).size_in(FRAME).as_bytes();
        while left > 0 {
            let size = left.min(MTU);
            left -= size;
            self.backlog.push_back(DataSize::from_bytes(size.max(60)));
        }
    }

    /// Packets the report speaks of that did not arrive are lost; of those before nothing is known if one was lost.
    fn on_report(&mut self, now: Instant, (from, arrivals): &Report) {
        let mut results: Vec<_> = Vec::new();
        self.settle(usize::try_from(*from).unwrap());
        for (id, received, ecn) in arrivals {
            let index = usize::try_from(*id).unwrap();
            let missing = self.sent.get(self.reported..index).into_iter().flatten();
            results.extend(missing.map(|packet| PacketResult { packet: *packet, received: None, ecn: Ecn::NotEct }));
            results.push(PacketResult { packet: self.sent[index], received: Some(*received), ecn: *ecn });
            self.settle(index + 1);
        }
        self.estimator.on_feedback(now, &results);
    }

    /// Packets up to an index are no longer in flight.
    fn settle(&mut self, end: usize) {
        let settled: DataSize = self.sent.get(self.reported..end).into_iter().flatten().map(|packet| packet.size).sum();
        self.in_flight = self.in_flight - settled;
        self.reported = self.reported.max(end);
    }
}
