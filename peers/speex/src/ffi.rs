//! The parts of libspeexdsp in use, behind owners that can be used safely; here that of `speex/speex_jitter.h`.
#![expect(unsafe_code, reason = "calls C")]

use core::ffi::{c_char, c_int};
use core::ptr::{NonNull, null_mut};

mod audio;

pub(crate) use audio::{Processing, Resampler};

pub(crate) const OK: c_int = 0;
pub(crate) const INSERTION: c_int = 2;

#[repr(C)]
struct Opaque {
    _private: [u8; 0],
}

#[repr(C)]
struct Packet {
    data: *mut c_char,
    len: u32,
    timestamp: u32,
    span: u32,
    sequence: u16,
    user_data: u32,
}

unsafe extern "C" {
    fn jitter_buffer_init(step_size: c_int) -> *mut Opaque;
    fn jitter_buffer_destroy(jitter: *mut Opaque);
    fn jitter_buffer_put(jitter: *mut Opaque, packet: *const Packet);
    fn jitter_buffer_get(jitter: *mut Opaque, packet: *mut Packet, desired_span: i32, start_offset: *mut i32) -> c_int;
    fn jitter_buffer_tick(jitter: *mut Opaque);
}

/// What a call of `get` gave.
pub(crate) struct Answer {
    pub(crate) code: c_int,
    pub(crate) timestamp: u32,
    pub(crate) span: u32,
    pub(crate) len: usize,
}

/// The buffer, which copies what it is given.
#[derive(Debug)]
pub(crate) struct Jitter(NonNull<Opaque>);

// SAFETY: the object is ours alone and not bound to a thread.
unsafe impl Send for Jitter {}

impl Jitter {
    pub(crate) fn new(step: i32) -> Option<Self> {
        // SAFETY: takes no pointer.
        NonNull::new(unsafe { jitter_buffer_init(step) }).map(Self)
    }

    pub(crate) fn put(&mut self, timestamp: u32, span: u32, sequence: u16, data: &[u8]) {
        let Ok(len) = u32::try_from(data.len()) else { return };
        let data = data.as_ptr().cast::<c_char>().cast_mut();
        let packet = Packet { data, len, timestamp, span, sequence, user_data: 0 };
        // SAFETY: the object is ours; the packet lives through the call, which copies the data and does not write to it.
        unsafe { jitter_buffer_put(self.0.as_ptr(), &raw const packet) };
    }

    pub(crate) fn get(&mut self, span: i32, data: &mut [u8]) -> Answer {
        let len = u32::try_from(data.len()).unwrap_or(u32::MAX);
        let data = if data.is_empty() { null_mut() } else { data.as_mut_ptr().cast::<c_char>() };
        let mut packet = Packet { data, len, timestamp: 0, span: 0, sequence: 0, user_data: 0 };
        let mut offset = 0;
        // SAFETY: the object is ours; the packet lives through the call, which writes at most `len` bytes to `data`.
        let code = unsafe { jitter_buffer_get(self.0.as_ptr(), &raw mut packet, span, &raw mut offset) };
        let len = usize::try_from(packet.len).unwrap_or(0);
        Answer { code, timestamp: packet.timestamp, span: packet.span, len }
    }

    pub(crate) fn tick(&mut self) {
        // SAFETY: the object is ours.
        unsafe { jitter_buffer_tick(self.0.as_ptr()) };
    }
}

impl Drop for Jitter {
    fn drop(&mut self) {
        // SAFETY: the object is ours and nobody uses it after this.
        unsafe { jitter_buffer_destroy(self.0.as_ptr()) };
    }
}
