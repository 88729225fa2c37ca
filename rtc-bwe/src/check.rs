//! What settings of several estimators are held to.

use core::time::Duration;

use rtc_core::{Bitrate, ConfigError};

/// Keeps every product of rate and time far within the range of the types.
pub(crate) const MAX_RATE: Bitrate = Bitrate::from_kbps(1_000_000_000);

pub(crate) fn check(holds: bool, setting: &'static str, reason: &'static str) -> Result<(), ConfigError> {
    if holds { Ok(()) } else { Err(ConfigError::new(setting, reason)) }
}

pub(crate) fn fraction(value: f64) -> bool {
    (0.0..=1.0).contains(&value)
}

pub(crate) fn positive(value: f64) -> bool {
    value.is_finite() && value > 0.0
}

pub(crate) fn range_holds(min: Bitrate, start: Bitrate, max: Bitrate) -> Result<(), ConfigError> {
    check(min > Bitrate::ZERO, "min", "must not be zero")?;
    check(max >= min, "max", "must not be below min")?;
    check((min..=max).contains(&start), "start", "must be within min and max")?;
    check(max <= MAX_RATE, "max", "must not be above 1 Tb/s")
}

pub(crate) fn history_holds(
    history: usize,
    feedback_timeout: Duration,
    timeout_factor: f64,
    base_window: Duration,
) -> Result<(), ConfigError> {
    check((16..=1 << 24).contains(&history), "history", "must be 16 to 16777216 packets")?;
    check(feedback_timeout >= Duration::from_millis(10), "feedback_timeout", "must not be below 10 ms")?;
    check(fraction(timeout_factor), "timeout_factor", "must be 0 to 1")?;
    check(base_window >= Duration::from_secs(1), "base_window", "must not be below 1 s")
}
