//! The rate controller of draft-ietf-rmcat-gcc-02 §5.5.

use core::time::Duration;

use rtc_core::time::Instant;

use super::ReceiverEstimatorConfig;
use crate::stats::Usage;

/// Weight of a new observation in the capacity and its spread (§5.5).
const CAPACITY_GAIN: f64 = 0.05;
/// A rate further than so many standard deviations from the capacity is of another path.
const NEAR: f64 = 3.0;
/// Longest step of increase, so that a pause is no leap.
const MAX_STEP: f64 = 1.0;
/// Frames of video in a second and the largest packet, for the size of a packet near capacity (§5.5).
const FRAMES: f64 = 30.0;
const PACKET_BITS: f64 = 1_200.0 * 8.0;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Increase,
    Hold,
    Decrease,
}

#[derive(Debug)]
pub(super) struct RemoteRate {
    bps: f64,
    state: State,
    updated: Option<Instant>,
    decreased: Option<Instant>,
    capacity: Option<Capacity>,
}

/// What arrived while there was over-use, mean and variance.
#[derive(Debug, Clone, Copy)]
struct Capacity {
    mean: f64,
    variance: f64,
}

impl RemoteRate {
    pub(super) const fn new(bps: f64) -> Self {
        Self { bps, state: State::Increase, updated: None, decreased: None, capacity: None }
    }

    pub(super) const fn bps(&self) -> f64 {
        self.bps
    }

    /// Takes the detector's word and what arrives in b/s; says whether the rate was lowered.
    pub(super) fn update(
        &mut self,
        now: Instant,
        usage: Usage,
        incoming: f64,
        round_trip: Duration,
        config: &ReceiverEstimatorConfig,
    ) -> bool {
        self.state = next(self.state, usage);
        let elapsed = self.updated.map_or(0.0, |at| (now - at).as_secs_f64());
        self.updated = Some(now);
        // A change shows a round trip later, and the detector needs about as long as its groups.
        let response = 0.1 + round_trip.as_secs_f64();
        match self.state {
            State::Hold => false,
            State::Increase => {
                self.increase(incoming, elapsed, response, config);
                self.keep(config);
                false
            }
            State::Decrease => {
                if self.decreased.is_some_and(|at| (now - at).as_secs_f64() < response) {
                    return false;
                }
                self.decreased = Some(now);
                self.learn(incoming);
                self.bps = self.bps.min(config.beta * incoming);
                self.keep(config);
                true
            }
        }
    }

    fn increase(&mut self, incoming: f64, elapsed: f64, response: f64, config: &ReceiverEstimatorConfig) {
        let is_far = |capacity: &Capacity| (incoming - capacity.mean) > NEAR * capacity.variance.sqrt();
        if self.capacity.as_ref().is_some_and(is_far) {
            self.capacity = None;
        }
        let grown = if self.capacity.is_some() {
            let frame = self.bps / FRAMES;
            let packet = frame / (frame / PACKET_BITS).ceil().max(1.0);
            self.bps + (0.5 * (elapsed / response).min(1.0) * packet).max(1_000.0 * elapsed.min(MAX_STEP))
        } else {
            self.bps * config.increase.powf(elapsed.min(MAX_STEP))
        };
        self.bps = grown.min((config.headroom * incoming).max(self.bps));
    }

    fn learn(&mut self, incoming: f64) {
        let fresh = Capacity { mean: incoming, variance: (0.1 * incoming).powi(2) };
        let capacity = self.capacity.get_or_insert(fresh);
        let error = incoming - capacity.mean;
        if error < -NEAR * capacity.variance.sqrt() {
            *capacity = fresh;
            return;
        }
        capacity.mean += CAPACITY_GAIN * error;
        capacity.variance += CAPACITY_GAIN * (error.powi(2) - capacity.variance);
    }

    fn keep(&mut self, config: &ReceiverEstimatorConfig) {
        self.bps = self.bps.clamp(config.min.as_bps_f64(), config.max.as_bps_f64());
    }
}

/// The table of §5.5.
const fn next(state: State, usage: Usage) -> State {
    match (usage, state) {
        (Usage::Over, _) => State::Decrease,
        (Usage::Under, _) | (Usage::Normal, State::Decrease) => State::Hold,
        (Usage::Normal, State::Hold | State::Increase) => State::Increase,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RTT: Duration = Duration::from_millis(100);

    /// Runs updates 100 ms apart with a usage and an incoming rate each; gives the rate after each.
    fn run(start: f64, updates: &[(Usage, f64)]) -> Vec<f64> {
        let config = ReceiverEstimatorConfig::default();
        let mut rate = RemoteRate::new(start);
        let update = |(tenth, (usage, incoming)): (u64, &(Usage, f64))| {
            rate.update(Instant::from_millis(100 * tenth), *usage, *incoming, RTT, &config);
            rate.bps()
        };
        (0..).zip(updates).map(update).collect()
    }

    #[test]
    fn gcc02_s5_5_the_table_of_states() {
        use State::{Decrease, Hold, Increase};
        for state in [Hold, Increase, Decrease] {
            assert_eq!(next(state, Usage::Over), Decrease);
            assert_eq!(next(state, Usage::Under), Hold);
        }
        assert_eq!([Hold, Increase, Decrease].map(|state| next(state, Usage::Normal)), [Increase, Increase, Hold]);
    }

    #[test]
    fn gcc02_s5_5_eight_percent_in_a_second_while_capacity_is_unknown() {
        let rates = run(1e6, &[(Usage::Normal, 1e6); 11]);
        assert!((rates[10] / 1.08e6 - 1.0).abs() < 1e-9, "{rates:?}");
    }

    #[test]
    fn gcc02_s5_5_over_use_lowers_to_beta_of_what_arrives() {
        let rates = run(1e6, &[(Usage::Normal, 1e6), (Usage::Over, 8e5), (Usage::Over, 7e5)]);
        assert_eq!(&rates[1..], [6.8e5, 6.8e5], "and once in a response time");
    }

    #[test]
    fn gcc02_s5_5_no_growth_beyond_one_and_a_half_of_what_arrives() {
        let rates = run(1e6, &[(Usage::Normal, 7e5); 40]);
        assert!((rates[39] - 1.05e6).abs() < 1.0, "{}", rates[39]);
        assert_eq!(run(1e6, &[(Usage::Normal, 1e5); 40])[39], 1e6, "nor is it lowered for that");
    }

    #[test]
    fn gcc02_s5_5_near_capacity_growth_is_half_a_packet_in_a_response_time() {
        let mut updates = vec![(Usage::Over, 1e6), (Usage::Normal, 1e6)];
        updates.extend([(Usage::Normal, 0.9e6); 20]);
        let rates = run(1e6, &updates);
        let per_second = rates[21] - rates[11];
        // Ten steps of a tenth of a second, half a response time each.
        assert!((15_000.0..30_000.0).contains(&per_second), "{per_second}");
    }
}
