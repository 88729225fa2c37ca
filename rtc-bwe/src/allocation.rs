//! Sharing a rate among streams: who is on, and who gets how much.
//!
//! Streams are audio, layers of video, a shared screen, redundancy: whatever has a least and a largest useful rate. Layers
//! that build on each other are streams of their own; the order of priorities switches them on from the lowest.

use rtc_core::bwe::Estimate;
use rtc_core::{Bitrate, ConfigError};

use crate::check::{MAX_RATE, check};
use crate::share::{Part, divide};

/// Name of a stream, the caller's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct StreamId(pub u32);

/// What a stream can use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Demand {
    /// The least rate it is of use at. It is on with at least this, or off.
    pub min: Bitrate,
    /// It never gets more than this.
    pub max: Bitrate,
    /// Streams of higher priority are switched on first, and have all they can use before others have more than their least.
    pub priority: u8,
    /// What is left within one priority is divided by this. Default 1.
    pub weight: u32,
    /// Never off: it keeps its least rate even if there is less. Default false.
    pub always: bool,
}

impl Demand {
    /// From `min` to `max` at a priority.
    #[must_use]
    pub const fn new(min: Bitrate, max: Bitrate, priority: u8) -> Self {
        Self { min, max, priority, weight: 1, always: false }
    }

    /// Sets the weight within its priority.
    #[must_use]
    pub const fn with_weight(self, weight: u32) -> Self {
        Self { weight, ..self }
    }

    /// Sets that it is never off.
    #[must_use]
    pub const fn always(self) -> Self {
        Self { always: true, ..self }
    }

    fn validate(&self) -> Result<(), ConfigError> {
        check(self.min <= self.max, "max", "must not be below min")?;
        check(self.max <= MAX_RATE, "max", "must not be above 1 Tb/s")?;
        check(self.weight > 0, "weight", "must not be zero")
    }
}

/// Settings of [`Allocator`].
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct AllocatorConfig {
    /// A stream is switched on only if its least rate fits with so much to spare, as a share of the rate all streams up to it
    /// need at least. Default 0.15: a rate that varies by 5 % to both sides never switches a stream twice.
    pub margin: f64,
    /// Streams at most. Default 64.
    pub streams: usize,
}

impl Default for AllocatorConfig {
    fn default() -> Self {
        Self { margin: 0.15, streams: 64 }
    }
}

/// Shares a rate among streams by least rate, priority and weight, with hysteresis.
///
/// 1. Streams are on in their order: those that always are, then by priority, then as they were added. The first whose least
///    rate does not fit, and all behind it, are off: a stream of low priority is never on while one of higher is off.
/// 2. What the least rates leave goes to the highest priority, by weight, until all of it have their largest; then to the next.
///
/// ```
/// use rtc_bwe::{Allocator, AllocatorConfig, Demand, StreamId};
/// use rtc_core::Bitrate;
/// use rtc_core::bwe::Estimate;
///
/// const AUDIO: StreamId = StreamId(1);
/// const LOW: StreamId = StreamId(2);
/// const HIGH: StreamId = StreamId(3);
/// let kbps = Bitrate::from_kbps;
/// let mut allocator = Allocator::new(AllocatorConfig::default())?;
/// allocator.set(AUDIO, Demand::new(kbps(16), kbps(48), 9).always())?;
/// allocator.set(LOW, Demand::new(kbps(60), kbps(200), 5))?;
/// allocator.set(HIGH, Demand::new(kbps(300), kbps(1_200), 4))?;
///
/// allocator.allocate(&Estimate::new(kbps(150)));
/// assert_eq!(allocator.share(AUDIO), Some(kbps(48)));
/// assert_eq!(allocator.share(LOW), Some(kbps(102)));
/// assert_eq!(allocator.share(HIGH), Some(kbps(0)), "300 + 60 + 16 do not fit");
///
/// allocator.allocate(&Estimate::new(kbps(600)));
/// assert_eq!(allocator.share(HIGH), Some(kbps(352)));
/// # Ok::<(), rtc_core::ConfigError>(())
/// ```
#[derive(Debug)]
pub struct Allocator {
    config: AllocatorConfig,
    /// In the order they are switched on.
    streams: Vec<Stream>,
    parts: Vec<Part>,
    added: u64,
    stats: AllocatorStats,
}

#[derive(Debug, Clone, Copy)]
struct Stream {
    id: StreamId,
    demand: Demand,
    added: u64,
    on: bool,
    share: u64,
}

/// Counters of [`Allocator`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct AllocatorStats {
    /// Rates shared.
    pub allocations: u64,
    /// Times a stream was switched on.
    pub switched_on: u64,
    /// Times a stream was switched off, those that were removed while on not included.
    pub switched_off: u64,
    /// Rates that did not suffice for the streams that are always on.
    pub insufficient: u64,
}

