//! The mixing role.

#![deny(clippy::missing_trait_methods)]

use crate::audio::{AudioMut, AudioRef};

/// Adds several signals up into one.
pub trait Mixer: Send {
    /// Mixes one 10 ms frame of every input into `out`, whose old content is overwritten.
    ///
    /// Inputs have `out`'s rate; those of another rate are left out. Mono and stereo may be combined. The order of inputs is
    /// the caller's naming of them: input `i` is the same source from call to call.
    fn mix(&mut self, inputs: &[AudioRef<'_>], out: AudioMut<'_>);
}

impl<T: Mixer + ?Sized> Mixer for &mut T {
    fn mix(&mut self, inputs: &[AudioRef<'_>], out: AudioMut<'_>) {
        (**self).mix(inputs, out);
    }
}

impl<T: Mixer + ?Sized> Mixer for Box<T> {
    fn mix(&mut self, inputs: &[AudioRef<'_>], out: AudioMut<'_>) {
        (**self).mix(inputs, out);
    }
}
