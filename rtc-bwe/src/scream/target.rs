//! The queue that is accepted: more of it beside flows that fill queues (draft §"Competing Flows Compensation").

use std::collections::VecDeque;

/// Samples the spread is taken of, and the mean: one for each round trip.
const SPREAD: usize = 200;
const MEAN: usize = 50;
/// More spread than this, in squared multiples of the least target, is a change of the path, and no standing competitor.
const STEADY: f64 = 0.2;
/// A competitor that fills the queue shows in loss at this share of round trips.
const LOSS_EVENTS: f64 = 0.002;
/// Weight of a new round trip in that share.
const LOSS_GAIN: f64 = 0.01;

#[derive(Debug)]
pub(crate) struct QueueTarget {
    least: f64,
    most: f64,
    /// Queue delays in multiples of the least target, the newest last.
    samples: VecDeque<f64>,
    loss_events: f64,
    target: f64,
}

impl QueueTarget {
    /// Between two delays in seconds.
    pub(crate) fn new(least: f64, most: f64) -> Self {
        Self { least, most, samples: VecDeque::with_capacity(SPREAD), loss_events: 0.0, target: least }
    }

    /// In seconds.
    pub(crate) const fn seconds(&self) -> f64 {
        self.target
    }

    /// Takes the queue delay of a round trip, in seconds, and whether a packet was lost in it.
    pub(crate) fn on_round_trip(&mut self, queue: f64, lost: bool) {
        if self.samples.len() == SPREAD {
            self.samples.pop_front();
        }
        self.samples.push_back(queue / self.least);
        self.loss_events += LOSS_GAIN * (f64::from(u8::from(lost)) - self.loss_events);

        let count = self.samples.len() as f64;
        let mean = self.samples.iter().sum::<f64>() / count;
        let spread = self.samples.iter().map(|sample| (sample - mean).powi(2)).sum::<f64>() / count;
        let recent = self.samples.len().min(MEAN);
        let level = self.samples.iter().rev().take(MEAN).sum::<f64>() / recent as f64;
        let wanted = (level + spread.sqrt()) * self.least;
        let target = if self.loss_events > LOSS_EVENTS {
            1.5 * wanted
        } else if spread < STEADY {
            wanted
        } else if wanted < self.least {
            wanted.max(0.5 * self.target)
        } else {
            0.9 * self.target
        };
        self.target = target.clamp(self.least, self.most);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(samples: impl IntoIterator<Item = (f64, bool)>) -> f64 {
        let mut target = QueueTarget::new(0.06, 0.4);
        samples.into_iter().for_each(|(queue, lost)| target.on_round_trip(queue, lost));
        target.seconds()
    }

    #[test]
    fn an_empty_queue_keeps_the_least_target() {
        assert_eq!(after(vec![(0.005, false); 300]), 0.06);
    }

    #[test]
    fn a_queue_another_flow_keeps_full_is_matched() {
        let target = after(vec![(0.25, false); 300]);
        assert!((0.25..0.26).contains(&target), "{target}");
        assert_eq!(after(vec![(0.9, false); 300]), 0.4, "but not beyond the most");
    }

    #[test]
    fn it_returns_when_the_competitor_is_gone() {
        let samples = [vec![(0.25, false); 300], vec![(0.01, false); 250]].concat();
        assert_eq!(after(samples), 0.06);
    }

    #[test]
    fn a_queue_that_comes_and_goes_is_no_competitor() {
        let waves = (0..300).map(|index| (if index / 10 % 2 == 0 { 0.0 } else { 0.12 }, false));
        assert_eq!(after(waves), 0.06);
    }

    #[test]
    fn loss_with_a_queue_is_a_competitor() {
        let waves = (0..300).map(|index| (if index / 10 % 2 == 0 { 0.05 } else { 0.2 }, index % 50 == 0));
        assert!(after(waves) > 0.2);
    }
}
