use std::collections::BTreeSet;

use bytes::BytesMut;
use proptest::collection::vec;
use proptest::prelude::*;
use rtc_core::{PayloadType, RtpPacket};
use rtc_fec::red::{RedDecoder, RedDecoderConfig, RedDecoderStats, RedEncoder, RedEncoderConfig, blocks, decapsulate};

use crate::packets::{RED, media, shifted, stream};

/// Whether a packet arrives.
fn arrivals(len: usize) -> impl Strategy<Value = Vec<bool>> {
    (0.0..1.0).prop_flat_map(move |rate| vec(proptest::bool::weighted(rate), len))
}

fn encoder(copies: usize, distance: usize) -> RedEncoder {
    let mut config = RedEncoderConfig::default();
    (config.copies, config.distance) = (copies, distance);
    RedEncoder::new(config).unwrap()
}

fn drain(decoder: &mut RedDecoder) -> impl Iterator<Item = RtpPacket> {
    core::iter::from_fn(|| decoder.poll())
}

/// What comes out when those packets arrive.
fn decode(
    packets: &[RtpPacket],
    arrived: &[bool],
    copies: usize,
    distance: usize,
) -> (Vec<RtpPacket>, RedDecoderStats) {
    let (mut encoder, mut decoder) = (encoder(copies, distance), RedDecoder::new(RedDecoderConfig::default()));
    let mut plain = Vec::new();
    for (packet, arrived) in packets.iter().zip(arrived) {
        let red = encoder.encode(packet);
        if *arrived {
            decoder.insert(&red).unwrap();
            plain.extend(drain(&mut decoder));
        }
    }
    (plain, decoder.stats())
}

