//! Measures of what came out.
//!
//! Plain functions over slices. Levels are in decibels relative to a square wave of full scale (dBov of ITU-T G.100.1), so that
//! a full-scale sine is at -3.01; AES17 counts from that sine.

mod align;
mod concealment;
mod quality;
mod statistics;

pub use align::{Alignment, align};
pub use concealment::Concealment;
pub use quality::{dbfs, envelope, erle, segmental_snr, snr};
pub use statistics::{jain_fairness, mean, median, percentile};
