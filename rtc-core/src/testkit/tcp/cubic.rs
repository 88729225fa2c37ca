use crate::time::Instant;

/// RFC 9438 §4.6 and §5.
const BETA: f64 = 0.7;
const C: f64 = 0.4;
/// RFC 9438 §4.3: what makes the Reno-friendly window as fast as Reno's.
const ALPHA: f64 = 3.0 * (1.0 - BETA) / (1.0 + BETA);

/// What CUBIC remembers (RFC 9438 §4.1), in segments.
#[derive(Debug, Clone, Default)]
pub(super) struct Cubic {
    /// `W_max`.
    max: f64,
    /// When the current growth began, and `K`, the seconds it takes to `max`.
    epoch: Option<(Instant, f64)>,
    /// `W_est`, where Reno would be.
    reno: f64,
    /// `cwnd_prior`.
    before: f64,
}

impl Cubic {
    /// The window `size` after one more segment was acknowledged (§4.2 to §4.5).
    pub(super) fn grow(&mut self, now: Instant, round_trip: f64, size: f64) -> f64 {
        let (epoch, k) = *self.epoch.get_or_insert_with(|| {
            self.max = self.max.max(size);
            self.reno = size;
            (now, cbrt((self.max - size) / C))
        });
        let elapsed = now.saturating_since(epoch).as_secs_f64();
        let cubic = |time: f64| C * (time - k) * (time - k) * (time - k) + self.max;
        self.reno += if self.reno < self.before { ALPHA } else { 1.0 } / size;
        if cubic(elapsed) < self.reno {
            return size.max(self.reno);
        }
        let target = cubic(elapsed + round_trip).clamp(size, 1.5 * size);
        size + (target - size) / size
    }

    /// The factor of a reduction of the window `size` (§4.6), with fast convergence (§4.7).
    pub(super) fn reduce(&mut self, size: f64) -> f64 {
        self.before = size;
        self.max = if size < self.max { size * (1.0 + BETA) / 2.0 } else { size };
        self.epoch = None;
        BETA
    }

    /// After a timeout growth aims at nothing: `K` is zero and `W_max` where congestion avoidance begins (§4.8).
    pub(super) fn forget(&mut self) {
        self.max = 0.0;
    }

    #[cfg(test)]
    pub(super) fn max(&self) -> f64 {
        self.max
    }
}

/// The cube root of what is not negative, by Newton's method from above: with nothing that may differ between machines.
fn cbrt(value: f64) -> f64 {
    let mut root = value.max(1.0);
    loop {
        let next = (2.0 * root + value / (root * root)) / 3.0;
        // Falls until rounding stops it; a value of zero ends where squares vanish.
        if next >= root || next < 1e-9 {
            return next.min(root);
        }
        root = next;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cube_roots_are_those_of_the_library() {
        for value in [1e-3, 0.3, 1.0, 2.0, 75.0, 750.0, 1e6, 1e12] {
            assert!((cbrt(value) / f64::cbrt(value) - 1.0).abs() < 1e-12, "{value}");
        }
        assert!(cbrt(0.0) < 1e-8);
    }
}
