use bytes::{Buf, BufMut, BytesMut};
use rtc_core::{Fault, Malformed, SeqNum, Ssrc};

use super::{Raw, write_framed};

const IDENTIFIER: &[u8; 4] = b"LNTF";

/// What a receiver of video can and cannot decode, told at the first loss, before it is known whether retransmission mends it:
/// a loss notification (WebRTC `goog-lntf`, application-layer feedback of RFC 4585 §6.4).
///
/// A sender that knows which frames need which may send something decodable from what arrived, in place of a key frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LossNotification {
    /// Who tells.
    pub sender: Ssrc,
    /// The video.
    pub media: Ssrc,
    /// First packet of the last frame decoded that others may need.
    pub last_decoded: SeqNum,
    /// The last packet received; at most 32767 after `last_decoded` on the wire.
    pub last_received: SeqNum,
    /// Whether all that the frame of `last_received` needs is known to be decodable, and nothing of the frame itself known
    /// to be missing.
    pub decodable: bool,
}

impl LossNotification {
    pub(super) fn parse(raw: &Raw) -> Result<Self, Malformed> {
        let mut body = raw.body.clone();
        if body.len() < 16 {
            return Err(Malformed::new("RTCP loss notification", Fault::Truncated));
        }
        let (sender, media) = (Ssrc(body.get_u32()), Ssrc(body.get_u32()));
        body.advance(IDENTIFIER.len());
        let (last_decoded, rest) = (SeqNum(body.get_u16()), body.get_u16());
        Ok(Self { sender, media, last_decoded, last_received: last_decoded + (rest >> 1), decodable: rest & 1 == 1 })
    }

    pub(super) fn write(self, out: &mut BytesMut) {
        let delta = self.last_received.0.wrapping_sub(self.last_decoded.0) & 0x7fff;
        write_framed(out, super::PAYLOAD_FEEDBACK, super::remb::FORMAT, |out| {
            out.put_u32(self.sender.0);
            out.put_u32(self.media.0);
            out.put_slice(IDENTIFIER);
            out.put_u16(self.last_decoded.0);
            out.put_u16(delta << 1 | u16::from(self.decodable));
        });
    }
}

pub(super) fn is_loss_notification(body: &[u8]) -> bool {
    body.get(8..12) == Some(IDENTIFIER)
}
