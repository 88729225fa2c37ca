use proptest::prelude::*;

use super::*;

const MBIT: f64 = 1e6;

/// A path that loses: 200 packets a second, an update each 50 ms.
struct Path {
    loss: Loss,
    now: Instant,
    sent: u32,
}

impl Path {
    fn new() -> Self {
        Self { loss: Loss::new(LossConfig::default()), now: Instant::ZERO, sent: 0 }
    }

    /// Runs for `seconds` while `lost` tells from its number whether a packet is lost; the verdicts with their times in ms.
    fn run(&mut self, seconds: u64, queued: bool, lost: impl Fn(u32, Option<f64>) -> bool) -> Vec<(u64, Verdict)> {
        let end = self.now + Duration::from_secs(seconds);
        let mut verdicts = Vec::new();
        while self.now < end {
            verdicts.extend(self.step(queued, &lost).map(|verdict| (self.now.as_millis(), verdict)));
        }
        verdicts
    }

    fn step(&mut self, queued: bool, lost: impl Fn(u32, Option<f64>) -> bool) -> Option<Verdict> {
        for _ in 0..10 {
            self.now += Duration::from_millis(5);
            self.sent += 1;
            let is_lost = lost(self.sent, self.loss.limit());
            self.loss.push(self.now, is_lost, queued);
        }
        let rate = self.loss.limit().unwrap_or(MBIT).min(MBIT);
        self.loss.update(self.now, rate, MBIT)
    }

    /// Runs until there is this verdict.
    fn until(&mut self, verdict: Verdict, lost: impl Fn(u32, Option<f64>) -> bool) {
        let end = self.now + Duration::from_secs(60);
        while self.step(false, &lost) != Some(verdict) {
            assert!(self.now < end, "no {verdict:?}");
        }
    }
}

const fn one_in(period: u32) -> impl Fn(u32, Option<f64>) -> bool {
    move |number, _| number.is_multiple_of(period)
}

#[test]
fn loss_that_a_lower_rate_does_not_cure_is_random() {
    let mut path = Path::new();
    assert_eq!(path.run(3, false, one_in(u32::MAX)), []);
    let verdicts = path.run(5, false, one_in(5));
    let [(tested, Verdict::Testing), (judged, Verdict::Random)] = verdicts[..] else { panic!("{verdicts:?}") };
    assert!(tested <= 3_600, "half a second of it is enough: {tested}");
    assert!(judged - tested <= 1_100, "and so is the test: {judged}");
    assert_eq!(path.loss.limit(), None);
    path.run(5, false, one_in(5));
    assert!((path.loss.random() - 0.2).abs() < 0.01, "{}", path.loss.random());
    assert!((path.loss.fraction() - 0.2).abs() < 0.01);
}

#[test]
fn the_test_lowers_the_rate_to_what_was_delivered() {
    let mut path = Path::new();
    path.until(Verdict::Testing, one_in(5));
    let limit = path.loss.limit().unwrap() / MBIT;
    assert!((limit - 0.8).abs() < 0.02, "{limit}");
}

#[test]
fn loss_that_goes_away_with_the_rate_is_congestion() {
    let mut path = Path::new();
    let policer = |number: u32, limit: Option<f64>| limit.is_none() && number.is_multiple_of(3);
    path.until(Verdict::Testing, policer);
    path.until(Verdict::Congestion, policer);
    let limit = path.loss.limit().unwrap();
    // Held for two seconds, then grown by 8 % in one, 16 % in the next, until it limits no more than the delay does.
    path.run(2, false, policer);
    assert!((path.loss.limit().unwrap() - limit).abs() < 1e-6);
    path.run(1, false, policer);
    let grown = path.loss.limit().unwrap() / limit;
    assert!((1.08..1.14).contains(&grown), "{grown}");
    path.run(5, false, one_in(u32::MAX));
    assert_eq!(path.loss.limit(), None);
}

#[test]
fn a_limit_that_grows_too_early_is_kept_longer() {
    let mut path = Path::new();
    let policer =
        |number: u32, limit: Option<f64>| limit.is_none_or(|limit| limit > 0.85 * MBIT) && number.is_multiple_of(5);
    let mut holds = Vec::new();
    for _ in 0..6 {
        path.until(Verdict::Congestion, policer);
        let from = path.now;
        path.until(Verdict::Testing, policer);
        holds.push((path.now - from).as_secs());
    }
    assert!(holds.is_sorted(), "{holds:?}");
    assert!(holds[0] < 5 && (16..20).contains(&holds[5]), "{holds:?}");
}

