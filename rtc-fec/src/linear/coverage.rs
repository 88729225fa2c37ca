use bytes::BytesMut;
use rtc_core::RtpPacket;

use super::window::Place;

/// In the first byte of a packet: whether it has an extension; and what precedes that (RFC 3550 §5.3.1).
const EXTENSION: u8 = 0x10;
const EXTENSION_HEADER_LEN: usize = 4;
/// Buffers kept at most.
const MAX_SPARE: usize = 64;

/// What of packets is covered: all, or all but their header extensions.
#[derive(Debug)]
pub(crate) struct Coverage {
    extensions: bool,
    /// Memory of packets no longer remembered, for the next.
    spare: Vec<BytesMut>,
}

impl Coverage {
    pub(crate) fn new(extensions: bool) -> Self {
        Self { extensions, spare: Vec::with_capacity(if extensions { 0 } else { MAX_SPARE }) }
    }

    /// The packet as it is covered.
    pub(crate) fn of(&mut self, packet: &RtpPacket) -> RtpPacket {
        match packet.raw_extension() {
            Some((_, data)) if !self.extensions => self.without(packet, data.len()),
            _ => packet.clone(),
        }
    }

    /// Takes back what is no longer remembered.
    pub(crate) fn reclaim(&mut self, place: Place) {
        if let Place::Known(packet) = place
            && self.spare.len() < self.spare.capacity()
            && let Ok(bytes) = packet.into_bytes().try_into_mut()
        {
            self.spare.push(bytes);
        }
    }

    /// The packet without its extension, of so many bytes after its header.
    fn without(&mut self, packet: &RtpPacket, extension: usize) -> RtpPacket {
        let (header, rest) = packet.as_bytes().split_at(packet.header_len());
        let mut bytes = self.spare.pop().unwrap_or_default();
        bytes.clear();
        bytes.extend_from_slice(&header[..header.len() - EXTENSION_HEADER_LEN - extension]);
        bytes[0] &= !EXTENSION;
        bytes.extend_from_slice(rest);
        // A valid packet stays one. Split off, for frozen as a whole it would take memory to share.
        RtpPacket::parse(bytes.split().freeze()).unwrap_or_else(|_| packet.clone())
    }
}
