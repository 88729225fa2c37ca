//! Estimation at the receiver, for senders that take REMB (draft-ietf-rmcat-gcc-02 §5, draft-alvestrand-rmcat-remb-03).
//!
//! Here are the numbers only; the RTCP message is in `rtc-transport`.

use core::time::Duration;

use rtc_core::rtp::extension::AbsSendTime;
use rtc_core::time::Instant;
use rtc_core::{Bitrate, ConfigError, DataSize, Frequency, RtpTime, TimeUnwrapper};

use crate::arrival::Arrival;
use crate::check::{check, fraction, range_holds};
use crate::config::{GccConfig, TrendlineConfig};
use crate::meter::RateMeter;
use crate::trendline::Trendline;

mod rate;

use rate::RemoteRate;

/// Without packets for so long nothing is known of the path any more; well within half a turn of the absolute send time.
const FORGET_AFTER: Duration = Duration::from_secs(20);
/// Send times begin here, so that some before the first are possible.
const ORIGIN: Instant = Instant::from_millis(1 << 40);

/// Settings of [`ReceiverEstimator`].
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct ReceiverEstimatorConfig {
    /// The estimate never falls below this. Default 16 kb/s.
    pub min: Bitrate,
    /// The estimate before there is one. Default 300 kb/s.
    pub start: Bitrate,
    /// The estimate never rises above this. Default 20 Mb/s.
    pub max: Bitrate,
    /// The delay gradient.
    pub trendline: TrendlineConfig,
    /// Growth in a second while nothing is known of the capacity (§5.5). Default 1.08.
    pub increase: f64,
    /// The estimate after over-use, as a share of what arrives (`beta`, §5.5). Default 0.85.
    pub beta: f64,
    /// The estimate grows no further than this multiple of what arrives (§5.5). Default 1.5.
    pub headroom: f64,
    /// The round-trip time as long as none is told. Default 200 ms.
    pub round_trip: Duration,
    /// Time between two messages. Default 1 s.
    pub interval: Duration,
    /// A message goes out at once if the estimate fell below this share of the last one told. Default 0.97.
    pub urgent: f64,
}

impl Default for ReceiverEstimatorConfig {
    fn default() -> Self {
        Self {
            min: Bitrate::from_kbps(16),
            start: Bitrate::from_kbps(300),
            max: Bitrate::from_kbps(20_000),
            trendline: TrendlineConfig::default(),
            increase: 1.08,
            beta: 0.85,
            headroom: 1.5,
            round_trip: Duration::from_millis(200),
            interval: Duration::from_secs(1),
            urgent: 0.97,
        }
    }
}

impl ReceiverEstimatorConfig {
    fn validate(&self) -> Result<(), ConfigError> {
        range_holds(self.min, self.start, self.max)?;
        GccConfig { trendline: self.trendline, ..GccConfig::default() }.validate()?;
        check((1.0..=10.0).contains(&self.increase), "increase", "must be 1 to 10")?;
        check(fraction(self.beta) && self.beta > 0.0, "beta", "must be above 0, to 1")?;
        check((1.0..=100.0).contains(&self.headroom), "headroom", "must be 1 to 100")?;
        check(self.round_trip <= Duration::from_secs(10), "round_trip", "must not be above 10 s")?;
        let interval = Duration::from_millis(10)..=Duration::from_secs(3600);
        check(interval.contains(&self.interval), "interval", "must be 10 ms to 1 h")?;
        check(fraction(self.urgent), "urgent", "must be 0 to 1")
    }
}

/// Estimates at the receiver what a path carries, from when packets were sent and when they arrived.
///
/// Either all packets of the path have their absolute send time, or the packets of one stream their RTP timestamps; one
/// estimator takes one of both.
///
/// ```
/// use core::time::Duration;
/// use rtc_bwe::{ReceiverEstimator, ReceiverEstimatorConfig};
/// use rtc_core::rtp::extension::AbsSendTime;
/// use rtc_core::time::Instant;
/// use rtc_core::{Bitrate, DataSize};
///
/// let mut estimator = ReceiverEstimator::new(ReceiverEstimatorConfig::default())?;
/// for index in 0..200 {
///     let sent = Instant::from_millis(10 * index);
///     let arrived = sent + Duration::from_millis(40);
///     estimator.on_abs_send_time(arrived, AbsSendTime::from_instant(sent), DataSize::from_bytes(500));
/// }
/// let remb = estimator.poll_remb(Instant::from_millis(2_050));
/// assert!(remb.is_some_and(|rate| rate > Bitrate::from_kbps(300)));
/// # Ok::<(), rtc_core::ConfigError>(())
/// ```
#[derive(Debug)]
pub struct ReceiverEstimator {
    config: ReceiverEstimatorConfig,
    arrival: Arrival,
    trendline: Trendline,
    meter: RateMeter,
    rate: RemoteRate,
    send_time: Option<(AbsSendTime, Instant)>,
    rtp_time: TimeUnwrapper,
    rtp_origin: Option<u64>,
    last_arrival: Option<Instant>,
    round_trip: Duration,
    /// When the last message was asked for, and what it said.
    told: Option<(Instant, Bitrate)>,
    stats: ReceiverEstimatorStats,
}

