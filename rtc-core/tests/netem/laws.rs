//! What holds for any configuration and any use.

use core::time::Duration;

use proptest::prelude::*;
use rtc_core::bwe::Ecn;
use rtc_core::testkit::netem::{
    CoDelConfig, Delivery, DualPi2Config, Jitter, Link, Loss, Netem, NetemConfig, NetemStats, Outage, Policer,
    QueueLimit, Spikes,
};
use rtc_core::testkit::trace::{DelayTrace, DeliveryTrace, RateSchedule};
use rtc_core::time::Instant;
use rtc_core::{Bitrate, DataSize};

use crate::drain;

#[derive(Debug, Clone)]
enum Op {
    Wait(Duration),
    Send { size: u64, ecn: Ecn },
    Poll,
}

fn op() -> impl Strategy<Value = Op> {
    let ecn = prop::sample::select(vec![Ecn::NotEct, Ecn::Ect0, Ecn::Ect1, Ecn::Ce]);
    prop_oneof![
        2 => millis(40).prop_map(Op::Wait),
        3 => (prop_oneof![1 => Just(0), 9 => 0_u64..2_000], ecn).prop_map(|(size, ecn)| Op::Send { size, ecn }),
        1 => Just(Op::Poll),
    ]
}

fn millis(below: u64) -> impl Strategy<Value = Duration> {
    (0..below * 1_000_000).prop_map(Duration::from_nanos)
}

fn any_loss() -> impl Strategy<Value = Loss> {
    prop_oneof![
        Just(Loss::None),
        (0.0..=1.0).prop_map(Loss::Bernoulli),
        (0.0..0.4, 1.0..5.0).prop_map(|(mean, burst)| Loss::bursts(mean, burst).unwrap()),
    ]
}

fn any_link() -> impl Strategy<Value = Link> {
    let steps = prop::collection::vec((1_u64..50, 0_u64..5_000), 1..6);
    prop_oneof![
        Just(Link::Unlimited),
        (1_u64..5_000_000).prop_map(|bps| Link::Rate(Bitrate::from_bps(bps))),
        (steps, any::<bool>()).prop_map(|(steps, repeat)| {
            let mut at = 0;
            let mut built = vec![(Duration::ZERO, Bitrate::from_kbps(100))];
            for (length, kbps) in steps {
                at += length;
                built.push((Duration::from_millis(at), Bitrate::from_kbps(kbps)));
            }
            let period = repeat.then(|| Duration::from_millis(at + 10));
            Link::Schedule(RateSchedule::new(&built, period).unwrap())
        }),
        prop::collection::vec(1_u64..30, 1..20).prop_map(|gaps| {
            let mut at = 0;
            let times = gaps.into_iter().map(|gap| (at += gap, Duration::from_millis(at)).1);
            Link::Deliveries(DeliveryTrace::new(times.collect::<Vec<_>>()).unwrap())
        }),
    ]
}

fn any_jitter() -> impl Strategy<Value = Jitter> {
    prop_oneof![
        Just(Jitter::None),
        millis(100).prop_map(|max| Jitter::Uniform { max }),
        millis(50).prop_map(|std_dev| Jitter::Normal { std_dev }),
        (millis(50), millis(50)).prop_map(|(std_dev, bound)| Jitter::Bounded { std_dev, bound }),
        millis(50).prop_map(|mean| Jitter::Exponential { mean }),
        (0.0..=1.0, millis(200)).prop_map(|(probability, extra)| Jitter::Detour { probability, extra }),
    ]
}

fn any_management() -> impl Strategy<Value = (Option<CoDelConfig>, Option<DualPi2Config>)> {
    let codel = (millis(10), any::<bool>()).prop_map(|(target, ecn)| {
        let mut codel = CoDelConfig::default();
        (codel.target, codel.interval, codel.ecn) = (target, Duration::from_millis(30), ecn);
        codel
    });
    let dualpi2 =
        (1_u64..30, 1_u64..30, 0.0..1_000.0, millis(10), 0_u8..=100).prop_map(|(target, update, beta, step, share)| {
            let mut dualpi2 = DualPi2Config::default();
            (dualpi2.target, dualpi2.update) = (Duration::from_millis(target), Duration::from_millis(update));
            (dualpi2.beta, dualpi2.step, dualpi2.classic_share) = (beta, step, share);
            dualpi2
        });
    prop_oneof![
        Just((None, None)),
        codel.prop_map(|codel| (Some(codel), None)),
        dualpi2.prop_map(|dualpi2| (None, Some(dualpi2))),
    ]
}

