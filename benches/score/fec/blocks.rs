//! Codes over a block: what they bring back, and what that costs.

use core::hint::black_box;

use rtc_core::fec::{FecDecoder, FecEncoder};
use rtc_core::testkit::rng::Rng;
use rtc_core::{ConfigError, PayloadType, RtpPacket, RtpTime, SeqNum, Ssrc};
use rtc_fec::backends;
use rtc_fec::cauchy::{Block, CauchyEncoder, CauchyEncoderConfig};
use rtc_fec::rlc::{RlcDecoder, RlcDecoderConfig, RlcEncoder, RlcEncoderConfig};
use rtc_fec::ulpfec::{Pattern, Protection, UlpfecDecoder, UlpfecDecoderConfig, UlpfecEncoder, UlpfecEncoderConfig};

use super::method::MEDIA;
use super::scenarios::BLOCK_PACKET;
use crate::Options;
use crate::cost::{Cost, Meter, measure};
use crate::report::{Metric, Report, Setting, Target};
use crate::subject::{BlockCode, MakeBlockCode, Subject};

const ROUNDS: u32 = 9;
/// Blocks between two readings of the clock.
const BATCH: u32 = 200;
/// What is ours: ULPFEC, which recovers what it can, and the codes that recover a block from any `source` packets of it, one
/// for blocks and one for a window that slides.
const ULPFEC: &str = "ours";
const CAUCHY: &str = "ours-cauchy";
/// The same with the instructions that the target is set for, though the processor may have faster ones.
const CAUCHY_AVX2: &str = "ours-cauchy-avx2";
const RLC: &str = "ours-rlc";
/// Name of a backend of the sums.
const AVX2: &str = "avx2";
/// Whose ULPFEC ours is held against.
const LIBWEBRTC: &str = "libwebrtc";

/// Which of a block arrive.
struct Arrival {
    kept: Vec<bool>,
    repair: usize,
}

/// What a code did.
struct Figures {
    /// Of what was lost.
    recovered: f64,
    encode: Cost,
    decode: Cost,
}

pub(super) fn ours() -> Vec<Subject<MakeBlockCode>> {
    let ulpfec: MakeBlockCode =
        Box::new(|source, repair| Ulpfec::new(source, repair).ok().map(|code| Box::new(code) as Box<dyn BlockCode>));
    let cauchy = || -> MakeBlockCode {
        Box::new(|source, repair| Cauchy::new(source, repair).ok().map(|code| Box::new(code) as Box<dyn BlockCode>))
    };
    let rlc: MakeBlockCode =
        Box::new(|source, _| Rlc::new(source).ok().map(|code| Box::new(code) as Box<dyn BlockCode>));
    let named = |name: &str, maker| Subject { name: name.into(), ..Subject::ours(maker) };
    let mut ours = vec![named(ULPFEC, ulpfec), named(CAUCHY, cauchy())];
    if backends::available().any(|backend| backend == AVX2) {
        ours.push(named(CAUCHY_AVX2, cauchy()));
    }
    ours.push(named(RLC, rlc));
    ours
}

/// Adds what `codes` do with blocks of `source` and `repair` packets.
pub(super) fn add(
    report: &mut Report,
    setting: &Setting,
    codes: &[Subject<MakeBlockCode>],
    (source, repair): (usize, usize),
) -> Result<(), ConfigError> {
    let packets = block(source)?;
    let arrivals: Vec<Arrival> = (0..setting.seeds * 20).map(|seed| arrival(seed, source, repair)).collect();
    let mut measured = Vec::new();
    for subject in codes {
        let Some(make) = report.admit(subject) else { continue };
        match make(source, repair) {
            Some(mut code) => {
                backends::choose((subject.name == CAUCHY_AVX2).then_some(AVX2))?;
                measured.push((subject, run(&mut *code, &packets, &arrivals, repair)));
                backends::choose(None)?;
            }
            None => report.note(&subject.name, &format!("no block of {source} + {repair}")),
        }
    }
    let peer = measured.iter().find(|(subject, _)| subject.name.starts_with(LIBWEBRTC));
    let half = peer.map(|(_, figures)| [figures.encode, figures.decode].map(|cost| cost.nanos / 2e3));
    for (subject, figures) in &measured {
        let name = &subject.name;
        let [encode_target, decode_target] = targets(name, source, half);
        report.add(setting, name, Metric("recovered", "% of lost"), figures.recovered);
        let micros = |cost: Cost| cost.nanos / 1e3;
        report.add_judged(setting, name, Metric("encode cpu", "us/block"), micros(figures.encode), encode_target);
        report.add_judged(setting, name, Metric("decode cpu", "us/block"), micros(figures.decode), decode_target);
        if subject.counted {
            report.add(setting, name, Metric("encode allocations", "per block"), figures.encode.allocations);
            report.add(setting, name, Metric("decode allocations", "per block"), figures.decode.allocations);
        }
    }
    Ok(())
}

