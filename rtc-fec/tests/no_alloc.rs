//! Once running, nothing allocates, but for the blocks of memory that new packets are drawn from while old ones are held.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

#[path = "common/packets.rs"]
mod packets;

use core::time::Duration;

use packets::{MEDIA, media_of};
use rtc_core::bwe::{Ecn, PacketResult, SentPacket};
use rtc_core::fec::{FecDecoder, FecEncoder};
use rtc_core::time::Instant;
use rtc_core::{DataSize, PayloadType, RtpPacket, SeqNum, Ssrc};
use rtc_fec::cauchy::{CauchyEncoder, CauchyEncoderConfig};
use rtc_fec::flexfec::{FlexfecDecoder, FlexfecDecoderConfig, FlexfecEncoder, FlexfecEncoderConfig, FlexfecProtection};
use rtc_fec::keyframe::{KeyframeConfig, KeyframeRequester};
use rtc_fec::loss::{LossConfig, LossEstimator};
use rtc_fec::nack::{NackConfig, NackGenerator, pack};
use rtc_fec::red::{RedDecoder, RedDecoderConfig, RedEncoder, RedEncoderConfig, RedForwarder, RedForwarderConfig};
use rtc_fec::repair::{Carried, RepairConfig, RepairScheduler};
use rtc_fec::rlc::{RlcDecoder, RlcDecoderConfig, RlcEncoder, RlcEncoderConfig};
use rtc_fec::rtx::{
    Received, Retransmit, RtxHistory, RtxHistoryConfig, RtxPayloadType, RtxReceiver, RtxReceiverConfig,
};
use rtc_fec::ulpfec::{
    Pattern, Protection, UlpfecDecoder, UlpfecDecoderConfig, UlpfecEncoder, UlpfecEncoderConfig, UlpfecInRed,
};

/// Runs all packets twice over; counts allocations in the second pass.
fn allocations(packets: &[RtpPacket], mut each: impl FnMut(&RtpPacket)) -> u64 {
    let (warm_up, steady) = packets.split_at(packets.len() / 2);
    warm_up.iter().for_each(&mut each);
    allocation_counter::measure(|| steady.iter().for_each(&mut each)).count_total
}

#[test]
fn steady_state_does_not_allocate() {
    let packets: Vec<_> = (0..8_000u16).map(|seq| media_of(seq, u32::from(seq) * 960, 1_000)).collect();
    assert_eq!(red(&packets), 0, "RED");
    assert_eq!(red_forwarder(&packets), 0, "RED forwarder");
    assert_eq!(ulpfec_in_red(&packets), 0, "ULPFEC in RED");
    assert_eq!(nack_and_rtx(&packets), 0, "NACK and RTX");
    assert_eq!(keyframe_requester(&packets), 0, "requests for key frames");
    assert_eq!(ulpfec_encoder(&packets), 0, "ULPFEC encoder");
    assert_eq!(repair_scheduler(&packets), 0, "repair driven by the sender");
    assert_eq!(linear_encoder(&packets, &mut rlc()), 0, "RLC encoder");
    assert_eq!(linear_encoder(&packets, &mut short_rlc()), 0, "RLC encoder, short form");
    let extended =
        |packet: &RtpPacket| packet.to_builder().extensions(&[(5, &[0; 2])]).build(packet.payload()).unwrap();
    let extended: Vec<_> = packets.iter().map(extended).collect();
    assert_eq!(linear_encoder(&extended, &mut short_rlc()), 0, "RLC encoder, without extensions");
    assert_eq!(linear_encoder(&packets, &mut cauchy()), 0, "Cauchy encoder");
    // Recovered packets are remembered: 400 of them, 32 to a block of two allocations.
    for (name, blocks) in [
        ("RLC", linear_decoder(&packets, &mut rlc())),
        ("short RLC", linear_decoder(&packets, &mut short_rlc())),
        ("RLC without extensions", linear_decoder(&extended, &mut short_rlc())),
        ("Cauchy", linear_decoder(&packets, &mut cauchy())),
    ] {
        assert!(blocks <= 30, "{name} decoder: {blocks}");
    }
    let blocks = ulpfec_decoder(&packets);
    assert!(blocks <= 30, "ULPFEC decoder: {blocks}");
    let protections = [FlexfecProtection::even(20, 10), FlexfecProtection::grid(10, 4)];
    for protection in protections.map(Result::unwrap) {
        for sources in [1, 3] {
            // Rows and columns say the numbers of one source only.
            let protection = if sources > 1 { protection.with_masks() } else { protection };
            assert_eq!(flexfec_encoder(&packets, protection, sources), 0, "FlexFEC encoder: {protection:?}");
            let blocks = flexfec_decoder(&packets, protection, sources);
            assert!(blocks <= 30, "FlexFEC decoder: {blocks}, {protection:?}");
        }
    }
}

