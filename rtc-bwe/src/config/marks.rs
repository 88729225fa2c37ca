//! Settings of congestion marks.

use rtc_core::ConfigError;

use crate::check::check;

/// Settings of what congestion marks mean.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct MarksConfig {
    /// Whether to react to them. Default true.
    pub enabled: bool,
    /// Whether to react to marks on packets sent as ECT(1) by their share. Default true, as RFC 9331 §4.3 demands of those who
    /// send them; without it one mark in a round is as bad as all.
    pub scalable: bool,
    /// The factor on the rate after a round with classic marks. Default 0.85 (draft-ietf-rmcat-gcc-02 §5.6).
    pub beta: f64,
}

impl Default for MarksConfig {
    fn default() -> Self {
        Self { enabled: true, scalable: true, beta: 0.85 }
    }
}

impl MarksConfig {
    pub(super) fn validate(&self) -> Result<(), ConfigError> {
        check((0.5..=1.0).contains(&self.beta), "marks.beta", "must be 0.5 to 1")
    }
}
