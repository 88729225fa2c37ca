//! Estimation at a sender that gets no feedback on single packets: REMB and the loss of receiver reports
//! (draft-ietf-rmcat-gcc-02 §6).

use core::time::Duration;

use rtc_core::bwe::{ApplicationLimits, BandwidthEstimator, Estimate, PacketResult, PathEvent, SentPacket};
use rtc_core::time::Instant;
use rtc_core::{Bitrate, ConfigError};

use crate::check::{check, fraction, range_holds};
use crate::limits::Limits;
use crate::meter::RateMeter;

/// Loss is judged over so many packets at least; reports on fewer are added up.
const PACKETS: u64 = 20;

/// Settings of [`Reported`].
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct ReportedConfig {
    /// The target never falls below this. Default 16 kb/s.
    pub min: Bitrate,
    /// The target before the first report. Default 300 kb/s.
    pub start: Bitrate,
    /// The target never rises above this. Default 20 Mb/s.
    pub max: Bitrate,
    /// Below this share of loss the rate grows (§6). Default 0.02.
    pub low_loss: f64,
    /// Above this share of loss the rate is lowered by half of the share (§6). Default 0.1.
    pub high_loss: f64,
    /// The factor of growth (§6). Default 1.05.
    pub increase: f64,
    /// Time between two increases. Default 1 s: §6 has one with each report, and reports come each second.
    pub increase_interval: Duration,
    /// Time between two decreases, a round trip added. Default 300 ms: the next report must be of packets sent since.
    pub decrease_interval: Duration,
    /// The rate grows no further than this multiple of what is sent. Default 1.5, not of the draft: a rate never tried is no
    /// rate.
    pub headroom: f64,
    /// Rate of bursts over the target. Default 1.1.
    pub pacing_factor: f64,
    /// Time without reports, while packets are sent, after which the rate is lowered; again after each half of it.
    /// Default 5 s: the least interval of RTCP by RFC 3550 §6.2.
    pub report_timeout: Duration,
    /// The factor on the rate then. Default 0.7.
    pub timeout_factor: f64,
}

impl Default for ReportedConfig {
    fn default() -> Self {
        Self {
            min: Bitrate::from_kbps(16),
            start: Bitrate::from_kbps(300),
            max: Bitrate::from_kbps(20_000),
            low_loss: 0.02,
            high_loss: 0.1,
            increase: 1.05,
            increase_interval: Duration::from_secs(1),
            decrease_interval: Duration::from_millis(300),
            headroom: 1.5,
            pacing_factor: 1.1,
            report_timeout: Duration::from_secs(5),
            timeout_factor: 0.7,
        }
    }
}

impl ReportedConfig {
    fn validate(&self) -> Result<(), ConfigError> {
        range_holds(self.min, self.start, self.max)?;
        check(fraction(self.low_loss), "low_loss", "must be 0 to 1")?;
        check((self.low_loss..=1.0).contains(&self.high_loss), "high_loss", "must be low_loss to 1")?;
        check((1.0..=10.0).contains(&self.increase), "increase", "must be 1 to 10")?;
        check((1.0..=100.0).contains(&self.headroom), "headroom", "must be 1 to 100")?;
        check((1.0..=10.0).contains(&self.pacing_factor), "pacing_factor", "must be 1 to 10")?;
        let long = Duration::from_secs(3600);
        check(self.increase_interval <= long, "increase_interval", "must not be above 1 h")?;
        check(self.decrease_interval <= long, "decrease_interval", "must not be above 1 h")?;
        let timeout = Duration::from_millis(10)..=long;
        check(timeout.contains(&self.report_timeout), "report_timeout", "must be 10 ms to 1 h")?;
        check(fraction(self.timeout_factor), "timeout_factor", "must be 0 to 1")
    }
}

