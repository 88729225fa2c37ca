//! How the alternatives to `Gcc` behave over emulated paths: a table a reviewer can read, and what it must not fall short of.

#![expect(clippy::unwrap_used, reason = "a scenario that cannot be set up is a failed test")]

mod flow;
mod laws;

use core::fmt::Write;
use core::time::Duration;

use rtc_bwe::{Nada, NadaConfig, Scream, ScreamConfig};
use rtc_core::bwe::{BandwidthEstimator, Ecn};
use rtc_core::testkit::netem::{DualPi2Config, Jitter, Link, Loss, NetemConfig, Outage, QueueLimit};
use rtc_core::testkit::trace::RateSchedule;
use rtc_core::time::Instant;
use rtc_core::{Bitrate, DataSize};

use flow::{Outcome, Scenario, run};

const SEEDS: u64 = 3;
/// What comes before is the start, which has a column of its own.
pub(crate) const RAMP: Duration = Duration::from_secs(10);

type Make = (&'static str, fn() -> Box<dyn BandwidthEstimator>);

fn subjects() -> [Make; 2] {
    [
        ("nada", || Box::new(Nada::new(NadaConfig::default()).unwrap())),
        ("scream", || Box::new(Scream::new(ScreamConfig::default()).unwrap())),
    ]
}

fn scenarios() -> Vec<Scenario> {
    let outage = Outage { from: ms(20_000), length: ms(3_000) };
    let l4s = |name, forward| Scenario { ecn: Ecn::Ect1, feedback: ms(20), ..scenario(name, 40, forward) };
    vec![
        scenario("steady 1 Mb/s", 40, wired(1_000)),
        scenario("steady 10 Mb/s", 40, wired(10_000)),
        scenario("rfc8867 5.1", 100, changing(&[(0, 1_000), (40, 2_500), (60, 600), (80, 1_000)])),
        scenario("step 4-0.8-4", 90, changing(&[(0, 4_000), (30, 800), (60, 4_000)])),
        scenario("loss 2 %", 40, with(wired(3_000), |config| config.loss = Loss::Bernoulli(0.02))),
        scenario("loss 10 %", 40, with(wired(3_000), |config| config.loss = Loss::Bernoulli(0.1))),
        scenario("queue 30 ms", 40, with(wired(3_000), |config| config.queue = QueueLimit::Time(ms(30)))),
        scenario("queue 2 s", 40, with(wired(2_000), |config| config.queue = QueueLimit::Time(ms(2_000)))),
        scenario("jitter 30 ms", 40, with(wired(3_000), |config| config.jitter = Jitter::Uniform { max: ms(30) })),
        scenario("outage 3 s", 40, with(wired(3_000), |config| config.outages = vec![outage])),
        Scenario { feedback_loss: 0.5, ..scenario("feedback loss 50 %", 40, wired(2_000)) },
        Scenario { starts: &[0, 10], ..scenario("two flows", 90, wired(4_000)) },
        l4s("l4s 5 Mb/s, 20 ms", l4s_link(5_000, 10)),
        l4s("l4s 10 Mb/s, 20 ms", l4s_link(10_000, 10)),
        l4s("l4s 10 Mb/s, 100 ms", l4s_link(10_000, 50)),
        Scenario { starts: &[0, 10], ..l4s("l4s two flows", l4s_link(10_000, 10)) },
    ]
}

/// What a subject must not fall short of where `name` begins a scenario's: least utilization in percent, most p95 and p99 of
/// queue delay in ms.
const BARS: [(&str, &str, f64, f64, f64); 10] = [
    ("steady 1 Mb/s", "nada", 95.0, 70.0, 95.0),
    ("rfc8867 5.1", "nada", 92.0, 80.0, 120.0),
    ("steady", "scream", 97.0, 45.0, 55.0),
    ("rfc8867 5.1", "scream", 94.0, 45.0, 60.0),
    ("queue 2 s", "scream", 97.0, 45.0, 55.0),
    ("jitter", "scream", 95.0, 30.0, 40.0),
    ("outage", "scream", 80.0, 45.0, 140.0),
    ("feedback loss", "scream", 95.0, 50.0, 65.0),
    ("two flows", "scream", 95.0, 45.0, 60.0),
    ("l4s", "scream", 88.0, 8.0, 10.0),
];

/// Medians over [`SEEDS`] runs, from [`RAMP`] on. Utilization and loss in percent, queue delays of packets in ms, fairness by
/// Jain's index over the last third; and the time in seconds until the target is 90 % of the first capacity.
#[test]
fn table() {
    let mut short = String::new();
    let mut table = format!("{:22}{:8}", "scenario", "subject");
    for name in ["utilization", "queue p50", "p95", "p99", "loss", "fairness", "reach"] {
        write!(table, "{name:>12}").unwrap();
    }
    table.push('\n');
    for scenario in scenarios() {
        for (name, make) in subjects() {
            let numbers = measure(&scenario, &make);
            write!(table, "{:22}{name:8}", scenario.name).unwrap();
            for (index, number) in numbers.into_iter().enumerate() {
                let digits = if index == 5 { 3 } else { 1 };
                write!(table, "{number:12.digits$}").unwrap();
            }
            table.push('\n');
            let ours = BARS.iter().filter(|bar| scenario.name.starts_with(bar.0) && bar.1 == name);
            for (_, _, utilization, p95, p99) in ours {
                let holds = numbers[0] >= *utilization && numbers[2] <= *p95 && numbers[3] <= *p99;
                if !holds {
                    writeln!(short, "{} {name}: {numbers:.1?}", scenario.name).unwrap();
                }
            }
        }
    }
    insta::assert_snapshot!(table);
    assert!(short.is_empty(), "below their bars:\n{short}");
}

fn measure(scenario: &Scenario, make: &dyn Fn() -> Box<dyn BandwidthEstimator>) -> [f64; 7] {
    let mut columns = [const { Vec::new() }; 7];
    for seed in 0..SEEDS {
        let outcome = run(scenario, seed, make);
        let late = outcome.delivered.iter().filter(|one| one.0 >= Instant::ZERO + RAMP);
        let delivered: DataSize = late.clone().map(|one| one.1).sum();
        let mut delays: Vec<_> = late.map(|one| one.2).collect();
        delays.sort();
        let percentile = |share: f64| {
            let rank = (delays.len() as f64 * share).ceil();
            let at = delays.iter().zip(1_u32..).find(|(_, index)| f64::from(*index) >= rank);
            at.map_or(0.0, |(delay, _)| delay.as_secs_f64() * 1e3)
        };
        let enough = outcome.first_capacity * 0.9;
        let reached = outcome.targets.iter().find(|(_, target)| *target >= enough);
        let numbers = [
            100.0 * delivered.as_bytes() as f64 / outcome.capacity.as_bytes() as f64,
            percentile(0.5),
            percentile(0.95),
            percentile(0.99),
            100.0 * outcome.lost,
            fairness(&outcome, scenario),
            reached.map_or(f64::INFINITY, |(at, _)| at.as_secs_f64()),
        ];
        columns.iter_mut().zip(numbers).for_each(|(column, number)| column.push(number));
    }
    columns.map(|mut column| {
        column.sort_by(f64::total_cmp);
        column[column.len() / 2]
    })
}

fn fairness(outcome: &Outcome, scenario: &Scenario) -> f64 {
    let from = Instant::ZERO + Duration::from_secs(scenario.seconds * 2 / 3);
    let share = |flow: usize| {
        let mine = outcome.delivered.iter().filter(|one| one.0 >= from && one.3 == flow);
        mine.map(|one| one.1.as_bytes() as f64).sum::<f64>()
    };
    let shares: Vec<_> = (0..scenario.starts.len()).map(share).collect();
    let squares: f64 = shares.iter().map(|share| share * share).sum();
    shares.iter().sum::<f64>().powi(2) / (shares.len() as f64 * squares)
}

const fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

fn with(mut config: NetemConfig, change: impl FnOnce(&mut NetemConfig)) -> NetemConfig {
    change(&mut config);
    config
}

/// RFC 8867: 50 ms one way, 300 ms of drop-tail queue; packet sizes hold all headers.
fn wired(kbps: u64) -> NetemConfig {
    with(NetemConfig::wired(Bitrate::from_kbps(kbps)), |config| config.overhead = DataSize::ZERO)
}

/// The dual queue of RFC 9332 in place of the drop-tail one.
fn l4s_link(kbps: u64, delay: u64) -> NetemConfig {
    with(wired(kbps), |config| {
        config.dualpi2 = Some(DualPi2Config::default());
        config.delay = ms(delay);
    })
}

/// Capacities in kb/s from a second on.
fn changing(steps: &[(u64, u64)]) -> NetemConfig {
    let steps: Vec<_> = steps.iter().map(|&(from, kbps)| (ms(1_000 * from), Bitrate::from_kbps(kbps))).collect();
    with(wired(1), |config| config.link = Link::Schedule(RateSchedule::new(&steps, None).unwrap()))
}

fn scenario(name: &'static str, seconds: u64, forward: NetemConfig) -> Scenario {
    Scenario { name, forward, ecn: Ecn::NotEct, feedback: ms(50), feedback_loss: 0.0, starts: &[0], seconds }
}
