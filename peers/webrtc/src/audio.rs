use rtc_core::audio::{AudioMut, AudioProcessor, AudioRef, EchoCanceller};
use rtc_core::mix::Mixer;
use rtc_core::{ConfigError, Frequency};

use crate::ffi;

/// Which parts of [`Apm`] run; all are off by default.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct ApmConfig {
    /// Sample rate: 8, 16, 32 or 48 kHz.
    pub rate: Frequency,
    /// 1 or 2.
    pub channels: u8,
    /// AEC3, with its high-pass filter.
    pub echo_canceller: bool,
    /// Noise suppression: 0 (low) to 3 (very high).
    pub noise_suppression: Option<u8>,
    /// AGC2 with adaptive digital gain.
    pub gain_control: bool,
}

impl Default for ApmConfig {
    fn default() -> Self {
        Self {
            rate: Frequency::KHZ_48,
            channels: 1,
            echo_canceller: false,
            noise_suppression: None,
            gain_control: false,
        }
    }
}

/// libwebrtc's audio processing: echo cancellation, noise suppression, gain control.
#[derive(Debug)]
pub struct Apm {
    apm: ffi::Apm,
    rate: Frequency,
}

impl Apm {
    /// For frames of one shape; others pass unchanged.
    ///
    /// # Errors
    /// [`ConfigError`] for settings the library does not have.
    pub fn new(config: &ApmConfig) -> Result<Self, ConfigError> {
        check(config.rate)?;
        if !matches!(config.channels, 1 | 2) {
            return Err(ConfigError::new("channels", "must be 1 or 2"));
        }
        if config.noise_suppression.is_some_and(|level| level > 3) {
            return Err(ConfigError::new("noise_suppression", "must be 0 to 3"));
        }
        let settings = ffi::ApmSettings {
            rate: config.rate.as_hz().cast_signed(),
            channels: i32::from(config.channels),
            noise_suppression: config.noise_suppression.map_or(-1, i32::from),
            echo_canceller: config.echo_canceller,
            gain_control: config.gain_control,
        };
        let apm = ffi::Apm::new(settings, usize::from(config.channels), frame(config.rate))
            .ok_or(ConfigError::new("settings", "are refused by the library"))?;
        Ok(Self { apm, rate: config.rate })
    }
}

impl EchoCanceller for Apm {
    fn render(&mut self, far: AudioRef<'_>) {
        if far.rate() == self.rate {
            self.apm.render(far.planes());
        }
    }

    fn capture(&mut self, mut near: AudioMut<'_>) {
        if near.rate() == self.rate {
            self.apm.capture(near.planes_mut());
        }
    }
}

impl AudioProcessor for Apm {
    fn process(&mut self, frame: AudioMut<'_>) {
        self.capture(frame);
    }
}

/// libwebrtc's mixer: adds up the loudest sources and limits the sum.
#[derive(Debug)]
pub struct AudioMixer {
    mixer: ffi::Mixer,
    rate: Frequency,
    samples: Vec<i16>,
}

impl AudioMixer {
    /// Mixes up to `max_sources`, the loudest.
    ///
    /// # Errors
    /// [`ConfigError`] for settings the library does not have.
    pub fn new(rate: Frequency, max_sources: u16) -> Result<Self, ConfigError> {
        check(rate)?;
        let mixer = ffi::Mixer::new(rate.as_hz().cast_signed(), i32::from(max_sources.max(1)))
            .ok_or(ConfigError::new("settings", "are refused by the library"))?;
        Ok(Self { mixer, rate, samples: Vec::new() })
    }
}

