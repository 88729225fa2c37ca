//! Once warm, datagrams pass a socket without touching the heap.

use core::alloc::{GlobalAlloc, Layout};
use core::cell::Cell;
use core::net::SocketAddr;
use core::time::Duration;
use std::alloc::System;

use rtc_core::bwe::Ecn;
use rtc_transport::io::{Clock, UdpConfig, UdpIo};

struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

#[expect(unsafe_code, reason = "counting allocations takes a global allocator")]
// SAFETY: every call is handed on to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        // SAFETY: the caller's promises are handed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller's promises are handed on.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

#[test]
fn datagrams_pass_a_socket_without_allocation() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let allocated = runtime.block_on(async {
        let clock = Clock::new();
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        let mut a = UdpIo::bind(any, clock, UdpConfig::default()).unwrap();
        let mut b = UdpIo::bind(any, clock, UdpConfig::default()).unwrap();
        let mut before = 0;
        for round in 0..600 {
            if round == 200 {
                before = ALLOCATIONS.get();
            }
            for size in [1_200, 1_200, 1_200, 300] {
                a.send(b.local_addr(), Ecn::Ect1, &[7; 1_200][..size]);
            }
            a.flush().await.unwrap();
            // The last few are held, as a jitter buffer would.
            let mut held = [const { None }; 4];
            for place in &mut held {
                *place = Some(b.recv().await.unwrap());
            }
        }
        // The timer of the runtime must not be what is counted; it only ends a test that hangs.
        tokio::time::timeout(Duration::from_secs(1), async {}).await.unwrap();
        ALLOCATIONS.get() - before
    });
    // 400 rounds of 3900 bytes fill 24 pieces of memory, and each that is still held when it is full costs one or two.
    assert!(allocated <= 60, "{allocated} allocations in 1600 datagrams");
}
