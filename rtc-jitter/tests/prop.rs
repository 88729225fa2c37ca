//! Properties over arbitrary packets, arrivals and pulls.

#![expect(clippy::unwrap_used, reason = "a test ends at the first surprise")]

use core::time::Duration;

use proptest::collection::vec;
use proptest::prelude::*;
use rtc_core::audio::AudioMut;
use rtc_core::codec::{AudioDecoder, AudioFormat};
use rtc_core::jitter::{JitterBuffer, Playout};
use rtc_core::testkit::naive::{Coding, PcmDecoder};
use rtc_core::testkit::strategies::rtp_packet;
use rtc_core::time::Instant;
use rtc_core::{Frequency, Malformed, PayloadType, RtpPacket, RtpTime, SeqNum, Ssrc};
use rtc_jitter::{AudioJitterBuffer, AudioPlayout, JitterConfig, JitterStats, PlayoutConfig, PlayoutStats, Pulled};

const RATE: Frequency = Frequency::KHZ_8;
const PTIME: u32 = 160;

/// What happens to a buffer.
#[derive(Debug, Clone)]
enum Op {
    /// A packet of the stream arrives: which one, counted from the newest of the sender at the time, and its length.
    Arrive {
        back: u16,
        len: usize,
        repaired: bool,
    },
    /// Any packet at all arrives.
    Stranger(RtpPacket),
    /// Time passes, in milliseconds.
    Wait(u64),
    /// Audio is pulled, in samples, or packets are polled.
    Pull(usize),
    /// The least delay is set, in milliseconds.
    MinDelay(u64),
    RepairDelay(Option<u64>),
}

fn op() -> impl Strategy<Value = Op> {
    let len = prop_oneof![8 => Just(160usize), 1 => 0..500usize, 1 => Just(4_000)];
    let back = prop_oneof![6 => Just(0u16), 3 => 0..20u16, 1 => 0..700u16];
    let arrive = (back, len, any::<bool>()).prop_map(|(back, len, repaired)| Op::Arrive { back, len, repaired });
    prop_oneof![
        10 => arrive,
        1 => rtp_packet().prop_map(Op::Stranger),
        8 => (1..40u64).prop_map(Op::Wait),
        1 => (0..3_000u64).prop_map(Op::Wait),
        12 => prop_oneof![Just(80usize), 0..400usize].prop_map(Op::Pull),
        1 => (0..600u64).prop_map(Op::MinDelay),
        1 => proptest::option::of(0..300u64).prop_map(Op::RepairDelay),
    ]
}

/// Operations that pull 10 ms for each 10 ms that pass, so that play-out runs as it would.
fn call() -> impl Strategy<Value = Vec<Op>> {
    let fate = prop_oneof![8 => Just((0u16, 1usize)), 1 => (0..10u16).prop_map(|back| (back, 1)), 1 => Just((0, 0)), 1 => Just((0, 2))];
    vec(fate, 1..150).prop_map(|fates| {
        let mut ops = Vec::new();
        for (back, copies) in fates {
            ops.extend((0..copies).map(|_| Op::Arrive { back, len: 160, repaired: false }));
            ops.extend([Op::Pull(80), Op::Wait(10), Op::Pull(80), Op::Wait(10)]);
        }
        ops
    })
}

/// Where a stream's numbers begin.
#[derive(Debug, Clone, Copy)]
struct Start {
    seq: u16,
    time: u32,
}

/// Packet `n` counted so that none before the first is asked for.
fn packet(start: Start, n: u64, len: usize) -> RtpPacket {
    let seq = SeqNum(start.seq) + u16::try_from(n % 65_536).unwrap();
    let time = RtpTime(start.time) + u32::try_from(n * u64::from(PTIME)).unwrap();
    let payload: Vec<u8> = (0..len as u64).map(|index| (n * 7 + index * 13).to_le_bytes()[0] | 0x80).collect();
    RtpPacket::builder(PayloadType::new(0), seq, time, Ssrc(5)).build(&payload).unwrap()
}

/// Drives `act` with the packets, pulls and times of `ops`; the sender is 1000 packets into its stream at the beginning.
fn drive(start: Start, ops: &[Op], mut act: impl FnMut(Instant, &Op, Option<RtpPacket>)) {
    let begin = Instant::from_millis(100_000);
    let mut now = begin;
    for op in ops {
        let newest = 1_000 + (now.as_millis() - begin.as_millis()) / 20;
        match op {
            Op::Arrive { back, len, .. } => act(now, op, Some(packet(start, newest - u64::from(*back), *len))),
            Op::Stranger(stranger) => act(now, op, Some(stranger.clone())),
            Op::Wait(millis) => now += Duration::from_millis(*millis),
            _ => act(now, op, None),
        }
    }
}

