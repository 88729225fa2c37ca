//! What one packet tells about its frame.

use rtc_core::rtp::dependency::{DependencyDescriptor, DependencyStructure, FrameDiffs};
use rtc_core::rtp::payload::{PictureId, av1, h264, vp8, vp9};
use rtc_core::svc::LayerId;
use rtc_core::{Fault, Malformed, RtpPacket, SeqNum, SeqUnwrapper};

use super::VideoCodec;
use super::targets::OfTargets;

/// Spatial layers VP9 has numbers for: picture number times this, plus layer, tells its layer frames apart.
const LAYERS: u64 = 8;
/// Most frames one may need: those of a dependency descriptor.
const MAX_REFS: usize = 8;

/// Where a frame's edge is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Edge {
    /// At this packet.
    Here,
    /// Elsewhere: the format says so.
    Elsewhere,
    /// Where the timestamp changes: the format does not say.
    ByTime,
}

/// What a packet tells where its frame begins and ends, and if it is the first, what the frame is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Told {
    pub(super) start: Edge,
    pub(super) end: Edge,
    pub(super) about: About,
}

/// What a frame is and needs.
#[derive(Debug, Clone, Copy)]
pub(super) struct About {
    pub(super) key: bool,
    pub(super) layer: LayerId,
    /// No other frame needs it.
    pub(super) is_discardable: bool,
    /// The number it is referred to by, if frames have one.
    pub(super) id: Option<u64>,
    pub(super) picture: Option<PictureId>,
    /// TL0PICIDX, if frames of the base temporal layer have a number of their own.
    pub(super) base: Option<u8>,
    /// It needs no earlier picture.
    pub(super) is_fresh: bool,
    /// Later frames of higher temporal layers need nothing of those layers before it (RFC 9628 §4.2, U).
    pub(super) is_switching_up_point: bool,
    pub(super) rule: Rule,
    pub(super) refs: Refs,
    /// What it is to the decode targets, if there are any.
    pub(super) targets: Option<OfTargets>,
}

/// What a frame needs beside the frames it names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rule {
    /// Nothing: it names all.
    Named,
    /// The last frame of the base temporal layer, and unless it is in sync all of its own and lower layers since.
    Layered { base: u8, is_sync: bool },
    /// The frame before it.
    Previous,
}

/// Numbers of the frames one needs.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Refs {
    ids: [u64; MAX_REFS],
    len: usize,
}

impl Refs {
    pub(super) fn as_slice(&self) -> &[u64] {
        &self.ids[..self.len]
    }

    fn push(&mut self, id: u64) {
        if let Some(slot) = self.ids.get_mut(self.len) {
            *slot = id;
            self.len += 1;
        }
    }
}

impl About {
    fn new(key: bool, rule: Rule) -> Self {
        let (layer, refs) = (LayerId::default(), Refs::default());
        Self {
            key,
            layer,
            is_discardable: false,
            id: None,
            picture: None,
            base: None,
            is_fresh: key,
            is_switching_up_point: false,
            rule,
            refs,
            targets: None,
        }
    }
}

/// Reads packets of one stream; knows what earlier ones said that later ones refer to.
#[derive(Debug)]
pub(super) struct Reader {
    codec: VideoCodec,
    descriptor_id: Option<u8>,
    frame_numbers: SeqUnwrapper,
    pictures: PictureUnwrapper,
    /// The templates of the newest key frame and of the one before, each with the first packet they are for.
    structures: [Option<(u64, DependencyStructure)>; 2],
    has_parameter_sets: bool,
    /// Whether a packet referred to templates that were not here.
    is_referred_to: bool,
}

/// Why a packet tells nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unread {
    Malformed,
    /// It refers to templates that are not here: they may still come.
    Unknown,
}

impl From<Malformed> for Unread {
    fn from(_: Malformed) -> Self {
        Self::Malformed
    }
}

impl Reader {
    pub(super) fn new(codec: VideoCodec, descriptor_id: Option<u8>) -> Self {
        Self {
            codec,
            descriptor_id,
            frame_numbers: SeqUnwrapper::default(),
            pictures: PictureUnwrapper::default(),
            structures: [None, None],
            has_parameter_sets: false,
            is_referred_to: false,
        }
    }

    /// Whether packet `seq` brought templates: those it had to wait for may be readable now.
    pub(super) fn has_templates_of(&self, seq: u64) -> bool {
        self.structures[0].as_ref().is_some_and(|(from, _)| *from == seq)
    }

    /// Whether packets refer to templates and none ever came.
    pub(super) fn lacks_templates(&self) -> bool {
        self.is_referred_to && self.structures[0].is_none()
    }

    /// What packet number `seq` tells.
    pub(super) fn read(&mut self, seq: u64, packet: &RtpPacket) -> Result<Told, Unread> {
        let told = self.read_payload(packet)?;
        match self.descriptor_id.and_then(|id| packet.extension(id)) {
            Some(value) => self.read_descriptor(seq, value),
            None => told.ok_or(Unread::Malformed),
        }
    }

