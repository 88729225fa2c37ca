// Allowed in `simd` alone.
#![deny(unsafe_code)]
#![doc = include_str!("../README.md")]

mod continuity;
mod gf256;
mod linear;
mod parity;
mod simd;

pub mod cauchy;
pub mod controller;
pub mod flexfec;
pub mod keyframe;
pub mod loss;
pub mod nack;
pub mod red;
pub mod repair;
pub mod rlc;
pub mod rtx;
pub mod ulpfec;

/// Which instructions the sums of packets are done with (feature `backends`): to measure each, or to rule some out.
///
/// Unless told, the fastest that the processor has are used, found out once at run time.
#[cfg(feature = "backends")]
pub mod backends {
    pub use crate::simd::choice::{available, choose};
}

/// Bytes a pool of new packets starts with: some 20 of the largest. It is used again once they are gone.
const POOL_LEN: usize = 1 << 15;
