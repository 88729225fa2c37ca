use core::time::Duration;
use std::collections::VecDeque;

use rtc_core::time::Instant;

use super::Quality;

/// Probes under way at most; the oldest counts as lost then.
const MAX_OUTSTANDING: usize = 64;
/// Weight of a new round trip, and of its deviation (RFC 6298 §2.3).
const RTT_GAIN: f64 = 1.0 / 8.0;
const DEVIATION_GAIN: f64 = 1.0 / 4.0;
/// Weight of one probe in the averages of loss.
const LOSS_GAIN: f64 = 1.0 / 32.0;
/// How late an answer may be beyond what round trips vary by: timers, and queues that come and go.
const LATE: Duration = Duration::from_millis(20);
/// The time an answer may take before any is known.
const FIRST_LIMIT: Duration = Duration::from_millis(500);
/// When a probe that is not answered counts as lost.
const LOST: Duration = Duration::from_secs(1);
/// A path counts as dark when this many probes in a row would hardly be lost by chance, ...
const CHANCE: f64 = 1e-4;
/// ... yet not before this many, nor after more than that.
const FEWEST: u32 = 2;
const MOST: u32 = 10;

/// Whether a path works.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Health {
    /// Nothing was answered yet.
    Unknown,
    /// Probes are answered, or media acknowledged.
    Works,
    /// An answer is late: something else may be wise to carry what must not be lost.
    Doubted,
    /// More probes in a row remain unanswered than chance explains.
    Dark,
}

/// Counters of a path. `sent` = `answered` + `lost` + what is under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PathStats {
    /// Probes sent.
    pub sent: u64,
    /// Answers received in time.
    pub answered: u64,
    /// Probes without an answer within a second.
    pub lost: u64,
    /// Answers to nothing that was asked, or asked long ago.
    pub unasked: u64,
    /// Requests of the remote party that were answered.
    pub answers: u64,
    /// Its requests that were too many.
    pub refused: u64,
    /// How often the path went dark.
    pub outages: u64,
}

/// What is known of one path from probes, and from acknowledged media.
#[derive(Debug)]
pub(super) struct Monitor {
    outstanding: VecDeque<Asked>,
    /// Smoothed round trip and deviation in seconds.
    round_trip: Option<(f64, f64)>,
    round_trip_loss: f64,
    loss: f64,
    /// The newest answered request, and how many had arrived then.
    counted: Option<(u64, u32)>,
    /// Newest sending time of what is known to have arrived.
    proven: Option<Instant>,
    /// Probes lost that left after it.
    lost_since: u32,
    is_dark: bool,
    pub(super) stats: PathStats,
}

#[derive(Debug, Clone, Copy)]
struct Asked {
    nonce: u64,
    number: u64,
    at: Instant,
}

impl Monitor {
    pub(super) fn new() -> Self {
        Self {
            outstanding: VecDeque::with_capacity(MAX_OUTSTANDING),
            round_trip: None,
            round_trip_loss: 0.0,
            loss: 0.0,
            counted: None,
            proven: None,
            lost_since: 0,
            is_dark: false,
            stats: PathStats::default(),
        }
    }

    pub(super) fn asked(&mut self, now: Instant, nonce: u64) {
        if self.outstanding.len() == MAX_OUTSTANDING {
            self.lose_oldest();
        }
        self.stats.sent += 1;
        self.outstanding.push_back(Asked { nonce, number: self.stats.sent, at: now });
    }

    pub(super) fn answered(&mut self, now: Instant, nonce: u64, count: u32) {
        let position = self.outstanding.iter().position(|asked| asked.nonce == nonce);
        let Some(asked) = position.and_then(|index| self.outstanding.remove(index)) else {
            self.stats.unasked += 1;
            return;
        };
        self.stats.answered += 1;
        self.round_trip_loss -= LOSS_GAIN * self.round_trip_loss;
        self.take_time(now.saturating_since(asked.at));
        self.take_count(asked.number, count);
        self.prove(asked.at);
    }

    /// What left at `sent` is known to have arrived.
    pub(super) fn prove(&mut self, sent: Instant) {
        if self.proven.is_none_or(|proven| sent > proven) {
            self.proven = Some(sent);
            (self.lost_since, self.is_dark) = (0, false);
        }
    }

