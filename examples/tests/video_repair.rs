//! Video that is protected and asked for: repair packets inside RED, requests for what they will not bring, retransmissions, and
//! a key frame where all of that is in vain. Each part is told only what the others say of themselves.

use core::time::Duration;
use std::collections::VecDeque;

use rtc_core::bwe::Ecn;
use rtc_core::fec::FecDecoder;
use rtc_core::testkit::netem::{Loss, Netem, NetemConfig, Outage};
use rtc_core::time::Instant;
use rtc_core::{DataSize, PayloadType, RtpPacket, RtpTime, SeqNum, Ssrc};
use rtc_fec::keyframe::{KeyframeConfig, KeyframeRequester, KeyframeStats};
use rtc_fec::nack::{NackConfig, NackGenerator, NackStats};
use rtc_fec::red::{RedDecoder, RedDecoderConfig};
use rtc_fec::rtx::{
    Received, Retransmit, RtxHistory, RtxHistoryConfig, RtxPayloadType, RtxReceiver, RtxReceiverConfig,
};
use rtc_fec::ulpfec::{Pattern, Protection, UlpfecDecoder, UlpfecDecoderConfig, UlpfecEncoderConfig, UlpfecInRed};

const VIDEO: PayloadType = PayloadType::new(96);
const RED: PayloadType = PayloadType::new(100);
const RTX: PayloadType = PayloadType::new(97);
const ULPFEC: PayloadType = PayloadType::new(127);
/// Packets of a frame, 30 of which a second are sent.
const PACKETS: usize = 6;
/// All of them, a bit for each.
const WHOLE: u8 = (1 << PACKETS) - 1;
const FRAMES: u32 = 600;
const STEP: Duration = Duration::from_millis(1);

/// What the receiver tells the sender.
#[derive(Debug, Clone, Copy)]
enum Word {
    Again(SeqNum),
    Picture,
}

struct Sender {
    red: UlpfecInRed,
    history: RtxHistory,
    /// What is to leave, a packet each 4 ms: repair packets come when the last packet of media was missed for long.
    waiting: VecDeque<RtpPacket>,
    next_seq: SeqNum,
    key_frame: bool,
}

impl Sender {
    /// Sends a frame: its number is the time, its first byte whether it is a key frame.
    fn frame(&mut self, frame: u32) {
        let key = core::mem::take(&mut self.key_frame);
        for place in 0..PACKETS {
            let packet = RtpPacket::builder(VIDEO, self.next_seq, RtpTime(frame * 3_000), Ssrc(7));
            let mut payload = [0; 900];
            (payload[0], payload[1]) = (u8::from(key), 1 << place);
            let packet = packet.marker(place + 1 == PACKETS).build(&payload).expect("it fits");
            self.next_seq = self.next_seq.next();
            self.red.insert(&packet);
        }
        self.red.flush();
        self.waiting.extend(core::iter::from_fn(|| self.red.poll()));
    }

    fn leave(&mut self, now: Instant, network: &mut Netem<RtpPacket>) {
        if let Some(packet) = self.waiting.pop_front() {
            self.history.insert(now, &packet);
            network.send(now, DataSize::of(packet.as_bytes()), Ecn::NotEct, packet);
        }
    }

    fn hear(&mut self, now: Instant, word: Word, network: &mut Netem<RtpPacket>) {
        match word {
            Word::Picture => self.key_frame = true,
            Word::Again(seq) => {
                if let Retransmit::Packet(packet) = self.history.retransmit(now, seq) {
                    network.send(now, DataSize::of(packet.as_bytes()), Ecn::NotEct, packet);
                }
            }
        }
    }
}

struct Receiver {
    rtx: RtxReceiver,
    red: RedDecoder,
    fec: UlpfecDecoder,
    nack: NackGenerator,
    keyframes: KeyframeRequester,
    /// Of each frame, which packets are here, and whether it is a key frame.
    frames: Vec<(u8, bool)>,
    /// The next frame to decode, and how many were.
    next: usize,
    decoded: usize,
}

impl Receiver {
    fn receive(&mut self, now: Instant, packet: &RtpPacket) {
        let packet = if packet.payload_type() == RTX {
            let Ok(Received::Original(original)) = self.rtx.receive(packet) else { return };
            self.nack.on_recovered(now, original.seq());
            original
        } else {
            self.nack.insert(now, packet.seq());
            packet.clone()
        };
        self.red.insert(&packet).expect("nothing is damaged");
        while let Some(plain) = self.red.poll() {
            if plain.payload_type() == ULPFEC {
                self.fec.insert_repair(&plain).expect("nothing is damaged");
            } else {
                self.fec.insert_source(&plain);
                self.media(&plain);
            }
        }
        while let Some(recovered) = self.fec.poll_recovered() {
            self.nack.on_recovered(now, recovered.seq());
            self.media(&recovered);
        }
        self.decode(now);
    }

    fn media(&mut self, packet: &RtpPacket) {
        let frame = usize::try_from(packet.timestamp().0 / 3_000).expect("small");
        // What error correction brought may come once more as a retransmission.
        self.frames[frame] = (self.frames[frame].0 | packet.payload()[1], packet.payload()[0] == 1);
    }