fn repair_scheduler(packets: &[RtpPacket]) -> u64 {
    let mut scheduler = RepairScheduler::new(RepairConfig::default()).unwrap();
    let mut estimator = LossEstimator::new(LossConfig::default()).unwrap();
    let (mut now, mut id) = (Instant::ZERO, 0);
    let count = allocations(packets, |packet| {
        now += Duration::from_millis(5);
        scheduler.on_media(now, packet.seq(), now + Duration::from_millis(300));
        let mut carried = Carried::Media(packet.seq());
        loop {
            scheduler.on_sent(now, id, carried);
            let sent = SentPacket { id, sent: now, size: DataSize::from_bytes(100), probe: None };
            let received = (id % 3 != 0).then_some(now);
            let results = [PacketResult { packet: sent, received, ecn: Ecn::NotEct }];
            estimator.on_feedback(now, &results);
            scheduler.set_path(estimator.model());
            scheduler.on_feedback(now, &results);
            id += 1;
            let Some(next) = scheduler.poll(now) else { break };
            carried = next;
        }
        let _ = scheduler.poll_timeout(now);
    });
    assert!(scheduler.stats().copies > 3_000);
    count
}

fn lost(packet: &RtpPacket) -> bool {
    packet.seq().0 % 10 == 7
}

fn red(packets: &[RtpPacket]) -> u64 {
    let mut config = RedEncoderConfig::default();
    (config.copies, config.max_payload) = (3, 5_000);
    let (mut encoder, mut decoder) = (RedEncoder::new(config).unwrap(), RedDecoder::new(RedDecoderConfig::default()));
    let count = allocations(packets, |packet| {
        let red = encoder.encode(packet);
        if !lost(packet) {
            decoder.insert(&red).unwrap();
            while decoder.poll().is_some() {}
        }
    });
    assert_eq!(decoder.stats().recovered, 800);
    count
}

fn red_forwarder(packets: &[RtpPacket]) -> u64 {
    let mut outgoing = RedEncoderConfig::default();
    outgoing.max_payload = 3_000;
    let mut config = RedForwarderConfig::default();
    let mut to_plain = RedForwarder::new(config).unwrap();
    config.outgoing = Some(outgoing);
    let mut to_red = RedForwarder::new(config).unwrap();
    let mut encoder = RedEncoder::new(outgoing).unwrap();
    let incoming: Vec<_> = packets
        .iter()
        .map(|packet| if packet.seq().0 % 20 < 10 { encoder.encode(packet) } else { packet.clone() })
        .collect();
    let mut left = 0;
    let count = allocations(&incoming, |packet| {
        for forwarder in [&mut to_plain, &mut to_red] {
            forwarder.insert(packet).unwrap();
            left += core::iter::from_fn(|| forwarder.poll()).count();
        }
    });
    assert_eq!((left, to_red.stats().passed, to_plain.stats().stripped), (16_000, 4_000, 4_000));
    count
}

