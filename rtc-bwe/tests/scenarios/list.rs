//! The scenarios.

use core::time::Duration;

use rtc_bwe::GccConfig;
use rtc_core::bwe::Ecn;
use rtc_core::testkit::netem::{CoDelConfig, Jitter, Link, Loss, NetemConfig, Outage, QueueLimit};
use rtc_core::testkit::trace::RateSchedule;
use rtc_core::{Bitrate, DataSize};

use crate::flow::Source;
use crate::run::Scenario;

/// RFC 8867 §5.1 in seconds and kb/s.
const VARIABLE: [(u64, u64); 4] = [(0, 1_000), (40, 2_500), (60, 600), (80, 1_000)];

pub(crate) fn scenarios() -> Vec<Scenario> {
    [capacities(), losses(), paths(), clocks_and_feedback(), sources()].into_iter().flatten().collect()
}

fn capacities() -> Vec<Scenario> {
    vec![
        video("rfc8867 5.1", 100, changing(&VARIABLE)),
        video("rfc8867 5.1, jitter 30", 100, with(changing(&VARIABLE), |c| c.jitter = Jitter::Uniform { max: ms(30) })),
        Scenario {
            starts: vec![0, 0],
            ..video("rfc8867 5.2", 125, changing(&[(0, 4_000), (25, 2_000), (50, 3_500), (75, 1_000), (100, 2_000)]))
        },
        Scenario { starts: vec![0, 20, 40], ..video("rfc8867 5.4", 120, wired(3_500)) },
        video("step 4-0.8-4", 90, changing(&[(0, 4_000), (30, 800), (60, 4_000)])),
    ]
}

fn losses() -> Vec<Scenario> {
    vec![
        video("loss 2 %", 60, with(wired(3_000), |c| c.loss = Loss::Bernoulli(0.02))),
        video("loss 10 %", 60, with(wired(3_000), |c| c.loss = Loss::Bernoulli(0.1))),
        video("loss 30 %", 60, with(wired(3_000), |c| c.loss = Loss::Bernoulli(0.3))),
        video("loss 10 % in bursts", 60, with(wired(3_000), |c| c.loss = Loss::bursts(0.1, 4.0).unwrap())),
        Scenario {
            forward: vec![(0, wired(3_000)), (20, with(wired(3_000), |c| c.loss = Loss::Bernoulli(0.1)))],
            ..video("loss 10 % from 20 s", 60, wired(1))
        },
    ]
}

fn paths() -> Vec<Scenario> {
    vec![
        video("steady 300 kb/s", 60, wired(300)),
        video("steady 1 Mb/s", 60, wired(1_000)),
        video("steady 3 Mb/s", 60, wired(3_000)),
        video("steady 10 Mb/s", 60, wired(10_000)),
        video("queue 30 ms", 60, with(wired(3_000), |c| c.queue = QueueLimit::Time(ms(30)))),
        video("queue 5 ms", 60, with(wired(3_000), |c| c.queue = QueueLimit::Time(ms(5)))),
        video("queue 2 s", 60, with(wired(2_000), |c| c.queue = QueueLimit::Time(ms(2_000)))),
        video(
            "outage 3 s",
            60,
            with(wired(2_000), |c| c.outages = vec![Outage { from: ms(30_000), length: ms(3_000) }]),
        ),
        video(
            "stall 3 s",
            60,
            with(changing(&[(0, 2_000), (30, 0), (33, 2_000)]), |c| c.queue = QueueLimit::Time(ms(1_000))),
        ),
        Scenario {
            forward: vec![(0, wired(2_000)), (30, with(wired(2_000), |c| c.delay = ms(150)))],
            ..video("delay +100 ms", 60, wired(1))
        },
        Scenario {
            forward: vec![(0, with(wired(2_000), |c| c.delay = ms(150))), (30, wired(2_000))],
            ..video("delay -100 ms", 60, wired(1))
        },
    ]
}

fn clocks_and_feedback() -> Vec<Scenario> {
    vec![
        Scenario {
            reverse: with(reverse(), |c| c.loss = Loss::Bernoulli(0.3)),
            ..video("feedback loss 30 %", 60, wired(2_000))
        },
        Scenario {
            reverse: with(reverse(), |c| {
                c.jitter = Jitter::Uniform { max: ms(150) };
                c.reordering = true;
                c.duplication = 0.1;
            }),
            ..video("feedback reordered", 60, wired(2_000))
        },
        Scenario { clock: [(0, 86_400), (30, 50_000)], ..video("clock jumps back", 60, wired(2_000)) },
        Scenario { clock: [(0, 86_400), (30, 86_401)], ..video("clock jumps 1 s", 60, wired(2_000)) },
    ]
}

