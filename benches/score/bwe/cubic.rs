//! A TCP sender with CUBIC congestion control (RFC 9438), as cross traffic: what it sends matters, not what is in it.
//!
//! One acknowledgement per segment; losses are found as selective acknowledgements find them, three segments later (RFC 6675
//! §3 with RACK-like counting), or by the retransmission timer of RFC 6298. A lost segment goes to the end of what is left.

use core::time::Duration;
use std::collections::BTreeMap;

use rtc_core::testkit::rng::Rng;
use rtc_core::time::{Instant, earliest};

use super::scenarios::Tcp;

/// Bytes of a segment on the wire.
pub(super) const SEGMENT: u64 = 1_500;
/// RFC 6928.
const INITIAL_WINDOW: f64 = 10.0;
/// RFC 9438 §4.6 and §5.
const BETA: f64 = 0.7;
const C: f64 = 0.4;
/// RFC 9438 §4.3: what makes the Reno-friendly window as fast as Reno's.
const ALPHA: f64 = 3.0 * (1.0 - BETA) / (1.0 + BETA);
/// Bytes of a short flow's file, and the mean of its pause in seconds: the model of RFC 8868 that RFC 8867 §5.7 refers to.
const FILE: (u64, u64) = (30_000, 50_000);
const PAUSE: f64 = 10.0;

/// One connection after the other.
#[derive(Debug)]
pub(super) struct Cubic {
    kind: Tcp,
    rng: Rng,
    /// Segments not sent yet; `None` for no end.
    left: Option<u64>,
    /// When the next file begins.
    resumes: Option<Instant>,
    next: u64,
    highest_acked: Option<u64>,
    outstanding: BTreeMap<u64, Instant>,
    /// Losses of segments below this belong to the last reduction.
    recovery: u64,
    window: Window,
    timer: Timer,
}

/// In segments.
#[derive(Debug)]
struct Window {
    size: f64,
    threshold: f64,
    max: f64,
    /// RFC 9438 §4.1: when the current growth began, and the time it takes to `max`.
    epoch: Option<(Instant, f64)>,
    /// RFC 9438 §4.3.
    reno: f64,
    before: f64,
}

/// RFC 6298.
#[derive(Debug)]
struct Timer {
    smoothed: Option<f64>,
    variation: f64,
    timeout: f64,
    fires: Option<Instant>,
}

impl Cubic {
    pub(super) fn new(kind: Tcp, mut rng: Rng) -> Self {
        let pause = Duration::from_secs_f64(PAUSE * rng.exponential());
        let mut flow = Self {
            kind,
            rng,
            left: None,
            resumes: (kind == Tcp::ShortOff).then(|| Instant::ZERO + pause),
            next: 0,
            highest_acked: None,
            outstanding: BTreeMap::new(),
            recovery: 0,
            window: Window::new(),
            timer: Timer::new(),
        };
        if flow.resumes.is_some() {
            flow.left = Some(0);
        } else {
            flow.begin();
        }
        flow
    }

    /// The next segment to send, if the window has room.
    pub(super) fn poll(&mut self, now: Instant) -> Option<u64> {
        if self.resumes.is_some_and(|at| at <= now) {
            self.begin();
        }
        if self.left == Some(0) || self.outstanding.len() as f64 >= self.window.size.floor() {
            return None;
        }
        self.left = self.left.map(|left| left - 1);
        let segment = self.next;
        self.next += 1;
        if self.outstanding.is_empty() {
            self.timer.restart(now);
        }
        self.outstanding.insert(segment, now);
        Some(segment)
    }

    pub(super) fn on_ack(&mut self, now: Instant, segment: u64) {
        // Lost by the count and yet acknowledged: it was only late, and is being sent again.
        let Some(sent) = self.outstanding.remove(&segment) else { return };
        self.timer.sample((now - sent).as_secs_f64());
        self.timer.restart(now);
        let highest = self.highest_acked.map_or(segment, |highest| highest.max(segment));
        self.highest_acked = Some(highest);
        let still: BTreeMap<u64, Instant> = self.outstanding.split_off(&highest.saturating_sub(2));
        let lost = core::mem::replace(&mut self.outstanding, still);
        if !lost.is_empty() {
            self.left = self.left.map(|left| left + lost.len() as u64);
            if lost.keys().any(|segment| *segment >= self.recovery) {
                self.window.reduce();
                self.recovery = self.next;
            }
        } else if highest >= self.recovery {
            self.window.grow(now, self.timer.smoothed.unwrap_or(0.1));
        }
        if self.outstanding.is_empty() {
            self.timer.fires = None;
            self.end_file(now);
        }
    }

    pub(super) fn handle_timeout(&mut self, now: Instant) {
        if self.timer.fires.is_none_or(|at| at > now) {
            return;
        }
        self.left = self.left.map(|left| left + self.outstanding.len() as u64);
        self.outstanding.clear();
        self.window.collapse();
        self.recovery = self.next;
        self.timer.back_off();
    }

    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        earliest([self.resumes, self.timer.fires])
    }

    fn begin(&mut self) {
        self.resumes = None;
        self.window = Window::new();
        self.timer = Timer::new();
        let size = FILE.0 + self.rng.below(FILE.1 - FILE.0);
        self.left = (self.kind != Tcp::Long).then(|| size.div_ceil(SEGMENT));
    }

    fn end_file(&mut self, now: Instant) {
        if self.left == Some(0) && self.resumes.is_none() {
            self.resumes = Some(now + Duration::from_secs_f64(PAUSE * self.rng.exponential()));
        }
    }
}

impl Window {
    fn new() -> Self {
        Self { size: INITIAL_WINDOW, threshold: f64::INFINITY, max: 0.0, epoch: None, reno: 0.0, before: 0.0 }
    }

