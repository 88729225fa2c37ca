use core::time::Duration;

use rtc_core::time::{Instant, earliest};

use super::super::PathManagerConfig;
use super::super::monitor::Health;
use super::{Path, PathChange, PathId, PathManager, Why};

/// Which path is in use, and which is about to be.
#[derive(Debug, Default)]
pub(super) struct Choice {
    active: Option<PathId>,
    /// A path that costs less, and since when it has.
    better: Option<(PathId, Instant)>,
    /// The path that was in use, and until when it still is.
    left: Option<(PathId, Instant)>,
}

impl Choice {
    pub(super) const fn active(&self) -> Option<PathId> {
        self.active
    }

    pub(super) fn left(&self, now: Instant) -> Option<PathId> {
        self.left.filter(|(_, until)| now < *until).map(|(id, _)| id)
    }

    pub(super) fn poll_timeout(&self, config: &PathManagerConfig) -> Option<Instant> {
        earliest([self.better.map(|(_, since)| since + config.hold), self.left.map(|(_, until)| until)])
    }
}

/// Which paths are probed often.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Hurry {
    /// None: there is nothing to choose from.
    None,
    /// The one in use.
    Active,
    /// All that are not dark: the one in use is doubted, and the others must be known to work.
    All,
}

impl PathManager {
    pub(super) fn hurry(&self, now: Instant) -> Hurry {
        let works = self.active().is_some_and(|active| active.monitor.health(now) == Health::Works);
        match self.paths.len() {
            0 | 1 => Hurry::None,
            _ if works => Hurry::Active,
            _ => Hurry::All,
        }
    }

    /// What using a path costs; the most there is while nothing is known.
    pub(super) fn cost(&self, path: &Path) -> Duration {
        let quality = path.monitor.quality();
        quality.map_or(Duration::MAX, |quality| self.config.weights.cost(&quality).saturating_add(path.candidate.bias))
    }

    /// Stays, or switches: at once if the path in use is dark or gone, else when another costs less for long enough.
    pub(super) fn choose(&mut self, now: Instant) {
        self.choice.left = self.choice.left.filter(|(_, until)| now < *until);
        let working = self.paths.iter().filter(|path| path.works(now));
        let Some(active) = self.active() else {
            let any = working.min_by_key(|path| self.cost(path)).or_else(|| self.paths.first());
            let why = if self.choice.active.is_some() { Why::Removed } else { Why::First };
            match any.map(|path| path.candidate.id) {
                Some(id) => self.switch(now, id, why),
                None => self.choice = Choice::default(),
            }
            return;
        };
        if active.monitor.health(now) == Health::Dark {
            match working.min_by_key(|path| self.cost(path)).map(|path| path.candidate.id) {
                Some(id) => self.switch(now, id, Why::Dark),
                None => self.choice.better = None,
            }
            return;
        }
        let cost = self.cost(active);
        let enough = cost.saturating_sub(self.config.margin.max(cost / 7));
        let trusted = working.filter(|path| path.trusted_at <= now);
        let best = trusted.min_by_key(|path| self.cost(path)).filter(|path| self.cost(path) < enough);
        match (best.map(|path| path.candidate.id), self.choice.better) {
            (Some(id), Some((known, since))) if id == known => {
                if now.saturating_since(since) >= self.config.hold {
                    self.switch(now, id, Why::Better);
                }
            }
            (best, _) => self.choice.better = best.map(|id| (id, now)),
        }
    }

    /// Makes before it breaks: what is left still carries copies for a round trip, unless it is dark.
    fn switch(&mut self, now: Instant, to: PathId, why: Why) {
        let from = self.choice.active;
        let round_trip = self.active().and_then(|path| path.monitor.quality()).map(|quality| quality.round_trip);
        let until = now + round_trip.unwrap_or_default() + self.config.overlap;
        let left = from.filter(|_| why == Why::Better).map(|id| (id, until));
        self.choice = Choice { active: Some(to), better: None, left };
        if let Some(path) = self.find(to) {
            path.next_probe = path.next_probe.min(now);
        }
        self.tell(PathChange::Switched { from, to, why });
    }
}
