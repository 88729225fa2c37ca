use rtc_core::testkit::signal::{Sine, Speech, WhiteNoise};

use super::*;

const RATE: Frequency = Frequency::KHZ_48;

fn sine(hertz: f64, samples: usize) -> Vec<f32> {
    Sine::new(RATE, hertz, 0.5).take(samples).collect()
}

#[test]
fn lags_are_whole_periods() {
    let mut stretch = Stretch::new(RATE);
    for hertz in [70.0, 123.4, 200.0, 387.0, 1_000.0] {
        let voice = sine(hertz, 4_800);
        let audio = AudioRef::mono(&voice, RATE);
        let later = stretch.find_later(audio, 1_000, usize::MAX).unwrap();
        let earlier = stretch.find_earlier(audio, 2_000, usize::MAX).unwrap();
        for cut in [later, earlier] {
            let periods = cut.jump as f64 * hertz / 48_000.0;
            assert!((periods - periods.round()).abs() < 0.02 * periods.abs().max(1.0), "{hertz} Hz: {periods} periods");
            assert!(cut.likeness > 0.999, "{hertz} Hz: {}", cut.likeness);
        }
        assert!(later.jump > 0 && earlier.jump < 0);
    }
}

#[test]
fn every_rate_finds_the_pitch() {
    for hertz in [8_000, 11_025, 12_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000] {
        let rate = Frequency::new(hertz).unwrap();
        let voice: Vec<f32> = Sine::new(rate, 150.0, 0.5).take(hertz as usize / 10).collect();
        let cut = Stretch::new(rate).find_later(AudioRef::mono(&voice, rate), 0, usize::MAX).unwrap();
        let periods = cut.jump as f64 * 150.0 / f64::from(hertz);
        assert!((periods.round() - periods).abs() < 0.02 * periods, "{hertz} Hz: {periods} periods");
    }
}

#[test]
fn opposite_channels_do_not_cancel() {
    let left = sine(150.0, 4_800);
    let right: Vec<f32> = left.iter().map(|sample| -sample).collect();
    let audio = AudioRef::stereo(&left, &right, RATE).unwrap();
    let cut = Stretch::new(RATE).find_later(audio, 0, usize::MAX).unwrap();
    assert_eq!(cut.jump.rem_euclid(320), 0);
    assert!(cut.likeness > 0.999);
}

#[test]
fn noise_has_no_likeness() {
    let noise: Vec<f32> = WhiteNoise::new(1, 0.1).take(4_800).collect();
    let cut = Stretch::new(RATE).find_later(AudioRef::mono(&noise, RATE), 0, usize::MAX).unwrap();
    assert!(cut.likeness < 0.5, "{}", cut.likeness);
}

#[test]
fn silence_has_no_likeness_either() {
    let silence = [0.0; 4_800];
    let cut = Stretch::new(RATE).find_later(AudioRef::mono(&silence, RATE), 0, usize::MAX).unwrap();
    assert_eq!(cut.likeness, 0.0);
}

#[test]
fn keeps_to_what_is_there_and_allowed() {
    let mut stretch = Stretch::new(RATE);
    let voice = sine(150.0, 1_200);
    let audio = AudioRef::mono(&voice, RATE);
    assert_eq!(stretch.find_later(audio, 800, usize::MAX), None, "no room for the overlap");
    assert_eq!(stretch.find_later(audio, 650, usize::MAX), None, "no room for the least lag");
    assert_eq!(stretch.find_later(audio, 0, 100), None, "less than the least lag allowed");
    assert_eq!(stretch.find_earlier(audio, 100, usize::MAX), None, "less than the least lag before");
    let cut = stretch.find_later(audio, 0, 200).unwrap();
    assert!((120..=200).contains(&cut.jump));
}

#[test]
fn quiet_is_told_from_words_by_their_levels() {
    let mut level = Level::default();
    let words: Vec<f32> = WhiteNoise::new(1, 0.1).take(480).collect();
    let background: Vec<f32> = WhiteNoise::new(2, 0.003).take(480).collect();
    let (words, background) = (AudioRef::mono(&words, RATE), AudioRef::mono(&background, RATE));
    assert!(!level.is_quiet(words));
    for frame in 0..1_000 {
        let played = if frame % 50 < 30 { words } else { background };
        level.update(power(played), played);
    }
    assert!(level.is_quiet(background));
    assert!(!level.is_quiet(words));
    assert!(level.is_quiet(AudioRef::mono(&[0.0; 480], RATE)));
}

#[test]
fn steady_sound_is_not_quiet() {
    let mut level = Level::default();
    let hum: Vec<f32> = WhiteNoise::new(2, 0.003).take(480).collect();
    for _ in 0..1_000 {
        let played = AudioRef::mono(&hum, RATE);
        level.update(power(played), played);
    }
    assert!(!level.is_quiet(AudioRef::mono(&hum, RATE)));
}

#[test]
fn tones_are_told_from_voices_and_noise() {
    let rate = Frequency::KHZ_16;
    let tones = |parts: &[f64]| -> Vec<f32> {
        let parts = parts.iter().map(|hertz| Sine::new(rate, *hertz, 0.2).take(16_000).collect::<Vec<_>>());
        parts.reduce(|all, next| all.iter().zip(next).map(|(a, b)| a + b).collect()).unwrap()
    };
    let mut stretch = Stretch::new(rate);
    let mut tonal = |sound: &[f32]| {
        let places: Vec<usize> = (0..sound.len() - 800).step_by(800).collect();
        let found = places.iter().filter(|at| {
            stretch.find_later(AudioRef::mono(sound, rate), **at, usize::MAX);
            stretch.is_tonal()
        });
        found.count() as f64 / places.len() as f64
    };
    for chord in [&[440.0][..], &[80.0], &[697.0, 1_336.0], &[220.0, 277.2, 329.6], &[110.0, 138.6, 164.8, 220.0]] {
        assert_eq!(tonal(&tones(chord)), 1.0, "{chord:?}");
    }
    assert_eq!(tonal(&WhiteNoise::new(1, 0.1).take(16_000).collect::<Vec<f32>>()), 0.0);
    assert_eq!(tonal(&[0.0; 16_000]), 0.0);
    for seed in 1..5 {
        let voice: Vec<f32> = Speech::new(rate, seed).take(160_000).collect();
        assert!(tonal(&voice) < 0.01, "voice {seed}: {}", tonal(&voice));
    }
}