impl Allocator {
    /// An allocator without streams.
    ///
    /// # Errors
    /// [`ConfigError`] for settings out of their range.
    pub fn new(config: AllocatorConfig) -> Result<Self, ConfigError> {
        check((0.0..=10.0).contains(&config.margin), "margin", "must be 0 to 10")?;
        check((1..=65_536).contains(&config.streams), "streams", "must be 1 to 65536")?;
        let (streams, parts) = (Vec::with_capacity(config.streams), Vec::with_capacity(config.streams));
        Ok(Self { config, streams, parts, added: 0, stats: AllocatorStats::default() })
    }

    /// Adds a stream, off unless it always is on, or changes what it can use. Its share changes with the next
    /// [`allocate`](Self::allocate).
    ///
    /// # Errors
    /// [`ConfigError`] if `max` is below `min` or above 1 Tb/s, the weight is zero, or there are too many streams; nothing is
    /// changed then.
    pub fn set(&mut self, id: StreamId, demand: Demand) -> Result<(), ConfigError> {
        demand.validate()?;
        if let Some(stream) = self.streams.iter_mut().find(|stream| stream.id == id) {
            stream.demand = demand;
        } else {
            check(self.streams.len() < self.config.streams, "streams", "are as many already")?;
            self.added += 1;
            self.streams.push(Stream { id, demand, added: self.added, on: false, share: 0 });
        }
        self.streams.sort_unstable_by_key(Stream::order);
        Ok(())
    }

    /// Removes a stream; says whether it was there.
    pub fn remove(&mut self, id: StreamId) -> bool {
        let before = self.streams.len();
        self.streams.retain(|stream| stream.id != id);
        self.streams.len() < before
    }

    /// Shares an estimate: its stable part decides who is switched on, its target who stays on and how much each gets.
    ///
    /// The shares in sum do not exceed the target, unless the least rates of those that are always on do.
    pub fn allocate(&mut self, estimate: &Estimate) {
        self.stats.allocations += 1;
        let target = estimate.target.min(MAX_RATE).as_bps();
        self.switch(target, estimate.stable.as_bps().min(target));
        let least: u64 = self.streams.iter().filter(|stream| stream.on).map(|stream| stream.demand.min.as_bps()).sum();
        self.stats.insufficient += u64::from(least > target);
        let mut left = target.saturating_sub(least);
        let mut priority = self.streams.iter().map(|stream| stream.demand.priority).max();
        while let Some(current) = priority {
            left -= self.divide(current, left);
            let lower = |stream: &Stream| Some(stream.demand.priority).filter(|priority| *priority < current);
            priority = self.streams.iter().filter_map(lower).max();
        }
    }

    /// The share of a stream: zero if it is off (or its least is zero, and nothing was left); `None` if there is none of this
    /// name.
    #[must_use]
    pub fn share(&self, id: StreamId) -> Option<Bitrate> {
        self.shares().find(|(stream, _, _)| *stream == id).map(|(_, _, share)| share)
    }

    /// All streams in the order they are switched on: their names, whether they are on, and their shares.
    pub fn shares(&self) -> impl Iterator<Item = (StreamId, bool, Bitrate)> {
        self.streams.iter().map(|stream| (stream.id, stream.on, Bitrate::from_bps(stream.share)))
    }

    /// Counters since construction.
    #[must_use]
    pub const fn stats(&self) -> AllocatorStats {
        self.stats
    }

    /// Decides who is on: a prefix of the order, longer only where there is something to spare.
    fn switch(&mut self, target: u64, stable: u64) {
        let (mut least, mut fits) = (0_u64, true);
        for stream in &mut self.streams {
            least = least.saturating_add(stream.demand.min.as_bps());
            // What needs nothing has nothing to spare for.
            let spare = Bitrate::from_bps(least) * (1.0 + self.config.margin);
            let enough = if stream.on { least <= target } else { spare.as_bps().max(least) <= stable };
            fits &= enough || stream.demand.always;
            self.stats.switched_on += u64::from(fits && !stream.on);
            self.stats.switched_off += u64::from(!fits && stream.on);
            stream.on = fits;
        }
    }

    /// Divides what is left among those of one priority that are on; says how much they took.
    fn divide(&mut self, priority: u8, left: u64) -> u64 {
        self.parts.clear();
        let of_it = |stream: &&mut Stream| stream.demand.priority == priority;
        for stream in self.streams.iter_mut().filter(of_it) {
            stream.share = if stream.on { stream.demand.min.as_bps() } else { 0 };
            if stream.on {
                let Demand { min, max, weight, .. } = stream.demand;
                self.parts.push(Part { limit: (max - min).as_bps(), weight, share: 0 });
            }
        }
        divide(&mut self.parts, left);
        let on = self.streams.iter_mut().filter(of_it).filter(|stream| stream.on);
        on.zip(&self.parts).for_each(|(stream, part)| stream.share += part.share);
        // Where somebody could use more, what rounding left over is nobody else's.
        let is_content = self.parts.iter().all(|part| part.share == part.limit);
        if is_content { self.parts.iter().map(|part| part.share).sum() } else { left }
    }
}

impl Stream {
    fn order(&self) -> (bool, u8, u64) {
        (!self.demand.always, u8::MAX - self.demand.priority, self.added)
    }
}

#[cfg(test)]
mod tests;
