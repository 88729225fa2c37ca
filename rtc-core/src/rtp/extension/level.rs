use crate::audio::AudioRef;
use crate::{ConfigError, Fault, Malformed};

use super::{HeaderExtension, exactly};

/// Least level that can be told: -127 dBov, silence.
const SILENCE: u8 = 127;

/// How loud the packet's audio is, so that a mixer can choose speakers without decoding (RFC 6464 §3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct AudioLevel {
    voice: bool,
    level: u8,
}

impl AudioLevel {
    /// `level` in -dBov: 0 (the loudest) to 127 (silence), to which more is cut.
    #[must_use]
    pub const fn new(voice: bool, level: u8) -> Self {
        Self { voice, level: if level < SILENCE { level } else { SILENCE } }
    }

    /// The level of some audio, whose samples overload at -1.0 and 1.0: a full-scale square wave has 0 dBov, a sine -3.
    ///
    /// Audio with a sample that is not finite counts as silence, so that no mixer prefers it.
    #[must_use]
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped, and never not-a-number")]
    pub fn of(audio: AudioRef<'_>, voice: bool) -> Self {
        let energy: f64 = audio.planes().flatten().map(|sample| f64::from(*sample).powi(2)).sum();
        let mean = energy / (audio.channels() * audio.samples()).max(1) as f64;
        let level = if mean.is_finite() { -10.0 * mean.log10() } else { f64::INFINITY };
        Self::new(voice, level.round().clamp(0.0, f64::from(SILENCE)) as u8)
    }

    /// Whether the sender believes the audio holds speech. Means nothing where `vad=off` was signalled (RFC 6464 §4).
    #[must_use]
    pub const fn voice(self) -> bool {
        self.voice
    }

    /// The level in -dBov, 0 (the loudest) to 127 (silence).
    #[must_use]
    pub const fn level(self) -> u8 {
        self.level
    }
}

impl HeaderExtension<'_> for AudioLevel {
    const URI: &'static str = "urn:ietf:params:rtp-hdrext:ssrc-audio-level";
    type Value = [u8; 1];

    fn parse(value: &[u8]) -> Result<Self, Malformed> {
        let [byte] = exactly("ssrc-audio-level", value)?;
        Ok(Self { voice: byte & 0x80 != 0, level: byte & 0x7f })
    }

    fn to_value(&self) -> [u8; 1] {
        [(u8::from(self.voice) << 7) | self.level]
    }
}

/// How loud each contributing source of a mix is, in the order of the CSRC list (RFC 6465 §4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MixerAudioLevels<'a>(&'a [u8]);

impl<'a> MixerAudioLevels<'a> {
    /// Levels in -dBov, 0 to 127, one for each CSRC.
    ///
    /// # Errors
    /// [`ConfigError`] unless there are 1 to 15 levels of 127 at most.
    pub fn new(levels: &'a [u8]) -> Result<Self, ConfigError> {
        if !(1..=15).contains(&levels.len()) || levels.iter().any(|level| *level > SILENCE) {
            return Err(ConfigError::new("levels", "must be 1 to 15, of 127 at most"));
        }
        Ok(Self(levels))
    }

    /// The levels in -dBov, 0 (the loudest) to 127 (silence).
    #[must_use]
    pub fn levels(self) -> impl ExactSizeIterator<Item = u8> + use<'a> {
        // The top bit is reserved: sent as zero, ignored when received.
        self.0.iter().map(|byte| byte & 0x7f)
    }
}

impl<'a> HeaderExtension<'a> for MixerAudioLevels<'a> {
    const URI: &'static str = "urn:ietf:params:rtp-hdrext:csrc-audio-level";
    type Value = &'a [u8];

    fn parse(value: &'a [u8]) -> Result<Self, Malformed> {
        if !(1..=15).contains(&value.len()) {
            return Err(Malformed::new("csrc-audio-level", Fault::Length));
        }
        Ok(Self(value))
    }

    fn to_value(&self) -> &'a [u8] {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Frequency;

    #[test]
    fn rfc6464_s3_voice_flag_is_the_top_bit() {
        assert_eq!(AudioLevel::new(true, 5).to_value(), [0x85]);
        assert_eq!(AudioLevel::parse(&[0x7f]), Ok(AudioLevel::new(false, 127)));
        assert_eq!(AudioLevel::new(false, 200).level(), 127);
        assert!(AudioLevel::parse(&[]).is_err());
    }

    #[test]
    fn levels_are_relative_to_overload() {
        let level = |samples: &[f32]| AudioLevel::of(AudioRef::mono(samples, Frequency::KHZ_48), true).level();
        assert_eq!(level(&[1.0, -1.0]), 0);
        assert_eq!(level(&[0.1, -0.1]), 20);
        assert_eq!(level(&[0.0; 9]), 127);
        assert_eq!(level(&[]), 127);
        assert_eq!(level(&[9.0]), 0);
        assert_eq!((level(&[1.0, f32::NAN]), level(&[f32::INFINITY, 0.0])), (127, 127));
        let sine: Vec<f32> = (0..480).map(|index| (index as f32 * core::f32::consts::TAU / 48.0).sin()).collect();
        assert_eq!(level(&sine), 3);
    }

    #[test]
    fn rfc6465_s4_one_level_for_each_contributor() {
        let mixed = MixerAudioLevels::new(&[1, 127]).unwrap();
        assert_eq!(mixed.to_value(), [1, 127]);
        let received = MixerAudioLevels::parse(&[0x81, 0x7f]).map(|levels| levels.levels().collect::<Vec<_>>());
        assert_eq!(received, Ok(vec![1, 127]));
        assert!(MixerAudioLevels::new(&[128]).is_err());
        assert!(MixerAudioLevels::new(&[]).is_err());
        assert!(MixerAudioLevels::parse(&[0; 16]).is_err());
    }
}
