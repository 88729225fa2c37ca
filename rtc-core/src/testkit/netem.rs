//! A network in virtual time: what happens to packets on their way, by configuration and seed.
//!
//! A [`Netem`] is one direction of a path. Packets go through these stages, in this order:
//!
//! ```text
//!            mtu   outage   loss, trace     queue -> link              path
//!             |       |          |       +-----------------+   +-----------------------+
//! send(now) --o-------o----------o------>| drop-tail limit |-->| spikes + delay        |--+--> poll(now)
//!             |       |          |       | CoDel, DualPI2, |   | + jitter + trace delay|  |
//!             v       v          v       | ECN mark        |   | in order, or not      |  +--> copy
//!          LostMtu LostOutage LostRandom +-----------------+   +-----------------------+
//!                             LostTrace     v           v
//!                             LostPolicer LostQueue   lost_aqm (found out later, so only counted)
//! ```
//!
//! Each stage has a generator of its own, drawn from for each packet sent, whatever becomes of it: changing one stage leaves the
//! chance of the others as it was, and when or how often [`Netem::poll`] is called changes nothing (short of
//! [`NetemConfig::limit`], which counts what has arrived and was not polled). Times are in nanoseconds without rounding drift: a
//! busy link carries its capacity exactly.
//!
//! Several flows share a bottleneck by going through one `Netem` with a `T` that names the flow; cross traffic is one of them.
//! Several bottlenecks are several `Netem`s, each sent what the one before delivers. [`Duplex`] has both directions of a path,
//! and shows how endpoints with clocks of their own run on it.

mod codel;
mod config;
mod dualpi2;
mod duplex;
mod link;
mod loss;
mod management;
mod policer;
mod propagation;
mod queue;
mod stats;

use alloc::collections::BinaryHeap;
use core::cmp::{Ordering, Reverse};
use core::time::Duration;

pub use config::{Jitter, Link, Loss, NetemConfig, Outage, QueueLimit, Spikes};
pub use duplex::Duplex;
use link::LinkClock;
use loss::LossModel;
pub use management::{CoDelConfig, DualPi2Config, Policer};
use policer::Bucket;
use propagation::Propagation;
use queue::{Queue, Waiting};
pub use stats::NetemStats;

use super::rng::{Rng, hash};
use crate::bwe::Ecn;
use crate::time::{Instant, earliest};
use crate::{Bitrate, ConfigError, DataSize};

/// One direction of a path, carrying packets of any type.
///
/// ```
/// use core::time::Duration;
/// use rtc_core::bwe::Ecn;
/// use rtc_core::testkit::clock::Ticks;
/// use rtc_core::testkit::netem::{Netem, NetemConfig};
/// use rtc_core::{Bitrate, DataSize};
///
/// // 1228 bytes with headers each 10 ms are 982.4 kb/s: a queue builds up on 800 kb/s, then overflows.
/// let mut path = Netem::new(NetemConfig::wired(Bitrate::from_kbps(800)), 1)?;
/// let mut longest = Duration::ZERO;
/// for (number, now) in Ticks::every(Duration::from_millis(10)).take(1_000).enumerate() {
///     path.send(now, DataSize::from_bytes(1_200), Ecn::NotEct, number);
///     while let Some(packet) = path.poll(now) {
///         longest = longest.max(packet.queued);
///     }
/// }
/// let stats = path.stats();
/// assert!(longest <= Duration::from_millis(300));
/// assert_eq!(stats.sent, stats.delivered + stats.lost_queue + stats.in_flight);
/// # Ok::<(), rtc_core::ConfigError>(())
/// ```
#[derive(Debug, Clone)]
pub struct Netem<T> {
    config: NetemConfig,
    loss: LossModel,
    policer: Option<Bucket>,
    link: LinkClock,
    propagation: Propagation,
    jitter: Rng,
    duplication: Rng,
    now: Instant,
    queue: Queue<T>,
    travelling: BinaryHeap<Reverse<Travelling<T>>>,
    launched: u64,
    stats: NetemStats,
}

/// What the path did with a packet, as far as is known when it is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Sent {
    /// It is on its way, though queue management may still drop it.
    Queued,
    /// It is larger than the MTU.
    LostMtu,
    /// The path is down.
    LostOutage,
    /// Lost by chance.
    LostRandom,
    /// Lost as the trace says.
    LostTrace,
    /// The policer has no tokens for it.
    LostPolicer,
    /// The queue is full.
    LostQueue,
    /// The emulator holds as many packets as it may.
    LostOverflow,
}

