use crate::testkit::rng::Rng;

use super::narrow;

/// Normally distributed samples, the same power at every frequency.
#[derive(Debug, Clone)]
pub struct WhiteNoise {
    rng: Rng,
    rms: f64,
}

impl WhiteNoise {
    /// Noise of this root mean square.
    #[must_use]
    pub fn new(seed: u64, rms: f64) -> Self {
        Self { rng: Rng::new(seed), rms }
    }
}

impl Iterator for WhiteNoise {
    type Item = f32;

    fn next(&mut self) -> Option<f32> {
        Some(narrow(self.rms * self.rng.normal()))
    }
}

/// Octaves below half the sample rate in which [`PinkNoise`] is pink.
const OCTAVES: usize = 12;

/// Noise of the same power in every octave: 3 dB less per octave up.
///
/// Sum of noises held for 1, 2, 4, ... samples (the Voss-McCartney method).
#[derive(Debug, Clone)]
pub struct PinkNoise {
    rng: Rng,
    scale: f64,
    rows: [f64; OCTAVES],
    count: u64,
}

impl PinkNoise {
    /// Noise of this root mean square.
    #[must_use]
    pub fn new(seed: u64, rms: f64) -> Self {
        let mut rng = Rng::new(seed);
        let rows = core::array::from_fn(|_| rng.normal());
        Self { rng, scale: rms / ((OCTAVES + 1) as f64).sqrt(), rows, count: 0 }
    }
}

impl Iterator for PinkNoise {
    type Item = f32;

    fn next(&mut self) -> Option<f32> {
        self.count += 1;
        // The number of trailing zeros of a counter changes row k every 2^(k+1) samples, never two at once.
        if let Some(row) = self.rows.get_mut(self.count.trailing_zeros() as usize) {
            *row = self.rng.normal();
        }
        let sum: f64 = self.rows.iter().sum::<f64>() + self.rng.normal();
        Some(narrow(self.scale * sum))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn power(samples: impl Iterator<Item = f64>) -> f64 {
        let (sum, n) = samples.fold((0.0, 0), |(sum, n), x| (sum + x * x, n + 1));
        sum / f64::from(n)
    }

    #[test]
    fn noise_has_the_power_asked_for() {
        for (name, noise) in [
            ("white", WhiteNoise::new(1, 0.1).take(100_000).collect::<Vec<_>>()),
            ("pink", PinkNoise::new(1, 0.1).take(1_000_000).collect()),
        ] {
            let power = power(noise.iter().map(|x| f64::from(*x)));
            assert!((power / 0.01 - 1.0).abs() < 0.05, "{name} {power}");
        }
    }

    /// Averages over 2^k samples of white noise have a power of 2^-k; those of pink noise fall far slower.
    #[test]
    fn pink_noise_has_its_power_below() {
        let averages = |noise: &[f32]| power(noise.chunks_exact(64).map(|x| f64::from(x.iter().sum::<f32>()) / 64.0));
        let white: Vec<f32> = WhiteNoise::new(2, 1.0).take(1 << 20).collect();
        let pink: Vec<f32> = PinkNoise::new(2, 1.0).take(1 << 20).collect();
        let (white, pink) = (averages(&white), averages(&pink));
        assert!((white * 64.0 - 1.0).abs() < 0.05, "{white}");
        assert!((0.35..0.65).contains(&pink), "{pink}");
    }
}
