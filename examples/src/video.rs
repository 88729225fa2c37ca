//! A call with a picture, composed from the crates: Opus and AV1 that share one path and are played in step.
//!
//! ```text
//! microphone -> Opus --.-> numbers, history, repair --.-> pacer -> transport-wide number -> network
//! camera ----> AV1 ----'    ^   (OutgoingStream)      |     ^                                  |
//!               ^           |                         |     |                                  |
//!               |      plan_voice, plan_video         '- repair <--- transport-wide feedback <-+
//!               '-- Allocator <-- Gcc, LossEstimator <----------'                              |
//!                                                                                              |
//! network -> session -> RTX, RLC -.-> AudioPlayout (jitter buffer, Opus) -------> loudspeaker  |
//!               |  (IncomingStream)'-> VideoJitterBuffer -> AV1 -----------------> screen      |
//!               |                          '---- SyncGroup: least delays of both               |
//!               '--> requests for what is missing, and for key frames --> RTCP ----------------'
//! ```
//!
//! [`Endpoint`] is the composition, sans-IO like the crates it is made of; [`run`] runs two of them in virtual time and looks at
//! what the viewer sees and hears. Sound and picture are those of a [`Clapper`], so that lip sync can be measured on what was decoded.
//! The codec is behind the `VideoEncoder` and `VideoDecoder` roles in [`Av1Encoder`] and [`Av1Decoder`].

use core::time::Duration;

use rtc_core::testkit::rng::Rng;
use rtc_core::{Bitrate, Frequency, PayloadType, Ssrc};
use rtc_fec::rtx::RtxPayloadType;

mod clapper;
mod conditions;
mod decoder;
mod encoder;
mod endpoint;
mod incoming;
mod outgoing;
mod overtaken;
mod picture;
mod receiver;
mod recorder;
mod report;
mod sender;
mod simulate;
mod sources;

pub use clapper::Clapper;
pub use decoder::Av1Decoder;
pub use encoder::Av1Encoder;
pub use endpoint::{Endpoint, EndpointStats};
pub use receiver::Shown;
pub use recorder::{Fate, Seen, Timeline};
pub use report::{Report, Summary, to_html, to_table};
pub use simulate::{Setup, run};

/// Payload type of Opus (RFC 7587), of its retransmissions (RFC 4588) and of its coded repair ([`rtc_fec::rlc`]).
const OPUS: PayloadType = PayloadType::new(111);
const OPUS_RTX: RtxPayloadType = RtxPayloadType { rtx: PayloadType::new(112), original: OPUS };
const OPUS_REPAIR: PayloadType = PayloadType::new(113);
/// The same of AV1 (RTP Payload Format For AV1).
const AV1: PayloadType = PayloadType::new(45);
const AV1_RTX: RtxPayloadType = RtxPayloadType { rtx: PayloadType::new(46), original: AV1 };
const AV1_REPAIR: PayloadType = PayloadType::new(47);
/// Header extension element that carries the transport-wide sequence number.
const TRANSPORT_SEQUENCE: u8 = 5;
/// The clocks of sound and picture.
const SOUND: Frequency = Frequency::KHZ_48;
const PICTURE: Frequency = Frequency::KHZ_90;

/// How much the sound inside Opus lags its timestamps: 312 samples (RFC 7845 §4.2 has the same as pre-skip).
const LOOK_AHEAD: Duration = Duration::from_micros(6_500);
/// What repair of a voice packet may take, from sending to play-out.
const VOICE_DEADLINE: Duration = Duration::from_millis(240);
/// The same of a picture: a round of feedback over 40 ms each way and some. Most repair needs 70 ms less, so that with what the encoder
/// holds, 67 ms, a picture is on the screen within 300 ms.
const PICTURE_DEADLINE: Duration = Duration::from_millis(230);

/// Settings of both ends.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct VideoCallConfig {
    /// Luma samples in a row, and rows.
    pub size: (usize, usize),
    /// Pictures a second.
    pub fps: u32,
    /// Most the picture may take, before protection.
    pub max_bitrate: Bitrate,
}

impl Default for VideoCallConfig {
    /// 320 x 180, 500 kb/s at most, at 60 pictures a second: the encoder holds four of them, which are then 67 ms.
    fn default() -> Self {
        Self { size: (320, 180), fps: 60, max_bitrate: Bitrate::from_kbps(500) }
    }
}

/// The streams one end sends, as signalling would tell the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Streams {
    voice: Ssrc,
    video: Ssrc,
    /// Retransmissions of the voice and of the video, and coded repair of both.
    rtx: [Ssrc; 2],
    repair: [Ssrc; 2],
}

impl Streams {
    /// Streams of random names (RFC 3550 §8.1).
    #[must_use]
    pub fn random(seed: u64) -> Self {
        let mut rng = Rng::new(seed);
        let mut ssrc = || Ssrc(rng.next_u32());
        Self { voice: ssrc(), video: ssrc(), rtx: [ssrc(), ssrc()], repair: [ssrc(), ssrc()] }
    }
}
