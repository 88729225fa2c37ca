//! When to probe, and how high.

use core::time::Duration;

use rtc_core::time::Instant;

use super::{Finding, Kind};
use crate::config::ProbeConfig;

/// A rate found by a probe is doubled again if it is more than this share of what was probed.
const MET: f64 = 0.7;
/// A fall to less than this share of the rate before is a drop that may have been an accident...
const DROP: f64 = 0.66;
/// The same after a queue of others, such as a short transfer of TCP: its end is not to be waited for.
const SUDDEN_DROP: f64 = 0.9;
/// ... which a probe at this share of it tells, but no more than twice the rate, ...
const DROP_PROBE: f64 = 0.85;
/// ... once the queue is gone and this time has passed, and before that. A fall that was none costs 15 ms of a probe.
const DROP_AGE: (Duration, Duration) = (Duration::from_millis(400), Duration::from_secs(5));
/// A probe that nothing came of lets the next wait twice as long, up to so many times.
const MAX_PATIENCE: u32 = 16;
/// A queue within this time after a probe was delivered belies it.
const BELIED: Duration = Duration::from_secs(2);
/// A probe below this multiple of the target is not worth its queue.
const WORTH: f64 = 1.05;

/// What a decision rests on. Rates in b/s.
#[derive(Debug, Clone, Copy)]
pub(crate) struct View {
    pub(crate) now: Instant,
    pub(crate) target: f64,
    /// More than this is of no use.
    pub(crate) desired: f64,
    /// The application sends less than it may.
    pub(crate) is_idle: bool,
    /// There is no queue, and the rate is not being lowered.
    pub(crate) is_clear: bool,
    /// The rate grew beyond the capacity known so far and no queue shows.
    pub(crate) is_beyond: bool,
}

#[derive(Debug)]
pub(super) struct Schedule {
    config: ProbeConfig,
    /// The next probe of a search: there was no sign of a limit yet.
    next: Option<(Kind, f64)>,
    dropped: Option<(Instant, f64)>,
    waited_from: Option<Instant>,
    patience: u32,
    /// When a probe was delivered: a queue soon after belies it.
    delivered: Option<Instant>,
}

impl Schedule {
    pub(super) fn new(config: ProbeConfig, start: f64) -> Self {
        let next = config.initial.then_some((Kind::Initial, start * config.factor));
        Self { config, next, dropped: None, waited_from: None, patience: 1, delivered: None }
    }

    /// Looks for a reason to probe; at most one probe comes of it.
    pub(super) fn plan(&mut self, view: &View) {
        if self.delivered.is_some_and(|at| view.now - at > BELIED) {
            self.delivered = None;
            self.patience = 1;
        }
        let waited_from = *self.waited_from.get_or_insert(view.now);
        if self.next.is_some() || !view.is_clear {
            return;
        }
        let waited = view.now - waited_from;
        let ask = if let Some(before) = self.dropped_from(view.now) {
            self.dropped = None;
            (Kind::Drop, (DROP_PROBE * before).min(2.0 * view.target))
        } else if self.config.idle && view.is_idle {
            if waited < self.config.idle_interval {
                return;
            }
            (Kind::Idle, 2.0 * view.target)
        } else if self.config.growth && view.is_beyond && waited >= self.config.interval / 2 {
            (Kind::Growth, 2.0 * view.target)
        } else if self.config.micro && !view.is_idle && waited >= self.config.interval * self.patience {
            (Kind::Micro, self.config.micro_factor * view.target)
        } else {
            return;
        };
        self.next = Some((ask.0, ask.1.min(view.desired)));
    }

    /// The rate fell at `now`, with or without a sudden queue.
    pub(super) fn on_drop(&mut self, now: Instant, before: f64, after: f64, is_sudden: bool) {
        let share = if is_sudden { SUDDEN_DROP } else { DROP };
        if self.config.drop && after < share * before && self.dropped.is_none() {
            self.dropped = Some((now, before));
        }
    }

    /// The application wants more than it did.
    pub(super) fn on_desire(&mut self, desired: f64) {
        if self.config.growth && self.next.is_none() {
            self.next = Some((Kind::Desire, desired));
        }
    }

    /// What to probe now, if it is more than `target`.
    pub(super) fn take(&mut self, now: Instant, target: f64, max: f64) -> Option<(Kind, f64)> {
        let (kind, rate) = self.next.take()?;
        let rate = rate.min(max);
        self.waited_from = Some(now);
        (rate > WORTH * target).then_some((kind, rate))
    }

    pub(super) fn on_finding(&mut self, now: Instant, finding: &Finding) {
        let is_met = finding.rate > MET * finding.probed;
        if !finding.saturated && is_met && (self.config.growth || finding.kind == Kind::Initial) {
            let kind = if finding.kind == Kind::Initial { Kind::Initial } else { Kind::Growth };
            self.next = Some((kind, 2.0 * finding.probed));
        }
        if finding.saturated {
            self.on_failure();
        } else {
            self.delivered = Some(now);
        }
    }

    /// The rate had to be lowered.
    pub(super) fn on_congestion(&mut self, now: Instant) {
        if self.delivered.take().is_some_and(|at| now - at <= BELIED) {
            self.on_failure();
        }
    }

    /// Nothing came of a probe.
    pub(super) fn on_failure(&mut self) {
        self.patience = (2 * self.patience).min(MAX_PATIENCE);
    }

    fn dropped_from(&mut self, now: Instant) -> Option<f64> {
        let (at, before) = self.dropped?;
        let age = now - at;
        if age > DROP_AGE.1 {
            self.dropped = None;
        }
        (age >= DROP_AGE.0 && age <= DROP_AGE.1).then_some(before)
    }
}
