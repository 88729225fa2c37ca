//! Settings of what keeps queues short or rates low.

use core::time::Duration;

use crate::{Bitrate, ConfigError, DataSize};

/// Controlled-delay queue management (RFC 8289).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct CoDelConfig {
    /// The wait that is acceptable for ever. Default: 5 ms (RFC 8289 §4.3).
    pub target: Duration,
    /// How long waits must exceed the target before something is done: the order of a round trip. Default: 100 ms (§4.2).
    pub interval: Duration,
    /// Whether ECN-capable packets are marked where others are dropped. Default: true.
    pub ecn: bool,
}

impl Default for CoDelConfig {
    fn default() -> Self {
        Self { target: Duration::from_millis(5), interval: Duration::from_millis(100), ecn: true }
    }
}

impl CoDelConfig {
    pub(super) fn validate(&self) -> Result<(), ConfigError> {
        if self.interval.is_zero() {
            return Err(ConfigError::new("interval", "must not be zero"));
        }
        Ok(())
    }
}

/// The dual queue of L4S: PI2 coupled to a shallow step of marks (RFC 9332, appendix A).
///
/// ECT(1) and CE go to the low-latency queue, everything else to the classic one. Classic packets are dropped (ECT(0): marked) with
/// the square of what a proportional-integral controller says, L4S packets marked with `coupling` times it, or as they waited longer
/// than `step` with another behind. So a scalable flow and a classic one have about the same window. Which packets are
/// hit is spread evenly, without chance.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct DualPi2Config {
    /// The wait the controller holds the classic queue at. Default: 15 ms.
    pub target: Duration,
    /// How often the controller is updated. Default: 16 ms.
    pub update: Duration,
    /// Its integral gain, per second of wait at each update. Default: 0.16, from `update` and a largest round trip of 100 ms.
    pub alpha: f64,
    /// Its proportional gain, per second of wait at each update. Default: 3.2, from the same.
    pub beta: f64,
    /// The coupling factor `k`. Default: 2 (§2.1).
    pub coupling: f64,
    /// The wait above which L4S packets are marked. Default: 1 ms, the middle of the ramp of appendix A.
    pub step: Duration,
    /// What the classic queue gets at least while both are backlogged, in percent of bytes. Default: 10.
    pub classic_share: u8,
}

impl Default for DualPi2Config {
    fn default() -> Self {
        Self {
            target: Duration::from_millis(15),
            update: Duration::from_millis(16),
            alpha: 0.16,
            beta: 3.2,
            coupling: 2.0,
            step: Duration::from_millis(1),
            classic_share: 10,
        }
    }
}

impl DualPi2Config {
    pub(super) fn validate(&self) -> Result<(), ConfigError> {
        let is_gain = |gain: f64| (0.0..=1e3).contains(&gain);
        if self.update < Duration::from_micros(100) {
            return Err(ConfigError::new("update", "must not be below 100 us"));
        }
        if self.target < Duration::from_millis(1) {
            return Err(ConfigError::new("target", "must not be below 1 ms"));
        }
        if !(1e-3..=1e3).contains(&self.alpha) {
            return Err(ConfigError::new("alpha", "must be 0.001 to 1000"));
        }
        if !is_gain(self.beta) {
            return Err(ConfigError::new("beta", "must be 0 to 1000"));
        }
        if !is_gain(self.coupling) {
            return Err(ConfigError::new("coupling", "must be 0 to 1000"));
        }
        if self.classic_share > 100 {
            return Err(ConfigError::new("classic_share", "must be at most 100 percent"));
        }
        Ok(())
    }
}

/// A token bucket that drops what is above its rate and queues nothing, as operators use to enforce a subscription.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policer {
    /// How fast tokens come; not zero.
    pub rate: Bitrate,
    /// How many there are at most, and at first. A packet larger than this never passes.
    pub burst: DataSize,
}
