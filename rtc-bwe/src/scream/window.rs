//! The reference window: how it shrinks and grows (draft §"Reference Window Update").

use rtc_core::time::Instant;

use super::config::ScreamConfig;

/// Round trips between two looks at where congestion begins.
const INFLECTION_EVERY: f64 = 10.0;
/// Below this share of marks nothing marks.
const UNMARKED: f64 = 1e-4;

/// What a feedback message says of the path, times in seconds and sizes in bytes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Signs {
    pub(crate) lost: bool,
    pub(crate) marked: bool,
    /// Whether marks are of the scalable kind (RFC 9331).
    pub(crate) scalable: bool,
    /// Filtered share of marked packets.
    pub(crate) alpha: f64,
    pub(crate) queue: f64,
    pub(crate) queue_average: f64,
    pub(crate) queue_target: f64,
    pub(crate) round_trip: f64,
    /// Of the packets whose fate is new, those that were not marked.
    pub(crate) settled: f64,
    /// The most that was in flight in this round trip and the one before.
    pub(crate) flight: f64,
    pub(crate) flight_before: f64,
    /// The target before, in b/s, and whether it may grow.
    pub(crate) target: f64,
    pub(crate) may_grow: bool,
}

#[derive(Debug)]
pub(crate) struct Window {
    bytes: f64,
    /// Where congestion began last, in bytes.
    inflection: Option<f64>,
    inflection_set: Option<Instant>,
    /// Loss or marks, or a queue that was answered as if it were marked.
    congested: Option<Instant>,
    reacted: Option<Instant>,
    reacted_to_loss: Option<Instant>,
}

impl Window {
    pub(crate) const fn new(bytes: f64) -> Self {
        Self { bytes, inflection: None, inflection_set: None, congested: None, reacted: None, reacted_to_loss: None }
    }

    pub(crate) const fn bytes(&self) -> f64 {
        self.bytes
    }

    /// Where congestion began last, in bytes.
    pub(crate) const fn inflection(&self) -> Option<f64> {
        self.inflection
    }

    pub(crate) fn scale(&mut self, factor: f64, config: &ScreamConfig) {
        self.bytes = (self.bytes * factor).max(config.min_window.as_bytes() as f64);
    }

    pub(crate) fn update(&mut self, now: Instant, signs: &Signs, config: &ScreamConfig) {
        let near = self.distance();
        self.shrink(now, signs, near, config);
        self.grow(now, signs, near, config);
    }

    /// How far the window is from where congestion began, squared: 0.1 near it, 1 beyond an eighth of it (`scl_t`).
    fn distance(&self) -> f64 {
        let Some(inflection) = self.inflection else { return 1.0 };
        (8.0 * (self.bytes - inflection) / inflection).powi(2).clamp(0.1, 1.0)
    }

    fn shrink(&mut self, now: Instant, signs: &Signs, near: f64, config: &ScreamConfig) {
        if signs.lost || signs.marked {
            self.congested = Some(now);
        }
        let since = |last: Option<Instant>| last.map_or(f64::INFINITY, |last| (now - last).as_secs_f64());
        let pause = config.virtual_rtt.as_secs_f64().min(signs.round_trip);
        // The draft's prose asks for one reaction to loss in a round trip, its pseudocode for one in `pause`.
        let lost = signs.lost && since(self.reacted_to_loss) >= signs.round_trip;
        let due = since(self.reacted) >= pause;
        let marked = signs.marked && due;
        // Two packets of a round trip: marks that keep a flow where it is are no fewer.
        let scarce = 2.0 * 8.0 * config.packet.as_bytes() as f64 / (signs.target * signs.round_trip);
        let queued = due && !lost && !marked && signs.queue > signs.queue_target / 2.0 && signs.alpha < scarce;
        if !(lost || marked || queued) {
            return;
        }
        if since(self.inflection_set) > INFLECTION_EVERY * signs.round_trip {
            self.inflection_set = Some(now);
            self.inflection = Some(self.bytes);
        }
        let stability = (1.0 - self.packet_share(config)).max(0.5);
        let mut factor = 1.0;
        if lost {
            self.reacted_to_loss = Some(now);
            factor *= config.beta_loss;
        }
        if marked && !signs.scalable {
            factor *= config.beta_ecn;
        } else if marked {
            // By the draft's prose the window is lowered once in a round trip, by its pseudocode each `pause`: here each reaction
            // has its part of the round trip.
            let part = (since(self.reacted) / signs.round_trip).min(1.0);
            let mut back_off = signs.alpha / 2.0 * stability * part;
            if signs.queue < signs.queue_target * 0.25 {
                back_off *= near.max(0.25);
            }
            // Long without congestion: the window may have grown far beyond what was in flight.
            if since(self.reacted) > 100.0 * config.virtual_rtt.as_secs_f64().max(signs.round_trip) {
                self.bytes = self.bytes.min(signs.flight_before.max(signs.flight));
            }
            factor *= 1.0 - back_off;
        }
        if queued {
            let half = signs.queue_target / 2.0;
            let excess = ((signs.queue_average - half) / half).max(0.0);
            let alpha = (2.0 * scarce * excess).min(1.0);
            factor *= 1.0 - alpha / 2.0 * stability;
        }
        self.scale(factor, config);
        self.reacted = Some(now);
        self.congested = Some(now);
    }

    fn grow(&mut self, now: Instant, signs: &Signs, near: f64, config: &ScreamConfig) {
        let (packet, virtual_rtt) = (config.packet.as_bytes() as f64, config.virtual_rtt.as_secs_f64());
        let share = self.packet_share(config);
        let mut increment = signs.settled * share;
        increment *= (signs.round_trip / virtual_rtt).min(1.0).powi(2);
        increment *= near.max(0.25) * (1.0 - share).max(0.5);
        if signs.alpha < UNMARKED {
            increment *= (1.0 - signs.queue_average / (signs.queue_target / 4.0)).max(0.1);
        }
        let caution = f64::from(config.caution) * signs.round_trip.max(virtual_rtt);
        let calm = self.congested.map_or(1.0, |at| ((now - at).as_secs_f64() / caution).min(1.0));
        let growth = if self.inflection.is_some() { config.growth } else { config.start_growth };
        increment *= 1.0 + growth * self.bytes / packet * calm * near;
        let most = packet + signs.flight.max(signs.flight_before) * config.flight_headroom;
        if signs.may_grow && self.bytes + increment <= most {
            self.bytes += increment;
        }
    }

    /// One packet as a share of the window (`ref_wnd_ratio`).
    fn packet_share(&self, config: &ScreamConfig) -> f64 {
        (config.packet.as_bytes() as f64 / self.bytes).min(1.0)
    }
}