/// What encoding and decoding may cost; `half` is half of what it costs libwebrtc in the same run.
fn targets(name: &str, source: usize, half: Option<[f64; 2]>) -> [Option<Target>; 2] {
    match (name, source) {
        (ULPFEC, 10) => half.map_or([None; 2], |half| half.map(|half| Some(Target::AtMost(half)))),
        (CAUCHY | CAUCHY_AVX2, 10) => [2.0, 4.0].map(|micros| Some(Target::AtMost(micros))),
        (CAUCHY | CAUCHY_AVX2, 48) => [None, Some(Target::AtMost(100.0))],
        _ => [None; 2],
    }
}

fn run(code: &mut dyn BlockCode, packets: &[RtpPacket], arrivals: &[Arrival], repair: usize) -> Figures {
    let (mut recovered, mut lost) = (0, 0);
    for arrival in arrivals {
        code.encode(packets, repair);
        lost += arrival.kept.iter().filter(|kept| !**kept).count();
        recovered += code.decode(packets, &arrival.kept, arrival.repair);
    }
    let encode = measure(ROUNDS, || {
        (0..BATCH).for_each(|_| black_box(&mut *code).encode(black_box(packets), repair));
        BATCH.into()
    });
    let mut turn = arrivals.iter().cycle();
    let decode = measure(ROUNDS, || {
        for arrival in turn.by_ref().take(BATCH as usize) {
            black_box(code.decode(black_box(packets), &arrival.kept, arrival.repair));
        }
        BATCH.into()
    });
    Figures { recovered: 100.0 * recovered as f64 / f64::max(lost as f64, 1.0), encode, decode }
}

/// Adds what the exclusive or of packets costs, as ULPFEC does it: one repair packet for 48 packets, of which one is lost.
pub(super) fn add_xor(options: &Options, report: &mut Report) -> Result<(), ConfigError> {
    const GROUP: usize = 48;
    /// 576 kB: more than fits the first cache, less than fits the second.
    const GROUPS: usize = 10;
    let scenario = format!("xor-{BLOCK_PACKET}");
    if !options.wants_scenario(&scenario) || !options.wants_subject(ULPFEC) {
        return Ok(());
    }
    let input = format!("{GROUPS} groups of {GROUP} packets of {BLOCK_PACKET} B and 1 repair packet, over and over");
    let setting = Setting { scenario, input, seeds: 1 };
    let packets = block(GROUP * GROUPS)?;
    let mut config = UlpfecEncoderConfig::default();
    config.protection = Protection::even(GROUP, 1)?;
    let mut encoder = UlpfecEncoder::new(config)?;
    let mut repairs = Vec::new();
    let protect = measure(ROUNDS, || {
        for _ in 0..20 {
            repairs.clear();
            for packet in &packets {
                encoder.protect(black_box(packet));
                repairs.extend(encoder.poll_repair());
            }
        }
        20 * packets.len() as u64
    });
    let mut recovered = 0;
    let mut recover = Cost { nanos: f64::INFINITY, allocations: 0.0 };
    for _ in 0..ROUNDS {
        let mut meter = Meter::default();
        for (group, repair) in packets.chunks(GROUP).zip(&repairs).cycle().take(20 * GROUPS) {
            // Anew, as the same numbers come again; what is measured is the recovery.
            let mut decoder = UlpfecDecoder::new(UlpfecDecoderConfig::default())?;
            group[1..].iter().for_each(|packet| decoder.insert_source(packet));
            let packet = meter.run(|| {
                let _ = decoder.insert_repair(black_box(repair));
                decoder.poll_recovered()
            });
            recovered += u64::from(packet.as_ref() == group.first());
        }
        let cost = meter.per(20 * packets.len() as u64);
        recover = Cost { nanos: recover.nanos.min(cost.nanos), ..cost };
    }
    assert_eq!(recovered, u64::from(ROUNDS) * 20 * GROUPS as u64, "each group's first comes back");
    for (what, speed, cost) in [("protect cpu", "protect speed", protect), ("recover cpu", "recover speed", recover)] {
        report.add_targeted(&setting, Metric(what, "ns/packet"), cost.nanos, Target::AtMost(60.0));
        let speed = Metric(speed, "GB/s");
        report.add_targeted(&setting, speed, BLOCK_PACKET as f64 / cost.nanos, Target::AtLeast(20.0));
    }
    Ok(())
}

