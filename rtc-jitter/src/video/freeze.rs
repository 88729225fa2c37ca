//! Freezes, as W3C webrtc-stats has them (freezeCount, totalFreezesDuration).

use core::time::Duration;

use rtc_core::time::Instant;

/// Pictures the usual time from one to the next is the mean of.
const PICTURES: usize = 30;
/// More than the usual time that makes a freeze at least.
const NOTICED: Duration = Duration::from_millis(150);

/// Finds freezes among the moments pictures are shown.
#[derive(Debug, Default)]
pub(super) struct Freezes {
    last: Option<Instant>,
    steps: [Duration; PICTURES],
    count: usize,
}

impl Freezes {
    /// A picture is shown at `at`; returns how long there was none before it, if that was a freeze: at least three times the usual, and
    /// 150 ms more than it. Until 30 pictures tell what is usual there is none.
    pub(super) fn show(&mut self, at: Instant) -> Option<Duration> {
        let step = at.saturating_since(self.last.replace(at)?);
        let usual = self.usual();
        self.steps[self.count % PICTURES] = step;
        self.count += 1;
        usual.filter(|usual| step >= (*usual * 3).max(*usual + NOTICED)).map(|_| step)
    }

    /// Forgets what was shown: another stream begins.
    pub(super) fn restart(&mut self) {
        *self = Self::default();
    }

    fn usual(&self) -> Option<Duration> {
        let known = self.count.min(PICTURES);
        let sum: Duration = self.steps[..known].iter().sum();
        (known == PICTURES).then(|| sum / 30)
    }
}

const _: () = assert!(PICTURES == 30);

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Instant {
        Instant::from_millis(millis)
    }

    #[test]
    fn a_freeze_is_three_times_the_usual_and_150_ms_more() {
        let mut freezes = Freezes::default();
        // 25 a second: a freeze takes 190 ms, as three times 40 is less.
        let found: Vec<_> = (0..31).filter_map(|n| freezes.show(at(40 * n))).collect();
        assert_eq!(found, []);
        assert_eq!(freezes.show(at(1_200 + 189)), None);
        let mut freezes = Freezes::default();
        (0..31).for_each(|n| assert_eq!(freezes.show(at(40 * n)), None));
        assert_eq!(freezes.show(at(1_200 + 190)), Some(Duration::from_millis(190)));
        // 5 a second: three times 200 is more.
        let mut freezes = Freezes::default();
        (0..31).for_each(|n| assert_eq!(freezes.show(at(200 * n)), None));
        assert_eq!(freezes.show(at(6_000 + 590)), None);
        let mut freezes = Freezes::default();
        (0..31).for_each(|n| assert_eq!(freezes.show(at(200 * n)), None));
        assert_eq!(freezes.show(at(6_000 + 600)), Some(Duration::from_millis(600)));
    }

    #[test]
    fn what_is_usual_must_be_known_and_belongs_to_a_stream() {
        let mut freezes = Freezes::default();
        assert_eq!([freezes.show(at(0)), freezes.show(at(9_000))], [None; 2]);
        freezes.restart();
        assert_eq!(freezes.show(at(90_000)), None);
    }
}
