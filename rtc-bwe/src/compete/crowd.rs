//! Whether others keep the queue full.

use core::time::Duration;

use rtc_core::time::Instant;

use crate::config::CompeteConfig;

/// How long it takes a sudden change of the path to be a change of the delay.
const ONSET: Duration = Duration::from_millis(500);

/// By so much less time and rise will do when there was a competition lately, or a path that changes again and again.
const SUSPECT: u32 = 3;

/// Of the time a queue lasts, others must have filled at least this much: so much longer is it than what was sent explains. A sender
/// that cannot give way finds its own queue there.
const FILLED: f64 = 0.05;

/// What is known of a queue.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Queue {
    /// In seconds.
    pub(crate) delay: f64,
    /// Packets were lost from it.
    pub(crate) lost: bool,
    /// When the newest packet with a result left, and how many bytes were delivered up to it.
    pub(crate) progress: (Instant, u64),
    /// What arrives when the link carries nothing else, in b/s, as far as it is known.
    pub(crate) capacity: Option<f64>,
}

/// A queue that did not go away.
#[derive(Debug, Clone, Copy)]
struct Lasting {
    since: Instant,
    /// The rate when it began, in b/s, and the queue, in seconds.
    rate: f64,
    first: f64,
    /// The least it was, in seconds, and the most it rose from there.
    least: f64,
    rise: f64,
    /// It overflowed.
    lost: bool,
    progress: (Instant, u64),
    /// By how much it would have become shorter if it were ours, in seconds.
    yielded: f64,
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

    /// Takes the queue at a rate in b/s. Says at what rate to compete.
    pub(crate) fn watch(&mut self, now: Instant, queue: &Queue, rate: f64) -> Option<f64> {
        if !self.config.enabled {
            return None;
        }
        let Queue { delay, lost, progress, capacity } = *queue;
        let fresh =
            Lasting { since: now, rate, first: delay, least: delay, rise: 0.0, lost: false, progress, yielded: 0.0 };
        let lasting = self.lasting.get_or_insert(fresh);
        lasting.advance(progress, capacity);
        if now - lasting.since < ONSET {
            lasting.least = delay;
            return None;
        }
        lasting.least = lasting.least.min(delay);
        lasting.rise = lasting.rise.max(delay - lasting.least);
        lasting.lost |= lost;
        let recent = self.competed.filter(|(ended, _)| now - *ended < self.config.memory);
        let is_suspect = recent.is_some() || self.rebased.is_some_and(|at| now - at < self.config.memory);
        let part = if is_suspect { SUSPECT } else { 1 };
        let is_filled = lasting.lost || lasting.rise > (self.config.rise / part).as_secs_f64();
        let lasts = now - lasting.since;
        // A fluid queue that is ours alone would have become shorter by what was left to it.
        let of_others = delay - lasting.first + lasting.yielded;
        let are_others = of_others >= FILLED * lasts.as_secs_f64();
        if lasts <= self.config.patience / part || !is_filled || !are_others {
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

impl Lasting {
    /// In a fluid queue, what was sent since fills it and the time since empties it.
    fn advance(&mut self, progress: (Instant, u64), capacity: Option<f64>) {
        if let Some(capacity) = capacity {
            let bits = 8.0 * progress.1.saturating_sub(self.progress.1) as f64;
            self.yielded += (progress.0 - self.progress.0).as_secs_f64() - bits / capacity;
        }
        self.progress = progress;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Watches a queue in ms, each 100 ms, at a rate that gives way, while so many bytes are sent each time; says when and at what
    /// rate to compete.
    fn watch_sending(
        crowd: &mut Crowd,
        sent_per_step: u64,
        queue_ms: impl Fn(u64) -> f64,
        lost_at: Option<u64>,
    ) -> Option<(u64, f64)> {
        (0..100).find_map(|step| {
            let (now, rate) = (Instant::from_millis(100 * step), 1e6 - 5e3 * step as f64);
            let progress = (now, sent_per_step * step);
            let (delay, lost) = (queue_ms(step) / 1e3, lost_at == Some(step));
            let rate = crowd.watch(now, &Queue { delay, lost, progress, capacity: Some(1e6) }, rate);
            rate.map(|rate| (100 * step, rate))
        })
    }

    /// The same, with half of the capacity sent.
    fn watch(crowd: &mut Crowd, queue_ms: impl Fn(u64) -> f64, lost_at: Option<u64>) -> Option<(u64, f64)> {
        watch_sending(crowd, 6_250, queue_ms, lost_at)
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
    fn who_cannot_give_way_finds_its_own_queue() {
        let rising = |step| 50.0 + 3.0 * step as f64;
        assert_eq!(watch_sending(&mut crowd(), 12_500, rising, None), None, "as much as the link carries");
        assert_eq!(watch_sending(&mut crowd(), 20_000, rising, Some(20)), None, "more");
        assert!(watch_sending(&mut crowd(), 9_000, rising, None).is_some(), "less");
    }

    /// A second of queue, of which a tenth of the time is left to it: 300 ms less after 3 s, and a loss at random meanwhile.
    #[test]
    fn a_queue_that_falls_by_what_is_left_to_it_is_our_own() {
        let falling = |step| 1_000.0 - 10.0 * step as f64;
        assert_eq!(watch_sending(&mut crowd(), 11_250, falling, Some(20)), None);
        assert!(watch_sending(&mut crowd(), 11_250, |_| 1_000.0, Some(20)).is_some(), "it should have fallen");
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
