/// Arithmetic mean; not a number for none.
#[must_use]
pub fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// The 50th [`percentile`].
#[must_use]
pub fn median(values: &mut [f64]) -> f64 {
    percentile(values, 50.0)
}

/// The value that `percent` of the values do not exceed; not a number for none. Sorts the values.
///
/// Between two values it is interpolated linearly, the least being the 0th percentile and the greatest the 100th (Hyndman and
/// Fan, "Sample quantiles in statistical packages", 1996, definition 7).
#[must_use]
pub fn percentile(values: &mut [f64], percent: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    let Some(last) = values.len().checked_sub(1) else {
        return f64::NAN;
    };
    let place = percent.clamp(0.0, 100.0) / 100.0 * last as f64;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between zero and the length")]
    let below = place as usize;
    let above = (below + 1).min(last);
    values[below] + (values[above] - values[below]) * place.fract()
}

/// How evenly shares are spread: 1 if all are equal, 1/n if one of n has it all (Jain, Chiu and Hawe, 1984, equation 1).
///
/// 1 for none, and for shares of nothing.
#[must_use]
pub fn jain_fairness(shares: &[f64]) -> f64 {
    let sum: f64 = shares.iter().sum();
    let squares: f64 = shares.iter().map(|share| share * share).sum();
    if squares == 0.0 { 1.0 } else { sum * sum / (shares.len() as f64 * squares) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_interpolate_between_ranks() {
        let mut values = [40.0, 10.0, 30.0, 20.0];
        assert_eq!([0.0, 25.0, 50.0, 100.0].map(|p| percentile(&mut values, p)), [10.0, 17.5, 25.0, 40.0]);
        assert_eq!(percentile(&mut [7.0], 99.0), 7.0);
        assert_eq!(percentile(&mut [1.0, 2.0], 150.0), 2.0);
        assert_eq!(median(&mut [3.0, 1.0, 2.0]), 2.0);
        assert!(percentile(&mut [], 50.0).is_nan());
    }

    #[test]
    fn fairness_is_one_for_equals_and_least_for_a_monopoly() {
        assert_eq!(jain_fairness(&[5.0; 8]), 1.0);
        assert_eq!(jain_fairness(&[9.0, 0.0, 0.0, 0.0]), 0.25);
        assert_eq!(jain_fairness(&[3.0, 1.0]), 0.8);
        assert_eq!(jain_fairness(&[0.0; 3]), 1.0);
    }

    #[test]
    fn mean_of_none_is_no_number() {
        assert_eq!(mean(&[1.0, 2.0, 6.0]), 3.0);
        assert!(mean(&[]).is_nan());
    }
}