/// Decodes at most 200 ms, conceals with a tone, and claims copies of whatever is asked for.
#[derive(Debug)]
struct Generous(PcmDecoder);

impl AudioDecoder for Generous {
    fn format(&self) -> AudioFormat {
        self.0.format()
    }

    fn decode(&mut self, payload: &[u8], out: AudioMut<'_>) -> Result<usize, Malformed> {
        self.0.decode(payload, out)
    }

    fn conceal(&mut self, mut out: AudioMut<'_>) -> usize {
        out.plane_mut(0).fill(0.1);
        // As if it could make up whole steps of 20 samples only.
        out.samples() / 20 * 20
    }

    fn decode_redundant(&mut self, payload: &[u8], offset: usize, mut out: AudioMut<'_>) -> Option<usize> {
        let len = out.samples().min(offset);
        out.slice_mut(0, len).plane_mut(0).fill(0.2);
        (payload.first()? % 3 == 0).then_some(len)
    }

    fn samples_in(&self, payload: &[u8]) -> Option<usize> {
        self.0.samples_in(payload)
    }
}

fn playout() -> AudioPlayout<Generous> {
    let mut config = PlayoutConfig::default();
    config.jitter.clock = RATE;
    let decoder = PcmDecoder::new(Coding::MuLaw, AudioFormat { rate: RATE, channels: 1 }).unwrap();
    AudioPlayout::new(config, Generous(decoder)).unwrap()
}

fn buffer() -> AudioJitterBuffer {
    let mut config = JitterConfig::default();
    config.clock = RATE;
    AudioJitterBuffer::new(config).unwrap()
}

/// All pulls, all audio, and the counts.
fn play(start: Start, ops: &[Op]) -> (Vec<Pulled>, Vec<f32>, PlayoutStats) {
    let (mut playout, mut pulls, mut heard) = (playout(), Vec::new(), Vec::new());
    drive(start, ops, |now, op, packet| match (op, packet) {
        (Op::Arrive { repaired: true, .. }, Some(packet)) => _ = playout.insert_repaired(now, packet),
        (_, Some(packet)) => _ = playout.insert(now, packet),
        (Op::Pull(len), _) => {
            let mut out = vec![9.0; *len];
            pulls.push(playout.pull(now, AudioMut::mono(&mut out, RATE)));
            heard.extend(out);
        }
        (Op::MinDelay(millis), _) => playout.set_min_delay(Duration::from_millis(*millis)),
        (Op::RepairDelay(millis), _) => playout.set_repair_delay(millis.map(Duration::from_millis)),
        _ => {}
    });
    (pulls, heard, playout.stats())
}

fn packets_balance(stats: &JitterStats) {
    let dropped = stats.packets_duplicate
        + stats.packets_late
        + stats.packets_overflowed
        + stats.packets_foreign
        + stats.packets_flushed
        + stats.packets_skipped
        + stats.packets_undecodable;
    assert_eq!(stats.packets_received, stats.packets_played + stats.packets_buffered + dropped, "{stats:?}");
}

const START: Start = Start { seq: 0, time: 0 };

