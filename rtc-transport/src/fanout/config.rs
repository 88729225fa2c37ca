use core::time::Duration;

use rtc_core::pacing::Priority;
use rtc_core::{ConfigError, DataSize, PayloadType, Ssrc};

use crate::pacer::PacerConfig;

/// Settings of an [`Egress`](super::Egress).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct EgressConfig {
    /// The pacer, which begins at its rate. Default that of [`PacerConfig`]. Who polls each 10 ms, say, gives it a `burst` of
    /// that and more: what leaks out between two polls has to fit, or the rate is not reached.
    pub pacer: PacerConfig,
    /// What a packet costs on the path beside its own bytes. Default 28 bytes: UDP over IPv4.
    pub overhead: DataSize,
    /// The extension element in which packets are numbered for transport-wide feedback as they leave. Only packets that came
    /// with such an element of two bytes are. Default none.
    pub transport_sequence_id: Option<u8>,
    /// What a track keeps for retransmission at most. Default 256 kB: a second at 2 Mb/s.
    pub history: DataSize,
    /// How long a track keeps packets for retransmission. Default 1 s: later they come too late for a conversation.
    pub history_age: Duration,
    /// How soon a packet may be sent again after it was sent or sent again: a request on its way meanwhile is for the one before.
    /// Default 20 ms; a round trip is right, [`set_round_trip`](super::Egress::set_round_trip) sets it.
    pub resend_interval: Duration,
    /// The most packets in a [`Transmit`](super::Transmit). Default 64, the most Linux splits (`UDP_MAX_SEGMENTS`).
    pub max_segments: usize,
}

impl Default for EgressConfig {
    fn default() -> Self {
        Self {
            pacer: PacerConfig::default(),
            overhead: DataSize::from_bytes(28),
            transport_sequence_id: None,
            history: DataSize::from_bytes(256_000),
            history_age: Duration::from_secs(1),
            resend_interval: Duration::from_millis(20),
            max_segments: 64,
        }
    }
}

impl EgressConfig {
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        if self.max_segments == 0 {
            return Err(ConfigError::new("max_segments", "must be above zero"));
        }
        Ok(())
    }
}

/// A stream to a subscriber.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct TrackConfig {
    /// Its SSRC.
    pub ssrc: Ssrc,
    /// Its payload type; `None` for that of what is forwarded.
    pub payload_type: Option<PayloadType>,
    /// SSRC and payload type of retransmissions (RFC 4588). Without them nothing is kept, and nothing is sent again.
    pub rtx: Option<(Ssrc, PayloadType)>,
    /// Which packets leave first.
    pub priority: Priority,
}

impl TrackConfig {
    /// Video, without retransmissions.
    #[must_use]
    pub const fn video(ssrc: Ssrc) -> Self {
        Self { ssrc, payload_type: None, rtx: None, priority: Priority::Video }
    }

    /// Audio, without retransmissions.
    #[must_use]
    pub const fn audio(ssrc: Ssrc) -> Self {
        Self { ssrc, payload_type: None, rtx: None, priority: Priority::Audio }
    }

    /// The same with retransmissions.
    #[must_use]
    pub const fn with_rtx(mut self, ssrc: Ssrc, payload_type: PayloadType) -> Self {
        self.rtx = Some((ssrc, payload_type));
        self
    }
}
