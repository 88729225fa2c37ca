use core::time::Duration;

use rtc_core::time::Instant;
use rtc_core::{Bitrate, DataSize};

const NANOS_PER_SEC: u128 = 1_000_000_000;

/// A leaky bucket. Its level is kept in bits × 10⁹, so that bits per second × nanoseconds need no division and no rounding.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Bucket {
    level: u128,
    updated: Instant,
}

impl Bucket {
    pub(super) fn add(&mut self, size: DataSize) {
        self.level = self.level.saturating_add(scaled(size));
    }

    /// Forgets what is above `size`.
    pub(super) fn limit(&mut self, size: DataSize) {
        self.level = self.level.min(scaled(size));
    }

    /// Lets time pass at `rate`. A moment before the last one changes nothing.
    pub(super) fn leak(&mut self, now: Instant, rate: Bitrate) {
        let leaked = (now - self.updated).as_nanos().saturating_mul(u128::from(rate.as_bps()));
        self.level = self.level.saturating_sub(leaked);
        self.updated = self.updated.max(now);
    }

    /// The first moment at which the level is no more than `burst` at `rate`.
    ///
    /// ```text
    /// level |\
    ///       | \   rate
    /// burst |--\·············
    ///       |   \
    ///       +----+-----------> time
    ///      updated  the answer
    /// ```
    pub(super) fn below(&self, burst: Duration, rate: Bitrate) -> Instant {
        let rate = u128::from(rate.as_bps());
        let excess = self.level.saturating_sub(rate.saturating_mul(burst.as_nanos()));
        if excess == 0 {
            return self.updated;
        }
        let nanos = if rate == 0 { u128::MAX } else { excess.div_ceil(rate) };
        self.updated + Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }

    /// The rate, rounded up, at which `queued` more and the bucket itself have leaked out in `time`.
    pub(super) fn rate_to_empty(&self, queued: DataSize, time: Duration) -> Bitrate {
        let total = self.level.saturating_add(scaled(queued));
        let bps = total.div_ceil(time.as_nanos().max(1));
        Bitrate::from_bps(u64::try_from(bps).unwrap_or(u64::MAX))
    }
}

fn scaled(size: DataSize) -> u128 {
    u128::from(size.as_bits()) * NANOS_PER_SEC
}
