//! Payload formats: what is cut comes back, in pieces alike; any bytes are read or refused; the `rtp` crate reads the same.

use bytes::{Bytes, BytesMut};
use proptest::collection::vec;
use proptest::prelude::*;
use rtc_core::rtp::payload::{PictureId, av1 as av1_header, vp8 as vp8_header, vp9 as vp9_header};
use rtc_core::svc::LayerId;
use rtc_transport::payload::{Payloads, av1, h264, vp8, vp9};
use rtp::packetizer::{Depacketizer, Payloader};

fn frame() -> impl Strategy<Value = Vec<u8>> {
    vec(any::<u8>(), 1..6_000)
}

fn picture_id() -> impl Strategy<Value = Option<PictureId>> {
    let id = prop_oneof![
        (0..128_u16).prop_map(|value| PictureId { value, is_long: false }),
        (0..32_768_u16).prop_map(|value| PictureId { value, is_long: true }),
    ];
    proptest::option::of(id)
}

fn vp8_descriptor() -> impl Strategy<Value = vp8_header::Descriptor> {
    let temporal = (0..4_u8, any::<bool>()).prop_map(|(layer, is_sync)| vp8_header::Temporal { layer, is_sync });
    let options = (proptest::option::of(any::<u8>()), proptest::option::of(temporal), proptest::option::of(0..32_u8));
    (any::<bool>(), picture_id(), options).prop_map(
        |(is_discardable, picture_id, (base_index, temporal, key_index))| vp8_header::Descriptor {
            is_discardable,
            picture_id,
            base_index: base_index.filter(|_| temporal.is_some()),
            temporal,
            key_index,
            ..Default::default()
        },
    )
}

fn vp9_descriptor() -> impl Strategy<Value = vp9_header::Descriptor> {
    let layers = (0..8_u8, 0..8_u8, any::<bool>(), any::<bool>()).prop_map(|(spatial, temporal, up, below)| {
        vp9_header::Layers { id: LayerId { spatial, temporal }, is_switching_up_point: up, needs_layer_below: below }
    });
    let flags = (any::<bool>(), any::<bool>());
    (picture_id(), proptest::option::of((layers, any::<u8>())), flags, vec(1..128_u8, 0..4)).prop_map(
        |(picture_id, layers, (is_inter_picture, is_unused_above), diffs)| {
            let mut descriptor = vp9_header::Descriptor::default();
            (descriptor.picture_id, descriptor.is_unused_above) = (picture_id, is_unused_above);
            descriptor.layers = layers.map(|(layers, _)| layers);
            let flexible = descriptor.with_diffs(&diffs).filter(|_| picture_id.is_some());
            flexible.unwrap_or_else(|| {
                descriptor.is_inter_picture = is_inter_picture;
                descriptor.base_index = layers.map(|(_, index)| index);
                descriptor
            })
        },
    )
}

fn vp9_group() -> impl Strategy<Value = Option<Vec<vp9_header::GroupPicture>>> {
    let picture = (0..8_u8, any::<bool>(), vec(any::<u8>(), 0..4))
        .prop_map(|(temporal, up, diffs)| vp9_header::GroupPicture::new(temporal, up, &diffs).unwrap());
    proptest::option::of(vec(picture, 0..9))
}

/// A byte stream, the units of which have no start code within and do not end with a zero.
fn access_unit() -> impl Strategy<Value = Vec<u8>> {
    let unit = (0..24_u8, 0..4_u8, vec(1..=u8::MAX, 0..3_000));
    vec(unit, 1..8).prop_map(|units| {
        units
            .iter()
            .flat_map(|(kind, nri, data)| [&[0, 0, 0, 1, nri << 5 | (*kind).max(1)][..], data].concat())
            .collect()
    })
}

