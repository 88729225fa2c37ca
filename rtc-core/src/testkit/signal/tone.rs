use core::time::Duration;

use crate::Frequency;
use crate::testkit::rng::sin_turns;

use super::narrow;

/// One sine, beginning at zero.
#[derive(Debug, Clone)]
pub struct Sine {
    phase: f64,
    step: f64,
    amplitude: f64,
}

impl Sine {
    /// A sine of `hz` with peaks at `amplitude`.
    #[must_use]
    pub fn new(rate: Frequency, hz: f64, amplitude: f64) -> Self {
        Self { phase: 0.0, step: hz / f64::from(rate.as_hz()), amplitude }
    }
}

impl Iterator for Sine {
    type Item = f32;

    fn next(&mut self) -> Option<f32> {
        let sample = self.amplitude * sin_turns(self.phase);
        self.phase = (self.phase + self.step).fract();
        Some(narrow(sample))
    }
}

/// A sine whose frequency rises or falls linearly, over and over.
#[derive(Debug, Clone)]
pub struct Chirp {
    sine: Sine,
    first: f64,
    growth: f64,
    length: u64,
    at: u64,
}

impl Chirp {
    /// From `from` to `to` hertz in `time`, then again.
    #[must_use]
    pub fn new(rate: Frequency, from: f64, to: f64, time: Duration, amplitude: f64) -> Self {
        let sine = Sine::new(rate, from, amplitude);
        let length = rate.ticks_in(time).max(1);
        let growth = (to - from) / f64::from(rate.as_hz()) / length as f64;
        Self { first: sine.step, sine, growth, length, at: 0 }
    }
}

impl Iterator for Chirp {
    type Item = f32;

    fn next(&mut self) -> Option<f32> {
        self.sine.step = self.first + self.growth * self.at as f64;
        self.at = (self.at + 1) % self.length;
        self.sine.next()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sine_repeats_after_its_period() {
        let sine: Vec<f32> = Sine::new(Frequency::KHZ_48, 1_000.0, 0.5).take(48_000).collect();
        for (n, sample) in sine.iter().enumerate() {
            let expected = 0.5 * (core::f64::consts::TAU * (n % 48) as f64 / 48.0).sin();
            assert!((f64::from(*sample) - expected).abs() < 1e-6, "at {n}");
        }
    }

    #[test]
    fn a_chirp_crosses_zero_as_often_as_its_mean_frequency_says() {
        let rate = Frequency::KHZ_16;
        let chirp: Vec<f32> = Chirp::new(rate, 200.0, 1_000.0, Duration::from_secs(1), 1.0).take(16_000).collect();
        let rises = |part: &[f32]| part.windows(2).filter(|pair| pair[0] < 0.0 && pair[1] >= 0.0).count();
        assert!(rises(&chirp).abs_diff(600) <= 2);
        assert!(rises(&chirp[..8_000]).abs_diff(200) <= 2);
    }
}
