use alloc::vec::Vec;

use bytes::BufMut;

use crate::Malformed;

use super::{Bytes, MAX_DIFFS, MAX_LAYERS};

/// Most pictures of a group (`N_G` has eight bits).
const MAX_PICTURES: usize = 255;

/// The scalability structure (RFC 9628 §4.2.1): how many spatial layers there are, how large, and, in the other than flexible
/// mode, what each picture of a group needs.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Structure {
    sizes: [(u16, u16); MAX_LAYERS],
    layers: u8,
    has_sizes: bool,
    group: Option<Vec<GroupPicture>>,
}

/// A picture of a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct GroupPicture {
    temporal: u8,
    is_switching_up_point: bool,
    diffs: [u8; MAX_DIFFS],
    diff_count: u8,
}

impl Default for Structure {
    /// One layer of unknown size.
    fn default() -> Self {
        Self { sizes: [(0, 0); MAX_LAYERS], layers: 1, has_sizes: false, group: None }
    }
}

impl Structure {
    /// With the width and height of each spatial layer, the base first; `None` unless they are one to eight.
    #[must_use]
    pub fn with_sizes(sizes: &[(u16, u16)]) -> Option<Self> {
        let mut all = [(0, 0); MAX_LAYERS];
        all.get_mut(..sizes.len())?.copy_from_slice(sizes);
        let layers = sizes.len().to_le_bytes()[0];
        (!sizes.is_empty()).then_some(Self { sizes: all, layers, has_sizes: true, group: None })
    }

    /// With the pictures of a group, whose pattern repeats; `None` if they are more than 255.
    #[must_use]
    pub fn with_group(mut self, pictures: &[GroupPicture]) -> Option<Self> {
        self.group = Some(pictures.to_vec());
        (pictures.len() <= MAX_PICTURES).then_some(self)
    }

    /// How many spatial layers there are, one to eight.
    #[must_use]
    pub const fn layers(&self) -> u8 {
        self.layers
    }

    /// Width and height of each spatial layer, the base first; empty if they are not told.
    #[must_use]
    pub fn sizes(&self) -> &[(u16, u16)] {
        let told = if self.has_sizes { usize::from(self.layers) } else { 0 };
        &self.sizes[..told]
    }

    /// The pictures of a group, whose pattern repeats; `None` if they are not told.
    #[must_use]
    pub fn group(&self) -> Option<&[GroupPicture]> {
        self.group.as_deref()
    }

    pub(super) fn read(bytes: &mut Bytes<'_>) -> Result<Self, Malformed> {
        let first = bytes.next()?;
        let mut structure = Self { layers: (first >> 5) + 1, has_sizes: first & 0x10 != 0, ..Self::default() };
        if structure.has_sizes {
            for size in &mut structure.sizes[..usize::from(structure.layers)] {
                let mut pixels = || Ok::<_, Malformed>(u16::from_be_bytes([bytes.next()?, bytes.next()?]));
                *size = (pixels()?, pixels()?);
            }
        }
        if first & 0x08 != 0 {
            let count = bytes.next()?;
            let group: Result<Vec<_>, _> = (0..count).map(|_| GroupPicture::read(bytes)).collect();
            structure.group = Some(group?);
        }
        Ok(structure)
    }

    pub(super) fn write(&self, out: &mut impl BufMut) {
        let bit = |is_set: bool, bit: u8| if is_set { bit } else { 0 };
        out.put_u8((self.layers - 1) << 5 | bit(self.has_sizes, 0x10) | bit(self.group.is_some(), 0x08));
        for (width, height) in self.sizes() {
            out.put_u16(*width);
            out.put_u16(*height);
        }
        let Some(group) = &self.group else { return };
        out.put_u8(group.len().to_le_bytes()[0]);
        for picture in group {
            out.put_u8(picture.temporal << 5 | bit(picture.is_switching_up_point, 0x10) | picture.diff_count << 2);
            out.put_slice(picture.diffs());
        }
    }

    /// Passes over a structure; nothing in it tells where frames begin, or what one needs in flexible mode.
    pub(super) fn skip(bytes: &mut Bytes<'_>) -> Result<(), Malformed> {
        let first = bytes.next()?;
        if first & 0x10 != 0 {
            bytes.skip(4 * (usize::from(first >> 5) + 1))?;
        }
        if first & 0x08 != 0 {
            for _ in 0..bytes.next()? {
                let picture = bytes.next()?;
                bytes.skip(usize::from(picture >> 2 & 0x03))?;
            }
        }
        Ok(())
    }
}

impl GroupPicture {
    /// A picture of this temporal layer, which needs those so many before it (`P_DIFF`); `None` if the layer is above 7, or it
    /// needs more than three.
    #[must_use]
    pub fn new(temporal: u8, is_switching_up_point: bool, diffs: &[u8]) -> Option<Self> {
        let mut all = [0; MAX_DIFFS];
        all.get_mut(..diffs.len())?.copy_from_slice(diffs);
        let diff_count = diffs.len().to_le_bytes()[0];
        (temporal < 8).then_some(Self { temporal, is_switching_up_point, diffs: all, diff_count })
    }

    /// TID: its temporal layer.
    #[must_use]
    pub const fn temporal(&self) -> u8 {
        self.temporal
    }

    /// U: later pictures of higher temporal layers need nothing of those layers before this picture.
    #[must_use]
    pub const fn is_switching_up_point(&self) -> bool {
        self.is_switching_up_point
    }

    /// `P_DIFF`: the pictures it needs are this one's number less each of these.
    #[must_use]
    pub fn diffs(&self) -> &[u8] {
        &self.diffs[..usize::from(self.diff_count)]
    }

    fn read(bytes: &mut Bytes<'_>) -> Result<Self, Malformed> {
        let first = bytes.next()?;
        let diff_count = first >> 2 & 0x03;
        let mut diffs = [0; MAX_DIFFS];
        for diff in &mut diffs[..usize::from(diff_count)] {
            *diff = bytes.next()?;
        }
        Ok(Self { temporal: first >> 5, is_switching_up_point: first & 0x10 != 0, diffs, diff_count })
    }
}
