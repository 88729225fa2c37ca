//! Increase, hold and decrease of the rate (draft-ietf-rmcat-gcc-02 §5.5), steered by the queue delay.

use core::time::Duration;

use rtc_core::time::Instant;

use crate::config::AimdConfig;
use crate::stats::{Reason, State};

/// Longest time one update accounts for (§5.5: `min(time_since_last_update_ms / 1000, 1.0)`).
const MAX_STEP: f64 = 1.0;
/// Most that tracking changes the rate in one update: down and up.
const TRACKING: (f64, f64) = (-0.10, 0.05);
/// Tracking that went this far below the capacity without a smaller queue asks whether that queue is one.
const TRACKING_FLOOR: f64 = 0.85;
/// Draining never sends at less than this fraction of the capacity: media cannot stop.
const MIN_DRAIN: f64 = 0.2;
/// What sending below capacity should have drained before it is asked whether there is a queue, in seconds at least and most...
const VERDICT: (f64, f64) = (0.02, 0.5);
/// ... and the share of it that must be seen. If it is not, the question is asked again ...
const MIN_DRAINED: f64 = 0.25;
/// ... at this fraction of the capacity, where an error of the capacity no longer decides.
const DOUBT: f64 = 0.5;
/// Known capacity up to which the rate returns in full steps.
const KNOWN: f64 = 0.95;
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
    /// Congestion seen by other means than the queue delay.
    pub(crate) congestion: Option<Reason>,
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
    rate: f64,
    min: f64,
    max: f64,
    capacity: Option<f64>,
    phase: Phase,
    updated: Option<Instant>,
    queue: f64,
    /// Since when there was no queue.
    clear_since: Option<Instant>,
    /// The queue the present step may cause, in seconds, and since when it is this.
    step: f64,
    stepped: Option<Instant>,
    /// The rate the present growth began at.
    grown_from: Option<f64>,
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
}

#[derive(Debug, Clone, Copy)]
struct Drain {
    /// The rate before.
    before: f64,
    /// The queue that is being drained, in seconds.
    queue: f64,
    /// By how much it should have become shorter, in seconds.
    expected: f64,
    progress: (Instant, u64),
    purpose: Purpose,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Purpose {
    /// To drain a queue.
    Relief,
    /// The same, in doubt whether there is one.
    Doubt,
    /// To see the empty path.
    Refresh,
}

impl Aimd {
    pub(crate) fn new(config: AimdConfig, start: f64, min: f64, max: f64) -> Self {
        Self {
            rate: start,
            min,
            max,
            capacity: None,
            phase: Phase::Increase,
            updated: None,
            queue: 0.0,
            clear_since: None,
            step: config.max_step.as_secs_f64(),
            stepped: None,
            grown_from: None,
            config,
        }
    }

    pub(crate) fn update(&mut self, signals: &Signals) -> Change {
        let before = self.rate;
        let updated = self.updated.replace(signals.now).unwrap_or(signals.now);
        let elapsed = (signals.now - updated).as_secs_f64().min(MAX_STEP);
        let change = if let Phase::Drain(drain) = self.phase {
            self.drain(drain, signals)
        } else if let Some(reason) = self.congestion(signals) {
            self.back_off(reason, signals)
        } else {
            self.advance(signals, elapsed)
        };
        self.queue = signals.standing;
        self.rate = self.rate.clamp(self.min, self.max);
        let is_same = (self.rate - before).abs() < f64::EPSILON;
        match change {
            Change::Rate(Reason::Growth | Reason::Tracking | Reason::Drain) if is_same => Change::None,
            _ => change,
        }
    }

    /// A probe was delivered at `rate`.
    pub(crate) fn on_probe(&mut self, rate: f64, saturated: bool) -> bool {
        if saturated {
            self.capacity = Some(rate);
            self.step = self.first_step();
        }
        let raised = rate.min(self.max);
        let adopted = raised > self.rate && !matches!(self.phase, Phase::Drain(_));
        if adopted {
            self.rate = raised;
        }
        adopted
    }

