use super::*;

const BUSY: f64 = 0.005;

/// Packets every 10 ms whose one-way delay in ms is `delay(seconds since start)`.
fn feed(queue: &mut QueueDelay, from: u64, until: u64, delay: impl Fn(f64) -> f64) {
    for millis in (from..until).step_by(10) {
        let delay = Duration::from_secs_f64(delay(millis as f64 / 1e3) / 1e3);
        let sent = Instant::from_millis(millis);
        queue.push(sent, sent + Duration::from_secs(5_000) + delay, BUSY);
    }
}

fn assert_ms(seconds: f64, millis: f64, tolerance: f64) {
    assert!((seconds * 1e3 - millis).abs() <= tolerance, "{:.3} ms is not {millis} ms", seconds * 1e3);
}

#[test]
fn the_queue_is_the_delay_above_the_least() {
    let mut queue = QueueDelay::new(QueueConfig::default());
    feed(&mut queue, 0, 1_000, |_| 50.0);
    assert_ms(queue.standing(), 0.0, 1e-6);
    feed(&mut queue, 1_000, 1_050, |_| 80.0);
    assert_ms(queue.standing(), 0.0, 1e-6);
    assert_ms(queue.recent(), 30.0, 1e-6);
    feed(&mut queue, 1_050, 1_300, |_| 80.0);
    assert_ms(queue.standing(), 30.0, 1e-6);
    assert_eq!(queue.busy_since(), Some(Instant::from_millis(5_001_080)));
    assert_eq!(queue.emptied(), Some(Instant::from_millis(990)));
    feed(&mut queue, 1_300, 1_310, |_| 40.0);
    assert_ms(queue.standing(), 0.0, 1e-6);
    assert_eq!(queue.busy_since(), None);
}

#[test]
fn the_least_is_forgotten_after_its_window() {
    let mut queue = QueueDelay::new(QueueConfig::default());
    feed(&mut queue, 0, 1_000, |_| 50.0);
    feed(&mut queue, 1_000, 30_000, |_| 150.0);
    assert_ms(queue.standing(), 100.0, 1e-6);
    feed(&mut queue, 30_000, 33_000, |_| 150.0);
    assert_ms(queue.standing(), 0.0, 1e-6);
}

#[test]
fn rebase_takes_the_standing_delay_as_the_base() {
    let mut queue = QueueDelay::new(QueueConfig::default());
    feed(&mut queue, 0, 1_000, |_| 50.0);
    feed(&mut queue, 1_000, 1_500, |_| 150.0);
    queue.rebase();
    assert_ms(queue.standing(), 0.0, 1e-6);
    feed(&mut queue, 1_500, 2_000, |_| 170.0);
    assert_ms(queue.standing(), 20.0, 1e-6);
    feed(&mut queue, 2_000, 2_010, |_| 60.0);
    assert_ms(queue.standing(), 0.0, 1e-6);
}

#[test]
fn a_drifting_clock_is_no_queue() {
    for ppm in [-150.0, 150.0] {
        let mut queue = QueueDelay::new(QueueConfig::default());
        // Empty every second, up to 20 ms of queue between.
        let delay = |time: f64| 500.0 + ppm * 1e-3 * time + 20.0 * (time * core::f64::consts::PI).sin().abs();
        feed(&mut queue, 0, 120_000, delay);
        assert!((queue.drift_ppm() - ppm).abs() < 10.0, "{} is not {ppm}", queue.drift_ppm());
        // Half a second after it was empty last.
        feed(&mut queue, 120_000, 120_510, delay);
        assert_ms(queue.recent(), 20.0, 0.5);
    }
}

#[test]
fn what_is_no_drift_is_not_taken_for_one() {
    let mut queue = QueueDelay::new(QueueConfig::default());
    // 1000 ppm, as no clock has.
    feed(&mut queue, 0, 50_000, |time| 100.0 + time);
    // A longer path.
    feed(&mut queue, 50_000, 150_000, |_| 200.0);
    assert!(queue.drift_ppm().abs() < 1.0, "{}", queue.drift_ppm());
}

#[test]
fn only_a_great_change_is_a_clock_jump() {
    let mut queue = QueueDelay::new(QueueConfig::default());
    let limit = Duration::from_secs(10);
    let at = Instant::from_millis;
    assert!(!queue.is_clock_jump(at(0), at(1 << 40), limit));
    feed(&mut queue, 0, 1_000, |_| 50.0);
    assert!(!queue.is_clock_jump(at(1_000), at(5_010_000), limit));
    assert!(queue.is_clock_jump(at(1_000), at(5_012_000), limit));
    assert!(queue.is_clock_jump(at(1_000), at(4_990_000), limit));
    queue.reset();
    assert!(!queue.is_clock_jump(at(1_000), at(4_990_000), limit));
}
