//! What leaves the pacer besides plain packets: tagged, padded, and in batches.

use core::time::Duration;

use rtc_core::bwe::{Estimate, ProbeCluster, ProbeId};
use rtc_core::pacing::{Pacer, Priority};
use rtc_core::time::Instant;
use rtc_core::{Bitrate, DataSize};

use super::probe::Ended;
use super::{LeakyBucketPacer, Waiting};

/// The most packets of a batch: what Linux takes for one send with segmentation offload (`UDP_MAX_SEGMENTS`, 64 at first).
pub const MAX_BATCH: usize = 64;
/// The most bytes of a batch: what the length field of UDP over IPv4 leaves.
const MAX_BATCH_SIZE: DataSize = DataSize::from_bytes(65_000);

/// What leaves the pacer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Release<P> {
    /// A packet that was queued.
    Packet {
        /// The packet.
        packet: P,
        /// Its size as it was told.
        size: DataSize,
        /// The probe it is part of, for [`SentPacket::probe`](rtc_core::bwe::SentPacket::probe).
        probe: Option<ProbeId>,
    },
    /// The caller is to make a packet of so many bytes on the wire, and send it.
    Padding {
        /// Its size.
        size: DataSize,
        /// The probe it is part of.
        probe: Option<ProbeId>,
    },
}

impl<P> Release<P> {
    /// Bytes on the wire.
    #[must_use]
    pub const fn size(&self) -> DataSize {
        match self {
            Self::Packet { size, .. } | Self::Padding { size, .. } => *size,
        }
    }

    /// The probe it is part of.
    #[must_use]
    pub const fn probe(&self) -> Option<ProbeId> {
        match self {
            Self::Packet { probe, .. } | Self::Padding { probe, .. } => *probe,
        }
    }
}

/// What is to leave next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    /// The first packet of a priority.
    Class(usize),
    Padding(DataSize),
}

impl<P: Send> LeakyBucketPacer<P> {
    /// Follows an estimate: rate, padding, window.
    pub fn set_estimate(&mut self, now: Instant, estimate: &Estimate) {
        self.set_rate(now, estimate.pacing);
        self.set_padding(now, estimate.padding);
        self.set_window(estimate.window);
    }

    /// Sets the rate up to which padding fills pauses of media; zero for none. Needs
    /// [`padding_size`](super::PacerConfig::padding_size).
    pub fn set_padding(&mut self, now: Instant, rate: Bitrate) {
        self.padding_bucket.leak(now, self.padding_rate);
        (self.padding_rate, self.padding_limit) = (rate, rate.size_in(super::PADDING_WINDOW));
    }

    /// Sets how much may be in flight; beyond, nothing but audio leaves, and what has waited for
    /// [`max_queue_time`](super::PacerConfig::max_queue_time).
    pub fn set_window(&mut self, window: Option<DataSize>) {
        self.window = window;
    }

    /// Tells how much is in flight, such as [`Session::in_flight`](crate::session::Session::in_flight): after packets left, and
    /// when feedback came.
    pub fn set_in_flight(&mut self, in_flight: DataSize) {
        self.in_flight = in_flight;
    }

    /// Sends packets from now on at the rate of a probe, and tags them, until the probe is whole. False if eight wait already.
    ///
    /// While media lacks, the probe goes on with padding if [`padding_size`](super::PacerConfig::padding_size) is set, and
    /// waits for media for up to a second if not.
    pub fn probe(&mut self, now: Instant, cluster: ProbeCluster) -> bool {
        self.expire_probe(now);
        self.probes.push(now, cluster)
    }

