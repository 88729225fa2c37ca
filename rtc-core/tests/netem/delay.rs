use core::time::Duration;
use std::path::Path;

use rtc_core::DataSize;
use rtc_core::bwe::Ecn;
use rtc_core::testkit::netem::{Delivery, Jitter, Netem, NetemConfig, Outage, Sent, Spikes};
use rtc_core::testkit::rng::Rng;
use rtc_core::testkit::trace::DelayTrace;
use rtc_core::time::Instant;

use crate::{MS, PACKET, assert_near, config, mean, run, variance};

const N: u64 = 100_000;

fn delays(path: NetemConfig, count: u64, gap: Duration) -> Vec<Duration> {
    let mut netem = Netem::new(path, 8).unwrap();
    let mut arrived = run(&mut netem, count, gap, Ecn::NotEct);
    arrived.sort_by_key(|packet| packet.item);
    arrived.iter().map(|packet| packet.delivered - packet.sent).collect()
}

/// Sample mean and variance against the distribution's, with the standard errors of both from its fourth central moment.
#[test]
fn jitter_has_the_moments_of_its_distribution() {
    let base = 100.0;
    let pi = core::f64::consts::PI;
    let half_normal = 30.0 / (2.0 * pi).sqrt();
    // (jitter, base delay, mean, variance, fourth central moment), in ms
    let cases = [
        (Jitter::Uniform { max: 30 * MS }, base, 115.0, 75.0, 30_f64.powi(4) / 80.0),
        (Jitter::Normal { std_dev: 10 * MS }, base, 100.0, 100.0, 3e4),
        // Cut at zero: half of it is zero, the other half a half-normal.
        (Jitter::Normal { std_dev: 30 * MS }, 0.0, half_normal, 450.0 - half_normal.powi(2), 5e5),
        // Of a standard normal cut at 3: 0.995 and 2.89.
        (Jitter::Bounded { std_dev: 5 * MS, bound: 15 * MS }, base, 115.0, 24.875, 1_807.0),
        (Jitter::Exponential { mean: 10 * MS }, base, 110.0, 100.0, 9e4),
        (Jitter::Detour { probability: 0.1, extra: 50 * MS }, base, 105.0, 225.0, 2500.0_f64.powi(2) * 0.09 * 0.73),
    ];
    for (jitter, base, expected, spread, fourth) in cases {
        let path = config(|c| {
            c.delay = MS.mul_f64(base);
            c.jitter = jitter;
            c.reordering = true;
        });
        let samples: Vec<f64> = delays(path, N, MS).iter().map(|delay| delay.as_secs_f64() * 1e3).collect();
        let n = N as f64;
        assert_near(mean(&samples), expected, (spread / n).sqrt());
        assert_near(variance(&samples), spread, ((fourth - spread * spread) / n).sqrt());
    }
}

fn inversions(arrived: &[Delivery<u64>]) -> usize {
    arrived.windows(2).filter(|pair| pair[1].item < pair[0].item).count()
}

#[test]
fn packets_overtake_only_where_they_may() {
    let kinds = [
        Jitter::Uniform { max: 100 * MS },
        Jitter::Normal { std_dev: 40 * MS },
        Jitter::Exponential { mean: 40 * MS },
        Jitter::Detour { probability: 0.1, extra: 100 * MS },
    ];
    for jitter in kinds {
        for reordering in [false, true] {
            let path = config(|c| {
                c.delay = 50 * MS;
                c.jitter = jitter;
                c.reordering = reordering;
                c.duplication = 0.1;
            });
            let arrived = run(&mut Netem::new(path, 9).unwrap(), 10_000, 20 * MS, Ecn::NotEct);
            assert_eq!(inversions(&arrived) > 100, reordering, "{jitter:?}");
            assert!(reordering || inversions(&arrived) == 0, "{jitter:?}");
            assert!(arrived.is_sorted_by_key(|packet| packet.delivered));
        }
    }
}

/// In order, a packet on the detour holds up those behind it, each until its arrival and no longer.
#[test]
fn a_detour_in_order_blocks_the_line() {
    let path = |reordering| {
        config(|c| {
            c.jitter = Jitter::Detour { probability: 0.05, extra: 70 * MS };
            c.reordering = reordering;
        })
    };
    let free = delays(path(true), 1_000, 20 * MS);
    let blocked = delays(path(false), 1_000, 20 * MS);
    let mut behind = Duration::ZERO;
    for (free, blocked) in free.into_iter().zip(blocked) {
        behind = behind.saturating_sub(20 * MS).max(free);
        assert_eq!(blocked, behind);
    }
}

