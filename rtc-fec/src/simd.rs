//! Sums of packets, plain and with factors of GF(256), with the widest instructions the processor has.
//!
//! One file per backend, each shown by a property test to do what [`scalar`] does. Which one is used is found out at run time,
//! once.
#![allow(unsafe_code, reason = "loads, stores and instructions that not every processor has")]

use std::sync::OnceLock;

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(feature = "backends")]
pub(crate) mod choice;
#[cfg(target_arch = "x86_64")]
mod gfni;
#[cfg(target_arch = "x86_64")]
mod gfni512;
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
mod kernel;
#[cfg(target_arch = "aarch64")]
mod neon;
mod scalar;
#[cfg(target_arch = "x86_64")]
mod ssse3;
mod table;
#[cfg(test)]
mod tests;

/// What to do the sums with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Backend {
    Scalar,
    #[cfg(target_arch = "x86_64")]
    Ssse3,
    #[cfg(target_arch = "x86_64")]
    Avx2,
    /// Multiplication in one instruction, on 32 bytes.
    #[cfg(target_arch = "x86_64")]
    Gfni,
    /// The same on 64 bytes.
    #[cfg(target_arch = "x86_64")]
    Gfni512,
    #[cfg(target_arch = "aarch64")]
    Neon,
}

/// A source: bytes, with or without a factor.
trait Term: Copy {
    /// Whether there is a factor.
    const SCALED: bool;

    fn factor(self) -> u8;

    fn bytes(&self) -> &[u8];
}

impl Term for &[u8] {
    const SCALED: bool = false;

    fn factor(self) -> u8 {
        1
    }

    fn bytes(&self) -> &[u8] {
        self
    }
}

impl Term for (u8, &[u8]) {
    const SCALED: bool = true;

    fn factor(self) -> u8 {
        self.0
    }

    fn bytes(&self) -> &[u8] {
        self.1
    }
}

/// `acc ^= source`, as far as both reach.
pub(crate) fn xor_into(acc: &mut [u8], source: &[u8]) {
    let common = acc.len().min(source.len());
    sum(Backend::best(), &mut acc[..common], &[source]);
}

/// `acc ^= source` for each source, as if the shorter ones were followed by zeros and the longer ones cut.
pub(crate) fn xor_all(acc: &mut [u8], sources: &[&[u8]]) {
    sum(Backend::best(), acc, sources);
}

/// `acc ^= factor * source` for each term, as if the shorter sources were followed by zeros and the longer ones cut.
pub(crate) fn dot(acc: &mut [u8], terms: &[(u8, &[u8])]) {
    sum(Backend::best(), acc, terms);
}

/// `row ^= factor * source` for as many rows as there are factors, each `stride` bytes after the one before. `source` must
/// not be longer than a row is.
pub(crate) fn spread(rows: &mut [u8], stride: usize, factors: &[u8], source: &[u8]) {
    spread_with::<false>(Backend::best(), rows, stride, factors, source);
}

/// As [`spread`], but what the rows held where the source has bytes is forgotten: `row = factor * source`.
pub(crate) fn spread_fresh(rows: &mut [u8], stride: usize, factors: &[u8], source: &[u8]) {
    spread_with::<true>(Backend::best(), rows, stride, factors, source);
}

fn sum<T: Term>(backend: Backend, acc: &mut [u8], terms: &[T]) {
    match backend {
        Backend::Scalar => scalar::sum(acc, terms),
        // SAFETY: a backend exists only where the processor has its instructions.
        #[cfg(target_arch = "x86_64")]
        Backend::Ssse3 => unsafe { ssse3::sum(acc, terms) },
        // SAFETY: as above.
        #[cfg(target_arch = "x86_64")]
        Backend::Avx2 => unsafe { avx2::sum(acc, terms) },
        // SAFETY: as above.
        #[cfg(target_arch = "x86_64")]
        Backend::Gfni => unsafe { gfni::sum(acc, terms) },
        // SAFETY: as above.
        #[cfg(target_arch = "x86_64")]
        Backend::Gfni512 => unsafe { gfni512::sum(acc, terms) },
        // SAFETY: as above.
        #[cfg(target_arch = "aarch64")]
        Backend::Neon => unsafe { neon::sum(acc, terms) },
    }
}

fn spread_with<const FRESH: bool>(backend: Backend, rows: &mut [u8], stride: usize, factors: &[u8], source: &[u8]) {
    assert!(source.len() <= stride && factors.len() * stride <= rows.len(), "a row each");
    match backend {
        Backend::Scalar => scalar::spread::<FRESH>(rows, stride, factors, source),
        // SAFETY: a backend exists only where the processor has its instructions; the rows are there.
        #[cfg(target_arch = "x86_64")]
        Backend::Ssse3 => unsafe { ssse3::spread::<FRESH>(rows, stride, factors, source) },
        // SAFETY: as above.
        #[cfg(target_arch = "x86_64")]
        Backend::Avx2 => unsafe { avx2::spread::<FRESH>(rows, stride, factors, source) },
        // SAFETY: as above.
        #[cfg(target_arch = "x86_64")]
        Backend::Gfni => unsafe { gfni::spread::<FRESH>(rows, stride, factors, source) },
        // SAFETY: as above.
        #[cfg(target_arch = "x86_64")]
        Backend::Gfni512 => unsafe { gfni512::spread::<FRESH>(rows, stride, factors, source) },
        // SAFETY: as above.
        #[cfg(target_arch = "aarch64")]
        Backend::Neon => unsafe { neon::spread::<FRESH>(rows, stride, factors, source) },
    }
}

impl Backend {
    /// All there are for this kind of processor, slowest first.
    #[cfg(target_arch = "x86_64")]
    const ALL: &[Self] = &[Self::Scalar, Self::Ssse3, Self::Avx2, Self::Gfni, Self::Gfni512];
    #[cfg(target_arch = "aarch64")]
    const ALL: &[Self] = &[Self::Scalar, Self::Neon];
    #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
    const ALL: &[Self] = &[Self::Scalar];

    /// The fastest of this processor, or the one that was chosen.
    fn best() -> Self {
        static BEST: OnceLock<Backend> = OnceLock::new();
        #[cfg(feature = "backends")]
        if let Some(chosen) = choice::chosen() {
            return chosen;
        }
        *BEST.get_or_init(|| Self::available().last().unwrap_or(Self::Scalar))
    }

    /// Those this processor can do, slowest first.
    fn available() -> impl Iterator<Item = Self> {
        Self::ALL.iter().copied().filter(|backend| backend.is_available())
    }

    /// Whether this processor has the instructions.
    fn is_available(self) -> bool {
        match self {
            Self::Scalar => true,
            #[cfg(target_arch = "x86_64")]
            Self::Ssse3 => is_x86_feature_detected!("ssse3"),
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => is_x86_feature_detected!("avx2"),
            #[cfg(target_arch = "x86_64")]
            Self::Gfni => Self::Avx2.is_available() && is_x86_feature_detected!("gfni"),
            #[cfg(target_arch = "x86_64")]
            Self::Gfni512 => Self::Gfni.is_available() && is_x86_feature_detected!("avx512f"),
            // Every 64-bit Arm processor has it.
            #[cfg(target_arch = "aarch64")]
            Self::Neon => true,
        }
    }
}
