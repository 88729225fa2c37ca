//! Dividing a rate by weights, with an upper limit for each part.

/// One who takes part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Part {
    /// Takes no more than this.
    pub(crate) limit: u64,
    /// Takes in proportion to this, not zero.
    pub(crate) weight: u32,
    /// What it gets.
    pub(crate) share: u64,
}

/// Gives each part its weight's share of `total`, or its limit if that is less; what those leave goes to the others.
///
/// Parts get `min(limit, weight × level)` for the one level that uses up `total`, rounded down: the shares grow with `total`,
/// each of them, and in sum fall short of it by less than one per part.
pub(crate) fn divide(parts: &mut [Part], total: u64) {
    let (mut left, mut weights) = (total, parts.iter().map(|part| u64::from(part.weight)).sum::<u64>());
    parts.iter_mut().for_each(|part| part.share = u64::MAX);
    loop {
        // Those whose limit is below the level are done; that raises the level for the others.
        let mut done = false;
        for part in parts.iter_mut().filter(|part| part.share == u64::MAX) {
            let weight = u64::from(part.weight);
            if u128::from(part.limit) * u128::from(weights) <= u128::from(left) * u128::from(weight) {
                part.share = part.limit;
                left -= part.limit;
                weights -= weight;
                done = true;
            }
        }
        if !done {
            break;
        }
    }
    for part in parts.iter_mut().filter(|part| part.share == u64::MAX) {
        let share = u128::from(left) * u128::from(part.weight) / u128::from(weights);
        part.share = u64::try_from(share).unwrap_or(left);
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    fn shares(parts: &[(u64, u32)], total: u64) -> Vec<u64> {
        let mut parts: Vec<_> = parts.iter().map(|&(limit, weight)| Part { limit, weight, share: 0 }).collect();
        divide(&mut parts, total);
        parts.iter().map(|part| part.share).collect()
    }

    #[test]
    fn weights_divide_and_limits_leave_the_rest_to_others() {
        assert_eq!(shares(&[(u64::MAX, 1), (u64::MAX, 3)], 400), [100, 300]);
        assert_eq!(shares(&[(50, 1), (u64::MAX, 3), (u64::MAX, 1)], 450), [50, 300, 100]);
        assert_eq!(shares(&[(50, 1), (60, 1)], 450), [50, 60]);
        assert_eq!(shares(&[], 450), [0; 0]);
        assert_eq!(shares(&[(5, 1), (0, 7)], 0), [0, 0]);
    }

    #[test]
    fn limits_found_late_count() {
        // The first limit is met only once the second has left its part over.
        assert_eq!(shares(&[(120, 1), (10, 1), (1_000, 1)], 330), [120, 10, 200]);
    }

    fn parts() -> impl Strategy<Value = Vec<(u64, u32)>> {
        vec((prop_oneof![0..2_000_u64, Just(1 << 40)], 1..20_u32), 0..12)
    }

    proptest! {
        #[test]
        fn nothing_is_lost_but_what_no_one_may_have(parts in parts(), total in 0..20_000_u64) {
            let shares = shares(&parts, total);
            let (sum, most) = (shares.iter().sum::<u64>(), parts.iter().map(|part| part.0).sum::<u64>());
            prop_assert!(sum <= total.min(most));
            prop_assert!(sum + parts.len() as u64 >= total.min(most));
            prop_assert!(shares.iter().zip(&parts).all(|(share, part)| *share <= part.0));
        }

        #[test]
        fn each_grows_with_the_total(parts in parts(), total in 0..20_000_u64, more in 0..20_000_u64) {
            let (less, more) = (shares(&parts, total), shares(&parts, total + more));
            prop_assert!(less.iter().zip(&more).all(|(less, more)| less <= more));
        }

        #[test]
        fn those_below_their_limit_are_in_proportion(parts in parts(), total in 0..20_000_u64) {
            let shares = shares(&parts, total);
            let open: Vec<_> = shares.iter().zip(&parts).filter(|(share, part)| **share < part.0).collect();
            for (a, b) in open.iter().zip(open.iter().skip(1)) {
                // Each is rounded down by less than one.
                let (a, b) = ((*a.0, u64::from(a.1.1)), (*b.0, u64::from(b.1.1)));
                prop_assert!(a.0 * b.1 < (b.0 + 1) * a.1 && b.0 * a.1 < (a.0 + 1) * b.1);
            }
        }
    }
}
