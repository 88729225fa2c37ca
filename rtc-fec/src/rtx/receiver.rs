use bytes::BytesMut;
use rtc_core::{ConfigError, Fault, Malformed, PayloadType, RtpPacket, SeqNum, Ssrc};

use super::{RtxPayloadType, check};
use crate::POOL_LEN;

/// Settings of an [`RtxReceiver`].
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct RtxReceiverConfig {
    /// SSRC of the original stream; `None`, the default, where both streams have the same in two sessions (session
    /// multiplexing, RFC 4588 §4).
    pub ssrc: Option<Ssrc>,
    /// What is retransmitted as what. Empty by default: every packet is foreign.
    pub payload_types: Vec<RtxPayloadType>,
}

/// What was received: `packets = originals + padding + foreign + malformed`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RtxReceiverStats {
    /// Packets of the retransmission stream (`retransmittedPacketsReceived` and more, as that leaves padding out).
    pub packets: u64,
    /// Packets turned back into originals.
    pub originals: u64,
    /// Packets of padding only.
    pub padding: u64,
    /// Packets of payload types that are not retransmissions.
    pub foreign: u64,
    /// Packets too short for an original sequence number.
    pub malformed: u64,
}

/// What a packet of the retransmission stream was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Received {
    /// An original, as it was sent first but for its padding.
    Original(RtpPacket),
    /// Padding, sent to probe the path or to keep it open.
    Padding,
    /// No retransmission: its payload type is not mapped to another.
    Foreign,
}

/// Turns retransmission packets back into originals (RFC 4588 §4).
///
/// Losses in the retransmission stream are not to be asked for; ask for the original again.
#[derive(Debug)]
pub struct RtxReceiver {
    config: RtxReceiverConfig,
    pool: BytesMut,
    stats: RtxReceiverStats,
}

impl RtxReceiver {
    /// A receiver of one retransmission stream.
    ///
    /// # Errors
    /// [`ConfigError`] if a payload type has several partners, or a retransmission type is itself retransmitted.
    pub fn new(config: RtxReceiverConfig) -> Result<Self, ConfigError> {
        check(&config.payload_types)?;
        Ok(Self { config, pool: BytesMut::with_capacity(POOL_LEN), stats: RtxReceiverStats::default() })
    }

    /// Takes a packet of the retransmission stream.
    ///
    /// # Errors
    /// [`Malformed`] if its payload is too short for an original sequence number.
    pub fn receive(&mut self, packet: &RtpPacket) -> Result<Received, Malformed> {
        self.stats.packets += 1;
        let Some(payload_type) = self.original_of(packet.payload_type()) else {
            self.stats.foreign += 1;
            return Ok(Received::Foreign);
        };
        let (seq, payload) = match packet.payload() {
            [] => {
                self.stats.padding += 1;
                return Ok(Received::Padding);
            }
            [high, low, payload @ ..] => (SeqNum(u16::from_be_bytes([*high, *low])), payload),
            [_] => {
                self.stats.malformed += 1;
                return Err(Malformed::new("RTX", Fault::Truncated));
            }
        };
        self.stats.originals += 1;
        let ssrc = self.config.ssrc.unwrap_or_else(|| packet.ssrc());
        Ok(Received::Original(packet.repack_in(&mut self.pool, &[payload], |header| {
            header.set_payload_type(payload_type);
            header.set_seq(seq);
            header.set_ssrc(ssrc);
        })))
    }

    /// What happened so far.
    #[must_use]
    pub const fn stats(&self) -> RtxReceiverStats {
        self.stats
    }

    fn original_of(&self, rtx: PayloadType) -> Option<PayloadType> {
        self.config.payload_types.iter().find(|pair| pair.rtx == rtx).map(|pair| pair.original)
    }
}
