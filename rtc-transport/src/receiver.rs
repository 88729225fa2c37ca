//! What is known of a stream that is received (RFC 3550 §6.4, A.1, A.3, A.8).

use core::time::Duration;

use rtc_core::rtp::extension::AbsoluteCaptureTime;
use rtc_core::time::{Instant, NtpTime};
use rtc_core::{ConfigError, Frequency, RtpPacket, RtpTime, Ssrc};

use crate::rtcp::{ReportBlock, SenderReport};
use crate::sync::{CapturePoint, SyncPoint};

mod jitter;
mod sequence;

use jitter::Jitter;
use sequence::{Count, Sequence};

/// When sequence numbers are believed (RFC 3550 A.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct ReceiverConfig {
    /// Packets in order before a source is believed; 0 and 1 believe the first. Default 2, as A.1 has it. Where packets are
    /// authenticated, or SSRCs were signalled, 1 loses nothing.
    pub min_sequential: u16,
    /// A jump ahead from here on is implausible. Default 3000, as A.1 has it: a minute at 50 packets a second.
    pub max_dropout: u16,
    /// A step back from here on is implausible; from 1 to 128. Default 100, as A.1 has it: two seconds at 50 packets a second.
    pub max_misorder: u16,
}

impl Default for ReceiverConfig {
    fn default() -> Self {
        Self { min_sequential: 2, max_dropout: 3_000, max_misorder: 100 }
    }
}

/// What a packet's sequence number says of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Arrival {
    /// The newest of its stream.
    Newest,
    /// Older than the newest, and not seen before.
    Late,
    /// Seen before.
    Duplicate,
    /// The source is not believed yet: too few packets in order.
    Probation,
    /// Too far from the others to be of this stream; not counted.
    Implausible,
    /// The second in a row that was too far: the source began anew, and so do all counts of its reports.
    Restarted,
}

/// What was received of a stream. `arrived = newest + late + duplicates + probation + implausible`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ReceiveStats {
    /// Packets that arrived.
    pub arrived: u64,
    /// Packets that were the newest of the stream, restarts included.
    pub newest: u64,
    /// Packets that arrived after newer ones.
    pub late: u64,
    /// Packets that had arrived before.
    pub duplicates: u64,
    /// Packets that arrived before the source was believed.
    pub probation: u64,
    /// Packets too far from the others to be counted.
    pub implausible: u64,
    /// Times the source began anew.
    pub restarts: u64,
    /// Bytes of payload of packets that count, duplicates included (`bytesReceived` of webrtc-stats).
    pub payload_bytes: u64,
    /// Bytes of header and padding of the same (`headerBytesReceived`).
    pub header_bytes: u64,
}

impl ReceiveStats {
    /// Packets that count, duplicates included (`packetsReceived` of webrtc-stats).
    #[must_use]
    pub const fn received(&self) -> u64 {
        self.newest + self.late + self.duplicates
    }
}

/// A stream that is received.
#[derive(Debug, Clone)]
pub struct ReceiveStream {
    ssrc: Ssrc,
    config: ReceiverConfig,
    sequence: Sequence,
    jitter: Jitter,
    sync: Option<SyncPoint>,
    capture: Option<CapturePoint>,
    stats: ReceiveStats,
}

impl ReceiveStream {
    /// Nothing received yet.
    ///
    /// # Errors
    /// [`ConfigError`] if `max_misorder` is not from 1 to 128, or `max_dropout` not from 1 to 32768.
    pub fn new(ssrc: Ssrc, config: ReceiverConfig) -> Result<Self, ConfigError> {
        if !(1..=128).contains(&config.max_misorder) {
            return Err(ConfigError::new("max_misorder", "must be from 1 to 128"));
        }
        if !(1..=1 << 15).contains(&config.max_dropout) {
            return Err(ConfigError::new("max_dropout", "must be from 1 to 32768"));
        }
        Ok(Self {
            ssrc,
            config,
            sequence: Sequence::new(config),
            jitter: Jitter::default(),
            sync: None,
            capture: None,
            stats: ReceiveStats::default(),
        })
    }

    /// Takes note of a packet that arrived at `arrival`. `clock` is that of its payload type; without it there is no jitter.
    pub fn on_packet(&mut self, arrival: Instant, packet: &RtpPacket, clock: Option<Frequency>) -> Arrival {
        let outcome = self.sequence.update(packet.seq(), self.config);
        self.stats.arrived += 1;
        match outcome {
            Arrival::Newest => self.stats.newest += 1,
            Arrival::Restarted => {
                self.stats.newest += 1;
                self.stats.restarts += 1;
            }
            Arrival::Late => self.stats.late += 1,
            Arrival::Duplicate => self.stats.duplicates += 1,
            Arrival::Probation => self.stats.probation += 1,
            Arrival::Implausible => self.stats.implausible += 1,
        }
        if matches!(outcome, Arrival::Probation | Arrival::Implausible) {
            return outcome;
        }
        self.stats.payload_bytes += packet.payload().len() as u64;
        self.stats.header_bytes += (packet.header_len() + usize::from(packet.padding_len())) as u64;
        if let Some(clock) = clock {
            self.jitter.update(arrival, packet.timestamp(), clock);
        }
        outcome
    }

