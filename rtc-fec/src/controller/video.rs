//! Plans for video, layer by layer.

use core::time::Duration;

use rtc_core::Bitrate;

use super::plan::{Conditions, Reason};

/// Settings of [`plan_video`].
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct VideoConfig {
    /// Time from capture to display that repair may use. 300 ms.
    pub deadline: Duration,
    /// Fraction of frames of each layer that may be missing, from the one all others need to the one nothing needs. 0.001 for
    /// the base layer and key frames, on which seconds depend; 0.1 for the top layer, a frame of which nobody misses.
    pub residuals: Vec<f64>,
    /// Packets of a frame, on average. 10.
    pub frame_packets: usize,
    /// The part of the rate that media keeps whatever is lost. 0.25: below, a smaller picture is worth more than a safe one.
    pub least_media: f64,
}

impl Default for VideoConfig {
    fn default() -> Self {
        Self {
            deadline: Duration::from_millis(300),
            residuals: vec![0.001, 0.01, 0.1],
            frame_packets: 10,
            least_media: 0.25,
        }
    }
}

/// What to do for a layer.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct LayerPlan {
    /// The residual to hold: [`RepairConfig::residual`](crate::repair::RepairConfig::residual). 1 where the rate has no room
    /// to protect this layer.
    pub residual: f64,
    /// Repair packets per packet, ahead of loss: [`RlcEncoder::set_overhead`](crate::rlc::RlcEncoder::set_overhead).
    pub ahead: f64,
    /// Repair packets per packet expected, ahead or driven by the sender.
    pub overhead: f64,
    /// Fraction of frames expected to be missing.
    pub expected_residual: f64,
}

/// What to do for video.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct VideoPlan {
    /// Why.
    pub reason: Reason,
    /// What is left for the encoders.
    pub media: Bitrate,
    /// Whether [`RepairScheduler`](crate::repair::RepairScheduler)s send again what is lost, one for each layer.
    pub repair: bool,
    /// The layers, as in [`VideoConfig::residuals`].
    pub layers: Vec<LayerPlan>,
}

/// The plan for video whose layers have these shares of its packets, in the order of [`VideoConfig::residuals`].
///
/// Layers are protected in their order until the rate is spent; those without a share are taken to have none.
#[must_use]
pub fn plan_video(conditions: &Conditions, config: &VideoConfig, shares: &[f64]) -> VideoPlan {
    let loss = conditions.protectable();
    let repair = conditions.rounds(config.deadline) > 0;
    // Repair beyond this leaves too little for media.
    let mut room = (1.0 / config.least_media.clamp(0.01, 1.0) - 1.0).max(0.0);
    let (mut overhead, mut reason) = (0.0, Reason::Clean);
    let mut layers = Vec::with_capacity(config.residuals.len());
    for (index, residual) in config.residuals.iter().enumerate() {
        let share = shares.get(index).copied().unwrap_or(0.0).max(0.0);
        let wanted = layer(conditions, config, loss, *residual);
        if wanted.overhead > 0.0 {
            reason = reason.max_with(if repair { Reason::Repair } else { Reason::Ahead });
        }
        let plan = if wanted.overhead * share <= room {
            wanted
        } else {
            reason = Reason::Budget;
            LayerPlan { residual: 1.0, ahead: 0.0, overhead: 0.0, expected_residual: frame_loss(loss, config) }
        };
        room -= plan.overhead * share;
        overhead += plan.overhead * share;
        layers.push(plan);
    }
    if conditions.congested && loss < conditions.path.loss {
        reason = Reason::Congestion;
    }
    VideoPlan { reason, media: conditions.rate * (1.0 / (1.0 + overhead)), repair, layers }
}

impl Reason {
    fn max_with(self, other: Self) -> Self {
        if self == Self::Budget { self } else { other }
    }
}

fn layer(conditions: &Conditions, config: &VideoConfig, loss: f64, residual: f64) -> LayerPlan {
    let unprotected = frame_loss(loss, config);
    if unprotected <= residual {
        return LayerPlan { residual, ahead: 0.0, overhead: 0.0, expected_residual: unprotected };
    }
    // A frame is missing if any packet of it is.
    let per_packet = residual / config.frame_packets.max(1) as f64;
    if conditions.rounds(config.deadline) > 0 {
        let (missing, overhead) = conditions.driven(config.deadline, per_packet, f64::INFINITY);
        let expected_residual = (missing * config.frame_packets as f64).min(1.0);
        return LayerPlan { residual, ahead: 0.0, overhead, expected_residual };
    }
    let (ahead, expected_residual) = block(loss, config.frame_packets.max(1), residual);
    LayerPlan { residual, ahead, overhead: ahead, expected_residual }
}

/// Fraction of frames that miss a packet without protection.
fn frame_loss(loss: f64, config: &VideoConfig) -> f64 {
    1.0 - (1.0 - loss).powi(i32::try_from(config.frame_packets).unwrap_or(i32::MAX))
}

/// Repair packets per packet with which a frame of `source` packets is whole but for `residual`, from any `source` of all that
/// is sent, and what is then missing.
fn block(loss: f64, source: usize, residual: f64) -> (f64, f64) {
    // The probability of `arrived` of the packets sent so far.
    let mut arrived = vec![0.0; source + 1];
    arrived[0] = 1.0;
    let mut whole = 0.0;
    for sent in 1..=source * 20 {
        // Frames that become whole by this packet.
        whole += arrived[source - 1] * (1.0 - loss);
        for n in (1..source).rev() {
            arrived[n] = arrived[n] * loss + arrived[n - 1] * (1.0 - loss);
        }
        arrived[0] *= loss;
        if sent >= source && 1.0 - whole <= residual {
            return ((sent - source) as f64 / source as f64, (1.0 - whole).max(0.0));
        }
    }
    (19.0, (1.0 - whole).max(0.0))
}
