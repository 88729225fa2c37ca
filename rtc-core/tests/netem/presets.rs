use core::time::Duration;

use rtc_core::bwe::Ecn;
use rtc_core::testkit::netem::{Netem, NetemConfig};
use rtc_core::time::Instant;
use rtc_core::{Bitrate, DataSize};

use crate::{MS, PACKET, config};

const RATE: Bitrate = Bitrate::from_kbps(6_000);

/// Waits for the link under a constant load, sorted.
fn waits(path: NetemConfig, gap: Duration, count: u64) -> Vec<Duration> {
    let mut waits: Vec<_> = crate::run(&mut Netem::new(path, 1).unwrap(), count, gap, Ecn::NotEct)
        .iter()
        .map(|packet| packet.queued)
        .collect();
    waits.sort_unstable();
    waits
}

/// 2 Mb/s on a median of 6 wait as on recorded LTE drives: nearly all at once, a few for seconds.
#[test]
fn lte_drive_waits_like_a_drive() {
    let mut tails = Vec::new();
    for seed in 0..8 {
        let waits = waits(NetemConfig::lte_drive(seed, RATE).unwrap(), 5 * MS, 120_000);
        let at = |percent: usize| waits[waits.len() * percent / 100];
        assert!(at(50) < 3 * MS, "seed {seed}: median {:?}", at(50));
        assert!((200..=2_000).contains(&waits[waits.len() - 1].as_millis()), "seed {seed}");
        tails.push(at(95));
    }
    tails.sort_unstable();
    assert!((20..500).contains(&tails[4].as_millis()), "{tails:?}");
}

/// Of 500 packets in 10 s, 8 come in the stall of 160 ms, and all but the first of these wait behind another.
#[test]
fn wifi_waits_in_its_stalls() {
    let waits = waits(NetemConfig::wifi(RATE).unwrap(), 20 * MS, 50_000);
    let held = waits.iter().filter(|wait| **wait > MS).count() as f64 / waits.len() as f64;
    assert!((0.012..0.017).contains(&held), "{held}");
    assert!(waits[waits.len() - 1] <= 160 * MS);
}

#[test]
fn wired_is_the_bottleneck_of_rfc_8867() {
    let mut netem = Netem::new(NetemConfig::wired(RATE), 1).unwrap();
    netem.send(Instant::ZERO, DataSize::from_bytes(722), Ecn::NotEct, 0);
    assert_eq!(netem.poll_timeout(), Some(Instant::from_millis(51)));
    let longest = waits(NetemConfig::wired(RATE), MS, 10_000).last().copied();
    assert!(longest.is_some_and(|longest| longest <= 300 * MS && longest > 298 * MS));
}

/// The default changes nothing: everything arrives at once, in order, once.
#[test]
fn the_default_is_perfect() {
    let arrived = crate::run(&mut Netem::new(config(|_| ()), 1).unwrap(), 1_000, MS, Ecn::Ect1);
    assert_eq!(arrived.len(), 1_000);
    for (packet, number) in arrived.iter().zip(0..) {
        assert_eq!((packet.item, packet.size, packet.ecn, packet.duplicate), (number, PACKET, Ecn::Ect1, false));
        assert_eq!((packet.sent, packet.delivered), (Instant::from_millis(number), Instant::from_millis(number)));
    }
}
