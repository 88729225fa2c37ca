//! G.711: samples of 8 kHz in 8 bits each, by either law (ITU-T G.711; RFC 3551 §4.5.14).

use bytes::{BufMut, BytesMut};
use rtc_core::audio::{AudioMut, AudioRef};
use rtc_core::{Fault, Malformed};

use super::l16::to_i16;

/// How samples are compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Law {
    /// PCMU, payload type 0: μ-law.
    Mu,
    /// PCMA, payload type 8: A-law.
    A,
}

/// Appends the payload of the first channel to `out`: a byte per sample.
pub fn packetize(law: Law, audio: AudioRef<'_>, out: &mut BytesMut) {
    out.reserve(audio.samples());
    for sample in audio.plane(0) {
        out.put_u8(law.compress(to_i16(*sample)));
    }
}

/// Writes the audio of a payload into the beginning of all channels of `audio`, and says how many samples there were.
///
/// # Errors
/// [`Malformed`] if the payload holds more than `audio`.
pub fn depacketize(law: Law, payload: &[u8], audio: &mut AudioMut<'_>) -> Result<usize, Malformed> {
    if payload.len() > audio.samples() {
        return Err(Malformed::new("G.711 payload", Fault::Length));
    }
    for plane in audio.planes_mut() {
        for (sample, byte) in plane.iter_mut().zip(payload) {
            *sample = f32::from(law.expand(*byte)) / 32_768.0;
        }
    }
    Ok(payload.len())
}

impl Law {
    /// The byte for a sample, of which 14 bits count in μ-law and 13 in A-law, the highest of the 16.
    #[must_use]
    pub const fn compress(self, sample: i16) -> u8 {
        match self {
            Self::Mu => {
                // 33 is added so that each segment is twice as long as the one before (table 2).
                let clipped = if sample.unsigned_abs() < MU_CLIP { sample.unsigned_abs() } else { MU_CLIP };
                let code = code((clipped >> 2) + 33, 5);
                !(if sample < 0 { code | SIGN } else { code })
            }
            Self::A => {
                // Steps are alike on both sides of zero: -1 is the first below (table 1).
                let magnitude = (if sample < 0 { !sample } else { sample }).unsigned_abs() >> 3;
                let code = if magnitude < 32 { magnitude.to_le_bytes()[0] >> 1 } else { code(magnitude, 4) };
                (if sample < 0 { code } else { code | SIGN }) ^ EVEN_BITS
            }
        }
    }

    /// The sample in the middle of those that have this byte.
    #[must_use]
    pub const fn expand(self, byte: u8) -> i16 {
        let (code, is_negative) = match self {
            Self::Mu => (!byte, !byte & SIGN != 0),
            Self::A => (byte ^ EVEN_BITS, (byte ^ EVEN_BITS) & SIGN == 0),
        };
        let (segment, step) = (code >> 4 & 0x07, (code & 0x0f) as i16);
        let magnitude = match (self, segment) {
            (Self::Mu, _) => (((step << 3) + 132) << segment) - 132,
            (Self::A, 0) => (step << 4) + 8,
            (Self::A, _) => ((step << 4) + 0x108) << (segment - 1),
        };
        if is_negative { -magnitude } else { magnitude }
    }
}

const SIGN: u8 = 0x80;
/// Inverted in A-law, for lines that need changes.
const EVEN_BITS: u8 = 0x55;
/// What is louder has the code of this.
const MU_CLIP: u16 = 32_635;

/// Segment and step of a magnitude whose highest bit is at `lowest` in the first segment.
const fn code(magnitude: u16, lowest: u32) -> u8 {
    let segment = magnitude.ilog2() - lowest;
    let shift = magnitude.ilog2() - 4;
    let (segment, step) = (segment.to_le_bytes()[0], (magnitude >> shift).to_le_bytes()[0]);
    segment << 4 | step & 0x0f
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_values() {
        for (sample, mu, a) in [(0, 0xff, 0xd5), (-1, 0x7f, 0x55), (32_767, 0x80, 0xaa), (-32_768, 0x00, 0x2a)] {
            assert_eq!((Law::Mu.compress(sample), Law::A.compress(sample)), (mu, a), "{sample}");
        }
        assert_eq!([Law::Mu.expand(0x80), Law::Mu.expand(0x00), Law::Mu.expand(0xff)], [32_124, -32_124, 0]);
        assert_eq!([Law::A.expand(0xaa), Law::A.expand(0x2a), Law::A.expand(0xd5)], [32_256, -32_256, 8]);
    }

    #[test]
    fn a_byte_comes_back_and_no_sample_is_half_a_step_off() {
        for law in [Law::Mu, Law::A] {
            for byte in 0..=u8::MAX {
                let again = law.compress(law.expand(byte));
                // μ-law has two zeros.
                assert!(again == byte || (law == Law::Mu && byte == 0x7f), "{law:?} {byte:#x} {again:#x}");
            }
            for sample in i16::MIN..=i16::MAX {
                let error = i32::from(sample).abs_diff(law.expand(law.compress(sample)).into());
                assert!(error <= u32::from(sample.unsigned_abs()) / 32 + 8, "{law:?} {sample}: {error}");
            }
        }
    }
}
