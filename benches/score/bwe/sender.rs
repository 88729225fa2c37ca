//! A media sender around an estimator: an encoder that follows the target, a pacer, probes, and the record of what was sent.

use core::time::Duration;
use std::collections::VecDeque;

use rtc_core::bwe::{ApplicationLimits, BandwidthEstimator, Ecn, PacketResult, ProbeCluster, SentPacket};
use rtc_core::pacing::{Pacer, Priority};
use rtc_core::testkit::rng::Rng;
use rtc_core::time::{Instant, earliest};
use rtc_core::{Bitrate, DataSize};
use rtc_transport::pacer::{LeakyBucketPacer, PacerConfig};

use super::receiver::Feedback;
use super::scenarios::{Media, Scenario};
use crate::subject::Limits;

const FRAME: Duration = Duration::from_nanos(33_333_333);
/// Standard deviation of frame sizes, as a fraction.
const NOISE: f64 = 0.1;
/// Bytes of the largest packet on the wire, and of the smallest probe packet.
const PACKET: u64 = 1_200;
const SMALL: u64 = 200;
/// As often as RTCP reports carry a round-trip time.
const RTT_INTERVAL: Duration = Duration::from_secs(1);
/// How often the estimator is told what the encoder produces.
const APPLICATION_INTERVAL: Duration = Duration::from_millis(500);
/// What was sent so long ago and is not reported is no longer in flight.
const FORGOTTEN: Duration = Duration::from_secs(1);
/// How far what was sent too much counts against padding.
const FILL_SPAN: f64 = 0.1;
/// An estimator that asks to be called at once, again and again, is called this often.
const PATIENCE: Duration = Duration::from_micros(100);

/// A call of the estimator, to be made again when its cost is measured.
#[derive(Debug, Clone)]
pub(crate) enum Call {
    Sent(SentPacket),
    Feedback(Instant, Vec<PacketResult>),
    Rtt(Instant, Duration),
    Application(Instant, ApplicationLimits),
    Timeout(Instant),
}

/// What a packet carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Video,
    /// Not from here: it goes beside.
    Audio,
    Padding,
}

/// A packet that leaves.
#[derive(Debug, Clone, Copy)]
pub(super) struct Outgoing {
    pub(super) id: u64,
    pub(super) bytes: u64,
    pub(super) kind: Kind,
    /// The codepoint it leaves with, and once it arrived, the one it arrived with.
    pub(super) ecn: Ecn,
}

pub(super) struct Sender {
    estimator: Box<dyn BandwidthEstimator>,
    limits: Limits,
    ecn: Ecn,
    calls: Vec<Call>,
    pacer: LeakyBucketPacer<u64>,
    probe: Option<Probe>,
    rng: Rng,
    on: [Option<Instant>; 3],
    next_frame: Instant,
    /// What the encoder was told and does not follow yet, oldest first.
    told: VecDeque<Bitrate>,
    next_rtt: Instant,
    next_application: Instant,
    /// Bytes encoded since the estimator was told of them.
    produced: u64,
    called: Instant,
    flight: Flight,
    filler: Filler,
    next_id: u64,
    /// Sent and not resolved for good, in order of `id`, without gaps.
    sent: VecDeque<SentPacket>,
}

/// A probe under way.
#[derive(Debug)]
struct Probe {
    cluster: ProbeCluster,
    bytes: u64,
    packets: u32,
    next: Instant,
}

impl Sender {
    pub(super) fn new(
        estimator: Box<dyn BandwidthEstimator>,
        ecn: Ecn,
        scenario: &Scenario,
        media: &Media,
        rng: Rng,
    ) -> Self {
        let at = |seconds: u64| Instant::from_millis(1_000 * seconds);
        let start = at(media.start);
        let mut config = PacerConfig::default();
        (config.rate, config.burst) = (estimator.estimate().pacing, Duration::from_millis(scenario.burst_ms));
        let limits = scenario.limits();
        Self {
            estimator,
            limits,
            ecn,
            calls: Vec::new(),
            pacer: LeakyBucketPacer::new(config).expect("rate and burst may be anything"),
            probe: None,
            rng,
            on: [Some(start), media.pause.map(|(from, _)| at(from)), media.pause.map(|(_, to)| at(to))],
            next_frame: start,
            told: VecDeque::from(vec![limits.start; scenario.lag_frames]),
            next_rtt: start,
            next_application: start,
            produced: 0,
            called: Instant::ZERO,
            flight: Flight::default(),
            filler: Filler::default(),
            next_id: 0,
            sent: VecDeque::new(),
        }
    }

