//! What the linear codes of [`rlc`](crate::rlc) and [`cauchy`](crate::cauchy) have in common: all but their coefficients.

mod header;
mod rows;
mod short;
mod solver;
mod symbol;
mod window;

pub(crate) use header::{Code, Covered, Header, MAX_SOURCES, MAX_SPAN};
pub(crate) use rows::Rows;
pub(crate) use short::{Common, RTP_LEN, Short};
pub(crate) use solver::{MAX_UNKNOWN, Solved, Solver};
pub(crate) use symbol::{LENGTH_LEN, length_product, packet_of};
pub(crate) use window::{Place, Window};
