use ::opus::{Application, Bandwidth};

use crate::audio::AudioRef;
use crate::codec::{AudioEncoder, AudioFormat, EncodeError, EncodedAudio};
use crate::{Bitrate, ConfigError, Frequency};

use super::config::BITRATES;
#[cfg(feature = "dred")]
use super::span::{LEAST_LOSS, dred_span, frames};
use super::{Encoder, OpusApplication, OpusConfig, Redundancy, check, code, longest, refused, samples};

/// Packets that need not be sent are no longer than this (libopus, `opus_encode`).
const LONGEST_SILENCE: usize = 2;
/// Most the library ever writes: six frames of 20 ms.
const LONGEST_PACKET: usize = 6 * 1_276;

/// Opus encoder (RFC 6716 §5).
///
/// Takes frames of 2.5, 5, 10, 20, 40, 60, 80, 100 or 120 ms, of any length at any time. The room it is given to write into
/// caps the packet, so lend it what fits the path, up to 1275 bytes for each 20 ms.
#[derive(Debug)]
pub struct OpusEncoder {
    codec: Encoder,
    format: AudioFormat,
    lookahead: usize,
    /// What was asked for, and what the library was last told.
    bitrate: Bitrate,
    applied: Bitrate,
    redundancy: Redundancy,
    expected_loss: f32,
    /// What the library was last asked for, in 10 ms.
    #[cfg(feature = "dred")]
    dred_frames: i32,
    interleaved: Box<[f32]>,
}

impl OpusEncoder {
    /// An encoder at rest.
    ///
    /// # Errors
    /// [`ConfigError`] if a setting is outside its documented range.
    pub fn new(config: &OpusConfig) -> Result<Self, ConfigError> {
        config.check()?;
        let format = config.format;
        let application = match config.application {
            OpusApplication::Voip => Application::Voip,
            OpusApplication::Audio => Application::Audio,
            OpusApplication::LowDelay => Application::LowDelay,
        };
        let mut codec = Encoder::new(format.rate.as_hz(), check(format)?, application).map_err(refused)?;
        codec.set_vbr(config.vbr).map_err(refused)?;
        codec.set_complexity(i32::from(config.complexity)).map_err(refused)?;
        codec.set_dtx(config.dtx).map_err(refused)?;
        codec.set_max_bandwidth(bandwidth(config.max_playback_rate)).map_err(refused)?;
        let lookahead = codec.get_lookahead().map_err(refused)?;
        let mut encoder = Self {
            codec,
            format,
            lookahead: usize::try_from(lookahead).unwrap_or(0),
            bitrate: config.bitrate,
            applied: Bitrate::ZERO,
            redundancy: config.redundancy,
            expected_loss: config.expected_loss,
            #[cfg(feature = "dred")]
            dred_frames: 0,
            interleaved: vec![0.0; longest(format.rate) * format.channels].into(),
        };
        encoder.apply(config.bitrate);
        encoder.set_redundancy(config.redundancy);
        Ok(encoder)
    }

    /// Sets what packets carry of the audio before them, from the next one on. DRED builds up from then on.
    pub fn set_redundancy(&mut self, redundancy: Redundancy) {
        self.redundancy = redundancy;
        let told = self.codec.set_inband_fec(redundancy == Redundancy::Lbrr);
        debug_assert!(told.is_ok(), "every value is allowed");
        self.tell_loss();
    }

    /// What packets carry of the audio before them.
    #[must_use]
    pub const fn redundancy(&self) -> Redundancy {
        self.redundancy
    }

    /// Samples by which what is decoded lags what was encoded.
    #[must_use]
    pub const fn lookahead(&self) -> usize {
        self.lookahead
    }

    /// The bit rate in force, after cutting to what the codec can do.
    #[must_use]
    pub const fn bitrate(&self) -> Bitrate {
        self.bitrate
    }

    fn apply(&mut self, rate: Bitrate) {
        if self.applied == rate {
            return;
        }
        let bits = i32::try_from(rate.as_bps()).unwrap_or(i32::MAX);
        let told = self.codec.set_bitrate(::opus::Bitrate::Bits(bits));
        debug_assert!(told.is_ok(), "rates are positive");
        self.applied = rate;
    }

