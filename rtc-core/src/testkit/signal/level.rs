use crate::testkit::rng::exp;

use super::narrow;

/// Factor of amplitude that a level in decibels stands for.
#[must_use]
pub fn amplitude(db: f64) -> f64 {
    exp(db * core::f64::consts::LN_10 / 20.0)
}

/// Scales `samples` to a root mean square of `db` relative to full scale; silence stays silence.
pub fn scale_to(samples: &mut [f32], db: f64) {
    let rms = mean_square(samples).sqrt();
    if rms > 0.0 {
        let factor = amplitude(db) / rms;
        samples.iter_mut().for_each(|sample| *sample = narrow(f64::from(*sample) * factor));
    }
}

/// Adds as much of `noise`, repeated if it is shorter, that `signal` is `snr` decibels stronger; returns the factor.
///
/// Power is the mean over all of `signal`, pauses included. Nothing changes if either is silent.
pub fn add_at_snr(signal: &mut [f32], noise: &[f32], snr: f64) -> f64 {
    let noise = || noise.iter().cycle().take(signal.len()).copied();
    let noise_power = noise().map(|x| f64::from(x) * f64::from(x)).sum::<f64>() / signal.len().max(1) as f64;
    let signal_power = mean_square(signal);
    if noise_power == 0.0 || signal_power == 0.0 {
        return 0.0;
    }
    let factor = (signal_power / noise_power).sqrt() * amplitude(-snr);
    let noise: Vec<f32> = noise().collect();
    for (sample, noise) in signal.iter_mut().zip(noise) {
        *sample += narrow(f64::from(noise) * factor);
    }
    factor
}

fn mean_square(samples: &[f32]) -> f64 {
    samples.iter().map(|x| f64::from(*x) * f64::from(*x)).sum::<f64>() / samples.len().max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decibels_are_of_amplitude() {
        assert!((amplitude(20.0) - 10.0).abs() < 1e-12);
        assert!((amplitude(-6.020_599_913) - 0.5).abs() < 1e-9);
        assert_eq!(amplitude(0.0), 1.0);
    }

    #[test]
    fn noise_is_added_at_the_ratio_asked_for() {
        let clean: Vec<f32> = (0..1_000).map(|n| if n % 2 == 0 { 0.5 } else { -0.5 }).collect();
        let noise = [0.1, 0.3, -0.2];
        let mut noisy = clean.clone();
        let factor = add_at_snr(&mut noisy, &noise, 12.0);
        let added: Vec<f32> = noisy.iter().zip(&clean).map(|(n, c)| n - c).collect();
        let snr = 10.0 * (mean_square(&clean) / mean_square(&added)).log10();
        assert!((snr - 12.0).abs() < 1e-4, "{snr}");
        assert!((f64::from(added[1]) - 0.3 * factor).abs() < 1e-6);
        assert_eq!(add_at_snr(&mut [0.0; 4], &noise, 0.0), 0.0);
    }

    #[test]
    fn scaling_reaches_the_level() {
        let mut samples = [0.3, -0.1, 0.2];
        scale_to(&mut samples, -20.0);
        assert!((mean_square(&samples) - 0.01).abs() < 1e-8);
        scale_to(&mut [0.0; 3], -20.0);
    }
}
