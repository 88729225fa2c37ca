use core::time::Duration;

use rtc_core::ConfigError;

use super::CostWeights;

/// Settings of a [`PathManager`](super::PathManager).
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct PathManagerConfig {
    /// How often the path in use is probed while there is another to switch to. Default 40 ms: 10 kb/s with all headers, and a
    /// dark path is doubted after a round trip and this.
    pub active_interval: Duration,
    /// How often any other path is probed. Default 500 ms, less than 1 kb/s.
    pub standby_interval: Duration,
    /// What the cost of paths is made of.
    pub weights: CostWeights,
    /// How much less another path must cost for a switch. Default 10 ms; a seventh of the cost of the path in use if that is
    /// more.
    pub margin: Duration,
    /// For how long it must cost less. Default 3 s: several times what loss and jitter are averaged over.
    pub hold: Duration,
    /// For how long everything goes over both paths at a switch, beyond a round trip. Default 100 ms: late packets of the old
    /// path are still in time for play-out.
    pub overlap: Duration,
    /// For how long a path that was dark must work before it is chosen for being better. Default 5 s, twice as long each time
    /// that it goes dark again, up to 32 times.
    pub probation: Duration,
    /// The most candidates. Default 16.
    pub max_paths: usize,
    /// Answers to probes per second and path, beyond which probes are ignored. Default 100, four times what one sender asks for.
    pub max_answers: u32,
}

impl Default for PathManagerConfig {
    fn default() -> Self {
        Self {
            active_interval: Duration::from_millis(40),
            standby_interval: Duration::from_millis(500),
            weights: CostWeights::default(),
            margin: Duration::from_millis(10),
            hold: Duration::from_secs(3),
            overlap: Duration::from_millis(100),
            probation: Duration::from_secs(5),
            max_paths: 16,
            max_answers: 100,
        }
    }
}

impl PathManagerConfig {
    pub(super) fn validate(&self) -> Result<(), ConfigError> {
        let millisecond = Duration::from_millis(1);
        let minute = Duration::from_secs(60);
        if !(millisecond..=minute).contains(&self.active_interval) {
            return Err(ConfigError::new("active_interval", "must be a millisecond at least, a minute at most"));
        }
        if !(self.active_interval..=minute).contains(&self.standby_interval) {
            return Err(ConfigError::new("standby_interval", "must be active_interval at least, a minute at most"));
        }
        if !self.weights.are_sane() {
            return Err(ConfigError::new("weights", "must not be negative, nor above 1000 and an hour"));
        }
        if [self.margin, self.hold, self.overlap, self.probation].iter().any(|time| *time > Duration::from_secs(3_600))
        {
            return Err(ConfigError::new("margin", "hold, overlap and probation must be an hour at most"));
        }
        if !(1..=256).contains(&self.max_paths) {
            return Err(ConfigError::new("max_paths", "must be 1 to 256"));
        }
        if self.max_answers == 0 {
            return Err(ConfigError::new("max_answers", "must not be zero"));
        }
        Ok(())
    }
}
