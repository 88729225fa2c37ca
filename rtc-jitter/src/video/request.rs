//! When to ask for a key frame.

use core::time::Duration;

use rtc_core::time::Instant;

/// Round trips a packet asked for again is waited for, and the time a sender needs on top.
const ROUND_TRIPS: f64 = 1.5;
const SENDER_TIME: Duration = Duration::from_millis(10);

/// Asks for a key frame when nothing can be decoded, and again when none came.
#[derive(Debug)]
pub(super) struct KeyRequests {
    round_trip: Duration,
    min_interval: Duration,
    /// Since when nothing that is here can be decoded.
    stuck_since: Option<Instant>,
    /// Whether what is missing may still come.
    is_open: bool,
    asked: Option<Instant>,
}

impl KeyRequests {
    pub(super) fn new(round_trip: Duration, min_interval: Duration) -> Self {
        Self { round_trip, min_interval, stuck_since: None, is_open: false, asked: None }
    }

    pub(super) fn set_round_trip(&mut self, round_trip: Duration) {
        self.round_trip = round_trip;
    }

    /// Takes note of whether something is here and nothing of it can be decoded, and if so whether something is missing that may
    /// still come.
    pub(super) fn update(&mut self, now: Instant, is_stuck: bool, is_open: bool) {
        self.is_open = is_open;
        self.stuck_since = is_stuck.then(|| self.stuck_since.unwrap_or(now));
    }

    /// A key frame is here.
    pub(super) fn on_key(&mut self) {
        self.asked = None;
    }

    /// When to ask next; `None` while there is no need.
    pub(super) fn timeout(&self) -> Option<Instant> {
        let since = self.stuck_since?;
        let first = if self.is_open { since + self.round_trip.mul_f64(ROUND_TRIPS) + SENDER_TIME } else { since };
        let again = self.round_trip.mul_f64(ROUND_TRIPS).max(self.min_interval);
        Some(self.asked.map_or(first, |asked| first.max(asked + again)))
    }

    /// Whether to ask now.
    pub(super) fn poll(&mut self, now: Instant) -> bool {
        let is_due = self.timeout().is_some_and(|at| at <= now);
        if is_due {
            self.asked = Some(now);
        }
        is_due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Instant {
        Instant::from_millis(1_000 + millis)
    }

    fn requests() -> KeyRequests {
        KeyRequests::new(Duration::from_millis(100), Duration::from_millis(300))
    }

    #[test]
    fn what_may_come_is_waited_for_and_what_cannot_is_not() {
        let (mut open, mut closed) = (requests(), requests());
        open.update(at(0), true, true);
        assert!(!open.poll(at(159)) && open.poll(at(160)));
        closed.update(at(0), true, false);
        assert!(closed.poll(at(0)));
    }

    #[test]
    fn asking_again_has_its_interval() {
        let mut requests = requests();
        requests.update(at(0), true, false);
        assert!(requests.poll(at(0)) && !requests.poll(at(299)) && requests.poll(at(300)));
        requests.set_round_trip(Duration::from_millis(400));
        assert!(!requests.poll(at(899)) && requests.poll(at(900)));
        requests.update(at(901), false, false);
        assert_eq!(requests.timeout(), None);
    }
}
