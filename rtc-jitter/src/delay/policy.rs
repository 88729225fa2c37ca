use core::fmt;
use core::time::Duration;

use rtc_core::time::Instant;

/// How late a packet was, told to a [`DelayPolicy`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Lateness {
    /// When it arrived.
    pub now: Instant,
    /// Its delay over the fastest recent packet.
    pub late: Duration,
    /// Since the packet that arrived before it.
    pub elapsed: Duration,
    /// Whether retransmission or redundancy brought it, so that it was late on purpose.
    pub repaired: bool,
}

/// The delay a [`DelayPolicy`] aims at, and why.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct Aim {
    /// Over the fastest recent packet.
    pub delay: Duration,
    /// What decided.
    pub reason: Reason,
    /// Part of the packets expected to come later than that, from 0 to 1; 0 if the policy does not know.
    pub late: f64,
    /// The stall it is preparing for, if any.
    pub stall: Option<ExpectedStall>,
}

impl Aim {
    /// An aim of a policy that knows neither more nor less.
    #[must_use]
    pub const fn new(delay: Duration, reason: Reason) -> Self {
        Self { delay, reason, late: 0.0, stall: None }
    }
}

/// Why the delay aimed at is what it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Reason {
    /// Too little is known yet: [`DelayConfig::start_delay`](crate::DelayConfig::start_delay) has its say.
    Start,
    /// Less delay would lose more than it gains, more would gain less than it costs.
    LeastCost,
    /// So many packets are later than the cheapest delay that speech would not be understood.
    Quantile,
    /// Nothing came half as late in the last seconds: what asks for more is over.
    Calm,
    /// A stall is due: stalls came at regular intervals.
    Stall,
    /// No packet came with less delay of late: the path became longer.
    Path,
    /// The least delay set.
    Minimum,
    /// The highest delay set.
    Maximum,
    /// It does not follow the network.
    Fixed,
}

/// A stall that is likely, because there were others at regular intervals before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct ExpectedStall {
    /// When it is expected to begin.
    pub at: Instant,
    /// How long it is expected to last.
    pub length: Duration,
}

/// Decides on the delay to play out with. Make one to replace ours:
/// [`AudioPlayout::with_policy`](crate::AudioPlayout::with_policy).
///
/// It is told of each packet and asked before each piece of play-out; the limits set by the user and the least delay of the path
/// are applied to what it answers.
pub trait DelayPolicy: fmt::Debug + Send {
    /// Learns from a packet.
    fn on_arrival(&mut self, packet: Lateness);

    /// The fastest recent packet, against which lateness is measured, became `rise` slower.
    fn on_rise(&mut self, rise: Duration) {
        let _ = rise;
    }

    /// The delay to play out with at `now`.
    fn aim(&self, now: Instant) -> Aim;
}