fn ulpfec_in_red(packets: &[RtpPacket]) -> u64 {
    let mut sender = UlpfecInRed::new(UlpfecEncoderConfig::default(), PayloadType::new(63)).unwrap();
    let mut left = 0;
    let count = allocations(packets, |packet| {
        sender.insert(packet);
        left += core::iter::from_fn(|| sender.poll()).count();
    });
    assert_eq!(left, 12_000);
    count
}

fn nack_and_rtx(packets: &[RtpPacket]) -> u64 {
    let types = vec![RtxPayloadType { rtx: PayloadType::new(97), original: MEDIA }];
    let (mut sender, mut receiver) = (RtxHistoryConfig::default(), RtxReceiverConfig::default());
    (sender.payload_types, receiver.payload_types) = (types.clone(), types);
    let (mut history, mut rtx) = (RtxHistory::new(sender).unwrap(), RtxReceiver::new(receiver).unwrap());
    let mut nack = NackGenerator::new(NackConfig::default()).unwrap();
    let (mut now, mut recovered) = (Instant::ZERO, 0);
    let count = allocations(packets, |packet| {
        now += Duration::from_millis(1);
        history.insert(now, packet);
        if !lost(packet) {
            nack.insert(now, packet.seq());
        }
        let pair = pack(nack.poll(now)).next();
        for seq in pair.into_iter().flat_map(|pair| pair.seqs()) {
            let Retransmit::Packet(packet) = history.retransmit(now, seq) else { panic!("kept") };
            let Ok(Received::Original(packet)) = rtx.receive(&packet) else { panic!("an original") };
            nack.on_recovered(now, packet.seq());
            recovered += 1;
        }
        let _ = nack.poll_timeout();
    });
    assert_eq!(recovered, 800);
    count
}

/// One packet in a hundred is given up; a key frame comes 50 later.
fn keyframe_requester(packets: &[RtpPacket]) -> u64 {
    let mut requester = KeyframeRequester::new(KeyframeConfig::default()).unwrap();
    let (mut now, mut requests) = (Instant::ZERO, 0);
    let count = allocations(packets, |packet| {
        now += Duration::from_millis(10);
        match packet.seq().0 % 100 {
            0 => requester.on_given_up(now, 1),
            50 => requester.on_keyframe(),
            60.. => requester.on_decoded(),
            _ => (),
        }
        requests += u64::from(requester.poll(now).is_some());
        let _ = requester.poll_timeout();
    });
    assert!(requests > 70, "{requests}");
    count
}

fn ulpfec_encoder(packets: &[RtpPacket]) -> u64 {
    let mut config = UlpfecEncoderConfig::default();
    config.protection = Protection::default().with_pattern(Pattern::Crossed);
    let mut encoder = UlpfecEncoder::new(config).unwrap();
    let count = allocations(packets, |packet| {
        encoder.protect(packet);
        while encoder.poll_repair().is_some() {}
    });
    assert_eq!(encoder.stats().repairs, 4_000);
    count
}

fn ulpfec_decoder(packets: &[RtpPacket]) -> u64 {
    let mut encoder = UlpfecEncoder::new(UlpfecEncoderConfig::default()).unwrap();
    let mut decoder = UlpfecDecoder::new(UlpfecDecoderConfig::default()).unwrap();
    // Made beforehand: what is counted is the decoder's.
    let mut repairs = Vec::new();
    for packet in packets {
        encoder.protect(packet);
        repairs.push(core::array::from_fn::<_, 5, _>(|_| encoder.poll_repair()));
    }
    let mut repairs = repairs.iter();
    let count = allocations(packets, |packet| {
        if !lost(packet) {
            decoder.insert_source(packet);
        }
        for repair in repairs.next().unwrap().iter().flatten() {
            decoder.insert_repair(repair).unwrap();
        }
        while decoder.poll_recovered().is_some() {}
    });
    assert_eq!(decoder.stats().recovered, 800);
    count
}

