use alloc::boxed::Box;
use core::time::Duration;

use rtc_core::jitter::{Inserted, JitterBuffer, Playout};
use rtc_core::time::Instant;
use rtc_core::{ConfigError, Frequency, RtpPacket};

use crate::arrival::Nanos;
use crate::delay::{Aim, DelayConfig, DelayPolicy, LeastCost};
use crate::intake::{Intake, Origin, media_time};
use crate::stats::JitterStats;
use crate::store::Head;

/// Longest audio one packet is taken to hold: what Opus can (RFC 7587 §4.2). A longer step of the timestamp is a pause.
const MAX_PTIME: Nanos = 120_000_000;

/// Settings of the packet buffer.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct JitterConfig {
    /// Clock of the RTP timestamps. Default 48 kHz, as Opus has it whatever its audio's rate.
    pub clock: Frequency,
    /// Most packets held. Default 512: 10 s of 20 ms packets, 1.3 s of 2.5 ms packets.
    pub capacity: usize,
    /// Packets in a row of another SSRC, or far from the expected numbers, before they are taken for a new stream and the
    /// old one is dropped. Default 3; RFC 3550 §A.1 has 2 for a jump within an SSRC.
    pub restart_after: u32,
    /// How fast the delay moves inside a talkspurt, as a part of media time. Default 0.25: a spike of 1 s is back in 4 s.
    /// [`AudioJitterBuffer`] only: [`AudioPlayout`](crate::AudioPlayout) has limits of its own.
    pub max_slew: f64,
    /// The delay target.
    pub delay: DelayConfig,
}

impl Default for JitterConfig {
    fn default() -> Self {
        Self {
            clock: Frequency::KHZ_48,
            capacity: 512,
            restart_after: 3,
            max_slew: 0.25,
            delay: DelayConfig::default(),
        }
    }
}

/// Adaptive jitter buffer of audio packets, for any decoder.
///
/// Releases each packet at its media time plus a delay that follows the jitter: at once in a pause of the talk, slowly inside
/// it. A packet that came late, with nothing after it here, is released at once and delays what follows; that is slowly
/// taken back. Whoever decodes hears of each packet that is missing while later ones are here.
///
/// Time stretching, concealment and sample accounting are [`AudioPlayout`](crate::AudioPlayout)'s.
#[derive(Debug)]
pub struct AudioJitterBuffer {
    intake: Intake,
    clock: Frequency,
    max_slew: f64,
    /// Delay of the unit released last; `None` before the first of a stream.
    current: Option<Current>,
}

#[derive(Debug, Clone, Copy)]
struct Current {
    generation: u64,
    delay: Nanos,
    /// Media ticks of the unit released last, and how many it holds as far as is known.
    ticks: i64,
    ptime: i64,
}

/// The unit at the front of the buffer.
#[derive(Debug, Clone, Copy)]
struct Front {
    ticks: i64,
    missing: bool,
    delay: Nanos,
    due: Instant,
}

impl AudioJitterBuffer {
    /// An empty buffer.
    ///
    /// # Errors
    /// [`ConfigError`] for settings that contradict each other or are out of range.
    pub fn new(config: JitterConfig) -> Result<Self, ConfigError> {
        let policy = Box::new(LeastCost::new(config.delay)?);
        Self::with_policy(config, policy)
    }

    /// An empty buffer whose delay another policy decides on; of [`JitterConfig::delay`] the limits hold.
    ///
    /// # Errors
    /// [`ConfigError`] for settings that contradict each other or are out of range.
    pub fn with_policy(config: JitterConfig, policy: Box<dyn DelayPolicy>) -> Result<Self, ConfigError> {
        if !(0.0..=1.0).contains(&config.max_slew) {
            return Err(ConfigError::new("max_slew", "must be between 0 and 1"));
        }
        Ok(Self {
            intake: Intake::new(&config, policy)?,
            clock: config.clock,
            max_slew: config.max_slew,
            current: None,
        })
    }

    /// Takes a packet brought back by retransmission or redundancy: late on purpose, so that its lateness counts as jitter
    /// only within [`DelayConfig::repair_delay`].
    pub fn insert_repaired(&mut self, now: Instant, packet: RtpPacket) -> Inserted {
        self.intake.insert(now, packet, Origin::Repair)
    }

    /// Sets the least delay to aim at, beside [`DelayConfig::min_delay`]: for lip sync, or at the user's wish.
    pub fn set_min_delay(&mut self, min_delay: Duration) {
        self.intake.set_min_delay(min_delay);
    }

    /// Sets the most delay to aim at, below [`DelayConfig::max_delay`]; `None`, as at first, for that. It holds
    /// against [`set_min_delay`](Self::set_min_delay) too. What comes later than it allows is lost.
    pub fn set_max_delay(&mut self, max_delay: Option<Duration>) {
        self.intake.set_max_delay(max_delay);
    }

