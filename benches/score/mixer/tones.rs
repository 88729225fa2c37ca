//! Tones, and what became of them.

use core::f64::consts::TAU;

use rtc_core::testkit::metrics::align;
use rtc_core::testkit::signal::WhiteNoise;

/// A sine whose frequency is a part of the sample rate, from a phase in radians on.
pub(super) fn sine(part: f64, phase: f64, amplitude: f64, len: usize) -> Vec<f32> {
    #[expect(clippy::cast_possible_truncation, reason = "samples")]
    let sample = |at: usize| (amplitude * (TAU * part * at as f64 + phase).sin()) as f32;
    (0..len).map(sample).collect()
}

/// Gain of a sine in decibels, and the sine over all else, by least squares over a whole number of its periods; 150 dB at most,
/// as more cannot be told from rounding.
pub(super) fn fit(part: f64, amplitude: f64, heard: &[f32]) -> (f64, f64) {
    let (mut sin, mut cos, mut all) = (0.0, 0.0, 0.0);
    for (at, sample) in heard.iter().enumerate() {
        let (phase, sample) = (TAU * part * at as f64, f64::from(*sample));
        sin += sample * phase.sin();
        cos += sample * phase.cos();
        all += sample * sample;
    }
    let len = heard.len().max(1) as f64;
    let tone = (2.0 / len * sin).hypot(2.0 / len * cos);
    let power = 0.5 * tone * tone;
    let rest = (all / len - power).max(1e-15 * power);
    (20.0 * (tone / amplitude).log10(), 10.0 * (power / rest).log10())
}

/// Milliseconds by which `change` delays noise, at 48 kHz.
pub(super) fn delay(change: impl FnOnce(&[f32]) -> Vec<f32>) -> f64 {
    let noise: Vec<f32> = WhiteNoise::new(1, 0.1).take(24_000).collect();
    let found = align(&noise, &change(&noise), 0..=1_920);
    found.map_or(f64::NAN, |found| found.delay as f64 / 48.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gain_and_the_rest_are_told_apart() {
        let (tone, other) = (sine(1.0 / 48.0, 0.3, 0.25, 4_800), sine(1.0 / 10.0, 0.0, 0.001, 4_800));
        let heard: Vec<f32> = tone.iter().zip(&other).map(|(tone, other)| tone + other).collect();
        let (gain, snr) = fit(1.0 / 48.0, 0.5, &heard);
        assert!((gain + 6.02).abs() < 0.01 && (snr - 47.96).abs() < 0.05, "{gain} {snr}");
        assert!(fit(1.0 / 48.0, 0.25, &tone).1 > 120.0);
    }

    #[test]
    fn a_delay_is_found() {
        let late = |noise: &[f32]| [vec![0.0; 96], noise.to_vec()].concat();
        assert_eq!(delay(late), 2.0);
    }
}
