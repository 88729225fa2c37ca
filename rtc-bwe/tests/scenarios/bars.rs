//! What no change of the algorithm may fall short of, whatever the table says.

use core::time::Duration;

use rtc_bwe::LossModel;
use rtc_core::Bitrate;
use rtc_core::bwe::BandwidthEstimator;
use rtc_core::time::Instant;

use crate::run::{Run, Scenario};
use crate::{SEEDS, list, percentile, run, seconds};

fn scenario(name: &str) -> Scenario {
    list::scenarios().into_iter().find(|scenario| scenario.name == name).unwrap()
}

/// All seeds of a scenario, run to its end.
fn runs(name: &str) -> impl Iterator<Item = Run> {
    let scenario = scenario(name);
    (0..SEEDS).map(move |seed| run(&scenario, seed, scenario.seconds))
}

fn kbps(kbps: u64) -> Bitrate {
    Bitrate::from_kbps(kbps)
}

/// The targets between two moments: least and greatest.
fn targets(run: &Run, from: Instant, to: Instant) -> (Bitrate, Bitrate) {
    let within = run.flows[0].sender.targets.iter().filter(|(at, _)| from <= *at && *at < to);
    within.fold((Bitrate::MAX, Bitrate::ZERO), |(least, most), (_, target)| (least.min(*target), most.max(*target)))
}

fn assert_uses(run: &Run, from: u64, to: u64, least: f64) {
    let utilization = run.utilization(seconds(from), seconds(to));
    assert!(utilization >= least, "{utilization} % between {from} and {to} s");
}

fn assert_queue(run: &Run, from: u64, to: u64, share: f64, most_ms: f64) {
    let delay = percentile(&run.queue_delays(seconds(from), seconds(to)), share);
    assert!(delay <= most_ms, "{delay} ms of queue between {from} and {to} s");
}

#[test]
fn rfc8867_s5_1_variable_capacity_is_used_with_a_short_queue() {
    for run in runs("rfc8867 5.1") {
        assert_uses(&run, 0, 100, 95.0);
        assert_queue(&run, 0, 100, 0.95, 40.0);
        assert_queue(&run, 0, 100, 0.99, 150.0);
        for (from, rate) in [(0, 1_000), (40, 2_500), (80, 1_000)] {
            let reached = run.reach(seconds(from), kbps(rate) * 0.9).expect("reaches the capacity");
            assert!(reached <= Duration::from_millis(2_500), "{reached:?} to reach {rate} kb/s");
        }
    }
}

#[test]
fn jitter_is_no_queue() {
    for run in runs("rfc8867 5.1, jitter 30") {
        assert_uses(&run, 0, 100, 90.0);
        assert_queue(&run, 0, 100, 0.95, 40.0);
    }
}

#[test]
fn a_drop_of_capacity_is_followed_and_its_queue_drained_within_a_second() {
    for run in runs("step 4-0.8-4") {
        // The search for more goes a little over it.
        let (_, most) = targets(&run, seconds(30) + Duration::from_millis(400), seconds(60));
        assert!(most <= kbps(1_040), "{most}");
        assert_queue(&run, 31, 60, 1.0, 80.0);
        assert_uses(&run, 32, 60, 90.0);
        let reached = run.reach(seconds(60), kbps(3_600)).expect("reaches the capacity");
        assert!(reached <= Duration::from_secs(3), "{reached:?}");
    }
}

#[test]
fn random_loss_is_borne_and_reported() {
    for (name, loss, least) in [("loss 2 %", 0.02, 93.0), ("loss 10 %", 0.1, 85.0), ("loss 30 %", 0.3, 80.0)] {
        for run in runs(name) {
            assert_uses(&run, 0, 60, least);
            assert_queue(&run, 0, 60, 0.95, 60.0);
            let reported = f64::from(run.flows[0].sender.estimator.estimate().random_loss);
            assert!((reported - loss).abs() < 0.035, "{name}: {reported}");
        }
    }
}

#[test]
fn other_models_of_loss_are_a_choice() {
    for (model, least, most) in
        [(LossModel::Likelihood, 80.0, 100.0), (LossModel::Rule, 10.0, 85.0), (LossModel::Ignore, 85.0, 100.0)]
    {
        let mut scenario = scenario("loss 10 %");
        scenario.config.loss.model = model;
        let run = run(&scenario, 0, 40);
        let utilization = run.utilization(seconds(0), seconds(40));
        assert!((least..=most).contains(&utilization), "{model:?}: {utilization}");
    }
}

