//! The composition: feedback in, estimate out.

use core::time::Duration;

use rtc_core::bwe::{
    ApplicationLimits, BandwidthEstimator, Estimate, PacketResult, PathEvent, ProbeCluster, SentPacket,
};
use rtc_core::time::Instant;
use rtc_core::{Bitrate, ConfigError, DataSize};

use crate::aimd::Aimd;
use crate::arrival::Arrival;
use crate::config::GccConfig;
use crate::history::{History, Noted};
use crate::idle::Idle;
use crate::limits::Limits;
use crate::loss::Loss;
use crate::marks::Marks;
use crate::probe::Prober;
use crate::queue::QueueDelay;
use crate::stats::{LossKind, Reason, Snapshot, State, Stats};
use crate::throughput::Throughput;
use crate::trendline::Trendline;

mod feedback;
mod stable;
mod timing;

use stable::Stable;
use timing::Timing;

/// In place of [`GccConfig::pacing_floor`] where marks are scalable: less leaves frames in the pacer, which leave together once the
/// capacity is believed to be more.
const SCALABLE_FLOOR: f64 = 1.05;
/// The delivered rate is taken over this (§5.5: between 0.5 and 1 s).
const RATE_WINDOW: Duration = Duration::from_millis(500);
/// A wish that grew by this factor is a new one.
const MORE: f64 = 1.05;
/// The window lets two full packets leave.
const MIN_WINDOW: DataSize = DataSize::from_bytes(3_000);

/// Google congestion control with an absolute queue delay: an estimator from delay and loss.
#[derive(Debug)]
pub struct Gcc {
    config: GccConfig,
    history: History,
    throughput: Throughput,
    arrival: Arrival,
    trendline: Trendline,
    queue: QueueDelay,
    loss: Loss,
    aimd: Aimd,
    prober: Prober,
    idle: Idle,
    /// The last rate outside of a decrease, in b/s.
    settled: f64,
    /// The longest queue in seconds since the decrease began that is not over.
    longest: f64,
    limits: Limits,
    /// What the application can use, in b/s.
    desired: f64,
    stable: Stable,
    /// Until when to fill up with padding, so that what a probe found is proven.
    padding_until: Option<Instant>,
    marks: Marks,
    timing: Timing,
    /// Mean size of received packets in bytes.
    packet_size: f64,
    progress: (Instant, u64),
    /// When the path counts as silent: set while packets are in flight.
    silent_at: Option<Instant>,
    /// When a packet left last while the queue was being emptied on purpose.
    refreshed: Option<Instant>,
    reason: Reason,
    stats: Stats,
}

/// What queue delays mean, in seconds.
#[derive(Debug, Clone, Copy)]
struct Levels {
    clear: f64,
    target: f64,
    limit: f64,
}

/// What one feedback message brought.
#[derive(Debug, Clone, Copy)]
struct Batch {
    /// As before it.
    levels: Levels,
    newest_sent: Option<Instant>,
    /// Packets were lost while there was a queue.
    overflowed: bool,
}

impl Gcc {
    /// An estimator for one path.
    ///
    /// # Errors
    /// [`ConfigError`] for settings out of their range.
    pub fn new(config: GccConfig) -> Result<Self, ConfigError> {
        config.validate()?;
        let (min, max) = (config.min.as_bps_f64(), config.max.as_bps_f64());
        Ok(Self {
            history: History::new(config.history),
            throughput: Throughput::new(),
            arrival: Arrival::new(config.trendline.burst),
            trendline: Trendline::new(config.trendline),
            queue: QueueDelay::new(config.queue),
            loss: Loss::new(config.loss),
            aimd: Aimd::new(config.aimd, config.compete, config.start.as_bps_f64(), min, max),
            prober: Prober::new(config.probe, config.start),
            idle: Idle::new(),
            settled: config.start.as_bps_f64(),
            longest: 0.0,
            limits: Limits::new(config.min, config.max),
            desired: max,
            stable: Stable::new(config.start.as_bps_f64()),
            padding_until: None,
            marks: Marks::new(config.marks),
            timing: Timing::new(config.queue.window.as_secs_f64()),
            packet_size: 0.0,
            progress: (Instant::ZERO, 0),
            silent_at: None,
            refreshed: None,
            reason: Reason::Start,
            stats: Stats::default(),
            config,
        })
    }

