//! Multiplication by two look-ups in tables of 16 bytes, for 16 bytes at once (shown by J. Plank and others, *Screaming fast Galois
//! field arithmetic using Intel SIMD instructions*, FAST 2013).

use core::arch::x86_64::{
    __m128i, _mm_and_si128, _mm_loadu_si128, _mm_set1_epi8, _mm_shuffle_epi8, _mm_srli_epi64, _mm_storeu_si128,
    _mm_xor_si128,
};

use super::table::NIBBLES;
use super::{Term, kernel};

#[target_feature(enable = "ssse3")]
pub(super) fn sum<T: Term>(acc: &mut [u8], terms: &[T]) {
    // SAFETY: whoever calls this has the instructions.
    unsafe { kernel::sum::<Bytes, T>(acc, terms) }
}

/// # Safety
/// As [`kernel::spread`].
#[target_feature(enable = "ssse3")]
pub(super) unsafe fn spread<const FRESH: bool>(rows: &mut [u8], stride: usize, factors: &[u8], source: &[u8]) {
    // SAFETY: whoever calls this has the instructions, and the rows.
    unsafe { kernel::spread::<Bytes, FRESH>(rows, stride, factors, source) }
}

#[derive(Clone, Copy)]
struct Bytes(__m128i);

// SAFETY of all: the trait's functions are called where the instructions are, with as many bytes as they ask for.
impl kernel::Vector for Bytes {
    const LEN: usize = 16;
    type Factor = (__m128i, __m128i);
    /// The low four bits of each byte, and the high ones.
    type Multiplicand = (__m128i, __m128i);

    #[inline(always)]
    unsafe fn load(bytes: *const u8) -> Self {
        // SAFETY: see above.
        Self(unsafe { _mm_loadu_si128(bytes.cast()) })
    }

    #[inline(always)]
    unsafe fn store(self, bytes: *mut u8) {
        // SAFETY: see above.
        unsafe { _mm_storeu_si128(bytes.cast(), self.0) }
    }

    #[inline(always)]
    unsafe fn xor(self, other: Self) -> Self {
        // SAFETY: see above.
        Self(unsafe { _mm_xor_si128(self.0, other.0) })
    }

    #[inline(always)]
    unsafe fn and(self, other: Self) -> Self {
        // SAFETY: see above.
        Self(unsafe { _mm_and_si128(self.0, other.0) })
    }

    #[inline(always)]
    unsafe fn factor(factor: u8) -> Self::Factor {
        let table = NIBBLES[usize::from(factor)].as_ptr();
        // SAFETY: see above; a table has 32 bytes.
        unsafe { (_mm_loadu_si128(table.cast()), _mm_loadu_si128(table.add(16).cast())) }
    }

    #[inline(always)]
    unsafe fn multiplicand(self) -> Self::Multiplicand {
        // SAFETY: see above.
        unsafe {
            let nibble = _mm_set1_epi8(15);
            (_mm_and_si128(self.0, nibble), _mm_and_si128(_mm_srli_epi64::<4>(self.0), nibble))
        }
    }

    #[inline(always)]
    unsafe fn mul(bytes: Self::Multiplicand, factor: Self::Factor) -> Self {
        // SAFETY: see above.
        Self(unsafe { _mm_xor_si128(_mm_shuffle_epi8(factor.0, bytes.0), _mm_shuffle_epi8(factor.1, bytes.1)) })
    }
}
