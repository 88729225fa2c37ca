//! Increase, hold and decrease of the rate (draft-ietf-rmcat-gcc-02 §5.5), steered by the queue delay.
//!
//! Near the capacity the rate swings a little: it grows until a queue shows, gives way until that is gone, and begins again
//! below the capacity measured meanwhile. So the capacity is known, the base delay is seen, and flows that share a link come to
//! equal shares.

use core::time::Duration;

use rtc_core::time::Instant;

use crate::compete::{self, Compete, Crowd, Queue};
use crate::config::{AimdConfig, CompeteConfig};
use crate::stats::{Reason, State};

mod drain;
mod search;

use drain::{Drain, Purpose};
use search::Search;

/// Longest time one update accounts for (§5.5: `min(time_since_last_update_ms / 1000, 1.0)`).
const MAX_STEP: f64 = 1.0;
/// Delivered rate over a capacity that therefore is no longer that (§5.5: beyond three standard deviations of it).
const EXCEEDED: f64 = 1.1;
/// Weight of a new measurement of capacity that is close to the last.
const CAPACITY_GAIN: f64 = 0.3;
/// What is close.
const CAPACITY_CLOSE: f64 = 0.1;

/// What is known when the rate is updated. Delays in seconds, rates in b/s.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Signals {
    pub(crate) now: Instant,
    /// The delay gradient shows congestion.
    pub(crate) overuse: bool,
    /// What to multiply the rate with because packets came with congestion marks.
    pub(crate) marks: Option<f64>,
    /// Queue delay that did not go away for a while.
    pub(crate) standing: f64,
    /// Queue delay the newest packets met.
    pub(crate) recent: f64,
    /// Up to this queue delay there is no queue.
    pub(crate) clear: f64,
    /// Queue delay aimed at.
    pub(crate) target: f64,
    /// Above this queue delay there is congestion.
    pub(crate) limit: f64,
    /// Delivered rate, what is lost at random included.
    pub(crate) delivered: Option<f64>,
    /// Delivered rate while there was a queue.
    pub(crate) capacity: Option<f64>,
    /// From sending to the reaction on it.
    pub(crate) response: f64,
    /// When the newest packet with a result left, and how many bytes were delivered up to it.
    pub(crate) progress: (Instant, u64),
    /// Packets were lost while there was a queue.
    pub(crate) lost: bool,
    /// Round trip with the queue, in seconds.
    pub(crate) round_trip: f64,
    /// Bits sent after that.
    pub(crate) in_flight: f64,
    /// Share of packets that are not lost at random.
    pub(crate) arriving: f64,
    /// The queue was not seen empty for long.
    pub(crate) stale: bool,
}

/// What the caller has to do about an update.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Change {
    None,
    Rate(Reason),
    /// As [`Change::Rate`]; and the base delay is to be taken anew.
    Rebase,
}

#[derive(Debug)]
pub(crate) struct Aimd {
    config: AimdConfig,
    compete: CompeteConfig,
    rate: f64,
    min: f64,
    max: f64,
    capacity: Option<f64>,
    phase: Phase,
    updated: Option<Instant>,
    search: Search,
    crowd: Crowd,
    /// The last drain ended before it was seen to have worked.
    was_ahead: bool,
}

#[derive(Debug, Clone, Copy)]
enum Phase {
    Increase,
    /// The application uses less than it may.
    Idle,
    /// Until the effect of the last change shows.
    Settle {
        until: Instant,
    },
    Drain(Drain),
    /// Others keep the queue full.
    Compete(Compete),
}

impl Aimd {
    pub(crate) fn new(config: AimdConfig, compete: CompeteConfig, start: f64, min: f64, max: f64) -> Self {
        Self {
            rate: start,
            min,
            max,
            capacity: None,
            phase: Phase::Increase,
            updated: None,
            search: Search::new(config),
            crowd: Crowd::new(compete),
            was_ahead: false,
            config,
            compete,
        }
    }

    pub(crate) fn update(&mut self, signals: &Signals) -> Change {
        let before = self.rate;
        let updated = self.updated.replace(signals.now).unwrap_or(signals.now);
        let elapsed = (signals.now - updated).as_secs_f64().min(MAX_STEP);
        let change = if let Phase::Compete(compete) = self.phase {
            self.compete(compete, signals)
        } else if let Some(rate) = self.crowded(signals) {
            self.rate = rate;
            self.phase = Phase::Compete(Compete::new(self.compete, signals.now, rate));
            Change::Rate(Reason::Competition)
        } else if let Phase::Drain(drain) = self.phase {
            self.drain(drain, signals)
        } else if let Some(reason) = self.congestion(signals) {
            self.back_off(reason, signals)
        } else {
            self.advance(signals, elapsed)
        };
        self.rate = self.rate.clamp(self.min, self.max);
        let is_same = (self.rate - before).abs() < f64::EPSILON;
        match change {
            Change::Rate(Reason::Growth | Reason::Drain) if is_same => Change::None,
            _ => change,
        }
    }

