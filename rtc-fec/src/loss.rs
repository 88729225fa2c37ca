//! What feedback tells of a path: how much is lost, how it clusters, how sure that is, how long the way takes and how often
//! word of it comes back.

use core::time::Duration;

use rtc_core::ConfigError;
use rtc_core::bwe::PacketResult;
use rtc_core::time::Instant;

mod average;
#[cfg(test)]
mod tests;

use average::Average;

/// A run without loss as unlikely as this ends the loss before it.
const RUN_CHANCE: f64 = 1e-4;
/// Bursts longer by less than this than those of losses at random are taken for these: 200 packets of which 70 % are lost, as
/// there are at first, tell to a fifth.
const CLUSTERED: f64 = 1.5;
/// Gaps between feedbacks averaged over.
const FEEDBACKS: f64 = 32.0;
/// A run has to be as long as this.
const SHORTEST_RUN: f64 = 12.0;

/// Settings of a [`LossEstimator`].
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct LossConfig {
    /// Loss assumed before the first feedback, 0 to 1. 0.1: better a moment of waste than one of gaps.
    pub assumed: f64,
    /// Packets the assumption is worth. 3: soon forgotten.
    pub assumed_weight: f64,
    /// Packets averaged over while nothing changes. 1000: where much is lost, five seconds of voice and its repair, and half of
    /// the loss known to a fiftieth. What changes by more is found in `recent`.
    pub memory: f64,
    /// Packets in which a change is found. 30: of one in two lost, none among 30 is no chance. Less finds it sooner, and finds
    /// some that are none.
    pub recent: f64,
    /// Round-trip time until one is measured. 100 ms.
    pub rtt: Duration,
    /// Extra delay beyond which a packet comes too late to be of use, and counts as lost. 200 ms: the delay a call can spare.
    pub late_after: Duration,
    /// How often the peer sends feedback, if known: what does not come is lost on the way back. None: unknown.
    pub feedback_interval: Option<Duration>,
}

impl Default for LossConfig {
    fn default() -> Self {
        Self {
            assumed: 0.1,
            assumed_weight: 3.0,
            memory: 1_000.0,
            recent: 30.0,
            rtt: Duration::from_millis(100),
            late_after: Duration::from_millis(200),
            feedback_interval: None,
        }
    }
}

/// A path as protection sees it. Fractions are 0 to 1.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct LossModel {
    /// Fraction of packets lost or too late to be of use.
    pub loss: f64,
    /// Packets lost in a row, on average; 1 / (1 - loss) if each is lost by itself (E. Gilbert 1960).
    pub burst: f64,
    /// Packets the figures rest on.
    pub samples: f64,
    /// Round-trip time, smoothed.
    pub rtt: Duration,
    /// Extra one-way delay that 19 of 20 packets stay below.
    pub jitter: Duration,
    /// Mean time between two feedbacks that arrive.
    pub feedback_interval: Duration,
    /// Fraction of feedback that is lost.
    pub reverse_loss: f64,
}

impl LossModel {
    /// A path that loses each packet by itself, with feedback every 10 ms of which as much is lost.
    #[must_use]
    pub fn random(loss: f64, rtt: Duration) -> Self {
        let loss = clamp(loss);
        Self {
            loss,
            burst: 1.0 / (1.0 - loss),
            samples: 0.0,
            rtt,
            jitter: Duration::ZERO,
            feedback_interval: Duration::from_millis(10).div_f64(1.0 - loss),
            reverse_loss: loss,
        }
    }

    /// The range loss is in with a probability of 95 % (E. B. Wilson 1927), if packets are lost one by one; losses in a row
    /// count as one.
    #[must_use]
    pub fn interval(&self) -> (f64, f64) {
        let independent = (1.0 / (1.0 - clamp(self.loss))).max(1.0);
        wilson(self.loss, self.samples * (independent / self.burst.max(independent)))
    }

