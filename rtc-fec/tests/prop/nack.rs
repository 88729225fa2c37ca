use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet};

use proptest::collection::vec;
use proptest::prelude::*;
use rtc_core::SeqNum;
use rtc_core::testkit::rng::Rng;
use rtc_core::time::Instant;
use rtc_fec::nack::{NackConfig, NackGenerator, NackPair, NackStats, pack};

#[derive(Debug, Clone)]
enum Op {
    /// This far from the newest.
    Insert(i16),
    Recover(i16),
    Withhold(i16, u64),
    SetRtt(u64),
    Wait(u64),
    Poll,
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        6 => Just(Op::Insert(1)),
        4 => (-20i16..20).prop_map(Op::Insert),
        2 => (-20i16..3).prop_map(Op::Recover),
        1 => (-20i16..1, 0u64..300).prop_map(|(back, millis)| Op::Withhold(back, millis)),
        1 => (0u64..400).prop_map(Op::SetRtt),
        4 => (0u64..150).prop_map(Op::Wait),
        4 => Just(Op::Poll),
    ]
}

fn config() -> impl Strategy<Value = NackConfig> {
    (0u16..4, 0u64..40, 0u64..400, 0.0f32..2.0).prop_map(|(reorder, reorder_time, deadline, repeat)| {
        let mut config = NackConfig::default();
        config.reorder_packets = reorder;
        config.reorder_time = Duration::from_millis(reorder_time);
        config.deadline = Duration::from_millis(deadline);
        config.repeat_after = repeat;
        config.max_missing = 30;
        config
    })
}

/// The specification, as plainly as it can be said: packet by packet, numbers that do not wrap.
struct Model {
    config: NackConfig,
    rtt: Duration,
    newest: Option<i64>,
    missing: BTreeMap<i64, (Instant, Option<Instant>, Instant)>,
}

impl Model {
    fn arrive(&mut self, now: Instant, seq: i64) {
        self.missing.remove(&seq);
        let newest = *self.newest.get_or_insert(seq);
        for gap in newest + 1..seq {
            self.missing.insert(gap, (now, None, now));
        }
        self.newest = Some(newest.max(seq));
        while self.missing.len() > self.config.max_missing {
            self.missing.pop_first();
        }
    }

    fn poll(&mut self, now: Instant) -> Vec<i64> {
        let (config, rtt, newest) = (self.config, self.rtt, self.newest.unwrap_or_default());
        self.missing.retain(|_, (found, ..)| now < *found + config.deadline);
        let mut requests = Vec::new();
        for (seq, (found, asked, withheld)) in &mut self.missing {
            let due = match asked {
                Some(asked) => *asked + rtt.mul_f32(config.repeat_after).max(config.min_interval),
                None if newest - seq > i64::from(config.reorder_packets) => *found,
                None => *found + config.reorder_time,
            };
            let due = due.max(*withheld);
            if due <= now && due + rtt <= *found + config.deadline {
                *asked = Some(now);
                requests.push(*seq);
            }
        }
        requests
    }
}

/// Requests as places relative to the first packet, and accounts.
fn run(
    config: NackConfig,
    ops: &[Op],
    first: u16,
    mut check: impl FnMut(&mut NackGenerator, Instant),
) -> (Vec<Vec<u16>>, NackStats) {
    let mut generator = NackGenerator::new(config).unwrap();
    let (mut now, mut newest) = (Instant::from_millis(1_000), 0i16);
    let mut requests = Vec::new();
    for op in ops {
        let seq = |newest: i16, offset: i16| SeqNum(first.wrapping_add_signed(newest + offset));
        match op {
            Op::Insert(offset) => {
                generator.insert(now, seq(newest, *offset));
                newest += (*offset).max(0);
            }
            Op::Recover(offset) => {
                generator.on_recovered(now, seq(newest, *offset));
                newest += (*offset).max(0);
            }
            Op::Withhold(offset, millis) => {
                generator.withhold(seq(newest, *offset), now + Duration::from_millis(*millis));
            }
            Op::SetRtt(millis) => generator.set_rtt(Duration::from_millis(*millis)),
            Op::Wait(millis) => now += Duration::from_millis(*millis),
            Op::Poll => requests.push(generator.poll(now).map(|seq| seq.0.wrapping_sub(first)).collect()),
        }
        check(&mut generator, now);
    }
    (requests, generator.stats())
}

