//! The pacer against a naive one, and what it promises of rate, order and waiting.

use core::time::Duration;

use proptest::collection::vec;
use proptest::prelude::*;
use rtc_core::bwe::{ProbeCluster, ProbeId};
use rtc_core::pacing::{Enqueued, Pacer, Priority};
use rtc_core::time::Instant;
use rtc_core::{Bitrate, DataSize};
use rtc_transport::pacer::{self, LeakyBucketPacer, MAX_BATCH, PacerConfig};

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

/// What is done to a pacer with probes, padding and a window.
#[derive(Debug, Clone, Copy)]
enum Act {
    Do(Op),
    Probe(u64, u64, u32),
    Padding(u64),
    Window(Option<u64>, u64),
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        8 => op(true).prop_map(Act::Do),
        1 => (0..20_000_000_u64, 0..20_000_u64, 0..20_u32).prop_map(|(rate, size, packets)| Act::Probe(rate, size, packets)),
        1 => prop_oneof![Just(0), 1..2_000_000_u64].prop_map(Act::Padding),
        1 => (prop::option::of(0..20_000_u64), 0..20_000_u64).prop_map(|(window, flight)| Act::Window(window, flight)),
    ]
}

/// A pacer that does what all acts of `acts` say, of which `release` takes out what is due.
fn perform(acts: &[Act], mut release: impl FnMut(&mut LeakyBucketPacer<u32>, Instant)) -> LeakyBucketPacer<u32> {
    let mut config = PacerConfig::default();
    config.padding_size = Some(DataSize::from_bytes(500));
    let mut pacer = LeakyBucketPacer::new(config).unwrap();
    let mut now = Instant::from_millis(1);
    for (name, act) in (0..).zip(acts) {
        match *act {
            Act::Do(Op::Enqueue(priority, size)) => {
                pacer.enqueue(now, priority, DataSize::from_bytes(size), name);
            }
            Act::Do(Op::SetRate(rate)) => pacer.set_rate(now, Bitrate::from_bps(rate)),
            Act::Do(Op::Wait(nanos)) => now += Duration::from_nanos(nanos),
            Act::Do(Op::Poll) => release(&mut pacer, now),
            Act::Do(Op::Deadline) => {
                now = pacer.poll_timeout().map_or(now, |at| at.max(now));
                release(&mut pacer, now);
            }
            Act::Probe(rate, size, packets) => {
                let (rate, size) = (Bitrate::from_bps(rate), DataSize::from_bytes(size));
                pacer.probe(now, ProbeCluster { id: ProbeId(name), rate, size, packets });
            }
            Act::Padding(rate) => pacer.set_padding(now, Bitrate::from_bps(rate)),
            Act::Window(window, in_flight) => {
                pacer.set_window(window.map(DataSize::from_bytes));
                pacer.set_in_flight(DataSize::from_bytes(in_flight));
            }
        }
        let stats = pacer.stats();
        assert_eq!(stats.accepted, stats.released + pacer.len() as u64);
    }
    pacer
}

proptest! {
    /// Whatever is asked for, packets are conserved and a deadline brings something, unless it was the end of a probe.
    #[test]
    fn probes_padding_and_windows_keep_the_books(acts in vec(act(), 1..200)) {
        let mut padding = 0;
        let pacer = perform(&acts, |pacer, now| {
            let due = pacer.poll_timeout().is_some_and(|at| at <= now);
            let abandoned = pacer.stats().probes_abandoned;
            let mut left = 0;
            while let Some(release) = pacer.poll_release(now) {
                padding += u64::from(matches!(release, pacer::Release::Padding { .. }));
                left += 1;
                assert!(left < 20_000, "it ends");
            }
            assert!(!due || left > 0 || pacer.stats().probes_abandoned > abandoned, "nothing at the deadline");
            assert!(pacer.poll_timeout().is_none_or(|at| at > now), "something is left to do");
        });
        prop_assert_eq!(pacer.stats().padding, padding);
        prop_assert_eq!(pacer.stats().padding_unsent, 0);
    }

    /// Batches are what comes out one by one, in runs that one system call can send.
    #[test]
    fn batches_are_what_leaves_one_by_one(acts in vec(act(), 1..200), max in 1..70_usize) {
        let (mut single, mut batched) = (Vec::new(), Vec::new());
        let one = perform(&acts, |pacer, now| {
            while let Some(release) = pacer.poll_release(now) {
                single.push((now, release));
            }
        });
        let many = perform(&acts, |pacer, now| {
            let mut batch = Vec::new();
            while let Some(segment) = pacer.poll_batch(now, max, &mut batch) {
                let (last, run) = batch.split_last().unwrap();
                assert!(batch.len() <= max.min(MAX_BATCH));
                assert!(run.iter().all(|release| release.size() == segment) && last.size() <= segment);
                assert!(run.len() * usize::try_from(segment.as_bytes()).unwrap() <= 65_000);
                batched.extend(batch.iter().map(|release| (now, *release)));
            }
        });
        prop_assert_eq!(single, batched);
        prop_assert_eq!(one.stats(), many.stats());
    }

    /// Packets of a probe leave no faster than it asks for, and all of it leaves if there is padding and a rate.
    #[test]
    fn a_probe_leaves_whole_and_at_its_rate(
        rate in 200_000..20_000_000_u64, packets in 1..20_u32, media in vec(1..1_200_u64, 0..20), pacing in 1_000..1_000_000_u64,
    ) {
        let mut config = PacerConfig::default();
        config.padding_size = Some(DataSize::from_bytes(1_000));
        config.max_queue_time = Duration::from_secs(3_600);
        let mut pacer = LeakyBucketPacer::new(config).unwrap();
        let start = Instant::from_millis(7);
        pacer.set_rate(start, Bitrate::from_bps(pacing.min(rate)));
        for size in &media {
            pacer.enqueue(start, Priority::Video, DataSize::from_bytes(*size), 0_u32);
        }
        let bytes = DataSize::from_bytes(1_000 * u64::from(packets));
        // What takes longer than a second is given up.
        prop_assume!(Bitrate::from_bps(rate).time_for(bytes) < Duration::from_millis(900));
        pacer.probe(start, ProbeCluster { id: ProbeId(3), rate: Bitrate::from_bps(rate), size: bytes, packets });
        let (mut sent, mut count, mut now) = (DataSize::ZERO, 0, start);
        while pacer.stats().probes == 0 {
            now = now.max(pacer.poll_timeout().unwrap());
            let release = pacer.poll_release(now).unwrap();
            prop_assert_eq!(release.probe(), Some(ProbeId(3)));
            let due = start + Bitrate::from_bps(rate).time_for(sent);
            let rounding = Duration::from_micros(1) * (count + 1);
            prop_assert!(now.nanos_since(due).unsigned_abs() <= u64::try_from(rounding.as_nanos()).unwrap(), "{now} for {due}");
            sent += release.size();
            count += 1;
        }
        prop_assert!(sent >= bytes && count >= packets);
    }
}
