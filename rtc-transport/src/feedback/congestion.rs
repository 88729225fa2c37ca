use core::time::Duration;

use bytes::BytesMut;
use rtc_core::bwe::Ecn;
use rtc_core::time::{Instant, NtpTime};
use rtc_core::{ConfigError, SeqNum, Ssrc};

use crate::rtcp::{ArrivalOffset, BLOCK_HEAD, CongestionFeedback, FRAME_LEN, MAX_REPORTS, block_len, put_block};

use super::recorder::{Recorded, RecorderConfig, RecorderStats};
use super::window::Window;

/// Packets of reports that each arrival pays for: 32 bytes, less than the smallest RTP packet with its headers below, so that
/// nobody who makes gaps with few packets makes us send more than it sent.
const REPORTS_PER_ARRIVAL: u32 = 16;

/// Records when packets of each stream arrived, and makes congestion control feedback of it (RFC 8888).
///
/// Reports of a stream begin where the one before ended, or with the first arrival that is to be
/// [repeated](RecorderConfig::repeat). A packet that arrives after it was reported lost is reported again with all after it.
/// Arrival times are rounded to 1/1024 s each by itself.
///
/// A lost packet costs two bytes of report. Of a gap, no more is told than arrivals have paid for, sixteen packets each, the
/// end of the gap first; an honest stream has saved up a whole [window](RecorderConfig::window).
#[derive(Debug)]
pub struct CongestionRecorder {
    config: RecorderConfig,
    max_streams: usize,
    streams: Vec<Stream>,
    /// The stream to report on first.
    turn: usize,
    due: Option<Instant>,
    pool: BytesMut,
    stats: RecorderStats,
}

#[derive(Debug)]
struct Stream {
    ssrc: Ssrc,
    /// Arrivals in microseconds, with the congestion mark in the lowest two bits.
    window: Window,
    /// Reports on single packets that may be made.
    credit: u32,
}

impl CongestionRecorder {
    /// Bytes the smallest feedback packet takes.
    pub const MIN_ROOM: usize = FRAME_LEN + block_len(2);

    /// An empty recorder of `max_streams` streams at most; more are not reported on.
    ///
    /// # Errors
    /// [`ConfigError`] if `window` is not a power of two from 2 to 16384, or `reorder` is not below it, or there is no
    /// stream at all.
    pub fn new(config: RecorderConfig, max_streams: usize) -> Result<Self, ConfigError> {
        config.check(MAX_REPORTS)?;
        if max_streams == 0 {
            return Err(ConfigError::new("max_streams", "must not be zero"));
        }
        Ok(Self {
            config,
            max_streams,
            streams: Vec::new(),
            turn: 0,
            due: None,
            pool: BytesMut::new(),
            stats: RecorderStats::default(),
        })
    }

    /// Takes note that packet `seq` of `ssrc` arrived at `arrival`, which the operating system may have stamped before `now`,
    /// with the mark `ecn`.
    ///
    /// Of duplicates the first counts, but a mark of congestion on any (RFC 8888 §3.1).
    pub fn insert(&mut self, now: Instant, ssrc: Ssrc, seq: SeqNum, arrival: Instant, ecn: Ecn) -> Recorded {
        let Some(index) = self.stream(ssrc) else {
            self.stats.refused += 1;
            return Recorded::Refused;
        };
        let stream = &mut self.streams[index];
        let outcome = stream.window.insert(seq, pack(arrival, ecn), &mut self.stats);
        if outcome == Recorded::Duplicate && ecn == Ecn::Ce {
            stream.window.amend(seq, |arrival| arrival | Ecn::Ce as u64);
        }
        if outcome != Recorded::Accepted {
            return outcome;
        }
        let most = u32::try_from(self.config.window).unwrap_or(u32::MAX);
        stream.credit = stream.credit.saturating_add(REPORTS_PER_ARRIVAL).min(most);
        let due = if stream.window.is_half_full() { now } else { now + self.config.interval };
        self.due = Some(self.due.map_or(due, |earlier| earlier.min(due)));
        outcome
    }

    /// Forgets a stream that ended.
    pub fn remove(&mut self, ssrc: Ssrc) {
        self.streams.retain(|stream| stream.ssrc != ssrc);
    }

