//! Pacing: spreading packets over time so that they do not arrive at the bottleneck in bursts.

use core::time::Duration;

use rtc_core::pacing::{Enqueued, Pacer, Priority};
use rtc_core::time::Instant;
use rtc_core::{Bitrate, ConfigError, DataSize};

mod bucket;
mod probe;
mod queues;
mod release;
#[cfg(test)]
mod tests;

use bucket::Bucket;
use probe::Probes;
use queues::{Queues, Waiting};
pub use release::{MAX_BATCH, Release};

/// How far media above the padding rate counts against padding later.
const PADDING_WINDOW: Duration = Duration::from_millis(500);

/// Settings of a [`LeakyBucketPacer`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct PacerConfig {
    /// The rate to begin with. Default 300 kb/s, where bandwidth estimators usually begin.
    pub rate: Bitrate,
    /// How far release may run ahead of the rate, as time at the rate. Default 5 ms: room for a timer that wakes late and
    /// for a few packets to leave in one system call, yet less than the shallowest queue worth speaking of.
    pub burst: Duration,
    /// The longest a packet of [`Priority::Audio`] waits for the rate; then it leaves regardless and later packets of
    /// other priorities pay for it. Default zero: audio is small, and shaping it only adds delay.
    pub audio_delay: Duration,
    /// The longest a packet waits while the rate is not zero: beyond, release speeds up. Default 500 ms: media later than
    /// that misses its play-out in a conversation (ITU-T G.114 plans for 400 ms mouth to ear).
    pub max_queue_time: Duration,
    /// The most data that may wait; more is refused. Default 4 MB, [`max_queue_time`](Self::max_queue_time) at 64 Mb/s.
    pub max_queue: DataSize,
    /// The most packets that may wait; more are refused. Default 8192, which bounds memory when packets are tiny.
    pub max_packets: usize,
    /// The size of padding packets, on the wire, that the caller makes when
    /// [`poll_release`](LeakyBucketPacer::poll_release) asks for them. Default `None`: no padding, neither for probes nor to
    /// keep a rate up.
    pub padding_size: Option<DataSize>,
}

impl Default for PacerConfig {
    fn default() -> Self {
        Self {
            rate: Bitrate::from_kbps(300),
            burst: Duration::from_millis(5),
            audio_delay: Duration::ZERO,
            max_queue_time: Duration::from_millis(500),
            max_queue: DataSize::from_bytes(4_000_000),
            max_packets: 8_192,
            padding_size: None,
        }
    }
}

/// What a [`LeakyBucketPacer`] did. `accepted` = `released` + what still waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PacerStats {
    /// Packets that were queued.
    pub accepted: u64,
    /// Packets that left.
    pub released: u64,
    /// Packets refused because the queue was full, or had been stopped for too long.
    pub overflowed: u64,
    /// The time released packets had waited, all added up (`totalPacketSendDelay` of webrtc-stats).
    pub waited: Duration,
    /// Padding packets asked for.
    pub padding: u64,
    /// Of these, those that nobody made, as [`Pacer::poll`] was called, which cannot ask for any.
    pub padding_unsent: u64,
    /// Probes that were sent whole.
    pub probes: u64,
    /// Probes given up because they took longer than a second.
    pub probes_abandoned: u64,
}

/// Releases packets at a rate, the most urgent first, in order within a priority.
///
/// A bucket holds what was released; it leaks at the rate, and the next packet leaves once it holds no more than
/// [`burst`](PacerConfig::burst). In any span of time `t`, no more leaves than `rate × (t + burst)` and one packet, but for
/// audio that waited [`audio_delay`](PacerConfig::audio_delay), and but for release at a higher rate when a packet would
/// else wait longer than [`max_queue_time`](PacerConfig::max_queue_time), counted from the end of a pause if there was one.
///
/// At rate zero nothing leaves, and packets are refused once one has waited for `max_queue_time`.
///
/// A [probe](Self::probe) sets the pace while it runs, above the rate or not. A full [window](Self::set_window) holds back what
/// is not audio, for `max_queue_time` at most.
#[derive(Debug)]
pub struct LeakyBucketPacer<P> {
    config: PacerConfig,
    queues: Queues<P>,
    rate: Bitrate,
    /// The rate at which the bucket leaks now: `rate`, or more to be in time.
    release_rate: Bitrate,
    bucket: Bucket,
    /// When the rate was last raised from zero.
    resumed: Instant,
    probes: Probes,
    padding_rate: Bitrate,
    /// What flows in [`PADDING_WINDOW`] at the padding rate.
    padding_limit: DataSize,
    /// What left, leaking at the padding rate: padding may leave once it is empty.
    padding_bucket: Bucket,
    window: Option<DataSize>,
    in_flight: DataSize,
    stats: PacerStats,
}

