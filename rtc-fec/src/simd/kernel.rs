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

    unsafe fn and(self, other: Self) -> Self;

    unsafe fn factor(factor: u8) -> Self::Factor;

    unsafe fn mul(self, factor: Self::Factor) -> Self;
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
        while acc.len() - at >= V::LEN {
            part::<V, T, 1>(acc.as_mut_ptr().add(at), at, terms, None);
            at += V::LEN;
        }
        if at == acc.len() {
            return;
        }
        if let Some(last) = acc.len().checked_sub(V::LEN) {
            part::<V, T, 1>(acc.as_mut_ptr().add(last), last, terms, Some(rest_mask::<V>(acc.len() - at)));
        } else {
            let mut whole = padded(acc);
            part::<V, T, 1>(whole.as_mut_ptr(), 0, terms, None);
            acc.copy_from_slice(&whole[..acc.len()]);
        }
    }
}

/// The sum for `N` vectors of `acc`, which is where the sources are from byte `at`; of the sources what the mask says.
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
                for source in &mut source {
                    *source = source.and(mask);
                }
            }
            add::<V, N>(&mut sum, source, T::SCALED, term.factor());
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
            let part = load::<V, BLOCK>(source.as_ptr().add(at));
            spread_part(rows.as_mut_ptr().add(at), stride, factors, part);
            at += BLOCK * V::LEN;
        }
        while source.len() - at >= V::LEN {
            let part = load::<V, 1>(source.as_ptr().add(at));
            spread_part(rows.as_mut_ptr().add(at), stride, factors, part);
            at += V::LEN;
        }
        if at == source.len() {
            return;
        }
        if let Some(last) = source.len().checked_sub(V::LEN) {
            let part = V::load(source.as_ptr().add(last)).and(rest_mask::<V>(source.len() - at));
            spread_part(rows.as_mut_ptr().add(last), stride, factors, [part]);
        } else {
            let part = V::load(padded(source).as_ptr());
            for (row, factor) in factors.iter().enumerate() {
                let row = &mut rows[row * stride..][..source.len()];
                let mut whole = padded(row);
                spread_part(whole.as_mut_ptr(), 0, &[*factor], [part]);
                row.copy_from_slice(&whole[..row.len()]);
            }
        }
    }
}

/// Adds `N` vectors of the source to what is where each row has them.
#[inline(always)]
unsafe fn spread_part<V: Vector, const N: usize>(rows: *mut u8, stride: usize, factors: &[u8], source: [V; N]) {
    for (row, factor) in factors.iter().enumerate().filter(|(_, factor)| **factor != 0) {
        // SAFETY: the caller says that each row has so many bytes there.
        unsafe {
            let row = rows.add(row * stride);
            let mut sum = load::<V, N>(row);
            add::<V, N>(&mut sum, source, true, *factor);
            store(row, sum);
        }
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
                *sum = sum.xor(source.mul(factor));
            }
        } else {
            for (sum, source) in sum.iter_mut().zip(source) {
                *sum = sum.xor(source);
            }
        }
    }
}

/// Ones for the last `len` bytes of a vector, zeros for those before.
#[inline(always)]
unsafe fn rest_mask<V: Vector>(len: usize) -> V {
    // SAFETY: `len` is at most a vector's, which leaves that many bytes after it.
    unsafe { V::load(MASK.as_ptr().add(MAX_LEN - (V::LEN - len))) }
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
