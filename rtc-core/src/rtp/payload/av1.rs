//! AV1 (AV1 RTP payload specification).

use bytes::{BufMut, BytesMut};

use crate::svc::LayerId;
use crate::{Fault, Malformed};

use super::all_or_nothing;

const FORMAT: &str = "AV1 payload";
/// obu_has_size_field (AV1 specification §5.3.2).
const HAS_SIZE: u8 = 0x02;

/// OBU types (AV1 specification §6.2.2).
pub mod obu {
    /// Sequence header: with it a coded video sequence begins.
    pub const SEQUENCE_HEADER: u8 = 1;
    /// Temporal delimiter.
    pub const TEMPORAL_DELIMITER: u8 = 2;
    /// Frame header alone.
    pub const FRAME_HEADER: u8 = 3;
    /// Tile group.
    pub const TILE_GROUP: u8 = 4;
    /// Frame header and tile group in one.
    pub const FRAME: u8 = 6;
    /// Tile list: not sent over RTP.
    pub const TILE_LIST: u8 = 8;
}

/// A payload: the aggregation header (§4.4), and OBU elements after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Payload<'a> {
    /// Z: the first element goes on with an OBU of the packet before.
    pub continues: bool,
    /// Y: the last element goes on in the next packet.
    pub is_continued: bool,
    /// N: a coded video sequence begins with this packet.
    pub starts_sequence: bool,
    elements: Elements<'a>,
}

/// The OBU elements of a payload, checked to be whole: an iterator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Elements<'a> {
    bytes: &'a [u8],
    /// W: elements left if they are counted; the last of them has no length.
    left: Option<u8>,
}

/// The first byte or two of an OBU.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ObuHeader {
    /// Its type, one of [`obu`].
    pub kind: u8,
    /// Whether its length follows the header.
    pub has_size: bool,
    /// The layers it is of, if it says so.
    pub layer: Option<LayerId>,
}

impl<'a> Payload<'a> {
    /// Reads the aggregation header, and checks that all elements are whole.
    ///
    /// # Errors
    /// [`Malformed`] if lengths reach beyond the payload, or a packet both goes on with an OBU and starts a sequence.
    pub fn parse(payload: &'a [u8]) -> Result<Self, Malformed> {
        let (&header, bytes) = payload.split_first().ok_or(Malformed::new(FORMAT, Fault::Truncated))?;
        let count = header >> 4 & 0x03;
        let elements = Elements { bytes, left: (count > 0).then_some(count) };
        let parsed = Self {
            continues: header & 0x80 != 0,
            is_continued: header & 0x40 != 0,
            starts_sequence: header & 0x08 != 0,
            elements,
        };
        if parsed.continues && parsed.starts_sequence {
            return Err(Malformed::new(FORMAT, Fault::Inconsistent));
        }
        let mut check = elements;
        while !check.is_done() {
            check.next().ok_or(Malformed::new(FORMAT, Fault::Truncated))?;
        }
        if bytes.is_empty() { Err(Malformed::new(FORMAT, Fault::Truncated)) } else { Ok(parsed) }
    }

    /// The OBU elements: whole OBUs, but the first may be the rest and the last the beginning of one.
    #[must_use]
    pub const fn elements(&self) -> Elements<'a> {
        self.elements
    }
}

impl Elements<'_> {
    const fn is_done(&self) -> bool {
        match self.left {
            Some(left) => left == 0,
            None => self.bytes.is_empty(),
        }
    }
}

impl<'a> Iterator for Elements<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        if self.is_done() {
            return None;
        }
        if let Some(left) = &mut self.left {
            *left -= 1;
            if *left == 0 {
                return Some(core::mem::take(&mut self.bytes));
            }
        }
        let (length, taken) = read_leb128(self.bytes)?;
        let end = taken.checked_add(length)?;
        let element = self.bytes.get(taken..end)?;
        self.bytes = &self.bytes[end..];
        Some(element)
    }
}

impl ObuHeader {
    /// Reads the header of an OBU, and how many bytes it takes.
    ///
    /// # Errors
    /// [`Malformed`] if the OBU is shorter than its header, or sets the forbidden bit.
    pub fn parse(obu: &[u8]) -> Result<(Self, usize), Malformed> {
        let truncated = Malformed::new(FORMAT, Fault::Truncated);
        let first = *obu.first().ok_or(truncated)?;
        if first & 0x80 != 0 {
            return Err(Malformed::new(FORMAT, Fault::Reserved));
        }
        let mut header = Self { kind: first >> 3 & 0x0f, has_size: first & 0x02 != 0, layer: None };
        if first & 0x04 == 0 {
            return Ok((header, 1));
        }
        let layers = *obu.get(1).ok_or(truncated)?;
        header.layer = Some(LayerId { temporal: layers >> 5, spatial: layers >> 3 & 0x03 });
        Ok((header, 2))
    }
}

/// Puts a frame, or what else has one timestamp, together from all its payloads in order, in the low-overhead format after
/// what is in `out`.
///
/// # Errors
/// [`Malformed`] if a payload or an OBU is, or the pieces of OBUs do not fit together, or there is no payload. `out` is then as
/// it was.
pub fn depacketize<'a>(payloads: impl IntoIterator<Item = &'a [u8]>, out: &mut BytesMut) -> Result<(), Malformed> {
    all_or_nothing(out, |out| join(payloads, out))
}

