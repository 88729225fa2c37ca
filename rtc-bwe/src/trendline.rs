//! The delay gradient: a line through the delays of the last groups, and a threshold that adapts to the path
//! (draft-ietf-rmcat-gcc-02 §5.4; Carlucci et al., "Analysis and Design of the Google Congestion Control for WebRTC", 2016).

use std::collections::VecDeque;

use rtc_core::time::Instant;

use crate::arrival::Variation;
use crate::config::TrendlineConfig;
use crate::stats::Usage;

/// The threshold stays in this range, in ms (§5.4).
const THRESHOLD_MS: (f64, f64) = (6.0, 600.0);
/// The threshold is not adapted to a trend that exceeds it by more than this, in ms (§5.4).
const OUTLIER_MS: f64 = 15.0;
/// The slope weighs in with the number of groups it rests on, up to this.
const FULL_CONFIDENCE: u32 = 60;
/// Longest step of adaptation, in ms: after a pause the threshold must not leap.
const MAX_STEP_MS: f64 = 100.0;

/// Tells from the changes of delay whether a queue is building up.
#[derive(Debug)]
pub(crate) struct Trendline {
    config: TrendlineConfig,
    /// Arrival in ms and smoothed delay in ms, both since the first group.
    points: VecDeque<(f64, f64)>,
    first: Option<Instant>,
    last_ms: f64,
    delay_ms: f64,
    smoothed_ms: f64,
    groups: u32,
    threshold_ms: f64,
    trend: f64,
    over_ms: Option<f64>,
    usage: Usage,
}

impl Trendline {
    pub(crate) fn new(config: TrendlineConfig) -> Self {
        Self {
            points: VecDeque::with_capacity(config.window),
            first: None,
            last_ms: 0.0,
            delay_ms: 0.0,
            smoothed_ms: 0.0,
            groups: 0,
            threshold_ms: config.threshold_ms,
            trend: 0.0,
            over_ms: None,
            usage: Usage::Normal,
            config,
        }
    }

    pub(crate) fn push(&mut self, variation: Variation) {
        let first = *self.first.get_or_insert(variation.received);
        let now_ms = variation.received.nanos_since(first) as f64 / 1e6;
        let elapsed_ms = (now_ms - self.last_ms).max(0.0);
        self.last_ms = now_ms;
        self.groups = (self.groups + 1).min(FULL_CONFIDENCE);
        self.delay_ms += variation.delay_ms;
        self.smoothed_ms = self.config.smoothing.mul_add(self.smoothed_ms - self.delay_ms, self.delay_ms);
        if self.points.len() == self.config.window {
            self.points.pop_front();
        }
        self.points.push_back((now_ms, self.smoothed_ms));
        let full = self.points.len() == self.config.window;
        let slope = if full { slope(&self.points).unwrap_or(0.0) } else { 0.0 };
        self.detect(slope * f64::from(self.groups) * self.config.gain, elapsed_ms);
    }

    /// Forgets the path, but not how sensitive to be.
    pub(crate) fn reset(&mut self) {
        self.points.clear();
        self.first = None;
        (self.last_ms, self.delay_ms, self.smoothed_ms) = (0.0, 0.0, 0.0);
        self.groups = 0;
        self.trend = 0.0;
        self.over_ms = None;
        self.usage = Usage::Normal;
    }

    pub(crate) const fn usage(&self) -> Usage {
        self.usage
    }

    fn detect(&mut self, trend: f64, elapsed_ms: f64) {
        if trend > self.threshold_ms {
            let over = self.over_ms.map_or(elapsed_ms / 2.0, |over| over + elapsed_ms);
            self.over_ms = Some(over);
            // §5.4: only when it lasts, and never while the estimate falls.
            if over > self.config.overuse_time.as_secs_f64() * 1e3 && trend >= self.trend {
                self.usage = Usage::Over;
            }
        } else {
            self.over_ms = None;
            self.usage = if trend < -self.threshold_ms { Usage::Under } else { Usage::Normal };
        }
        self.trend = trend;
        self.adapt(trend.abs(), elapsed_ms.min(MAX_STEP_MS));
    }

