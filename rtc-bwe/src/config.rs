//! Settings, each with its unit, default and reason.

use core::time::Duration;

use rtc_core::{Bitrate, ConfigError};

use crate::check::{check, fraction, range_holds};

mod delay;
mod loss;
mod marks;
mod probe;
mod rate;

pub use delay::{QueueConfig, TrendlineConfig};
pub use loss::{LossConfig, LossModel};
pub use marks::MarksConfig;
pub use probe::ProbeConfig;
pub use rate::{AimdConfig, CompeteConfig};

/// Settings of [`Gcc`](crate::Gcc).
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct GccConfig {
    /// The target never falls below this. Default 16 kb/s: narrow-band Opus with its headers in 60 ms packets.
    pub min: Bitrate,
    /// The target before the first feedback. Default 300 kb/s: fits nearly every path, and starts low video at once.
    pub start: Bitrate,
    /// The target never rises above this. Default 20 Mb/s: more than one video stream of a call needs.
    pub max: Bitrate,
    /// Rate of bursts over the target. Default 1.1: oversized frames leave within a few frame intervals, yet a frame is
    /// spread over nearly its whole interval and hardly queues at the bottleneck.
    pub pacing_factor: f64,
    /// The same where it would exceed the known capacity. Default 1.02: what a large frame exceeds it by waits in the pacer
    /// instead of the network's queue, yet leaves.
    pub pacing_floor: f64,
    /// Whether to bound what is in flight. Default true: when the path stalls or its capacity drops, no more than a round trip
    /// and a little goes out before feedback tells.
    pub window: bool,
    /// Packets remembered until their result comes, in packets, rounded up to a power of two. Default 2048: a second at
    /// 20 Mb/s. Must cover what is sent in a round trip and a feedback interval; memory is 48 bytes for each.
    pub history: usize,
    /// Time without feedback, with packets in flight, after which the rate is lowered; again after each half of it.
    /// Default 1 s: ten times the longest usual feedback interval.
    pub feedback_timeout: Duration,
    /// The factor on the rate at each feedback timeout. Default 0.7: a path that is silent for 3 s is entered again at a
    /// sixth of the rate.
    pub timeout_factor: f64,
    /// Change of the one-way delay from one packet to the next that can only be a jump of the receiver's clock.
    /// Default 10 s: beyond what any queue holds.
    pub clock_jump: Duration,
    /// The delay gradient.
    pub trendline: TrendlineConfig,
    /// The queue delay.
    pub queue: QueueConfig,
    /// Increase and decrease.
    pub aimd: AimdConfig,
    /// Congestion marks.
    pub marks: MarksConfig,
    /// Competition.
    pub compete: CompeteConfig,
    /// Loss.
    pub loss: LossConfig,
    /// Probing.
    pub probe: ProbeConfig,
}

impl Default for GccConfig {
    fn default() -> Self {
        Self {
            min: Bitrate::from_kbps(16),
            start: Bitrate::from_kbps(300),
            max: Bitrate::from_kbps(20_000),
            pacing_factor: 1.1,
            pacing_floor: 1.02,
            window: true,
            history: 2048,
            feedback_timeout: Duration::from_secs(1),
            timeout_factor: 0.7,
            clock_jump: Duration::from_secs(10),
            trendline: TrendlineConfig::default(),
            queue: QueueConfig::default(),
            aimd: AimdConfig::default(),
            marks: MarksConfig::default(),
            compete: CompeteConfig::default(),
            loss: LossConfig::default(),
            probe: ProbeConfig::default(),
        }
    }
}

impl GccConfig {
    pub(crate) fn validate(&self) -> Result<(), ConfigError> {
        range_holds(self.min, self.start, self.max)?;
        check((1.0..=10.0).contains(&self.pacing_factor), "pacing_factor", "must be 1 to 10")?;
        check((1.0..=self.pacing_factor).contains(&self.pacing_floor), "pacing_floor", "must be 1 to pacing_factor")?;
        check((16..=1 << 24).contains(&self.history), "history", "must be 16 to 16777216 packets")?;
        check(self.feedback_timeout >= Duration::from_millis(10), "feedback_timeout", "must not be below 10 ms")?;
        check(fraction(self.timeout_factor), "timeout_factor", "must be 0 to 1")?;
        check(self.clock_jump >= Duration::from_secs(1), "clock_jump", "must not be below 1 s")?;
        self.trendline.validate()?;
        self.queue.validate()?;
        self.aimd.validate()?;
        self.marks.validate()?;
        self.compete.validate()?;
        self.loss.validate()?;
        self.probe.validate()
    }
}
