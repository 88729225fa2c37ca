//! The pacer against a naive one, and what it promises of rate, order and waiting.

use core::time::Duration;

use proptest::collection::vec;
use proptest::prelude::*;
use rtc_core::pacing::{Enqueued, Pacer, Priority};
use rtc_core::time::Instant;
use rtc_core::{Bitrate, DataSize};
use rtc_transport::pacer::{LeakyBucketPacer, PacerConfig};

#[derive(Debug, Clone, Copy)]
enum Op {
    Enqueue(Priority, u64),
    Poll,
    SetRate(u64),
    Wait(u64),
    /// Waits until the deadline.
    Deadline,
}

fn op(with_audio: bool) -> impl Strategy<Value = Op> {
    let first = usize::from(!with_audio);
    prop_oneof![
        4 => (first..5_usize, 0..1_500_u64).prop_map(|(class, bytes)| Op::Enqueue(Priority::ALL[class], bytes)),
        4 => Just(Op::Poll),
        1 => prop_oneof![Just(0), 1..5_000_000_u64].prop_map(Op::SetRate),
        2 => (0..20_000_000_u64).prop_map(Op::Wait),
        3 => Just(Op::Deadline),
    ]
}

fn pacer(edit: impl FnOnce(&mut PacerConfig)) -> LeakyBucketPacer<(Priority, u32)> {
    let mut config = PacerConfig::default();
    edit(&mut config);
    LeakyBucketPacer::new(config).unwrap()
}

/// What left, and when.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Release {
    at: Instant,
    size: u64,
    name: (Priority, u32),
    queued_at: Instant,
}

struct Run {
    pacer: LeakyBucketPacer<(Priority, u32)>,
    now: Instant,
    waiting: Vec<Release>,
    released: Vec<Release>,
    refused: u64,
    rates: Vec<(Instant, u64)>,
}

impl Run {
    fn new(pacer: LeakyBucketPacer<(Priority, u32)>, rate: u64) -> Self {
        let now = Instant::from_millis(1);
        let mut run = Self { pacer, now, waiting: vec![], released: vec![], refused: 0, rates: vec![] };
        run.step(Op::SetRate(rate), 0);
        run
    }

    fn step(&mut self, op: Op, name: u32) {
        match op {
            Op::Enqueue(priority, size) => {
                let name = (priority, name);
                match self.pacer.enqueue(self.now, priority, DataSize::from_bytes(size), name) {
                    Enqueued::Accepted => {
                        self.waiting.push(Release { at: self.now, size, name, queued_at: self.now });
                    }
                    _ => self.refused += 1,
                }
            }
            Op::Poll => self.poll(),
            Op::SetRate(rate) => {
                self.pacer.set_rate(self.now, Bitrate::from_bps(rate));
                self.rates.push((self.now, rate));
            }
            Op::Wait(nanos) => self.now += Duration::from_nanos(nanos),
            Op::Deadline => {
                if let Some(at) = self.pacer.poll_timeout() {
                    if at > self.now {
                        assert_eq!(self.pacer.poll(at - Duration::from_nanos(1)), None, "early");
                        self.now = at;
                    }
                    let before = self.released.len();
                    self.poll();
                    assert_eq!(self.released.len(), before + 1, "nothing at the deadline");
                }
            }
        }
        let bytes: u64 = self.waiting.iter().map(|packet| packet.size).sum();
        assert_eq!(self.pacer.queued(), DataSize::from_bytes(bytes));
        assert_eq!(self.pacer.len(), self.waiting.len());
        let stats = self.pacer.stats();
        assert_eq!(stats.accepted, stats.released + self.waiting.len() as u64);
        assert_eq!(stats.overflowed, self.refused);
    }

    fn poll(&mut self) {
        let Some(name) = self.pacer.poll(self.now) else { return };
        // The first of the most urgent, by the naive way of looking at all.
        let urgent = self.waiting.iter().map(|packet| packet.name.0).min().unwrap();
        let index = self.waiting.iter().position(|packet| packet.name.0 == urgent).unwrap();
        let packet = self.waiting.remove(index);
        assert_eq!(packet.name, name);
        self.released.push(Release { at: self.now, ..packet });
    }
}

