//! A million damaged, doubled and disordered inputs, from valid streams and a seed: nothing panics, all accounts balance, and
//! what is recovered is what was lost to the last bit, once, or said to be its beginning; unless bytes it was recovered from were
//! damaged. `FUZZ_INPUTS` says how many inputs each of the seven tests is to have; `make soak` gives each a million.
//!
//! None of these formats has a checksum: damaged bytes that pass for a repair packet give wrong bytes. UDP and SRTP keep them
//! away; what the formats themselves can tell is printed at the end (`cargo test --test fuzz -- --nocapture`).

#![allow(clippy::unwrap_used, reason = "a test may panic")]

#[path = "common/packets.rs"]
mod packets;

use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet};

use packets::{MEDIA, RED, SSRC, media_of};
use rtc_core::fec::{FecDecoder, FecEncoder};
use rtc_core::testkit::rng::Rng;
use rtc_core::time::Instant;
use rtc_core::{Malformed, PayloadType, RtpPacket, SeqNum, Ssrc};
use rtc_fec::cauchy::{Block, CauchyEncoder, CauchyEncoderConfig};
use rtc_fec::flexfec::{
    FlexfecDecoder, FlexfecDecoderConfig, FlexfecDecoderStats, FlexfecEncoder, FlexfecEncoderConfig, FlexfecProtection,
    FlexfecVariant,
};
use rtc_fec::nack::{NackConfig, NackGenerator, NackPair, pack};
use rtc_fec::red::{RedDecoder, RedDecoderConfig, RedEncoder, RedEncoderConfig};
use rtc_fec::rlc::{RlcDecoder, RlcDecoderConfig, RlcEncoder, RlcEncoderConfig};
use rtc_fec::rtx::{
    Received, Retransmit, RtxHistory, RtxHistoryConfig, RtxPayloadType, RtxReceiver, RtxReceiverConfig,
};
use rtc_fec::ulpfec::{
    Level, Pattern, Protection, UlpfecDecoder, UlpfecDecoderConfig, UlpfecEncoder, UlpfecEncoderConfig,
};

/// Mutated inputs of each test, if nothing else is said; there are seven.
const INPUTS: u64 = 200_000;
/// Packets of media in an episode.
const PACKETS: u16 = 60;

/// Mutated inputs of each test.
fn inputs() -> u64 {
    std::env::var("FUZZ_INPUTS").map_or(INPUTS, |inputs| inputs.parse().expect("a number"))
}

/// An input after what the way, and worse, did to it.
struct Input {
    packet: RtpPacket,
    /// Its bytes are not those that were sent.
    damaged: bool,
}

/// Loses, doubles, disorders and damages packets; counts what it did.
struct Mutator {
    rng: Rng,
    mutated: u64,
}

impl Mutator {
    fn new(seed: u64) -> Self {
        Self { rng: Rng::new(seed), mutated: 0 }
    }

    fn pick(&mut self, below: usize) -> usize {
        usize::try_from(self.rng.below(below.max(1) as u64)).unwrap()
    }

    /// What arrives of `sent`, and in which order. `damage` is the share of packets whose bytes change.
    fn way(&mut self, sent: &[RtpPacket], damage: f64) -> Vec<Input> {
        let loss = 0.4 * self.rng.uniform();
        let mut arrived = Vec::new();
        for (at, packet) in sent.iter().enumerate() {
            if self.rng.bool(loss) {
                continue;
            }
            let (doubled, late) = (self.rng.bool(0.1), self.rng.bool(0.1));
            self.mutated += u64::from(doubled) + u64::from(late);
            for _ in 0..=usize::from(doubled) {
                let at = at + if late { 1 + self.pick(20) } else { 0 };
                let input = if self.rng.bool(damage) { self.damaged(packet) } else { None };
                self.mutated += u64::from(input.is_some());
                let intact = || Input { packet: packet.clone(), damaged: false };
                arrived.push((at, input.unwrap_or_else(intact)));
            }
        }
        arrived.sort_by_key(|(at, _)| *at);
        arrived.into_iter().map(|(_, input)| input).collect()
    }

