//! Settings, each with its unit, default and reason.

use core::time::Duration;

use rtc_core::{Bitrate, ConfigError};

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
            history: 2048,
            feedback_timeout: Duration::from_secs(1),
            timeout_factor: 0.7,
            clock_jump: Duration::from_secs(10),
            trendline: TrendlineConfig::default(),
            queue: QueueConfig::default(),
            aimd: AimdConfig::default(),
            loss: LossConfig::default(),
            probe: ProbeConfig::default(),
        }
    }
}

impl GccConfig {
    pub(crate) fn validate(&self) -> Result<(), ConfigError> {
        check(self.min > Bitrate::ZERO, "min", "must not be zero")?;
        check(self.max >= self.min, "max", "must not be below min")?;
        check((self.min..=self.max).contains(&self.start), "start", "must be within min and max")?;
        check(self.max <= MAX_RATE, "max", "must not be above 1 Tb/s")?;
        check((1.0..=10.0).contains(&self.pacing_factor), "pacing_factor", "must be 1 to 10")?;
        check((16..=1 << 24).contains(&self.history), "history", "must be 16 to 16777216 packets")?;
        check(self.feedback_timeout >= Duration::from_millis(10), "feedback_timeout", "must not be below 10 ms")?;
        check(fraction(self.timeout_factor), "timeout_factor", "must be 0 to 1")?;
        check(self.clock_jump >= Duration::from_secs(1), "clock_jump", "must not be below 1 s")?;
        self.trendline.validate()?;
        self.queue.validate()?;
        self.aimd.validate()?;
        self.loss.validate()?;
        self.probe.validate()
    }
}

