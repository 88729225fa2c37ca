//! Writing descriptors: the inverse of reading, section by section (appendix A.8).

use alloc::vec::Vec;

use crate::ConfigError;

use super::structure::MAX_TEMPLATES;
use super::{
    ChainDiffs, DependencyDescriptor, DependencyStructure, FrameDiffs, FrameTemplate, Indication, Indications,
    MAX_DIFFS, MAX_TARGETS,
};
use crate::rtp::bits::BitWriter;

/// The highest difference a template has room for, and a frame of its own.
const TEMPLATE_DIFF: u16 = 16;
const OWN_DIFF: u16 = 4_096;
/// The highest difference of a chain a template has room for.
const TEMPLATE_CHAIN_DIFF: u8 = 15;

impl Indications {
    /// What a frame is to each decode target.
    ///
    /// # Errors
    /// [`ConfigError`] for more than 32 targets.
    pub fn new(indications: &[Indication]) -> Result<Self, ConfigError> {
        if indications.len() > MAX_TARGETS {
            return Err(ConfigError::new("indications", "must be 32 at most"));
        }
        let bits = (0..).zip(indications).map(|(target, indication)| (*indication as u64) << (2 * target)).sum();
        let len = u8::try_from(indications.len()).unwrap_or(u8::MAX);
        Ok(Self { bits, len })
    }

    fn write(&self, out: &mut BitWriter<'_>) {
        self.iter().for_each(|indication| out.put(indication as u32, 2));
    }
}

impl FrameDiffs {
    /// How far before a frame those lie that it needs.
    ///
    /// # Errors
    /// [`ConfigError`] for more than 8, or one that is not 1 to 4096.
    pub fn new(diffs: &[u16]) -> Result<Self, ConfigError> {
        if diffs.len() > MAX_DIFFS {
            return Err(ConfigError::new("frame_diffs", "must be 8 at most"));
        }
        if !diffs.iter().all(|diff| (1..=OWN_DIFF).contains(diff)) {
            return Err(ConfigError::new("frame_diffs", "must be 1 to 4096"));
        }
        let mut list = Self { len: u8::try_from(diffs.len()).unwrap_or(0), ..Self::default() };
        list.diffs[..diffs.len()].copy_from_slice(diffs);
        Ok(list)
    }

    fn write_template(&self, out: &mut BitWriter<'_>) {
        for diff in self.as_slice() {
            out.put(1, 1);
            out.put(u32::from(diff - 1), 4);
        }
        out.put(0, 1);
    }

    fn write_own(&self, out: &mut BitWriter<'_>) {
        for diff in self.as_slice() {
            let value = u32::from(diff - 1);
            let size = (u32::BITS - value.leading_zeros()).div_ceil(4).max(1);
            out.put(size, 2);
            out.put(value, 4 * size);
        }
        out.put(0, 2);
    }
}

impl ChainDiffs {
    /// How far back the previous frame of each chain lies, 0 for none.
    ///
    /// # Errors
    /// [`ConfigError`] for more than 32.
    pub fn new(diffs: &[u8]) -> Result<Self, ConfigError> {
        let mut list = Self { len: u8::try_from(diffs.len()).unwrap_or(u8::MAX), ..Self::default() };
        let slots = list.diffs.get_mut(..diffs.len()).ok_or(ConfigError::new("chain_diffs", "must be 32 at most"))?;
        slots.copy_from_slice(diffs);
        Ok(list)
    }
}

impl DependencyStructure {
    /// A structure of these templates, numbered from `id_offset` on. `protected_by` has the chain that protects each decode target,
    /// or is empty without chains; `resolutions` width and height of each spatial layer, or is empty.
    ///
    /// # Errors
    /// [`ConfigError`] for what cannot be written (A.8.2): templates must be in the order of their layers, from the base on and without
    /// one left out, 64 at most; agree on 1 to 32 decode targets and on their chains; differences be 16 at most, those of chains 15.
    pub fn new(
        id_offset: u8,
        templates: &[FrameTemplate],
        protected_by: &[u8],
        resolutions: &[(u16, u16)],
    ) -> Result<Self, ConfigError> {
        check_templates(templates)?;
        let targets = templates[0].indications.len;
        let chains = templates[0].chain_diffs.len;
        let is_protected = protected_by.iter().all(|chain| *chain < chains);
        let wanted = if chains > 0 { usize::from(targets) } else { 0 };
        if protected_by.len() != wanted || !is_protected || chains > targets {
            return Err(ConfigError::new(
                "protected_by",
                "must have a chain of each decode target, if there are chains",
            ));
        }
        let layers = templates.last().map_or(0, |template| usize::from(template.layer.spatial) + 1);
        let is_shown = resolutions.iter().all(|(width, height)| *width > 0 && *height > 0);
        if !is_shown || !(resolutions.is_empty() || resolutions.len() == layers) {
            return Err(ConfigError::new("resolutions", "must be those of all spatial layers, and not zero"));
        }
        let mut protecting = [0; MAX_TARGETS];
        protecting[..protected_by.len()].copy_from_slice(protected_by);
        Ok(Self::of(id_offset % 64, targets, chains, protecting, templates.to_vec(), resolutions.to_vec()))
    }