/// Of source and repair packets together, as many as there are source packets, by chance. Of repair packets the first ones:
/// to a code they are all alike.
fn arrival(seed: u64, source: usize, repair: usize) -> Arrival {
    let mut rng = Rng::new(seed);
    let mut all: Vec<usize> = (0..source + repair).collect();
    for place in (1..all.len()).rev() {
        let other = usize::try_from(rng.below(place as u64 + 1)).unwrap_or(place);
        all.swap(place, other);
    }
    let arrived = &all[..source];
    Arrival {
        kept: (0..source).map(|packet| arrived.contains(&packet)).collect(),
        repair: arrived.iter().filter(|packet| **packet >= source).count(),
    }
}

fn block(source: usize) -> Result<Vec<RtpPacket>, ConfigError> {
    let mut rng = Rng::new(1);
    let mut payload = vec![0; BLOCK_PACKET - 12];
    let packet = |number: usize| {
        rng.fill(&mut payload);
        #[expect(clippy::cast_possible_truncation, reason = "a block is small")]
        let sequence = SeqNum(65_530_u16.wrapping_add(number as u16));
        RtpPacket::builder(MEDIA, sequence, RtpTime(90_000), Ssrc(7)).build(&payload)
    };
    (0..source).map(packet).collect()
}

struct Ulpfec {
    protection: Protection,
    encoder: UlpfecEncoder,
    repair: Vec<RtpPacket>,
}

impl Ulpfec {
    fn new(source: usize, repair: usize) -> Result<Self, ConfigError> {
        let mut config = UlpfecEncoderConfig::default();
        config.protection = Protection::even(source, repair)?.with_pattern(Pattern::Crossed);
        config.payload_type = PayloadType::new(127);
        Ok(Self { protection: config.protection, encoder: UlpfecEncoder::new(config)?, repair: Vec::new() })
    }
}

impl BlockCode for Ulpfec {
    fn encode(&mut self, source: &[RtpPacket], repair: usize) {
        debug_assert_eq!((source.len(), repair), (self.protection.media(), self.protection.repair()));
        self.repair.clear();
        // The same numbers again are duplicates within a group; a flush ends it.
        self.encoder.flush();
        source.iter().for_each(|packet| self.encoder.protect(packet));
        self.repair.extend(core::iter::from_fn(|| self.encoder.poll_repair()));
    }

    fn decode(&mut self, source: &[RtpPacket], kept: &[bool], repair_kept: usize) -> usize {
        let Ok(mut decoder) = UlpfecDecoder::new(UlpfecDecoderConfig::default()) else { return 0 };
        source.iter().zip(kept).filter(|(_, kept)| **kept).for_each(|(packet, _)| decoder.insert_source(packet));
        for repair in self.repair.iter().take(repair_kept) {
            let _ = decoder.insert_repair(repair);
        }
        let recovered = core::iter::from_fn(|| decoder.poll_recovered());
        recovered.filter(|packet| source.contains(packet)).count()
    }
}

