use core::time::Duration;

use rtc_core::audio::AudioRef;
use rtc_core::testkit::naive::{Coding, PcmDecoder};
use rtc_core::testkit::signal::Sine;
use rtc_core::{Malformed, PayloadType, SeqNum, Ssrc};

use super::*;

mod copies;
mod pauses;

const MONO: AudioFormat = AudioFormat { rate: Frequency::KHZ_8, channels: 1 };
/// Samples of a packet of 20 ms.
const PTIME: usize = 160;
const FIRST: RtpTime = RtpTime(u32::MAX - 900);

/// L16 whose packets hold the audio before their own again: half the payload each.
#[derive(Debug)]
struct Twice(PcmDecoder);

impl AudioDecoder for Twice {
    fn format(&self) -> AudioFormat {
        self.0.format()
    }

    fn decode(&mut self, payload: &[u8], out: AudioMut<'_>) -> Result<usize, Malformed> {
        self.0.decode(&payload[payload.len() / 2..], out)
    }

    fn conceal(&mut self, out: AudioMut<'_>) -> usize {
        self.0.conceal(out)
    }

    fn decode_redundant(&mut self, payload: &[u8], offset: usize, out: AudioMut<'_>) -> Option<usize> {
        let copy = &payload[..payload.len() / 2];
        if self.0.samples_in(copy)? != offset { None } else { self.0.decode(copy, out).ok() }
    }

    fn samples_in(&self, payload: &[u8]) -> Option<usize> {
        self.0.samples_in(&payload[..payload.len() / 2])
    }
}

fn pcm(format: AudioFormat) -> PcmDecoder {
    PcmDecoder::new(Coding::L16, format).unwrap()
}

/// 20 ms delay, whatever the jitter, so that times can be foretold.
fn config() -> PlayoutConfig {
    let mut config = PlayoutConfig::default();
    config.jitter.clock = Frequency::KHZ_8;
    (config.jitter.delay.min_delay, config.jitter.delay.max_delay) =
        (Duration::from_millis(20), Duration::from_millis(20));
    config.jitter.delay.start_delay = Duration::from_millis(20);
    config
}

fn playout() -> AudioPlayout<PcmDecoder> {
    AudioPlayout::new(config(), pcm(MONO)).unwrap()
}

/// What is said: a tone that is nowhere zero for long, in 16-bit steps.
fn voice(samples: usize) -> Vec<f32> {
    Sine::new(Frequency::KHZ_8, 200.0, 0.5).take(samples).map(|sample| (sample * 32_768.0).round() / 32_768.0).collect()
}

fn payload(samples: &[f32]) -> Vec<u8> {
    let mut codes = vec![0; samples.len()];
    AudioRef::mono(samples, Frequency::KHZ_8).write_interleaved_i16(&mut codes);
    codes.into_iter().flat_map(i16::to_be_bytes).collect()
}

/// The numbers of packet `n`, if `pause` packets' worth of time was not sent before it.
fn numbers(n: usize, pause: usize) -> (SeqNum, RtpTime) {
    (SeqNum(65_530) + u16::try_from(n).unwrap(), FIRST + ticks((n + pause) * PTIME))
}

fn ticks(samples: usize) -> u32 {
    u32::try_from(samples).unwrap()
}

fn packet(n: usize, payload: &[u8]) -> RtpPacket {
    let (seq, time) = numbers(n, 0);
    RtpPacket::builder(PayloadType::new(10), seq, time, Ssrc(3)).build(payload).unwrap()
}

fn said(n: usize) -> RtpPacket {
    packet(n, &payload(&voice((n + 1) * PTIME)[n * PTIME..]))
}

fn at(millis: usize) -> Instant {
    Instant::from_millis(50_000 + millis as u64)
}

/// Runs pulls of 10 ms from `from` to `to` ms, with packets arriving in between.
fn run<D: AudioDecoder>(
    playout: &mut AudioPlayout<D>,
    from: usize,
    to: usize,
    arrivals: &[(usize, RtpPacket)],
) -> (Vec<Pulled>, Vec<f32>) {
    let (mut pulls, mut heard) = (Vec::new(), Vec::new());
    for now in (from..to).step_by(10) {
        for (_, packet) in arrivals.iter().filter(|(arrival, _)| (now.saturating_sub(9)..=now).contains(arrival)) {
            playout.insert(at(now), packet.clone());
        }
        let mut out = [9.0; 80];
        pulls.push(playout.pull(at(now), AudioMut::mono(&mut out, MONO.rate)));
        heard.extend(out);
    }
    balances(&playout.stats());
    (pulls, heard)
}

