//! Settings of the rate.

use core::time::Duration;

use rtc_core::ConfigError;

use super::check;

/// Settings of increase and decrease (draft-ietf-rmcat-gcc-02 §5.5, with the changes named in the readme).
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct AimdConfig {
    /// While the application sends less than the target, the target grows no further than this multiple of the delivered
    /// rate. Default 1.5 (§5.5).
    pub headroom: f64,
    /// The queue that a first step beyond the known capacity may cause before its feedback is here. Default 3 ms: less than the
    /// target.
    pub step: Duration,
    /// The same after steps that caused none: it doubles with each. Default 50 ms (`QBOUND` of RFC 8698 §4.3).
    pub max_step: Duration,
    /// Growth per second near the known capacity, at 1 Mb/s. Default 0.1: exceeds the capacity by a few percent before that
    /// shows, which is a queue of some 10 ms.
    pub pace: f64,
    /// The fraction of the capacity by which the rate begins below it when a queue was drained, at 1 Mb/s; between 0.01 and
    /// 0.1. Default 0.03.
    pub margin: f64,
    /// Slower flows grow faster (with the power of -3/4 of the rate) and faster flows give way more (in proportion to it), so
    /// that those who share a link become equal. Default true; without it shares stay what they are.
    pub fair: bool,
    /// A drain ends when what is in flight will have ended it, not when that is seen. Default true; without it the link stands
    /// idle for a round trip after each.
    pub ahead: bool,
    /// A queue of this delay is drained at half of the capacity, a smaller one at more. Default 100 ms: a full drop-tail queue
    /// of 300 ms is gone in about half a second.
    pub drain: Duration,
}

impl Default for AimdConfig {
    fn default() -> Self {
        Self {
            headroom: 1.5,
            step: Duration::from_millis(3),
            max_step: Duration::from_millis(50),
            pace: 0.1,
            margin: 0.03,
            fair: true,
            ahead: true,
            drain: Duration::from_millis(100),
        }
    }
}

impl AimdConfig {
    pub(super) fn validate(&self) -> Result<(), ConfigError> {
        const MILLIS: Duration = Duration::from_millis(1);
        check((1.1..=100.0).contains(&self.headroom), "aimd.headroom", "must be 1.1 to 100")?;
        check((MILLIS..=1000 * MILLIS).contains(&self.step), "aimd.step", "must be 1 ms to 1 s")?;
        check((self.step..=1000 * MILLIS).contains(&self.max_step), "aimd.max_step", "must be aimd.step to 1 s")?;
        check((0.001..=1.0).contains(&self.pace), "aimd.pace", "must be 0.001 to 1")?;
        check((0.0..=0.1).contains(&self.margin), "aimd.margin", "must be 0 to 0.1")?;
        check((MILLIS..=10_000 * MILLIS).contains(&self.drain), "aimd.drain", "must be 1 ms to 10 s")
    }
}

/// Settings of competition with flows that fill queues, as TCP does.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct CompeteConfig {
    /// Whether to compete. Default true; without it such flows get all they want.
    pub enabled: bool,
    /// A queue must last this long although it is yielded to. Default 3 s: our own is gone within one, and short transfers are
    /// ridden out.
    pub patience: Duration,
    /// It must have risen by this much meanwhile, or overflowed: a longer path does neither. Default 60 ms: more than flows of
    /// our kind let it rise.
    pub rise: Duration,
    /// The constant `C` of Cubic, in segments per second cubed. Default 4: a flow that is paced begins small and loses less at
    /// once than a burst, and comes to its share in a few losses; RFC 9438 has 0.4, with which it takes minutes.
    pub scale: f64,
    /// Time after which the queue is yielded to again, to see whether the others are gone. Default 45 s: costs about two
    /// seconds.
    pub check: Duration,
    /// Time after a competition, or after a queue that seemed to be a longer path, in which half the patience and half the rise
    /// are enough. Default 10 s: two or three losses of Cubic, between which its queue may seem empty, or to stand still.
    pub memory: Duration,
}

impl Default for CompeteConfig {
    fn default() -> Self {
        Self {
            enabled: true,
            patience: Duration::from_secs(3),
            rise: Duration::from_millis(60),
            scale: 4.0,
            check: Duration::from_secs(45),
            memory: Duration::from_secs(10),
        }
    }
}

impl CompeteConfig {
    pub(super) fn validate(&self) -> Result<(), ConfigError> {
        const SECOND: Duration = Duration::from_secs(1);
        check((SECOND / 2..=60 * SECOND).contains(&self.patience), "compete.patience", "must be 0.5 to 60 s")?;
        check((SECOND / 100..=10 * SECOND).contains(&self.rise), "compete.rise", "must be 10 ms to 10 s")?;
        check((0.01..=100.0).contains(&self.scale), "compete.scale", "must be 0.01 to 100")?;
        check((SECOND..=3600 * SECOND).contains(&self.check), "compete.check", "must be 1 s to 1 h")?;
        check(self.memory <= 3600 * SECOND, "compete.memory", "must not be above 1 h")
    }
}