prop_compose! {
    fn before_the_link()(
        loss in any_loss(),
        mtu in prop::option::of(500_u64..2_000),
        outages in prop::collection::vec((millis(500), millis(100)), 0..3),
        trace in prop::option::of(prop::collection::vec(prop::option::of(millis(100)), 1..10)),
    ) -> NetemConfig {
        let mut config = NetemConfig::default();
        config.loss = loss;
        config.mtu = mtu.map(DataSize::from_bytes);
        config.outages = outages.into_iter().map(|(from, length)| Outage { from, length }).collect();
        config.trace = trace.map(|delays| DelayTrace::new(delays).unwrap());
        config
    }
}

prop_compose! {
    fn any_config()(
        config in before_the_link(),
        link in any_link(),
        queue in prop_oneof![
            millis(300).prop_map(QueueLimit::Time),
            (0_u64..20_000).prop_map(|bytes| QueueLimit::Bytes(DataSize::from_bytes(bytes))),
        ],
        management in any_management(),
        policer in prop::option::of((1_u64..5_000_000, 0_u64..20_000)),
        mark_above in prop::option::of(millis(20)),
        delay in millis(100),
        jitter in any_jitter(),
        spikes in prop::option::of((1_u64..100, 0_u64..100)),
        reordering in any::<bool>(),
        duplication in prop_oneof![Just(0.0), 0.0..=1.0],
        overhead in prop_oneof![Just(0), 0_u64..100],
    ) -> NetemConfig {
        let mut config = config;
        config.link = link;
        config.queue = queue;
        (config.codel, config.dualpi2) = management;
        config.policer = policer.map(|(bps, burst)| Policer {
            rate: Bitrate::from_bps(bps),
            burst: DataSize::from_bytes(burst),
        });
        config.mark_above = mark_above;
        config.delay = delay;
        config.jitter = jitter;
        config.spikes = spikes.map(|(shortest, more)| Spikes {
            every: Duration::from_millis(shortest + more + 50),
            shortest: Duration::from_millis(shortest),
            longest: Duration::from_millis(shortest + more),
        });
        config.reordering = reordering;
        config.duplication = duplication;
        config.overhead = DataSize::from_bytes(overhead);
        config
    }
}

/// What arrives and what is counted, when `ops` start at `start`; without `polls` nothing is polled until the end.
fn execute(mut config: NetemConfig, ops: &[Op], start: Instant, polls: bool) -> (Vec<Delivery<u64>>, NetemStats) {
    config.origin = start;
    let mut netem = Netem::new(config, 3).unwrap();
    let mut now = start;
    let mut arrived = Vec::new();
    let mut number = 0;
    for op in ops {
        match *op {
            Op::Wait(time) => now += time,
            Op::Poll if polls => arrived.extend(core::iter::from_fn(|| netem.poll(now))),
            Op::Poll => {}
            Op::Send { size, ecn } => {
                netem.send(now, DataSize::from_bytes(size), ecn, number);
                number += 1;
            }
        }
        let stats = netem.stats();
        assert_eq!(stats.sent + stats.duplicated, stats.delivered + stats.lost() + stats.in_flight);
    }
    arrived.extend(drain(&mut netem));
    (arrived, netem.stats())
}