/// OBUs with their lengths in as few bytes as can be.
fn temporal_unit() -> impl Strategy<Value = Vec<u8>> {
    let kind = prop_oneof![Just(1_u8), Just(3), Just(4), Just(5), Just(6), Just(15)];
    let layer = proptest::option::of((0..8_u8, 0..4_u8).prop_map(|(temporal, spatial)| temporal << 5 | spatial << 3));
    let body = prop_oneof![3 => vec(any::<u8>(), 0..40), 1 => vec(any::<u8>(), 0..5_000)];
    vec((kind, layer, body), 1..8).prop_map(|obus| {
        let mut bytes = Vec::new();
        for (kind, layer, body) in obus {
            bytes.push(kind << 3 | 0x02 | if layer.is_some() { 0x04 } else { 0 });
            bytes.extend(layer);
            let (length, taken) = av1_header::to_leb128(u32::try_from(body.len()).unwrap());
            bytes.extend(&length[..taken]);
            bytes.extend(body);
        }
        bytes
    })
}

fn alike(payloads: &Payloads, max: usize) -> Result<(), TestCaseError> {
    let sizes: Vec<usize> = payloads.iter().map(<[u8]>::len).collect();
    let (last, others) = sizes.split_last().unwrap();
    prop_assert!(sizes.iter().all(|size| (1..=max).contains(size)));
    prop_assert!(others.iter().all(|size| size == &others[0] && last <= size), "{sizes:?}");
    Ok(())
}

fn owned(payloads: &Payloads) -> Vec<Bytes> {
    payloads.iter().map(Bytes::copy_from_slice).collect()
}

