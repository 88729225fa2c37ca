//! Which decode target of a layered stream is followed (AV1 RTP payload specification, appendix A).
//!
//! A decode target is a set of frames that can be decoded by themselves: some of the spatial and temporal layers. One is *alive* from
//! a frame on at which a decoder may switch to it, until a frame of it that others need, or one of the chain that protects it, was not
//! released. Followed is the highest that is alive, sent, and within the limit set.

use rtc_core::rtp::dependency::{DependencyDescriptor, DependencyStructure, Indication};
use rtc_core::svc::LayerId;

/// Most decode targets.
pub(super) const MAX_TARGETS: usize = 32;

/// What a frame is to the decode targets, a bit for each.
#[derive(Debug, Clone, Copy)]
pub(super) struct OfTargets {
    /// It is part of these.
    present: u32,
    /// A decoder can switch to these here.
    switch: u32,
    /// It is part of these, and other frames of them need it.
    needed: u32,
    /// Those that are sent from here on, if the frame says so.
    active: Option<u32>,
    /// Whether the targets begin anew here.
    brings: bool,
    /// How far before it lies the frame before of the chain that protects each target, 0 for none.
    diffs: [u8; MAX_TARGETS],
    /// Targets that are protected by a chain.
    protected: u32,
    /// The highest layers of each target, and how many there are.
    layers: [LayerId; MAX_TARGETS],
    count: usize,
}

impl OfTargets {
    pub(super) fn new(descriptor: &DependencyDescriptor, structure: &DependencyStructure) -> Self {
        let mask = |wanted: &[Indication]| {
            let of = descriptor.indications.iter().enumerate().filter(|(_, indication)| wanted.contains(indication));
            of.fold(0, |mask, (target, _)| mask | 1_u32 << target)
        };
        let (mut diffs, mut protected) = ([0; MAX_TARGETS], 0);
        for (target, diff) in diffs.iter_mut().enumerate().take(structure.targets()) {
            let chain = structure.protected_by(target);
            if let Some(known) = chain.and_then(|chain| descriptor.chain_diffs.as_slice().get(chain)) {
                (*diff, protected) = (*known, protected | 1 << target);
            }
        }
        let mut layers = [LayerId::default(); MAX_TARGETS];
        for (target, layer) in layers.iter_mut().enumerate() {
            *layer = structure.target_layer(target).unwrap_or_default();
        }
        use Indication::{Discardable, Required, Switch};
        Self {
            present: mask(&[Discardable, Required, Switch]),
            switch: mask(&[Switch]),
            needed: mask(&[Required, Switch]),
            active: descriptor.active_targets,
            brings: descriptor.structure.is_some(),
            diffs,
            protected,
            layers,
            count: structure.targets().min(MAX_TARGETS),
        }
    }

    /// Targets of whose chain the frame before, this many frames back, is not there, or their chain begins here if 0.
    fn broken(&self, id: u64, has: impl Fn(u64) -> bool) -> u32 {
        let is_broken = |target: &usize| {
            let diff = u64::from(self.diffs[*target]);
            self.protected >> target & 1 == 1 && diff > 0 && !has(id.saturating_sub(diff))
        };
        (0..MAX_TARGETS).filter(is_broken).fold(0, |mask, target| mask | 1 << target)
    }

    /// Targets whose chain begins here.
    fn begun(&self) -> u32 {
        (0..MAX_TARGETS).filter(|target| self.diffs[*target] == 0).fold(0, |mask, target| mask | 1 << target)
            & self.protected
    }
}

/// The decode targets of a stream.
#[derive(Debug, Clone, Copy)]
pub(super) struct Targets {
    /// The highest layers of each.
    layers: [LayerId; MAX_TARGETS],
    count: usize,
    active: u32,
    alive: u32,
    /// Those whose chain has lost nothing.
    intact: u32,
    protected: u32,
    limit: Option<LayerId>,
}

impl Default for Targets {
    fn default() -> Self {
        let layers = [LayerId::default(); MAX_TARGETS];
        Self { layers, count: 0, active: 0, alive: 0, intact: 0, protected: 0, limit: None }
    }
}

