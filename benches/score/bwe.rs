//! Bandwidth estimation: how much of a path is used, at what delay, how fairly, and what it costs.

use indicatif::ProgressBar;
use rtc_bwe::{Gcc, GccConfig};
use rtc_core::bwe::BandwidthEstimator;
use rtc_core::testkit::metrics::{jain_fairness, median};
use rtc_core::{Bitrate, ConfigError};

use crate::report::{Metric, Report, Setting};
use crate::subject::{Limits, MakeEstimator, Subject};
use crate::{Options, peers};

mod cost;
mod cubic;
mod curves;
mod metrics;
mod path;
mod receiver;
mod scenarios;
mod sender;

use path::{Packet, Run};
use scenarios::{Figure, Scenario};

/// What all estimators are told.
const LIMITS: Limits =
    Limits { min: Bitrate::from_kbps(50), start: Bitrate::from_kbps(300), max: Bitrate::from_kbps(20_000) };
/// The scenario whose calls the cost is measured on.
const COST_SCENARIO: &str = "steady-10";

pub(crate) fn run(options: &Options, bar: &ProgressBar) -> Report {
    let mut report = Report::new("bwe");
    let mut subjects = vec![Subject::ours(Box::new(ours) as MakeEstimator)];
    subjects.extend(peers::estimators());
    subjects.retain(|subject| options.wants_subject(&subject.name));
    let scenarios: Vec<&Scenario> =
        scenarios::ALL.iter().filter(|scenario| options.wants_scenario(scenario.name)).collect();
    let possible = subjects.iter().filter(|subject| subject.maker.is_ok()).count();
    bar.set_length((scenarios.len() * possible) as u64 * options.seeds);
    for scenario in scenarios {
        if let Err(error) = measure(scenario, &subjects, options, bar, &mut report) {
            bar.suspend(|| eprintln!("{}: {error}", scenario.name));
        }
    }
    report
}

fn ours(limits: Limits) -> Box<dyn BandwidthEstimator> {
    let mut config = GccConfig::default();
    (config.min, config.start, config.max) = (limits.min, limits.start, limits.max);
    Box::new(Gcc::new(config).expect("limits are in order"))
}

/// All subjects on one scenario.
fn measure(
    scenario: &Scenario,
    subjects: &[Subject<MakeEstimator>],
    options: &Options,
    bar: &ProgressBar,
    report: &mut Report,
) -> Result<(), ConfigError> {
    let setting = Setting { scenario: scenario.name.into(), input: scenario.input.into(), seeds: options.seeds };
    let mut curves = curves::Curves::new(scenario)?;
    for subject in subjects {
        let Some(make) = report.admit(subject) else { continue };
        bar.set_message(format!("{} {}", scenario.name, subject.name));
        let mut values: Vec<(Figure, Vec<f64>)> =
            figures(scenario).into_iter().map(|figure| (figure, Vec::new())).collect();
        for seed in 0..options.seeds {
            let run = path::run(scenario, seed, &|| make(LIMITS))?;
            for (figure, values) in &mut values {
                values.push(value(*figure, scenario, &run)?);
            }
            if seed == 0 {
                curves.add(&subject.name, scenario, &run);
                if scenario.name == COST_SCENARIO {
                    cost::add(report, &setting, subject, &run.calls, &|| make(LIMITS));
                }
            }
            bar.inc(1);
        }
        for (figure, mut values) in values {
            // Not a number for never: worse than any, so never is what comes out if it was so in most runs.
            values.iter_mut().filter(|value| value.is_nan()).for_each(|value| *value = f64::INFINITY);
            add(report, &setting, &subject.name, scenario, figure, median(&mut values));
        }
    }
    for (figure, bound) in bounds(scenario) {
        report.add(&setting, "bound", figure.metric(), bound);
    }
    report.figures.push((scenario.name.into(), curves.to_html()));
    Ok(())
}

fn add(report: &mut Report, setting: &Setting, subject: &str, scenario: &Scenario, figure: Figure, value: f64) {
    let target = scenario.targets.iter().find(|(targeted, _)| *targeted == figure);
    match target {
        Some((_, target)) if subject == "ours" => report.add_targeted(setting, figure.metric(), value, *target),
        _ => report.add(setting, subject, figure.metric(), value),
    }
}

/// What makes sense in a scenario.
fn figures(scenario: &Scenario) -> Vec<Figure> {
    let forward = scenario.media.iter().filter(|media| !media.is_backward).count();
    let mut figures = vec![Figure::Utilization, Figure::QueueP50, Figure::QueueP95, Figure::QueueP99, Figure::Loss];
    figures.push(Figure::Padding);
    let optional = [
        (Figure::Fairness, forward > 1),
        (Figure::Reach, scenario.rise.is_some()),
        (Figure::Overshoot, scenario.fall.is_some()),
        (Figure::Share, !scenario.tcp.is_empty()),
    ];
    figures.extend(optional.iter().filter(|(_, applies)| *applies).map(|(figure, _)| *figure));
    figures
}

/// What no estimator can do better than: all of the path, and a rise known when the first feedback after it is there.
fn bounds(scenario: &Scenario) -> Vec<(Figure, f64)> {
    let fastest = scenario.media.iter().map(|media| media.one_way_ms).min().unwrap_or(0);
    let round_trip = 2.0 * fastest as f64 / 1e3;
    let mut bounds = vec![(Figure::Utilization, 100.0), (Figure::QueueP95, 0.0)];
    bounds.extend(scenario.rise.map(|_| (Figure::Reach, round_trip + receiver::INTERVAL.as_secs_f64())));
    if figures(scenario).contains(&Figure::Fairness) {
        bounds.push((Figure::Fairness, 1.0));
    }
    bounds
}

