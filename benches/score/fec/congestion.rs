//! Protection where the loss is congestion: a full queue at a bottleneck, and an estimator that is to find its rate.

use core::time::Duration;
use std::collections::VecDeque;

use indicatif::ProgressBar;
use rtc_bwe::{Gcc, GccConfig};
use rtc_core::bwe::{BandwidthEstimator, Ecn, PacketResult, SentPacket};
use rtc_core::testkit::metrics::median;
use rtc_core::testkit::netem::{Link, Netem, NetemConfig, QueueLimit};
use rtc_core::time::{Instant, earliest};
use rtc_core::{Bitrate, ConfigError, DataSize, SeqNum};
use rtc_fec::controller::{Conditions, CongestionMemory, VideoConfig, plan_video};
use rtc_fec::loss::{LossConfig, LossEstimator};
use rtc_fec::repair::{Carried, RepairScheduler};

use super::scenarios::{CONGESTION, Congestion, DEADLINE_MS, SECONDS, video_repair};
use crate::Options;
use crate::report::{Metric, Report, Setting, Target};

const PACKET: u64 = 1_200;
const FEEDBACK: Duration = Duration::from_millis(50);
const WAY: Duration = Duration::from_millis(20);
/// Packets of others.
const OTHERS: u64 = u64::MAX;
const GOODPUT: Metric = Metric("goodput", "kb/s in time");
const GAIN: Metric = Metric("goodput, of that without protection", "%");
const SPENT: Metric = Metric("repair", "% of media packets");

/// Measures all rows that are asked for.
pub(super) fn run(options: &Options, bar: &ProgressBar, report: &mut Report) {
    for case in CONGESTION.iter().filter(|case| options.wants_scenario(case.name)) {
        if let Err(error) = add(case, options, report) {
            bar.suspend(|| eprintln!("{}: {error}", case.name));
        }
    }
}

fn add(case: &Congestion, options: &Options, report: &mut Report) -> Result<(), ConfigError> {
    let input = format!(
        "video at the rate of Gcc, {SECONDS} s, a bottleneck of {} kb/s with {} ms of drop-tail queue, bursts of {} kb/s from others each 5 s, round trip 40 ms, deadline {DEADLINE_MS} ms",
        case.kbps, case.queue_ms, case.cross_kbps
    );
    let setting = Setting { scenario: case.name.into(), input, seeds: options.seeds };
    let (mut off, mut on, mut gain, mut spent) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for seed in 0..options.seeds {
        let [without, with] = [false, true].map(|protected| Call::new(case, seed, protected).map(Call::run));
        let (without, with) = (without?, with?);
        off.push(without.0 / 1e3);
        on.push(with.0 / 1e3);
        gain.push(100.0 * with.0 / without.0);
        spent.push(100.0 * with.1);
    }
    report.add(&setting, "ours", GOODPUT, median(&mut on));
    report.add_targeted(&setting, GAIN, median(&mut gain), Target::AtLeast(100.0));
    report.add(&setting, "ours", SPENT, median(&mut spent));
    report.add(&setting, "without protection", GOODPUT, median(&mut off));
    Ok(())
}

struct Call {
    forward: Netem<(u64, SeqNum)>,
    /// Feedback: what had arrived when it left.
    backward: VecDeque<(Instant, Vec<(u64, Instant)>)>,
    arrived: Vec<(u64, Instant)>,
    gcc: Gcc,
    estimator: LossEstimator,
    congestion: CongestionMemory,
    scheduler: Option<RepairScheduler>,
    sent: VecDeque<SentPacket>,
    results: Vec<PacketResult>,
    media: Bitrate,
    cross: Bitrate,
    /// When each packet of media was sent, and whether it came in time.
    packets: Vec<(Instant, bool)>,
    next_id: u64,
}

impl Call {
    fn new(case: &Congestion, seed: u64, protected: bool) -> Result<Self, ConfigError> {
        let mut config = NetemConfig::default();
        config.link = Link::Rate(Bitrate::from_kbps(case.kbps));
        config.queue = QueueLimit::Time(Duration::from_millis(case.queue_ms));
        config.delay = WAY;
        let mut gcc = GccConfig::default();
        // Seeds differ in where the estimator begins.
        gcc.start = Bitrate::from_kbps(400 + 150 * seed);
        gcc.max = Bitrate::from_kbps(5_000);
        let (media, gcc) = (gcc.start, Gcc::new(gcc)?);
        let mut loss = LossConfig::default();
        // Nothing is known of the path yet, and nothing is spent on it.
        (loss.rtt, loss.assumed) = (2 * WAY, 0.0);
        Ok(Self {
            forward: Netem::new(config, seed)?,
            backward: VecDeque::new(),
            arrived: Vec::new(),
            gcc,
            estimator: LossEstimator::new(loss)?,
            congestion: CongestionMemory::default(),
            scheduler: protected.then(|| RepairScheduler::new(video_repair())).transpose()?,
            sent: VecDeque::new(),
            results: Vec::new(),
            media,
            cross: Bitrate::from_kbps(case.cross_kbps),
            packets: Vec::new(),
            next_id: 0,
        })
    }

