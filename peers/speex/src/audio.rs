use core::time::Duration;

use rtc_core::Frequency;
use rtc_core::audio::{AudioMut, AudioProcessor, AudioRef, EchoCanceller};

use crate::ffi;

/// Which parts of [`Processing`] run; all are off by default.
#[derive(Debug, Clone, Copy, Default)]
pub struct ProcessingConfig {
    /// How long an echo the canceller covers, its delay included.
    pub echo_tail: Option<Duration>,
    /// Noise suppression; of the echo that is left too, if there is a canceller.
    pub denoise: bool,
    /// Automatic gain control.
    pub gain_control: bool,
}

/// libspeexdsp's echo canceller and preprocessor, for mono frames of 10 ms.
#[derive(Debug)]
pub struct Processing {
    processing: ffi::Processing,
    far: Vec<i16>,
    near: Vec<i16>,
    out: Vec<i16>,
}

impl Processing {
    /// For frames of this rate; others pass unchanged.
    ///
    /// # Panics
    /// If there is no memory, or the tail is beyond any use.
    #[must_use]
    pub fn new(rate: Frequency, config: ProcessingConfig) -> Self {
        let frame = i32::try_from(rate.as_hz() / 100).unwrap_or(0);
        let tail = config.echo_tail.map(|tail| i32::try_from(rate.ticks_in(tail)).unwrap_or(i32::MAX));
        let processing =
            ffi::Processing::new(frame, rate.as_hz().cast_signed(), tail, config.denoise, config.gain_control);
        let silence = vec![0; usize::try_from(frame).unwrap_or(0)];
        let processing = processing.expect("memory for a filter");
        Self { processing, far: silence.clone(), near: silence.clone(), out: silence }
    }
}

impl EchoCanceller for Processing {
    fn render(&mut self, far: AudioRef<'_>) {
        self.far.iter_mut().zip(far.plane(0)).for_each(|(to, from)| *to = to_i16(*from));
    }

    fn capture(&mut self, mut near: AudioMut<'_>) {
        let plane = near.plane_mut(0);
        if plane.len() != self.near.len() {
            return;
        }
        self.near.iter_mut().zip(&*plane).for_each(|(to, from)| *to = to_i16(*from));
        self.processing.process(&self.near, &self.far, &mut self.out);
        plane.iter_mut().zip(&self.out).for_each(|(to, from)| *to = f32::from(*from) / 32_768.0);
    }
}

impl AudioProcessor for Processing {
    fn process(&mut self, frame: AudioMut<'_>) {
        self.capture(frame);
    }
}

/// libspeexdsp's resampler, of one channel.
#[derive(Debug)]
pub struct Resampler(ffi::Resampler);

impl Resampler {
    /// `quality` is 0 to 10.
    ///
    /// # Panics
    /// If there is no memory, or no such quality.
    #[must_use]
    pub fn new(from: Frequency, to: Frequency, quality: u8) -> Self {
        Self(ffi::Resampler::new(from.as_hz(), to.as_hz(), quality.into()).expect("quality of 0 to 10"))
    }

    /// Takes all of `input` if there is room for what it becomes; returns how much of `out` was written.
    pub fn process(&mut self, input: &[f32], out: &mut [f32]) -> usize {
        self.0.process(input, out).1
    }
}

#[expect(clippy::cast_possible_truncation, reason = "the cast saturates")]
fn to_i16(sample: f32) -> i16 {
    (sample * 32_768.0).round() as i16
}

#[cfg(test)]
mod tests {
    use rtc_core::testkit::metrics::dbfs;
    use rtc_core::testkit::signal::WhiteNoise;

    use super::*;

    const RATE: Frequency = Frequency::KHZ_16;
    const FRAME: usize = 160;

    /// What is left of the last second of ten.
    fn run(config: ProcessingConfig, far: impl Fn(&[f32]) -> Vec<f32>) -> f64 {
        let mut processing = Processing::new(RATE, config);
        let noise: Vec<f32> = WhiteNoise::new(1, 0.1).take(1_000 * FRAME).collect();
        let mut left = Vec::new();
        for frame in noise.chunks(FRAME) {
            let mut near = frame.to_vec();
            processing.render(AudioRef::mono(&far(frame), RATE));
            processing.capture(AudioMut::mono(&mut near, RATE));
            left.extend(near);
        }
        dbfs(&left[900 * FRAME..])
    }

    #[test]
    fn each_part_does_its_work_and_without_any_nothing_changes() {
        let (same, silence) = (|far: &[f32]| far.to_vec(), |far: &[f32]| vec![0.0; far.len()]);
        let off = ProcessingConfig::default();
        assert!((run(off, silence) + 20.0).abs() < 0.1);
        let echo = ProcessingConfig { echo_tail: Some(Duration::from_millis(50)), ..off };
        assert!(run(echo, same) < -45.0 && run(echo, silence) > -21.0);
        assert!(run(ProcessingConfig { denoise: true, ..off }, silence) < -30.0);
    }

    #[test]
    fn a_constant_stays_what_it_was_at_a_third_of_the_rate() {
        let mut resampler = Resampler::new(Frequency::KHZ_48, RATE, 5);
        let (mut out, mut written) = ([0.0; 480], 0);
        for _ in 0..10 {
            written = resampler.process(&[0.5; 480], &mut out);
        }
        assert_eq!(written, FRAME);
        assert!(out[..written].iter().all(|sample| (sample - 0.5).abs() < 1e-3));
    }
}
