use rtc_core::bwe::{Estimate, PacketResult, SentPacket};
use rtc_core::time::Instant;

use super::*;

/// Sends at one rate whatever happens.
struct Fixed(Bitrate);

impl BandwidthEstimator for Fixed {
    fn on_sent(&mut self, _: SentPacket) {}

    fn on_feedback(&mut self, _: Instant, _: &[PacketResult]) {}

    fn estimate(&self) -> Estimate {
        Estimate::new(self.0).with_pacing(self.0 * 1.5)
    }
}

fn scenario(name: &str) -> &'static Scenario {
    scenarios::ALL.iter().find(|scenario| scenario.name == name).unwrap()
}

fn fixed(name: &str, kbps: u64) -> impl Fn(Figure) -> f64 {
    let scenario = scenario(name);
    let run = path::run(scenario, 1, &move || Box::new(Fixed(Bitrate::from_kbps(kbps)))).unwrap();
    move |figure| value(figure, scenario, &run).unwrap()
}

/// Half of the capacity uses half of it, with no queue but of packets behind each other.
#[test]
fn half_the_rate_is_half_the_utilization() {
    let value = fixed("bloated", 1_000);
    assert!((value(Figure::Utilization) - 50.0).abs() < 1.5, "{}", value(Figure::Utilization));
    assert!(value(Figure::QueueP99) < 10.0);
    assert_eq!((value(Figure::Loss), value(Figure::Padding)), (0.0, 0.0));
}

/// Twice the capacity fills the queue and loses half.
#[test]
fn twice_the_rate_fills_the_queue() {
    let value = fixed("shallow", 6_000);
    assert!((value(Figure::Loss) - 50.0).abs() < 2.0, "{}", value(Figure::Loss));
    assert!((25.0..=30.0).contains(&value(Figure::QueueP95)));
    assert!(value(Figure::Utilization) > 99.0);
}

#[test]
fn random_loss_is_measured_as_it_is_made() {
    let value = fixed("loss-10", 1_500);
    assert!((value(Figure::Loss) - 10.0).abs() < 1.0, "{}", value(Figure::Loss));
    assert!((value(Figure::Utilization) - 45.0).abs() < 1.5);
}

/// A flow that never asks for more shares nothing with TCP but what it sends.
#[test]
fn tcp_takes_what_is_left() {
    let value = fixed("rfc8867-5.6-queue300", 500);
    assert!((value(Figure::Share) - 25.0).abs() < 3.0, "{}", value(Figure::Share));
    assert!(value(Figure::QueueP95) > 150.0, "TCP fills the queue: {}", value(Figure::QueueP95));
}

#[test]
fn equal_flows_are_fair_and_a_rise_is_never_used_by_a_fixed_rate() {
    let value = fixed("rfc8867-5.2", 500);
    assert!(value(Figure::Fairness) > 0.999);
    assert!(value(Figure::Reach).is_nan());
}

#[test]
fn the_same_seed_gives_the_same_run() {
    let run = || path::run(scenario("rfc8867-5.7"), 3, &|| ours(LIMITS)).unwrap();
    let [first, second] = [run(), run()];
    assert_eq!(first.sent.len(), second.sent.len());
    assert_eq!(first.targets, second.targets);
    assert_eq!(first.tcp_delivered, second.tcp_delivered);
}

#[test]
fn names_are_unique_and_targets_are_measured() {
    for (index, scenario) in scenarios::ALL.iter().enumerate() {
        assert!(scenarios::ALL[..index].iter().all(|other| other.name != scenario.name));
        let figures = figures(scenario);
        assert!(scenario.targets.iter().all(|(figure, _)| figures.contains(figure)), "{}", scenario.name);
        for second in [scenario.rise, scenario.fall].into_iter().flatten() {
            assert!(scenario.forward.iter().any(|(step, _)| *step == second), "{}", scenario.name);
        }
    }
}
