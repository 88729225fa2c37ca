//! The jitter-buffer role: packets in as the network delivers them, media out in time and order.

#![deny(clippy::missing_trait_methods)]

use core::time::Duration;

use crate::time::Instant;
use crate::{RtpPacket, RtpTime};

/// Holds packets back until they can be played in order and in time.
pub trait JitterBuffer: Send {
    /// What comes out: a packet of audio, a frame of video.
    type Output;

    /// Takes a packet as it arrives, in any order.
    fn insert(&mut self, now: Instant, packet: RtpPacket) -> Inserted;

    /// What is to be played at `now`: the next unit of media if its time has come.
    ///
    /// The caller plays what comes, conceals what is [`Playout::Missing`], and polls again when its device needs more, or
    /// at [`poll_timeout`](Self::poll_timeout).
    fn poll(&mut self, now: Instant) -> Playout<Self::Output>;

    /// When [`poll`](Self::poll) will have something new to say; `None` while nothing is buffered.
    fn poll_timeout(&self) -> Option<Instant>;

    /// The delay between a packet's arrival on time and its play-out that the buffer is aiming at.
    fn target_delay(&self) -> Duration;
}

/// What became of an inserted packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Inserted {
    /// Kept for play-out.
    Accepted,
    /// Its media is buffered or was played already.
    Duplicate,
    /// Its place in the play-out has passed; dropped.
    Late,
    /// The buffer was full; this or the oldest packet was dropped.
    Overflow,
    /// It does not belong to the stream being played (another SSRC, an impossible timestamp); dropped.
    Foreign,
}

/// What is to be played.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Playout<T> {
    /// The next unit of media.
    Ready(T),
    /// The next unit never came.
    Missing {
        /// Its media time.
        timestamp: RtpTime,
        /// The unit after it if that is here: it may hold a redundant copy of the missing one.
        next: Option<T>,
    },
    /// Nothing is due.
    Empty,
}

impl<J: JitterBuffer + ?Sized> JitterBuffer for &mut J {
    type Output = J::Output;

    fn insert(&mut self, now: Instant, packet: RtpPacket) -> Inserted {
        (**self).insert(now, packet)
    }

    fn poll(&mut self, now: Instant) -> Playout<Self::Output> {
        (**self).poll(now)
    }

    fn poll_timeout(&self) -> Option<Instant> {
        (**self).poll_timeout()
    }

    fn target_delay(&self) -> Duration {
        (**self).target_delay()
    }
}

impl<J: JitterBuffer + ?Sized> JitterBuffer for Box<J> {
    type Output = J::Output;

    fn insert(&mut self, now: Instant, packet: RtpPacket) -> Inserted {
        (**self).insert(now, packet)
    }

    fn poll(&mut self, now: Instant) -> Playout<Self::Output> {
        (**self).poll(now)
    }

    fn poll_timeout(&self) -> Option<Instant> {
        (**self).poll_timeout()
    }

    fn target_delay(&self) -> Duration {
        (**self).target_delay()
    }
}
