//! The composition: feedback in, estimate out.

use core::time::Duration;

use rtc_core::bwe::{
    ApplicationLimits, BandwidthEstimator, Ecn, Estimate, PacketResult, PathEvent, ProbeCluster, SentPacket,
};
use rtc_core::time::Instant;
use rtc_core::{Bitrate, ConfigError};

use crate::aimd::{Aimd, Change, Signals};
use crate::arrival::Arrival;
use crate::config::GccConfig;
use crate::history::{History, Noted, Record, Resolved};
use crate::loss::{Loss, Verdict};
use crate::probe::Prober;
use crate::queue::QueueDelay;
use crate::stats::{Reason, Snapshot, State, Stats, Usage};
use crate::throughput::Throughput;
use crate::trendline::Trendline;

/// The delivered rate is taken over this (§5.5: between 0.5 and 1 s).
const RATE_WINDOW: Duration = Duration::from_millis(500);
/// Range of the response time in seconds: whatever feedback and clocks say, steps stay sane.
const RESPONSE: (f64, f64) = (0.05, 1.0);
/// Weight of a new measurement of the response time, of its parts, and of the packet size.
const GAIN: f64 = 0.1;

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
    timing: Timing,
    /// Mean size of received packets in bytes.
    packet_size: f64,
    progress: (Instant, u64),
    /// When the path counts as silent: set while packets are in flight.
    silent_at: Option<Instant>,
    marks_ignored_until: Instant,
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

/// How long the control loop takes, in seconds.
#[derive(Debug, Clone, Copy)]
struct Timing {
    feedback: Option<Instant>,
    interval: f64,
    round_trip: f64,
    window: f64,
}

