use crate::{Malformed, PayloadType, RtpTime, SeqNum, Ssrc};

use super::element::ElementRanges;
use super::extension::HeaderExtension;
use super::layout::Layout;

/// In-place access to the header of an RTP packet in a mutable buffer.
///
/// Changes values, never lengths: what was a valid packet stays one.
#[derive(Debug)]
pub struct HeaderMut<'a> {
    bytes: &'a mut [u8],
    layout: Layout,
}

impl<'a> HeaderMut<'a> {
    /// Checks that `bytes` are one whole RTP packet.
    ///
    /// # Errors
    /// As [`RtpPacket::parse`](super::RtpPacket::parse).
    pub fn parse(bytes: &'a mut [u8]) -> Result<Self, Malformed> {
        let layout = Layout::parse(bytes)?;
        Ok(Self { bytes, layout })
    }

    pub(super) fn from_checked(bytes: &'a mut [u8], layout: Layout) -> Self {
        Self { bytes, layout }
    }

    /// Sets the marker bit.
    pub fn set_marker(&mut self, marker: bool) {
        self.bytes[1] = (self.bytes[1] & 0x7f) | (u8::from(marker) << 7);
    }

    /// Sets the payload type.
    pub fn set_payload_type(&mut self, payload_type: PayloadType) {
        self.bytes[1] = (self.bytes[1] & 0x80) | payload_type.value();
    }

    /// Sets the sequence number.
    pub fn set_seq(&mut self, seq: SeqNum) {
        self.bytes[2..4].copy_from_slice(&seq.0.to_be_bytes());
    }

    /// Sets the timestamp.
    pub fn set_timestamp(&mut self, timestamp: RtpTime) {
        self.bytes[4..8].copy_from_slice(&timestamp.0.to_be_bytes());
    }

    /// Sets the synchronization source.
    pub fn set_ssrc(&mut self, ssrc: Ssrc) {
        self.bytes[8..12].copy_from_slice(&ssrc.0.to_be_bytes());
    }

    /// Overwrites the value of extension element `id`; false, and nothing changed, if there is none of this length.
    pub fn set_extension(&mut self, id: u8, value: &[u8]) -> bool {
        match self.extension_mut(id) {
            Some(old) if old.len() == value.len() => {
                old.copy_from_slice(value);
                true
            }
            _ => false,
        }
    }

    /// Overwrites the meaning of extension element `id`; false, and nothing changed, if there is none of the same length.
    pub fn write<'e, E: HeaderExtension<'e>>(&mut self, id: u8, extension: &E) -> bool {
        self.set_extension(id, extension.to_value().as_ref())
    }

    /// The value of the first RFC 8285 extension element with this identifier.
    fn extension_mut(&mut self, id: u8) -> Option<&mut [u8]> {
        let (profile, data) = self.layout.extension()?;
        let data = &mut self.bytes[data];
        let mut ranges = ElementRanges::new(profile);
        loop {
            let (found, range) = ranges.next_in(data)?;
            if found == id {
                return Some(&mut data[range]);
            }
        }
    }
}