fn join<'a>(payloads: impl IntoIterator<Item = &'a [u8]>, out: &mut BytesMut) -> Result<(), Malformed> {
    let (mut is_open, mut is_empty, mut start) = (false, true, out.len());
    for payload in payloads {
        is_empty = false;
        let payload = Payload::parse(payload)?;
        if payload.continues != is_open {
            return Err(Malformed::new(FORMAT, Fault::Inconsistent));
        }
        let mut elements = payload.elements().peekable();
        while let Some(element) = elements.next() {
            if !is_open {
                start = out.len();
            }
            out.put_slice(element);
            is_open = elements.peek().is_none() && payload.is_continued;
            if !is_open {
                give_length(out, start)?;
            }
        }
    }
    if is_open || is_empty { Err(Malformed::new(FORMAT, Fault::Truncated)) } else { Ok(()) }
}

/// Gives the OBU from `start` on its length, if it has none.
fn give_length(out: &mut BytesMut, start: usize) -> Result<(), Malformed> {
    let (header, header_len) = ObuHeader::parse(&out[start..])?;
    if matches!(header.kind, obu::TEMPORAL_DELIMITER | obu::TILE_LIST) {
        out.truncate(start);
        return Ok(());
    }
    let (body, end) = (start + header_len, out.len());
    if header.has_size {
        let fits = read_leb128(&out[body..]).is_some_and(|(len, taken)| len == end - body - taken);
        return if fits { Ok(()) } else { Err(Malformed::new(FORMAT, Fault::Length)) };
    }
    let len = u32::try_from(end - body).map_err(|_| Malformed::new(FORMAT, Fault::Length))?;
    let (bytes, taken) = to_leb128(len);
    out.put_slice(&bytes[..taken]);
    out.copy_within(body..end, body + taken);
    out[body..body + taken].copy_from_slice(&bytes[..taken]);
    out[start] |= HAS_SIZE;
    Ok(())
}

/// Reads a little-endian base-128 number (AV1 specification §4.10.5) and how many bytes it takes; `None` if it does not end
/// within 8 bytes or is above 2^32 - 1.
#[must_use]
pub fn read_leb128(bytes: &[u8]) -> Option<(usize, usize)> {
    let mut value = 0_u64;
    for (index, byte) in bytes.iter().take(8).enumerate() {
        value |= u64::from(byte & 0x7f) << (7 * index);
        if byte & 0x80 == 0 {
            return Some((usize::try_from(u32::try_from(value).ok()?).ok()?, index + 1));
        }
    }
    None
}

/// A number as little-endian base-128, and how many of the bytes it takes.
#[must_use]
pub fn to_leb128(mut value: u32) -> ([u8; 5], usize) {
    let mut bytes = [0; 5];
    for (index, byte) in bytes.iter_mut().enumerate() {
        *byte = value.to_le_bytes()[0] & 0x7f;
        value >>= 7;
        if value == 0 {
            return (bytes, index + 1);
        }
        *byte |= 0x80;
    }
    (bytes, 5)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counted_elements_leave_the_last_length_away() {
        let payload = Payload::parse(&[0x28, 2, 0x08, 0xaa, 0x30, 0xbb, 0xcc]).unwrap();
        assert!(payload.starts_sequence && !payload.continues && !payload.is_continued);
        assert_eq!(payload.elements().collect::<Vec<_>>(), [&[0x08, 0xaa][..], &[0x30, 0xbb, 0xcc]]);
    }

    #[test]
    fn uncounted_elements_all_have_a_length() {
        let payload = Payload::parse(&[0xc0, 2, 0x08, 0xaa, 1, 0x30]).unwrap();
        assert!(payload.continues && payload.is_continued);
        assert_eq!(payload.elements().collect::<Vec<_>>(), [&[0x08, 0xaa][..], &[0x30]]);
    }

    #[test]
    fn lengths_that_reach_beyond_are_malformed() {
        for bad in [&[][..], &[0x00], &[0x10], &[0x00, 3, 1, 2], &[0x20, 3, 1, 2], &[0x00, 0x80], &[0x88, 1, 1]] {
            assert!(Payload::parse(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn numbers_of_base_128_survive_a_round_trip() {
        for value in [0, 1, 127, 128, 300, 16_383, 16_384, 1 << 28, u32::MAX] {
            let (bytes, len) = to_leb128(value);
            assert_eq!(read_leb128(&bytes[..len]), Some((value as usize, len)));
            assert_eq!(read_leb128(&bytes[..len - 1]), None);
        }
        assert_eq!(read_leb128(&[0xff; 9]), None);
    }

    #[test]
    fn headers_say_type_and_layers() {
        let (header, len) = ObuHeader::parse(&[0x36, 0x48, 0x00]).unwrap();
        let layer = Some(LayerId { temporal: 2, spatial: 1 });
        assert_eq!((header, len), (ObuHeader { kind: obu::FRAME, has_size: true, layer }, 2));
        assert!(ObuHeader::parse(&[0x80]).is_err());
        assert!(ObuHeader::parse(&[0x34]).is_err());
    }
}
