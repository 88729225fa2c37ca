//! How fast the rate grows: slowly where the capacity was met before, in doubling steps where no queue ever shows.
//!
//! Flows that share a link meet the same queue at the same time. If all gave way by the same fraction and grew by the same
//! fraction, their shares would stay what they are (Chiu and Jain 1989). So the slower a flow is, the faster it grows, and the
//! faster it is, the more it gives way.

use rtc_core::time::Instant;

use super::Signals;
use crate::config::AimdConfig;

/// The rate at which pace and margin are what is configured, in b/s.
const REFERENCE: f64 = 1e6;
/// Fastest growth near the capacity, per second.
const MAX_PACE: f64 = 0.15;
/// Range of the margin.
const MARGIN: (f64, f64) = (0.01, 0.1);
/// Known capacity up to which the rate returns in full steps.
const KNOWN: f64 = 0.92;
/// Beyond this multiple of the known capacity, and without a queue, the capacity is not what it was.
const LEFT_BEHIND: f64 = 1.04;
/// The same, beyond any error of what was known: worth a probe.
const FAR_BEYOND: f64 = 1.12;
/// The response time in seconds, of a round trip of 100 ms with what varies, that growth near the capacity is meant for.
const USUAL_RESPONSE: f64 = 0.3;
/// Response times in which a flow does not grow after it met the capacity: until the drain is seen to work, and to settle.
const RESPONSES: f64 = 2.0;

#[derive(Debug)]
pub(super) struct Search {
    config: AimdConfig,
    /// Since when there was no queue.
    clear_since: Option<Instant>,
    /// The queue the present step may cause, in seconds, and since when it is this.
    step: f64,
    stepped: Option<Instant>,
    is_far: bool,
}

impl Search {
    pub(super) fn new(config: AimdConfig) -> Self {
        Self { config, clear_since: None, step: config.max_step.as_secs_f64(), stepped: None, is_far: false }
    }

    /// A queue showed, or the application does not use the rate: from small steps again, if the capacity is known.
    pub(super) fn restart(&mut self, is_known: bool) {
        self.clear_since = None;
        self.stepped = None;
        self.is_far = false;
        self.step = self.first_step(is_known);
    }

    /// Nothing is known of the queue.
    pub(super) fn unsettle(&mut self) {
        self.clear_since = None;
    }

    /// Whether the rate is far beyond the known capacity and no queue shows.
    pub(super) const fn is_far(&self) -> bool {
        self.is_far
    }

    /// The fraction to grow by in `elapsed` seconds.
    pub(super) fn growth(&mut self, rate: f64, capacity: Option<f64>, signals: &Signals, elapsed: f64) -> f64 {
        let clear = signals.standing <= signals.clear;
        self.clear_since = if clear { self.clear_since.or(Some(signals.now)) } else { None };
        let long = |since: Instant| (signals.now - since).as_secs_f64() >= signals.response;
        let is_clear = self.clear_since.is_some_and(long);
        let known = capacity.map_or(f64::INFINITY, |capacity| rate / capacity);
        self.is_far = is_clear && known >= FAR_BEYOND;
        if known >= KNOWN && (known < LEFT_BEHIND || !is_clear) {
            self.step = self.first_step(capacity.is_some());
            self.stepped = Some(signals.now);
            return self.pace(rate) * elapsed;
        }
        let step = if known < KNOWN { self.config.max_step.as_secs_f64() } else { self.doubling(signals) };
        // A ramp that reaches the capacity halfway through a response time exceeds it by half its steepness when that shows.
        // Linear within an update, so that no platform's `powf` decides.
        2.0 * step / signals.response * (elapsed / signals.response).min(1.0)
    }

    /// The fraction of the capacity to give way by.
    pub(super) fn margin(&self, rate: f64) -> f64 {
        let scale = if self.config.fair { rate / REFERENCE } else { 1.0 };
        (self.config.margin * scale).clamp(MARGIN.0, MARGIN.1)
    }

    /// The fraction to grow by at once after a drain, for what a flow on a shorter path grew by meanwhile: else the longer the
    /// path, the smaller the share (RFC 8867 §5.5).
    pub(super) fn catch_up(&self, rate: f64, response: f64) -> f64 {
        let late = RESPONSES * (response - USUAL_RESPONSE).max(0.0);
        if self.config.fair { self.pace(rate) * late } else { 0.0 }
    }

    /// Growth per second near the capacity: with the power of -3/4 of the rate.
    fn pace(&self, rate: f64) -> f64 {
        let root = (REFERENCE / rate.max(1.0)).sqrt();
        let scale = if self.config.fair { root * root.sqrt() } else { 1.0 };
        (self.config.pace * scale).min(MAX_PACE)
    }

    fn first_step(&self, is_known: bool) -> f64 {
        let step = if is_known { self.config.step } else { self.config.max_step };
        step.as_secs_f64()
    }

    /// The present step: twice the last after each response time.
    fn doubling(&mut self, signals: &Signals) -> f64 {
        let stepped = *self.stepped.get_or_insert(signals.now);
        if (signals.now - stepped).as_secs_f64() >= signals.response {
            self.stepped = Some(signals.now);
            self.step = (2.0 * self.step).min(self.config.max_step.as_secs_f64());
        }
        self.step
    }
}
