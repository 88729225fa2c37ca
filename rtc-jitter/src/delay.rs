//! How much delay to aim at, learnt from how late packets were.

use core::time::Duration;

use rtc_core::ConfigError;

use crate::arrival::{Nanos, nanos};

mod histogram;

use histogram::{BIN, Histogram};

/// Packets' worth of belief in [`DelayConfig::start_delay`]: outvoted by 3 s of packets of 20 ms.
const PRIOR_WEIGHT: f64 = 2.5;
/// Longest silence that ages what was learnt: a pause says nothing about the network.
const MAX_AGING: Duration = Duration::from_secs(1);

/// How the delay target follows the jitter.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct DelayConfig {
    /// Least delay to aim at. Default 10 ms: an audio device rarely asks on the dot.
    pub min_delay: Duration,
    /// Most delay to aim at, whatever the jitter; 4 s at most. Default 2 s.
    pub max_delay: Duration,
    /// Delay before the jitter is known. Default 60 ms: most networks need less, so it soon shrinks.
    pub start_delay: Duration,
    /// Milliseconds of delay worth one percent of packets being in time. Default 30.
    ///
    /// The target is the delay *d* of least *d* + 100 × `ms_per_loss_percent` × P(packet later than *d*). By the E-model a
    /// percent of G.711 frames concealed costs 3.8 points (ITU-T G.113: Bpl 25.1), a millisecond of delay beyond 177 ms costs
    /// 0.13 (the approximation of Cole and Rosenbluth, CCR 31:2, 2001): 28 ms for a percent.
    pub ms_per_loss_percent: f64,
    /// Part of the packets that is to be in time however dear the delay, from 0 (no such guard) to below 1. Default 0.9: where
    /// more are late, speech is hard to understand. It takes effect as `memory` fills, for one stall is no experience.
    pub quantile: f64,
    /// Time constant of forgetting: what was seen this long ago weighs 1/e. Default 30 s.
    pub memory: Duration,
    /// Window of the fastest packet that lateness is measured against. Default 4 s: long enough to meet an unqueued packet
    /// under heavy jitter, short enough to follow a path whose queue stays full.
    pub base_window: Duration,
    /// Longest delay of a repaired packet (retransmission, FEC, RED, copies inside the next packet) that the target may grow to.
    /// Default `None`: repairs are used when they come in time, but do not raise the delay. With retransmission set it to about
    /// 1.5 round trips, with copies in the next packet to two packet times.
    pub repair_delay: Option<Duration>,
}

impl Default for DelayConfig {
    fn default() -> Self {
        Self {
            min_delay: Duration::from_millis(10),
            max_delay: Duration::from_secs(2),
            start_delay: Duration::from_millis(60),
            ms_per_loss_percent: 30.0,
            quantile: 0.9,
            memory: Duration::from_secs(30),
            base_window: Duration::from_secs(4),
            repair_delay: None,
        }
    }
}

impl DelayConfig {
    fn check(&self) -> Result<(), ConfigError> {
        if self.max_delay > Histogram::RANGE {
            return Err(ConfigError::new("max_delay", "must be 4 s at most"));
        }
        if self.min_delay > self.max_delay {
            return Err(ConfigError::new("min_delay", "must not exceed max_delay"));
        }
        if !(0.0..1e6).contains(&self.ms_per_loss_percent) {
            return Err(ConfigError::new("ms_per_loss_percent", "must be at least 0 and below 1e6"));
        }
        if !(0.0..1.0).contains(&self.quantile) {
            return Err(ConfigError::new("quantile", "must be at least 0 and below 1"));
        }
        if self.memory < Duration::from_secs(1) {
            return Err(ConfigError::new("memory", "must be 1 s at least"));
        }
        if self.base_window < Duration::from_secs(1) {
            return Err(ConfigError::new("base_window", "must be 1 s at least"));
        }
        Ok(())
    }
}

/// The delay of least cost under the jitter seen lately.
#[derive(Debug)]
pub(crate) struct DelayTarget {
    config: DelayConfig,
    /// Set at run time, beside the configured one.
    min_delay: Nanos,
    lateness: Histogram,
    /// Time learnt from, as far as it is remembered.
    experience: Duration,
    wanted: Nanos,
}

impl DelayTarget {
    pub(crate) fn new(config: DelayConfig) -> Result<Self, ConfigError> {
        config.check()?;
        let mut lateness = Histogram::new();
        // Packets at the upper edge of a bin are in its own bin, so the prior asks for exactly its delay.
        lateness.add(nanos(config.start_delay).saturating_sub(1), PRIOR_WEIGHT);
        let mut target = Self { config, min_delay: 0, lateness, experience: Duration::ZERO, wanted: 0 };
        target.update();
        Ok(target)
    }

    /// Learns from a packet that was `delay` late, `elapsed` after the one before it.
    pub(crate) fn observe(&mut self, delay: Nanos, elapsed: Duration) {
        let elapsed = elapsed.min(MAX_AGING);
        self.experience = (self.experience + elapsed).min(self.config.memory);
        let keep = 1.0 - elapsed.as_secs_f64() / self.config.memory.as_secs_f64();
        self.lateness.forget(keep.max(0.5));
        self.lateness.add(delay, 1.0);
        self.update();
    }

    /// The reference lateness is measured against became `rise` slower.
    pub(crate) fn rebase(&mut self, rise: Nanos) {
        // Smaller rises are clock skew, which says nothing about lateness seen before.
        if rise >= nanos(BIN) {
            self.lateness.shift_down(rise);
        }
    }

    pub(crate) fn set_min_delay(&mut self, min_delay: Duration) {
        self.min_delay = nanos(min_delay);
    }

    pub(crate) fn set_repair_delay(&mut self, repair_delay: Option<Duration>) {
        self.config.repair_delay = repair_delay;
    }

    /// The target while no packet comes with less than `floor` delay.
    pub(crate) fn target(&self, floor: Nanos) -> Nanos {
        self.minimum(floor).max(self.min_delay).min(nanos(self.config.max_delay))
    }

    /// The same, but for what was set at run time.
    pub(crate) fn minimum(&self, floor: Nanos) -> Nanos {
        let floor = if floor > 0 { floor.saturating_add(nanos(BIN)) } else { 0 };
        self.wanted.max(floor).max(nanos(self.config.min_delay)).min(nanos(self.config.max_delay))
    }

    pub(crate) fn repair_delay(&self) -> Option<Duration> {
        self.config.repair_delay
    }

    fn update(&mut self) {
        let ms_per_late = 100.0 * self.config.ms_per_loss_percent;
        let quantile = self.config.quantile * self.experience.as_secs_f64() / self.config.memory.as_secs_f64();
        self.wanted = nanos(self.lateness.cheapest(ms_per_late, quantile, self.config.max_delay));
    }
}

#[cfg(test)]
mod tests;
