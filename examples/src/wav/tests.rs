use core::f32::consts::TAU;

use super::*;

/// A file name of this test's own in the folder cargo gives tests for such things.
fn file(name: &str) -> PathBuf {
    std::env::temp_dir().join(format!("rtc-examples-wav-{}-{name}", std::process::id()))
}

fn write_sine(path: &Path, spec: WavSpec, hertz: f32, frames: u32) {
    let mut writer = WavWriter::create(path, spec).unwrap();
    for index in 0..frames {
        let sample = 0.5 * (TAU * hertz * index as f32 / spec.sample_rate as f32).sin();
        for _ in 0..spec.channels {
            match spec.sample_format {
                SampleFormat::Float => writer.write_sample(sample).unwrap(),
                #[expect(clippy::cast_possible_truncation, reason = "in range")]
                SampleFormat::Int => {
                    let full_scale = (1_i64 << (spec.bits_per_sample - 1)) as f32;
                    writer.write_sample((sample * full_scale) as i32).unwrap();
                }
            }
        }
    }
    writer.finalize().unwrap();
}

#[test]
fn any_rate_channels_and_width_become_the_same_sine() {
    for (sample_rate, channels, bits_per_sample, sample_format) in [
        (8_000, 1, 16, SampleFormat::Int),
        (22_050, 1, 16, SampleFormat::Int),
        (44_100, 2, 24, SampleFormat::Int),
        (48_000, 1, 8, SampleFormat::Int),
        (96_000, 6, 32, SampleFormat::Float),
    ] {
        let path = file(&format!("{sample_rate}.wav"));
        let spec = WavSpec { channels, sample_rate, bits_per_sample, sample_format };
        write_sine(&path, spec, 400.0, sample_rate);
        let audio = read(&path, 1, 10.0).unwrap();
        std::fs::remove_file(&path).unwrap();
        assert!(audio.as_ref().samples().abs_diff(48_000) <= 2, "{spec:?}: {} samples", audio.as_ref().samples());
        let middle = &audio.as_ref().plane(0)[10_000..40_000];
        let error = middle
            .iter()
            .enumerate()
            .map(|(index, sample)| sample - 0.5 * (TAU * 400.0 * (index + 10_000) as f32 / 48_000.0).sin())
            .fold(0.0_f32, |worst, error| worst.max(error.abs()));
        // One sample of shift, which the resampler may leave, is 0.026 at 400 Hz.
        assert!(error < 0.04, "{spec:?}: off by {error}");
    }
}

#[test]
fn what_is_not_sound_is_refused_in_one_line() {
    let spec = WavSpec { channels: 1, sample_rate: 48_000, bits_per_sample: 16, sample_format: SampleFormat::Int };
    let empty = file("empty.wav");
    write_sine(&empty, spec, 400.0, 0);
    let absurd = file("absurd.wav");
    write_sine(&absurd, WavSpec { sample_rate: 7, ..spec }, 400.0, 100);
    let text = file("text.wav");
    std::fs::write(&text, "this is not a sound at all, whatever its name says").unwrap();
    for (path, expected) in [
        (&empty, "holds no sound"),
        (&absurd, "a sample rate of 7 Hz"),
        (&text, "not a WAV file"),
        (&file("missing.wav"), "no such file"),
    ] {
        let message = read(path, 1, 1.0).unwrap_err().to_string();
        assert!(message.contains(expected), "{message}");
        assert_eq!(message.lines().count(), 1);
    }
    for path in [empty, absurd, text] {
        std::fs::remove_file(path).unwrap();
    }
}

#[test]
fn reading_stops_after_the_seconds_asked_for() {
    let path = file("long.wav");
    let spec = WavSpec { channels: 2, sample_rate: 48_000, bits_per_sample: 16, sample_format: SampleFormat::Int };
    write_sine(&path, spec, 400.0, 48_000);
    let audio = read(&path, 2, 0.25).unwrap();
    std::fs::remove_file(&path).unwrap();
    assert_eq!((audio.as_ref().channels(), audio.as_ref().samples()), (2, 12_000));
}
