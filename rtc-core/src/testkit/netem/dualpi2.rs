use core::time::Duration;

use super::codel::Verdict;
use super::management::DualPi2Config;
use crate::DataSize;
use crate::time::Instant;

/// The coupled queues of RFC 9332, appendix A: told of what leaves either queue, and asked which one is next.
#[derive(Debug, Clone)]
pub(super) struct DualPi2 {
    config: DualPi2Config,
    /// `p'`, what the controller moves: L4S packets are marked with k times it, classic ones dropped with its square.
    base: f64,
    /// The wait at the last update, in seconds.
    last_wait: f64,
    next_update: Instant,
    /// What is left of the probabilities of packets so far, so that there is no chance in it (`recur` of appendix A.1).
    low_sum: f64,
    low_drop_sum: f64,
    classic_sum: f64,
    /// What the classic queue may send before its turn is over, in bytes times 100; negative while it has to wait.
    credit: i64,
}

impl DualPi2 {
    pub(super) fn new(config: DualPi2Config, origin: Instant) -> Self {
        Self {
            config,
            base: 0.0,
            last_wait: 0.0,
            next_update: origin,
            low_sum: 0.0,
            low_drop_sum: 0.0,
            classic_sum: 0.0,
            credit: 0,
        }
    }

    /// Makes the updates due by `now`; `heads` are when the first packet of each queue came, the same since the last call.
    pub(super) fn update(&mut self, now: Instant, heads: [Option<Instant>; 2]) {
        let oldest = heads.into_iter().flatten().min().unwrap_or(now);
        while self.next_update <= now && self.next_update < Instant::MAX {
            // What cannot change for a long time takes none: a controller at rest, and one at its end.
            let waited = self.next_update.saturating_since(oldest);
            if self.base == 0.0 && self.last_wait == 0.0 && waited.is_zero() {
                self.skip_towards(oldest.min(now));
            } else if self.base == 1.0 && waited > self.config.target {
                self.skip_towards(now);
            }
            let wait = self.next_update.saturating_since(oldest).as_secs_f64();
            let config = &self.config;
            let change = config.alpha * (wait - config.target.as_secs_f64()) + config.beta * (wait - self.last_wait);
            self.base = (self.base + change).clamp(0.0, 1.0);
            self.last_wait = wait;
            self.next_update += config.update;
        }
    }

    /// Leaves out the updates before the last one by `time`.
    fn skip_towards(&mut self, time: Instant) {
        let nanos = |time: Duration| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        let (ahead, update) = (nanos(time.saturating_since(self.next_update)), nanos(self.config.update));
        self.next_update += Duration::from_nanos(ahead - ahead % update);
    }

    /// Whether the low-latency queue is served next, given the first packet of each: by weight where both have one.
    pub(super) fn takes_low(&mut self, low: Option<DataSize>, classic: Option<DataSize>) -> bool {
        let (Some(low), Some(classic)) = (low, classic) else {
            self.credit = 0;
            return low.is_some();
        };
        let [low, classic] = [low, classic].map(|size| i64::try_from(size.as_bytes()).unwrap_or(i64::MAX / 200));
        let share = i64::from(self.config.classic_share);
        if self.credit >= (100 - share) * classic {
            self.credit -= (100 - share) * classic;
            return false;
        }
        self.credit += share * low;
        true
    }

    /// Judges a packet of the low-latency queue that waited for `wait`; `is_alone` if none is behind it.
    pub(super) fn judge_low(&mut self, wait: Duration, is_alone: bool) -> Verdict {
        let coupled = self.config.coupling * self.base;
        // At overload marks no longer tell enough: drop as the classic queue does, and mark the rest.
        if coupled >= 1.0 && recur(&mut self.low_drop_sum, self.base * self.base) {
            return Verdict::Drop;
        }
        let native = if !is_alone && wait > self.config.step { 1.0 } else { 0.0 };
        if recur(&mut self.low_sum, f64::max(native, coupled).min(1.0)) { Verdict::Mark } else { Verdict::Pass }
    }

    /// Judges a packet of the classic queue.
    pub(super) fn judge_classic(&mut self, ecn_capable: bool) -> Verdict {
        if !recur(&mut self.classic_sum, self.base * self.base) {
            return Verdict::Pass;
        }
        let overload = self.config.coupling * self.base >= 1.0;
        if ecn_capable && !overload { Verdict::Mark } else { Verdict::Drop }
    }
}

/// True as often as `probability` says, evenly.
fn recur(sum: &mut f64, probability: f64) -> bool {
    *sum += probability;
    if *sum < 1.0 {
        return false;
    }
    *sum -= 1.0;
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Appendix A.1: p' += alpha (wait - target) + beta (wait - wait before), each 16 ms.
    #[test]
    fn rfc9332_a1_the_controller_is_proportional_and_integral() {
        let mut aqm = DualPi2::new(DualPi2Config::default(), Instant::ZERO);
        // An update is due at each 16 ms since zero. A packet that came at one of them stays the first of its queue.
        let start = Instant::from_millis(62 * 16);
        let (mut base, mut before) = (0.0, 0.0);
        for tick in 0..12_u64 {
            aqm.update(start + Duration::from_millis(16 * tick), [None, Some(start)]);
            let wait = 0.016 * tick as f64;
            base = f64::clamp(base + 0.16 * (wait - 0.015) + 3.2 * (wait - before), 0.0, 1.0);
            before = wait;
            assert!((aqm.base - base).abs() < 1e-9, "{} {base}", aqm.base);
        }
        assert!(base > 0.5 && base < 1.0);
    }

    #[test]
    fn an_idle_century_takes_no_time() {
        let mut aqm = DualPi2::new(DualPi2Config::default(), Instant::ZERO);
        aqm.update(Instant::from_millis(3_000_000_000_000), [None, None]);
        let now = Instant::from_millis(3_000_000_000_100);
        aqm.update(now, [Some(Instant::from_millis(3_000_000_000_000)), None]);
        assert!(aqm.base > 0.0);
        // Nor does a century with a packet that never gets out.
        aqm.update(Instant::MAX, [Some(now), None]);
        assert_eq!(aqm.base, 1.0);
    }

    /// Of two backlogged queues the classic one gets its share of bytes and no more.
    #[test]
    fn the_classic_queue_has_its_share() {
        let mut aqm = DualPi2::new(DualPi2Config::default(), Instant::ZERO);
        let [low, classic] = [DataSize::from_bytes(500), DataSize::from_bytes(1_500)];
        let (mut served, mut of_classic) = (0, 0);
        for _ in 0..100_000 {
            let takes_low = aqm.takes_low(Some(low), Some(classic));
            served += if takes_low { 500 } else { 1_500 };
            of_classic += if takes_low { 0 } else { 1_500 };
        }
        assert!((f64::from(of_classic) / f64::from(served) - 0.1).abs() < 0.001);
        assert!(aqm.takes_low(Some(low), None) && !aqm.takes_low(None, Some(classic)));
    }

    #[test]
    fn recur_is_even() {
        let mut sum = 0.0;
        let hits: Vec<bool> = (0..8).map(|_| recur(&mut sum, 0.25)).collect();
        assert_eq!(hits, [false, false, false, true, false, false, false, true]);
        let mut sum = 0.0;
        assert!((0..5).all(|_| recur(&mut sum, 1.0)));
    }
}
