use core::time::Duration;

use crate::audio::{AudioBuffer, AudioProcessor, EchoCanceller};
use crate::codec::AudioFormat;
use crate::testkit::metrics::align;
use crate::testkit::signal::{EchoPath, EchoPathConfig};

use super::assert_same;
use super::sound::{SECOND, extremes, frame_len, is_finite, level, no_numbers, other_shapes, silence, speech, track};

const _: () = {
    const fn object_safe_and_send<T: Send + ?Sized>() {}
    object_safe_and_send::<dyn AudioProcessor>();
    object_safe_and_send::<dyn EchoCanceller>();
};

/// The laws of [`AudioProcessor`], for one made for frames of `format`.
///
/// # Panics
/// If a law is broken, naming it.
pub fn audio_processor<P: AudioProcessor>(make: impl Fn() -> P, format: AudioFormat) {
    let input = speech(format, 1, 3 * SECOND, frame_len(format));
    let output = process(&mut make(), &input);
    assert_same(&output, &process(&mut make(), &input), "the same audio gives the same output");
    let mut processor = make();
    let latency = processor.latency(format.rate);
    let disturbed = |(index, frame): (usize, &AudioBuffer)| {
        for other in other_shapes(format) {
            if index.is_multiple_of(10) {
                let passed = process(&mut processor, core::slice::from_ref(&other));
                assert!(passed == [other], "a frame of another shape passes unchanged");
            }
        }
        process(&mut processor, core::slice::from_ref(frame)).remove(0)
    };
    let between: Vec<AudioBuffer> = input.iter().enumerate().map(disturbed).collect();
    assert_same(&output, &between, "a frame of another shape changes nothing");
    assert_eq!(processor.latency(format.rate), latency, "the latency stays");
    assert!(latency < format.rate.as_hz() as usize, "the latency is under a second");
    stays_finite(format, |frame| process(&mut processor, core::slice::from_ref(frame)).remove(0));
    let quiet = process(&mut make(), &vec![silence(format, frame_len(format)); SECOND]);
    assert!(level(&quiet) < -60.0, "silence stays silence: {} dB", level(&quiet));
}

/// The law that an [`AudioProcessor`] which keeps the waveform delays it by what it says, give or take a millisecond.
///
/// # Panics
/// If the law is broken.
pub fn audio_latency<P: AudioProcessor>(make: impl Fn() -> P, format: AudioFormat) {
    let mut processor = make();
    let input = speech(format, 1, 3 * SECOND, frame_len(format));
    let output = process(&mut processor, &input);
    let stated = i64::try_from(processor.latency(format.rate)).unwrap_or(i64::MAX);
    let (millisecond, search) = (i64::from(format.rate / 1_000), i64::from(format.rate / 50));
    // The last second: by then it has settled.
    let heard = |frames: &[AudioBuffer]| track(&frames[2 * SECOND..], 0);
    let Some(found) = align(&heard(&input), &heard(&output), stated - search..=stated + search) else {
        panic!("speech gives sound");
    };
    let off = found.delay - stated;
    assert!(off.abs() <= millisecond, "the latency is what is said: {stated} samples said, {} measured", found.delay);
}

