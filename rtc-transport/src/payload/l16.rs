//! L16: linear samples of 16 bits, in network order, channels by turns (RFC 3551 §4.5.11).

use bytes::{BufMut, BytesMut};
use rtc_core::audio::{AudioMut, AudioRef};
use rtc_core::{Fault, Malformed};

/// Appends the payload of this audio to `out`.
pub fn packetize(audio: AudioRef<'_>, out: &mut BytesMut) {
    out.reserve(2 * audio.samples() * audio.channels());
    for index in 0..audio.samples() {
        for plane in audio.planes() {
            out.put_i16(to_i16(plane[index]));
        }
    }
}

/// Writes the audio of a payload into the beginning of `audio`, and says how many samples of each channel there were.
///
/// # Errors
/// [`Malformed`] if the payload is not of whole samples of all channels, or holds more than `audio`.
pub fn depacketize(payload: &[u8], audio: &mut AudioMut<'_>) -> Result<usize, Malformed> {
    let frame = 2 * audio.channels();
    let samples = payload.len() / frame;
    if !payload.len().is_multiple_of(frame) || samples > audio.samples() {
        return Err(Malformed::new("L16 payload", Fault::Length));
    }
    for (channel, plane) in audio.planes_mut().enumerate() {
        for (sample, bytes) in plane.iter_mut().zip(payload.chunks_exact(frame)) {
            *sample = f32::from(i16::from_be_bytes([bytes[2 * channel], bytes[2 * channel + 1]])) / 32_768.0;
        }
    }
    Ok(samples)
}

/// As `AudioRef::write_interleaved_i16` rounds.
#[expect(clippy::cast_possible_truncation, reason = "clamped first")]
pub(super) fn to_i16(sample: f32) -> i16 {
    (sample * 32_768.0).round().clamp(-32_768.0, 32_767.0) as i16
}
