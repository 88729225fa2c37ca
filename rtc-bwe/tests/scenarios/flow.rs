//! One flow: a source, a pacer and an estimator at one end, transport-wide feedback at the other.

use std::collections::{BTreeMap, VecDeque};

use core::time::Duration;

use rtc_bwe::{Gcc, GccConfig};
use rtc_core::bwe::{BandwidthEstimator, Ecn, PacketResult, ProbeCluster, ProbeId, SentPacket};
use rtc_core::testkit::rng::Rng;
use rtc_core::time::{Instant, earliest};
use rtc_core::{Bitrate, DataSize};

/// Largest packet on the wire.
const MTU: u64 = 1_200;
/// What may wait in the pacer before frames are skipped.
const MAX_WAIT: Duration = Duration::from_millis(200);
/// Resolution of arrival times in transport-wide feedback, in ns.
const TICK: u64 = 250_000;

/// What makes media.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Source {
    /// 30 frames a second at the target, sizes within 10 % of it.
    Video,
    /// The same by an encoder that takes a third of a second to follow the target, sizes within 40 %, and every hundredth
    /// frame four times as large.
    Camera,
    /// A packet each 20 ms at the target, up to a rate.
    Audio { max: Bitrate },
}

impl Source {
    const fn interval(self) -> Duration {
        match self {
            Self::Video | Self::Camera => Duration::from_nanos(33_333_333),
            Self::Audio { .. } => Duration::from_millis(20),
        }
    }

    /// As of draft-ietf-rmcat-gcc-02 §3: once per frame or at least each 30 ms; up to 100 ms to limit overhead.
    const fn feedback_interval(self) -> Duration {
        match self {
            Self::Video | Self::Camera => Duration::from_millis(50),
            Self::Audio { .. } => Duration::from_millis(100),
        }
    }
}

#[derive(Debug)]
pub(crate) struct Sender {
    pub(crate) estimator: Gcc,
    source: Source,
    random: Rng,
    next_frame: Instant,
    frames: u64,
    /// What the encoder makes of the target.
    rate: Bitrate,
    backlog: VecDeque<DataSize>,
    pacer_free: Instant,
    probe: Option<Probe>,
    sent: Vec<SentPacket>,
    /// Target after each feedback.
    pub(crate) targets: Vec<(Instant, Bitrate)>,
    /// Time the pacer needed for what waited, at each frame.
    pub(crate) waits: Vec<Duration>,
}

#[derive(Debug, Clone, Copy)]
struct Probe {
    cluster: ProbeCluster,
    packets: u64,
    size: DataSize,
    next: Instant,
}

impl Sender {
    pub(crate) fn new(config: GccConfig, source: Source, start: Instant, seed: u64) -> Self {
        Self {
            estimator: Gcc::new(config).unwrap(),
            source,
            random: Rng::stream(seed, 100),
            next_frame: start,
            frames: 0,
            rate: config.start,
            backlog: VecDeque::new(),
            pacer_free: start,
            probe: None,
            sent: Vec::new(),
            targets: Vec::new(),
            waits: Vec::new(),
        }
    }

