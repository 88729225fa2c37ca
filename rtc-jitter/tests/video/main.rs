//! The video buffer: laws, clauses of the payload formats, properties, scenes over a network.

#![expect(clippy::unwrap_used, reason = "a test ends at the first surprise")]

mod av1;
mod laws;
mod payloads;
mod prop;
mod recorded;
mod rfc6184;
mod rfc7741;
mod rfc9628;
mod scenes;
mod streams;
mod targets;
