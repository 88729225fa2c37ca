//! Loss recovery: what is missing at the deadline, what it costs in bytes, and what codes cost in time.

use core::time::Duration;

use indicatif::ProgressBar;
use rtc_core::ConfigError;
use rtc_core::testkit::metrics::median;
use rtc_core::testkit::netem::Loss;

use crate::report::{Metric, Report, Setting};
use crate::subject::{MakeRepair, Subject};
use crate::{Options, interop, peers};

mod blocks;
mod bounds;
mod bursts;
mod closed_loop;
mod congestion;
mod dred;
mod method;
mod scenarios;
mod stream;

use method::{Fec, Recovery};
use scenarios::{BLOCKS, DEADLINE_MS, LOSSES, METHODS, Method, RESIDUAL, ROUND_TRIPS, SECONDS, Stream};

const RESIDUAL_METRIC: Metric = Metric("residual", "% of packets");
const PAYLOAD_METRIC: Metric = Metric("overhead", "% of media payload");
const WIRE_METRIC: Metric = Metric("overhead on the wire", "% of media packets");

/// One of the stream scenarios.
struct Case {
    setting: Setting,
    stream: Stream,
    method: Method,
    loss: Loss,
    /// Fraction lost, and packets in a row.
    shape: (f64, f64),
    round_trip: Duration,
}

pub(crate) fn run(options: &Options, bar: &ProgressBar) -> Report {
    let mut report = Report::new("fec");
    report.is_compact = true;
    let repairs: Vec<_> = peers::repairs().into_iter().filter(|peer| options.wants_subject(&peer.name)).collect();
    let cases: Vec<Case> =
        cases(options.seeds).into_iter().filter(|case| options.wants_scenario(&case.setting.scenario)).collect();
    let sizes: Vec<_> =
        BLOCKS.iter().filter(|(source, repair)| options.wants_scenario(&code_name(*source, *repair))).collect();
    bar.set_length((cases.len() + sizes.len()) as u64);
    for case in cases {
        bar.set_message(case.setting.scenario.clone());
        if let Err(error) = measure(&case, &repairs, options, &mut report) {
            bar.suspend(|| eprintln!("{}: {error}", case.setting.scenario));
        }
        bar.inc(1);
    }
    let codes = blocks::ours().into_iter().chain(peers::block_codes());
    let codes: Vec<_> = codes.filter(|code| options.wants_subject(&code.name)).collect();
    for (source, repair) in sizes {
        let scenario = code_name(*source, *repair);
        let input = format!(
            "a block of {source} packets of 1200 B with {repair} repair packets, of all of which {source} arrive"
        );
        let setting = Setting { scenario, input, seeds: options.seeds };
        if let Err(error) = blocks::add(&mut report, &setting, &codes, (*source, *repair)) {
            bar.suspend(|| eprintln!("{}: {error}", setting.scenario));
        }
        report.add(&setting, "bound", Metric("recovered", "% of lost"), 100.0);
        bar.inc(1);
    }
    dred::run(options, bar, &mut report);
    bursts::run(options, bar, &mut report);
    if let Err(error) = blocks::add_xor(options, &mut report) {
        bar.suspend(|| eprintln!("xor: {error}"));
    }
    closed_loop::run(options, bar, &mut report);
    congestion::run(options, bar, &mut report);
    interop::run(options, bar, &mut report);
    report
}

fn code_name(source: usize, repair: usize) -> String {
    format!("code-{source}+{repair}")
}

/// All combinations that exist.
fn cases(seeds: u64) -> Vec<Case> {
    let mut cases = Vec::new();
    for (name, stream, method) in METHODS {
        for (percent, burst) in LOSSES {
            let fraction = percent as f64 / 100.0;
            let loss = if burst == 1 { Ok(Loss::Bernoulli(fraction)) } else { Loss::bursts(fraction, burst as f64) };
            let Ok(loss) = loss else { continue };
            let kind = if burst == 1 { format!("random{percent}") } else { format!("burst{burst}-{percent}") };
            for round_trip in ROUND_TRIPS {
                let scenario = format!("{name} {kind} rtt{round_trip}");
                let losing = if burst == 1 { "at random".into() } else { format!("in runs of {burst} on average") };
                let input = format!(
                    "{}, {SECONDS} s, {percent} % lost {losing} both ways, round trip {round_trip} ms, deadline {DEADLINE_MS} ms",
                    stream.name
                );
                cases.push(Case {
                    setting: Setting { scenario, input, seeds },
                    stream,
                    method,
                    loss,
                    shape: (fraction, burst as f64),
                    round_trip: Duration::from_millis(round_trip),
                });
            }
        }
    }
    cases
}

fn measure(
    case: &Case,
    repairs: &[Subject<MakeRepair>],
    options: &Options,
    report: &mut Report,
) -> Result<(), ConfigError> {
    if options.wants_subject("ours") {
        add_runs(case, "ours", &|| method::ours(case.method, case.round_trip), report)?;
    }
    if let Method::Ulpfec(rate, _) = case.method {
        for subject in repairs {
            let Some(make) = report.admit(subject) else { continue };
            let make = || {
                let (encoder, decoder) = make(rate);
                Ok(Box::new(Fec(encoder, decoder)) as Box<dyn Recovery>)
            };
            add_runs(case, &subject.name, &make, report)?;
        }
    }
    if case.method == Method::Nack {
        for subject in peers::retransmissions() {
            if options.wants_subject(&subject.name)
                && let Some(make) = report.admit(&subject)
            {
                add_runs(case, &subject.name, &|| Ok(make()), report)?;
            }
        }
    }
    add_bounds(case, report);
    Ok(())
}

fn add_runs(
    case: &Case,
    subject: &str,
    make: &dyn Fn() -> Result<Box<dyn Recovery>, ConfigError>,
    report: &mut Report,
) -> Result<(), ConfigError> {
    let mut figures: [Vec<f64>; 3] = Default::default();
    for seed in 0..case.setting.seeds {
        let path = stream::Path { loss: case.loss, round_trip: case.round_trip, seconds: SECONDS, seed };
        let outcome = stream::run(&case.stream, &path, &mut *make()?)?;
        let values = [outcome.residual, outcome.payload_overhead, outcome.wire_overhead];
        figures.iter_mut().zip(values).for_each(|(figure, value)| figure.push(100.0 * value));
    }
    for (metric, mut values) in [RESIDUAL_METRIC, PAYLOAD_METRIC, WIRE_METRIC].into_iter().zip(figures) {
        report.add(&case.setting, subject, metric, median(&mut values));
    }
    Ok(())
}

/// Of any method: capacity, what the deadline leaves if every packet told all, and blocks that fill the deadline.
fn add_bounds(case: &Case, report: &mut Report) {
    let (loss, burst) = case.shape;
    let one_way = case.round_trip / 2;
    let room = Duration::from_millis(DEADLINE_MS).saturating_sub(one_way).as_millis();
    let chances = u32::try_from(room / u128::from(case.stream.interval_ms)).unwrap_or(0) + 1;
    let setting = &case.setting;
    report.add(setting, "bound", RESIDUAL_METRIC, 100.0 * bounds::residual_floor(loss, burst, chances));
    report.add(setting, "bound", PAYLOAD_METRIC, 100.0 * bounds::capacity_overhead(loss, RESIDUAL));
    if burst <= 1.0 {
        let block = bounds::block_overhead(loss, RESIDUAL, chances - 1).unwrap_or(f64::NAN);
        report.add(setting, "bound", Metric("overhead of ideal blocks", "% for 1 % residual"), 100.0 * block);
    }
}
