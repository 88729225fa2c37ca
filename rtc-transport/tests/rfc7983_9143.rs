//! Many protocols, and many streams, on one port, clause by clause: RFC 7983 and RFC 9443, RFC 9143 and RFC 8852.

#![expect(clippy::unwrap_used, reason = "a test ends at the first surprise")]

use bytes::Bytes;
use rtc_core::time::Instant;
use rtc_core::{PayloadType, RtpPacket, RtpTime, SeqNum, Ssrc};
use rtc_transport::rtcp::{Sdes, SdesChunk, SdesItem, SdesType};
use rtc_transport::session::{Bundle, BundleConfig, MediaSection, Protocol, Route};

#[test]
fn rfc7983_s7_rfc9443_s3_the_first_byte_tells_the_protocol() {
    for first in 0..=u8::MAX {
        let expected = match first {
            0..=3 => Some(Protocol::Stun),
            4..=15 => None,
            16..=19 => Some(Protocol::Zrtp),
            20..=63 => Some(Protocol::Dtls),
            64..=127 => Some(Protocol::Quic),
            128..=191 => Some(Protocol::Rtp),
            192..=255 => Some(Protocol::Quic),
        };
        assert_eq!(Protocol::of(&[first, 0], false), expected, "{first}");
        let from_turn = if (64..=79).contains(&first) { Some(Protocol::TurnChannel) } else { expected };
        assert_eq!(Protocol::of(&[first, 0], true), from_turn, "{first} from a TURN server");
    }
    assert_eq!(Protocol::of(&[], true), None);
}

#[test]
fn rfc7983_s7_rtp_and_rtcp_are_told_apart_by_the_second_byte() {
    for second in 0..=u8::MAX {
        let expected = if (192..=223).contains(&second) { Protocol::Rtcp } else { Protocol::Rtp };
        assert_eq!(Protocol::of(&[0x80, second, 0, 0], false), Some(expected));
    }
    assert_eq!(Protocol::of(&[0x80], false), Some(Protocol::Rtp), "whatever it is");
}

const MID: u8 = 1;
const RID: u8 = 2;
const REPAIRED: u8 = 3;

fn bundle(edit: impl FnOnce(&mut BundleConfig)) -> Bundle {
    let section = |mid: &str, types: &[u8], ssrcs: &[u32]| MediaSection {
        mid: mid.to_owned(),
        payload_types: types.iter().copied().map(PayloadType::new).collect(),
        ssrcs: ssrcs.iter().copied().map(Ssrc).collect(),
    };
    let mut config = BundleConfig::default();
    config.sections = vec![section("a", &[111], &[]), section("v", &[96, 97], &[77]), section("w", &[96, 98], &[])];
    (config.mid_id, config.rid_id, config.repaired_rid_id) = (Some(MID), Some(RID), Some(REPAIRED));
    edit(&mut config);
    Bundle::new(config).unwrap()
}

fn packet(payload_type: u8, ssrc: u32, seq: u16, extensions: &[(u8, &[u8])]) -> RtpPacket {
    let builder = RtpPacket::builder(PayloadType::new(payload_type), SeqNum(seq), RtpTime(0), Ssrc(ssrc));
    builder.extensions(extensions).build(b"media").unwrap()
}

const NOW: Instant = Instant::from_millis(5);

fn section(bundle: &mut Bundle, payload_type: u8, ssrc: u32, seq: u16, mid: Option<&[u8]>) -> Option<usize> {
    let extensions: Vec<(u8, &[u8])> = mid.iter().map(|mid| (MID, *mid)).collect();
    bundle.route(NOW, &packet(payload_type, ssrc, seq, &extensions)).map(|route| route.section)
}

#[test]
fn rfc9143_s9_2_a_packet_that_names_its_section_moves_its_source_there() {
    let mut bundle = bundle(|_| ());
    assert_eq!(section(&mut bundle, 96, 5, 10, Some(b"w")), Some(2));
    assert_eq!(section(&mut bundle, 96, 5, 11, None), Some(2), "its source is known now");
    assert_eq!(section(&mut bundle, 96, 5, 13, Some(b"v")), Some(1));
    assert_eq!(section(&mut bundle, 96, 5, 12, Some(b"w")), Some(1), "what comes late moves nothing");
    assert_eq!(section(&mut bundle, 96, 5, 14, None), Some(1));
}

#[test]
fn rfc9143_s9_2_unknown_names_are_dropped() {
    let mut bundle = bundle(|_| ());
    assert_eq!(section(&mut bundle, 111, 5, 1, Some(b"x")), None, "whatever the payload type says");
    assert_eq!(section(&mut bundle, 77, 6, 1, None), None);
    assert_eq!(bundle.stats().unknown, 2);
}

