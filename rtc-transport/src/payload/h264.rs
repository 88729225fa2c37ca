//! H.264 (RFC 6184), packetization modes 0 and 1.

use memchr::memmem;
pub use rtc_core::rtp::payload::h264::depacketize;
use rtc_core::rtp::payload::h264::{kind, nal};

use super::{BufMut, ConfigError, PacketizeError, Payloads, pieces, room};

/// The F bit and nal_ref_idc of a NAL unit's first byte.
const F: u8 = 0x80;
const NRI: u8 = 0x60;
/// FU indicator and FU header (§5.8).
const FU_HEADER: usize = 2;
/// Bytes before each unit of an aggregate (§5.7.1).
const LENGTH: usize = 2;
/// No aggregate is longer, so that the lengths of its units have room.
const MAX_AGGREGATE: usize = 1 << 16;

/// What a receiver said it takes (`packetization-mode`, §8.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Mode {
    /// 0: whole NAL units, each in a packet of its own.
    SingleNalUnit,
    /// 1: also fragments and aggregates, in decoding order.
    #[default]
    NonInterleaved,
}

/// Cuts an access unit in the byte stream format of H.264 Annex B into payloads of `max` bytes at most: small NAL units that
/// follow each other share one, large ones are cut into fragments as long as each other. Units of the types 0 and 24 to 31 are
/// left out: they are reserved or mean something else in RTP (§5.4).
///
/// # Errors
/// [`PacketizeError::Room`] if `max` leaves no room for fragments, or a NAL unit is longer in [`Mode::SingleNalUnit`]. `out` is empty then.
pub fn packetize(mode: Mode, access_unit: &[u8], max: usize, out: &mut Payloads) -> Result<(), PacketizeError> {
    out.clear();
    let fragment = room(max, FU_HEADER)?;
    let mut units = NalUnits(access_unit).filter(|unit| matches!(kind(unit[0]), 1..=23)).peekable();
    while let Some(unit) = units.next() {
        if unit.len() > max {
            if mode == Mode::SingleNalUnit {
                out.clear();
                return Err(ConfigError::new(
                    "max",
                    "is less than a NAL unit, which mode 0 does not cut (RFC 6184 §6.2)",
                )
                .into());
            }
            cut(unit, fragment, out);
            continue;
        }
        let mut len = 1 + LENGTH + unit.len();
        let fits = |len: &mut usize, next: &&[u8]| {
            *len += LENGTH + next.len();
            *len <= max.min(MAX_AGGREGATE)
        };
        let shares = mode == Mode::NonInterleaved && units.peek().is_some_and(|next| fits(&mut len.clone(), next));
        if !shares {
            out.bytes.put_slice(unit);
            out.end();
            continue;
        }
        let header = out.bytes.len();
        out.bytes.put_u8(0);
        let mut aggregate = nal::STAP_A;
        let mut add = |unit: &[u8]| {
            // F if any has it, the greatest NRI (§5.7).
            aggregate = (aggregate | unit[0] & F) & !NRI | (aggregate & NRI).max(unit[0] & NRI);
            out.bytes.put_slice(&unit.len().to_be_bytes()[size_of::<usize>() - LENGTH..]);
            out.bytes.put_slice(unit);
        };
        add(unit);
        while let Some(next) = units.next_if(|next| fits(&mut len, next)) {
            add(next);
        }
        out.bytes[header] = aggregate;
        out.end();
    }
    Ok(())
}

/// Fragments of a NAL unit (§5.8).
fn cut(unit: &[u8], room: usize, out: &mut Payloads) {
    let (first, data) = (unit[0], &unit[1..]);
    for piece in pieces(data.len(), room) {
        let start = if piece.start == 0 { 0x80 } else { 0 };
        let end = if piece.end == data.len() { 0x40 } else { 0 };
        out.bytes.put_slice(&[first & (F | NRI) | nal::FU_A, start | end | first & 0x1f]);
        out.bytes.put_slice(&data[piece]);
        out.end();
    }
}

/// The NAL units of a byte stream, without start codes and the zeros around them (H.264 Annex B). None is empty.
#[derive(Debug, Clone, Copy)]
pub struct NalUnits<'a>(pub &'a [u8]);

impl<'a> Iterator for NalUnits<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        loop {
            let start = find_start(self.0)?;
            let rest = &self.0[start..];
            let end = find_start(rest).map_or(rest.len(), |next| next - 3);
            self.0 = &rest[end..];
            let unit = &rest[..end];
            let zeros = unit.iter().rev().take_while(|byte| **byte == 0).count();
            if zeros < unit.len() {
                return Some(&unit[..unit.len() - zeros]);
            }
        }
    }
}

/// What follows the first start code.
fn find_start(bytes: &[u8]) -> Option<usize> {
    memmem::find(bytes, &[0, 0, 1]).map(|at| at + 3)
}
