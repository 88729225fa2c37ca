//! What tests, benches and examples of real-time media share: virtual time, seeded chance, an emulated network.
//!
//! Same seed, same run, on every machine. This module is outside semver.

pub mod clock;
pub mod laws;
pub mod metrics;
pub mod naive;
pub mod netem;
pub mod rng;
pub mod signal;
#[cfg(feature = "proptest")]
pub mod strategies;
pub mod tcp;
pub mod trace;
