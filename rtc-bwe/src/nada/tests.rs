use rtc_core::DataSize;
use rtc_core::bwe::Ecn;

use super::signal::{Observed, warp};
use super::*;

const STEP: Duration = Duration::from_millis(100);

fn config() -> NadaConfig {
    NadaConfig::default()
}

fn ms(seconds: f64) -> f64 {
    (seconds * 1e5).round() / 100.0
}

/// Feedback each 100 ms on 100 packets with a queue delay in ms; so many of them are lost, so many others marked.
fn observe(signal: &mut Signal, rounds: u64, queue_ms: f64, lost: u32, marked: u32) -> Observed {
    let mut observed = Observed { x: 0.0, clear: false };
    for round in 1..=rounds {
        let now = Instant::from_millis(1_000_000 + 100 * round);
        signal.open(now, config().window);
        (0..lost).for_each(|_| signal.on_lost());
        (lost..100).for_each(|index| signal.on_received(queue_ms / 1e3, index < lost + marked));
        observed = signal.observe(now, &config());
    }
    observed
}

#[test]
fn rfc8698_s4_1_default_parameters() {
    let config = config();
    assert_eq!((config.priority, config.kappa, config.eta), (1.0, 0.5, 2.0));
    assert_eq!((config.gamma_max, config.loss_memory, config.lambda), (0.5, 7.0, 0.5));
    assert_eq!((config.loss_reference, config.mark_reference), (0.01, 0.01));
    let times = [
        (config.x_ref, 10),
        (config.tau, 500),
        (config.delta, 100),
        (config.window, 500),
        (config.queue_epsilon, 10),
        (config.filter_delay, 120),
        (config.queue_bound, 50),
        (config.queue_threshold, 50),
        (config.loss_penalty, 10),
        (config.mark_penalty, 2),
    ];
    assert!(times.into_iter().all(|(time, ms)| time == Duration::from_millis(ms)));
    assert_eq!(config.reference_rate, Bitrate::from_kbps(1_500));
}

#[test]
fn rfc8698_s4_2_a_queue_above_the_threshold_counts_for_less() {
    let config = config();
    assert_eq!(ms(warp(0.04, &config)), 40.0);
    assert_eq!(ms(warp(0.05, &config)), 50.0);
    assert_eq!(ms(warp(0.1, &config)), ms(0.05 * (-0.5_f64).exp()));
    assert!(warp(0.3, &config) < warp(0.2, &config));
}

#[test]
fn rfc8698_s4_2_only_while_loss_is_recent() {
    let mut signal = Signal::new();
    assert_eq!(ms(observe(&mut signal, 1, 200.0, 0, 0).x), 200.0);
    // Losses 50 packets apart are recent for 350 packets.
    let mut signal = Signal::new();
    signal.open(Instant::from_millis(1_000_000), config().window);
    for _ in 0..4 {
        (0..49).for_each(|_| signal.on_received(0.2, false));
        signal.on_lost();
    }
    let (loss, now) = (signal.observe(Instant::from_millis(1_000_000), &config()), Instant::from_millis(1_000_000));
    assert!(loss.x < 0.1, "{loss:?}");
    (0..340).for_each(|_| signal.on_received(0.2, false));
    assert!(signal.observe(now, &config()).x < 0.1);
    (0..20).for_each(|_| signal.on_received(0.2, false));
    assert!(signal.observe(now, &config()).x > 0.2);
}

#[test]
fn rfc8698_s4_2_loss_and_marks_stand_for_delay_by_their_squares() {
    assert_eq!(ms(observe(&mut Signal::new(), 200, 0.0, 0, 3).x), 18.0);
    assert_eq!(ms(observe(&mut Signal::new(), 200, 5.0, 2, 0).x), 45.0);
    assert_eq!(ms(observe(&mut Signal::new(), 200, 5.0, 50, 0).x), 500.0, "no higher than x_max");
}

#[test]
fn rfc8698_s4_2_ramping_up_takes_a_window_without_loss_and_queue() {
    assert!(observe(&mut Signal::new(), 6, 9.0, 0, 0).clear);
    assert!(!observe(&mut Signal::new(), 6, 11.0, 0, 0).clear);
    assert!(!observe(&mut Signal::new(), 6, 0.0, 1, 0).clear);
    assert!(!observe(&mut Signal::new(), 6, 0.0, 0, 1).clear, "nor marks, which the RFC does not say");
    let mut signal = Signal::new();
    observe(&mut signal, 1, 0.0, 1, 0);
    assert!(!observe(&mut signal, 5, 0.0, 0, 0).clear);
    assert!(observe(&mut signal, 7, 0.0, 0, 0).clear);
}

#[test]
fn rfc8698_s5_1_1_the_least_of_fifteen_delays_counts() {
    let mut signal = Signal::new();
    signal.open(Instant::ZERO, config().window);
    signal.on_received(0.003, false);
    (0..14).for_each(|_| signal.on_received(0.08, false));
    assert_eq!(signal.queue(), 0.003);
    signal.on_received(0.08, false);
    assert_eq!(signal.queue(), 0.08);
}

