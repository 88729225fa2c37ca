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

    /// There must be as many bytes.
    unsafe fn load(bytes: *const u8) -> Self;

    /// There must be room for as many bytes.
    unsafe fn store(self, bytes: *mut u8);

    unsafe fn xor(self, other: Self) -> Self;

    unsafe fn factor(factor: u8) -> Self::Factor;

    unsafe fn mul(self, factor: Self::Factor) -> Self;
}

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
            part::<V, T, BLOCK>(acc.as_mut_ptr().add(at), at, terms);
            at += BLOCK * V::LEN;
        }
        while acc.len() - at >= V::LEN {
            part::<V, T, 1>(acc.as_mut_ptr().add(at), at, terms);
            at += V::LEN;
        }
        if at < acc.len() {
            let mut rest = [0; MAX_LEN];
            let len = acc.len() - at;
            rest[..len].copy_from_slice(&acc[at..]);
            part::<V, T, 1>(rest.as_mut_ptr(), at, terms);
            acc[at..].copy_from_slice(&rest[..len]);
        }
    }
}

/// The sum for `N` vectors of `acc`, which is where the sources are from byte `at`.
#[inline(always)]
unsafe fn part<V: Vector, T: Term, const N: usize>(acc: *mut u8, at: usize, terms: &[T]) {
    // SAFETY: the caller gives room for `N` vectors; a source is read where it was found to have as many bytes.
    unsafe {
        let mut sum = load::<V, N>(acc);
        for term in terms {
            let bytes = term.bytes();
            let mut rest = [0; MAX_LEN * BLOCK];
            let source = if bytes.len() >= at + N * V::LEN {
                bytes.as_ptr().add(at)
            } else if bytes.len() > at {
                rest[..bytes.len() - at].copy_from_slice(&bytes[at..]);
                rest.as_ptr()
            } else {
                continue;
            };
            let source = load::<V, N>(source);
            if T::SCALED && term.factor() != 1 {
                let factor = V::factor(term.factor());
                for (sum, source) in sum.iter_mut().zip(source) {
                    *sum = sum.xor(source.mul(factor));
                }
            } else {
                for (sum, source) in sum.iter_mut().zip(source) {
                    *sum = sum.xor(source);
                }
            }
        }
        store(acc, sum);
    }
}

/// `row ^= factor * source` for each factor: all rows for one part of `source`, which is loaded once, then the next.
///
/// # Safety
/// The processor must have the instructions of `V`, and each factor a row of `stride` bytes, no fewer than `source` has.
#[inline(always)]
pub(super) unsafe fn spread<V: Vector>(rows: &mut [u8], stride: usize, factors: &[u8], source: &[u8]) {
    let mut at = 0;
    // SAFETY: the parts are within `source` and within each row, and the caller answers for the instructions.
    unsafe {
        while source.len() - at >= BLOCK * V::LEN {
            spread_part::<V, BLOCK>(rows, stride, factors, at, source.as_ptr().add(at));
            at += BLOCK * V::LEN;
        }
        while source.len() - at >= V::LEN {
            spread_part::<V, 1>(rows, stride, factors, at, source.as_ptr().add(at));
            at += V::LEN;
        }
        if at < source.len() {
            let mut rest = [0; MAX_LEN];
            let len = source.len() - at;
            rest[..len].copy_from_slice(&source[at..]);
            for (row, factor) in factors.iter().enumerate() {
                let row = &mut rows[row * stride + at..][..len];
                let mut acc = [0; MAX_LEN];
                acc[..len].copy_from_slice(row);
                spread_part::<V, 1>(&mut acc, 0, &[*factor], 0, rest.as_ptr());
                row.copy_from_slice(&acc[..len]);
            }
        }
    }
}

/// Adds `N` vectors of the source to each row at byte `at`.
#[inline(always)]
unsafe fn spread_part<V: Vector, const N: usize>(
    rows: &mut [u8],
    stride: usize,
    factors: &[u8],
    at: usize,
    source: *const u8,
) {
    // SAFETY: the caller says that there are so many bytes in the source and in each row.
    unsafe {
        let source = load::<V, N>(source);
        for (row, factor) in factors.iter().enumerate() {
            if *factor == 0 {
                continue;
            }
            let row = rows.as_mut_ptr().add(row * stride + at);
            let mut sum = load::<V, N>(row);
            if *factor == 1 {
                for (sum, source) in sum.iter_mut().zip(source) {
                    *sum = sum.xor(source);
                }
            } else {
                let factor = V::factor(*factor);
                for (sum, source) in sum.iter_mut().zip(source) {
                    *sum = sum.xor(source.mul(factor));
                }
            }
            store(row, sum);
        }
    }
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
