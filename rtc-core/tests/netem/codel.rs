use core::time::Duration;
use std::collections::VecDeque;

use rtc_core::bwe::Ecn;
use rtc_core::testkit::netem::{CoDelConfig, Delivery, Link, Netem, NetemConfig, QueueLimit};
use rtc_core::testkit::rng::Rng;
use rtc_core::time::Instant;
use rtc_core::{Bitrate, DataSize};

use crate::{MS, PACKET, config, drain, run};

/// 10 Mb/s, so 1 ms per packet, with controlled delay behind a queue that is never full.
fn codel(ecn: bool) -> NetemConfig {
    config(|c| {
        c.link = Link::Rate(Bitrate::from_kbps(10_000));
        c.queue = QueueLimit::Bytes(DataSize::from_bytes(u64::MAX));
        let mut codel = CoDelConfig::default();
        codel.ecn = ecn;
        c.codel = Some(codel);
    })
}

/// The pseudocode of RFC 8289 §5, dequeue routine, on a queue of (number, arrival, bytes).
#[derive(Default)]
struct Naive {
    queue: VecDeque<(u64, u64, u64)>,
    max_packet: u64,
    first_above_time: u64,
    drop_next: u64,
    count: u64,
    last_count: u64,
    dropping: bool,
    /// How often a dropping state began at the rate of the last one, and how often a drop was the last of its state.
    resumed: u32,
    ended: u32,
}

impl Naive {
    const TARGET: u64 = 5_000_000;
    const INTERVAL: u64 = 100_000_000;

    fn control_law(time: u64, count: u64) -> u64 {
        time + u64::try_from(Duration::from_nanos(Self::INTERVAL).div_f64((count as f64).sqrt()).as_nanos()).unwrap()
    }

    fn do_dequeue(&mut self, now: u64) -> (Option<(u64, u64, u64)>, bool) {
        let packet = self.queue.pop_front();
        let backlog: u64 = self.queue.iter().map(|packet| packet.2).sum();
        let mut ok_to_drop = false;
        if packet.is_none_or(|packet| now - packet.1 < Self::TARGET) || backlog <= self.max_packet {
            self.first_above_time = 0;
        } else if self.first_above_time == 0 {
            self.first_above_time = now + Self::INTERVAL;
        } else if now >= self.first_above_time {
            ok_to_drop = true;
        }
        (packet, ok_to_drop)
    }

    fn dequeue(&mut self, now: u64) -> Option<(u64, u64, u64)> {
        let (mut packet, mut ok_to_drop) = self.do_dequeue(now);
        if self.dropping {
            if !ok_to_drop {
                self.dropping = false;
            }
            while now >= self.drop_next && self.dropping {
                self.count += 1;
                (packet, ok_to_drop) = self.do_dequeue(now);
                if ok_to_drop {
                    self.drop_next = Self::control_law(self.drop_next, self.count);
                } else {
                    self.dropping = false;
                    self.ended += 1;
                }
            }
        } else if ok_to_drop {
            (packet, _) = self.do_dequeue(now);
            self.dropping = true;
            let delta = self.count.wrapping_sub(self.last_count).cast_signed();
            let recent = now.wrapping_sub(self.drop_next).cast_signed() < 16 * Self::INTERVAL.cast_signed();
            self.resumed += u32::from(delta > 1 && recent);
            self.count = if delta > 1 && recent { delta.cast_unsigned() } else { 1 };
            self.drop_next = Self::control_law(now, self.count);
            self.last_count = self.count;
        }
        packet
    }
}

