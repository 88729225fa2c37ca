//! Self-clocked rate adaptation for multimedia, version 2 (RFC 8298 and draft-ietf-ccwg-rfc8298bis-screamv2).
//!
//! A reference window says how much may be in flight; loss, marks and the queue delay move it, and the target is the window in
//! a round trip.

use core::time::Duration;

use rtc_core::bwe::{ApplicationLimits, BandwidthEstimator, Ecn, Estimate, PacketResult, PathEvent, SentPacket};
use rtc_core::time::Instant;
use rtc_core::{Bitrate, ConfigError, DataSize};

use crate::delay::BaseDelay;
use crate::ledger::{Fate, Ledger, PacketStats};
use crate::limits::Limits;

mod config;
mod target;
mod window;

pub use config::ScreamConfig;

use target::QueueTarget;
use window::{Signs, Window};

/// The mark filter is made for observations this far apart...
const MARK_INTERVAL: f64 = 0.01;
/// ... and one that stands for more of them counts as so many.
const MAX_MARK_STEPS: f64 = 10.0;
/// Round trips stay in this range, in seconds, whatever clocks say.
const ROUND_TRIP: (f64, f64) = (0.001, 10.0);
/// Where bytes in flight begin to lower the target, as a share of the window, and how much at most
/// (`BYTES_IN_FLIGHT_LIMIT`, `BYTES_IN_FLIGHT_LIMIT_COMPENSATION`).
const FLIGHT_LIMIT: f64 = 0.9;
const FLIGHT_COMPENSATION: f64 = 1.5;
/// Bursts leave no slower than this (`RATE_PACE_MIN`).
const MIN_PACING: Bitrate = Bitrate::from_kbps(50);

/// An estimator after SCReAM version 2.
///
/// ```
/// use rtc_bwe::{Scream, ScreamConfig};
/// use rtc_core::Bitrate;
/// use rtc_core::bwe::BandwidthEstimator;
///
/// let mut config = ScreamConfig::default();
/// config.max = Bitrate::from_kbps(2_500);
/// let scream = Scream::new(config)?;
/// assert_eq!(scream.estimate().target, Bitrate::from_kbps(300));
/// # Ok::<(), rtc_core::ConfigError>(())
/// ```
#[derive(Debug)]
pub struct Scream {
    config: ScreamConfig,
    limits: Limits,
    ledger: Ledger,
    base: BaseDelay,
    window: Window,
    queue_target: QueueTarget,
    marks: Marks,
    flight: Flight,
    /// Queue delay of the last feedback message, and filtered, in seconds.
    queue: f64,
    queue_average: f64,
    averaged: Option<Instant>,
    round_trip: Option<f64>,
    /// When the current round trip began, and whether a packet was lost in it.
    round: Option<(Instant, bool)>,
    /// In b/s.
    target: f64,
    /// Bytes in flight given up on as feedback stayed out: they must not keep the window closed for ever.
    given_up: u64,
}

/// Share of marked packets (`l4s_alpha`).
#[derive(Debug, Clone, Copy)]
struct Marks {
    alpha: f64,
    delivered: u64,
    marked: u64,
    updated: Option<Instant>,
    /// Packets are sent as ECT(1), or nothing is known.
    scalable: bool,
}

/// Bytes in flight, as if each packet were reported at once: what waits for the next feedback is not on the path.
#[derive(Debug, Clone, Copy)]
struct Flight {
    now: f64,
    most: f64,
    most_before: f64,
    feedback: Option<Instant>,
    /// Between two feedback messages, in seconds.
    interval: f64,
}

/// What one feedback message brought.
#[derive(Debug, Clone, Copy)]
struct Batch {
    newest: Option<Instant>,
    queue: f64,
    lost: bool,
    /// Bytes whose fate is new and that were not marked.
    settled: u64,
    marked: bool,
}

/// What is believed, for a person to read.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct ScreamSnapshot {
    /// The target.
    pub target: Bitrate,
    /// The reference window.
    pub window: DataSize,
    /// Bytes in flight.
    pub in_flight: DataSize,
    /// Queue delay of the last feedback.
    pub queue_delay: Duration,
    /// The queue delay that is accepted.
    pub queue_target: Duration,
    /// Filtered share of marked packets.
    pub marks: f64,
    /// Filtered round-trip time.
    pub round_trip: Option<Duration>,
}

impl Scream {
    /// An estimator for one path.
    ///
    /// # Errors
    /// [`ConfigError`] for settings out of their range.
    pub fn new(config: ScreamConfig) -> Result<Self, ConfigError> {
        config.validate()?;
        let (least, most) = (config.queue_target.as_secs_f64(), config.max_queue_target.as_secs_f64());
        Ok(Self {
            limits: Limits::new(config.min, config.max),
            ledger: Ledger::new(config.history, config.feedback_timeout),
            base: BaseDelay::new(config.base_window),
            window: Window::new(config.min_window.as_bytes() as f64),
            queue_target: QueueTarget::new(least, most),
            marks: Marks { alpha: 0.0, delivered: 0, marked: 0, updated: None, scalable: true },
            flight: Flight { now: 0.0, most: 0.0, most_before: 0.0, feedback: None, interval: 0.0 },
            queue: 0.0,
            queue_average: 0.0,
            averaged: None,
            round_trip: None,
            round: None,
            target: config.start.as_bps_f64(),
            given_up: 0,
            config,
        })
    }

