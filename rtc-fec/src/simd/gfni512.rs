//! As `gfni`, for 64 bytes at once.

use core::arch::x86_64::{
    __m512i, _mm512_and_si512, _mm512_gf2p8affine_epi64_epi8, _mm512_loadu_si512, _mm512_set1_epi64,
    _mm512_storeu_si512, _mm512_xor_si512,
};

use super::table::MATRICES;
use super::{Term, kernel};

#[target_feature(enable = "avx512f,gfni")]
pub(super) fn sum<T: Term>(acc: &mut [u8], terms: &[T]) {
    // SAFETY: whoever calls this has the instructions.
    unsafe { kernel::sum::<Bytes, T>(acc, terms) }
}

/// # Safety
/// As [`kernel::spread`].
#[target_feature(enable = "avx512f,gfni")]
pub(super) unsafe fn spread<const FRESH: bool>(rows: &mut [u8], stride: usize, factors: &[u8], source: &[u8]) {
    // SAFETY: whoever calls this has the instructions, and the rows.
    unsafe { kernel::spread::<Bytes, FRESH>(rows, stride, factors, source) }
}

#[derive(Clone, Copy)]
struct Bytes(__m512i);

// SAFETY of all: the trait's functions are called where the instructions are, with as many bytes as they ask for.
impl kernel::Vector for Bytes {
    const LEN: usize = 64;
    type Factor = __m512i;
    type Multiplicand = Self;

    #[inline(always)]
    unsafe fn load(bytes: *const u8) -> Self {
        // SAFETY: see above.
        Self(unsafe { _mm512_loadu_si512(bytes.cast()) })
    }

    #[inline(always)]
    unsafe fn store(self, bytes: *mut u8) {
        // SAFETY: see above.
        unsafe { _mm512_storeu_si512(bytes.cast(), self.0) }
    }

    #[inline(always)]
    unsafe fn xor(self, other: Self) -> Self {
        // SAFETY: see above.
        Self(unsafe { _mm512_xor_si512(self.0, other.0) })
    }

    #[inline(always)]
    unsafe fn and(self, other: Self) -> Self {
        // SAFETY: see above.
        Self(unsafe { _mm512_and_si512(self.0, other.0) })
    }

    #[inline(always)]
    unsafe fn factor(factor: u8) -> Self::Factor {
        // SAFETY: see above.
        unsafe { _mm512_set1_epi64(MATRICES[usize::from(factor)].cast_signed()) }
    }

    #[inline(always)]
    unsafe fn multiplicand(self) -> Self::Multiplicand {
        self
    }

    #[inline(always)]
    unsafe fn mul(bytes: Self::Multiplicand, factor: Self::Factor) -> Self {
        // SAFETY: see above.
        Self(unsafe { _mm512_gf2p8affine_epi64_epi8::<0>(bytes.0, factor) })
    }
}
