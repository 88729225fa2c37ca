//! What is heard of a conversation when its path goes dark.

use core::time::Duration;

use indicatif::ProgressBar;
use rtc_core::ConfigError;
use rtc_core::testkit::metrics::percentile;
use rtc_core::testkit::netem::{Jitter, Loss, NetemConfig, Outage};
use rtc_core::time::Instant;
use rtc_examples::paths::{Journey, travel};
use rtc_transport::path::{Copies, PathManagerConfig};

use crate::Options;
use crate::report::{Metric, Report, Setting, Target};

const RESTORED: Metric = Metric("from darkness to the next audio, p95", "ms");
const LOST: Metric = Metric("audio lost, p95", "ms");
const SENT: Metric = Metric("packets sent for each of audio", "");
/// So often a path goes dark with each seed, each time at another moment between two probes.
const RUNS: u64 = 20;
const LENGTH: Duration = Duration::from_secs(8);
/// What leaves later may still be under way at the end.
const LAST_HEARD: Duration = Duration::from_millis(7_800);

struct Scenario {
    name: &'static str,
    loss: f64,
    /// Whether the way back stays.
    one_way: bool,
    copies: Copies,
}

const SCENARIOS: [Scenario; 4] = [
    Scenario { name: "path dark", loss: 0.0, one_way: false, copies: Copies::AsNeeded },
    Scenario { name: "path dark there, not back", loss: 0.0, one_way: true, copies: Copies::AsNeeded },
    Scenario { name: "path dark, lossy before", loss: 0.05, one_way: false, copies: Copies::AsNeeded },
    Scenario { name: "path dark, audio sent twice", loss: 0.0, one_way: false, copies: Copies::Two },
];

/// Steps of progress.
pub(super) fn work(options: &Options) -> u64 {
    SCENARIOS.iter().filter(|scenario| options.wants_scenario(scenario.name)).count() as u64
}

pub(super) fn run(options: &Options, bar: &ProgressBar, report: &mut Report) {
    for scenario in SCENARIOS.iter().filter(|scenario| options.wants_scenario(scenario.name)) {
        bar.inc(1);
        if let Err(error) = add(scenario, options, report) {
            bar.suspend(|| eprintln!("{}: {error}", scenario.name));
        }
    }
}

fn add(scenario: &Scenario, options: &Options, report: &mut Report) -> Result<(), ConfigError> {
    let input = format!(
        "packets of 20 ms over a path of 50 ms round trip, 3 ms jitter, {:.0} % loss, which goes dark; another of 70 ms; {RUNS} times a seed",
        100.0 * scenario.loss
    );
    let setting = Setting { scenario: scenario.name.into(), input, seeds: options.seeds };
    let (mut restored, mut lost, mut sent, mut packets) = (Vec::new(), Vec::new(), 0, 0);
    for run in 0..RUNS * options.seeds {
        let dark = Duration::from_secs(5) + Duration::from_micros(1_700 * run);
        let outcome = travel(&journey(scenario, dark), run)?;
        // Audio that never came back counts as if it had with the end.
        restored.push(outcome.restored(Instant::ZERO + dark).unwrap_or(LENGTH).as_secs_f64() * 1e3);
        let heard = outcome.packets.iter().filter(|(left, _)| *left < Instant::ZERO + LAST_HEARD);
        lost.push(20.0 * heard.filter(|(_, arrived)| arrived.is_none()).count() as f64);
        sent += outcome.sent;
        packets += outcome.packets.len();
    }
    report.add_targeted(&setting, RESTORED, percentile(&mut restored, 95.0), Target::AtMost(200.0));
    let lost = percentile(&mut lost, 95.0);
    if scenario.copies == Copies::Two {
        report.add_targeted(&setting, LOST, lost, Target::AtMost(0.0));
    } else {
        report.add(&setting, "ours", LOST, lost);
    }
    report.add(&setting, "ours", SENT, sent as f64 / packets as f64);
    Ok(())
}

fn journey(scenario: &Scenario, from: Duration) -> Journey {
    let link = |delay| {
        let mut config = NetemConfig::default();
        config.delay = Duration::from_millis(delay);
        config.jitter = Jitter::Exponential { mean: Duration::from_millis(3) };
        config.loss = Loss::Bernoulli(scenario.loss);
        config
    };
    let (mut there, mut back) = (link(25), link(25));
    let dark = Outage { from, length: LENGTH };
    there.outages.push(dark);
    if !scenario.one_way {
        back.outages.push(dark);
    }
    let paths = vec![(there, back), (link(35), link(35))];
    Journey { paths, copies: scenario.copies, config: PathManagerConfig::default(), length: LENGTH }
}