struct Cauchy {
    encoder: CauchyEncoder,
    decoder: RlcDecoder,
    repair: Vec<RtpPacket>,
}

impl Cauchy {
    fn new(source: usize, repair: usize) -> Result<Self, ConfigError> {
        let mut config = CauchyEncoderConfig::default();
        config.block = Block::new(source, repair)?;
        let decoder = RlcDecoder::new(RlcDecoderConfig::default())?;
        Ok(Self { encoder: CauchyEncoder::new(config)?, decoder, repair: Vec::new() })
    }
}

impl BlockCode for Cauchy {
    fn encode(&mut self, source: &[RtpPacket], _: usize) {
        self.repair.clear();
        source.iter().for_each(|packet| self.encoder.protect(packet));
        self.repair.extend(core::iter::from_fn(|| self.encoder.poll_repair()));
    }

    fn decode(&mut self, source: &[RtpPacket], kept: &[bool], repair_kept: usize) -> usize {
        decode(&mut self.decoder, source, kept, &self.repair[..repair_kept])
    }
}

struct Rlc {
    encoder: RlcEncoder,
    decoder: RlcDecoder,
    repair: Vec<RtpPacket>,
}

impl Rlc {
    fn new(source: usize) -> Result<Self, ConfigError> {
        let mut config = RlcEncoderConfig::default();
        config.window = source;
        let decoder = RlcDecoder::new(RlcDecoderConfig::default())?;
        Ok(Self { encoder: RlcEncoder::new(config)?, decoder, repair: Vec::new() })
    }
}

impl BlockCode for Rlc {
    fn encode(&mut self, source: &[RtpPacket], repair: usize) {
        self.repair.clear();
        if let Some(last) = source.last() {
            self.encoder.release(last.seq());
        }
        source.iter().for_each(|packet| self.encoder.protect(packet));
        self.repair.extend((0..repair).filter_map(|_| self.encoder.repair()));
    }

    fn decode(&mut self, source: &[RtpPacket], kept: &[bool], repair_kept: usize) -> usize {
        decode(&mut self.decoder, source, kept, &self.repair[..repair_kept])
    }
}

/// The same numbers come again, so the decoder forgets them.
fn decode(decoder: &mut RlcDecoder, source: &[RtpPacket], kept: &[bool], repair: &[RtpPacket]) -> usize {
    decoder.reset();
    source.iter().zip(kept).filter(|(_, kept)| **kept).for_each(|(packet, _)| decoder.insert_source(packet));
    for repair in repair {
        let _ = decoder.insert_repair(repair);
    }
    let recovered = core::iter::from_fn(|| decoder.poll_recovered());
    recovered.filter(|packet| source.contains(packet)).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_many_arrive_as_there_are_source_packets() {
        for seed in 0..50 {
            let Arrival { kept, repair } = arrival(seed, 10, 10);
            assert_eq!(kept.iter().filter(|kept| **kept).count() + repair, 10);
        }
    }

    #[test]
    fn one_lost_of_a_group_comes_back_whole_and_none_without_repair() {
        let packets = block(10).unwrap();
        let mut code = Ulpfec::new(10, 10).unwrap();
        let mut kept = vec![true; 10];
        kept[3] = false;
        for _ in 0..3 {
            code.encode(&packets, 10);
            assert_eq!(code.decode(&packets, &kept, 10), 1);
            assert_eq!(code.decode(&packets, &kept, 0), 0);
        }
    }

    #[test]
    fn any_ten_of_a_block_bring_all_back() {
        let packets = block(10).unwrap();
        let (mut cauchy, mut rlc) = (Cauchy::new(10, 10).unwrap(), Rlc::new(10).unwrap());
        for seed in 0..50 {
            let Arrival { kept, repair } = arrival(seed, 10, 10);
            for code in [&mut cauchy as &mut dyn BlockCode, &mut rlc] {
                code.encode(&packets, 10);
                assert_eq!(code.decode(&packets, &kept, repair), repair);
            }
        }
    }
}
