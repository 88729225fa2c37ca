use core::time::Duration;

use proptest::prelude::*;
use rtc_core::bwe::Ecn;
use rtc_core::testkit::netem::{Link, Netem, QueueLimit};
use rtc_core::testkit::rng::Rng;
use rtc_core::testkit::trace::{DeliveryTrace, RateSchedule};
use rtc_core::time::Instant;
use rtc_core::{Bitrate, DataSize};

use crate::{MS, PACKET, assert_near, config, drain, run};

const NO_LIMIT: QueueLimit = QueueLimit::Bytes(DataSize::from_bytes(u64::MAX));

fn link(link: Link) -> Netem<u64> {
    let config = config(|c| {
        c.link = link;
        c.queue = NO_LIMIT;
    });
    Netem::new(config, 1).unwrap()
}

#[test]
fn serialization_takes_size_over_rate() {
    let mut netem = link(Link::Rate(Bitrate::from_kbps(1_000)));
    for number in 0..3 {
        netem.send(Instant::from_millis(7), PACKET, Ecn::NotEct, number);
    }
    let at: Vec<_> = drain(&mut netem).iter().map(|packet| (packet.delivered, packet.queued)).collect();
    let ms = Instant::from_millis;
    assert_eq!(at, [(ms(17), Duration::ZERO), (ms(27), 10 * MS), (ms(37), 20 * MS)]);
}

/// Packet k of a busy link is through after all bits so far at the rate, to the nanosecond, after an hour as after a second.
#[test]
fn a_busy_link_carries_its_capacity_without_drift() {
    const RATE: u64 = 997_331;
    let mut netem = link(Link::Rate(Bitrate::from_bps(RATE)));
    let mut rng = Rng::new(5);
    let mut bits = 0_u128;
    let mut now = Instant::ZERO;
    // 28 ms of work each 12 ms on average, and two seconds ahead: the link is never idle.
    netem.send(now, DataSize::from_bytes(250_000), Ecn::NotEct, 0);
    for number in 1..300_000 {
        netem.send(now, DataSize::from_bytes(rng.below(7_000)), Ecn::NotEct, number);
        while let Some(packet) = netem.poll(now) {
            bits += u128::from((packet.size + DataSize::from_bytes(28)).as_bits());
            assert_eq!(u128::from(packet.delivered.as_nanos()), (bits * 1_000_000_000).div_ceil(RATE.into()));
        }
        now += 12 * MS;
    }
    let carried = DataSize::from_bytes(u64::try_from(bits / 8).unwrap());
    let capacity = netem.capacity_between(Instant::ZERO, now).unwrap();
    assert!(capacity - carried <= DataSize::from_bytes(7_028) && carried <= capacity);
    assert!(netem.stats().in_flight > 0);
}

/// Pollaczek and Khinchine: a queue with Poisson arrivals, constant service time s and load ρ waits ρ·s / (2·(1 - ρ)) on average.
#[test]
fn mean_wait_is_that_of_an_m_d_1_queue() {
    for (load, blocks) in [(0.5, 200), (0.8, 800)] {
        let mut netem = link(Link::Rate(Bitrate::from_kbps(10_000)));
        let mut rng = Rng::new(6);
        let mut now = Instant::ZERO;
        // Blocks of 2000 ms are long against the relaxation time of the queue, about 1 ms / (1 - √ρ)² ≤ 90 ms.
        let mut means = Vec::new();
        for _ in 0..blocks {
            let end = now + 2_000 * MS;
            let mut waits = Vec::new();
            while now < end {
                netem.send(now, PACKET, Ecn::NotEct, 0);
                waits.extend(core::iter::from_fn(|| netem.poll(now)).map(|packet| packet.queued.as_secs_f64()));
                now += MS.mul_f64(rng.exponential() / load);
            }
            means.push(crate::mean(&waits));
        }
        let expected = load * 1e-3 / (2.0 * (1.0 - load));
        let error = (crate::variance(&means) / f64::from(blocks)).sqrt();
        assert!(error < 0.02 * expected, "the estimate is too coarse to prove anything: {error}");
        assert_near(crate::mean(&means), expected, error);
    }
}