/// What one feedback message brought.
#[derive(Debug, Clone, Copy)]
struct Batch {
    /// As before it.
    levels: Levels,
    newest_sent: Option<Instant>,
    marked: bool,
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
            aimd: Aimd::new(config.aimd, config.start.as_bps_f64(), min, max),
            prober: Prober::new(config.probe, config.start),
            timing: Timing {
                feedback: None,
                interval: 0.1,
                round_trip: 0.1,
                window: config.queue.window.as_secs_f64(),
            },
            packet_size: 0.0,
            progress: (Instant::ZERO, 0),
            silent_at: None,
            marks_ignored_until: Instant::ZERO,
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
        self.aimd.set_limits(min.as_bps_f64(), max.as_bps_f64());
        self.reason = Reason::Application;
        Ok(())
    }

    /// Starts over on another path, at `start` within the limits, with probing; packets in flight still count.
    pub fn route_changed(&mut self, start: Bitrate) {
        let start = start.clamp(self.config.min, self.config.max);
        let (min, max) = (self.config.min.as_bps_f64(), self.config.max.as_bps_f64());
        self.forget_clock();
        self.loss = Loss::new(self.config.loss);
        self.aimd = Aimd::new(self.config.aimd, start.as_bps_f64(), min, max);
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
            link_capacity: self.aimd.capacity().map(Bitrate::from_bps_f64),
            queue_delay: duration(self.queue.standing()),
            queue_target: duration(self.levels().target),
            drift_ppm: narrow(self.queue.drift_ppm()),
            loss: narrow(self.loss.fraction()),
            random_loss: narrow(self.loss.random()),
            response_time: duration(self.timing.response()),
        }
    }

    fn on_result(&mut self, result: &PacketResult, batch: &mut Batch) {
        self.stats.results += 1;
        let (record, known_lost) = match self.history.resolve(result) {
            Resolved::Duplicate => {
                self.stats.duplicates += 1;
                return;
            }
            Resolved::Unknown => {
                self.stats.unknown += 1;
                return;
            }
            Resolved::Lost(record) => {
                self.stats.packets_lost += 1;
                self.loss.push(record.sent, true, self.queue.recent() > batch.levels.limit);
                return;
            }
            Resolved::Received(record) => (record, false),
            Resolved::Recovered(record) => (record, true),
        };
        self.stats.packets_received += 1;
        if known_lost {
            self.stats.packets_lost -= 1;
            self.stats.recovered += 1;
            self.loss.recover();
        } else {
            self.loss.push(record.sent, false, self.queue.recent() > batch.levels.limit);
        }
        if result.ecn == Ecn::Ce {
            self.stats.congestion_marks += 1;
            batch.marked = true;
        }
        if let Some(received) = result.received {
            batch.newest_sent = batch.newest_sent.max(Some(record.sent));
            self.on_received(&record, received, batch.levels.target);
        }
    }

    fn on_received(&mut self, record: &Record, received: Instant, busy: f64) {
        if self.queue.is_clock_jump(record.sent, received, self.config.clock_jump) {
            self.stats.clock_jumps += 1;
            self.forget_clock();
        }
        let size = record.size as f64;
        self.packet_size =
            if self.packet_size > 0.0 { GAIN.mul_add(size - self.packet_size, self.packet_size) } else { size };
        self.queue.push(record.sent, received, busy);
        self.throughput.push(record.sent, received, record.delivered);
        match record.probe {
            Some(id) => self.prober.on_received(id, record.delivered, received),
            // Probes are sent above the rate on purpose: their gradient is not that of the media.
            None => {
                if let Some(variation) = self.arrival.push(record.sent, received) {
                    self.trendline.push(variation);
                }
            }
        }
        if record.sent >= self.progress.0 {
            self.progress = (record.sent, record.delivered);
        }
    }

    fn update_delay(&mut self, now: Instant, marked: bool) {
        let response = self.timing.response();
        let levels = self.levels();
        let arriving = 1.0 - self.loss.random().min(0.9);
        let marked = marked && now >= self.marks_ignored_until;
        if marked {
            self.marks_ignored_until = now + duration(response);
        }
        let recent = self.queue.recent();
        // A gradient without a queue is jitter.
        let overuse = self.trendline.usage() == Usage::Over && recent > levels.target.midpoint(levels.limit);
        let busy = self.queue.busy_since();
        let refresh = self.config.queue.refresh;
        let emptied = self.queue.emptied().max(self.refreshed);
        let signals = Signals {
            now,
            congestion: if overuse { Some(Reason::Overuse) } else { marked.then_some(Reason::Marks) },
            standing: self.queue.standing(),
            recent,
            clear: levels.clear,
            target: levels.target,
            limit: levels.limit,
            delivered: self.throughput.rate(RATE_WINDOW).map(|rate| rate / arriving),
            capacity: busy
                .and_then(|since| self.throughput.arrival_rate_since(since, RATE_WINDOW))
                .map(|rate| rate / arriving),
            response,
            progress: self.progress,
            arriving,
            stale: emptied.is_some_and(|at| self.progress.0 - at > refresh),
        };
        let change = self.aimd.update(&signals);
        match change {
            Change::None => return,
            Change::Rate(reason) => self.reason = reason,
            Change::Rebase => {
                self.queue.rebase();
                self.trendline.reset();
                self.stats.rebases += 1;
                self.reason = Reason::Rebase;
            }
        }
        match self.reason {
            Reason::Refresh => self.refreshed = Some(self.progress.0),
            Reason::Queue | Reason::Overuse | Reason::Marks => self.stats.backoffs += 1,
            _ => {}
        }
    }

    fn update_loss(&mut self, now: Instant) {
        let arrived = 1.0 - self.loss.fraction().min(0.9);
        let sending = self.throughput.rate(RATE_WINDOW).map_or(f64::INFINITY, |rate| rate / arrived);
        let rate = self.target().as_bps_f64().min(sending);
        self.reason = match self.loss.update(now, rate, self.aimd.rate()) {
            None => return,
            Some(Verdict::Testing) => Reason::LossTest,
            Some(Verdict::Congestion) => Reason::Loss,
            Some(Verdict::Random) => Reason::RandomLoss,
        };
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

    fn target(&self) -> Bitrate {
        let limit = self.loss.limit().unwrap_or(f64::INFINITY);
        Bitrate::from_bps_f64(self.aimd.rate().min(limit)).clamp(self.config.min, self.config.max)
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
        self.silent_at.get_or_insert(packet.sent + self.config.feedback_timeout);
    }

    fn on_feedback(&mut self, now: Instant, results: &[PacketResult]) {
        self.stats.feedbacks += 1;
        let mut batch = Batch { levels: self.levels(), newest_sent: None, marked: false };
        for result in results {
            self.on_result(result, &mut batch);
        }
        self.silent_at = None;
        self.timing.on_feedback(now, batch.newest_sent);
        self.update_loss(now);
        if batch.newest_sent.is_some() {
            self.update_delay(now, batch.marked);
        }
        if let Some(finding) = self.prober.finish()
            && self.aimd.on_probe(finding.rate, finding.saturated)
        {
            self.stats.probes_adopted += 1;
            self.reason = Reason::Probe;
        }
    }

    fn on_rtt(&mut self, _now: Instant, rtt: Duration) {
        self.timing.round_trip = rtt.as_secs_f64().min(RESPONSE.1);
    }

    fn set_application(&mut self, _now: Instant, limits: ApplicationLimits) {
        let max = limits.max.clamp(self.config.min, self.config.max);
        let min = limits.min.clamp(self.config.min, max);
        self.aimd.set_limits(min.as_bps_f64(), max.as_bps_f64());
    }

    fn on_path_event(&mut self, _now: Instant, event: PathEvent) {
        if let PathEvent::RouteChanged { start } = event {
            self.route_changed(start);
        }
    }

    fn estimate(&self) -> Estimate {
        let target = self.target();
        // While there is a queue, what waits in the pacer must not add to it.
        let is_busy = self.queue.standing() > self.levels().target || self.aimd.state() == State::Decrease;
        let pacing_factor = if is_busy { 1.0 } else { self.config.pacing_factor };
        Estimate::new(target).with_pacing(target * pacing_factor).with_random_loss(narrow(self.loss.random()))
    }

    fn poll_probe(&mut self, now: Instant) -> Option<ProbeCluster> {
        let probe = self.prober.poll(now, self.target().as_bps_f64(), self.config.max)?;
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

impl Timing {
    fn on_feedback(&mut self, now: Instant, newest_sent: Option<Instant>) {
        let Some(sent) = newest_sent else { return };
        if let Some(last) = self.feedback.replace(now) {
            let interval = (now - last).as_secs_f64().min(RESPONSE.1);
            self.interval += GAIN * (interval - self.interval);
        }
        let round_trip = (now - sent).as_secs_f64().min(RESPONSE.1);
        self.round_trip += GAIN * (round_trip - self.round_trip);
    }

    /// From sending to the reaction on it: the newest packet's round trip, the wait for the next feedback, and the time a queue
    /// must stand to be one.
    fn response(&self) -> f64 {
        (self.round_trip + self.interval + self.window).clamp(RESPONSE.0, RESPONSE.1)
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