    /// A.8.2, template_dependency_structure.
    fn write(&self, out: &mut BitWriter<'_>) {
        out.put(u32::from(self.id_offset), 6);
        out.put(u32::from(self.targets) - 1, 5);
        for (template, next) in self.templates.iter().zip(self.templates.iter().skip(1).map(Some).chain([None])) {
            let step = match next {
                None => 3,
                Some(next) if next.layer.spatial > template.layer.spatial => 2,
                Some(next) => u32::from(next.layer.temporal > template.layer.temporal),
            };
            out.put(step, 2);
        }
        self.templates.iter().for_each(|template| template.indications.write(out));
        self.templates.iter().for_each(|template| template.frame_diffs.write_template(out));
        out.put_below(u32::from(self.chains), u32::from(self.targets) + 1);
        if self.chains > 0 {
            let protecting = &self.protected_by[..self.targets()];
            protecting.iter().for_each(|chain| out.put_below(u32::from(*chain), u32::from(self.chains)));
            let diffs = self.templates.iter().flat_map(|template| template.chain_diffs.as_slice());
            diffs.for_each(|diff| out.put(u32::from(*diff), 4));
        }
        out.put(u32::from(!self.resolutions.is_empty()), 1);
        for (width, height) in &self.resolutions {
            out.put(u32::from(width - 1), 16);
            out.put(u32::from(height - 1), 16);
        }
    }

    /// The template with the frame's layers that leaves least to be said of it, and which of indications, differences and chains that is.
    fn nearest(&self, frame: &DependencyDescriptor) -> Option<(u8, [bool; 3])> {
        let lacks = |template: &FrameTemplate| {
            [
                template.indications != frame.indications,
                template.frame_diffs != frame.frame_diffs,
                template.chain_diffs != frame.chain_diffs,
            ]
        };
        let costs = [2 * self.targets(), 4 + 8 * frame.frame_diffs.as_slice().len(), 8 * self.chains()];
        let cost =
            |own: &[bool; 3]| own.iter().zip(costs).map(|(own, cost)| usize::from(*own) * (cost + 1)).sum::<usize>();
        let fitting = (0_u8..).zip(&self.templates).filter(|(_, template)| template.layer == frame.layer);
        let found = fitting.map(|(index, template)| (index, lacks(template))).min_by_key(|(_, own)| cost(own));
        found.map(|(index, own)| ((index + self.id_offset) % 64, own))
    }
}

impl DependencyDescriptor {
    /// Appends the element's value to `out`, with the templates it refers to unless it brings its own: as few bytes as they allow.
    ///
    /// # Errors
    /// [`ConfigError`] if there are no templates, none of them has the frame's layers, or the frame has other decode targets or chains
    /// than they; nothing is appended then.
    pub fn write(&self, structure: Option<&DependencyStructure>, out: &mut Vec<u8>) -> Result<(), ConfigError> {
        let structure = self.structure.as_ref().or(structure);
        let structure = structure.ok_or(ConfigError::new("structure", "must be known, or brought"))?;
        if self.indications.len != structure.targets || self.chain_diffs.len != structure.chains {
            return Err(ConfigError::new("indications", "must be of the decode targets and chains of the structure"));
        }
        let active =
            self.active_targets.filter(|active| self.structure.is_none() || *active != structure.all_targets());
        if active.is_some_and(|active| active & !structure.all_targets() != 0) {
            return Err(ConfigError::new("active_targets", "must be decode targets of the structure"));
        }
        let missing = ConfigError::new("layer", "must be that of a template");
        let (template, own) = structure.nearest(self).ok_or(missing)?;
        let mut out = BitWriter::new(out);
        out.put(u32::from(self.start_of_frame), 1);
        out.put(u32::from(self.end_of_frame), 1);
        out.put(u32::from(template), 6);
        out.put(u32::from(self.frame_number), 16);
        let [own_indications, own_diffs, own_chains] = own;
        let has = [self.structure.is_some(), active.is_some(), own_indications, own_diffs, own_chains];
        if !has.contains(&true) {
            return Ok(());
        }
        has.iter().for_each(|flag| out.put(u32::from(*flag), 1));
        if let Some(brought) = &self.structure {
            brought.write(&mut out);
        }
        if let Some(active) = active {
            out.put(active, u32::from(structure.targets));
        }
        if own_indications {
            self.indications.write(&mut out);
        }
        if own_diffs {
            self.frame_diffs.write_own(&mut out);
        }
        if own_chains {
            self.chain_diffs.as_slice().iter().for_each(|diff| out.put(u32::from(*diff), 8));
        }
        Ok(())
    }
}

fn check_templates(templates: &[FrameTemplate]) -> Result<(), ConfigError> {
    let Some(first) = templates.first().filter(|_| templates.len() <= MAX_TEMPLATES) else {
        return Err(ConfigError::new("templates", "must be 1 to 64"));
    };
    let in_order = |pair: &[FrameTemplate]| {
        let (layer, next) = (pair[0].layer, pair[1].layer);
        let same = next == layer;
        let temporal = next.spatial == layer.spatial && next.temporal == layer.temporal + 1;
        same || temporal || (next.spatial == layer.spatial + 1 && next.temporal == 0)
    };
    if (first.layer.spatial, first.layer.temporal) != (0, 0) || !templates.windows(2).all(in_order) {
        return Err(ConfigError::new("templates", "must be in the order of their layers, from the base on"));
    }
    let agree = |template: &FrameTemplate| {
        template.indications.len == first.indications.len && template.chain_diffs.len == first.chain_diffs.len
    };
    if first.indications.is_empty() || !templates.iter().all(agree) {
        return Err(ConfigError::new("templates", "must agree on decode targets, one at least, and on chains"));
    }
    let fits = |template: &FrameTemplate| {
        template.frame_diffs.as_slice().iter().all(|diff| *diff <= TEMPLATE_DIFF)
            && template.chain_diffs.as_slice().iter().all(|diff| *diff <= TEMPLATE_CHAIN_DIFF)
    };
    if !templates.iter().all(fits) {
        return Err(ConfigError::new("templates", "must have differences up to 16, and up to 15 in chains"));
    }
    Ok(())
}
