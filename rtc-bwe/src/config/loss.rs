//! Settings of what loss means.

use core::time::Duration;

use rtc_core::ConfigError;

use crate::check::{check, fraction};

/// How loss is understood.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum LossModel {
    /// Loss without a queue is put to the test: the rate is lowered once to see whether the loss goes away.
    #[default]
    Experiment,
    /// The bandwidth and the inherent loss under which what was observed is the likeliest.
    Likelihood,
    /// Above a tenth of loss the rate falls, below a fiftieth it grows (draft-ietf-rmcat-gcc-02 §6).
    Rule,
    /// Loss changes nothing.
    Ignore,
}

/// Settings of what loss means.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct LossConfig {
    /// How loss is understood; the other settings are those of the experiment. Default [`LossModel::Experiment`]: it keeps the
    /// rate through random loss and finds out a policer.
    pub model: LossModel,
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
        Self { model: LossModel::Experiment, margin: 0.03, max_random: 0.5, hold: Duration::from_secs(2), growth: 1.08 }
    }
}

impl LossConfig {
    pub(super) fn validate(&self) -> Result<(), ConfigError> {
        check((0.001..=1.0).contains(&self.margin), "loss.margin", "must be 0.001 to 1")?;
        check(fraction(self.max_random), "loss.max_random", "must be 0 to 1")?;
        check(self.hold <= Duration::from_secs(60), "loss.hold", "must not be above 60 s")?;
        check((1.001..=2.0).contains(&self.growth), "loss.growth", "must be 1.001 to 2")
    }
}
