use crate::Frequency;
use crate::audio::{AudioMut, AudioRef, EchoCanceller};
use crate::codec::AudioFormat;

use super::gain::is_frame;

/// Step of adaptation: half of what converges fastest, for some calm.
const STEP: f32 = 0.5;
/// Power per tap below which the far end counts as silence.
const FLOOR: f32 = 1e-6;
/// Frames the far end may run ahead of the near end.
const AHEAD: usize = 50;

/// Mono echo canceller: one adaptive filter of fixed length, normalized least mean squares.
///
/// The n-th captured frame is taken to hold the echo of the n-th rendered frame and those before it. No delay estimation, no
/// double-talk control, no residual suppression.
#[derive(Debug)]
pub struct Nlms {
    format: AudioFormat,
    weights: Vec<f32>,
    /// The far end: `weights.len() - 1` samples of the past, then what was rendered and not yet captured.
    far: Vec<f32>,
    frame: usize,
}

impl Nlms {
    /// Covers echoes up to `taps` samples long, delay included.
    #[must_use]
    pub fn new(rate: Frequency, taps: usize) -> Self {
        let (taps, frame) = (taps.max(1), (rate / 100) as usize);
        let mut far = Vec::with_capacity(taps + AHEAD * frame);
        far.resize(taps - 1, 0.0);
        Self { format: AudioFormat { rate, channels: 1 }, weights: vec![0.0; taps], far, frame }
    }

    fn ahead(&self) -> usize {
        (self.far.len() + 1 - self.weights.len()) / self.frame.max(1)
    }
}

impl EchoCanceller for Nlms {
    fn render(&mut self, far: AudioRef<'_>) {
        if far.rate() != self.format.rate || far.channels() != 1 || far.samples() != self.frame {
            return;
        }
        if self.ahead() == AHEAD {
            self.far.drain(..self.frame);
        }
        self.far.extend(far.plane(0).iter().map(|x| if x.is_finite() { x.clamp(-8.0, 8.0) } else { 0.0 }));
    }

    fn capture(&mut self, mut near: AudioMut<'_>) {
        if !is_frame(&near, self.format) || self.frame == 0 {
            return;
        }
        if self.ahead() == 0 {
            self.far.resize(self.far.len() + self.frame, 0.0);
        }
        for (sample, window) in near.plane_mut(0).iter_mut().zip(self.far.windows(self.weights.len())) {
            let echo: f32 = self.weights.iter().zip(window).map(|(w, x)| w * x).sum();
            let error = *sample - echo;
            // Something that is no number must not stay in the filter.
            if !error.is_finite() {
                continue;
            }
            let power: f32 = window.iter().map(|x| x * x).sum::<f32>() + FLOOR * self.weights.len() as f32;
            let step = STEP * error / power;
            for (w, x) in self.weights.iter_mut().zip(window) {
                *w += step * x;
            }
            *sample = error;
        }
        self.far.drain(..self.frame);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fixed_echo_of_noise_disappears() {
        let rate = Frequency::KHZ_8;
        let mut canceller = Nlms::new(rate, 64);
        let mut state = 1u32;
        let mut past = [0.0f32; 20];
        let mut left = 0.0;
        for _ in 0..200 {
            let far: [f32; 80] = core::array::from_fn(|_| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                f32::from((state >> 16) as u16) / 65_536.0 - 0.5
            });
            let mut near: [f32; 80] = core::array::from_fn(|n| 0.7 * if n < 20 { past[n] } else { far[n - 20] });
            past.copy_from_slice(&far[60..]);
            canceller.render(AudioRef::mono(&far, rate));
            canceller.capture(AudioMut::mono(&mut near, rate));
            left = near.iter().map(|x| x * x).sum();
        }
        assert!(left < 1e-4, "{left} of echo left");
    }
}
