//! libwebrtc.

use core::time::Duration;
use std::collections::VecDeque;

use bytes::Bytes;
use peer_webrtc::{GoogCc, GoogCcLimits, GoogCcTrials, HeapUse, Masks, NetEq, NetEqConfig, Ulpfec, VERSION};
use rtc_core::bwe::BandwidthEstimator;
use rtc_core::fec::{FecDecoder, FecEncoder};
use rtc_core::time::Instant;
use rtc_core::{Malformed, PayloadType, RtpPacket, RtpTime, Ssrc};

use crate::memory::Heap;
use crate::subject::{
    BlockCode, Heard, Limits, MakeBlockCode, MakeEstimator, MakePlayer, MakeRepair, PLAYER_RATE, Player, STEREO_RATE,
    Subject,
};

pub(super) fn heap() -> Heap {
    let HeapUse { allocations, live } = HeapUse::now();
    let count = |value| usize::try_from(value).unwrap_or(usize::MAX);
    Heap { allocations: count(allocations), live: count(live) }
}

pub(super) fn estimators() -> Vec<Subject<MakeEstimator>> {
    let with = |trials| -> MakeEstimator { Box::new(move |limits| estimator(limits, trials)) };
    vec![
        Subject::peer("libwebrtc goog_cc v1", VERSION, with(GoogCcTrials::V1)),
        Subject::peer("libwebrtc goog_cc v2", VERSION, with(GoogCcTrials::V2)),
    ]
}

fn estimator(limits: Limits, trials: GoogCcTrials) -> Box<dyn BandwidthEstimator> {
    let Limits { min, start, max } = limits;
    Box::new(GoogCc::new(GoogCcLimits { start, min, max }, trials))
}

/// What moves NetEq along its curve of delay and concealment: highest and least target delay in milliseconds, 0 for none.
const SETTINGS: [(u64, u64); 7] = [(40, 0), (100, 0), (200, 0), (500, 0), (0, 60), (0, 120), (0, 250)];

pub(super) fn players() -> Vec<Subject<MakePlayer>> {
    let with = |stable_playout, [max, min]: [u64; 2]| -> MakePlayer {
        let [max, min] = [max, min].map(Duration::from_millis);
        Box::new(move || Box::new(NetEqPlayer::new(stable_playout, max, min)))
    };
    let mut players = Vec::new();
    for (name, is_stable) in [("libwebrtc NetEq", false), ("libwebrtc NetEq stable", true)] {
        players.push(Subject::peer(name, VERSION, with(is_stable, [0, 0])));
        for (max, min) in SETTINGS {
            let setting = if max > 0 { format!("{name} max {max} ms") } else { format!("{name} min {min} ms") };
            players.push(Subject::peer(&setting, VERSION, with(is_stable, [max, min])).variant());
        }
    }
    players
}

pub(super) fn stereo_players() -> Vec<Subject<MakePlayer>> {
    let with = |stable_playout| -> MakePlayer { Box::new(move || Box::new(StereoNetEq::new(stable_playout))) };
    vec![
        Subject::peer("libwebrtc NetEq", VERSION, with(false)),
        Subject::peer("libwebrtc NetEq stable", VERSION, with(true)),
    ]
}

/// Leaves the samples as they are, as what they are converted to is not its affair.
struct StereoNetEq(NetEq);

impl StereoNetEq {
    fn new(stable_playout: bool) -> Self {
        let mut config = NetEqConfig::default();
        (config.rate, config.channels, config.stable_playout) = (STEREO_RATE, 2, stable_playout);
        Self(NetEq::new(&config).expect("48 kHz stereo is what L16 is decoded at"))
    }
}

impl Player for StereoNetEq {
    fn insert(&mut self, now: Instant, packet: &RtpPacket) {
        self.0.insert(now, packet.seq().0, packet.timestamp(), packet.payload());
    }

