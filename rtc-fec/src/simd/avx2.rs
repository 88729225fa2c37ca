//! As `ssse3`, for 32 bytes at once.

use core::arch::x86_64::{
    __m256i, _mm_loadu_si128, _mm256_and_si256, _mm256_broadcastsi128_si256, _mm256_loadu_si256, _mm256_set1_epi8,
    _mm256_shuffle_epi8, _mm256_srli_epi64, _mm256_storeu_si256, _mm256_xor_si256,
};

use super::table::NIBBLES;
use super::{Term, kernel};

#[target_feature(enable = "avx2")]
pub(super) fn sum<T: Term>(acc: &mut [u8], terms: &[T]) {
    // SAFETY: whoever calls this has the instructions.
    unsafe { kernel::sum::<Bytes, T>(acc, terms) }
}

/// # Safety
/// As [`kernel::spread`].
#[target_feature(enable = "avx2")]
pub(super) unsafe fn spread<const FRESH: bool>(rows: &mut [u8], stride: usize, factors: &[u8], source: &[u8]) {
    // SAFETY: whoever calls this has the instructions, and the rows.
    unsafe { kernel::spread::<Bytes, FRESH>(rows, stride, factors, source) }
}

#[derive(Clone, Copy)]
struct Bytes(__m256i);

// SAFETY of all: the trait's functions are called where the instructions are, with as many bytes as they ask for.
impl kernel::Vector for Bytes {
    const LEN: usize = 32;
    type Factor = (__m256i, __m256i);
    /// The low four bits of each byte, and the high ones.
    type Multiplicand = (__m256i, __m256i);

    #[inline(always)]
    unsafe fn load(bytes: *const u8) -> Self {
        // SAFETY: see above.
        Self(unsafe { _mm256_loadu_si256(bytes.cast()) })
    }

    #[inline(always)]
    unsafe fn store(self, bytes: *mut u8) {
        // SAFETY: see above.
        unsafe { _mm256_storeu_si256(bytes.cast(), self.0) }
    }

    #[inline(always)]
    unsafe fn xor(self, other: Self) -> Self {
        // SAFETY: see above.
        Self(unsafe { _mm256_xor_si256(self.0, other.0) })
    }

    #[inline(always)]
    unsafe fn and(self, other: Self) -> Self {
        // SAFETY: see above.
        Self(unsafe { _mm256_and_si256(self.0, other.0) })
    }

    #[inline(always)]
    unsafe fn factor(factor: u8) -> Self::Factor {
        let table = NIBBLES[usize::from(factor)].as_ptr();
        // SAFETY: see above; a table has 32 bytes.
        unsafe {
            let (low, high) = (_mm_loadu_si128(table.cast()), _mm_loadu_si128(table.add(16).cast()));
            (_mm256_broadcastsi128_si256(low), _mm256_broadcastsi128_si256(high))
        }
    }

    #[inline(always)]
    unsafe fn multiplicand(self) -> Self::Multiplicand {
        // SAFETY: see above.
        unsafe {
            let nibble = _mm256_set1_epi8(15);
            (_mm256_and_si256(self.0, nibble), _mm256_and_si256(_mm256_srli_epi64::<4>(self.0), nibble))
        }
    }

    #[inline(always)]
    unsafe fn mul(bytes: Self::Multiplicand, factor: Self::Factor) -> Self {
        // SAFETY: see above.
        Self(unsafe {
            _mm256_xor_si256(_mm256_shuffle_epi8(factor.0, bytes.0), _mm256_shuffle_epi8(factor.1, bytes.1))
        })
    }
}
