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
use super::scenarios::{self, Media, Queue, Scenario};
use super::sender::{Call, Kind, Outgoing, Sender};
use super::tcp::User;
use crate::subject::Limits;

/// One way of TCP.
const TCP_ONE_WAY: Duration = Duration::from_millis(50);
const ACK_BYTES: u64 = 40;
/// Audio of 20 kb/s.
const AUDIO: (Duration, u64) = (Duration::from_millis(20), 50);
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
    /// Segments of TCP that were sent, and that the path did not take.
    pub(super) tcp_sent: u64,
    pub(super) tcp_lost: u64,
    /// How long each file took TCP.
    pub(super) transfers: Vec<Duration>,
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
    pub(super) kind: Kind,
    pub(super) queued: Duration,
}

/// What travels.
#[derive(Debug, Clone)]
enum Parcel {
    Media(usize, Outgoing),
    Audio(usize),
    Feedback(usize, Rc<Feedback>),
    Segment(Segment),
    /// Of the segment as it arrived.
    Ack(Segment),
}

/// A segment of TCP.
#[derive(Debug, Clone, Copy)]
struct Segment {
    user: usize,
    connection: usize,
    number: u64,
    ecn: Ecn,
}

/// What is run over a scenario.
pub(super) struct Contender<'a> {
    /// What its packets leave with.
    pub(super) ecn: Ecn,
    pub(super) make: &'a dyn Fn(Limits) -> Box<dyn BandwidthEstimator>,
}

struct Flow {
    media: Media,
    sender: Sender,
    receiver: Receiver,
    next_report: Instant,
    next_audio: Option<Instant>,
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
    path.run.transfers = path.tcp.into_iter().flat_map(User::into_transfers).collect();
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
    let ms = Duration::from_millis;
    forward.jitter = match scenario.jitter {
        scenarios::Jitter::None => Jitter::None,
        scenarios::Jitter::Uniform { max_ms } => Jitter::Uniform { max: ms(max_ms) },
        scenarios::Jitter::Normal { deviation_ms, bound_ms } => {
            Jitter::Bounded { std_dev: ms(deviation_ms), bound: ms(bound_ms) }
        }
    };
    Ok([forward, backward])
}

impl Path {
    fn new(scenario: &Scenario, seed: u64, contender: &Contender<'_>) -> Result<Self, ConfigError> {
        let flow = |(number, media): (usize, &Media)| {
            let estimator = (contender.make)(scenario.limits());
            let rng = Rng::stream(seed, 100 + number as u64);
            Flow {
                media: *media,
                sender: Sender::new(estimator, contender.ecn, scenario, media, rng),
                receiver: Receiver::default(),
                // Reports of different flows do not coincide.
                next_report: Instant::from_millis(1_000 * media.start) + Duration::from_millis(7 * number as u64),
                next_audio: scenario.audio.then(|| Instant::from_millis(1_000 * media.start + 3 * number as u64)),
            }
        };
        let users =
            (0..).zip(scenario.tcp).map(|(number, tcp)| User::new(*tcp, scenario, Rng::stream(seed, 200 + number)));
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
                    Parcel::Segment(segment) => Parcel::Segment(Segment { ecn: delivery.ecn, ..segment }),
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
        for user in 0..self.tcp.len() {
            self.run_user(now, user);
        }
    }

    fn next_event(&self, now: Instant) -> Option<Instant> {
        let links = self.links.iter().map(Netem::poll_timeout);
        let senders = self.flows.iter().map(|flow| flow.sender.poll_timeout(now));
        let reports = self.flows.iter().flat_map(|flow| [Some(flow.next_report), flow.next_audio]);
        let tcp = self.tcp.iter().map(User::poll_timeout);
        let arrival = self.arriving.first_key_value().map(|((at, _), _)| *at);
        earliest(links.chain(senders).chain(reports).chain(tcp).chain([arrival]))
    }

