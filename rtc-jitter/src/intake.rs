//! What both buffers do with a packet that arrives: does it belong, is it new, how late is it.

use alloc::boxed::Box;
use core::time::Duration;

use rtc_core::jitter::Inserted;
use rtc_core::time::Instant;
use rtc_core::{ConfigError, Frequency, RtpPacket};

use crate::arrival::{Arrival, Nanos, nanos};
use crate::buffer::JitterConfig;
use crate::delay::{Aim, DelayPolicy, DelayTarget, Reason};
use crate::skew::Skew;
use crate::stats::JitterStats;
use crate::store::{Entry, Head, Place, Store};

pub(crate) mod stream;

use stream::{Candidate, Stream};

/// Packets whose arrival is remembered: copies reach no further back than a second of 20 ms packets.
const ARRIVALS: usize = 64;
/// How long copies are counted on after one was of use.
const COPIES_KNOWN: Duration = Duration::from_secs(30);

/// How a packet got here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Origin {
    /// As it was first sent: its lateness is the network's.
    Network,
    /// By retransmission or from redundancy: late on purpose.
    Repair,
}

#[derive(Debug)]
pub(crate) struct Intake {
    clock: Frequency,
    restart_after: u32,
    base_window: Duration,
    max_delay: Nanos,
    store: Store,
    arrival: Arrival,
    /// When packets of these numbers arrived, by their last bits.
    arrivals: [(u64, Instant); ARRIVALS],
    /// How many packets back copies reach, and when one was last of use.
    copies: (u64, Instant),
    skew: Skew,
    known_skew: f64,
    delay: DelayTarget,
    /// What the policy said last.
    aim: Aim,
    minimum: Nanos,
    stream: Option<Stream>,
    candidate: Option<Candidate>,
    newest_arrival: Option<Instant>,
    stats: JitterStats,
}

impl Intake {
    pub(crate) fn new(config: &JitterConfig, policy: Box<dyn DelayPolicy>) -> Result<Self, ConfigError> {
        if config.capacity < 2 {
            return Err(ConfigError::new("capacity", "must be 2 packets at least"));
        }
        if config.capacity > 1 << 14 {
            return Err(ConfigError::new(
                "capacity",
                "must be 16384 packets at most, a quarter of the sequence numbers",
            ));
        }
        if config.restart_after == 0 {
            return Err(ConfigError::new("restart_after", "must not be zero"));
        }
        Ok(Self {
            clock: config.clock,
            restart_after: config.restart_after,
            base_window: config.delay.base_window,
            max_delay: nanos(config.delay.max_delay),
            store: Store::new(config.capacity),
            delay: DelayTarget::new(config.delay, policy)?,
            aim: Aim::new(config.delay.start_delay, Reason::Start),
            minimum: nanos(config.delay.start_delay),
            arrival: Arrival::new(config.delay.base_window),
            arrivals: [(u64::MAX, Instant::ZERO); ARRIVALS],
            copies: (0, Instant::ZERO),
            skew: Skew::default(),
            known_skew: 0.0,
            stream: None,
            candidate: None,
            newest_arrival: None,
            stats: JitterStats::default(),
        })
    }

    pub(crate) fn insert(&mut self, now: Instant, packet: RtpPacket, origin: Origin) -> Inserted {
        let inserted = self.sort_in(now, packet, origin);
        self.tick(now);
        inserted
    }

    /// Asks the policy: time went on, or there is news.
    pub(crate) fn tick(&mut self, now: Instant) {
        let floor = self.arrival.recent();
        (self.aim, self.minimum) = self.delay.aims(now, floor);
    }

    fn sort_in(&mut self, now: Instant, packet: RtpPacket, origin: Origin) -> Inserted {
        self.stats.packets_received += 1;
        if origin == Origin::Repair {
            self.stats.packets_repaired += 1;
        }
        if !self.belongs(now, &packet) && !self.restarts(now, &packet, origin) {
            self.stats.packets_foreign += 1;
            return Inserted::Foreign;
        }
        let Some(stream) = &mut self.stream else {
            return Inserted::Foreign;
        };
        let (seq, ticks) = stream.unwrap(&packet);
        let media = media_time(ticks, self.clock);
        let place = self.store.place(seq);
        if place == Place::Taken {
            self.stats.packets_duplicate += 1;
            if origin == Origin::Network {
                self.store.improve(seq, packet);
            }
            return Inserted::Duplicate;
        }
        self.learn(now, seq, media, origin);
        if place == Place::Passed {
            self.stats.packets_late += 1;
            return Inserted::Late;
        }
        let dropped =
            self.store.put(Entry { packet, seq, media, ticks, arrival: now, original: origin == Origin::Network });
        self.stats.packets_overflowed += dropped;
        if dropped > 0 { Inserted::Overflow } else { Inserted::Accepted }
    }

    /// Takes the packet at the front.
    pub(crate) fn pop(&mut self) -> Option<Entry> {
        let (entry, missing) = self.store.pop()?;
        self.stats.packets_missing += missing;
        Some(entry)
    }

    /// Takes note that media was brought back at `now`.
    pub(crate) fn learn_repair(&mut self, now: Instant, media: Nanos) {
        let delay = self.arrival.delay(now, media);
        // A repair is worth waiting for only within the limit set; it never tells how fast the path is.
        if self.delay.repair_delay().is_some_and(|limit| delay <= nanos(limit)) {
            self.delay.observe(now, delay, Duration::ZERO, true);
        }
    }

    /// Gives up waiting for the next packet.
    pub(crate) fn pass(&mut self) {
        self.stats.packets_missing += 1;
        self.store.pass();
    }

