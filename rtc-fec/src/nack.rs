//! Negative acknowledgement (RFC 4585 §6.2.1): asking for what did not come.
//!
//! [`NackGenerator`] says which packets to ask for and when, [`pack`] puts them into the fields of a feedback message.

mod generator;
mod pair;

pub use generator::{Arrival, NackConfig, NackGenerator, NackStats, Requests};
pub use pair::{NackPair, pack};