    /// By the dependency descriptor (AV1 RTP payload specification, appendix A).
    fn read_descriptor(&mut self, seq: u64, value: &[u8]) -> Result<Told, Unread> {
        let brings = value.get(3).is_some_and(|flags| flags & 0x80 != 0);
        let [newest, older] = &self.structures;
        let valid = [newest, older].into_iter().flatten().find(|(from, _)| *from <= seq);
        if valid.is_none() && !brings {
            if value.len() < 3 {
                return Err(Unread::Malformed);
            }
            self.is_referred_to = true;
            return Err(Unread::Unknown);
        }
        let structure = valid.map(|(_, structure)| structure);
        let descriptor = DependencyDescriptor::parse(value, structure)?;
        let targets = descriptor.structure.as_ref().or(structure).map(|known| OfTargets::new(&descriptor, known));
        if let Some(structure) = descriptor.structure.clone() {
            self.keep(seq, structure);
        }
        let id = self.frame_numbers.unwrap(SeqNum(descriptor.frame_number));
        let refs = numbered(id, &descriptor.frame_diffs);
        let key = refs.len == 0 && descriptor.layer.spatial == 0;
        let edge = |here| if here { Edge::Here } else { Edge::Elsewhere };
        let about = About { layer: descriptor.layer, id: Some(id), refs, targets, ..About::new(key, Rule::Named) };
        Ok(Told { start: edge(descriptor.start_of_frame), end: edge(descriptor.end_of_frame), about })
    }

    fn keep(&mut self, seq: u64, structure: DependencyStructure) {
        let [newest, older] = &mut self.structures;
        match newest {
            Some((from, known)) if *from <= seq && *known == structure => {}
            Some((from, _)) if seq < *from => *older = Some((seq, structure)),
            _ => *older = newest.replace((seq, structure)),
        }
    }

    /// By the payload; `None` if that does not tell frames apart.
    fn read_payload(&mut self, packet: &RtpPacket) -> Result<Option<Told>, Malformed> {
        let (payload, end) = (packet.payload(), if packet.marker() { Edge::Here } else { Edge::ByTime });
        match self.codec {
            VideoCodec::Vp8 => {
                let (descriptor, media) = vp8::Descriptor::parse(payload)?;
                Ok(Some(Told { end, ..of_vp8(&descriptor, media) }))
            }
            VideoCodec::Vp9 => {
                let (descriptor, _) = vp9::Descriptor::parse(payload)?;
                Ok(Some(self.of_vp9(&descriptor)))
            }
            VideoCodec::H264 => {
                let (start, about) = self.of_h264(&h264::Payload::parse(payload)?);
                Ok(Some(Told { start, end, about }))
            }
            VideoCodec::Av1 => {
                let (start, about) = of_av1(&av1::Payload::parse(payload)?)?;
                Ok(Some(Told { start, end, about }))
            }
            VideoCodec::Other => Ok(None),
        }
    }

    fn of_vp9(&mut self, descriptor: &vp9::Descriptor) -> Told {
        let edge = |here| if here { Edge::Here } else { Edge::Elsewhere };
        let layer = descriptor.layer();
        let mut about =
            About { layer, picture: descriptor.picture_id, ..About::new(descriptor.is_key(), Rule::Previous) };
        (about.base, about.is_fresh) = (descriptor.base_index, !descriptor.is_inter_picture);
        if let Some(picture) = descriptor.picture_id {
            let number = self.pictures.unwrap(picture);
            let id = |number: u64, spatial: u8| number * LAYERS + u64::from(spatial);
            about.id = Some(id(number, layer.spatial));
            if descriptor.layers.is_some_and(|layers| layers.needs_layer_below) && layer.spatial > 0 {
                about.refs.push(id(number, layer.spatial - 1));
            }
            for diff in descriptor.diffs() {
                about.refs.push(id(number.saturating_sub(u64::from(*diff)), layer.spatial));
            }
            about.rule = match (descriptor.base_index, descriptor.layers) {
                _ if !descriptor.is_inter_picture || descriptor.is_flexible => Rule::Named,
                (Some(base), Some(_)) => Rule::Layered { base, is_sync: false },
                _ => Rule::Previous,
            };
            about.is_switching_up_point = descriptor.layers.is_some_and(|layers| layers.is_switching_up_point);
        }
        Told { start: edge(descriptor.starts_frame), end: edge(descriptor.ends_frame), about }
    }