    /// Bits flipped, most in the headers; cut; lengthened; or with a stretch of other bytes. `None` if it is no RTP any more, or
    /// of another source.
    fn damaged(&mut self, packet: &RtpPacket) -> Option<Input> {
        let mut bytes = packet.as_bytes().to_vec();
        match self.rng.below(6) {
            0 => bytes.truncate(12 + self.pick(bytes.len() - 11)),
            1 => bytes.extend((0..self.pick(30)).map(|at| at.to_le_bytes()[0])),
            2 => {
                let (from, len) = (self.pick(bytes.len()), self.pick(20));
                let to = (from + len).min(bytes.len());
                self.rng.fill(&mut bytes[from..to]);
            }
            kind => {
                let reach = if kind == 3 { bytes.len() } else { bytes.len().min(40) };
                for _ in 0..=self.pick(8) {
                    let at = self.pick(reach);
                    bytes[at] ^= 1 << self.pick(8);
                }
            }
        }
        let damaged = RtpPacket::parse(bytes.into()).ok()?;
        let same = (damaged.payload_type(), damaged.ssrc()) == (packet.payload_type(), packet.ssrc());
        (same && damaged != *packet).then_some(Input { packet: damaged, damaged: true })
    }
}

/// Sets of packets that were summed up together, directly or by way of others.
#[derive(Default)]
struct Families {
    parents: BTreeMap<u16, u16>,
    tainted: BTreeMap<u16, bool>,
}

impl Families {
    fn of(&self, seq: u16) -> u16 {
        let mut at = seq;
        while let Some(parent) = self.parents.get(&at).filter(|parent| **parent != at) {
            at = *parent;
        }
        at
    }

    fn join(&mut self, members: &[u16], damaged: bool) {
        let Some(first) = members.first().map(|first| self.of(*first)) else { return };
        let mut tainted = damaged;
        for member in members {
            let other = self.of(*member);
            tainted |= self.tainted.get(&other) == Some(&true);
            self.parents.insert(other, first);
        }
        self.tainted.insert(first, tainted || self.tainted.get(&first) == Some(&true));
    }

    fn is_tainted(&self, seq: u16) -> bool {
        self.tainted.get(&self.of(seq)) == Some(&true)
    }
}

/// The packets an ULPFEC payload names; as far as it can be read.
fn ulpfec_members(payload: &[u8]) -> Vec<u16> {
    let (mut members, mut at) = (Vec::new(), 10);
    let len = if payload.first().is_some_and(|first| first & 0x40 != 0) { 6 } else { 2 };
    while let Some(level) = payload.get(at..at + 2 + len) {
        let base = u16::from_be_bytes([payload[2], payload[3]]);
        let bits = (0..len * 8).filter(|bit| level[2 + bit / 8] & (0x80 >> (bit % 8)) != 0);
        members.extend(bits.map(|bit| base.wrapping_add(u16::try_from(bit).unwrap())));
        at += 2 + len + usize::from(u16::from_be_bytes([level[0], level[1]]));
    }
    members
}