    /// The next feedback packet that is due; ask until there is none.
    ///
    /// `ntp` is `now` on the wall clock of our sender reports, `sender` the SSRC to report as. The packet takes `room` bytes
    /// at most, RTCP header included; in less than [`MIN_ROOM`](Self::MIN_ROOM) there is none.
    pub fn poll(&mut self, now: Instant, ntp: NtpTime, sender: Ssrc, room: usize) -> Option<CongestionFeedback> {
        if self.due? > now || room < Self::MIN_ROOM {
            return None;
        }
        let since = self.since(now);
        // Rounded up, so that nothing that arrived by now arrived after it.
        let timestamp = NtpTime::from_bits(ntp.to_bits().wrapping_add(0xffff)).to_short();
        // What rounding up added belongs to every offset, in microseconds.
        let ahead = ((ntp.to_bits().wrapping_neg() & 0xffff) * 1_000_000) >> 32;
        let report = to_micros(now) + ahead;
        self.pool.clear();
        let mut room = (room & !3) - FRAME_LEN;
        let (mut waits, mut fresh) = (false, false);
        for step in 0..self.streams.len() {
            let index = (self.turn + step) % self.streams.len();
            let stream = &mut self.streams[index];
            let fits = room.saturating_sub(BLOCK_HEAD) / 4 * 2;
            let told = stream.tell(since, fits, &mut self.pool, |at| offset(report, at), &mut self.stats);
            room -= told.len;
            fresh |= told.fresh;
            if told.waits && !waits {
                (self.turn, waits) = (index, true);
            }
        }
        if !waits {
            self.due = fresh.then(|| now + self.config.interval);
        }
        if self.pool.is_empty() {
            return None;
        }
        self.stats.feedbacks += 1;
        Some(CongestionFeedback::from_blocks(sender, timestamp, self.pool.split().freeze()))
    }

    /// Changes how often arrivals are reported, and [for how long](RecorderConfig::repeat): as the loss of feedback asks.
    pub fn set_interval(&mut self, interval: Duration, repeat: Duration) {
        self.config.interval = interval;
        self.config.repeat = repeat;
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

    /// Arrivals later than this are to be reported again, if any.
    fn since(&self, now: Instant) -> Option<u64> {
        (!self.config.repeat.is_zero()).then(|| pack(now - self.config.repeat, Ecn::Ce))
    }

    fn stream(&mut self, ssrc: Ssrc) -> Option<usize> {
        if let Some(known) = self.streams.iter().position(|stream| stream.ssrc == ssrc) {
            return Some(known);
        }
        if self.streams.len() == self.max_streams {
            return None;
        }
        let window = Window::new(self.config.window, self.config.reorder);
        self.streams.push(Stream { ssrc, window, credit: 0 });
        Some(self.streams.len() - 1)
    }
}

/// What a stream put into a report.
#[derive(Debug, Default)]
struct Told {
    /// Bytes.
    len: usize,
    /// Whether some that is new had no room.
    waits: bool,
    /// Whether any arrived so lately that it is to be reported again.
    fresh: bool,
}

impl Stream {
    /// Appends the stream's block, of `fits` packets at most.
    fn tell(
        &mut self,
        since: Option<u64>,
        fits: usize,
        out: &mut BytesMut,
        offset: impl Fn(u64) -> ArrivalOffset,
        stats: &mut RecorderStats,
    ) -> Told {
        let Some(newest) = self.window.newest() else { return Told::default() };
        let next = self.window.next();
        let (mut first, fresh) = since.map_or((next, false), |since| self.window.first_repeated(since));
        // What was not paid for is left out: repetitions first, then the begin of a gap.
        let paid = (newest + 1).saturating_sub(u64::from(self.credit));
        stats.skipped += paid.saturating_sub(next);
        self.window.reported(paid.min(newest + 1));
        first = first.max(paid);
        if first > newest {
            return Told { fresh, ..Told::default() };
        }
        if fits == 0 {
            return Told { waits: next <= newest, fresh, len: 0 };
        }
        if first + fits as u64 <= next && next <= newest {
            // Nothing but repetitions has room: what is new comes first.
            first = next;
        }
        let count = (newest + 1 - first).min(fits.min(MAX_REPORTS) as u64);
        #[expect(
            clippy::cast_possible_truncation,
            reason = "sequence numbers are the low 16 bits, counts 16384 at most"
        )]
        let (begin, short) = (SeqNum(first as u16), count as u16);
        put_block(out, self.ssrc, begin, short, |index| {
            let arrival = self.window.arrival(first + u64::from(index))?;
            Some((offset(arrival), mark(arrival)))
        });
        self.credit -= u32::from(short);
        self.window.reported(first + count);
        let len = block_len(usize::from(short));
        Told { len, waits: self.window.next() <= newest, fresh }
    }
}

/// Microseconds, and the mark below them.
fn pack(arrival: Instant, ecn: Ecn) -> u64 {
    to_micros(arrival) << 2 | ecn as u64
}

fn mark(arrival: u64) -> Ecn {
    match arrival & 3 {
        0 => Ecn::NotEct,
        1 => Ecn::Ect1,
        2 => Ecn::Ect0,
        _ => Ecn::Ce,
    }
}

/// From `arrival` to the report's time, which is in microseconds.
fn offset(report: u64, arrival: u64) -> ArrivalOffset {
    let micros = report.checked_sub(arrival >> 2);
    // To the nearest of 1024 units a second.
    match micros.map(|micros| (micros.saturating_mul(1_024) + 500_000) / 1_000_000) {
        None => ArrivalOffset::Unavailable,
        Some(units @ 0..=8_189) => ArrivalOffset::Units(u16::try_from(units).unwrap_or(0)),
        Some(_) => ArrivalOffset::OverRange,
    }
}

/// Rounds to the nearest microsecond.
fn to_micros(time: Instant) -> u64 {
    (time + Duration::from_nanos(500)).as_micros()
}
