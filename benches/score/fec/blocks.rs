//! Codes over a block: what they bring back, and what that costs.

use core::hint::black_box;

use rtc_core::fec::{FecDecoder, FecEncoder};
use rtc_core::testkit::rng::Rng;
use rtc_core::{ConfigError, PayloadType, RtpPacket, RtpTime, SeqNum, Ssrc};
use rtc_fec::ulpfec::{Pattern, Protection, UlpfecDecoder, UlpfecDecoderConfig, UlpfecEncoder, UlpfecEncoderConfig};

use super::method::MEDIA;
use super::scenarios::BLOCK_PACKET;
use crate::cost::measure;
use crate::report::{Metric, Report, Setting};
use crate::subject::{BlockCode, MakeBlockCode, Subject};

const ROUNDS: u32 = 9;
/// Blocks between two readings of the clock.
const BATCH: u32 = 200;

/// Which of a block arrive.
struct Arrival {
    kept: Vec<bool>,
    repair: usize,
}

/// Ours; no code recovers from any `source` packets of a block yet, so it recovers what ULPFEC can.
pub(super) fn ours() -> Subject<MakeBlockCode> {
    Subject::ours(Box::new(|source, repair| {
        Ulpfec::new(source, repair).ok().map(|code| Box::new(code) as Box<dyn BlockCode>)
    }))
}

/// Adds what `subject` does with blocks of `source` and `repair` packets.
pub(super) fn add(
    report: &mut Report,
    setting: &Setting,
    subject: &Subject<MakeBlockCode>,
    source: usize,
    repair: usize,
) -> Result<(), ConfigError> {
    let Some(make) = report.admit(subject) else { return Ok(()) };
    let Some(mut code) = make(source, repair) else {
        report.note(&subject.name, &format!("no block of {source} + {repair}"));
        return Ok(());
    };
    let packets = block(source)?;
    let arrivals: Vec<Arrival> = (0..setting.seeds * 20).map(|seed| arrival(seed, source, repair)).collect();
    let (mut recovered, mut lost) = (0, 0);
    for arrival in &arrivals {
        code.encode(&packets, repair);
        lost += arrival.kept.iter().filter(|kept| !**kept).count();
        recovered += code.decode(&packets, &arrival.kept, arrival.repair);
    }
    let encode = measure(ROUNDS, || {
        (0..BATCH).for_each(|_| black_box(&mut *code).encode(black_box(&packets), repair));
        BATCH.into()
    });
    let mut turn = arrivals.iter().cycle();
    let decode = measure(ROUNDS, || {
        for arrival in turn.by_ref().take(BATCH as usize) {
            black_box(code.decode(black_box(&packets), &arrival.kept, arrival.repair));
        }
        BATCH.into()
    });
    let name = &subject.name;
    report.add(setting, name, Metric("recovered", "% of lost"), 100.0 * recovered as f64 / f64::max(lost as f64, 1.0));
    report.add(setting, name, Metric("encode cpu", "us/block"), encode.nanos / 1e3);
    report.add(setting, name, Metric("decode cpu", "us/block"), decode.nanos / 1e3);
    if subject.counted {
        report.add(setting, name, Metric("encode allocations", "per block"), encode.allocations);
        report.add(setting, name, Metric("decode allocations", "per block"), decode.allocations);
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
}