    fn of_h264(&mut self, payload: &h264::Payload<'_>) -> (Edge, About) {
        use h264::nal;
        let mut about = About { is_discardable: true, ..About::new(false, Rule::Previous) };
        let mut start = Edge::ByTime;
        let mut look = |header: u8, data: &[u8], is_first: bool| {
            let kind = h264::kind(header);
            about.key |= kind == nal::IDR;
            about.is_discardable &= !h264::is_reference(header) && kind != nal::SPS;
            self.has_parameter_sets |= kind == nal::SPS;
            // Without sets in the stream, a picture may begin with its first slice.
            let is_first_slice = kind == nal::IDR && h264::starts_picture(data) && !self.has_parameter_sets;
            if is_first && (matches!(kind, nal::SPS | nal::DELIMITER) || is_first_slice) {
                start = Edge::Here;
            }
        };
        match payload {
            h264::Payload::Single(unit) => look(unit[0], &unit[1..], true),
            h264::Payload::Aggregate(units) => {
                units.enumerate().for_each(|(index, unit)| look(unit[0], &unit[1..], index == 0));
            }
            h264::Payload::Fragment(piece) => look(piece.header, piece.data, piece.is_start),
            h264::Payload::Reserved => {}
        }
        (start, about)
    }
}

fn of_vp8(descriptor: &vp8::Descriptor, media: &[u8]) -> Told {
    let starts = descriptor.starts_frame();
    let mut about = About::new(starts && vp8::is_key(media), Rule::Previous);
    (about.picture, about.is_discardable) = (descriptor.picture_id, descriptor.is_discardable);
    if let (Some(temporal), Some(base)) = (descriptor.temporal, descriptor.base_index) {
        (about.layer.temporal, about.base) = (temporal.layer, Some(base));
        about.rule = Rule::Layered { base, is_sync: temporal.is_sync };
    }
    Told { start: if starts { Edge::Here } else { Edge::Elsewhere }, end: Edge::ByTime, about }
}

fn of_av1(payload: &av1::Payload<'_>) -> Result<(Edge, About), Malformed> {
    let mut about = About::new(payload.starts_sequence, Rule::Previous);
    if let Some(first) = payload.elements().next().filter(|_| !payload.continues) {
        about.layer = av1::ObuHeader::parse(first)?.0.layer.unwrap_or_default();
    }
    if payload.continues && payload.starts_sequence {
        return Err(Malformed::new("AV1 payload", Fault::Inconsistent));
    }
    Ok((if payload.starts_sequence { Edge::Here } else { Edge::ByTime }, about))
}

fn numbered(id: u64, diffs: &FrameDiffs) -> Refs {
    let mut refs = Refs::default();
    for diff in diffs.as_slice() {
        refs.push(id.saturating_sub(u64::from(*diff)));
    }
    refs
}

/// Extends picture numbers to such as do not wrap, each nearest to the newest. Where their bits change, the lower 7 go on
/// (RFC 9628 §4.2, PID).
#[derive(Debug, Default)]
struct PictureUnwrapper {
    newest: Option<(u64, PictureId)>,
}

impl PictureUnwrapper {
    fn unwrap(&mut self, picture: PictureId) -> u64 {
        // Far enough from zero for any number of references back.
        let (newest, last) = self.newest.unwrap_or((1 << 16, picture));
        let cycle = picture.cycle().min(last.cycle());
        let ahead = picture.value.wrapping_sub(last.value) % cycle;
        let number =
            if ahead < cycle / 2 { newest + u64::from(ahead) } else { newest.saturating_sub((cycle - ahead).into()) };
        if self.newest.is_none() || number > newest || last.is_long != picture.is_long {
            self.newest = Some((number, picture));
        }
        number
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn picture_numbers_extend_past_their_wrap() {
        for is_long in [false, true] {
            let cycle = if is_long { 32_768 } else { 128 };
            let mut unwrapper = PictureUnwrapper::default();
            let mut number = |value: i32| {
                let value = u16::try_from(value.rem_euclid(cycle)).unwrap();
                i64::try_from(unwrapper.unwrap(PictureId { value, is_long })).unwrap()
            };
            let first = number(cycle - 2);
            assert_eq!([number(cycle), number(cycle + 3), number(cycle - 1)].map(|n| n - first), [2, 5, 1]);
        }
    }

    /// The examples of the clause: 0x006f after 0x6e, 0x3f after 0x1bbe.
    #[test]
    fn rfc9628_s4_2_picture_numbers_may_change_from_7_to_15_bits_and_back() {
        for (before, last, next) in [(1, (0x6e, false), (0x6f, true)), (40, (0x1bbe, true), (0x3f, false))] {
            let mut unwrapper = PictureUnwrapper::default();
            let mut number = |value: u16, is_long| unwrapper.unwrap(PictureId { value, is_long });
            let cycle = if last.1 { 32_768 } else { 128 };
            let first = number((last.0 + cycle - before) % cycle, last.1);
            let last = number(last.0, last.1);
            assert_eq!((last - first, number(next.0, next.1) - last), (before.into(), 1));
            assert_eq!(number(next.0 + 1, next.1) - last, 2, "and on");
        }
    }
}
