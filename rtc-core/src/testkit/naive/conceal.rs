use crate::audio::{AudioMut, AudioRef, MAX_CHANNELS};
use crate::codec::AudioFormat;

/// Fills gaps with the last 20 ms over and over, fading to silence within 60 ms.
#[derive(Debug)]
pub(super) struct RepeatFade {
    planes: [Vec<f32>; MAX_CHANNELS],
    /// Samples made since the last real one.
    made: usize,
    fade: usize,
}

impl RepeatFade {
    pub(super) fn new(format: AudioFormat) -> Self {
        let period = (format.rate / 50).max(1) as usize;
        Self { planes: core::array::from_fn(|_| vec![0.0; period]), made: 0, fade: 3 * period }
    }

    /// Takes note of real audio.
    pub(super) fn heard(&mut self, audio: AudioRef<'_>) {
        for (history, plane) in self.planes.iter_mut().zip(audio.planes()) {
            let new = plane.len().min(history.len());
            history.rotate_left(new);
            let kept = history.len() - new;
            history[kept..].copy_from_slice(&plane[plane.len() - new..]);
        }
        self.made = 0;
    }

    /// Fills all of `out`.
    pub(super) fn fill(&mut self, mut out: AudioMut<'_>) -> usize {
        for (history, plane) in self.planes.iter().zip(out.planes_mut()) {
            for (index, sample) in plane.iter_mut().enumerate() {
                let at = self.made.saturating_add(index);
                let gain = 1.0 - at.min(self.fade) as f32 / self.fade as f32;
                *sample = gain * history[at % history.len()];
            }
        }
        self.made = self.made.saturating_add(out.samples());
        out.samples()
    }
}
