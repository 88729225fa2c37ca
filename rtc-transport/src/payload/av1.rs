//! AV1 (RTP Payload Format For AV1, version 1.0).

pub use rtc_core::rtp::payload::av1::depacketize;
use rtc_core::rtp::payload::av1::{ObuHeader, obu, read_leb128, to_leb128};

use super::{BufMut, BytesMut, ConfigError, Malformed, PacketizeError, Payloads};
use rtc_core::Fault;

/// A temporal delimiter, which is not sent; decoders that insist on it get it before each temporal unit.
pub const TEMPORAL_DELIMITER: [u8; 2] = [obu::TEMPORAL_DELIMITER << 3 | HAS_SIZE, 0];

const FORMAT: &str = "AV1 payload";
/// Elements of a payload at most: of so many the last needs no length (W, §4.4).
const MAX_ELEMENTS: usize = 3;
/// No piece of an OBU is shorter, unless it is the last.
const LEAST_PIECE: usize = 16;
const LEAST_MAX: usize = 32;
/// obu_has_size_field (AV1 specification §5.3.2).
const HAS_SIZE: u8 = 0x02;
/// The bits for temporal and spatial layer in the second byte of an OBU's header (AV1 specification §5.3.3).
const LAYER: u8 = 0xf8;
const SPATIAL: u8 = 0x18;
/// Z, Y and N of the aggregation header (§4.4).
const CONTINUES: u8 = 0x80;
const IS_CONTINUED: u8 = 0x40;
const STARTS_SEQUENCE: u8 = 0x08;

/// Cuts a temporal unit, or one frame of it, in the low-overhead format (AV1 specification §5.2) into payloads of `max` bytes
/// at most. Temporal delimiters, tile lists and the lengths of OBUs are left out; no payload has OBUs of two layers, and a
/// sequence header is the first of its payload (§5).
///
/// # Errors
/// [`PacketizeError`] if the OBUs are not whole, or `max` is below 32. `out` is empty then.
pub fn packetize(unit: &[u8], max: usize, out: &mut Payloads) -> Result<(), PacketizeError> {
    out.clear();
    if max < LEAST_MAX {
        return Err(ConfigError::new("max", "must be 32 at least").into());
    }
    let (mut total, mut length) = (0, 0);
    for obu in Obus(unit) {
        let obu = obu?;
        total += length + obu.len();
        length = length_of(0, obu.len()).1;
    }
    let count = total.div_ceil(max - 1).max(1);
    let target = (total.div_ceil(count) + 1).clamp(LEAST_MAX, max);
    let mut packer = Packer { out, target, pieces: Default::default(), count: 0, used: 1, continues: false };
    for obu in Obus(unit).flatten() {
        if obu.kind == obu::SEQUENCE_HEADER || packer.has_another_layer(&obu) {
            packer.flush(false);
        }
        packer.add(obu);
    }
    packer.flush(false);
    if starts_sequence(unit)
        && let Some(first) = out.bytes.first_mut()
    {
        *first |= STARTS_SEQUENCE;
    }
    Ok(())
}

/// Whether a coded video sequence begins with this unit (AV1 specification §7.5): with a sequence header, which may also be
/// repeated later, and a key frame of the lowest spatial layer that is shown.
fn starts_sequence(unit: &[u8]) -> bool {
    let mut obus = Obus(unit).flatten();
    let Some(header) = obus.find(|obu| obu.kind == obu::SEQUENCE_HEADER) else { return false };
    // reduced_still_picture_header: all is one key frame (AV1 specification §5.5.1).
    let is_still = header.body.first().is_some_and(|first| first & 0x08 != 0);
    let frame = obus.find(|obu| matches!(obu.kind, obu::FRAME | obu::FRAME_HEADER));
    frame.is_none_or(|frame| {
        // show_existing_frame 0, frame_type 0, show_frame 1 (AV1 specification §5.9.2).
        let is_key = is_still || frame.body.first().is_some_and(|first| first & 0xf0 == 0x10);
        is_key && frame.layer().is_none_or(|layer| layer & SPATIAL == 0)
    })
}

/// An OBU as it is sent: its header says that it has no length.
#[derive(Debug, Clone, Copy, Default)]
struct Obu<'a> {
    kind: u8,
    header: [u8; 2],
    header_len: usize,
    body: &'a [u8],
}