/// The first operation must be an arrival, or the newest is unknown.
fn ops() -> impl Strategy<Value = Vec<Op>> {
    vec(op(), 0..150).prop_map(|mut ops| {
        ops.insert(0, Op::Insert(0));
        ops
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn generator_equals_the_model(config in config(), ops in ops()) {
        let mut model =
            Model { config, rtt: config.rtt, newest: None, missing: BTreeMap::new() };
        let (mut now, mut newest) = (Instant::from_millis(1_000), 0i64);
        let mut expected = Vec::new();
        for op in &ops {
            match op {
                Op::Insert(offset) | Op::Recover(offset) => {
                    model.arrive(now, newest + i64::from(*offset));
                    newest += i64::from((*offset).max(0));
                }
                Op::Withhold(offset, millis) => {
                    if let Some((_, _, withheld)) = model.missing.get_mut(&(newest + i64::from(*offset))) {
                        *withheld = now + Duration::from_millis(*millis);
                    }
                }
                Op::SetRtt(millis) => model.rtt = Duration::from_millis(*millis),
                Op::Wait(millis) => now += Duration::from_millis(*millis),
                Op::Poll => expected.push(model.poll(now)),
            }
        }
        let (requests, _) = run(config, &ops, 30_000, |_, _| {});
        let requests: Vec<Vec<i64>> =
            requests.into_iter().map(|seqs| seqs.into_iter().map(|seq| i64::from(seq.cast_signed())).collect()).collect();
        prop_assert_eq!(requests, expected);
    }

    #[test]
    fn missing_packets_are_accounted_for(config in config(), ops in ops()) {
        run(config, &ops, 0, |generator, _| {
            let stats = generator.stats();
            let gone = stats.arrived_late + stats.recovered + stats.expired + stats.overflowed + stats.forgotten;
            assert_eq!(stats.missing, gone + generator.missing() as u64);
            assert!(generator.missing() <= 30);
        });
    }

    #[test]
    fn nothing_is_due_before_the_timeout_and_something_is_then(config in config(), ops in ops()) {
        run(config, &ops, 0, |generator, now| {
            assert!(generator.poll(now).count() <= 30);
            assert_eq!(generator.poll(now).count(), 0, "asked already");
            let Some(next) = generator.poll_timeout() else {
                assert_eq!(generator.missing(), 0);
                return;
            };
            assert!(next > now);
            let before = (generator.stats(), generator.missing());
            assert_eq!(generator.poll(next - Duration::from_nanos(1)).count(), 0);
            assert_eq!((generator.stats(), generator.missing()), before);
            generator.poll(next).for_each(drop);
            assert_ne!((generator.stats(), generator.missing()), before);
        });
    }

    #[test]
    fn moving_all_numbers_moves_the_requests(config in config(), ops in ops()) {
        prop_assert_eq!(run(config, &ops, 1_000, |_, _| {}), run(config, &ops, 65_530, |_, _| {}));
    }

    #[test]
    fn arbitrary_numbers_never_panic(seqs in vec((any::<u16>(), any::<bool>(), 0u64..1_000), 0..300)) {
        let mut generator = NackGenerator::new(NackConfig::default()).unwrap();
        let mut now = Instant::ZERO;
        for (seq, recovered, wait) in seqs {
            now += Duration::from_millis(wait);
            if recovered {
                generator.on_recovered(now, SeqNum(seq));
            } else {
                generator.insert(now, SeqNum(seq));
            }
            generator.poll(now).for_each(drop);
        }
        let stats = generator.stats();
        let gone = stats.arrived_late + stats.recovered + stats.expired + stats.overflowed + stats.forgotten;
        prop_assert_eq!(stats.missing, gone + generator.missing() as u64);
    }

    #[test]
    fn unpacking_is_the_inverse_of_packing(offsets in proptest::collection::btree_set(0u16..400, 0..80), first: u16) {
        let lost: Vec<_> = offsets.iter().map(|offset| SeqNum(first) + *offset).collect();
        let pairs: Vec<NackPair> = pack(lost.iter().copied()).collect();
        prop_assert!(pairs.iter().flat_map(|pair| pair.seqs()).eq(lost.iter().copied()));
        for two in pairs.windows(2) {
            prop_assert!(two[1].pid.distance_from(two[0].pid) > 16, "{:?} would fit one", two);
        }
    }

    #[test]
    fn packing_any_order_loses_nothing(lost in vec(any::<u16>(), 0..80)) {
        let unpacked: BTreeSet<u16> =
            pack(lost.iter().copied().map(SeqNum)).flat_map(NackPair::seqs).map(|seq| seq.0).collect();
        prop_assert_eq!(unpacked, lost.into_iter().collect());
    }
}

/// 70 % of media, requests and retransmissions lost: what is left over is what the number of round trips explains.
#[test]
fn at_seventy_percent_loss_requests_go_on_to_the_deadline() {
    let (mut rng, rtt) = (Rng::new(1), Duration::from_millis(40));
    let mut config = NackConfig::default();
    (config.rtt, config.deadline, config.repeat_after) = (rtt, Duration::from_millis(400), 1.0);
    let mut generator = NackGenerator::new(config).unwrap();
    let mut retransmitted: Vec<(Instant, SeqNum)> = Vec::new();
    for n in 0..20_000u16 {
        let now = Instant::from_millis(u64::from(n) * 5);
        retransmitted.retain(|(at, seq)| {
            if *at <= now {
                generator.on_recovered(now, *seq);
            }
            *at > now
        });
        if rng.bool(0.3) {
            generator.insert(now, SeqNum(n));
        }
        for seq in generator.poll(now) {
            if rng.bool(0.3 * 0.3) {
                retransmitted.push((now + rtt, seq));
            }
        }
    }
    let stats = generator.stats();
    assert_eq!(stats.overflowed, 0);
    // 10 requests, of which each has 9 % to succeed: 0.91^10 = 39 % remain.
    let remain = stats.expired as f64 / stats.missing as f64;
    assert!((0.37..0.41).contains(&remain), "{remain}");
}
