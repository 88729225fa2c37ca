use rtc_core::{ConfigError, PayloadType, SeqNum, Ssrc};

use super::super::{DENSE, MAX_WINDOW};

/// Repair packets due at most until polled.
pub(super) const MAX_DUE: f64 = 64.0;

/// Settings of an [`RlcEncoder`](crate::rlc::RlcEncoder).
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct RlcEncoderConfig {
    /// Payload type of the repair packets. 126, one before that of ULPFEC.
    pub payload_type: PayloadType,
    /// SSRC of the repair packets; `None`, the default, for that of the media.
    pub ssrc: Option<Ssrc>,
    /// Sequence number of the first repair packet. 0; a random one protects better (RFC 3550 §5.1).
    pub first_seq: SeqNum,
    /// Packets one repair packet covers at most, 1 to [`MAX_WINDOW`]. 32: more save bandwidth, but what they bring back may
    /// be as much later, and costs as much more time.
    pub window: usize,
    /// Density threshold of RFC 8681 §3.6, 0 to 15: coefficients are zero with a probability of (15 - `density`) / 16. 15, as
    /// zeros save little here and make repair packets less useful.
    pub density: u8,
    /// Repair packets for each packet of media, 0 to 64, that [`poll_repair`](rtc_core::fec::FecEncoder::poll_repair) gives; see
    /// [`RlcEncoder::set_overhead`](crate::rlc::RlcEncoder::set_overhead). 0.5.
    pub overhead: f64,
    /// Whether header extensions of media are covered. Yes. If not, packets are covered as they would be without, and so are
    /// what is recovered: for extensions that change on the way, or are of no use to whoever takes what is recovered, as in front of
    /// a jitter buffer. The receiver must be told as well ([`RlcDecoderConfig::extensions`](crate::rlc::RlcDecoderConfig::extensions)).
    pub extensions: bool,
    /// Media of this payload type whose headers are as regular as those of voice is covered in a short form: 1 or 2 bytes and a sum
    /// of payloads in place of 8 bytes and a sum of packets. None: of all media everything is covered, which shows damage more
    /// often, and works where repair packets are renumbered on the way. For packets hardly longer than their headers, without
    /// header extensions or with [`extensions`](Self::extensions) off. Timestamps must grow with numbers, as they do in audio, and
    /// all media of the stream must be protected, so that the encoder knows where it is regular. The receiver must be told as well
    /// ([`RlcDecoderConfig::short`](crate::rlc::RlcDecoderConfig::short)).
    pub short: Option<PayloadType>,
}

impl Default for RlcEncoderConfig {
    fn default() -> Self {
        Self {
            payload_type: PayloadType::new(126),
            ssrc: None,
            first_seq: SeqNum(0),
            window: 32,
            density: 15,
            overhead: 0.5,
            extensions: true,
            short: None,
        }
    }
}

impl RlcEncoderConfig {
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        check_window(self.window)?;
        if self.density > DENSE {
            return Err(ConfigError::new("density", "must be 0 to 15"));
        }
        check_overhead(self.overhead)
    }
}

pub(super) fn check_window(window: usize) -> Result<(), ConfigError> {
    match (1..=MAX_WINDOW).contains(&window) {
        true => Ok(()),
        false => Err(ConfigError::new("window", "must be 1 to 64")),
    }
}

pub(super) fn check_overhead(overhead: f64) -> Result<(), ConfigError> {
    match (0.0..=MAX_DUE).contains(&overhead) {
        true => Ok(()),
        false => Err(ConfigError::new("overhead", "must be 0 to 64")),
    }
}

/// What happened so far: `packets = kept + duplicates + old + oversized`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RlcEncoderStats {
    /// Packets of media seen.
    pub packets: u64,
    /// Of these, taken into the window.
    pub kept: u64,
    /// Of these, there already.
    pub duplicates: u64,
    /// Of these, older than the newest by more than the history is long.
    pub old: u64,
    /// Of these, longer than a length of 16 bits can say.
    pub oversized: u64,
    /// Repair packets made.
    pub repairs: u64,
    /// Bytes of repair packets made (`fecBytesSent` less the RTP headers).
    pub repair_bytes: u64,
    /// Repair packets that were due and not polled.
    pub overflowed: u64,
}