    /// What to send now, `None` until [`poll_timeout`](Pacer::poll_timeout).
    #[inline]
    pub fn poll_release(&mut self, now: Instant) -> Option<Release<P>> {
        self.expire_probe(now);
        let (next, at) = self.next_release()?;
        if at > now {
            return None;
        }
        self.bucket.leak(now, self.release_rate);
        self.padding_bucket.leak(now, self.padding_rate);
        let release = match next {
            Next::Padding(size) => {
                self.stats.padding += 1;
                let probe = self.tag(now, size);
                // A probe goes above the rate on purpose: media does not pay for its padding.
                if probe.is_none() {
                    self.bucket.add(size);
                }
                Release::Padding { size, probe }
            }
            Next::Class(class) => {
                let Waiting { packet, size, since } = self.queues.pop(class)?;
                self.bucket.add(size);
                self.stats.released += 1;
                self.stats.waited += now - since;
                let probe = self.tag(now, size);
                Release::Packet { packet, size, probe }
            }
        };
        self.padding_bucket.add(release.size());
        self.padding_bucket.limit(self.padding_limit.max(release.size()));
        self.choose_rate(now);
        Some(release)
    }

    /// What to send now in one system call with segmentation offload: a run of packets of one size, of which the last may be
    /// shorter, `max` and [`MAX_BATCH`] at most. Fills `batch`, which is emptied first, and returns the size of a segment,
    /// `None` if nothing is to be sent.
    ///
    /// Exactly what [`poll_release`](Self::poll_release) would give one by one; a pacer polled each so many milliseconds wants
    /// a [`burst`](super::PacerConfig::burst) as long.
    pub fn poll_batch(&mut self, now: Instant, max: usize, batch: &mut Vec<Release<P>>) -> Option<DataSize> {
        batch.clear();
        let first = self.poll_release(now)?;
        let segment = first.size();
        let mut total = segment;
        let mut is_open = matches!(first, Release::Packet { .. });
        batch.push(first);
        while is_open && batch.len() < max.min(MAX_BATCH) {
            let Some((Next::Class(class), at)) = self.next_release() else { break };
            let Some(size) = self.queues.front(class).map(|waiting| waiting.size) else { break };
            if at > now || size > segment || total + size > MAX_BATCH_SIZE {
                break;
            }
            let Some(next) = self.poll_release(now) else { break };
            total += size;
            is_open = size == segment;
            batch.push(next);
        }
        Some(segment)
    }

    fn expire_probe(&mut self, now: Instant) {
        if self.probes.expire(now) == Some(Ended::Abandoned) {
            self.stats.probes_abandoned += 1;
        }
    }

    fn tag(&mut self, now: Instant, size: DataSize) -> Option<ProbeId> {
        let (id, ended) = self.probes.on_sent(now, size, self.config.burst)?;
        self.stats.probes += u64::from(ended.is_some());
        Some(id)
    }
}

impl<P> LeakyBucketPacer<P> {
    /// What is to leave next, and when it may.
    #[inline]
    pub(super) fn next_release(&self) -> Option<(Next, Instant)> {
        if self.rate == Bitrate::ZERO {
            return None;
        }
        let probe = self.probes.active();
        match self.queues.first() {
            Some(class) => {
                let at = self.class_release(class)?;
                let is_audio = Priority::ALL[class] == Priority::Audio;
                let at = match probe {
                    Some((cluster, next)) if cluster.rate < self.release_rate || is_audio => at.min(next),
                    Some((_, next)) => next,
                    None => at,
                };
                Some((Next::Class(class), at))
            }
            None => {
                let size = self.config.padding_size?;
                match probe {
                    Some((_, next)) => Some((Next::Padding(size), next)),
                    None if self.padding_rate == Bitrate::ZERO || self.is_window_full() => None,
                    None => Some((Next::Padding(size), self.padding_bucket.below(Duration::ZERO, self.padding_rate))),
                }
            }
        }
    }

    /// When the first packet of a priority may leave, were there no probe.
    #[inline]
    fn class_release(&self, class: usize) -> Option<Instant> {
        let first = self.queues.front(class)?;
        let paced = self.bucket.below(self.config.burst, self.release_rate);
        if Priority::ALL[class] == Priority::Audio {
            return Some(paced.min(first.since + self.config.audio_delay));
        }
        if !self.is_window_full() {
            return Some(paced);
        }
        // The one that waits longest may be of a later priority: it must not wait for those before it.
        let last_chance = self.queues.oldest()?.max(self.resumed) + self.config.max_queue_time;
        Some(paced.max(last_chance))
    }

    fn is_window_full(&self) -> bool {
        self.window.is_some_and(|window| self.in_flight >= window)
    }
}
