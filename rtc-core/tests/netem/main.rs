//! The emulator against closed forms: whatever is judged on it is only as good as it is.
//!
//! Statistical bounds are five standard errors of a named estimator: a correct emulator fails such a check for one seed in two
//! million, and the seeds are fixed.
#![expect(clippy::unwrap_used, reason = "a setup that fails is a test that fails")]

use core::time::Duration;

use rtc_core::DataSize;
use rtc_core::bwe::Ecn;
use rtc_core::testkit::netem::{Delivery, Netem, NetemConfig};
use rtc_core::time::Instant;

mod codel;
mod delay;
mod dualpi2;
mod laws;
mod link;
mod loss;
mod no_alloc;
mod policer;
mod presets;
mod queue;
mod tcp;

const MS: Duration = Duration::from_millis(1);

/// A packet that takes 10 ms at 1 Mb/s: 1250 bytes with the default overhead.
const PACKET: DataSize = DataSize::from_bytes(1_222);

fn config(change: impl FnOnce(&mut NetemConfig)) -> NetemConfig {
    let mut config = NetemConfig::default();
    change(&mut config);
    config
}

/// Sends `count` numbered packets of [`PACKET`] size, `gap` apart, and returns what arrives.
fn run(netem: &mut Netem<u64>, count: u64, gap: Duration, ecn: Ecn) -> Vec<Delivery<u64>> {
    let mut arrived = Vec::new();
    let mut now = Instant::ZERO;
    for number in 0..count {
        arrived.extend(core::iter::from_fn(|| netem.poll(now)));
        netem.send(now, PACKET, ecn, number);
        now += gap;
    }
    arrived.extend(drain(netem));
    arrived
}

/// Everything on its way, polled when it says.
fn drain(netem: &mut Netem<u64>) -> Vec<Delivery<u64>> {
    let mut arrived = Vec::new();
    while let Some(now) = netem.poll_timeout() {
        arrived.extend(core::iter::from_fn(|| netem.poll(now)));
    }
    arrived
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

fn variance(values: &[f64]) -> f64 {
    let mean = mean(values);
    values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / values.len() as f64
}

/// Asserts that `observed` is within five standard errors of `expected`.
#[track_caller]
fn assert_near(observed: f64, expected: f64, standard_error: f64) {
    let distance = (observed - expected).abs() / standard_error;
    assert!(distance < 5.0, "{observed} is {distance:.1} standard errors from {expected}");
}
