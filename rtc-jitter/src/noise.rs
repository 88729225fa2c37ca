//! Comfort noise: what is heard while the talker pauses and nothing is sent (RFC 3389).

use rtc_core::Fault;
use rtc_core::Malformed;
use rtc_core::audio::{AudioMut, AudioRef};

use crate::lpc::{Synthesis, White};

/// Samples made at once.
const PIECE: usize = 128;

/// Noise of a level and a spectrum.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ComfortNoise {
    filter: [Synthesis; 2],
    /// Of the filter's input.
    gain: f32,
    white: [White; 2],
}

impl Default for ComfortNoise {
    fn default() -> Self {
        Self { filter: Default::default(), gain: 0.0, white: [White::new(0x9e37), White::new(0x79b9)] }
    }
}

impl ComfortNoise {
    /// Takes the noise over that a payload describes.
    ///
    /// RFC 3389 §3.1: the level in -dBov, of a full-scale square wave, in the lower seven bits of the first byte. §3.2: reflection
    /// coefficients k = 258 (N - 127) / 32768 for N up to 254, of 255 nothing is said.
    pub(crate) fn describe(&mut self, payload: &[u8]) -> Result<(), Malformed> {
        let fault = |fault| Malformed::new("RFC 3389 comfort noise", fault);
        let (level, coefficients) = payload.split_first().ok_or_else(|| fault(Fault::Length))?;
        let reflection = |index: &u8| f32::from(i16::from(index.min(&254).to_owned()) - 127) * 258.0 / 32_768.0;
        let filter = Synthesis::with_reflections(coefficients.iter().map(reflection));
        // The filter amplifies noise by the product of 1 / (1 - k²).
        let loss: f32 =
            coefficients.iter().take(crate::lpc::ORDER).map(|index| 1.0 - reflection(index).powi(2)).product();
        self.gain = amplitude(level & 0x7f) * loss.max(0.0).sqrt();
        self.filter = [filter; 2];
        Ok(())
    }

    /// Takes over the noise that is heard.
    pub(crate) fn learn(&mut self, audio: AudioRef<'_>) {
        let mut power = 0.0;
        for (filter, plane) in self.filter.iter_mut().zip(audio.planes()) {
            let (found, energy) = Synthesis::of(plane);
            *filter = found;
            filter.follow(plane);
            power += energy / plane.len().max(1) as f32;
        }
        self.gain = (power / audio.channels() as f32).sqrt();
    }

    /// Adds noise of `gain` of its level at each sample.
    pub(crate) fn add(&mut self, mut out: AudioMut<'_>, gain: impl Fn(usize) -> f32) {
        let sources = self.filter.iter_mut().zip(&mut self.white);
        for (plane, (filter, white)) in out.planes_mut().zip(sources) {
            let mut first = 0;
            for piece in plane.chunks_mut(PIECE) {
                let mut noise = [0.0; PIECE];
                let noise = &mut noise[..piece.len()];
                white.fill(noise);
                noise.iter_mut().for_each(|sample| *sample *= self.gain);
                filter.run(noise);
                for (index, (sample, noise)) in piece.iter_mut().zip(noise).enumerate() {
                    *sample += gain(first + index) * *noise;
                }
                first += PIECE;
            }
        }
    }
}

/// The amplitude so many dB below full scale, by steps of 6.02 and of 1 dB.
fn amplitude(below: u8) -> f32 {
    const DB: f32 = 0.891_250_9;
    (0..below).fold(1.0, |amplitude, _| amplitude * DB)
}

#[cfg(test)]
mod tests {
    use rtc_core::Frequency;

    use super::*;

    const RATE: Frequency = Frequency::KHZ_8;

    fn made(payload: &[u8]) -> [f32; 8_000] {
        let mut noise = ComfortNoise::default();
        noise.describe(payload).unwrap();
        let mut out = [0.0; 8_000];
        noise.add(AudioMut::mono(&mut out, RATE), |_| 1.0);
        out
    }

    fn decibels(samples: &[f32]) -> f32 {
        10.0 * (samples.iter().map(|sample| sample * sample).sum::<f32>() / samples.len() as f32).log10()
    }

    #[test]
    fn rfc3389_s3_1_the_first_byte_is_the_level() {
        for level in [20_u8, 45, 70] {
            assert!((decibels(&made(&[level])) + f32::from(level)).abs() < 0.5);
            assert!((decibels(&made(&[level | 0x80])) + f32::from(level)).abs() < 0.5, "the highest bit is unused");
        }
        assert!(ComfortNoise::default().describe(&[]).is_err());
    }

    #[test]
    fn rfc3389_s3_2_the_others_are_reflection_coefficients_of_the_spectrum() {
        // k = 258 * (20 - 127) / 32768 = -0.842: low frequencies prevail, at the same level.
        let low = made(&[40, 20]);
        let steps: f32 = low.windows(2).map(|pair| (pair[1] - pair[0]).powi(2)).sum();
        let power: f32 = low.iter().map(|sample| sample * sample).sum();
        // The autocorrelation at lag 1 is -k: differences have 2 (1 + k) of the power.
        assert!((steps / power - 2.0 * (1.0 - 0.842)).abs() < 0.05, "{}", steps / power);
        assert!((decibels(&low) + 40.0).abs() < 1.0, "{}", decibels(&low));
    }

    #[test]
    fn noise_that_was_heard_goes_on() {
        let mut noise = ComfortNoise::default();
        let heard = made(&[50, 60, 140]);
        noise.learn(AudioRef::mono(&heard[..400], RATE));
        let mut out = [0.0; 8_000];
        noise.add(AudioMut::mono(&mut out, RATE), |_| 1.0);
        assert!((decibels(&out) - decibels(&heard[..400])).abs() < 1.5);
    }
}
