//! Several paths: what of a conversation is heard when one goes dark, gets worse, or comes back.

#![expect(clippy::unwrap_used, reason = "a test ends at the first surprise")]

use core::time::Duration;

use rtc_core::testkit::netem::{Jitter, Loss, NetemConfig, Outage};
use rtc_core::time::Instant;
use rtc_examples::paths::{Journey, Outcome, travel};
use rtc_transport::path::{Copies, PathChange, PathId, PathManagerConfig, Why};

const DARK: Duration = Duration::from_secs(5);

/// A direction of a path with this delay, and jitter of 3 ms.
fn link(delay_ms: u64) -> NetemConfig {
    let mut config = NetemConfig::default();
    config.delay = Duration::from_millis(delay_ms);
    config.jitter = Jitter::Exponential { mean: Duration::from_millis(3) };
    config
}

fn with(mut config: NetemConfig, edit: impl FnOnce(&mut NetemConfig)) -> NetemConfig {
    edit(&mut config);
    config
}

fn dark(config: NetemConfig, from: Duration, length: Duration) -> NetemConfig {
    with(config, |config| config.outages = vec![Outage { from, length }])
}

fn journey(paths: Vec<(NetemConfig, NetemConfig)>, seconds: u64) -> Journey {
    let (copies, length) = (Copies::AsNeeded, Duration::from_secs(seconds));
    Journey { paths, copies, config: PathManagerConfig::default(), length }
}

/// The direct path of 50 ms round trip goes dark a while after `DARK`, in both directions or only there.
fn goes_dark(seed: u64, loss: f64, both: bool, copies: Copies) -> (Instant, Outcome) {
    let from = DARK + Duration::from_micros(1_700 * seed);
    let lossy = |config| with(config, |config: &mut NetemConfig| config.loss = Loss::Bernoulli(loss));
    let there = dark(lossy(link(25)), from, Duration::from_secs(60));
    let back = if both { dark(lossy(link(25)), from, Duration::from_secs(60)) } else { lossy(link(25)) };
    let journey = Journey { copies, ..journey(vec![(there, back), (link(35), link(35))], 8) };
    (Instant::ZERO + from, travel(&journey, seed).unwrap())
}

#[test]
fn media_are_back_within_200_ms_of_darkness() {
    for (loss, both) in [(0.0, true), (0.0, false), (0.05, true)] {
        let mut restored: Vec<_> = (0..40)
            .map(|seed| {
                let (dark, outcome) = goes_dark(seed, loss, both, Copies::AsNeeded);
                outcome.restored(dark).unwrap()
            })
            .collect();
        restored.sort_unstable();
        assert!(restored[37] <= Duration::from_millis(200), "{loss} {both}: p95 {:?}", restored[37]);
    }
}

#[test]
fn of_audio_sent_twice_nothing_is_lost_in_the_dark() {
    for seed in 0..10 {
        let (_, outcome) = goes_dark(seed, 0.0, true, Copies::Two);
        let known = outcome.packets.len() - 10;
        assert!(outcome.packets[..known].iter().skip(10).all(|(_, arrived)| arrived.is_some()), "seed {seed}");
    }
}

#[test]
fn a_lossy_path_is_not_taken_for_dark() {
    let lossy = with(link(25), |config| config.loss = Loss::Bernoulli(0.3));
    let slow = link(250);
    let outcome = travel(&journey(vec![(lossy.clone(), lossy), (slow.clone(), slow)], 120), 3).unwrap();
    let dark = outcome.changes.iter().filter(|(_, change)| matches!(change, PathChange::Dark(PathId(0)))).count();
    assert!(dark <= 1, "{dark} times in two minutes: {:?}", outcome.changes);
}

#[test]
fn the_better_path_is_taken_after_a_while_and_nothing_is_lost_by_it() {
    let outcome = travel(&journey(vec![(link(120), link(120)), (link(30), link(30))], 20), 1).unwrap();
    let switches: Vec<_> = outcome.switches().collect();
    assert_eq!(switches.len(), 1, "{:?}", outcome.changes);
    assert!(switches[0] >= Instant::from_millis(3_000) && switches[0] < Instant::from_millis(4_500));
    assert!(outcome.lost() <= 7, "only what was under way at the end");
    let (first, last) = (outcome.packets[50], outcome.packets[900]);
    assert!(first.1.unwrap() - first.0 >= Duration::from_millis(120));
    assert!(last.1.unwrap() - last.0 < Duration::from_millis(60));
}

#[test]
fn two_paths_alike_do_not_take_turns() {
    let noisy =
        |mean| with(link(40), |config| config.jitter = Jitter::Exponential { mean: Duration::from_millis(mean) });
    let paths = vec![(noisy(8), noisy(8)), (noisy(8), noisy(8)), (noisy(8), noisy(8))];
    let outcome = travel(&journey(paths, 300), 5).unwrap();
    assert!(outcome.switches().count() <= 2, "{:?}", outcome.changes);
}

#[test]
fn a_path_that_comes_and_goes_is_trusted_less_each_time() {
    let mut outages = Vec::new();
    for second in (5..200).step_by(15) {
        outages.push(Outage { from: Duration::from_secs(second), length: Duration::from_secs(5) });
    }
    let flapping = with(link(20), |config| config.outages = outages);
    let outcome = travel(&journey(vec![(flapping.clone(), flapping), (link(80), link(80))], 200), 1).unwrap();
    let back = |from: u64, to: u64| {
        let during = |at: &Instant| (from * 1_000..to * 1_000).contains(&at.as_millis());
        outcome
            .changes
            .iter()
            .filter(|(at, change)| during(at) && matches!(change, PathChange::Switched { why: Why::Better, .. }))
            .count()
    };
    assert!(back(0, 100) <= 3 && back(100, 200) <= 1, "{:?}", outcome.changes);
}

#[test]
fn with_all_paths_dark_media_go_on_and_are_heard_again_at_once() {
    let from = DARK;
    let short = |delay| dark(link(delay), from, Duration::from_secs(4));
    let outcome = travel(&journey(vec![(short(25), short(25)), (short(35), short(35))], 15), 1).unwrap();
    let back = Instant::ZERO + from + Duration::from_secs(4);
    assert!(outcome.restored(back).unwrap() < Duration::from_millis(120));
}

#[test]
fn probes_cost_little() {
    let outcome = travel(&journey(vec![(link(25), link(25)), (link(35), link(35))], 60), 1).unwrap();
    // A request or an answer is 52 bytes with IP and UDP.
    let rate = outcome.probes * 52 * 8 / 60;
    assert!(rate <= 60_000, "{rate} b/s in both directions together");
}
