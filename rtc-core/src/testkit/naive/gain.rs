use crate::audio::{AudioMut, AudioProcessor};
use crate::codec::AudioFormat;

/// Multiplies every sample by a factor.
#[derive(Debug, Clone, Copy)]
pub struct Gain {
    format: AudioFormat,
    factor: f32,
}

impl Gain {
    /// For frames of 10 ms of this format.
    #[must_use]
    pub const fn new(format: AudioFormat, factor: f32) -> Self {
        Self { format, factor }
    }
}

impl AudioProcessor for Gain {
    fn process(&mut self, mut frame: AudioMut<'_>) {
        if !is_frame(&frame, self.format) {
            return;
        }
        for sample in frame.planes_mut().flatten() {
            *sample *= self.factor;
        }
    }
}

/// Whether a view is 10 ms of this format.
pub(super) fn is_frame(frame: &AudioMut<'_>, format: AudioFormat) -> bool {
    frame.rate() == format.rate
        && frame.channels() == format.channels
        && frame.samples() == (format.rate / 100) as usize
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Frequency;

    #[test]
    fn only_frames_of_its_format_change() {
        let mut gain = Gain::new(AudioFormat { rate: Frequency::KHZ_8, channels: 1 }, 0.5);
        let (mut frame, mut other) = ([1.0; 80], [1.0; 81]);
        gain.process(AudioMut::mono(&mut frame, Frequency::KHZ_8));
        gain.process(AudioMut::mono(&mut other, Frequency::KHZ_8));
        assert_eq!((frame, other), ([0.5; 80], [1.0; 81]));
    }
}
