//! TCP as cross traffic, in virtual time: what it sends when matters, not what is in it.
//!
//! A [`TcpSender`] says which segment leaves; the caller carries it over a [`Netem`](super::netem::Netem), and brings back one
//! acknowledgement for each that arrived. It is as simple as keeps its effect on others honest:
//!
//! - Each transmission has a number of its own, as in QUIC, so there is no ambiguity about what was acknowledged. What is lost
//!   goes to the end of what is left to send.
//! - Every segment is acknowledged, by its number: selective acknowledgement without delay. A segment is lost once three later
//!   ones are known to have arrived (`DupThresh` of RFC 6675), so the path must not reorder by more than that. During recovery
//!   what is outstanding is held to the new window, as with `pipe` of RFC 6675 §5.
//! - The retransmission timer is that of RFC 6298, with its least of one second; no probes of the tail, no HyStart, no pacing.
//! - The window grows only while it is what limits the flow (RFC 9438 §5.8).

use alloc::collections::BTreeMap;

use crate::bwe::Ecn;
use crate::time::Instant;
use crate::{ConfigError, DataSize};

mod cubic;
mod scalable;
mod timer;
mod window;

use timer::Timer;
use window::Window;

/// Later segments that must have arrived before one counts as lost (RFC 6675 §2).
const LATER: u64 = 3;

/// How the window moves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum CongestionControl {
    /// One segment more each round trip, half of them after a loss (RFC 5681, with the recovery of RFC 6675).
    Reno,
    /// A cubic function of the time since the last loss (RFC 9438).
    Cubic,
    /// One segment more each round trip, and less in proportion to the marks of each (RFC 8257): a scalable flow in the sense of
    /// L4S. Without marks it is Reno.
    Scalable,
}

/// Settings of [`TcpSender`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct TcpConfig {
    /// How the window moves. Default: CUBIC, as in most operating systems.
    pub control: CongestionControl,
    /// A segment on the wire, headers included. Default: 1500 bytes.
    pub segment: DataSize,
    /// The window of a new connection, in segments. Default: 10 (RFC 6928).
    pub initial_window: u32,
    /// Whether segments are sent ECN-capable. Default: false; a scalable flow is in any case.
    pub ecn: bool,
}

impl Default for TcpConfig {
    fn default() -> Self {
        Self { control: CongestionControl::Cubic, segment: DataSize::from_bytes(1_500), initial_window: 10, ecn: false }
    }
}

/// What a sender has done: `sent = acknowledged + lost + outstanding`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct TcpStats {
    /// Segments sent, again or for the first time.
    pub sent: u64,
    /// Segments known to have arrived in time.
    pub acknowledged: u64,
    /// Segments taken for lost.
    pub lost: u64,
    /// Segments on their way as far as is known.
    pub outstanding: u64,
    /// Times the window was reduced for a loss or a mark, once per window.
    pub reductions: u64,
    /// Times the retransmission timer fired.
    pub timeouts: u64,
}

/// The sending end of a connection.
///
/// ```
/// use core::time::Duration;
/// use rtc_core::DataSize;
/// use rtc_core::bwe::Ecn;
/// use rtc_core::testkit::tcp::{TcpConfig, TcpSender};
/// use rtc_core::time::Instant;
///
/// // 30 kB over a path of 100 ms there and back that loses nothing: 10 segments, then the 10 that are left.
/// let mut tcp = TcpSender::new(TcpConfig::default())?;
/// tcp.write(DataSize::from_bytes(30_000));
/// let mut now = Instant::ZERO;
/// while !tcp.is_idle() {
///     let sent: Vec<u64> = core::iter::from_fn(|| tcp.poll_transmit(now)).collect();
///     now += Duration::from_millis(100);
///     sent.iter().for_each(|segment| tcp.on_ack(now, *segment, Ecn::NotEct));
/// }
/// assert_eq!(now, Instant::from_millis(200));
/// # Ok::<(), rtc_core::ConfigError>(())
/// ```
#[derive(Debug, Clone)]
pub struct TcpSender {
    config: TcpConfig,
    /// Segments to be sent.
    left: u64,
    next: u64,
    highest_acked: Option<u64>,
    outstanding: BTreeMap<u64, Instant>,
    /// Losses and marks of segments below this belong to the last reduction.
    recovery: u64,
    /// Whether it was the window that kept the last segment from leaving.
    is_window_full: bool,
    window: Window,
    timer: Timer,
    stats: TcpStats,
}

impl TcpSender {
    /// A new connection with nothing to send.
    ///
    /// # Errors
    ///
    /// If the segment or the initial window is zero.
    pub fn new(config: TcpConfig) -> Result<Self, ConfigError> {
        if config.segment == DataSize::ZERO {
            return Err(ConfigError::new("segment", "must not be zero"));
        }
        if config.initial_window == 0 {
            return Err(ConfigError::new("initial_window", "must not be zero"));
        }
        Ok(Self {
            left: 0,
            next: 0,
            highest_acked: None,
            outstanding: BTreeMap::new(),
            recovery: 0,
            is_window_full: false,
            window: Window::new(config.control, config.initial_window),
            timer: Timer::new(),
            stats: TcpStats::default(),
            config,
        })
    }

