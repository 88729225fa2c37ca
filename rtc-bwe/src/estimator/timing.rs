//! How long the control loop takes.

use rtc_core::time::Instant;

/// Range of the response time in seconds: whatever feedback and clocks say, steps stay sane.
const RESPONSE: (f64, f64) = (0.05, 1.0);
/// Weight of a new measurement.
const GAIN: f64 = 0.1;

/// Times in seconds.
#[derive(Debug, Clone, Copy)]
pub(super) struct Timing {
    feedback: Option<Instant>,
    interval: f64,
    round_trip: f64,
    window: f64,
}

impl Timing {
    /// Before the first feedback; `window` is the time a queue must stand to be one.
    pub(super) const fn new(window: f64) -> Self {
        Self { feedback: None, interval: 0.1, round_trip: 0.1, window }
    }

    pub(super) fn on_rtt(&mut self, seconds: f64) {
        self.round_trip = seconds.min(RESPONSE.1);
    }

    /// The round trip of the newest packets, with the queue.
    pub(super) const fn round_trip(&self) -> f64 {
        self.round_trip
    }

    /// What is in flight at most while all goes well: a round trip, and twice the time to the next feedback, one of which may be
    /// lost.
    pub(super) fn flight(&self) -> f64 {
        (self.round_trip + 2.0 * self.interval).clamp(RESPONSE.0, RESPONSE.1)
    }

    pub(super) fn on_feedback(&mut self, now: Instant, newest_sent: Option<Instant>) {
        let Some(sent) = newest_sent else { return };
        if let Some(last) = self.feedback.replace(now) {
            let interval = (now - last).as_secs_f64().min(RESPONSE.1);
            self.interval += GAIN * (interval - self.interval);
        }
        let round_trip = (now - sent).as_secs_f64().min(RESPONSE.1);
        self.round_trip += GAIN * (round_trip - self.round_trip);
    }

    /// From sending to the reaction on it: the newest packet's round trip, the wait for the next feedback, and the time a queue
    /// must stand to be one.
    pub(super) fn response(&self) -> f64 {
        (self.round_trip + self.interval + self.window).clamp(RESPONSE.0, RESPONSE.1)
    }
}
