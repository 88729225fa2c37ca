//! The video buffer: laws, clauses of the payload formats, properties, scenes over a network.

#![expect(clippy::unwrap_used, reason = "a test ends at the first surprise")]

mod laws;
mod prop;
mod scenes;
mod streams;