/// An estimator fed by [`PathEvent::RemoteLimit`] (REMB) and [`PathEvent::Loss`] (receiver reports), for peers that send no
/// feedback on single packets. Such feedback, should it come, is taken as a sign of life only.
///
/// ```
/// use core::time::Duration;
/// use rtc_bwe::{Reported, ReportedConfig};
/// use rtc_core::Bitrate;
/// use rtc_core::bwe::{BandwidthEstimator, PathEvent};
/// use rtc_core::time::Instant;
///
/// let mut estimator = Reported::new(ReportedConfig::default())?;
/// let now = Instant::from_millis(1_000);
/// estimator.on_path_event(now, PathEvent::RemoteLimit(Bitrate::from_kbps(250)));
/// assert_eq!(estimator.estimate().target, Bitrate::from_kbps(250));
/// // One in five packets lost: a tenth less.
/// estimator.on_path_event(now, PathEvent::Loss { lost: 20, expected: 100 });
/// assert_eq!(estimator.estimate().target, Bitrate::from_kbps(225));
/// # Ok::<(), rtc_core::ConfigError>(())
/// ```
#[derive(Debug)]
pub struct Reported {
    config: ReportedConfig,
    limits: Limits,
    /// `As_hat` in b/s.
    rate: f64,
    sent: RateMeter,
    lost: u64,
    expected: u64,
    increased: Option<Instant>,
    decreased: Option<Instant>,
    round_trip: Duration,
    silent_at: Option<Instant>,
    stats: ReportedStats,
}

/// Counters of [`Reported`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct ReportedStats {
    /// Packets sent.
    pub packets_sent: u64,
    /// Reports on loss.
    pub reports: u64,
    /// Packets expected by them.
    pub packets_expected: u64,
    /// Packets lost of those; never more.
    pub packets_lost: u64,
    /// Limits told by the other side.
    pub remote_limits: u64,
    /// Times the rate was lowered for loss.
    pub decreases: u64,
    /// Times reports stayed out while packets were sent.
    pub report_timeouts: u64,
}

impl Reported {
    /// An estimator for one path.
    ///
    /// # Errors
    /// [`ConfigError`] for settings out of their range.
    pub fn new(config: ReportedConfig) -> Result<Self, ConfigError> {
        config.validate()?;
        Ok(Self {
            limits: Limits::new(config.min, config.max),
            rate: config.start.as_bps_f64(),
            sent: RateMeter::new(),
            lost: 0,
            expected: 0,
            increased: None,
            decreased: None,
            round_trip: Duration::ZERO,
            silent_at: None,
            stats: ReportedStats::default(),
            config,
        })
    }

    /// Counters since construction.
    #[must_use]
    pub const fn stats(&self) -> ReportedStats {
        self.stats
    }

    fn on_loss(&mut self, now: Instant, lost: u32, expected: u32) {
        let (expected, lost) = (u64::from(expected), u64::from(lost.min(expected)));
        self.stats.reports += 1;
        self.stats.packets_expected += expected;
        self.stats.packets_lost += lost;
        self.expected += expected;
        self.lost += lost;
        if self.expected < PACKETS {
            return;
        }
        let share = self.lost as f64 / self.expected as f64;
        (self.lost, self.expected) = (0, 0);
        let is_due = |last: Option<Instant>, pause: Duration| last.is_none_or(|last| now - last >= pause);
        if share > self.config.high_loss {
            if is_due(self.decreased, self.config.decrease_interval + self.round_trip) {
                self.decreased = Some(now);
                self.stats.decreases += 1;
                // What the other side allows less than our own rate was all that was tried.
                self.rate = self.limits.clamp(self.rate).as_bps_f64() * (1.0 - 0.5 * share);
            }
        } else if share < self.config.low_loss && is_due(self.increased, self.config.increase_interval) {
            self.increased = Some(now);
            let grown = self.rate * self.config.increase;
            let proven = self.sent.rate(now).map_or(grown, |sent| self.config.headroom * sent);
            self.rate = grown.min(proven.max(self.rate));
        }
        self.keep();
    }

    fn keep(&mut self) {
        // Not by what the other side allows: that may be lifted, and says nothing of loss.
        self.rate = self.rate.clamp(self.limits.min().as_bps_f64(), self.config.max.as_bps_f64());
    }
}

impl BandwidthEstimator for Reported {
    fn on_sent(&mut self, packet: SentPacket) {
        self.stats.packets_sent += 1;
        self.sent.push(packet.sent, packet.size);
        self.silent_at.get_or_insert(packet.sent + self.config.report_timeout);
    }

    fn on_feedback(&mut self, _now: Instant, _results: &[PacketResult]) {
        self.silent_at = None;
    }

    fn on_rtt(&mut self, _now: Instant, rtt: Duration) {
        self.round_trip = rtt.min(Duration::from_secs(10));
    }

    fn set_application(&mut self, _now: Instant, limits: ApplicationLimits) {
        self.limits.set_application(&limits);
        self.keep();
    }

