//! Properties that hold for any input, and recordings of real input.

#![expect(clippy::unwrap_used, reason = "a test ends at the first surprise")]

mod congestion;
mod fanout;
mod feedback;
mod pacer;
mod path;
mod payload;
mod receiver;
#[cfg(feature = "capture")]
mod recordings;
mod session;
#[cfg(any(feature = "srtp-aws-lc", feature = "srtp-ring", feature = "srtp-rustcrypto"))]
mod srtp;
mod wire;
