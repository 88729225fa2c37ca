use proptest::collection::vec;
use proptest::prelude::*;
use rtc_core::{RtpTime, SeqNum, SeqUnwrapper, TimeUnwrapper};

/// Positions of packets as they arrive: steps forward and back, never half a cycle away from the newest.
fn arrivals(half: i64) -> impl Strategy<Value = Vec<i64>> {
    let step = prop_oneof![4 => Just(1), 2 => -20..20_i64, 1 => (1 - half)..half];
    vec(step, 1..200).prop_map(move |steps| {
        let mut newest = 0;
        let place = |step| {
            let position = newest + step;
            newest = newest.max(position);
            position
        };
        steps.into_iter().map(place).collect()
    })
}

fn unwrap_seqs(start: u16, positions: &[i64]) -> Vec<u64> {
    let mut unwrapper = SeqUnwrapper::default();
    unwrapper.unwrap(SeqNum(start));
    let low = |position: i64| {
        SeqNum(position.rem_euclid(1 << 16).to_le_bytes()[..2].try_into().map_or(0, u16::from_le_bytes))
    };
    positions.iter().map(|position| unwrapper.unwrap(low(i64::from(start) + position))).collect()
}

fn unwrap_times(start: u32, positions: &[i64]) -> Vec<u64> {
    let mut unwrapper = TimeUnwrapper::default();
    unwrapper.unwrap(RtpTime(start));
    let low = |position: i64| RtpTime(position.to_le_bytes()[..4].try_into().map_or(0, u32::from_le_bytes));
    positions.iter().map(|position| unwrapper.unwrap(low(i64::from(start) + position))).collect()
}

proptest! {
    #[test]
    fn sequence_numbers_unwrap_to_positions(start: u16, positions in arrivals(1 << 15)) {
        let first = SeqUnwrapper::default().unwrap(SeqNum(start));
        let expected: Vec<_> = positions.iter().map(|position| first.checked_add_signed(*position).unwrap()).collect();
        prop_assert_eq!(unwrap_seqs(start, &positions), expected);
    }

    #[test]
    fn timestamps_unwrap_to_positions(start: u32, positions in arrivals(1 << 31)) {
        let first = TimeUnwrapper::default().unwrap(RtpTime(start));
        let expected: Vec<_> = positions.iter().map(|position| first.checked_add_signed(*position).unwrap()).collect();
        prop_assert_eq!(unwrap_times(start, &positions), expected);
    }

    #[test]
    fn shifting_all_numbers_shifts_all_results(start: u16, shift: u16, positions in arrivals(1 << 15)) {
        let relative = |all: Vec<u64>| -> Vec<_> { all.iter().map(|one| one.wrapping_sub(all[0])).collect() };
        let here = relative(unwrap_seqs(start, &positions));
        prop_assert_eq!(&relative(unwrap_seqs(start.wrapping_add(shift), &positions)), &here);
        prop_assert_eq!(&relative(unwrap_seqs(65_500, &positions)), &here);
        prop_assert_eq!(&relative(unwrap_times(u32::MAX - 1_000, &positions)), &here);
    }

    #[test]
    fn any_numbers_unwrap_to_themselves(numbers in vec(any::<u16>(), 0..100), times in vec(any::<u32>(), 0..100)) {
        let (mut seqs, mut clock) = (SeqUnwrapper::default(), TimeUnwrapper::default());
        for seq in numbers {
            let peeked = seqs.peek(SeqNum(seq));
            let unwrapped = seqs.unwrap(SeqNum(seq));
            prop_assert_eq!((unwrapped, unwrapped & 0xffff), (peeked, u64::from(seq)));
        }
        for time in times {
            let peeked = clock.peek(RtpTime(time));
            let unwrapped = clock.unwrap(RtpTime(time));
            prop_assert_eq!((unwrapped, unwrapped & 0xffff_ffff), (peeked, u64::from(time)));
        }
    }

    #[test]
    fn distances_are_the_steps_taken(start: u16, step: i16) {
        let there = if step < 0 { SeqNum(start) - step.unsigned_abs() } else { SeqNum(start) + step.unsigned_abs() };
        prop_assert_eq!(there.distance_from(SeqNum(start)), step);
        prop_assert_eq!(there.is_newer_than(SeqNum(start)), step > 0);
    }
}
