use std::collections::BTreeSet;

use proptest::collection::vec;
use proptest::prelude::*;
use rtc_core::{PayloadType, RtpTime, SeqNum, Ssrc};

use super::*;

fn entry(seq: u64) -> Entry {
    let packet = RtpPacket::builder(PayloadType::new(0), SeqNum(0), RtpTime(0), Ssrc(0)).build(&[]).unwrap();
    Entry { packet, seq, media: 0, ticks: 0, arrival: Instant::ZERO, original: true }
}

fn store(capacity: usize, seqs: &[u64]) -> Store {
    let mut store = Store::new(capacity);
    for seq in seqs {
        assert_eq!(store.place(*seq), Place::Free, "{seq}");
        store.put(entry(*seq));
    }
    store
}

fn drain(store: &mut Store) -> Vec<u64> {
    core::iter::from_fn(|| store.pop()).map(|(entry, _)| entry.seq).collect()
}

#[test]
fn releases_in_order() {
    let mut store = store(8, &[12, 10, 11, 14]);
    assert!(matches!(store.head(), Head::Next(entry) if entry.seq == 10));
    assert_eq!(drain(&mut store), [10, 11, 12, 14]);
    assert_eq!(store.len(), 0);
}

#[test]
fn tells_copies_from_late_ones() {
    let mut store = store(8, &[10, 12]);
    store.pop();
    let (_, missing) = store.pop().unwrap();
    assert_eq!(missing, 1);
    assert_eq!(store.place(10), Place::Taken);
    assert_eq!(store.place(11), Place::Passed);
    assert_eq!(store.place(12), Place::Taken);
    assert_eq!(store.place(13), Place::Free);
}

#[test]
fn the_first_may_come_second_until_something_was_released() {
    let mut store = store(8, &[10, 9]);
    assert_eq!(store.place(8), Place::Free);
    assert_eq!(store.place(2), Place::Passed, "11 and 2 do not fit eight slots");
    store.pop();
    assert_eq!(store.place(8), Place::Passed);
}

#[test]
fn missing_ones_are_passed_one_by_one() {
    let mut store = store(8, &[10, 13]);
    store.pop();
    for missing in [2, 1] {
        assert!(matches!(store.head(), Head::After { missing: found, .. } if found == missing));
        store.pass();
    }
    assert!(matches!(store.head(), Head::Next(_)));
    store.pass();
    assert_eq!(drain(&mut store), [13], "what is here is not given up");
}

#[test]
fn the_oldest_go_when_full() {
    let mut store = store(4, &[10, 11, 12, 13]);
    assert_eq!(store.put(entry(15)), 2);
    assert_eq!(drain(&mut store), [12, 13, 15]);
    assert_eq!(store.put(entry(1_000)), 0);
    assert_eq!(store.place(900), Place::Passed);
    assert_eq!(drain(&mut store), [1_000]);
}

#[test]
fn clearing_starts_anew() {
    let mut store = store(4, &[10, 11]);
    store.pop();
    assert_eq!(store.clear(), 1);
    assert_eq!(store.place(10), Place::Free);
    assert!(matches!(store.head(), Head::Empty));
}

/// What to do with the store and its model.
#[derive(Debug, Clone, Copy)]
enum Op {
    Put(u64),
    Pop,
    Pass,
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![4 => (1_000..1_060u64).prop_map(Op::Put), 2 => Just(Op::Pop), 1 => Just(Op::Pass)]
}

proptest! {
    #[test]
    fn equals_a_sorted_map_without_limits(ops in vec(op(), 0..200)) {
        // As many slots as numbers, so that none has to go.
        let mut store = Store::new(100);
        let (mut waiting, mut released, mut next) = (BTreeSet::new(), BTreeSet::new(), None::<u64>);
        for op in ops {
            match op {
                Op::Put(seq) => {
                    let place = if waiting.contains(&seq) || released.contains(&seq) {
                        Place::Taken
                    } else if next.is_some_and(|next| seq < next) {
                        Place::Passed
                    } else {
                        Place::Free
                    };
                    prop_assert_eq!(store.place(seq), place);
                    if place == Place::Free {
                        prop_assert_eq!(store.put(entry(seq)), 0);
                        waiting.insert(seq);
                    }
                }
                Op::Pop => {
                    let first = waiting.pop_first();
                    prop_assert_eq!(store.pop().map(|(entry, _)| entry.seq), first);
                    released.extend(first);
                    next = first.map(|first| first + 1).or(next);
                }
                Op::Pass => {
                    store.pass();
                    if let (Some(number), Some(first)) = (next, waiting.first()) {
                        next = Some(if number < *first { number + 1 } else { number });
                    }
                }
            }
            prop_assert_eq!(store.len(), waiting.len());
            prop_assert_eq!(store.head().entry().map(|entry| entry.seq), waiting.first().copied());
        }
    }
}

#[test]
fn originals_take_the_place_of_copies_and_of_nothing_else() {
    let mut store = Store::new(8);
    store.put(Entry { original: false, ..entry(3) });
    store.put(entry(4));
    let mut other = entry(9).packet;
    other.rewrite(|header| header.set_ssrc(Ssrc(9)));
    for seq in [3, 4, 5] {
        store.improve(seq, other.clone());
    }
    let waiting: Vec<_> = store.waiting().map(|entry| (entry.seq, entry.packet == other, entry.original)).collect();
    assert_eq!(waiting, [(3, true, true), (4, false, true)]);
}
