//! A run: flows over a shared bottleneck in virtual time.

use core::time::Duration;
use std::collections::BTreeMap;
use std::rc::Rc;

use rtc_core::bwe::{BandwidthEstimator, Ecn};
use rtc_core::testkit::netem::{Jitter, Link, Loss, Netem, NetemConfig, QueueLimit, Sent};
use rtc_core::testkit::rng::Rng;
use rtc_core::testkit::trace::RateSchedule;
use rtc_core::time::{Instant, earliest};
use rtc_core::{Bitrate, ConfigError, DataSize};

use super::cubic::{Cubic, SEGMENT};
use super::receiver::{Feedback, INTERVAL, Receiver};
use super::scenarios::{Media, Scenario};
use super::sender::{Call, Outgoing, Sender};

/// One way of TCP.
const TCP_ONE_WAY: Duration = Duration::from_millis(50);
const ACK_BYTES: u64 = 40;
/// Targets are noted this often.
pub(super) const SAMPLE: Duration = Duration::from_millis(100);

/// All that happened on the way forward.
#[derive(Debug, Default)]
pub(super) struct Run {
    pub(super) sent: Vec<Packet>,
    pub(super) delivered: Vec<Packet>,
    /// Media packets the path did not take.
    pub(super) lost: u64,
    pub(super) tcp_delivered: Vec<(Instant, u64)>,
    /// Of all forward flows that are on, together, each [`SAMPLE`].
    pub(super) targets: Vec<f64>,
    /// All calls of the first flow's estimator.
    pub(super) calls: Vec<Call>,
}

/// A packet of a media flow.
#[derive(Debug, Clone, Copy)]
pub(super) struct Packet {
    pub(super) flow: usize,
    /// When it was sent, or left the bottleneck.
    pub(super) at: Instant,
    pub(super) bytes: u64,
    pub(super) is_padding: bool,
    pub(super) queued: Duration,
}

/// What travels.
#[derive(Debug, Clone)]
enum Parcel {
    Media(usize, Outgoing),
    Feedback(usize, Rc<Feedback>),
    Segment(usize, u64),
    Ack(usize, u64),
}

struct Flow {
    media: Media,
    sender: Sender,
    receiver: Receiver,
    next_report: Instant,
}

struct Path {
    /// Forward and backward.
    links: [Netem<Parcel>; 2],
    /// Past the bottleneck, on their way to the ends.
    arriving: BTreeMap<(Instant, u64), Parcel>,
    launched: u64,
    flows: Vec<Flow>,
    tcp: Vec<Cubic>,
    run: Run,
}

/// Runs `scenario`, with an estimator from `make` for each flow.
///
/// # Errors
/// If the scenario is impossible.
pub(super) fn run(
    scenario: &Scenario,
    seed: u64,
    make: &dyn Fn() -> Box<dyn BandwidthEstimator>,
) -> Result<Run, ConfigError> {
    let mut path = Path::new(scenario, seed, make)?;
    let end = Instant::from_millis(1_000 * scenario.seconds);
    let mut now = Instant::ZERO;
    let mut sample = Instant::ZERO;
    while now < end {
        path.step(now);
        if now >= sample {
            path.sample(now);
            sample += SAMPLE;
        }
        now = path.next_event(now).map_or(end, |at| at.max(now + Duration::from_nanos(1))).min(sample);
    }
    path.run.calls = path.flows.remove(0).sender.into_calls();
    Ok(path.run)
}

/// The schedule of a link; `None` for no limit.
pub(super) fn schedule(steps: &[(u64, u64)]) -> Result<Option<RateSchedule>, ConfigError> {
    if steps.is_empty() {
        return Ok(None);
    }
    let steps: Vec<(Duration, Bitrate)> =
        steps.iter().map(|(second, kbps)| (Duration::from_secs(*second), Bitrate::from_kbps(*kbps))).collect();
    RateSchedule::new(&steps, None).map(Some)
}

impl Path {
    fn new(
        scenario: &Scenario,
        seed: u64,
        make: &dyn Fn() -> Box<dyn BandwidthEstimator>,
    ) -> Result<Self, ConfigError> {
        let mut forward = NetemConfig::default();
        forward.overhead = DataSize::ZERO;
        forward.queue = QueueLimit::Time(Duration::from_millis(scenario.queue_ms));
        let mut backward = forward.clone();
        forward.link = schedule(scenario.forward)?.map_or(Link::Unlimited, Link::Schedule);
        backward.link = schedule(scenario.backward)?.map_or(Link::Unlimited, Link::Schedule);
        if scenario.loss > 0.0 {
            forward.loss = Loss::Bernoulli(scenario.loss);
        }
        if scenario.jitter_ms > 0 {
            forward.jitter = Jitter::Uniform { max: Duration::from_millis(scenario.jitter_ms) };
        }
        let flow = |(number, media): (usize, &Media)| Flow {
            media: *media,
            sender: Sender::new(make(), media, Rng::stream(seed, 100 + number as u64)),
            receiver: Receiver::default(),
            // Reports of different flows do not coincide.
            next_report: Instant::from_millis(1_000 * media.start) + Duration::from_millis(7 * number as u64),
        };
        Ok(Self {
            links: [Netem::new(forward, seed)?, Netem::new(backward, seed + 1_000_000)?],
            arriving: BTreeMap::new(),
            launched: 0,
            flows: scenario.media.iter().enumerate().map(flow).collect(),
            tcp: (0..)
                .zip(scenario.tcp)
                .map(|(number, kind)| Cubic::new(*kind, Rng::stream(seed, 200 + number)))
                .collect(),
            run: Run::default(),
        })
    }

