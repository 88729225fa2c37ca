use core::time::Duration;

use rtc_core::bwe::Ecn;
use rtc_core::testkit::netem::{Netem, NetemConfig, Policer, Sent};
use rtc_core::time::Instant;
use rtc_core::{Bitrate, DataSize};

use crate::{MS, PACKET, config, run};

/// 1 Mb/s, which are 10 ms for a packet, with tokens for ten of them.
fn policed() -> NetemConfig {
    let policer = Policer { rate: Bitrate::from_kbps(1_000), burst: DataSize::from_bytes(12_500) };
    config(|c| c.policer = Some(policer))
}

/// What arrives is never more than rate and burst, in any stretch of time, and never waits.
#[test]
fn a_policer_passes_rate_and_burst_and_queues_nothing() {
    let mut netem = Netem::new(policed(), 1).unwrap();
    let arrived = run(&mut netem, 10_000, MS, Ecn::NotEct);
    // 10 s of 100 packets a second, and the ten at first.
    assert_eq!((arrived.len(), netem.stats().lost_policer), (1_010 - 1, 10_000 - 1_009));
    assert!(arrived.iter().all(|packet| packet.queued.is_zero() && packet.delivered == packet.sent));
    for (index, packet) in arrived.iter().enumerate() {
        let since = &arrived[index..];
        let within = since.iter().take_while(|later| later.sent - packet.sent <= 500 * MS).count();
        assert!(within <= 10 + 50 + 1, "{within}");
    }
}

/// Below the rate nothing is lost, and a pause fills the bucket and no more.
#[test]
fn tokens_are_saved_up_to_the_burst() {
    let mut netem = Netem::new(policed(), 1).unwrap();
    assert_eq!(run(&mut netem, 1_000, 10 * MS, Ecn::NotEct).len(), 1_000);
    let mut at = |now| netem.send(now, PACKET, Ecn::NotEct, 0) == Sent::Queued;
    let later = Instant::from_millis(1_000_000);
    assert_eq!((0..20).filter(|_| at(later)).count(), 10);
    assert!(!at(later + Duration::from_micros(9_999)) && at(later + Duration::from_micros(10_000)));
}

#[test]
fn impossible_policers_are_refused() {
    let policer = Policer { rate: Bitrate::ZERO, burst: DataSize::from_bytes(1) };
    assert_eq!(Netem::<()>::new(config(|c| c.policer = Some(policer)), 0).unwrap_err().setting(), "policer");
}
