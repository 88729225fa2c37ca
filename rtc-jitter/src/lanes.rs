//! Sums over samples in lanes side by side, for the compiler to make vectors of: in a plain sum each addition waits for the one
//! before it.

/// Four vectors of four: as many sums at a time as a processor has under way.
const LANES: usize = 16;

/// Σ a(n) b(n), as far as both go.
pub(crate) fn dot(a: &[f32], b: &[f32]) -> f32 {
    let (a, b) = alike(a, b);
    let ((a, a_rest), (b, b_rest)) = (a.as_chunks::<LANES>(), b.as_chunks::<LANES>());
    let mut sums = [0.0_f32; LANES];
    for (a, b) in a.iter().zip(b) {
        for ((sum, a), b) in sums.iter_mut().zip(a).zip(b) {
            *sum += a * b;
        }
    }
    let rest: f32 = a_rest.iter().zip(b_rest).map(|(a, b)| a * b).sum();
    total(&sums) + rest
}

/// Σ a(n) b(n + k) for each k of `out`; `b` must be as much longer than `a` as there are k beyond 0. Many sums side by side fetch each
/// sample fewer times than one [`dot`] after the other.
pub(crate) fn correlate(a: &[f32], b: &[f32], out: &mut [f32]) {
    let (pairs, last) = a.as_chunks::<2>();
    let (blocks, rest) = out.as_chunks_mut::<LANES>();
    let done = blocks.len() * LANES;
    for (index, block) in blocks.iter_mut().enumerate() {
        let b = &b[index * LANES..];
        // Of even and of odd n, so that an addition need not wait for the one before it.
        let (mut even, mut odd) = ([0.0_f32; LANES], [0.0_f32; LANES]);
        for ([a0, a1], b) in pairs.iter().zip(b.windows(LANES + 1).step_by(2)) {
            even.iter_mut().zip(&b[..LANES]).for_each(|(sum, b)| *sum += a0 * b);
            odd.iter_mut().zip(&b[1..]).for_each(|(sum, b)| *sum += a1 * b);
        }
        if let [a0] = last {
            even.iter_mut().zip(&b[a.len() - 1..]).for_each(|(sum, b)| *sum += a0 * b);
        }
        block.iter_mut().zip(even).zip(odd).for_each(|((out, even), odd)| *out = even + odd);
    }
    rest.iter_mut().enumerate().for_each(|(k, out)| *out = dot(a, &b[done + k..]));
}

/// Σ a(n)².
pub(crate) fn squares(a: &[f32]) -> f32 {
    dot(a, a)
}

/// Normalised correlation of what is on both sides of the pairs, where the squares of the first sides add up to `one`; 0 where there
/// is nothing to compare. The energy of the other side is not worth knowing where they are opposed: then only the sign is right.
pub(crate) fn likeness<'a, I>(pairs: impl Fn() -> I, one: f32) -> f32
where
    I: Iterator<Item = (&'a [f32], &'a [f32])>,
{
    let both: f32 = pairs().map(|(a, b)| dot(a, b)).sum();
    if both <= 0.0 {
        return if one > f32::MIN_POSITIVE { (both / one).max(-1.0) } else { 0.0 };
    }
    let energy = one * pairs().map(|(_, b)| squares(b)).sum::<f32>();
    if energy > f32::MIN_POSITIVE { both / energy.sqrt() } else { 0.0 }
}

/// The greatest |a(n)|; 0 of nothing.
pub(crate) fn peak(a: &[f32]) -> f32 {
    let (whole, rest) = a.as_chunks::<LANES>();
    let mut peaks = [0.0_f32; LANES];
    for samples in whole {
        for (peak, sample) in peaks.iter_mut().zip(samples) {
            let level = sample.abs();
            *peak = if level > *peak { level } else { *peak };
        }
    }
    peaks.iter().copied().chain(rest.iter().map(|sample| sample.abs())).fold(0.0, f32::max)
}

/// Adds the sum of each `ratio` samples to a sample of `out`: a lower rate, for comparing.
pub(crate) fn add_lowered(samples: &[f32], ratio: usize, out: &mut [f32]) {
    match ratio {
        1 => lower::<1>(samples, out),
        2 => lower::<2>(samples, out),
        3 => lower::<3>(samples, out),
        4 => lower::<4>(samples, out),
        6 => lower::<6>(samples, out),
        _ => {
            for (slot, group) in out.iter_mut().zip(samples.chunks_exact(ratio)) {
                *slot += group.iter().sum::<f32>();
            }
        }
    }
}

fn lower<const RATIO: usize>(samples: &[f32], out: &mut [f32]) {
    for (slot, group) in out.iter_mut().zip(samples.as_chunks::<RATIO>().0) {
        *slot += group.iter().sum::<f32>();
    }
}

fn alike<'a>(a: &'a [f32], b: &'a [f32]) -> (&'a [f32], &'a [f32]) {
    let len = a.len().min(b.len());
    (&a[..len], &b[..len])
}

/// By halves, which is exact more often than one after the other.
fn total(sums: &[f32; LANES]) -> f32 {
    let mut sums = *sums;
    let mut len = LANES;
    while len > 1 {
        len /= 2;
        for k in 0..len {
            sums[k] += sums[k + len];
        }
    }
    sums[0]
}

#[cfg(test)]
mod tests {
    use alloc::vec;
    use alloc::vec::Vec;

    use proptest::collection::vec as any_vec;
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn lanes_give_what_plain_sums_give(pairs in any_vec((-1.0..1.0_f32, -1.0..1.0_f32), 0..200), ratio in 1..8_usize) {
            let (a, b): (Vec<f32>, Vec<f32>) = pairs.into_iter().unzip();
            let exact = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum::<f64>();
            let near = |found: f32, exact: f64| (f64::from(found) - exact).abs() < 1e-4;
            prop_assert!(near(dot(&a, &b), exact(&a, &b)));
            prop_assert!(near(squares(&b), exact(&b, &b)));
            let mut found = vec![0.0; a.len() / 2];
            let shorter = &a[..a.len() - found.len()];
            correlate(shorter, &b, &mut found);
            for (k, found) in found.into_iter().enumerate() {
                prop_assert!(near(found, exact(shorter, &b[k..])));
            }
            prop_assert_eq!(peak(&a), a.iter().fold(0.0_f32, |most, sample| most.max(sample.abs())));
            let mut lowered = vec![0.0; a.len() / ratio];
            add_lowered(&a, ratio, &mut lowered);
            for (found, group) in lowered.iter().zip(a.chunks_exact(ratio)) {
                prop_assert_eq!(*found, group.iter().sum::<f32>());
            }
        }
    }

    #[test]
    fn likeness_is_one_of_the_same_and_below_zero_of_the_opposite() {
        let (a, b) = ([0.5, -0.25, 0.125], [-1.0, 0.5, -0.25]);
        let of = |a: &'static [f32], b: &'static [f32]| likeness(|| [(a, b), (a, b)].into_iter(), 2.0 * squares(a));
        let twice = &[1.0, -0.5, 0.25];
        assert!((of(&[0.5, -0.25, 0.125], twice) - 1.0).abs() < 1e-6);
        assert!(likeness(|| [(&a[..], &b[..])].into_iter(), squares(&a)) < 0.0);
        assert_eq!(of(&[0.0; 3], twice), 0.0);
    }

    #[test]
    fn what_is_longer_does_not_count() {
        assert_eq!(dot(&[1.0, 2.0, 3.0], &[4.0]), 4.0);
        assert_eq!((dot(&[], &[]), peak(&[])), (0.0, 0.0));
    }
}
