use core::time::Duration;

use crate::pacing::{Enqueued, Pacer, Priority};
use crate::testkit::rng::Rng;
use crate::time::{Instant, earliest};
use crate::{Bitrate, DataSize};

use super::assert_same;

const _: () = {
    const fn object_safe_and_send<T: Send + ?Sized>() {}
    object_safe_and_send::<dyn Pacer<u32>>();
};

const START: Instant = Instant::from_millis(5_000);
const RATE: Bitrate = Bitrate::from_kbps(1_000);
/// Packets of the random traffic.
const PACKETS: usize = 300;

/// The laws of [`Pacer`].
///
/// In any stretch of time, what leaves is no more than the rate carries in it plus `burst`; audio is not counted, as a pacer
/// may let it through at once. The pacer must have room for half a megabyte.
///
/// # Panics
/// If a law is broken, naming it.
pub fn pacer<T: Pacer<usize>>(make: impl Fn() -> T, burst: DataSize) {
    for seed in 0..8 {
        let traffic = traffic(START, seed);
        let released = run(&mut make(), &traffic, START, Polls::Deadlines);
        everything_leaves_once_and_in_order(&traffic, &released);
        rate_is_kept(&traffic, &released, burst);
        let often = run(&mut make(), &traffic, START, Polls::Often);
        assert_same(&released, &often, "extra polls change nothing");
        let later = START + Duration::from_secs(1_000_000);
        let moved = run(&mut make(), &self::traffic(later, seed), later, Polls::Deadlines);
        assert_same(&released, &moved, "the epoch is arbitrary");
    }
    the_most_urgent_leaves_first(&mut make());
    no_rate_no_packets(&mut make());
    memory_is_bounded(&mut make());
}

struct Arrival {
    at: Instant,
    priority: Priority,
    size: DataSize,
}

/// When a packet left, from the beginning, and which it was.
type Released = (Duration, usize);

#[derive(Clone, Copy, PartialEq, Eq)]
enum Polls {
    Deadlines,
    Often,
}

/// Bursts of packets of all priorities, at about the rate in the long run.
fn traffic(start: Instant, seed: u64) -> Vec<Arrival> {
    let mut rng = Rng::new(seed);
    let mut at = start;
    let arrival = |_| {
        if rng.bool(0.2) {
            at += Duration::from_micros(rng.below(50_000));
        }
        let priority = Priority::ALL[rng.next_u32() as usize % Priority::ALL.len()];
        Arrival { at, priority, size: DataSize::from_bytes(40 + rng.below(1_160)) }
    };
    (0..PACKETS).map(arrival).collect()
}

fn run<T: Pacer<usize>>(pacer: &mut T, traffic: &[Arrival], start: Instant, polls: Polls) -> Vec<Released> {
    pacer.set_rate(start, RATE);
    let mut released = Vec::new();
    let mut arrivals = traffic.iter().enumerate().peekable();
    let (mut now, mut tick) = (start, start);
    let mut queued = DataSize::ZERO;
    loop {
        let arrival = arrivals.peek().map(|(_, arrival)| arrival.at);
        let deadline = pacer.poll_timeout().map(|deadline| deadline.max(now));
        let Some(next) = earliest([arrival, deadline]) else {
            return released;
        };
        if polls == Polls::Often && tick < next {
            assert_eq!(pacer.poll(tick), None, "nothing leaves before its deadline");
            (now, tick) = (tick, tick + Duration::from_micros(730));
            continue;
        }
        now = next;
        if arrival == Some(next) {
            let Some((index, arrival)) = arrivals.next() else { continue };
            let taken = pacer.enqueue(now, arrival.priority, arrival.size, index);
            assert_eq!(taken, Enqueued::Accepted, "half a megabyte fits");
            queued += arrival.size;
        } else {
            let before = released.len();
            while let Some(index) = pacer.poll(now) {
                released.push((now - start, index));
                queued = queued - traffic[index].size;
                assert!(released.len() <= traffic.len(), "each packet leaves once");
            }
            assert!(released.len() > before, "a deadline brings a packet: nothing at {now}");
            assert!(pacer.poll_timeout().is_none_or(|next| next > now), "after a poll the deadline lies in the future");
        }
        assert_eq!(pacer.queued(), queued, "what is queued is what came in and has not left");
    }
}

fn everything_leaves_once_and_in_order(traffic: &[Arrival], released: &[Released]) {
    for priority in Priority::ALL {
        let came = (0..traffic.len()).filter(|index| traffic[*index].priority == priority);
        let left = released.iter().map(|(_, index)| *index).filter(|index| traffic[*index].priority == priority);
        assert!(came.eq(left), "packets of one priority leave once each and in the order they came: {priority:?}");
    }
    let total: DataSize = traffic.iter().map(|arrival| arrival.size).sum();
    let last_came = traffic.last().map_or(START, |arrival| arrival.at) - START;
    let last_left = released.last().map_or(Duration::ZERO, |(at, _)| *at);
    let patience = last_came + RATE.time_for(total) + Duration::from_secs(1);
    assert!(last_left < patience, "what the rate can carry leaves in time: the last packet took {last_left:?}");
}

fn rate_is_kept(traffic: &[Arrival], released: &[Released], burst: DataSize) {
    let paced: Vec<_> = released
        .iter()
        .filter(|(_, index)| traffic[*index].priority != Priority::Audio)
        .map(|(at, index)| (*at, traffic[*index].size))
        .collect();
    for (begin, (from, _)) in paced.iter().enumerate() {
        let mut sum = DataSize::ZERO;
        for (to, size) in &paced[begin..] {
            sum += *size;
            // One byte for times rounded to a nanosecond.
            let allowed = RATE.size_in(*to - *from) + burst + DataSize::from_bytes(1);
            assert!(sum <= allowed, "the rate is kept: {sum} left in {:?}", *to - *from);
        }
    }
}

fn the_most_urgent_leaves_first<T: Pacer<usize>>(pacer: &mut T) {
    pacer.set_rate(START, RATE);
    for (index, priority) in Priority::ALL.iter().enumerate().rev() {
        pacer.enqueue(START, *priority, DataSize::from_bytes(1_000), index);
    }
    let mut now = START;
    for expected in 0..Priority::ALL.len() {
        now = pacer.poll_timeout().unwrap_or(now).max(now);
        assert_eq!(pacer.poll(now), Some(expected), "the most urgent packet leaves first");
    }
}

fn no_rate_no_packets<T: Pacer<usize>>(pacer: &mut T) {
    pacer.set_rate(START, Bitrate::ZERO);
    pacer.enqueue(START, Priority::Video, DataSize::from_bytes(1_000), 0);
    let later = START + Duration::from_secs(10);
    assert_eq!(pacer.poll_timeout(), None, "at rate zero there is no deadline");
    assert_eq!(pacer.poll(later), None, "at rate zero nothing leaves");
    pacer.set_rate(later, RATE);
    let Some(deadline) = pacer.poll_timeout() else {
        panic!("a rate after zero sets packets free");
    };
    assert_eq!(pacer.poll(deadline.max(later)), Some(0), "a rate after zero sets packets free");
}

fn memory_is_bounded<T: Pacer<usize>>(pacer: &mut T) {
    pacer.set_rate(START, RATE);
    for index in 0..1_000_000 {
        let before = pacer.queued();
        if pacer.enqueue(START, Priority::Video, DataSize::from_bytes(1_000), index) == Enqueued::Overflow {
            assert_eq!(pacer.queued(), before, "a packet that overflows is not queued");
            return;
        }
    }
    panic!("memory is bounded: a gigabyte was queued");
}
