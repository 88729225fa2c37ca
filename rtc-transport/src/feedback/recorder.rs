use core::num::NonZeroU64;
use core::time::Duration;

use bytes::BytesMut;
use rtc_core::time::Instant;
use rtc_core::{ConfigError, SeqNum, SeqUnwrapper, Ssrc};

use crate::rtcp::{Head, Symbol, TICK, TransportFeedback};

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
}

/// What a [`FeedbackRecorder`] did. All arrivals = `accepted + duplicates + late`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RecorderStats {
    /// Arrivals kept to be reported.
    pub accepted: u64,
    /// Arrivals of packets that had arrived before.
    pub duplicates: u64,
    /// Arrivals too far behind to be reported.
    pub late: u64,
    /// Arrivals that were accepted, but pushed out by newer ones before they were reported.
    pub unreported: u64,
    /// Times the sequence numbers began anew.
    pub restarts: u64,
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
    unwrapper: SeqUnwrapper,
    /// Arrival of packet `id` at `id % window`, in ticks, plus one.
    arrivals: Box<[Option<NonZeroU64>]>,
    /// The newest packet that arrived.
    newest: Option<u64>,
    /// The first packet to be reported next.
    next: u64,
    due: Option<Instant>,
    /// The number after the last one that was too late: a second in a row means that numbers began anew.
    expected_restart: Option<SeqNum>,
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
        if !config.window.is_power_of_two() || !(2..=1 << 15).contains(&config.window) {
            return Err(ConfigError::new("window", "must be a power of two from 2 to 32768"));
        }
        if usize::from(config.reorder) >= config.window {
            return Err(ConfigError::new("reorder", "must be less than window"));
        }
        Ok(Self {
            unwrapper: SeqUnwrapper::default(),
            arrivals: vec![None; config.window].into_boxed_slice(),
            newest: None,
            next: 0,
            due: None,
            expected_restart: None,
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
        let id = match self.place(seq) {
            Ok(id) => id,
            Err(Recorded::Duplicate) => {
                self.stats.duplicates += 1;
                return Recorded::Duplicate;
            }
            Err(outcome) => {
                self.stats.late += 1;
                return outcome;
            }
        };
        self.stats.accepted += 1;
        let slot = self.slot(id);
        self.arrivals[slot] = NonZeroU64::new(to_ticks(arrival) + 1);
        self.next = self.next.min(id);
        // A report when half the window waits to be reported keeps it from overflowing at any rate.
        let waiting = self.newest.map_or(0, |newest| newest - self.next);
        let soon = waiting >= self.config.window as u64 / 2;
        let due = if soon { now } else { now + self.config.interval };
        self.due = Some(self.due.map_or(due, |earlier| earlier.min(due)));
        Recorded::Accepted
    }

    /// The next feedback packet that is due; ask until there is none.
    ///
    /// `sender` is the SSRC to report as, `media` any SSRC reported on. The packet takes `room` bytes at most, RTCP header
    /// included; in less than [`MIN_ROOM`](Self::MIN_ROOM) there is none.
    pub fn poll(&mut self, now: Instant, sender: Ssrc, media: Ssrc, room: usize) -> Option<TransportFeedback> {
        if self.due? > now || room < Self::MIN_ROOM {
            return None;
        }
        let newest = self.newest?;
        let (first, fresh) = self.first_repeated(now, newest);
        if first > newest {
            // All was told, and for long enough.
            self.due = None;
            return None;
        }
        let mut feedback = self.encode(first, newest, sender, media, room);
        let mut end = first + u64::from(feedback.status_count());
        if end <= self.next && self.next <= newest {
            // Nothing but repetitions has room: what is new comes first.
            feedback = self.encode(self.next, newest, sender, media, room);
            end = self.next + u64::from(feedback.status_count());
        }
        self.number = self.number.wrapping_add(1);
        self.stats.feedbacks += 1;
        self.next = self.next.max(end);
        if self.next > newest {
            self.due = fresh.then(|| now + self.config.interval);
        }
        Some(feedback)
    }

    /// Changes how often arrivals are reported, and [for how long](RecorderConfig::repeat): as the loss of feedback asks.
    pub fn set_interval(&mut self, interval: Duration, repeat: Duration) {
        self.config.interval = interval;
        self.config.repeat = repeat;
    }

    /// The first packet to report now, and whether any arrived so lately that it is to be reported again.
    fn first_repeated(&self, now: Instant, newest: u64) -> (u64, bool) {
        if self.config.repeat.is_zero() {
            return (self.next, false);
        }
        let since = to_ticks(now - self.config.repeat);
        let oldest = (newest + 1).saturating_sub(self.config.window as u64 / 2);
        let recent = |id: &u64| self.arrivals[self.slot(*id)].is_some_and(|arrival| arrival.get() > since);
        // Arrivals are about in order of their numbers: the first that is too old ends the search, lost ones do not.
        let known = |id: &u64| self.arrivals[self.slot(*id)].is_some();
        let mut arrived = (oldest.min(self.next)..=newest).rev().filter(known).take_while(recent);
        let first = arrived.by_ref().last();
        (first.map_or(self.next, |first| first.min(self.next)), first.is_some())
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

    /// Finds the place of `seq`, moving the window if it is the newest; `Err` if it has none.
    fn place(&mut self, seq: SeqNum) -> Result<u64, Recorded> {
        let id = self.unwrapper.peek(seq);
        let Some(newest) = self.newest else {
            self.begin_at(id);
            return Ok(self.unwrapper.unwrap(seq));
        };
        if id > newest {
            self.advance(newest, id);
            return Ok(self.unwrapper.unwrap(seq));
        }
        let in_window = newest - id < self.config.window as u64;
        if in_window && self.arrivals[self.slot(id)].is_some() {
            return Err(Recorded::Duplicate);
        }
        if in_window && self.next.saturating_sub(id) <= u64::from(self.config.reorder) {
            return Ok(id);
        }
        // As for RTP sequence numbers (RFC 3550 A.1): two in a row where they cannot be are a sender that began anew.
        if self.expected_restart.replace(seq.next()) != Some(seq) {
            return Err(Recorded::Late);
        }
        self.restart(seq);
        Ok(self.unwrapper.unwrap(seq))
    }

    fn begin_at(&mut self, id: u64) {
        self.newest = Some(id);
        self.next = id;
        self.expected_restart = None;
    }

    fn advance(&mut self, newest: u64, id: u64) {
        let window = self.config.window as u64;
        let first_kept = (id + 1).saturating_sub(window);
        for old in self.next..first_kept.min(newest + 1) {
            let slot = self.slot(old);
            self.stats.unreported += u64::from(self.arrivals[slot].is_some());
        }
        for fresh in (newest + 1).max(first_kept)..=id {
            let slot = self.slot(fresh);
            self.arrivals[slot] = None;
        }
        self.next = self.next.max(first_kept);
        self.newest = Some(id);
        self.expected_restart = None;
    }

    fn restart(&mut self, seq: SeqNum) {
        let unreported = self.newest.map_or(0, |newest| {
            (self.next..=newest).filter(|id| self.arrivals[self.slot(*id)].is_some()).count() as u64
        });
        self.stats.unreported += unreported;
        self.stats.restarts += 1;
        self.arrivals.fill(None);
        self.due = None;
        self.unwrapper = SeqUnwrapper::default();
        self.begin_at(self.unwrapper.peek(seq));
    }

    /// Puts the fates from `first` on into `symbols` and `deltas`, up to a delta that is too long for the format.
    /// Returns the reference time in ticks.
    fn gather(&mut self, first: u64, newest: u64) -> u64 {
        self.symbols.clear();
        self.deltas.clear();
        let mut reference = None;
        let mut before = 0;
        for id in first..=newest {
            let Some(arrival) = self.arrivals[self.slot(id)] else {
                self.symbols.push(Symbol::Lost);
                continue;
            };
            let arrival = arrival.get() - 1;
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

    #[expect(clippy::cast_possible_truncation, reason = "cut to the window")]
    fn slot(&self, id: u64) -> usize {
        id as usize & (self.config.window - 1)
    }
}

/// Rounds to the nearest tick.
fn to_ticks(time: Instant) -> u64 {
    let tick = u64::from(TICK.subsec_nanos());
    (time + TICK / 2).as_nanos() / tick
}
