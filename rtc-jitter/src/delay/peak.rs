use core::time::Duration;

use crate::arrival::{Nanos, nanos};

/// Parts of the window; a part is forgotten whole.
const PARTS: u32 = 8;
/// Those of them that are over.
const OVER: usize = PARTS as usize - 1;
/// Least packets of a part: 104 in all, as a peak of few says little.
const PACKETS: u32 = 13;

/// The latest packet of a window of time, and of so many packets at least.
#[derive(Debug)]
pub(super) struct Peak {
    part: Duration,
    /// The latest packets of the parts that are over, the newest first.
    over: [Nanos; OVER],
    known: usize,
    /// The same of the part that goes on, since when, and how many packets.
    most: Nanos,
    time: Duration,
    packets: u32,
}

impl Peak {
    pub(super) fn new(window: Duration) -> Self {
        let part = window / PARTS;
        Self { part, over: [0; OVER], known: 0, most: 0, time: Duration::ZERO, packets: 0 }
    }

    /// Takes note of a packet, `elapsed` after the one before.
    pub(super) fn add(&mut self, late: Nanos, elapsed: Duration) {
        self.time += elapsed;
        self.packets += 1;
        self.most = late.max(self.most);
        if self.time < self.part || self.packets < PACKETS {
            return;
        }
        self.over.rotate_right(1);
        self.over[0] = self.most;
        self.known = (self.known + 1).min(self.over.len());
        (self.most, self.time, self.packets) = (0, Duration::ZERO, 0);
    }

    /// The lateness of the latest; `None` until the window is full.
    pub(super) fn get(&self) -> Option<Nanos> {
        let is_full = self.known == self.over.len() && !self.part.is_zero();
        is_full.then(|| self.over.iter().copied().fold(self.most, Nanos::max))
    }

    /// Makes all that was added this much less late.
    pub(super) fn shift_down(&mut self, by: Nanos) {
        self.most = self.most.saturating_sub(by).max(0);
        self.over = self.over.map(|late| late.saturating_sub(by).max(0));
    }
}

/// The most a target may be that a window whose latest packet was so late still bears out.
///
/// Of packets whose lateness falls off exponentially with mean *m*, 100 have a peak of 5.2 *m* on average, and one of less than a
/// quarter of that once in 10^13. The delay of least cost is 4.6 *m* at a mean of 30 ms and less for longer ones, so twice the peak is
/// no bound on jitter that goes on.
pub(super) fn borne_out(peak: Nanos, bin: Duration) -> Nanos {
    peak.saturating_mul(2).saturating_add(nanos(bin))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Nanos = 1_000_000;
    const PTIME: Duration = Duration::from_millis(20);

    /// After so many packets late by so many milliseconds, one such run after the other.
    fn peak_after(window: Duration, runs: &[(usize, Nanos)]) -> Option<Nanos> {
        let mut peak = Peak::new(window);
        for (packets, late) in runs {
            (0..*packets).for_each(|_| peak.add(late * MS, PTIME));
        }
        peak.get().map(|peak| peak / MS)
    }

    #[test]
    fn is_that_of_the_window_once_it_is_full() {
        let window = Duration::from_secs(2);
        assert_eq!(peak_after(window, &[(80, 9)]), None);
        assert_eq!(peak_after(window, &[(100, 9)]), Some(9));
        assert_eq!(peak_after(window, &[(10, 300), (10, 0)]), None);
        assert_eq!(peak_after(window, &[(80, 300), (80, 7)]), Some(300));
        assert_eq!(peak_after(window, &[(110, 300), (110, 7)]), Some(7));
    }

    #[test]
    fn few_packets_make_it_longer_and_none_makes_it_no_window() {
        assert_eq!(peak_after(Duration::from_millis(200), &[(91, 300), (80, 7)]), Some(300));
        assert_eq!(peak_after(Duration::from_millis(200), &[(91, 300), (104, 7)]), Some(7));
        assert_eq!(peak_after(Duration::ZERO, &[(1_000, 9)]), None);
    }

    #[test]
    fn a_slower_path_takes_it_along() {
        let mut peak = Peak::new(Duration::from_secs(1));
        (0..200).for_each(|_| peak.add(100 * MS, PTIME));
        peak.shift_down(70 * MS);
        assert_eq!(peak.get(), Some(30 * MS));
        peak.shift_down(70 * MS);
        assert_eq!(peak.get(), Some(0));
    }
}
