use core::ops::RangeInclusive;
#[cfg(feature = "dred")]
use core::time::Duration;

use crate::codec::AudioFormat;
use crate::{Bitrate, ConfigError, Frequency};

/// Rates Opus is defined for (RFC 6716 §2.1.1).
pub(super) const BITRATES: RangeInclusive<Bitrate> = Bitrate::from_kbps(6)..=Bitrate::from_kbps(510);

/// What an [`OpusEncoder`](super::OpusEncoder) is built with.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct OpusConfig {
    /// The audio to encode: 8, 12, 16, 24 or 48 kHz, one or two channels. Default: 48 kHz mono, the clock of its RTP payload
    /// format, so that nothing needs resampling.
    pub format: AudioFormat,
    /// What to optimize for. Default: [`Voip`](OpusApplication::Voip).
    pub application: OpusApplication,
    /// Rate of payload, 6 to 510 kb/s. Default: 32 kb/s, where fullband mono speech is transparent to most listeners
    /// (RFC 7587 §3.1.1 recommends 28 to 40).
    pub bitrate: Bitrate,
    /// Whether the size of packets follows the signal. Default: true, for quality. False gives constant size, which hides
    /// what is said from who watches encrypted traffic (RFC 6562).
    pub vbr: bool,
    /// Effort, 0 (least work) to 10 (best quality). Default: 9, the library's own.
    pub complexity: u8,
    /// What packets carry of the audio before them. Default: [`Lbrr`](Redundancy::Lbrr), because none is spent while no loss
    /// is expected.
    pub redundancy: Redundancy,
    /// Fraction of packets, 0 to 1, expected to be lost. Default: 0, until the network says otherwise.
    pub expected_loss: f32,
    /// Whether silence is left out (RFC 6716 §2.1.9). Default: false, because receivers must then make comfort noise.
    pub dtx: bool,
    /// The highest sample rate the receiver can play (`maxplaybackrate`, RFC 7587 §6.1): what lies above half of it is not
    /// encoded. Default: 48 kHz, everything.
    pub max_playback_rate: Frequency,
}

impl Default for OpusConfig {
    fn default() -> Self {
        Self {
            format: AudioFormat { rate: Frequency::KHZ_48, channels: 1 },
            application: OpusApplication::Voip,
            bitrate: Bitrate::from_kbps(32),
            vbr: true,
            complexity: 9,
            redundancy: Redundancy::Lbrr,
            expected_loss: 0.0,
            dtx: false,
            max_playback_rate: Frequency::KHZ_48,
        }
    }
}

impl OpusConfig {
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        if !BITRATES.contains(&self.bitrate) {
            return Err(ConfigError::new("bitrate", "must be 6 to 510 kb/s"));
        }
        if self.complexity > 10 {
            return Err(ConfigError::new("complexity", "must be 10 at most"));
        }
        if !(0.0..=1.0).contains(&self.expected_loss) {
            return Err(ConfigError::new("expected_loss", "must be 0 to 1"));
        }
        Ok(())
    }
}

/// What packets carry of the audio before them, so that a receiver can do without lost ones. All of it is part of the bit
/// rate: what it takes, the audio itself lacks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Redundancy {
    /// Nothing.
    None,
    /// Where loss is expected, a coarse copy of the frame before (LBRR, RFC 6716 §2.1.7).
    Lbrr,
    /// Deep redundancy (DRED): what networks need to say again, in a similar voice, what was said up to `span` before.
    /// 1.04 s at most; as much of it as the bit rate pays for, see [`dred_span`](super::dred_span).
    ///
    /// It is spent whatever the loss expected, up to 80 % of what the bit rate has over 12 kb/s. It is for speech: of music it
    /// keeps little. No LBRR goes with it: that is one frame, and would cost DRED all up to 20 kb/s.
    #[cfg(feature = "dred")]
    Dred {
        /// How far back. Zero stands for [`None`](Self::None).
        span: Duration,
    },
}

impl Redundancy {
    /// How far back DRED is to go.
    #[cfg(feature = "dred")]
    pub(super) fn span(self) -> Duration {
        match self {
            Self::Dred { span } => span,
            Self::None | Self::Lbrr => Duration::ZERO,
        }
    }
}

/// What an encoder optimizes for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum OpusApplication {
    /// Speech that is understood: voice calls and conferences.
    Voip,
    /// Likeness to the input: music and mixed content.
    Audio,
    /// Least delay: 2.5 ms of look-ahead where the others have 6.5 ms. Never carries LBRR.
    LowDelay,
}
