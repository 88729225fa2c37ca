use bytes::BytesMut;
use rtc_core::{ConfigError, Fault, Malformed, SeqNum, Ssrc};
use rtcp::transport_feedbacks::transport_layer_nack as wire;

use super::{Raw, marshal, unmarshal};

/// Feedback message type of a generic NACK (RFC 4585 §6.2.1).
pub(super) const FORMAT: u8 = 1;

/// Packets asked for again: a generic NACK (RFC 4585 §6.2.1).
///
/// ```
/// use rtc_core::{SeqNum, Ssrc};
/// use rtc_transport::rtcp::Nack;
///
/// let nack = Nack::new(Ssrc(1), Ssrc(2), [SeqNum(65_535), SeqNum(0), SeqNum(15), SeqNum(16)]);
/// assert_eq!(nack.pairs.len(), 2, "each names one packet and any of the 16 after it");
/// assert_eq!(nack.lost().map(|seq| seq.0).collect::<Vec<_>>(), [65_535, 0, 15, 16]);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Nack {
    /// Who asks.
    pub sender: Ssrc,
    /// The source whose packets are missing.
    pub media: Ssrc,
    /// The packets missing, [`Nack::MAX_PAIRS`] pairs at most.
    pub pairs: Vec<NackPair>,
}

/// Up to 17 missing packets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NackPair {
    /// The first of them.
    pub first: SeqNum,
    /// Bit `i`, counted from the lowest, stands for packet `first + 1 + i`.
    pub following: u16,
}

impl Nack {
    /// Most pairs that can be written, the `rtcp` crate's limit: about a kilobyte.
    pub const MAX_PAIRS: usize = 253;

    /// Asks for packets, those close together in one pair; give them in order.
    #[must_use]
    pub fn new(sender: Ssrc, media: Ssrc, lost: impl IntoIterator<Item = SeqNum>) -> Self {
        let mut pairs: Vec<NackPair> = Vec::new();
        for seq in lost {
            if !pairs.last_mut().is_some_and(|pair| pair.insert(seq)) {
                pairs.push(NackPair { first: seq, following: 0 });
            }
        }
        Self { sender, media, pairs }
    }

    /// The packets asked for.
    pub fn lost(&self) -> impl Iterator<Item = SeqNum> + '_ {
        self.pairs.iter().flat_map(NackPair::lost)
    }

    pub(super) fn parse(raw: &Raw) -> Result<Self, Malformed> {
        // The `rtcp` crate panics if the second SSRC is missing.
        if raw.body.len() < 8 {
            return Err(Malformed::new("RTCP NACK", Fault::Truncated));
        }
        let nack: wire::TransportLayerNack = unmarshal(raw, "RTCP NACK")?;
        let pairs =
            nack.nacks.iter().map(|pair| NackPair { first: SeqNum(pair.packet_id), following: pair.lost_packets });
        Ok(Self { sender: Ssrc(nack.sender_ssrc), media: Ssrc(nack.media_ssrc), pairs: pairs.collect() })
    }

    pub(super) fn write(&self, out: &mut BytesMut) -> Result<(), ConfigError> {
        if self.pairs.len() > Self::MAX_PAIRS {
            return Err(ConfigError::new("pairs", "must be 253 at most"));
        }
        let pairs =
            self.pairs.iter().map(|pair| wire::NackPair { packet_id: pair.first.0, lost_packets: pair.following });
        let nack =
            wire::TransportLayerNack { sender_ssrc: self.sender.0, media_ssrc: self.media.0, nacks: pairs.collect() };
        marshal(&nack, out)
    }
}

impl NackPair {
    /// The packets it stands for, in order.
    pub fn lost(&self) -> impl Iterator<Item = SeqNum> + use<> {
        let Self { first, following } = *self;
        let others = (0..16).filter(move |bit| following >> bit & 1 == 1).map(move |bit| first + 1 + bit);
        core::iter::once(first).chain(others)
    }

    /// Whether `seq` is, or now is, one of those it stands for.
    fn insert(&mut self, seq: SeqNum) -> bool {
        match seq.distance_from(self.first) {
            0 => true,
            ahead @ 1..=16 => {
                self.following |= 1 << (ahead - 1);
                true
            }
            _ => false,
        }
    }
}
