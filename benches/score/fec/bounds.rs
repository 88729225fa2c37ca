//! What no recovery can do better than.

/// The least overhead over an erasure channel that loses `loss` of what is sent (Elias 1955: capacity 1 - loss), if
/// `residual` of the media may be missing; per unit of media.
pub(super) fn capacity_overhead(loss: f64, residual: f64) -> f64 {
    ((1.0 - residual) / (1.0 - loss) - 1.0).max(0.0)
}

/// The least residual when each of `chances` packets in a row carries all there is to know about the oldest: all of them are
/// lost, in Gilbert's model with runs of `burst` on average, or independently (`burst` of 1).
pub(super) fn residual_floor(loss: f64, burst: f64, chances: u32) -> f64 {
    let Some(after_first) = chances.checked_sub(1) else { return 1.0 };
    let stays = if burst <= 1.0 { loss } else { 1.0 - 1.0 / burst };
    loss * stays.powi(after_first.cast_signed())
}

/// The least overhead of a systematic code that recovers a block of `source` packets from any `source` of it, with
/// independent `loss`, for `residual`; per unit of media. `None` if three hundred repair packets per source packet do not do.
pub(super) fn block_overhead(loss: f64, residual: f64, source: u32) -> Option<f64> {
    let repair = (0..=300 * source).find(|repair| block_residual(loss, source, *repair) <= residual)?;
    Some(f64::from(repair) / f64::from(source))
}

/// The part of source packets missing after decoding: those lost, in blocks of which more is lost than there is repair.
fn block_residual(loss: f64, source: u32, repair: u32) -> f64 {
    // With `n` packets lost of all, `n * source / total` of the source are, on average.
    let total = source + repair;
    let mut probability = (f64::from(total) * (1.0 - loss).ln()).exp();
    let mut residual = 0.0;
    for lost in 0..=total {
        if lost > repair {
            residual += probability * f64::from(lost) / f64::from(total);
        }
        probability *= f64::from(total - lost) / f64::from(lost + 1) * loss / (1.0 - loss);
    }
    residual
}

/// The least number of jobs that one machine finishes late, which takes `(from, due, length)` each, in order of `from` and of
/// `due` alike, and may put them off (H. Kise, T. Ibaraki and H. Mine, *A solvable case of the one-machine scheduling problem with
/// ready and due times*, Operations Research 26, 1978): whenever a job would be late, the one goes without which the machine is
/// done first.
pub(super) fn jobs_late(jobs: impl Iterator<Item = (usize, usize, usize)>) -> usize {
    let (mut taken, mut late) = (Vec::<(usize, usize)>::new(), 0);
    let done = |taken: &[(usize, usize)], without: Option<usize>| {
        let kept = taken.iter().enumerate().filter(|(at, _)| Some(*at) != without);
        kept.fold(0, |now: usize, (_, (from, length))| now.max(*from) + length)
    };
    for (from, due, length) in jobs.filter(|(.., length)| *length > 0) {
        if done(&taken, None) <= from {
            taken.clear();
        }
        taken.push((from, length));
        if done(&taken, None) > due {
            late += 1;
            if let Some(worst) = (0..taken.len()).min_by_key(|at| done(&taken, Some(*at))) {
                taken.remove(worst);
            }
        }
    }
    late
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All subsets of a few jobs, each tried one after the other.
    #[test]
    fn no_fewer_jobs_are_late_than_must_be() {
        let mut rng = rtc_core::testkit::rng::Rng::new(3);
        for _ in 0..500 {
            let (mut from, mut due) = (0, 0);
            let mut job = || {
                let mut below = |most: u64| usize::try_from(rng.below(most)).unwrap();
                from += below(4);
                due = due.max(from) + below(4);
                (from, due, 1 + below(4))
            };
            let jobs: [_; 8] = core::array::from_fn(|_| job());
            let on_time = |subset: &u32| {
                let taken = jobs.iter().enumerate().filter(|(at, _)| subset & (1 << at) != 0);
                let done = taken.map(|(_, job)| job).try_fold(0_usize, |now, (from, due, length)| {
                    let done = now.max(*from) + length;
                    (done <= *due).then_some(done)
                });
                done.is_some()
            };
            let most = (0_u32..256).filter(on_time).map(u32::count_ones).max().unwrap();
            assert_eq!(jobs.len() - jobs_late(jobs.into_iter()), most as usize, "{jobs:?}");
        }
    }

    #[test]
    fn capacity_of_the_erasure_channel() {
        let percent = |loss| (100.0 * capacity_overhead(loss, 0.0)).round();
        assert_eq!([0.3, 0.5, 0.7, 0.8].map(percent), [43.0, 100.0, 233.0, 400.0]);
        assert_eq!(capacity_overhead(0.005, 0.01), 0.0);
        assert!(capacity_overhead(0.3, 0.01) < capacity_overhead(0.3, 0.0));
    }

    #[test]
    fn residual_is_that_all_chances_are_lost() {
        assert_eq!(residual_floor(0.5, 1.0, 4), 0.0625);
        assert!((residual_floor(0.7, 1.0, 14) - 0.7_f64.powi(14)).abs() < 1e-12);
        // 50 % in runs of 8, 15 chances: 0.5 x (7/8)^14.
        assert!((residual_floor(0.5, 8.0, 15) - 0.077).abs() < 1e-3);
        assert_eq!(residual_floor(0.2, 1.0, 0), 1.0);
    }

    /// One source and one repair packet: missing if both are lost.
    #[test]
    fn a_pair_is_lost_if_both_are() {
        assert!((block_residual(0.3, 1, 1) - 0.09).abs() < 1e-12);
        assert!((block_residual(0.3, 5, 0) - 0.3).abs() < 1e-12);
    }

    /// 14 frames at 30 % need 13 repair packets, at 50 % 27: by summing the binomial distribution elsewhere.
    #[test]
    fn ideal_blocks_for_one_percent() {
        assert_eq!(block_overhead(0.3, 0.01, 14), Some(13.0 / 14.0));
        assert_eq!(block_overhead(0.5, 0.01, 14), Some(27.0 / 14.0));
        assert_eq!(block_overhead(0.005, 0.01, 14), Some(0.0));
    }
}
