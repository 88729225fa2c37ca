//! Rows of repair driven by the sender.

use core::time::Duration;

use indicatif::ProgressBar;
use rtc_core::ConfigError;
use rtc_core::testkit::metrics::median;
use rtc_core::testkit::netem::Loss;

use super::bounds;
use super::method::{self, Recovery};
use super::scenarios::{CLOSED, Closed, DEADLINE_MS, LOSS_END, Method, RESIDUAL, SECONDS, Stream, VOICE, voice_repair};
use super::stream;
use super::{PAYLOAD_METRIC, RESIDUAL_METRIC, WIRE_METRIC};
use crate::Options;
use crate::report::{Metric, Report, Setting, Target};

mod simulation;

use simulation::{Outcome, Path, run as simulate};

const PACKETS_METRIC: Metric = Metric("repair", "% of media packets");
const EXPECTED_METRIC: Metric = Metric("residual expected", "% of packets");
const FEEDBACK_METRIC: Metric = Metric("feedback", "packets/s");
const FEEDBACK_RATE_METRIC: Metric = Metric("feedback rate", "kb/s");
const SETTLED_METRIC: Metric = Metric("time to less than 5 % overhead", "s after loss ended");
const LOSS_END_NAME: &str = "recovery-to-low-loss";

/// Measures all rows that are asked for.
pub(super) fn run(options: &Options, bar: &ProgressBar, report: &mut Report) {
    let cases: Vec<_> = CLOSED.iter().filter(|case| options.wants_scenario(case.name)).collect();
    bar.inc_length(cases.len() as u64);
    for case in cases {
        bar.set_message(case.name);
        if let Err(error) = add(case, options, report) {
            bar.suspend(|| eprintln!("{}: {error}", case.name));
        }
        bar.inc(1);
    }
    if options.wants_scenario(LOSS_END_NAME)
        && options.wants_subject("ours")
        && let Err(error) = add_loss_end(options, report)
    {
        bar.suspend(|| eprintln!("{LOSS_END_NAME}: {error}"));
    }
}

fn add(case: &Closed, options: &Options, report: &mut Report) -> Result<(), ConfigError> {
    let (percent, round_trip) = (case.loss, Duration::from_millis(case.round_trip));
    let loss = percent as f64 / 100.0;
    let input = format!(
        "{}, {SECONDS} s, {percent} % lost at random both ways, round trip {} ms, deadline {DEADLINE_MS} ms, feedback each {} ms",
        case.flow.name, case.round_trip, case.feedback
    );
    let setting = Setting { scenario: case.name.into(), input, seeds: options.seeds };
    if options.wants_subject("ours") {
        let outcomes = outcomes(case, options)?;
        add_ours(case, &setting, &outcomes, report);
    }
    if case.flow.packets == 1 {
        for (subject, method) in
            [("RED, 1 copy", Method::Red(1)), ("RED, 9 copies", Method::Red(9)), ("NACK", Method::Nack)]
        {
            if options.wants_subject(subject) {
                add_open(&setting, subject, &|| method::ours(method, round_trip), (loss, round_trip), report)?;
            }
        }
    }
    // What must be sent beyond what may be missing, and blocks of one deadline without feedback.
    report.add(&setting, "bound", PACKETS_METRIC, 100.0 * bounds::capacity_overhead(loss, RESIDUAL));
    let room = (DEADLINE_MS - case.round_trip / 2) / case.flow.interval_ms;
    let block = if case.flow.packets == 1 { u32::try_from(room).ok() } else { u32::try_from(case.flow.packets).ok() };
    let block = block.and_then(|source| bounds::block_overhead(loss, RESIDUAL, source)).unwrap_or(f64::NAN);
    report.add(&setting, "bound", Metric("repair of ideal blocks", "% of media packets"), 100.0 * block);
    Ok(())
}