fn balances(stats: &PlayoutStats) {
    let made = stats.samples_decoded
        + stats.samples_redundant
        + stats.concealed_samples
        + stats.samples_before_start
        + stats.comfort_noise_samples;
    let changed = made + stats.inserted_samples_for_deceleration;
    let cut = stats.removed_samples_for_acceleration + stats.samples_trimmed;
    assert_eq!(stats.total_samples_received + stats.samples_buffered, changed - cut, "{stats:?}");
    let packets = stats.packets;
    let dropped =
        packets.packets_duplicate + packets.packets_late + packets.packets_overflowed + packets.packets_foreign;
    let dropped = dropped + packets.packets_flushed + packets.packets_skipped + packets.packets_undecodable;
    assert_eq!(packets.packets_received, packets.packets_played + packets.packets_buffered + dropped, "{packets:?}");
}

fn on_time(packets: core::ops::Range<usize>) -> Vec<(usize, RtpPacket)> {
    packets.map(|n| (n * 20, said(n))).collect()
}

fn kinds(pulls: &[Pulled]) -> Vec<PulledKind> {
    pulls.iter().map(|pulled| pulled.kind).collect()
}

#[test]
fn plays_what_was_said_after_the_target() {
    let mut playout = playout();
    let (pulls, heard) = run(&mut playout, 0, 300, &on_time(0..20));
    assert_eq!(pulls[1], Pulled { kind: PulledKind::Silence, timestamp: None, concealed: 0 });
    assert!(heard[..160].iter().all(|sample| *sample == 0.0));
    assert!(kinds(&pulls[2..]).iter().all(|kind| *kind == PulledKind::Normal));
    // The first 5 ms fade in.
    assert_eq!(heard[200..2_400], voice(2_240)[40..]);
    assert_eq!(
        (playout.target_delay(), playout.current_delay()),
        (Duration::from_millis(20), Duration::from_millis(20))
    );
    let stats = playout.stats();
    assert_eq!((stats.mean_delay(), stats.mean_target_delay()), (Duration::from_millis(20), Duration::from_millis(20)));
    assert_eq!((stats.concealed_samples, stats.samples_before_start), (0, 160));
}

#[test]
fn timestamps_follow_the_audio() {
    let mut playout = playout();
    let (pulls, _) = run(&mut playout, 0, 300, &on_time(0..20));
    let times: Vec<Option<RtpTime>> = pulls[3..].iter().map(|pulled| pulled.timestamp).collect();
    let expected: Vec<Option<RtpTime>> = (1..28).map(|pull| Some(FIRST + 80 * pull)).collect();
    assert_eq!(times, expected);
}

#[test]
fn a_lost_packet_is_made_up() {
    let mut playout = playout();
    let arrivals: Vec<_> = on_time(0..20).into_iter().filter(|(time, _)| *time != 100).collect();
    let (pulls, heard) = run(&mut playout, 0, 300, &arrivals);
    let concealed: Vec<usize> = pulls.iter().map(|pulled| pulled.concealed).collect();
    assert_eq!(concealed[12..14], [80, 80]);
    assert_eq!(concealed.iter().sum::<usize>(), 160);
    assert_eq!(kinds(&pulls)[12..14], [PulledKind::Concealed; 2]);
    // Before it, and 5 ms after it, all is as it was said.
    assert_eq!(heard[200..960], voice(800)[40..]);
    assert_eq!(heard[1_160..2_400], voice(2_240)[1_000..]);
    assert_eq!(playout.stats().concealment_events, 1);
    assert_eq!(playout.stats().packets.packets_missing, 1);
}

#[test]
fn a_copy_in_the_next_packet_is_as_good() {
    let mut playout = AudioPlayout::new(config(), Twice(pcm(MONO))).unwrap();
    let twice = |n: usize| {
        let whole = voice((n + 1) * PTIME);
        let copy = if n == 0 { vec![0.0; PTIME] } else { whole[(n - 1) * PTIME..n * PTIME].to_vec() };
        packet(n, &[payload(&copy), payload(&whole[n * PTIME..])].concat())
    };
    // Packet 5 is lost, and 6 is early enough to help.
    let arrivals: Vec<_> = (0..20).filter(|n| *n != 5).map(|n| (n * 20, twice(n))).collect();
    let (pulls, heard) = run(&mut playout, 0, 300, &arrivals);
    assert_eq!(kinds(&pulls)[12..14], [PulledKind::Redundant; 2]);
    assert_eq!(heard[200..2_400], voice(2_240)[40..]);
    let stats = playout.stats();
    assert_eq!((stats.samples_redundant, stats.concealed_samples), (160, 0));
}