    fn pull(&mut self, now: Instant, out: &mut [f32]) -> Heard {
        let samples = self.0.pull(now).map(|frame| frame.samples);
        // One of them tells whether it does the same again.
        if let (Some(slot), Some(sample)) = (out.first_mut(), samples.and_then(|samples| samples.first())) {
            *slot = f32::from(*sample);
        }
        Heard::default()
    }
}

struct NetEqPlayer {
    neteq: NetEq,
    concealed: u64,
}

impl NetEqPlayer {
    fn new(stable_playout: bool, max_delay: Duration, min_delay: Duration) -> Self {
        let mut config = NetEqConfig::default();
        (config.rate, config.stable_playout) = (PLAYER_RATE, stable_playout);
        (config.max_delay, config.min_delay) = (max_delay, min_delay);
        Self { neteq: NetEq::new(&config).expect("16 kHz mono is what L16 is decoded at"), concealed: 0 }
    }
}

impl Player for NetEqPlayer {
    fn insert(&mut self, now: Instant, packet: &RtpPacket) {
        self.neteq.insert(now, packet.seq().0, packet.timestamp(), packet.payload());
    }

    fn pull(&mut self, now: Instant, out: &mut [f32]) -> Heard {
        let mut position = None;
        out.fill(0.0);
        if let Some(frame) = self.neteq.pull(now) {
            let length = u32::try_from(frame.samples.len()).unwrap_or(0);
            position = frame.end.map(|end| RtpTime(end.0.wrapping_sub(length)));
            for (to, from) in out.iter_mut().zip(frame.samples) {
                *to = f32::from(*from) / 32_768.0;
            }
        }
        let concealed = self.neteq.stats().concealed_samples;
        let new = concealed.saturating_sub(core::mem::replace(&mut self.concealed, concealed));
        Heard { position, concealed: usize::try_from(new).unwrap_or(usize::MAX) }
    }
}

pub(super) fn block_codes() -> Vec<Subject<MakeBlockCode>> {
    let make: MakeBlockCode = Box::new(|source, repair| {
        let possible = source <= Ulpfec::MAX_BLOCK && repair <= source;
        possible.then(|| Box::<Block>::default() as Box<dyn BlockCode>)
    });
    vec![Subject::peer("libwebrtc ULPFEC", VERSION, make)]
}

/// Made when the SSRC is known: the decoder writes it into what it brings back.
#[derive(Default)]
struct Block(Option<Ulpfec>);

impl BlockCode for Block {
    fn encode(&mut self, source: &[RtpPacket], repair: usize) {
        let Some(first) = source.first() else { return };
        let fec = self.0.get_or_insert_with(|| Ulpfec::new(first.ssrc().0));
        fec.encode(source.iter().map(AsRef::as_ref), repair, Masks::Random);
    }

    fn decode(&mut self, source: &[RtpPacket], kept: &[bool], repair_kept: usize) -> usize {
        let (Some(fec), Some(last)) = (&mut self.0, source.last()) else { return 0 };
        fec.reset();
        for (packet, _) in source.iter().zip(kept).filter(|&(_, &kept)| kept) {
            fec.receive_source(packet.seq().0, packet.as_ref());
        }
        let (mut sequence, mut index) = (last.seq(), 0);
        while index < repair_kept && fec.forward_repair(index, sequence.next().0) {
            (sequence, index) = (sequence.next(), index + 1);
        }
        let mut recovered = 0;
        while let Some(packet) = fec.poll_recovered() {
            recovered += usize::from(source.iter().any(|original| packet == original.as_ref()));
        }
        recovered
    }
}

pub(super) fn repairs() -> Vec<Subject<MakeRepair>> {
    let make: MakeRepair = Box::new(|rate| {
        // The encoder takes the SSRC from the packets.
        let sender = Sender { fec: Ulpfec::new(0), rate, credit: 0.0, block: Vec::new(), due: VecDeque::new() };
        (Box::new(sender), Box::<Receiver>::default())
    });
    vec![Subject::peer("libwebrtc ULPFEC", VERSION, make)]
}

