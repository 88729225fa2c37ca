//! Network-assisted dynamic adaptation (RFC 8698): one congestion signal of delay, loss and marks steers the rate.
//!
//! The RFC computes the signal at the receiver; here all of it is computed at the sender, from the fate of each packet.

use core::time::Duration;

use rtc_core::bwe::{ApplicationLimits, BandwidthEstimator, Estimate, PacketResult, PathEvent, SentPacket};
use rtc_core::time::Instant;
use rtc_core::{Bitrate, ConfigError};

use crate::delay::BaseDelay;
use crate::ledger::{Fate, Ledger, PacketStats};
use crate::limits::Limits;
use crate::throughput::Throughput;

mod config;
mod signal;

pub use config::NadaConfig;

use signal::Signal;

/// Updates are no closer than this: what comes faster is one observation.
const MIN_INTERVAL: Duration = Duration::from_millis(20);
/// No single update takes more than this share of the rate: beyond it the linear model of equation 7 says nothing.
const MAX_DECREASE: f64 = 0.5;
/// Round-trip times are believed up to this, in seconds.
const MAX_ROUND_TRIP: f64 = 10.0;

/// An estimator after RFC 8698.
///
/// ```
/// use rtc_bwe::{Nada, NadaConfig};
/// use rtc_core::Bitrate;
/// use rtc_core::bwe::BandwidthEstimator;
///
/// let mut config = NadaConfig::default();
/// config.max = Bitrate::from_kbps(2_500);
/// let nada = Nada::new(config)?;
/// assert_eq!(nada.estimate().target, Bitrate::from_kbps(300));
/// # Ok::<(), rtc_core::ConfigError>(())
/// ```
#[derive(Debug)]
pub struct Nada {
    config: NadaConfig,
    limits: Limits,
    ledger: Ledger,
    base: BaseDelay,
    throughput: Throughput,
    signal: Signal,
    /// The reference rate `r_ref` in b/s.
    rate: f64,
    /// The signal at the last update, in seconds.
    x: f64,
    round_trip: f64,
    updated: Option<Instant>,
    mode: NadaMode,
}

/// How the rate is updated (RFC 8698 §4.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum NadaMode {
    /// Nothing hints at congestion: the rate follows what is delivered, and more.
    AcceleratedRampUp,
    /// The rate follows the congestion signal and its change.
    GradualUpdate,
}

/// What is believed, for a person to read.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct NadaSnapshot {
    /// The target.
    pub target: Bitrate,
    /// How it is updated.
    pub mode: NadaMode,
    /// The congestion signal `x_curr`.
    pub congestion: Duration,
    /// The filtered queue delay in it.
    pub queue_delay: Duration,
    /// The filtered share of lost packets in it.
    pub loss: f64,
    /// The filtered share of marked packets in it.
    pub marks: f64,
    /// What is delivered (`r_recv`).
    pub delivered: Option<Bitrate>,
}