/// A packet that arrived.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Delivery<T> {
    /// What was sent.
    pub item: T,
    /// Its size, as given.
    pub size: DataSize,
    /// When it was sent.
    pub sent: Instant,
    /// When it arrived, which may be before it is polled.
    pub delivered: Instant,
    /// How long of that it waited for the link.
    pub queued: Duration,
    /// The mark it arrived with.
    pub ecn: Ecn,
    /// Whether it is the copy of a packet.
    pub duplicate: bool,
}

/// Ordered by arrival, then by departure.
#[derive(Debug, Clone)]
struct Travelling<T> {
    number: u64,
    delivery: Delivery<T>,
}

impl<T: Clone> Netem<T> {
    /// A path of this configuration; all chance comes from `seed`.
    ///
    /// # Errors
    ///
    /// If a probability is not in 0..=1, a rate or limit is zero, or [`Spikes`], [`CoDelConfig`] or
    /// [`DualPi2Config`] contradict themselves or each other.
    pub fn new(config: NetemConfig, seed: u64) -> Result<Self, ConfigError> {
        config.validate()?;
        Ok(Self {
            loss: LossModel::new(config.loss, Rng::stream(seed, 0)),
            link: LinkClock::new(config.link.clone(), config.origin)?,
            policer: config.policer.map(Bucket::new),
            propagation: Propagation::new(&config, hash(seed, 1)),
            jitter: Rng::stream(seed, 2),
            duplication: Rng::stream(seed, 3),
            now: Instant::ZERO,
            queue: Queue::new(&config),
            travelling: BinaryHeap::new(),
            launched: 0,
            stats: NetemStats::default(),
            config,
        })
    }

    /// Sends `item`, which has `size` bytes beside the configured overhead. Time does not run backwards: a `now` before an
    /// earlier one counts as that.
    pub fn send(&mut self, now: Instant, size: DataSize, ecn: Ecn, item: T) -> Sent {
        self.advance(now);
        let now = self.now;
        let random = self.loss.next();
        let traced = match &self.config.trace {
            None => Some(Duration::ZERO),
            Some(trace) => trace.packet(self.stats.sent),
        };
        let trace_delay = traced.unwrap_or_default();
        let travel_time = self.propagation.travel_time(&mut self.jitter).saturating_add(trace_delay);
        let copy_travel_time = self
            .duplication
            .bool(self.config.duplication)
            .then(|| self.propagation.travel_time(&mut self.duplication).saturating_add(trace_delay));
        self.stats.sent += 1;
        self.stats.sent_size += size;
        let fate = self.fate(size, random, traced.is_none());
        match fate {
            Sent::Queued => {
                let wire_size = size + self.config.overhead;
                self.queue.push(Waiting { item, size, wire_size, sent: now, ecn, travel_time, copy_travel_time });
                self.advance(now);
            }
            Sent::LostMtu => self.stats.lost_mtu += 1,
            Sent::LostOutage => self.stats.lost_outage += 1,
            Sent::LostRandom => self.stats.lost_random += 1,
            Sent::LostTrace => self.stats.lost_trace += 1,
            Sent::LostPolicer => self.stats.lost_policer += 1,
            Sent::LostQueue => self.stats.lost_queue += 1,
            Sent::LostOverflow => self.stats.lost_overflow += 1,
        }
        fate
    }

    /// The next packet that has arrived by `now`, in order of arrival.
    pub fn poll(&mut self, now: Instant) -> Option<Delivery<T>> {
        self.advance(now);
        if self.travelling.peek()?.0.delivery.delivered > now {
            return None;
        }
        let delivery = self.travelling.pop()?.0.delivery;
        self.stats.delivered += 1;
        self.stats.delivered_size += delivery.size;
        Some(delivery)
    }

