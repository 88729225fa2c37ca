use std::collections::{BTreeMap, BTreeSet};

use proptest::collection::vec;
use proptest::prelude::*;
use rtc_core::fec::{FecDecoder, FecEncoder};
use rtc_core::{PayloadType, RtpPacket, RtpTime, SeqNum};
use rtc_fec::ulpfec::{
    Level, Pattern, Protection, UlpfecDecoder, UlpfecDecoderConfig, UlpfecDecoderStats, UlpfecEncoder,
    UlpfecEncoderConfig,
};

use crate::packets::{SSRC, media, packet, shifted};

fn stream() -> impl Strategy<Value = Vec<RtpPacket>> {
    vec(packet(), 1..80)
        .prop_map(|packets| packets.iter().zip(0..).map(|(packet, seq)| shifted(packet, seq, 0)).collect())
}

fn even() -> impl Strategy<Value = Protection> {
    let protection = (1usize..=48).prop_flat_map(|media| (Just(media), 0..=media));
    protection.prop_map(|(media, repair)| Protection::even(media, repair).unwrap())
}

fn uneven() -> impl Strategy<Value = Protection> {
    let levels = vec((1u16..120, any::<usize>()), 1..=4);
    (1usize..=48, levels, any::<bool>()).prop_map(|(media, levels, open)| {
        let mut most = media;
        let mut levels: Vec<_> = levels
            .into_iter()
            .map(|(len, repair)| {
                most = 1 + repair % most;
                Level { len, repair: most }
            })
            .collect();
        if open {
            levels.last_mut().unwrap().len = u16::MAX;
        }
        Protection::uneven(media, &levels).unwrap()
    })
}

fn protection() -> impl Strategy<Value = Protection> {
    (prop_oneof![even(), uneven()], any::<bool>()).prop_map(|(protection, crossed)| {
        protection.with_pattern(if crossed { Pattern::Crossed } else { Pattern::Interleaved })
    })
}

/// What is sent: a packet of media by its place, or a repair packet.
#[derive(Debug, Clone)]
enum Sent {
    Media(usize),
    Repair(RtpPacket),
}

