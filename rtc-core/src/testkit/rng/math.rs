//! Logarithm, exponential and sine from exact operations only, so that they give the same bits on every machine.

use core::f64::consts::{LN_2, SQRT_2};

/// Natural logarithm of a normal positive number, to within a few units in the last place.
pub(crate) fn ln(x: f64) -> f64 {
    let bits = x.to_bits();
    let mut exponent = i32::from((bits >> 52) as u16) - 1023;
    let mut mantissa = f64::from_bits((bits & ((1 << 52) - 1)) | (1023 << 52));
    if mantissa > SQRT_2 {
        mantissa /= 2.0;
        exponent += 1;
    }
    // ln m = 2 artanh((m - 1) / (m + 1)); the argument is below 0.172, so s^23 is below the last place.
    let s = (mantissa - 1.0) / (mantissa + 1.0);
    let square = s * s;
    let series = (0..11).rev().fold(0.0, |sum, k| sum * square + 1.0 / f64::from(2 * k + 1));
    f64::from(exponent) * LN_2 + 2.0 * s * series
}

/// e^x for |x| up to 700, to within a few units in the last place; beyond that the value at the limit.
pub(crate) fn exp(x: f64) -> f64 {
    let x = x.clamp(-700.0, 700.0);
    // x = k ln 2 + r with |r| <= ln 2 / 2, where r^15 / 15! is below the last place.
    let k = (x / LN_2).round();
    let r = x - k * LN_2;
    let series = (1..=15).rev().fold(1.0, |sum, n| 1.0 + sum * r / f64::from(n));
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "within 12..=2034 by the clamp above")]
    let exponent = (1023.0 + k) as u64;
    series * f64::from_bits(exponent << 52)
}

/// Sine of `turns` full turns, to within 1e-15.
pub(crate) fn sin_turns(turns: f64) -> f64 {
    let turns = turns - turns.round();
    // Into the quarter turns next to zero, where x^22 / 22! is below the last place.
    let quarter = if turns.abs() > 0.25 { 0.5_f64.copysign(turns) - turns } else { turns };
    let x = core::f64::consts::TAU * quarter;
    x * (1..=11).rev().fold(1.0, |sum, n| 1.0 - sum * x * x / f64::from(2 * n * (2 * n + 1)))
}

/// Cosine of `turns` full turns.
pub(crate) fn cos_turns(turns: f64) -> f64 {
    sin_turns(turns + 0.25)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agrees_with_the_platform() {
        for k in 1..20_000 {
            let x = f64::from(k) * 0.013;
            assert!((ln(x) - x.ln()).abs() <= 4e-16 * x.ln().abs().max(1.0), "ln {x}");
            let y = f64::from(k - 10_000) * 0.007;
            assert!((exp(y) / y.exp() - 1.0).abs() < 4e-14, "exp {y}");
        }
        for k in -5_000..5_000 {
            let turns = f64::from(k) * 0.000_7;
            let angle = core::f64::consts::TAU * turns;
            assert!((sin_turns(turns) - angle.sin()).abs() < 1e-14, "sin {turns}");
            assert!((cos_turns(turns) - angle.cos()).abs() < 1e-14, "cos {turns}");
        }
        assert_eq!(ln(1.0), 0.0);
        assert_eq!(exp(0.0), 1.0);
    }
}