    /// A probe was delivered at `rate`.
    pub(crate) fn on_probe(&mut self, rate: f64, saturated: bool) -> bool {
        if saturated {
            self.capacity = Some(rate.clamp(self.min, self.max));
            self.search.restart(true);
        }
        let raised = rate.min(self.max);
        let adopted = raised > self.rate && !matches!(self.phase, Phase::Drain(_) | Phase::Compete(_));
        if adopted {
            self.rate = raised;
        }
        adopted
    }

    /// Nothing was heard of the path.
    pub(crate) fn on_silence(&mut self, factor: f64) {
        self.rate = (self.rate * factor).clamp(self.min, self.max);
        self.search.unsettle();
    }

    pub(crate) fn set_limits(&mut self, min: f64, max: f64) {
        (self.min, self.max) = (min, max);
        self.rate = self.rate.clamp(min, max);
    }

    pub(crate) const fn rate(&self) -> f64 {
        self.rate
    }

    pub(crate) const fn capacity(&self) -> Option<f64> {
        self.capacity
    }

    pub(crate) const fn state(&self) -> State {
        match self.phase {
            Phase::Increase => State::Increase,
            Phase::Idle | Phase::Settle { .. } => State::Hold,
            Phase::Drain(_) => State::Decrease,
            Phase::Compete(_) => State::Compete,
        }
    }

    /// Whether the rate is far beyond what the path was known to carry and no queue shows.
    pub(crate) const fn is_far_beyond(&self) -> bool {
        matches!(self.phase, Phase::Increase) && self.search.is_far()
    }

    fn congestion(&self, signals: &Signals) -> Option<Reason> {
        if signals.standing > signals.limit {
            return Some(Reason::Queue);
        }
        let is_met = matches!(self.phase, Phase::Increase) && signals.standing > signals.target;
        match (signals.overuse, signals.marks) {
            (true, _) => Some(Reason::Overuse),
            (_, Some(_)) => Some(Reason::Marks),
            _ => is_met.then_some(Reason::Tracking),
        }
    }

    fn back_off(&mut self, reason: Reason, signals: &Signals) -> Change {
        // The queue's arrival rate is the capacity; without one, nothing above what was delivered is proven.
        let keeps = reason == Reason::Tracking && self.capacity.is_some();
        if let Some(measured) = signals.capacity.or_else(|| signals.delivered.filter(|_| !keeps)) {
            self.learn_capacity(measured);
        }
        if let (Reason::Marks, Some(factor)) = (reason, signals.marks) {
            // The queue that marks is short, so there is nothing to drain.
            let proven = self.capacity.unwrap_or(self.rate).min(self.rate);
            self.search.restart(self.capacity.is_some());
            return self.resume(factor * proven, signals, reason);
        }
        self.start_drain(Purpose::Relief, signals);
        Change::Rate(reason)
    }

    fn start_drain(&mut self, purpose: Purpose, signals: &Signals) {
        self.search.restart(self.capacity.is_some());
        let drain = Drain::new(self.rate, purpose, signals);
        self.set_drain_rate(&drain, signals.recent.max(signals.standing));
        self.phase = Phase::Drain(drain);
    }

    fn learn_capacity(&mut self, measured: f64) {
        let measured = measured.clamp(self.min, self.max);
        self.capacity = match self.capacity {
            Some(known) if (measured / known - 1.0).abs() < CAPACITY_CLOSE => {
                Some(CAPACITY_GAIN.mul_add(measured - known, known))
            }
            _ => Some(measured),
        };
    }

    fn set_drain_rate(&mut self, drain: &Drain, queue: f64) {
        let share = drain.share(queue, self.config.drain.as_secs_f64());
        self.rate = self.full_rate(drain).min(drain.before) * share;
    }

    /// The rate that neither fills nor drains a queue.
    fn full_rate(&self, drain: &Drain) -> f64 {
        match self.capacity {
            Some(capacity) if drain.purpose != Purpose::Refresh => capacity,
            _ => drain.before,
        }
    }