fn value(figure: Figure, scenario: &Scenario, run: &Run) -> Result<f64, ConfigError> {
    let media =
        |packets: &[Packet]| packets.iter().filter(|packet| !packet.is_padding).map(|packet| packet.bytes).sum::<u64>();
    let all = |packets: &[Packet]| packets.iter().map(|packet| packet.bytes).sum::<u64>();
    Ok(match figure {
        Figure::Utilization => metrics::utilization(media(&run.delivered), capacity_bytes(scenario)?),
        Figure::QueueP50 => queue_percentiles(run)[0],
        Figure::QueueP95 => queue_percentiles(run)[1],
        Figure::QueueP99 => queue_percentiles(run)[2],
        Figure::Loss => 100.0 * run.lost as f64 / run.sent.len().max(1) as f64,
        Figure::Padding => 100.0 * (1.0 - media(&run.sent) as f64 / all(&run.sent).max(1) as f64),
        Figure::Fairness => fairness(scenario, run),
        Figure::Reach => reach(scenario, run).unwrap_or(f64::NAN),
        Figure::Overshoot => overshoot(scenario, run),
        Figure::Share => {
            let start = first_start(scenario);
            let tcp: u64 =
                run.tcp_delivered.iter().filter(|(at, _)| at.as_secs_f64() >= start).map(|(_, bytes)| bytes).sum();
            100.0 * all(&run.delivered) as f64 / (all(&run.delivered) + tcp).max(1) as f64
        }
    })
}

fn queue_percentiles(run: &Run) -> [f64; 3] {
    metrics::queue_percentiles(run.delivered.iter().map(|packet| packet.queued.as_secs_f64() * 1e3).collect())
}

/// What the link carries from when the first flow begins.
fn capacity_bytes(scenario: &Scenario) -> Result<u64, ConfigError> {
    let until = |seconds: f64| {
        let schedule = path::schedule(scenario.forward)?;
        let time = core::time::Duration::from_secs_f64(seconds);
        Ok(schedule.map_or(0, |schedule| schedule.size_until(time).as_bytes()))
    };
    Ok(until(scenario.seconds as f64)? - until(first_start(scenario))?)
}

fn first_start(scenario: &Scenario) -> f64 {
    scenario.media.iter().map(|media| media.start).min().unwrap_or(0) as f64
}

/// Of media delivered in the last third, when all flows are on.
fn fairness(scenario: &Scenario, run: &Run) -> f64 {
    let from = scenario.seconds as f64 * 2.0 / 3.0;
    let mut shares = vec![0.0; scenario.media.len()];
    for packet in run.delivered.iter().filter(|packet| packet.at.as_secs_f64() >= from && !packet.is_padding) {
        shares[packet.flow] += packet.bytes as f64;
    }
    let forward: Vec<f64> =
        shares.iter().zip(scenario.media).filter(|(_, media)| !media.is_backward).map(|(share, _)| *share).collect();
    jain_fairness(&forward)
}

fn reach(scenario: &Scenario, run: &Run) -> Option<f64> {
    let rise = scenario.rise?;
    let capacity = scenario.forward.iter().find(|(second, _)| *second == rise)?.1 as f64 * 1e3;
    let rates = delivered_rates(scenario, run);
    metrics::time_to_reach(&rates, usize::try_from(rise * 10).ok()?, capacity)
}

fn delivered_rates(scenario: &Scenario, run: &Run) -> Vec<f64> {
    let media = run.delivered.iter().filter(|packet| !packet.is_padding);
    let bits = media.map(|packet| (packet.at.as_secs_f64(), packet.bytes as f64 * 8.0));
    metrics::binned(bits, scenario.seconds as f64)
}

/// Within ten seconds after the fall.
fn overshoot(scenario: &Scenario, run: &Run) -> f64 {
    let Some((fall, kbps)) = scenario.forward.iter().find(|(second, _)| Some(*second) == scenario.fall) else {
        return f64::NAN;
    };
    let since = |packet: &Packet| packet.at.as_secs_f64() - *fall as f64;
    let after = run.sent.iter().filter(|packet| (0.0..10.0).contains(&since(packet)));
    let sent: Vec<(f64, f64)> = after.map(|packet| (since(packet), packet.bytes as f64 * 8.0)).collect();
    metrics::overshoot(&sent, *kbps as f64 * 1e3)
}

impl Figure {
    const fn metric(self) -> Metric {
        match self {
            Self::Utilization => Metric("utilization", "%"),
            Self::QueueP50 => Metric("queue p50", "ms"),
            Self::QueueP95 => Metric("queue p95", "ms"),
            Self::QueueP99 => Metric("queue p99", "ms"),
            Self::Loss => Metric("loss", "%"),
            Self::Padding => Metric("padding", "% of sent"),
            Self::Fairness => Metric("Jain", "last third"),
            Self::Reach => Metric("reach 90 %", "s"),
            Self::Overshoot => Metric("overshoot", "ms of capacity"),
            Self::Share => Metric("share", "% beside TCP"),
        }
    }
}

#[cfg(test)]
mod tests;
