//! The system's clocks, as a peer sees them that reads the time itself: in virtual time while it is at work.

#![expect(
    unsafe_code,
    reason = "the C library's function is replaced by one that has to have its name and its arguments"
)]

use core::cell::Cell;
use core::ffi::c_int;
use core::time::Duration;

use rtc_core::time::Instant;
use rustix::time::{ClockId, Timespec};

/// What the clocks say at [`Instant::ZERO`]: peers subtract from it.
const ZERO: Duration = Duration::from_secs(1_000_000);

thread_local! {
    static NOW: Cell<Option<Instant>> = const { Cell::new(None) };
}

/// Runs `work`, for which every clock of this thread says `now` and stands still.
pub(super) fn at<T>(now: Instant, work: impl FnOnce() -> T) -> T {
    NOW.set(Some(now));
    let done = work();
    NOW.set(None);
    done
}

/// Takes the place of the C library's in this program, which Rust's `std` asks; `rustix` asks the kernel.
///
/// # Safety
///
/// `time` is to be null or to point to what may be written, as for the C library's.
// SAFETY: no other library of this program defines the name but the C library, whose contract is kept.
#[unsafe(no_mangle)]
unsafe extern "C" fn clock_gettime(clock: c_int, time: *mut Timespec) -> c_int {
    let said = match NOW.get() {
        Some(now) => Timespec::try_from(ZERO + (now - Instant::ZERO)).unwrap_or_default(),
        None => match ClockId::try_from(clock) {
            Ok(clock) => rustix::time::clock_gettime(clock),
            Err(_) => return -1,
        },
    };
    if time.is_null() {
        return -1;
    }
    // SAFETY: it is not null, and what else is not for writing the caller does not give.
    unsafe { time.write(said) };
    0
}