#[test]
fn a_policer_is_found_out() {
    for run in runs("queue 5 ms") {
        assert_uses(&run, 0, 60, 85.0);
        assert!(run.loss() < 2.0, "{} % lost", run.loss());
    }
}

#[test]
fn the_rate_is_back_soon_after_an_outage_a_stall_or_a_longer_path() {
    for name in ["outage 3 s", "stall 3 s", "delay +100 ms", "delay -100 ms", "clock jumps back", "clock jumps 1 s"] {
        for run in runs(name) {
            let reached = run.reach(seconds(33), kbps(1_800)).expect("reaches the capacity");
            assert!(reached <= Duration::from_secs(3), "{name}: {reached:?}");
            assert_uses(&run, 36, 60, 94.0);
            assert_queue(&run, 36, 60, 0.95, 40.0);
        }
    }
}

#[test]
fn sources_and_distances_may_be_other_ones() {
    for (name, least, most_ms) in [
        ("camera 5.1", 88.0, 60.0),
        ("camera 3 Mb/s", 90.0, 60.0),
        ("rtt 10 ms", 95.0, 40.0),
        ("rtt 300 ms", 93.0, 40.0),
    ] {
        for run in runs(name) {
            assert_uses(&run, 0, scenario(name).seconds, least);
            assert_queue(&run, 0, scenario(name).seconds, 0.95, most_ms);
        }
    }
}

#[test]
fn marks_are_heeded() {
    for (name, least) in [("codel, ecn", 90.0), ("marks above 1 ms", 88.0)] {
        for run in runs(name) {
            assert_uses(&run, 0, 60, least);
            assert_queue(&run, 0, 60, 0.95, 40.0);
            assert!(run.flows[0].sender.estimator.stats().congestion_marks > 0);
        }
    }
}

#[test]
fn lost_and_late_feedback_is_borne() {
    for name in ["feedback loss 30 %", "feedback reordered", "reordering 20 ms"] {
        for run in runs(name) {
            assert_uses(&run, 0, 60, 90.0);
            assert_queue(&run, 0, 60, 0.95, 40.0);
        }
    }
}

#[test]
fn audio_has_its_rate_wherever_it_fits_and_what_there_is_elsewhere() {
    // A test of loss may lower the rate for a moment.
    for (name, bound) in [("audio 1 Mb/s", 64), ("audio 1 Mb/s, jitter 30", 64), ("audio loss 10 %", 45)] {
        for run in runs(name) {
            let (least, _) = targets(&run, seconds(5), seconds(60));
            assert!(least >= kbps(bound), "{name}: {least}");
            let fits = run.flows[0].sender.targets.iter().filter(|(_, target)| *target >= kbps(64)).count();
            assert!(fits * 10 >= run.flows[0].sender.targets.len() * 9, "{name}");
        }
    }
    for run in runs("audio 1000-40 kb/s") {
        let (least, most) = targets(&run, seconds(31), seconds(60));
        assert!(least >= kbps(16) && most <= kbps(60), "{least} to {most}");
        assert_uses(&run, 32, 60, 85.0);
        // Two packets, of 40 ms each.
        assert_queue(&run, 32, 60, 0.95, 80.0);
    }
    for run in runs("audio 40-1000 kb/s") {
        let reached = run.reach(seconds(30), kbps(64)).expect("reaches its rate");
        assert!(reached <= Duration::from_secs(3), "{reached:?}");
    }
}

#[test]
fn an_estimate_that_is_not_used_does_not_grow_without_bound() {
    let mut scenario = scenario("audio 1 Mb/s");
    scenario.config.probe.enabled = false;
    let run = run(&scenario, 0, 60);
    let (least, most) = targets(&run, seconds(5), seconds(60));
    assert!(least >= kbps(64) && most <= kbps(64) * 1.6, "{least} to {most}");
}

#[test]
fn flows_of_the_same_kind_share() {
    for (name, least) in [("rfc8867 5.2", 0.98), ("rfc8867 5.4", 0.98)] {
        for run in runs(name) {
            let end = scenario(name).seconds;
            let fairness = run.fairness(seconds(end * 2 / 3), seconds(end));
            assert!(fairness >= least, "{name}: {fairness}");
            assert_uses(&run, 0, end, 92.0);
        }
    }
}

#[test]
fn without_probes_the_start_takes_a_few_seconds() {
    let mut scenario = scenario("steady 3 Mb/s");
    scenario.config.probe.enabled = false;
    let run = run(&scenario, 0, 20);
    let reached = run.reach(seconds(0), kbps(2_700)).expect("reaches the capacity");
    assert!(reached <= Duration::from_secs(4), "{reached:?}");
}
