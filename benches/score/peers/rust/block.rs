//! `reed-solomon-simd` and `raptorq`: block codes over whatever bytes the packets have.

use rtc_core::RtpPacket;

use crate::subject::{BlockCode, MakeBlockCode, Subject};

pub(super) fn codes() -> Vec<Subject<MakeBlockCode>> {
    let reed_solomon: MakeBlockCode = Box::new(|media, repair| {
        let supported = reed_solomon_simd::ReedSolomonEncoder::supports(media, repair);
        supported.then(|| Box::new(ReedSolomon::default()) as Box<dyn BlockCode>)
    });
    let raptorq: MakeBlockCode = Box::new(|_, _| Some(Box::new(RaptorQ::default())));
    vec![Subject::peer("reed-solomon-simd", "3.1", reed_solomon), Subject::peer("raptorq", "2.0", raptorq)]
}

#[derive(Default)]
struct ReedSolomon {
    repair: Vec<Vec<u8>>,
}

impl BlockCode for ReedSolomon {
    fn encode(&mut self, source: &[RtpPacket], repair: usize) {
        self.repair = reed_solomon_simd::encode(source.len(), repair, source).unwrap_or_default();
    }

    fn decode(&mut self, source: &[RtpPacket], kept: &[bool], repair_kept: usize) -> usize {
        let received = source.iter().zip(kept).enumerate().filter(|(_, (_, kept))| **kept);
        let received = received.map(|(index, (packet, _))| (index, packet.as_bytes()));
        let repair = self.repair.iter().take(repair_kept).enumerate();
        let Ok(restored) = reed_solomon_simd::decode(source.len(), self.repair.len(), received, repair) else {
            return 0;
        };
        restored
            .iter()
            .filter(|(index, bytes)| source.get(**index).is_some_and(|packet| packet.as_bytes() == *bytes))
            .count()
    }
}

#[derive(Default)]
struct RaptorQ {
    config: Option<raptorq::ObjectTransmissionInformation>,
    source: Vec<raptorq::EncodingPacket>,
    repair: Vec<raptorq::EncodingPacket>,
}

impl BlockCode for RaptorQ {
    fn encode(&mut self, source: &[RtpPacket], repair: usize) {
        let data: Vec<u8> = source.iter().flat_map(|packet| packet.as_bytes().iter().copied()).collect();
        let symbol = source.first().map_or(0, |packet| packet.as_bytes().len());
        let symbol = u16::try_from(symbol).unwrap_or(u16::MAX);
        let config = raptorq::ObjectTransmissionInformation::new(data.len() as u64, symbol, 1, 1, 1);
        let encoder = raptorq::SourceBlockEncoder::new(0, &config, &data);
        self.source = encoder.source_packets();
        self.repair = encoder.repair_packets(0, u32::try_from(repair).unwrap_or(0));
        self.config = Some(config);
    }

    fn decode(&mut self, source: &[RtpPacket], kept: &[bool], repair_kept: usize) -> usize {
        let Some(config) = &self.config else { return 0 };
        let mut decoder = raptorq::SourceBlockDecoder::new(0, config, config.transfer_length());
        let received = self.source.iter().zip(kept).filter(|(_, kept)| **kept).map(|(packet, _)| packet.clone());
        let packets: Vec<_> = received.chain(self.repair.iter().take(repair_kept).cloned()).collect();
        let Some(data) = decoder.decode(packets) else { return 0 };
        let symbol = usize::from(config.symbol_size()).max(1);
        let wanted = source.iter().zip(kept).zip(data.chunks(symbol)).filter(|((_, kept), _)| !**kept);
        wanted.filter(|((packet, _), bytes)| packet.as_bytes() == bytes).count()
    }
}