/// Settings of the delay gradient (draft-ietf-rmcat-gcc-02 §5.2 and §5.4; the trend line takes the place of the Kalman
/// filter of §5.3).
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct TrendlineConfig {
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
    fn validate(&self) -> Result<(), ConfigError> {
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
    fn validate(&self) -> Result<(), ConfigError> {
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

/// Settings of increase and decrease (draft-ietf-rmcat-gcc-02 §5.5, with the changes named in the readme).
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct AimdConfig {
    /// While the application sends less than the target, the target grows no further than this multiple of the delivered
    /// rate. Default 1.5 (§5.5).
    pub headroom: f64,
    /// The queue that a first step of increase may cause before its feedback is here. Default 3 ms: less than the target.
    pub step: Duration,
    /// The same after steps that caused none: it doubles with each. Default 50 ms (`QBOUND` of RFC 8698 §4.3).
    pub max_step: Duration,
    /// Proportional gain on changes of the queue near its target, per response time. Default 0.4: a quarter of what a loop
    /// with this delay bears (π/2).
    pub proportional: f64,
    /// Integral gain on the distance of the queue from its target, per response time squared. Default 0.05, for a phase
    /// margin of about 50 degrees with the gain above.
    pub integral: f64,
    /// A queue of this delay is drained at half of the capacity, a smaller one at more. Default 100 ms: a full drop-tail queue
    /// of 300 ms is gone in about half a second.
    pub drain: Duration,
    /// The fraction of the capacity to resume at when the queue is drained. Default 1: the capacity was measured while there was
    /// a queue, so it is known well, and less of it lets the rate begin to search anew.
    pub resume: f64,
    /// The fraction of the capacity to go on with when packets came with congestion marks. Default 0.85 (§5.6).
    pub beta: f64,
}

impl Default for AimdConfig {
    fn default() -> Self {
        Self {
            headroom: 1.5,
            step: Duration::from_millis(3),
            max_step: Duration::from_millis(50),
            proportional: 0.4,
            integral: 0.05,
            drain: Duration::from_millis(100),
            resume: 1.0,
            beta: 0.85,
        }
    }
}

impl AimdConfig {
    fn validate(&self) -> Result<(), ConfigError> {
        const MILLIS: Duration = Duration::from_millis(1);
        check((1.1..=100.0).contains(&self.headroom), "aimd.headroom", "must be 1.1 to 100")?;
        check((MILLIS..=1000 * MILLIS).contains(&self.step), "aimd.step", "must be 1 ms to 1 s")?;
        check((self.step..=1000 * MILLIS).contains(&self.max_step), "aimd.max_step", "must be aimd.step to 1 s")?;
        check((0.0..=1.5).contains(&self.proportional), "aimd.proportional", "must be 0 to 1.5")?;
        check((0.0..=1.0).contains(&self.integral), "aimd.integral", "must be 0 to 1")?;
        check((MILLIS..=10_000 * MILLIS).contains(&self.drain), "aimd.drain", "must be 1 ms to 10 s")?;
        check((0.5..=1.0).contains(&self.resume), "aimd.resume", "must be 0.5 to 1")?;
        check((0.5..=1.0).contains(&self.beta), "aimd.beta", "must be 0.5 to 1")
    }
}

/// Settings of what loss means.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct LossConfig {
    /// Loss above what was found to be random that asks for a test, as a fraction. Default 0.03: less is hardly heard or seen.
    pub margin: f64,
    /// Random loss above this is treated as congestion all the same, as a fraction. Default 0.5: beyond it no redundancy
    /// helps, and a path may be overloaded in ways this model does not know.
    pub max_random: f64,
    /// Time a rate that loss has limited is kept before it grows again; doubles each time that was too early, up to eight
    /// times. Default 2 s: several times what the test took.
    pub hold: Duration,
    /// Growth of the limit in the first second after that; it doubles with each further one. Default 1.08
    /// (draft-ietf-rmcat-gcc-02 §5.5).
    pub growth: f64,
}

impl Default for LossConfig {
    fn default() -> Self {
        Self { margin: 0.03, max_random: 0.5, hold: Duration::from_secs(2), growth: 1.08 }
    }
}

impl LossConfig {
    fn validate(&self) -> Result<(), ConfigError> {
        check((0.001..=1.0).contains(&self.margin), "loss.margin", "must be 0.001 to 1")?;
        check(fraction(self.max_random), "loss.max_random", "must be 0 to 1")?;
        check(self.hold <= Duration::from_secs(60), "loss.hold", "must not be above 60 s")?;
        check((1.001..=2.0).contains(&self.growth), "loss.growth", "must be 1.001 to 2")
    }
}

/// Settings of probing at the start.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct ProbeConfig {
    /// Whether to probe. Default true; costs nothing if [`poll_probe`](rtc_core::bwe::BandwidthEstimator::poll_probe) is
    /// never called.
    pub enabled: bool,
    /// The first probe over the start rate. Default 3; each later one doubles, while the path carries them.
    pub factor: f64,
    /// The time a probe lasts. Default 15 ms: long beside the resolution of feedback, short enough to queue little if it is
    /// too fast.
    pub duration: Duration,
    /// The packets it has at least. Default 5: fewer say little about their spacing.
    pub packets: u32,
}

impl Default for ProbeConfig {
    fn default() -> Self {
        Self { enabled: true, factor: 3.0, duration: Duration::from_millis(15), packets: 5 }
    }
}

impl ProbeConfig {
    fn validate(&self) -> Result<(), ConfigError> {
        const MILLIS: Duration = Duration::from_millis(1);
        check((1.0..=100.0).contains(&self.factor), "probe.factor", "must be 1 to 100")?;
        check((MILLIS..=1000 * MILLIS).contains(&self.duration), "probe.duration", "must be 1 ms to 1 s")?;
        check((2..=1000).contains(&self.packets), "probe.packets", "must be 2 to 1000")
    }
}

/// Keeps every product of rate and time far within the range of the types.
const MAX_RATE: Bitrate = Bitrate::from_kbps(1_000_000_000);

fn check(holds: bool, setting: &'static str, reason: &'static str) -> Result<(), ConfigError> {
    if holds { Ok(()) } else { Err(ConfigError::new(setting, reason)) }
}

fn fraction(value: f64) -> bool {
    (0.0..=1.0).contains(&value)
}

fn positive(value: f64) -> bool {
    value.is_finite() && value > 0.0
}
