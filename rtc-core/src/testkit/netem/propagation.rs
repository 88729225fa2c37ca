use core::time::Duration;

use super::config::{Jitter, NetemConfig, Spikes};
use crate::testkit::rng::{Rng, hash};
use crate::time::Instant;

/// The way from the link to the receiver: spikes, delay, jitter, order.
#[derive(Debug, Clone)]
pub(super) struct Propagation {
    origin: Instant,
    delay: Duration,
    jitter: Jitter,
    spikes: Option<Spikes>,
    reordering: bool,
    spike_seed: u64,
    last_arrival: Instant,
}

impl Propagation {
    pub(super) fn new(config: &NetemConfig, spike_seed: u64) -> Self {
        Self {
            origin: config.origin,
            delay: config.delay,
            jitter: config.jitter,
            spikes: config.spikes,
            reordering: config.reordering,
            spike_seed,
            last_arrival: Instant::ZERO,
        }
    }

    /// How long a packet travels once it is through the link and not held.
    pub(super) fn travel_time(&self, rng: &mut Rng) -> Duration {
        let later = |time: Duration, factor: f64| self.delay.saturating_add(scale(time, factor));
        match self.jitter {
            Jitter::None => self.delay,
            Jitter::Uniform { max } => later(max, rng.uniform()),
            Jitter::Bounded { std_dev, bound } => {
                let (deviation, bound) = (std_dev.as_secs_f64() * rng.normal(), bound.as_secs_f64());
                later(Duration::from_secs(1), (bound + deviation).clamp(0.0, 2.0 * bound))
            }
            Jitter::Exponential { mean } => later(mean, rng.exponential()),
            Jitter::Detour { probability, extra } => later(extra, if rng.bool(probability) { 1.0 } else { 0.0 }),
            Jitter::Normal { std_dev } => match rng.normal() {
                deviation @ 0.0.. => later(std_dev, deviation),
                deviation => self.delay.saturating_sub(scale(std_dev, -deviation)),
            },
        }
    }

    /// When a packet arrives that departs now and travels for `travel_time`.
    pub(super) fn arrival(&mut self, departure: Instant, travel_time: Duration) -> Instant {
        let arrival = self.held_until(departure) + travel_time;
        if self.reordering {
            return arrival;
        }
        self.last_arrival = self.last_arrival.max(arrival);
        self.last_arrival
    }

    fn held_until(&self, departure: Instant) -> Instant {
        let Some(spikes) = self.spikes else { return departure };
        let every = nanos(spikes.every);
        let period = (departure - self.origin).as_nanos() / u128::from(every);
        let period = u64::try_from(period).unwrap_or(u64::MAX);
        // A spike is at most a period long, so only this one's and the one's before can cover the departure.
        let spike_end = |period: u64| {
            let begin = self.origin
                + Duration::from_nanos(period.saturating_mul(every).saturating_add(self.chance(period, 0, every)));
            let length = nanos(spikes.shortest) + self.chance(period, 1, nanos(spikes.longest - spikes.shortest));
            let end = begin + Duration::from_nanos(length);
            if begin <= departure { end } else { departure }
        };
        let before = period.checked_sub(1).map_or(departure, spike_end);
        departure.max(before).max(spike_end(period))
    }

    /// Uniform below `bound`, the same for the same period.
    fn chance(&self, period: u64, which: u64, bound: u64) -> u64 {
        let random = hash(self.spike_seed ^ which, period);
        let scaled = (u128::from(random) * u128::from(bound)) >> 64;
        u64::try_from(scaled).unwrap_or(bound)
    }
}

/// `time` × `factor`, to the nearest nanosecond.
fn scale(time: Duration, factor: f64) -> Duration {
    Duration::try_from_secs_f64(time.as_secs_f64() * factor).unwrap_or(Duration::MAX)
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}