/// The packets, of so many sources by turns.
fn of_sources(packets: &[RtpPacket], sources: u16) -> Vec<RtpPacket> {
    let of = |packet: &RtpPacket| {
        let (seq, ssrc) = (packet.seq().0 / sources, 1 + u32::from(packet.seq().0 % sources));
        RtpPacket::builder(MEDIA, SeqNum(seq), packet.timestamp(), Ssrc(ssrc)).build(packet.payload()).unwrap()
    };
    packets.iter().map(of).collect()
}

fn flexfec(protection: FlexfecProtection) -> FlexfecEncoder {
    let mut config = FlexfecEncoderConfig::default();
    config.protection = protection;
    FlexfecEncoder::new(config).unwrap()
}

fn flexfec_encoder(packets: &[RtpPacket], protection: FlexfecProtection, sources: u16) -> u64 {
    let mut encoder = flexfec(protection);
    let count = allocations(&of_sources(packets, sources), |packet| {
        encoder.protect(packet);
        while encoder.poll_repair().is_some() {}
        if lost(packet) {
            let _ = encoder.retransmit(packet);
        }
    });
    assert_eq!(encoder.stats().protected, 8_000);
    count
}

fn flexfec_decoder(packets: &[RtpPacket], protection: FlexfecProtection, sources: u16) -> u64 {
    let (mut encoder, packets) = (flexfec(protection), of_sources(packets, sources));
    let mut decoder = FlexfecDecoder::new(FlexfecDecoderConfig::default()).unwrap();
    // Made beforehand: what is counted is the decoder's.
    let mut repairs = Vec::new();
    for packet in &packets {
        encoder.protect(packet);
        repairs.push(core::array::from_fn::<_, 12, _>(|_| encoder.poll_repair()));
    }
    let (mut repairs, mut at) = (repairs.iter(), 0);
    let count = allocations(&packets, |packet| {
        at += 1;
        if at % 11 != 7 {
            decoder.insert_source(packet);
        }
        for repair in repairs.next().unwrap().iter().flatten() {
            decoder.insert_repair(repair).unwrap();
        }
        while decoder.poll_recovered().is_some() {}
    });
    assert!(decoder.stats().recovered > 600, "{:?}", decoder.stats());
    count
}

fn rlc() -> RlcEncoder {
    RlcEncoder::new(RlcEncoderConfig::default()).unwrap()
}

fn short_rlc() -> RlcEncoder {
    let mut config = RlcEncoderConfig::default();
    (config.short, config.extensions) = (Some(MEDIA), false);
    RlcEncoder::new(config).unwrap()
}

fn cauchy() -> CauchyEncoder {
    CauchyEncoder::new(CauchyEncoderConfig::default()).unwrap()
}

fn linear_encoder(packets: &[RtpPacket], encoder: &mut dyn FecEncoder) -> u64 {
    let mut repairs = 0;
    let count = allocations(packets, |packet| {
        encoder.protect(packet);
        while encoder.poll_repair().is_some() {
            repairs += 1;
        }
    });
    assert_eq!(repairs, 4_000);
    count
}

fn linear_decoder(packets: &[RtpPacket], encoder: &mut dyn FecEncoder) -> u64 {
    let mut config = RlcDecoderConfig::default();
    (config.short, config.extensions) = (Some(MEDIA), false);
    let mut decoder = RlcDecoder::new(config).unwrap();
    // Made beforehand: what is counted is the decoder's.
    let mut repairs = Vec::new();
    for packet in packets {
        encoder.protect(packet);
        repairs.push(core::array::from_fn::<_, 5, _>(|_| encoder.poll_repair()));
    }
    let mut repairs = repairs.iter();
    let count = allocations(packets, |packet| {
        if !lost(packet) {
            decoder.insert_source(packet);
        }
        for repair in repairs.next().unwrap().iter().flatten() {
            decoder.insert_repair(repair).unwrap();
        }
        while decoder.poll_recovered().is_some() {}
    });
    assert_eq!(decoder.stats().recovered, 800);
    count
}
