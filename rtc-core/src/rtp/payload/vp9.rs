//! VP9 (RFC 9628).

use bytes::{BufMut, BytesMut};

use crate::svc::LayerId;
use crate::{Fault, Malformed};

use super::{PictureId, all_or_nothing};

mod structure;

pub use structure::{GroupPicture, Structure};

const FORMAT: &str = "VP9 payload";
/// Most pictures one may need (RFC 9628 §4.2: up to three `P_DIFF`).
const MAX_DIFFS: usize = 3;
/// Most spatial layers (`N_S` has three bits).
const MAX_LAYERS: usize = 8;

/// The payload descriptor, before each packet's piece of a layer frame (RFC 9628 §4.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Descriptor {
    /// I: number of the picture.
    pub picture_id: Option<PictureId>,
    /// P: the layer frame needs earlier pictures.
    pub is_inter_picture: bool,
    /// F: each layer frame lists the pictures it needs. Only where pictures have numbers; ignored and not written without.
    pub is_flexible: bool,
    /// B: a layer frame begins here.
    pub starts_frame: bool,
    /// E: a layer frame ends here.
    pub ends_frame: bool,
    /// Z: no higher spatial layer needs this layer frame.
    pub is_unused_above: bool,
    /// Its place in the layers.
    pub layers: Option<Layers>,
    /// TL0PICIDX: number of the last picture of the base temporal layer, this one if it is one. Not in flexible mode.
    pub base_index: Option<u8>,
    diffs: [u8; MAX_DIFFS],
    diff_count: u8,
    /// V: whether the packet has a scalability structure.
    pub has_structure: bool,
}

/// A layer frame's place in the layers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Layers {
    /// SID and TID.
    pub id: LayerId,
    /// U: later pictures of higher temporal layers need nothing of those layers before this picture. Of what this picture needs
    /// it says nothing.
    pub is_switching_up_point: bool,
    /// D: the layer frame needs the spatial layer below, of the same picture.
    pub needs_layer_below: bool,
}

impl Descriptor {
    /// Reads the descriptor; what follows it is the codec's.
    ///
    /// # Errors
    /// [`Malformed`] if the payload ends before the descriptor or with it, or lists more than three pictures or itself.
    pub fn parse(payload: &[u8]) -> Result<(Self, &[u8]), Malformed> {
        let mut bytes = Bytes(payload);
        let descriptor = Self::read(&mut bytes)?;
        if descriptor.has_structure {
            Structure::skip(&mut bytes)?;
        }
        if bytes.0.is_empty() { Err(Malformed::new(FORMAT, Fault::Truncated)) } else { Ok((descriptor, bytes.0)) }
    }

    /// The scalability structure of a payload, if it has one.
    ///
    /// # Errors
    /// [`Malformed`] if the payload ends before descriptor and structure, or lists more than three pictures.
    pub fn parse_structure(payload: &[u8]) -> Result<Option<Structure>, Malformed> {
        let mut bytes = Bytes(payload);
        if Self::read(&mut bytes)?.has_structure { Structure::read(&mut bytes).map(Some) } else { Ok(None) }
    }

    /// Reads all before the structure.
    fn read(bytes: &mut Bytes<'_>) -> Result<Self, Malformed> {
        let first = bytes.next()?;
        let has = |bit: u8| first & bit != 0;
        let mut descriptor = Self {
            is_inter_picture: has(0x40),
            // Without I it means nothing.
            is_flexible: has(0x10) && has(0x80),
            starts_frame: has(0x08),
            ends_frame: has(0x04),
            has_structure: has(0x02),
            is_unused_above: has(0x01),
            ..Self::default()
        };
        if has(0x80) {
            let (id, len) = PictureId::read(bytes.0).ok_or(Malformed::new(FORMAT, Fault::Truncated))?;
            descriptor.picture_id = Some(id);
            bytes.skip(len)?;
        }
        if has(0x20) {
            let layers = bytes.next()?;
            descriptor.layers = Some(Layers {
                id: LayerId { spatial: layers >> 1 & 0x07, temporal: layers >> 5 },
                is_switching_up_point: layers & 0x10 != 0,
                needs_layer_below: layers & 0x01 != 0,
            });
            if !descriptor.is_flexible {
                descriptor.base_index = Some(bytes.next()?);
            }
        }
        if descriptor.is_flexible && descriptor.is_inter_picture {
            descriptor.read_diffs(bytes)?;
        }
        Ok(descriptor)
    }

