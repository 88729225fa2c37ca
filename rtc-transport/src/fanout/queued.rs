use rtc_core::{RtpPacket, RtpTime, SeqNum};

use super::TrackId;

/// A packet on its way through the pacer of an [`Egress`](super::Egress): what came in, and the numbers it is to go by. A pacer
/// has no reason to look inside.
#[derive(Debug)]
pub struct Queued {
    pub(super) packet: RtpPacket,
    pub(super) track: TrackId,
    pub(super) timestamp: RtpTime,
    /// Bytes of the datagram it becomes.
    pub(super) len: u32,
    pub(super) seq: SeqNum,
    pub(super) is_retransmission: bool,
}

impl Queued {
    /// A packet to be sent for the first time, where protection adds so many bytes.
    #[inline]
    pub(super) fn media(track: TrackId, packet: RtpPacket, seq: SeqNum, timestamp: RtpTime, overhead: usize) -> Self {
        let len = bytes(packet.as_bytes().len() + overhead);
        Self { packet, track, timestamp, len, seq, is_retransmission: false }
    }

    /// A packet to be sent again: the number of the original, then its payload, without padding (RFC 4588 §4).
    pub(super) fn again(track: TrackId, packet: RtpPacket, seq: SeqNum, timestamp: RtpTime, overhead: usize) -> Self {
        let len = bytes(packet.header_len() + 2 + packet.payload().len() + overhead);
        Self { packet, track, timestamp, len, seq, is_retransmission: true }
    }

    /// Bytes of the datagram it becomes.
    #[inline]
    pub(super) const fn len(&self) -> usize {
        self.len as usize
    }
}

/// No packet is as long as 32 bits can say; one that were would not be sent.
#[inline]
fn bytes(len: usize) -> u32 {
    u32::try_from(len).unwrap_or(u32::MAX)
}
