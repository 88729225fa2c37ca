//! The aggregate congestion signal (RFC 8698 §4.2 and §5.1): queue delay, loss and marks as one delay.

use std::collections::VecDeque;

use core::time::Duration;

use rtc_core::time::Instant;

use super::config::NadaConfig;

/// Queue delays the least is taken of (§5.1.1): what jitter adds to one packet is not on all.
const TAPS: usize = 15;
/// Slices of the window kept at most; feedback that comes faster than this shares one.
const SLICES: usize = 64;
/// Intervals between losses, and their weights, the newest first (RFC 5348 §5.4).
const WEIGHTS: [f64; 8] = [1.0, 1.0, 1.0, 1.0, 0.8, 0.6, 0.4, 0.2];

/// What the sender goes by, in place of the receiver's report of §5.3.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Observed {
    /// `x_curr`, in seconds.
    pub(crate) x: f64,
    /// Whether nothing hints at congestion: no loss, no marks and no queue for the whole window.
    pub(crate) clear: bool,
}

#[derive(Debug)]
pub(crate) struct Signal {
    taps: VecDeque<f64>,
    slices: VecDeque<Slice>,
    /// Packets since the last loss, and the intervals before.
    since_loss: Option<u64>,
    intervals: VecDeque<u64>,
    loss: f64,
    marks: f64,
    updated: Option<Instant>,
}

/// What a few feedback messages said.
#[derive(Debug, Clone, Copy)]
struct Slice {
    at: Instant,
    received: u64,
    lost: u64,
    marked: u64,
    /// The largest filtered queue delay, in seconds.
    queue: f64,
}

impl Signal {
    pub(crate) fn new() -> Self {
        Self {
            taps: VecDeque::with_capacity(TAPS),
            slices: VecDeque::with_capacity(SLICES),
            since_loss: None,
            intervals: VecDeque::with_capacity(WEIGHTS.len()),
            loss: 0.0,
            marks: 0.0,
            updated: None,
        }
    }

    /// Forgets queue delays; loss and marks stay.
    pub(crate) fn forget_delays(&mut self) {
        self.taps.clear();
        self.slices.iter_mut().for_each(|slice| slice.queue = 0.0);
    }

    /// Opens the account of a feedback message.
    pub(crate) fn open(&mut self, now: Instant, window: Duration) {
        while self.slices.front().is_some_and(|slice| now - slice.at > window) {
            self.slices.pop_front();
        }
        let spacing = window / 50;
        if self.slices.back().is_none_or(|slice| now - slice.at >= spacing) {
            if self.slices.len() == SLICES {
                self.slices.pop_front();
            }
            self.slices.push_back(Slice { at: now, received: 0, lost: 0, marked: 0, queue: 0.0 });
        }
    }

    pub(crate) fn on_received(&mut self, queue: f64, marked: bool) {
        if self.taps.len() == TAPS {
            self.taps.pop_front();
        }
        self.taps.push_back(queue);
        let queue = self.queue();
        self.since_loss = self.since_loss.map(|count| count.saturating_add(1));
        let Some(slice) = self.slices.back_mut() else { return };
        slice.received += 1;
        slice.marked += u64::from(marked);
        slice.queue = slice.queue.max(queue);
    }

    pub(crate) fn on_lost(&mut self) {
        if let Some(interval) = self.since_loss.replace(0) {
            if self.intervals.len() == WEIGHTS.len() {
                self.intervals.pop_back();
            }
            self.intervals.push_front(interval + 1);
        }
        if let Some(slice) = self.slices.back_mut() {
            slice.lost += 1;
        }
    }

    /// The filtered queue delay `d_queue`, in seconds.
    pub(crate) fn queue(&self) -> f64 {
        let least = self.taps.iter().copied().fold(f64::INFINITY, f64::min);
        if least.is_finite() { least } else { 0.0 }
    }

    /// Share of packets lost, filtered (`p_loss`).
    pub(crate) const fn loss(&self) -> f64 {
        self.loss
    }

    /// Share of packets marked, filtered (`p_mark`).
    pub(crate) const fn marks(&self) -> f64 {
        self.marks
    }

    pub(crate) fn observe(&mut self, now: Instant, config: &NadaConfig) -> Observed {
        let sum = |part: fn(&Slice) -> u64| self.slices.iter().map(part).sum::<u64>() as f64;
        let (received, lost, marked) = (sum(|one| one.received), sum(|one| one.lost), sum(|one| one.marked));
        let packets = (received + lost).max(1.0);
        // §5.1.2 filters once per DELTA: feedback that comes more often weighs less.
        let elapsed = self.updated.map_or(config.delta, |updated| now - updated).min(config.tau);
        let gain = 1.0 - (1.0 - config.alpha).powf(elapsed.as_secs_f64() / config.delta.as_secs_f64());
        self.loss += gain * (lost / packets - self.loss);
        self.marks += gain * (marked / packets - self.marks);
        self.updated = Some(now);

        let queue = self.queue();
        let delay = if self.loss_is_recent(config) { warp(queue, config) } else { queue };
        let penalty =
            |share: f64, reference: f64, penalty: Duration| penalty.as_secs_f64() * (share / reference).powi(2);
        let x = delay
            + penalty(self.marks, config.mark_reference, config.mark_penalty)
            + penalty(self.loss, config.loss_reference, config.loss_penalty);
        let epsilon = config.queue_epsilon.as_secs_f64();
        // The RFC looks at loss and queue only; marks of a queue too short to see would be answered by ramping up.
        let clear = lost + marked == 0.0 && self.slices.iter().all(|slice| slice.queue < epsilon);
        Observed { x: x.min(config.x_max.as_secs_f64()), clear }
    }

    /// Whether the last loss is within `MULTILOSS` mean intervals (§4.2, §5.1.2).
    fn loss_is_recent(&self, config: &NadaConfig) -> bool {
        let Some(since) = self.since_loss else { return false };
        let weighed = self.intervals.iter().zip(WEIGHTS).map(|(interval, weight)| (*interval as f64 * weight, weight));
        let (sum, weights) = weighed.fold((0.0, 0.0), |(sum, weights), (one, weight)| (sum + one, weights + weight));
        // With one loss only there is no interval yet; it is as recent as the packets since.
        weights == 0.0 || since as f64 <= config.loss_memory * sum / weights
    }
}

/// Equation 1: a queue beyond the threshold counts for less the longer it is, so that its flow holds out against flows that
/// fill queues.
pub(crate) fn warp(queue: f64, config: &NadaConfig) -> f64 {
    let threshold = config.queue_threshold.as_secs_f64();
    if queue < threshold { queue } else { threshold * (-config.lambda * (queue - threshold) / threshold).exp() }
}
