//! The jitter buffers by themselves: a pull of 10 ms of what arrived, and a packet of video put in its place.

use core::time::Duration;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use rtc_core::audio::AudioBuffer;
use rtc_core::codec::AudioFormat;
use rtc_core::jitter::JitterBuffer;
use rtc_core::testkit::naive::{Coding, PcmDecoder, PcmEncoder};
use rtc_core::testkit::rng::Rng;
use rtc_core::testkit::signal::{Speech, Talker, TalkerConfig};
use rtc_core::time::Instant;
use rtc_core::{Frequency, PayloadType, RtpPacket, RtpTime, SeqNum, Ssrc};
use rtc_jitter::{AudioPlayout, PlayoutConfig, VideoCodec, VideoConfig, VideoJitterBuffer};

const STEREO: AudioFormat = AudioFormat { rate: Frequency::KHZ_48, channels: 2 };
/// Pulls of 10 ms in a run.
const PULLS: u64 = 1_000;

/// Ten seconds of talk, this part of it lost, up to so many milliseconds late.
fn talk(lost: f64, late: u64) -> Vec<(Instant, RtpPacket)> {
    let encoder = PcmEncoder::new(Coding::L16, STEREO).expect("two channels");
    let voice = Speech::new(STEREO.rate, 1).take(480_000);
    let mut rng = Rng::new(1);
    let talker = Talker::new(TalkerConfig::default(), encoder, voice).expect("defaults are possible");
    let mut arrivals: Vec<(Instant, RtpPacket)> =
        talker.map(|(sent, packet)| (sent + Duration::from_micros(rng.below(1_000 * late + 1)), packet)).collect();
    arrivals.retain(|_| !rng.bool(lost));
    arrivals.sort_by_key(|(at, _)| *at);
    arrivals
}

fn audio(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("jitter/10 ms of audio, L16, 48 kHz, two channels");
    group.throughput(Throughput::Elements(PULLS));
    for (name, lost, late) in [("perfect network", 0.0, 0), ("5 % loss", 0.05, 0), ("60 ms of jitter", 0.0, 60)] {
        let arrivals = talk(lost, late);
        group.bench_function(name, |bencher| {
            let make = || {
                let decoder = PcmDecoder::new(Coding::L16, STEREO).expect("two channels");
                AudioPlayout::new(PlayoutConfig::default(), decoder).expect("defaults are possible")
            };
            let mut speaker = AudioBuffer::new(2, 480, STEREO.rate).expect("two channels");
            let run = |playout: &mut AudioPlayout<PcmDecoder>| {
                let mut arrivals = arrivals.iter().peekable();
                for pull in 0..PULLS {
                    let now = Instant::from_millis(10 * pull);
                    while let Some((at, packet)) = arrivals.next_if(|(at, _)| *at <= now) {
                        playout.insert(*at, packet.clone());
                    }
                    playout.pull(now, speaker.as_mut());
                }
            };
            bencher.iter_batched_ref(make, run, BatchSize::LargeInput);
        });
    }
    group.finish();
}

/// Ten seconds of VP8, 30 pictures of ten packets a second, up to 30 ms late.
fn pictures() -> Vec<(Instant, RtpPacket)> {
    let mut rng = Rng::new(3);
    let (mut arrivals, mut seq) = (Vec::new(), SeqNum(65_000));
    for picture in 0..300_u32 {
        for piece in 0..10_u8 {
            let mut payload = [0x5a; 1_000];
            payload[..2].copy_from_slice(&[if piece == 0 { 0x10 } else { 0x00 }, u8::from(picture > 0)]);
            let packet = RtpPacket::builder(PayloadType::new(96), seq, RtpTime(picture * 3_000), Ssrc(3))
                .marker(piece == 9)
                .build(&payload)
                .expect("fits");
            seq = seq.next();
            let late = Duration::from_micros(rng.below(30_000));
            arrivals.push((Instant::from_millis(u64::from(picture) * 33) + late, packet));
        }
    }
    arrivals.sort_by_key(|(at, _)| *at);
    arrivals
}

fn video(criterion: &mut Criterion) {
    let arrivals = pictures();
    let mut group = criterion.benchmark_group("jitter/packet of video, VP8");
    group.throughput(Throughput::Elements(arrivals.len() as u64));
    group.bench_function("in pictures of ten, out of order", |bencher| {
        let make = || VideoJitterBuffer::new(VideoConfig::new(VideoCodec::Vp8)).expect("defaults are possible");
        let run = |buffer: &mut VideoJitterBuffer| {
            for (at, packet) in &arrivals {
                buffer.insert(*at, packet.clone());
                while buffer.poll_timeout().is_some_and(|due| due <= *at) {
                    core::hint::black_box(buffer.poll(*at));
                }
            }
        };
        bencher.iter_batched_ref(make, run, BatchSize::LargeInput);
    });
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(20).warm_up_time(Duration::from_millis(500)).measurement_time(Duration::from_secs(3));
    targets = audio, video
}
criterion_main!(benches);
