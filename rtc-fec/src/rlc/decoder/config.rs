use rtc_core::{ConfigError, PayloadType, Ssrc};

use crate::linear::{MAX_SPAN, MAX_UNKNOWN};

/// Settings of an [`RlcDecoder`](crate::rlc::RlcDecoder).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct RlcDecoderConfig {
    /// Payload type of the repair packets. 126, one before that of ULPFEC.
    pub payload_type: PayloadType,
    /// SSRC of the media; `None`, the default, for that of the packets that arrive. Packets of media of others are foreign.
    pub ssrc: Option<Ssrc>,
    /// Sequence numbers of media remembered, a power of two from 256 to 8192. 512: twice what one repair packet spans.
    pub window: usize,
    /// Repair packets held until enough of what they cover is there, 1 to 128; those with the oldest packets go first. 64, as
    /// many as one repair packet covers.
    pub max_repairs: usize,
    /// Whether repair packets cover header extensions of media; as the sender has it
    /// ([`RlcEncoderConfig::extensions`](crate::rlc::RlcEncoderConfig::extensions)). Yes. If not, what is recovered equals the lost
    /// packet without its extension.
    pub extensions: bool,
    /// Payload type of the media that repair packets in the short form cover
    /// ([`RlcEncoderConfig::short`](crate::rlc::RlcEncoderConfig::short)). None: such repair packets are refused.
    pub short: Option<PayloadType>,
}

impl Default for RlcDecoderConfig {
    fn default() -> Self {
        Self {
            payload_type: PayloadType::new(126),
            ssrc: None,
            window: 512,
            max_repairs: 64,
            extensions: true,
            short: None,
        }
    }
}

impl RlcDecoderConfig {
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        if !(MAX_SPAN..=8_192).contains(&self.window) || !self.window.is_power_of_two() {
            return Err(ConfigError::new("window", "must be a power of two from 256 to 8192"));
        }
        if !(1..=MAX_UNKNOWN).contains(&self.max_repairs) {
            return Err(ConfigError::new("max_repairs", "must be 1 to 128"));
        }
        Ok(())
    }
}

/// What became of what was inserted.
///
/// `sources = kept + duplicates + old + strays`; `repairs = recovered + unused + corrupt + unplaced + expired + overflowed +
/// forgotten` + those held ([`RlcDecoder::held`](crate::rlc::RlcDecoder::held)); what was polled or can be is `recovered - unpolled - late`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RlcDecoderStats {
    /// Packets of media inserted.
    pub sources: u64,
    /// Of these, remembered.
    pub kept: u64,
    /// Of these, there already, received or recovered.
    pub duplicates: u64,
    /// Of these, older than the window.
    pub old: u64,
    /// Of these, far off and not confirmed by the next, or foreign.
    pub strays: u64,
    /// Repair packets accepted as such (`fecPacketsReceived`).
    pub repairs: u64,
    /// Bytes of these repair packets (`fecBytesReceived`).
    pub repair_bytes: u64,
    /// Repair packets refused with an error.
    pub malformed: u64,
    /// Packets recovered, each by one repair packet.
    pub recovered: u64,
    /// Repair packets that said nothing new, or no longer did when what they cover came (`fecPacketsDiscarded` has these and the
    /// following).
    pub unused: u64,
    /// Repair packets that contradict what arrived, and all held when what was recovered turned out to be no valid packet.
    pub corrupt: u64,
    /// Repair packets in the short form of another stream, or of which nothing that is here tells what they cover.
    pub unplaced: u64,
    /// Repair packets whose packets of media left the window, were never in it, or were [given
    /// up](crate::rlc::RlcDecoder::give_up).
    pub expired: u64,
    /// Repair packets given up because there were too many, or too many unknown packets.
    pub overflowed: u64,
    /// Repair packets given up because the sender started anew.
    pub forgotten: u64,
    /// Recovered packets dropped because they were not polled.
    pub unpolled: u64,
    /// Recovered packets not given out because the original came after all, before they were polled.
    pub late: u64,
}
