//! What plans for voice and video have in common.

use core::fmt;
use core::time::Duration;

use rtc_core::Bitrate;
use rtc_core::time::Instant;

use crate::loss::LossModel;
use crate::repair::{Losses, outlook};

/// Reserve before a deadline, for processing and pacing.
const MARGIN: Duration = Duration::from_millis(5);

/// What the path is like, and what may be sent.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct Conditions {
    /// The path.
    pub path: LossModel,
    /// What all packets together may take, headers included: the estimator's target.
    pub rate: Bitrate,
    /// Whether a queue stands on the path, so that what is lost beyond `random_loss` is congestion.
    pub congested: bool,
    /// The part of the loss that is not congestion ([`Estimate::random_loss`](rtc_core::bwe::Estimate::random_loss)).
    pub random_loss: f64,
}

impl Conditions {
    /// A path without congestion.
    #[must_use]
    pub const fn new(path: LossModel, rate: Bitrate) -> Self {
        Self { path, rate, congested: false, random_loss: path.loss }
    }

    /// A path with a standing queue, of whose loss `random_loss` is not due to it.
    #[must_use]
    pub const fn congested(self, random_loss: f64) -> Self {
        Self { congested: true, random_loss, ..self }
    }

    /// The loss that protection may be spent on.
    pub(super) fn protectable(&self) -> f64 {
        let loss = self.path.loss.clamp(0.0, 0.95);
        if self.congested { loss.min(self.random_loss.max(0.0)) } else { loss }
    }

    /// Times something sent again can still arrive and the loss of what was sent before be known.
    pub(super) fn rounds(&self, deadline: Duration) -> usize {
        let room = self.room(deadline).as_secs_f64();
        let round = self.path.round().as_secs_f64().max(1e-3);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a few rounds")]
        let rounds = (room / round) as usize;
        rounds
    }

    /// How long after a packet was sent a repair may still leave.
    pub(super) fn room(&self, deadline: Duration) -> Duration {
        deadline.saturating_sub(self.path.rtt / 2 + self.path.jitter + MARGIN)
    }

    /// The losses that protection may be spent on: what is left of them when a queue stands is by chance.
    pub(super) fn losses(&self) -> Losses {
        let loss = self.protectable();
        if self.congested { Losses::random(loss) } else { Losses { loss, again: self.path.again().clamp(loss, 0.95) } }
    }

    /// What repair driven by the sender leaves missing and costs in packets per packet, `most` at most, each packet looked at
    /// alone.
    pub(super) fn driven(&self, deadline: Duration, residual: f64, most: f64) -> (f64, f64) {
        outlook(self.losses(), self.rounds(deadline), residual, most)
    }
}

/// Remembers congestion for as long as the loss it made is in the averages.
///
/// A queue that overflowed is soon empty, and what it lost would look like loss at random.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CongestionMemory {
    queued: Duration,
    hold: Duration,
    until: Option<Instant>,
}

impl Default for CongestionMemory {
    /// 25 ms, half of what a shallow queue holds, and 4 s: until [`LossEstimator`](crate::loss::LossEstimator) has surely found that
    /// the loss is over, which takes 30 packets.
    fn default() -> Self {
        Self::new(Duration::from_millis(25), Duration::from_secs(4))
    }
}

impl CongestionMemory {
    /// Takes a queue longer than `queued` for congestion, and remembers it for `hold`.
    #[must_use]
    pub const fn new(queued: Duration, hold: Duration) -> Self {
        Self { queued, hold, until: None }
    }

    /// Takes note of the queue that stands now; whether the path is or was congested.
    pub fn observe(&mut self, now: Instant, queue: Duration) -> bool {
        if queue > self.queued {
            self.until = Some(now + self.hold);
        }
        self.until.is_some_and(|until| now < until)
    }
}

/// Why a plan is what it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Reason {
    /// The residual is met without protection.
    Clean,
    /// The loss is congestion: media is cut, nothing is added.
    Congestion,
    /// Feedback rounds fit: what is lost is sent again.
    Repair,
    /// No feedback round fits: protection goes ahead of loss.
    Ahead,
    /// There are too few packets before the deadline: they are made shorter.
    ShortPackets,
    /// The rate does not carry repair: the codec's deep redundancy covers what is missing.
    Deep,
    /// The rate does not carry what the residual would take.
    Budget,
    /// No protection meets the residual before the deadline.
    OutOfReach,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Clean => "little is lost",
            Self::Congestion => "the path is full: media gives way",
            Self::Repair => "what is lost is sent again in time",
            Self::Ahead => "no round trip fits: redundancy goes ahead",
            Self::Deep => "deep redundancy covers what the rate cannot repair",
            Self::ShortPackets => "more and shorter packets, as few arrive",
            Self::Budget => "the rate is spent",
            Self::OutOfReach => "more is lost than can be brought back in time",
        })
    }
}

/// Copies in the packets that follow after which less than `residual` is missing.
pub(super) fn copies_for(losses: Losses, residual: f64) -> usize {
    (0..64).find(|copies| losses.all(copies + 1) <= residual).map_or(64, |copies| copies.unsigned_abs() as usize)
}

/// The fraction of packets missing with so many repair packets for `source` packets, any `source` of all of which bring the rest
/// back: those lost of which too few others arrive.
pub(super) fn parity_missing(loss: f64, source: usize, repair: usize) -> f64 {
    // The probability of `n` others that arrived, less than `source` of them.
    let mut arrived = vec![0.0; source.max(1)];
    arrived[0] = 1.0;
    for _ in 1..source + repair {
        for n in (1..arrived.len()).rev() {
            arrived[n] = arrived[n] * loss + arrived[n - 1] * (1.0 - loss);
        }
        arrived[0] *= loss;
    }
    loss * arrived.iter().sum::<f64>()
}
