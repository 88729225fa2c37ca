use alloc::vec::Vec;

use rtc_core::testkit::signal::{Sine, Speech, WhiteNoise};

use super::*;

const RATE: Frequency = Frequency::KHZ_16;

/// What is made up for `len` samples after `sound`.
fn made_up(sound: &[f32], len: usize) -> Vec<f32> {
    let mut concealer = PitchConcealer::new(RATE);
    for frame in sound.chunks(160) {
        concealer.observe(AudioRef::mono(frame, RATE));
    }
    concealer.begin(AudioRef::mono(&sound[sound.len().saturating_sub(640)..], RATE));
    let mut out = vec![0.0; len];
    for piece in out.chunks_mut(160) {
        concealer.conceal(AudioMut::mono(piece, RATE));
    }
    out
}

fn power(samples: &[f32]) -> f32 {
    samples.iter().map(|sample| sample * sample).sum::<f32>() / samples.len() as f32
}

#[test]
fn a_tone_goes_on_in_phase() {
    for hertz in [100.0, 220.0, 437.0] {
        let tone: Vec<f32> = Sine::new(RATE, hertz, 0.5).take(16_000).collect();
        let out = made_up(&tone[..8_000], 320);
        let error: Vec<f32> = out.iter().zip(&tone[8_000..]).map(|(a, b)| a - b).collect();
        let snr = 10.0 * (power(&tone) / power(&error)).log10();
        assert!(snr > 10.0, "{hertz} Hz: {snr} dB");
        let step = (out[0] - tone[7_999]).abs();
        assert!(step < 0.1, "{hertz} Hz: no seam: {step}");
    }
}

#[test]
fn it_fades_to_the_noise_behind_the_voice() {
    let mut sound: Vec<f32> = WhiteNoise::new(1, 0.01).take(16_000).collect();
    let background = power(&sound);
    for (sample, voice) in sound[12_000..].iter_mut().zip(Sine::new(RATE, 200.0, 0.5)) {
        *sample += voice;
    }
    let out = made_up(&sound, 8_000);
    assert!(power(&out[..320]) > 0.3 * power(&sound[12_000..]), "as loud at first");
    let rest = power(&out[2_400..]);
    assert!((0.4..2.5).contains(&(rest / background)), "{rest} {background}");
}

#[test]
fn noise_stays_noise() {
    let noise: Vec<f32> = WhiteNoise::new(3, 0.3).take(8_000).collect();
    let out = made_up(&noise, 320);
    assert!((0.3..2.0).contains(&(power(&out) / power(&noise))));
}

#[test]
fn speech_is_continued_better_than_by_silence() {
    let voice: Vec<f32> = Speech::new(RATE, 5).take(64_000).collect();
    let (mut error, mut level) = (0.0, 0.0);
    for at in (8_000..60_000).step_by(1_700) {
        let truth = &voice[at..at + 160];
        let out = made_up(&voice[..at], 160);
        error += out.iter().zip(truth).map(|(a, b)| (a - b) * (a - b)).sum::<f32>();
        level += truth.iter().map(|b| b * b).sum::<f32>();
        assert!(out.iter().all(|sample| sample.is_finite() && sample.abs() < 2.0));
    }
    assert!(error < 0.7 * level, "{} dB", 10.0 * (level / error).log10());
}

#[test]
fn nothing_heard_makes_nothing_up() {
    assert!(made_up(&[], 500).iter().all(|sample| *sample == 0.0));
    assert!(made_up(&[0.0; 1_000], 500).iter().all(|sample| *sample == 0.0));
}
