//! A voice endpoint, composed from the crates: what people copy and change.
//!
//! ```text
//! microphone -> Opus -> RED -> ULPFEC -> history, pacer -> transport-wide number -> network
//!                 ^       ^       ^      ^                                             |
//!                 '-- protection --'      '-- repair <---- transport-wide feedback <---+
//!                         '<-- loss, Gcc <---------------------------------------------'
//!
//! network -> session -> RTX -> ULPFEC, RLC -> RED -> play-out (jitter buffer, Opus) -> loudspeaker
//!               '--> NACK generator -> RTCP
//! ```

use core::time::Duration;

use rtc_core::codec::AudioFormat;
use rtc_core::opus::{OpusConfig, Redundancy};
use rtc_core::{Bitrate, PayloadType, RtpTime, Ssrc};
use rtc_fec::rtx::RtxPayloadType;

use crate::cli::VoiceOptions;
use crate::wav::RATE;

mod decoder;
mod endpoint;
mod protection;
mod receiver;
mod sender;

pub use endpoint::{Endpoint, EndpointStats};
pub use protection::{Limits, Protection};

/// How much the sound inside Opus lags its timestamps, at 48 kHz: 312 samples (RFC 7845 §4.2 has the same as pre-skip).
pub const LOOK_AHEAD: Duration = Duration::from_micros(6_500);

/// Payload type of Opus (RFC 7587).
const OPUS: PayloadType = PayloadType::new(111);
/// Payload type of RED around Opus (RFC 2198).
const RED: PayloadType = PayloadType::new(63);
/// Payload type of ULPFEC (RFC 5109).
const ULPFEC: PayloadType = PayloadType::new(122);
/// Payload type of coded repair over what is missing ([`rtc_fec::rlc`]).
const RLC: PayloadType = PayloadType::new(123);
/// Payload types of retransmissions, and of what they retransmit (RFC 4588 §8.6).
const RTX: [RtxPayloadType; 2] = [
    RtxPayloadType { rtx: PayloadType::new(97), original: OPUS },
    RtxPayloadType { rtx: PayloadType::new(98), original: RED },
];
/// Header extension element that carries the transport-wide sequence number.
const TRANSPORT_SEQUENCE: u8 = 5;

/// Settings of an endpoint.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct VoiceConfig {
    /// 1 or 2.
    pub channels: usize,
    /// Effort of the encoder, 0 to 10.
    pub complexity: u8,
    /// Whether silence is left out.
    pub dtx: bool,
    /// Whether Opus packets carry a low-rate copy of the frame before, when there is loss.
    pub inband_fec: bool,
    /// Whether what is lost is asked for again.
    pub nack: bool,
    /// What the protection may use.
    pub limits: Limits,
}

impl VoiceConfig {
    /// The settings the command line asks for.
    #[must_use]
    pub fn from_options(options: &VoiceOptions) -> Self {
        Self {
            channels: if options.stereo { 2 } else { 1 },
            complexity: options.complexity,
            dtx: options.dtx,
            inband_fec: !options.no_inband_fec,
            nack: !options.no_nack,
            limits: Limits {
                voice: Bitrate::from_kbps(options.bitrate),
                all: options.max_rate.map(Bitrate::from_kbps),
                packet_time: Duration::from_millis(options.packet.parse().unwrap_or(20)),
                red_copies: options.red.map(usize::from),
                ulpfec: !options.no_ulpfec,
                repair: !options.no_nack,
                dred: !options.no_inband_fec,
                encryption: 0,
            },
        }
    }

    fn format(&self) -> AudioFormat {
        AudioFormat { rate: RATE, channels: self.channels }
    }

    fn opus(&self) -> OpusConfig {
        let mut config = OpusConfig::default();
        config.format = self.format();
        config.bitrate = self.limits.voice;
        config.complexity = self.complexity;
        config.redundancy = if self.inband_fec { Redundancy::Lbrr } else { Redundancy::None };
        config.dtx = self.dtx;
        config
    }
}

/// The streams an endpoint sends.
#[derive(Debug, Clone, Copy)]
struct Streams {
    voice: Ssrc,
    repair: Ssrc,
    rtx: Ssrc,
    coded: Ssrc,
}

/// A voice packet that was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Spoken {
    /// Its media time.
    pub timestamp: RtpTime,
    /// Samples per channel in it.
    pub samples: u32,
}

/// A voice packet that reached the play-out in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Arrival {
    /// Its media time.
    pub timestamp: RtpTime,
    /// What brought it.
    pub origin: Origin,
}

/// What brought a voice packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Origin {
    /// The network, as it was sent.
    Direct,
    /// A copy in a later packet (RFC 2198).
    Red,
    /// A repair packet (RFC 5109).
    Ulpfec,
    /// A retransmission (RFC 4588).
    Rtx,
    /// Coded repair over what is missing (as in RFC 8681).
    Coded,
    /// The low-rate copy inside the next Opus packet (LBRR, RFC 6716 §2.1.7).
    InbandFec,
    /// Deep redundancy (DRED) inside a later Opus packet.
    Deep,
}
