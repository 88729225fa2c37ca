//! A run: flows over a shared bottleneck in virtual time.

use core::time::Duration;
use std::collections::BTreeMap;
use std::rc::Rc;

use rtc_core::bwe::{BandwidthEstimator, Ecn};
use rtc_core::testkit::netem::{
    CoDelConfig, DualPi2Config, Jitter, Link, Loss, Netem, NetemConfig, Policer, QueueLimit, Sent,
};
use rtc_core::testkit::rng::Rng;
use rtc_core::testkit::trace::RateSchedule;
use rtc_core::time::{Instant, earliest};
use rtc_core::{Bitrate, ConfigError, DataSize};

use super::receiver::{Feedback, INTERVAL, Receiver};
use super::scenarios::{Media, Queue, Scenario};
use super::sender::{Call, Outgoing, Sender};
use super::tcp::User;
use crate::subject::Limits;

/// One way of TCP.
const TCP_ONE_WAY: Duration = Duration::from_millis(50);
const ACK_BYTES: u64 = 40;
/// A segment of TCP on the wire.
const SEGMENT: DataSize = DataSize::from_bytes(1_500);
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
    Segment(usize, u64, Ecn),
    /// With the codepoint the segment arrived with.
    Ack(usize, u64, Ecn),
}

/// What is run over a scenario.
pub(super) struct Contender<'a> {
    /// What its packets leave with.
    pub(super) ecn: Ecn,
    pub(super) limits: Limits,
    pub(super) make: &'a dyn Fn(Limits) -> Box<dyn BandwidthEstimator>,
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
    tcp: Vec<User>,
    /// From when on the path is how much longer, each way.
    detours: Vec<(Instant, Duration)>,
    run: Run,
}

