use crate::audio::AudioBuffer;
use crate::codec::AudioFormat;
use crate::testkit::metrics::dbfs;
use crate::testkit::signal::Speech;

/// Frames in a second.
pub(super) const SECOND: usize = 100;

/// Samples in a frame.
pub(super) fn frame_len(format: AudioFormat) -> usize {
    (format.rate / 100) as usize
}

/// Silence of a format.
pub(super) fn silence(format: AudioFormat, samples: usize) -> AudioBuffer {
    AudioBuffer::new(format.channels, samples, format.rate)
        .unwrap_or_else(|error| panic!("laws are for mono and stereo: {error}"))
}

/// Frames of so many samples of speech, a different talker on the right.
pub(super) fn speech(format: AudioFormat, seed: u64, frames: usize, samples: usize) -> Vec<AudioBuffer> {
    let mut talkers: Vec<Speech> = (seed..).take(format.channels).map(|seed| Speech::new(format.rate, seed)).collect();
    let frame = |_| {
        let mut frame = silence(format, samples);
        for (plane, talker) in frame.as_mut().planes_mut().zip(&mut talkers) {
            plane.iter_mut().zip(talker).for_each(|(sample, said)| *sample = said);
        }
        frame
    };
    (0..frames).map(frame).collect()
}

/// Frames in which every sample is one of `values` in turn.
pub(super) fn pattern(format: AudioFormat, values: &[f32], samples: usize) -> AudioBuffer {
    let mut frame = silence(format, samples);
    for plane in frame.as_mut().planes_mut() {
        plane.iter_mut().zip(values.iter().cycle()).for_each(|(sample, value)| *sample = *value);
    }
    frame
}

/// Audio no microphone gives: full scale at the highest frequency, constant, far too loud, too small to be normal.
pub(super) fn extremes(format: AudioFormat) -> Vec<AudioBuffer> {
    let len = frame_len(format);
    let patterns: [&[f32]; 5] =
        [&[1.0, -1.0], &[1.0], &[40.0, 40.0, -40.0], &[f32::MIN_POSITIVE / 2.0], &[0.0, 0.0, 0.0, 1.0]];
    patterns.iter().flat_map(|values| core::iter::repeat_n(pattern(format, values, len), 20)).collect()
}

/// A frame with samples that are no numbers.
pub(super) fn no_numbers(format: AudioFormat) -> AudioBuffer {
    pattern(format, &[f32::NAN, 0.1, f32::INFINITY, 0.1, f32::NEG_INFINITY], frame_len(format))
}

/// Frames of every other shape than 10 ms of `format`.
pub(super) fn other_shapes(format: AudioFormat) -> Vec<AudioBuffer> {
    let len = frame_len(format);
    let doubled = crate::Frequency::new(format.rate.as_hz() * 2).unwrap_or(format.rate);
    let shape = |rate, channels, samples| pattern(AudioFormat { rate, channels }, &[0.3, -0.2, 0.1], samples);
    vec![
        shape(format.rate, 3 - format.channels, len),
        shape(doubled, format.channels, 2 * len),
        shape(doubled, format.channels, len),
        shape(format.rate, format.channels, len - 1),
        shape(format.rate, format.channels, len + 1),
        shape(format.rate, format.channels, 2 * len),
        shape(format.rate, format.channels, 0),
    ]
}

/// Whether all samples are finite.
pub(super) fn is_finite(audio: &AudioBuffer) -> bool {
    audio.as_ref().planes().flatten().all(|sample| sample.is_finite())
}

/// The samples of one channel of all frames.
pub(super) fn track(frames: &[AudioBuffer], channel: usize) -> Vec<f32> {
    frames.iter().flat_map(|frame| frame.as_ref().plane(channel).iter().copied()).collect()
}

/// Level of all channels and frames together.
pub(super) fn level(frames: &[AudioBuffer]) -> f64 {
    let samples: Vec<f32> = frames.iter().flat_map(|frame| frame.as_ref().planes()).flatten().copied().collect();
    dbfs(&samples)
}