    /// RFC 9438 §4.2 to §4.5.
    fn grow(&mut self, now: Instant, round_trip: f64) {
        if self.size < self.threshold {
            self.size += 1.0;
            return;
        }
        let (epoch, k) = *self.epoch.get_or_insert_with(|| {
            self.max = self.max.max(self.size);
            self.reno = self.size;
            (now, ((self.max - self.size) / C).cbrt())
        });
        let elapsed = (now - epoch).as_secs_f64();
        let cubic = |time: f64| C * (time - k).powi(3) + self.max;
        let target = cubic(elapsed + round_trip).clamp(self.size, 1.5 * self.size);
        self.reno += if self.reno < self.before { ALPHA } else { 1.0 } / self.size;
        self.size = if cubic(elapsed) < self.reno {
            self.size.max(self.reno)
        } else {
            self.size + (target - self.size) / self.size
        };
    }

    /// RFC 9438 §4.6 and §4.7, fast convergence.
    fn reduce(&mut self) {
        self.before = self.size;
        self.max = if self.size < self.max { self.size * (1.0 + BETA) / 2.0 } else { self.size };
        self.size = (self.size * BETA).max(2.0);
        self.threshold = self.size;
        self.epoch = None;
    }

    /// RFC 9438 §4.8.
    fn collapse(&mut self) {
        self.reduce();
        self.size = 1.0;
    }
}

impl Timer {
    fn new() -> Self {
        Self { smoothed: None, variation: 0.0, timeout: 1.0, fires: None }
    }

    /// RFC 6298 §2.
    fn sample(&mut self, round_trip: f64) {
        match self.smoothed {
            None => (self.smoothed, self.variation) = (Some(round_trip), round_trip / 2.0),
            Some(smoothed) => {
                self.variation += ((smoothed - round_trip).abs() - self.variation) / 4.0;
                self.smoothed = Some(smoothed + (round_trip - smoothed) / 8.0);
            }
        }
        self.timeout = (self.smoothed.unwrap_or(round_trip) + 4.0 * self.variation).clamp(1.0, 60.0);
    }

    fn restart(&mut self, now: Instant) {
        self.fires = Some(now + Duration::from_secs_f64(self.timeout));
    }

    /// RFC 6298 §5.5; starts again with the next segment.
    fn back_off(&mut self) {
        self.timeout = (self.timeout * 2.0).min(60.0);
        self.fires = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 9438 §4.2: after a reduction at a window of W the window is back at W after K = cbrt(W (1 - beta) / C) seconds.
    #[test]
    fn rfc9438_s4_2_window_is_back_at_its_maximum_after_k() {
        let mut window = Window { size: 1_000.0, threshold: 1_000.0, ..Window::new() };
        window.reduce();
        assert_eq!(window.size, 700.0);
        let k = (1_000.0 * (1.0 - BETA) / C).cbrt();
        // A round trip of 100 ms: an acknowledgement each 100 us, far from where Reno would be faster.
        let mut now = Instant::from_millis(1);
        let start = now;
        while (now - start).as_secs_f64() < k {
            window.grow(now, 0.1);
            now += Duration::from_micros(100);
        }
        assert!((window.size - 1_000.0).abs() < 5.0, "{} after {k} s", window.size);
    }

    #[test]
    fn a_second_reduction_below_the_first_gives_way() {
        let mut window = Window { size: 100.0, threshold: 100.0, ..Window::new() };
        window.reduce();
        assert_eq!((window.size, window.max), (70.0, 100.0));
        window.reduce();
        assert!((window.max - 70.0 * 0.85).abs() < 1e-9 && (window.size - 49.0).abs() < 1e-9);
    }

    #[test]
    fn slow_start_doubles_and_three_later_segments_mean_loss() {
        let mut flow = Cubic::new(Tcp::Long, Rng::new(1));
        let sent: Vec<u64> = core::iter::from_fn(|| flow.poll(Instant::ZERO)).collect();
        assert_eq!(sent.len(), 10);
        let now = Instant::from_millis(100);
        for segment in 1..=3 {
            flow.on_ack(now, segment);
        }
        assert!(!flow.outstanding.contains_key(&0));
        // 10, then one more for each of two acknowledgements, then reduced.
        assert!((flow.window.size - 12.0 * BETA).abs() < 1e-9);
    }

    #[test]
    fn silence_fires_the_timer_and_leaves_one_segment() {
        let mut flow = Cubic::new(Tcp::Long, Rng::new(1));
        while flow.poll(Instant::ZERO).is_some() {}
        assert_eq!(flow.poll_timeout(), Some(Instant::from_millis(1_000)));
        let now = Instant::from_millis(1_000);
        flow.handle_timeout(now);
        assert_eq!((flow.poll(now).is_some(), flow.poll(now)), (true, None));
        assert_eq!(flow.poll_timeout(), Some(Instant::from_millis(3_000)));
    }

    #[test]
    fn a_short_flow_ends_and_pauses() {
        let mut flow = Cubic::new(Tcp::ShortOn, Rng::new(3));
        let (mut now, mut segments) = (Instant::ZERO, 0);
        while flow.resumes.is_none() {
            let batch: Vec<u64> = core::iter::from_fn(|| flow.poll(now)).collect();
            now += Duration::from_millis(100);
            segments += batch.len() as u64;
            for segment in batch {
                flow.on_ack(now, segment);
            }
        }
        assert!((FILE.0..FILE.1 + SEGMENT).contains(&(segments * SEGMENT)));
        assert!(flow.poll(now).is_none() && flow.poll_timeout() > Some(now));
    }
}