/// Packets protected together: a video frame of 1 Mb/s at 10 frames per second.
const BLOCK: usize = 10;
const REPAIR: PayloadType = PayloadType::new(127);

struct Sender {
    fec: Ulpfec,
    rate: f64,
    credit: f64,
    block: Vec<RtpPacket>,
    due: VecDeque<RtpPacket>,
}

impl FecEncoder for Sender {
    fn protect(&mut self, packet: &RtpPacket) {
        self.block.push(packet.clone());
        self.credit += self.rate;
        if self.block.len() < BLOCK {
            return;
        }
        let repair = (0..BLOCK).take_while(|&repair| repair as f64 + 0.5 <= self.credit).count();
        self.credit -= repair as f64;
        let made = self.fec.encode(self.block.iter().map(AsRef::as_ref), repair, Masks::Random).unwrap_or(0);
        let mut sequence = packet.seq();
        for payload in (0..made).filter_map(|index| self.fec.repair(index)) {
            sequence = sequence.next();
            // The decoder expects numbers that follow the block's.
            let repair = RtpPacket::builder(REPAIR, sequence, packet.timestamp(), other_ssrc(packet.ssrc()));
            self.due.extend(repair.build(payload));
        }
        self.block.clear();
    }

    fn poll_repair(&mut self) -> Option<RtpPacket> {
        self.due.pop_front()
    }
}

#[derive(Default)]
struct Receiver(Option<Ulpfec>);

impl FecDecoder for Receiver {
    fn insert_source(&mut self, packet: &RtpPacket) {
        let fec = self.0.get_or_insert_with(|| Ulpfec::new(packet.ssrc().0));
        fec.receive_source(packet.seq().0, packet.as_ref());
    }

    fn insert_repair(&mut self, packet: &RtpPacket) -> Result<(), Malformed> {
        let fec = self.0.get_or_insert_with(|| Ulpfec::new(other_ssrc(packet.ssrc()).0));
        fec.receive_repair(packet.seq().0, packet.payload());
        Ok(())
    }

    fn poll_recovered(&mut self) -> Option<RtpPacket> {
        RtpPacket::parse(Bytes::copy_from_slice(self.0.as_mut()?.poll_recovered()?)).ok()
    }
}

/// Of repair packets by that of the media, and the other way.
fn other_ssrc(ssrc: Ssrc) -> Ssrc {
    Ssrc(!ssrc.0)
}

#[cfg(test)]
mod tests {
    use rtc_core::SeqNum;

    use super::*;

    fn block() -> Vec<RtpPacket> {
        let packet = |seq: u8| {
            let packet = RtpPacket::builder(PayloadType::new(96), SeqNum(seq.into()), RtpTime(9), Ssrc(77));
            packet.build(&[seq; 50]).unwrap()
        };
        (0..10).map(packet).collect()
    }

    #[test]
    fn a_lost_packet_of_a_block_comes_back_whole() {
        let (block, mut code) = (block(), Block::default());
        let mut kept = vec![true; 10];
        kept[4] = false;
        code.encode(&block, 2);
        assert_eq!((code.decode(&block, &kept, 2), code.decode(&block, &kept, 0)), (1, 0));
    }

    #[test]
    fn a_lost_packet_of_a_stream_comes_back_whole() {
        let (mut sender, mut receiver) = (repairs().remove(0).maker.unwrap())(0.2);
        for packet in block() {
            sender.protect(&packet);
            if packet.seq() != SeqNum(0) {
                receiver.insert_source(&packet);
            }
        }
        let repairs: Vec<_> = core::iter::from_fn(|| sender.poll_repair()).collect();
        assert_eq!(repairs.len(), 2);
        repairs.iter().for_each(|repair| receiver.insert_repair(repair).unwrap());
        assert_eq!(receiver.poll_recovered().as_ref(), block().first());
    }
}
