use core::time::Duration;

use rtc_core::time::Instant;
use rtc_core::{Bitrate, DataSize};

const NANOS_PER_SEC: u64 = 1_000_000_000;

/// A leaky bucket. Its level is kept in bits × 10⁹, so that bits per second × nanoseconds need no division and no rounding; in
/// 64 bits, whose end is 2.3 GB above the rate.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Bucket {
    level: u64,
    updated: Instant,
}

impl Bucket {
    #[inline]
    pub(super) fn add(&mut self, size: DataSize) {
        self.level = self.level.saturating_add(scaled(size));
    }

    /// Forgets what is above `size`.
    #[inline]
    pub(super) fn limit(&mut self, size: DataSize) {
        self.level = self.level.min(scaled(size));
    }

    /// Lets time pass at `rate`. A moment before the last one changes nothing.
    #[inline]
    pub(super) fn leak(&mut self, now: Instant, rate: Bitrate) {
        let elapsed = now.as_nanos().saturating_sub(self.updated.as_nanos());
        self.level = self.level.saturating_sub(elapsed.saturating_mul(rate.as_bps()));
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
    #[inline]
    pub(super) fn below(&self, burst: Duration, rate: Bitrate) -> Instant {
        let rate = rate.as_bps();
        let excess = self.level.saturating_sub(rate.saturating_mul(nanos(burst)));
        if excess == 0 {
            return self.updated;
        }
        let nanos = if rate == 0 { u64::MAX } else { excess.div_ceil(rate) };
        self.updated + Duration::from_nanos(nanos)
    }

    /// The rate, `least` or above and rounded up, at which `queued` more and the bucket itself have leaked out in `time`.
    #[inline]
    pub(super) fn rate_to_empty(&self, queued: DataSize, time: Duration, least: Bitrate) -> Bitrate {
        // Mostly `least` is enough, which takes no division to see.
        let total = scaled(queued).checked_add(self.level);
        if total.is_some_and(|total| total <= nanos(time).saturating_mul(least.as_bps())) {
            return least;
        }
        let queued = u128::from(queued.as_bits()) * u128::from(NANOS_PER_SEC);
        let bps = (queued + u128::from(self.level)).div_ceil(time.as_nanos().max(1));
        Bitrate::from_bps(u64::try_from(bps).unwrap_or(u64::MAX)).max(least)
    }
}

#[inline]
fn scaled(size: DataSize) -> u64 {
    size.as_bits().saturating_mul(NANOS_PER_SEC)
}

#[inline]
fn nanos(time: Duration) -> u64 {
    time.as_secs().saturating_mul(NANOS_PER_SEC).saturating_add(time.subsec_nanos().into())
}
