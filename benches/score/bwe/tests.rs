use rtc_core::Bitrate;
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
    Scenario::named(name).unwrap()
}

fn contender<'a>(make: &'a dyn Fn(Limits) -> Box<dyn BandwidthEstimator>) -> Contender<'a> {
    Contender { ecn: Ecn::Ect1, make }
}

fn fixed(name: &str, kbps: u64) -> impl Fn(Figure) -> f64 {
    let scenario = scenario(name);
    let make = move |_| Box::new(Fixed(Bitrate::from_kbps(kbps))) as Box<dyn BandwidthEstimator>;
    let run = path::run(scenario, 1, &contender(&make)).unwrap();
    move |figure| figures::value(figure, scenario, &run)
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

/// Who never asks for more than 0.2 Mb/s gets that in every second but for the 300 ms that a queue may grow by in it, and never has the link.
#[test]
fn short_transfers_take_little_from_who_asks_for_little() {
    let value = fixed("rfc8867-5.7", 200);
    assert!((140.0..200.0).contains(&value(Figure::Least)), "{}", value(Figure::Least));
    assert!(value(Figure::Recovery).is_nan());
    assert_eq!(value(Figure::Held), 0.0);
    let [typical, slow] = [Figure::TransferP50, Figure::TransferP95].map(&value);
    // Two to three round trips of 100 ms.
    assert!((0.2..0.5).contains(&typical) && slow > typical && slow < 2.0, "{typical} {slow}");
    // Ten users with 40 kB in some 10.3 s.
    assert!((200.0..400.0).contains(&value(Figure::TcpRate)), "{}", value(Figure::TcpRate));
}

#[test]
fn equal_flows_are_fair_and_a_rise_is_never_used_by_a_fixed_rate() {
    let value = fixed("rfc8867-5.2", 500);
    assert!(value(Figure::Fairness) > 0.999);
    assert!(value(Figure::Reach(0)).is_nan() && value(Figure::Reach(1)).is_nan());
}

#[test]
fn the_same_seed_gives_the_same_run() {
    let run = || path::run(scenario("rfc8867-5.7"), 3, &contender(&ours)).unwrap();
    let [first, second] = [run(), run()];
    assert_eq!(first.sent.len(), second.sent.len());
    assert_eq!(first.targets, second.targets);
    assert_eq!(first.tcp_delivered, second.tcp_delivered);
}

#[test]
fn names_are_unique_and_targets_are_measured() {
    for (index, scenario) in Scenario::all().enumerate() {
        assert!(Scenario::all().take(index).all(|other| other.name != scenario.name));
        let figures = figures::of(scenario);
        assert!(scenario.targets.iter().all(|(figure, _)| figures.contains(figure)), "{}", scenario.name);
        assert!(scenario.rises.len() <= 3);
        for second in scenario.rises.iter().copied().chain(scenario.fall) {
            assert!(scenario.forward.iter().any(|(step, _)| *step == second), "{}", scenario.name);
        }
    }
}

/// Half of what a policer lets through passes whole; twice of it loses half, and nothing waits.
#[test]
fn a_policer_lets_its_rate_through() {
    let value = fixed("policer", 1_000);
    assert!((value(Figure::Utilization) - 50.0).abs() < 1.5 && value(Figure::Loss) < 0.1);
    let value = fixed("policer", 4_000);
    assert!((value(Figure::Loss) - 50.0).abs() < 2.0, "{}", value(Figure::Loss));
    assert!(value(Figure::QueueP99) < 5.0);
}

/// ECT(1) overtakes the queue TCP makes, and its marks are reported.
#[test]
fn marks_come_back_in_feedback() {
    let scenario = scenario("l4s-cubic");
    let make = |_| Box::new(Fixed(Bitrate::from_kbps(5_000))) as Box<dyn BandwidthEstimator>;
    let run = path::run(scenario, 1, &contender(&make)).unwrap();
    assert!(figures::value(Figure::QueueP99, scenario, &run) < 10.0);
    let marked = run.calls.iter().filter_map(|call| match call {
        sender::Call::Feedback(_, results) => Some(results.iter().filter(|result| result.ecn == Ecn::Ce).count()),
        _ => None,
    });
    assert!(marked.sum::<usize>() > 100);
}

/// Half of the reports lost leaves half of the packets without a result; the path's detour shows as round trip.
#[test]
fn feedback_is_lost_and_detours_are_taken() {
    let make = |_| Box::new(Fixed(Bitrate::from_kbps(1_000))) as Box<dyn BandwidthEstimator>;
    let run = |name| path::run(scenario(name), 1, &contender(&make)).unwrap();
    let lossy = run("feedback-loss");
    let reported: usize = lossy
        .calls
        .iter()
        .map(|call| if let sender::Call::Feedback(_, results) = call { results.len() } else { 0 })
        .sum();
    assert!((reported as f64 / lossy.sent.len() as f64 - 0.5).abs() < 0.1, "{reported} of {}", lossy.sent.len());
    let trips = |calls: &[sender::Call], from: u64, to: u64| {
        let within = |at: &Instant| (from..to).contains(&at.as_millis());
        let trips = calls.iter().filter_map(|call| match call {
            sender::Call::Rtt(at, rtt) if within(at) => Some(rtt.as_secs_f64()),
            _ => None,
        });
        trips.fold(0.0, f64::max)
    };
    let detour = run("detour");
    let [before, during, after] =
        [(1_000, 19_000), (21_000, 39_000), (41_000, 59_000)].map(|(from, to)| trips(&detour.calls, from, to));
    assert!((during - before - 0.12).abs() < 0.03 && (after - before).abs() < 0.03, "{before} {during} {after}");
}

/// A flow that stays silent and comes back at a fixed rate has its share at once, or never.
#[test]
fn a_flow_returns_to_its_share() {
    let value = fixed("rfc8867-5.8", 1_100);
    assert!(value(Figure::Return) < 0.8, "{}", value(Figure::Return));
    assert!(fixed("rfc8867-5.8", 900)(Figure::Return).is_nan());
}