#[test]
fn half_a_copy_serves_where_the_other_half_was_made_up() {
    let mut playout = AudioPlayout::new(config(), Twice(pcm(MONO))).unwrap();
    let twice = |n: usize| {
        let whole = voice((n + 2) * PTIME);
        packet(
            n,
            &[payload(&whole[n.saturating_sub(1) * PTIME..][..PTIME]), payload(&whole[n * PTIME..][..PTIME])].concat(),
        )
    };
    // Packet 6 comes 10 ms after 5 was needed.
    let arrivals: Vec<_> = (0..20).filter(|n| *n != 5).map(|n| (if n == 6 { 130 } else { n * 20 }, twice(n))).collect();
    let (pulls, heard) = run(&mut playout, 0, 300, &arrivals);
    assert_eq!(kinds(&pulls)[12..14], [PulledKind::Concealed, PulledKind::Redundant]);
    assert_eq!((playout.stats().samples_redundant, playout.stats().concealed_samples), (80, 80));
    assert_eq!(heard[1_080..2_400], voice(2_240)[920..], "5 ms after the copy took over");
}

#[test]
fn what_comes_while_it_is_made_up_is_played_from_there() {
    let mut playout = playout();
    // Packet 5 comes 10 ms too late, when 6 is here.
    let mut arrivals: Vec<_> = on_time(0..20);
    arrivals[5].0 = 130;
    let (pulls, heard) = run(&mut playout, 0, 300, &arrivals);
    assert_eq!(kinds(&pulls)[12..15], [PulledKind::Concealed, PulledKind::Normal, PulledKind::Normal]);
    assert_eq!(playout.stats().samples_trimmed, 80);
    assert_eq!(heard[1_080..2_400], voice(2_240)[920..]);
}

#[test]
fn a_stall_ends_in_silence_and_loses_nothing() {
    let mut playout = playout();
    // Nothing from 200 ms on until all comes at 800 ms.
    let arrivals: Vec<_> = (0..60).map(|n| (if (10..40).contains(&n) { 800 } else { n * 20 }, said(n))).collect();
    let (pulls, heard) = run(&mut playout, 0, 800, &arrivals);
    assert_eq!(pulls[22].kind, PulledKind::Concealed);
    assert_eq!(pulls[79].kind, PulledKind::Silence);
    assert!(heard[46 * 80..].iter().all(|sample| *sample == 0.0), "made up for 240 ms at most");
    let stall = playout.stats();
    assert_eq!(stall.concealed_samples, 58 * 80);
    assert_eq!(stall.concealment_events, 1);
    let (pulls, _) = run(&mut playout, 800, 1_200, &arrivals);
    assert!(kinds(&pulls).iter().all(|kind| matches!(kind, PulledKind::Normal | PulledKind::Accelerated)));
    assert_eq!(playout.stats().concealed_samples, stall.concealed_samples);
    assert_eq!(playout.stats().packets.packets_discarded(), 0);
    assert_eq!(pulls[0].timestamp, Some(FIRST + 1_600), "goes on where it stopped");
}

#[test]
fn a_pause_of_the_talker_is_no_loss() {
    let mut playout = playout();
    let mut arrivals = on_time(0..10);
    // Ten packets later by media time, next by sequence number.
    let resumed = |n: usize| {
        let (seq, time) = numbers(n, 10);
        RtpPacket::builder(PayloadType::new(10), seq, time, Ssrc(3)).build(&payload(&voice(PTIME))).unwrap()
    };
    arrivals.extend((10..20).map(|n| ((n + 10) * 20, resumed(n))));
    let (pulls, _) = run(&mut playout, 0, 500, &arrivals);
    assert_eq!(playout.stats().packets.packets_missing, 0);
    assert_eq!(pulls[42].kind, PulledKind::Normal, "play-out goes on after the target delay");
    assert_eq!(pulls[41].timestamp, Some(FIRST + ticks(10 * PTIME) + 1_520));
}

