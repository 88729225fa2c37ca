//! What work costs: CPU time of this thread, allocations, state.

use core::time::Duration;

use rustix::time::{ClockId, clock_gettime};

use crate::memory;

/// The cost of one unit of work.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Cost {
    /// CPU time of this thread in nanoseconds, in the best round.
    pub(crate) nanos: f64,
    /// Heap allocations in the last round, when everything has its size.
    pub(crate) allocations: f64,
}

/// Measures `round`, which does some work and returns how many units, `rounds` times: the best counts, because whatever
/// else the machine does only ever adds.
pub(crate) fn measure(rounds: u32, mut round: impl FnMut() -> u64) -> Cost {
    let mut best = Cost { nanos: f64::INFINITY, allocations: 0.0 };
    for _ in 0..rounds {
        let mut meter = Meter::default();
        let units = meter.run(&mut round);
        let cost = meter.per(units);
        best = Cost { nanos: best.nanos.min(cost.nanos), allocations: cost.allocations };
    }
    best
}

/// Adds up the cost of work that is done in many small pieces between other work.
///
/// Reading the clock takes some 100 ns that are counted as work; pieces should be longer.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Meter {
    time: Duration,
    allocations: usize,
}

impl Meter {
    /// Does a piece of the work.
    pub(crate) fn run<T>(&mut self, work: impl FnOnce() -> T) -> T {
        let allocations = memory::allocations();
        let start = thread_time();
        let result = work();
        self.time += thread_time().saturating_sub(start);
        self.allocations += memory::allocations() - allocations;
        result
    }

    /// The cost of each of so many units.
    pub(crate) fn per(&self, units: u64) -> Cost {
        let units = units.max(1) as f64;
        Cost { nanos: self.time.as_secs_f64() * 1e9 / units, allocations: self.allocations as f64 / units }
    }
}

/// Bytes of heap that `make` leaves in use in what it returns.
pub(crate) fn state_bytes<T>(make: impl FnOnce() -> T) -> (T, usize) {
    let before = memory::live();
    let made = make();
    (made, memory::live().saturating_sub(before))
}

/// CPU time of this thread: what other processes do to the machine shows far less in it than in wall time.
fn thread_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spin(time: Duration) {
        let start = thread_time();
        while thread_time() - start < time {}
    }

    #[test]
    fn time_is_per_unit_and_the_best_round_counts() {
        let mut rounds = [8, 2, 5].map(Duration::from_millis).into_iter();
        let cost = measure(3, || {
            spin(rounds.next().unwrap());
            1_000
        });
        assert!((2_000.0..3_000.0).contains(&cost.nanos), "{cost:?}");
    }

    /// Other tests take and give back memory meanwhile, but not that much.
    #[test]
    fn state_is_what_is_kept() {
        const LARGE: usize = 1 << 28;
        let (kept, bytes) = state_bytes(|| vec![0_u8; LARGE]);
        assert!((LARGE / 2..LARGE * 2).contains(&bytes), "{bytes}");
        drop(kept);
    }
}
