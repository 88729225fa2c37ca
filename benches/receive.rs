//! The whole audio receive pipeline, 10 ms at a time: parse, NACK bookkeeping, RED, ULPFEC bookkeeping, jitter buffer, Opus,
//! time stretch. Divide the time of a step by 10 ms for the share of a core one listener costs.

use core::time::Duration;

use bytes::Bytes;
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use rtc_core::audio::AudioBuffer;
use rtc_core::codec::{AudioEncoder, AudioFormat};
use rtc_core::fec::FecDecoder;
use rtc_core::opus::{OpusConfig, OpusDecoder, OpusEncoder};
use rtc_core::testkit::netem::{Jitter, Loss, Netem, NetemConfig};
use rtc_core::testkit::signal::Speech;
use rtc_core::time::Instant;
use rtc_core::{DataSize, Frequency, PayloadType, RtpPacket, RtpTime, SeqNum, Ssrc};
use rtc_fec::nack::{NackConfig, NackGenerator};
use rtc_fec::red::{RedDecoder, RedDecoderConfig, RedEncoder, RedEncoderConfig};
use rtc_fec::ulpfec::{UlpfecDecoder, UlpfecDecoderConfig};
use rtc_jitter::{AudioPlayout, PlayoutConfig};

/// Steps of 10 ms in a run.
const STEPS: u64 = 500;
/// Sound in a packet.
const PTIME: Duration = Duration::from_millis(20);

struct Receive {
    nack: NackGenerator,
    ulpfec: UlpfecDecoder,
    red: RedDecoder,
    playout: AudioPlayout<OpusDecoder>,
    speaker: AudioBuffer,
}

impl Receive {
    fn new(channels: usize) -> Self {
        let format = AudioFormat { rate: Frequency::KHZ_48, channels };
        let decoder = OpusDecoder::new(format).expect("a format Opus has");
        Self {
            nack: NackGenerator::new(NackConfig::default()).expect("defaults are possible"),
            ulpfec: UlpfecDecoder::new(UlpfecDecoderConfig::default()).expect("defaults are possible"),
            red: RedDecoder::new(RedDecoderConfig::default()),
            playout: AudioPlayout::new(PlayoutConfig::default(), decoder).expect("defaults are possible"),
            speaker: AudioBuffer::new(channels, 480, Frequency::KHZ_48).expect("one or two channels"),
        }
    }

    fn step(&mut self, now: Instant, arrivals: &[Bytes]) {
        for datagram in arrivals {
            let packet = RtpPacket::parse(datagram.clone()).expect("well-formed");
            self.nack.insert(now, packet.seq());
            self.ulpfec.insert_source(&packet);
            self.red.insert(&packet).expect("well-formed");
            while let Some(voice) = self.red.poll() {
                if voice.seq() == packet.seq() {
                    self.playout.insert(now, voice);
                } else {
                    self.nack.on_recovered(now, voice.seq());
                    self.playout.insert_repaired(now, voice);
                }
            }
        }
        for seq in self.nack.poll(now) {
            core::hint::black_box(seq);
        }
        self.playout.pull(now, self.speaker.as_mut());
    }
}

/// What arrives in each step: speech in Opus in RED with one copy, through a network.
fn arrivals(channels: usize, network: NetemConfig) -> Vec<Vec<Bytes>> {
    let mut config = OpusConfig::default();
    config.format.channels = channels;
    let mut encoder = OpusEncoder::new(&config).expect("possible");
    let mut red = RedEncoder::new(RedEncoderConfig::default()).expect("defaults are possible");
    let mut speech = Speech::new(Frequency::KHZ_48, 1);
    let mut frame = AudioBuffer::new(channels, 960, Frequency::KHZ_48).expect("one or two channels");
    let mut netem = Netem::new(network, 1).expect("possible");
    let mut payload = [0; 1_500];
    let mut steps = Vec::new();
    for step in 0..STEPS {
        let now = Instant::from_millis(10 * step);
        if step % 2 == 0 {
            let samples: Vec<f32> = speech.by_ref().take(960).collect();
            for plane in frame.as_mut().planes_mut() {
                plane.copy_from_slice(&samples);
            }
            let len = encoder.encode(frame.as_ref(), &mut payload).expect("fits").len;
            let number = u16::try_from(step / 2).expect("a short run");
            let time = Frequency::KHZ_48.ticks_in(PTIME) * (step / 2);
            let time = RtpTime(u32::try_from(time).expect("a short run"));
            let packet =
                RtpPacket::builder(PayloadType::new(111), SeqNum(number), time, Ssrc(1)).build(&payload[..len]);
            let packet = red.encode(&packet.expect("fits")).into_bytes();
            netem.send(now, DataSize::of(&packet), rtc_core::bwe::Ecn::NotEct, packet);
        }
        steps.push(core::iter::from_fn(|| netem.poll(now)).map(|delivery| delivery.item).collect());
    }
    steps
}

fn pipeline(criterion: &mut Criterion) {
    let mut perfect = NetemConfig::default();
    perfect.delay = Duration::from_millis(20);
    let mut lossy = perfect.clone();
    lossy.loss = Loss::Bernoulli(0.1);
    lossy.jitter = Jitter::Exponential { mean: Duration::from_millis(15) };
    let mut group = criterion.benchmark_group("receive/10 ms step of the whole pipeline");
    group.throughput(Throughput::Elements(STEPS));
    for (name, channels, network) in [
        ("mono, perfect network", 1, perfect),
        ("mono, 10 % loss and jitter", 1, lossy.clone()),
        ("stereo, 10 % loss and jitter", 2, lossy),
    ] {
        let arrivals = arrivals(channels, network);
        group.bench_function(name, |bencher| {
            let run = |receive: &mut Receive| {
                for (step, arrivals) in (0..).zip(&arrivals) {
                    receive.step(Instant::from_millis(10 * step), arrivals);
                }
            };
            bencher.iter_batched_ref(|| Receive::new(channels), run, BatchSize::LargeInput);
        });
    }
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(20).warm_up_time(Duration::from_millis(500)).measurement_time(Duration::from_secs(3));
    targets = pipeline
}
criterion_main!(benches);
