//! Bandwidth estimation: how much of a path is used, at what delay, how fairly, and what it costs.

use indicatif::ProgressBar;
use rtc_bwe::{Gcc, GccConfig, Nada, NadaConfig, Scream, ScreamConfig};
use rtc_core::ConfigError;
use rtc_core::bwe::{BandwidthEstimator, Ecn};

use crate::report::{Report, Setting};
use crate::subject::{Limits, MakeEstimator, Subject};
use crate::{Options, peers};

mod ablation;
mod cost;
mod curves;
mod figures;
mod metrics;
mod path;
mod receiver;
mod scenarios;
mod sender;
mod tcp;

use path::Contender;
use scenarios::{Figure, Scenario};

/// The scenario whose calls the cost is measured on.
const COST_SCENARIO: &str = "steady-10";

pub(crate) fn run(options: &Options, bar: &ProgressBar) -> Report {
    if options.ablation {
        return ablation::run(options, bar);
    }
    let mut report = Report::new("bwe");
    let mut subjects = ours_all();
    subjects.extend(peers::estimators());
    subjects.retain(|subject| options.wants_subject(&subject.name));
    let scenarios: Vec<&Scenario> = Scenario::all().filter(|scenario| options.wants_scenario(scenario.name)).collect();
    let possible = subjects.iter().filter(|subject| subject.maker.is_ok()).count();
    bar.set_length((scenarios.len() * possible) as u64 * options.seeds);
    for scenario in scenarios {
        if let Err(error) = measure(scenario, &subjects, options, bar, &mut report) {
            bar.suspend(|| eprintln!("{}: {error}", scenario.name));
        }
    }
    report
}

/// The default, and what else there is.
fn ours_all() -> Vec<Subject<MakeEstimator>> {
    let another =
        |name: &str, make: MakeEstimator| Subject { name: name.into(), is_variant: true, ..Subject::ours(make) };
    vec![
        Subject::ours(Box::new(ours)),
        another("ours: SCReAM", Box::new(scream)),
        another("ours: NADA", Box::new(nada)),
    ]
}

fn scream(limits: Limits) -> Box<dyn BandwidthEstimator> {
    let mut config = ScreamConfig::default();
    (config.min, config.start, config.max) = (limits.min, limits.start, limits.max);
    Box::new(Scream::new(config).expect("limits are in order"))
}

fn nada(limits: Limits) -> Box<dyn BandwidthEstimator> {
    let mut config = NadaConfig::default();
    (config.min, config.start, config.max) = (limits.min, limits.start, limits.max);
    Box::new(Nada::new(config).expect("limits are in order"))
}

fn ours(limits: Limits) -> Box<dyn BandwidthEstimator> {
    let mut config = GccConfig::default();
    (config.min, config.start, config.max) = (limits.min, limits.start, limits.max);
    Box::new(Gcc::new(config).expect("limits are in order"))
}

/// What packets leave with: ours react to marks as L4S asks, the peers do not react.
fn codepoint(subject: &Subject<MakeEstimator>) -> Ecn {
    if subject.name.starts_with("ours") { Ecn::Ect1 } else { Ecn::NotEct }
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
    let mut curves = curves::Curves::new(scenario);
    for subject in subjects {
        let Some(make) = report.admit(subject) else { continue };
        bar.set_message(format!("{} {}", scenario.name, subject.name));
        let mut values: Vec<(Figure, Vec<f64>)> =
            figures::of(scenario).into_iter().map(|figure| (figure, Vec::new())).collect();
        let contender = Contender { ecn: codepoint(subject), make };
        for seed in 0..options.seeds {
            let run = path::run(scenario, seed, &contender)?;
            for (figure, values) in &mut values {
                values.push(figures::value(*figure, scenario, &run));
            }
            if seed == 0 {
                curves.add(&subject.name, scenario, &run);
                if scenario.name == COST_SCENARIO {
                    cost::add(report, &setting, subject, &run.calls, &|| make(scenario.limits()));
                }
            }
            bar.inc(1);
        }
        for (figure, values) in values {
            add(report, &setting, &subject.name, scenario, figure, figure.over_seeds(values));
        }
    }
    for (figure, bound) in figures::bounds(scenario) {
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

#[cfg(test)]
mod tests;