    /// All that leaves at `now`.
    pub(super) fn run(&mut self, now: Instant, out: &mut Vec<Outgoing>) {
        if self.estimator.poll_timeout().is_some_and(|at| at <= now) {
            self.estimator.handle_timeout(now);
            self.calls.push(Call::Timeout(now));
            self.called = now;
        }
        let is_on = self.is_on(now);
        if self.next_application <= now {
            self.tell_application(now, is_on);
        }
        while self.next_frame <= now {
            if is_on {
                self.encode();
            }
            self.next_frame += FRAME;
        }
        if !is_on {
            self.probe = None;
            return;
        }
        if self.probe.is_none()
            && let Some(cluster) = self.estimator.poll_probe(now)
        {
            self.probe = Some(Probe { cluster, bytes: 0, packets: 0, next: now });
        }
        self.set_pace(now);
        match self.probe.take() {
            Some(probe) => self.send_probe(now, probe, out),
            None => {
                while self.has_window(now)
                    && let Some(bytes) = self.pacer.poll(now)
                {
                    out.push(self.send(now, bytes, None));
                }
                self.fill(now, out);
            }
        }
    }

    pub(super) fn on_feedback(&mut self, now: Instant, feedback: &Feedback) {
        let mut results = Vec::with_capacity(feedback.packets.len());
        let first = self.sent.front().map_or(self.next_id, |packet| packet.id);
        for (id, received) in &feedback.packets {
            let place = id.checked_sub(first).and_then(|place| usize::try_from(place).ok());
            let Some(packet) = place.and_then(|place| self.sent.get(place)) else { continue };
            let (received, ecn) = received.map_or((None, Ecn::NotEct), |(at, ecn)| (Some(at), ecn));
            results.push(PacketResult { packet: *packet, received, ecn });
        }
        if let Some((newest, _)) = feedback.packets.last() {
            self.flight.land(*newest);
        }
        if let Some(newest) = results.iter().rfind(|result| result.received.is_some())
            && now >= self.next_rtt
        {
            self.next_rtt = now + RTT_INTERVAL;
            let rtt = (now - newest.packet.sent).saturating_sub(feedback.hold);
            self.estimator.on_rtt(now, rtt);
            self.calls.push(Call::Rtt(now, rtt));
        }
        self.estimator.on_feedback(now, &results);
        self.calls.push(Call::Feedback(now, results));
        // What is reported lost may still be reported received; a second later nothing is late any more.
        let old = now - Duration::from_secs(5);
        while self.sent.front().is_some_and(|packet| packet.sent < old) {
            self.sent.pop_front();
        }
    }

    /// When something is to be done next, after [`run`](Self::run) at `now`.
    pub(super) fn poll_timeout(&self, now: Instant) -> Option<Instant> {
        let estimator = self.estimator.poll_timeout().map(|at| at.max(self.called + PATIENCE));
        let release = match &self.probe {
            Some(probe) => Some(probe.next),
            // A full window opens with feedback, or with time.
            None if self.is_on(now) && !self.has_window(now) => self.flight.poll_timeout(),
            None if self.is_on(now) => earliest([self.pacer.poll_timeout(), self.filler.poll_timeout()]),
            None => None,
        };
        let release = release.map(|at| at.max(now + PATIENCE));
        earliest([estimator, Some(self.next_frame), Some(self.next_application), release])
    }

    pub(super) fn target(&self) -> Bitrate {
        self.estimator.estimate().target
    }

    /// All calls of the estimator so far.
    pub(super) fn into_calls(self) -> Vec<Call> {
        self.calls
    }

    pub(super) fn is_on(&self, now: Instant) -> bool {
        let [start, pause, resume] = self.on.map(|at| at.is_some_and(|at| at <= now));
        start && (!pause || resume)
    }

    fn encode(&mut self) {
        self.told.push_back(self.target());
        let Some(rate) = self.told.pop_front() else { return };
        let mean = rate.size_in(FRAME).as_bytes() as f64;
        let size = mean * (1.0 + NOISE * self.rng.normal()).clamp(0.5, 1.5);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the size of a frame")]
        let size = (size as u64).max(SMALL);
        self.produced += size;
        let packets = size.div_ceil(PACKET);
        for packet in 0..packets {
            let bytes = size * (packet + 1) / packets - size * packet / packets;
            // A full pacer drops media, as an encoder would drop frames; the estimator is asked to send less, not more.
            let _ = self.pacer.enqueue(self.next_frame, Priority::Video, DataSize::from_bytes(bytes), bytes);
        }
    }

    /// Tells the estimator what the encoder made, and, in a pause, that it wants nothing.
    fn tell_application(&mut self, now: Instant, is_on: bool) {
        let produced = DataSize::from_bytes(core::mem::take(&mut self.produced)).per(APPLICATION_INTERVAL);
        let limits = ApplicationLimits::new(self.limits.min, self.limits.max);
        let limits = if is_on { limits } else { limits.with_desired(Bitrate::ZERO) };
        // Of the first interval there is nothing to tell.
        let limits = if self.next_id == 0 { limits } else { limits.with_produced(produced) };
        self.estimator.set_application(now, limits);
        self.calls.push(Call::Application(now, limits));
        self.next_application = now + APPLICATION_INTERVAL;
    }

