//! The loops, for vectors of any backend.
//!
//! They are inlined into the functions of the backends, which have the instructions that the vectors need.

use super::Term;

/// Bytes of the longest vector.
const MAX_LEN: usize = 64;
/// Vectors summed up in registers at once.
const BLOCK: usize = 4;

/// Some bytes in a register. All functions need a processor that has the backend's instructions.
pub(super) trait Vector: Copy {
    /// How many bytes, [`MAX_LEN`] at most.
    const LEN: usize;
    /// A factor, ready to multiply with.
    type Factor: Copy;
    /// Bytes, ready to be multiplied, with several factors if need be.
    type Multiplicand: Copy;

    /// There must be as many bytes.
    unsafe fn load(bytes: *const u8) -> Self;

    /// There must be room for as many bytes.
    unsafe fn store(self, bytes: *mut u8);

    unsafe fn xor(self, other: Self) -> Self;

    unsafe fn and(self, other: Self) -> Self;

    unsafe fn factor(factor: u8) -> Self::Factor;

    unsafe fn multiplicand(self) -> Self::Multiplicand;

    unsafe fn mul(bytes: Self::Multiplicand, factor: Self::Factor) -> Self;
}

/// From byte `n` on, `MAX_LEN - n` zeros, then ones.
static MASK: [u8; 2 * MAX_LEN] = {
    let mut mask = [0; 2 * MAX_LEN];
    mask.split_at_mut(MAX_LEN).1.copy_from_slice(&[0xff; MAX_LEN]);
    mask
};

/// `acc ^= factor * source` for each term: all of them for one part of `acc`, which is loaded and stored once, then the next.
///
/// # Safety
/// The processor must have the instructions of `V`.
#[inline(always)]
pub(super) unsafe fn sum<V: Vector, T: Term>(acc: &mut [u8], terms: &[T]) {
    let mut at = 0;
    // SAFETY: the parts are within `acc`, and the caller answers for the instructions.
    unsafe {
        while acc.len() - at >= BLOCK * V::LEN {
            part::<V, T, BLOCK>(acc.as_mut_ptr().add(at), at, terms, None);
            at += BLOCK * V::LEN;
        }
        if at > 0 {
            match (acc.len() - at).div_ceil(V::LEN) {
                0 => (),
                1 => last_part::<V, T, 1>(acc, at, terms),
                2 => last_part::<V, T, 2>(acc, at, terms),
                3 => last_part::<V, T, 3>(acc, at, terms),
                _ => last_part::<V, T, BLOCK>(acc, at, terms),
            }
            return;
        }
        while acc.len() - at >= V::LEN {
            part::<V, T, 1>(acc.as_mut_ptr().add(at), at, terms, None);
            at += V::LEN;
        }
        if at == acc.len() {
            return;
        }
        if at > 0 {
            last_part::<V, T, 1>(acc, at, terms);
        } else {
            let mut whole = padded(acc);
            part::<V, T, 1>(whole.as_mut_ptr(), 0, terms, None);
            acc.copy_from_slice(&whole[..acc.len()]);
        }
    }
}

/// The sum for the last `N` vectors of `acc`, less the bytes of the first that are before `at`, for they are done. `acc` must have
/// so many bytes.
#[inline(always)]
unsafe fn last_part<V: Vector, T: Term, const N: usize>(acc: &mut [u8], at: usize, terms: &[T]) {
    let last = acc.len() - N * V::LEN;
    // SAFETY: the caller says that there are so many bytes, and answers for the instructions.
    unsafe { part::<V, T, N>(acc.as_mut_ptr().add(last), last, terms, Some(mask_from::<V>(at - last))) }
}

/// The sum for `N` vectors of `acc`, which is where the sources are from byte `at`; of their first vector what the mask says.
#[inline(always)]
unsafe fn part<V: Vector, T: Term, const N: usize>(acc: *mut u8, at: usize, terms: &[T], mask: Option<V>) {
    // SAFETY: the caller gives room for `N` vectors; a source is read where it was found to have as many bytes.
    unsafe {
        let mut sum = load::<V, N>(acc);
        for term in terms {
            let bytes = term.bytes();
            let mut source = if bytes.len() >= at + N * V::LEN {
                load::<V, N>(bytes.as_ptr().add(at))
            } else if bytes.len() > at {
                load::<V, N>(padded(&bytes[at..]).as_ptr())
            } else {
                continue;
            };
            if let Some(mask) = mask {
                source[0] = source[0].and(mask);
            }
            add::<V, N>(&mut sum, source, T::SCALED, term.factor());
        }
        store(acc, sum);
    }
}