proptest! {
    #[test]
    fn vp8_comes_back(descriptor in vp8_descriptor(), frame in frame(), max in 20..1_500_usize) {
        let (mut payloads, mut again) = (Payloads::default(), BytesMut::new());
        vp8::packetize(&descriptor, &frame, max, &mut payloads).unwrap();
        alike(&payloads, max)?;
        let first = vp8_header::Descriptor { starts_partition: true, ..descriptor };
        prop_assert_eq!(vp8::depacketize(payloads.iter(), &mut again), Ok(first));
        prop_assert_eq!(&again[..], &frame[..]);
        // It takes no payload for one that is shorter than a descriptor and the beginning of a frame, which is 4 bytes.
        if payloads.iter().all(|payload| payload.len() >= 4) {
            let mut theirs = rtp::codecs::vp8::Vp8Packet::default();
            let heard: Vec<u8> =
                owned(&payloads).iter().flat_map(|payload| theirs.depacketize(payload).unwrap()).collect();
            prop_assert_eq!(heard, frame);
        }
    }

    #[test]
    fn vp9_comes_back(
        descriptor in vp9_descriptor(), sizes in vec((any::<u16>(), any::<u16>()), 0..9), group in vp9_group(), frame in frame(),
        max in 100..1_500_usize,
    ) {
        let (mut payloads, mut again) = (Payloads::default(), BytesMut::new());
        let structure = vp9_header::Structure::with_sizes(&sizes).map(|structure| match &group {
            Some(group) => structure.with_group(group).unwrap(),
            None => structure,
        });
        vp9::packetize(&descriptor, structure.as_ref(), &frame, max, &mut payloads).unwrap();
        if structure.is_none() {
            alike(&payloads, max)?;
        }
        let first = vp9::depacketize(payloads.iter(), &mut again).unwrap();
        let mut expected = descriptor;
        (expected.starts_frame, expected.ends_frame) = (true, payloads.len() == 1);
        expected.has_structure = structure.is_some();
        prop_assert_eq!(first, expected);
        prop_assert_eq!(&again[..], &frame[..]);
        let read = payloads.iter().next().map(vp9_header::Descriptor::parse_structure);
        prop_assert_eq!(read, Some(Ok(structure)));
        // That crate knows five spatial layers, and takes no third picture (RFC 9628 §4.2 has up to three).
        if first.layer().spatial >= 5 || first.diffs().len() > 2 {
            return Ok(());
        }
        let mut heard = Vec::new();
        for payload in owned(&payloads) {
            // A fresh one each time: it adds up the pictures of all packets.
            let mut theirs = rtp::codecs::vp9::Vp9Packet::default();
            heard.extend(theirs.depacketize(&payload).unwrap());
            prop_assert_eq!((theirs.p, theirs.f), (first.is_inter_picture, first.is_flexible));
        }
        prop_assert_eq!(heard, frame);
    }

    #[test]
    fn h264_comes_back(unit in access_unit(), max in 10..1_500_usize) {
        let (mut payloads, mut again) = (Payloads::default(), BytesMut::new());
        h264::packetize(h264::Mode::NonInterleaved, &unit, max, &mut payloads).unwrap();
        prop_assert!(payloads.iter().all(|payload| (1..=max).contains(&payload.len())));
        prop_assert_eq!(h264::depacketize(payloads.iter(), &mut again), Ok(()));
        prop_assert_eq!(&again[..], &unit[..]);
        // That crate refuses packets of two bytes.
        if payloads.iter().any(|payload| payload.len() <= 2) {
            return Ok(());
        }
        let mut theirs = rtp::codecs::h264::H264Packet::default();
        let heard: Vec<u8> = owned(&payloads).iter().flat_map(|payload| theirs.depacketize(payload).unwrap()).collect();
        prop_assert_eq!(heard, unit);
    }

    #[test]
    fn h264_of_another_sender_is_understood(unit in access_unit(), max in 100..1_500_usize) {
        let mut again = BytesMut::new();
        let payloads = rtp::codecs::h264::H264Payloader::default().payload(max, &Bytes::from(unit.clone())).unwrap();
        // That sender leaves delimiters out, and keeps parameter sets until the next slice.
        let kept = |bytes: &[u8]| -> Vec<Vec<u8>> {
            let mut units: Vec<_> = h264::NalUnits(bytes).map(<[u8]>::to_vec).collect();
            units.retain(|unit| ![7, 8, 9, 12].contains(&(unit[0] & 0x1f)));
            units
        };
        if payloads.is_empty() {
            return Ok(());
        }
        prop_assert_eq!(h264::depacketize(payloads.iter().map(|payload| &payload[..]), &mut again), Ok(()));
        prop_assert_eq!(kept(&again), kept(&unit));
    }

    #[test]
    fn av1_comes_back(unit in temporal_unit(), max in 32..1_500_usize) {
        let (mut payloads, mut again) = (Payloads::default(), BytesMut::new());
        let with_delimiter = [&av1::TEMPORAL_DELIMITER[..], &unit].concat();
        av1::packetize(&with_delimiter, max, &mut payloads).unwrap();
        prop_assert!(payloads.iter().all(|payload| (2..=max).contains(&payload.len())));
        prop_assert_eq!(av1::depacketize(payloads.iter(), &mut again), Ok(()));
        prop_assert_eq!(&again[..], &unit[..]);
    }

    /// One large OBU, as encoders make them for a frame: all payloads are alike but the last.
    #[test]
    fn av1_frames_are_cut_into_pieces_alike(body in vec(any::<u8>(), 3_000..9_000), max in 200..1_500_usize) {
        let (length, taken) = av1_header::to_leb128(u32::try_from(body.len()).unwrap());
        let unit = [&[6 << 3 | 0x02][..], &length[..taken], &body].concat();
        let mut payloads = Payloads::default();
        av1::packetize(&unit, max, &mut payloads).unwrap();
        alike(&payloads, max)?;
        prop_assert_eq!(payloads.len(), (body.len() + 1).div_ceil(max - 1));
    }

    #[test]
    fn any_bytes_are_put_together_or_refused(payloads in vec(vec(any::<u8>(), 0..60), 0..6)) {
        let mut out = BytesMut::from(&b"before"[..]);
        let all = || payloads.iter().map(Vec::as_slice);
        let results = [
            av1::depacketize(all(), &mut out).is_ok(),
            h264::depacketize(all(), &mut out).is_ok(),
            vp8::depacketize(all(), &mut out).is_ok(),
            vp9::depacketize(all(), &mut out).is_ok(),
        ];
        prop_assert!(results.contains(&true) || out == b"before"[..]);
        prop_assert!(out.starts_with(b"before"));
    }

    #[test]
    fn any_frames_are_cut_or_refused(frame in vec(any::<u8>(), 0..200), max in 0..100_usize) {
        let mut payloads = Payloads::default();
        for mode in [h264::Mode::SingleNalUnit, h264::Mode::NonInterleaved] {
            let cut = h264::packetize(mode, &frame, max, &mut payloads);
            prop_assert!(cut.is_ok() || payloads.is_empty());
        }
        let cut = av1::packetize(&frame, max, &mut payloads);
        prop_assert!(cut.is_ok() || payloads.is_empty());
        prop_assert!(payloads.iter().all(|payload| payload.len() <= max));
    }
}
