//! What was released, and so what can be decoded after it.

use alloc::boxed::Box;

use rtc_core::rtp::payload::PictureId;

use super::packet::{About, Rule};
use super::targets::Targets;

/// Frames remembered: as far back as a reference can reach (12 bits, AV1 RTP payload specification A.8.3).
const HISTORY: usize = 4_096;
/// Spatial layers told apart.
const SPATIAL: usize = 8;
/// All temporal layers.
const ALL: u8 = u8::MAX;

/// What the decoder has been given.
#[derive(Debug)]
pub(super) struct References {
    /// Numbers of released frames, each at its place modulo the length; 0 for none.
    released: Box<[u64; HISTORY]>,
    /// Whether the frame released last is the one before the next.
    is_unbroken: bool,
    layers: [Layer; SPATIAL],
    last_picture: Option<PictureId>,
    pub(super) targets: Targets,
}

/// Temporal layers of one spatial layer.
#[derive(Debug, Clone, Copy, Default)]
struct Layer {
    /// TL0PICIDX of the last frame of the base released.
    base: Option<u8>,
    /// A bit for each temporal layer of which nothing is missing that later frames may need.
    whole: u8,
}

/// What lies between the frame released last and another.
#[derive(Debug, Clone, Copy)]
pub(super) struct Between {
    /// Whether all that was sent between is known.
    pub(super) is_known: bool,
    /// The lowest temporal layer of its own spatial layer among frames between that were not released.
    pub(super) lowest: Option<u8>,
    /// Whether a frame between that others may need was not released.
    pub(super) is_needed: bool,
}

impl Default for References {
    fn default() -> Self {
        Self {
            released: Box::new([0; HISTORY]),
            is_unbroken: false,
            layers: [Layer::default(); SPATIAL],
            last_picture: None,
            targets: Targets::default(),
        }
    }
}

impl References {
    /// Whether a frame can be decoded next. `with` are numbers of frames to be released with it, before it.
    pub(super) fn suffice(&self, about: &About, between: Between, with: &[u64]) -> bool {
        let named = about.refs.as_slice().iter().all(|id| with.contains(id) || self.has(*id));
        if about.key || !named {
            return named;
        }
        let is_known = between.is_known || self.is_followed_by(about);
        match about.rule {
            Rule::Named => true,
            Rule::Previous => self.is_unbroken && is_known && !between.is_needed,
            Rule::Layered { base, is_sync } => {
                let layer = &self.layers[usize::from(about.layer.spatial) % SPATIAL];
                let temporal = about.layer.temporal;
                match layer.base {
                    None => false,
                    Some(last) if temporal == 0 => base == last.wrapping_add(1),
                    Some(last) if base != last => false,
                    _ if is_sync => true,
                    _ => {
                        let lower = ALL >> (7 - temporal.min(7));
                        layer.whole & lower == lower && is_known && between.lowest.is_none_or(|low| low > temporal)
                    }
                }
            }
        }
    }

    /// Whether a frame that cannot be decoded shows that the base of the stream is broken, not only a layer above it.
    pub(super) fn is_broken_at(&self, about: &About) -> bool {
        let layer = &self.layers[usize::from(about.layer.spatial) % SPATIAL];
        let is_base = about.layer.temporal == 0 && about.layer.spatial == 0;
        match (about.rule, &about.targets) {
            (Rule::Previous, _) => true,
            _ if is_base => true,
            (Rule::Layered { base, .. }, _) => layer.base != Some(base),
            (Rule::Named, Some(of)) => self.targets.are_all_broken_at(about.id.unwrap_or(0), of, |id| self.has(id)),
            (Rule::Named, None) => false,
        }
    }

    /// Whether the picture's number is the one after that of the picture released last.
    pub(super) fn is_followed_by(&self, about: &About) -> bool {
        self.last_picture
            .zip(about.picture)
            .is_some_and(|(last, this)| (this.value.wrapping_sub(last.value)) % this.cycle().min(last.cycle()) == 1)
    }

    /// Takes note that a frame is released.
    pub(super) fn release(&mut self, about: &About) {
        if let Some(of) = &about.targets {
            let mut targets = self.targets;
            targets.release(about.id.unwrap_or(0), of, |id| self.has(id));
            self.targets = targets;
        }
        let layer = &mut self.layers[usize::from(about.layer.spatial) % SPATIAL];
        self.is_unbroken |= about.key;
        if about.is_fresh {
            layer.whole = ALL;
        }
        if about.layer.temporal == 0 {
            layer.base = about.base;
            layer.whole |= 1;
        } else if matches!(about.rule, Rule::Layered { is_sync: true, .. }) {
            layer.whole |= 1 << about.layer.temporal.min(7);
        }
        if about.is_switching_up_point {
            layer.whole |= !(ALL >> (7 - about.layer.temporal.min(7)));
        }
        if let Some(id) = about.id {
            self.released[slot(id)] = id;
        }
        self.last_picture = about.picture;
    }

