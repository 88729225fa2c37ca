//! The dependency descriptor: which frames a frame needs, for any codec (AV1 RTP payload specification, appendix A).
//!
//! A key frame brings a [`DependencyStructure`], templates of how frames depend on each other. The descriptors of the frames
//! after it name one of its templates, so they can be read only by who kept it, and written too.

use core::fmt;

use crate::svc::LayerId;
use crate::{Fault, Malformed};

use super::bits::Bits;

mod structure;
mod write;

pub use structure::{DependencyStructure, FrameTemplate};

/// Names the extension in signalling (`a=extmap`, RFC 8285 §5).
pub const URI: &str = "https://aomediacodec.github.io/av1-rtp-spec/#dependency-descriptor-rtp-header-extension";

/// Most frames one may name as needed: AV1 has 7 references.
const MAX_DIFFS: usize = 8;
/// Most decode targets and chains.
const MAX_TARGETS: usize = 32;

const FORMAT: &str = "dependency descriptor";

/// What a frame is to one decode target (A.8.3, table A.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Indication {
    /// Not part of it.
    #[default]
    NotPresent,
    /// Part of it, but nothing in it needs this frame.
    Discardable,
    /// A decoder can switch to this target here.
    Switch,
    /// Part of it, and needed.
    Required,
}

/// What one frame is to each decode target: two bits each.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Indications {
    bits: u64,
    len: u8,
}

/// A short list of differences of frame numbers.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct FrameDiffs {
    diffs: [u16; MAX_DIFFS],
    len: u8,
}

/// For each chain, how far back its previous frame lies; 0 for none.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct ChainDiffs {
    diffs: [u8; MAX_TARGETS],
    len: u8,
}

/// The descriptor of the frame a packet is of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DependencyDescriptor {
    /// Whether this is the frame's first packet.
    pub start_of_frame: bool,
    /// Whether this is the frame's last packet.
    pub end_of_frame: bool,
    /// The frame's number in decoding order; it wraps.
    pub frame_number: u16,
    /// The templates, if this packet brings new ones. They are for this packet and those after it.
    pub structure: Option<DependencyStructure>,
    /// The decode targets that are sent from this frame on, one bit each, if the packet says so.
    pub active_targets: Option<u32>,
    /// The frame's place in the stream's layers.
    pub layer: LayerId,
    /// What the frame is to each decode target.
    pub indications: Indications,
    /// The frames it needs: this number less each of these.
    pub frame_diffs: FrameDiffs,
    /// The previous frame of each chain.
    pub chain_diffs: ChainDiffs,
}

impl DependencyDescriptor {
    /// Reads an element's value with the templates it refers to, unless it brings its own.
    ///
    /// # Errors
    /// [`Malformed`] if the value is truncated, names a template that is not there (or there are none), or more than 8 frames
    /// are needed.
    pub fn parse(value: &[u8], structure: Option<&DependencyStructure>) -> Result<Self, Malformed> {
        let mut bits = Bits::new(FORMAT, value);
        let (start_of_frame, end_of_frame) = (bits.flag()?, bits.flag()?);
        let (template_id, frame_number) = (bits.byte(6)?, bits.word()?);
        let extended = value.len() > 3;
        let mut has = [false; 5];
        if extended {
            for flag in &mut has {
                *flag = bits.flag()?;
            }
        }
        let [has_structure, has_active, own_indications, own_diffs, own_chains] = has;
        let brought = if has_structure { Some(DependencyStructure::read(&mut bits)?) } else { None };
        let unknown = Malformed::new(FORMAT, Fault::Inconsistent);
        let structure = brought.as_ref().or(structure).ok_or(unknown)?;
        let all = structure.all_targets();
        let active = if has_active { Some(bits.take(u32::from(structure.targets))?) } else { None };
        let active_targets = active.or_else(|| has_structure.then_some(all));
        let template = structure.template(template_id).ok_or(unknown)?;
        let mut frame = *template;
        if own_indications {
            frame.indications = Indications::read(&mut bits, structure.targets)?;
        }
        if own_diffs {
            frame.frame_diffs = FrameDiffs::read_custom(&mut bits)?;
        }
        if own_chains {
            frame.chain_diffs = ChainDiffs::read(&mut bits, structure.chains, 8)?;
        }
        Ok(Self {
            start_of_frame,
            end_of_frame,
            frame_number,
            active_targets,
            layer: frame.layer,
            indications: frame.indications,
            frame_diffs: frame.frame_diffs,
            chain_diffs: frame.chain_diffs,
            structure: brought,
        })
    }
}

impl Indications {
    fn read(bits: &mut Bits<'_>, targets: u8) -> Result<Self, Malformed> {
        let mut all = 0;
        for target in 0..targets {
            all |= u64::from(bits.take(2)?) << (2 * target);
        }
        Ok(Self { bits: all, len: targets })
    }

    /// Decode targets.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.len as usize
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// What the frame is to decode target number `target`.
    #[must_use]
    pub fn of(&self, target: usize) -> Indication {
        if target >= self.len() {
            return Indication::NotPresent;
        }
        match self.bits >> (2 * target) & 3 {
            0 => Indication::NotPresent,
            1 => Indication::Discardable,
            2 => Indication::Switch,
            _ => Indication::Required,
        }
    }

    /// What the frame is to each decode target.
    #[must_use]
    pub fn iter(&self) -> impl ExactSizeIterator<Item = Indication> + '_ {
        (0..self.len()).map(|target| self.of(target))
    }
}

impl FrameDiffs {
    /// The differences; each is at least 1.
    #[must_use]
    pub fn as_slice(&self) -> &[u16] {
        &self.diffs[..usize::from(self.len)]
    }

    /// Those of a template: 4 bits each (A.8.2).
    fn read_template(bits: &mut Bits<'_>) -> Result<Self, Malformed> {
        let mut list = Self::default();
        while bits.flag()? {
            let diff = bits.take(4)? + 1;
            list.push(bits, diff)?;
        }
        Ok(list)
    }

    /// Those of one frame: 4, 8 or 12 bits each.
    fn read_custom(bits: &mut Bits<'_>) -> Result<Self, Malformed> {
        let mut list = Self::default();
        loop {
            let size = bits.take(2)?;
            if size == 0 {
                return Ok(list);
            }
            let diff = bits.take(4 * size)? + 1;
            list.push(bits, diff)?;
        }
    }

    #[expect(clippy::cast_possible_truncation, reason = "12 bits and one more")]
    fn push(&mut self, bits: &Bits<'_>, diff: u32) -> Result<(), Malformed> {
        match self.diffs.get_mut(usize::from(self.len)) {
            Some(slot) => *slot = diff as u16,
            None => return bits.fault(Fault::Length),
        }
        self.len += 1;
        Ok(())
    }
}

impl ChainDiffs {
    /// How far back the previous frame of each chain lies.
    #[must_use]
    pub fn as_slice(&self) -> &[u8] {
        &self.diffs[..usize::from(self.len)]
    }

    fn read(bits: &mut Bits<'_>, chains: u8, width: u32) -> Result<Self, Malformed> {
        let mut list = Self { len: chains, ..Self::default() };
        for diff in list.diffs.iter_mut().take(usize::from(chains)) {
            *diff = bits.byte(width)?;
        }
        Ok(list)
    }
}

impl fmt::Debug for Indications {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

impl fmt::Debug for FrameDiffs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_slice().fmt(f)
    }
}

impl fmt::Debug for ChainDiffs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_slice().fmt(f)
    }
}

#[cfg(test)]
mod tests;
