use core::time::Duration;

use rtc_core::time::Instant;
use rtc_core::{Bitrate, DataSize};

/// The longest feedback is put off to save bandwidth: beyond, a queue grows for longer than an estimator should let it.
const LONGEST: Duration = Duration::from_millis(250);
/// How long the rate of what arrives is averaged.
const WINDOW: Duration = Duration::from_millis(500);

/// How often feedback may be sent so that it takes no more than a share of what it is about.
#[derive(Debug)]
pub(super) struct FeedbackBudget {
    share: f64,
    /// When the window began, and what arrived in it.
    window: (Instant, DataSize),
    rate: Option<Bitrate>,
    /// Average size of datagrams with feedback, headers below included; bytes.
    size: f64,
}

impl FeedbackBudget {
    pub(super) fn new(now: Instant, share: f64) -> Self {
        Self { share, window: (now, DataSize::ZERO), rate: None, size: 0.0 }
    }

    /// Takes note of media that arrived.
    pub(super) fn on_media(&mut self, now: Instant, size: DataSize) {
        let (since, sum) = self.window;
        if now - since < WINDOW {
            self.window.1 = sum + size;
            return;
        }
        let rate = sum.per(now - since);
        self.rate = Some(self.rate.map_or(rate, |before| Bitrate::from_bps((before.as_bps() + rate.as_bps()) / 2)));
        self.window = (now, size);
    }

    /// Takes note of a datagram with feedback that left.
    pub(super) fn on_feedback(&mut self, size: DataSize) {
        let bytes = size.as_bytes() as f64;
        self.size = if self.size == 0.0 { bytes } else { self.size + (bytes - self.size) / 8.0 };
    }

    /// The interval that keeps within the share: `wanted` or longer, while it is known what arrives.
    pub(super) fn interval(&self, wanted: Duration) -> Duration {
        let Some(rate) = self.rate else { return wanted };
        let seconds = self.size * 8.0 / (self.share * rate.as_bps_f64());
        let least = Duration::try_from_secs_f64(seconds).unwrap_or(LONGEST);
        wanted.max(least.min(LONGEST))
    }
}
