//! H.264 (RFC 6184): single NAL units, aggregates without decoding order (STAP-A), fragments (FU-A).

use bytes::{BufMut, BytesMut};

use crate::{Fault, Malformed};

use super::all_or_nothing;

const FORMAT: &str = "H.264 payload";

/// What goes before a NAL unit in a byte stream (H.264 annex B).
const START_CODE: [u8; 4] = [0, 0, 0, 1];

/// NAL unit types (H.264 table 7-1, RFC 6184 table 1).
pub mod nal {
    /// Coded slice of a picture other than IDR.
    pub const SLICE: u8 = 1;
    /// Coded slice of an IDR picture: decoding can start with it.
    pub const IDR: u8 = 5;
    /// Sequence parameter set.
    pub const SPS: u8 = 7;
    /// Picture parameter set.
    pub const PPS: u8 = 8;
    /// Access unit delimiter.
    pub const DELIMITER: u8 = 9;
    /// Aggregate of NAL units of one time.
    pub const STAP_A: u8 = 24;
    /// Fragment of a NAL unit.
    pub const FU_A: u8 = 28;
}

/// What a payload holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Payload<'a> {
    /// One NAL unit, whole (RFC 6184 §5.6).
    Single(&'a [u8]),
    /// Several NAL units, each after its length (§5.7.1).
    Aggregate(Aggregate<'a>),
    /// A piece of a NAL unit (§5.8).
    Fragment(Fragment<'a>),
    /// Of a type that is reserved: it holds nothing, and is passed over (§5.4).
    Reserved,
}

/// A piece of a NAL unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fragment<'a> {
    /// The unit's first byte.
    pub header: u8,
    /// S: it begins with this piece.
    pub is_start: bool,
    /// E: it ends with this piece.
    pub is_end: bool,
    /// The bytes of it after the first, in this piece; a piece may have none (§5.8).
    pub data: &'a [u8],
}

/// NAL units with their lengths before them, checked to be whole: an iterator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Aggregate<'a>(&'a [u8]);

impl<'a> Payload<'a> {
    /// Reads what a payload holds.
    ///
    /// # Errors
    /// [`Malformed`] if the payload is empty, of a type of the interleaved mode only, or its lengths do not fit.
    pub fn parse(payload: &'a [u8]) -> Result<Self, Malformed> {
        let truncated = Malformed::new(FORMAT, Fault::Truncated);
        let (&header, rest) = payload.split_first().ok_or(truncated)?;
        match kind(header) {
            _ if is_reserved(header) => Ok(Self::Reserved),
            1..=23 => Ok(Self::Single(payload)),
            nal::STAP_A => {
                let mut units = Aggregate(rest);
                let mut count = 0;
                while !units.0.is_empty() {
                    units.next().ok_or(truncated)?;
                    count += 1;
                }
                if count == 0 { Err(truncated) } else { Ok(Self::Aggregate(Aggregate(rest))) }
            }
            nal::FU_A => {
                let (&flags, data) = rest.split_first().ok_or(truncated)?;
                let (is_start, is_end) = (flags & 0x80 != 0, flags & 0x40 != 0);
                if is_start && is_end {
                    return Err(Malformed::new(FORMAT, Fault::Inconsistent));
                }
                Ok(Self::Fragment(Fragment { header: header & 0xe0 | flags & 0x1f, is_start, is_end, data }))
            }
            _ => Err(Malformed::new(FORMAT, Fault::Type)),
        }
    }
}

impl<'a> Iterator for Aggregate<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let (length, rest) = self.0.split_first_chunk()?;
        let length = usize::from(u16::from_be_bytes(*length));
        if length == 0 || length > rest.len() {
            return None;
        }
        let (unit, rest) = rest.split_at(length);
        self.0 = rest;
        Some(unit)
    }
}

/// Puts an access unit together from all its payloads in order, as a byte stream (Annex B) after what is in `out`.
///
/// # Errors
/// [`Malformed`] if a payload is, or fragments do not fit together, or there is no NAL unit. `out` is then as it was.
pub fn depacketize<'a>(payloads: impl IntoIterator<Item = &'a [u8]>, out: &mut BytesMut) -> Result<(), Malformed> {
    all_or_nothing(out, |out| join(payloads, out))
}