    /// Changes the range of the target.
    ///
    /// # Errors
    /// [`ConfigError`] if it is empty or begins at zero; nothing is changed then.
    pub fn set_limits(&mut self, min: Bitrate, max: Bitrate) -> Result<(), ConfigError> {
        let start = self.config.start.clamp(min.min(max), max);
        let config = GccConfig { min, max, start, ..self.config };
        config.validate()?;
        self.config = config;
        self.limits = Limits::new(min, max);
        self.desired = max.as_bps_f64();
        self.aimd.set_limits(min.as_bps_f64(), max.as_bps_f64());
        self.reason = Reason::Application;
        Ok(())
    }

    /// Starts over on another path, at `start` within the limits, with probing; packets in flight still count.
    pub fn route_changed(&mut self, start: Bitrate) {
        let start = start.clamp(self.limits.min(), self.limits.max());
        let (min, max) = (self.limits.min().as_bps_f64(), self.limits.useful().as_bps_f64());
        self.forget_clock();
        self.loss = Loss::new(self.config.loss);
        self.marks.reset();
        (self.settled, self.longest) = (start.as_bps_f64(), 0.0);
        self.stable = Stable::new(start.as_bps_f64());
        self.aimd = Aimd::new(self.config.aimd, self.config.compete, start.as_bps_f64(), min, max);
        self.prober.restart(start);
        self.reason = Reason::Application;
    }

    /// Counters since construction.
    #[must_use]
    pub const fn stats(&self) -> Stats {
        self.stats
    }

    /// What is believed now, and why.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        Snapshot {
            target: self.target(),
            delay_limit: Bitrate::from_bps_f64(self.aimd.rate()),
            loss_limit: self.loss.limit().map(Bitrate::from_bps_f64),
            state: self.aimd.state(),
            usage: self.trendline.usage(),
            reason: self.reason,
            delivered: self.throughput.rate(RATE_WINDOW).map(Bitrate::from_bps_f64),
            loss_kind: self.loss_kind(),
            is_idle: self.is_idle(),
            marked: narrow(self.marks.alpha()),
            link_capacity: self.aimd.capacity().map(Bitrate::from_bps_f64),
            queue_delay: duration(self.queue.standing()),
            queue_target: duration(self.levels().target),
            drift_ppm: narrow(self.queue.drift_ppm()),
            loss: narrow(self.loss.fraction()),
            random_loss: narrow(self.loss.random()),
            response_time: duration(self.timing.response()),
        }
    }

    fn is_idle(&self) -> bool {
        self.idle.is_idle(self.target().as_bps_f64())
    }

    fn loss_kind(&self) -> LossKind {
        match (self.loss.limit(), self.loss.fraction() > 0.0) {
            (Some(_), _) if self.loss.is_testing() => LossKind::Unknown,
            (Some(_), _) => LossKind::Congestion,
            (None, false) => LossKind::None,
            (None, true) if self.loss.random() > 0.0 => LossKind::Random,
            (None, true) => LossKind::Congestion,
        }
    }

    fn forget_clock(&mut self) {
        self.queue.reset();
        self.arrival.reset();
        self.trendline.reset();
        self.throughput.reset();
    }

    /// Less than the noise and the time of a packet, which a base delay taken from small packets lacks, cannot be told from an
    /// empty queue.
    fn levels(&self) -> Levels {
        let rate = self.aimd.rate().max(self.aimd.capacity().unwrap_or(0.0));
        let unseen = self.queue.noise() + 8.0 * self.packet_size / rate;
        let target = unseen + self.config.queue.target.as_secs_f64();
        let limit = target + self.config.queue.margin.as_secs_f64();
        Levels { clear: unseen.midpoint(target), target, limit }
    }

    /// While there is a queue, what waits in the pacer must not add to it; nor need bursts make one.
    fn pacing(&self, target: Bitrate) -> Bitrate {
        let is_busy = self.queue.standing() > self.levels().target || self.aimd.state() == State::Decrease;
        if is_busy {
            return target;
        }
        let known = self.aimd.capacity().map_or(Bitrate::MAX, Bitrate::from_bps_f64);
        // Where a queue is marked before it is felt, the capacity is not known so well.
        let floor = if self.marks.has_scalable() { SCALABLE_FLOOR } else { self.config.pacing_floor };
        (target * self.config.pacing_factor).min(known.max(target * floor))
    }

    /// What may be in flight: as much as when all goes well, and a queue that is still borne.
    fn window(&self) -> DataSize {
        let time = self.timing.flight() + self.levels().limit;
        self.limited(self.settled.max(self.aimd.rate())).size_in(duration(time)).max(MIN_WINDOW)
    }

    fn target(&self) -> Bitrate {
        self.limited(self.aimd.rate())
    }

    /// A rate within the limits of loss, application and configuration.
    fn limited(&self, rate: f64) -> Bitrate {
        self.limits.clamp(rate.min(self.loss.limit().unwrap_or(f64::INFINITY)))
    }
}

