//! How much delay to aim at, learnt from how late packets were.

use alloc::boxed::Box;
use core::time::Duration;

use rtc_core::ConfigError;
use rtc_core::time::Instant;

use crate::arrival::{Nanos, nanos};

mod histogram;
mod least_cost;
mod peak;
mod plain;
mod policy;
mod stall;

pub use least_cost::LeastCost;
pub use plain::{FixedDelay, WindowQuantile};
pub use policy::{Aim, DelayPolicy, ExpectedStall, Lateness, Reason};

use histogram::{BIN, Histogram};

/// How the delay target follows the jitter.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct DelayConfig {
    /// Least delay to aim at. Default 5 ms: on average a packet waits as long for the next pull of 10 ms, and a device that asks
    /// unevenly is given as much more.
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
    /// The same of a second, shorter memory: the target is the lesser of what both ask for. Default 8 s, so that delay is taken back
    /// soon after a bad time; shorter ones conceal more under steady jitter. As long as `memory` or longer, there is only one.
    pub recent: Duration,
    /// Window of the latest packet, of 100 packets at least: the target is at most twice as much as that was late. Default 2 s, so that
    /// delay is taken back as soon as a bad time is over, however long it was; jitter that goes on is never so calm for as long. It is
    /// longer in proportion where `ms_per_loss_percent` is above 30: who pays more for being in time waits longer for a bad time to come
    /// back. Zero for no such bound; below a day.
    pub peak_window: Duration,
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
            min_delay: Duration::from_millis(5),
            max_delay: Duration::from_secs(2),
            start_delay: Duration::from_millis(60),
            ms_per_loss_percent: 30.0,
            quantile: 0.9,
            memory: Duration::from_secs(30),
            recent: Duration::from_secs(8),
            peak_window: Duration::from_secs(2),
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
        if self.recent < Duration::from_secs(1) {
            return Err(ConfigError::new("recent", "must be 1 s at least"));
        }
        if self.peak_window > Duration::from_secs(86_400) {
            return Err(ConfigError::new("peak_window", "must be a day at most"));
        }
        if self.base_window < Duration::from_secs(1) {
            return Err(ConfigError::new("base_window", "must be 1 s at least"));
        }
        Ok(())
    }
}

/// The delay to play out with: what the policy aims at, within the limits set and those of the path.
#[derive(Debug)]
pub(crate) struct DelayTarget {
    policy: Box<dyn DelayPolicy>,
    min_delay: Nanos,
    max_delay: Nanos,
    /// Set at run time, beside the configured ones.
    least: Nanos,
    most: Nanos,
    repair_delay: Option<Duration>,
}

impl DelayTarget {
    pub(crate) fn new(config: DelayConfig, policy: Box<dyn DelayPolicy>) -> Result<Self, ConfigError> {
        config.check()?;
        let (min_delay, max_delay) = (nanos(config.min_delay), nanos(config.max_delay));
        Ok(Self { policy, min_delay, max_delay, least: 0, most: max_delay, repair_delay: config.repair_delay })
    }

    /// Learns from a packet that was `delay` late at `now`, `elapsed` after the one before it.
    pub(crate) fn observe(&mut self, now: Instant, delay: Nanos, elapsed: Duration, repaired: bool) {
        self.policy.on_arrival(Lateness { now, late: duration(delay), elapsed, repaired });
    }

    /// The reference lateness is measured against became `rise` slower.
    pub(crate) fn rebase(&mut self, rise: Nanos) {
        if rise > 0 {
            self.policy.on_rise(duration(rise));
        }
    }

    pub(crate) fn set_min_delay(&mut self, min_delay: Duration) {
        self.least = nanos(min_delay);
    }

    pub(crate) fn set_max_delay(&mut self, max_delay: Option<Duration>) {
        self.most = max_delay.map_or(self.max_delay, nanos).min(self.max_delay);
    }

    pub(crate) fn set_repair_delay(&mut self, repair_delay: Option<Duration>) {
        self.repair_delay = repair_delay;
    }

    pub(crate) fn repair_delay(&self) -> Option<Duration> {
        self.repair_delay
    }

    /// The target at `now`, while no packet comes with less than `floor` delay; and what it would be but for what was set at run
    /// time.
    pub(crate) fn aims(&self, now: Instant, floor: Nanos) -> (Aim, Nanos) {
        let wanted = self.policy.aim(now);
        let minimum = nanos(self.bounded(wanted, floor, 0).delay);
        (self.bounded(wanted, floor, self.least), minimum)
    }

    /// The target at `now` but for what was set at run time.
    pub(crate) fn minimum(&self, now: Instant, floor: Nanos) -> Nanos {
        nanos(self.bounded(self.policy.aim(now), floor, 0).delay)
    }

    fn bounded(&self, mut aim: Aim, floor: Nanos, least: Nanos) -> Aim {
        let mut raise = |to: Nanos, reason| {
            if duration(to) > aim.delay {
                (aim.delay, aim.reason) = (duration(to), reason);
            }
        };
        // Less than this is rounding, and skew.
        if floor > nanos(BIN) / 5 {
            raise(floor.saturating_add(nanos(BIN)), Reason::Path);
        }
        raise(self.min_delay.max(least), Reason::Minimum);
        if aim.delay > duration(self.most) {
            (aim.delay, aim.reason) = (duration(self.most), Reason::Maximum);
        }
        aim
    }
}

fn duration(time: Nanos) -> Duration {
    Duration::from_nanos(time.max(0).unsigned_abs())
}

#[cfg(test)]
mod tests;
