use core::time::Duration;

use rtc_core::audio::AudioRef;

use crate::report::{STEP, Timeline};

use super::{SECOND, SILENCE_DBFS, percent};

/// What happened in each step of a call.
#[derive(Debug)]
pub(super) struct Bins(Vec<Bin>);

/// What happened in one step.
#[derive(Debug, Clone, Default)]
pub(super) struct Bin {
    pub(super) delays: Vec<f64>,
    pub(super) buffer: Option<f64>,
    pub(super) buffer_target: Option<f64>,
    pub(super) sent: u64,
    pub(super) sent_bytes: u64,
    pub(super) lost: u64,
    pub(super) capacity: Option<f64>,
    pub(super) target: Option<f64>,
    pub(super) concealed: f64,
    pub(super) said: Loudness,
    pub(super) heard: Loudness,
}

impl Bins {
    pub(super) fn new(length: Duration) -> Self {
        Self(vec![Bin::default(); index(length.as_secs_f64() / STEP).max(1)])
    }

    /// Changes the step at `second`; what lies beyond the call is not recorded.
    pub(super) fn add(&mut self, second: f64, change: impl FnOnce(&mut Bin)) {
        if let Some(bin) = self.0.get_mut(index(second / STEP)) {
            change(bin);
        }
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn timeline(
        self,
        residual_loss_percent: Vec<Option<f64>>,
        expected_unrepaired_percent: Vec<Option<f64>>,
    ) -> Timeline {
        let each = |value: fn(&Bin) -> Option<f64>| self.0.iter().map(value).collect();
        let over_a_second = |value: fn(&[Bin]) -> Option<f64>| {
            (1..=self.0.len()).map(|end| value(&self.0[end.saturating_sub(SECOND)..end])).collect()
        };
        Timeline {
            mouth_to_ear_ms: each(|bin| {
                (!bin.delays.is_empty()).then(|| bin.delays.iter().sum::<f64>() / bin.delays.len() as f64)
            }),
            buffer_ms: each(|bin| bin.buffer),
            buffer_target_ms: each(|bin| bin.buffer_target),
            network_loss_percent: over_a_second(|bins| {
                let sent = bins.iter().map(|bin| bin.sent).sum();
                (sent > 0).then(|| percent(bins.iter().map(|bin| bin.lost).sum(), sent))
            }),
            residual_loss_percent,
            expected_unrepaired_percent,
            capacity_kbps: each(|bin| bin.capacity),
            target_kbps: each(|bin| bin.target),
            sent_kbps: over_a_second(|bins| {
                let bytes: u64 = bins.iter().map(|bin| bin.sent_bytes).sum();
                Some(bytes as f64 * 8e-3 / (bins.len() as f64 * STEP))
            }),
            concealed_ms: each(|bin| Some(bin.concealed)),
            said_dbfs: each(|bin| bin.said.dbfs()),
            heard_dbfs: each(|bin| bin.heard.dbfs()),
        }
    }
}

/// Mean power of a stretch of sound.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Loudness {
    energy: f64,
    samples: usize,
}

impl Loudness {
    pub(super) fn add(&mut self, frame: AudioRef<'_>) {
        for plane in frame.planes() {
            self.energy += plane.iter().map(|sample| f64::from(*sample).powi(2)).sum::<f64>();
            self.samples += plane.len();
        }
    }

    fn dbfs(self) -> Option<f64> {
        let power = self.energy / self.samples as f64;
        (self.samples > 0).then(|| (10.0 * power.log10()).max(SILENCE_DBFS))
    }
}

/// The whole part of a number that is not below zero; casts saturate.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "saturation is what is wanted")]
pub(super) fn index(value: f64) -> usize {
    (value + 1e-9) as usize
}