fn sources() -> Vec<Scenario> {
    let camera = |name, seconds, path| Scenario { source: Source::Camera, ..video(name, seconds, path) };
    vec![
        camera("camera 5.1", 100, changing(&VARIABLE)),
        camera("camera 3 Mb/s", 60, wired(3_000)),
        camera("camera loss 10 %", 60, with(wired(3_000), |c| c.loss = Loss::Bernoulli(0.1))),
        Scenario {
            reverse: with(reverse(), |c| c.delay = ms(5)),
            ..video("rtt 10 ms", 60, with(wired(3_000), |c| c.delay = ms(5)))
        },
        Scenario {
            reverse: with(reverse(), |c| c.delay = ms(150)),
            ..video("rtt 300 ms", 60, with(wired(3_000), |c| c.delay = ms(150)))
        },
        video("codel", 60, with(wired(2_000), |c| c.codel = Some(CoDelConfig::default()))),
        Scenario {
            ecn: Ecn::Ect0,
            ..video("codel, ecn", 60, with(wired(2_000), |c| c.codel = Some(CoDelConfig::default())))
        },
        Scenario {
            ecn: Ecn::Ect1,
            ..video("marks above 1 ms", 60, with(wired(2_000), |c| c.mark_above = Some(ms(1))))
        },
        video(
            "reordering 20 ms",
            60,
            with(wired(2_000), |c| {
                c.jitter = Jitter::Uniform { max: ms(20) };
                c.reordering = true;
            }),
        ),
        video("wifi 5 Mb/s", 60, with(NetemConfig::wifi(Bitrate::from_kbps(5_000)).unwrap(), no_overhead)),
        video(
            "lte drive 3 Mb/s",
            120,
            with(NetemConfig::lte_drive(1, Bitrate::from_kbps(3_000)).unwrap(), no_overhead),
        ),
        audio("audio 1 Mb/s", 60, wired(1_000)),
        audio("audio 1 Mb/s, jitter 30", 60, with(wired(1_000), |c| c.jitter = Jitter::Uniform { max: ms(30) })),
        audio("audio 1000-40 kb/s", 60, changing(&[(0, 1_000), (30, 40)])),
        audio("audio 40-1000 kb/s", 60, changing(&[(0, 40), (30, 1_000)])),
        audio("audio loss 10 %", 60, with(wired(1_000), |c| c.loss = Loss::Bernoulli(0.1))),
    ]
}

const fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

fn with(mut config: NetemConfig, change: impl FnOnce(&mut NetemConfig)) -> NetemConfig {
    change(&mut config);
    config
}

/// RFC 8867: 50 ms one way, 300 ms of drop-tail queue.
fn wired(kbps: u64) -> NetemConfig {
    with(NetemConfig::wired(Bitrate::from_kbps(kbps)), no_overhead)
}

/// Packet sizes hold all headers.
fn no_overhead(config: &mut NetemConfig) {
    config.overhead = DataSize::ZERO;
}

/// Capacities in kb/s from a second on.
fn changing(steps: &[(u64, u64)]) -> NetemConfig {
    let steps: Vec<_> = steps.iter().map(|&(from, kbps)| (ms(1_000 * from), Bitrate::from_kbps(kbps))).collect();
    with(wired(1), |config| config.link = Link::Schedule(RateSchedule::new(&steps, None).unwrap()))
}

fn reverse() -> NetemConfig {
    with(NetemConfig::default(), |config| config.delay = ms(50))
}

fn video(name: &'static str, seconds: u64, forward: NetemConfig) -> Scenario {
    let (source, config) = (Source::Video, GccConfig::default());
    let clock = [(0, 86_400); 2];
    let (forward, starts) = (vec![(0, forward)], vec![0]);
    Scenario { name, source, config, forward, reverse: reverse(), ecn: Ecn::NotEct, clock, starts, seconds }
}

fn audio(name: &'static str, seconds: u64, forward: NetemConfig) -> Scenario {
    let max = Bitrate::from_kbps(64);
    let mut config = GccConfig::default();
    config.start = max;
    Scenario { source: Source::Audio { max }, config, ..video(name, seconds, forward) }
}
