//! The forward-error-correction roles.

#![deny(clippy::missing_trait_methods)]

use crate::{Malformed, RtpPacket};

/// Makes repair packets for the source packets it is shown.
pub trait FecEncoder: Send {
    /// Takes note of a source packet about to be sent.
    fn protect(&mut self, packet: &RtpPacket);

    /// The next repair packet that is due, to be sent after the source packets it covers.
    fn poll_repair(&mut self) -> Option<RtpPacket>;
}

/// Brings lost source packets back from repair packets.
pub trait FecDecoder: Send {
    /// Takes note of a source packet that arrived.
    fn insert_source(&mut self, packet: &RtpPacket);

    /// Takes a repair packet that arrived.
    ///
    /// # Errors
    /// [`Malformed`] if the packet is not a repair packet of this format.
    fn insert_repair(&mut self, packet: &RtpPacket) -> Result<(), Malformed>;

    /// The next source packet brought back: whole, each at most once, and never one that was inserted.
    fn poll_recovered(&mut self) -> Option<RtpPacket>;
}

impl<T: FecEncoder + ?Sized> FecEncoder for &mut T {
    fn protect(&mut self, packet: &RtpPacket) {
        (**self).protect(packet);
    }

    fn poll_repair(&mut self) -> Option<RtpPacket> {
        (**self).poll_repair()
    }
}

impl<T: FecEncoder + ?Sized> FecEncoder for Box<T> {
    fn protect(&mut self, packet: &RtpPacket) {
        (**self).protect(packet);
    }

    fn poll_repair(&mut self) -> Option<RtpPacket> {
        (**self).poll_repair()
    }
}

impl<T: FecDecoder + ?Sized> FecDecoder for &mut T {
    fn insert_source(&mut self, packet: &RtpPacket) {
        (**self).insert_source(packet);
    }

    fn insert_repair(&mut self, packet: &RtpPacket) -> Result<(), Malformed> {
        (**self).insert_repair(packet)
    }

    fn poll_recovered(&mut self) -> Option<RtpPacket> {
        (**self).poll_recovered()
    }
}

impl<T: FecDecoder + ?Sized> FecDecoder for Box<T> {
    fn insert_source(&mut self, packet: &RtpPacket) {
        (**self).insert_source(packet);
    }

    fn insert_repair(&mut self, packet: &RtpPacket) -> Result<(), Malformed> {
        (**self).insert_repair(packet)
    }

    fn poll_recovered(&mut self) -> Option<RtpPacket> {
        (**self).poll_recovered()
    }
}
