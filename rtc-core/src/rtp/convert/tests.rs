use proptest::collection::vec;
use proptest::prelude::*;
use webrtc_util::marshal::Unmarshal;

use super::*;
use crate::{PayloadType, RtpTime, SeqNum, Ssrc};

fn build(extensions: &[(u8, &[u8])], padding: u8, payload: &[u8]) -> RtpPacket {
    RtpPacket::builder(PayloadType::new(96), SeqNum(0xfffe), RtpTime(u32::MAX), Ssrc(7))
        .marker(true)
        .csrcs(&[Ssrc(1), Ssrc(2)])
        .extensions(extensions)
        .padding(padding)
        .build(payload)
        .unwrap()
}

fn part(result: Result<impl fmt::Debug, ConvertError>) -> Option<&'static str> {
    result.err().map(|error| error.part)
}

#[test]
fn fields_are_the_same_on_both_sides() {
    let packet = build(&[(1, b"a"), (3, b"bcd")], 0, b"media");
    let converted = Packet::try_from(&packet).unwrap();
    let header = &converted.header;
    assert_eq!((header.payload_type, header.sequence_number, header.timestamp, header.ssrc), (96, 0xfffe, u32::MAX, 7));
    assert_eq!((header.marker, header.csrc.as_slice()), (true, &[1, 2][..]));
    assert_eq!(header.get_extension(3).as_deref(), Some(&b"bcd"[..]));
    assert_eq!(converted.payload, &b"media"[..]);
    assert_eq!(converted, Packet::unmarshal(&mut packet.as_bytes().clone()).unwrap());
    assert_eq!(RtpPacket::try_from(&converted).unwrap(), packet);
}

#[test]
fn both_extension_forms_and_other_profiles_convert() {
    let long = [9; 17];
    for extensions in [&[(1, &b"a"[..])][..], &[(1, &long[..])], &[(200, &b""[..]), (0x21, &b"x"[..])], &[]] {
        let packet = build(extensions, 0, b"media");
        assert_eq!(RtpPacket::try_from(&Packet::try_from(&packet).unwrap()).unwrap(), packet);
    }
    for profile in [0x1001_u16, 0x100f, 0xabac, 0] {
        let mut bytes = build(&[(1, b"abc")], 0, b"media").into_bytes().to_vec();
        bytes[20..22].copy_from_slice(&profile.to_be_bytes());
        let packet = RtpPacket::parse(bytes.into()).unwrap();
        assert_eq!(RtpPacket::try_from(&Packet::try_from(&packet).unwrap()).unwrap(), packet);
    }
}

#[test]
fn only_padding_to_a_word_converts() {
    for (payload, padding) in [(&b"abcd"[..], 4), (b"abc", 1), (b"a", 3), (b"", 4), (b"abcd", 0), (b"a", 0)] {
        let packet = build(&[], padding, payload);
        assert_eq!(RtpPacket::try_from(&Packet::try_from(&packet).unwrap()).unwrap(), packet);
    }
    for (payload, padding) in [(&b"abcd"[..], 1), (b"abcd", 8), (b"abc", 5), (b"", 255)] {
        assert_eq!(part(Packet::try_from(&build(&[], padding, payload))), Some("padding"));
    }
    let mut scribbled = build(&[], 4, b"abcd").into_bytes().to_vec();
    *scribbled.iter_mut().rev().nth(1).unwrap() = 1;
    assert_eq!(part(Packet::try_from(&RtpPacket::parse(scribbled.into()).unwrap())), Some("padding"));
}

#[test]
fn what_elements_do_not_tell_is_not_lost_silently() {
    // Padding between elements, a stop mark, an element beyond the end, a whole word of padding.
    for data in [[0, 0x10, 7, 0], [0x10, 7, 0xf0, 9], [0x10, 7, 0x2f, 9], [0, 0, 0, 0], [0x05, 1, 2, 3]] {
        let mut bytes = build(&[(1, b"abc")], 0, b"media").into_bytes().to_vec();
        bytes[24..28].copy_from_slice(&data);
        let packet = RtpPacket::parse(bytes.into()).unwrap();
        assert_eq!(part(Packet::try_from(&packet)), Some("header extension"), "{data:?}");
    }
}

