use core::ffi::CStr;
use core::time::Duration;
use std::collections::VecDeque;

use rtc_core::Bitrate;
use rtc_core::bwe::{BandwidthEstimator, Estimate, PacketResult, ProbeCluster, ProbeId, SentPacket};
use rtc_core::time::Instant;

use crate::ffi;

/// How often libwebrtc lets its controller do periodic work.
const PROCESS_INTERVAL: Duration = Duration::from_millis(25);
/// The library keeps its clock away from zero, and so does the shim.
const EPOCH: Duration = Duration::from_secs(10);
/// Probes whose packets may still be reported.
const PROBES: usize = 64;

/// The range of the target, and where it begins.
#[derive(Debug, Clone, Copy)]
pub struct GoogCcLimits {
    /// First target.
    pub start: Bitrate,
    /// Lowest target.
    pub min: Bitrate,
    /// Highest target.
    pub max: Bitrate,
}

/// Which of libwebrtc's field trials are on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum GoogCcTrials {
    /// As the sources of January 2023 have it: loss by the rules of 2 % and 10 %.
    V1,
    /// As the sources of 2024 have it: the loss-based estimator by maximum likelihood, with that year's defaults, and the
    /// robust throughput estimator.
    V2,
}

impl GoogCcTrials {
    const fn text(self) -> &'static CStr {
        match self {
            Self::V1 => c"",
            Self::V2 => {
                c"WebRTC-Bwe-RobustThroughputEstimatorSettings/enabled:true/\
                WebRTC-Bwe-LossBasedBweV2/Enabled:true,CandidateFactors:1.02|1.0|0.95,HigherBwBiasFactor:0.0002,\
                HigherLogBwBiasFactor:0.02,InherentLossLowerBound:0.001,LossThresholdOfHighBandwidthPreference:0.15,\
                BandwidthPreferenceSmoothingFactor:0.002,InherentLossUpperBoundBwBalance:75kbps,\
                InherentLossUpperBoundOffset:0.05,InitialInherentLossEstimate:0.01,NewtonIterations:1,\
                NewtonStepSize:0.75,AckedRateCandidate:true,DelayBasedCandidate:true,\
                ObservationDurationLowerBound:250ms,ObservationWindowSize:20,SendingRateSmoothingFactor:0.0,\
                InstantUpperBoundTemporalWeightFactor:0.9,InstantUpperBoundBwBalance:75kbps,\
                InstantUpperBoundLossOffset:0.05,TemporalWeightFactor:0.9,BwBackoffLowerBoundFactor:1.0,\
                MaxIncreaseFactor:1.3,DelayedIncreaseWindow:300ms,NotIncreaseIfInherentLossLessThanAverageLoss:true/"
            }
        }
    }
}

/// libwebrtc's network controller, goog_cc, fed by transport-wide feedback alone.
///
/// The congestion window is off, as it is by default. Probing while the application sends less than it may is on, as for
/// streams that ask for it.
#[derive(Debug)]
pub struct GoogCc {
    limits: GoogCcLimits,
    trials: GoogCcTrials,
    /// Made when a time is heard of first.
    controller: Option<ffi::GoogCc>,
    estimate: Estimate,
    next: Instant,
    asked: VecDeque<ProbeCluster>,
    probes: VecDeque<ProbeCluster>,
    packets: Vec<ffi::GoogCcPacket>,
}

impl GoogCc {
    /// A controller of one path.
    #[must_use]
    pub fn new(limits: GoogCcLimits, trials: GoogCcTrials) -> Self {
        Self {
            limits,
            trials,
            controller: None,
            estimate: Estimate::new(limits.start),
            next: Instant::ZERO,
            asked: VecDeque::new(),
            probes: VecDeque::new(),
            packets: Vec::new(),
        }
    }

    fn started(&mut self, now: Instant) -> Option<&mut ffi::GoogCc> {
        if self.controller.is_none() {
            let limits = ffi::GoogCcLimits {
                start_bps: signed(self.limits.start.as_bps()),
                min_bps: signed(self.limits.min.as_bps()),
                max_bps: signed(self.limits.max.as_bps()),
            };
            let (controller, update) = ffi::GoogCc::new(self.trials.text(), true, limits, micros(now));
            self.controller = controller;
            self.next = now + PROCESS_INTERVAL;
            self.take(&update);
        }
        self.controller.as_mut()
    }

    fn take(&mut self, update: &ffi::GoogCcUpdate) {
        if let Ok(target) = u64::try_from(update.target_bps) {
            self.estimate.target = Bitrate::from_bps(target);
        }
        if let Ok(pacing) = u64::try_from(update.pacing_bps) {
            self.estimate.pacing = Bitrate::from_bps(pacing);
        }
        for probe in update.probes() {
            let rate = Bitrate::from_bps(probe.rate_bps.unsigned_abs());
            let cluster = ProbeCluster {
                id: ProbeId(probe.id.unsigned_abs()),
                rate,
                size: rate.size_in(Duration::from_micros(probe.duration_us.unsigned_abs())),
                packets: probe.packets.unsigned_abs(),
            };
            if self.probes.len() == PROBES {
                self.probes.pop_front();
            }
            self.probes.push_back(cluster);
            self.asked.push_back(cluster);
        }
    }

    fn packet(&self, packet: SentPacket, received: Option<Instant>) -> ffi::GoogCcPacket {
        let probe = packet.probe.and_then(|id| self.probes.iter().find(|probe| probe.id == id));
        ffi::GoogCcPacket {
            sequence: signed(packet.id),
            sent_us: micros(packet.sent),
            received_us: received.map_or(-1, micros),
            bytes: signed(packet.size.as_bytes()),
            probe_id: probe.map_or(-1, |probe| probe.id.0.cast_signed()),
            probe_packets: probe.map_or(-1, |probe| probe.packets.cast_signed()),
            probe_bytes: probe.map_or(-1, |probe| i32::try_from(probe.size.as_bytes()).unwrap_or(i32::MAX)),
        }
    }
}

impl BandwidthEstimator for GoogCc {
    fn on_sent(&mut self, packet: SentPacket) {
        let noted = self.packet(packet, None);
        if let Some(controller) = self.started(packet.sent) {
            let update = controller.sent(noted);
            self.take(&update);
        }
    }

    fn on_feedback(&mut self, now: Instant, results: &[PacketResult]) {
        let mut packets = core::mem::take(&mut self.packets);
        packets.clear();
        packets.extend(results.iter().map(|result| self.packet(result.packet, result.received)));
        if let Some(controller) = self.started(now) {
            let update = controller.feedback(micros(now), &packets);
            self.take(&update);
        }
        self.packets = packets;
    }

    fn on_rtt(&mut self, now: Instant, rtt: Duration) {
        if let Some(controller) = self.started(now) {
            let update = controller.rtt(micros(now), i64::try_from(rtt.as_micros()).unwrap_or(i64::MAX));
            self.take(&update);
        }
    }

    fn estimate(&self) -> Estimate {
        self.estimate
    }

    fn poll_probe(&mut self, now: Instant) -> Option<ProbeCluster> {
        self.started(now);
        self.asked.pop_front()
    }

    fn poll_timeout(&self) -> Option<Instant> {
        Some(self.next)
    }

    fn handle_timeout(&mut self, now: Instant) {
        if now < self.next {
            return;
        }
        self.next = now + PROCESS_INTERVAL;
        if let Some(controller) = self.started(now) {
            let update = controller.process(micros(now));
            self.take(&update);
        }
    }
}

fn micros(time: Instant) -> i64 {
    signed((time + EPOCH).as_micros())
}

fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}
