use proptest::collection::vec;
use proptest::prelude::*;
use rtc_core::rtp::dependency::{
    ChainDiffs, DependencyDescriptor, DependencyStructure, FrameDiffs, FrameTemplate, Indication, Indications,
};
use rtc_core::rtp::payload::{av1, h264, vp8, vp9};
use rtc_core::svc::LayerId;

/// A real structure, with bytes of it changed: what random bytes hardly ever are.
fn structure() -> impl Strategy<Value = Vec<u8>> {
    const KEY: [u8; 20] = [
        0x80, 0x00, 0x01, 0x80, 0x00, 0x02, 0x14, 0xea, 0xa8, 0x60, 0x41, 0x4d, 0x14, 0x10, 0x20, 0x84, 0x27, 0x01,
        0xdf, 0x01,
    ];
    vec((0..KEY.len(), any::<u8>()), 0..4).prop_map(|changes| {
        let mut bytes = KEY.to_vec();
        changes.into_iter().for_each(|(at, byte)| bytes[at] = byte);
        bytes
    })
}

fn indications(targets: usize) -> impl Strategy<Value = Indications> {
    use Indication::{Discardable, NotPresent, Required, Switch};
    let one = prop_oneof![Just(NotPresent), Just(Discardable), Just(Switch), Just(Required)];
    vec(one, targets).prop_map(|all| Indications::new(&all).unwrap())
}

fn diffs(most: u16) -> impl Strategy<Value = FrameDiffs> {
    vec(1..=most, 0..=8).prop_map(|all| FrameDiffs::new(&all).unwrap())
}

fn chain_diffs(chains: usize, most: u8) -> impl Strategy<Value = ChainDiffs> {
    vec(0..=most, chains).prop_map(|all| ChainDiffs::new(&all).unwrap())
}

/// Any structure that can be written, and how many spatial layers it has.
fn any_structure() -> impl Strategy<Value = DependencyStructure> {
    let shape = (1..=32usize).prop_flat_map(|targets| (Just(targets), 0..=targets, 1..=64usize));
    shape.prop_flat_map(|(targets, chains, count)| {
        let template = (0..3u8, indications(targets), diffs(16), chain_diffs(chains, 15));
        let protecting = vec(0..chains.max(1), if chains > 0 { targets } else { 0 });
        let shown = proptest::option::of((1..=u16::MAX, 1..=u16::MAX));
        (0..64u8, vec(template, count), protecting, shown).prop_map(|(id_offset, parts, protecting, shown)| {
            let mut layer = LayerId::default();
            let mut templates = Vec::new();
            for (index, (step, indications, frame_diffs, chain_diffs)) in parts.into_iter().enumerate() {
                match step {
                    _ if index == 0 => {}
                    0 => {}
                    1 => layer.temporal += 1,
                    _ => layer = LayerId { spatial: layer.spatial + 1, temporal: 0 },
                }
                templates.push(FrameTemplate { layer, indications, frame_diffs, chain_diffs });
            }
            let protecting: Vec<u8> = protecting.into_iter().map(|chain| chain.to_le_bytes()[0]).collect();
            let resolutions = shown.map_or(Vec::new(), |shown| vec![shown; usize::from(layer.spatial) + 1]);
            DependencyStructure::new(id_offset, &templates, &protecting, &resolutions).unwrap()
        })
    })
}

/// A structure, and the descriptor of a frame that refers to it or brings it.
fn any_descriptor() -> impl Strategy<Value = (DependencyStructure, DependencyDescriptor)> {
    any_structure().prop_flat_map(|structure| {
        let template = proptest::sample::select(structure.templates().to_vec());
        let (targets, chains) = (structure.targets(), structure.chains());
        let own = (
            proptest::option::of(indications(targets)),
            proptest::option::of(diffs(4_096)),
            proptest::option::of(chain_diffs(chains, 255)),
        );
        let all = structure.all_targets();
        let flags = (any::<[bool; 3]>(), any::<u16>(), proptest::option::of(any::<u32>()));
        (Just(structure), template, own, flags).prop_map(move |(structure, template, own, flags)| {
            let ([start_of_frame, end_of_frame, brings], frame_number, active) = flags;
            let active = active.map(|active| active & all).or_else(|| brings.then_some(all));
            let descriptor = DependencyDescriptor {
                start_of_frame,
                end_of_frame,
                frame_number,
                structure: brings.then(|| structure.clone()),
                active_targets: active,
                layer: template.layer,
                indications: own.0.unwrap_or(template.indications),
                frame_diffs: own.1.unwrap_or(template.frame_diffs),
                chain_diffs: own.2.unwrap_or(template.chain_diffs),
            };
            (structure, descriptor)
        })
    })
}

proptest! {
    /// AV1 RTP payload specification, A.8.
    #[test]
    fn any_descriptor_written_is_read_the_same((structure, descriptor) in any_descriptor()) {
        let mut bytes = Vec::new();
        descriptor.write(Some(&structure), &mut bytes).unwrap();
        let known = descriptor.structure.is_none().then_some(&structure);
        prop_assert_eq!(DependencyDescriptor::parse(&bytes, known), Ok(descriptor));
    }

    #[test]
    fn any_bytes_are_read_or_refused(payload in vec(any::<u8>(), 0..60)) {
        if let Ok((_, media)) = vp8::Descriptor::parse(&payload) {
            prop_assert!(payload.ends_with(media) && !media.is_empty());
        }
        if let Ok((_, media)) = vp9::Descriptor::parse(&payload) {
            prop_assert!(payload.ends_with(media) && !media.is_empty());
        }
        if let Ok(parsed) = av1::Payload::parse(&payload) {
            let held: usize = parsed.elements().map(<[u8]>::len).sum();
            prop_assert!(held < payload.len());
        }
        if let Ok(h264::Payload::Aggregate(units)) = h264::Payload::parse(&payload) {
            let held: usize = units.map(|unit| unit.len() + 2).sum();
            prop_assert_eq!(held + 1, payload.len());
        }
        let _ = DependencyDescriptor::parse(&payload, None);
    }

    #[test]
    fn any_descriptor_is_read_or_refused(key in structure(), after in vec(vec(any::<u8>(), 0..12), 0..4)) {
        let Ok(key) = DependencyDescriptor::parse(&key, None) else { return Ok(()) };
        let mut written = Vec::new();
        key.write(None, &mut written).unwrap();
        prop_assert_eq!(DependencyDescriptor::parse(&written, None), Ok(key.clone()));
        let structure = key.structure.unwrap();
        for bytes in after {
            let Ok(frame) = DependencyDescriptor::parse(&bytes, Some(&structure)) else { continue };
            prop_assert!(frame.frame_diffs.as_slice().iter().all(|diff| *diff > 0));
            let structure = frame.structure.as_ref().unwrap_or(&structure);
            prop_assert_eq!(frame.chain_diffs.as_slice().len(), structure.chains());
            prop_assert_eq!(frame.indications.len(), structure.targets());
        }
    }

    #[test]
    fn base_128_numbers_survive(value in any::<u32>()) {
        let (bytes, len) = av1::to_leb128(value);
        prop_assert_eq!(av1::read_leb128(&bytes[..len]), Some((value as usize, len)));
    }
}