    /// Takes a report of the stream's sender.
    pub fn on_sender_report(&mut self, arrival: Instant, report: &SenderReport) {
        self.sync = Some(SyncPoint { ntp: report.ntp, rtp_time: report.rtp_time, at: arrival });
    }

    /// Takes the capture time a packet of `rtp_time` told. Senders tell it now and then; between, it is reckoned on the media
    /// clock.
    pub fn on_capture_time(&mut self, arrival: Instant, rtp_time: RtpTime, captured: AbsoluteCaptureTime) {
        let sync = SyncPoint { ntp: captured.captured, rtp_time, at: arrival };
        // An offset once told stays true while packets leave it out.
        let clock_offset = captured.clock_offset.or_else(|| self.capture.and_then(|before| before.clock_offset));
        self.capture = Some(CapturePoint { sync, clock_offset });
    }

    /// The block to report of this stream now, which ends the interval its loss is told for. `None`, and nothing done, if
    /// nothing was received since the one before (RFC 3550 §6.4).
    pub fn take_report(&mut self, now: Instant) -> Option<ReportBlock> {
        if !self.has_news() {
            return None;
        }
        let count = self.sequence.count_mut()?;
        let fraction_lost = count.end_interval();
        Some(ReportBlock {
            ssrc: self.ssrc,
            fraction_lost,
            // 24 bits signed (RFC 3550 A.3).
            lost: i32::try_from(count.lost().clamp(-0x80_0000, 0x7f_ffff)).unwrap_or(0),
            highest_seq: count.extended_highest(),
            jitter: self.jitter.ticks(),
            last_sr: self.sync.map_or(0, |sync| sync.ntp.to_short()),
            delay_since_last_sr: self.sync.map_or(0, |sync| NtpTime::short_of_duration(now - sync.at)),
        })
    }

    /// Whether packets were received since the last report.
    #[must_use]
    pub fn has_news(&self) -> bool {
        self.sequence.count().is_some_and(Count::has_news)
    }

    /// Whether enough packets came in order for the source to be believed.
    #[must_use]
    pub fn is_valid(&self) -> bool {
        self.sequence.count().is_some()
    }

    /// The source.
    #[must_use]
    pub fn ssrc(&self) -> Ssrc {
        self.ssrc
    }

    /// Packets expected less packets received since the stream began, duplicates counted as received (RFC 3550 A.3;
    /// `packetsLost` of webrtc-stats).
    #[must_use]
    pub fn lost(&self) -> i64 {
        self.sequence.count().map_or(0, Count::lost)
    }

    /// Interarrival jitter (RFC 3550 A.8; `jitter` of webrtc-stats); zero while no clock is known.
    #[must_use]
    pub fn jitter(&self) -> Duration {
        self.jitter.clock().map_or(Duration::ZERO, |clock| clock.duration_of(u64::from(self.jitter.ticks())))
    }

    /// The last sender report's moment on the wall clock and on the media clock.
    #[must_use]
    pub fn sync_point(&self) -> Option<SyncPoint> {
        self.sync
    }

    /// The last absolute capture time.
    #[must_use]
    pub fn capture_point(&self) -> Option<CapturePoint> {
        self.capture
    }

    /// When media of `rtp_time` was captured, on the clock of whoever captured it; `None` if that was never told, or no clock
    /// is known.
    #[must_use]
    pub fn capture_time(&self, rtp_time: RtpTime) -> Option<NtpTime> {
        Some(self.capture?.sync.ntp_at(rtp_time, self.jitter.clock()?))
    }

    /// The moment of media of `rtp_time` on the clock of the sender's reports: by its last report, or else by a capture time
    /// that tells how the two clocks differ. `None` if neither is known, or no clock.
    #[must_use]
    pub fn sender_time(&self, rtp_time: RtpTime) -> Option<NtpTime> {
        let sync = self.sync.or_else(|| self.capture?.on_sender_clock())?;
        Some(sync.ntp_at(rtp_time, self.jitter.clock()?))
    }

    /// Counters since the beginning.
    #[must_use]
    pub fn stats(&self) -> ReceiveStats {
        self.stats
    }
}
