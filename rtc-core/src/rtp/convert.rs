use core::fmt;

use ::rtp::header::{EXTENSION_PROFILE_ONE_BYTE, EXTENSION_PROFILE_TWO_BYTE, Extension, Header};
use ::rtp::packet::Packet;
use bytes::Bytes;
use webrtc_util::marshal::Marshal;

use super::RtpPacket;
use super::element::ElementRanges;

/// A packet that one of [`RtpPacket`] and [`rtp::packet::Packet`](Packet) holds and the other cannot (feature `rtp`).
///
/// That crate pads the payload to a multiple of four bytes (by four if it is one already) and header extensions at their end
/// to the next word; it has no other padding, nothing after an element of identifier 15, and checks nothing it marshals.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ConvertError {
    part: &'static str,
}

impl fmt::Display for ConvertError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of the RTP packet would not survive the conversion", self.part)
    }
}

impl core::error::Error for ConvertError {}

impl TryFrom<&RtpPacket> for Packet {
    type Error = ConvertError;

    /// The same packet, sharing the buffer; marshalled, it gives the same bytes.
    fn try_from(packet: &RtpPacket) -> Result<Self, ConvertError> {
        let converted = unchecked(packet);
        let header = converted.header.marshal().map_err(|_| ConvertError { part: "header extension" })?;
        if header != packet.as_bytes()[..packet.header_len()] {
            return Err(ConvertError { part: "header extension" });
        }
        match converted.marshal() {
            Ok(bytes) if bytes == packet.as_bytes() => Ok(converted),
            _ => Err(ConvertError { part: "padding" }),
        }
    }
}

impl TryFrom<&Packet> for RtpPacket {
    type Error = ConvertError;

    /// The same packet in a buffer of its own; converted back, it is equal.
    ///
    /// Equal but for `extensions_padding`, which says no more than the lengths of the extensions do.
    fn try_from(packet: &Packet) -> Result<Self, ConvertError> {
        if !has_emittable_extensions(&packet.header) {
            return Err(ConvertError { part: "header extension" });
        }
        let bytes = packet.marshal().map_err(|_| ConvertError { part: "header extension" })?;
        let converted = Self::parse(bytes).map_err(|_| ConvertError { part: "header" })?;
        let mut back = unchecked(&converted);
        back.header.extensions_padding = packet.header.extensions_padding;
        if back.header != packet.header {
            return Err(ConvertError { part: "header" });
        }
        if back.payload != packet.payload {
            return Err(ConvertError { part: "payload" });
        }
        Ok(converted)
    }
}

/// The packet as far as the other type can hold it.
fn unchecked(packet: &RtpPacket) -> Packet {
    let mut header = Header {
        version: 2,
        padding: packet.padding_len() > 0,
        marker: packet.marker(),
        payload_type: packet.payload_type().value(),
        sequence_number: packet.seq().0,
        timestamp: packet.timestamp().0,
        ssrc: packet.ssrc().0,
        csrc: packet.csrcs().map(|csrc| csrc.0).collect(),
        ..Header::default()
    };
    if let Some((profile, data)) = packet.raw_extension() {
        header.extension = true;
        header.extension_profile = profile;
        header.extensions = extensions(profile, &packet.as_bytes().slice_ref(data));
        header.extensions_padding = data.len().saturating_sub(header.get_extension_payload_len());
    }
    Packet { header, payload: packet.payload_bytes() }
}

fn extensions(profile: u16, data: &Bytes) -> Vec<Extension> {
    // Everything else, "appbits" included, is one opaque value to that crate.
    if ![EXTENSION_PROFILE_ONE_BYTE, EXTENSION_PROFILE_TWO_BYTE].contains(&profile) {
        return vec![Extension { id: 0, payload: data.clone() }];
    }
    let mut ranges = ElementRanges::new(profile);
    let next = core::iter::from_fn(|| ranges.next_in(data));
    next.map(|(id, range)| Extension { id, payload: data.slice(range) }).collect()
}

/// Whether marshalling the extensions neither panics nor writes lengths that are not theirs.
fn has_emittable_extensions(header: &Header) -> bool {
    let (ids, lens) = match header.extension_profile {
        EXTENSION_PROFILE_ONE_BYTE => (1..=14, 1..=16),
        EXTENSION_PROFILE_TWO_BYTE => (1..=255, 0..=255),
        _ => (0..=0, 0..=4 * usize::from(u16::MAX)),
    };
    header.extensions.iter().all(|element| ids.contains(&element.id) && lens.contains(&element.payload.len()))
}

#[cfg(test)]
mod tests;
