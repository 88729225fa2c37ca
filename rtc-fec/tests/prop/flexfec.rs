use std::collections::BTreeSet;

use proptest::collection::vec;
use proptest::prelude::*;
use rtc_core::fec::{FecDecoder, FecEncoder};
use rtc_core::{PayloadType, RtpPacket, RtpTime, SeqNum, Ssrc};
use rtc_fec::flexfec::{
    FlexfecDecoder, FlexfecDecoderConfig, FlexfecDecoderStats, FlexfecEncoder, FlexfecEncoderConfig, FlexfecProtection,
    FlexfecVariant, Pattern,
};

use crate::packets::{media_of, shifted};

const REPAIR: Ssrc = Ssrc(1);

/// Packets of up to three sources, each in sequence, with gaps.
fn stream(sources: u32) -> impl Strategy<Value = Vec<RtpPacket>> {
    vec((0..sources, 0usize..60, 0u16..10), 1..90).prop_map(move |packets| {
        let mut next = vec![0u16; sources as usize];
        let packet = |(source, len, gap)| {
            let next = &mut next[source as usize];
            *next += if gap == 9 { 3 } else { 1 };
            let mut packet = media_of(*next, u32::from(*next) * 90, len);
            packet.rewrite(|header| header.set_ssrc(Ssrc(100 + source)));
            packet
        };
        packets.into_iter().map(packet).collect()
    })
}

fn protection() -> impl Strategy<Value = FlexfecProtection> {
    let even =
        (1usize..=110).prop_flat_map(|media| (Just(media), 0..=media, any::<bool>())).prop_map(|(m, r, crossed)| {
            let pattern = if crossed { Pattern::Crossed } else { Pattern::Interleaved };
            FlexfecProtection::even(m, r).unwrap().with_pattern(pattern)
        });
    let sides = (0u8..3, 2usize..12, 2usize..12, any::<bool>()).prop_map(|(shape, columns, rows, masks)| {
        let protection = match shape {
            0 => FlexfecProtection::rows(columns),
            1 => FlexfecProtection::columns(columns, rows),
            _ => FlexfecProtection::grid(columns, rows),
        };
        if masks { protection.unwrap().with_masks() } else { protection.unwrap() }
    });
    prop_oneof![even, sides]
}

fn variant() -> impl Strategy<Value = FlexfecVariant> {
    prop_oneof![Just(FlexfecVariant::Rfc8627), Just(FlexfecVariant::Draft03)]
}

/// What is sent: a packet of media by its place, or a repair packet.
#[derive(Debug, Clone)]
enum Sent {
    Media(usize),
    Repair(RtpPacket),
}

fn send(packets: &[RtpPacket], variant: FlexfecVariant, protection: FlexfecProtection) -> Vec<Sent> {
    let mut config = FlexfecEncoderConfig::default();
    (config.variant, config.protection, config.ssrc) = (variant, protection, REPAIR);
    let mut encoder = FlexfecEncoder::new(config).unwrap();
    let mut sent = Vec::new();
    for (place, packet) in packets.iter().enumerate() {
        encoder.protect(packet);
        sent.push(Sent::Media(place));
        sent.extend(core::iter::from_fn(|| encoder.poll_repair()).map(Sent::Repair));
    }
    encoder.flush();
    sent.extend(core::iter::from_fn(|| encoder.poll_repair()).map(Sent::Repair));
    let (stats, repairs) = (encoder.stats(), sent.len() - packets.len());
    assert_eq!(stats.packets, stats.protected + stats.unprotected + stats.duplicates);
    assert_eq!((stats.repairs, stats.overflowed), (repairs as u64, 0));
    sent
}

fn receive(packets: &[RtpPacket], variant: FlexfecVariant, arrived: &[Sent]) -> (Vec<RtpPacket>, FlexfecDecoder) {
    let mut config = FlexfecDecoderConfig::default();
    (config.variant, config.max_repairs, config.window) = (variant, 300, 1_024);
    let mut decoder = FlexfecDecoder::new(config).unwrap();
    let mut recovered = Vec::new();
    for sent in arrived {
        match sent {
            Sent::Media(place) => decoder.insert_source(&packets[*place]),
            Sent::Repair(repair) => decoder.insert_repair(repair).unwrap(),
        }
        recovered.extend(core::iter::from_fn(|| decoder.poll_recovered()));
    }
    (recovered, decoder)
}

