use alloc::boxed::Box;
use alloc::vec;
use alloc::vec::Vec;
use core::time::Duration;

use rtc_core::audio::{AudioBuffer, AudioMut};
use rtc_core::codec::{AudioDecoder, AudioFormat};
use rtc_core::jitter::Inserted;
use rtc_core::time::Instant;
use rtc_core::{ConfigError, Frequency, PayloadType, RtpPacket, RtpTime};

use crate::arrival::{Nanos, nanos};
use crate::buffer::JitterConfig;
use crate::conceal::{Concealer, PitchConcealer};
use crate::decide::Mode;
use crate::delay::{Aim, DelayPolicy, LeastCost};
use crate::intake::{self, Intake};
use crate::joint::Joint;
use crate::noise::ComfortNoise;
use crate::resample::{self, Resampler};
use crate::stats::PlayoutStats;
use crate::stretch::{Level, Stretch, power};

mod held;
mod supply;
mod warp;

use held::{Held, Origin};
use warp::Pace;

/// Longest audio one packet may hold: RFC 3551 §4.2 asks receivers for as much.
const MAX_PACKET: Duration = Duration::from_millis(200);
/// Longest piece made at once; what is pulled may be longer.
const MAX_PIECE: Duration = Duration::from_millis(20);
/// Made-up audio as long is an interruption (W3C webrtc-provisional-stats).
const INTERRUPTION: Nanos = 150_000_000;

/// Settings of the play-out.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct PlayoutConfig {
    /// The packet buffer and the delay target.
    pub jitter: JitterConfig,
    /// How much faster than real time it may play to catch up. Default 0.3: 1 s of backlog is gone in 4 s, and speech is
    /// easily understood. Quiet passages may be cut faster.
    pub max_speed_up: f32,
    /// How much slower than real time it may play to gain delay. Default 0.2.
    pub max_slow_down: f32,
    /// How long missing audio is made up before it has faded to silence; the fade takes the second half. Default 240 ms.
    pub conceal_limit: Duration,
    /// The same where the talker had just fallen silent: then the decoder's comfort noise goes on. Default 1 s: codecs refresh
    /// the noise at least each 400 ms.
    pub comfort_limit: Duration,
    /// Who makes up what is missing. Default [`ConcealedBy::Decoder`].
    pub concealed_by: ConcealedBy,
    /// Payload type of comfort noise by RFC 3389. Default 13, the static one of 8 kHz (RFC 3551 §6); for other clock rates what
    /// was negotiated.
    pub comfort_noise: Option<PayloadType>,
    /// Delay over the target beyond which packets are dropped to catch up. Default 1.5 s: played 30 % faster it would take
    /// longer than 5 s.
    pub max_backlog: Duration,
}

impl Default for PlayoutConfig {
    fn default() -> Self {
        Self {
            jitter: JitterConfig::default(),
            max_speed_up: 0.3,
            max_slow_down: 0.2,
            conceal_limit: Duration::from_millis(240),
            comfort_limit: Duration::from_secs(1),
            concealed_by: ConcealedBy::Decoder,
            comfort_noise: Some(PayloadType::new(13)),
            max_backlog: Duration::from_millis(1_500),
        }
    }
}

impl PlayoutConfig {
    fn check(&self) -> Result<(), ConfigError> {
        if !(0.0..=1.0).contains(&self.max_speed_up) {
            return Err(ConfigError::new("max_speed_up", "must be between 0 and 1"));
        }
        if !(0.0..=1.0).contains(&self.max_slow_down) {
            return Err(ConfigError::new("max_slow_down", "must be between 0 and 1"));
        }
        Ok(())
    }
}

/// Who makes up what is missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum ConcealedBy {
    /// The decoder, who knows most; the play-out's [`Concealer`] where the decoder makes nothing up.
    #[default]
    Decoder,
    /// The play-out's [`Concealer`], for codecs without good concealment, as G.711 and L16.
    Playout,
}

/// What a pull played.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Pulled {
    /// Where the audio came from.
    pub kind: PulledKind,
    /// Media time of the first sample; `None` before the first packet. Never goes back within a stream, and stands still
    /// while play-out waits for packets.
    pub timestamp: Option<RtpTime>,
    /// Samples per channel that were made up for missing ones.
    pub concealed: usize,
}

/// Where pulled audio came from: of several sources, the last listed here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum PulledKind {
    /// Nothing: silence before the first packet, or after concealment faded out.
    Silence,
    /// Comfort noise that the sender described, while it sends nothing (RFC 3389).
    ComfortNoise,
    /// Packets, as they were sent.
    Normal,
    /// Packets, played slower to gain delay.
    Stretched,
    /// Packets, played faster to lose delay.
    Accelerated,
    /// A redundant copy inside another packet.
    Redundant,
    /// Made up, at least in part.
    Concealed,
}

