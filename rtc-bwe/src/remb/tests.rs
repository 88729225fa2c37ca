use super::*;

const SIZE: DataSize = DataSize::from_bytes(1_200);

fn estimator() -> ReceiverEstimator {
    ReceiverEstimator::new(ReceiverEstimatorConfig::default()).unwrap()
}

/// Sends at a rate over a link of a capacity, in kb/s, for so many seconds; both clocks go on from `from`.
fn transfer(estimator: &mut ReceiverEstimator, from: Instant, rate: u64, capacity: u64, seconds: u64) -> Instant {
    let (mut sent, mut free_at) = (from, from);
    while sent < from + Duration::from_secs(seconds) {
        free_at = free_at.max(sent) + Bitrate::from_kbps(capacity).time_for(SIZE);
        estimator.on_abs_send_time(free_at, AbsSendTime::from_instant(sent), SIZE);
        sent += Bitrate::from_kbps(rate).time_for(SIZE);
    }
    sent
}

#[test]
fn it_grows_while_packets_arrive_as_they_were_sent() {
    let mut estimator = estimator();
    transfer(&mut estimator, Instant::from_millis(5), 400, 10_000, 20);
    let estimate = estimator.estimate();
    assert!((Bitrate::from_kbps(560)..Bitrate::from_kbps(620)).contains(&estimate), "{estimate}");
    assert_eq!(estimator.stats().decreases, 0);
}

#[test]
fn a_growing_queue_lowers_it_below_the_capacity() {
    let mut estimator = estimator();
    let now = transfer(&mut estimator, Instant::from_millis(5), 1_000, 10_000, 20);
    transfer(&mut estimator, now, 1_000, 700, 3);
    let estimate = estimator.estimate();
    assert!(estimate < Bitrate::from_kbps(700), "{estimate}");
    assert!(estimator.stats().decreases > 0);
}

#[test]
fn absolute_send_time_wraps_unnoticed() {
    // 64 s is one turn: start at each quarter of it.
    let run = |from: u64| {
        let mut estimator = estimator();
        let now = transfer(&mut estimator, Instant::from_millis(from), 600, 10_000, 30);
        transfer(&mut estimator, now, 600, 500, 3);
        (estimator.stats().decreases, estimator.estimate())
    };
    let first = run(0);
    assert!([16_000, 48_000, 64_000, 640_000].into_iter().all(|from| {
        let other = run(from);
        // Send times are rounded to 4 us of a clock that is somewhere else.
        other.0 == first.0 && other.1.as_bps().abs_diff(first.1.as_bps()) < first.1.as_bps() / 50
    }));
}

#[test]
fn rtp_timestamps_serve_as_well_and_wrap() {
    let run = |first: u32| {
        let mut estimator = estimator();
        for frame in 0..900_u32 {
            let sent = Instant::from_millis(1_000) + Frequency::KHZ_90.duration_of(3_000 * u64::from(frame));
            // From the 600th frame on, a queue grows by 3 ms with each.
            let queue = 3 * u64::from(frame.saturating_sub(600));
            let time = RtpTime(first.wrapping_add(3_000 * frame));
            estimator.on_rtp_time(sent + Duration::from_millis(40 + queue), time, Frequency::KHZ_90, SIZE);
        }
        (estimator.stats(), estimator.estimate())
    };
    let usual = run(7);
    assert!(usual.0.decreases > 0, "{usual:?}");
    assert_eq!(usual, run(u32::MAX - 1_000_000));
}

#[test]
fn messages_go_out_each_interval_and_at_once_when_it_falls() {
    let mut estimator = estimator();
    assert_eq!((estimator.poll_timeout(), estimator.poll_remb(Instant::ZERO)), (None, None));
    let start = Instant::from_millis(10_000);
    let now = transfer(&mut estimator, start, 400, 10_000, 5);
    assert!(estimator.poll_remb(now).is_some());
    assert_eq!(estimator.poll_remb(now), None);
    assert_eq!(estimator.poll_timeout(), Some(now + Duration::from_secs(1)));
    let later = transfer(&mut estimator, now, 400, 250, 1);
    assert!(estimator.stats().decreases > 0);
    let told = estimator.poll_remb(later - Duration::from_millis(100));
    assert!(told.is_some_and(|rate| rate < Bitrate::from_kbps(300)), "{told:?}");
    assert_eq!(estimator.stats().messages, 2);
}

#[test]
fn a_pause_beyond_half_a_turn_is_a_new_beginning() {
    let mut estimator = estimator();
    let now = transfer(&mut estimator, Instant::ZERO, 400, 10_000, 5);
    let before = estimator.estimate();
    transfer(&mut estimator, now + Duration::from_secs(33), 400, 10_000, 5);
    assert_eq!(estimator.stats().restarts, 1);
    assert!(estimator.estimate() >= before);
}

#[test]
fn impossible_settings_are_refused() {
    let change = |change: fn(&mut ReceiverEstimatorConfig)| {
        let mut config = ReceiverEstimatorConfig::default();
        change(&mut config);
        ReceiverEstimator::new(config).is_err()
    };
    assert!(change(|config| config.min = Bitrate::ZERO));
    assert!(change(|config| config.beta = 0.0));
    assert!(change(|config| config.increase = f64::NAN));
    assert!(change(|config| config.interval = Duration::ZERO));
}