/// The packets a FlexFEC payload of one source names; as far as it can be read.
fn flexfec_members(variant: FlexfecVariant, payload: &[u8]) -> Vec<u16> {
    let draft = variant == FlexfecVariant::Draft03;
    if let [first, _, s0, s1, ..] = payload
        && first >> 6 == if draft { 0b11 } else { 0b10 }
    {
        return vec![u16::from_be_bytes([*s0, *s1])];
    }
    let Some([s0, s1, head @ ..]) = payload.get(if draft { 16 } else { 8 }..) else { return Vec::new() };
    let base = u16::from_be_bytes([*s0, *s1]);
    let named = |offsets: Vec<usize>| -> Vec<u16> {
        offsets.into_iter().map(|offset| base.wrapping_add(u16::try_from(offset).unwrap())).collect()
    };
    if let (0b01, [columns, rows, ..]) = (payload[0] >> 6, head) {
        let (columns, rows) = (usize::from(*columns), usize::from(*rows));
        return named(if rows < 2 { (0..columns).collect() } else { (0..rows).map(|row| row * columns).collect() });
    }
    let (mut offsets, mut at, mut first) = (Vec::new(), 0, 0);
    for (len, skipped) in [(2, 1), (4, 1), (8, usize::from(draft))] {
        let Some(part) = head.get(at..at + len) else { break };
        let bit = |n: usize| part[n / 8] & (0x80 >> (n % 8)) != 0;
        offsets.extend((skipped..len * 8).filter(|n| bit(*n)).map(|n| first + n - skipped));
        (at, first) = (at + len, first + len * 8 - skipped);
        // The draft marks the last part, RFC 8627 §4.2.2.1 all but the last.
        if skipped == 1 && bit(0) == draft {
            break;
        }
    }
    named(offsets)
}

/// The packets a payload of the linear codes names; as far as it can be read.
fn linear_members(payload: &[u8]) -> Vec<u16> {
    let [first, span, b0, b1, _, _, mask @ ..] = payload else { return Vec::new() };
    let base = u16::from_be_bytes([*b0, *b1]);
    let bit = |n: u16| mask.get(usize::from(n / 8)).is_some_and(|byte| byte & (0x80 >> (n % 8)) != 0);
    let covered = (0..=u16::from(*span)).filter(|n| first & 0x10 == 0 || bit(*n));
    covered.map(|n| base.wrapping_add(n)).collect()
}

/// What came of damage.
#[derive(Debug, Default)]
struct Tally {
    damaged_repairs: u64,
    refused: u64,
    recovered: u64,
    wrong: u64,
}

/// A stream as it is sent, and where its repair packets are.
fn protect(encoder: &mut impl FecEncoder, media: &[RtpPacket]) -> Vec<RtpPacket> {
    let mut sent = Vec::new();
    for packet in media {
        encoder.protect(packet);
        sent.push(packet.clone());
        sent.extend(core::iter::from_fn(|| encoder.poll_repair()));
    }
    sent
}

fn media(mutator: &mut Mutator) -> Vec<RtpPacket> {
    let first = u16::try_from(mutator.rng.below(65_536)).unwrap();
    let packet = |n: u16| {
        let mut packet = media_of(first.wrapping_add(n), u32::from(n) * 3_000, 1 + mutator.pick(60));
        packet.rewrite(|header| header.set_marker(n % 4 == 3));
        packet
    };
    (0..PACKETS).map(packet).collect()
}

/// Runs one episode through a decoder of repair packets.
fn recover<D: FecDecoder>(
    decoder: &mut D,
    repair: PayloadType,
    media: &[RtpPacket],
    arrived: &[Input],
    members: impl Fn(&[u8]) -> Vec<u16>,
    tally: &mut Tally,
) {
    let (mut families, mut recovered) = (Families::default(), Vec::new());
    let is_intact = !arrived.iter().any(|input| input.damaged);
    // Numbers that are known.
    let mut here = BTreeSet::new();
    for Input { packet, damaged } in arrived {
        if packet.payload_type() == repair {
            let taken: Result<(), Malformed> = decoder.insert_repair(packet);
            tally.damaged_repairs += u64::from(*damaged);
            tally.refused += u64::from(taken.is_err());
            assert!(taken.is_ok() || *damaged, "{taken:?}");
            if taken.is_ok() {
                families.join(&members(packet.payload()), *damaged);
            }
        } else {
            decoder.insert_source(packet);
            families.join(&[packet.seq().0], *damaged);
            here.insert(packet.seq().0);
        }
        while let Some(packet) = decoder.poll_recovered() {
            assert!(here.insert(packet.seq().0) || !is_intact, "was there already: {packet:?}");
            recovered.push(packet);
        }
    }
    tally.recovered += recovered.len() as u64;
    for packet in recovered {
        let right = media.contains(&packet);
        tally.wrong += u64::from(!right);
        assert!(right || families.is_tainted(packet.seq().0), "wrong, but from intact bytes: {packet:?}");
        assert!(right || !is_intact);
    }
}