impl BandwidthEstimator for Gcc {
    fn on_sent(&mut self, packet: SentPacket) {
        let Noted::Accepted { bytes, expired } = self.history.note(packet) else {
            self.stats.packets_misnumbered += 1;
            return;
        };
        self.stats.packets_expired += u64::from(expired);
        self.stats.packets_sent += 1;
        self.prober.on_sent(&packet, bytes);
        self.idle.on_sent(packet.sent, packet.size.as_bits() as f64, self.target().as_bps_f64());
        self.silent_at.get_or_insert(packet.sent + self.config.feedback_timeout);
    }

    fn on_feedback(&mut self, now: Instant, results: &[PacketResult]) {
        self.stats.feedbacks += 1;
        let mut batch = Batch { levels: self.levels(), newest_sent: None, overflowed: false };
        for result in results {
            self.on_result(result, &mut batch);
        }
        self.silent_at = None;
        self.timing.on_feedback(now, batch.newest_sent);
        self.update_loss(now);
        if batch.newest_sent.is_some() {
            self.update_delay(now, &batch);
            self.stable.update(now, self.settled);
        }
        if let Some(finding) = self.prober.finish(now) {
            self.on_finding(now, &finding);
        }
        self.plan_probe(now);
        self.padding_until = self.padding_until.filter(|until| now < *until);
    }

    fn on_rtt(&mut self, _now: Instant, rtt: Duration) {
        self.timing.on_rtt(rtt.as_secs_f64());
    }

    fn set_application(&mut self, _now: Instant, limits: ApplicationLimits) {
        self.limits.set_application(&limits);
        let (min, max) = (self.limits.min(), self.limits.useful());
        self.aimd.set_limits(min.as_bps_f64(), max.as_bps_f64());
        self.idle.set_produced(limits.produced.map(Bitrate::as_bps_f64));
        let desired = limits.desired.clamp(min, max).as_bps_f64();
        // A wish that wavers is not probed for each time.
        if desired > MORE * self.desired {
            self.prober.on_desire(desired);
        }
        self.desired = desired;
        self.reason = Reason::Application;
    }

    fn on_path_event(&mut self, _now: Instant, event: PathEvent) {
        match event {
            PathEvent::RouteChanged { start } => self.route_changed(start),
            PathEvent::RemoteLimit(limit) => self.limits.set_remote(limit),
            // What packets became of is known better from their own results.
            _ => {}
        }
    }

    fn estimate(&self) -> Estimate {
        let target = self.target();
        let padding = if self.padding_until.is_some() { self.limited(self.desired).min(target) } else { Bitrate::ZERO };
        let estimate = Estimate::new(target)
            .with_stable(self.limited(self.stable.rate()))
            .with_pacing(self.pacing(target))
            .with_padding(padding)
            .with_random_loss(narrow(self.loss.random()));
        if self.config.window { estimate.with_window(self.window()) } else { estimate }
    }

    fn poll_probe(&mut self, now: Instant) -> Option<ProbeCluster> {
        let probe = self.prober.poll(now, self.target().as_bps_f64(), self.limits.max())?;
        self.stats.probes += 1;
        Some(probe)
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.silent_at
    }

    fn handle_timeout(&mut self, now: Instant) {
        if self.silent_at.is_none_or(|at| now < at) {
            return;
        }
        self.silent_at = Some(now + self.config.feedback_timeout / 2);
        self.aimd.on_silence(self.config.timeout_factor);
        self.stats.feedback_timeouts += 1;
        self.reason = Reason::FeedbackTimeout;
    }
}

fn duration(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds).unwrap_or(Duration::ZERO)
}

#[expect(clippy::cast_possible_truncation, reason = "a report needs no more")]
const fn narrow(value: f64) -> f32 {
    value as f32
}

#[cfg(test)]
mod tests;
