//! The pacing role: spreading packets over time so that they do not arrive at the bottleneck in bursts.

#![deny(clippy::missing_trait_methods)]

use crate::time::Instant;
use crate::{Bitrate, DataSize};

/// Releases packets at a rate, the most urgent first. Never looks inside `P`.
pub trait Pacer<P>: Send {
    /// Queues a packet of `size` bytes on the wire.
    fn enqueue(&mut self, now: Instant, priority: Priority, size: DataSize, packet: P) -> Enqueued;

    /// The next packet to send now, `None` until [`poll_timeout`](Self::poll_timeout).
    fn poll(&mut self, now: Instant) -> Option<P>;

    /// Sets the rate of release.
    fn set_rate(&mut self, now: Instant, rate: Bitrate);

    /// When [`poll`](Self::poll) will release the next packet; `None` while nothing is queued or the rate is zero.
    fn poll_timeout(&self) -> Option<Instant>;

    /// What is waiting.
    fn queued(&self) -> DataSize;
}

/// Order of release, most urgent first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Priority {
    /// Audio: small, and late at once.
    Audio,
    /// Retransmissions: their deadline is nearer than that of new video.
    Retransmission,
    /// Video.
    Video,
    /// Forward error correction.
    Repair,
    /// Padding and probes.
    Padding,
}

impl Priority {
    /// All, most urgent first.
    pub const ALL: [Self; 5] = [Self::Audio, Self::Retransmission, Self::Video, Self::Repair, Self::Padding];
}

/// What became of a queued packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Enqueued {
    /// It waits its turn.
    Accepted,
    /// The queue was full; the packet was dropped.
    Overflow,
}

impl<P, T: Pacer<P> + ?Sized> Pacer<P> for &mut T {
    fn enqueue(&mut self, now: Instant, priority: Priority, size: DataSize, packet: P) -> Enqueued {
        (**self).enqueue(now, priority, size, packet)
    }

    fn poll(&mut self, now: Instant) -> Option<P> {
        (**self).poll(now)
    }

    fn set_rate(&mut self, now: Instant, rate: Bitrate) {
        (**self).set_rate(now, rate);
    }

    fn poll_timeout(&self) -> Option<Instant> {
        (**self).poll_timeout()
    }

    fn queued(&self) -> DataSize {
        (**self).queued()
    }
}

impl<P, T: Pacer<P> + ?Sized> Pacer<P> for Box<T> {
    fn enqueue(&mut self, now: Instant, priority: Priority, size: DataSize, packet: P) -> Enqueued {
        (**self).enqueue(now, priority, size, packet)
    }

    fn poll(&mut self, now: Instant) -> Option<P> {
        (**self).poll(now)
    }

    fn set_rate(&mut self, now: Instant, rate: Bitrate) {
        (**self).set_rate(now, rate);
    }

    fn poll_timeout(&self) -> Option<Instant> {
        (**self).poll_timeout()
    }

    fn queued(&self) -> DataSize {
        (**self).queued()
    }
}