/// One spike per period, of a length in the range; packets during it arrive together at its end, the others undisturbed.
#[test]
fn spikes_hold_what_comes_until_they_end() {
    let spikes = Spikes { every: 5_000 * MS, shortest: 300 * MS, longest: 1_000 * MS };
    let path = config(|c| {
        c.delay = 20 * MS;
        c.spikes = Some(spikes);
    });
    let mut netem = Netem::new(path.clone(), 10).unwrap();
    let arrived = run(&mut netem, 500_000, MS, Ecn::NotEct);
    let late: Vec<_> = arrived.iter().filter(|packet| packet.delivered > packet.sent + 20 * MS).collect();
    let mut lengths: Vec<f64> = Vec::new();
    for spike in late.chunk_by(|a, b| a.delivered == b.delivered) {
        assert!(spike.windows(2).all(|pair| pair[1].item == pair[0].item + 1), "all in between wait too");
        lengths.push((spike[0].delivered - spike[0].sent - 20 * MS).as_secs_f64() * 1e3);
    }
    // Two that touch are seen as one or as a shorter second one, which is rare at this spacing.
    assert!((90..=100).contains(&lengths.len()), "{} spikes in 100 periods", lengths.len());
    assert!(lengths.iter().all(|&length| length <= 1_000.0));
    assert_near(mean(&lengths), 650.0, 700.0 / 12_f64.sqrt() / 10.0);

    // They depend on the time and the seed, not on what is sent.
    let sparse = run(&mut Netem::new(path, 10).unwrap(), 5_000, 100 * MS, Ecn::NotEct);
    for packet in sparse {
        let same = &arrived[usize::try_from(packet.item * 100).unwrap()];
        assert_eq!((packet.sent, packet.delivered), (same.sent, same.delivered));
    }
}

#[test]
fn impossible_delays_are_refused() {
    let spikes = |every, shortest, longest| {
        let spikes = Spikes { every: every * MS, shortest: shortest * MS, longest: longest * MS };
        Netem::<()>::new(config(|c| c.spikes = Some(spikes)), 0).is_err()
    };
    assert!(spikes(0, 0, 0) && spikes(10, 1, 11) && spikes(10, 5, 4) && !spikes(10, 10, 10));
    let detour = Jitter::Detour { probability: 1.5, extra: MS };
    assert!(Netem::<()>::new(config(|c| c.jitter = detour), 0).is_err());
    assert!(Netem::<()>::new(config(|c| c.duplication = -1.0), 0).is_err());
    assert!(Netem::<()>::new(config(|c| c.limit = 0), 0).is_err());
}

#[test]
fn a_trace_decides_each_packet() {
    let trace = DelayTrace::parse("0\n30\n-1\n5\n").unwrap();
    let path = |reordering| {
        config(|c| {
            c.trace = Some(trace.clone());
            c.delay = 10 * MS;
            c.reordering = reordering;
        })
    };
    let mut netem = Netem::new(path(true), 1).unwrap();
    let at: Vec<_> =
        run(&mut netem, 7, 20 * MS, Ecn::NotEct).iter().map(|p| (p.item, p.delivered.as_millis())).collect();
    assert_eq!(at, [(0, 10), (1, 60), (3, 75), (4, 90), (5, 140)]);
    assert_eq!(netem.stats().lost_trace, 2);

    let trace = DelayTrace::parse("100\n10\n").unwrap();
    let in_order = config(|c| c.trace = Some(trace));
    let at: Vec<_> = delays(in_order, 4, 20 * MS);
    assert_eq!(at, [100 * MS, 80 * MS, 100 * MS, 80 * MS]);
}

/// Recorded cellular traces, one line per 20 ms packet, come out as they were written.
#[test]
fn recorded_traces_replay_exactly() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data/traces");
    let names = ["att-lte-driving-2016-down", "tmobile-umts-driving-down", "verizon-evdo-driving-down"];
    for name in names {
        let Ok(text) = std::fs::read_to_string(folder.join(format!("{name}.delay-ms.txt"))) else {
            println!("skipped: no trace {name}");
            continue;
        };
        let trace = DelayTrace::parse(&text).unwrap();
        let kept: Vec<Duration> = trace.delays().iter().flatten().copied().collect();
        let count = trace.delays().len() as u64;
        let path = config(|c| {
            c.trace = Some(trace);
            c.reordering = true;
        });
        assert_eq!(delays(path, count, 20 * MS), kept);
        assert!(kept.len() > 1_000 && kept.iter().any(|delay| *delay > 100 * MS));
    }
}

