//! Settings of probing.

use core::time::Duration;

use rtc_core::ConfigError;

use super::check;

/// Settings of probing.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct ProbeConfig {
    /// Whether to probe at all. Default true; costs nothing if
    /// [`poll_probe`](rtc_core::bwe::BandwidthEstimator::poll_probe) is never called.
    pub enabled: bool,
    /// Probe at the start, and further while the path carries it. Default true.
    pub initial: bool,
    /// The first probe over the start rate. Default 3; each later one doubles.
    pub factor: f64,
    /// Probe at twice the target when the rate grew beyond the known capacity without a queue, when a probe was delivered, and
    /// when the application wants more than it did. Default true: a faster link is found in a few round trips.
    pub growth: bool,
    /// Probe in steady state. Default true: costs a few milliseconds of queue each time, and saves the time that growth needs
    /// to leave the known capacity behind.
    pub micro: bool,
    /// The rate of such a probe over the target. Default 1.5: tells apart what is faster by a tenth.
    pub micro_factor: f64,
    /// Time between such probes; doubles with each that found nothing, up to sixteen times. Default 1 s.
    pub interval: Duration,
    /// Probe at twice the target while the application sends too little to show that there is more. Default true.
    pub idle: bool,
    /// Time between such probes. Default 5 s (what libwebrtc does).
    pub idle_interval: Duration,
    /// Probe at nearly the rate before when it fell to less than two thirds. Default true: a short outage of capacity is over
    /// sooner.
    pub drop: bool,
    /// Time to fill up with padding after a probe raised the target of an application that sends less. Default 0.5 s: a probe
    /// shows an instant, this shows that it lasts; zero for none.
    pub padding: Duration,
    /// The time a probe lasts. Default 15 ms: long beside the resolution of feedback, short enough to queue little if it is
    /// too fast.
    pub duration: Duration,
    /// The packets it has at least. Default 5: fewer say little about their spacing.
    pub packets: u32,
}

impl Default for ProbeConfig {
    fn default() -> Self {
        Self {
            enabled: true,
            initial: true,
            factor: 3.0,
            growth: true,
            micro: true,
            micro_factor: 1.5,
            interval: Duration::from_secs(1),
            idle: true,
            idle_interval: Duration::from_secs(5),
            drop: true,
            padding: Duration::from_millis(500),
            duration: Duration::from_millis(15),
            packets: 5,
        }
    }
}

impl ProbeConfig {
    pub(super) fn validate(&self) -> Result<(), ConfigError> {
        const MILLIS: Duration = Duration::from_millis(1);
        check((1.0..=100.0).contains(&self.factor), "probe.factor", "must be 1 to 100")?;
        check((1.1..=10.0).contains(&self.micro_factor), "probe.micro_factor", "must be 1.1 to 10")?;
        let interval = 100 * MILLIS..=Duration::from_secs(600);
        check(interval.contains(&self.interval), "probe.interval", "must be 0.1 to 600 s")?;
        check(interval.contains(&self.idle_interval), "probe.idle_interval", "must be 0.1 to 600 s")?;
        check((MILLIS..=1000 * MILLIS).contains(&self.duration), "probe.duration", "must be 1 ms to 1 s")?;
        check(self.padding <= 10_000 * MILLIS, "probe.padding", "must not be above 10 s")?;
        check((2..=1000).contains(&self.packets), "probe.packets", "must be 2 to 1000")
    }
}