#[test]
fn loss_with_a_queue_is_not_random_and_asks_for_no_test() {
    let mut path = Path::new();
    assert_eq!(path.run(10, true, one_in(4)), []);
    assert_eq!(path.loss.limit(), None);
    assert!((path.loss.fraction() - 0.25).abs() < 0.01);
    assert!(path.loss.random() < f64::EPSILON);
}

#[test]
fn more_than_can_be_random_is_congestion_all_the_same() {
    let mut path = Path::new();
    let verdicts = path.run(3, false, |number, _| !number.is_multiple_of(3));
    assert!(matches!(verdicts[..2], [(_, Verdict::Testing), (_, Verdict::Congestion)]), "{verdicts:?}");
    assert!(path.loss.limit().is_some_and(|limit| limit <= 0.5 * MBIT));
}

#[test]
fn an_outage_says_nothing() {
    let mut path = Path::new();
    path.run(2, false, one_in(u32::MAX));
    let outage = path.sent..path.sent + 600;
    assert_eq!(path.run(10, false, |number, _| outage.contains(&number)), []);
    assert!(path.loss.random() < f64::EPSILON);
}

#[test]
fn two_accidents_ask_for_no_test() {
    let mut path = Path::new();
    assert_eq!(path.run(10, false, |number, _| number % 400 < 10), []);
}

#[test]
fn a_packet_that_arrives_after_all_was_not_lost() {
    let mut path = Path::new();
    for _ in 0..40 {
        path.run(1, false, one_in(10));
        for _ in 0..20 {
            path.loss.recover();
        }
    }
    assert!(path.loss.random() < 0.08, "{}", path.loss.random());
}

#[test]
fn clumped_losses_vary_more_than_their_number_tells() {
    let observation = |lost, bursts| Observation { packets: 100, lost, bursts, ..Observation::default() };
    assert!((observation(10, 10).clumping() - 1.0).abs() < 1e-12);
    assert!((observation(10, 2).clumping() - 9.0).abs() < 1e-12);
    assert!((observation(0, 0).clumping() - 1.0).abs() < 1e-12);
}

/// At a third of the rate, 70 % are lost, and at half of it 40 %: that is less, but by no means what a random loss would leave.
#[test]
fn a_policer_far_below_the_rate_is_found_in_two_steps() {
    let policed = |number: u32, limit: Option<f64>| {
        let lost = 1.0 - (0.3 * MBIT / limit.unwrap_or(MBIT)).min(1.0);
        (lost * f64::from(number)).floor() > (lost * f64::from(number - 1)).floor()
    };
    let verdicts = Path::new().run(3, false, policed);
    let kinds: Vec<Verdict> = verdicts.iter().map(|(_, verdict)| *verdict).collect();
    assert_eq!(kinds, [Verdict::Testing, Verdict::Congestion, Verdict::Testing, Verdict::Congestion], "{verdicts:?}");
}

proptest! {
    /// Of two paths that were alike and lose some of the next 50 packets, each by itself, the one that loses more is never allowed more.
    /// Not so while the rate is on trial: loss that a lower rate does not cure is a reason for the rate before.
    #[test]
    fn more_loss_never_means_more_rate(
        seconds in 0..4_u64,
        period in 20..200_u32,
        fewer in 0..1_u32 << 25,
        others in 0..1_u32 << 25,
        model in prop_oneof![Just(LossModel::Experiment), Just(LossModel::Rule)],
    ) {
        let limit = |lost: u32| {
            let mut path = Path::new();
            path.loss = Loss::new(LossConfig { model, ..LossConfig::default() });
            path.run(seconds, false, one_in(period));
            let (was_testing, first) = (path.loss.is_testing(), path.sent + 1);
            // What nothing arrived after yet does not count yet, so the last before an update always arrives.
            let is_lost = |number: u32| {
                let place = number - first;
                place % 2 == 1 && place % 10 != 9 && lost >> (place / 2) & 1 == 1
            };
            // One observation ends in that time at most.
            for _ in 0..5 {
                path.step(false, |number, _| is_lost(number));
            }
            (!was_testing).then(|| path.loss.limit().unwrap_or(f64::INFINITY))
        };
        let (Some(less), Some(more)) = (limit(fewer), limit(fewer | others)) else { return Ok(()) };
        prop_assert!(more <= less, "{more} after more, {less} after less");
    }
}
