use crate::Frequency;
use crate::audio::{AudioBuffer, AudioRef};
use crate::codec::AudioFormat;
use crate::mix::Mixer;
use crate::testkit::metrics::align;

use super::assert_same;
use super::sound::{SECOND, frame_len, is_finite, level, no_numbers, pattern, silence, speech, track};

const _: () = {
    const fn object_safe_and_send<T: Send + ?Sized>() {}
    object_safe_and_send::<dyn Mixer>();
};

/// The laws of [`Mixer`], mixing into frames of `format`.
///
/// # Panics
/// If a law is broken, naming it.
pub fn mixer<M: Mixer>(make: impl Fn() -> M, format: AudioFormat) {
    let (mono, stereo) = (AudioFormat { channels: 1, ..format }, AudioFormat { channels: 2, ..format });
    let [first, second] = [(1, mono), (7, stereo)].map(|(seed, of)| speech(of, seed, 2 * SECOND, frame_len(format)));
    let both: Vec<Vec<&AudioBuffer>> = first.iter().zip(&second).map(|(a, b)| vec![a, b]).collect();
    let mixed = mix(&mut make(), format, &both);
    assert_same(&mixed, &mix(&mut make(), format, &both), "the same audio gives the same mix");
    every_input_is_heard(&mixed, &[&first, &second]);

    let stranger = pattern(AudioFormat { rate: other_rate(format.rate), ..mono }, &[0.5, -0.5], 2 * frame_len(format));
    let with_stranger: Vec<Vec<&AudioBuffer>> = both.iter().map(|both| [&both[..], &[&stranger]].concat()).collect();
    let unmoved = mix(&mut make(), format, &with_stranger);
    assert_same(&mixed, &unmoved, "an input of another rate is left out");

    let alone: Vec<Vec<&AudioBuffer>> = second.iter().map(|frame| vec![frame]).collect();
    let passed = mix(&mut make(), format, &alone);
    let change = level(&passed[SECOND..]) - level(&second[SECOND..]);
    assert!(change.abs() < 6.0, "an input alone keeps its level: {change:.1} dB");

    let quiet = silence(mono, frame_len(format));
    for inputs in [vec![], vec![&quiet], vec![&quiet; 20]] {
        let mixed = mix(&mut make(), format, &vec![inputs; SECOND]);
        assert!(level(&mixed) < -80.0, "silence gives silence: {} dB", level(&mixed));
    }
    odd_inputs_do_no_harm(&mut make(), format, &first);
}

/// Old content of the output is noise, which must be gone.
fn mix<M: Mixer>(mixer: &mut M, format: AudioFormat, inputs: &[Vec<&AudioBuffer>]) -> Vec<AudioBuffer> {
    let mix_frame = |inputs: &Vec<&AudioBuffer>| {
        let mut out = pattern(format, &[0.9, -0.4, f32::NAN], frame_len(format));
        let inputs: Vec<AudioRef<'_>> = inputs.iter().map(|input| input.as_ref()).collect();
        mixer.mix(&inputs, out.as_mut());
        assert!(is_finite(&out), "old content is overwritten");
        out
    };
    inputs.iter().map(mix_frame).collect()
}

fn every_input_is_heard(mixed: &[AudioBuffer], inputs: &[&[AudioBuffer]]) {
    let last_second = mixed.len() - SECOND..;
    let out = track(&mixed[last_second.clone()], 0);
    for (number, input) in inputs.iter().enumerate() {
        // Up to 20 ms of latency.
        let latest = i64::try_from(2 * input[0].as_ref().samples()).unwrap_or(0);
        let found = align(&track(&input[last_second.clone()], 0), &out, 0..=latest);
        let likeness = found.map_or(0.0, |found| found.correlation);
        assert!(likeness > 0.2, "every input is heard: likeness to input {number} is {likeness:.2}");
    }
}

/// Many inputs, short ones, long ones, loud ones, none, and numbers that are none.
fn odd_inputs_do_no_harm<M: Mixer>(mixer: &mut M, format: AudioFormat, usual: &[AudioBuffer]) {
    let len = frame_len(format);
    let odd: Vec<AudioBuffer> = [0, 1, len - 1, len + 1, 3 * len]
        .into_iter()
        .map(|samples| pattern(format, &[1.0, -1.0, 40.0], samples))
        .collect();
    for count in (0..40).chain([0, 40, 1]) {
        let inputs: Vec<&AudioBuffer> = odd.iter().cycle().take(count).collect();
        mix(mixer, format, &[inputs]);
    }
    let mut out = silence(format, len);
    mixer.mix(&[no_numbers(format).as_ref()], out.as_mut());
    let after: Vec<Vec<&AudioBuffer>> = usual[..SECOND].iter().map(|frame| vec![frame]).collect();
    for inputs in after {
        out = pattern(format, &[f32::NAN], len);
        mixer.mix(&[inputs[0].as_ref()], out.as_mut());
    }
    assert!(is_finite(&out), "what is no number does not stay");
}

fn other_rate(rate: Frequency) -> Frequency {
    Frequency::new(rate.as_hz() * 2).unwrap_or(rate)
}