    /// Goodput in bit/s, and repair packets per packet of media.
    fn run(mut self) -> (f64, f64) {
        let end = Instant::ZERO + Duration::from_secs(SECONDS);
        let (mut now, mut next_packet, mut next_feedback) = (Instant::ZERO, Instant::ZERO, Instant::ZERO);
        let mut next_cross = Instant::ZERO;
        while now < end {
            while let Some(delivery) = self.forward.poll(now) {
                self.receive(now, delivery.item);
            }
            if next_feedback <= now {
                next_feedback = now + FEEDBACK;
                self.backward.push_back((now + WAY, core::mem::take(&mut self.arrived)));
            }
            while self.backward.front().is_some_and(|(at, _)| *at <= now) {
                let (_, arrived) = self.backward.pop_front().unwrap_or_default();
                self.on_feedback(now, &arrived);
            }
            self.gcc.handle_timeout(now);
            if next_packet <= now {
                next_packet = now + self.media.time_for(DataSize::from_bytes(PACKET + 28));
                self.send_media(now);
            }
            if next_cross <= now {
                next_cross = now + self.cross(now);
            }
            while let Some(carried) = self.scheduler.as_mut().and_then(|scheduler| scheduler.poll(now)) {
                self.send(now, carried);
            }
            let back = self.backward.front().map(|(at, _)| *at);
            let events =
                [Some(next_packet), Some(next_feedback), back, self.forward.poll_timeout(), self.gcc.poll_timeout()];
            now = earliest(events).map_or(end, |at| at.max(now + Duration::from_nanos(1)));
        }
        let good = self.packets.iter().filter(|(_, in_time)| *in_time).count() as f64;
        let repair = self.scheduler.map_or(0, |scheduler| scheduler.stats().copies + scheduler.stats().coded);
        ((8 * PACKET) as f64 * good / SECONDS as f64, repair as f64 / self.packets.len().max(1) as f64)
    }

    /// A burst of others' packets for a second out of five; says when the next comes.
    fn cross(&mut self, now: Instant) -> Duration {
        let second = now.as_nanos() / 1_000_000_000;
        if self.cross == Bitrate::ZERO || second % 5 != 4 {
            return Duration::from_millis(100);
        }
        self.forward.send(now, DataSize::from_bytes(PACKET), Ecn::NotEct, (OTHERS, SeqNum(0)));
        self.cross.time_for(DataSize::from_bytes(PACKET + 28))
    }

    fn send_media(&mut self, now: Instant) {
        #[expect(clippy::cast_possible_truncation, reason = "sequence numbers wrap")]
        let seq = SeqNum(self.packets.len() as u16);
        self.packets.push((now, false));
        if let Some(scheduler) = &mut self.scheduler {
            scheduler.on_media(now, seq, now + Duration::from_millis(DEADLINE_MS));
        }
        self.send(now, Carried::Media(seq));
    }

    /// Repair is copies alone here: what matters is what they take from media.
    fn send(&mut self, now: Instant, carried: Carried) {
        let seq = match carried {
            Carried::Media(seq) | Carried::Copy(seq) => seq,
            Carried::Coded { last, .. } => last,
        };
        let size = DataSize::from_bytes(PACKET + 28);
        let packet = SentPacket { id: self.next_id, sent: now, size, probe: None };
        self.next_id += 1;
        self.sent.push_back(packet);
        self.gcc.on_sent(packet);
        if let Some(scheduler) = &mut self.scheduler {
            scheduler.on_sent(now, packet.id, carried);
        }
        self.forward.send(now, DataSize::from_bytes(PACKET), Ecn::NotEct, (packet.id, seq));
    }

    fn receive(&mut self, now: Instant, (id, seq): (u64, SeqNum)) {
        if id == OTHERS {
            return;
        }
        self.arrived.push((id, now));
        let newest = self.packets.len() - 1;
        #[expect(clippy::cast_possible_truncation, reason = "sequence numbers wrap")]
        let back = usize::from((newest as u16).wrapping_sub(seq.0));
        if let Some(packet) = newest.checked_sub(back).and_then(|number| self.packets.get_mut(number)) {
            packet.1 |= now - packet.0 <= Duration::from_millis(DEADLINE_MS);
        }
    }

    fn on_feedback(&mut self, now: Instant, arrived: &[(u64, Instant)]) {
        self.results.clear();
        for (id, at) in arrived {
            // The path keeps order: what was sent before and did not come is lost.
            while let Some(packet) = self.sent.front().copied().filter(|packet| packet.id <= *id) {
                self.sent.pop_front();
                let received = (packet.id == *id).then_some(*at);
                self.results.push(PacketResult { packet, received, ecn: Ecn::NotEct });
            }
        }
        if let Some(newest) = self.results.last() {
            let rtt = now - newest.packet.sent;
            self.gcc.on_rtt(now, rtt);
            self.estimator.on_rtt(rtt);
        }
        self.gcc.on_feedback(now, &self.results);
        self.estimator.on_feedback(now, &self.results);
        let estimate = self.gcc.estimate();
        let Some(scheduler) = &mut self.scheduler else {
            self.media = estimate.target;
            return;
        };
        let path = self.estimator.model();
        let mut conditions = Conditions::new(path, estimate.target);
        if self.congestion.observe(now, self.gcc.snapshot().queue_delay) {
            conditions = conditions.congested(f64::from(estimate.random_loss));
        }
        let mut config = VideoConfig::default();
        (config.residuals, config.frame_packets) = (vec![0.01], 4);
        let plan = plan_video(&conditions, &config, &[1.0]);
        self.media = plan.media;
        scheduler.set_path(path);
        scheduler.set_budget(Some(plan.layers.first().map_or(0.0, |layer| layer.overhead)));
        scheduler.on_feedback(now, &self.results);
    }
}