impl Nada {
    /// An estimator for one path.
    ///
    /// # Errors
    /// [`ConfigError`] for settings out of their range.
    pub fn new(config: NadaConfig) -> Result<Self, ConfigError> {
        config.validate()?;
        Ok(Self {
            limits: Limits::new(config.min, config.max),
            ledger: Ledger::new(config.history, config.feedback_timeout),
            base: BaseDelay::new(config.base_window),
            throughput: Throughput::new(),
            signal: Signal::new(),
            rate: config.start.as_bps_f64(),
            x: 0.0,
            round_trip: 0.1,
            updated: None,
            mode: NadaMode::AcceleratedRampUp,
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
    pub fn snapshot(&self) -> NadaSnapshot {
        let seconds = |value: f64| Duration::try_from_secs_f64(value).unwrap_or(Duration::ZERO);
        NadaSnapshot {
            target: self.limits.clamp(self.rate),
            mode: self.mode,
            congestion: seconds(self.x),
            queue_delay: seconds(self.signal.queue()),
            loss: self.signal.loss(),
            marks: self.signal.marks(),
            delivered: self.throughput.rate(self.config.window).map(Bitrate::from_bps_f64),
        }
    }

    /// Takes the rate that coupled congestion control gives this flow in place of its own (RFC 8699).
    pub fn set_rate(&mut self, rate: Bitrate) {
        self.rate = rate.as_bps_f64();
        self.keep_within_limits();
    }

    fn forget_path(&mut self) {
        self.base.reset();
        self.throughput.reset();
        self.signal.forget_delays();
    }

    fn on_received(&mut self, sent: Instant, received: Instant, delivered: u64, marked: bool) {
        let (queue, jumped) = self.base.push(sent, received);
        if jumped {
            self.ledger.stats.clock_jumps += 1;
            self.throughput.reset();
            self.signal.forget_delays();
        }
        self.throughput.push(sent, received, delivered);
        self.signal.on_received(queue, marked);
    }

    /// §4.3.
    fn update(&mut self, now: Instant) {
        let elapsed = self.updated.map_or(self.config.delta, |updated| now - updated).min(self.config.tau);
        if self.updated.is_some() && elapsed < MIN_INTERVAL {
            return;
        }
        self.updated = Some(now);
        let observed = self.signal.observe(now, &self.config);
        let delivered = self.throughput.rate(self.config.window);
        let before = self.rate;
        if observed.clear {
            self.mode = NadaMode::AcceleratedRampUp;
            if let Some(delivered) = delivered {
                self.rate = before.max((1.0 + self.ramp()) * delivered);
            }
        } else {
            self.mode = NadaMode::GradualUpdate;
            self.rate = before * (1.0 - self.relative_decrease(observed.x, elapsed)).max(1.0 - MAX_DECREASE);
        }
        self.x = observed.x;
        // What the application does not send is not known to fit.
        let proven = delivered.map_or(before, |rate| before.max(self.config.headroom * rate));
        self.rate = self.rate.min(proven);
        self.keep_within_limits();
    }

    /// `gamma` of equation 3: what a round trip, a feedback interval and the filters let queue stays below `QBOUND`.
    fn ramp(&self) -> f64 {
        let config = &self.config;
        let delay = self.round_trip + config.delta.as_secs_f64() + config.filter_delay.as_secs_f64();
        (config.queue_bound.as_secs_f64() / delay).min(config.gamma_max)
    }

    /// Equations 5 to 7, as a share of the rate.
    fn relative_decrease(&self, x: f64, elapsed: Duration) -> f64 {
        let config = &self.config;
        let tau = config.tau.as_secs_f64();
        let accepted =
            config.priority * config.x_ref.as_secs_f64() * config.reference_rate.as_bps_f64() / self.rate.max(1.0);
        let (offset, change) = (x - accepted, x - self.x);
        config.kappa * (elapsed.as_secs_f64() / tau) * (offset / tau) + config.kappa * config.eta * change / tau
    }

    /// Equation 8. The state is kept within as well: there is nothing to wind up.
    fn keep_within_limits(&mut self) {
        self.rate = self.limits.clamp(self.rate).as_bps_f64();
    }
}

impl BandwidthEstimator for Nada {
    fn on_sent(&mut self, packet: SentPacket) {
        self.ledger.on_sent(packet);
    }

    fn on_feedback(&mut self, now: Instant, results: &[PacketResult]) {
        self.ledger.on_feedback();
        self.signal.open(now, self.config.window);
        let mut newest = None;
        for result in results {
            match self.ledger.on_result(result) {
                Some((record, Fate::Received { at, marked, .. })) => {
                    newest = newest.max(Some(record.sent));
                    self.on_received(record.sent, at, record.delivered, marked);
                }
                Some((_, Fate::Lost)) => self.signal.on_lost(),
                None => {}
            }
        }
        if let Some(sent) = newest {
            self.on_rtt(now, now - sent);
        }
        self.update(now);
    }

    fn on_rtt(&mut self, _now: Instant, rtt: Duration) {
        let rtt = rtt.as_secs_f64().min(MAX_ROUND_TRIP);
        self.round_trip += 0.125 * (rtt - self.round_trip);
    }

    fn set_application(&mut self, _now: Instant, limits: ApplicationLimits) {
        self.limits.set_application(&limits);
        self.keep_within_limits();
    }

    fn on_path_event(&mut self, now: Instant, event: PathEvent) {
        match event {
            PathEvent::RouteChanged { start } => {
                self.ledger.change_route(now);
                self.forget_path();
                self.rate = start.as_bps_f64();
            }
            PathEvent::RemoteLimit(limit) => self.limits.set_remote(limit),
            // Each packet's own fate says more.
            _ => {}
        }
        self.keep_within_limits();
    }

    fn estimate(&self) -> Estimate {
        let target = self.limits.clamp(self.rate);
        Estimate::new(target).with_pacing(target * self.config.pacing_factor)
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.ledger.poll_timeout()
    }

    fn handle_timeout(&mut self, now: Instant) {
        if self.ledger.is_overdue(now) {
            self.rate *= self.config.timeout_factor;
            self.keep_within_limits();
        }
    }
}

#[cfg(test)]
mod tests;
