//! Systematic block code over GF(256) (Cauchy Reed-Solomon).

mod matrix;

pub(crate) use matrix::fill as coefficients;
