use core::time::Duration;

use rtc_core::time::Instant;
use rtc_core::{ConfigError, Frequency, RtpTime};

use crate::ffi;

/// Settings of [`NetEq`]; the defaults are libwebrtc's of January 2023.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct NetEqConfig {
    /// Sample rate of the packets, which is also the clock of their timestamps: 8, 16, 32 or 48 kHz.
    pub rate: Frequency,
    /// 1 or 2, interleaved.
    pub channels: u8,
    /// Packets held; one more, and all are thrown away.
    pub max_packets: u16,
    /// Least target delay.
    pub min_delay: Duration,
    /// Highest target delay; zero for none.
    pub max_delay: Duration,
    /// Shortens faster when the buffer is far too full.
    pub fast_accelerate: bool,
    /// Keeps the play-out delay instead of the buffer level at the target: the default from 2024 on.
    pub stable_playout: bool,
}

impl Default for NetEqConfig {
    fn default() -> Self {
        Self {
            rate: Frequency::KHZ_16,
            channels: 1,
            max_packets: 200,
            min_delay: Duration::ZERO,
            max_delay: Duration::ZERO,
            fast_accelerate: false,
            stable_playout: false,
        }
    }
}

/// What kind of audio a frame is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Speech {
    /// Decoded, perhaps stretched.
    Normal,
    /// Made up to conceal a gap.
    Concealed,
    /// Comfort noise.
    Noise,
    /// None of these: before the first packet.
    Undefined,
}

/// 10 ms of audio as played.
#[derive(Debug, Clone, Copy)]
pub struct NetEqFrame<'a> {
    /// Interleaved samples.
    pub samples: &'a [i16],
    /// What kind of audio it ends with.
    pub kind: Speech,
    /// Timestamp after the last sample.
    pub end: Option<RtpTime>,
    /// The delay aimed at.
    pub target_delay: Duration,
    /// The delay there is, smoothed.
    pub current_delay: Duration,
}

/// Counters since construction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct NetEqStats {
    /// Samples played (`totalSamplesReceived` of webrtc-stats).
    pub total_samples: u64,
    /// Samples made up (`concealedSamples`).
    pub concealed_samples: u64,
    /// Those of them that were silence (`silentConcealedSamples`).
    pub silent_concealed_samples: u64,
    /// Gaps concealed (`concealmentEvents`).
    pub concealment_events: u64,
    /// Samples added by stretching (`insertedSamplesForDeceleration`).
    pub inserted_samples: u64,
    /// Samples removed by stretching (`removedSamplesForAcceleration`).
    pub removed_samples: u64,
    /// Time from arrival to play-out in milliseconds, added up over `emitted` (`jitterBufferDelay`).
    pub delay_ms: u64,
    /// Samples played that came from packets (`jitterBufferEmittedCount`).
    pub emitted: u64,
    /// Packets never decoded (`packetsDiscarded`).
    pub discarded_packets: u64,
    /// Times everything buffered was thrown away; the first packet counts as one.
    pub flushes: u64,
    /// Concealment of 150 ms or more at once.
    pub interruptions: u64,
    /// Its sum in milliseconds.
    pub interruption_ms: u64,
}

/// libwebrtc's audio jitter buffer, fed with L16 (RFC 3551 §4.5.11), so that no codec stands between.
///
/// Its clock is the count of calls of [`pull`](Self::pull), 10 ms each.
#[derive(Debug)]
pub struct NetEq {
    peer: ffi::NetEq,
    samples: Vec<i16>,
}

impl NetEq {
    /// A jitter buffer of one stream.
    ///
    /// # Errors
    /// [`ConfigError`] if the library refuses the settings.
    pub fn new(config: &NetEqConfig) -> Result<Self, ConfigError> {
        // The library accepts any codec here, and fails at the first packet.
        if ![8_000, 16_000, 32_000, 48_000].contains(&config.rate.as_hz()) || !matches!(config.channels, 1 | 2) {
            return Err(ConfigError::new("rate and channels", "must be what L16 is decoded at"));
        }
        if config.max_packets == 0 {
            return Err(ConfigError::new("max_packets", "must not be zero"));
        }
        let trials = if config.stable_playout {
            c"WebRTC-Audio-NetEqDecisionLogicConfig/enable_stable_playout_delay:true/"
        } else {
            c""
        };
        let settings = ffi::NetEqSettings {
            rate: config.rate.as_hz().cast_signed(),
            channels: i32::from(config.channels),
            max_packets: i32::from(config.max_packets),
            min_delay_ms: millis(config.min_delay),
            max_delay_ms: millis(config.max_delay),
            fast_accelerate: config.fast_accelerate,
        };
        let frame = config.rate.ticks_in(Duration::from_millis(10)) * u64::from(config.channels);
        let peer =
            ffi::NetEq::new(trials, settings).ok_or(ConfigError::new("settings", "are refused by the library"))?;
        Ok(Self { peer, samples: vec![0; usize::try_from(frame).unwrap_or_default()] })
    }

    /// Takes a packet as it arrives: its payload is big-endian samples. Says whether the library accepted it.
    pub fn insert(&mut self, now: Instant, sequence: u16, timestamp: RtpTime, payload: &[u8]) -> bool {
        self.peer.insert(micros(now), sequence, timestamp.0, payload)
    }

    /// The next 10 ms; `None` if the library fails.
    pub fn pull(&mut self, now: Instant) -> Option<NetEqFrame<'_>> {
        let frame = self.peer.pull(micros(now), &mut self.samples)?;
        Some(NetEqFrame {
            samples: &self.samples,
            kind: match frame.kind {
                0 => Speech::Normal,
                1 | 3 | 5 => Speech::Concealed,
                2 => Speech::Noise,
                _ => Speech::Undefined,
            },
            end: u32::try_from(frame.timestamp).ok().map(RtpTime),
            target_delay: Duration::from_millis(u64::from(frame.target_delay_ms.unsigned_abs())),
            current_delay: Duration::from_millis(u64::from(frame.current_delay_ms.unsigned_abs())),
        })
    }

    /// Counters since construction.
    #[must_use]
    pub fn stats(&self) -> NetEqStats {
        let counters = self.peer.counters();
        NetEqStats {
            total_samples: counters.total_samples,
            concealed_samples: counters.concealed_samples,
            silent_concealed_samples: counters.silent_concealed_samples,
            concealment_events: counters.concealment_events,
            inserted_samples: counters.inserted_samples,
            removed_samples: counters.removed_samples,
            delay_ms: counters.delay_ms,
            emitted: counters.emitted,
            discarded_packets: counters.discarded_packets,
            flushes: counters.flushes,
            interruptions: counters.interruptions,
            interruption_ms: counters.interruption_ms,
        }
    }
}

fn micros(time: Instant) -> i64 {
    i64::try_from(time.as_micros()).unwrap_or(i64::MAX)
}

fn millis(time: Duration) -> i32 {
    i32::try_from(time.as_millis()).unwrap_or(i32::MAX)
}