    /// The next packet that leaves now.
    pub(crate) fn poll(&mut self, now: Instant) -> Option<SentPacket> {
        self.estimator.handle_timeout(now);
        if now >= self.next_frame {
            self.encode();
            self.next_frame += self.source.interval();
        }
        if let Some(packet) = self.poll_probe(now) {
            return Some(packet);
        }
        if now < self.pacer_free {
            return None;
        }
        let size = self.backlog.pop_front()?;
        self.pacer_free = now + self.estimator.estimate().pacing.time_for(size);
        Some(self.send(now, size, None))
    }

    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        earliest([
            Some(self.next_frame),
            self.backlog.front().map(|_| self.pacer_free),
            self.probe.map(|probe| probe.next),
            self.estimator.poll_timeout(),
        ])
    }

    pub(crate) fn on_report(&mut self, now: Instant, report: &Report) {
        let result = |&(id, arrival): &(u64, Option<Arrival>)| {
            let packet = self.sent[usize::try_from(id).unwrap()];
            let (received, ecn) = arrival.map_or((None, Ecn::NotEct), |(at, ecn)| (Some(at), ecn));
            PacketResult { packet, received, ecn }
        };
        let results: Vec<_> = report.0.iter().map(result).collect();
        self.estimator.on_feedback(now, &results);
        self.targets.push((now, self.estimator.estimate().target));
    }

    fn encode(&mut self) {
        let (estimate, chance) = (self.estimator.estimate(), self.random.uniform());
        let waiting: DataSize = self.backlog.iter().copied().sum();
        let wait = estimate.pacing.time_for(waiting);
        self.waits.push(wait);
        let interval = self.source.interval();
        match self.source {
            // A frame that would wait for longer is not worth sending.
            Source::Video | Source::Camera if wait > MAX_WAIT => {}
            Source::Audio { max } => self.backlog.push_back(estimate.target.min(max).size_in(interval)),
            Source::Video => self.packetize(estimate.target, 0.9 + 0.2 * chance),
            Source::Camera => {
                self.rate = self.rate + (estimate.target - self.rate) * 0.1 - (self.rate - estimate.target) * 0.1;
                self.frames += 1;
                let key = if self.frames % 100 == 1 { 4.0 } else { 0.97 };
                self.packetize(self.rate, key * (0.6 + 0.8 * chance));
            }
        }
    }

    fn packetize(&mut self, rate: Bitrate, share: f64) {
        let mut left = (rate * share).size_in(self.source.interval()).as_bytes();
        while left > 0 {
            let size = left.min(MTU);
            left -= size;
            self.backlog.push_back(DataSize::from_bytes(size.max(60)));
        }
    }

    fn poll_probe(&mut self, now: Instant) -> Option<SentPacket> {
        if self.probe.is_none() {
            let cluster = self.estimator.poll_probe(now)?;
            let packets = u64::from(cluster.packets).max(cluster.size.as_bytes().div_ceil(MTU));
            let size = DataSize::from_bytes((cluster.size.as_bytes() / packets).max(60));
            self.probe = Some(Probe { cluster, packets, size, next: now });
        }
        let probe = self.probe.filter(|probe| probe.next <= now)?;
        let next = probe.next + probe.cluster.rate.time_for(probe.size);
        self.probe = (probe.packets > 1).then_some(Probe { packets: probe.packets - 1, next, ..probe });
        Some(self.send(now, probe.size, Some(probe.cluster.id)))
    }

    fn send(&mut self, now: Instant, size: DataSize, probe: Option<ProbeId>) -> SentPacket {
        let packet = SentPacket { id: self.sent.len() as u64, sent: now, size, probe };
        self.sent.push(packet);
        self.estimator.on_sent(packet);
        packet
    }
}

/// When a packet arrived on the receiver's clock, and its mark.
type Arrival = (Instant, Ecn);

/// Packets by number, and the arrival of those that arrived.
#[derive(Debug, Clone)]
pub(crate) struct Report(Vec<(u64, Option<Arrival>)>);

/// Reports each packet up to the last that arrived; once as lost or received, again if it comes after that.
#[derive(Debug)]
pub(crate) struct Receiver {
    interval: Duration,
    pub(crate) next_report: Instant,
    reported: u64,
    arrived: BTreeMap<u64, Arrival>,
}

impl Receiver {
    pub(crate) fn new(source: Source, start: Instant) -> Self {
        let interval = source.feedback_interval();
        Self { interval, next_report: start + interval, reported: 0, arrived: BTreeMap::new() }
    }

    pub(crate) fn on_packet(&mut self, local: Instant, ecn: Ecn, id: u64) {
        let quantised = Instant::from_nanos(local.as_nanos() / TICK * TICK);
        self.arrived.entry(id).or_insert((quantised, ecn));
    }

    pub(crate) fn report(&mut self, now: Instant) -> Option<Report> {
        if now < self.next_report {
            return None;
        }
        self.next_report = now + self.interval;
        let end = self.reported.max(self.arrived.last_key_value()?.0 + 1);
        let late = self.arrived.range(..self.reported).map(|(id, at)| (*id, Some(*at)));
        let new = (self.reported..end).map(|id| (id, self.arrived.get(&id).copied()));
        let results = late.chain(new).collect();
        self.reported = end;
        self.arrived.clear();
        Some(Report(results))
    }
}
