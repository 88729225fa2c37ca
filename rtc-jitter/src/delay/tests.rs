use super::*;

const MS: Nanos = 1_000_000;
const PTIME: Duration = Duration::from_millis(20);

/// A target, and how long it has learnt.
struct Learner {
    target: DelayTarget,
    now: Instant,
}

impl Learner {
    fn new(config: DelayConfig) -> Self {
        let policy = Box::new(LeastCost::new(config).unwrap());
        Self { target: DelayTarget::new(config, policy).unwrap(), now: Instant::ZERO }
    }

    fn target(&self, floor: Nanos) -> Nanos {
        nanos(self.target.aims(self.now, floor).0.delay)
    }
}

fn target() -> Learner {
    Learner::new(DelayConfig::default())
}

fn feed(learner: &mut Learner, delays: impl IntoIterator<Item = i64>) {
    for delay in delays {
        learner.now += PTIME;
        learner.target.observe(learner.now, delay * MS, PTIME, false);
    }
}

/// A permutation of 0..1000, scattered enough to stand for uniform jitter.
fn uniform(packets: i64) -> impl Iterator<Item = i64> {
    (0..packets).map(|packet| packet * 617 % 1_000)
}

#[test]
fn starts_at_the_start_delay() {
    assert_eq!(target().target(0), 60 * MS);
}

#[test]
fn a_perfect_network_reaches_the_minimum_in_four_seconds() {
    let mut target = target();
    feed(&mut target, [0; 200]);
    assert_eq!(target.target(0), 5 * MS);
}

#[test]
fn uniform_jitter_asks_for_its_range() {
    let mut target = target();
    feed(&mut target, uniform(1_500).map(|delay| delay / 10));
    assert_eq!(target.target(0), 100 * MS);
}

#[test]
fn one_outlier_changes_nothing() {
    let mut target = target();
    feed(&mut target, [0; 500]);
    let before = target.target(0);
    feed(&mut target, [1_000]);
    assert_eq!(target.target(0), before);
}

#[test]
fn one_stall_of_a_second_is_cheaper_to_suffer_than_to_wait_for() {
    for seconds in [5, 10, 20, 40, 80] {
        let mut target = target();
        feed(&mut target, core::iter::repeat_n(0, 50 * seconds));
        feed(&mut target, (0..50).map(|packet| 1_000 - 20 * packet));
        assert_eq!(target.target(0), 5 * MS, "after {seconds} s");
    }
}

#[test]
fn new_jitter_is_learnt_within_three_seconds() {
    let mut target = target();
    feed(&mut target, [0; 1_500]);
    feed(&mut target, uniform(150).map(|delay| delay / 10));
    assert!(target.target(0) >= 60 * MS, "{}", target.target(0) / MS);
}

#[test]
fn old_jitter_is_forgotten() {
    let mut target = target();
    feed(&mut target, uniform(3_000).map(|delay| delay / 5));
    assert_eq!(target.target(0), 200 * MS);
    feed(&mut target, [0; 6_000]);
    assert!(target.target(0) <= 20 * MS);
}

/// Seconds of calm after ten of packets 400 ms late until the target is 40 ms at most.
fn calm_after(config: DelayConfig) -> usize {
    let mut target = Learner::new(config);
    feed(&mut target, [10; 1_000]);
    feed(&mut target, [400; 500]);
    let second = |target: &mut Learner| {
        feed(target, [10; 50]);
        target.target(0)
    };
    1 + (1..60).take_while(|_| second(&mut target) > 40 * MS).count()
}

#[test]
fn a_bad_time_that_is_over_asks_for_nothing() {
    let config = DelayConfig::default();
    assert!((2..=3).contains(&calm_after(config)), "{}", calm_after(config));
    let unbounded = calm_after(DelayConfig { peak_window: Duration::ZERO, ..config });
    assert!(unbounded > 8, "{unbounded}");
    let dear = calm_after(DelayConfig { ms_per_loss_percent: 60.0, ..config });
    assert!((4..=5).contains(&dear), "loss is twice as dear: {dear}");
    let mut target = target();
    feed(&mut target, [10; 1_000]);
    feed(&mut target, [400; 500]);
    feed(&mut target, [10; 120]);
    assert_eq!(target.target.aims(target.now, 0).0.reason, Reason::Calm);
}

#[test]
fn the_quantile_holds_however_cheap_lateness_is() {
    let config = DelayConfig { ms_per_loss_percent: 0.0, ..DelayConfig::default() };
    let mut guarded = Learner::new(config);
    let mut unguarded = Learner::new(DelayConfig { quantile: 0.0, ..config });
    for target in [&mut guarded, &mut unguarded] {
        feed(target, uniform(3_000).map(|delay| delay / 10));
    }
    assert_eq!(guarded.target(0), 90 * MS);
    assert_eq!(unguarded.target(0), 5 * MS);
}

#[test]
fn limits_hold() {
    let config = DelayConfig { max_delay: Duration::from_millis(500), ..DelayConfig::default() };
    let mut bounded = Learner::new(config);
    feed(&mut bounded, uniform(3_000));
    assert_eq!(bounded.target(0), 500 * MS);
    assert_eq!(bounded.target(900 * MS), 500 * MS);

    let mut target = target();
    feed(&mut target, [0; 500]);
    target.target.set_min_delay(Duration::from_millis(150));
    assert_eq!(target.target(0), 150 * MS);
    assert_eq!(target.target(200 * MS), 205 * MS, "nothing comes with less");
}

#[test]
fn delays_beyond_the_range_share_the_last_bin() {
    let mut target = target();
    feed(&mut target, [10_000_000; 3_000]);
    assert_eq!(target.target(0), 2_000 * MS);
}

#[test]
fn a_slower_path_takes_the_target_along() {
    let mut target = target();
    feed(&mut target, [0; 500]);
    feed(&mut target, [100; 500]);
    assert_eq!(target.target(0), 105 * MS);
    target.target.rebase(100 * MS);
    assert!(target.target(0) >= 5 * MS);
    feed(&mut target, [0]);
    assert_eq!(target.target(0), 5 * MS);
}

#[test]
fn rescaling_changes_no_answer() {
    let mut target = target();
    // 30 s of memory grow the weight by e each 1 500 packets: 1e9 is passed several times.
    feed(&mut target, uniform(100_000).map(|delay| delay / 10));
    assert_eq!(target.target(0), 100 * MS);
}

#[test]
fn impossible_settings_are_named() {
    let broken = |change: fn(&mut DelayConfig)| {
        let mut config = DelayConfig::default();
        change(&mut config);
        LeastCost::new(config).map(|_| ()).map_err(|error| error.setting())
    };
    assert_eq!(broken(|config| config.max_delay = Duration::from_secs(5)), Err("max_delay"));
    assert_eq!(broken(|config| config.min_delay = Duration::from_secs(3)), Err("min_delay"));
    assert_eq!(broken(|config| config.ms_per_loss_percent = f64::NAN), Err("ms_per_loss_percent"));
    assert_eq!(broken(|config| config.quantile = 1.0), Err("quantile"));
    assert_eq!(broken(|config| config.memory = Duration::ZERO), Err("memory"));
    assert_eq!(broken(|config| config.recent = Duration::ZERO), Err("recent"));
    assert_eq!(broken(|config| config.peak_window = Duration::MAX), Err("peak_window"));
    assert_eq!(broken(|config| config.base_window = Duration::ZERO), Err("base_window"));
}
