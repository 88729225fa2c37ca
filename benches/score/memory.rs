//! Heap memory by the count, of everything Rust or C++ in this process.

#![expect(unsafe_code, reason = "`GlobalAlloc` is an unsafe trait; all work is passed on to the system's allocator")]

use core::alloc::{GlobalAlloc, Layout};
use core::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::alloc::System;

use crate::peers;

/// What is in use, and was ever asked for.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Heap {
    pub(crate) allocations: usize,
    pub(crate) live: usize,
}

/// The system's allocator, counted.
pub(crate) struct Counting;

static ALLOCATIONS: AtomicUsize = AtomicUsize::new(0);
static LIVE: AtomicUsize = AtomicUsize::new(0);

/// Allocations since the process began: new ones, and old ones made to grow.
pub(crate) fn allocations() -> usize {
    ALLOCATIONS.load(Relaxed) + peers::heap().allocations
}

/// Bytes allocated and not given back.
pub(crate) fn live() -> usize {
    LIVE.load(Relaxed) + peers::heap().live
}

// SAFETY: every call is passed on unchanged to `System`, which keeps the contract; counting touches nothing but atomics.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size());
        // SAFETY: the caller's promise, passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count(layout.size());
        // SAFETY: the caller's promise, passed on.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        LIVE.fetch_sub(layout.size(), Relaxed);
        // SAFETY: the caller's promise, passed on.
        unsafe { System.dealloc(block, layout) }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        LIVE.fetch_sub(layout.size(), Relaxed);
        count(size);
        // SAFETY: the caller's promise, passed on.
        unsafe { System.realloc(block, layout, size) }
    }
}

fn count(size: usize) {
    ALLOCATIONS.fetch_add(1, Relaxed);
    LIVE.fetch_add(size, Relaxed);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Other tests run meanwhile, so the counts are lower bounds.
    #[test]
    fn allocations_are_counted() {
        let before = allocations();
        let block = core::hint::black_box(vec![0_u8; 100_000]);
        assert!(allocations() > before && live() >= 100_000);
        drop(block);
    }
}