    /// The fraction of packets lost that follow one that was: that of all unless losses cluster by more than chance does.
    #[must_use]
    pub fn again(&self) -> f64 {
        let loss = clamp(self.loss);
        let alone = 1.0 / (1.0 - loss);
        if self.burst > CLUSTERED * alone { clamp(1.0 - 1.0 / self.burst).max(loss) } else { loss }
    }

    /// How long it takes to learn the fate of a packet: a round trip, and half the time between feedbacks for each that may
    /// be lost.
    #[must_use]
    pub fn round(&self) -> Duration {
        self.rtt + self.jitter + self.feedback_interval
    }
}

/// Estimates a [`LossModel`] from feedback.
///
/// Loss is an average over [`memory`](LossConfig::memory) packets. It jumps to the average over the
/// [`recent`](LossConfig::recent) ones when both cannot be true at once, and down after a run without loss that would be no
/// chance, so that the end of loss is seen within half a second of voice.
#[derive(Debug, Clone)]
pub struct LossEstimator {
    config: LossConfig,
    slow: Average,
    fast: Average,
    /// Fraction of packets that are lost after one that was not: each begins a burst.
    bursts: Average,
    last_lost: bool,
    /// Packets in a row that were not lost.
    run: f64,
    rtt: Option<Duration>,
    /// Least difference of the two clocks lately, in nanoseconds: no delay but the way itself.
    base: Option<f64>,
    jitter: f64,
    last_feedback: Option<Instant>,
    feedback_gap: Option<f64>,
    /// Gaps that rests on.
    feedback_gaps: f64,
    reverse_loss: Option<f64>,
}

impl LossEstimator {
    /// An estimator that has seen nothing.
    ///
    /// # Errors
    /// [`ConfigError`] if `assumed` is not a fraction, or `recent` not from 1 to `memory`.
    pub fn new(config: LossConfig) -> Result<Self, ConfigError> {
        if !(0.0..1.0).contains(&config.assumed) {
            return Err(ConfigError::new("assumed", "must be at least 0 and below 1"));
        }
        if !(config.recent >= 1.0 && config.memory >= config.recent && config.memory.is_finite()) {
            return Err(ConfigError::new("recent", "must be from 1 to memory"));
        }
        let average = |value, memory| Average::new(value, config.assumed_weight.clamp(1.0, config.recent), memory);
        Ok(Self {
            slow: average(config.assumed, config.memory),
            fast: average(config.assumed, config.recent),
            bursts: average(config.assumed * (1.0 - config.assumed), config.memory),
            last_lost: false,
            run: 0.0,
            rtt: None,
            base: None,
            jitter: 0.0,
            last_feedback: None,
            feedback_gap: None,
            feedback_gaps: 0.0,
            reverse_loss: None,
            config,
        })
    }

    /// Takes the fate of packets, in the order they were sent, as
    /// [`BandwidthEstimator::on_feedback`](rtc_core::bwe::BandwidthEstimator::on_feedback) does. To be called for every
    /// feedback, also one that tells nothing new.
    pub fn on_feedback(&mut self, now: Instant, results: &[PacketResult]) {
        if let Some(before) = self.last_feedback.replace(now) {
            let gap = now.saturating_since(before).as_secs_f64();
            let mean = self.feedback_gap.get_or_insert(gap);
            // The mean of all at first.
            self.feedback_gaps = (self.feedback_gaps + 1.0).min(FEEDBACKS);
            *mean += (gap - *mean) / self.feedback_gaps;
        }
        for result in results {
            let late = result.received.is_some_and(|received| self.delay(result.packet.sent, received));
            self.packet(result.received.is_none() || late);
        }
    }

    /// Takes a measured round-trip time. Smoothed as RFC 6298 §2.3 has it, with an eighth of each.
    pub fn on_rtt(&mut self, rtt: Duration) {
        let mean = self.rtt.get_or_insert(rtt);
        *mean = (*mean * 7 + rtt) / 8;
    }

    /// Tells the loss on the way back, where it is known better than from the gaps between feedbacks.
    pub fn set_reverse_loss(&mut self, loss: f64) {
        self.reverse_loss = Some(clamp(loss));
    }

