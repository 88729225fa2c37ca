//! Congestion marks: a classic one counts as a lost packet (RFC 3168 §5), scalable ones by their share (RFC 9331 §4.3).

use core::time::Duration;

use rtc_core::bwe::Ecn;
use rtc_core::time::Instant;

use crate::config::MarksConfig;

/// Weight of a round's share of marks in their mean: DCTCP's `g` (RFC 8257 §4.2).
const GAIN: f64 = 1.0 / 16.0;
/// The least part of the rate that is given up.
const MIN_CUT: f64 = 0.005;

/// Counts marks in rounds, as DCTCP does.
#[derive(Debug)]
pub(crate) struct Marks {
    config: MarksConfig,
    /// Packets of the flow are sent as ECT(1).
    is_scalable: bool,
    /// Mean share of marked packets over rounds; `None` before the first mark.
    alpha: Option<f64>,
    packets: u32,
    marked: u32,
    /// The round is over with a packet sent at this time or later.
    until: Instant,
}

impl Marks {
    pub(crate) fn new(config: MarksConfig) -> Self {
        Self { config, is_scalable: false, alpha: None, packets: 0, marked: 0, until: Instant::ZERO }
    }

    /// Takes the codepoint a packet arrived with.
    pub(crate) fn push(&mut self, ecn: Ecn) {
        self.packets = self.packets.saturating_add(1);
        match ecn {
            Ecn::Ce => self.marked = self.marked.saturating_add(1),
            Ecn::Ect1 => self.is_scalable = true,
            Ecn::Ect0 | Ecn::NotEct => self.is_scalable = false,
        }
    }

    /// What to multiply the rate with, once a round if there were marks in it; `newest` is when the newest packet with a result
    /// left, and a packet leaves `now` whose result tells what comes of it.
    pub(crate) fn react(&mut self, now: Instant, newest: Instant, round_trip: Duration) -> Option<f64> {
        if newest < self.until || self.packets == 0 {
            return None;
        }
        let share = f64::from(self.marked) / f64::from(self.packets);
        if share == 0.0 && self.alpha.is_none() {
            self.packets = 0;
            return None;
        }
        // RFC 8257 §3.3. A first mark is taken for what it is: the mean of rounds that were not watched is unknown.
        let alpha = self.alpha.map_or(share, |alpha| GAIN.mul_add(share - alpha, alpha));
        self.alpha = Some(alpha);
        (self.packets, self.marked) = (0, 0);
        if share == 0.0 || !self.config.enabled {
            self.until = newest + round_trip;
            return None;
        }
        self.until = now;
        Some(if self.is_scalable && self.config.scalable { 1.0 - (alpha / 2.0).max(MIN_CUT) } else { self.config.beta })
    }

    /// Mean share of marked packets.
    pub(crate) fn alpha(&self) -> f64 {
        self.alpha.unwrap_or(0.0)
    }

    /// Whether marks come, and are scalable ones.
    pub(crate) fn has_scalable(&self) -> bool {
        self.is_scalable && self.config.scalable && self.alpha.is_some()
    }

    pub(crate) fn reset(&mut self) {
        *self = Self::new(self.config);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROUND_TRIP: Duration = Duration::from_millis(100);

    /// A round of ten packets of which some are marked.
    fn round(marks: &mut Marks, number: u64, marked: usize, ecn: Ecn) -> Option<f64> {
        for packet in 0..10 {
            marks.push(if packet < marked { Ecn::Ce } else { ecn });
        }
        let now = Instant::from_millis(200 * number);
        marks.react(now, now, ROUND_TRIP)
    }

    #[test]
    fn rfc3168_s5_a_classic_mark_counts_as_a_loss() {
        let mut marks = Marks::new(MarksConfig::default());
        assert_eq!(round(&mut marks, 1, 0, Ecn::Ect0), None);
        assert_eq!(round(&mut marks, 2, 1, Ecn::Ect0), Some(0.85));
    }

    #[test]
    fn rfc8257_s3_3_the_rate_falls_by_half_the_mean_share_of_marks() {
        let mut marks = Marks::new(MarksConfig::default());
        assert_eq!(round(&mut marks, 1, 2, Ecn::Ect1), Some(0.9));
        let alpha = 0.2 + (1.0 - 0.2) / 16.0;
        assert!((round(&mut marks, 2, 10, Ecn::Ect1).unwrap() - (1.0 - alpha / 2.0)).abs() < 1e-9);
        assert!((marks.alpha() - alpha).abs() < 1e-9);
        // Rounds without marks are remembered too.
        assert_eq!(round(&mut marks, 3, 0, Ecn::Ect1), None);
        assert!(marks.alpha() < alpha);
    }

    #[test]
    fn there_is_one_reaction_in_a_round() {
        let mut marks = Marks::new(MarksConfig::default());
        let at = Instant::from_millis;
        marks.push(Ecn::Ect1);
        marks.push(Ecn::Ce);
        assert!(marks.react(at(200), at(100), ROUND_TRIP).is_some());
        marks.push(Ecn::Ce);
        assert_eq!(marks.react(at(250), at(150), ROUND_TRIP), None, "sent before the reaction");
        assert!(marks.react(at(300), at(200), ROUND_TRIP).is_some());
    }

    #[test]
    fn it_can_be_switched_off() {
        let mut marks = Marks::new(MarksConfig { enabled: false, ..MarksConfig::default() });
        assert_eq!(round(&mut marks, 1, 10, Ecn::Ect1), None);
        let mut marks = Marks::new(MarksConfig { scalable: false, ..MarksConfig::default() });
        assert_eq!(round(&mut marks, 1, 10, Ecn::Ect1), Some(0.85));
    }
}