    /// Writes the descriptor, with the structure if [`has_structure`](Self::has_structure). Without a group of pictures that is 40
    /// bytes at most. Numbers beyond their bits are cut to them.
    pub fn write(&self, structure: &Structure, out: &mut impl BufMut) {
        let bit = |is_set: bool, bit: u8| if is_set { bit } else { 0 };
        let is_flexible = self.is_flexible && self.picture_id.is_some();
        let has_diffs = is_flexible && self.is_inter_picture && self.diff_count > 0;
        out.put_u8(
            bit(self.picture_id.is_some(), 0x80)
                | bit(self.is_inter_picture && (has_diffs || !is_flexible), 0x40)
                | bit(self.layers.is_some(), 0x20)
                | bit(is_flexible, 0x10)
                | bit(self.starts_frame, 0x08)
                | bit(self.ends_frame, 0x04)
                | bit(self.has_structure, 0x02)
                | bit(self.is_unused_above, 0x01),
        );
        if let Some(id) = self.picture_id {
            id.write(out);
        }
        if let Some(layers) = self.layers {
            let place = layers.id.temporal << 5 | (layers.id.spatial & 0x07) << 1;
            out.put_u8(place | bit(layers.is_switching_up_point, 0x10) | bit(layers.needs_layer_below, 0x01));
            if !is_flexible {
                out.put_u8(self.base_index.unwrap_or(0));
            }
        }
        if has_diffs {
            let last = self.diffs().len().saturating_sub(1);
            for (index, diff) in self.diffs().iter().enumerate() {
                out.put_u8(diff << 1 | bit(index < last, 0x01));
            }
        }
        if self.has_structure {
            structure.write(out);
        }
    }

    /// With the pictures it needs, in flexible mode: `None` unless they are one to three, 1 to 127 back.
    #[must_use]
    pub fn with_diffs(mut self, diffs: &[u8]) -> Option<Self> {
        let fits = (1..=MAX_DIFFS).contains(&diffs.len()) && diffs.iter().all(|diff| (1..128).contains(diff));
        fits.then(|| {
            self.diffs = [0; MAX_DIFFS];
            self.diffs[..diffs.len()].copy_from_slice(diffs);
            (self.is_flexible, self.is_inter_picture) = (true, true);
            self.diff_count = diffs.len().to_le_bytes()[0];
            self
        })
    }

    /// `P_DIFF`: the pictures it needs are this one's number less each of these. Flexible mode only.
    #[must_use]
    pub fn diffs(&self) -> &[u8] {
        &self.diffs[..usize::from(self.diff_count)]
    }

    /// The place in the layers; the base if there are none.
    #[must_use]
    pub fn layer(&self) -> LayerId {
        self.layers.map_or_else(LayerId::default, |layers| layers.id)
    }

    /// Whether decoding can start with this layer frame: it is of the base spatial layer and needs no earlier picture.
    #[must_use]
    pub fn is_key(&self) -> bool {
        !self.is_inter_picture && self.layer().spatial == 0
    }

    fn read_diffs(&mut self, bytes: &mut Bytes<'_>) -> Result<(), Malformed> {
        loop {
            let diff = bytes.next()?;
            if diff >> 1 == 0 {
                return Err(Malformed::new(FORMAT, Fault::Inconsistent));
            }
            match self.diffs.get_mut(usize::from(self.diff_count)) {
                Some(slot) => *slot = diff >> 1,
                None => return Err(Malformed::new(FORMAT, Fault::Length)),
            }
            self.diff_count += 1;
            if diff & 0x01 == 0 {
                return Ok(());
            }
        }
    }
}

/// Puts a layer frame together from all its payloads in order, after what is in `out`; says what its first descriptor says.
///
/// # Errors
/// [`Malformed`] if a payload is, or they do not begin and end one frame. `out` is then as it was.
pub fn depacketize<'a>(
    payloads: impl IntoIterator<Item = &'a [u8]>,
    out: &mut BytesMut,
) -> Result<Descriptor, Malformed> {
    all_or_nothing(out, |out| join(payloads, out))
}

