use bytes::{Bytes, BytesMut};
use proptest::collection::vec;
use proptest::prelude::*;
use rtc_core::rtp::HeaderMut;
use rtc_core::{PayloadType, RtpPacket, RtpTime, SeqNum, Ssrc};

/// What a builder is told.
#[derive(Debug, Clone)]
struct Parts {
    marker: bool,
    payload_type: u8,
    seq: u16,
    timestamp: u32,
    ssrc: u32,
    csrcs: Vec<Ssrc>,
    elements: Vec<(u8, Vec<u8>)>,
    two_byte: bool,
    padding: u8,
    payload: Vec<u8>,
}

impl Parts {
    fn build(&self) -> RtpPacket {
        let elements: Vec<_> = self.elements.iter().map(|(id, value)| (*id, value.as_slice())).collect();
        let builder = RtpPacket::builder(
            PayloadType::new(self.payload_type),
            SeqNum(self.seq),
            RtpTime(self.timestamp),
            Ssrc(self.ssrc),
        );
        let builder = builder.marker(self.marker).csrcs(&self.csrcs).extensions(&elements).padding(self.padding);
        let builder = if self.two_byte { builder.always_two_byte() } else { builder };
        builder.build_in(&mut BytesMut::new(), &self.payload).unwrap()
    }
}

fn parts() -> impl Strategy<Value = Parts> {
    let element = prop_oneof![
        (1..=14_u8, vec(any::<u8>(), 1..=16)),
        (1..=255_u8, vec(any::<u8>(), 0..=20)),
        (1..=255_u8, vec(any::<u8>(), 0..=255)),
    ];
    let numbers = (any::<bool>(), 0..=127_u8, any::<u16>(), any::<u32>(), any::<u32>());
    let lists = (vec(any::<u32>().prop_map(Ssrc), 0..=15), vec(element, 0..6), any::<bool>());
    (numbers, lists, prop_oneof![Just(0), any::<u8>()], vec(any::<u8>(), 0..80)).prop_map(
        |((marker, payload_type, seq, timestamp, ssrc), (csrcs, elements, two_byte), padding, payload)| Parts {
            marker,
            payload_type,
            seq,
            timestamp,
            ssrc,
            csrcs,
            elements,
            two_byte,
            padding,
            payload,
        },
    )
}

/// Bytes that are often an RTP packet, with whatever may be in its header extension.
fn wire() -> impl Strategy<Value = Vec<u8>> {
    let profile = prop_oneof![Just([0xbe, 0xde]), Just([0x10, 0x00]), Just([0x10, 0x0f]), any::<[u8; 2]>()];
    let data = vec(prop_oneof![Just(0), 0..64_u8, any::<u8>()], 0..40);
    let tail = vec(prop_oneof![0..12_u8, any::<u8>()], 0..40);
    let near = (any::<u8>(), any::<[u8; 11]>(), profile, data, tail, 0..40_usize);
    let near = near.prop_map(|(first, rest, profile, data, tail, cut)| {
        let mut bytes = vec![0x80 | (first & 0x33)];
        bytes.extend_from_slice(&rest);
        bytes.resize(12 + 4 * usize::from(first & 3), first);
        if first & 0x10 != 0 {
            let words = u8::try_from(data.len() / 4).unwrap();
            bytes.extend_from_slice(&[profile[0], profile[1], 0, words]);
            bytes.extend_from_slice(&data[..4 * usize::from(words)]);
        }
        bytes.extend_from_slice(&tail);
        if cut > 30 {
            bytes.truncate(cut - 30);
        }
        bytes
    });
    prop_oneof![near, vec(any::<u8>(), 0..80)]
}

/// RFC 8285 read as the text says it, one element cut off the front at a time.
fn naive_elements(profile: u16, mut data: &[u8]) -> Vec<(u8, Vec<u8>)> {
    let mut elements = Vec::new();
    let one_byte = profile == 0xbede;
    if !one_byte && profile >> 4 != 0x100 {
        return elements;
    }
    while let Some((&first, rest)) = data.split_first() {
        data = rest;
        if first == 0 {
            continue;
        }
        let (id, len) = if one_byte {
            (first / 16, usize::from(first % 16) + 1)
        } else {
            let Some((&len, rest)) = data.split_first() else { break };
            data = rest;
            (first, usize::from(len))
        };
        if (one_byte && (id == 0 || id == 15)) || len > data.len() {
            break;
        }
        elements.push((id, data[..len].to_vec()));
        data = &data[len..];
    }
    elements
}

fn owned(packet: &RtpPacket) -> Vec<(u8, Vec<u8>)> {
    packet.extensions().map(|(id, value)| (id, value.to_vec())).collect()
}