    /// Gives up what was not answered; says whether the path goes dark with this.
    pub(super) fn expire(&mut self, now: Instant) -> bool {
        while self.outstanding.front().is_some_and(|asked| now.saturating_since(asked.at) >= LOST) {
            self.lose_oldest();
        }
        let goes_dark = !self.is_dark && self.overdue(now) >= self.patience();
        self.is_dark |= goes_dark;
        self.stats.outages += u64::from(goes_dark);
        goes_dark
    }

    pub(super) fn health(&self, now: Instant) -> Health {
        match self.proven {
            _ if self.is_dark => Health::Dark,
            None => Health::Unknown,
            Some(_) if self.overdue(now) > 0 => Health::Doubted,
            Some(_) => Health::Works,
        }
    }

    /// When [`expire`](Self::expire) or [`health`](Self::health) may say something new if nothing arrives.
    pub(super) fn poll_timeout(&self, now: Instant) -> Option<Instant> {
        let limit = self.limit();
        let overdue = self.unproven().map(|asked| asked.at + limit).find(|at| *at > now);
        overdue.into_iter().chain(self.outstanding.front().map(|asked| asked.at + LOST)).min()
    }

    pub(super) fn quality(&self) -> Option<Quality> {
        let (mean, deviation) = self.round_trip?;
        let arrives = (1.0 - self.round_trip_loss) / (1.0 - self.loss).max(1e-3);
        Some(Quality {
            round_trip: Duration::from_secs_f64(mean),
            jitter: Duration::from_secs_f64(deviation),
            loss: self.loss,
            reverse_loss: (1.0 - arrives).clamp(0.0, 1.0),
        })
    }

    /// How long to wait for an answer, as RFC 6298 §2.3 but without its bounds.
    pub(super) fn limit(&self) -> Duration {
        self.round_trip
            .map_or(FIRST_LIMIT, |(mean, deviation)| (Duration::from_secs_f64(mean + 4.0 * deviation) + LATE).min(LOST))
    }

    fn lose_oldest(&mut self) {
        let Some(asked) = self.outstanding.pop_front() else { return };
        self.stats.lost += 1;
        self.round_trip_loss += LOSS_GAIN * (1.0 - self.round_trip_loss);
        if self.proven.is_none_or(|proven| asked.at > proven) {
            self.lost_since = self.lost_since.saturating_add(1);
        }
    }

    /// What nothing newer has been heard than.
    fn unproven(&self) -> impl Iterator<Item = &Asked> {
        self.outstanding.iter().filter(|asked| self.proven.is_none_or(|proven| asked.at > proven))
    }

    /// Probes in a row whose answers are late or lost.
    fn overdue(&self, now: Instant) -> u32 {
        let limit = self.limit();
        let late = self.unproven().filter(|asked| now.saturating_since(asked.at) >= limit).count();
        self.lost_since.saturating_add(u32::try_from(late).unwrap_or(u32::MAX))
    }

    /// How many of those it takes for the path to be dark, at the loss it has.
    fn patience(&self) -> u32 {
        (FEWEST..MOST).find(|in_a_row| self.round_trip_loss.powf(f64::from(*in_a_row)) <= CHANCE).unwrap_or(MOST)
    }

    fn take_time(&mut self, round_trip: Duration) {
        let sample = round_trip.as_secs_f64();
        self.round_trip = Some(self.round_trip.map_or((sample, sample / 2.0), |(mean, deviation)| {
            let deviation = deviation + DEVIATION_GAIN * ((sample - mean).abs() - deviation);
            (mean + RTT_GAIN * (sample - mean), deviation)
        }));
    }

    /// Loss on the way there: of the requests between two answered ones, those that did not arrive.
    fn take_count(&mut self, number: u64, count: u32) {
        if let Some((last_number, last_count)) = self.counted {
            let Some(sent) = number.checked_sub(last_number) else { return }; // Answers that overtook each other.
            let (sent, arrived) = (sent as f64, f64::from(count.wrapping_sub(last_count)));
            // More than were sent: the other end began anew, or requests were repeated on the way.
            if arrived <= sent {
                let weight = 1.0 - (1.0 - LOSS_GAIN).powf(sent);
                self.loss += weight * ((sent - arrived) / sent - self.loss);
            }
        }
        self.counted = Some((number, count));
    }
}
