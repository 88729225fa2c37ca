use alloc::boxed::Box;
use core::time::Duration;

use crate::arrival::{Nanos, nanos};

/// Width of a bin.
pub(super) const BIN: Duration = Duration::from_millis(BIN_MS as u64);
const BIN_MS: u32 = 5;
/// Bins of [`Histogram::RANGE`], and one for everything beyond.
const BINS: usize = 801;
/// Weight of one packet at which all are scaled down, far from where `f64` loses small ones.
const RESCALE: f64 = 1e9;

/// Lateness of packets with exponential forgetting.
///
/// Rather than shrink 801 bins for each packet, the packets grow heavier, and all is scaled down when they are too heavy.
#[derive(Debug)]
pub(super) struct Histogram {
    weights: Box<[f64]>,
    total: f64,
    unit: f64,
}

impl Histogram {
    /// Lateness told apart; what is beyond shares one bin.
    pub(super) const RANGE: Duration = Duration::from_secs(4);

    pub(super) fn new() -> Self {
        Self { weights: Box::new([0.0; BINS]), total: 0.0, unit: 1.0 }
    }

    pub(super) fn add(&mut self, lateness: Nanos, packets: f64) {
        let bin = lateness.max(0) / nanos(BIN);
        let bin = usize::try_from(bin).unwrap_or(BINS).min(BINS - 1);
        self.weights[bin] += packets * self.unit;
        self.total += packets * self.unit;
    }

    /// Multiplies the weight of all that was added by `keep`.
    pub(super) fn forget(&mut self, keep: f64) {
        self.unit /= keep;
        if self.unit < RESCALE {
            return;
        }
        for weight in &mut self.weights {
            *weight /= self.unit;
        }
        self.total = self.weights.iter().sum();
        self.unit = 1.0;
    }

    /// Makes all that was added this much less late, whole bins only.
    pub(super) fn shift_down(&mut self, by: Nanos) {
        let bins = usize::try_from(by / nanos(BIN)).unwrap_or(0).min(BINS - 1);
        let now_on_time: f64 = self.weights[..bins].iter().sum();
        self.weights.copy_within(bins.., 0);
        self.weights[BINS - bins..].fill(0.0);
        self.weights[0] += now_on_time;
    }

    /// The delay up to `max` of least delay in milliseconds + `ms_per_late` × part of packets later than it, or the delay by
    /// which `quantile` of them are there if that is more.
    pub(super) fn cheapest(&self, ms_per_late: f64, quantile: f64, max: Duration) -> Cheapest {
        let mut in_time = 0.0;
        let wanted = quantile * self.total;
        // Costs in milliseconds times the weight of all, as nothing is divided that way.
        let (of_bin, of_late) = (f64::from(BIN_MS) * self.total, ms_per_late);
        let mut least_cost = of_late * self.total;
        let mut guarded = quantile <= 0.0;
        let mut best = (0, self.total, false);
        let last = usize::try_from(max.as_nanos().div_ceil(BIN.as_nanos())).unwrap_or(BINS).min(BINS - 1);
        for (bin, weight) in (1_u32..).zip(&self.weights[..last]) {
            in_time += weight;
            let late = (self.total - in_time).max(0.0);
            let delay = f64::from(bin) * of_bin;
            let cost = delay + of_late * late;
            if !guarded || cost < least_cost {
                best = (bin, late, !guarded && cost > least_cost);
                least_cost = cost;
            }
            guarded |= in_time >= wanted;
            // No later bin can cost less than its own delay.
            if guarded && delay >= least_cost {
                break;
            }
        }
        let (bins, late, guarded) = best;
        Cheapest { delay: (BIN * bins).min(max), late: late / self.total, guarded }
    }
}

/// The delay of least cost.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Cheapest {
    pub(super) delay: Duration,
    /// Part of the packets later than that.
    pub(super) late: f64,
    /// Whether less delay would cost less, but be too little for the quantile.
    pub(super) guarded: bool,
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    const MS: Nanos = 1_000_000;

    proptest! {
        #[test]
        fn the_cheapest_delay_is_that_of_trying_all(
            lateness in vec((0..5_000i64, 0.9..1.0f64), 1..200),
            ms_per_late in 0.0..10_000.0f64,
            quantile in 0.0..0.99f64,
            max in 5..4_000u64,
        ) {
            let mut histogram = Histogram::new();
            let mut weights: Vec<(i64, f64)> = Vec::new();
            for (late, keep) in lateness {
                histogram.forget(keep);
                weights.iter_mut().for_each(|(_, weight)| *weight *= keep);
                histogram.add(late * MS, 1.0);
                weights.push((late, 1.0));
            }
            let max = Duration::from_millis(max);
            let total: f64 = weights.iter().map(|(_, weight)| weight).sum();
            // Within a bin nobody knows who was late.
            let late_by = |delay: i64| -> f64 {
                weights.iter().filter(|(late, _)| *late >= delay || *late >= 4_000).map(|(_, weight)| weight).sum::<f64>() / total
            };
            let cost = |delay: i64| delay as f64 + ms_per_late * late_by(delay);
            let allowed = |delay: i64| late_by(delay) <= 1.0 - quantile + 1e-9;
            let longest = i64::try_from(max.as_millis()).unwrap();
            let best = (0..=longest).step_by(5).filter(|delay| allowed(*delay)).map(cost).fold(f64::INFINITY, f64::min);
            let found = histogram.cheapest(ms_per_late, quantile, max).delay;
            let delay = i64::try_from(found.as_millis()).unwrap();
            prop_assert!(found <= max);
            if found < max {
                prop_assert!(allowed(delay));
                prop_assert!(cost(delay) <= best + 1e-6, "{} costs {}, {} was possible", delay, cost(delay), best);
            }
        }
    }

    #[test]
    fn shifting_keeps_the_weight_and_moves_it() {
        let mut histogram = Histogram::new();
        histogram.add(2 * MS, 1.0);
        histogram.add(102 * MS, 3.0);
        histogram.shift_down(98 * MS);
        assert_eq!(histogram.cheapest(1e6, 0.0, Histogram::RANGE).delay, BIN * 2);
        assert_eq!(histogram.weights.iter().sum::<f64>(), histogram.total);
    }
}
