//! Opus with deep redundancy through the play-out: what is lost comes back out of the packets behind it.

use core::time::Duration;

use rtc_core::audio::{AudioMut, AudioRef};
use rtc_core::codec::AudioEncoder;
use rtc_core::opus::{OpusConfig, OpusDecoder, OpusEncoder, Redundancy};
use rtc_core::testkit::metrics::{dbfs, envelope};
use rtc_core::testkit::rng::Rng;
use rtc_core::testkit::signal::Speech;
use rtc_core::time::Instant;
use rtc_core::{Bitrate, Frequency, PayloadType, RtpPacket, RtpTime, SeqNum, Ssrc};
use rtc_jitter::{AudioPlayout, PlayoutConfig, PlayoutStats};

const RATE: Frequency = Frequency::KHZ_48;
const PTIME: usize = 960;
const PACKETS: u16 = 1_000;

fn packets(redundancy: Redundancy) -> Vec<RtpPacket> {
    let mut config = OpusConfig::default();
    config.bitrate = Bitrate::from_kbps(28);
    config.redundancy = redundancy;
    let mut encoder = OpusEncoder::new(&config).expect("possible settings");
    let speech: Vec<f32> = Speech::new(RATE, 3).take(usize::from(PACKETS) * PTIME).collect();
    let mut out = [0; 1_200];
    let frames = speech.chunks_exact(PTIME).zip(0_u16..);
    frames
        .map(|(frame, index)| {
            let encoded = encoder.encode(AudioRef::mono(frame, RATE), &mut out).expect("room enough");
            let (seq, time) = (SeqNum(65_000) + index, RtpTime(4_294_000_000) + 960 * u32::from(index));
            let packet = RtpPacket::builder(PayloadType::new(111), seq, time, Ssrc(1));
            packet.build(&out[..encoded.len]).expect("a packet")
        })
        .collect()
}

/// Plays what of the packets is not lost, 300 ms after it was sent.
fn play(packets: &[RtpPacket], loss: f64) -> (Vec<f32>, PlayoutStats) {
    let mut config = PlayoutConfig::default();
    let delay = Duration::from_millis(300);
    (config.jitter.delay.min_delay, config.jitter.delay.max_delay) = (delay, delay);
    config.jitter.delay.start_delay = delay;
    let decoder = OpusDecoder::new(OpusConfig::default().format).expect("a format Opus has");
    let mut playout = AudioPlayout::new(config, decoder).expect("possible settings");
    let (mut rng, mut now, mut heard) = (Rng::new(5), Instant::from_millis(1_000), Vec::new());
    for (index, packet) in packets.iter().enumerate() {
        if index == 0 || rng.uniform() >= loss {
            playout.insert(now, packet.clone());
        }
        for _ in 0..2 {
            let mut out = [0.0; PTIME / 2];
            playout.pull(now, AudioMut::mono(&mut out, RATE));
            heard.extend(out);
            now += Duration::from_millis(10);
        }
    }
    (heard, playout.stats())
}

/// Part of 10 ms pieces with speech whose level is more than 6 dB off.
fn unlike(heard: &[f32], meant: &[f32]) -> f64 {
    let pause = dbfs(meant) - 15.9;
    let levels: Vec<_> = envelope(heard, 480).into_iter().zip(envelope(meant, 480)).collect();
    let speech: Vec<_> = levels.iter().filter(|(_, meant)| *meant > pause).collect();
    speech.iter().filter(|(heard, meant)| (heard - meant).abs() > 6.0).count() as f64 / speech.len() as f64
}

#[test]
fn lost_speech_comes_back_out_of_later_packets() {
    let deep = packets(Redundancy::Dred { span: Duration::from_millis(300) });
    let plain = packets(Redundancy::None);
    for (loss, most_unlike, gain) in [(0.3, 0.05, 3.0), (0.7, 0.15, 3.0)] {
        let (with, stats) = play(&deep, loss);
        let (without, plain_stats) = play(&plain, loss);
        let with = unlike(&with, &play(&deep, 0.0).0);
        let without = unlike(&without, &play(&plain, 0.0).0);
        let part = |samples: u64, stats: &PlayoutStats| samples as f64 / stats.total_samples_received as f64;
        let (redundant, concealed) = (part(stats.samples_redundant, &stats), part(stats.concealed_samples, &stats));
        println!(
            "{loss}: {redundant:.3} redundant, {concealed:.3} concealed, {with:.3} unlike; without {:.3}, {without:.3}",
            part(plain_stats.concealed_samples, &plain_stats)
        );
        assert_eq!(plain_stats.samples_redundant, 0);
        assert!(redundant > 0.7 * loss && concealed < 0.3 * loss, "{loss}: {redundant} and {concealed}");
        assert!(with < most_unlike && gain * with < without, "{loss}: {with} unlike, {without} without");
    }
}