fn outcomes(case: &Closed, options: &Options) -> Result<Vec<Outcome>, ConfigError> {
    let path = |seed| Path {
        losses: vec![(0, Loss::Bernoulli(case.loss as f64 / 100.0))],
        round_trip: Duration::from_millis(case.round_trip),
        seconds: SECONDS,
        feedback: Duration::from_millis(case.feedback),
        seed,
    };
    (0..options.seeds).map(|seed| simulate(&case.flow, &path(seed), (case.repair)())).collect()
}

fn add_ours(case: &Closed, setting: &Setting, outcomes: &[Outcome], report: &mut Report) {
    let middle = |figure: &dyn Fn(&Outcome) -> f64| median(&mut outcomes.iter().map(figure).collect::<Vec<_>>());
    let percent = |figure: &dyn Fn(&Outcome) -> f64| 100.0 * middle(figure);
    report.add_targeted(setting, RESIDUAL_METRIC, percent(&|o| o.residual), Target::AtMost(100.0 * RESIDUAL));
    report.add(setting, "ours", EXPECTED_METRIC, percent(&|o| o.expected));
    report.add_targeted(setting, PACKETS_METRIC, percent(&|o| o.packets), Target::AtMost(case.overhead));
    report.add_targeted(setting, PAYLOAD_METRIC, percent(&|o| o.payload), Target::AtMost(case.overhead));
    report.add(setting, "ours", WIRE_METRIC, percent(&|o| o.wire));
    report.add(setting, "ours", FEEDBACK_METRIC, middle(&|o| o.feedback.0));
    report.add(setting, "ours", FEEDBACK_RATE_METRIC, middle(&|o| o.feedback.1 / 1e3));
}

/// What is done without word of the sender's.
fn add_open(
    setting: &Setting,
    subject: &str,
    make: &dyn Fn() -> Result<Box<dyn Recovery>, ConfigError>,
    (loss, round_trip): (f64, Duration),
    report: &mut Report,
) -> Result<(), ConfigError> {
    let voice = Stream { name: VOICE.name, interval_ms: VOICE.interval_ms, payload: VOICE.payload };
    let (mut residual, mut payload) = (Vec::new(), Vec::new());
    for seed in 0..setting.seeds {
        let path = stream::Path { loss: Loss::Bernoulli(loss), round_trip, seconds: SECONDS, seed };
        let outcome = stream::run(&voice, &path, &mut *make()?)?;
        residual.push(100.0 * outcome.residual);
        payload.push(100.0 * outcome.payload_overhead);
    }
    report.add(setting, subject, RESIDUAL_METRIC, median(&mut residual));
    report.add(setting, subject, PAYLOAD_METRIC, median(&mut payload));
    Ok(())
}

/// How soon less is spent when nothing is lost any more.
fn add_loss_end(options: &Options, report: &mut Report) -> Result<(), ConfigError> {
    let (percent, end) = LOSS_END;
    let input = format!("{}, {percent} % lost both ways for {end} s, then nothing; round trip 40 ms", VOICE.name);
    let setting = Setting { scenario: LOSS_END_NAME.into(), input, seeds: options.seeds };
    let mut times = Vec::new();
    for seed in 0..options.seeds {
        let path = Path {
            losses: vec![(0, Loss::Bernoulli(percent as f64 / 100.0)), (end * 1_000, Loss::None)],
            round_trip: Duration::from_millis(40),
            seconds: end + 10,
            feedback: Duration::from_millis(10),
            seed,
        };
        let timeline = simulate(&VOICE, &path, voice_repair())?.timeline;
        let first = usize::try_from(end * 10).unwrap_or(0);
        // The last tenth of a second in which more was spent.
        let last = (first..timeline.len()).rev().find(|slot| timeline[*slot] >= 0.05);
        times.push(last.map_or(0.0, |slot| (slot + 1 - first) as f64 / 10.0));
    }
    report.add_targeted(&setting, SETTLED_METRIC, median(&mut times), Target::AtMost(2.0));
    Ok(())
}
