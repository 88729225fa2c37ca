//! Whole frames that wait for their time, or for frames they need.

use alloc::collections::VecDeque;
use core::ops::Range;

use bytes::Bytes;
use rtc_core::time::Instant;

use super::packet::About;
use super::references::{Between, References};
use super::targets::Targets;
use crate::arrival::Nanos;

/// Most layers of a picture that are released.
pub(super) const MAX_LAYERS: usize = 8;

/// A whole frame, or layer of a picture.
#[derive(Debug)]
pub(super) struct Frame {
    /// Numbers of its first and last packet.
    pub(super) first: u64,
    pub(super) last: u64,
    pub(super) ticks: i64,
    pub(super) media: Nanos,
    pub(super) first_arrival: Instant,
    pub(super) arrival: Instant,
    pub(super) about: About,
    /// `None` if its packets contradict each other.
    pub(super) payload: Option<Bytes>,
    /// No further layer of its picture follows.
    pub(super) ends_picture: bool,
}

impl Frame {
    pub(super) fn len(&self) -> usize {
        self.payload.as_ref().map_or(0, Bytes::len)
    }
}

/// Frames in decoding order, which is that of their packets.
#[derive(Debug)]
pub(super) struct Queue {
    frames: VecDeque<Frame>,
    bytes: usize,
}

impl Queue {
    pub(super) fn new(capacity: usize) -> Self {
        Self { frames: VecDeque::with_capacity(capacity + 1), bytes: 0 }
    }

    pub(super) fn len(&self) -> usize {
        self.frames.len()
    }

    /// Bytes of media.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) fn put(&mut self, frame: Frame) {
        self.bytes += frame.len();
        let behind = self.frames.iter().rev().take_while(|other| other.first > frame.first).count();
        self.frames.insert(self.frames.len() - behind, frame);
    }

    pub(super) fn pop(&mut self) -> Option<Frame> {
        let frame = self.frames.pop_front()?;
        self.bytes -= frame.len();
        Some(frame)
    }

    pub(super) fn front(&self) -> Option<&Frame> {
        self.frames.front()
    }

    pub(super) fn get(&self, index: usize) -> Option<&Frame> {
        self.frames.get(index)
    }

    pub(super) fn range(&self, range: Range<usize>) -> impl Iterator<Item = &Frame> + Clone {
        self.frames.range(range)
    }

    /// The first picture of which something can be decoded that is `wanted`. Before `whole_to` nothing is missing or unfinished.
    pub(super) fn next_picture(
        &self,
        references: &References,
        whole_to: Option<u64>,
        wanted: Wanted,
    ) -> Option<Range<usize>> {
        let (mut from, mut skipped) = (0, Skipped::default());
        while let Some(first) = self.frames.get(from) {
            let ticks = first.ticks;
            let layers = self.frames.range(from..).take_while(|frame| frame.ticks == ticks).count();
            let picture = from..from + layers;
            let mut decodable = Decodable::new(references, whole_to, skipped, wanted);
            if self.frames.range(picture.clone()).take(MAX_LAYERS).any(|frame| decodable.admits(frame)) {
                return Some(picture);
            }
            skipped = decodable.skipped;
            from = picture.end;
        }
        None
    }

    /// What was skipped if the frames before `index` are.
    pub(super) fn skipped_before(&self, index: usize) -> Skipped {
        let mut skipped = Skipped::default();
        self.frames.range(..index).for_each(|frame| skipped.add(&frame.about));
        skipped
    }
}

/// Which frames may be released.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wanted {
    /// Those of the decode target that is followed, or of a higher one from where a decoder can switch to it.
    Followed,
    /// All that can be decoded.
    All,
}

/// Frames left out: the lowest temporal layer of each spatial layer.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Skipped {
    lowest: [Option<u8>; MAX_LAYERS],
    is_needed: bool,
}

impl Skipped {
    fn add(&mut self, about: &About) {
        if about.is_discardable {
            return;
        }
        let lowest = &mut self.lowest[usize::from(about.layer.spatial) % MAX_LAYERS];
        *lowest = Some(lowest.map_or(about.layer.temporal, |known| known.min(about.layer.temporal)));
        self.is_needed = true;
    }
}

/// Which layers of a picture can be decoded, asked in their order.
#[derive(Debug)]
pub(super) struct Decodable<'a> {
    references: &'a References,
    whole_to: Option<u64>,
    skipped: Skipped,
    wanted: Wanted,
    /// The decode targets as they are after the layers before.
    targets: Targets,
    /// Numbers of the layers before.
    with: [u64; MAX_LAYERS],
    count: usize,
}

impl<'a> Decodable<'a> {
    pub(super) fn new(references: &'a References, whole_to: Option<u64>, skipped: Skipped, wanted: Wanted) -> Self {
        let targets = references.targets;
        Self { references, whole_to, skipped, wanted, targets, with: [0; MAX_LAYERS], count: 0 }
    }

    /// Whether the frame can be decoded after those admitted before.
    pub(super) fn admits(&mut self, frame: &Frame) -> bool {
        let about = &frame.about;
        let between = Between {
            is_known: self.whole_to.is_some_and(|end| frame.first <= end),
            lowest: self.skipped.lowest[usize::from(about.layer.spatial) % MAX_LAYERS],
            is_needed: self.skipped.is_needed,
        };
        let is_wanted = self.wanted == Wanted::All || about.targets.as_ref().is_none_or(|of| self.targets.wants(of));
        let admitted =
            frame.payload.is_some() && is_wanted && self.references.suffice(about, between, &self.with[..self.count]);
        if !admitted {
            self.skipped.add(about);
            return false;
        }
        let with = &self.with[..self.count];
        if let (Some(id), Some(of)) = (about.id, &about.targets) {
            self.targets.release(id, of, |id| with.contains(&id) || self.references.has(id));
        }
        if let (Some(id), Some(slot)) = (about.id, self.with.get_mut(self.count)) {
            *slot = id;
            self.count += 1;
        }
        true
    }
}
