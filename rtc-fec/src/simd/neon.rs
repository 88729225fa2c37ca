//! Multiplication by two look-ups in tables of 16 bytes, for 16 bytes at once.

use core::arch::aarch64::{uint8x16_t, vandq_u8, vdupq_n_u8, veorq_u8, vld1q_u8, vqtbl1q_u8, vshrq_n_u8, vst1q_u8};

use super::table::NIBBLES;
use super::{Term, kernel};

#[target_feature(enable = "neon")]
pub(super) fn sum<T: Term>(acc: &mut [u8], terms: &[T]) {
    // SAFETY: whoever calls this has the instructions.
    unsafe { kernel::sum::<Bytes, T>(acc, terms) }
}

/// # Safety
/// As [`kernel::spread`].
#[target_feature(enable = "neon")]
pub(super) unsafe fn spread<const FRESH: bool>(rows: &mut [u8], stride: usize, factors: &[u8], source: &[u8]) {
    // SAFETY: whoever calls this has the instructions, and the rows.
    unsafe { kernel::spread::<Bytes, FRESH>(rows, stride, factors, source) }
}

#[derive(Clone, Copy)]
struct Bytes(uint8x16_t);

// SAFETY of all: the trait's functions are called where the instructions are, with as many bytes as they ask for.
impl kernel::Vector for Bytes {
    const LEN: usize = 16;
    type Factor = (uint8x16_t, uint8x16_t);
    /// The low four bits of each byte, and the high ones.
    type Multiplicand = (uint8x16_t, uint8x16_t);

    #[inline(always)]
    unsafe fn load(bytes: *const u8) -> Self {
        // SAFETY: see above.
        Self(unsafe { vld1q_u8(bytes) })
    }

    #[inline(always)]
    unsafe fn store(self, bytes: *mut u8) {
        // SAFETY: see above.
        unsafe { vst1q_u8(bytes, self.0) }
    }

    #[inline(always)]
    unsafe fn xor(self, other: Self) -> Self {
        // SAFETY: see above.
        Self(unsafe { veorq_u8(self.0, other.0) })
    }

    #[inline(always)]
    unsafe fn and(self, other: Self) -> Self {
        // SAFETY: see above.
        Self(unsafe { vandq_u8(self.0, other.0) })
    }

    #[inline(always)]
    unsafe fn factor(factor: u8) -> Self::Factor {
        let table = NIBBLES[usize::from(factor)].as_ptr();
        // SAFETY: see above; a table has 32 bytes.
        unsafe { (vld1q_u8(table), vld1q_u8(table.add(16))) }
    }

    #[inline(always)]
    unsafe fn multiplicand(self) -> Self::Multiplicand {
        // SAFETY: see above.
        unsafe { (vandq_u8(self.0, vdupq_n_u8(15)), vshrq_n_u8::<4>(self.0)) }
    }

    #[inline(always)]
    unsafe fn mul(bytes: Self::Multiplicand, factor: Self::Factor) -> Self {
        // SAFETY: see above.
        Self(unsafe { veorq_u8(vqtbl1q_u8(factor.0, bytes.0), vqtbl1q_u8(factor.1, bytes.1)) })
    }
}