    /// Counters since construction.
    #[must_use]
    pub const fn stats(&self) -> PacketStats {
        self.ledger.stats
    }

    /// What is believed now.
    #[must_use]
    pub fn snapshot(&self) -> ScreamSnapshot {
        let seconds = |value: f64| Duration::try_from_secs_f64(value).unwrap_or(Duration::ZERO);
        ScreamSnapshot {
            target: self.limits.clamp(self.target),
            window: bytes(self.window.bytes()),
            in_flight: DataSize::from_bytes(self.ledger.in_flight()),
            queue_delay: seconds(self.queue),
            queue_target: seconds(self.queue_target.seconds()),
            marks: self.marks.alpha,
            round_trip: self.round_trip.map(seconds),
        }
    }

    fn on_result(&mut self, result: &PacketResult, batch: &mut Batch) {
        let Some((record, fate)) = self.ledger.on_result(result) else { return };
        let Fate::Received { at, marked, again } = fate else {
            batch.lost = true;
            batch.settled += record.size;
            return;
        };
        match result.ecn {
            Ecn::Ect1 => self.marks.scalable = true,
            Ecn::Ect0 => self.marks.scalable = false,
            Ecn::NotEct | Ecn::Ce => {}
        }
        let (queue, jumped) = self.base.push(record.sent, at);
        if jumped {
            self.ledger.stats.clock_jumps += 1;
            (self.queue, self.queue_average) = (0.0, 0.0);
        }
        // The current delay is the least of some (RFC 6817 §4.2): here of those reported together.
        batch.queue = batch.queue.min(queue);
        batch.newest = batch.newest.max(Some(record.sent));
        batch.marked |= marked;
        batch.settled += if marked || again { 0 } else { record.size };
        self.marks.delivered += 1;
        self.marks.marked += u64::from(marked);
    }

    fn update(&mut self, now: Instant, batch: &Batch) {
        let Some(round_trip) = self.round_trip else { return };
        let turned = self.turn_round(now, round_trip, batch.lost);
        self.marks.update(now, round_trip, &self.config);
        self.average_queue(now, round_trip);
        if let Some(lost) = turned {
            self.queue_target.on_round_trip(self.queue, lost);
        }
        let signs = Signs {
            lost: batch.lost,
            marked: batch.marked,
            scalable: self.marks.scalable,
            alpha: self.marks.alpha,
            queue: self.queue,
            queue_average: self.queue_average,
            queue_target: self.queue_target.seconds(),
            round_trip,
            settled: batch.settled as f64,
            flight: self.flight.most,
            flight_before: self.flight.most_before,
            target: self.target.max(1.0),
            may_grow: self.target < self.limits.max().as_bps_f64(),
        };
        self.window.update(now, &signs, &self.config);
        self.update_target(round_trip);
    }

    /// Begins a new round trip when the current one is over; says whether a packet was lost in that.
    fn turn_round(&mut self, now: Instant, round_trip: f64, lost: bool) -> Option<bool> {
        let (began, before) = *self.round.get_or_insert((now, lost));
        let lost = lost || before;
        if (now - began).as_secs_f64() < round_trip {
            self.round = Some((began, lost));
            return None;
        }
        self.round = Some((now, false));
        self.flight.turn();
        Some(lost)
    }

    /// Slow to grow, quick to shrink.
    fn average_queue(&mut self, now: Instant, round_trip: f64) {
        let pause = self.config.virtual_rtt.as_secs_f64().min(round_trip);
        if self.averaged.is_some_and(|at| (now - at).as_secs_f64() < pause) {
            return;
        }
        self.averaged = Some(now);
        let gain = if self.queue < self.queue_average { 1.0 } else { self.config.queue_gain };
        self.queue_average += gain * (self.queue - self.queue_average);
    }

    /// Draft §"Media Rate Control". Its `PACKET_OVERHEAD` is left out: the target includes headers.
    fn update_target(&mut self, round_trip: f64) {
        let window = self.window.bytes();
        let mut share = 1.0;
        let in_flight = self.flight.now / window;
        if self.queue > 0.25 * self.queue_target.seconds() && in_flight > FLIGHT_LIMIT {
            share /= (in_flight / FLIGHT_LIMIT).min(FLIGHT_COMPENSATION);
        }
        share *= 1.0 - (self.config.packet.as_bytes() as f64 / window - 0.1).clamp(0.0, 0.2);
        self.target = self.limits.clamp(share * 8.0 * window / round_trip).as_bps_f64();
    }

    /// Begins at a rate, whatever the round trip is.
    fn open_window(&mut self, rate: f64, round_trip: f64) {
        let least = self.config.min_window.as_bytes() as f64;
        self.window = Window::new((rate * round_trip / 8.0).max(least));
    }
}