#[test]
fn impossible_fields_are_refused() {
    let refused = |change: fn(&mut Packet)| {
        let mut packet = Packet::try_from(&build(&[(1, b"abc")], 0, b"media")).unwrap();
        change(&mut packet);
        part(RtpPacket::try_from(&packet))
    };
    let element = |id, len| Extension { id, payload: Bytes::from(vec![0; len]) };
    assert_eq!(refused(|_| ()), None);
    assert_eq!(refused(|packet| packet.header.version = 1), Some("header"));
    assert_eq!(refused(|packet| packet.header.payload_type = 128), Some("header"));
    assert_eq!(refused(|packet| packet.header.csrc = vec![0; 16]), Some("header"));
    assert_eq!(refused(|packet| packet.header.csrc = vec![0; 300]), Some("header"));
    assert_eq!(refused(|packet| packet.header.extension = false), Some("header"));
    assert_eq!(refused(|packet| packet.header.extensions_padding = 9), Some("header extension"));
    assert_eq!(refused(|packet| packet.header.extensions[0].payload = Bytes::new()), Some("header extension"));
    assert_eq!(refused(|packet| packet.header.extensions[0].id = 15), Some("header extension"));
    for (profile, id, len) in [(0x1000, 0, 3), (0x1000, 1, 256), (0xbede, 1, 17), (0xabac, 1, 4), (0xabac, 0, 3)] {
        let mut packet = Packet::try_from(&build(&[], 0, b"media")).unwrap();
        packet.header.extension = true;
        packet.header.extension_profile = profile;
        packet.header.extensions = vec![element(id, len)];
        assert_eq!(part(RtpPacket::try_from(&packet)), Some("header extension"), "{profile:#x} {id} {len}");
    }
    assert_eq!(
        ConvertError { part: "padding" }.to_string(),
        "padding of the RTP packet would not survive the conversion"
    );
}

fn their_extensions() -> impl Strategy<Value = (u16, Vec<Extension>)> {
    let elements = |ids, lens| {
        let element = (ids, vec(any::<u8>(), lens)).prop_map(|(id, value)| Extension { id, payload: value.into() });
        vec(element, 0..5)
    };
    prop_oneof![
        elements(1..=14_u8, 1..=16_usize).prop_map(|elements| (EXTENSION_PROFILE_ONE_BYTE, elements)),
        elements(1..=255_u8, 0..=255_usize).prop_map(|elements| (EXTENSION_PROFILE_TWO_BYTE, elements)),
        (prop_oneof![Just(0x1005_u16), 0..0x1000_u16], vec(any::<u8>(), 0..9)).prop_map(|(profile, mut data)| {
            data.truncate(data.len() / 4 * 4);
            (profile, vec![Extension { id: 0, payload: data.into() }])
        }),
    ]
}

fn their_packet() -> impl Strategy<Value = Packet> {
    let numbers = (0..=127_u8, any::<u16>(), any::<u32>(), any::<u32>(), vec(any::<u32>(), 0..=15));
    let parts = (any::<[bool; 2]>(), proptest::option::of(their_extensions()), vec(any::<u8>(), 0..40));
    (numbers, parts).prop_map(
        |((payload_type, sequence_number, timestamp, ssrc, csrc), (flags, extension, payload))| {
            let mut header =
                Header { payload_type, sequence_number, timestamp, ssrc, csrc, version: 2, ..Header::default() };
            [header.marker, header.padding] = flags;
            if let Some((profile, elements)) = extension {
                header.extension = true;
                header.extension_profile = profile;
                header.extensions = elements;
                header.extensions_padding =
                    header.get_extension_payload_len().next_multiple_of(4) - header.get_extension_payload_len();
            }
            Packet { header, payload: payload.into() }
        },
    )
}

/// Bytes that are often an RTP packet, with whatever may be in its extension.
fn wire() -> impl Strategy<Value = Vec<u8>> {
    let profile = prop_oneof![Just([0xbe, 0xde]), Just([0x10, 0x00]), Just([0x10, 0x03]), any::<[u8; 2]>()];
    let data = vec(prop_oneof![Just(0), 0..64_u8, any::<u8>()], 0..24);
    (any::<u8>(), any::<[u8; 11]>(), profile, data, vec(0..12_u8, 0..24)).prop_map(
        |(first, rest, profile, data, payload)| {
            let mut bytes = vec![0x80 | (first & 0x31)];
            bytes.extend_from_slice(&rest);
            bytes.extend_from_slice(&vec![3; 4 * usize::from(first & 1)]);
            if first & 0x10 != 0 {
                bytes.extend_from_slice(&profile);
                let words = u8::try_from(data.len() / 4).unwrap();
                bytes.extend_from_slice(&[0, words]);
                bytes.extend_from_slice(&data[..4 * usize::from(words)]);
            }
            bytes.extend_from_slice(&payload);
            bytes
        },
    )
}

proptest! {
    #[test]
    fn their_packets_survive_the_round_trip(packet in their_packet()) {
        let ours = RtpPacket::try_from(&packet).unwrap();
        prop_assert_eq!(ours.as_bytes(), &packet.marshal().unwrap());
        prop_assert_eq!(Packet::try_from(&ours), Ok(packet));
    }

    #[test]
    fn our_packets_survive_the_round_trip_or_are_refused(bytes in wire()) {
        if let Ok(ours) = RtpPacket::parse(bytes.into()) && let Ok(theirs) = Packet::try_from(&ours) {
            prop_assert_eq!(&theirs.marshal().unwrap(), ours.as_bytes());
            prop_assert_eq!(RtpPacket::try_from(&theirs), Ok(ours));
        }
    }
}
