use proptest::collection::vec;
use proptest::prelude::*;

use crate::Frequency;
use crate::audio::{AudioBuffer, AudioMut};
use crate::codec::AudioFormat;

/// Mono or stereo at one of the usual rates.
pub fn audio_format() -> impl Strategy<Value = AudioFormat> {
    let rate = proptest::sample::select(vec![8_000, 16_000, 24_000, 32_000, 44_100, 48_000])
        .prop_filter_map("a rate is never zero", Frequency::new);
    (rate, 1..=2usize).prop_map(|(rate, channels)| AudioFormat { rate, channels })
}

/// So many samples per channel within full scale: silence, full scale, numbers too small to be normal, and anything else.
pub fn audio(format: AudioFormat, samples: usize) -> impl Strategy<Value = AudioBuffer> {
    buffer(format, samples, sample())
}

/// As [`audio`], with samples far out of range, infinite and no number at all among them.
pub fn wild_audio(format: AudioFormat, samples: usize) -> impl Strategy<Value = AudioBuffer> {
    let wild = proptest::sample::select(vec![f32::NAN, f32::INFINITY, f32::NEG_INFINITY, f32::MAX, f32::MIN, 40.0]);
    buffer(format, samples, prop_oneof![9 => sample(), 1 => wild])
}

fn sample() -> impl Strategy<Value = f32> {
    prop_oneof![4 => -1.0..=1.0f32, 1 => Just(0.0), 1 => Just(1.0), 1 => Just(-1.0), 1 => Just(f32::MIN_POSITIVE / 2.0)]
}

fn buffer(
    format: AudioFormat,
    samples: usize,
    sample: impl Strategy<Value = f32>,
) -> impl Strategy<Value = AudioBuffer> {
    let channels = format.channels.clamp(1, 2);
    vec(sample, samples * channels).prop_filter_map("one or two channels", move |interleaved| {
        let mut buffer = AudioBuffer::new(channels, samples, format.rate).ok()?;
        let mut view: AudioMut<'_> = buffer.as_mut();
        view.read_interleaved(&interleaved);
        Some(buffer)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    proptest! {
        #[test]
        fn audio_has_the_shape_asked_for(
            audio in audio_format().prop_flat_map(|format| audio(format, 80).prop_map(move |audio| (format, audio)))
        ) {
            let (format, audio) = audio;
            let view = audio.as_ref();
            prop_assert_eq!((view.rate(), view.channels(), view.samples()), (format.rate, format.channels, 80));
            prop_assert!(view.planes().flatten().all(|sample| sample.abs() <= 1.0));
        }
    }
}