proptest! {
    #[test]
    fn every_packet_is_accounted_for(config in any_config(), ops in prop::collection::vec(op(), 0..200)) {
        let (arrived, stats) = execute(config.clone(), &ops, Instant::ZERO, true);
        let size = |packets: &[Delivery<u64>]| packets.iter().map(|packet| packet.size).sum::<DataSize>();
        prop_assert_eq!(stats.delivered, arrived.len() as u64);
        prop_assert_eq!(stats.delivered_size, size(&arrived));
        let sent = ops.iter().filter(|op| matches!(op, Op::Send { .. })).count() as u64;
        prop_assert_eq!(stats.sent, sent);
        // No packet and no copy arrives twice, nor before it can.
        let mut seen: Vec<_> = arrived.iter().map(|packet| (packet.item, packet.duplicate)).collect();
        seen.sort_unstable();
        prop_assert!(seen.windows(2).all(|pair| pair[0] != pair[1]));
        prop_assert!(arrived.iter().all(|packet| packet.delivered >= packet.sent + packet.queued));
        prop_assert!(arrived.is_sorted_by_key(|packet| packet.delivered));
        // With two queues, those of the other one overtake.
        let sent = ops.iter().filter_map(|op| if let Op::Send { ecn, .. } = op { Some(*ecn) } else { None });
        let is_low = sent.map(|ecn| config.dualpi2.is_some() && matches!(ecn, Ecn::Ect1 | Ecn::Ce)).collect::<Vec<_>>();
        for queue in [false, true] {
            let of = |packet: &&Delivery<u64>| is_low[usize::try_from(packet.item).unwrap()] == queue;
            let items: Vec<u64> = arrived.iter().filter(of).map(|packet| packet.item).collect();
            prop_assert!(config.reordering || items.is_sorted());
        }
        // Only a link that died keeps packets.
        prop_assert!(stats.in_flight == 0 || matches!(config.link, Link::Schedule(schedule) if schedule.period().is_none()));
    }

    #[test]
    fn polling_changes_nothing(config in any_config(), ops in prop::collection::vec(op(), 0..200)) {
        let polled = execute(config.clone(), &ops, Instant::ZERO, true);
        let left_alone = execute(config, &ops, Instant::ZERO, false);
        prop_assert_eq!(polled, left_alone);
    }

    #[test]
    fn a_run_at_another_time_is_the_same_run(
        config in any_config(),
        ops in prop::collection::vec(op(), 0..100),
        start in 0_u64..1 << 60,
    ) {
        let start = Instant::from_nanos(start);
        let (early, early_stats) = execute(config.clone(), &ops, Instant::ZERO, true);
        let (mut late, late_stats) = execute(config, &ops, start, true);
        for packet in &mut late {
            packet.sent = Instant::ZERO + (packet.sent - start);
            packet.delivered = Instant::ZERO + (packet.delivered - start);
        }
        prop_assert_eq!(early_stats, late_stats);
        prop_assert_eq!(early, late);
    }

    /// Nothing arrives before the announced moment, and a driver that only wakes when told misses nothing.
    #[test]
    fn poll_timeout_is_never_late(config in any_config(), ops in prop::collection::vec(op(), 0..100)) {
        let mut netem = Netem::new(config, 3).unwrap();
        let mut now = Instant::ZERO;
        for op in ops {
            match op {
                Op::Send { size, ecn } => {
                    netem.send(now, DataSize::from_bytes(size), ecn, 0);
                }
                Op::Wait(time) => {
                    let end = now + time;
                    while let Some(at) = netem.poll_timeout().filter(|&at| at <= end) {
                        let just_before = at - Duration::from_nanos(1);
                        prop_assert!(at == Instant::ZERO || netem.clone().poll(just_before).is_none());
                        while let Some(packet) = netem.poll(at) {
                            prop_assert_eq!(packet.delivered, at.max(now));
                        }
                        now = at.max(now);
                    }
                    now = end;
                    prop_assert!(netem.poll(now).is_none());
                }
                Op::Poll => while netem.poll(now).is_some() {},
            }
        }
    }
}

/// The ends of every range pass without a panic, and time that runs backwards counts as standing still.
#[test]
fn extremes_saturate() {
    let mut config = NetemConfig::wired(Bitrate::MAX);
    config.delay = Duration::MAX;
    config.jitter = Jitter::Exponential { mean: Duration::MAX };
    config.trace = Some(DelayTrace::new(vec![Some(Duration::MAX)]).unwrap());
    config.spikes = Some(Spikes { every: Duration::MAX, shortest: Duration::MAX, longest: Duration::MAX });
    config.outages = vec![Outage { from: Duration::MAX, length: Duration::MAX }];
    config.queue = QueueLimit::Time(Duration::MAX);
    let mut codel = CoDelConfig::default();
    codel.interval = Duration::MAX;
    config.codel = Some(codel);
    saturates(config.clone());
    config.codel = None;
    for update in [Duration::from_micros(100), Duration::MAX] {
        let mut dualpi2 = DualPi2Config::default();
        (dualpi2.update, dualpi2.target, dualpi2.step) = (update, Duration::from_millis(1), Duration::MAX);
        config.dualpi2 = Some(dualpi2);
        config.policer = Some(Policer { rate: Bitrate::MAX, burst: DataSize::from_bytes(u64::MAX) });
        saturates(config.clone());
    }
}

fn saturates(config: NetemConfig) {
    let mut netem = Netem::new(config, 1).unwrap();
    for now in [Instant::ZERO, Instant::MAX, Instant::ZERO] {
        for number in 0..3 {
            netem.send(now, DataSize::from_bytes(u64::MAX), Ecn::Ect1, number);
            while netem.poll(now).is_some() {}
        }
        assert!(netem.capacity(now).is_some());
        let _ = (netem.queue_delay(now), netem.capacity_between(now, Instant::MAX), netem.poll_timeout());
    }
    let stats = netem.stats();
    assert_eq!(stats.sent, stats.delivered + stats.lost() + stats.in_flight);
}