    /// Nothing was heard of the path.
    pub(crate) fn on_silence(&mut self, factor: f64) {
        self.rate = (self.rate * factor).clamp(self.min, self.max);
        self.clear_since = None;
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
        }
    }

    fn congestion(&self, signals: &Signals) -> Option<Reason> {
        if signals.standing > signals.limit {
            return Some(Reason::Queue);
        }
        let sunk = self.capacity.is_some_and(|capacity| self.rate < TRACKING_FLOOR * capacity);
        if sunk && signals.standing > signals.target && matches!(self.phase, Phase::Increase) {
            return Some(Reason::Queue);
        }
        signals.congestion
    }

    fn back_off(&mut self, reason: Reason, signals: &Signals) -> Change {
        // The queue's arrival rate is the capacity; without one, nothing above what was delivered is proven.
        if let Some(measured) = signals.capacity.or(signals.delivered) {
            self.learn_capacity(measured);
        }
        if reason == Reason::Marks {
            // RFC 3168 §5: as if the packet was lost. The queue that marks is short, so there is nothing to drain.
            let proven = self.capacity.unwrap_or(self.rate).min(self.rate);
            self.clear_since = None;
            self.grown_from = None;
            self.step = self.first_step();
            return self.resume(self.config.beta * proven, signals, reason);
        }
        self.start_drain(Purpose::Relief, signals);
        Change::Rate(reason)
    }

    fn start_drain(&mut self, purpose: Purpose, signals: &Signals) {
        let queue = signals.recent.max(signals.standing);
        self.clear_since = None;
        self.grown_from = None;
        self.step = self.first_step();
        let drain = Drain { before: self.rate, queue, expected: 0.0, progress: signals.progress, purpose };
        self.set_drain_rate(&drain, queue);
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

    /// Below the capacity by a share that grows with the queue: half of it for a queue of `config.drain`.
    fn set_drain_rate(&mut self, drain: &Drain, queue: f64) {
        let horizon = self.config.drain.as_secs_f64();
        let share = horizon / (queue + horizon);
        let most = if drain.purpose == Purpose::Doubt { DOUBT } else { 1.0 };
        self.rate = self.full_rate(drain).min(drain.before) * share.clamp(MIN_DRAIN, most);
    }

    /// The rate that neither fills nor drains a queue.
    fn full_rate(&self, drain: &Drain) -> f64 {
        match self.capacity {
            Some(capacity) if drain.purpose != Purpose::Refresh => capacity,
            _ => drain.before,
        }
    }

    fn drain(&mut self, mut drain: Drain, signals: &Signals) -> Change {
        drain.advance(self.full_rate(&drain) * signals.arriving, signals);
        if drain.purpose == Purpose::Refresh {
            return self.refresh(drain, signals);
        }
        if signals.recent <= signals.clear {
            return self.resume(self.full_rate(&drain) * self.config.resume, signals, Reason::Drain);
        }
        if let Some(measured) = signals.capacity {
            self.learn_capacity(measured);
        }
        let asked = drain.expected >= drain.queue.clamp(VERDICT.0, VERDICT.1);
        if asked && drain.queue - signals.recent < MIN_DRAINED * drain.expected {
            if drain.purpose == Purpose::Doubt {
                self.resume(drain.before, signals, Reason::Rebase);
                return Change::Rebase;
            }
            drain = Drain { queue: signals.recent, expected: 0.0, purpose: Purpose::Doubt, ..drain };
        }
        self.set_drain_rate(&drain, signals.recent);
        self.phase = Phase::Drain(drain);
        Change::Rate(Reason::Drain)
    }

    /// A dip that should empty the queue there was and a little more.
    fn refresh(&mut self, drain: Drain, signals: &Signals) -> Change {
        if drain.expected >= drain.queue + VERDICT.0 {
            return self.resume(drain.before, signals, Reason::Refresh);
        }
        if let Some(reason) = self.congestion(signals) {
            return self.back_off(reason, signals);
        }
        self.phase = Phase::Drain(drain);
        Change::None
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
        }
        if signals.stale {
            self.start_drain(Purpose::Refresh, signals);
            return Change::Rate(Reason::Refresh);
        }
        let clear = signals.standing <= signals.clear;
        self.clear_since = if clear { self.clear_since.or(Some(signals.now)) } else { None };
        let long = |since: Instant| (signals.now - since).as_secs_f64() >= signals.response;
        if self.is_below_known() && signals.standing <= signals.target || self.clear_since.is_some_and(long) {
            self.grow(signals, elapsed)
        } else {
            self.track(signals, elapsed)
        }
    }