proptest! {
    #[test]
    fn order_and_counters_hold_under_any_use(ops in vec(op(true), 1..200), rate in 0..3_000_000_u64) {
        let mut run = Run::new(pacer(|config| config.max_queue = DataSize::from_bytes(20_000)), rate);
        for (name, op) in (0..).zip(ops) {
            run.step(op, name);
        }
    }

    /// The rate is what a bucket of floating point numbers says, for any packets while nothing must hurry.
    #[test]
    fn releases_are_those_of_a_naive_bucket(ops in vec(op(false), 1..200), rate in 1_000..3_000_000_u64) {
        // 200 packets of 1500 bytes take 40 minutes at the least rate.
        let mut run = Run::new(pacer(|config| config.max_queue_time = Duration::from_secs(3_600)), rate);
        let mut ops: Vec<_> = ops.into_iter().filter(|op| !matches!(op, Op::SetRate(_))).collect();
        ops.extend(core::iter::repeat_n(Op::Deadline, 50));
        for (name, op) in (0..).zip(ops) {
            run.step(op, name);
        }
        let (mut level, mut at) = (0.0_f64, run.released.first().map_or(Instant::ZERO, |first| first.at));
        let burst = rate as f64 * 0.005;
        for release in &run.released {
            level = (level - rate as f64 * (release.at - at).as_secs_f64()).max(0.0);
            at = release.at;
            prop_assert!(level <= burst + 1.0, "{level} bits in the bucket, {burst} allowed");
            level += 8.0 * release.size as f64;
        }
    }

    #[test]
    fn nothing_waits_longer_than_the_limit(
        arrivals in vec((0..4_u64, 1..5_usize, 1..1_500_u64), 1..150), rate in 1..2_000_000_u64, pause in 0..40_usize,
    ) {
        let limit = Duration::from_millis(100);
        let mut run = Run::new(pacer(|config| config.max_queue_time = limit), rate);
        let mut resumed = Instant::ZERO;
        for (name, (gap, class, size)) in (0..).zip(arrivals) {
            let next = run.now + Duration::from_millis(gap);
            while run.pacer.poll_timeout().is_some_and(|at| at <= next) {
                run.step(Op::Deadline, 0);
            }
            run.now = run.now.max(next);
            if name == 10 {
                run.step(Op::SetRate(0), 0);
            }
            if name as usize == 10 + pause {
                run.step(Op::SetRate(rate), 0);
                resumed = run.now;
            }
            run.step(Op::Enqueue(Priority::ALL[class], size), name);
        }
        if run.rates.last().is_some_and(|(_, rate)| *rate == 0) {
            run.step(Op::SetRate(rate), 0);
            resumed = run.now;
        }
        while run.pacer.poll_timeout().is_some() {
            run.step(Op::Deadline, 0);
        }
        prop_assert!(run.waiting.is_empty());
        for release in &run.released {
            let since = if release.at >= resumed { release.queued_at.max(resumed) } else { release.queued_at };
            prop_assert!(release.at - since <= limit, "waited {:?}", release.at - since);
        }
    }

    #[test]
    fn audio_waits_no_longer_than_its_setting(ops in vec(op(true), 1..200), rate in 1..100_000_u64, delay in 0..50_u64) {
        let delay = Duration::from_millis(delay);
        let mut run = Run::new(pacer(|config| config.audio_delay = delay), rate);
        for (name, op) in (0..).zip(ops).filter(|(_, op)| !matches!(op, Op::SetRate(_))) {
            run.step(op, name);
            if let Some(audio) = run.waiting.iter().find(|packet| packet.name.0 == Priority::Audio) {
                prop_assert!(run.pacer.poll_timeout().unwrap() <= audio.queued_at + delay);
            }
        }
    }

    /// Polls that release nothing leave no trace.
    #[test]
    fn extra_polls_change_nothing(ops in vec(op(true), 1..100), rate in 0..3_000_000_u64) {
        let mut plain = Run::new(pacer(|_| ()), rate);
        let mut polled = Run::new(pacer(|_| ()), rate);
        for (name, op) in (0..).zip(ops) {
            plain.step(op, name);
            if polled.pacer.poll_timeout().is_none_or(|at| at > polled.now) {
                prop_assert_eq!(polled.pacer.poll(polled.now), None);
            }
            polled.step(op, name);
        }
        prop_assert_eq!(plain.released, polled.released);
    }
}
