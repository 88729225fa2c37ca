//! Settings of what delay means.

use core::time::Duration;

use rtc_core::ConfigError;

use crate::check::{check, fraction, positive};

/// Settings of the delay gradient (draft-ietf-rmcat-gcc-02 §5.2 and §5.4; the trend line takes the place of the Kalman
/// filter of §5.3).
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct TrendlineConfig {
    /// Whether the gradient counts. Default true: a queue is noticed before it stands; without it only its delay counts.
    pub enabled: bool,
    /// Packets sent within this time are one group. Default 5 ms (`burst_time`, §5.6).
    pub burst: Duration,
    /// Groups the line is fitted through. Default 20: 0.1 s of paced video, 0.4 s of audio.
    pub window: usize,
    /// Weight of the past in the smoothed delay. Default 0.9: the noise of about ten groups cancels.
    pub smoothing: f64,
    /// Factor from the slope, times the groups it rests on (up to 60), to the ms of the threshold. Default 4: a queue that
    /// grows by 5 % of the time meets the threshold at the start.
    pub gain: f64,
    /// The threshold at the start, in ms. Default 12.5 (`del_var_th(0)`, §5.6).
    pub threshold_ms: f64,
    /// Adaptation of the threshold per ms when the trend is above it. Default 0.0087 (Carlucci et al. 2016).
    pub gain_up: f64,
    /// Adaptation of the threshold per ms when the trend is below it. Default 0.039: quick to become sensitive again.
    pub gain_down: f64,
    /// Time the trend must be above the threshold. Default 10 ms (`overuse_time_th`, §5.6).
    pub overuse_time: Duration,
}

impl Default for TrendlineConfig {
    fn default() -> Self {
        Self {
            enabled: true,
            burst: Duration::from_millis(5),
            window: 20,
            smoothing: 0.9,
            gain: 4.0,
            threshold_ms: 12.5,
            gain_up: 0.0087,
            gain_down: 0.039,
            overuse_time: Duration::from_millis(10),
        }
    }
}

impl TrendlineConfig {
    pub(super) fn validate(&self) -> Result<(), ConfigError> {
        check(self.burst <= Duration::from_millis(100), "trendline.burst", "must not be above 100 ms")?;
        check((3..=1000).contains(&self.window), "trendline.window", "must be 3 to 1000 groups")?;
        check((0.0..1.0).contains(&self.smoothing), "trendline.smoothing", "must be 0 to below 1")?;
        check(positive(self.gain), "trendline.gain", "must be above zero")?;
        check((6.0..=600.0).contains(&self.threshold_ms), "trendline.threshold_ms", "must be 6 to 600")?;
        check(fraction(self.gain_up), "trendline.gain_up", "must be 0 to 1")?;
        check(fraction(self.gain_down), "trendline.gain_down", "must be 0 to 1")
    }
}

/// Settings of the queue delay: one-way delay above that of the empty path.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct QueueConfig {
    /// The standing queue aimed at, to which the time of one packet at the target rate is added. Default 5 ms: enough to
    /// see at once when the link has become faster, as the queue is then gone.
    pub target: Duration,
    /// How far above the target a standing queue is congestion. Default 20 ms: what steps of increase cause is below it.
    pub margin: Duration,
    /// The standing queue is the least delay over this time (and eight groups of packets). Default 100 ms: three frames
    /// of video, so the burst of one is not taken for a queue.
    pub window: Duration,
    /// The base delay is the least delay over this time. Default 30 s: three times `refresh`.
    pub base_window: Duration,
    /// Time after which the queue is emptied on purpose if it was never empty. Default 10 s: well within `base_window`, so
    /// that a queue of our own never becomes part of the base. Costs about 0.1 % of the rate.
    pub refresh: Duration,
    /// The greatest drift between the clocks that is believed, in parts per million. Default 200: twice what two bad quartz
    /// crystals differ by.
    pub max_drift_ppm: f64,
}

impl Default for QueueConfig {
    fn default() -> Self {
        Self {
            target: Duration::from_millis(5),
            margin: Duration::from_millis(20),
            window: Duration::from_millis(100),
            base_window: Duration::from_secs(30),
            refresh: Duration::from_secs(10),
            max_drift_ppm: 200.0,
        }
    }
}

impl QueueConfig {
    pub(super) fn validate(&self) -> Result<(), ConfigError> {
        const MILLIS: Duration = Duration::from_millis(1);
        check((MILLIS..=1000 * MILLIS).contains(&self.target), "queue.target", "must be 1 ms to 1 s")?;
        check((MILLIS..=1000 * MILLIS).contains(&self.margin), "queue.margin", "must be 1 ms to 1 s")?;
        check((10 * MILLIS..=300 * MILLIS).contains(&self.window), "queue.window", "must be 10 to 300 ms")?;
        check(
            (Duration::from_secs(2)..=Duration::from_secs(60)).contains(&self.base_window),
            "queue.base_window",
            "must be 2 to 60 s",
        )?;
        check(self.refresh >= Duration::from_secs(1), "queue.refresh", "must not be below 1 s")?;
        check((0.0..=1000.0).contains(&self.max_drift_ppm), "queue.max_drift_ppm", "must be 0 to 1000")
    }
}