/// `row ^= factor * source` for each factor, or `row = factor * source` if `FRESH`: all rows for one part of `source`, which is
/// loaded once, then the next.
///
/// # Safety
/// The processor must have the instructions of `V`, and each factor a row of `stride` bytes, no fewer than `source` has.
#[inline(always)]
pub(super) unsafe fn spread<V: Vector, const FRESH: bool>(
    rows: &mut [u8],
    stride: usize,
    factors: &[u8],
    source: &[u8],
) {
    let mut at = 0;
    // SAFETY: the parts are within `source` and within each row, and the caller answers for the instructions.
    unsafe {
        while source.len() - at >= BLOCK * V::LEN {
            let part = load::<V, BLOCK>(source.as_ptr().add(at));
            spread_part::<V, BLOCK, FRESH>(rows.as_mut_ptr().add(at), stride, factors, part);
            at += BLOCK * V::LEN;
        }
        if at > 0 {
            match (source.len() - at).div_ceil(V::LEN) {
                0 => (),
                1 => spread_last::<V, 1, FRESH>(rows.as_mut_ptr(), stride, factors, source, at),
                2 => spread_last::<V, 2, FRESH>(rows.as_mut_ptr(), stride, factors, source, at),
                3 => spread_last::<V, 3, FRESH>(rows.as_mut_ptr(), stride, factors, source, at),
                _ => spread_last::<V, BLOCK, FRESH>(rows.as_mut_ptr(), stride, factors, source, at),
            }
            return;
        }
        while source.len() - at >= V::LEN {
            let part = load::<V, 1>(source.as_ptr().add(at));
            spread_part::<V, 1, FRESH>(rows.as_mut_ptr().add(at), stride, factors, part);
            at += V::LEN;
        }
        if at == source.len() {
            return;
        }
        if at > 0 {
            spread_last::<V, 1, FRESH>(rows.as_mut_ptr(), stride, factors, source, at);
        } else {
            let part = V::load(padded(source).as_ptr());
            for (row, factor) in factors.iter().enumerate() {
                let row = &mut rows[row * stride..][..source.len()];
                let mut whole = padded(row);
                spread_part::<V, 1, FRESH>(whole.as_mut_ptr(), 0, &[*factor], [part]);
                row.copy_from_slice(&whole[..row.len()]);
            }
        }
    }
}

/// The last `N` vectors of the source, less the bytes of the first that are before `at`, for they are done. It must have so many.
#[inline(always)]
unsafe fn spread_last<V: Vector, const N: usize, const FRESH: bool>(
    rows: *mut u8,
    stride: usize,
    factors: &[u8],
    source: &[u8],
    at: usize,
) {
    let last = source.len() - N * V::LEN;
    // SAFETY: the caller says that there are so many bytes, in each row as well, and answers for the instructions.
    unsafe {
        let mut part = load::<V, N>(source.as_ptr().add(last));
        // What is written fresh is the same a second time; what is added is not.
        if !FRESH {
            part[0] = part[0].and(mask_from::<V>(at - last));
        }
        spread_part::<V, N, FRESH>(rows.add(last), stride, factors, part);
    }
}

/// Adds `N` vectors of the source to what is where each row has them, or puts them there if `FRESH`.
///
/// Of a row one vector after the other, so that the source as multiplication needs it stays in registers.
#[inline(always)]
unsafe fn spread_part<V: Vector, const N: usize, const FRESH: bool>(
    rows: *mut u8,
    stride: usize,
    factors: &[u8],
    source: [V; N],
) {
    // SAFETY: the caller says that each row has so many bytes there, and answers for the instructions.
    unsafe {
        // A closure would be a function without the instructions.
        let mut ready = [source[0].multiplicand(); N];
        for (ready, source) in ready.iter_mut().zip(source) {
            *ready = source.multiplicand();
        }
        for (row, factor) in factors.iter().enumerate() {
            if !FRESH && *factor == 0 {
                continue;
            }
            let row = rows.add(row * stride);
            // So are those of the first repair packet of a block, at half of the work.
            if *factor == 1 {
                for (at, source) in source.into_iter().enumerate() {
                    put::<V, FRESH>(row.add(at * V::LEN), source);
                }
                continue;
            }
            let factor = V::factor(*factor);
            for (at, ready) in ready.into_iter().enumerate() {
                put::<V, FRESH>(row.add(at * V::LEN), V::mul(ready, factor));
            }
        }
    }
}

/// Adds to what is there, or puts in its place if `FRESH`.
#[inline(always)]
unsafe fn put<V: Vector, const FRESH: bool>(place: *mut u8, product: V) {
    // SAFETY: the caller says that a vector is there, and answers for the instructions.
    unsafe {
        let sum = if FRESH { product } else { V::load(place).xor(product) };
        sum.store(place);
    }
}

/// `sum ^= factor * source`.
#[inline(always)]
unsafe fn add<V: Vector, const N: usize>(sum: &mut [V; N], source: [V; N], scaled: bool, factor: u8) {
    // SAFETY: the caller answers for the instructions.
    unsafe {
        if scaled && factor != 1 {
            let factor = V::factor(factor);
            for (sum, source) in sum.iter_mut().zip(source) {
                *sum = sum.xor(V::mul(source.multiplicand(), factor));
            }
        } else {
            for (sum, source) in sum.iter_mut().zip(source) {
                *sum = sum.xor(source);
            }
        }
    }
}

/// Zeros for the first `done` bytes of a vector, fewer than it has, ones for those after.
#[inline(always)]
unsafe fn mask_from<V: Vector>(done: usize) -> V {
    // SAFETY: that leaves a vector's bytes after it.
    unsafe { V::load(MASK.as_ptr().add(MAX_LEN - done)) }
}

/// The bytes, as far as a block goes, then zeros.
#[inline(never)]
fn padded(bytes: &[u8]) -> [u8; MAX_LEN * BLOCK] {
    let mut padded = [0; MAX_LEN * BLOCK];
    let len = bytes.len().min(padded.len());
    padded[..len].copy_from_slice(&bytes[..len]);
    padded
}

#[inline(always)]
unsafe fn load<V: Vector, const N: usize>(bytes: *const u8) -> [V; N] {
    // SAFETY: the caller says that there are so many bytes.
    unsafe {
        let mut vectors = [V::load(bytes); N];
        for (at, vector) in vectors.iter_mut().enumerate() {
            *vector = V::load(bytes.add(at * V::LEN));
        }
        vectors
    }
}

#[inline(always)]
unsafe fn store<V: Vector, const N: usize>(bytes: *mut u8, vectors: [V; N]) {
    for (at, vector) in vectors.into_iter().enumerate() {
        // SAFETY: the caller says that there is room for so many bytes.
        unsafe { vector.store(bytes.add(at * V::LEN)) };
    }
}
