//! What must hold on certain networks, whatever the exact figures.

use core::time::Duration;

use rtc_core::testkit::netem::{Jitter, Loss, NetemConfig};
use rtc_core::testkit::signal::{Music, Sine, WhiteNoise};
use rtc_jitter::PulledKind;

use super::sim::{Heard, RATE, Scene, Tick, delayed, millis, ms, stalled};

fn jittered(jitter: Jitter) -> NetemConfig {
    let mut network = NetemConfig::default();
    (network.jitter, network.reordering) = (jitter, true);
    network
}

#[test]
fn a_perfect_network_costs_nothing_but_the_least_delay() {
    let heard = Scene::new(NetemConfig::default()).run();
    assert_eq!(heard.stats.concealed_samples, 0);
    let settled: Vec<Duration> = heard.since(5.0).map(|tick| tick.target).collect();
    assert!(settled.iter().all(|target| *target == ms(5)), "at its least within 5 s");
    assert!(heard.since(8.0).all(|tick| tick.delay <= Some(ms(20))), "and so is the delay within 8 s");
}

#[test]
fn jitter_up_to_a_tenth_of_a_second_is_absorbed() {
    for seed in 0..5 {
        let mut scene = Scene::new(jittered(Jitter::Uniform { max: ms(100) }));
        scene.seed = seed;
        let heard = scene.run();
        assert!(heard.concealed() < 0.5, "seed {seed}: {} %", heard.concealed());
        assert!(heard.mean_delay() < 120.0, "seed {seed}: {} ms", heard.mean_delay());
    }
}

/// Seconds after the stall that the delay is within 20 ms of what it was before, for good.
fn recovery(heard: &Heard, stall: f64, end: f64) -> f64 {
    let before = heard.ticks.iter().rev().filter(|tick| tick.at.as_secs_f64() < stall).find_map(|tick| tick.delay);
    let limit = before.unwrap() + ms(20);
    let late = heard.since(end).filter(|tick| tick.delay.is_none_or(|delay| delay > limit)).last();
    late.map_or(0.0, |tick| tick.at.as_secs_f64() - end)
}

#[test]
fn after_a_stall_of_a_second_the_delay_is_back_in_four() {
    let music = Music::new(RATE, 1).take(320_000).map(|[left, _]| left).collect();
    let noise = WhiteNoise::new(1, 0.1).take(320_000).collect();
    let tone = Sine::new(RATE, 440.0, 0.4).take(320_000).collect();
    let speech = Scene::new(NetemConfig::default()).voice;
    for (name, voice) in [("speech", speech), ("music", music), ("noise", noise), ("tone", tone)] {
        for at in [6_000, 20_000, 33_480] {
            let mut scene = Scene::new(stalled(at, 1_000));
            scene.voice = voice.clone();
            let heard = scene.run();
            let at = at as f64 / 1e3;
            let seconds = recovery(&heard, at, at + 1.0);
            assert!(seconds <= 4.0, "{name} at {at} s: {seconds} s");
            assert!(
                heard.since(at + 1.01).all(|tick| tick.kind != PulledKind::Concealed),
                "{name}: nothing more is missing"
            );
            assert_eq!(heard.stats.packets.packets_discarded(), 0, "{name}: nothing is left out");
        }
    }
}

#[test]
fn one_late_packet_changes_nothing_for_the_others() {
    let mut network = delayed(|sent| if sent == 30_000 { 1_000 } else { 0 });
    network.reordering = true;
    let heard = Scene::new(network).run();
    let before = heard.ticks.iter().rfind(|tick| tick.at < ms(29_900)).unwrap();
    assert!(heard.since(32.0).all(|tick| tick.delay <= before.delay.map(|delay| delay + ms(21))));
    assert!(heard.since(32.0).all(|tick| tick.target == before.target));
}

#[test]
fn loss_is_made_up_for_and_nothing_else_is() {
    for (loss, seed) in [(0.1, 1), (0.1, 2), (0.3, 1), (0.3, 2)] {
        let mut network = NetemConfig::default();
        network.loss = Loss::Bernoulli(loss);
        let mut scene = Scene::new(network);
        scene.seed = seed;
        let heard = scene.run();
        let lost =
            100.0 * heard.network.iter().filter(|delay| delay.is_none()).count() as f64 / heard.network.len() as f64;
        assert!(heard.concealed() < lost + 0.2, "{} % for {lost} %", heard.concealed());
        assert!(heard.mean_delay() < 20.0, "{} ms", heard.mean_delay());
    }
}

