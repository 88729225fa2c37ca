#![deny(clippy::missing_trait_methods)]

use crate::Frequency;

use super::{AudioMut, AudioRef};

/// Changes audio in place: noise suppression, gain control, limiting, voice effects.
pub trait AudioProcessor: Send {
    /// Processes one 10 ms frame.
    ///
    /// Frames of another shape than the processor was built for pass unchanged.
    fn process(&mut self, frame: AudioMut<'_>);

    /// Samples by which the output lags the input at `rate`.
    fn latency(&self, rate: Frequency) -> usize {
        let _ = rate;
        0
    }
}

/// Removes from the microphone signal what the loudspeaker put there.
pub trait EchoCanceller: Send {
    /// What the loudspeaker is about to play: one 10 ms frame.
    ///
    /// Frames of another shape than the canceller was built for are left out.
    fn render(&mut self, far: AudioRef<'_>);

    /// What the microphone picked up, cleaned in place: one 10 ms frame.
    ///
    /// Frames of another shape than the canceller was built for pass unchanged.
    fn capture(&mut self, near: AudioMut<'_>);
}

impl<T: AudioProcessor + ?Sized> AudioProcessor for &mut T {
    fn process(&mut self, frame: AudioMut<'_>) {
        (**self).process(frame);
    }

    fn latency(&self, rate: Frequency) -> usize {
        (**self).latency(rate)
    }
}

impl<T: AudioProcessor + ?Sized> AudioProcessor for Box<T> {
    fn process(&mut self, frame: AudioMut<'_>) {
        (**self).process(frame);
    }

    fn latency(&self, rate: Frequency) -> usize {
        (**self).latency(rate)
    }
}

impl<T: EchoCanceller + ?Sized> EchoCanceller for &mut T {
    fn render(&mut self, far: AudioRef<'_>) {
        (**self).render(far);
    }

    fn capture(&mut self, near: AudioMut<'_>) {
        (**self).capture(near);
    }
}

impl<T: EchoCanceller + ?Sized> EchoCanceller for Box<T> {
    fn render(&mut self, far: AudioRef<'_>) {
        (**self).render(far);
    }

    fn capture(&mut self, near: AudioMut<'_>) {
        (**self).capture(near);
    }
}