#[test]
fn a_hopeless_backlog_is_skipped() {
    let mut playout = playout();
    let arrivals: Vec<_> = (0..300).map(|n| (if (10..200).contains(&n) { 4_000 } else { n * 20 }, said(n))).collect();
    run(&mut playout, 0, 4_000, &arrivals);
    run(&mut playout, 4_000, 4_010, &arrivals);
    let delay = playout.current_delay();
    run(&mut playout, 4_010, 4_020, &arrivals);
    assert!(delay > Duration::from_secs(3) && playout.current_delay() < Duration::from_millis(1_600));
    assert!(playout.stats().packets.packets_skipped > 100);
}

#[test]
fn what_is_not_of_the_codec_is_counted_and_made_up() {
    let mut playout = playout();
    let mut arrivals = on_time(0..20);
    arrivals[5].1 = packet(5, &[0; 3]);
    arrivals[7].1 = packet(7, &vec![0; 4_000]);
    let (pulls, _) = run(&mut playout, 0, 300, &arrivals);
    assert_eq!(playout.stats().packets.packets_undecodable, 2);
    assert_eq!(kinds(&pulls)[12..18].iter().filter(|kind| **kind == PulledKind::Concealed).count(), 4);
}

#[test]
fn another_stream_takes_over_without_a_click() {
    let mut playout = playout();
    let mut arrivals = on_time(0..10);
    let other = |n: usize| {
        let mut other = said(n);
        other.rewrite(|header| header.set_ssrc(Ssrc(4)));
        other
    };
    arrivals.extend((10..30).map(|n| (n * 20, other(n))));
    let (pulls, heard) = run(&mut playout, 0, 600, &arrivals);
    assert_eq!(playout.stats().packets.restarts, 1);
    assert_eq!(pulls[40].kind, PulledKind::Normal);
    let step = |samples: &[f32]| samples.windows(2).map(|pair| (pair[1] - pair[0]).abs()).fold(0.0, f32::max);
    assert!(step(&heard) < 2.0 * step(&voice(800)), "{}", step(&heard));
}

#[test]
fn pulls_of_any_size_play_the_same() {
    let mut whole = Vec::new();
    for size in [20, 80, 100, 160, 480] {
        let mut playout = playout();
        let mut heard = Vec::new();
        let mut next = 0;
        while heard.len() < 4_800 {
            let now = at(0) + Frequency::KHZ_8.duration_of(heard.len() as u64);
            while at(next * 20) <= now + Frequency::KHZ_8.duration_of(size as u64) {
                playout.insert(at(next * 20), said(next));
                next += 1;
            }
            let mut out = vec![9.0; size];
            playout.pull(now, AudioMut::mono(&mut out, MONO.rate));
            heard.extend(out);
        }
        let start = heard.iter().position(|sample| *sample != 0.0).unwrap();
        whole.push(heard[start + 40..start + 4_000].to_vec());
        balances(&playout.stats());
    }
    assert!(whole.windows(2).all(|pair| pair[0] == pair[1]));
}

#[test]
fn an_rtp_clock_slower_than_the_audio_is_minded() {
    // RFC 3551 §4.5.2: the RTP clock of G.722 is 8 kHz, its audio has 16 kHz.
    let format = AudioFormat { rate: Frequency::KHZ_16, channels: 1 };
    let mut playout = AudioPlayout::new(config(), pcm(format)).unwrap();
    let mut last = None;
    for n in 0..50 {
        playout.insert(at(n * 20), packet(n, &payload(&voice(2 * PTIME))));
        let mut out = [0.0; 320];
        last = playout.pull(at(n * 20), AudioMut::mono(&mut out, format.rate)).timestamp;
    }
    assert_eq!(last, Some(FIRST + ticks(48 * PTIME)));
    assert_eq!((playout.stats().concealed_samples, playout.stats().samples_trimmed), (0, 0));
}

#[test]
fn output_may_have_any_rate() {
    for rate in [8_000, 16_000, 44_100, 48_000, 96_000] {
        let rate = Frequency::new(rate).unwrap();
        let mut playout = playout();
        let mut heard = Vec::new();
        let samples = rate.as_hz() as usize / 100;
        for n in 0..200 {
            if n % 2 == 0 {
                playout.insert(at(n * 10), said(n / 2));
            }
            let mut out = vec![0.0; samples];
            playout.pull(at(n * 10 + 3), AudioMut::mono(&mut out, rate));
            heard.extend(out);
        }
        assert_eq!(playout.stats().concealed_samples, 0, "{rate:?}");
        let power = |part: &[f32]| part.iter().map(|sample| sample * sample).sum::<f32>() / part.len() as f32;
        let said = power(&voice(4_000));
        assert!((power(&heard[heard.len() / 2..]) / said - 1.0).abs() < 0.2, "{rate:?}");
    }
    let mut out = [9.0; 10];
    let pulled = playout().pull(at(100), AudioMut::mono(&mut out, Frequency::new(4_000).unwrap()));
    assert_eq!((pulled.kind, out), (PulledKind::Silence, [0.0; 10]), "but not one that is no audio");
}