fn check_accounts(stats: &FlexfecDecoderStats, held: usize) {
    assert_eq!(stats.sources, stats.kept + stats.duplicates + stats.old + stats.strays);
    let spent = stats.solved + stats.unused + stats.corrupt;
    assert_eq!(stats.levels, spent + stats.expired + stats.overflowed + stats.forgotten + held as u64);
}

/// The bits of a mask in its parts, and how long it is (RFC 8627 §4.2.2.1; draft-03 figure 12).
fn mask(bytes: &[u8], longest_has_bit: bool) -> (Vec<u16>, usize) {
    let (mut at, mut first, mut bits) = (0, 0u16, Vec::new());
    for (len, numbered) in [(2, 15), (4, 31), (8, 64 - u16::from(longest_has_bit))] {
        let part = &bytes[at..at + len];
        let bit = |n: u16| part[usize::from(n / 8)] & (0x80 >> (n % 8)) != 0;
        let skipped = [0, 1][usize::from(numbered % 2)];
        bits.extend((0..numbered).filter(|n| bit(n + skipped)).map(|n| first + n));
        (at, first) = (at + len, first + numbered);
        // In RFC 8627 k says that more follows, in the draft that no more does.
        if skipped == 1 && bit(0) == longest_has_bit {
            break;
        }
    }
    (bits, at)
}

/// The packets a repair packet protects, read with the specification in hand.
fn protects(variant: FlexfecVariant, repair: &RtpPacket) -> Vec<(Ssrc, SeqNum)> {
    let payload = repair.payload();
    let (mut at, mut packets) = (8, Vec::new());
    let mut sources: Vec<Ssrc> = repair.csrcs().collect();
    let draft = variant == FlexfecVariant::Draft03;
    if draft {
        sources = vec![Ssrc(0); usize::from(payload[8])];
        at = 12;
    }
    for mut source in sources {
        if draft {
            source = Ssrc(u32::from_be_bytes(payload[at..at + 4].try_into().unwrap()));
            at += 4;
        }
        let base = SeqNum(u16::from_be_bytes([payload[at], payload[at + 1]]));
        let offsets = if payload[0] & 0x40 != 0 {
            let (columns, rows) = (u16::from(payload[at + 2]), u16::from(payload[at + 3]));
            at += 4;
            if rows < 2 { (0..columns).collect() } else { (0..rows).map(|row| row * columns).collect() }
        } else {
            let (offsets, len) = mask(&payload[at + 2..], draft);
            at += 2 + len;
            offsets
        };
        packets.extend(offsets.into_iter().map(|offset: u16| (source, base + offset)));
    }
    packets
}