#[test]
fn rfc9143_s9_2_signalled_sources_are_known() {
    let mut bundle = bundle(|_| ());
    assert_eq!(section(&mut bundle, 96, 77, 1, None), Some(1));
    bundle.remove(Ssrc(77));
    assert_eq!(section(&mut bundle, 96, 77, 2, None), Some(1), "a goodbye does not unsay it");
}

#[test]
fn rfc9143_s9_2_a_payload_type_of_one_section_names_it() {
    let mut bundle = bundle(|_| ());
    assert_eq!(section(&mut bundle, 98, 5, 1, None), Some(2));
    assert_eq!(section(&mut bundle, 96, 5, 2, None), Some(2), "of two sections, but the source is known");
    assert_eq!(section(&mut bundle, 96, 6, 1, None), None, "ambiguous");
    bundle.remove(Ssrc(5));
    assert_eq!(section(&mut bundle, 96, 5, 3, None), None);
}

#[test]
fn rfc9143_s15_1_source_descriptions_name_sections_of_known_sources() {
    let mut bundle = bundle(|_| ());
    section(&mut bundle, 98, 5, 1, None);
    let chunk = |ssrc, mid: &'static [u8]| {
        let items = vec![SdesItem { kind: SdesType::MID, text: Bytes::from_static(mid) }];
        SdesChunk { source: Ssrc(ssrc), items }
    };
    bundle.on_sdes(&Sdes { chunks: vec![chunk(5, b"v"), chunk(6, b"v"), chunk(5, b"?")] });
    assert_eq!(section(&mut bundle, 96, 5, 2, None), Some(1));
    assert_eq!(section(&mut bundle, 96, 6, 1, None), None, "RTCP alone makes no source");
}

#[test]
fn rfc8852_s3_streams_of_a_section_have_names_and_repairs_theirs() {
    let mut bundle = bundle(|_| ());
    let hi = packet(96, 5, 1, &[(MID, b"v"), (RID, b"hi")]);
    assert_eq!(bundle.route(NOW, &hi), Some(Route { section: 1, rid: Some("hi"), repairs: false }));
    let repair = packet(97, 6, 1, &[(MID, b"v"), (REPAIRED, b"hi")]);
    assert_eq!(bundle.route(NOW, &repair), Some(Route { section: 1, rid: Some("hi"), repairs: true }));
    let later = packet(96, 5, 2, &[]);
    assert_eq!(bundle.route(NOW, &later), Some(Route { section: 1, rid: Some("hi"), repairs: false }));
}

#[test]
fn rfc9143_s9_2_a_flood_of_invented_sources_drives_out_none_that_sends() {
    let mut bundle = bundle(|config| config.max_sources = 8);
    for seq in 0..10 {
        for ssrc in 1..=4 {
            assert_eq!(section(&mut bundle, 111, ssrc, seq, None), Some(0));
        }
    }
    for ssrc in 1_000..5_000 {
        section(&mut bundle, 111, ssrc, 1, Some(b"a"));
    }
    for ssrc in 1..=4 {
        assert_eq!(section(&mut bundle, 96, ssrc, 20, None), Some(0), "{ssrc} is still known");
    }
    let stats = bundle.stats();
    assert_eq!(stats.evicted, 4_000 - 4);
    let told = stats.by_mid + stats.by_ssrc + stats.by_payload_type + stats.unknown + stats.refused;
    assert_eq!(stats.packets, told);
}

#[test]
fn rfc9143_s9_2_when_all_send_one_more_is_refused_until_one_is_silent() {
    let mut bundle = bundle(|config| config.max_sources = 2);
    for seq in 0..5 {
        for ssrc in 1..=2 {
            section(&mut bundle, 111, ssrc, seq, None);
        }
    }
    assert_eq!(section(&mut bundle, 111, 3, 1, None), None);
    assert_eq!(bundle.stats().refused, 1);
    let later = NOW + core::time::Duration::from_secs(10);
    assert!(bundle.route(later, &packet(111, 1, 6, &[])).is_some());
    assert!(bundle.route(later, &packet(111, 3, 2, &[])).is_some(), "source 2 made room");
    assert_eq!(bundle.route(later, &packet(96, 2, 6, &[])), None);
}

#[test]
fn impossible_bundles_are_refused() {
    let refused = |edit: fn(&mut BundleConfig)| {
        let mut config = BundleConfig::default();
        let section = |mid: &str| MediaSection { mid: mid.to_owned(), ..MediaSection::default() };
        config.sections = vec![section("a"), section("b")];
        edit(&mut config);
        Bundle::new(config).unwrap_err().setting()
    };
    assert_eq!(refused(|config| config.sections[1].mid = "a".to_owned()), "mid");
    assert_eq!(refused(|config| config.sections[0].mid = String::new()), "mid");
    assert_eq!(refused(|config| config.sections.iter_mut().for_each(|section| section.ssrcs = vec![Ssrc(1)])), "ssrcs");
}
