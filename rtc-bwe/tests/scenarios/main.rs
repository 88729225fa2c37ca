//! Behaviour over emulated paths: a table a reviewer can read, and what it must never fall short of.

#![expect(clippy::unwrap_used, reason = "a scenario that cannot be set up is a failed test")]

mod bars;
mod flow;
mod list;
mod run;

use core::fmt::Write;
use core::time::Duration;

use rtc_core::Bitrate;
use rtc_core::testkit::netem::Link;
use rtc_core::time::Instant;

use flow::Source;
use run::{Run, Scenario};

const SEEDS: u64 = 3;

/// Medians over [`SEEDS`] runs. Utilization and loss in percent, queue delays of packets in ms, fairness by Jain's index over
/// the last third, and the seconds from each change of capacity until the target is within a tenth of it.
#[test]
fn table() {
    let head = ["utilization", "worst", "queue p50", "p95", "p99", "loss", "fairness"];
    let mut table = format!("{:24}", "scenario");
    for name in head {
        write!(table, "{name:>12}").unwrap();
    }
    table.push_str("  reach\n");
    for scenario in list::scenarios() {
        writeln!(table, "{}", row(&scenario)).unwrap();
    }
    insta::assert_snapshot!(table);
}

fn row(scenario: &Scenario) -> String {
    let (start, end) = (Instant::ZERO, seconds(scenario.seconds));
    let (mut numbers, mut reaches) = (vec![Vec::new(); 7], vec![Vec::new(); steps(scenario).len()]);
    for seed in 0..SEEDS {
        let run = run(scenario, seed, scenario.seconds);
        let utilization = run.utilization(start, end);
        let delays = run.queue_delays(start, end);
        let delays = [0.5, 0.95, 0.99].map(|share| percentile(&delays, share));
        let fairness = run.fairness(seconds(scenario.seconds * 2 / 3), end);
        let all = [utilization, utilization, delays[0], delays[1], delays[2], run.loss(), fairness];
        all.into_iter().zip(&mut numbers).for_each(|(number, column)| column.push(number));
        for (&(from, rate), column) in steps(scenario).iter().zip(&mut reaches) {
            column.push(run.reach(from, rate * 0.9).map_or(f64::INFINITY, |time| time.as_secs_f64()));
        }
    }
    let worst = numbers[1].iter().copied().fold(f64::INFINITY, f64::min);
    numbers[1] = vec![worst];
    let mut row = format!("{:24}", scenario.name);
    for (index, column) in numbers.into_iter().enumerate() {
        let digits = if index == 6 { 3 } else { 1 };
        write!(row, "{:12.digits$}", median(column)).unwrap();
    }
    row.push(' ');
    for column in reaches {
        write!(row, " {:.1}", median(column)).unwrap();
    }
    row.trim_end().to_owned()
}

/// Changes of capacity, if they are few and one flow can be expected to fill it.
fn steps(scenario: &Scenario) -> Vec<(Instant, Bitrate)> {
    match (&scenario.forward[0].1.link, &scenario.starts[..], scenario.source) {
        (Link::Schedule(schedule), [_], Source::Video) if schedule.steps().count() < 10 => {
            schedule.steps().map(|(from, rate)| (Instant::ZERO + from, rate)).collect()
        }
        _ => Vec::new(),
    }
}

fn run(scenario: &Scenario, seed: u64, until: u64) -> Run {
    let mut run = Run::new(scenario, seed);
    run.until(seconds(until));
    run
}

fn seconds(seconds: u64) -> Instant {
    Instant::ZERO + Duration::from_secs(seconds)
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// The least value that a share of all does not exceed, in ms.
fn percentile(sorted: &[Duration], share: f64) -> f64 {
    let rank = sorted.len() as f64 * share;
    let value = sorted.iter().zip(1_u32..).find(|(_, index)| f64::from(*index) >= rank).map(|(value, _)| *value);
    value.unwrap_or_default().as_secs_f64() * 1e3
}