fn check_accounts(stats: &FlexfecDecoderStats, held: usize) {
    assert_eq!(stats.sources, stats.kept + stats.duplicates + stats.old + stats.strays);
    let spent = stats.solved + stats.unused + stats.corrupt;
    assert_eq!(stats.levels, spent + stats.expired + stats.overflowed + stats.forgotten + held as u64);
}

/// In every other episode no bytes are damaged: then nothing at all may be wrong.
fn damage(episode: u64) -> f64 {
    if episode.is_multiple_of(2) { 0.0 } else { 0.3 }
}

#[test]
fn ulpfec() {
    let (mut mutator, mut tally, mut in_part) = (Mutator::new(5109), Tally::default(), 0);
    for episode in 0.. {
        if mutator.mutated >= inputs() {
            break;
        }
        let level = |len, repair| Level { len, repair };
        let media_count = 1 + mutator.pick(48);
        let protection = match mutator.pick(3) {
            0 => Protection::uneven(12, &[level(20, 6), level(10, 4), level(u16::MAX, 2)]).unwrap(),
            _ => Protection::even(media_count, 1 + mutator.pick(media_count)).unwrap(),
        };
        let mut config = UlpfecEncoderConfig::default();
        config.protection = protection.with_pattern([Pattern::Interleaved, Pattern::Crossed][mutator.pick(2)]);
        let packets = media(&mut mutator);
        let sent = protect(&mut UlpfecEncoder::new(config).unwrap(), &packets);
        let arrived = mutator.way(&sent, damage(episode));
        let mut config = UlpfecDecoderConfig::default();
        config.ssrc = Some(SSRC);
        let mut decoder = UlpfecDecoder::new(config).unwrap();
        recover(&mut decoder, PayloadType::new(127), &packets, &arrived, ulpfec_members, &mut tally);
        check_accounts(&decoder.stats(), decoder.held());
        let is_intact = !arrived.iter().any(|input| input.damaged);
        for packet in &packets {
            let _ = decoder.outlook(packet.seq());
            if let Some(part) = decoder.partial(packet.seq()).filter(|_| is_intact) {
                assert!(part.lacking > 0 && packet.as_bytes().starts_with(part.packet.as_bytes()), "{part:?}");
                assert_eq!(part.packet.as_bytes().len() + part.lacking, packet.as_bytes().len());
                in_part += 1;
            }
        }
    }
    println!("ULPFEC: {} mutated inputs, {tally:?}, {in_part} in part", mutator.mutated);
    assert!(in_part > 0);
}

#[test]
fn flexfec() {
    let (mut mutator, mut tally) = (Mutator::new(8627), Tally::default());
    for episode in 0.. {
        if mutator.mutated >= inputs() {
            break;
        }
        let variant = [FlexfecVariant::Rfc8627, FlexfecVariant::Draft03][mutator.pick(2)];
        let (a, b) = (2 + mutator.pick(9), 2 + mutator.pick(9));
        let protection = match mutator.pick(4) {
            0 => FlexfecProtection::even(1 + mutator.pick(110), 1),
            1 => FlexfecProtection::rows(a),
            2 => FlexfecProtection::columns(a, b),
            _ => FlexfecProtection::grid(a, b),
        };
        let mut config = FlexfecEncoderConfig::default();
        (config.variant, config.protection, config.ssrc) = (variant, protection.unwrap(), Ssrc(0xfec));
        let mut encoder = FlexfecEncoder::new(config).unwrap();
        let packets = media(&mut mutator);
        let mut sent = protect(&mut encoder, &packets);
        sent.extend((0..4).map(|_| encoder.retransmit(&packets[mutator.pick(packets.len())])));
        let arrived = mutator.way(&sent, damage(episode));
        let mut config = FlexfecDecoderConfig::default();
        (config.variant, config.sources) = (variant, vec![SSRC]);
        let mut decoder = FlexfecDecoder::new(config).unwrap();
        let members = |payload: &[u8]| flexfec_members(variant, payload);
        recover(&mut decoder, PayloadType::new(118), &packets, &arrived, members, &mut tally);
        check_accounts(&decoder.stats(), decoder.held());
        for packet in &packets {
            let _ = decoder.outlook(SSRC, packet.seq());
        }
    }
    println!("FlexFEC: {} mutated inputs, {tally:?}", mutator.mutated);
}

