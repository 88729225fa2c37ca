//! Properties that hold for any input.

#![expect(clippy::unwrap_used, reason = "a test ends at the first surprise")]

mod feedback;
mod pacer;
mod receiver;
mod session;
mod wire;
