//! Nothing is allocated once a buffer is made.

#![expect(clippy::unwrap_used, reason = "a test ends at the first surprise")]
use core::time::Duration;

use rtc_core::audio::AudioMut;
use rtc_core::codec::AudioFormat;
use rtc_core::jitter::{JitterBuffer, Playout};
use rtc_core::testkit::naive::{Coding, PcmDecoder, PcmEncoder};
use rtc_core::testkit::rng::Rng;
use rtc_core::testkit::signal::{Speech, Talker, TalkerConfig};
use rtc_core::time::Instant;
use rtc_core::{Frequency, PayloadType, RtpPacket, RtpTime, SeqNum, Ssrc};
use rtc_jitter::{
    AudioJitterBuffer, AudioPlayout, ConcealedBy, JitterConfig, PlayoutConfig, PulledKind, VideoCodec, VideoConfig,
    VideoJitterBuffer,
};

/// Allocations on this thread while `work` runs.
fn allocations(work: impl FnOnce()) -> u64 {
    allocation_counter::measure(work).count_total
}

/// A minute of talk in stereo, 5 % lost, up to 80 ms late, with a stall of a second and a change of source.
fn arrivals() -> Vec<(Instant, RtpPacket)> {
    let format = AudioFormat { rate: Frequency::KHZ_48, channels: 2 };
    let encoder = PcmEncoder::new(Coding::L16, format).unwrap();
    let voice = Speech::new(format.rate, 1).take(60 * 48_000);
    let mut rng = Rng::new(1);
    let mut arrivals = Vec::new();
    for (sent, mut packet) in Talker::new(TalkerConfig::default(), encoder, voice).unwrap() {
        let stall = if (20_000..21_000).contains(&sent.as_millis()) { 21_000 - sent.as_millis() } else { 0 };
        let late = Duration::from_micros(rng.below(80_000)) + Duration::from_millis(stall);
        if sent.as_millis() > 40_000 {
            packet.rewrite(|header| header.set_ssrc(Ssrc(99)));
        }
        if !rng.bool(0.05) {
            arrivals.push((sent + late, packet));
        }
    }
    arrivals.sort_by_key(|(arrival, _)| *arrival);
    arrivals
}

/// Plays a minute at `rate` and says how much was allocated from pull number `from` on, and how often what was heard.
fn play(
    config: PlayoutConfig,
    arrivals: Vec<(Instant, RtpPacket)>,
    rate: Frequency,
    from: usize,
) -> (AudioPlayout<PcmDecoder>, u64, [usize; 7]) {
    let format = AudioFormat { rate: Frequency::KHZ_48, channels: 2 };
    let decoder = PcmDecoder::new(Coding::L16, format).unwrap();
    let mut playout = AudioPlayout::new(config, decoder).unwrap();
    let samples = rate.as_hz() as usize / 100;
    let (mut left, mut right) = (vec![0.0; samples], vec![0.0; samples]);
    let mut heard = [0; 7];
    let mut arrivals = arrivals.into_iter().peekable();
    let mut allocated = 0;
    for pull in 0..6_000 {
        let now = Instant::from_millis(10 * pull as u64);
        let by_this = allocations(|| {
            while let Some((arrival, packet)) = arrivals.next_if(|(arrival, _)| *arrival <= now) {
                playout.insert(arrival, packet);
            }
            let pulled = playout.pull(now, AudioMut::stereo(&mut left, &mut right, rate).unwrap());
            heard[pulled.kind as usize] += 1;
        });
        allocated += if pull >= from { by_this } else { 0 };
    }
    (playout, allocated, heard)
}

#[test]
fn playing_allocates_nothing() {
    for by in [ConcealedBy::Decoder, ConcealedBy::Playout] {
        let mut config = PlayoutConfig::default();
        config.concealed_by = by;
        let (playout, allocated, heard) = play(config, arrivals(), Frequency::KHZ_48, 0);
        assert_eq!(allocated, 0, "{by:?}");
        for kind in [PulledKind::Normal, PulledKind::Accelerated, PulledKind::Concealed] {
            assert!(heard[kind as usize] > 0, "no {kind:?}: {heard:?}");
        }
        assert_eq!(playout.stats().packets.restarts, 1);
    }
}

