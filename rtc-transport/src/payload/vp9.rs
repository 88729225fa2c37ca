//! VP9 (RFC 9628).

pub use rtc_core::rtp::payload::vp9::depacketize;
use rtc_core::rtp::payload::vp9::{Descriptor, Structure};

use super::{BufMut, PacketizeError, Payloads, pieces, room};

/// Cuts a layer frame into payloads of `max` bytes at most, each after the descriptor; of that, where the frame begins and
/// ends is filled in. The first payload has the structure, if there is one, and is longer by it: key frames should have it (§4.2.1).
///
/// # Errors
/// [`PacketizeError::Room`] if `max` leaves no room beside the descriptor and the structure.
pub fn packetize(
    descriptor: &Descriptor,
    structure: Option<&Structure>,
    frame: &[u8],
    max: usize,
    out: &mut Payloads,
) -> Result<(), PacketizeError> {
    out.clear();
    let empty = Structure::default();
    let mut descriptor = *descriptor;
    (descriptor.starts_frame, descriptor.has_structure) = (true, structure.is_some());
    descriptor.write(structure.unwrap_or(&empty), &mut out.bytes);
    let header = out.bytes.len();
    out.clear();
    let mut pieces = pieces(frame.len(), room(max, header)?).peekable();
    while let Some(piece) = pieces.next() {
        descriptor.ends_frame = pieces.peek().is_none();
        descriptor.write(structure.unwrap_or(&empty), &mut out.bytes);
        out.bytes.put_slice(&frame[piece]);
        out.end();
        (descriptor.starts_frame, descriptor.has_structure) = (false, false);
    }
    Ok(())
}
