//! The parts of `speex_echo.h`, `speex_preprocess.h` and `speex_resampler.h` in use.

use core::ffi::{c_int, c_void};
use core::ptr::NonNull;

use super::Opaque;

const ECHO_SET_SAMPLING_RATE: c_int = 24;
const PREPROCESS_SET_DENOISE: c_int = 0;
const PREPROCESS_SET_AGC: c_int = 2;
const PREPROCESS_SET_ECHO_STATE: c_int = 24;

unsafe extern "C" {
    fn speex_echo_state_init(frame_size: c_int, filter_length: c_int) -> *mut Opaque;
    fn speex_echo_state_destroy(state: *mut Opaque);
    fn speex_echo_cancellation(state: *mut Opaque, near: *const i16, far: *const i16, out: *mut i16);
    fn speex_echo_ctl(state: *mut Opaque, request: c_int, value: *mut c_void) -> c_int;

    fn speex_preprocess_state_init(frame_size: c_int, rate: c_int) -> *mut Opaque;
    fn speex_preprocess_state_destroy(state: *mut Opaque);
    fn speex_preprocess_run(state: *mut Opaque, samples: *mut i16) -> c_int;
    fn speex_preprocess_ctl(state: *mut Opaque, request: c_int, value: *mut c_void) -> c_int;

    fn speex_resampler_init(channels: u32, from: u32, to: u32, quality: c_int, error: *mut c_int) -> *mut Opaque;
    fn speex_resampler_destroy(state: *mut Opaque);
    fn speex_resampler_process_float(
        state: *mut Opaque,
        channel: u32,
        input: *const f32,
        input_len: *mut u32,
        out: *mut f32,
        out_len: *mut u32,
    ) -> c_int;
}

/// Echo canceller and preprocessor, for frames of one size.
#[derive(Debug)]
pub(crate) struct Processing {
    echo: Option<NonNull<Opaque>>,
    preprocess: Option<NonNull<Opaque>>,
    frame: usize,
}

// SAFETY: the objects are ours alone and not bound to a thread.
unsafe impl Send for Processing {}

impl Processing {
    /// Without an echo canceller if `tail`, in samples, is `None`; without a preprocessor if neither it denoises nor controls
    /// gain. `None` if there is no memory.
    pub(crate) fn new(frame: i32, rate: i32, tail: Option<i32>, denoise: bool, gain_control: bool) -> Option<Self> {
        let mut made = Self { echo: None, preprocess: None, frame: usize::try_from(frame).ok()? };
        let (mut rate, mut denoises, mut controls) = (rate, c_int::from(denoise), c_int::from(gain_control));
        if let Some(tail) = tail {
            // SAFETY: takes no pointer.
            let echo = NonNull::new(unsafe { speex_echo_state_init(frame, tail) })?;
            made.echo = Some(echo);
            // SAFETY: the object is ours; the request reads an int.
            unsafe { speex_echo_ctl(echo.as_ptr(), ECHO_SET_SAMPLING_RATE, (&raw mut rate).cast()) };
        }
        if denoise || gain_control {
            // SAFETY: takes no pointer.
            let preprocess = NonNull::new(unsafe { speex_preprocess_state_init(frame, rate) })?;
            made.preprocess = Some(preprocess);
            let state = preprocess.as_ptr();
            // SAFETY: the object is ours; two requests read an int, the third keeps the echo canceller, which lives as long.
            unsafe {
                speex_preprocess_ctl(state, PREPROCESS_SET_DENOISE, (&raw mut denoises).cast());
                speex_preprocess_ctl(state, PREPROCESS_SET_AGC, (&raw mut controls).cast());
                if let Some(echo) = made.echo {
                    speex_preprocess_ctl(state, PREPROCESS_SET_ECHO_STATE, echo.as_ptr().cast());
                }
            }
        }
        Some(made)
    }

    /// Frames of another size are left as they are.
    pub(crate) fn process(&mut self, near: &[i16], far: &[i16], out: &mut [i16]) {
        if [near.len(), far.len(), out.len()] != [self.frame; 3] {
            return;
        }
        match self.echo {
            // SAFETY: the object is ours; all slices have the length it was made for.
            Some(echo) => unsafe {
                speex_echo_cancellation(echo.as_ptr(), near.as_ptr(), far.as_ptr(), out.as_mut_ptr());
            },
            None => out.copy_from_slice(near),
        }
        if let Some(preprocess) = self.preprocess {
            // SAFETY: the object is ours; the slice has the length it was made for.
            unsafe { speex_preprocess_run(preprocess.as_ptr(), out.as_mut_ptr()) };
        }
    }
}

impl Drop for Processing {
    fn drop(&mut self) {
        // SAFETY: the objects are ours and nobody uses them after this; the preprocessor, which may know the other, goes first.
        unsafe {
            if let Some(preprocess) = self.preprocess {
                speex_preprocess_state_destroy(preprocess.as_ptr());
            }
            if let Some(echo) = self.echo {
                speex_echo_state_destroy(echo.as_ptr());
            }
        }
    }
}

/// A resampler of one channel.
#[derive(Debug)]
pub(crate) struct Resampler(NonNull<Opaque>);

// SAFETY: the object is ours alone and not bound to a thread.
unsafe impl Send for Resampler {}

impl Resampler {
    pub(crate) fn new(from: u32, to: u32, quality: c_int) -> Option<Self> {
        let mut error = 0;
        // SAFETY: the pointer lives through the call.
        NonNull::new(unsafe { speex_resampler_init(1, from, to, quality, &raw mut error) }).map(Self)
    }

    /// How much was read, and written.
    pub(crate) fn process(&mut self, input: &[f32], out: &mut [f32]) -> (usize, usize) {
        let [mut read, mut written] = [input.len(), out.len()].map(|len| u32::try_from(len).unwrap_or(u32::MAX));
        // SAFETY: the object is ours; it reads and writes at most as much as it is told there is.
        unsafe {
            let (from, to) = (input.as_ptr(), out.as_mut_ptr());
            speex_resampler_process_float(self.0.as_ptr(), 0, from, &raw mut read, to, &raw mut written);
        }
        (read as usize, written as usize)
    }
}

impl Drop for Resampler {
    fn drop(&mut self) {
        // SAFETY: the object is ours and nobody uses it after this.
        unsafe { speex_resampler_destroy(self.0.as_ptr()) };
    }
}