impl Marks {
    /// Quick to grow, slow to shrink.
    fn update(&mut self, now: Instant, round_trip: f64, config: &ScreamConfig) {
        let elapsed = self.updated.map_or(MARK_INTERVAL, |at| (now - at).as_secs_f64());
        if self.delivered == 0 || elapsed < MARK_INTERVAL.min(round_trip) {
            return;
        }
        let share = self.marked as f64 / self.delivered as f64;
        let gain: f64 = if share >= self.alpha { config.mark_gain_up } else { config.mark_gain_down };
        let steps = (elapsed / MARK_INTERVAL).clamp(1.0, MAX_MARK_STEPS);
        self.alpha += (1.0 - (1.0 - gain).powf(steps)) * (share - self.alpha);
        (self.updated, self.delivered, self.marked) = (Some(now), 0, 0);
    }
}

impl Flight {
    fn on_feedback(&mut self, now: Instant) {
        if let Some(last) = self.feedback.replace(now) {
            let interval = (now - last).as_secs_f64().min(ROUND_TRIP.1);
            self.interval += 0.125 * (interval - self.interval);
        }
    }

    fn measure(&mut self, now: Instant, in_flight: u64, round_trip: f64) {
        let waiting = self.feedback.map_or(0.0, |at| (now - at).as_secs_f64());
        self.now = in_flight as f64 * round_trip / (round_trip + waiting);
        self.most = self.most.max(self.now);
    }

    const fn turn(&mut self) {
        (self.most_before, self.most) = (self.most, self.now);
    }
}

impl BandwidthEstimator for Scream {
    fn on_sent(&mut self, packet: SentPacket) {
        self.ledger.on_sent(packet);
        if let Some(round_trip) = self.round_trip {
            self.flight.measure(packet.sent, self.ledger.in_flight(), round_trip);
        }
    }

    fn on_feedback(&mut self, now: Instant, results: &[PacketResult]) {
        self.ledger.on_feedback();
        self.given_up = 0;
        self.flight.on_feedback(now);
        let mut batch = Batch { newest: None, queue: f64::INFINITY, lost: false, settled: 0, marked: false };
        for result in results {
            self.on_result(result, &mut batch);
        }
        if let Some(sent) = batch.newest {
            self.queue = batch.queue;
            self.on_rtt(now, now - sent);
        }
        self.update(now, &batch);
    }

    fn on_rtt(&mut self, now: Instant, rtt: Duration) {
        let rtt = rtt.as_secs_f64().clamp(ROUND_TRIP.0, ROUND_TRIP.1);
        match &mut self.round_trip {
            Some(smoothed) => *smoothed += 0.125 * (rtt - *smoothed),
            None => {
                self.round_trip = Some(rtt);
                self.open_window(self.target, rtt);
                self.flight.measure(now, self.ledger.in_flight(), rtt);
            }
        }
    }

    fn set_application(&mut self, _now: Instant, limits: ApplicationLimits) {
        self.limits.set_application(&limits);
        self.target = self.limits.clamp(self.target).as_bps_f64();
    }

    fn on_path_event(&mut self, now: Instant, event: PathEvent) {
        match event {
            PathEvent::RouteChanged { start } => {
                self.ledger.change_route(now);
                self.base.reset();
                (self.queue, self.queue_average, self.marks.alpha) = (0.0, 0.0, 0.0);
                self.target = self.limits.clamp(start.as_bps_f64()).as_bps_f64();
                // The next round trip measured opens the window.
                self.round_trip = None;
            }
            PathEvent::RemoteLimit(limit) => self.limits.set_remote(limit),
            // Each packet's own fate says more.
            _ => {}
        }
        self.target = self.limits.clamp(self.target).as_bps_f64();
    }

    fn estimate(&self) -> Estimate {
        let target = self.limits.clamp(self.target);
        let estimate = Estimate::new(target).with_pacing(target.max(MIN_PACING) * self.config.pacing_factor);
        let Some(round_trip) = self.round_trip else { return estimate };
        // What is sent until the next feedback is in flight by the account, though not on the path.
        let waiting = self.target * self.flight.interval / 8.0;
        let window = bytes(self.config.window_overhead * (self.window.bytes() + waiting));
        let window = window + DataSize::from_bytes(self.given_up);
        let lasting = self.window.inflection().map_or(f64::INFINITY, |window| 8.0 * window / round_trip);
        estimate.with_window(window).with_stable(self.limits.clamp(lasting).min(target))
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.ledger.poll_timeout()
    }

    fn handle_timeout(&mut self, now: Instant) {
        if !self.ledger.is_overdue(now) {
            return;
        }
        let factor = self.config.timeout_factor;
        self.given_up = self.ledger.in_flight();
        self.window.scale(factor, &self.config);
        self.target = self.limits.clamp(self.target * factor).as_bps_f64();
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a window is positive, and casts saturate")]
const fn bytes(value: f64) -> DataSize {
    DataSize::from_bytes(value as u64)
}

#[cfg(test)]
mod tests;
