//! A rate below the capacity until a queue is gone, and the doubt whether there is one.

use rtc_core::time::Instant;

use super::Signals;

/// Draining never sends at less than this fraction of the capacity: media cannot stop.
const MIN_SHARE: f64 = 0.2;
/// What sending below capacity should have drained before it is asked whether there is a queue, in seconds at least and most...
const VERDICT: (f64, f64) = (0.02, 0.5);
/// ... and the share of it that must be seen. If it is not, the question is asked again ...
const MIN_DRAINED: f64 = 0.25;
/// ... at this fraction of the capacity, where an error of the capacity no longer decides.
const DOUBT: f64 = 0.5;
/// A dip to see the empty path is to this fraction at most ...
const DIP: f64 = 0.95;
/// ... and over after this time in seconds, if limits leave no room for it.
const DIP_TIME: f64 = 1.0;

#[derive(Debug, Clone, Copy)]
pub(super) struct Drain {
    began: Instant,
    /// The rate before.
    pub(super) before: f64,
    pub(super) purpose: Purpose,
    /// The queue that is being drained, in seconds.
    queue: f64,
    /// By how much it should have become shorter, in seconds.
    expected: f64,
    progress: (Instant, u64),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    /// To drain a queue.
    Relief,
    /// The same, in doubt whether there is one.
    Doubt,
    /// To see the empty path.
    Refresh,
}

impl Drain {
    pub(super) fn new(before: f64, purpose: Purpose, signals: &Signals) -> Self {
        let queue = signals.recent.max(signals.standing);
        Self { began: signals.now, before, purpose, queue, expected: 0.0, progress: signals.progress }
    }

    /// In a fluid queue, what was sent since fills it and the time since empties it; `capacity` in b/s at the receiver.
    pub(super) fn advance(&mut self, capacity: f64, signals: &Signals) {
        let bits = 8.0 * signals.progress.1.saturating_sub(self.progress.1) as f64;
        self.expected += (signals.progress.0 - self.progress.0).as_secs_f64() - bits / capacity;
        self.progress = signals.progress;
    }

    /// The fraction of the capacity to send at, less the longer the queue is: half for one of `horizon` seconds.
    pub(super) fn share(&self, queue: f64, horizon: f64) -> f64 {
        let most = match self.purpose {
            Purpose::Relief => 1.0,
            Purpose::Doubt => DOUBT,
            Purpose::Refresh => DIP,
        };
        (horizon / (queue + horizon)).clamp(MIN_SHARE, most)
    }

    /// The queue that is left when what is in flight has arrived: it is drained that much before it is seen to be.
    pub(super) fn ahead(capacity: f64, signals: &Signals) -> f64 {
        let age = (signals.now - signals.progress.0).as_secs_f64();
        let change = signals.in_flight * signals.arriving / capacity - age;
        signals.recent + change.min(0.0)
    }

    /// Whether the queue did not become shorter as one would.
    pub(super) fn is_in_vain(&self, signals: &Signals) -> bool {
        let asked = self.expected >= self.queue.clamp(VERDICT.0, VERDICT.1);
        asked && self.queue - signals.recent < MIN_DRAINED * self.expected
    }

    /// Asks again.
    pub(super) fn doubt(self, signals: &Signals) -> Self {
        Self { queue: signals.recent, expected: 0.0, purpose: Purpose::Doubt, ..self }
    }

    /// Whether the queue there was should be gone, and a little more.
    pub(super) fn has_emptied(&self, signals: &Signals) -> bool {
        self.expected >= self.queue + VERDICT.0 || (signals.now - self.began).as_secs_f64() >= DIP_TIME
    }
}
