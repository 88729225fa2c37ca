//! NetEq plays what it is given, in its time, and conceals what it is not.
#![expect(clippy::unwrap_used, clippy::cast_possible_truncation, reason = "a test may panic")]

use core::time::Duration;

use peer_webrtc::{NetEq, NetEqConfig, NetEqStats, Speech};
use rtc_core::time::Instant;
use rtc_core::{Frequency, RtpTime};

const PACKET: usize = 320;

/// A hum: 20 ms of it per packet, each sample its own.
fn sample(index: usize) -> i16 {
    ((index as f64 * 0.05).sin() * 8_000.0) as i16
}

/// Ten seconds through a path that takes `delay(packet)` milliseconds, or loses it; the mean play-out delay behind the
/// sender in milliseconds, and the counters.
fn play(config: &NetEqConfig, delay: impl Fn(usize) -> Option<u64>) -> (f64, NetEqStats) {
    let mut neteq = NetEq::new(config).unwrap();
    let mut arrivals: Vec<_> =
        (0..500).filter_map(|packet| Some((packet as u64 * 20 + delay(packet)?, packet))).collect();
    arrivals.sort_unstable();
    let mut arrivals = arrivals.into_iter().peekable();
    let (mut delays, mut concealed) = (Vec::new(), 0);
    for now in (0..10_000).step_by(10) {
        while let Some((at, packet)) = arrivals.next_if(|&(at, _)| at <= now) {
            let payload: Vec<u8> =
                (packet * PACKET..(packet + 1) * PACKET).flat_map(|index| sample(index).to_be_bytes()).collect();
            let timestamp = RtpTime((packet * PACKET) as u32);
            assert!(neteq.insert(Instant::from_millis(at), packet as u16, timestamp, &payload));
        }
        let frame = neteq.pull(Instant::from_millis(now)).unwrap();
        assert_eq!(frame.samples.len(), PACKET / 2);
        concealed += usize::from(frame.kind == Speech::Concealed);
        if let Some(end) = frame.end {
            delays.push(now as f64 + 10.0 - f64::from(end.0.cast_signed()) / 16.0);
        }
    }
    let stats = neteq.stats();
    assert_eq!(stats.concealed_samples > 0, concealed > 0, "what is counted is what is heard");
    (delays.iter().sum::<f64>() / delays.len() as f64, stats)
}

#[test]
fn a_clean_stream_is_played_at_once() {
    let (delay, stats) = play(&NetEqConfig::default(), |_| Some(0));
    assert!((0.0..40.0).contains(&delay), "{delay}");
    assert_eq!((stats.concealed_samples, stats.discarded_packets), (0, 0));
    assert!(stats.total_samples >= 159_000, "{stats:?}");
}

#[test]
fn loss_is_concealed() {
    let (_, stats) = play(&NetEqConfig::default(), |packet| (packet % 10 != 5).then_some(0));
    let concealed = stats.concealed_samples as f64 / stats.total_samples as f64;
    assert!((0.07..0.13).contains(&concealed), "{concealed}");
}

#[test]
fn jitter_is_waited_for() {
    let jitter = |packet: usize| Some((packet as u64 * 7_919) % 100);
    let (default, _) = play(&NetEqConfig::default(), jitter);
    assert!((60.0..200.0).contains(&default), "{default}");
    let mut config = NetEqConfig::default();
    config.stable_playout = true;
    let (stable, _) = play(&config, jitter);
    assert!(stable < default, "the stable mode keeps the target, not the target above the mean: {stable} {default}");
}

#[test]
fn the_least_delay_is_kept() {
    let mut config = NetEqConfig::default();
    config.min_delay = Duration::from_millis(200);
    let (delay, _) = play(&config, |_| Some(0));
    assert!((100.0..260.0).contains(&delay), "{delay}");
}

#[test]
fn impossible_settings_are_refused() {
    let (mut silent, mut odd) = (NetEqConfig::default(), NetEqConfig::default());
    silent.channels = 0;
    odd.rate = Frequency::new(44_100).unwrap();
    assert!(NetEq::new(&silent).is_err() && NetEq::new(&odd).is_err());
}
