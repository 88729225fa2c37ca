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

/// Bytes a pool of new packets starts with: some 20 of the largest. It is used again once they are gone.
const POOL_LEN: usize = 1 << 15;
