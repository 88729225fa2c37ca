//! Whether others keep the queue full.

use core::time::Duration;

use rtc_core::time::Instant;

use crate::config::CompeteConfig;

/// How long it takes a sudden change of the path to be a change of the delay.
const ONSET: Duration = Duration::from_millis(500);

/// By so much less time and rise will do when there was a competition lately, or a path that changes again and again.
const SUSPECT: u32 = 3;

/// A queue that did not go away.
#[derive(Debug, Clone, Copy)]
struct Lasting {
    since: Instant,
    /// The rate when it began, in b/s.
    rate: f64,
    /// The least it was, in seconds, and the most it rose from there.
    least: f64,
    rise: f64,
    /// It overflowed.
    lost: bool,
}

/// Watches a queue that does not go away although the rate gives way to it. One of our own flows does, and one that only a
/// longer path pretends is still; what TCP fills rises until it overflows.
#[derive(Debug)]
pub(crate) struct Crowd {
    config: CompeteConfig,
    lasting: Option<Lasting>,
    /// When a competition ended, and at what rate.
    competed: Option<(Instant, f64)>,
    /// When the path was last taken to be longer: if it was not, others fill the queue.
    rebased: Option<Instant>,
}

impl Crowd {
    pub(crate) fn new(config: CompeteConfig) -> Self {
        Self { config, lasting: None, competed: None, rebased: None }
    }

    /// Takes the queue in seconds at a rate in b/s; `lost` if packets were lost from it. Says at what rate to compete.
    pub(crate) fn watch(&mut self, now: Instant, queue: f64, rate: f64, lost: bool) -> Option<f64> {
        if !self.config.enabled {
            return None;
        }
        let fresh = Lasting { since: now, rate, least: queue, rise: 0.0, lost: false };
        let lasting = self.lasting.get_or_insert(fresh);
        if now - lasting.since < ONSET {
            lasting.least = queue;
            return None;
        }
        lasting.least = lasting.least.min(queue);
        lasting.rise = lasting.rise.max(queue - lasting.least);
        lasting.lost |= lost;
        let recent = self.competed.filter(|(ended, _)| now - *ended < self.config.memory);
        let is_suspect = recent.is_some() || self.rebased.is_some_and(|at| now - at < self.config.memory);
        let part = if is_suspect { SUSPECT } else { 1 };
        let is_filled = lasting.lost || lasting.rise > (self.config.rise / part).as_secs_f64();
        if now - lasting.since <= self.config.patience / part || !is_filled {
            return None;
        }
        let before = lasting.rate.max(recent.map_or(0.0, |(_, rate)| rate));
        self.lasting = None;
        Some(rate.max(before))
    }

    /// Whether the queue rose by more than `rise` seconds, or overflowed, since it is there: then it is one.
    pub(crate) fn is_moving(&self, rise: f64) -> bool {
        self.config.enabled && self.lasting.is_some_and(|lasting| lasting.lost || lasting.rise > rise)
    }

    /// The queue went away, or was none.
    pub(crate) fn clear(&mut self) {
        self.lasting = None;
    }

    /// The queue was none, but a longer path, or so it seemed.
    pub(crate) fn rebased(&mut self, now: Instant) {
        self.lasting = None;
        self.rebased = Some(now);
    }

    /// A competition ended: for a while it takes less to begin it again.
    pub(crate) fn ended(&mut self, now: Instant, rate: f64) {
        self.competed = Some((now, rate));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Watches a queue in ms, each 100 ms, at a rate that gives way; says when and at what rate to compete.
    fn watch(crowd: &mut Crowd, queue_ms: impl Fn(u64) -> f64, lost_at: Option<u64>) -> Option<(u64, f64)> {
        (0..100).find_map(|step| {
            let (now, rate) = (Instant::from_millis(100 * step), 1e6 - 5e3 * step as f64);
            let rate = crowd.watch(now, queue_ms(step) / 1e3, rate, lost_at == Some(step));
            rate.map(|rate| (100 * step, rate))
        })
    }

    fn crowd() -> Crowd {
        Crowd::new(CompeteConfig::default())
    }

    #[test]
    fn a_queue_that_rises_for_long_is_filled_by_others() {
        let found = watch(&mut crowd(), |step| 50.0 + 3.0 * step as f64, None);
        assert_eq!(found, Some((3_100, 1e6)), "at the rate there was before it gave way");
    }

    #[test]
    fn a_longer_path_is_still_and_our_own_queue_falls() {
        assert_eq!(watch(&mut crowd(), |step| 100.0 + (step % 3) as f64, None), None);
        assert_eq!(watch(&mut crowd(), |step| 2_000.0 - 20.0 * step as f64, None), None);
    }

    #[test]
    fn one_that_overflows_is_full() {
        assert!(watch(&mut crowd(), |_| 100.0, Some(10)).is_some());
    }

    #[test]
    fn it_takes_less_to_begin_again() {
        let mut crowd = crowd();
        crowd.ended(Instant::ZERO, 3e6);
        assert_eq!(watch(&mut crowd, |step| 50.0 + 5.0 * step as f64, None), Some((1_100, 3e6)));
    }

    #[test]
    fn it_can_be_switched_off() {
        let config = CompeteConfig { enabled: false, ..CompeteConfig::default() };
        assert_eq!(watch(&mut Crowd::new(config), |step| 50.0 + 3.0 * step as f64, None), None);
    }
}
