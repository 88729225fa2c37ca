//! The bandwidth-estimation role and the normalized feedback it lives on.

#![deny(clippy::missing_trait_methods)]

use core::time::Duration;

use crate::time::Instant;
use crate::{Bitrate, DataSize};

/// Estimates from feedback what a path can carry.
pub trait BandwidthEstimator: Send {
    /// Takes note of a packet that left.
    fn on_sent(&mut self, packet: SentPacket);

    /// Takes the fate of packets, ordered by [`SentPacket::id`], each reported once or again as received after lost.
    fn on_feedback(&mut self, now: Instant, results: &[PacketResult]);

    /// Takes a measured round-trip time.
    fn on_rtt(&mut self, now: Instant, rtt: Duration) {
        let _ = (now, rtt);
    }

    /// What the path is believed to carry.
    fn estimate(&self) -> Estimate;

    /// A burst to send at a rate above the estimate, to learn whether there is more room.
    fn poll_probe(&mut self, now: Instant) -> Option<ProbeCluster> {
        let _ = now;
        None
    }

    /// When [`handle_timeout`](Self::handle_timeout) wants to be called; `None` for never.
    fn poll_timeout(&self) -> Option<Instant> {
        None
    }

    /// Lets time pass; does nothing before the deadline.
    fn handle_timeout(&mut self, now: Instant) {
        let _ = now;
    }
}

/// A packet as it left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SentPacket {
    /// Its transport-wide number, unwrapped: one up per packet of whatever stream.
    pub id: u64,
    /// When it left the pacer.
    pub sent: Instant,
    /// Bytes on the wire, transport headers included.
    pub size: DataSize,
    /// The probe it was part of.
    pub probe: Option<ProbeId>,
}

/// The fate of one packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PacketResult {
    /// The packet as it left.
    pub packet: SentPacket,
    /// When it arrived on the receiver's clock, whose epoch is arbitrary; `None` if it was reported lost.
    pub received: Option<Instant>,
    /// The congestion mark it arrived with.
    pub ecn: Ecn,
}

/// Explicit congestion notification codepoint (RFC 3168 §5).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Ecn {
    /// Not ECN-capable transport.
    #[default]
    NotEct,
    /// ECN-capable, ECT(1): low-latency marking (RFC 9331).
    Ect1,
    /// ECN-capable, ECT(0).
    Ect0,
    /// Congestion experienced.
    Ce,
}

/// What a path is believed to carry.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct Estimate {
    /// The rate all media together should have, transport headers included.
    pub target: Bitrate,
    /// The rate for the pacer: what bursts of media may leave at.
    pub pacing: Bitrate,
    /// Loss that is not congestion, as a fraction of packets sent.
    pub random_loss: f32,
}

impl Estimate {
    /// An estimate without bursts or random loss.
    #[must_use]
    pub const fn new(target: Bitrate) -> Self {
        Self { target, pacing: target, random_loss: 0.0 }
    }

    /// Sets the rate of bursts.
    #[must_use]
    pub const fn with_pacing(self, pacing: Bitrate) -> Self {
        Self { pacing, ..self }
    }

    /// Sets the fraction of packets lost at random.
    #[must_use]
    pub const fn with_random_loss(self, random_loss: f32) -> Self {
        Self { random_loss, ..self }
    }
}

/// Name of a probe, so that feedback can be told apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ProbeId(pub u32);

/// A burst to send in order to learn whether the path carries `rate`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProbeCluster {
    /// Tag for its packets.
    pub id: ProbeId,
    /// The rate to send at.
    pub rate: Bitrate,
    /// How much to send at least.
    pub size: DataSize,
    /// How many packets to send at least.
    pub packets: u32,
}

impl<T: BandwidthEstimator + ?Sized> BandwidthEstimator for &mut T {
    fn on_sent(&mut self, packet: SentPacket) {
        (**self).on_sent(packet);
    }

    fn on_feedback(&mut self, now: Instant, results: &[PacketResult]) {
        (**self).on_feedback(now, results);
    }

    fn on_rtt(&mut self, now: Instant, rtt: Duration) {
        (**self).on_rtt(now, rtt);
    }

    fn estimate(&self) -> Estimate {
        (**self).estimate()
    }

    fn poll_probe(&mut self, now: Instant) -> Option<ProbeCluster> {
        (**self).poll_probe(now)
    }

    fn poll_timeout(&self) -> Option<Instant> {
        (**self).poll_timeout()
    }

    fn handle_timeout(&mut self, now: Instant) {
        (**self).handle_timeout(now);
    }
}

impl<T: BandwidthEstimator + ?Sized> BandwidthEstimator for Box<T> {
    fn on_sent(&mut self, packet: SentPacket) {
        (**self).on_sent(packet);
    }

    fn on_feedback(&mut self, now: Instant, results: &[PacketResult]) {
        (**self).on_feedback(now, results);
    }

    fn on_rtt(&mut self, now: Instant, rtt: Duration) {
        (**self).on_rtt(now, rtt);
    }

    fn estimate(&self) -> Estimate {
        (**self).estimate()
    }

    fn poll_probe(&mut self, now: Instant) -> Option<ProbeCluster> {
        (**self).poll_probe(now)
    }

    fn poll_timeout(&self) -> Option<Instant> {
        (**self).poll_timeout()
    }

    fn handle_timeout(&mut self, now: Instant) {
        (**self).handle_timeout(now);
    }
}
