use crate::Frequency;
use crate::testkit::rng::{cos_turns, exp, sin_turns};

/// Two-pole resonance: a formant, or a string that was plucked.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Resonator {
    gain: f64,
    a: f64,
    b: f64,
    past: [f64; 2],
}

impl Resonator {
    /// Sets centre and bandwidth in hertz, the response at the centre near one; silent if the centre is too high for the rate.
    pub(super) fn tune(&mut self, rate: Frequency, centre: f64, bandwidth: f64) {
        let rate = f64::from(rate.as_hz());
        let radius = exp(-core::f64::consts::PI * bandwidth / rate);
        let turns = centre / rate;
        self.a = 2.0 * radius * cos_turns(turns);
        self.b = -radius * radius;
        self.gain = if turns < 0.47 { (1.0 - radius) * 2.0 * sin_turns(turns).abs() } else { 0.0 };
    }

    /// Sets frequency and time constant of a free oscillation, whose amplitude after a unit impulse is one.
    pub(super) fn string(rate: Frequency, hz: f64, decay_seconds: f64) -> Self {
        let mut resonator = Self::default();
        resonator.tune(rate, hz, 1.0 / (core::f64::consts::PI * decay_seconds));
        resonator.gain = sin_turns(hz / f64::from(rate.as_hz()));
        resonator
    }

    pub(super) fn next(&mut self, input: f64) -> f64 {
        let [last, before] = self.past;
        let output = self.gain * input + self.a * last + self.b * before;
        self.past = [output, last];
        output
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn response_at_the_centre_is_about_one() {
        for centre in [300.0, 1_000.0, 3_000.0] {
            let mut resonator = Resonator::default();
            resonator.tune(Frequency::KHZ_16, centre, 80.0);
            let outputs = (0..16_000).map(|n| resonator.next(sin_turns(f64::from(n) * centre / 16_000.0)));
            let peak = outputs.skip(8_000).fold(0.0, |peak: f64, x| peak.max(x.abs()));
            assert!((0.9..1.1).contains(&peak), "{centre} Hz: {peak}");
        }
    }

    #[test]
    fn a_string_decays_as_told() {
        let mut string = Resonator::string(Frequency::KHZ_48, 440.0, 0.5);
        let rings: Vec<f64> = (0..48_000).map(|n| string.next(if n == 0 { 1.0 } else { 0.0 })).collect();
        let peak = |from: usize| rings[from..from + 110].iter().fold(0.0, |peak: f64, x| peak.max(x.abs()));
        assert!((peak(0) - 1.0).abs() < 0.02);
        assert!((peak(24_000) - (-1.0f64).exp()).abs() < 0.01);
    }
}