proptest! {
    #[test]
    fn every_packet_and_every_sample_is_accounted_for(ops in vec(op(), 0..300)) {
        let (pulls, heard, stats) = play(START, &ops);
        packets_balance(&stats.packets);
        prop_assert_eq!(stats.total_samples_received, heard.len() as u64);
        let made = stats.samples_decoded + stats.samples_redundant + stats.concealed_samples + stats.samples_before_start + stats.comfort_noise_samples;
        let cut = stats.removed_samples_for_acceleration + stats.samples_trimmed;
        prop_assert_eq!(
            stats.total_samples_received + stats.samples_buffered + cut,
            made + stats.inserted_samples_for_deceleration
        );
        prop_assert!(stats.silent_concealed_samples <= stats.concealed_samples);
        prop_assert!(heard.iter().all(|sample| sample.abs() <= 1.5), "audio stays in range");
        let concealed: usize = pulls.iter().map(|pulled| pulled.concealed).sum();
        prop_assert!(concealed as u64 <= stats.concealed_samples + stats.inserted_samples_for_deceleration);
    }

    #[test]
    fn media_time_never_goes_back_within_a_stream(ops in vec(op(), 0..300)) {
        let same_stream: Vec<Op> = ops.into_iter().filter(|op| !matches!(op, Op::Stranger(_))).collect();
        let (pulls, _, stats) = play(START, &same_stream);
        prop_assume!(stats.packets.restarts == 0);
        let times: Vec<RtpTime> = pulls.iter().filter_map(|pulled| pulled.timestamp).collect();
        for pair in times.windows(2) {
            prop_assert!(pair[1].distance_from(pair[0]) >= 0, "{:?}", pair);
        }
    }

    #[test]
    fn numbers_near_their_wrap_change_nothing(ops in call()) {
        let shifted = Start { seq: 65_500, time: 0u32.wrapping_sub(1_020 * PTIME) };
        let (pulls, heard, stats) = play(START, &ops);
        let (shifted_pulls, shifted_heard, shifted_stats) = play(shifted, &ops);
        let relative = |pulls: &[Pulled], start: Start| -> Vec<Pulled> {
            let shift = |time: RtpTime| RtpTime(time.0.wrapping_sub(start.time));
            pulls.iter().map(|pulled| { let mut pulled = *pulled; pulled.timestamp = pulled.timestamp.map(shift); pulled }).collect()
        };
        prop_assert_eq!(relative(&pulls, START), relative(&shifted_pulls, shifted));
        prop_assert_eq!(heard, shifted_heard);
        prop_assert_eq!(stats, shifted_stats);
    }

    #[test]
    fn packets_come_out_once_in_order_and_are_accounted_for(ops in vec(op(), 0..300)) {
        let mut buffer = buffer();
        let mut last: Option<SeqNum> = None;
        let mut out_of_order = false;
        let same_stream: Vec<Op> = ops.into_iter().filter(|op| !matches!(op, Op::Stranger(_))).collect();
        drive(START, &same_stream, |now, op, packet| match (op, packet) {
            (Op::Arrive { repaired: true, .. }, Some(packet)) => _ = buffer.insert_repaired(now, packet),
            (_, Some(packet)) => _ = buffer.insert(now, packet),
            (Op::Pull(_), _) => {
                while let Playout::Ready(packet) = buffer.poll(now) {
                    out_of_order |= last.is_some_and(|last| !packet.seq().is_newer_than(last));
                    last = Some(packet.seq());
                }
            }
            _ => {}
        });
        prop_assume!(buffer.stats().restarts == 0);
        prop_assert!(!out_of_order);
        packets_balance(&buffer.stats());
    }

    #[test]
    fn strangers_and_clocks_that_jump_do_no_harm(packets in vec((rtp_packet(), any::<bool>(), any::<u64>()), 0..60)) {
        let (mut playout, mut buffer) = (playout(), buffer());
        let mut now = Instant::from_millis(1_000);
        for (packet, jumps, time) in packets {
            now = if jumps { Instant::from_nanos(time) } else { now + Duration::from_millis(time % 100) };
            playout.insert(now, packet.clone());
            buffer.insert(now, packet);
            playout.pull(now, AudioMut::mono(&mut [0.0; 80], RATE));
            while buffer.poll(now) != Playout::Empty {}
        }
        packets_balance(&playout.stats().packets);
        packets_balance(&buffer.stats());
    }

    #[test]
    fn streams_that_jump_in_time_do_no_harm(
        packets in vec((0..4u16, prop_oneof![Just(PTIME), any::<u32>()], prop_oneof![Just(20), any::<u64>()]), 0..100),
    ) {
        let (mut playout, mut buffer) = (playout(), buffer());
        let (mut seq, mut time, mut now) = (SeqNum(0), RtpTime(0), Instant::ZERO);
        for (step, ticks, wait) in packets {
            // Adding less than nothing goes back.
            now = Instant::from_nanos(now.as_nanos().wrapping_add(wait.wrapping_mul(1_000_000)));
            (seq, time) = (seq + step, time + ticks);
            let packet = RtpPacket::builder(PayloadType::new(0), seq, time, Ssrc(1)).build(&[0x90; 160]).unwrap();
            playout.insert(now, packet.clone());
            buffer.insert(now, packet);
            for _ in 0..2 {
                playout.pull(now, AudioMut::mono(&mut [0.0; 80], RATE));
            }
            while buffer.poll(now) != Playout::Empty {}
        }
        packets_balance(&playout.stats().packets);
        packets_balance(&buffer.stats());
    }

    #[test]
    fn polls_without_need_change_nothing(ops in vec(op(), 0..200), extra in 0..5usize) {
        let run = |extra: usize| {
            let (mut buffer, mut out) = (buffer(), Vec::new());
            drive(START, &ops, |now, op, packet| {
                if let Some(packet) = packet {
                    buffer.insert(now, packet);
                } else if matches!(op, Op::Pull(_)) {
                    loop {
                        match buffer.poll(now) {
                            Playout::Empty => break,
                            unit => out.push((now, unit)),
                        }
                    }
                    for _ in 0..extra {
                        assert_eq!(buffer.poll(now), Playout::Empty);
                        buffer.poll_timeout();
                    }
                }
            });
            (out, buffer.stats())
        };
        prop_assert_eq!(run(0), run(extra));
    }
}
