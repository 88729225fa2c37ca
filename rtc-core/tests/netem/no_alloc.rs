#![expect(unsafe_code, reason = "a counting GlobalAlloc cannot be written without")]

use core::alloc::{GlobalAlloc, Layout};
use core::cell::Cell;
use std::alloc::System;

use rtc_core::Bitrate;
use rtc_core::bwe::Ecn;
use rtc_core::testkit::clock::Ticks;
use rtc_core::testkit::netem::{CoDelConfig, Netem, NetemConfig};
use rtc_core::testkit::trace::DelayTrace;

use crate::{MS, PACKET};

struct Counting;

thread_local! {
    /// Per thread, since other tests run at the same time.
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

fn count() {
    // A thread that is ending has no counter any more, and is not measured.
    let _ = ALLOCATIONS.try_with(|allocations| allocations.set(allocations.get() + 1));
}

// SAFETY: every call goes to the system allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: the caller's contract is passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller's contract is passed on.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count();
        // SAFETY: the caller's contract is passed on.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

#[test]
fn a_running_path_does_not_allocate() {
    // Stalls, loss, copies and reordering under overload: everything that queues does.
    let mut path = NetemConfig::wifi(Bitrate::from_kbps(5_000)).unwrap();
    path.codel = Some(CoDelConfig::default());
    path.trace = Some(DelayTrace::parse("0\n40\n10\n").unwrap());
    path.duplication = 0.1;
    path.reordering = true;
    let mut netem = Netem::new(path, 1).unwrap();
    let mut drive = |from: usize, ticks: usize| {
        for (now, number) in Ticks::every(2 * MS).zip(0_u64..).skip(from).take(ticks) {
            netem.send(now, PACKET, Ecn::NotEct, number);
            while netem.poll(now).is_some() {}
        }
    };
    // Two periods of stalls grow the queues to their size.
    drive(0, 10_000);
    let before = ALLOCATIONS.get();
    drive(10_000, 20_000);
    assert_eq!(ALLOCATIONS.get() - before, 0);
    assert!(before > 0, "the counter counts");
}
