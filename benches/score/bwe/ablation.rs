//! What each part of the default buys: the default with one part left out, over the cases that part is for.

use core::time::Duration;

use indicatif::ProgressBar;
use rtc_bwe::{Gcc, GccConfig};
use rtc_core::ConfigError;
use rtc_core::bwe::{BandwidthEstimator, Ecn};

use super::figures;
use super::path::{self, Contender};
use super::scenarios::{Figure, Scenario};
use crate::Options;
use crate::report::{Metric, Report, Setting};
use crate::subject::Limits;

/// A change of the default that leaves a part out.
type Without = (&'static str, fn(&mut GccConfig));

const WITHOUT: [Without; 14] = [
    ("ours", |_| ()),
    ("no probing", |config| config.probe.enabled = false),
    ("no initial probes", |config| config.probe.initial = false),
    ("no probes while it grows", |config| config.probe.growth = false),
    ("no micro-probes", |config| config.probe.micro = false),
    ("no window", |config| config.window = false),
    ("pacing at 1.1 always", |config| config.pacing_floor = config.pacing_factor),
    ("slow drain of queues", |config| config.aimd.drain = Duration::from_secs(2)),
    ("drains not foreseen", |config| config.aimd.ahead = false),
    ("no gradient", |config| config.trendline.enabled = false),
    ("no fairness", |config| config.aimd.fair = false),
    ("no competition", |config| config.compete.enabled = false),
    ("all loss is congestion", |config| config.loss.max_random = 0.0),
    ("marks as losses", |config| config.marks.scalable = false),
];

/// A column: of which scenario what is shown.
const COLUMNS: [(&str, Figure, Metric); 12] = [
    ("rfc8867-5.1", Figure::Utilization, Metric("5.1: used", "%")),
    ("rfc8867-5.1", Figure::QueueP95, Metric("queue p95", "ms")),
    ("rfc8867-5.1", Figure::QueueP99, Metric("p99", "ms")),
    ("step-1-2.5", Figure::Reach(0), Metric("1 to 2.5 Mb/s", "s")),
    ("step-4-0.8-4", Figure::Reach(0), Metric("0.8 to 4 Mb/s", "s")),
    ("step-4-0.8-4", Figure::Overshoot, Metric("4 to 0.8 Mb/s: overshoot", "ms")),
    ("loss-10", Figure::Utilization, Metric("10 % loss: used", "%")),
    ("rfc8867-5.4", Figure::Fairness, Metric("5.4: Jain", "")),
    ("rfc8867-5.6-queue300", Figure::Share, Metric("5.6: share", "%")),
    ("rfc8867-5.7", Figure::Held, Metric("5.7: half of the link", "% of seconds")),
    ("l4s", Figure::Utilization, Metric("L4S: used", "%")),
    ("l4s", Figure::QueueP99, Metric("L4S: queue p99", "ms")),
];

pub(super) fn run(options: &Options, bar: &ProgressBar) -> Report {
    let mut report = Report::new("bwe");
    let input = "the default with one part left out";
    let setting = Setting { scenario: "ablation".into(), input: input.into(), seeds: options.seeds };
    let wanted: Vec<&Without> = WITHOUT.iter().filter(|(name, _)| options.wants_subject(name)).collect();
    let mut names: Vec<&str> = COLUMNS.iter().map(|(scenario, ..)| *scenario).collect();
    names.dedup();
    bar.set_length((wanted.len() * names.len()) as u64 * options.seeds);
    for (name, change) in wanted {
        bar.set_message(*name);
        for scenario in names.iter().filter_map(|name| Scenario::named(name)) {
            match figures_of(scenario, *change, options.seeds, bar) {
                Ok(figures) => {
                    figures.into_iter().for_each(|(metric, value)| report.add(&setting, name, metric, value));
                }
                Err(error) => bar.suspend(|| eprintln!("{name}: {error}")),
            }
        }
    }
    report
}

/// The columns of one scenario, medians over seeds.
fn figures_of(
    scenario: &Scenario,
    change: fn(&mut GccConfig),
    seeds: u64,
    bar: &ProgressBar,
) -> Result<Vec<(Metric, f64)>, ConfigError> {
    let make = |limits| changed(limits, change);
    let contender = Contender { ecn: Ecn::Ect1, make: &make };
    let columns: Vec<_> = COLUMNS.iter().filter(|(name, ..)| *name == scenario.name).collect();
    let mut values = vec![Vec::new(); columns.len()];
    for seed in 0..seeds {
        let run = path::run(scenario, seed, &contender)?;
        for ((_, figure, _), values) in columns.iter().zip(&mut values) {
            values.push(figures::value(*figure, scenario, &run));
        }
        bar.inc(1);
    }
    Ok(columns.iter().zip(values).map(|((_, figure, metric), values)| (*metric, figure.over_seeds(values))).collect())
}

fn changed(limits: Limits, change: fn(&mut GccConfig)) -> Box<dyn BandwidthEstimator> {
    let mut config = GccConfig::default();
    (config.min, config.start, config.max) = (limits.min, limits.start, limits.max);
    change(&mut config);
    Box::new(Gcc::new(config).expect("each change leaves a possible configuration"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_change_is_possible_and_every_column_is_measured() {
        for (_, change) in WITHOUT {
            changed(Scenario::named("l4s").unwrap().limits(), change);
        }
        for (name, figure, _) in COLUMNS {
            let scenario = Scenario::named(name).unwrap();
            assert!(figures::of(scenario).contains(&figure), "{name}");
        }
    }
}
