//! Whole calls over emulated networks, in virtual time.

#![expect(clippy::unwrap_used, reason = "a test ends at the first surprise")]

mod behaviour;
mod joints;
mod quality;
mod recorded;
mod seams;
mod sim;
mod table;