    /// Multiplicative increase, by what queues up no more than `step` before its feedback is here.
    fn grow(&mut self, signals: &Signals, elapsed: f64) -> Change {
        let ceiling = self.ceiling(signals);
        if self.rate >= ceiling {
            self.phase = Phase::Idle;
            self.step = self.first_step();
            return Change::None;
        }
        self.phase = Phase::Increase;
        self.grown_from.get_or_insert(self.rate);
        if self.capacity.is_some_and(|capacity| signals.delivered > Some(EXCEEDED * capacity)) {
            self.capacity = None;
        }
        let max_step = self.config.max_step.as_secs_f64();
        let stepped = *self.stepped.get_or_insert(signals.now);
        if (signals.now - stepped).as_secs_f64() >= signals.response {
            self.stepped = Some(signals.now);
            self.step = (2.0 * self.step).min(max_step);
        }
        let step = if self.is_below_known() { max_step } else { self.step };
        // Linear within an update, so that no platform's `powf` decides.
        let share = (elapsed / signals.response).min(1.0);
        // A ramp that reaches the capacity halfway through a response time exceeds it by half its steepness when that shows.
        let ramp = 2.0 * step / signals.response;
        self.rate = (self.rate * (1.0 + ramp * share)).min(ceiling);
        Change::Rate(Reason::Growth)
    }

    /// A proportional-integral controller that holds the queue at its target.
    fn track(&mut self, signals: &Signals, elapsed: f64) -> Change {
        self.phase = Phase::Increase;
        self.stepped = None;
        self.step = self.first_step();
        if let Some(from) = self.grown_from.take() {
            // The queue that ends a growth is of what was sent above the capacity: back to what arrives.
            self.rate = self.rate.min(signals.delivered.unwrap_or(from).max(from));
        }
        let proportional = self.config.proportional / signals.response;
        let integral = self.config.integral / (signals.response * signals.response);
        let pull = integral * (signals.target - signals.standing) * elapsed;
        let damping = proportional * (signals.standing - self.queue);
        let change = (pull - damping).clamp(TRACKING.0, TRACKING.1);
        let wanted = self.rate * (1.0 + change);
        self.rate = if change > 0.0 { wanted.min(self.ceiling(signals).max(self.rate)) } else { wanted };
        Change::Rate(Reason::Tracking)
    }

    /// Where the capacity was met before, the search begins with small steps.
    fn first_step(&self) -> f64 {
        let step = if self.capacity.is_some() { self.config.step } else { self.config.max_step };
        step.as_secs_f64()
    }

    fn is_below_known(&self) -> bool {
        self.capacity.is_some_and(|capacity| self.rate < KNOWN * capacity)
    }

    fn ceiling(&self, signals: &Signals) -> f64 {
        signals.delivered.map_or(self.rate, |delivered| self.config.headroom * delivered)
    }
}

impl Drain {
    /// In a fluid queue, what was sent since fills it and the time since empties it; `capacity` in b/s at the receiver.
    fn advance(&mut self, capacity: f64, signals: &Signals) {
        let bits = 8.0 * signals.progress.1.saturating_sub(self.progress.1) as f64;
        self.expected += (signals.progress.0 - self.progress.0).as_secs_f64() - bits / capacity;
        self.progress = signals.progress;
    }
}

fn duration(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds).unwrap_or(Duration::ZERO)
}

#[cfg(test)]
mod tests;