/// Packet for packet the same as the pseudocode, over load that swings around the capacity every second or so.
#[test]
fn rfc8289_s5_pseudocode_gives_the_same_packets() {
    let mut rng = Rng::new(1);
    let mut now = 0;
    let mut arrivals = Vec::new();
    while now < 300_000_000_000 {
        let gap = 200_000 + rng.below(1_000_000);
        for _ in 0..rng.below(200) {
            // Sizes of 200 to 1250 bytes in steps that take whole nanoseconds.
            arrivals.push((now, 200 + rng.below(1_051)));
            now += rng.below(2 * gap);
        }
    }
    let mut netem = Netem::new(codel(false), 1).unwrap();
    let mut arrived = Vec::new();
    for (&(at, bytes), number) in arrivals.iter().zip(0..) {
        let now = Instant::from_nanos(at);
        netem.send(now, DataSize::from_bytes(bytes - 28), Ecn::NotEct, number);
        arrived.extend(core::iter::from_fn(|| netem.poll(now)));
    }
    arrived.extend(drain(&mut netem));
    let arrived: Vec<_> = arrived.iter().map(|packet| (packet.item, packet.delivered.as_nanos())).collect();

    let mut naive = Naive::default();
    let mut expected = Vec::new();
    let mut incoming = arrivals.iter().zip(0..).peekable();
    let mut free_at = 0;
    loop {
        while let Some((&(at, bytes), number)) = incoming.next_if(|((at, _), _)| *at <= free_at) {
            naive.max_packet = naive.max_packet.max(bytes);
            naive.queue.push_back((number, at, bytes));
        }
        if let Some((number, _, bytes)) = naive.dequeue(free_at) {
            free_at += bytes * 800;
            expected.push((number, free_at));
        } else if let Some(((at, _), _)) = incoming.peek() {
            free_at = *at;
        } else {
            break;
        }
    }
    // Not `assert_eq`, which would print them all.
    assert_eq!(arrived.iter().zip(&expected).find(|(arrived, expected)| arrived != expected), None);
    assert_eq!(arrived.len(), expected.len());
    let dropped = arrivals.len() - arrived.len();
    assert!(dropped > 1_000 && naive.resumed > 10 && naive.ended > 5, "{dropped} {} {}", naive.resumed, naive.ended);
}

/// Additive increase, multiplicative decrease over a path, as a window of packets; returns waits of the second half and the
/// share of capacity used.
fn aimd(path: NetemConfig) -> (Vec<f64>, f64) {
    let mut netem = Netem::new(path, 1).unwrap();
    let (mut window, mut flying, mut next, mut expected) = (10.0_f64, 0_u32, 0_u64, 0_u64);
    let mut hold = Instant::ZERO;
    let mut waits = Vec::new();
    let (half, end) = (Instant::from_millis(30_000), Instant::from_millis(60_000));
    let mut now = Instant::ZERO;
    while now < end {
        while let Some(packet) = netem.poll(now) {
            let lost = u32::try_from(packet.item - expected).unwrap();
            expected = packet.item + 1;
            flying -= 1 + lost;
            if lost > 0 && now >= hold {
                window = (window / 2.0).max(2.0);
                hold = now + 50 * MS;
            }
            window += 1.0 / window;
            if now >= half {
                waits.push(packet.queued.as_secs_f64());
            }
        }
        while f64::from(flying) < window {
            // What the queue refuses shows as a gap later, like any other loss.
            netem.send(now, PACKET, Ecn::NotEct, next);
            next += 1;
            flying += 1;
        }
        now = netem.poll_timeout().unwrap();
    }
    let used = waits.len() as f64 * 1e-3 / (end - half).as_secs_f64();
    (waits, used)
}

/// RFC 8289 §1: delay near the target without giving up throughput, where drop-tail fills whatever it has.
#[test]
fn codel_holds_an_adaptive_sender_near_the_target() {
    let mut controlled = codel(false);
    controlled.delay = 50 * MS;
    let (waits, used) = aimd(controlled);
    let mean = crate::mean(&waits);
    assert!((0.001..0.010).contains(&mean), "mean wait {mean}");
    // Halving a window on no queue at all would leave 75 %.
    assert!(used > 0.8, "used {used}");

    let mut drop_tail = NetemConfig::wired(Bitrate::from_kbps(10_000));
    drop_tail.delay = 50 * MS;
    let (waits, used) = aimd(drop_tail);
    assert!(crate::mean(&waits) > 0.1);
    assert!(used > 0.99, "used {used}");
}

