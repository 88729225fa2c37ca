//! Policies to compare with.

use core::time::Duration;

use rtc_core::time::Instant;

use super::histogram::Histogram;
use super::policy::{Aim, DelayPolicy, Lateness, Reason};
use crate::arrival::nanos;

/// The same delay whatever the network does: for a path that is known, or to compare with.
#[derive(Debug, Clone, Copy)]
pub struct FixedDelay(pub Duration);

impl DelayPolicy for FixedDelay {
    fn on_arrival(&mut self, _packet: Lateness) {}

    fn aim(&self, _now: Instant) -> Aim {
        Aim::new(self.0, Reason::Fixed)
    }
}

/// The delay that a part of the recent spells of half a second would not have exceeded: the rule of most jitter buffers, with
/// the parameters libwebrtc has had for years.
///
/// Each half second gives one value, the greatest lateness in it, so that it pays for the worst packet of 25 rather than for the
/// share of packets that were late: more delay than [`LeastCost`](super::LeastCost) where jitter is in rare peaks.
#[derive(Debug)]
pub struct WindowQuantile {
    peaks: Histogram,
    windows: f64,
    began: Option<Instant>,
    peak: Duration,
    target: Duration,
}

/// Part of the windows that are to be in time.
const QUANTILE: f64 = 0.95;
/// What a window weighs after the next one.
const FORGET: f64 = 0.983;
const WINDOW: Duration = Duration::from_millis(500);
const START: Duration = Duration::from_millis(80);

impl WindowQuantile {
    /// Begins with a delay of 80 ms.
    #[must_use]
    pub fn new() -> Self {
        Self { peaks: Histogram::new(), windows: 0.0, began: None, peak: Duration::ZERO, target: START }
    }
}

impl Default for WindowQuantile {
    fn default() -> Self {
        Self::new()
    }
}

impl DelayPolicy for WindowQuantile {
    fn on_arrival(&mut self, packet: Lateness) {
        let began = *self.began.get_or_insert(packet.now);
        if packet.now.saturating_since(began) >= WINDOW {
            // The first windows weigh alike.
            self.windows += 1.0;
            self.peaks.forget(FORGET.min(1.0 - 1.0 / (self.windows + 1.0)));
            self.peaks.add(nanos(self.peak), 1.0);
            self.target = self.peaks.cheapest(0.0, QUANTILE, Histogram::RANGE).delay;
            (self.began, self.peak) = (Some(packet.now), Duration::ZERO);
        }
        self.peak = self.peak.max(packet.late);
    }

    fn on_rise(&mut self, rise: Duration) {
        self.peaks.shift_down(nanos(rise));
    }

    fn aim(&self, _now: Instant) -> Aim {
        let reason = if self.windows > 0.0 { Reason::Quantile } else { Reason::Start };
        Aim::new(self.target, reason)
    }
}
