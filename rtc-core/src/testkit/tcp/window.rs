use super::CongestionControl;
use super::cubic::Cubic;
use super::scalable::Scalable;
use crate::time::Instant;

/// The congestion window, in segments.
#[derive(Debug, Clone)]
pub(super) struct Window {
    size: f64,
    threshold: f64,
    law: Law,
}

/// What goes beyond Reno.
#[derive(Debug, Clone)]
enum Law {
    Reno,
    Cubic(Cubic),
    Scalable(Scalable),
}

impl Window {
    pub(super) fn new(control: CongestionControl, initial: u32) -> Self {
        let law = match control {
            CongestionControl::Reno => Law::Reno,
            CongestionControl::Cubic => Law::Cubic(Cubic::default()),
            CongestionControl::Scalable => Law::Scalable(Scalable::default()),
        };
        Self { size: initial.into(), threshold: f64::INFINITY, law }
    }

    pub(super) fn segments(&self) -> f64 {
        self.size
    }

    /// Whether a mark is as good as a loss (RFC 3168 §6.1.2).
    pub(super) fn halts_at_marks(&self) -> bool {
        !matches!(self.law, Law::Scalable(_))
    }

    /// Takes note of an acknowledgement, `next` being the number to be sent next.
    pub(super) fn on_ack(&mut self, is_marked: bool, segment: u64, next: u64) {
        if let Law::Scalable(scalable) = &mut self.law
            && let Some(factor) = scalable.on_ack(is_marked, segment, next)
        {
            self.size = (self.size * factor).max(2.0);
            self.threshold = self.size;
        }
    }

    /// Grows by one acknowledged segment: slow start, or congestion avoidance (RFC 5681 §3.1).
    pub(super) fn grow(&mut self, now: Instant, round_trip: f64) {
        if self.size < self.threshold {
            self.size += 1.0;
            return;
        }
        self.size = match &mut self.law {
            Law::Reno | Law::Scalable(_) => self.size + 1.0 / self.size,
            Law::Cubic(cubic) => cubic.grow(now, round_trip, self.size),
        };
    }

    /// After a loss, or a mark that is as good as one: by half (RFC 5681 §3.1, eq. 4), or as CUBIC has it.
    pub(super) fn reduce(&mut self) {
        let factor = match &mut self.law {
            Law::Reno | Law::Scalable(_) => 0.5,
            Law::Cubic(cubic) => cubic.reduce(self.size),
        };
        self.size = (self.size * factor).max(2.0);
        self.threshold = self.size;
    }

    /// After a timeout: one segment (RFC 5681 §3.1).
    pub(super) fn collapse(&mut self) {
        self.reduce();
        self.size = 1.0;
        if let Law::Cubic(cubic) = &mut self.law {
            cubic.forget();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc5681_s3_1_slow_start_doubles_and_avoidance_adds_one_a_round_trip() {
        let mut window = Window::new(CongestionControl::Reno, 10);
        (0..10).for_each(|_| window.grow(Instant::ZERO, 0.1));
        assert_eq!(window.segments(), 20.0);
        window.reduce();
        assert_eq!(window.segments(), 10.0);
        (0..10).for_each(|_| window.grow(Instant::ZERO, 0.1));
        // 10 + 1/10 + 1/10.1 + ...: a little less than one more.
        assert!((10.95..11.0).contains(&window.segments()), "{}", window.segments());
    }

    #[test]
    fn rfc5681_s3_1_a_timeout_leaves_one_segment_and_slow_start_to_half() {
        let mut window = Window::new(CongestionControl::Reno, 40);
        window.collapse();
        assert_eq!((window.segments(), window.threshold), (1.0, 20.0));
        (0..19).for_each(|_| window.grow(Instant::ZERO, 0.1));
        assert_eq!(window.segments(), 20.0);
    }

    /// RFC 9438 §4.2: after a reduction at a window of W the window is back at W after K = cbrt(W (1 - beta) / C) seconds, and
    /// between it follows W_cubic(t) = C (t - K)^3 + W.
    #[test]
    fn rfc9438_s4_2_the_window_follows_the_cubic_function() {
        let mut window = Window::new(CongestionControl::Cubic, 1_000);
        window.reduce();
        assert_eq!(window.segments(), 700.0);
        let k = (1_000.0_f64 * 0.3 / 0.4).cbrt();
        // A round trip of 100 ms: an acknowledgement each 100 us, far from where Reno would be faster.
        for step in 1..=160_000_u64 {
            let now = Instant::from_micros(100 * step);
            window.grow(now, 0.1);
            if step % 10_000 == 0 {
                // It aims a round trip ahead, which it gets to after a round trip.
                let t = step as f64 / 10_000.0;
                let expected = 1_000.0 + 0.4 * (t - k).powi(3);
                assert!((window.segments() / expected - 1.0).abs() < 0.02, "{} at {t}: {expected}", window.segments());
            }
        }
        assert!(window.segments() > 1_100.0, "{k}");
    }

    #[test]
    fn rfc9438_s4_7_a_second_reduction_below_the_first_gives_way() {
        let mut window = Window::new(CongestionControl::Cubic, 100);
        window.reduce();
        window.reduce();
        assert!((window.segments() - 49.0).abs() < 1e-9);
        let Law::Cubic(cubic) = &window.law else { panic!() };
        assert!((cubic.max() - 70.0 * 0.85).abs() < 1e-9);
    }

    /// RFC 9438 §4.8: after a timeout the old maximum is no aim.
    #[test]
    fn rfc9438_s4_8_a_timeout_forgets_the_maximum() {
        let mut window = Window::new(CongestionControl::Cubic, 100);
        window.collapse();
        (0..100).for_each(|step| window.grow(Instant::from_millis(10 * step), 0.1));
        let Law::Cubic(cubic) = &window.law else { panic!() };
        assert!((cubic.max() - 70.0).abs() < 1.0, "{}", cubic.max());
    }
}