#[test]
fn pauses_that_are_not_sent_are_no_losses() {
    let mut scene = Scene::new(jittered(Jitter::Uniform { max: ms(30) }));
    scene.dtx = true;
    let heard = scene.run();
    assert_eq!(heard.stats.packets.packets_missing, 0);
    let loud = heard.stats.concealed_samples - heard.stats.silent_concealed_samples;
    // The decoder of the test goes on for 60 ms where the talk breaks off.
    assert!(heard.percent(loud) < 3.0, "{} %", heard.percent(loud));
    assert!(heard.percent(heard.stats.silent_concealed_samples) > 5.0, "the talker does pause");
    assert!(heard.mean_delay() < 60.0, "{} ms", heard.mean_delay());
}

#[test]
fn clocks_that_differ_do_not_change_the_delay() {
    for ppm in [-500.0, 500.0] {
        let mut scene = Scene::new(NetemConfig::default());
        // In five minutes they are 150 ms apart; `score jitter` goes on for an hour.
        (scene.ppm, scene.length) = (ppm, ms(300_000));
        let heard = scene.run();
        // The listener's clock is fast: a second of the talker takes longer on it.
        let wrong = |tick: &Tick| (tick.skew - ppm).abs();
        assert!(heard.since(60.0).all(|tick| wrong(tick) <= 5.0), "{ppm} ppm: known within a minute");
        let settled = || heard.since(20.0);
        assert!(settled().all(|tick| tick.kind != PulledKind::Concealed), "{ppm} ppm: nothing is missing");
        let late = settled().filter_map(|tick| tick.delay).map(millis);
        let (least, most) = late.fold((f64::MAX, 0.0f64), |(least, most), delay| (least.min(delay), most.max(delay)));
        assert!(least > 0.0 && most - least < 10.0, "{ppm} ppm: {least} to {most} ms");
        let spliced =
            settled().filter(|tick| matches!(tick.kind, PulledKind::Accelerated | PulledKind::Stretched)).count();
        assert!(spliced <= 2, "{ppm} ppm: resampled, not cut: {spliced}");
    }
}

#[test]
fn adapting_beats_any_fixed_delay_where_the_network_changes() {
    let step = delayed(|sent| if sent >= 45_000 { 150 } else { 0 });
    let handovers = delayed(|sent| if sent / 10_000 % 4 == 3 { 100 } else { 0 });
    for (name, network) in [("step", step), ("handovers", handovers)] {
        let heard = Scene::new(network).run();
        let fixed = heard.best_fixed_delay(heard.concealed());
        let adaptive = heard.mean_delay();
        assert!(adaptive < 0.6 * fixed, "{name}: {adaptive} ms, {fixed} ms fixed");
    }
}

#[test]
fn a_device_that_asks_in_bursts_costs_no_more_than_their_length() {
    for burst in [2, 4] {
        let mut scene = Scene::new(NetemConfig::default());
        scene.burst = burst;
        let heard = scene.run();
        assert_eq!(heard.stats.concealed_samples, 0);
        let settled: Vec<f64> = heard.since(8.0).filter_map(|tick| tick.delay).map(millis).collect();
        let (mean, length) = (rtc_core::testkit::metrics::mean(&settled), 10.0 * f64::from(burst));
        assert!(mean < 20.0 + length, "{burst} at once: {mean} ms");
        let changed = heard.stats.inserted_samples_for_deceleration;
        assert!(heard.percent(changed) < 0.1, "{burst} at once: {} % put in", heard.percent(changed));
    }
}

#[test]
fn a_long_silence_of_the_network_ends_in_silence() {
    let mut network = NetemConfig::default();
    network.outages = vec![rtc_core::testkit::netem::Outage { from: ms(20_000), length: ms(8_000) }];
    let heard = Scene::new(network).run();
    let quiet = heard.ticks.iter().filter(|tick| (ms(20_500)..ms(28_000)).contains(&tick.at));
    assert!(quiet.clone().all(|tick| tick.kind == PulledKind::Silence));
    assert!(heard.since(28.2).all(|tick| tick.delay.is_some_and(|delay| delay < ms(60))));
}