/// RFC 8867 §5.1 under overload: each step carries its rate.
#[test]
fn a_schedule_carries_the_rate_of_each_step() {
    let seconds = Duration::from_secs;
    let kbps = [1_000, 2_500, 600, 1_000];
    let from = [0, 40, 60, 80];
    let steps: Vec<_> = from.iter().zip(kbps).map(|(&from, kbps)| (seconds(from), Bitrate::from_kbps(kbps))).collect();
    let mut netem = link(Link::Schedule(RateSchedule::new(&steps, None).unwrap()));
    assert_eq!(netem.capacity(Instant::from_millis(59_999)), Some(Bitrate::from_kbps(2_500)));
    assert_eq!(netem.capacity(Instant::from_millis(60_000)), Some(Bitrate::from_kbps(600)));
    let arrived = run(&mut netem, 100_000, MS, Ecn::NotEct);
    for (index, kbps) in kbps.into_iter().enumerate() {
        let span = from[index] * 1_000..from.get(index + 1).map_or(100_000, |next| next * 1_000);
        let packets = arrived.iter().filter(|packet| span.contains(&packet.delivered.as_millis())).count() as u64;
        let expected = (span.end - span.start) * kbps / 10_000;
        assert!(packets.abs_diff(expected) <= 1, "{packets} of {expected} packets in step {index}");
    }
}

/// A stall delays and loses nothing; what waited leaves at the rate of the link.
#[test]
fn a_stall_holds_packets_back() {
    let schedule = RateSchedule::wifi_stalls(Bitrate::from_kbps(10_000), 1_000 * MS, 160 * MS).unwrap();
    let mut netem = link(Link::Schedule(schedule));
    let arrived = run(&mut netem, 500, 20 * MS, Ecn::NotEct);
    assert_eq!(arrived.len(), 500);
    for packet in arrived {
        let phase = packet.sent.as_millis() % 1_000;
        // Sent in the stall with so many before it, so it leaves that many packet times after its end.
        let expected = if phase >= 840 { Duration::from_millis(1_000 - phase + 1 + (phase - 840) / 20) } else { MS };
        let expected = if phase < 20 { 9 * MS } else { expected };
        let first_second = packet.sent.as_millis() < 20;
        assert_eq!(packet.delivered - packet.sent, if first_second { MS } else { expected }, "phase {phase}");
    }
}

#[test]
fn a_link_that_dies_keeps_what_it_has() {
    let steps = [(Duration::ZERO, Bitrate::from_kbps(1_000)), (15 * MS, Bitrate::ZERO)];
    let mut netem = link(Link::Schedule(RateSchedule::new(&steps, None).unwrap()));
    assert_eq!(run(&mut netem, 10, MS, Ecn::NotEct).len(), 1);
    assert_eq!(netem.poll_timeout(), None);
    assert_eq!(netem.stats().in_flight, 9);
}

#[test]
fn a_zero_rate_is_refused() {
    assert!(Netem::<()>::new(config(|c| c.link = Link::Rate(Bitrate::ZERO)), 0).is_err());
}

#[test]
fn one_opportunity_carries_1500_bytes() {
    let mut netem = link(Link::Deliveries(DeliveryTrace::parse("1\n5\n5\n10\n").unwrap()));
    let sizes = [700, 700, 100, 3_000, 10, 1_500];
    for (number, size) in (0..).zip(sizes) {
        netem.send(Instant::ZERO, DataSize::from_bytes(size - 28 * u64::from(size > 28)), Ecn::NotEct, number);
    }
    // 700 + 700 + 100 fill the first; 3000 takes both of the second moment; 10 + 28 and most of the last the third, and its end
    // the first of the next period.
    let at: Vec<_> = drain(&mut netem).iter().map(|packet| packet.delivered.as_millis()).collect();
    assert_eq!(at, [1, 1, 1, 5, 10, 11]);
    // Unused opportunities are gone: after 11 ms come 15, 15, 20.
    netem.send(Instant::from_millis(16), PACKET, Ecn::NotEct, 9);
    assert_eq!(drain(&mut netem)[0].delivered, Instant::from_millis(20));
}

