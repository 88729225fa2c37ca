use core::time::Duration;

use crate::time::Instant;

/// The least and the most time before a segment is given up, in seconds (RFC 6298 §2.4 and §2.5).
const RANGE: (f64, f64) = (1.0, 60.0);

/// The retransmission timer of RFC 6298, in seconds.
#[derive(Debug, Clone)]
pub(super) struct Timer {
    smoothed: Option<f64>,
    variation: f64,
    timeout: f64,
    fires: Option<Instant>,
}

impl Timer {
    pub(super) fn new() -> Self {
        Self { smoothed: None, variation: 0.0, timeout: RANGE.0, fires: None }
    }

    /// §2.2 and §2.3.
    pub(super) fn sample(&mut self, round_trip: f64) {
        match self.smoothed {
            None => (self.smoothed, self.variation) = (Some(round_trip), round_trip / 2.0),
            Some(smoothed) => {
                self.variation += ((smoothed - round_trip).abs() - self.variation) / 4.0;
                self.smoothed = Some(smoothed + (round_trip - smoothed) / 8.0);
            }
        }
        self.timeout = (self.smoothed() + 4.0 * self.variation).clamp(RANGE.0, RANGE.1);
    }

    /// §5.1 and §5.3.
    pub(super) fn restart(&mut self, now: Instant) {
        self.fires = Some(now + Duration::from_secs_f64(self.timeout));
    }

    /// §5.2.
    pub(super) fn stop(&mut self) {
        self.fires = None;
    }

    /// §5.5; it starts again with the next segment.
    pub(super) fn back_off(&mut self) {
        self.timeout = (self.timeout * 2.0).min(RANGE.1);
        self.fires = None;
    }

    pub(super) fn fires(&self) -> Option<Instant> {
        self.fires
    }

    /// The smoothed round-trip time; a second before there is one.
    pub(super) fn smoothed(&self) -> f64 {
        self.smoothed.unwrap_or(1.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc6298_s2_the_timeout_is_the_mean_and_four_deviations() {
        let mut timer = Timer::new();
        timer.sample(0.8);
        assert!((timer.smoothed() - 0.8).abs() < 1e-12 && (timer.timeout - (0.8 + 4.0 * 0.4)).abs() < 1e-12);
        timer.sample(0.4);
        // RTTVAR = 3/4 * 0.4 + 1/4 * 0.4, SRTT = 7/8 * 0.8 + 1/8 * 0.4.
        assert!((timer.smoothed() - 0.75).abs() < 1e-12 && (timer.timeout - (0.75 + 4.0 * 0.4)).abs() < 1e-12);
        timer.back_off();
        assert!((timer.timeout - 4.7).abs() < 1e-12);
    }
}