    /// Decodes what is whole, in order; a key frame that is whole makes what came before it unimportant.
    fn decode(&mut self, now: Instant) {
        if let Some(key) = (self.next..self.frames.len()).rev().find(|at| self.frames[*at] == (WHOLE, true)) {
            self.next = key;
            self.keyframes.on_keyframe();
        }
        while self.frames.get(self.next).is_some_and(|(packets, _)| *packets == WHOLE) {
            self.next += 1;
            self.decoded += 1;
            self.keyframes.on_decoded();
        }
        let given_up = self.nack.take_given_up();
        self.keyframes.on_given_up(now, given_up);
    }

    /// What to tell the sender.
    fn words(&mut self, now: Instant, patient: bool) -> Vec<Word> {
        let fec = &self.fec;
        let mut words: Vec<_> =
            self.nack.poll_unless(now, |seq| patient && fec.outlook(seq).may_come()).map(Word::Again).collect();
        words.extend(self.keyframes.poll(now).map(|_| Word::Picture));
        words
    }
}

fn ends() -> (Sender, Receiver) {
    let types = vec![RtxPayloadType { rtx: RTX, original: RED }];
    let mut protection = UlpfecEncoderConfig::default();
    protection.payload_type = ULPFEC;
    protection.protection = Protection::even(PACKETS, 2).expect("possible").with_pattern(Pattern::Crossed);
    let (mut history, mut rtx, mut red) =
        (RtxHistoryConfig::default(), RtxReceiverConfig::default(), RedDecoderConfig::default());
    (history.payload_types, rtx.payload_types) = (types.clone(), types);
    (red.payload_type, red.repair) = (RED, Some(ULPFEC));
    let mut fec = UlpfecDecoderConfig::default();
    fec.payload_type = ULPFEC;
    let sender = Sender {
        red: UlpfecInRed::new(protection, RED).expect("possible"),
        history: RtxHistory::new(history).expect("possible"),
        waiting: VecDeque::new(),
        next_seq: SeqNum(65_000),
        key_frame: true,
    };
    let receiver = Receiver {
        rtx: RtxReceiver::new(rtx).expect("possible"),
        red: RedDecoder::new(red),
        fec: UlpfecDecoder::new(fec).expect("possible"),
        nack: NackGenerator::new(NackConfig::default()).expect("possible"),
        keyframes: KeyframeRequester::new(KeyframeConfig::default()).expect("possible"),
        frames: vec![(0, false); usize::try_from(FRAMES).expect("small")],
        next: 0,
        decoded: 0,
    };
    (sender, receiver)
}

/// Frames decoded, of [`FRAMES`], and what was asked for.
fn run(loss: f64, outage: Option<Outage>, patient: bool) -> (usize, NackStats, KeyframeStats) {
    let mut config = NetemConfig::default();
    (config.loss, config.delay) = (Loss::Bernoulli(loss), Duration::from_millis(30));
    let mut back = Netem::new(config.clone(), 2).expect("possible");
    config.outages.extend(outage);
    let mut there = Netem::new(config, 1).expect("possible");
    let (mut sender, mut receiver) = ends();
    let (mut now, mut frame) = (Instant::ZERO, 0);
    while now < Instant::from_millis(u64::from(FRAMES) * 33 + 1_000) {
        if frame < FRAMES && now >= Instant::from_millis(u64::from(frame) * 33) {
            sender.frame(frame);
            frame += 1;
        }
        if (now - Instant::ZERO).as_millis().is_multiple_of(4) {
            sender.leave(now, &mut there);
        }
        while let Some(delivery) = there.poll(now) {
            receiver.receive(now, &delivery.item);
        }
        for word in receiver.words(now, patient) {
            back.send(now, DataSize::from_bytes(60), Ecn::NotEct, word);
        }
        while let Some(delivery) = back.poll(now) {
            sender.hear(now, delivery.item, &mut there);
        }
        now += STEP;
    }
    (receiver.decoded, receiver.nack.stats(), receiver.keyframes.stats())
}

/// What the repair packets bring is not asked for, and what they do not is.
#[test]
fn requests_wait_for_error_correction_and_nothing_is_missing() {
    let (patient, impatient) = (run(0.05, None, true), run(0.05, None, false));
    assert_eq!((patient.0, impatient.0), (600, 600), "{patient:?} {impatient:?}");
    assert!(patient.1.put_off > 0 && patient.1.requests * 2 < impatient.1.requests, "{patient:?} {impatient:?}");
    assert_eq!((patient.2.pli, impatient.2.pli), (0, 0));
}

/// A second in which nothing arrives is more than can be asked for in time: a key frame is, and comes.
#[test]
fn what_cannot_be_repaired_ends_with_a_key_frame() {
    let outage = Outage { from: Duration::from_secs(5), length: Duration::from_millis(1_500) };
    let (decoded, nack, keyframes) = run(0.05, Some(outage), true);
    assert!(nack.given_up() > 0 && keyframes.pli > 0 && keyframes.answered > 0, "{nack:?} {keyframes:?}");
    // 45 frames fell into the outage, and the next key frame took a few round trips and the patience of both.
    assert!((500..=555).contains(&decoded), "{decoded} {nack:?} {keyframes:?}");
}