#[test]
fn resampling_allocates_nothing_once_the_rate_is_known() {
    let format = AudioFormat { rate: Frequency::KHZ_48, channels: 2 };
    let encoder = PcmEncoder::new(Coding::L16, format).unwrap();
    let voice = Speech::new(format.rate, 1).take(60 * 48_000);
    // The sender's clock is 300 ppm slow.
    let late = |sent: Instant| (sent - Instant::ZERO).mul_f64(300e-6);
    let arrivals: Vec<_> = Talker::new(TalkerConfig::default(), encoder, voice)
        .unwrap()
        .map(|(sent, packet)| (sent + late(sent), packet))
        .collect();
    for rate in [48_000, 44_100] {
        let rate = Frequency::new(rate).unwrap();
        let (playout, allocated, heard) = play(PlayoutConfig::default(), arrivals.clone(), rate, 1);
        assert!((playout.clock_skew() - 300.0).abs() < 5.0, "{}", playout.clock_skew());
        assert_eq!(allocated, 0, "{rate:?}");
        assert!(heard[PulledKind::Normal as usize] > 5_000, "{heard:?}");
    }
}

#[test]
fn buffering_packets_allocates_nothing() {
    let arrivals = arrivals();
    let mut buffer = AudioJitterBuffer::new(JitterConfig::default()).unwrap();
    let mut arrivals = arrivals.into_iter().peekable();
    let mut played = 0;
    let allocated = allocations(|| {
        for tick in 0..61_000 {
            let now = Instant::from_millis(tick);
            while let Some((arrival, packet)) = arrivals.next_if(|(arrival, _)| *arrival <= now) {
                buffer.insert(arrival, packet);
            }
            loop {
                match buffer.poll(now) {
                    Playout::Ready(_) => played += 1,
                    Playout::Empty => break,
                    _ => {}
                }
            }
        }
    });
    assert_eq!(allocated, 0);
    assert!(played > 2_700, "{played}");
}

/// Half a minute of VP8 in packets of 1000 bytes, up to 80 ms late and so out of order, with a key frame each second.
fn video_arrivals() -> Vec<(Instant, RtpPacket)> {
    let mut rng = Rng::new(2);
    let mut arrivals = Vec::new();
    let mut seq = SeqNum(65_000);
    for picture in 0..900_u32 {
        let key = picture % 30 == 0;
        let packets = if key { 8 } else { 3 };
        for piece in 0..packets {
            let mut payload = [0x5a; 1_000];
            payload[..2].copy_from_slice(&[if piece == 0 { 0x10 } else { 0x00 }, u8::from(!key)]);
            let packet = RtpPacket::builder(PayloadType::new(96), seq, RtpTime(picture * 3_000), Ssrc(3))
                .marker(piece + 1 == packets)
                .build(&payload)
                .unwrap();
            seq = seq.next();
            let late = Duration::from_micros(rng.below(80_000));
            arrivals.push((Instant::from_millis(u64::from(picture) * 33) + late, packet));
        }
    }
    arrivals.sort_by_key(|(arrival, _)| *arrival);
    arrivals
}

/// Frames are put together in memory that is used again once they are gone: after warm-up nothing is allocated while the decoder
/// holds a few at most.
#[test]
fn video_allocates_nothing_after_warm_up() {
    let mut buffer = VideoJitterBuffer::new(VideoConfig::new(VideoCodec::Vp8)).unwrap();
    let mut arrivals = video_arrivals().into_iter().peekable();
    let (mut pictures, mut packets) = (0, 0);
    let mut play = |from: u64, to: u64| {
        for tick in from..to {
            let now = Instant::from_millis(tick);
            while let Some((arrival, packet)) = arrivals.next_if(|(arrival, _)| *arrival <= now) {
                buffer.insert(arrival, packet);
                packets += 1;
            }
            while let Playout::Ready(_) = buffer.poll(now) {
                pictures += 1;
            }
        }
        (pictures, packets)
    };
    let (before, _) = play(0, 10_000);
    let mut after = (0, 0);
    let allocated = allocations(|| after = play(10_000, 30_000));
    let (pictures, packets) = (after.0 - before, after.1);
    assert!(pictures > 500 && packets > 2_000, "{pictures} {packets}");
    assert_eq!(allocated, 0, "for {pictures} pictures");
}