/// The laws of [`EchoCanceller`], for one made for frames of `format`.
///
/// The echo it is tried on comes back after 30 to 130 ms and 6 dB weaker, from a room that does not change.
///
/// # Panics
/// If a law is broken, naming it.
pub fn echo_canceller<C: EchoCanceller>(make: impl Fn() -> C, format: AudioFormat) {
    let far = speech(format, 1, 10 * SECOND, frame_len(format));
    let echo = echo_of(&far, format);
    let cleaned = cancel(&mut make(), &far, &echo);
    let reduced = level(&echo[7 * SECOND..]) - level(&cleaned[7 * SECOND..]);
    assert!(reduced >= 6.0, "echo becomes weaker by 6 dB within 7 s: {reduced:.1} dB");
    let (far, echo) = (&far[..2 * SECOND], &echo[..2 * SECOND]);
    assert_same(&cleaned[..2 * SECOND], &cancel(&mut make(), far, echo), "the same audio gives the same output");
    let mut canceller = make();
    let disturbed = |(index, (far, near)): (usize, (&AudioBuffer, &AudioBuffer))| {
        for mut other in other_shapes(format) {
            if index.is_multiple_of(10) {
                let before = other.clone();
                canceller.render(other.as_ref());
                canceller.capture(other.as_mut());
                assert!(other == before, "a frame of another shape passes unchanged");
            }
        }
        cancel(&mut canceller, core::slice::from_ref(far), core::slice::from_ref(near)).remove(0)
    };
    let between: Vec<AudioBuffer> = far.iter().zip(echo).enumerate().map(disturbed).collect();
    assert_same(&cleaned[..2 * SECOND], &between, "a frame of another shape changes nothing");
    stays_finite(format, |frame| {
        cancel(&mut canceller, core::slice::from_ref(frame), core::slice::from_ref(frame)).remove(0)
    });
    near_end_passes(&make, format);
}

fn near_end_passes<C: EchoCanceller>(make: &impl Fn() -> C, format: AudioFormat) {
    let near = speech(format, 3, 4 * SECOND, frame_len(format));
    let quiet = vec![silence(format, frame_len(format)); near.len()];
    let passed = cancel(&mut make(), &quiet, &near);
    let lost = level(&near[SECOND..]) - level(&passed[SECOND..]);
    assert!(lost.abs() < 3.0, "without far end the near end passes: {lost:.1} dB lost");
    // A loudspeaker may start before the microphone, or never.
    let mut canceller = make();
    quiet.iter().for_each(|frame| canceller.render(frame.as_ref()));
    let mut passed = near.clone();
    passed.iter_mut().for_each(|frame| canceller.capture(frame.as_mut()));
    let lost = level(&near[SECOND..]) - level(&passed[SECOND..]);
    assert!(lost.abs() < 3.0, "without far end the near end passes: {lost:.1} dB lost");
}

fn process<P: AudioProcessor>(processor: &mut P, input: &[AudioBuffer]) -> Vec<AudioBuffer> {
    let mut output = input.to_vec();
    output.iter_mut().for_each(|frame| processor.process(frame.as_mut()));
    output
}

fn cancel<C: EchoCanceller>(canceller: &mut C, far: &[AudioBuffer], near: &[AudioBuffer]) -> Vec<AudioBuffer> {
    let mut cleaned = near.to_vec();
    for (far, near) in far.iter().zip(&mut cleaned) {
        canceller.render(far.as_ref());
        canceller.capture(near.as_mut());
    }
    cleaned
}

fn echo_of(far: &[AudioBuffer], format: AudioFormat) -> Vec<AudioBuffer> {
    let (delay, rt60) = (Duration::from_millis(30), Duration::from_millis(100));
    let config = EchoPathConfig { rate: format.rate, delay, rt60, ..EchoPathConfig::default() };
    let mut paths: Vec<EchoPath> = (0..format.channels).filter_map(|_| EchoPath::new(config).ok()).collect();
    let echo = |far: &AudioBuffer| {
        let mut echo = silence(format, frame_len(format));
        for ((path, far), echo) in paths.iter_mut().zip(far.as_ref().planes()).zip(echo.as_mut().planes_mut()) {
            path.add_echo(far, echo);
        }
        echo
    };
    far.iter().map(echo).collect()
}

/// Audio of any kind that is finite stays so, and what is not is gone after a second.
fn stays_finite(format: AudioFormat, mut process: impl FnMut(&AudioBuffer) -> AudioBuffer) {
    for frame in extremes(format) {
        assert!(is_finite(&process(&frame)), "what is finite stays finite");
    }
    for _ in 0..3 {
        process(&no_numbers(format));
    }
    let after: Vec<AudioBuffer> = speech(format, 5, SECOND + 1, frame_len(format)).iter().map(process).collect();
    assert!(is_finite(&after[SECOND]), "what is no number does not stay");
}
