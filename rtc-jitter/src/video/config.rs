use core::time::Duration;

use rtc_core::{ConfigError, DataSize};

use crate::delay::DelayConfig;

/// How payloads tell frames apart, and what they are put together to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum VideoCodec {
    /// AV1: frames are temporal units of the low-overhead format, each beginning with a temporal delimiter.
    Av1,
    /// VP8 (RFC 7741).
    Vp8,
    /// VP9 (RFC 9628): the layer frames of a picture one after the other.
    Vp9,
    /// H.264, packetization modes 0 and 1 (RFC 6184): frames are access units of the byte-stream format, with start codes.
    H264,
    /// Any other, or encrypted from end to end: payloads are joined as they are. Needs the dependency descriptor.
    Other,
}

/// Settings of the video buffer.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct VideoConfig {
    /// The codec.
    pub codec: VideoCodec,
    /// Identifier of the dependency descriptor, if it was agreed on; where a packet has one it is believed rather than the
    /// payload. Default: none.
    pub dependency_descriptor: Option<u8>,
    /// Most packets held that wait for the rest of their frame, and numbers looked back on. Default 2048: 1.6 s of 12 Mb/s.
    pub capacity: usize,
    /// Most frames held. Default 600: 10 s of 60 a second.
    pub max_frames: usize,
    /// Most bytes of frames held. Default 16 MB: 10 s of 12 Mb/s.
    pub max_size: DataSize,
    /// How long a frame that cannot be decoded is kept for what it needs. Default 2 s: retransmissions come earlier or never.
    pub max_wait: Duration,
    /// Packets in a row of another SSRC, or far from the expected numbers, before they are taken for a new stream. Default 3.
    pub restart_after: u32,
    /// How fast the delay moves, as a part of media time. Default 0.2: hardly seen, and as fast as audio can be stretched.
    pub max_slew: f64,
    /// Time from decoded to shown. Default 10 ms: half a picture of 60 a second, and some.
    pub render_time: Duration,
    /// Round trip to whoever sends retransmissions and key frames, until [`set_round_trip`] says better. Default 100 ms.
    ///
    /// [`set_round_trip`]: crate::VideoJitterBuffer::set_round_trip
    pub round_trip: Duration,
    /// Least time between two requests for a key frame; it is 1.5 round trips at least. Default 300 ms: a large key frame is
    /// under way as long.
    pub key_frame_interval: Duration,
    /// The delay target. Default as for audio, but no least delay, and 20 ms for each percent of frames that are late: a late
    /// frame is not lost, it is shown late.
    pub delay: DelayConfig,
}

impl VideoConfig {
    /// The defaults for a codec.
    #[must_use]
    pub fn new(codec: VideoCodec) -> Self {
        Self {
            codec,
            dependency_descriptor: None,
            capacity: 2_048,
            max_frames: 600,
            max_size: DataSize::from_bytes(16_000_000),
            max_wait: Duration::from_secs(2),
            restart_after: 3,
            max_slew: 0.2,
            render_time: Duration::from_millis(10),
            round_trip: Duration::from_millis(100),
            key_frame_interval: Duration::from_millis(300),
            delay: DelayConfig { min_delay: Duration::ZERO, ms_per_loss_percent: 20.0, ..DelayConfig::default() },
        }
    }

    pub(super) fn check(&self) -> Result<(), ConfigError> {
        if !(2..=1 << 14).contains(&self.capacity) {
            return Err(ConfigError::new("capacity", "must be 2 to 16384 packets, a quarter of the sequence numbers"));
        }
        if self.max_frames == 0 {
            return Err(ConfigError::new("max_frames", "must not be zero"));
        }
        if self.max_size == DataSize::ZERO {
            return Err(ConfigError::new("max_size", "must not be zero"));
        }
        if self.restart_after == 0 {
            return Err(ConfigError::new("restart_after", "must not be zero"));
        }
        if !(0.0..=1.0).contains(&self.max_slew) {
            return Err(ConfigError::new("max_slew", "must be between 0 and 1"));
        }
        if self.codec == VideoCodec::Other && self.dependency_descriptor.is_none() {
            return Err(ConfigError::new("dependency_descriptor", "must be agreed on, as the payload tells nothing"));
        }
        Ok(())
    }
}