    fn has_window(&self, now: Instant) -> bool {
        let window = self.estimator.estimate().window;
        window.is_none_or(|window| self.flight.bytes(now) < window.as_bytes())
    }

    /// Padding up to the rate the estimator asks for, where there is no media to send.
    fn fill(&mut self, now: Instant, out: &mut Vec<Outgoing>) {
        let rate = self.estimator.estimate().padding;
        while self.pacer.is_empty() && self.has_window(now) && self.filler.has_room(now, rate) {
            let packet = self.send(now, PACKET, None);
            out.push(Outgoing { kind: Kind::Padding, ..packet });
        }
    }

    fn set_pace(&mut self, now: Instant) {
        let pacing = self.estimator.estimate().pacing;
        self.pacer.set_rate(now, self.probe.as_ref().map_or(pacing, |probe| pacing.max(probe.cluster.rate)));
    }

    /// Media first, then padding, at the rate of the probe.
    fn send_probe(&mut self, now: Instant, mut probe: Probe, out: &mut Vec<Outgoing>) {
        let cluster = probe.cluster;
        let padding = (cluster.size.as_bytes() / u64::from(cluster.packets.max(1))).clamp(SMALL, PACKET);
        while probe.next <= now {
            if probe.bytes >= cluster.size.as_bytes() && probe.packets >= cluster.packets {
                self.set_pace(now);
                return;
            }
            let media = self.pacer.poll(now);
            let bytes = media.unwrap_or(padding);
            let packet = self.send(now, bytes, Some(&cluster));
            let kind = if media.is_none() { Kind::Padding } else { Kind::Video };
            out.push(Outgoing { kind, ..packet });
            probe.bytes += bytes;
            probe.packets += 1;
            probe.next += cluster.rate.time_for(DataSize::from_bytes(bytes)).min(Duration::from_millis(100));
        }
        self.probe = Some(probe);
    }

    fn send(&mut self, now: Instant, bytes: u64, probe: Option<&ProbeCluster>) -> Outgoing {
        let packet = SentPacket {
            id: self.next_id,
            sent: now,
            size: DataSize::from_bytes(bytes),
            probe: probe.map(|cluster| cluster.id),
        };
        self.next_id += 1;
        self.sent.push_back(packet);
        self.estimator.on_sent(packet);
        self.calls.push(Call::Sent(packet));
        self.flight.take_off(packet);
        self.filler.spend(bytes);
        Outgoing { id: packet.id, bytes, kind: Kind::Video, ecn: self.ecn }
    }
}

/// What was sent and is not known to be at its end yet.
#[derive(Debug, Default)]
struct Flight(VecDeque<SentPacket>);

impl Flight {
    fn take_off(&mut self, packet: SentPacket) {
        while self.0.front().is_some_and(|first| first.sent + FORGOTTEN <= packet.sent) {
            self.0.pop_front();
        }
        self.0.push_back(packet);
    }

    /// Everything up to the newest that is reported is there, or lost.
    fn land(&mut self, newest: u64) {
        while self.0.front().is_some_and(|first| first.id <= newest) {
            self.0.pop_front();
        }
    }

    fn bytes(&self, now: Instant) -> u64 {
        let recent = self.0.iter().rev().take_while(|packet| packet.sent + FORGOTTEN > now);
        recent.map(|packet| packet.size.as_bytes()).sum()
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.0.front().map(|first| first.sent + FORGOTTEN)
    }
}

/// How much padding may be sent: the rate asked for, less all that leaves.
#[derive(Debug, Default)]
struct Filler {
    /// In bytes.
    budget: f64,
    rate: Bitrate,
    at: Instant,
}

impl Filler {
    /// Whether a packet of padding fits at `now` at `rate`.
    fn has_room(&mut self, now: Instant, rate: Bitrate) -> bool {
        let rate_bytes = rate.as_bps_f64() / 8.0;
        let earned = rate_bytes * now.saturating_since(self.at).as_secs_f64();
        self.budget = (self.budget + earned).clamp(-FILL_SPAN * rate_bytes, PACKET as f64);
        (self.rate, self.at) = (rate, now);
        rate > Bitrate::ZERO && self.budget >= PACKET as f64
    }

    fn spend(&mut self, bytes: u64) {
        self.budget -= bytes as f64;
    }

    fn poll_timeout(&self) -> Option<Instant> {
        let missing = (PACKET as f64 - self.budget).max(0.0) * 8.0;
        (self.rate > Bitrate::ZERO).then(|| self.at + Duration::from_secs_f64(missing / self.rate.as_bps_f64()))
    }
}