/// Adaptive audio play-out: packets in, a steady stream of audio out.
///
/// Put a packet in whenever one arrives, pull audio whenever the device needs some. Every pull is filled, whatever the
/// network does: with decoded audio in order, redundant copies, concealment, or silence.
#[derive(Debug)]
pub struct AudioPlayout<D> {
    /// The first one is for all payload types that have none of their own.
    decoders: Vec<(Option<PayloadType>, D)>,
    /// Which of them decoded last.
    active: usize,
    format: AudioFormat,
    clock: Frequency,
    intake: Intake,
    generation: u64,
    held: Held,
    /// What made-up audio goes on with, for what comes next to take over from.
    outgoing: AudioBuffer,
    joint: Joint,
    copy: AudioBuffer,
    resampler: Resampler,
    resampled: AudioBuffer,
    concealer: Box<dyn Concealer>,
    /// Whether the concealer makes up what is missing.
    makes_up: bool,
    noise: ComfortNoise,
    comfort_noise: Option<PayloadType>,
    /// Whether the sender pauses, having described its noise.
    pausing: bool,
    /// How long nothing but made-up audio was heard.
    interrupted: Nanos,
    stretch: Stretch,
    level: Level,
    pace: Pace,
    mode: Mode,
    /// Samples since the stream's first, at the end of what is held.
    position: i64,
    /// The same, at the end of the packet or copy decoded last.
    decoded_to: i64,
    /// Whether audio of this stream, or of any stream, was held.
    started: bool,
    ever_started: bool,
    /// Samples made up that are not yet known to fill a gap of the media time.
    owed: usize,
    /// Samples of the packet decoded last.
    ptime: usize,
    max_packet: usize,
    newest_timestamp: Option<i64>,
    current_delay: Nanos,
    /// How long concealment lasts after words, and after quiet.
    limits: [Nanos; 2],
    /// How long the present one lasts.
    conceal_limit: Nanos,
    max_backlog: Nanos,
    stats: PlayoutStats,
}

impl<D: AudioDecoder> AudioPlayout<D> {
    /// Plays what `decoder` decodes.
    ///
    /// # Errors
    /// [`ConfigError`] for settings that contradict each other or are out of range, or a decoder of a format other than 1 or
    /// 2 channels at 8 to 48 kHz.
    pub fn new(config: PlayoutConfig, decoder: D) -> Result<Self, ConfigError> {
        let policy = Box::new(LeastCost::new(config.jitter.delay)?);
        Self::with_policy(config, decoder, policy)
    }