    fn drain(&mut self, mut drain: Drain, signals: &Signals) -> Change {
        let full = self.full_rate(&drain);
        drain.advance(full * signals.arriving, signals);
        if drain.purpose == Purpose::Refresh {
            return self.refresh(drain, signals);
        }
        let ahead = Drain::ahead(full * signals.arriving, signals);
        let left = if self.was_ahead || !self.config.ahead { signals.recent } else { ahead };
        if left <= signals.clear {
            self.was_ahead = signals.recent > signals.clear;
            let margin = self.search.margin(full);
            return self.resume(full * (1.0 - margin), signals, Reason::Drain);
        }
        if let Some(measured) = signals.capacity {
            self.learn_capacity(measured);
        }
        if drain.is_in_vain(signals) {
            if drain.purpose == Purpose::Doubt && !self.crowd.is_moving(signals.limit - signals.target) {
                self.crowd.rebased(signals.now);
                self.resume(drain.before, signals, Reason::Rebase);
                return Change::Rebase;
            }
            drain = drain.doubt(signals);
        }
        self.set_drain_rate(&drain, signals.recent);
        self.phase = Phase::Drain(drain);
        Change::Rate(Reason::Drain)
    }

    /// A dip that should empty the queue there was and a little more.
    fn refresh(&mut self, drain: Drain, signals: &Signals) -> Change {
        if drain.has_emptied(signals) {
            return self.resume(drain.before, signals, Reason::Refresh);
        }
        if let Some(reason) = self.congestion(signals) {
            return self.back_off(reason, signals);
        }
        self.phase = Phase::Drain(drain);
        Change::None
    }

    /// Whether others fill the queue however little is sent, and the rate to compete at.
    fn crowded(&mut self, signals: &Signals) -> Option<f64> {
        if signals.standing <= signals.target {
            self.crowd.clear();
            self.was_ahead = false;
            return None;
        }
        let full = self.capacity.map(|capacity| capacity * signals.arriving);
        let queue = Queue { delay: signals.recent, lost: signals.lost, progress: signals.progress, capacity: full };
        let rate = self.crowd.watch(signals.now, &queue, self.rate)?;
        Some(rate.min(self.ceiling(signals)).max(self.rate))
    }

    fn compete(&mut self, mut compete: Compete, signals: &Signals) -> Change {
        let is_clear = signals.standing <= signals.clear;
        let view = compete::View { now: signals.now, round_trip: signals.round_trip, lost: signals.lost, is_clear };
        let next = compete.update(self.rate, &view);
        if let Some(rate) = next.filter(|_| !compete.is_due(signals.now)) {
            self.rate = rate.min(self.ceiling(signals).max(self.min));
            self.phase = Phase::Compete(compete);
            return Change::Rate(Reason::Competition);
        }
        self.crowd.ended(signals.now, self.rate);
        if let Some(delivered) = signals.delivered {
            self.capacity = Some(delivered.clamp(self.min, self.max));
        }
        self.phase = Phase::Increase;
        if !is_clear {
            self.start_drain(Purpose::Relief, signals);
        }
        Change::Rate(Reason::Competition)
    }

    fn resume(&mut self, rate: f64, signals: &Signals, reason: Reason) -> Change {
        self.rate = rate;
        self.phase = Phase::Settle { until: signals.now + duration(signals.response) };
        Change::Rate(reason)
    }

    fn advance(&mut self, signals: &Signals, elapsed: f64) -> Change {
        if let Phase::Settle { until } = self.phase {
            if signals.now < until {
                return Change::None;
            }
            self.phase = Phase::Increase;
            let caught_up = self.rate * (1.0 + self.search.catch_up(self.rate, signals.response));
            self.rate = self.rate.max(caught_up.min(self.ceiling(signals)));
        }
        if signals.stale {
            self.start_drain(Purpose::Refresh, signals);
            return Change::Rate(Reason::Refresh);
        }
        self.grow(signals, elapsed)
    }

    fn grow(&mut self, signals: &Signals, elapsed: f64) -> Change {
        let ceiling = self.ceiling(signals);
        if self.rate >= ceiling {
            self.phase = Phase::Idle;
            self.search.restart(self.capacity.is_some());
            return Change::None;
        }
        self.phase = Phase::Increase;
        if self.capacity.is_some_and(|capacity| signals.delivered > Some(EXCEEDED * capacity)) {
            self.capacity = None;
        }
        let growth = self.search.growth(self.rate, self.capacity, signals, elapsed);
        self.rate = (self.rate * (1.0 + growth)).min(ceiling);
        Change::Rate(Reason::Growth)
    }

    fn ceiling(&self, signals: &Signals) -> f64 {
        signals.delivered.map_or(self.rate, |delivered| self.config.headroom * delivered)
    }
}

fn duration(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds).unwrap_or(Duration::ZERO)
}

#[cfg(test)]
mod tests;