    pub(crate) fn set_min_delay(&mut self, min_delay: Duration) {
        self.delay.set_min_delay(min_delay);
    }

    pub(crate) fn set_max_delay(&mut self, max_delay: Option<Duration>) {
        self.delay.set_max_delay(max_delay);
    }

    pub(crate) fn set_repair_delay(&mut self, repair_delay: Option<Duration>) {
        self.delay.set_repair_delay(repair_delay);
    }

    pub(crate) fn stats_mut(&mut self) -> &mut JitterStats {
        &mut self.stats
    }

    pub(crate) fn head(&self) -> Head<'_> {
        self.store.head()
    }

    /// The packets that wait, in order.
    pub(crate) fn waiting(&self) -> impl Iterator<Item = &Entry> {
        self.store.waiting()
    }

    pub(crate) fn arrival(&self) -> &Arrival {
        &self.arrival
    }

    /// The delay to play out with.
    pub(crate) fn target(&self) -> Nanos {
        nanos(self.aim.delay)
    }

    /// The same, and why.
    pub(crate) fn aim(&self) -> Aim {
        self.aim
    }

    /// The delay the network needs.
    pub(crate) fn minimum(&self) -> Nanos {
        self.minimum
    }

    /// How much longer a second of the sender takes, in parts of it.
    pub(crate) fn skew(&self) -> f64 {
        self.known_skew
    }

    /// Counts streams: changes when a new one replaces the old.
    pub(crate) fn generation(&self) -> u64 {
        self.stats.restarts
    }

    /// The stream the packets belong to; `None` before the first.
    pub(crate) fn stream(&self) -> Option<&Stream> {
        self.stream.as_ref()
    }

    pub(crate) fn stats(&self) -> JitterStats {
        JitterStats { packets_buffered: self.store.len() as u64, ..self.stats }
    }

    fn belongs(&self, now: Instant, packet: &RtpPacket) -> bool {
        let Some(stream) = &self.stream else {
            return false;
        };
        stream.continues_with(packet, self.store.capacity() as u64)
            && stream::is_plausible(self.arrival.delay(now, media_time(stream.ticks(packet.timestamp()), self.clock)))
    }

    /// Whether a packet that does not belong is the first of a new stream; then the new stream begins.
    fn restarts(&mut self, now: Instant, packet: &RtpPacket, origin: Origin) -> bool {
        if self.stream.is_some() {
            if origin == Origin::Repair {
                return false;
            }
            let candidate = Candidate::after(self.candidate.take(), now, packet, self.clock);
            if candidate.packets() < self.restart_after {
                self.candidate = Some(candidate);
                return false;
            }
            self.stats.restarts += 1;
        }
        self.stats.packets_flushed += self.store.clear();
        self.arrival = Arrival::new(self.base_window);
        self.arrival.set_skew(0, self.known_skew);
        self.skew.restart();
        self.arrivals = [(u64::MAX, Instant::ZERO); ARRIVALS];
        self.stream = Some(Stream::starting_with(packet));
        true
    }

    /// Takes note that a packet held a copy of what was sent so many packets before it, and that was good enough to play.
    pub(crate) fn learn_copies(&mut self, now: Instant, packets: u64) {
        self.copies.0 = self.copies_known(now).max(packets).min(ARRIVALS as u64);
        self.copies.1 = now;
    }

    /// How many packets back copies reach, if any were of use lately.
    fn copies_known(&self, now: Instant) -> u64 {
        if now.saturating_since(self.copies.1) < COPIES_KNOWN { self.copies.0 } else { 0 }
    }

    /// How late the audio of a packet was that arrived `delay` late: a copy of it may have been here before.
    fn covered(&self, now: Instant, seq: u64, delay: Nanos) -> Nanos {
        let copies = (1..=self.copies_known(now)).map(|behind| self.arrivals[slot_of(seq + behind)]);
        let carriers = copies.zip(seq + 1..).filter(|((of, _), behind)| of == behind);
        carriers.map(|((_, arrival), _)| delay.saturating_sub(now.nanos_since(arrival))).fold(delay, Nanos::min).max(0)
    }

    fn learn(&mut self, now: Instant, seq: u64, media: Nanos, origin: Origin) {
        if origin == Origin::Repair {
            self.learn_repair(now, media);
            return;
        }
        self.candidate = None;
        if let Some(skew) = self.skew.observe(now, media) {
            self.arrival.set_skew(media, skew);
            self.known_skew = skew;
        }
        let observed = self.arrival.observe(now, media);
        self.delay.rebase(observed.rise);
        self.arrivals[slot_of(seq)] = (seq, now);
        let late = self.covered(now, seq, observed.delay);
        let last = self.newest_arrival.unwrap_or(now);
        self.delay.observe(now, late, now - last, false);
        self.newest_arrival = Some(last.max(now));
        if self.arrival.recent() > self.max_delay {
            // No target reaches this far, so it is not jitter: the sender's clock stood still, or the path changed.
            self.arrival.forget_old();
        }
    }
}

#[expect(clippy::cast_possible_truncation, reason = "a remainder by a small number")]
fn slot_of(seq: u64) -> usize {
    (seq % ARRIVALS as u64) as usize
}

/// The time `ticks` of `clock` take.
pub(crate) fn media_time(ticks: i64, clock: Frequency) -> Nanos {
    const SECOND: i64 = 1_000_000_000;
    if let Some(time) = ticks.checked_mul(SECOND) {
        return time / i64::from(clock.as_hz());
    }
    let time = i128::from(ticks) * i128::from(SECOND) / i128::from(clock.as_hz());
    i64::try_from(time).unwrap_or(if ticks < 0 { i64::MIN } else { i64::MAX })
}

#[cfg(test)]
mod tests;