#[test]
fn mono_feeds_both_channels() {
    let mut playout = playout();
    for n in 0..10 {
        playout.insert(at(0), said(n));
    }
    let (mut left, mut right) = ([0.0; 800], [1.0; 800]);
    playout.pull(at(20), AudioMut::stereo(&mut left, &mut right, MONO.rate).unwrap());
    assert_eq!(left, right);
    assert!(left.iter().any(|sample| *sample != 0.0));
}

#[test]
fn the_delay_keeps_within_what_the_user_sets() {
    let mut config = PlayoutConfig::default();
    config.jitter.clock = MONO.rate;
    let mut playout = AudioPlayout::new(config, pcm(MONO)).unwrap();
    playout.set_min_delay(Duration::from_millis(300));
    run(&mut playout, 0, 20, &on_time(0..1));
    assert_eq!((playout.target_delay().as_millis(), playout.explain().reason), (300, crate::Reason::Minimum));
    playout.set_max_delay(Some(Duration::from_millis(120)));
    run(&mut playout, 20, 40, &[]);
    assert_eq!((playout.target_delay().as_millis(), playout.explain().reason), (120, crate::Reason::Maximum));
    playout.set_max_delay(Some(Duration::from_secs(60)));
    playout.set_min_delay(Duration::from_secs(60));
    run(&mut playout, 40, 60, &[]);
    assert_eq!(playout.target_delay(), PlayoutConfig::default().jitter.delay.max_delay, "no more than was configured");
    playout.set_max_delay(None);
    run(&mut playout, 60, 80, &[]);
    assert_eq!(playout.explain().reason, crate::Reason::Maximum);
}

#[test]
fn impossible_settings_are_named() {
    let broken = |change: fn(&mut PlayoutConfig)| {
        let mut config = PlayoutConfig::default();
        change(&mut config);
        AudioPlayout::new(config, pcm(MONO)).map(|_| ()).map_err(|error| error.setting())
    };
    assert_eq!(broken(|config| config.max_speed_up = 2.0), Err("max_speed_up"));
    assert_eq!(broken(|config| config.max_slow_down = f32::NAN), Err("max_slow_down"));
    assert_eq!(broken(|config| config.jitter.capacity = 0), Err("capacity"));
    let rate = Frequency::new(96_000).unwrap();
    let decoder = pcm(AudioFormat { rate, channels: 1 });
    assert!(AudioPlayout::new(PlayoutConfig::default(), decoder).is_err());
}

#[test]
fn comfort_noise_goes_on_longer_than_words() {
    let mut playout = playout();
    let arrivals: Vec<_> = (0..10).map(|n| (n * 20, packet(n, &payload(&[0.0; PTIME])))).collect();
    let (pulls, _) = run(&mut playout, 0, 1_500, &arrivals);
    let kinds = kinds(&pulls);
    assert_eq!(kinds[22..122], [PulledKind::Concealed; 100]);
    assert_eq!(kinds[122..], [PulledKind::Silence; 28]);
    assert_eq!(playout.stats().silent_concealed_samples, playout.stats().concealed_samples);
}

#[test]
fn packets_may_change_their_length() {
    let mut playout = playout();
    let voice = voice(8_000);
    let (mut arrivals, mut samples) = (Vec::new(), 0);
    for n in 0..60_u16 {
        // 20, 60, 2.5 and 40 ms, in turn.
        let len = [160, 480, 20, 320][usize::from(n / 4) % 4];
        if samples + len > voice.len() {
            break;
        }
        let (seq, time) = (SeqNum(65_530) + n, FIRST + ticks(samples));
        let packet = RtpPacket::builder(PayloadType::new(10), seq, time, Ssrc(3));
        arrivals.push((samples / 8, packet.build(&payload(&voice[samples..samples + len])).unwrap()));
        samples += len;
    }
    let (_, heard) = run(&mut playout, 0, samples / 8, &arrivals);
    assert_eq!(playout.stats().concealed_samples, 0);
    assert_eq!(heard[200..], voice[40..heard.len() - 160]);
}