fn check_accounts(stats: &RedDecoderStats, polled: usize) {
    assert_eq!(stats.packets, stats.malformed + stats.duplicates + stats.late + stats.padding + stats.primaries);
    assert_eq!(stats.blocks, stats.recovered + stats.known + stats.unplaced + stats.empty + stats.repairs);
    assert_eq!(polled as u64, stats.primaries + stats.recovered + stats.repairs - stats.overflowed);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn arbitrary_payloads_never_panic_and_blocks_add_up(payload in vec(any::<u8>(), 0..300)) {
        if let Ok(blocks) = blocks(&payload) {
            let headers = 4 * (blocks.len() - 1) + 1;
            prop_assert_eq!(blocks.clone().last(), Some(blocks.primary()));
            prop_assert_eq!(headers + blocks.map(|block| block.data.len()).sum::<usize>(), payload.len());
        }
    }

    #[test]
    fn arbitrary_packets_never_panic_and_are_accounted_for(
        inserts in vec((0u16..9, any::<u16>(), 0u32..4000, vec(any::<u8>(), 0..40), proptest::bool::weighted(0.9)), 0..200)
    ) {
        let mut config = RedDecoderConfig::default();
        config.repair = Some(PayloadType::new(3));
        let mut decoder = RedDecoder::new(config);
        let mut polled = 0;
        for (far, seq, timestamp, mut payload, red) in inserts {
            // Mostly neighbours, and plausible block headers.
            let seq = if far == 0 { seq } else { seq % 64 };
            for byte in payload.iter_mut().take(2) {
                *byte &= 0x87;
            }
            let packet = shifted(&media(0, 0), seq, timestamp);
            let packet = packet.repack_in(&mut BytesMut::new(), &[&payload], |header| {
                header.set_payload_type(if red { RED } else { PayloadType::new(111) });
            });
            let _ = decoder.insert(&packet);
            polled += drain(&mut decoder).count();
        }
        check_accounts(&decoder.stats(), polled);
    }

    #[test]
    fn without_loss_everything_comes_back_once_and_in_order(
        steps in vec(prop_oneof![Just(480u32), Just(960), Just(19_200)], 1..80), copies in 0usize..5, distance in 1usize..4,
    ) {
        let packets = stream(65_500, 4_294_960_000, steps);
        let (plain, stats) = decode(&packets, &vec![true; packets.len()], copies, distance);
        prop_assert_eq!(&plain, &packets);
        check_accounts(&stats, plain.len());
    }

    /// At constant packet time, once two packets in sequence have told it, what is recovered is exactly what is carried again.
    #[test]
    fn lost_packets_come_back_iff_a_copy_arrives(
        mut arrived in arrivals(120), copies in 0usize..6, distance in 1usize..5, step in prop_oneof![Just(160u32), Just(480), Just(960)],
    ) {
        arrived[..2].fill(true);
        let packets = stream(65_480, 4_294_950_000, vec![step; arrived.len() - 1]);
        let (plain, stats) = decode(&packets, &arrived, copies, distance);
        let in_reach = copies.min(16_383 / (step as usize * distance));
        let carried = |lost: usize| (1..=in_reach).any(|copy| arrived.get(lost + copy * distance) == Some(&true));
        let expected: BTreeSet<u16> = (0..packets.len())
            .filter(|index| arrived[*index] || carried(*index))
            .map(|index| packets[index].seq().0)
            .collect();
        prop_assert_eq!(plain.len(), expected.len());
        for packet in &plain {
            prop_assert!(expected.contains(&packet.seq().0) && packets.contains(packet));
        }
        prop_assert_eq!(stats.misplaced, 0);
        check_accounts(&stats, plain.len());
    }

    /// Changes of packet time and silence while packets are lost: never a wrong number.
    #[test]
    fn recovered_packets_have_the_number_they_were_sent_with(
        steps in vec(prop_oneof![4 => Just(480u32), 4 => Just(960), 1 => Just(19_200)], 120), arrived in arrivals(121), copies in 1usize..4,
    ) {
        let packets = stream(65_480, 4_294_950_000, steps);
        let (plain, _) = decode(&packets, &arrived, copies, 1);
        for packet in &plain {
            prop_assert!(packets.contains(packet), "{:?}", packet);
        }
    }

    #[test]
    fn reordered_and_duplicated_packets_come_out_once(
        order in vec(0usize..60, 0..200), copies in 0usize..4, distance in 1usize..3,
    ) {
        let packets = stream(65_510, 4_294_950_000, vec![960; 59]);
        let mut encoder = encoder(copies, distance);
        let red: Vec<_> = packets.iter().map(|packet| encoder.encode(packet)).collect();
        let mut decoder = RedDecoder::new(RedDecoderConfig::default());
        let mut seen = BTreeSet::new();
        for index in &order {
            decoder.insert(&red[*index]).unwrap();
            for packet in drain(&mut decoder) {
                prop_assert!(packets.contains(&packet));
                prop_assert!(seen.insert(packet.seq().0), "twice: {:?}", packet);
            }
        }
        for index in order {
            prop_assert!(seen.contains(&packets[index].seq().0));
        }
        check_accounts(&decoder.stats(), seen.len());
    }

    #[test]
    fn moving_all_numbers_moves_the_output(
        steps in vec(prop_oneof![Just(480u32), Just(960)], 60), arrived in arrivals(61), copies in 0usize..4,
    ) {
        let near = stream(100, 5_000, steps);
        let far: Vec<_> = near.iter().map(|packet| shifted(packet, 65_500, u32::MAX - 20_000)).collect();
        let ((near, near_stats), (far, far_stats)) = (decode(&near, &arrived, copies, 1), decode(&far, &arrived, copies, 1));
        prop_assert_eq!(near_stats, far_stats);
        prop_assert!(near.iter().map(|packet| shifted(packet, 65_500, u32::MAX - 20_000)).eq(far));
    }

    /// A decapsulated packet encoded without copies is the packet again.
    #[test]
    fn decapsulating_is_the_inverse_of_encoding(seq: u16, timestamp: u32) {
        let packet = media(seq, timestamp);
        let red = encoder(0, 1).encode(&packet);
        prop_assert_eq!(decapsulate(&red, &mut BytesMut::new()), Ok(packet));
    }
}
