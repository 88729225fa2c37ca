//! Systematic block code over GF(256) (Cauchy Reed-Solomon): of a block of packets, up to 64, with up to 64 repair packets, any
//! as many as there were packets bring all of them back.
//!
//! [`CauchyEncoder`] is for what comes in blocks, such as the pictures of a video. No code of that rate brings more of a block
//! back; but a sliding window ([`rlc`](crate::rlc)) also helps across the ends of blocks. The wire format and
//! [the decoder](crate::rlc::RlcDecoder) are those of [`rlc`](crate::rlc); a stream may have repair packets of both.

mod block;
mod encoder;
mod matrix;

pub use block::Block;
pub use encoder::{CauchyEncoder, CauchyEncoderConfig, CauchyEncoderStats};
pub(crate) use matrix::coefficient;

/// Most packets of a block, from the first sequence number to the last, and most repair packets for it.
pub const MAX_BLOCK: usize = crate::linear::MAX_SOURCES;