    /// Adds data to be sent, in whole segments. [`u64::MAX`] bytes are a flow without end.
    pub fn write(&mut self, size: DataSize) {
        self.left = self.left.saturating_add(size.as_bytes().div_ceil(self.config.segment.as_bytes()));
    }

    /// Begins anew, as the next connection of the same user: window and timer are as new, what was outstanding is forgotten (as
    /// lost), and numbers go on, so that what arrives late does no harm.
    pub fn restart(&mut self) {
        self.stats.lost += self.outstanding.len() as u64;
        self.outstanding.clear();
        self.left = 0;
        self.recovery = self.next;
        self.window = Window::new(self.config.control, self.config.initial_window);
        self.timer = Timer::new();
    }

    /// The next segment to send, by its number, if there is one and the window has room.
    pub fn poll_transmit(&mut self, now: Instant) -> Option<u64> {
        let has_room = (self.outstanding.len() as f64) < self.window.segments().floor();
        self.is_window_full = self.left > 0 && !has_room;
        if self.left == 0 || !has_room {
            return None;
        }
        let segment = self.next;
        (self.left, self.next) = (self.left - 1, self.next + 1);
        if self.outstanding.is_empty() {
            self.timer.restart(now);
        }
        self.outstanding.insert(segment, now);
        self.stats.sent += 1;
        Some(segment)
    }

    /// Takes the acknowledgement of a segment, with the mark the segment arrived with.
    pub fn on_ack(&mut self, now: Instant, segment: u64, ecn: Ecn) {
        // Lost by the count and yet acknowledged: it was only late, and is being sent again.
        let Some(sent) = self.outstanding.remove(&segment) else { return };
        self.stats.acknowledged += 1;
        self.timer.sample(now.saturating_since(sent).as_secs_f64());
        self.timer.restart(now);
        let highest = self.highest_acked.map_or(segment, |highest| highest.max(segment));
        self.highest_acked = Some(highest);
        let is_marked = ecn == Ecn::Ce;
        let has_lost = self.find_lost(highest);
        self.window.on_ack(is_marked, segment, self.next);
        let congested = has_lost || is_marked && segment >= self.recovery && self.window.halts_at_marks();
        if congested {
            self.window.reduce();
            self.recovery = self.next;
            self.stats.reductions += 1;
        } else if highest >= self.recovery && self.is_window_full {
            self.window.grow(now, self.timer.smoothed());
        }
        if self.outstanding.is_empty() {
            self.timer.stop();
        }
    }

    /// When [`handle_timeout`](Self::handle_timeout) is due; `None` while nothing is outstanding.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.timer.fires()
    }

    /// Gives up on what is outstanding if the retransmission timer fired (RFC 6298 §5); does nothing before.
    pub fn handle_timeout(&mut self, now: Instant) {
        if self.timer.fires().is_none_or(|at| at > now) {
            return;
        }
        let lost = self.outstanding.len() as u64;
        self.left = self.left.saturating_add(lost);
        self.outstanding.clear();
        self.window.collapse();
        self.recovery = self.next;
        self.timer.back_off();
        self.stats.lost += lost;
        self.stats.timeouts += 1;
    }

    /// The codepoint its segments are to be sent with: that of RFC 3168 for the classic ones, of RFC 9331 for a scalable one.
    #[must_use]
    pub fn ecn(&self) -> Ecn {
        match self.config.control {
            CongestionControl::Scalable => Ecn::Ect1,
            _ if self.config.ecn => Ecn::Ect0,
            _ => Ecn::NotEct,
        }
    }

    /// A segment on the wire.
    #[must_use]
    pub const fn segment(&self) -> DataSize {
        self.config.segment
    }

    /// Whether all that was written has arrived.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.left == 0 && self.outstanding.is_empty()
    }

    /// The congestion window, in segments.
    #[must_use]
    pub fn window(&self) -> f64 {
        self.window.segments()
    }

    /// What it has done so far.
    #[must_use]
    pub fn stats(&self) -> TcpStats {
        TcpStats { outstanding: self.outstanding.len() as u64, ..self.stats }
    }

    /// Takes what has become lost now that `highest` arrived to what is left; whether it calls for a reduction.
    fn find_lost(&mut self, highest: u64) -> bool {
        let mut calls_for_reduction = false;
        while let Some(entry) = self.outstanding.first_entry()
            && *entry.key() + LATER <= highest
        {
            calls_for_reduction |= *entry.key() >= self.recovery;
            entry.remove();
            self.left = self.left.saturating_add(1);
            self.stats.lost += 1;
        }
        calls_for_reduction
    }
}

#[cfg(test)]
mod tests;