#[test]
fn linear_codes() {
    let (mut mutator, mut tally) = (Mutator::new(8681), Tally::default());
    for episode in 0.. {
        if mutator.mutated >= inputs() {
            break;
        }
        let packets = media(&mut mutator);
        let sent = if mutator.pick(2) == 0 {
            let mut config = RlcEncoderConfig::default();
            (config.window, config.overhead) = (1 + mutator.pick(64), 1.5 * mutator.rng.uniform());
            config.density = 15 - u8::try_from(mutator.pick(12)).unwrap();
            protect(&mut RlcEncoder::new(config).unwrap(), &packets)
        } else {
            let mut config = CauchyEncoderConfig::default();
            config.block = Block::new(1 + mutator.pick(30), mutator.pick(30)).unwrap();
            protect(&mut CauchyEncoder::new(config).unwrap(), &packets)
        };
        let arrived = mutator.way(&sent, damage(episode));
        let mut config = RlcDecoderConfig::default();
        config.ssrc = Some(SSRC);
        let mut decoder = RlcDecoder::new(config).unwrap();
        recover(&mut decoder, PayloadType::new(126), &packets, &arrived, linear_members, &mut tally);
        check_linear(&decoder);
    }
    println!("linear codes: {} mutated inputs, {tally:?}", mutator.mutated);
}

/// Voice with pauses and changes of its packets' length, which is what the short form has to tell.
fn voice(mutator: &mut Mutator) -> Vec<RtpPacket> {
    let first = u16::try_from(mutator.rng.below(65_536)).unwrap();
    let (mut timestamp, mut step) = (mutator.rng.next_u32(), 960_u32);
    let (equal, longest) = (mutator.pick(2) == 0, 1 + mutator.pick(80));
    let packet = |n: u16| {
        let (pause, change) = (mutator.pick(60) == 0, mutator.pick(60) == 0);
        if change {
            step = [480, 960, 1_920, 800][mutator.pick(4)];
        }
        timestamp = timestamp.wrapping_add(step * if pause { 1 + u32::try_from(mutator.pick(50)).unwrap() } else { 1 });
        let len = if equal { longest } else { 1 + mutator.pick(longest) };
        let mut packet = media_of(first.wrapping_add(n), timestamp, len);
        packet.rewrite(|header| header.set_marker(pause));
        packet
    };
    (0..3 * PACKETS).map(packet).collect()
}