proptest! {
    #[test]
    fn any_bytes_are_parsed_or_refused(bytes in wire()) {
        let parsed = RtpPacket::parse(Bytes::from(bytes.clone()));
        prop_assert_eq!(HeaderMut::parse(&mut bytes.clone()).is_ok(), parsed.is_ok());
        let Ok(packet) = parsed else { return Ok(()) };
        prop_assert_eq!(packet.as_bytes(), &bytes);
        let parts = packet.header_len() + packet.payload().len() + usize::from(packet.padding_len());
        prop_assert_eq!(parts, bytes.len());
        prop_assert_eq!(packet.payload(), &packet.payload_bytes());
        prop_assert!(packet.csrcs().len() <= 15);
        for (id, value) in packet.extensions() {
            prop_assert!(id > 0 && value.len() <= 255);
            prop_assert!(packet.extension(id).is_some());
            prop_assert_eq!(packet.extension_range(id).map(|place| &packet.as_bytes()[place]), packet.extension(id));
        }
    }

    #[test]
    fn a_packet_parses_to_itself(bytes in wire()) {
        if let Ok(packet) = RtpPacket::parse(bytes.into()) {
            prop_assert_eq!(RtpPacket::parse(packet.as_bytes().clone()), Ok(packet));
        }
    }

    #[test]
    fn what_was_built_is_what_is_read(parts in parts()) {
        let packet = parts.build();
        prop_assert_eq!(RtpPacket::parse(packet.as_bytes().clone()), Ok(packet.clone()));
        prop_assert_eq!(packet.marker(), parts.marker);
        prop_assert_eq!(packet.payload_type(), PayloadType::new(parts.payload_type));
        prop_assert_eq!(packet.seq(), SeqNum(parts.seq));
        prop_assert_eq!(packet.timestamp(), RtpTime(parts.timestamp));
        prop_assert_eq!(packet.ssrc(), Ssrc(parts.ssrc));
        prop_assert_eq!(packet.csrcs().collect::<Vec<_>>(), parts.csrcs);
        prop_assert_eq!(owned(&packet), parts.elements);
        prop_assert_eq!(packet.padding_len(), parts.padding);
        prop_assert_eq!(packet.payload(), parts.payload);
    }

    #[test]
    fn elements_are_those_of_the_naive_reader(bytes in wire()) {
        if let Ok(packet) = RtpPacket::parse(bytes.into()) {
            let (profile, data) = packet.raw_extension().unwrap_or_default();
            prop_assert_eq!(owned(&packet), naive_elements(profile, data));
        }
    }

    #[test]
    fn rebuilding_and_repacking_keep_the_header(bytes in wire(), payload in vec(any::<u8>(), 0..40)) {
        if let Ok(packet) = RtpPacket::parse(bytes.into()) {
            let rebuilt = packet.to_builder().build(&payload).unwrap();
            prop_assert_eq!(&rebuilt.as_bytes()[..packet.header_len()], &packet.as_bytes()[..packet.header_len()]);
            prop_assert_eq!((rebuilt.payload(), rebuilt.padding_len()), (&payload[..], packet.padding_len()));
            let repacked = packet.repack_in(&mut BytesMut::new(), &[&payload[..payload.len() / 2], &payload[payload.len() / 2..]], |_| ());
            prop_assert_eq!(repacked, packet.to_builder().padding(0).build(&payload).unwrap());
        }
    }

    #[test]
    fn rewriting_equals_building_anew(parts in parts(), new in parts(), shared: bool) {
        // Lengths cannot be rewritten, so those stay.
        let new = Parts {
            csrcs: parts.csrcs.clone(),
            elements: parts.elements.iter().map(|(id, value)| (*id, value.iter().map(|byte| !byte).collect())).collect(),
            two_byte: parts.two_byte,
            padding: parts.padding,
            payload: parts.payload.clone(),
            ..new
        };
        let mut packet = parts.build();
        let original = shared.then(|| packet.clone());
        packet.rewrite(|header| {
            header.set_marker(new.marker);
            header.set_payload_type(PayloadType::new(new.payload_type));
            header.set_seq(SeqNum(new.seq));
            header.set_timestamp(RtpTime(new.timestamp));
            header.set_ssrc(Ssrc(new.ssrc));
            for (id, value) in &new.elements {
                // Only the first of an identifier can be reached, and only if the lengths agree.
                let first = parts.elements.iter().find(|(other, _)| id == other).map(|(_, value)| value.len());
                assert_eq!(header.set_extension(*id, value), first == Some(value.len()));
                assert!(!header.set_extension(*id, &vec![0; first.unwrap_or(0) + 1]));
            }
        });
        let distinct = (1..parts.elements.len()).all(|at| parts.elements[..at].iter().all(|(id, _)| *id != parts.elements[at].0));
        if distinct {
            prop_assert_eq!(&packet, &new.build());
        }
        if let Some(original) = original {
            prop_assert_eq!(original, parts.build());
        }
    }

    #[test]
    fn raw_extensions_are_whole_words(profile: u16, data in vec(any::<u8>(), 0..40)) {
        let built = RtpPacket::builder(PayloadType::new(0), SeqNum(0), RtpTime(0), Ssrc(0)).raw_extension(profile, &data).build(&[]);
        match built {
            Ok(packet) => prop_assert_eq!(packet.raw_extension(), Some((profile, &data[..]))),
            Err(_) => prop_assert!(data.len() % 4 != 0),
        }
    }
}
