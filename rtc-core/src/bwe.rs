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

    /// Takes what the application can use, and how much of it its encoders really produce; to be told when either changes,
    /// at best every few hundred milliseconds.
    fn set_application(&mut self, now: Instant, limits: ApplicationLimits) {
        let _ = (now, limits);
    }

    /// Takes what is known of the path by other means than the fate of single packets.
    fn on_path_event(&mut self, now: Instant, event: PathEvent) {
        let _ = (now, event);
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

/// What the application can use of a path, transport headers included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct ApplicationLimits {
    /// Less than this is of no use: the target never falls below it.
    pub min: Bitrate,
    /// The target never rises above this.
    pub max: Bitrate,
    /// What the encoders would produce if they might, up to `max`: a still picture desires less than the path may carry.
    pub desired: Bitrate,
    /// What the encoders produce of late; `None` if that is not measured, and then taken from what is sent.
    pub produced: Option<Bitrate>,
}

impl ApplicationLimits {
    /// An application that makes use of any rate between two.
    #[must_use]
    pub const fn new(min: Bitrate, max: Bitrate) -> Self {
        Self { min, max, desired: max, produced: None }
    }

    /// Sets what the encoders would produce if they might.
    #[must_use]
    pub const fn with_desired(self, desired: Bitrate) -> Self {
        Self { desired, ..self }
    }

    /// Sets what the encoders produce.
    #[must_use]
    pub const fn with_produced(self, produced: Bitrate) -> Self {
        Self { produced: Some(produced), ..self }
    }
}

/// What is known of a path by other means than the fate of single packets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum PathEvent {
    /// Packets take another route from now on, of which nothing is known: begin again at this rate.
    RouteChanged {
        /// The rate to begin at.
        start: Bitrate,
    },
    /// The receiver, or what stands before it, wants no more than this (REMB, TMMBR of RFC 5104 §3.5.4);
    /// [`Bitrate::MAX`] lifts it.
    RemoteLimit(Bitrate),
    /// Loss as counted by a receiver that sends no feedback on single packets (receiver report, RFC 3550 §6.4.1).
    Loss {
        /// Packets lost since the last report.
        lost: u32,
        /// Packets expected since the last report.
        expected: u32,
    },
}

/// What a path is believed to carry.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct Estimate {
    /// The rate all media together should have, transport headers included.
    pub target: Bitrate,
    /// The rate that is likely to last, for decisions that are dear to undo, as switching a layer; a dip of the target to drain
    /// a queue leaves it as it is.
    pub stable: Bitrate,
    /// The rate for the pacer: what bursts of media may leave at.
    pub pacing: Bitrate,
    /// The rate to fill up to with padding (or redundancy, or retransmissions) when media is less; zero for no padding.
    pub padding: Bitrate,
    /// Bytes in flight beyond which nothing but what cannot wait should leave; `None` for no limit.
    pub window: Option<DataSize>,
    /// Loss that is not congestion, as a fraction of packets sent.
    pub random_loss: f32,
}

impl Estimate {
    /// A rate that will last, without bursts, padding, window or random loss.
    #[must_use]
    pub const fn new(target: Bitrate) -> Self {
        Self { target, stable: target, pacing: target, padding: Bitrate::ZERO, window: None, random_loss: 0.0 }
    }

    /// Sets the rate that is likely to last.
    #[must_use]
    pub const fn with_stable(self, stable: Bitrate) -> Self {
        Self { stable, ..self }
    }

    /// Sets the rate of bursts.
    #[must_use]
    pub const fn with_pacing(self, pacing: Bitrate) -> Self {
        Self { pacing, ..self }
    }

    /// Sets the rate to fill up to with padding.
    #[must_use]
    pub const fn with_padding(self, padding: Bitrate) -> Self {
        Self { padding, ..self }
    }

    /// Sets the bytes in flight beyond which nothing but what cannot wait should leave.
    #[must_use]
    pub const fn with_window(self, window: DataSize) -> Self {
        Self { window: Some(window), ..self }
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

    fn set_application(&mut self, now: Instant, limits: ApplicationLimits) {
        (**self).set_application(now, limits);
    }

    fn on_path_event(&mut self, now: Instant, event: PathEvent) {
        (**self).on_path_event(now, event);
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

    fn set_application(&mut self, now: Instant, limits: ApplicationLimits) {
        (**self).set_application(now, limits);
    }

    fn on_path_event(&mut self, now: Instant, event: PathEvent) {
        (**self).on_path_event(now, event);
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
