use core::time::Duration;

/// Loss above this costs no more: a path that brings one packet in a hundred is as bad as it gets.
const WORST_LOSS: f64 = 0.99;

/// What is measured of a path, or of a link between two nodes.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Quality {
    /// Round-trip time, smoothed.
    pub round_trip: Duration,
    /// Mean deviation of the round-trip time.
    pub jitter: Duration,
    /// Fraction lost on the way there, 0..=1.
    pub loss: f64,
    /// Fraction lost on the way back, 0..=1.
    pub reverse_loss: f64,
}

/// What a path costs, in time, so that a slow path and a lossy one can be compared.
///
/// `round trip / 2 + jitter weight × jitter + loss weight × -ln(1 - loss)`. Delay adds up along a route, so does the
/// logarithm of what arrives, and jitter at worst: the cost of a route is the sum over its links.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CostWeights {
    /// Delay that is worth one unit of jitter. Default 2: about what a play-out buffer adds for it.
    pub jitter: f64,
    /// Delay that is worth the loss of 63 % of all packets. Default 1 s: 1 % of loss is as bad as 10 ms of delay,
    /// 30 % as bad as 360 ms, about what it takes to bring the lost back by asking again.
    pub loss: Duration,
}

impl Default for CostWeights {
    fn default() -> Self {
        Self { jitter: 2.0, loss: Duration::from_secs(1) }
    }
}

impl CostWeights {
    /// What this quality costs.
    #[must_use]
    pub fn cost(&self, quality: &Quality) -> Duration {
        let loss = if quality.loss.is_finite() { quality.loss.clamp(0.0, WORST_LOSS) } else { WORST_LOSS };
        let lost = self.loss.as_secs_f64() * -(1.0 - loss).ln();
        let seconds = quality.round_trip.as_secs_f64() / 2.0 + self.jitter * quality.jitter.as_secs_f64() + lost;
        Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX)
    }

    pub(super) fn are_sane(&self) -> bool {
        self.jitter.is_finite() && (0.0..=1_000.0).contains(&self.jitter) && self.loss <= Duration::from_secs(3_600)
    }
}