    fn step(&mut self, now: Instant) {
        for way in 0..2 {
            while let Some(delivery) = self.links[way].poll(now) {
                self.leave_link(way, delivery.delivered, delivery.queued, delivery.item);
            }
        }
        while let Some(first) = self.arriving.first_entry() {
            if first.key().0 > now {
                break;
            }
            let parcel = first.remove();
            self.arrive(now, parcel);
        }
        for flow in 0..self.flows.len() {
            self.run_flow(now, flow);
        }
        for flow in 0..self.tcp.len() {
            self.tcp[flow].handle_timeout(now);
            while let Some(segment) = self.tcp[flow].poll(now) {
                self.links[0].send(now, DataSize::from_bytes(SEGMENT), Ecn::NotEct, Parcel::Segment(flow, segment));
            }
        }
    }

    fn next_event(&self, now: Instant) -> Option<Instant> {
        let links = self.links.iter().map(Netem::poll_timeout);
        let senders = self.flows.iter().map(|flow| flow.sender.poll_timeout(now));
        let reports = self.flows.iter().map(|flow| Some(flow.next_report));
        let tcp = self.tcp.iter().map(Cubic::poll_timeout);
        let arrival = self.arriving.first_key_value().map(|((at, _), _)| *at);
        earliest(links.chain(senders).chain(reports).chain(tcp).chain([arrival]))
    }

    fn sample(&mut self, now: Instant) {
        let on = self.flows.iter().filter(|flow| !flow.media.is_backward && flow.sender.is_on(now));
        self.run.targets.push(on.map(|flow| flow.sender.target().as_bps_f64()).sum());
    }

    fn leave_link(&mut self, way: usize, at: Instant, queued: Duration, parcel: Parcel) {
        let one_way = match &parcel {
            Parcel::Media(flow, packet) => {
                if way == 0 {
                    let Outgoing { bytes, is_padding, .. } = *packet;
                    self.run.delivered.push(Packet { flow: *flow, at, bytes, is_padding, queued });
                }
                Duration::from_millis(self.flows[*flow].media.one_way_ms)
            }
            Parcel::Feedback(flow, _) => Duration::from_millis(self.flows[*flow].media.one_way_ms),
            Parcel::Segment(..) => {
                self.run.tcp_delivered.push((at, SEGMENT));
                TCP_ONE_WAY
            }
            Parcel::Ack(..) => TCP_ONE_WAY,
        };
        self.launched += 1;
        self.arriving.insert((at + one_way, self.launched), parcel);
    }

    fn arrive(&mut self, now: Instant, parcel: Parcel) {
        match parcel {
            Parcel::Media(flow, packet) => self.flows[flow].receiver.on_packet(now, packet.id),
            Parcel::Feedback(flow, feedback) => self.flows[flow].sender.on_feedback(now, &feedback),
            Parcel::Segment(flow, segment) => {
                self.links[1].send(now, DataSize::from_bytes(ACK_BYTES), Ecn::NotEct, Parcel::Ack(flow, segment));
            }
            Parcel::Ack(flow, segment) => self.tcp[flow].on_ack(now, segment),
        }
    }

    fn run_flow(&mut self, now: Instant, number: usize) {
        let flow = &mut self.flows[number];
        let ahead = usize::from(flow.media.is_backward);
        if flow.next_report <= now {
            flow.next_report = now + INTERVAL;
            if let Some(feedback) = flow.receiver.report(now) {
                let size = DataSize::from_bytes(feedback.bytes());
                self.links[1 - ahead].send(now, size, Ecn::NotEct, Parcel::Feedback(number, Rc::new(feedback)));
            }
        }
        let mut out = Vec::new();
        flow.sender.run(now, &mut out);
        for packet in out {
            let Outgoing { bytes, is_padding, .. } = packet;
            if ahead == 0 {
                self.run.sent.push(Packet { flow: number, at: now, bytes, is_padding, queued: Duration::ZERO });
            }
            let parcel = Parcel::Media(number, packet);
            let fate = self.links[ahead].send(now, DataSize::from_bytes(bytes), Ecn::NotEct, parcel);
            self.run.lost += u64::from(ahead == 0 && fate != Sent::Queued);
        }
    }
}
