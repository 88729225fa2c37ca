/// RFC 8257 §4.2: the weight of the newest window in the fraction of marks.
const GAIN: f64 = 1.0 / 16.0;

/// What a scalable flow remembers of marks (RFC 8257 §3.3).
#[derive(Debug, Clone)]
pub(super) struct Scalable {
    /// The fraction of segments marked, smoothed. Begins at one, so that the first mark ends slow start with a halving.
    alpha: f64,
    acknowledged: u64,
    marked: u64,
    /// The window under observation ends with the acknowledgement of this segment.
    end: u64,
}

impl Default for Scalable {
    fn default() -> Self {
        Self { alpha: 1.0, acknowledged: 0, marked: 0, end: 0 }
    }
}

impl Scalable {
    /// Takes note of an acknowledgement; the factor on the window at the end of one that saw marks.
    pub(super) fn on_ack(&mut self, is_marked: bool, segment: u64, next: u64) -> Option<f64> {
        self.acknowledged += 1;
        self.marked += u64::from(is_marked);
        if segment < self.end {
            return None;
        }
        let fraction = self.marked as f64 / self.acknowledged as f64;
        self.alpha += GAIN * (fraction - self.alpha);
        let factor = (self.marked > 0).then(|| 1.0 - self.alpha / 2.0);
        (self.acknowledged, self.marked, self.end) = (0, 0, next);
        factor
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc8257_s3_3_the_window_falls_by_half_the_fraction_marked() {
        let mut scalable = Scalable::default();
        let mut factors = Vec::new();
        // Windows of ten segments, one of each marked.
        for segment in 0..2_000 {
            factors.extend(scalable.on_ack(segment % 10 == 5, segment, segment + 10));
        }
        assert!((scalable.alpha - 0.1).abs() < 0.02, "{}", scalable.alpha);
        assert!((factors[factors.len() - 1] - 0.95).abs() < 0.01);
        let marked = factors.len();
        factors.extend((2_000..3_000).filter_map(|segment| scalable.on_ack(false, segment, segment + 10)));
        assert!(factors.len() <= marked + 1 && scalable.alpha < 0.01);
    }
}
