use core::time::Duration;

use bytes::BytesMut;
use rtc_core::time::Instant;
use rtc_core::{ConfigError, SeqNum, Ssrc};

use crate::rtcp::{Head, Symbol, TICK, TransportFeedback};

use super::window::Window;

/// Settings of a [`FeedbackRecorder`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct RecorderConfig {
    /// How long after an arrival it is reported. Default 50 ms: often enough for a bandwidth estimator to see a queue grow,
    /// and about 1 % of a 1 Mb/s stream.
    pub interval: Duration,
    /// How long every arrival is reported again, with each feedback, and feedback goes on after the last arrival. Default
    /// zero: once, as receivers do that count on their feedback to arrive. Where much of it is lost, some ten intervals, so
    /// that one that arrives tells what the ones before it said.
    pub repeat: Duration,
    /// Packets remembered, a power of two, 32768 at most. More lost or unreported ones in a row than this are left out of
    /// reports. Default 4096, half a second at 100 Mb/s.
    pub window: usize,
    /// How many packets behind the reported ones a late arrival may be and still be reported. Everything after it is then
    /// reported again, which this bounds. Default 256.
    pub reorder: u16,
}

impl Default for RecorderConfig {
    fn default() -> Self {
        Self { interval: Duration::from_millis(50), repeat: Duration::ZERO, window: 4_096, reorder: 256 }
    }
}

impl RecorderConfig {
    /// `longest` is the longest window the format can report on.
    pub(super) fn check(&self, longest: usize) -> Result<(), ConfigError> {
        if !self.window.is_power_of_two() || !(2..=longest).contains(&self.window) {
            return Err(ConfigError::new("window", "must be a power of two from 2 to 32768, 16384 with RFC 8888"));
        }
        if usize::from(self.reorder) >= self.window {
            return Err(ConfigError::new("reorder", "must be less than window"));
        }
        Ok(())
    }
}

/// What became of a recorded arrival.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Recorded {
    /// It will be reported.
    Accepted,
    /// The packet had arrived before.
    Duplicate,
    /// It is too far behind to be reported.
    Late,
    /// It is of one stream too many to be reported.
    Refused,
}

/// What a [`FeedbackRecorder`] or [`CongestionRecorder`](super::CongestionRecorder) did. All arrivals = `accepted +
/// duplicates + late + refused`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RecorderStats {
    /// Arrivals kept to be reported.
    pub accepted: u64,
    /// Arrivals of packets that had arrived before.
    pub duplicates: u64,
    /// Arrivals too far behind to be reported.
    pub late: u64,
    /// Arrivals of one stream too many.
    pub refused: u64,
    /// Arrivals that were accepted, but pushed out by newer ones before they were reported.
    pub unreported: u64,
    /// Times the sequence numbers began anew.
    pub restarts: u64,
    /// Packets left out of reports, nearly always lost ones, because telling them would take more than what arrived (RFC 8888
    /// only).
    pub skipped: u64,
    /// Feedback packets made.
    pub feedbacks: u64,
}

/// Records when packets arrived, and makes feedback of it.
///
/// Every feedback packet begins where the one before ended, or with the first arrival that is to be
/// [repeated](RecorderConfig::repeat). A packet that arrives after it was reported lost is reported
/// again with all after it. Arrival times are rounded to 250 µs each by itself, so that errors do not add up.
#[derive(Debug)]
pub struct FeedbackRecorder {
    config: RecorderConfig,
    /// Arrivals in ticks.
    window: Window,
    due: Option<Instant>,
    number: u8,
    symbols: Vec<Symbol>,
    deltas: Vec<i16>,
    pool: BytesMut,
    stats: RecorderStats,
}

impl FeedbackRecorder {
    /// Bytes the smallest feedback packet takes.
    pub const MIN_ROOM: usize = 24;

    /// An empty recorder.
    ///
    /// # Errors
    /// [`ConfigError`] if `window` is not a power of two from 2 to 32768, or `reorder` is not below it.
    pub fn new(config: RecorderConfig) -> Result<Self, ConfigError> {
        config.check(1 << 15)?;
        Ok(Self {
            window: Window::new(config.window, config.reorder),
            due: None,
            number: 0,
            symbols: Vec::with_capacity(config.window),
            deltas: Vec::with_capacity(config.window),
            pool: BytesMut::new(),
            stats: RecorderStats::default(),
            config,
        })
    }