    fn on_path_event(&mut self, now: Instant, event: PathEvent) {
        match event {
            PathEvent::RouteChanged { start } => {
                self.rate = start.as_bps_f64();
                (self.lost, self.expected, self.increased, self.decreased) = (0, 0, None, None);
                self.keep();
            }
            PathEvent::RemoteLimit(limit) => {
                self.stats.remote_limits += 1;
                self.silent_at = None;
                self.limits.set_remote(limit);
            }
            PathEvent::Loss { lost, expected } => {
                self.silent_at = None;
                self.on_loss(now, lost, expected);
            }
            _ => {}
        }
    }

    fn estimate(&self) -> Estimate {
        let target = self.limits.clamp(self.rate);
        Estimate::new(target).with_pacing(target * self.config.pacing_factor)
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.silent_at
    }

    fn handle_timeout(&mut self, now: Instant) {
        if self.silent_at.is_none_or(|at| now < at) {
            return;
        }
        self.silent_at = Some(now + self.config.report_timeout / 2);
        self.stats.report_timeouts += 1;
        self.rate *= self.config.timeout_factor;
        self.keep();
    }
}

#[cfg(test)]
mod tests {
    use rtc_core::DataSize;

    use super::*;

    /// An estimator at 1 Mb/s that sends at 800 kb/s, with a report each second on 100 packets of which so many were lost.
    fn targets(lost: &[u32]) -> Vec<u64> {
        let config = ReportedConfig { start: Bitrate::from_kbps(1_000), ..ReportedConfig::default() };
        let mut estimator = Reported::new(config).unwrap();
        let mut now = Instant::from_millis(7_000);
        let report = |&lost: &u32| {
            for id in 0..100 {
                now += Duration::from_millis(10);
                let size = DataSize::from_bytes(1_000);
                estimator.on_sent(SentPacket { id, sent: now, size, probe: None });
            }
            estimator.on_path_event(now, PathEvent::Loss { lost, expected: 100 });
            estimator.estimate().target.as_bps() / 1_000
        };
        lost.iter().map(report).collect()
    }

    #[test]
    fn gcc02_s6_little_loss_raises_by_five_percent_up_to_what_is_proven() {
        assert_eq!(targets(&[0, 1, 0, 0, 0]), [1_050, 1_102, 1_157, 1_200, 1_200]);
    }

    #[test]
    fn gcc02_s6_some_loss_changes_nothing() {
        assert_eq!(targets(&[2, 5, 10]), [1_000; 3]);
    }

    #[test]
    fn gcc02_s6_much_loss_lowers_by_half_of_it() {
        assert_eq!(targets(&[20, 50]), [900, 675]);
    }

    #[test]
    fn the_lower_of_the_other_sides_limit_and_the_own_rate_counts() {
        let mut estimator = Reported::new(ReportedConfig::default()).unwrap();
        let now = Instant::from_millis(1);
        for (limit, target) in [(100, 100), (900, 300), (0, 16)] {
            estimator.on_path_event(now, PathEvent::RemoteLimit(Bitrate::from_kbps(limit)));
            assert_eq!(estimator.estimate().target, Bitrate::from_kbps(target));
        }
        estimator.on_path_event(now, PathEvent::RemoteLimit(Bitrate::MAX));
        assert_eq!(estimator.estimate().target, Bitrate::from_kbps(300));
    }

    #[test]
    fn reports_on_a_few_packets_are_added_up() {
        let mut estimator = Reported::new(ReportedConfig::default()).unwrap();
        for report in 0..4 {
            assert_eq!(estimator.stats().decreases, 0, "{report}");
            estimator.on_path_event(Instant::from_millis(report), PathEvent::Loss { lost: 9, expected: 5 });
        }
        assert_eq!(estimator.estimate().target, Bitrate::from_kbps(150));
        let stats = estimator.stats();
        assert_eq!((stats.packets_expected, stats.packets_lost, stats.decreases), (20, 20, 1));
    }

    #[test]
    fn silence_lowers_the_rate() {
        let mut estimator = Reported::new(ReportedConfig::default()).unwrap();
        estimator.on_sent(SentPacket { id: 0, sent: Instant::ZERO, size: DataSize::from_bytes(9), probe: None });
        estimator.handle_timeout(Instant::from_millis(5_000));
        assert_eq!(estimator.estimate().target, Bitrate::from_kbps(210));
        assert_eq!(estimator.poll_timeout(), Some(Instant::from_millis(7_500)));
    }

    #[test]
    fn impossible_settings_are_refused() {
        let config = ReportedConfig { high_loss: 0.01, ..ReportedConfig::default() };
        assert!(Reported::new(config).is_err());
    }
}
