//! The cost of an estimator: the calls of a run, made again on a fresh one with nothing in between.

use rtc_core::bwe::BandwidthEstimator;

use super::sender::Call;
use crate::cost::{measure, state_bytes};
use crate::report::{Metric, Report, Setting, Target};
use crate::subject::{MakeEstimator, Subject};

const ROUNDS: u32 = 5;
/// What a packet may cost of the default, in nanoseconds.
const TARGET: Target = Target::AtMost(150.0);

pub(super) fn add(
    report: &mut Report,
    setting: &Setting,
    subject: &Subject<MakeEstimator>,
    calls: &[Call],
    make: &dyn Fn() -> Box<dyn BandwidthEstimator>,
) {
    // In steady state: the first fifth of the run is not counted.
    let (warm_up, rest) = calls.split_at(calls.len() / 5);
    let mut fresh = Vec::new();
    for _ in 0..ROUNDS {
        let (estimator, bytes) = state_bytes(|| {
            let mut estimator = make();
            replay(&mut *estimator, warm_up);
            estimator
        });
        fresh.push((estimator, bytes));
    }
    let bytes = fresh.iter().map(|(_, bytes)| *bytes).min().unwrap_or(0);
    let mut estimators = fresh.into_iter();
    let cost = measure(ROUNDS, || match estimators.next() {
        Some((mut estimator, _)) => replay(&mut *estimator, rest),
        None => 0,
    });
    let target = (subject.name == "ours").then_some(TARGET);
    report.add_judged(setting, &subject.name, Metric("cpu", "ns/packet reported"), cost.nanos, target);
    if subject.counted {
        report.add(setting, &subject.name, Metric("allocations", "per unit"), cost.allocations);
        report.add(setting, &subject.name, Metric("state", "bytes"), bytes as f64);
    }
}

/// Makes the calls; says how many packets were reported.
fn replay(estimator: &mut dyn BandwidthEstimator, calls: &[Call]) -> u64 {
    let mut reported = 0;
    for call in calls {
        match call {
            Call::Sent(packet) => estimator.on_sent(*packet),
            Call::Feedback(now, results) => {
                reported += results.len() as u64;
                estimator.on_feedback(*now, results);
            }
            Call::Rtt(now, rtt) => estimator.on_rtt(*now, *rtt),
            Call::Application(now, limits) => estimator.set_application(*now, *limits),
            Call::Timeout(now) => {
                estimator.handle_timeout(*now);
                let _ = estimator.poll_probe(*now);
            }
        }
    }
    reported
}
