use rtc_core::DataSize;
use rtc_core::bwe::{Ecn, SentPacket};
use rtc_core::testkit::rng::Rng;

use super::*;

const MS: Duration = Duration::from_millis(1);

/// One packet each 20 ms, its fate known at once; `lost` by number.
fn feed(estimator: &mut LossEstimator, range: core::ops::Range<u64>, mut lost: impl FnMut(u64) -> bool) {
    for id in range {
        let sent = Instant::ZERO + MS * 20 * u32::try_from(id).unwrap();
        let packet = SentPacket { id, sent, size: DataSize::from_bytes(100), probe: None };
        let received = (!lost(id)).then(|| sent + MS * 20);
        estimator.on_feedback(sent + MS * 40, &[PacketResult { packet, received, ecn: Ecn::NotEct }]);
    }
}

fn estimator() -> LossEstimator {
    LossEstimator::new(LossConfig::default()).unwrap()
}

#[test]
fn random_loss_is_found_with_bursts_as_chance_makes_them() {
    for loss in [0.05, 0.3, 0.7] {
        let (mut estimator, mut rng) = (estimator(), Rng::new(3));
        let (mut inside, mut sum, mut burst) = (0, 0.0, 0.0);
        for step in 0..50 {
            feed(&mut estimator, 300 + step * 300..600 + step * 300, |_| rng.bool(loss));
            let model = estimator.model();
            let (low, high) = model.interval();
            inside += u32::from((low..=high).contains(&loss));
            (sum, burst) = (sum + model.loss, burst + model.burst);
        }
        assert!((sum / 50.0 - loss).abs() < 0.03, "{loss}: {}", sum / 50.0);
        assert!((burst / 50.0 - 1.0 / (1.0 - loss)).abs() < 0.5, "{loss}: {}", burst / 50.0);
        assert!(inside >= 40, "{loss}: {inside} of 50 intervals hold the truth");
    }
}

#[test]
fn bursts_are_told_from_single_losses() {
    let mut estimator = estimator();
    feed(&mut estimator, 0..2_000, |id| id % 40 < 8);
    let model = estimator.model();
    assert!((model.loss - 0.2).abs() < 0.1 && (6.0..12.0).contains(&model.burst), "{model:?}");
}

/// 30 packets are 600 ms of voice.
#[test]
fn the_end_of_loss_is_seen_within_a_second() {
    let (mut estimator, mut rng) = (estimator(), Rng::new(5));
    feed(&mut estimator, 0..500, |_| rng.bool(0.5));
    assert!(estimator.model().loss > 0.4);
    feed(&mut estimator, 500..550, |_| false);
    assert!(estimator.model().loss < 0.03, "{:?}", estimator.model());
}

#[test]
fn sudden_loss_is_seen_within_a_second() {
    let mut estimator = estimator();
    feed(&mut estimator, 0..500, |_| false);
    feed(&mut estimator, 500..550, |id| id % 2 == 0);
    assert!(estimator.model().loss > 0.3, "{:?}", estimator.model());
}

#[test]
fn packets_too_late_to_be_of_use_are_lost() {
    let mut estimator = estimator();
    for id in 0..400 {
        let sent = Instant::from_millis(20 * id);
        let packet = SentPacket { id, sent, size: DataSize::from_bytes(100), probe: None };
        let delay = if id % 4 == 3 { 300 } else { 30 };
        let received = Some(sent + MS * delay);
        estimator.on_feedback(sent + MS * 400, &[PacketResult { packet, received, ecn: Ecn::NotEct }]);
    }
    assert!((estimator.model().loss - 0.25).abs() < 0.05, "{:?}", estimator.model());
}

#[test]
fn what_does_not_come_back_is_lost_on_the_way_back() {
    let config = LossConfig { feedback_interval: Some(MS * 10), ..LossConfig::default() };
    let mut estimator = LossEstimator::new(config).unwrap();
    // One of two arrives.
    (0..200).for_each(|n| estimator.on_feedback(Instant::from_millis(20 * n), &[]));
    assert!((estimator.model().reverse_loss - 0.5).abs() < 0.02);
    estimator.set_reverse_loss(0.1);
    assert_eq!(estimator.model().reverse_loss, 0.1);
}

#[test]
fn settings_out_of_range_are_refused() {
    let with = |change: fn(&mut LossConfig)| {
        let mut config = LossConfig::default();
        change(&mut config);
        LossEstimator::new(config).err().map(|error| error.to_string())
    };
    assert!(with(|config| config.assumed = 1.0).is_some());
    assert!(with(|config| config.recent = 5_000.0).is_some());
    assert!(with(|config| config.memory = f64::INFINITY).is_some());
    assert_eq!(with(|config| config.recent = 1.0), None);
}