#[test]
fn rfc8698_s5_1_2_a_new_share_of_loss_weighs_a_tenth() {
    let mut signal = Signal::new();
    observe(&mut signal, 1, 0.0, 20, 40);
    assert!((signal.loss() - 0.02).abs() < 1e-9 && (signal.marks() - 0.04).abs() < 1e-9);
}

/// An estimator at a rate in kb/s with a round-trip time, whose last signal was `x_ms`.
fn nada(kbps: u64, rtt_ms: u64, x_ms: f64) -> Nada {
    let mut nada = Nada::new(config()).unwrap();
    nada.set_rate(Bitrate::from_kbps(kbps));
    (nada.round_trip, nada.x) = (Duration::from_millis(rtt_ms).as_secs_f64(), x_ms / 1e3);
    nada
}

#[test]
fn rfc8698_s4_3_the_ramp_is_bounded_by_the_queue_it_may_cause() {
    assert_eq!(nada(300, 280, 0.0).ramp(), 0.1);
    let mut fast = nada(300, 0, 0.0);
    fast.config.filter_delay = Duration::from_millis(1);
    fast.config.delta = Duration::from_millis(1);
    assert_eq!(fast.ramp(), 0.5);
}

#[test]
fn rfc8698_s4_3_the_gradual_update_follows_offset_and_change() {
    // At the reference rate 10 ms are accepted: nothing to do.
    let still = nada(1_500, 100, 10.0).relative_decrease(0.01, STEP);
    assert!(still.abs() < 1e-12);
    // 60 ms: offset 50 of 500 ms for a fifth of TAU, and a change of 50 ms.
    let decrease = nada(1_500, 100, 10.0).relative_decrease(0.06, STEP);
    assert!((decrease - (0.5 * 0.2 * 0.1 + 0.5 * 2.0 * 0.1)).abs() < 1e-12, "{decrease}");
    // Half the rate accepts twice the congestion.
    let lower = nada(750, 100, 20.0).relative_decrease(0.02, STEP);
    assert!(lower.abs() < 1e-12);
}

#[test]
fn rfc8698_s4_3_the_rate_is_clipped_to_its_range() {
    let mut nada = nada(300, 100, 0.0);
    nada.set_rate(Bitrate::from_kbps(90_000));
    assert_eq!(nada.estimate().target, config().max);
    nada.set_rate(Bitrate::ZERO);
    assert_eq!(nada.estimate().target, config().min);
}

/// Sends 1 kB each 10 ms over a path with a queue delay that depends on the packet, with feedback each 100 ms.
fn drive(nada: &mut Nada, packets: core::ops::Range<u64>, queue_ms: impl Fn(u64) -> u64) {
    let mut results = Vec::new();
    for id in packets {
        let sent = Instant::from_millis(10 * id);
        let packet = SentPacket { id, sent, size: DataSize::from_bytes(1_000), probe: None };
        nada.on_sent(packet);
        let received = Some(sent + Duration::from_millis(5_000 + queue_ms(id)));
        results.push(PacketResult { packet, received, ecn: Ecn::NotEct });
        if id % 10 == 9 {
            nada.on_feedback(sent + Duration::from_millis(60), &results);
            results.clear();
        }
    }
}

#[test]
fn rfc8698_s4_3_without_congestion_the_rate_is_above_what_is_delivered() {
    let mut nada = nada(300, 100, 0.0);
    drive(&mut nada, 0..200, |_| 0);
    assert_eq!(nada.snapshot().mode, NadaMode::AcceleratedRampUp);
    let target = nada.estimate().target.as_bps_f64();
    assert!((1.1 * 800_000.0..1.5 * 800_000.0).contains(&target), "{target}");
}

#[test]
fn a_growing_queue_lowers_the_rate_and_its_end_raises_it() {
    let mut nada = nada(800, 100, 0.0);
    drive(&mut nada, 0..100, |_| 0);
    let before = nada.estimate().target;
    drive(&mut nada, 100..300, |id| id - 100);
    let congested = nada.estimate().target;
    assert_eq!(nada.snapshot().mode, NadaMode::GradualUpdate);
    assert!(congested < before * 0.8, "{before} {congested}");
    drive(&mut nada, 300..500, |_| 0);
    assert!(nada.estimate().target > congested * 1.2);
}

#[test]
fn what_is_not_sent_is_not_proven() {
    let mut nada = nada(800, 100, 0.0);
    drive(&mut nada, 0..10_000, |_| 0);
    assert!(nada.estimate().target <= Bitrate::from_kbps(1_201));
}

#[test]
fn impossible_settings_are_refused() {
    let refuses = |change: fn(&mut NadaConfig)| {
        let mut config = config();
        change(&mut config);
        Nada::new(config).is_err()
    };
    assert!(refuses(|config| config.min = Bitrate::ZERO));
    assert!(refuses(|config| config.tau = Duration::ZERO));
    assert!(refuses(|config| config.kappa = f64::NAN));
    assert!(refuses(|config| config.loss_reference = 0.0));
    assert!(refuses(|config| config.history = 0));
}