impl<P> LeakyBucketPacer<P> {
    /// An empty pacer.
    ///
    /// # Errors
    /// [`ConfigError`] if [`max_queue_time`](PacerConfig::max_queue_time) is zero or over an hour, if
    /// [`burst`](PacerConfig::burst) is longer than it, if the queue has no room at all, or if padding has no size.
    pub fn new(config: PacerConfig) -> Result<Self, ConfigError> {
        if config.max_queue_time.is_zero() || config.max_queue_time > Duration::from_secs(3_600) {
            return Err(ConfigError::new("max_queue_time", "must be above zero and an hour at most"));
        }
        if config.burst > config.max_queue_time {
            return Err(ConfigError::new("burst", "must not be longer than max_queue_time"));
        }
        if config.max_queue == DataSize::ZERO || config.max_packets == 0 {
            return Err(ConfigError::new("max_queue", "and max_packets must leave room for a packet"));
        }
        if config.padding_size == Some(DataSize::ZERO) {
            return Err(ConfigError::new("padding_size", "must not be zero"));
        }
        Ok(Self {
            queues: Queues::default(),
            rate: config.rate,
            release_rate: config.rate,
            bucket: Bucket::default(),
            resumed: Instant::ZERO,
            probes: Probes::default(),
            padding_rate: Bitrate::ZERO,
            padding_limit: DataSize::ZERO,
            padding_bucket: Bucket::default(),
            window: None,
            in_flight: DataSize::ZERO,
            stats: PacerStats::default(),
            config,
        })
    }

    /// Packets waiting.
    #[must_use]
    pub fn len(&self) -> usize {
        self.queues.len()
    }

    /// Whether no packet waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.queues.len() == 0
    }

    /// The rate of release now: the one set, or a higher one that drains the queue in time.
    #[must_use]
    pub fn release_rate(&self) -> Bitrate {
        self.release_rate
    }

    /// How long the packet that has waited longest has been waiting at `now`.
    #[must_use]
    pub fn queue_time(&self, now: Instant) -> Duration {
        self.queues.time(now)
    }

    /// Counters since the beginning.
    #[must_use]
    pub fn stats(&self) -> PacerStats {
        self.stats
    }

    /// Chooses the rate that empties queue and bucket before the oldest packet has waited too long.
    ///
    /// Release moves data from the queue to the bucket and leaves the sum alone, so between two calls the rate chosen here
    /// stays right, and the deadline is an exact moment.
    #[inline]
    fn choose_rate(&mut self, now: Instant) {
        self.release_rate = self.rate;
        let Some(oldest) = self.queues.oldest() else { return };
        if self.rate == Bitrate::ZERO {
            return;
        }
        let waited = now - oldest.max(self.resumed);
        let left = self.config.max_queue_time.saturating_sub(waited);
        self.release_rate = self.bucket.rate_to_empty(self.queues.size(), left, self.rate);
    }
}

impl<P: Send> Pacer<P> for LeakyBucketPacer<P> {
    #[inline]
    fn enqueue(&mut self, now: Instant, priority: Priority, size: DataSize, packet: P) -> Enqueued {
        let stopped = self.rate == Bitrate::ZERO && self.queue_time(now) > self.config.max_queue_time;
        if stopped || self.queues.size() + size > self.config.max_queue || self.len() >= self.config.max_packets {
            self.stats.overflowed += 1;
            return Enqueued::Overflow;
        }
        self.bucket.leak(now, self.release_rate);
        self.queues.push(priority as usize, Waiting { packet, size, since: now });
        self.stats.accepted += 1;
        self.choose_rate(now);
        Enqueued::Accepted
    }

    #[inline]
    fn poll(&mut self, now: Instant) -> Option<P> {
        loop {
            match self.poll_release(now)? {
                Release::Packet { packet, .. } => return Some(packet),
                Release::Padding { .. } => self.stats.padding_unsent += 1,
            }
        }
    }

    fn set_rate(&mut self, now: Instant, rate: Bitrate) {
        self.bucket.leak(now, self.release_rate);
        if self.rate == Bitrate::ZERO {
            self.resumed = now;
        }
        self.rate = rate;
        self.choose_rate(now);
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.next_release().map(|(_, at)| at)
    }

    fn queued(&self) -> DataSize {
        self.queues.size()
    }
}
