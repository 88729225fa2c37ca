//! The layer-selection role: which packets of a layered stream one receiver gets, and under what numbers.

#![deny(clippy::missing_trait_methods)]

use crate::time::Instant;
use crate::{Bitrate, RtpPacket, RtpTime, SeqNum, Ssrc};

/// Place of a frame in a layered stream; zero is the base.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct LayerId {
    /// Resolution or quality step.
    pub spatial: u8,
    /// Frame-rate step.
    pub temporal: u8,
}

/// Chooses the layers one receiver gets and renumbers them so that the receiver sees no gaps.
pub trait LayerSelector: Send {
    /// The rate this stream may use from now on.
    fn set_target(&mut self, now: Instant, rate: Bitrate);

    /// Decides on one packet of the layered stream.
    fn select(&mut self, now: Instant, packet: &RtpPacket) -> Forward;

    /// The stream to ask a key frame of, if the chosen layers cannot start without one.
    fn poll_keyframe_request(&mut self) -> Option<Ssrc>;
}

/// What to do with a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Forward {
    /// Not for this receiver.
    Drop,
    /// Send it under these numbers.
    As {
        /// Sequence number towards the receiver.
        seq: SeqNum,
        /// Timestamp towards the receiver.
        timestamp: RtpTime,
    },
}

impl<T: LayerSelector + ?Sized> LayerSelector for &mut T {
    fn set_target(&mut self, now: Instant, rate: Bitrate) {
        (**self).set_target(now, rate);
    }

    fn select(&mut self, now: Instant, packet: &RtpPacket) -> Forward {
        (**self).select(now, packet)
    }

    fn poll_keyframe_request(&mut self) -> Option<Ssrc> {
        (**self).poll_keyframe_request()
    }
}

impl<T: LayerSelector + ?Sized> LayerSelector for Box<T> {
    fn set_target(&mut self, now: Instant, rate: Bitrate) {
        (**self).set_target(now, rate);
    }

    fn select(&mut self, now: Instant, packet: &RtpPacket) -> Forward {
        (**self).select(now, packet)
    }

    fn poll_keyframe_request(&mut self) -> Option<Ssrc> {
        (**self).poll_keyframe_request()
    }
}
