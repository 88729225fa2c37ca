use core::time::Duration;

use crate::jitter::{Inserted, JitterBuffer, Playout};
use crate::time::{Instant, earliest};
use crate::{RtpPacket, RtpTime, Ssrc};

use super::{Stream, assert_same};

const _: () = {
    const fn object_safe_and_send<T: Send + ?Sized>() {}
    object_safe_and_send::<dyn JitterBuffer<Output = RtpPacket>>();
};

const START: Instant = Instant::from_millis(5_000);
/// How long after the last arrival everything must have been played.
const PATIENCE: Duration = Duration::from_secs(60);

/// The laws of [`JitterBuffer`].
///
/// `stream` holds what the buffer is made for, and `timestamp` tells the media time of a unit of output.
///
/// # Panics
/// If a law is broken, naming it.
pub fn jitter_buffer<J: JitterBuffer>(
    make: impl Fn() -> J,
    stream: &Stream,
    timestamp: impl Fn(&J::Output) -> RtpTime,
) {
    let run = |stream: &Stream, arrivals: &[(Instant, RtpPacket)], start, polls| {
        let first = stream.packets()[0].timestamp();
        Run { buffer: make(), first, start, timestamp: &timestamp, polls, played: Vec::new() }.play(arrivals)
    };
    perfect_network_loses_nothing(stream, &run(stream, &stream.perfect(START), START, Polls::Deadlines));
    for seed in 0..4 {
        let arrivals = stream.disturbed(START, seed);
        let played = run(stream, &arrivals, START, Polls::Deadlines);
        assert_same(
            &played,
            &run(stream, &arrivals, START, Polls::Deadlines),
            "the same arrivals give the same play-out",
        );
        assert_same(&played, &run(stream, &arrivals, START, Polls::Often), "extra polls change nothing");
        let later = START + Duration::from_secs(1_000_000);
        let moved = stream.disturbed(later, seed);
        assert_same(&played, &run(stream, &moved, later, Polls::Deadlines), "the epoch is arbitrary");
        let wrapping = stream.wrapping();
        let shifted = wrapping.disturbed(START, seed);
        assert_same(&played, &run(&wrapping, &shifted, START, Polls::Deadlines), "numbers that wrap change nothing");
    }
    strangers_are_told_apart(make(), stream);
    memory_is_bounded(make(), stream);
}

/// What came out, with times and timestamps counted from the beginning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Played {
    Ready(Duration, i32),
    Missing(Duration, i32, Option<i32>),
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Polls {
    Deadlines,
    /// At deadlines, and every few milliseconds without need.
    Often,
}

struct Run<'a, J: JitterBuffer, F> {
    buffer: J,
    first: RtpTime,
    start: Instant,
    timestamp: &'a F,
    polls: Polls,
    played: Vec<Played>,
}

impl<J: JitterBuffer, F: Fn(&J::Output) -> RtpTime> Run<'_, J, F> {
    fn play(mut self, arrivals: &[(Instant, RtpPacket)]) -> Vec<Played> {
        let mut arrivals = arrivals.iter().peekable();
        let (mut now, mut tick) = (self.start, self.start);
        let end = arrivals.clone().last().map_or(now, |(at, _)| *at) + PATIENCE;
        loop {
            let arrival = arrivals.peek().map(|(at, _)| *at);
            let deadline = self.buffer.poll_timeout().map(|deadline| deadline.max(now));
            let Some(next) = earliest([arrival, deadline]) else {
                return self.played;
            };
            assert!(next < end, "all that is buffered is played within a minute");
            if self.polls == Polls::Often && tick < next {
                self.poll_without_need(tick);
                (now, tick) = (tick, tick + Duration::from_micros(3_700));
            } else if arrival == Some(next) {
                now = next;
                if let Some((_, packet)) = arrivals.next() {
                    self.buffer.insert(now, packet.clone());
                }
            } else {
                now = next;
                self.drain(now);
            }
            let target = self.buffer.target_delay();
            assert!(target < PATIENCE, "the target delay is one a person would wait for: {target:?}");
        }
    }

    fn poll_without_need(&mut self, now: Instant) {
        for _ in 0..2 {
            let early = matches!(self.buffer.poll(now), Playout::Empty);
            assert!(early, "nothing comes before its deadline: something at {now}");
        }
    }

    fn drain(&mut self, now: Instant) {
        let before = self.played.len();
        for _ in 0..10_000 {
            let since = now - self.start;
            let ticks = |time: RtpTime| time.distance_from(self.first);
            let played = match self.buffer.poll(now) {
                Playout::Ready(unit) => Played::Ready(since, ticks((self.timestamp)(&unit))),
                Playout::Missing { timestamp, next } => {
                    Played::Missing(since, ticks(timestamp), next.map(|unit| ticks((self.timestamp)(&unit))))
                }
                Playout::Empty => {
                    assert!(self.played.len() > before, "a deadline brings something: nothing at {now}");
                    let next = self.buffer.poll_timeout();
                    assert!(next.is_none_or(|next| next > now), "after a poll the deadline lies in the future");
                    return;
                }
            };
            self.check_order(played);
            self.played.push(played);
        }
        panic!("polling at one moment comes to an end");
    }

    fn check_order(&self, played: Played) {
        let time = |played: &Played| match *played {
            Played::Ready(_, time) | Played::Missing(_, time, _) => time,
        };
        if let Some(last) = self.played.last() {
            assert!(time(last) < time(&played), "units come once and in order: {played:?} after {last:?}");
        }
    }
}

fn perfect_network_loses_nothing(stream: &Stream, played: &[Played]) {
    let first = stream.packets()[0].timestamp();
    let mut sent: Vec<i32> = stream.packets().iter().map(|packet| packet.timestamp().distance_from(first)).collect();
    sent.dedup();
    let ready: Vec<i32> = played
        .iter()
        .map(|played| match played {
            Played::Ready(_, time) => *time,
            Played::Missing(_, time, _) => panic!("a perfect network loses nothing: {time} ticks in is missing"),
        })
        .collect();
    assert_same(&sent, &ready, "a perfect network loses nothing");
}

fn strangers_are_told_apart<J: JitterBuffer>(mut buffer: J, stream: &Stream) {
    let packet = &stream.packets()[0];
    assert_eq!(buffer.insert(START, packet.clone()), Inserted::Accepted, "the first packet is accepted");
    assert_eq!(buffer.insert(START, packet.clone()), Inserted::Duplicate, "a packet that is buffered is a duplicate");
    let mut stranger = stream.packets()[1].clone();
    stranger.rewrite(|header| header.set_ssrc(Ssrc(packet.ssrc().0 ^ 1)));
    assert_eq!(buffer.insert(START, stranger), Inserted::Foreign, "a packet of another source is foreign");
}

fn memory_is_bounded<J: JitterBuffer>(mut buffer: J, stream: &Stream) {
    let packets = stream.packets();
    let span = packets[packets.len() - 1].timestamp().distance_from(packets[0].timestamp()).unsigned_abs();
    let step = stream.clock() / 30;
    for round in 0..100_000 / packets.len() {
        #[expect(clippy::cast_possible_truncation, reason = "sequence numbers wrap")]
        let shifted = stream.shifted((round * packets.len()) as u16, (round as u32).wrapping_mul(span + step));
        for packet in shifted.packets() {
            if buffer.insert(START, packet.clone()) != Inserted::Accepted {
                return;
            }
        }
    }
    panic!("memory is bounded: 100 000 packets were accepted without a poll");
}