    /// Changes [`DelayConfig::repair_delay`], which follows the round-trip time.
    pub fn set_repair_delay(&mut self, repair_delay: Option<Duration>) {
        self.intake.set_repair_delay(repair_delay);
    }

    /// The delay the network needs: the target without [`set_min_delay`](Self::set_min_delay).
    #[must_use]
    pub fn minimum_delay(&self) -> Duration {
        Duration::from_nanos(self.intake.minimum().unsigned_abs())
    }

    /// The delay aimed at, and why.
    #[must_use]
    pub fn explain(&self) -> Aim {
        self.intake.aim()
    }

    /// Counts of packets.
    #[must_use]
    pub fn stats(&self) -> JitterStats {
        self.intake.stats()
    }

    /// The unit at the front; `None` while nothing is buffered.
    fn front(&self) -> Option<Front> {
        let head = self.intake.head();
        let entry = head.entry()?;
        let Some(current) = self.current() else {
            return Some(self.front_at(entry.ticks, false, self.intake.target()));
        };
        let (ticks, missing) = match head {
            Head::After { missing, .. } => (current.next_ticks(entry.ticks, missing), true),
            _ => (entry.ticks, false),
        };
        let delay = self.delay_after(current, ticks, !missing && entry.packet.marker());
        Some(self.front_at(ticks, missing, delay))
    }

    /// The unit released last, if it is of the same stream.
    fn current(&self) -> Option<Current> {
        self.current.filter(|current| current.generation == self.intake.generation())
    }

    fn front_at(&self, ticks: i64, missing: bool, delay: Nanos) -> Front {
        let due = self.intake.arrival().moment(media_time(ticks, self.clock), delay);
        Front { ticks, missing, delay, due }
    }

    /// The delay to release the unit at `ticks` with.
    fn delay_after(&self, current: Current, ticks: i64, marker: bool) -> Nanos {
        let step = media_time(ticks - current.ticks, self.clock).max(0);
        let pause = (step - media_time(current.ptime, self.clock)).max(0);
        #[expect(clippy::cast_possible_truncation, reason = "a part of a step")]
        let slew = (step as f64 * self.max_slew) as Nanos;
        // RFC 3551 §4.1: the marker bit is on the first packet after a silence, when a longer delay goes unheard.
        let most = if marker || pause > 0 { Nanos::MAX } else { current.delay.saturating_add(slew) };
        let least = current.delay.saturating_sub(slew).saturating_sub(pause);
        self.intake.target().clamp(least, most)
    }

    fn release(&mut self, front: Front) -> Option<RtpPacket> {
        let entry = self.intake.pop()?;
        self.intake.stats_mut().packets_played += 1;
        // One that came later than its time is released on arrival, and what follows keeps its distance.
        let delay = front.delay.max(self.intake.arrival().delay(entry.arrival, entry.media));
        let generation = self.intake.generation();
        let ptime = self.current().map_or(0, |current| {
            let step = entry.ticks - current.ticks;
            if (1..=MAX_PTIME).contains(&media_time(step, self.clock)) { step } else { current.ptime }
        });
        self.current = Some(Current { generation, delay, ticks: entry.ticks, ptime });
        Some(entry.packet)
    }

    /// Gives the missing unit at the front up.
    fn pass(&mut self, front: Front) -> Playout<RtpPacket> {
        let next = match self.intake.head() {
            Head::After { missing: 1, entry } => Some(entry.packet.clone()),
            _ => None,
        };
        self.intake.pass();
        self.current = self.current.map(|current| Current { delay: front.delay, ticks: front.ticks, ..current });
        let timestamp = self.intake.stream().map(|stream| stream.timestamp(front.ticks)).unwrap_or_default();
        Playout::Missing { timestamp, next }
    }
}

impl Current {
    /// Where the next of `missing` units before the one at `ticks` begins: no later than the last unit's end.
    fn next_ticks(&self, ticks: i64, missing: u64) -> i64 {
        let units = i64::try_from(missing).unwrap_or(i64::MAX).saturating_add(1);
        let share = (ticks - self.ticks) / units;
        self.ticks + if self.ptime > 0 { share.min(self.ptime) } else { share }.max(0)
    }
}

impl JitterBuffer for AudioJitterBuffer {
    type Output = RtpPacket;

    fn insert(&mut self, now: Instant, packet: RtpPacket) -> Inserted {
        self.intake.insert(now, packet, Origin::Network)
    }

    fn poll(&mut self, now: Instant) -> Playout<RtpPacket> {
        self.intake.tick(now);
        match self.front() {
            Some(front) if front.due <= now && front.missing => self.pass(front),
            Some(front) if front.due <= now => self.release(front).map_or(Playout::Empty, Playout::Ready),
            _ => Playout::Empty,
        }
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.front().map(|front| front.due)
    }

    fn target_delay(&self) -> Duration {
        Duration::from_nanos(self.intake.target().unsigned_abs())
    }
}

#[cfg(test)]
mod tests;
