//! The queue delay: one-way delay above the least of the last half minute, corrected for clock drift.
//!
//! Unlike the gradient, it still shows a queue that is full and no longer grows.

use std::collections::VecDeque;

use core::time::Duration;

use rtc_core::time::Instant;

use crate::config::QueueConfig;

mod base;

use base::Base;

/// Packets sent within this time share a bin, of which the least delay counts.
const BIN: Duration = Duration::from_millis(5);
/// Bins kept: 320 ms of dense packets, more of sparse ones.
const BINS: usize = 64;
/// Bins a standing queue is judged by at least: eight packets of audio are 160 ms.
const STANDING_BINS: usize = 8;
/// What is recent, and by how many bins it is judged at least: one late packet is no queue.
const RECENT: (Duration, usize) = (Duration::from_millis(25), 2);
/// A packet this little above the base delay, noise aside, met an empty queue.
const EMPTY: f64 = 0.001;
/// Weight of a new sample in the noise: about two seconds.
const NOISE_GAIN: f64 = 0.05;
/// More noise than this in seconds is no excuse.
const MAX_NOISE: f64 = 0.03;

/// Estimates the queue delay from send times and arrival times, whose clocks have any offset and a small drift.
#[derive(Debug)]
pub(crate) struct QueueDelay {
    config: QueueConfig,
    bins: VecDeque<Bin>,
    base: Base,
    /// One-way delay of the first packet: all others are relative to it, so that the offset of the clocks cancels.
    reference: Option<(Instant, i64)>,
    last_nanos: i64,
    noise: f64,
    /// Standing queues, a window apart, the newest last.
    samples: [f64; 3],
    sampled: Instant,
    busy_since: Option<Instant>,
    emptied: Option<Instant>,
}

#[derive(Debug, Clone, Copy)]
struct Bin {
    sent: Instant,
    delay: f64,
}

impl QueueDelay {
    pub(crate) fn new(config: QueueConfig) -> Self {
        Self {
            config,
            bins: VecDeque::with_capacity(BINS),
            base: Base::new(config.base_window, config.max_drift_ppm),
            reference: None,
            last_nanos: 0,
            noise: 0.0,
            samples: [0.0; 3],
            sampled: Instant::ZERO,
            busy_since: None,
            emptied: None,
        }
    }

    /// Takes a received packet; `busy` is the queue delay in seconds from which the link counts as busy.
    pub(crate) fn push(&mut self, sent: Instant, received: Instant, busy: f64) {
        let nanos = received.nanos_since(sent);
        let (origin, reference) = *self.reference.get_or_insert((sent, nanos));
        self.last_nanos = nanos;
        let delay = nanos.wrapping_sub(reference) as f64 / 1e9;
        self.base.push(seconds(sent, origin), delay);

        let queue = delay - self.base.delay();
        if queue <= busy {
            self.busy_since = None;
        } else if self.busy_since.is_none() {
            self.busy_since = Some(received);
        }
        if queue <= EMPTY + self.noise {
            self.emptied = Some(sent);
        }
        self.bin(sent, delay);
    }

    /// The path changed: the least delay of the standing window is the new base.
    pub(crate) fn rebase(&mut self) {
        let Some((newest, (origin, _))) = self.bins.back().zip(self.reference) else { return };
        let sent = newest.sent;
        self.base.restart(seconds(sent, origin), self.least(self.config.window, STANDING_BINS));
        self.busy_since = None;
        self.emptied = Some(sent);
    }

    /// Forgets the path and the clock.
    pub(crate) fn reset(&mut self) {
        self.bins.clear();
        self.base.reset();
        self.reference = None;
        self.noise = 0.0;
        self.samples = [0.0; 3];
        self.busy_since = None;
        self.emptied = None;
    }

    /// Whether the delay of this packet differs so much from the last that a clock must have jumped.
    pub(crate) fn is_clock_jump(&self, sent: Instant, received: Instant, limit: Duration) -> bool {
        let change = received.nanos_since(sent).wrapping_sub(self.last_nanos).unsigned_abs();
        self.reference.is_some() && u128::from(change) > limit.as_nanos()
    }

    /// The queue delay in seconds that did not go away for a while.
    pub(crate) fn standing(&self) -> f64 {
        self.above_base(self.config.window, STANDING_BINS)
    }

    /// The queue delay in seconds that the newest packets met.
    pub(crate) fn recent(&self) -> f64 {
        self.above_base(RECENT.0, RECENT.1)
    }

    /// On the receiver's clock: since when every packet met a queue.
    pub(crate) const fn busy_since(&self) -> Option<Instant> {
        self.busy_since
    }

    /// When the last packet left that met no queue.
    pub(crate) const fn emptied(&self) -> Option<Instant> {
        self.emptied
    }

    /// How much the standing queue in seconds wavers: less of a queue than this cannot be told.
    pub(crate) const fn noise(&self) -> f64 {
        self.noise
    }

    pub(crate) fn drift_ppm(&self) -> f64 {
        self.base.drift() * 1e6
    }

    fn bin(&mut self, sent: Instant, delay: f64) {
        if let Some(last) = self.bins.back_mut() {
            if sent < last.sent {
                return;
            }
            if sent - last.sent < BIN {
                last.delay = last.delay.min(delay);
                return;
            }
        }
        self.measure_noise(sent);
        if self.bins.len() == BINS {
            self.bins.pop_front();
        }
        self.bins.push_back(Bin { sent, delay });
    }

    /// The mean second difference of the standing queue: one that grows or shrinks steadily has none.
    fn measure_noise(&mut self, now: Instant) {
        if now - self.sampled < self.config.window {
            return;
        }
        self.sampled = now;
        let [_, a, b] = self.samples;
        let c = self.standing();
        self.samples = [a, b, c];
        let sample = (a - 2.0 * b + c).abs().min(MAX_NOISE);
        self.noise += NOISE_GAIN * (sample - self.noise);
    }

    fn above_base(&self, window: Duration, bins: usize) -> f64 {
        if self.bins.is_empty() {
            return 0.0;
        }
        (self.least(window, bins) - self.base.delay()).max(0.0)
    }

    fn least(&self, window: Duration, bins: usize) -> f64 {
        let Some(newest) = self.bins.back() else { return 0.0 };
        let within = |(age, bin): &(usize, &Bin)| *age < bins || newest.sent - bin.sent <= window;
        let recent = self.bins.iter().rev().enumerate().take_while(within);
        recent.fold(f64::INFINITY, |least, (_, bin)| least.min(bin.delay))
    }
}

fn seconds(later: Instant, earlier: Instant) -> f64 {
    later.nanos_since(earlier) as f64 / 1e9
}

#[cfg(test)]
mod tests;
