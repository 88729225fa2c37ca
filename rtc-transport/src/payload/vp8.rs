//! VP8 (RFC 7741).

use rtc_core::rtp::payload::vp8::Descriptor;
pub use rtc_core::rtp::payload::vp8::depacketize;

use super::{BufMut, PacketizeError, Payloads, pieces, room};

/// Cuts a frame into payloads of `max` bytes at most, each after the descriptor; of that, whether a partition begins is filled
/// in. All of the frame is sent as its first partition, as §4.4 allows.
///
/// # Errors
/// [`PacketizeError::Room`] if `max` leaves no room beside the descriptor.
pub fn packetize(descriptor: &Descriptor, frame: &[u8], max: usize, out: &mut Payloads) -> Result<(), PacketizeError> {
    out.clear();
    let mut descriptor = Descriptor { starts_partition: true, partition: 0, ..*descriptor };
    descriptor.write(&mut out.bytes);
    let header = out.bytes.len();
    out.clear();
    for piece in pieces(frame.len(), room(max, header)?) {
        descriptor.write(&mut out.bytes);
        out.bytes.put_slice(&frame[piece]);
        out.end();
        descriptor.starts_partition = false;
    }
    Ok(())
}