#[test]
fn saturated_opportunities_carry_the_mean_rate() {
    let mut rng = Rng::new(7);
    let mut at = 0;
    let times: Vec<Duration> = (0..500).map(|_| (at, at += rng.below(7)).0).map(Duration::from_millis).collect();
    let trace = DeliveryTrace::new(times).unwrap();
    let rate = trace.mean_rate();
    let period = trace.period();
    let mut netem = link(Link::Deliveries(trace));
    let arrived = run(&mut netem, 30_000, MS, Ecn::NotEct);
    let end = Instant::ZERO + period * 10;
    let carried = arrived.iter().filter(|packet| packet.delivered <= end).count() as u64 * 1_250;
    assert!((rate.size_in(period * 10).as_bytes()).abs_diff(carried) <= 1_500);
    // Half a second around the middle of the trace, counted by hand.
    let middle = Instant::ZERO + period / 2;
    let near = netem.capacity_between(middle - 500 * MS, middle + 500 * MS).unwrap();
    assert_eq!(netem.capacity(middle), Some(near.per(Duration::from_secs(1))));
}

/// Mahimahi's rule, byte by byte: each opportunity serves what had arrived by then, in order, and the rest of it is wasted.
fn naive_opportunities(times: &[u64], packets: &[(u64, u64)]) -> Vec<u64> {
    let period = times[times.len() - 1];
    let mut waiting: Vec<(usize, u64)> = Vec::new();
    let mut departures = vec![0; packets.len()];
    let mut next = 0;
    let mut gone = 0;
    for cycle in 0.. {
        for time in times {
            let now = cycle * period + time;
            while next < packets.len() && packets[next].0 <= now {
                waiting.push((next, packets[next].1));
                next += 1;
            }
            let mut budget = 1_500;
            while budget > 0 && !waiting.is_empty() {
                let served = budget.min(waiting[0].1);
                budget -= served;
                waiting[0].1 -= served;
                if waiting[0].1 == 0 {
                    departures[waiting.remove(0).0] = now;
                    gone += 1;
                }
            }
            if gone == packets.len() {
                return departures;
            }
        }
    }
    departures
}

proptest! {
    #[test]
    fn opportunities_equal_the_naive_model(
        gaps in prop::collection::vec(0_u64..20, 1..30),
        packets in prop::collection::vec((0_u64..40, 1_u64..4_000), 1..60),
    ) {
        let mut at = 0;
        let mut times: Vec<u64> = gaps.iter().map(|gap| { at += gap; at }).collect();
        if at == 0 {
            times.push(1);
        }
        let trace = DeliveryTrace::new(times.iter().map(|&ms| Duration::from_millis(ms))).unwrap();
        let mut netem = link(Link::Deliveries(trace));
        let mut now = 0;
        let packets: Vec<(u64, u64)> = packets.iter().map(|&(gap, size)| { now += gap; (now, size + 28) }).collect();
        for (&(at, size), number) in packets.iter().zip(0..) {
            netem.send(Instant::from_millis(at), DataSize::from_bytes(size - 28), Ecn::NotEct, number);
        }
        let departures: Vec<u64> = drain(&mut netem).iter().map(|packet| packet.delivered.as_millis()).collect();
        prop_assert_eq!(departures, naive_opportunities(&times, &packets));
    }

    /// `queue_delay` before a packet is sent is what the packet then waits, on any link.
    #[test]
    fn queue_delay_is_what_the_next_packet_waits(
        kind in 0..3_u8,
        packets in prop::collection::vec((0_u64..30_000_000, 0_u64..3_000), 1..60),
    ) {
        let mut netem = link(match kind {
            0 => Link::Rate(Bitrate::from_bps(999_983)),
            1 => Link::Schedule(RateSchedule::wifi_stalls(Bitrate::from_bps(1_999_993), 100 * MS, 30 * MS).unwrap()),
            _ => Link::Deliveries(DeliveryTrace::parse("3\n3\n17\n40\n").unwrap()),
        });
        let mut now = Instant::ZERO;
        let mut expected = Vec::new();
        for (&(gap, size), number) in packets.iter().zip(0..) {
            now += Duration::from_nanos(gap);
            expected.push(netem.queue_delay(now));
            netem.send(now, DataSize::from_bytes(size), Ecn::NotEct, number);
        }
        let waited: Vec<_> = drain(&mut netem).iter().map(|packet| packet.queued).collect();
        prop_assert_eq!(waited, expected);
    }
}