fn join<'a>(payloads: impl IntoIterator<Item = &'a [u8]>, out: &mut BytesMut) -> Result<Descriptor, Malformed> {
    let inconsistent = Malformed::new(FORMAT, Fault::Inconsistent);
    let (mut first, mut has_ended) = (None, false);
    for payload in payloads {
        let (descriptor, media) = Descriptor::parse(payload)?;
        if first.is_some() == descriptor.starts_frame || has_ended {
            return Err(inconsistent);
        }
        first.get_or_insert(descriptor);
        has_ended = descriptor.ends_frame;
        out.put_slice(media);
    }
    if has_ended {
        first.ok_or(Malformed::new(FORMAT, Fault::Truncated))
    } else {
        Err(Malformed::new(FORMAT, Fault::Truncated))
    }
}

struct Bytes<'a>(&'a [u8]);

impl Bytes<'_> {
    fn next(&mut self) -> Result<u8, Malformed> {
        let (&first, rest) = self.0.split_first().ok_or(Malformed::new(FORMAT, Fault::Truncated))?;
        self.0 = rest;
        Ok(first)
    }

    fn skip(&mut self, len: usize) -> Result<(), Malformed> {
        self.0 = self.0.get(len..).ok_or(Malformed::new(FORMAT, Fault::Truncated))?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flexible_mode_lists_references() {
        // I P L F B; 15-bit picture 0x1234; TID 2, U, SID 1, D; P_DIFF 3 and 5.
        let payload = [0xf8, 0x92, 0x34, 0x53, 0x07, 0x0a, 0xaa];
        let (descriptor, media) = Descriptor::parse(&payload).unwrap();
        assert_eq!(descriptor.picture_id, Some(PictureId { value: 0x1234, is_long: true }));
        let layers = descriptor.layers.unwrap();
        assert_eq!(layers.id, LayerId { spatial: 1, temporal: 2 });
        assert!(layers.is_switching_up_point && layers.needs_layer_below);
        assert_eq!((descriptor.diffs(), descriptor.base_index), (&[3, 5][..], None));
        assert!(descriptor.starts_frame && !descriptor.ends_frame && !descriptor.is_key());
        assert_eq!(media, [0xaa]);
    }

    #[test]
    fn the_other_mode_numbers_the_base_layer_and_may_bring_a_structure() {
        // I L B E V; 7-bit picture 5; base layer; TL0PICIDX 9; two layers with sizes, two pictures.
        let structure = [0x38, 0, 160, 0, 90, 1, 64, 0, 180, 2, 0x00, 0x34, 0x01];
        let payload = [&[0xae, 0x05, 0x00, 0x09][..], &structure, &[0xaa]].concat();
        let (descriptor, media) = Descriptor::parse(&payload).unwrap();
        assert_eq!(descriptor.picture_id, Some(PictureId { value: 5, is_long: false }));
        assert_eq!(descriptor.base_index, Some(9));
        assert!(descriptor.is_key() && descriptor.has_structure && descriptor.ends_frame);
        assert_eq!(media, [0xaa]);
        let pictures = [GroupPicture::new(0, false, &[]), GroupPicture::new(1, true, &[1])].map(Option::unwrap);
        let expected = Structure::with_sizes(&[(160, 90), (320, 180)]).unwrap().with_group(&pictures).unwrap();
        assert_eq!(Descriptor::parse_structure(&payload), Ok(Some(expected.clone())));
        let mut written = Vec::new();
        descriptor.write(&expected, &mut written);
        assert_eq!(written, payload[..payload.len() - 1]);
        for len in 0..payload.len() {
            assert!(Descriptor::parse(&payload[..len]).is_err(), "{len}");
            assert_eq!(Descriptor::parse_structure(&payload[..len]).is_err(), len < payload.len() - 1, "{len}");
        }
    }

    #[test]
    fn no_more_than_three_references() {
        assert!(Descriptor::parse(&[0xd0, 0x01, 0x03, 0x03, 0x02, 0xaa]).is_ok());
        let four = Descriptor::parse(&[0xd0, 0x01, 0x03, 0x03, 0x03, 0x02, 0xaa]);
        assert_eq!(four, Err(Malformed::new(FORMAT, Fault::Length)));
    }
}
