use alloc::vec::Vec;

use crate::svc::LayerId;
use crate::{Fault, Malformed};

use super::{Bits, ChainDiffs, FrameDiffs, Indication, Indications, MAX_TARGETS};

/// Most templates: their numbers have six bits.
pub(super) const MAX_TEMPLATES: usize = 64;

/// How frames of a stream depend on each other: the templates that descriptors refer to (A.8.2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DependencyStructure {
    /// The number of the first template; they go on from there, modulo 64.
    pub(super) id_offset: u8,
    pub(super) targets: u8,
    pub(super) chains: u8,
    /// The chain that protects each decode target.
    pub(super) protected_by: [u8; MAX_TARGETS],
    /// The highest layers each decode target has, as the templates tell.
    target_layers: [LayerId; MAX_TARGETS],
    pub(super) templates: Vec<FrameTemplate>,
    pub(super) resolutions: Vec<(u16, u16)>,
}

/// A frame as many are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct FrameTemplate {
    /// Its place in the stream's layers.
    pub layer: LayerId,
    /// What it is to each decode target.
    pub indications: Indications,
    /// The frames it needs.
    pub frame_diffs: FrameDiffs,
    /// The previous frame of each chain.
    pub chain_diffs: ChainDiffs,
}

impl DependencyStructure {
    /// Decode targets, 32 at most.
    #[must_use]
    pub const fn targets(&self) -> usize {
        self.targets as usize
    }

    /// Chains, at most as many as decode targets.
    #[must_use]
    pub const fn chains(&self) -> usize {
        self.chains as usize
    }

    /// The chain that protects a decode target; `None` without chains.
    #[must_use]
    pub fn protected_by(&self, target: usize) -> Option<usize> {
        (self.chains > 0 && target < self.targets()).then(|| usize::from(self.protected_by[target]))
    }

    /// The highest layers of a decode target; `None` if there is no such target.
    #[must_use]
    pub fn target_layer(&self, target: usize) -> Option<LayerId> {
        (target < self.targets()).then(|| self.target_layers[target])
    }

    /// Width and height of each spatial layer, lowest first; empty if not told. 65536, the most there is, is told as 65535.
    #[must_use]
    pub fn resolutions(&self) -> &[(u16, u16)] {
        &self.resolutions
    }

    /// A bit for each decode target.
    #[must_use]
    pub fn all_targets(&self) -> u32 {
        u32::MAX >> (32 - u32::from(self.targets))
    }

    /// The templates, in the order of their layers.
    #[must_use]
    pub fn templates(&self) -> &[FrameTemplate] {
        &self.templates
    }

    pub(super) fn template(&self, id: u8) -> Option<&FrameTemplate> {
        self.templates.get(usize::from((id + 64 - self.id_offset) % 64))
    }

    pub(super) fn read(bits: &mut Bits<'_>) -> Result<Self, Malformed> {
        let (id_offset, targets) = (bits.byte(6)?, bits.byte(5)? + 1);
        let mut templates = read_layers(bits)?;
        for template in &mut templates {
            template.indications = Indications::read(bits, targets)?;
        }
        for template in &mut templates {
            template.frame_diffs = FrameDiffs::read_template(bits)?;
        }
        let mut protected_by = [0; MAX_TARGETS];
        #[expect(clippy::cast_possible_truncation, reason = "below 33")]
        let chains = bits.below(u32::from(targets) + 1)? as u8;
        if chains > 0 {
            for chain in protected_by.iter_mut().take(usize::from(targets)) {
                #[expect(clippy::cast_possible_truncation, reason = "below 32")]
                let protecting = bits.below(u32::from(chains))? as u8;
                *chain = protecting;
            }
            for template in &mut templates {
                template.chain_diffs = ChainDiffs::read(bits, chains, 4)?;
            }
        }
        let resolutions = if bits.flag()? { read_resolutions(bits, &templates)? } else { Vec::new() };
        Ok(Self::of(id_offset, targets, chains, protected_by, templates, resolutions))
    }

    pub(super) fn of(
        id_offset: u8,
        targets: u8,
        chains: u8,
        protected_by: [u8; MAX_TARGETS],
        templates: Vec<FrameTemplate>,
        resolutions: Vec<(u16, u16)>,
    ) -> Self {
        let target_layers = target_layers(&templates);
        Self { id_offset, targets, chains, protected_by, target_layers, templates, resolutions }
    }
}

/// The templates' layers, each one, the next temporal or the next spatial layer after the one before.
fn read_layers(bits: &mut Bits<'_>) -> Result<Vec<FrameTemplate>, Malformed> {
    let mut templates = Vec::new();
    let mut layer = LayerId::default();
    loop {
        if templates.len() == MAX_TEMPLATES {
            return bits.fault(Fault::Length);
        }
        templates.push(FrameTemplate { layer, ..FrameTemplate::default() });
        match bits.take(2)? {
            0 => {}
            1 => layer.temporal += 1,
            2 => layer = LayerId { spatial: layer.spatial + 1, temporal: 0 },
            _ => return Ok(templates),
        }
    }
}

fn read_resolutions(bits: &mut Bits<'_>, templates: &[FrameTemplate]) -> Result<Vec<(u16, u16)>, Malformed> {
    let layers = templates.last().map_or(0, |template| template.layer.spatial) + 1;
    (0..layers).map(|_| Ok((bits.word()?.saturating_add(1), bits.word()?.saturating_add(1)))).collect()
}

/// A decode target has the highest layers of the templates that are part of it (A.8.2, decode_target_layers).
fn target_layers(templates: &[FrameTemplate]) -> [LayerId; MAX_TARGETS] {
    let mut layers = [LayerId::default(); MAX_TARGETS];
    for (target, highest) in layers.iter_mut().enumerate() {
        for template in templates {
            if template.indications.of(target) != Indication::NotPresent {
                highest.spatial = highest.spatial.max(template.layer.spatial);
                highest.temporal = highest.temporal.max(template.layer.temporal);
            }
        }
    }
    layers
}
