//! The whole receive pipeline at work allocates nothing: parse, NACK bookkeeping, ULPFEC bookkeeping, RED, jitter buffer, Opus.

use core::time::Duration;

use allocation_counter::measure;
use bytes::Bytes;
use rtc_core::audio::AudioBuffer;
use rtc_core::codec::{AudioEncoder, AudioFormat};
use rtc_core::fec::FecDecoder;
use rtc_core::opus::{OpusConfig, OpusDecoder, OpusEncoder};
use rtc_core::testkit::rng::Rng;
use rtc_core::testkit::signal::Speech;
use rtc_core::time::Instant;
use rtc_core::{Frequency, PayloadType, RtpPacket, RtpTime, SeqNum, Ssrc};
use rtc_fec::nack::{NackConfig, NackGenerator};
use rtc_fec::red::{RedDecoder, RedDecoderConfig, RedEncoder, RedEncoderConfig};
use rtc_fec::ulpfec::{UlpfecDecoder, UlpfecDecoderConfig};
use rtc_jitter::{AudioPlayout, PlayoutConfig};

/// Seconds of talk, of which the first warm the pipeline up.
const SECONDS: u64 = 20;
const WARM_UP: u64 = 5;
const FRAME: u32 = 960;

/// Speech in Opus in RED with one copy, one packet in ten lost, each already shared as by a socket's buffer pool.
fn datagrams() -> Vec<Option<Bytes>> {
    let mut encoder = OpusEncoder::new(&OpusConfig::default()).expect("defaults are possible");
    let mut red = RedEncoder::new(RedEncoderConfig::default()).expect("defaults are possible");
    let mut speech = Speech::new(Frequency::KHZ_48, 1);
    let mut network = Rng::new(1);
    let mut frame = AudioBuffer::new(1, FRAME as usize, Frequency::KHZ_48).expect("one channel");
    let mut payload = [0; 1_500];
    (0..u16::try_from(50 * SECONDS).expect("a short run"))
        .map(|index| {
            frame.as_mut().plane_mut(0).fill_with(|| speech.next().unwrap_or(0.0));
            let len = encoder.encode(frame.as_ref(), &mut payload).expect("fits").len;
            let time = RtpTime(FRAME * u32::from(index));
            let packet = RtpPacket::builder(PayloadType::new(111), SeqNum(index), time, Ssrc(1)).build(&payload[..len]);
            let datagram = red.encode(&packet.expect("fits")).into_bytes();
            (!network.bool(0.1)).then_some(datagram)
        })
        .collect()
}

#[test]
fn the_receive_pipeline_allocates_nothing() {
    let datagrams = datagrams();
    let format = AudioFormat { rate: Frequency::KHZ_48, channels: 1 };
    let mut nack = NackGenerator::new(NackConfig::default()).expect("defaults are possible");
    let mut ulpfec = UlpfecDecoder::new(UlpfecDecoderConfig::default()).expect("defaults are possible");
    let mut red = RedDecoder::new(RedDecoderConfig::default());
    let opus = OpusDecoder::new(format).expect("a format Opus has");
    let mut playout = AudioPlayout::new(PlayoutConfig::default(), opus).expect("defaults are possible");
    let mut speaker = AudioBuffer::new(1, 480, Frequency::KHZ_48).expect("one channel");
    let mut requested = 0;
    let mut step = |step: u64| {
        let now = Instant::ZERO + Duration::from_millis(10 * step);
        let arrived = usize::try_from(step / 2)
            .ok()
            .filter(|_| step.is_multiple_of(2))
            .and_then(|index| datagrams[index].as_ref());
        if let Some(datagram) = arrived {
            let packet = RtpPacket::parse(datagram.clone()).expect("well-formed");
            nack.insert(now, packet.seq());
            ulpfec.insert_source(&packet);
            red.insert(&packet).expect("well-formed");
            while let Some(voice) = red.poll() {
                if voice.seq() == packet.seq() {
                    playout.insert(now, voice);
                } else {
                    nack.on_recovered(now, voice.seq());
                    playout.insert_repaired(now, voice);
                }
            }
        }
        requested += nack.poll(now).count();
        playout.pull(now, speaker.as_mut());
    };
    (0..100 * WARM_UP).for_each(&mut step);
    let allocations = measure(|| (100 * WARM_UP..100 * SECONDS).for_each(&mut step)).count_total;
    assert!(requested > 0, "some packets were lost");
    assert_eq!(allocations, 0, "over {} s of talk", SECONDS - WARM_UP);
}
