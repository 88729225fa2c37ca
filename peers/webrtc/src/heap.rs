use crate::ffi;

/// What C++ code in this process takes from the heap through `operator new`; Rust's allocator does not see it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct HeapUse {
    /// Allocations since the process began.
    pub allocations: u64,
    /// Bytes not given back.
    pub live: u64,
}

impl HeapUse {
    /// As of now.
    #[must_use]
    pub fn now() -> Self {
        let counters = ffi::heap();
        Self { allocations: counters.allocations, live: counters.live }
    }
}