    fn sample(&mut self, now: Instant) {
        let on = self.flows.iter().filter(|flow| !flow.media.is_backward && flow.sender.is_on(now));
        self.run.targets.push(on.map(|flow| flow.sender.target().as_bps_f64()).sum());
    }

    fn leave_link(&mut self, way: usize, at: Instant, queued: Duration, parcel: Parcel) {
        let ms = Duration::from_millis;
        let mut note = |flow: usize, bytes: u64, kind: Kind| {
            if way == 0 {
                self.run.delivered.push(Packet { flow, at, bytes, kind, queued });
            }
        };
        let one_way = match &parcel {
            Parcel::Media(flow, packet) => {
                note(*flow, packet.bytes, packet.kind);
                ms(self.flows[*flow].media.one_way_ms)
            }
            Parcel::Audio(flow) => {
                note(*flow, AUDIO.1, Kind::Audio);
                ms(self.flows[*flow].media.one_way_ms)
            }
            Parcel::Feedback(flow, _) => ms(self.flows[*flow].media.back_ms),
            Parcel::Segment(_) => {
                self.run.tcp_delivered.push((at, SEGMENT.as_bytes()));
                TCP_ONE_WAY
            }
            Parcel::Ack(_) => TCP_ONE_WAY,
        };
        let detour = self.detours.iter().rfind(|(from, _)| *from <= at).map_or(Duration::ZERO, |(_, longer)| *longer);
        self.launched += 1;
        self.arriving.insert((at + one_way + detour, self.launched), parcel);
    }

    fn arrive(&mut self, now: Instant, parcel: Parcel) {
        match parcel {
            Parcel::Media(flow, packet) => self.flows[flow].receiver.on_packet(now, packet.id, packet.ecn),
            Parcel::Feedback(flow, feedback) => self.flows[flow].sender.on_feedback(now, &feedback),
            Parcel::Audio(_) => {}
            Parcel::Segment(segment) => {
                self.links[1].send(now, DataSize::from_bytes(ACK_BYTES), Ecn::NotEct, Parcel::Ack(segment));
            }
            Parcel::Ack(Segment { user, connection, number, ecn }) => {
                self.tcp[user].on_ack(now, connection, number, ecn);
            }
        }
    }

    fn run_user(&mut self, now: Instant, user: usize) {
        self.tcp[user].run(now);
        for (connection, tcp) in self.tcp[user].connections.iter_mut().enumerate() {
            while let Some(number) = tcp.poll_transmit(now) {
                let ecn = tcp.ecn();
                let segment = Parcel::Segment(Segment { user, connection, number, ecn });
                let fate = self.links[0].send(now, SEGMENT, ecn, segment);
                self.run.tcp_sent += 1;
                self.run.tcp_lost += u64::from(fate != Sent::Queued);
            }
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
        let audio = flow.next_audio.filter(|next| *next <= now);
        let speaks = audio.is_some() && flow.sender.is_on(now);
        flow.next_audio = audio.map(|next| next + AUDIO.0).or(flow.next_audio);
        for packet in out {
            let Outgoing { bytes, kind, ecn, .. } = packet;
            let parcel = Parcel::Media(number, packet);
            self.send(Packet { flow: number, at: now, bytes, kind, queued: Duration::ZERO }, ecn, parcel);
        }
        if speaks {
            let packet = Packet { flow: number, at: now, bytes: AUDIO.1, kind: Kind::Audio, queued: Duration::ZERO };
            self.send(packet, Ecn::NotEct, Parcel::Audio(number));
        }
    }

    fn send(&mut self, packet: Packet, ecn: Ecn, parcel: Parcel) {
        let way = usize::from(self.flows[packet.flow].media.is_backward);
        let fate = self.links[way].send(packet.at, DataSize::from_bytes(packet.bytes), ecn, parcel);
        if way == 0 {
            self.run.lost += u64::from(fate != Sent::Queued);
            self.run.sent.push(packet);
        }
    }
}