impl Targets {
    /// Follows nothing above these layers.
    pub(super) fn set_limit(&mut self, limit: Option<LayerId>) {
        self.limit = limit;
    }

    /// As new, but for the limit.
    pub(super) fn restart(&mut self) {
        *self = Self { limit: self.limit, ..Self::default() };
    }

    /// The target that is followed, if any is known to be whole.
    pub(super) fn followed(&self) -> Option<usize> {
        self.highest(self.alive & self.eligible(self.active))
    }

    /// The highest layers of a target.
    pub(super) fn layer(&self, target: usize) -> LayerId {
        self.layers.get(target).copied().unwrap_or_default()
    }

    /// Whether a frame is of the target followed, or leads to a higher one. All are wanted while none is whole, as long as they are within
    /// the limit.
    pub(super) fn wants(&self, frame: &OfTargets) -> bool {
        let eligible = self.eligible(frame.active.unwrap_or(self.active));
        if frame.brings || self.count == 0 {
            return true;
        }
        match self.highest(self.alive & eligible) {
            None => frame.present & eligible != 0 || eligible == 0,
            Some(target) if frame.present >> target & 1 == 1 => true,
            Some(target) => {
                let mut up = (0..self.count).filter(|other| frame.switch & eligible & 1 << other != 0);
                up.any(|other| self.rank(other) > self.rank(target))
            }
        }
    }

    /// Takes note that frame `id` is released; `has` tells which ones were before it.
    pub(super) fn release(&mut self, id: u64, frame: &OfTargets, has: impl Fn(u64) -> bool) {
        let is_wanted = self.wants(frame);
        self.learn(frame);
        self.protected = frame.protected;
        self.intact = (self.intact | frame.begun()) & !frame.broken(id, has);
        if frame.brings {
            (self.alive, self.intact) = (frame.present, self.intact | frame.present);
        }
        self.alive &= self.intact | !self.protected;
        // Whoever switches here is on the chain again.
        (self.alive, self.intact) = (self.alive | frame.switch, self.intact | frame.switch);
        if !is_wanted {
            // What was followed did not come in time.
            self.alive &= frame.present;
        }
    }

    /// Takes note that a frame is left out.
    pub(super) fn leave_out(&mut self, frame: &OfTargets) {
        self.learn(frame);
        self.alive &= !frame.needed;
    }

    fn learn(&mut self, frame: &OfTargets) {
        self.active = frame.active.unwrap_or(self.active);
        if frame.brings {
            (self.layers, self.count, self.alive, self.intact) = (frame.layers, frame.count, 0, 0);
        }
    }

    /// Whether of each target that is wanted a frame of its chain is missing. False without chains.
    pub(super) fn are_all_broken(&self) -> bool {
        let wanted = self.eligible(self.active) & self.protected;
        wanted != 0 && self.intact & wanted == 0
    }

    /// Whether a frame shows the same before it is released.
    pub(super) fn are_all_broken_at(&self, id: u64, frame: &OfTargets, has: impl Fn(u64) -> bool) -> bool {
        let wanted = self.eligible(frame.active.unwrap_or(self.active)) & frame.protected;
        wanted != 0 && frame.broken(id, has) & wanted == wanted
    }

    /// Of the targets that are sent, those within the limit; all if none is.
    fn eligible(&self, active: u32) -> u32 {
        let Some(limit) = self.limit else { return active };
        let fits = |layer: LayerId| layer.spatial <= limit.spatial && layer.temporal <= limit.temporal;
        let within =
            (0..self.count).filter(|target| fits(self.layers[*target])).fold(0, |mask, target| mask | 1 << target);
        if active & within == 0 { active } else { active & within }
    }

    fn highest(&self, mask: u32) -> Option<usize> {
        (0..self.count).filter(|target| mask >> target & 1 == 1).max_by_key(|target| self.rank(*target))
    }

    fn rank(&self, target: usize) -> (LayerId, usize) {
        (self.layers[target], target)
    }
}
