//! Every law holds for the naive implementations, through `&mut` and `Box<dyn _>` as well, and each catches who breaks it.

use core::panic::AssertUnwindSafe;
use std::panic::catch_unwind;

mod audio;
mod bwe;
mod codec;
mod fec;
mod jitter;
mod mix;
mod pacing;
mod svc;
mod video;

/// `breach` panics with a message naming `law`.
#[track_caller]
fn assert_caught(law: &str, breach: impl FnOnce()) {
    let Err(panic) = catch_unwind(AssertUnwindSafe(breach)) else {
        panic!("nobody noticed that this law was broken: {law}");
    };
    let message = panic.downcast_ref::<String>().cloned();
    let message = message.or_else(|| panic.downcast_ref::<&str>().map(ToString::to_string)).unwrap_or_default();
    assert!(message.contains(law), "caught as '{message}' instead of '{law}'");
}