    /// Asks for DRED where the bit rate pays for it in packets of so many samples.
    #[cfg(feature = "dred")]
    fn apply_dred(&mut self, samples: usize) {
        let packet = self.format.rate.duration_of(samples as u64);
        let frames = if dred_span(self.applied, packet).is_zero() { 0 } else { frames(self.redundancy.span()) };
        if self.dred_frames != frames {
            let told = self.codec.set_dred_duration(frames);
            debug_assert!(told.is_ok(), "no more than the longest");
            self.dred_frames = frames;
        }
    }

    #[expect(clippy::cast_possible_truncation, reason = "a percentage")]
    fn tell_loss(&mut self) {
        let percent = (100.0 * self.expected_loss.clamp(0.0, 1.0)).round() as i32;
        #[cfg(feature = "dred")]
        let percent = if self.redundancy.span().is_zero() { percent } else { percent.max(LEAST_LOSS) };
        let told = self.codec.set_packet_loss_perc(percent);
        debug_assert!(told.is_ok(), "a percentage");
    }
}

impl AudioEncoder for OpusEncoder {
    fn format(&self) -> AudioFormat {
        self.format
    }

    /// Encodes one frame into `out`.
    ///
    /// A frame that need not be sent ([`silent`](EncodedAudio::silent)) is still a packet, of one or two bytes, for those who
    /// send one anyway.
    ///
    /// # Errors
    /// [`EncodeError::Shape`] if the rate, channels or length are not of Opus or not of this encoder;
    /// [`EncodeError::NoRoom`] if `out` is too small for anything better than silence: 3 bytes, and 300 bytes/s beyond 20 ms.
    fn encode(&mut self, frame: AudioRef<'_>, out: &mut [u8]) -> Result<EncodedAudio, EncodeError> {
        let rate = self.format.rate;
        if (AudioFormat { rate: frame.rate(), channels: frame.channels() }) != self.format
            || ![1, 2, 4, 8, 16, 24, 32, 40, 48].iter().any(|units| samples(rate, *units) == frame.samples())
        {
            return Err(EncodeError::Shape);
        }
        let frames_per_second = rate.as_hz() as usize / frame.samples();
        let least = if frames_per_second < 50 { 300_usize.div_ceil(frames_per_second) } else { 3 };
        if out.len() < least {
            return Err(EncodeError::NoRoom);
        }
        // Below three bytes a frame the library gives silence instead of audio.
        self.apply(self.bitrate.max(Bitrate::from_bps(24 * frames_per_second as u64)));
        #[cfg(feature = "dred")]
        self.apply_dred(frame.samples());

        let interleaved = &mut self.interleaved[..frame.samples() * frame.channels()];
        frame.write_interleaved(interleaved);
        let room = out.len().min(LONGEST_PACKET);
        let len =
            self.codec.encode_float(interleaved, &mut out[..room]).map_err(|error| EncodeError::Codec(code(&error)))?;
        Ok(EncodedAudio { len, silent: len <= LONGEST_SILENCE })
    }

    fn set_bitrate(&mut self, rate: Bitrate) {
        self.bitrate = rate.clamp(*BITRATES.start(), *BITRATES.end());
    }

    /// Tells the fraction of packets expected to be lost; outside 0 to 1 counts as the nearer end.
    fn set_expected_loss(&mut self, fraction: f32) {
        self.expected_loss = fraction;
        self.tell_loss();
    }
}

/// The band a receiver of this sample rate can play (RFC 6716 §2, table 1).
fn bandwidth(rate: Frequency) -> Bandwidth {
    match rate.as_hz() {
        0..12_000 => Bandwidth::Narrowband,
        12_000..16_000 => Bandwidth::Mediumband,
        16_000..24_000 => Bandwidth::Wideband,
        24_000..48_000 => Bandwidth::Superwideband,
        48_000.. => Bandwidth::Fullband,
    }
}
