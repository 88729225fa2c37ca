//! The range a target stays in: as configured, as the application can use, as the other side allows.

use rtc_core::Bitrate;
use rtc_core::bwe::ApplicationLimits;

#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    configured: (Bitrate, Bitrate),
    min: Bitrate,
    max: Bitrate,
    remote: Bitrate,
}

impl Limits {
    /// Of checked settings: `min` is above zero and not above `max`.
    pub(crate) const fn new(min: Bitrate, max: Bitrate) -> Self {
        Self { configured: (min, max), min, max, remote: Bitrate::MAX }
    }

    /// Narrows the range to what the application can use; never beyond what is configured.
    pub(crate) fn set_application(&mut self, limits: &ApplicationLimits) {
        let (min, max) = self.configured;
        self.max = limits.max.clamp(min, max);
        self.min = limits.min.clamp(min, self.max);
    }

    /// What the other side wants at most; the least useful rate is kept nevertheless.
    pub(crate) const fn set_remote(&mut self, limit: Bitrate) {
        self.remote = limit;
    }

    pub(crate) const fn min(&self) -> Bitrate {
        self.min
    }

    /// The most the application can use, whatever the other side allows at present.
    pub(crate) const fn useful(&self) -> Bitrate {
        self.max
    }

    pub(crate) fn max(&self) -> Bitrate {
        self.max.min(self.remote).max(self.min)
    }

    pub(crate) fn clamp(&self, bps: f64) -> Bitrate {
        Bitrate::from_bps_f64(bps).clamp(self.min(), self.max())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn kbps(kbps: u64) -> Bitrate {
        Bitrate::from_kbps(kbps)
    }

    #[test]
    fn the_application_narrows_what_is_configured() {
        let mut limits = Limits::new(kbps(20), kbps(2_000));
        limits.set_application(&ApplicationLimits::new(kbps(50), kbps(9_000)));
        assert_eq!((limits.min(), limits.max()), (kbps(50), kbps(2_000)));
        limits.set_application(&ApplicationLimits::new(kbps(500), kbps(5)));
        assert_eq!((limits.min(), limits.max()), (kbps(20), kbps(20)), "whatever it says, a range is left");
    }

    #[test]
    fn the_other_side_limits_down_to_the_least() {
        let mut limits = Limits::new(kbps(20), kbps(2_000));
        limits.set_remote(kbps(300));
        assert_eq!(limits.clamp(1e6), kbps(300));
        limits.set_remote(Bitrate::ZERO);
        assert_eq!(limits.clamp(1e6), kbps(20));
        limits.set_remote(Bitrate::MAX);
        assert_eq!(limits.clamp(1e6), kbps(1_000));
        assert_eq!(limits.clamp(f64::NAN), kbps(20));
    }
}
