//! What the linear codes of [`rlc`](crate::rlc) and [`cauchy`](crate::cauchy) have in common: all but their coefficients.

mod cadence;
mod coverage;
mod covered;
mod header;
mod regular;
mod rows;
mod short;
mod solver;
mod symbol;
mod window;

pub(crate) use cadence::{Cadence, REACH};
pub(crate) use coverage::Coverage;
pub(crate) use covered::{Covered, MAX_SOURCES, MAX_SPAN};
pub(crate) use header::{Code, Header};
pub(crate) use regular::{RTP_LEN, Regular};
pub(crate) use rows::Rows;
pub(crate) use short::Short;
pub(crate) use solver::{MAX_UNKNOWN, Solved, Solver};
pub(crate) use symbol::{LENGTH_LEN, length_product, packet_of};
pub(crate) use window::{Place, Window};
