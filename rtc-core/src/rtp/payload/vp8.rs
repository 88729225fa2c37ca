//! VP8 (RFC 7741).

use bytes::{BufMut, BytesMut};

use crate::{Fault, Malformed};

use super::{PictureId, all_or_nothing};

const FORMAT: &str = "VP8 payload";

/// The payload descriptor, before each packet's piece of a frame (RFC 7741 §4.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Descriptor {
    /// N: no frame needs this one.
    pub is_discardable: bool,
    /// S: a partition begins here.
    pub starts_partition: bool,
    /// PID: which partition.
    pub partition: u8,
    /// Number of the frame.
    pub picture_id: Option<PictureId>,
    /// TL0PICIDX: number of the last frame of the base layer, this one if it is one. Goes with [`temporal`](Self::temporal).
    pub base_index: Option<u8>,
    /// TID and Y.
    pub temporal: Option<Temporal>,
    /// KEYIDX: number of the key frame, modulo 32.
    pub key_index: Option<u8>,
}

/// A frame's temporal layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Temporal {
    /// TID: the layer, 0 to 3.
    pub layer: u8,
    /// Y: the frame needs the base layer only.
    pub is_sync: bool,
}

impl Descriptor {
    /// Reads the descriptor; what follows it is the codec's.
    ///
    /// # Errors
    /// [`Malformed`] if the payload ends before the descriptor or with it.
    pub fn parse(payload: &[u8]) -> Result<(Self, &[u8]), Malformed> {
        let truncated = Malformed::new(FORMAT, Fault::Truncated);
        let (&first, mut rest) = payload.split_first().ok_or(truncated)?;
        let mut descriptor = Self {
            is_discardable: first & 0x20 != 0,
            starts_partition: first & 0x10 != 0,
            partition: first & 0x07,
            ..Self::default()
        };
        if first & 0x80 != 0 {
            let (&flags, after) = rest.split_first().ok_or(truncated)?;
            rest = after;
            if flags & 0x80 != 0 {
                let (id, len) = PictureId::read(rest).ok_or(truncated)?;
                (descriptor.picture_id, rest) = (Some(id), &rest[len..]);
            }
            if flags & 0x40 != 0 {
                let (&index, after) = rest.split_first().ok_or(truncated)?;
                (descriptor.base_index, rest) = (Some(index), after);
            }
            if flags & 0x30 != 0 {
                let (&layers, after) = rest.split_first().ok_or(truncated)?;
                rest = after;
                let temporal = Temporal { layer: layers >> 6, is_sync: layers & 0x20 != 0 };
                descriptor.temporal = (flags & 0x20 != 0).then_some(temporal);
                descriptor.key_index = (flags & 0x10 != 0).then_some(layers & 0x1f);
            }
        }
        if rest.is_empty() { Err(truncated) } else { Ok((descriptor, rest)) }
    }

    /// Writes the descriptor: six bytes at most. Numbers beyond their bits are cut to them. TL0PICIDX takes TID with it, of the
    /// base layer if there is none, as L must not be set without T (§4.2).
    pub fn write(&self, out: &mut impl BufMut) {
        let bit = |is_set: bool, bit: u8| if is_set { bit } else { 0 };
        let temporal = self.temporal.or_else(|| self.base_index.map(|_| Temporal::default()));
        let flags = bit(self.picture_id.is_some(), 0x80)
            | bit(self.base_index.is_some(), 0x40)
            | bit(temporal.is_some(), 0x20)
            | bit(self.key_index.is_some(), 0x10);
        let first = bit(self.is_discardable, 0x20) | bit(self.starts_partition, 0x10) | self.partition & 0x07;
        out.put_u8(first | bit(flags != 0, 0x80));
        if flags != 0 {
            out.put_u8(flags);
        }
        if let Some(id) = self.picture_id {
            id.write(out);
        }
        if let Some(index) = self.base_index {
            out.put_u8(index);
        }
        if flags & 0x30 != 0 {
            let temporal = temporal.map_or(0, |temporal| temporal.layer << 6 | bit(temporal.is_sync, 0x20));
            out.put_u8(temporal | self.key_index.unwrap_or(0) & 0x1f);
        }
    }

    /// Whether a frame begins with this packet (§4.4).
    #[must_use]
    pub const fn starts_frame(&self) -> bool {
        self.starts_partition && self.partition == 0
    }
}

/// Puts a frame together from all its payloads in order, after what is in `out`; says what its descriptor says.
///
/// # Errors
/// [`Malformed`] if a payload is, or the first does not begin a frame, or there is none. `out` is then as it was.
pub fn depacketize<'a>(
    payloads: impl IntoIterator<Item = &'a [u8]>,
    out: &mut BytesMut,
) -> Result<Descriptor, Malformed> {
    all_or_nothing(out, |out| join(payloads, out))
}

fn join<'a>(payloads: impl IntoIterator<Item = &'a [u8]>, out: &mut BytesMut) -> Result<Descriptor, Malformed> {
    let mut first = None;
    for payload in payloads {
        let (descriptor, media) = Descriptor::parse(payload)?;
        if first.is_some() == descriptor.starts_frame() {
            return Err(Malformed::new(FORMAT, Fault::Inconsistent));
        }
        first.get_or_insert(descriptor);
        out.put_slice(media);
    }
    first.ok_or(Malformed::new(FORMAT, Fault::Truncated))
}

/// Whether `media`, the beginning of a frame, is that of a key frame: P of the payload header (§4.3).
#[must_use]
pub fn is_key(media: &[u8]) -> bool {
    media.first().is_some_and(|first| first & 0x01 == 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_fields_are_read() {
        let payload = [0xb0, 0xf0, 0x92, 0x34, 0x56, 0xbf, 0x00, 0x11];
        let (descriptor, media) = Descriptor::parse(&payload).unwrap();
        let expected = Descriptor {
            is_discardable: true,
            starts_partition: true,
            partition: 0,
            picture_id: Some(PictureId { value: 0x1234, is_long: true }),
            base_index: Some(0x56),
            temporal: Some(Temporal { layer: 2, is_sync: true }),
            key_index: Some(0x1f),
        };
        assert_eq!((descriptor, media), (expected, &[0x00, 0x11][..]));
        assert!(descriptor.starts_frame() && is_key(media));
        for len in 0..=6 {
            assert!(Descriptor::parse(&payload[..len]).is_err(), "{len}");
        }
    }

    #[test]
    fn a_byte_is_enough() {
        let (descriptor, media) = Descriptor::parse(&[0x00, 0x01]).unwrap();
        assert_eq!((descriptor, media), (Descriptor::default(), &[0x01][..]));
        assert!(!descriptor.starts_frame() && !is_key(media));
    }
}