    /// Plays what `decoder` decodes with the delay `policy` decides on; of [`JitterConfig::delay`] the limits hold.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn with_policy(config: PlayoutConfig, decoder: D, policy: Box<dyn DelayPolicy>) -> Result<Self, ConfigError> {
        config.check()?;
        let format = decoder.format();
        if !(8_000..=48_000).contains(&format.rate.as_hz()) {
            return Err(ConfigError::new("decoder", "must have a rate of 8 to 48 kHz"));
        }
        let samples = |time| usize::try_from(format.rate.ticks_in(time)).unwrap_or(usize::MAX);
        let (stretch, joint) = (Stretch::new(format.rate), Joint::new(format.rate));
        let history = stretch.most();
        // Pieces are completed before they are played, and a packet more than a cut needs may be decoded ahead.
        let pending =
            samples(MAX_PACKET) * 2 + samples(MAX_PIECE) + stretch.most() * 2 + stretch.overlap() + resample::MARGIN;
        Ok(Self {
            decoders: vec![(None, decoder)],
            active: 0,
            format,
            clock: config.jitter.clock,
            intake: Intake::new(&config.jitter, policy)?,
            generation: 0,
            held: Held::new(format, history, pending)?,
            outgoing: AudioBuffer::new(format.channels, joint.ahead(), format.rate)?,
            joint,
            copy: AudioBuffer::new(format.channels, samples(MAX_PACKET), format.rate)?,
            resampler: Resampler::new(format.rate),
            resampled: AudioBuffer::new(format.channels, samples(MAX_PIECE), format.rate)?,
            concealer: Box::new(PitchConcealer::new(format.rate)),
            makes_up: config.concealed_by == ConcealedBy::Playout,
            noise: ComfortNoise::default(),
            comfort_noise: config.comfort_noise,
            pausing: false,
            interrupted: 0,
            pace: Pace::new(config.max_speed_up, config.max_slow_down),
            stretch,
            level: Level::default(),
            mode: Mode::Silent,
            position: 0,
            decoded_to: 0,
            started: false,
            ever_started: false,
            owed: 0,
            ptime: samples(MAX_PIECE),
            max_packet: samples(MAX_PACKET),
            newest_timestamp: None,
            current_delay: 0,
            limits: [nanos(config.conceal_limit), nanos(config.comfort_limit)],
            conceal_limit: nanos(config.conceal_limit),
            max_backlog: nanos(config.max_backlog),
            stats: PlayoutStats::default(),
        })
    }

    /// Lets `decoder` decode the packets of this payload type, which may come and go in the middle of the stream.
    ///
    /// # Errors
    /// [`ConfigError`] if its format is not that of the decoder play-out was made with.
    pub fn add_decoder(&mut self, payload_type: PayloadType, decoder: D) -> Result<(), ConfigError> {
        if decoder.format() != self.format {
            return Err(ConfigError::new("decoder", "must have the format of the first"));
        }
        self.decoders.push((Some(payload_type), decoder));
        Ok(())
    }

    /// Replaces what makes up missing audio where the decoder does not, or is not to: see [`PlayoutConfig::concealed_by`].
    pub fn set_concealer(&mut self, concealer: Box<dyn Concealer>) {
        self.concealer = concealer;
    }

    /// Takes a packet as it arrives, in any order.
    pub fn insert(&mut self, now: Instant, packet: RtpPacket) -> Inserted {
        self.intake.insert(now, packet, intake::Origin::Network)
    }

    /// Takes a packet brought back by retransmission or redundancy: late on purpose, so that its lateness counts as jitter
    /// only within [`DelayConfig::repair_delay`](crate::DelayConfig::repair_delay).
    pub fn insert_repaired(&mut self, now: Instant, packet: RtpPacket) -> Inserted {
        self.intake.insert(now, packet, intake::Origin::Repair)
    }

    /// Fills `out` with what is to be heard from `now` on: 10 ms, or as much as the device asks for.
    ///
    /// A device that asks for several pulls at once, then for none, is well served; a `now` that stutters costs delay, so rather
    /// take the time of the interrupt than the time the program got to it. `out` may have any rate from 8 to 192 kHz; the first
    /// pull of another rate than the one before allocates. If the channels differ, mono feeds both, or both are averaged.
    pub fn pull(&mut self, now: Instant, mut out: AudioMut<'_>) -> Pulled {
        self.begin_stream();
        let mut pulled = Pulled { kind: PulledKind::Silence, timestamp: self.timestamp(), concealed: 0 };
        if !(8_000..=192_000).contains(&out.rate().as_hz()) {
            out.silence();
            return pulled;
        }
        self.set_output(out.rate());
        let most = self.resampled.as_ref().samples();
        let mut filled = 0;
        while filled < out.samples() {
            let at = now + out.rate().duration_of(filled as u64);
            let len = most.min(out.samples() - filled);
            self.play(at, out.slice_mut(filled, len), &mut pulled);
            filled += len;
        }
        pulled
    }

    /// Sets the least delay to aim at, beside [`DelayConfig::min_delay`](crate::DelayConfig::min_delay): for lip sync, or at
    /// the user's wish.
    pub fn set_min_delay(&mut self, min_delay: Duration) {
        self.intake.set_min_delay(min_delay);
    }

    /// Sets the most delay to aim at, below [`DelayConfig::max_delay`](crate::DelayConfig::max_delay); `None`, as at first, for that. It holds
    /// against [`set_min_delay`](Self::set_min_delay) too. What comes later than it allows is lost.
    pub fn set_max_delay(&mut self, max_delay: Option<Duration>) {
        self.intake.set_max_delay(max_delay);
    }

    /// Changes [`DelayConfig::repair_delay`](crate::DelayConfig::repair_delay), which follows the round-trip time.
    pub fn set_repair_delay(&mut self, repair_delay: Option<Duration>) {
        self.intake.set_repair_delay(repair_delay);
    }

    /// The delay over the fastest recent packet that play-out is aiming at.
    #[must_use]
    pub fn target_delay(&self) -> Duration {
        duration(self.intake.target())
    }

    /// The same, but for [`set_min_delay`](Self::set_min_delay): what the network needs.
    #[must_use]
    pub fn minimum_delay(&self) -> Duration {
        duration(self.intake.minimum())
    }

    /// The delay aimed at, and why it is what it is.
    #[must_use]
    pub fn explain(&self) -> Aim {
        self.intake.aim()
    }

    /// The delay over the fastest recent packet that the audio of the last pull was played with.
    #[must_use]
    pub fn current_delay(&self) -> Duration {
        duration(self.current_delay)
    }

    /// How much longer a second of the sender takes than one here, in parts per million; 0 until it is known. It is taken out by
    /// resampling.
    #[must_use]
    pub fn clock_skew(&self) -> f64 {
        self.intake.skew() * 1e6
    }

    /// The shape of the audio decoded.
    #[must_use]
    pub fn format(&self) -> AudioFormat {
        self.format
    }

    /// What was played so far.
    #[must_use]
    pub fn stats(&self) -> PlayoutStats {
        PlayoutStats { packets: self.intake.stats(), samples_buffered: self.held.pending() as u64, ..self.stats }
    }

    /// Plays one piece.
    fn play(&mut self, now: Instant, mut out: AudioMut<'_>, pulled: &mut Pulled) {
        self.intake.tick(now);
        self.resampler.set_skew(self.intake.skew());
        let len = self.resampler.needed(out.samples());
        if self.started {
            self.current_delay = self.delay_at(now, self.heard_next());
        }
        self.drop_backlog(now);
        self.fill(now, len);
        let warped = self.warp(now, len);
        let next = self.held.next(len);
        let (loudness, time) = (power(next), self.format.rate.duration_of(len as u64));
        self.stats.total_audio_energy += f64::from(loudness) * time.as_secs_f64();
        self.stats.total_samples_duration += time;
        if self.mode == Mode::Playing {
            self.level.update(loudness, next);
            if self.makes_up {
                self.concealer.observe(next);
            }
        }
        let (origins, concealed) = self.held.origins(len);
        // Of what was made, as much as of what it was made of.
        pulled.concealed += (concealed * out.samples()).div_ceil(len.max(1)).min(out.samples());
        let kind = match () {
            () if origins.has(Origin::Concealment) => PulledKind::Concealed,
            () if origins.has(Origin::Copy) => PulledKind::Redundant,
            () if origins.has(Origin::Packet) => warped.unwrap_or(PulledKind::Normal),
            () if origins.has(Origin::Noise) => PulledKind::ComfortNoise,
            () => PulledKind::Silence,
        };
        pulled.kind = pulled.kind.max(kind);
        let (audio, at) = self.held.around();
        if out.channels() == audio.channels() {
            self.resampler.run(audio, at, out);
        } else {
            let made = out.samples();
            self.resampler.run(audio, at, self.resampled.as_mut().slice_mut(0, made));
            out.copy_from(self.resampled.as_ref().slice(0, made));
        }
        self.held.advance(len);
        self.stats.total_samples_received += len as u64;
    }

    /// Makes room for pieces of this rate.
    fn set_output(&mut self, rate: Frequency) {
        if self.resampled.as_ref().rate() == rate {
            return;
        }
        let most = usize::try_from(rate.ticks_in(MAX_PIECE)).unwrap_or(usize::MAX);
        if let Ok(resampled) = AudioBuffer::new(self.format.channels, most, rate) {
            self.resampler.set_output(rate);
            self.resampled = resampled;
        }
    }

    /// Samples to play, but for those that only the ones before them need.
    fn pending(&self) -> usize {
        self.held.pending().saturating_sub(self.resampler.ahead())
    }

    /// Begins afresh if a new stream replaced the old; what is held of that is played to its end.
    fn begin_stream(&mut self) {
        if self.generation == self.intake.generation() {
            return;
        }
        self.generation = self.intake.generation();
        (self.started, self.owed, self.newest_timestamp, self.pausing) = (false, 0, None, false);
    }

    /// Media time of the next sample to be played.
    fn timestamp(&mut self) -> Option<RtpTime> {
        let stream = self.intake.stream().filter(|_| self.started)?;
        let ticks = self.ticks(self.heard_next());
        // A repeated period takes the media time back by its length for a moment.
        let ticks = self.newest_timestamp.map_or(ticks, |newest| newest.max(ticks));
        self.newest_timestamp = Some(ticks);
        Some(stream.timestamp(ticks))
    }

    /// The sample to be played next.
    fn heard_next(&self) -> i64 {
        self.position - self.held.pending() as i64
    }

    /// The delay the sample at `position` has if it is heard at `now`.
    fn delay_at(&self, now: Instant, position: i64) -> Nanos {
        self.intake.arrival().delay(now, self.time(position))
    }

    /// The time `samples` take.
    fn time(&self, samples: i64) -> Nanos {
        intake::media_time(samples, self.format.rate)
    }

    /// Ticks of the RTP clock in so many samples.
    fn ticks(&self, samples: i64) -> i64 {
        scale(samples, self.clock, self.format.rate)
    }

    /// Samples in so many ticks of the RTP clock.
    fn samples(&self, ticks: i64) -> i64 {
        scale(ticks, self.format.rate, self.clock)
    }
}

fn scale(count: i64, to: Frequency, from: Frequency) -> i64 {
    if to == from {
        return count;
    }
    let scaled = i128::from(count) * i128::from(to.as_hz()) / i128::from(from.as_hz());
    i64::try_from(scaled).unwrap_or(if count < 0 { i64::MIN } else { i64::MAX })
}

fn duration(time: Nanos) -> Duration {
    Duration::from_nanos(time.max(0).unsigned_abs())
}

#[cfg(test)]
mod tests;
