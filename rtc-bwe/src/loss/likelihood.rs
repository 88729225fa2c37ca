//! The bandwidth and the inherent loss under which the loss of late is the likeliest.
//!
//! Packets are lost at random with the inherent loss, and of those that remain, what is sent above the bandwidth. Candidates of
//! the bandwidth are compared by the likelihood of what was observed; libwebrtc's newer loss-based estimator rests on the same
//! model.

use core::f64::consts::{LN_2, SQRT_2};

use super::Observation;

/// Candidates, as factors on the last result.
const CANDIDATES: [f64; 5] = [1.08, 1.02, 1.0, 0.95, 0.85];
/// Weight of an observation beside the next newer one.
const AGING: f64 = 0.9;
/// Range of the inherent loss.
const INHERENT: (f64, f64) = (0.001, 0.5);
/// Steps of Newton's method for it.
const STEPS: u32 = 3;
/// Among equals the larger bandwidth is preferred: so much per packet, and per e-fold.
const BIAS: f64 = 0.02;
/// Less excess of the rate over the bandwidth than this does not count.
const SLACK: f64 = 0.01;

/// A limit that explains the loss.
#[derive(Debug)]
pub(super) struct Likelihood {
    bandwidth: Option<f64>,
    inherent: f64,
}

impl Likelihood {
    pub(super) const fn new() -> Self {
        Self { bandwidth: None, inherent: 0.01 }
    }

    /// Takes observations, the newest first, where the delay allows a rate in b/s; says whether it lowered the limit.
    pub(super) fn update<'a>(&mut self, seen: &(impl Iterator<Item = &'a Observation> + Clone), allowed: f64) -> bool {
        let Some(newest) = seen.clone().next() else { return false };
        let last = self.bandwidth.unwrap_or(allowed);
        let arrived = newest.rate * (1.0 - newest.fraction());
        let candidates = CANDIDATES.iter().map(|factor| factor * last).chain([arrived, allowed]);
        let mut best = (f64::NEG_INFINITY, last, self.inherent);
        for bandwidth in candidates.filter(|bandwidth| *bandwidth > 0.0 && *bandwidth <= allowed) {
            let inherent = likeliest_inherent(self.inherent, bandwidth, seen);
            let likelihood = likelihood(inherent, bandwidth, seen.clone());
            if likelihood > best.0 {
                best = (likelihood, bandwidth, inherent);
            }
        }
        self.inherent = best.2;
        let before = self.bandwidth;
        self.bandwidth = Some(best.1).filter(|bandwidth| *bandwidth < allowed);
        self.bandwidth.is_some_and(|now| now < 0.99 * before.unwrap_or(allowed))
    }

    pub(super) const fn limit(&self) -> Option<f64> {
        self.bandwidth
    }
}

/// Observations with their weights.
fn weighted<'a>(seen: impl Iterator<Item = &'a Observation>) -> impl Iterator<Item = (f64, &'a Observation)> {
    let mut weight = 1.0 / AGING;
    seen.map(move |one| {
        weight *= AGING;
        (weight, one)
    })
}

/// The share of packets that do not fit.
fn excess(rate: f64, bandwidth: f64) -> f64 {
    let share = 1.0 - bandwidth / rate.max(1.0);
    if share > SLACK { share } else { 0.0 }
}

fn likeliest_inherent<'a>(from: f64, bandwidth: f64, seen: &(impl Iterator<Item = &'a Observation> + Clone)) -> f64 {
    let mut inherent = from;
    for _ in 0..STEPS {
        let (mut slope, mut curve) = (0.0, 0.0);
        for (weight, one) in weighted(seen.clone()) {
            let (lost, kept) = (f64::from(one.lost), f64::from(one.packets - one.lost));
            let fits = 1.0 - excess(one.rate, bandwidth);
            let chance = loss_chance(inherent, 1.0 - fits);
            slope += weight * fits * (lost / chance - kept / (1.0 - chance));
            curve -= weight * fits * fits * (lost / (chance * chance) + kept / ((1.0 - chance) * (1.0 - chance)));
        }
        if curve < 0.0 {
            inherent = (inherent - slope / curve).clamp(INHERENT.0, INHERENT.1);
        }
    }
    inherent
}

fn likelihood<'a>(inherent: f64, bandwidth: f64, seen: impl Iterator<Item = &'a Observation>) -> f64 {
    let bias = BIAS * ln(bandwidth);
    weighted(seen).fold(0.0, |sum, (weight, one)| {
        let chance = loss_chance(inherent, excess(one.rate, bandwidth));
        let (lost, kept) = (f64::from(one.lost), f64::from(one.packets - one.lost));
        sum + weight * (lost * ln(chance) + kept * ln(1.0 - chance) + bias * f64::from(one.packets))
    })
}

fn loss_chance(inherent: f64, excess: f64) -> f64 {
    (inherent + (1.0 - inherent) * excess).clamp(1e-4, 1.0 - 1e-4)
}

/// The natural logarithm of a positive number, the same on every machine: by the series of the inverse hyperbolic tangent, on
/// what is left when powers of two are taken out.
fn ln(value: f64) -> f64 {
    let (mut rest, mut power) = (value, 0.0);
    while rest > SQRT_2 {
        rest /= 2.0;
        power += 1.0;
    }
    while rest < SQRT_2 / 2.0 {
        rest *= 2.0;
        power -= 1.0;
    }
    let x = (rest - 1.0) / (rest + 1.0);
    let square = x * x;
    let series = (0..8).rev().fold(0.0, |sum, term| sum * square + 1.0 / f64::from(2 * term + 1));
    power * LN_2 + 2.0 * x * series
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Observations of 100 packets at rates, the newest first, of which the given were lost.
    fn observations(seen: &[(f64, u32)]) -> Vec<Observation> {
        let one = |&(rate, lost): &(f64, u32)| Observation { packets: 100, lost, rate, ..Observation::default() };
        seen.iter().map(one).collect()
    }

    #[test]
    fn logarithms_are() {
        for value in [1e-4, 0.3, 0.99, 1.0, 2.0, 1e6, 7e11] {
            assert!((ln(value) - f64::ln(value)).abs() < 1e-9, "{value}");
        }
    }

    #[test]
    fn loss_that_depends_on_the_rate_is_a_bandwidth() {
        let seen = observations(&[(2e6, 50), (2e6, 49), (1.5e6, 33), (1e6, 1), (1e6, 0)]);
        let mut model = Likelihood::new();
        let lowered = (0..30).filter(|_| model.update(&seen.iter(), 2e6)).count();
        let limit = model.limit().expect("there is one");
        assert!(lowered > 0 && (0.9e6..1.1e6).contains(&limit), "{limit}");
        assert!(model.inherent < 0.03, "{}", model.inherent);
    }

    #[test]
    fn loss_that_does_not_is_inherent() {
        let seen = observations(&[(2e6, 10), (2e6, 11), (1.5e6, 9), (1e6, 10), (0.5e6, 10)]);
        let mut model = Likelihood::new();
        (0..30).for_each(|_| {
            model.update(&seen.iter(), 2e6);
        });
        assert_eq!(model.limit(), None);
        assert!((model.inherent - 0.1).abs() < 0.02, "{}", model.inherent);
    }
}