    /// When [`poll`](Self::poll) may have something new; `None` while nothing is on its way.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        let arrival = self.travelling.peek().map(|next| next.0.delivery.delivered);
        let departure = (self.queue.len() > 0).then(|| self.link.free_at());
        earliest([arrival, departure]).filter(|&at| at < Instant::MAX)
    }

    /// What became of everything so far.
    #[must_use]
    pub fn stats(&self) -> NetemStats {
        NetemStats { in_flight: (self.queue.len() + self.travelling.len()) as u64, ..self.stats }
    }

    /// The rate of the link at `now` (for recorded opportunities the mean of the half second before and after); `None` without
    /// limit.
    #[must_use]
    pub fn capacity(&self, now: Instant) -> Option<Bitrate> {
        self.link.rate(now)
    }

    /// What the link can carry between two moments, overhead included: the ceiling of any throughput; `None` without limit.
    #[must_use]
    pub fn capacity_between(&self, from: Instant, to: Instant) -> Option<DataSize> {
        self.link.capacity_between(from, to)
    }

    /// How long a packet sent at `now` would wait for the link, if queue management drops nothing and lets none overtake.
    #[must_use]
    pub fn queue_delay(&self, now: Instant) -> Duration {
        self.link.free_after(self.queue.size()).saturating_since(now.max(self.now))
    }

    fn fate(&mut self, size: DataSize, random: bool, traced: bool) -> Sent {
        let wire_size = size + self.config.overhead;
        let offset = self.now.saturating_since(self.config.origin);
        let is_down = |outage: &Outage| offset.checked_sub(outage.from).is_some_and(|since| since < outage.length);
        if self.config.mtu.is_some_and(|mtu| wire_size > mtu) {
            return Sent::LostMtu;
        }
        if self.now >= self.config.origin && self.config.outages.iter().any(is_down) {
            return Sent::LostOutage;
        }
        if random {
            return Sent::LostRandom;
        }
        if traced {
            return Sent::LostTrace;
        }
        if self.policer.as_mut().is_some_and(|policer| !policer.takes(self.now, wire_size)) {
            return Sent::LostPolicer;
        }
        if !self.has_room(wire_size) {
            return Sent::LostQueue;
        }
        if self.queue.len() + self.travelling.len() >= self.config.limit {
            return Sent::LostOverflow;
        }
        Sent::Queued
    }

    fn has_room(&self, wire_size: DataSize) -> bool {
        if self.link.free_at() <= self.now {
            return true;
        }
        match self.config.queue {
            QueueLimit::Bytes(limit) => self.queue.size() + wire_size <= limit,
            QueueLimit::Time(limit) => self.link.is_within(limit, self.now, self.queue.size()),
        }
    }

    /// Puts on the link what it was free for by `now`. Nothing waits for an idle link, so each packet here starts the moment the
    /// one before is through, or, on an idle link, the moment it was sent.
    fn advance(&mut self, now: Instant) {
        self.now = self.now.max(now);
        while let Some(oldest) = self.queue.oldest() {
            let start = self.link.free_at().max(oldest);
            if start > self.now {
                return;
            }
            if let Some(packet) = self.queue.pop(start, &mut self.stats) {
                self.launch(packet, start);
            }
        }
    }

    fn launch(&mut self, packet: Waiting<T>, start: Instant) {
        let departure = self.link.carry(start, packet.wire_size);
        let delivery = Delivery {
            item: packet.item,
            size: packet.size,
            sent: packet.sent,
            delivered: self.propagation.arrival(departure, packet.travel_time),
            queued: start.saturating_since(packet.sent),
            ecn: packet.ecn,
            duplicate: false,
        };
        if let Some(travel_time) = packet.copy_travel_time {
            self.travel(delivery.clone());
            self.stats.duplicated += 1;
            let delivered = self.propagation.arrival(departure, travel_time);
            self.travel(Delivery { delivered, duplicate: true, ..delivery });
        } else {
            self.travel(delivery);
        }
    }

    fn travel(&mut self, delivery: Delivery<T>) {
        self.launched += 1;
        self.travelling.push(Reverse(Travelling { number: self.launched, delivery }));
    }
}

impl<T> Travelling<T> {
    fn key(&self) -> (Instant, u64) {
        (self.delivery.delivered, self.number)
    }
}

impl<T> Ord for Travelling<T> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.key().cmp(&other.key())
    }
}

impl<T> PartialOrd for Travelling<T> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<T> PartialEq for Travelling<T> {
    fn eq(&self, other: &Self) -> bool {
        self.key() == other.key()
    }
}

impl<T> Eq for Travelling<T> {}