/// A sender that knows of some packets that they have arrived repairs the others. Where it is wrong about that, and bytes are
/// in any order, but none of them is damaged, nothing that is recovered may be wrong.
#[test]
fn short_linear_codes() {
    let (mut mutator, mut recovered, mut wrong) = (Mutator::new(3095), 0, 0);
    for episode in 0.. {
        if mutator.mutated >= inputs() {
            break;
        }
        let packets = voice(&mut mutator);
        let mut config = RlcEncoderConfig::default();
        (config.short, config.window) = (Some(MEDIA), 1 + mutator.pick(64));
        let (mut encoder, mut sent) = (RlcEncoder::new(config).unwrap(), Vec::new());
        let (known, span) = (mutator.rng.uniform(), 1 + mutator.pick(70));
        for (at, packet) in packets.iter().enumerate() {
            encoder.protect(packet);
            sent.push(packet.clone());
            let missing = (0..=at).rev().take(span).filter(|_| !mutator.rng.bool(known)).map(|at| packets[at].seq());
            sent.extend(encoder.repair_over(missing.collect::<Vec<_>>()));
        }
        let damage = damage(episode);
        let arrived = mutator.way(&sent, damage);
        let mut config = RlcDecoderConfig::default();
        (config.ssrc, config.short) = (Some(SSRC), Some(MEDIA));
        let mut decoder = RlcDecoder::new(config).unwrap();
        for Input { packet, damaged } in &arrived {
            if packet.payload_type() == PayloadType::new(126) {
                let taken = decoder.insert_repair(packet);
                assert!(taken.is_ok() || *damaged, "{taken:?}");
            } else {
                decoder.insert_source(packet);
            }
            while let Some(packet) = decoder.poll_recovered() {
                recovered += 1;
                let right = packets.contains(&packet);
                wrong += u64::from(!right);
                assert!(right || damage > 0.0, "wrong, but from intact bytes: {packet:?}");
            }
        }
        check_linear(&decoder);
    }
    assert!(recovered > 0);
    println!("short linear codes: {} mutated inputs, {recovered} recovered, {wrong} wrong", mutator.mutated);
}

fn check_linear(decoder: &RlcDecoder) {
    let stats = decoder.stats();
    assert_eq!(stats.sources, stats.kept + stats.duplicates + stats.old + stats.strays);
    let dropped = stats.corrupt + stats.unplaced + stats.expired + stats.overflowed + stats.forgotten;
    assert_eq!(stats.repairs, stats.recovered + stats.unused + dropped + decoder.held() as u64);
}

#[test]
fn red() {
    let (mut mutator, mut tally) = (Mutator::new(2198), Tally::default());
    for episode in 0.. {
        if mutator.mutated >= inputs() {
            break;
        }
        let first = u16::try_from(mutator.rng.below(65_536)).unwrap();
        let packets: Vec<_> =
            (0..PACKETS).map(|n| media_of(first.wrapping_add(n), u32::from(n) * 960, 1 + mutator.pick(60))).collect();
        let mut config = RedEncoderConfig::default();
        (config.copies, config.distance) = (mutator.pick(10), 1 + mutator.pick(2));
        let mut encoder = RedEncoder::new(config).unwrap();
        let sent: Vec<_> = packets.iter().map(|packet| encoder.encode(packet)).collect();
        let arrived = mutator.way(&sent, damage(episode));
        let (mut decoder, mut plain) = (RedDecoder::new(RedDecoderConfig::default()), 0);
        let (mut here, mut is_intact) = (BTreeSet::new(), true);
        for Input { packet, damaged } in &arrived {
            let taken = decoder.insert(packet);
            assert!(taken.is_ok() || *damaged, "{taken:?}");
            is_intact &= !damaged;
            while let Some(packet) = decoder.poll() {
                plain += 1;
                let right = packets.contains(&packet);
                assert!(right || !is_intact, "wrong, but from intact bytes: {packet:?}");
                assert!(here.insert(packet.seq().0) || !is_intact, "was there already: {packet:?}");
                tally.wrong += u64::from(!right);
            }
        }
        let stats = decoder.stats();
        tally.recovered += stats.recovered;
        tally.refused += stats.malformed;
        assert_eq!(stats.packets, stats.malformed + stats.duplicates + stats.late + stats.padding + stats.primaries);
        assert_eq!(stats.blocks, stats.recovered + stats.known + stats.unplaced + stats.empty + stats.repairs);
        assert_eq!(plain, stats.primaries + stats.recovered + stats.repairs - stats.overflowed);
    }
    println!("RED: {} mutated inputs, {tally:?}", mutator.mutated);
}