impl Mixer for AudioMixer {
    fn mix(&mut self, inputs: &[AudioRef<'_>], mut out: AudioMut<'_>) {
        self.mixer.resize(inputs.len());
        for (index, input) in inputs.iter().enumerate() {
            self.samples.clear();
            if input.rate() == self.rate {
                let interleaved =
                    (0..input.samples()).flat_map(|at| input.planes().map(move |plane| to_i16(plane[at])));
                self.samples.extend(interleaved);
            }
            // Frames of another shape are silence.
            self.samples.resize(frame(self.rate) * input.channels(), 0);
            self.mixer.set(index, &self.samples, input.channels());
        }
        let channels = out.planes_mut().len();
        self.samples.clear();
        self.samples.resize(frame(self.rate) * channels, 0);
        self.mixer.mix(channels, &mut self.samples);
        for (channel, plane) in out.planes_mut().enumerate() {
            let mixed = self.samples.iter().skip(channel).step_by(channels);
            plane.iter_mut().zip(mixed).for_each(|(to, from)| *to = f32::from(*from) / 32_768.0);
        }
    }
}

fn check(rate: Frequency) -> Result<(), ConfigError> {
    match rate.as_hz() {
        8_000 | 16_000 | 32_000 | 48_000 => Ok(()),
        _ => Err(ConfigError::new("rate", "must be 8, 16, 32 or 48 kHz")),
    }
}

/// Samples of 10 ms.
fn frame(rate: Frequency) -> usize {
    usize::try_from(rate.as_hz() / 100).unwrap_or(0)
}

#[expect(clippy::cast_possible_truncation, reason = "the cast saturates")]
fn to_i16(sample: f32) -> i16 {
    (sample * 32_768.0).round() as i16
}

#[cfg(test)]
#[expect(clippy::cast_possible_truncation, reason = "samples")]
mod tests {
    use rtc_core::testkit::rng::Rng;

    use super::*;

    const RATE: Frequency = Frequency::KHZ_16;
    const FRAME: usize = 160;

    fn power(samples: &[f32]) -> f32 {
        samples.iter().map(|sample| sample * sample).sum()
    }

    #[test]
    fn an_echo_is_cancelled() {
        let mut config = ApmConfig::default();
        (config.rate, config.echo_canceller) = (RATE, true);
        let mut apm = Apm::new(&config).unwrap();
        let mut rng = Rng::new(1);
        let far: Vec<f32> = (0..16_000 * 10).map(|_| 0.1 * rng.normal() as f32).collect();
        let (mut before, mut after) = (0.0, 0.0);
        for at in (FRAME * 4..far.len()).step_by(FRAME) {
            apm.render(AudioRef::mono(&far[at..at + FRAME], RATE));
            let mut near: Vec<f32> = far[at - 500..at - 500 + FRAME].iter().map(|sample| 0.4 * sample).collect();
            let echo = power(&near);
            apm.capture(AudioMut::mono(&mut near, RATE));
            if at > far.len() / 2 {
                (before, after) = (before + echo, after + power(&near));
            }
        }
        assert!(after < before / 50.0, "{after} of {before}");
    }

    #[test]
    fn noise_is_suppressed() {
        let mut config = ApmConfig::default();
        (config.rate, config.noise_suppression) = (RATE, Some(2));
        let mut apm = Apm::new(&config).unwrap();
        let mut rng = Rng::new(1);
        let (mut before, mut after) = (0.0, 0.0);
        for at in 0..1_000 {
            let mut frame: Vec<f32> = (0..FRAME).map(|_| 0.02 * rng.normal() as f32).collect();
            let noise = power(&frame);
            apm.process(AudioMut::mono(&mut frame, RATE));
            if at > 500 {
                (before, after) = (before + noise, after + power(&frame));
            }
        }
        assert!(after < before / 10.0, "{after} of {before}");
    }

    #[test]
    fn sources_add_up() {
        let mut mixer = AudioMixer::new(RATE, 3).unwrap();
        let tone = |step: f32| (0..FRAME).map(|at| 0.1 * (at as f32 * step).sin()).collect::<Vec<_>>();
        // Both have whole periods in a frame.
        let (one, other) = (tone(core::f32::consts::TAU / 16.0), tone(core::f32::consts::TAU / 40.0));
        let mut out = vec![0.0; FRAME];
        for _ in 0..50 {
            let inputs = [AudioRef::mono(&one, RATE), AudioRef::mono(&other, RATE)];
            mixer.mix(&inputs, AudioMut::mono(&mut out, RATE));
        }
        let error: Vec<f32> = (0..FRAME).map(|at| out[at] - one[at] - other[at]).collect();
        assert!(power(&error) < power(&out) * 1e-4, "{} of {}", power(&error), power(&out));
    }
}