/// Counters of [`ReceiverEstimator`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct ReceiverEstimatorStats {
    /// Packets taken.
    pub packets: u64,
    /// Times the estimate was lowered for over-use.
    pub decreases: u64,
    /// Times everything known of delays was forgotten after a pause.
    pub restarts: u64,
    /// Messages asked for.
    pub messages: u64,
}

impl ReceiverEstimator {
    /// An estimator for one path.
    ///
    /// # Errors
    /// [`ConfigError`] for settings out of their range.
    pub fn new(config: ReceiverEstimatorConfig) -> Result<Self, ConfigError> {
        config.validate()?;
        Ok(Self {
            arrival: Arrival::new(config.trendline.burst),
            trendline: Trendline::new(config.trendline),
            meter: RateMeter::new(),
            rate: RemoteRate::new(config.start.as_bps_f64()),
            send_time: None,
            rtp_time: TimeUnwrapper::default(),
            rtp_origin: None,
            last_arrival: None,
            round_trip: config.round_trip,
            told: None,
            stats: ReceiverEstimatorStats::default(),
            config,
        })
    }

    /// Takes a packet with its absolute send time; `size` with all headers.
    pub fn on_abs_send_time(&mut self, arrived: Instant, time: AbsSendTime, size: DataSize) {
        self.forget_after_pause(arrived);
        let sent = match self.send_time {
            None => ORIGIN,
            Some((last, at)) => after(at, time.nanos_since(last)),
        };
        // Differences are taken from the newest: a late packet must not bring the wrap nearer.
        if self.send_time.is_none_or(|(_, at)| sent >= at) {
            self.send_time = Some((time, sent));
        }
        self.on_packet(sent, arrived, size);
    }

    /// Takes a packet of one stream with its RTP timestamp and the clock that counts it; `size` with all headers.
    ///
    /// Packets of one frame have the same timestamp: the clock of sampling stands for that of sending.
    pub fn on_rtp_time(&mut self, arrived: Instant, time: RtpTime, clock: Frequency, size: DataSize) {
        self.forget_after_pause(arrived);
        let ticks = self.rtp_time.unwrap(time);
        let origin = *self.rtp_origin.get_or_insert(ticks);
        let sent = match ticks.checked_sub(origin) {
            Some(later) => ORIGIN + clock.duration_of(later),
            None => ORIGIN - clock.duration_of(origin - ticks),
        };
        self.on_packet(sent, arrived, size);
    }

    /// Takes a measured round-trip time: how soon a change shows.
    pub const fn on_rtt(&mut self, rtt: Duration) {
        self.round_trip = rtt;
    }

    /// What the path is believed to carry.
    #[must_use]
    pub fn estimate(&self) -> Bitrate {
        Bitrate::from_bps_f64(self.rate.bps()).clamp(self.config.min, self.config.max)
    }

    /// The rate to tell the sender now, if it is time: each `interval`, or at once when the estimate fell.
    pub fn poll_remb(&mut self, now: Instant) -> Option<Bitrate> {
        self.last_arrival?;
        let estimate = self.estimate();
        let is_due = self.told.is_none_or(|(at, told)| {
            now - at >= self.config.interval || estimate.as_bps_f64() < told.as_bps_f64() * self.config.urgent
        });
        if !is_due {
            return None;
        }
        self.told = Some((now, estimate));
        self.stats.messages += 1;
        Some(estimate)
    }

    /// When [`poll_remb`](Self::poll_remb) has something to say if no packet comes before; `None` before the first packet.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        let first = self.last_arrival?;
        Some(self.told.map_or(first, |(at, _)| at + self.config.interval))
    }

    /// Counters since construction.
    #[must_use]
    pub const fn stats(&self) -> ReceiverEstimatorStats {
        self.stats
    }

    fn on_packet(&mut self, sent: Instant, arrived: Instant, size: DataSize) {
        self.stats.packets += 1;
        self.last_arrival = self.last_arrival.max(Some(arrived));
        self.meter.push(arrived, size);
        if let Some(variation) = self.arrival.push(sent, arrived) {
            self.trendline.push(variation);
            self.update(arrived);
        }
    }

    fn update(&mut self, now: Instant) {
        let Some(incoming) = self.meter.rate(now) else { return };
        let usage = self.trendline.usage();
        let decreased = self.rate.update(now, usage, incoming, self.round_trip, &self.config);
        self.stats.decreases += u64::from(decreased);
    }

    fn forget_after_pause(&mut self, arrived: Instant) {
        if self.last_arrival.is_some_and(|last| arrived - last > FORGET_AFTER) {
            self.stats.restarts += 1;
            self.arrival.reset();
            self.trendline.reset();
            self.send_time = None;
            self.rtp_origin = None;
        }
    }
}

/// A moment so many nanoseconds later, or earlier.
fn after(at: Instant, nanos: i64) -> Instant {
    let time = Duration::from_nanos(nanos.unsigned_abs());
    if nanos < 0 { at - time } else { at + time }
}

#[cfg(test)]
mod tests;
