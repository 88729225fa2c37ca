use core::time::Duration;
use std::collections::BTreeMap;

use proptest::collection::vec;
use proptest::prelude::*;
use rtc_core::time::Instant;
use rtc_core::{DataSize, PayloadType, RtpPacket, SeqNum, Ssrc};
use rtc_fec::rtx::{
    Received, Retransmit, RtxHistory, RtxHistoryConfig, RtxPayloadType, RtxReceiver, RtxReceiverConfig,
};

use crate::packets::{MEDIA, SSRC, media, media_of, shifted};

const RTX: PayloadType = PayloadType::new(97);

fn history(max_size: u64) -> RtxHistory {
    let mut config = RtxHistoryConfig::default();
    config.payload_types = vec![RtxPayloadType { rtx: RTX, original: MEDIA }];
    config.ssrc = Some(Ssrc(9));
    config.max_size = DataSize::from_bytes(max_size);
    RtxHistory::new(config).unwrap()
}

fn receiver() -> RtxReceiver {
    let mut config = RtxReceiverConfig::default();
    config.payload_types = vec![RtxPayloadType { rtx: RTX, original: MEDIA }];
    config.ssrc = Some(SSRC);
    RtxReceiver::new(config).unwrap()
}

#[derive(Debug, Clone)]
enum Op {
    Insert(u16, usize),
    Request(u16, bool),
    Wait(u64),
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        (0u16..60, 0usize..300).prop_map(|(seq, len)| Op::Insert(seq, len)),
        (0u16..60, any::<bool>()).prop_map(|(seq, plain)| Op::Request(seq, plain)),
        (0u64..300).prop_map(Op::Wait),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_retransmission_becomes_the_original(seq: u16, timestamp: u32, marker: bool, len in 0usize..1_200) {
        let mut original = media_of(seq, timestamp, len);
        original.rewrite(|header| header.set_marker(marker));
        let mut history = history(10_000);
        history.insert(Instant::ZERO, &original);
        let Retransmit::Packet(rtx) = history.retransmit(Instant::ZERO, SeqNum(seq)) else { panic!("kept") };
        prop_assert_eq!(RtpPacket::parse(rtx.as_bytes().clone()), Ok(rtx.clone()));
        prop_assert_eq!(receiver().receive(&rtx), Ok(Received::Original(original)));
    }

    #[test]
    fn arbitrary_payloads_never_panic(payload in vec(any::<u8>(), 0..40), payload_type: u8) {
        let packet = media(1, 2).repack_in(&mut bytes::BytesMut::new(), &[&payload], |header| {
            header.set_payload_type(PayloadType::new(payload_type));
        });
        let mut receiver = receiver();
        let _ = receiver.receive(&packet);
        let stats = receiver.stats();
        prop_assert_eq!(stats.packets, stats.originals + stats.padding + stats.foreign + stats.malformed);
    }

    /// Against a map: what is answered is right, and nothing within the last second and the size is forgotten.
    #[test]
    fn history_equals_a_map(ops in vec(op(), 0..200), shift in prop_oneof![Just(0u16), Just(65_500)]) {
        let mut history = history(4_000);
        let mut sent: BTreeMap<u16, (Instant, RtpPacket, Option<Instant>)> = BTreeMap::new();
        let (mut now, mut requests) = (Instant::ZERO, 0);
        for op in ops {
            match op {
                Op::Wait(millis) => now += Duration::from_millis(millis),
                Op::Insert(seq, len) => {
                    let packet = shifted(&media_of(seq, 0, len), shift, 0);
                    let before = history.stats().inserted;
                    history.insert(now, &packet);
                    if history.stats().inserted > before {
                        sent.insert(seq, (now, packet, None));
                    } else {
                        prop_assert!(sent.contains_key(&seq), "refused though new");
                    }
                }
                Op::Request(seq, plain) => {
                    requests += 1;
                    let wanted = SeqNum(seq) + shift;
                    let answer = if plain { history.resend(now, wanted) } else { history.retransmit(now, wanted) };
                    let known = sent.get_mut(&seq);
                    match answer {
                        Retransmit::Packet(packet) => {
                            let (at, original, again) = known.unwrap();
                            prop_assert!(now <= *at + Duration::from_secs(1));
                            prop_assert!(again.is_none_or(|last| now >= last + Duration::from_millis(50)));
                            *again = Some(now);
                            let packet = match plain {
                                true => packet,
                                false => match receiver().receive(&packet) {
                                    Ok(Received::Original(packet)) => packet,
                                    other => panic!("{other:?}"),
                                },
                            };
                            prop_assert_eq!(&packet, original);
                        }
                        Retransmit::Suppressed => {
                            let (_, _, again) = known.unwrap();
                            prop_assert!(again.is_some_and(|last| now < last + Duration::from_millis(50)));
                        }
                        Retransmit::Unknown => {
                            if let Some((at, _, _)) = known {
                                let (at, kept) = (*at, sent.values().filter(|(_, packet, _)| packet.seq() != wanted));
                                let size: usize = kept.map(|(_, packet, _)| packet.as_bytes().len()).sum();
                                prop_assert!(now > at + Duration::from_secs(1) || size + 300 > 3_600, "forgotten early");
                            }
                        }
                        Retransmit::Unmapped => panic!("mapped"),
                    }
                }
            }
        }
        let stats = history.stats();
        prop_assert_eq!(requests, stats.retransmitted + stats.suppressed + stats.unknown + stats.unmapped);
    }
}
