/// Root-mean-square level in decibels relative to full scale; minus infinity for silence.
#[must_use]
pub fn dbfs(samples: &[f32]) -> f64 {
    10.0 * (energy(samples) / samples.len().max(1) as f64).log10()
}

/// [`dbfs`] of each whole window of so many samples: loudness over time.
#[must_use]
pub fn envelope(samples: &[f32], window: usize) -> Vec<f64> {
    samples.chunks_exact(window.max(1)).map(dbfs).collect()
}

/// Signal-to-noise ratio in decibels, where noise is the difference between what was `heard` and what was `meant`.
///
/// Both must be aligned (see [`align`](super::align)) and of equal gain. Infinite if they are the same.
#[must_use]
pub fn snr(meant: &[f32], heard: &[f32]) -> f64 {
    let (signal, noise) = signal_and_noise(meant, heard);
    10.0 * (signal / noise).log10()
}

/// Mean over windows of the [`snr`] in each, cut to -10..=35 dB, windows under -50 dBFS left out (Hansen and Pellom, "An
/// effective quality evaluation protocol for speech enhancement algorithms", 1998). Not a number if all is silent.
///
/// Windows of 15 to 20 ms are usual.
#[must_use]
pub fn segmental_snr(meant: &[f32], heard: &[f32], window: usize) -> f64 {
    let window = window.max(1);
    let (mut sum, mut count) = (0.0, 0);
    for (meant, heard) in meant.chunks_exact(window).zip(heard.chunks_exact(window)) {
        if dbfs(meant) >= -50.0 {
            sum += snr(meant, heard).clamp(-10.0, 35.0);
            count += 1;
        }
    }
    sum / f64::from(count)
}

/// Echo return loss enhancement in decibels: how much weaker the canceller's output is than the microphone's signal.
///
/// Means something only while nobody speaks at the near end, and no more than the noise there allows.
#[must_use]
pub fn erle(microphone: &[f32], cleaned: &[f32]) -> f64 {
    10.0 * (energy(microphone) / energy(cleaned)).log10()
}

fn signal_and_noise(meant: &[f32], heard: &[f32]) -> (f64, f64) {
    let noise = meant.iter().zip(heard).map(|(meant, heard)| (f64::from(*meant) - f64::from(*heard)).powi(2)).sum();
    (energy(&meant[..meant.len().min(heard.len())]), noise)
}

fn energy(samples: &[f32]) -> f64 {
    samples.iter().map(|sample| f64::from(*sample) * f64::from(*sample)).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Frequency;
    use crate::testkit::signal::{Sine, WhiteNoise, add_at_snr};

    #[test]
    fn a_full_scale_sine_is_3_db_under_full_scale() {
        let sine: Vec<f32> = Sine::new(Frequency::KHZ_48, 1_000.0, 1.0).take(48_000).collect();
        assert!((dbfs(&sine) + 3.0103).abs() < 1e-4);
        assert_eq!(dbfs(&[1.0, -1.0]), 0.0);
        assert_eq!(dbfs(&[0.0; 4]), f64::NEG_INFINITY);
        assert!(envelope(&sine, 480).iter().all(|level| (level + 3.0103).abs() < 1e-3));
    }

    #[test]
    fn noise_added_at_a_ratio_is_measured_at_it() {
        let clean: Vec<f32> = Sine::new(Frequency::KHZ_16, 440.0, 0.5).take(16_000).collect();
        let noise: Vec<f32> = WhiteNoise::new(1, 0.1).take(16_000).collect();
        let mut noisy = clean.clone();
        add_at_snr(&mut noisy, &noise, 15.0);
        assert!((snr(&clean, &noisy) - 15.0).abs() < 1e-3);
        assert!((segmental_snr(&clean, &noisy, 320) - 15.0).abs() < 0.2);
        assert_eq!(snr(&clean, &clean), f64::INFINITY);
    }

    #[test]
    fn segments_are_cut_and_silence_is_left_out() {
        let meant = [0.5, 0.5, 0.0, 0.0, 0.5, 0.5];
        let heard = [0.5, 0.5, 0.9, 0.9, -9.0, -9.0];
        assert_eq!(segmental_snr(&meant, &heard, 2), (35.0 - 10.0) / 2.0);
        assert!(segmental_snr(&[0.0; 4], &heard, 2).is_nan());
    }

    #[test]
    fn a_tenth_of_the_amplitude_is_20_db_of_erle() {
        assert!((erle(&[0.5, -0.5, 0.1], &[0.05, -0.05, 0.01]) - 20.0).abs() < 1e-5);
    }
}