    fn adapt(&mut self, magnitude: f64, elapsed_ms: f64) {
        let excess = magnitude - self.threshold_ms;
        if excess > OUTLIER_MS {
            return;
        }
        let gain = if excess < 0.0 { self.config.gain_down } else { self.config.gain_up };
        self.threshold_ms += (gain * elapsed_ms).min(1.0) * excess;
        self.threshold_ms = self.threshold_ms.clamp(THRESHOLD_MS.0, THRESHOLD_MS.1);
    }
}

/// Least squares; `None` if all points are at the same time.
fn slope(points: &VecDeque<(f64, f64)>) -> Option<f64> {
    let count = points.len() as f64;
    let (x_sum, y_sum) = points.iter().fold((0.0, 0.0), |(x, y), point| (x + point.0, y + point.1));
    let (x_mean, y_mean) = (x_sum / count, y_sum / count);
    let (numerator, denominator) = points.iter().fold((0.0, 0.0), |(numerator, denominator), (x, y)| {
        let dx = x - x_mean;
        (numerator + dx * (y - y_mean), dx.mul_add(dx, denominator))
    });
    (denominator > 0.0).then(|| numerator / denominator)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Groups every 20 ms whose delay grows by `step` ms each.
    fn feed(trendline: &mut Trendline, from: u64, groups: u64, step: f64) {
        for index in from..from + groups {
            trendline.push(Variation { delay_ms: step, received: Instant::from_millis(20 * index) });
        }
    }

    #[test]
    fn the_slope_of_a_line_is_its_slope() {
        let points: VecDeque<_> = (0..20).map(|x| (f64::from(x), 3.0 - 0.25 * f64::from(x))).collect();
        assert!((slope(&points).unwrap() + 0.25).abs() < 1e-12);
        assert_eq!(slope(&VecDeque::from([(1.0, 2.0), (1.0, 3.0)])), None);
    }

    #[test]
    fn a_growing_queue_is_over_use_and_a_shrinking_one_under_use() {
        let mut trendline = Trendline::new(TrendlineConfig::default());
        feed(&mut trendline, 0, 60, 0.0);
        assert_eq!(trendline.usage(), Usage::Normal);
        // 2 ms in 20 ms: a queue that grows by 0.1 s/s, which the smoothing shows within 15 groups.
        feed(&mut trendline, 60, 15, 2.0);
        assert_eq!(trendline.usage(), Usage::Over);
        feed(&mut trendline, 75, 40, -2.0);
        assert_eq!(trendline.usage(), Usage::Under);
        feed(&mut trendline, 115, 60, 0.0);
        assert_eq!(trendline.usage(), Usage::Normal);
    }

    #[test]
    fn gcc02_s5_4_the_threshold_adapts_within_its_range_but_not_to_outliers() {
        let mut trendline = Trendline::new(TrendlineConfig::default());
        trendline.adapt(0.0, 100.0);
        assert!((trendline.threshold_ms - 6.0).abs() < 1e-12, "shrinks to its floor: {}", trendline.threshold_ms);
        trendline.adapt(16.0, 10.0);
        assert!((trendline.threshold_ms - (6.0 + 0.0087 * 10.0 * 10.0)).abs() < 1e-9);
        let before = trendline.threshold_ms;
        trendline.adapt(before + 15.1, 10.0);
        assert!((trendline.threshold_ms - before).abs() < 1e-12);
    }

    #[test]
    fn gcc02_s5_4_no_over_use_while_the_estimate_falls() {
        let mut trendline = Trendline::new(TrendlineConfig::default());
        trendline.detect(20.0, 20.0);
        assert_eq!(trendline.usage(), Usage::Normal, "10 ms have not passed");
        trendline.detect(19.0, 20.0);
        assert_eq!(trendline.usage(), Usage::Normal, "the estimate falls");
        trendline.detect(21.0, 20.0);
        assert_eq!(trendline.usage(), Usage::Over);
    }

    #[test]
    fn steady_jitter_is_not_over_use() {
        let mut trendline = Trendline::new(TrendlineConfig::default());
        for index in 0..500 {
            feed(&mut trendline, index, 1, if index % 2 == 0 { 8.0 } else { -8.0 });
            assert_ne!(trendline.usage(), Usage::Over);
        }
    }
}
