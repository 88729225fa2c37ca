use core::time::Duration;
use std::collections::VecDeque;

use rtc_core::bwe::Ecn;
use rtc_core::testkit::clock::Ticks;
use rtc_core::testkit::netem::{Link, Netem, NetemConfig, QueueLimit, Sent};
use rtc_core::testkit::rng::Rng;
use rtc_core::testkit::trace::RateSchedule;
use rtc_core::time::Instant;
use rtc_core::{Bitrate, DataSize};

use crate::{MS, PACKET, config, drain};

/// A packet is lost exactly when it would wait longer than the limit.
#[test]
fn a_queue_in_time_bounds_the_wait_exactly() {
    let limit = 300 * MS;
    let mut netem = Netem::new(NetemConfig::wired(Bitrate::from_kbps(1_000)), 1).unwrap();
    let mut rng = Rng::new(1);
    let mut now = Instant::ZERO;
    let mut longest = Duration::ZERO;
    for number in 0..20_000 {
        let wait = netem.queue_delay(now);
        let sent = netem.send(now, DataSize::from_bytes(rng.below(1_472)), Ecn::NotEct, number);
        assert_eq!(sent, if wait > limit { Sent::LostQueue } else { Sent::Queued });
        while let Some(packet) = netem.poll(now) {
            longest = longest.max(packet.queued);
        }
        now += Duration::from_nanos(rng.below(10_000_000));
    }
    assert!(longest <= limit && longest > limit - MS, "{longest:?}");
    assert!(netem.stats().lost_queue > 1_000);
}

/// While the link is stalled its last rate counts, so the queue neither closes nor grows without end.
#[test]
fn a_queue_in_time_stays_open_in_a_stall() {
    let schedule = RateSchedule::wifi_stalls(Bitrate::from_kbps(1_000), 2_000 * MS, 1_000 * MS);
    let path = config(|c| {
        c.link = Link::Schedule(schedule.unwrap());
        c.queue = QueueLimit::Time(200 * MS);
    });
    let mut netem = Netem::new(path, 1).unwrap();
    let fate = |now| netem.send(Instant::from_millis(now), PACKET, Ecn::NotEct, now);
    let fates: Vec<Sent> = (1_100..1_130).map(fate).collect();
    // One on the link, and one after the other until 200 ms are waiting: 10 ms each, the last at exactly 200 ms.
    assert_eq!(fates.iter().position(|fate| *fate == Sent::LostQueue), Some(21));
    assert!(fates[21..].iter().all(|fate| *fate == Sent::LostQueue));
}

/// A period that begins with its stall goes by the rate it ended with before.
#[test]
fn a_queue_in_time_remembers_the_rate_of_the_last_period() {
    let steps = [0, 2_000, 1_000].map(Bitrate::from_kbps);
    let steps: Vec<_> = [0, 100, 200].map(|ms| ms * MS).into_iter().zip(steps).collect();
    let path = config(|c| {
        c.link = Link::Schedule(RateSchedule::new(&steps, Some(300 * MS)).unwrap());
        c.queue = QueueLimit::Time(50 * MS);
    });
    let mut netem = Netem::new(path, 1).unwrap();
    let fates: Vec<Sent> = (0..10).map(|number| netem.send(Instant::ZERO, PACKET, Ecn::NotEct, number)).collect();
    assert_eq!(fates.iter().position(|fate| *fate == Sent::LostQueue), Some(6));
}

/// What waits never exceeds the limit, and a packet is lost exactly when it would.
#[test]
fn a_queue_in_bytes_holds_so_many_bytes() {
    let limit = 10_000;
    let path = config(|c| {
        c.link = Link::Rate(Bitrate::from_kbps(1_000));
        c.queue = QueueLimit::Bytes(DataSize::from_bytes(limit));
    });
    let mut netem = Netem::new(path, 1).unwrap();
    let mut rng = Rng::new(2);
    // The naive queue: (through at, bytes), the one on the link first.
    let mut naive: VecDeque<(u128, u64)> = VecDeque::new();
    let mut fullest = 0;
    for now in Ticks::every(3 * MS).take(20_000) {
        while naive.front().is_some_and(|(through, _)| *through <= now.as_nanos().into()) {
            naive.pop_front();
        }
        let size = rng.below(1_472);
        let bytes = size + 28;
        let waiting: u64 = naive.iter().skip(1).map(|(_, bytes)| bytes).sum();
        let sent = netem.send(now, DataSize::from_bytes(size), Ecn::NotEct, 0);
        let fits = naive.is_empty() || waiting + bytes <= limit;
        assert_eq!(sent == Sent::Queued, fits);
        if fits {
            let start = naive.back().map_or_else(|| now.as_nanos().into(), |(through, _)| *through);
            naive.push_back((start + u128::from(bytes) * 8_000, bytes));
            fullest = fullest.max(waiting + bytes);
        }
        while netem.poll(now).is_some() {}
    }
    assert!(fullest > limit - 1_500);
    assert!(netem.stats().lost_queue > 1_000);
}

/// Exactly the capable packets that waited longer than the step are marked.
#[test]
fn the_step_marks_what_waited_too_long() {
    let step = 20 * MS;
    let path = config(|c| {
        c.link = Link::Rate(Bitrate::from_kbps(1_000));
        c.mark_above = Some(step);
    });
    let mut netem = Netem::new(path, 1).unwrap();
    let mut rng = Rng::new(3);
    let kinds = [Ecn::NotEct, Ecn::Ect0, Ecn::Ect1, Ecn::Ce];
    let mut sent = Vec::new();
    // Whole milliseconds, so that some wait for exactly the step.
    for (now, number) in Ticks::every(8 * MS).zip(0..2_000) {
        let kind = kinds[usize::try_from(rng.below(4)).unwrap()];
        netem.send(now, DataSize::from_bytes(125 * rng.below(14) + 97), kind, number);
        sent.push(kind);
    }
    let arrived = drain(&mut netem);
    let mut marked = 0;
    for packet in &arrived {
        let kind = sent[usize::try_from(packet.item).unwrap()];
        let capable = matches!(kind, Ecn::Ect0 | Ecn::Ect1);
        let expected = if capable && packet.queued > step { Ecn::Ce } else { kind };
        assert_eq!(packet.ecn, expected);
        marked += u64::from(expected != kind);
    }
    assert_eq!(netem.stats().marked, marked);
    assert!(arrived.iter().any(|packet| packet.queued == step && packet.ecn == Ecn::Ect0));
    assert!((100..1_000).contains(&marked), "{marked}");
}
