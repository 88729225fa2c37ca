//! Properties of the vocabulary over arbitrary input.

#![expect(clippy::unwrap_used, reason = "a test ends at the first surprise")]

mod audio;
mod extension;
mod payload;
mod rtp;
mod seq;
mod video;
