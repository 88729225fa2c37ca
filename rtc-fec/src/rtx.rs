//! Retransmission (RTX, RFC 4588): sending again what was asked for.
//!
//! [`RtxHistory`] keeps what was sent and makes retransmission packets, [`RtxReceiver`] turns them back into originals.

mod history;
mod receiver;

pub use history::{Retransmit, RtxHistory, RtxHistoryConfig, RtxHistoryStats};
pub use receiver::{Received, RtxReceiver, RtxReceiverConfig, RtxReceiverStats};

use rtc_core::{ConfigError, PayloadType};

/// A retransmission payload type and the payload type it retransmits (`apt`, RFC 4588 §8.6).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RtxPayloadType {
    /// Of the retransmission packets.
    pub rtx: PayloadType,
    /// Of the original packets.
    pub original: PayloadType,
}

/// A retransmission is never retransmitted in turn, and each type has one partner.
fn check(payload_types: &[RtxPayloadType]) -> Result<(), ConfigError> {
    for (at, pair) in payload_types.iter().enumerate() {
        if payload_types.iter().any(|other| other.rtx == pair.original) {
            return Err(ConfigError::new("payload_types", "must not retransmit retransmissions"));
        }
        if payload_types[..at].iter().any(|other| other.rtx == pair.rtx || other.original == pair.original) {
            return Err(ConfigError::new("payload_types", "must have each type once (RFC 4588 §8.6)"));
        }
    }
    Ok(())
}
