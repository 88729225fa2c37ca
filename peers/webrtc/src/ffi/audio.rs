//! Audio processing and mixing.

use core::ptr::NonNull;

use super::Opaque;

#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub(crate) struct ApmSettings {
    pub(crate) rate: i32,
    pub(crate) channels: i32,
    pub(crate) noise_suppression: i32,
    pub(crate) echo_canceller: bool,
    pub(crate) gain_control: bool,
}

unsafe extern "C" {
    fn apm_new(settings: *const ApmSettings) -> *mut Opaque;
    fn apm_free(peer: *mut Opaque);
    fn apm_render(peer: *mut Opaque, planes: *const *const f32) -> bool;
    fn apm_capture(peer: *mut Opaque, planes: *const *mut f32) -> bool;

    fn mixer_new(rate: i32, max_sources: i32) -> *mut Opaque;
    fn mixer_free(peer: *mut Opaque);
    fn mixer_resize(peer: *mut Opaque, count: usize);
    fn mixer_set(peer: *mut Opaque, index: usize, samples: *const i16, count: usize, channels: usize) -> bool;
    fn mixer_mix(peer: *mut Opaque, channels: usize, samples: *mut i16, capacity: usize) -> bool;
}

/// The audio processing module, for frames of one shape.
#[derive(Debug)]
pub(crate) struct Apm {
    peer: NonNull<Opaque>,
    channels: usize,
    samples: usize,
}

// SAFETY: see the documentation of `ffi`.
unsafe impl Send for Apm {}

impl Apm {
    /// `channels` is 1 or 2, `samples` of each in a frame.
    pub(crate) fn new(settings: ApmSettings, channels: usize, samples: usize) -> Option<Self> {
        // SAFETY: the pointer lives through the call.
        NonNull::new(unsafe { apm_new(&raw const settings) }).map(|peer| Self { peer, channels, samples })
    }

    pub(crate) fn render<'a>(&mut self, planes: impl Iterator<Item = &'a [f32]>) -> bool {
        let mut pointers = [core::ptr::null(); 2];
        let mut count = 0;
        for (pointer, plane) in pointers.iter_mut().zip(planes.filter(|plane| plane.len() == self.samples)) {
            *pointer = plane.as_ptr();
            count += 1;
        }
        // SAFETY: the object is ours; it reads as many planes as it was made for, of the length checked above.
        count == self.channels && unsafe { apm_render(self.peer.as_ptr(), pointers.as_ptr()) }
    }

    pub(crate) fn capture<'a>(&mut self, planes: impl Iterator<Item = &'a mut [f32]>) -> bool {
        let mut pointers = [core::ptr::null_mut(); 2];
        let mut count = 0;
        for (pointer, plane) in pointers.iter_mut().zip(planes.filter(|plane| plane.len() == self.samples)) {
            *pointer = plane.as_mut_ptr();
            count += 1;
        }
        // SAFETY: the object is ours; it reads and writes as many planes as it was made for, of the length checked above.
        count == self.channels && unsafe { apm_capture(self.peer.as_ptr(), pointers.as_ptr()) }
    }
}

impl Drop for Apm {
    fn drop(&mut self) {
        // SAFETY: the object is ours and nobody uses it after this.
        unsafe { apm_free(self.peer.as_ptr()) };
    }
}

/// The mixer.
#[derive(Debug)]
pub(crate) struct Mixer(NonNull<Opaque>);

// SAFETY: see the documentation of `ffi`.
unsafe impl Send for Mixer {}

impl Mixer {
    pub(crate) fn new(rate: i32, max_sources: i32) -> Option<Self> {
        // SAFETY: takes no pointer.
        NonNull::new(unsafe { mixer_new(rate, max_sources) }).map(Self)
    }

    pub(crate) fn resize(&mut self, sources: usize) {
        // SAFETY: the object is ours.
        unsafe { mixer_resize(self.0.as_ptr(), sources) };
    }

    pub(crate) fn set(&mut self, index: usize, samples: &[i16], channels: usize) -> bool {
        let count = samples.len() / channels.max(1);
        // SAFETY: the object is ours; it reads `count * channels` samples, which is at most what there are.
        unsafe { mixer_set(self.0.as_ptr(), index, samples.as_ptr(), count, channels) }
    }

    pub(crate) fn mix(&mut self, channels: usize, out: &mut [i16]) -> bool {
        // SAFETY: the object is ours, the slice goes with its length.
        unsafe { mixer_mix(self.0.as_ptr(), channels, out.as_mut_ptr(), out.len()) }
    }
}

impl Drop for Mixer {
    fn drop(&mut self) {
        // SAFETY: the object is ours and nobody uses it after this.
        unsafe { mixer_free(self.0.as_ptr()) };
    }
}