impl Obu<'_> {
    const fn len(&self) -> usize {
        self.header_len + self.body.len()
    }

    /// Its layers as they are in its header, if it says any.
    fn layer(&self) -> Option<u8> {
        (self.header_len > 1).then(|| self.header[1] & LAYER)
    }

    fn put(&self, from: usize, to: usize, out: &mut BytesMut) {
        let body = |at: usize| at.saturating_sub(self.header_len);
        out.put_slice(&self.header[from.min(self.header_len)..to.min(self.header_len)]);
        out.put_slice(&self.body[body(from)..body(to)]);
    }
}

/// The OBUs of a temporal unit that are sent.
#[derive(Debug, Clone, Copy)]
struct Obus<'a>(&'a [u8]);

impl<'a> Iterator for Obus<'a> {
    type Item = Result<Obu<'a>, Malformed>;

    fn next(&mut self) -> Option<Self::Item> {
        while !self.0.is_empty() {
            match self.read() {
                Ok(obu) if matches!(obu.kind, obu::TEMPORAL_DELIMITER | obu::TILE_LIST) => {}
                Ok(obu) => return Some(Ok(obu)),
                Err(error) => {
                    self.0 = &[];
                    return Some(Err(error));
                }
            }
        }
        None
    }
}

impl<'a> Obus<'a> {
    fn read(&mut self) -> Result<Obu<'a>, Malformed> {
        let (parsed, header_len) = ObuHeader::parse(self.0)?;
        let (header, mut rest) = self.0.split_at(header_len);
        let mut len = rest.len(); // An OBU without length goes on to the end.
        if parsed.has_size {
            let (told, taken) = read_leb128(rest).ok_or_else(|| Malformed::new(FORMAT, Fault::Truncated))?;
            (len, rest) = (told, &rest[taken..]);
        }
        let (body, after) = rest.split_at_checked(len).ok_or_else(|| Malformed::new(FORMAT, Fault::Truncated))?;
        self.0 = after;
        let mut obu = Obu { kind: parsed.kind, header: [0; 2], header_len, body };
        obu.header[..header_len].copy_from_slice(header);
        obu.header[0] &= !HAS_SIZE;
        Ok(obu)
    }
}

/// Fills payloads with pieces of OBUs, up to a target.
struct Packer<'a, 'b> {
    out: &'b mut Payloads,
    target: usize,
    /// The OBUs of the payload that is being filled, and what of them.
    pieces: [(Obu<'a>, usize, usize); MAX_ELEMENTS],
    count: usize,
    /// Bytes of it, all lengths included but that of the last piece.
    used: usize,
    continues: bool,
}

impl<'a> Packer<'a, '_> {
    /// Whether the payload that is being filled has an OBU of another layer (§5).
    fn has_another_layer(&self, obu: &Obu<'_>) -> bool {
        let mut layers = self.pieces[..self.count].iter().filter_map(|(other, ..)| other.layer());
        obu.layer().is_some_and(|layer| layers.any(|other| other != layer))
    }

    fn add(&mut self, obu: Obu<'a>) {
        let mut from = 0;
        while from < obu.len() {
            let length = self.pieces[..self.count].last().map_or(0, |(_, from, to)| length_of(*from, *to).1);
            let room = self.target.saturating_sub(self.used + length);
            let rest = obu.len() - from;
            if self.count == MAX_ELEMENTS || room < rest.min(LEAST_PIECE) {
                self.flush(from > 0);
                continue;
            }
            let to = from + rest.min(room);
            self.pieces[self.count] = (obu, from, to);
            self.count += 1;
            self.used += length + to - from;
            from = to;
            if from < obu.len() {
                self.flush(true);
            }
        }
    }

    /// Ends the payload; its last piece `is_continued` in the next or not.
    fn flush(&mut self, is_continued: bool) {
        let Some(last) = self.count.checked_sub(1) else { return };
        let bit = |is_set: bool, bit: u8| if is_set { bit } else { 0 };
        let count = self.count.to_le_bytes()[0];
        self.out.bytes.put_u8(bit(self.continues, CONTINUES) | bit(is_continued, IS_CONTINUED) | count << 4);
        for (index, (obu, from, to)) in self.pieces[..self.count].iter().enumerate() {
            if index < last {
                let (bytes, taken) = length_of(*from, *to);
                self.out.bytes.put_slice(&bytes[..taken]);
            }
            obu.put(*from, *to, &mut self.out.bytes);
        }
        self.out.end();
        (self.count, self.used, self.continues) = (0, 1, is_continued);
    }
}

fn length_of(from: usize, to: usize) -> ([u8; 5], usize) {
    to_leb128(u32::try_from(to - from).unwrap_or(u32::MAX))
}