/// Runs `scenario`, with an estimator of the contender for each flow.
///
/// # Errors
/// If the scenario is impossible.
pub(super) fn run(scenario: &Scenario, seed: u64, contender: &Contender<'_>) -> Result<Run, ConfigError> {
    let mut path = Path::new(scenario, seed, contender)?;
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

/// Both ways of the path, without what each flow adds to them.
fn links(scenario: &Scenario) -> Result<[NetemConfig; 2], ConfigError> {
    let mut forward = NetemConfig::default();
    forward.overhead = DataSize::ZERO;
    forward.queue = QueueLimit::Time(Duration::from_millis(scenario.queue_ms));
    let mut backward = forward.clone();
    forward.link = schedule(scenario.forward)?.map_or(Link::Unlimited, Link::Schedule);
    backward.link = schedule(scenario.backward)?.map_or(Link::Unlimited, Link::Schedule);
    match scenario.queue {
        Queue::DropTail => {}
        Queue::CoDel => forward.codel = Some(CoDelConfig::default()),
        Queue::DualPi2 => forward.dualpi2 = Some(DualPi2Config::default()),
    }
    forward.policer = scenario.policer.map(|(kbps, burst_ms)| {
        let rate = Bitrate::from_kbps(kbps);
        Policer { rate, burst: rate.size_in(Duration::from_millis(burst_ms)) }
    });
    for (way, loss) in [(&mut forward, scenario.loss), (&mut backward, scenario.feedback_loss)] {
        if loss > 0.0 {
            way.loss = Loss::Bernoulli(loss);
        }
    }
    if scenario.jitter_ms > 0 {
        forward.jitter = Jitter::Uniform { max: Duration::from_millis(scenario.jitter_ms) };
    }
    Ok([forward, backward])
}

impl Path {
    fn new(scenario: &Scenario, seed: u64, contender: &Contender<'_>) -> Result<Self, ConfigError> {
        let flow = |(number, media): (usize, &Media)| {
            let Contender { ecn, limits, make } = *contender;
            let burst = Duration::from_millis(scenario.burst_ms);
            Flow {
                media: *media,
                sender: Sender::new(make(limits), limits, ecn, burst, media, Rng::stream(seed, 100 + number as u64)),
                receiver: Receiver::default(),
                // Reports of different flows do not coincide.
                next_report: Instant::from_millis(1_000 * media.start) + Duration::from_millis(7 * number as u64),
            }
        };
        let users = (0..).zip(scenario.tcp).map(|(number, kind)| User::new(*kind, Rng::stream(seed, 200 + number)));
        let detour = |(second, ms): &(u64, u64)| (Instant::from_millis(1_000 * second), Duration::from_millis(*ms));
        let [forward, backward] = links(scenario)?;
        Ok(Self {
            links: [Netem::new(forward, seed)?, Netem::new(backward, seed + 1_000_000)?],
            arriving: BTreeMap::new(),
            launched: 0,
            flows: scenario.media.iter().enumerate().map(flow).collect(),
            tcp: users.collect::<Result<_, _>>()?,
            detours: scenario.detours.iter().map(detour).collect(),
            run: Run::default(),
        })
    }

    fn step(&mut self, now: Instant) {
        for way in 0..2 {
            while let Some(delivery) = self.links[way].poll(now) {
                let parcel = match delivery.item {
                    Parcel::Media(flow, packet) => Parcel::Media(flow, Outgoing { ecn: delivery.ecn, ..packet }),
                    // The receiver's acknowledgement, made here and sent when the segment has arrived.
                    Parcel::Segment(flow, segment, _) => Parcel::Segment(flow, segment, delivery.ecn),
                    other => other,
                };
                self.leave_link(way, delivery.delivered, delivery.queued, parcel);
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
        for (number, user) in self.tcp.iter_mut().enumerate() {
            let tcp = user.run(now);
            while let Some(segment) = tcp.poll_transmit(now) {
                self.links[0].send(now, tcp.segment(), tcp.ecn(), Parcel::Segment(number, segment, tcp.ecn()));
            }
        }
    }

    fn next_event(&self, now: Instant) -> Option<Instant> {
        let links = self.links.iter().map(Netem::poll_timeout);
        let senders = self.flows.iter().map(|flow| flow.sender.poll_timeout(now));
        let reports = self.flows.iter().map(|flow| Some(flow.next_report));
        let tcp = self.tcp.iter().map(User::poll_timeout);
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
                self.run.tcp_delivered.push((at, SEGMENT.as_bytes()));
                TCP_ONE_WAY
            }
            Parcel::Ack(..) => TCP_ONE_WAY,
        };
        let detour = self.detours.iter().rfind(|(from, _)| *from <= at).map_or(Duration::ZERO, |(_, longer)| *longer);
        self.launched += 1;
        self.arriving.insert((at + one_way + detour, self.launched), parcel);
    }

    fn arrive(&mut self, now: Instant, parcel: Parcel) {
        match parcel {
            Parcel::Media(flow, packet) => self.flows[flow].receiver.on_packet(now, packet.id, packet.ecn),
            Parcel::Feedback(flow, feedback) => self.flows[flow].sender.on_feedback(now, &feedback),
            Parcel::Segment(flow, segment, ecn) => {
                let ack = Parcel::Ack(flow, segment, ecn);
                self.links[1].send(now, DataSize::from_bytes(ACK_BYTES), Ecn::NotEct, ack);
            }
            Parcel::Ack(flow, segment, ecn) => self.tcp[flow].run(now).on_ack(now, segment, ecn),
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
            let Outgoing { bytes, is_padding, ecn, .. } = packet;
            if ahead == 0 {
                self.run.sent.push(Packet { flow: number, at: now, bytes, is_padding, queued: Duration::ZERO });
            }
            let parcel = Parcel::Media(number, packet);
            let fate = self.links[ahead].send(now, DataSize::from_bytes(bytes), ecn, parcel);
            self.run.lost += u64::from(ahead == 0 && fate != Sent::Queued);
        }
    }
}