    /// Takes note that a frame was left out.
    pub(super) fn leave_out(&mut self, about: &About) {
        if let Some(of) = &about.targets {
            self.targets.leave_out(of);
        }
        if about.is_discardable {
            return;
        }
        self.is_unbroken = false;
        let layer = &mut self.layers[usize::from(about.layer.spatial) % SPATIAL];
        // The base layer has its own number.
        layer.whole &= !(ALL << about.layer.temporal.min(7)) | 1;
    }

    /// Takes note that it is not known what was left out.
    pub(super) fn leave_gap(&mut self) {
        self.is_unbroken = false;
        self.layers.iter_mut().for_each(|layer| layer.whole &= 1);
    }

    /// Begins anew with another stream; what the user wants of it stays.
    pub(super) fn restart(&mut self) {
        let mut targets = self.targets;
        targets.restart();
        *self = Self { targets, ..Self::default() };
    }

    /// Whether a frame was released.
    pub(super) fn has(&self, id: u64) -> bool {
        id != 0 && self.released[slot(id)] == id
    }
}

fn slot(id: u64) -> usize {
    usize::try_from(id % HISTORY as u64).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use rtc_core::rtp::dependency::DependencyDescriptor;
    use rtc_core::rtp::payload::vp8;
    use rtc_core::svc::LayerId;

    use super::super::packet::Refs;
    use super::super::targets::OfTargets;
    use super::*;

    /// Captured from a browser: three spatial layers with three temporal layers each, and three chains.
    const KEY: &str = "c1017280081485214eafffaaaa863cf0430c10c302afc0aaa0063c00430010c002a000a80006000040001d954926e082b04a09\
                       41b820ac1282503157f974000ca864330e222222eca8655304224230eca877530077004200ef008601df010d";
    /// A frame of the base spatial and highest temporal layer, three, two and one frames after those of the chains.
    const LATER: &str = "c30175";

    fn bytes(hex: &str) -> Vec<u8> {
        (0..hex.len() / 2).map(|at| u8::from_str_radix(&hex[2 * at..2 * at + 2], 16).unwrap()).collect()
    }

    fn frame(id: u64, key: bool) -> About {
        let first = DependencyDescriptor::parse(&bytes(KEY), None).unwrap();
        let later = DependencyDescriptor::parse(&bytes(LATER), first.structure.as_ref()).unwrap();
        About {
            key,
            layer: LayerId::default(),
            is_discardable: false,
            id: Some(id),
            picture: None,
            base: None,
            is_fresh: key,
            is_switching_up_point: false,
            rule: Rule::Named,
            refs: Refs::default(),
            targets: Some(OfTargets::new(if key { &first } else { &later }, first.structure.as_ref().unwrap())),
        }
    }

    #[test]
    fn a_chain_is_broken_from_the_first_of_its_frames_that_was_not_released_to_the_next_key_frame() {
        let mut references = References::default();
        assert!(!references.targets.are_all_broken(), "there is none yet");
        references.release(&frame(1_370, true));
        // Of the frames it follows, the one three before was released.
        references.release(&frame(1_373, false));
        assert!(!references.targets.are_all_broken());
        references.release(&frame(1_380, false));
        assert!(references.targets.are_all_broken());
        references.release(&frame(1_383, false));
        assert!(references.targets.are_all_broken(), "what follows does not mend it");
        references.release(&frame(1_390, true));
        assert!(!references.targets.are_all_broken());
    }

    #[test]
    fn picture_numbers_follow_each_other_over_their_wrap() {
        let picture = |value: u16, is_long: bool| {
            let [high, low] = value.to_be_bytes();
            let id: &[u8] = if is_long { &[high | 0x80, low] } else { &[low] };
            let payload = [&[0x90, 0x80], id, &[0, 0]].concat();
            About { picture: vp8::Descriptor::parse(&payload).unwrap().0.picture_id, ..frame(1, true) }
        };
        let mut references = References::default();
        for (last, next, is_long) in [(32_767, 0, true), (127, 0, false), (5, 6, true)] {
            references.release(&picture(last, is_long));
            assert!(references.is_followed_by(&picture(next, is_long)));
            assert!(!references.is_followed_by(&picture(next + 1, is_long)));
        }
    }
}