/// The places that come back, by peeling: as long as a repair packet has one unknown packet, it is not.
fn peel(
    packets: &[RtpPacket],
    missing: &BTreeSet<usize>,
    variant: FlexfecVariant,
    arrived: &[Sent],
) -> BTreeSet<usize> {
    let place = |(ssrc, seq)| packets.iter().position(|packet| (packet.ssrc(), packet.seq()) == (ssrc, seq)).unwrap();
    let groups: Vec<Vec<usize>> = arrived
        .iter()
        .filter_map(|sent| match sent {
            Sent::Repair(repair) => Some(protects(variant, repair).into_iter().map(place).collect()),
            Sent::Media(_) => None,
        })
        .collect();
    let mut left = missing.clone();
    while let Some(found) = groups.iter().find_map(|group| {
        let mut unknown = group.iter().filter(|place| left.contains(place));
        unknown.next().filter(|_| unknown.next().is_none())
    }) {
        left.remove(found);
    }
    missing - &left
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn recovered_iff_peeling_recovers_to_the_last_byte(
        packets in prop_oneof![stream(1), stream(3)], protection in protection(), variant in variant(),
        rate in 0.0..1.0, keys in vec(any::<u16>(), 400),
    ) {
        let sent = send(&packets, variant, protection);
        let stays = |(_, key): &(&Sent, &u16)| f64::from(**key) < rate * 65_536.0;
        let mut arrived: Vec<_> = sent.iter().zip(keys.iter().cycle()).filter(stays).map(|(sent, _)| sent.clone()).collect();
        let here: BTreeSet<usize> = arrived.iter().filter_map(|sent| match sent {
            Sent::Media(place) => Some(*place),
            Sent::Repair(_) => None,
        }).collect();
        let missing = &(0..packets.len()).collect() - &here;
        let (mut recovered, decoder) = receive(&packets, variant, &arrived);
        recovered.sort_by_key(|packet| packets.iter().position(|original| original == packet));
        let expected: Vec<_> = peel(&packets, &missing, variant, &arrived).into_iter().map(|at| packets[at].clone()).collect();
        prop_assert_eq!(recovered, expected);
        check_accounts(&decoder.stats(), decoder.held());

        // In any order: whatever comes is an original that was not there.
        let mut keys = keys.into_iter().cycle();
        arrived.sort_by_cached_key(|_| keys.next());
        let (recovered, decoder) = receive(&packets, variant, &arrived);
        prop_assert!(recovered.iter().all(|packet| packets.contains(packet)));
        check_accounts(&decoder.stats(), decoder.held());
    }

    #[test]
    fn moving_all_numbers_moves_the_recovered(
        packets in stream(2), protection in protection(), variant in variant(), keep in vec(any::<bool>(), 400),
    ) {
        let far: Vec<_> = packets.iter().map(|packet| shifted(packet, 65_500, u32::MAX - 9)).collect();
        let kept = |sent: Vec<Sent>| -> Vec<Sent> {
            sent.into_iter().zip(keep.iter().cycle()).filter(|(_, keep)| **keep).map(|(sent, _)| sent).collect()
        };
        let (near, decoder) = receive(&packets, variant, &kept(send(&packets, variant, protection)));
        let (moved, other) = receive(&far, variant, &kept(send(&far, variant, protection)));
        prop_assert_eq!(decoder.stats(), other.stats());
        prop_assert!(near.iter().map(|packet| shifted(packet, 65_500, u32::MAX - 9)).eq(moved));
    }

    #[test]
    fn arbitrary_repair_packets_never_panic_and_are_accounted_for(
        inserts in vec((0u16..100, any::<u16>(), vec(any::<u8>(), 0..80), 0u8..4), 0..150), variant in variant(),
        csrcs in vec((0u32..3).prop_map(Ssrc), 0..3),
    ) {
        let mut config = FlexfecDecoderConfig::default();
        config.variant = variant;
        let mut decoder = FlexfecDecoder::new(config).unwrap();
        let mut polled = 0;
        for (near, far, mut payload, kind) in inserts {
            let seq = if near == 0 { far } else { near };
            if kind == 0 {
                let mut packet = media_of(seq, 0, 20);
                packet.rewrite(|header| header.set_ssrc(Ssrc(u32::from(far) % 20)));
                decoder.insert_source(&packet);
                continue;
            }
            let at = if variant == FlexfecVariant::Rfc8627 { 8 } else { 16 };
            if payload.len() > at + 2 {
                payload[0] &= if kind == 1 { 0x3f } else { 0xff };
                payload[at..at + 2].copy_from_slice(&seq.to_be_bytes());
                if at == 16 {
                    payload[8..15].copy_from_slice(&[1, 0, 0, 0, 0, 0, 0]);
                }
            }
            let repair = RtpPacket::builder(PayloadType::new(118), SeqNum(0), RtpTime(0), REPAIR).csrcs(&csrcs);
            let _ = decoder.insert_repair(&repair.build(&payload).unwrap());
            polled += core::iter::from_fn(|| decoder.poll_recovered()).count();
        }
        polled += core::iter::from_fn(|| decoder.poll_recovered()).count();
        let stats = decoder.stats();
        check_accounts(&stats, decoder.held());
        prop_assert_eq!(stats.recovered, polled as u64 + stats.unpolled + stats.late);
    }

    #[test]
    fn packets_of_any_numbers_are_protected_in_groups_the_format_can_say(
        seqs in vec((any::<u16>(), 0u8..10, 0u32..20), 1..100), protection in protection(), variant in variant(),
    ) {
        let mut config = FlexfecEncoderConfig::default();
        (config.variant, config.protection, config.ssrc) = (variant, protection, Ssrc(7));
        let mut encoder = FlexfecEncoder::new(config).unwrap();
        let (mut seq, mut repairs) = (0u16, Vec::new());
        for (jump, kind, source) in seqs {
            seq = match kind {
                0 => jump,
                1 => seq.wrapping_sub(jump % 130),
                _ => seq.wrapping_add(jump % 8),
            };
            let mut packet = media_of(seq, 0, 9);
            packet.rewrite(|header| header.set_ssrc(Ssrc(source)));
            encoder.protect(&packet);
            repairs.extend(core::iter::from_fn(|| encoder.poll_repair()));
        }
        let stats = encoder.stats();
        prop_assert_eq!(stats.packets, stats.protected + stats.unprotected + stats.duplicates);
        let mut config = FlexfecDecoderConfig::default();
        config.variant = variant;
        let mut decoder = FlexfecDecoder::new(config).unwrap();
        for repair in &repairs {
            decoder.insert_repair(repair).unwrap();
        }
    }
}