#[test]
fn copies_are_flagged_and_follow() {
    let path = config(|c| {
        c.duplication = 0.2;
        c.jitter = Jitter::Uniform { max: 5 * MS };
    });
    let mut netem = Netem::new(path, 11).unwrap();
    let arrived = run(&mut netem, N, 10 * MS, Ecn::NotEct);
    let copies = arrived.iter().filter(|packet| packet.duplicate).count() as f64;
    assert_near(copies / N as f64, 0.2, (0.16 / N as f64).sqrt());
    assert_eq!(netem.stats().duplicated, arrived.len() as u64 - N);
    for pair in arrived.windows(2).filter(|pair| pair[1].duplicate) {
        assert_eq!((pair[0].item, pair[0].duplicate), (pair[1].item, false));
    }
}

#[test]
fn an_outage_takes_what_is_sent_in_it() {
    let outage = |from, length| Outage { from: from * MS, length: length * MS };
    let path = config(|c| {
        c.origin = Instant::from_millis(1_000);
        c.outages = vec![outage(500, 100), outage(50, 10), outage(55, 2)];
        c.delay = 200 * MS;
    });
    let mut netem = Netem::new(path, 1).unwrap();
    for ms in 0..2_000 {
        let lost = (1_050..1_060).contains(&ms) || (1_500..1_600).contains(&ms);
        let sent = netem.send(Instant::from_millis(ms), PACKET, Ecn::NotEct, ms);
        assert_eq!(sent, if lost { Sent::LostOutage } else { Sent::Queued }, "at {ms} ms");
    }
    assert_eq!(netem.stats().lost_outage, 110);
}

#[test]
fn the_mtu_counts_the_overhead() {
    let mut netem = Netem::new(config(|c| c.mtu = Some(DataSize::from_bytes(1_500))), 1).unwrap();
    let mut send = |bytes| netem.send(Instant::ZERO, DataSize::from_bytes(bytes), Ecn::NotEct, 0_u64);
    assert_eq!([send(1_472), send(1_473), send(u64::MAX)], [Sent::Queued, Sent::LostMtu, Sent::LostMtu]);
    assert_eq!(netem.stats().lost_mtu, 2);
}

#[test]
fn the_emulator_holds_so_many_packets() {
    let path = config(|c| {
        c.limit = 3;
        c.delay = 10 * MS;
    });
    let mut netem = Netem::new(path, 1).unwrap();
    let fates: Vec<Sent> = (0..5).map(|number| netem.send(Instant::ZERO, PACKET, Ecn::NotEct, number)).collect();
    assert_eq!(fates[2..], [Sent::Queued, Sent::LostOverflow, Sent::LostOverflow]);
    assert!(netem.poll(Instant::from_millis(10)).is_some());
    assert_eq!(netem.send(Instant::from_millis(10), PACKET, Ecn::NotEct, 5), Sent::Queued);
}

/// Switching one stage on leaves what another does to each packet as it was.
#[test]
fn stages_have_chances_of_their_own() {
    let base = config(|c| {
        c.jitter = Jitter::Normal { std_dev: 10 * MS };
        c.delay = 50 * MS;
        c.reordering = true;
    });
    let plain = run(&mut Netem::new(base.clone(), 12).unwrap(), 1_000, 20 * MS, Ecn::NotEct);
    let mut lossy = base;
    lossy.loss = rtc_core::testkit::netem::Loss::Bernoulli(0.5);
    lossy.duplication = 0.5;
    let kept = run(&mut Netem::new(lossy, 12).unwrap(), 1_000, 20 * MS, Ecn::NotEct);
    let originals: Vec<_> = kept.iter().filter(|packet| !packet.duplicate).collect();
    assert!((400..600).contains(&originals.len()));
    for packet in originals {
        assert!(plain.contains(packet));
    }
}

/// `Rng` as the source of a schedule of sends: the fate of packets depends on it only through time.
#[test]
fn same_seed_same_run_and_other_seed_other_run() {
    let trial = |seed| {
        let mut netem = Netem::new(NetemConfig::wifi(rtc_core::Bitrate::from_kbps(5_000)).unwrap(), seed).unwrap();
        let mut rng = Rng::new(1);
        let mut now = Instant::ZERO;
        for number in 0..5_000 {
            now += Duration::from_nanos(rng.below(4_000_000));
            netem.send(now, PACKET, Ecn::NotEct, number);
        }
        (crate::drain(&mut netem), netem.stats())
    };
    assert_eq!(trial(1), trial(1));
    assert_ne!(trial(1).0, trial(2).0);
}
