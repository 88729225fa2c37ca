//! Synthetic capacity, so that no test needs a file.

use alloc::vec::Vec;
use core::time::Duration;

use super::RateSchedule;
use crate::testkit::rng::{Rng, exp};
use crate::{Bitrate, ConfigError};

/// The resolution of [`RateSchedule::lte_drive`].
const SLOT: Duration = Duration::from_millis(100);

impl RateSchedule {
    /// A link that stalls for `stall` at the end of each `every`, as Wi-Fi does while its radio scans other channels (typically
    /// 160 ms each 10 s). Nothing is lost: what waits leaves at `rate` after the stall.
    ///
    /// # Errors
    ///
    /// If `rate` is zero or `stall` is not shorter than `every`.
    pub fn wifi_stalls(rate: Bitrate, every: Duration, stall: Duration) -> Result<Self, ConfigError> {
        let Some(open) = every.checked_sub(stall).filter(|open| !open.is_zero()) else {
            return Err(ConfigError::new("stall", "must be shorter than every"));
        };
        if stall.is_zero() {
            return Self::constant(rate);
        }
        Self::new(&[(Duration::ZERO, rate), (open, Bitrate::ZERO)], Some(every))
    }

    /// A cellular link seen from a moving car, around a `median` rate, repeated after `length` (at least 100 ms).
    ///
    /// The logarithm of the rate moves in steps of 100 ms as the sum of two processes: fast fading, an autoregressive walk with a
    /// standard deviation of 0.6 (a factor of 1.8) and a time constant of 1 s, around the level of the cell, which is drawn anew
    /// (standard deviation 0.4) at each handover. Handovers come 20 s apart on average and stall the link for 100 to 400 ms.
    /// The numbers are round, chosen so that a load of a third of the median waits as it does on the LTE drive traces published
    /// with Mahimahi: hardly at the median, some 0.2 s at the 95th percentile, seconds at worst.
    ///
    /// # Errors
    ///
    /// If `median` is zero or `length` is below 100 ms.
    pub fn lte_drive(seed: u64, median: Bitrate, length: Duration) -> Result<Self, ConfigError> {
        /// Of one slot: e^(-0.1 s / 1 s), and the innovation that keeps the variance at 0.6².
        const FADING_MEMORY: f64 = 0.904_837_418;
        const FADING_STEP: f64 = FADING_SPREAD * 0.425_756_69;
        const FADING_SPREAD: f64 = 0.6;
        const CELL_SPREAD: f64 = 0.4;
        const HANDOVER: f64 = 0.1 / 20.0;

        let mut rng = Rng::new(seed);
        let mut fading = FADING_SPREAD * rng.normal();
        let mut cell = CELL_SPREAD * rng.normal();
        let mut stalled = 0;
        let slots = u32::try_from(length.as_nanos() / SLOT.as_nanos()).unwrap_or(u32::MAX);
        let mut steps: Vec<(Duration, Bitrate)> = Vec::new();
        for slot in 0..slots {
            fading = FADING_MEMORY * fading + FADING_STEP * rng.normal();
            if rng.bool(HANDOVER) {
                cell = CELL_SPREAD * rng.normal();
                stalled = 1 + rng.below(4);
            }
            // The last slot always carries, so that no seed makes a schedule without any capacity.
            let rate = if stalled > 0 && slot + 1 < slots { Bitrate::ZERO } else { median * exp(cell + fading) };
            stalled = stalled.saturating_sub(1);
            steps.push((SLOT * slot, rate));
        }
        if steps.is_empty() {
            return Err(ConfigError::new("length", "must be at least 100 ms"));
        }
        Self::new(&steps, Some(SLOT * slots))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wifi_stalls_once_a_period() {
        let rate = Bitrate::from_kbps(20_000);
        let ms = Duration::from_millis;
        let schedule = RateSchedule::wifi_stalls(rate, ms(10_000), ms(160)).unwrap();
        assert_eq!(schedule.rate_at(ms(9_839)), rate);
        assert_eq!(schedule.rate_at(ms(9_840)), Bitrate::ZERO);
        assert_eq!(schedule.rate_at(ms(19_999)), Bitrate::ZERO);
        assert_eq!(schedule.rate_at(ms(20_000)), rate);
        assert!(RateSchedule::wifi_stalls(rate, ms(1), ms(1)).is_err());
        assert_eq!(RateSchedule::wifi_stalls(rate, ms(1), ms(0)), RateSchedule::constant(rate));
    }

    /// One hour and a half has 270 independent cells and 2700 independent fades, so the standard error of the mean of
    /// ln(rate / median) is √(0.4² / 270 + 0.6² / 2700) = 0.027.
    #[test]
    fn lte_drive_has_the_moments_it_claims() {
        let median = Bitrate::from_kbps(6_000);
        let schedule = RateSchedule::lte_drive(1, median, Duration::from_secs(5_400)).unwrap();
        let (stalls, logs): (Vec<f64>, Vec<f64>) = schedule
            .steps()
            .map(|(_, rate)| (rate.as_bps_f64() / median.as_bps_f64()).ln())
            .partition(|log| log.is_infinite());
        let n = logs.len() as f64;
        let mean = logs.iter().sum::<f64>() / n;
        let deviation = (logs.iter().map(|log| (log - mean).powi(2)).sum::<f64>() / n).sqrt();
        assert!(mean.abs() < 5.0 * 0.027, "mean {mean}");
        // √(0.6² + 0.4²) = 0.721, with a relative error below that of 270 draws, 1 / √540.
        assert!((deviation / 0.721 - 1.0).abs() < 5.0 / 540.0_f64.sqrt(), "deviation {deviation}");
        // 250 ms each 20 s.
        let stalled = stalls.len() as f64 / 54_000.0;
        assert!((0.009..0.016).contains(&stalled), "stalled {stalled}");
    }

    #[test]
    fn seeds_differ_and_repeat() {
        let drive = |seed| RateSchedule::lte_drive(seed, Bitrate::from_kbps(4_000), Duration::from_secs(10)).unwrap();
        assert_eq!(drive(1), drive(1));
        assert_ne!(drive(1), drive(2));
        assert!(RateSchedule::lte_drive(1, Bitrate::ZERO, Duration::from_secs(1)).is_err());
        assert!(RateSchedule::lte_drive(1, Bitrate::from_bps(1), Duration::from_millis(99)).is_err());
    }
}