/// When the packets before which something was dropped left the queue.
fn drops(arrived: &[Delivery<u64>]) -> Vec<Instant> {
    let gaps = arrived.windows(2).filter(|pair| pair[1].item > pair[0].item + 1);
    gaps.map(|pair| pair[1].sent + pair[1].queued).collect()
}

/// RFC 8289 §5: the first drop an interval after the wait first was above the target, then drop k + 1 follows drop k by
/// interval / √k. Drops happen as packets leave, so each is up to one packet time late; the schedule does not drift.
#[test]
fn codel_drops_by_the_control_law() {
    // Twice the capacity, so the wait is above the target for good after 10 ms.
    let mut netem = Netem::new(codel(false), 1).unwrap();
    let arrived = run(&mut netem, 10_000, MS / 2, Ecn::NotEct);
    let drops = drops(&arrived);
    assert!(drops.len() > 500);
    let first_above = arrived.iter().find(|packet| packet.queued >= 5 * MS).unwrap();
    let mut scheduled = first_above.sent + first_above.queued + 100 * MS;
    for (drop, k) in drops.iter().zip(1_u32..500) {
        let late = drop.nanos_since(scheduled);
        assert!((0..=1_000_000).contains(&late), "drop {k} is {late} ns late");
        // The schedule starts with the first drop as it happened.
        scheduled = if k == 1 { *drop } else { scheduled } + (100 * MS).div_f64(f64::from(k).sqrt());
    }
    assert_eq!(netem.stats().lost_aqm, 10_000 - arrived.len() as u64);
}

/// With ECN the same law marks and loses nothing.
#[test]
fn codel_marks_capable_packets_instead() {
    for ecn in [Ecn::Ect0, Ecn::Ect1] {
        let mut netem = Netem::new(codel(true), 1).unwrap();
        let arrived = run(&mut netem, 4_000, MS / 2, ecn);
        let marks: Vec<Instant> =
            arrived.iter().filter(|packet| packet.ecn == Ecn::Ce).map(|packet| packet.sent + packet.queued).collect();
        assert_eq!(netem.stats().lost(), 0);
        assert_eq!(netem.stats().marked, marks.len() as u64);
        assert!(marks.len() > 100);
        let mut scheduled = marks[0];
        for (mark, k) in marks.iter().skip(1).zip(1_u32..100) {
            scheduled += (100 * MS).div_f64(f64::from(k).sqrt());
            assert!((0..=1_000_000).contains(&mark.nanos_since(scheduled)), "mark {k}");
        }
    }
    for (ecn, capability) in [(true, Ecn::NotEct), (false, Ecn::Ect1)] {
        let mut netem = Netem::new(codel(ecn), 1).unwrap();
        run(&mut netem, 4_000, MS / 2, capability);
        assert!(netem.stats().lost_aqm > 100 && netem.stats().marked == 0);
    }
}

/// Below capacity nothing is dropped; nor is a burst that drains within an interval, nor the only packet of a slow link.
#[test]
fn codel_leaves_good_queues_alone() {
    let mut netem = Netem::new(codel(false), 1).unwrap();
    assert_eq!(run(&mut netem, 5_000, MS, Ecn::NotEct).len(), 5_000);

    let mut netem = Netem::new(codel(false), 1).unwrap();
    assert_eq!(run(&mut netem, 90, Duration::ZERO, Ecn::NotEct).len(), 90);

    // 100 ms per packet and one more always waiting: far above the target, yet no queue to shorten.
    let mut slow = codel(false);
    slow.link = Link::Rate(Bitrate::from_kbps(100));
    let mut netem = Netem::new(slow, 1).unwrap();
    netem.send(Instant::ZERO, PACKET, Ecn::NotEct, 0);
    assert_eq!(run(&mut netem, 200, 100 * MS, Ecn::NotEct).len(), 201);
}

#[test]
fn impossible_queue_management_is_refused() {
    let mut no_interval = CoDelConfig::default();
    no_interval.interval = Duration::ZERO;
    assert!(Netem::<()>::new(config(|c| c.codel = Some(no_interval)), 0).is_err());
}