#[test]
fn rtx() {
    let (mut mutator, mut tally) = (Mutator::new(4588), Tally::default());
    let types = vec![
        RtxPayloadType { rtx: PayloadType::new(97), original: MEDIA },
        RtxPayloadType { rtx: PayloadType::new(98), original: RED },
    ];
    for episode in 0.. {
        if mutator.mutated >= inputs() {
            break;
        }
        let (mut sender, mut receiver) = (RtxHistoryConfig::default(), RtxReceiverConfig::default());
        (sender.ssrc, sender.payload_types) = (Some(Ssrc(2)), types.clone());
        (receiver.ssrc, receiver.payload_types) = (Some(SSRC), types.clone());
        let (mut history, mut receiver) = (RtxHistory::new(sender).unwrap(), RtxReceiver::new(receiver).unwrap());
        let packets = media(&mut mutator);
        // Stored packets come doubled and disordered as well, as at a relay.
        for Input { packet, .. } in mutator.way(&packets, 0.0) {
            history.insert(Instant::ZERO, &packet);
        }
        let wanted = packets.iter().map(RtpPacket::seq).chain([SeqNum(mutator.rng.next_u32().to_le_bytes()[0].into())]);
        let answers = wanted.filter_map(|seq| match history.retransmit(Instant::ZERO, seq) {
            Retransmit::Packet(packet) => Some(packet),
            _ => None,
        });
        let answers: Vec<_> = answers.collect();
        for Input { packet, damaged } in mutator.way(&answers, damage(episode)) {
            match receiver.receive(&packet) {
                Ok(Received::Original(original)) => {
                    let right = packets.contains(&original);
                    assert!(damaged || right, "wrong, but from intact bytes: {original:?}");
                    tally.recovered += 1;
                    tally.wrong += u64::from(!right);
                }
                other => {
                    assert!(damaged, "{other:?}");
                    tally.refused += 1;
                }
            }
        }
        let stats = receiver.stats();
        assert_eq!(stats.packets, stats.originals + stats.padding + stats.foreign + stats.malformed);
    }
    println!("RTX: {} mutated inputs, {tally:?}", mutator.mutated);
}

#[test]
fn nack() {
    let mut mutator = Mutator::new(4585);
    let (mut inputs, mut now) = (0, Instant::ZERO);
    while inputs < self::inputs() {
        let mut config = NackConfig::default();
        (config.max_missing, config.reorder_packets) = (1 + mutator.pick(300), u16::from(mutator.rng.bool(0.5)) * 3);
        let mut nack = NackGenerator::new(config).unwrap();
        let mut seq = u16::try_from(mutator.rng.below(65_536)).unwrap();
        for _ in 0..500 {
            now += Duration::from_millis(mutator.rng.below(30));
            seq = match mutator.pick(20) {
                0 => u16::try_from(mutator.rng.below(65_536)).unwrap(),
                1..4 => seq.wrapping_sub(u16::try_from(mutator.pick(40)).unwrap()),
                _ => seq.wrapping_add(u16::try_from(1 + mutator.pick(5)).unwrap()),
            };
            inputs += 1;
            match mutator.pick(8) {
                0 => drop(nack.on_recovered(now, SeqNum(seq))),
                1 => drop(nack.withhold(SeqNum(seq), now + Duration::from_millis(50))),
                _ => drop(nack.insert(now, SeqNum(seq))),
            }
            let may_come = mutator.rng.bool(0.5);
            let asked: Vec<SeqNum> = nack.poll_unless(now, |_| may_come).collect();
            // What was asked for survives the wire, with damage or without.
            for pair in pack(asked.iter().copied()) {
                let damaged = NackPair { blp: pair.blp ^ 1 << mutator.pick(16), ..pair };
                assert!((1..=17).contains(&damaged.seqs().count()));
                assert!(pair.seqs().all(|seq| asked.contains(&seq)));
            }
            assert!(nack.missing() <= config.max_missing);
            assert!(nack.poll_timeout().is_none_or(|next| next > now), "what is due was asked for");
        }
        let stats = nack.stats();
        let spent = stats.arrived_late + stats.recovered + stats.expired + stats.overflowed + stats.forgotten;
        assert_eq!(stats.missing, spent + nack.missing() as u64);
        assert_eq!(nack.take_given_up(), stats.given_up());
    }
    println!("NACK: {inputs} mutated inputs");
}
