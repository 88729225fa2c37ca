use core::time::Duration;

use rtc_bwe::{Gcc, GccConfig};
use rtc_core::bwe::{BandwidthEstimator, Estimate, PacketResult, SentPacket};
use rtc_core::time::Instant;
use rtc_core::{Bitrate, ConfigError};
use rtc_fec::controller::{Conditions, CongestionMemory};
use rtc_fec::loss::{LossConfig, LossEstimator};

use super::sender::START_RATE;

/// The call never needs more.
const MAX_RATE: Bitrate = Bitrate::from_kbps(3_000);
/// A standing queue beyond this is congestion, and what it lost is in the averages for so long.
const QUEUED: Duration = Duration::from_millis(60);
const REMEMBERED: Duration = Duration::from_secs(2);
/// Loss before the first feedback: the first packets are of a key frame, and repair for too little of it is too late for all.
const ASSUMED: f64 = 0.3;
/// So long the estimator may take loss from here on for congestion that is none, and lower the rate to see: a queue would show by then.
const GRACE: Duration = Duration::from_secs(5);
const LOSSY: f64 = 0.02;
/// Where so much of what is sent is lost, feedback is lost as well, and is to say everything again.
const MUCH: f64 = 0.15;

/// What feedback tells of the path.
#[derive(Debug)]
pub(super) struct Path {
    estimator: Gcc,
    loss: LossEstimator,
    congestion: CongestionMemory,
    congested: bool,
    /// Until when the rate stays what it began with, if some is lost and no queue stands.
    grace: Instant,
    now: Instant,
}

impl Path {
    pub(super) fn new(now: Instant) -> Result<Self, ConfigError> {
        let mut gcc = GccConfig::default();
        (gcc.start, gcc.max) = (START_RATE, MAX_RATE);
        // Paths that lose most packets at random are what the protection is for.
        gcc.loss.max_random = 0.9;
        let mut loss = LossConfig::default();
        // The estimator deals with queues; here only what never comes is loss.
        (loss.late_after, loss.assumed) = (Duration::from_secs(1), ASSUMED);
        let congestion = CongestionMemory::new(QUEUED, REMEMBERED);
        Ok(Self {
            estimator: Gcc::new(gcc)?,
            loss: LossEstimator::new(loss)?,
            congestion,
            congested: false,
            grace: now + GRACE,
            now,
        })
    }

    pub(super) fn on_sent(&mut self, sent: SentPacket) {
        self.estimator.on_sent(sent);
    }

    pub(super) fn on_feedback(&mut self, now: Instant, results: &[PacketResult]) {
        self.now = now;
        self.loss.on_feedback(now, results);
        self.estimator.on_feedback(now, results);
        self.congested = self.congestion.observe(now, self.estimator.snapshot().queue_delay);
        if self.congested {
            // There are queues here: what is lost may be due to them.
            self.grace = now;
        }
    }

    pub(super) fn on_rtt(&mut self, now: Instant, rtt: Duration) {
        self.estimator.on_rtt(now, rtt);
        self.loss.on_rtt(rtt);
    }

    /// What protection is planned by.
    pub(super) fn conditions(&self) -> Conditions {
        let estimate = self.estimate();
        let conditions = Conditions::new(self.loss.model(), estimate.target);
        if self.congested { conditions.congested(f64::from(estimate.random_loss)) } else { conditions }
    }

    pub(super) fn estimate(&self) -> Estimate {
        let mut estimate = self.estimator.estimate();
        if self.now < self.grace && !self.congested && self.loss.model().loss >= LOSSY {
            for rate in [&mut estimate.target, &mut estimate.stable, &mut estimate.pacing] {
                *rate = START_RATE.max(*rate);
            }
        }
        estimate
    }

    /// Whether the peer's feedback should repeat itself, as what we hear of it is likely to be lost.
    pub(super) fn is_lossy(&self) -> bool {
        self.loss.model().loss >= MUCH && !self.congested
    }

    pub(super) fn handle_timeout(&mut self, now: Instant) {
        self.estimator.handle_timeout(now);
    }

    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.estimator.poll_timeout()
    }
}