fn join<'a>(payloads: impl IntoIterator<Item = &'a [u8]>, out: &mut BytesMut) -> Result<(), Malformed> {
    let (mut is_open, before) = (false, out.len());
    for payload in payloads {
        let parsed = Payload::parse(payload)?;
        let goes_on = matches!(parsed, Payload::Fragment(fragment) if !fragment.is_start);
        if goes_on != is_open {
            return Err(Malformed::new(FORMAT, Fault::Inconsistent));
        }
        match parsed {
            Payload::Single(unit) => put_unit(out, unit),
            Payload::Aggregate(units) => units.for_each(|unit| put_unit(out, unit)),
            Payload::Fragment(fragment) => {
                if fragment.is_start {
                    put_unit(out, &[fragment.header]);
                }
                if !is_reserved(fragment.header) {
                    out.put_slice(fragment.data);
                }
                is_open = !fragment.is_end;
            }
            Payload::Reserved => {}
        }
    }
    if is_open || out.len() == before { Err(Malformed::new(FORMAT, Fault::Truncated)) } else { Ok(()) }
}

fn put_unit(out: &mut BytesMut, unit: &[u8]) {
    if !is_reserved(unit[0]) {
        out.put_slice(&START_CODE);
        out.put_slice(unit);
    }
}

/// Whether the type is kept for extensions: receivers ignore it wherever it stands (§5.4).
const fn is_reserved(header: u8) -> bool {
    matches!(kind(header), 0 | 30 | 31)
}

/// The type of the NAL unit that begins with this byte.
#[must_use]
pub const fn kind(header: u8) -> u8 {
    header & 0x1f
}

/// Whether other pictures need the NAL unit that begins with this byte: nal_ref_idc.
#[must_use]
pub const fn is_reference(header: u8) -> bool {
    header & 0x60 != 0
}

/// Whether a slice begins a picture: first_mb_in_slice is zero, of which the Exp-Golomb code is a single 1 (H.264 §7.3.3).
/// `data` is what follows the first byte of the NAL unit.
#[must_use]
pub fn starts_picture(data: &[u8]) -> bool {
    data.first().is_some_and(|first| first & 0x80 != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn aggregates_hold_whole_units() {
        let payload = [0x78, 0, 2, 0x67, 1, 0, 1, 0x68];
        let Ok(Payload::Aggregate(units)) = Payload::parse(&payload) else { panic!("no aggregate") };
        assert_eq!(units.collect::<Vec<_>>(), [&[0x67, 1][..], &[0x68]]);
        for bad in [&payload[..7], &payload[..6], &payload[..1], &[0x78, 0, 0]] {
            assert_eq!(Payload::parse(bad), Err(Malformed::new(FORMAT, Fault::Truncated)));
        }
    }

    #[test]
    fn fragments_say_what_they_are_of() {
        let Ok(Payload::Fragment(fragment)) = Payload::parse(&[0x7c, 0x85, 0xaa]) else { panic!("no fragment") };
        assert_eq!(fragment, Fragment { header: 0x65, is_start: true, is_end: false, data: &[0xaa] });
        assert_eq!(kind(fragment.header), nal::IDR);
        assert!(starts_picture(fragment.data) && is_reference(fragment.header));
        assert_eq!(Payload::parse(&[0x7c, 0xc5, 0xaa]), Err(Malformed::new(FORMAT, Fault::Inconsistent)));
        assert_eq!(Payload::parse(&[0x7c]), Err(Malformed::new(FORMAT, Fault::Truncated)));
    }

    #[test]
    fn rfc6184_s5_8_a_fragment_may_be_empty() {
        let mut out = BytesMut::new();
        depacketize([&[0x7c, 0x85][..], &[0x7c, 0x05, 0xaa], &[0x7c, 0x05], &[0x7c, 0x45]], &mut out).unwrap();
        assert_eq!(out, [0, 0, 0, 1, 0x65, 0xaa][..]);
    }

    #[test]
    fn types_of_the_interleaved_mode_are_refused() {
        for kind in [25, 26, 27, 29] {
            assert_eq!(Payload::parse(&[kind, 0, 0, 0]), Err(Malformed::new(FORMAT, Fault::Type)));
        }
    }

    #[test]
    fn rfc6184_s5_4_reserved_types_are_ignored_wherever_they_stand() {
        let mut out = BytesMut::new();
        let aggregate = [0x78, 0, 2, 0x00, 9, 0, 1, 0x68, 0, 1, 0x7e];
        let fragments = [&[0x7c, 0x9f, 7][..], &[0x7c, 0x5f, 7]];
        depacketize([&[0x60, 1][..], &aggregate, &[0x7e, 2], fragments[0], fragments[1], &[0x65, 3]], &mut out)
            .unwrap();
        assert_eq!(out, [0, 0, 0, 1, 0x68, 0, 0, 0, 1, 0x65, 3][..]);
        assert_eq!(depacketize([&[0x1f, 1][..]], &mut out), Err(Malformed::new(FORMAT, Fault::Truncated)), "no unit");
    }
}
