//! Flows over a path, in virtual time, and what is measured of them.

use core::time::Duration;

use rtc_bwe::GccConfig;
use rtc_core::bwe::Ecn;
use rtc_core::testkit::clock::SkewedClock;
use rtc_core::testkit::netem::{Duplex, NetemConfig};
use rtc_core::time::{Instant, earliest};
use rtc_core::{Bitrate, DataSize};

use crate::flow::{Receiver, Report, Sender, Source};

/// What is run.
#[derive(Debug, Clone)]
pub(crate) struct Scenario {
    pub(crate) name: &'static str,
    pub(crate) source: Source,
    pub(crate) config: GccConfig,
    /// The path there from a time on, in seconds; packets under way finish on the one before.
    pub(crate) forward: Vec<(u64, NetemConfig)>,
    pub(crate) reverse: NetemConfig,
    /// The codepoint media is sent with.
    pub(crate) ecn: Ecn,
    /// What the receiver's clock shows at the start, in seconds, and from a time on.
    pub(crate) clock: [(u64, u64); 2],
    /// When each flow starts, in seconds.
    pub(crate) starts: Vec<u64>,
    pub(crate) seconds: u64,
}

/// Carries numbers of packets there and reports back, each with the index of its flow.
type Path = Duplex<(usize, u64), (usize, Report)>;

#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) now: Instant,
    paths: Vec<(Instant, Path)>,
    pub(crate) flows: Vec<Flow>,
}

#[derive(Debug)]
pub(crate) struct Flow {
    start: Instant,
    pub(crate) sender: Sender,
    receiver: Receiver,
    clock: [(Instant, SkewedClock); 2],
    ecn: Ecn,
    /// Each delivered packet: when, how large, how long it waited for the link.
    pub(crate) delivered: Vec<(Instant, DataSize, Duration)>,
}

impl Run {
    pub(crate) fn new(scenario: &Scenario, seed: u64) -> Self {
        let path = |(from, config): &(u64, NetemConfig)| {
            let duplex = Duplex::new(config.clone(), scenario.reverse.clone(), seed).unwrap();
            (Instant::ZERO + Duration::from_secs(*from), duplex)
        };
        let flow = |(index, start): (usize, &u64)| {
            let start = Instant::ZERO + Duration::from_secs(*start);
            Flow {
                start,
                sender: Sender::new(scenario.config, scenario.source, start, seed * 16 + index as u64),
                receiver: Receiver::new(scenario.source, start),
                clock: scenario.clock.map(|(from, shows)| {
                    let clock = SkewedClock::new(Duration::from_secs(shows), 40.0).unwrap();
                    (Instant::ZERO + Duration::from_secs(from), clock)
                }),
                ecn: scenario.ecn,
                delivered: Vec::new(),
            }
        };
        Self {
            now: Instant::ZERO,
            paths: scenario.forward.iter().map(path).collect(),
            flows: scenario.starts.iter().enumerate().map(flow).collect(),
        }
    }

    pub(crate) fn until(&mut self, end: Instant) {
        while let Some(next) = self.poll_timeout().filter(|next| *next <= end) {
            self.now = next.max(self.now);
            self.step();
        }
        self.now = end;
    }

    /// Share of what the link could carry between two moments that was delivered by then, in percent.
    pub(crate) fn utilization(&self, from: Instant, to: Instant) -> f64 {
        let within = |at: Instant| from <= at && at < to;
        let delivered: DataSize =
            self.flows.iter().flat_map(|flow| &flow.delivered).filter(|one| within(one.0)).map(|one| one.1).sum();
        let ends = self.paths.iter().skip(1).map(|(start, _)| *start).chain([Instant::MAX]);
        let capacity: DataSize = self
            .paths
            .iter()
            .zip(ends)
            .filter(|((start, _), end)| from.max(*start) < to.min(*end))
            .filter_map(|((start, path), end)| path.forward.capacity_between(from.max(*start), to.min(end)))
            .sum();
        100.0 * delivered.as_bytes() as f64 / capacity.as_bytes() as f64
    }

    /// Queue delays of all packets delivered between two moments, sorted.
    pub(crate) fn queue_delays(&self, from: Instant, to: Instant) -> Vec<Duration> {
        let delivered = self.flows.iter().flat_map(|flow| &flow.delivered);
        let mut delays: Vec<_> = delivered.filter(|one| from <= one.0 && one.0 < to).map(|one| one.2).collect();
        delays.sort();
        delays
    }

    /// Jain's index of fairness: the square of the sum over the sum of squares of what the flows delivered.
    pub(crate) fn fairness(&self, from: Instant, to: Instant) -> f64 {
        let share = |flow: &Flow| {
            let delivered = flow.delivered.iter().filter(|one| from <= one.0 && one.0 < to);
            delivered.map(|one| one.1.as_bytes() as f64).sum::<f64>()
        };
        let shares: Vec<_> = self.flows.iter().map(share).collect();
        let squares: f64 = shares.iter().map(|share| share * share).sum();
        shares.iter().sum::<f64>().powi(2) / (shares.len() as f64 * squares)
    }

    /// Time from `since` until the target of the first flow is at least `rate`.
    pub(crate) fn reach(&self, since: Instant, rate: Bitrate) -> Option<Duration> {
        let targets = &self.flows[0].sender.targets;
        targets.iter().find(|(at, target)| *at >= since && *target >= rate).map(|(at, _)| *at - since)
    }

    /// Packets lost, in percent of those sent.
    pub(crate) fn loss(&self) -> f64 {
        let stats = self.paths.iter().map(|(_, path)| path.forward.stats());
        let (lost, sent) = stats.fold((0, 0), |(lost, sent), stats| (lost + stats.lost(), sent + stats.sent));
        100.0 * lost as f64 / sent as f64
    }

    fn poll_timeout(&self) -> Option<Instant> {
        let paths = self.paths.iter().map(|(_, path)| path.poll_timeout());
        let flows = self.flows.iter().flat_map(|flow| {
            [flow.sender.poll_timeout().map(|at| at.max(flow.start)), Some(flow.receiver.next_report)]
        });
        earliest(paths.chain(flows))
    }

    fn step(&mut self) {
        let now = self.now;
        for (_, path) in &mut self.paths {
            while let Some(packet) = path.forward.poll(now) {
                let (index, id) = packet.item;
                let flow = &mut self.flows[index];
                let clock = flow.clock.iter().rfind(|(from, _)| *from <= packet.delivered).unwrap().1;
                flow.receiver.on_packet(clock.local(packet.delivered), packet.ecn, id);
                flow.delivered.push((packet.delivered, packet.size, packet.queued));
            }
            while let Some(packet) = path.reverse.poll(now) {
                let (index, report) = packet.item;
                self.flows[index].sender.on_report(now, &report);
            }
        }
        let current = self.paths.partition_point(|(from, _)| *from <= now) - 1;
        let path = &mut self.paths[current].1;
        for (index, flow) in self.flows.iter_mut().enumerate().filter(|(_, flow)| flow.start <= now) {
            while let Some(packet) = flow.sender.poll(now) {
                path.forward.send(now, packet.size, flow.ecn, (index, packet.id));
            }
            if let Some(report) = flow.receiver.report(now) {
                path.reverse.send(now, DataSize::from_bytes(100), Ecn::NotEct, (index, report));
            }
        }
    }
}
