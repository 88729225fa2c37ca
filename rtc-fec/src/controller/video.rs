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
    /// The residual to hold: [`RepairConfig::residual`](crate::repair::RepairConfig::residual). What is expected, where the rate has
    /// no room for what the settings ask.
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
/// Layers are protected in their order until the rate is spent, the one it ends at in part; those without a share are taken to have
/// no packets.
#[must_use]
pub fn plan_video(conditions: &Conditions, config: &VideoConfig, shares: &[f64]) -> VideoPlan {
    let loss = conditions.protectable();
    let repair = conditions.rounds(config.deadline) > 0;
    // Repair beyond this leaves too little for media.
    let most = (1.0 / config.least_media.clamp(0.01, 1.0) - 1.0).max(0.0);
    let (mut room, mut reason) = (most, Reason::Clean);
    let mut layers = Vec::with_capacity(config.residuals.len());
    for (index, residual) in config.residuals.iter().enumerate() {
        let share = shares.get(index).copied().unwrap_or(0.0).max(0.0);
        let room_of_layer = if share > 0.0 { room / share } else { f64::INFINITY };
        let plan = layer(conditions, config, *residual, room_of_layer);
        if plan.residual > *residual {
            reason = Reason::Budget;
        } else if plan.overhead > 0.0 && reason != Reason::Budget {
            reason = if repair { Reason::Repair } else { Reason::Ahead };
        }
        room = (room - plan.overhead * share).max(0.0);
        layers.push(plan);
    }
    if conditions.congested && loss < conditions.path.loss {
        reason = Reason::Congestion;
    }
    VideoPlan { reason, media: conditions.rate * (1.0 / (1.0 + most - room)), repair, layers }
}

/// What holds `residual`, or comes nearest to it with `most` repair packets per packet.
fn layer(conditions: &Conditions, config: &VideoConfig, residual: f64, most: f64) -> LayerPlan {
    let (loss, packets) = (conditions.protectable(), config.frame_packets.max(1));
    let unprotected = frame_loss(loss, packets);
    if unprotected <= residual {
        return LayerPlan { residual, ahead: 0.0, overhead: 0.0, expected_residual: unprotected };
    }
    let (ahead, overhead, expected_residual) = if conditions.rounds(config.deadline) > 0 {
        // A frame is missing if any packet of it is.
        let (missing, overhead) = conditions.driven(config.deadline, residual / packets as f64, most);
        (0.0, overhead, frame_loss(missing, packets))
    } else {
        let (ahead, missing) = block(loss, packets, residual, most);
        (ahead, ahead, missing)
    };
    let residual = if overhead < most { residual } else { residual.max(expected_residual) };
    LayerPlan { residual, ahead, overhead, expected_residual }
}

/// Fraction of frames that miss a packet if so many of these are missing.
fn frame_loss(missing: f64, packets: usize) -> f64 {
    1.0 - (1.0 - missing).powi(i32::try_from(packets).unwrap_or(i32::MAX))
}

/// Repair packets per packet, `most` at most, with which a frame of `source` packets is whole but for `residual`, from any `source` of
/// all that is sent, and what is then missing.
fn block(loss: f64, source: usize, residual: f64, most: f64) -> (f64, f64) {
    // The probability of `arrived` of the packets sent so far.
    let mut arrived = vec![0.0; source + 1];
    arrived[0] = 1.0;
    let (mut whole, mut missing) = (0.0, 1.0);
    for sent in 1..=source * 20 {
        // Frames that become whole by this packet.
        whole += arrived[source - 1] * (1.0 - loss);
        for n in (1..source).rev() {
            arrived[n] = arrived[n] * loss + arrived[n - 1] * (1.0 - loss);
        }
        arrived[0] *= loss;
        let Some(repair) = sent.checked_sub(source) else { continue };
        let less = core::mem::replace(&mut missing, (1.0 - whole).max(0.0));
        let beyond = repair as f64 - most * source as f64;
        if beyond > 0.0 {
            // A part of the frames has this packet, the others do not.
            return (most, missing + (less - missing) * beyond);
        }
        if missing <= residual {
            return (repair as f64 / source as f64, missing);
        }
    }
    (19.0, missing)
}
