use core::time::Duration;

use rtc_core::ConfigError;
use rtc_core::time::Instant;

use super::histogram::{BIN, Cheapest, Histogram};
use super::peak::{Peak, borne_out};
use super::policy::{Aim, DelayPolicy, ExpectedStall, Lateness, Reason};
use super::stall::{Forecast, Stalls, pays, raised};
use super::{DelayConfig, duration};
use crate::arrival::{Nanos, nanos};

/// Packets' worth of belief in [`DelayConfig::start_delay`]: outvoted by 1 s of packets of 20 ms if none of them is late, by 6 s if 50 ms
/// are needed.
const PRIOR_WEIGHT: f64 = 1.0;
/// How often the delay of least cost is searched for: each 100 ms of packets of 20 ms, as one more hardly moves it once [`LEARNT`].
const SEARCH: u32 = 5;
/// Experience after which one packet more hardly tells.
const LEARNT: Duration = Duration::from_secs(1);
/// Milliseconds per percent of loss up to which [`DelayConfig::peak_window`] is as it is set: the default.
const USUAL: f64 = 30.0;
/// Longest silence that ages what was learnt: a pause says nothing about the network.
const MAX_AGING: Duration = Duration::from_secs(1);
/// How fast play-out is expected to gain delay, in parts of the time: a little less than the default limit of slowing down.
const RAISE: f64 = 0.15;

/// The delay of least cost under the jitter seen lately, raised for stalls that come at regular intervals. The default policy.
///
/// Lately is told twice, by a long memory and a short one, and the lesser delay of both is taken: what a bad time asks for is paid for
/// while it lasts, if there was enough of it to matter, and not for half a minute after it. Both are held to what the last seconds bear
/// out: once nothing comes half as late as is waited for, the bad time is over.
#[derive(Debug)]
pub struct LeastCost {
    config: DelayConfig,
    long: Scale,
    short: Scale,
    peak: Peak,
    stalls: Stalls,
    /// Time learnt from.
    experience: Duration,
    /// Packets since the last search.
    unsearched: u32,
    wanted: Aim,
}

/// Lateness as one memory has it.
#[derive(Debug)]
struct Scale {
    memory: Duration,
    lateness: Histogram,
}

impl Scale {
    fn new(memory: Duration, start_delay: Duration) -> Self {
        let mut lateness = Histogram::new();
        // Packets at the upper edge of a bin are in its own bin, so the prior asks for exactly its delay.
        lateness.add(nanos(start_delay).saturating_sub(1), PRIOR_WEIGHT);
        Self { memory, lateness }
    }

    /// Takes note of a packet, `elapsed` after the one before.
    fn add(&mut self, late: Nanos, elapsed: Duration) {
        let keep = 1.0 - elapsed.as_secs_f64() / self.memory.as_secs_f64();
        self.lateness.forget(keep.max(0.5));
        self.lateness.add(late, 1.0);
    }

    /// The delay of least cost up to `max`, after so long an experience.
    fn cheapest(&self, config: &DelayConfig, experience: Duration, max: Duration) -> Cheapest {
        let known = experience.min(self.memory).as_secs_f64() / self.memory.as_secs_f64();
        self.lateness.cheapest(100.0 * config.ms_per_loss_percent, config.quantile * known, max)
    }
}

impl LeastCost {
    /// # Errors
    /// [`ConfigError`] for settings that contradict each other or are out of range.
    pub fn new(config: DelayConfig) -> Result<Self, ConfigError> {
        config.check()?;
        let scale = |memory| Scale::new(memory, config.start_delay);
        let (long, short) = (scale(config.memory), scale(config.recent.min(config.memory)));
        let wanted = Aim::new(config.start_delay, Reason::Start);
        // The dearer loss is, the longer a bad time is waited for to come back.
        let peak_window = config.peak_window.mul_f64((config.ms_per_loss_percent / USUAL).max(1.0));
        let (peak, stalls) = (Peak::new(peak_window), Stalls::default());
        let mut policy = Self { config, long, short, peak, stalls, experience: Duration::ZERO, unsearched: 0, wanted };
        policy.search();
        Ok(policy)
    }

    fn search(&mut self) {
        self.unsearched = 0;
        let bound = self.peak.get().map(|peak| duration(borne_out(peak, BIN)));
        let most = bound.map_or(self.config.max_delay, |bound| bound.min(self.config.max_delay));
        let mut best = self.long.cheapest(&self.config, self.experience, most);
        if self.short.memory < self.long.memory {
            let short = self.short.cheapest(&self.config, self.experience, best.delay);
            best = if short.delay < best.delay { short } else { best };
        }
        let reason = match () {
            () if self.experience.is_zero() => Reason::Start,
            () if bound.is_some_and(|bound| best.delay >= bound) => Reason::Calm,
            () if best.guarded => Reason::Quantile,
            () => Reason::LeastCost,
        };
        self.wanted = Aim { late: best.late, ..Aim::new(best.delay, reason) };
    }
}

impl DelayPolicy for LeastCost {
    fn on_arrival(&mut self, packet: Lateness) {
        let late = nanos(packet.late);
        let concerned = !packet.repaired && self.stalls.concerns(packet.now, late);
        let foreseen = concerned && self.forecast(packet.now).is_some();
        let held = !packet.repaired && self.stalls.observe(packet.now, late);
        let elapsed = packet.elapsed.min(MAX_AGING);
        self.experience = (self.experience + elapsed).min(self.config.memory);
        // What was prepared for asks for no delay at other times.
        let late = if held && foreseen { 0 } else { late };
        self.long.add(late, elapsed);
        self.short.add(late, elapsed);
        self.peak.add(late, elapsed);
        self.unsearched += 1;
        if self.unsearched >= SEARCH || self.experience < LEARNT {
            self.search();
        }
    }

    fn on_rise(&mut self, rise: Duration) {
        // Smaller rises are clock skew, which says nothing about lateness seen before.
        if rise >= BIN {
            self.long.lateness.shift_down(nanos(rise));
            self.short.lateness.shift_down(nanos(rise));
            self.peak.shift_down(nanos(rise));
            self.unsearched = SEARCH;
        }
    }

    fn aim(&self, now: Instant) -> Aim {
        let Some((stall, raised)) = self.forecast(now) else { return self.wanted };
        let (at, length) = (stall.at, duration(stall.length));
        let stall = Some(ExpectedStall { at, length });
        match duration(raised) {
            delay if delay > self.wanted.delay => Aim { delay, reason: Reason::Stall, stall, ..self.wanted },
            _ => Aim { stall, ..self.wanted },
        }
    }
}

impl LeastCost {
    /// The next stall worth preparing for, and the delay it asks for now.
    fn forecast(&self, now: Instant) -> Option<(Forecast, Nanos)> {
        let ms_per_late = 100.0 * self.config.ms_per_loss_percent;
        let base = nanos(self.wanted.delay);
        let stall = self.stalls.forecast(now).filter(|stall| pays(stall, base, ms_per_late, RAISE))?;
        Some((stall, raised(&stall, now, base, RAISE)))
    }
}