fn send(packets: &[RtpPacket], protection: Protection) -> Vec<Sent> {
    let mut config = UlpfecEncoderConfig::default();
    config.protection = protection;
    let mut encoder = UlpfecEncoder::new(config).unwrap();
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

/// The packets recovered, in order, when those arrive, in that order.
fn receive(packets: &[RtpPacket], arrived: &[Sent]) -> (Vec<RtpPacket>, UlpfecDecoder) {
    let mut config = UlpfecDecoderConfig::default();
    config.max_repairs = 200;
    let mut decoder = UlpfecDecoder::new(config).unwrap();
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

fn check_accounts(stats: &UlpfecDecoderStats, held: usize) {
    assert_eq!(stats.sources, stats.kept + stats.duplicates + stats.old + stats.strays);
    let spent = stats.solved + stats.unused + stats.corrupt;
    assert_eq!(stats.levels, spent + stats.expired + stats.overflowed + stats.forgotten + held as u64);
}

/// A level of a repair packet: the places it protects, from which byte after the fixed header to which.
struct Parity {
    places: BTreeSet<usize>,
    bytes: core::ops::Range<usize>,
}

/// The levels of a repair packet, read with the RFC in hand (§7.3, §7.4).
fn parities(repair: &RtpPacket) -> Vec<Parity> {
    let payload = repair.payload();
    let base = usize::from(u16::from_be_bytes([payload[2], payload[3]]));
    let mask_len = if payload[0] & 0x40 == 0 { 2 } else { 6 };
    let (mut at, mut start, mut parities) = (10, 0, Vec::new());
    while at < payload.len() {
        let len = usize::from(u16::from_be_bytes([payload[at], payload[at + 1]]));
        let mask = &payload[at + 2..][..mask_len];
        let bits = (0..mask_len * 8).filter(|bit| mask[bit / 8] & (0x80 >> (bit % 8)) != 0);
        parities.push(Parity { places: bits.map(|bit| base + bit).collect(), bytes: start..start + len });
        (at, start) = (at + 2 + mask_len + len, start + len);
    }
    parities
}

/// What is known of a missing packet: its header, and which of its bytes.
#[derive(Clone)]
struct Known {
    len: usize,
    header: bool,
    bytes: Vec<bool>,
}

impl Known {
    fn has(&self, parity: &Parity) -> bool {
        let beyond = |byte: usize| self.header && byte >= self.len;
        let header = self.header || parity.bytes.start > 0;
        header && parity.bytes.clone().all(|byte| self.bytes[byte] || beyond(byte))
    }
}

/// The places that come back, by peeling: as long as something is unknown of only one packet in a parity, it is not.
fn peel(packets: &[RtpPacket], missing: &BTreeSet<usize>, arrived: &[Sent]) -> BTreeSet<usize> {
    let parities: Vec<_> = arrived
        .iter()
        .flat_map(|sent| match sent {
            Sent::Repair(repair) => parities(repair),
            Sent::Media(_) => Vec::new(),
        })
        .collect();
    let unknown = |place: &usize| {
        let len = packets[*place].as_bytes().len() - 12;
        (*place, Known { len, header: false, bytes: vec![false; 1_000] })
    };
    let mut left: BTreeMap<usize, Known> = missing.iter().map(unknown).collect();
    while let Some((place, parity)) = parities.iter().find_map(|parity| {
        let mut open = parity.places.iter().filter(|place| left.get(*place).is_some_and(|known| !known.has(parity)));
        open.next().filter(|_| open.next().is_none()).map(|place| (*place, parity))
    }) {
        let known = left.get_mut(&place).unwrap();
        known.header |= parity.bytes.start == 0;
        known.bytes[parity.bytes.clone()].fill(true);
    }
    left.retain(|_, known| known.header && known.bytes[..known.len].iter().all(|byte| *byte));
    left.into_keys().collect()
}

fn arrivals(len: usize) -> impl Strategy<Value = Vec<bool>> {
    (0.0..1.0).prop_flat_map(move |rate| vec(proptest::bool::weighted(rate), len))
}

fn keep(sent: &[Sent], arrived: &[bool]) -> Vec<Sent> {
    sent.iter().zip(arrived).filter(|(_, arrived)| **arrived).map(|(sent, _)| sent.clone()).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn recovered_iff_peeling_recovers_to_the_last_byte(
        packets in stream(), protection in protection(), arrived in arrivals(160), order in vec(any::<u16>(), 160),
    ) {
        let mut arrived = keep(&send(&packets, protection), &arrived);
        let here: BTreeSet<usize> = arrived.iter().filter_map(|sent| match sent {
            Sent::Media(place) => Some(*place),
            Sent::Repair(_) => None,
        }).collect();
        let missing = &(0..packets.len()).collect() - &here;
        let (recovered, decoder) = receive(&packets, &arrived);
        let expected: Vec<_> = peel(&packets, &missing, &arrived).into_iter().map(|place| packets[place].clone()).collect();
        let by_seq = |mut packets: Vec<RtpPacket>| {
            packets.sort_by_key(|packet| packet.seq().0);
            packets
        };
        prop_assert_eq!(by_seq(recovered), expected);
        check_accounts(&decoder.stats(), decoder.held());

        // In any order: whatever comes is an original that was not there.
        let mut keys = order.into_iter();
        arrived.sort_by_key(|_| keys.next());
        let (recovered, decoder) = receive(&packets, &arrived);
        prop_assert!(recovered.iter().all(|packet| packets.contains(packet)));
        check_accounts(&decoder.stats(), decoder.held());
    }

    #[test]
    fn moving_all_numbers_moves_the_recovered(
        packets in stream(), protection in protection(), arrived in arrivals(160),
    ) {
        let far: Vec<_> = packets.iter().map(|packet| shifted(packet, 65_500, u32::MAX - 9)).collect();
        let (near, decoder) = receive(&packets, &keep(&send(&packets, protection), &arrived));
        let (moved, other) = receive(&far, &keep(&send(&far, protection), &arrived));
        prop_assert_eq!(decoder.stats(), other.stats());
        prop_assert!(near.iter().map(|packet| shifted(packet, 65_500, u32::MAX - 9)).eq(moved));
    }

    #[test]
    fn arbitrary_repair_packets_never_panic_and_are_accounted_for(
        inserts in vec((0u16..100, any::<u16>(), vec(any::<u8>(), 0..60), 0u8..4), 0..150),
    ) {
        let mut decoder = UlpfecDecoder::new(UlpfecDecoderConfig::default()).unwrap();
        let mut polled = 0;
        for (near, far, mut payload, kind) in inserts {
            let seq = if near == 0 { far } else { near };
            if kind == 0 {
                decoder.insert_source(&media(seq, 0));
                continue;
            }
            if let [_, _, high, low, _, _, _, _, _, _, protected_high, protected, ..] = &mut payload[..] {
                [*high, *low] = seq.to_be_bytes();
                (*protected_high, *protected) = (0, *protected % 50);
            }
            let repair = RtpPacket::builder(PayloadType::new(127), SeqNum(0), RtpTime(0), SSRC).build(&payload).unwrap();
            let _ = decoder.insert_repair(&repair);
            polled += core::iter::from_fn(|| decoder.poll_recovered()).count();
        }
        check_accounts(&decoder.stats(), decoder.held());
        let stats = decoder.stats();
        prop_assert_eq!(stats.recovered, polled as u64 + stats.unpolled + stats.late + core::iter::from_fn(|| decoder.poll_recovered()).count() as u64);
    }

    #[test]
    fn packets_of_any_numbers_are_protected_in_groups_a_mask_can_hold(
        seqs in vec((any::<u16>(), 0u8..10), 1..100), protection in protection(),
    ) {
        let mut config = UlpfecEncoderConfig::default();
        config.protection = protection;
        let mut encoder = UlpfecEncoder::new(config).unwrap();
        let (mut seq, mut repairs) = (0u16, Vec::new());
        for (jump, kind) in seqs {
            seq = match kind {
                0 => jump,
                1 => seq.wrapping_sub(jump % 60),
                _ => seq.wrapping_add(jump % 8),
            };
            encoder.protect(&media(seq, 0));
            repairs.extend(core::iter::from_fn(|| encoder.poll_repair()));
        }
        let stats = encoder.stats();
        prop_assert_eq!(stats.packets, stats.protected + stats.unprotected + stats.duplicates);
        let mut decoder = UlpfecDecoder::new(UlpfecDecoderConfig::default()).unwrap();
        for repair in &repairs {
            decoder.insert_repair(repair).unwrap();
        }
    }
}
