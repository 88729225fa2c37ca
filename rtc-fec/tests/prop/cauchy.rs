use std::collections::BTreeSet;

use proptest::collection::{btree_set, vec};
use proptest::prelude::*;
use proptest::sample::subsequence;
use rtc_core::RtpPacket;
use rtc_core::fec::{FecDecoder, FecEncoder};
use rtc_fec::cauchy::{Block, CauchyEncoder, CauchyEncoderConfig};
use rtc_fec::rlc::{RlcDecoder, RlcDecoderConfig, RlcEncoder, RlcEncoderConfig};

use crate::packets::{media, packet, shifted};

fn encoder(media: usize, repair: usize) -> CauchyEncoder {
    let mut config = CauchyEncoderConfig::default();
    config.block = Block::new(media, repair).unwrap();
    CauchyEncoder::new(config).unwrap()
}

fn repairs(encoder: &mut CauchyEncoder) -> Vec<RtpPacket> {
    core::iter::from_fn(|| encoder.poll_repair()).collect()
}

fn decoder() -> RlcDecoder {
    RlcDecoder::new(RlcDecoderConfig::default()).unwrap()
}

/// A block with some numbers left out, from any number on.
fn block() -> impl Strategy<Value = Vec<RtpPacket>> {
    (btree_set(0u16..64, 1..=64), vec(packet(), 64), any::<u16>()).prop_map(|(places, packets, first)| {
        let first = first.wrapping_sub(*places.first().unwrap());
        places.iter().zip(&packets).map(|(place, packet)| shifted(packet, first.wrapping_add(*place), 0)).collect()
    })
}

/// A block, which of it are lost, and which repair packets arrive: no fewer.
fn losses() -> impl Strategy<Value = (Vec<RtpPacket>, BTreeSet<usize>, Vec<usize>)> {
    let lost = block().prop_flat_map(|block| {
        let places: Vec<usize> = (0..block.len()).collect();
        (Just(block), subsequence(places.clone(), 0..=places.len()))
    });
    lost.prop_flat_map(|(block, lost)| {
        let repair = subsequence((0..64).collect::<Vec<usize>>(), lost.len()..=64);
        (Just(block), Just(lost.into_iter().collect()), repair.prop_shuffle())
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// Before or after what is left of the block.
    #[test]
    fn as_many_repair_packets_as_losses_bring_all_back_bit_for_bit(
        (block, lost, arrived) in losses(), repair_first in any::<bool>(),
    ) {
        let mut encoder = encoder(block.len(), 64);
        block.iter().for_each(|packet| encoder.protect(packet));
        let (repairs, mut decoder) = (repairs(&mut encoder), decoder());
        prop_assert_eq!(repairs.len(), 64);
        let arrive = |decoder: &mut RlcDecoder, repair: bool| {
            if repair {
                arrived.iter().for_each(|at| decoder.insert_repair(&repairs[*at]).unwrap());
            } else {
                let kept = block.iter().enumerate().filter(|(place, _)| !lost.contains(place));
                kept.for_each(|(_, packet)| decoder.insert_source(packet));
            }
        };
        arrive(&mut decoder, repair_first);
        arrive(&mut decoder, !repair_first);
        let mut recovered: BTreeSet<usize> = BTreeSet::new();
        while let Some(packet) = decoder.poll_recovered() {
            let place = block.iter().position(|original| *original == packet);
            prop_assert!(place.is_some_and(|place| recovered.insert(place)), "one of the block, once");
        }
        // As many repair packets as there are packets bring all back at once, before any came.
        prop_assert!(lost.is_subset(&recovered));
        prop_assert!(repair_first || lost == recovered);
        let stats = decoder.stats();
        prop_assert_eq!(stats.repairs, stats.recovered + stats.unused + decoder.held() as u64);
        prop_assert_eq!((decoder.held(), stats.corrupt), (0, 0));
    }

    /// Fewer repair packets than losses say nothing of any of them, as each covers all: nothing is made up.
    #[test]
    fn fewer_repair_packets_bring_nothing_back(block in block(), short in 1usize..5) {
        let mut encoder = encoder(block.len(), 64);
        block.iter().for_each(|packet| encoder.protect(packet));
        let (repairs, mut decoder) = (repairs(&mut encoder), decoder());
        let arrived = block.len().saturating_sub(short);
        repairs[..arrived].iter().for_each(|repair| decoder.insert_repair(repair).unwrap());
        prop_assert_eq!((decoder.held(), decoder.stats().recovered), (arrived, 0));
        prop_assert_eq!(decoder.poll_recovered(), None);
    }

    #[test]
    fn packets_of_any_numbers_are_protected_in_blocks_a_header_can_say(
        seqs in vec((any::<u16>(), 0u8..10), 1..200), media_count in 1usize..=64, repair in 0usize..=64,
    ) {
        let (mut encoder, mut seq, mut made) = (encoder(media_count, repair), 0u16, Vec::new());
        for (jump, kind) in seqs {
            seq = match kind {
                0 => jump,
                1 => seq.wrapping_sub(jump % 80),
                2 => seq,
                _ => seq.wrapping_add(jump % 8),
            };
            encoder.protect(&media(seq, 0));
            if kind == 3 {
                encoder.flush();
            }
            made.extend(repairs(&mut encoder));
        }
        let stats = encoder.stats();
        prop_assert_eq!(stats.packets, stats.protected + stats.unprotected + stats.duplicates);
        let mut decoder = decoder();
        for repair in &made {
            decoder.insert_repair(repair).unwrap();
        }
        prop_assert_eq!(decoder.stats().repairs, made.len() as u64);
        prop_assert_eq!(decoder.stats().corrupt, 0);
    }

    /// Repair packets of both codes over the same packets, in one decoder.
    #[test]
    fn both_codes_work_together(packets in vec(packet(), 20), lost in subsequence((0..20).collect::<Vec<usize>>(), 0..=12)) {
        let packets: Vec<_> = packets.iter().zip(0u16..).map(|(packet, seq)| shifted(packet, seq.wrapping_sub(6), 0)).collect();
        let (mut blocks, mut window) = (encoder(20, 6), RlcEncoder::new(RlcEncoderConfig::default()).unwrap());
        for packet in &packets {
            blocks.protect(packet);
            window.protect(packet);
        }
        let mut decoder = decoder();
        packets.iter().enumerate().filter(|(place, _)| !lost.contains(place)).for_each(|(_, packet)| decoder.insert_source(packet));
        for repair in repairs(&mut blocks) {
            decoder.insert_repair(&repair).unwrap();
        }
        // One more than what is left to find makes up for coefficients that happen to depend on each other.
        for _ in 0..lost.len().saturating_sub(6) + 1 {
            decoder.insert_repair(&window.repair().unwrap()).unwrap();
        }
        // In order, but for those that fewer equations happen to determine.
        let mut recovered: Vec<_> = core::iter::from_fn(|| decoder.poll_recovered()).collect();
        recovered.sort_by_key(|packet| packet.seq().distance_from(packets[0].seq()));
        let expected: Vec<_> = lost.iter().map(|place| packets[*place].clone()).collect();
        prop_assert_eq!(recovered, expected);
    }
}