    /// Takes note that packet `seq` arrived at `arrival`, which the operating system may have stamped before `now`.
    pub fn insert(&mut self, now: Instant, seq: SeqNum, arrival: Instant) -> Recorded {
        let restarts = self.stats.restarts;
        let outcome = self.window.insert(seq, to_ticks(arrival), &mut self.stats);
        if outcome != Recorded::Accepted {
            return outcome;
        }
        if self.stats.restarts != restarts {
            self.due = None;
        }
        // A report when half the window waits to be reported keeps it from overflowing at any rate.
        let due = if self.window.is_half_full() { now } else { now + self.config.interval };
        self.due = Some(self.due.map_or(due, |earlier| earlier.min(due)));
        outcome
    }

    /// The next feedback packet that is due; ask until there is none.
    ///
    /// `sender` is the SSRC to report as, `media` any SSRC reported on. The packet takes `room` bytes at most, RTCP header
    /// included; in less than [`MIN_ROOM`](Self::MIN_ROOM) there is none.
    pub fn poll(&mut self, now: Instant, sender: Ssrc, media: Ssrc, room: usize) -> Option<TransportFeedback> {
        if self.due? > now || room < Self::MIN_ROOM {
            return None;
        }
        let newest = self.window.newest()?;
        let next = self.window.next();
        let (first, fresh) = match self.config.repeat {
            Duration::ZERO => (next, false),
            repeat => self.window.first_repeated(to_ticks(now - repeat)),
        };
        if first > newest {
            // All was told, and for long enough.
            self.due = None;
            return None;
        }
        let mut feedback = self.encode(first, newest, sender, media, room);
        let mut end = first + u64::from(feedback.status_count());
        if end <= next && next <= newest {
            // Nothing but repetitions has room: what is new comes first.
            feedback = self.encode(next, newest, sender, media, room);
            end = next + u64::from(feedback.status_count());
        }
        self.number = self.number.wrapping_add(1);
        self.stats.feedbacks += 1;
        self.window.reported(end);
        if self.window.next() > newest {
            self.due = fresh.then(|| now + self.config.interval);
        }
        Some(feedback)
    }

    /// Changes how often arrivals are reported, and [for how long](RecorderConfig::repeat): as the loss of feedback asks.
    pub fn set_interval(&mut self, interval: Duration, repeat: Duration) {
        self.config.interval = interval;
        self.config.repeat = repeat;
    }

    fn encode(&mut self, first: u64, newest: u64, sender: Ssrc, media: Ssrc, room: usize) -> TransportFeedback {
        let reference = self.gather(first, newest);
        #[expect(clippy::cast_possible_truncation, reason = "sequence numbers and reference times wrap")]
        let head = Head {
            sender,
            media,
            base: SeqNum(first as u16),
            reference_time: (reference >> 8) as u32 & 0xff_ffff,
            number: self.number,
        };
        head.encode(&self.symbols, &self.deltas, room, &mut self.pool)
    }

    /// When [`poll`](Self::poll) will have feedback.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.due
    }

    /// Counters since the beginning.
    #[must_use]
    pub fn stats(&self) -> RecorderStats {
        self.stats
    }

    /// Puts the fates from `first` on into `symbols` and `deltas`, up to a delta that is too long for the format.
    /// Returns the reference time in ticks.
    fn gather(&mut self, first: u64, newest: u64) -> u64 {
        self.symbols.clear();
        self.deltas.clear();
        let mut reference = None;
        let mut before = 0;
        for id in first..=newest {
            let Some(arrival) = self.window.arrival(id) else {
                self.symbols.push(Symbol::Lost);
                continue;
            };
            if reference.is_none() {
                // 64 ms are 256 ticks.
                let floor = arrival & !0xff;
                (reference, before) = (Some(floor), floor);
            }
            let Ok(delta) = i16::try_from(arrival.wrapping_sub(before).cast_signed()) else { break };
            self.symbols.push(if (0..=255).contains(&delta) { Symbol::Small } else { Symbol::Large });
            self.deltas.push(delta);
            before = arrival;
        }
        reference.unwrap_or(0)
    }
}

/// Rounds to the nearest tick.
fn to_ticks(time: Instant) -> u64 {
    let tick = u64::from(TICK.subsec_nanos());
    (time + TICK / 2).as_nanos() / tick
}
