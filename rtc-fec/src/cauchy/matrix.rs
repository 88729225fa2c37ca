use crate::gf256::{inverse, mul};

/// The x of the first row; the y of the columns are below.
const FIRST: u8 = 64;

/// The coefficients of this row, one for each packet it covers in their order.
///
/// A Cauchy matrix, 1 / (x + y) with an x for each row and a y for each column, has no square part without an inverse. Each
/// column is scaled for the first row to be ones, which changes nothing about that: the first repair packet is the plain sum.
pub(crate) fn fill(row: u8, coefficients: &mut [u8]) {
    for (y, coefficient) in (0..).zip(coefficients) {
        *coefficient = coefficient_of(row, y);
    }
}

/// One coefficient; `row` and `column` must be below 64.
pub(crate) fn coefficient_of(row: u8, column: u8) -> u8 {
    mul(FIRST ^ column, inverse((FIRST + row) ^ column))
}