    /// The path as it looks now.
    #[must_use]
    pub fn model(&self) -> LossModel {
        let loss = clamp(self.slow.value());
        let burst = if self.bursts.value() > 1e-9 { loss / self.bursts.value() } else { 1.0 };
        let interval = self.config.feedback_interval;
        let gap = self.feedback_gap.map(Duration::from_secs_f64).or(interval).unwrap_or(Duration::from_millis(50));
        let reverse = match (self.reverse_loss, interval) {
            (Some(told), _) => told,
            (None, Some(interval)) => clamp(1.0 - interval.as_secs_f64() / gap.as_secs_f64().max(1e-6)),
            (None, None) => loss,
        };
        LossModel {
            loss,
            burst: burst.max(1.0),
            samples: self.slow.weight(),
            rtt: self.rtt.unwrap_or(self.config.rtt),
            jitter: Duration::from_secs_f64((self.jitter / 1e9).clamp(0.0, 10.0)),
            feedback_interval: gap,
            reverse_loss: reverse,
        }
    }

    fn packet(&mut self, lost: bool) {
        let value = if lost { 1.0 } else { 0.0 };
        self.slow.add(value);
        self.fast.add(value);
        self.bursts.add(if lost && !self.last_lost { 1.0 } else { 0.0 });
        self.last_lost = lost;
        // Losses in a row are fewer samples than they look.
        let burst = self.model().burst * (1.0 - clamp(self.fast.value()));
        let (fast, slow) = (self.fast, self.slow);
        let (low, high) = wilson(fast.value(), fast.weight() / burst.max(1.0));
        let (slow_low, slow_high) = wilson(slow.value(), slow.weight() / burst.max(1.0));
        if high < slow_low || low > slow_high {
            self.slow.set(fast.value(), fast.weight());
            self.bursts.set(self.bursts.value() * (fast.value() / slow.value().max(1e-6)).min(1.0), fast.weight());
        }
        self.run = if lost { 0.0 } else { self.run + 1.0 };
        // So long a run without loss would be no chance: the rule of succession (Laplace 1774) has what is left of it.
        if self.run >= SHORTEST_RUN && (1.0 - clamp(self.slow.value())).powf(self.run) < RUN_CHANCE {
            let left = 1.0 / (self.run + 2.0);
            self.slow.set(left, self.run);
            self.fast.set(left, self.run);
            self.bursts.set(left, self.run);
        }
    }

    /// Takes note of a delay; whether it was too long to be of use.
    fn delay(&mut self, sent: Instant, received: Instant) -> bool {
        // The difference of two clocks: only its changes mean something.
        let delay = received.as_nanos() as f64 - sent.as_nanos() as f64;
        let base = self.base.get_or_insert(delay);
        // A base that was too low for long creeps up: clocks drift by less than 1 us in 10 ms.
        *base = (*base + 1e3).min(delay);
        let extra = delay - *base;
        // Steps up and down are as 19 to 1, so that the level stays where 1 of 20 is above.
        let step = (self.jitter / 20.0).max(2e4);
        self.jitter =
            if extra > self.jitter { self.jitter + step * 0.95 } else { (self.jitter - step * 0.05).max(0.0) };
        extra > self.config.late_after.as_nanos() as f64
    }
}

/// Beyond this nothing can be planned.
fn clamp(loss: f64) -> f64 {
    loss.clamp(0.0, 0.95)
}

/// Wilson's interval of 95 % for a fraction seen in so many samples.
fn wilson(fraction: f64, samples: f64) -> (f64, f64) {
    const Z: f64 = 1.96;
    let samples = samples.max(1.0);
    let scale = 1.0 / (1.0 + Z * Z / samples);
    let middle = fraction + Z * Z / (2.0 * samples);
    let half = Z * (fraction * (1.0 - fraction) / samples + Z * Z / (4.0 * samples * samples)).max(0.0).sqrt();
    (((middle - half) * scale).max(0.0), ((middle + half) * scale).min(1.0))
}
