#![forbid(unsafe_code)]
//! Compositions of the rtc crates that people copy.

pub mod chart;
pub mod report;
pub mod wav;

#[doc = include_str!("../../docs/composing.md")]
#[cfg(doctest)]
pub struct Composing;
