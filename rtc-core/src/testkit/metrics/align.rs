use core::ops::RangeInclusive;

/// How one signal lies in another.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Alignment {
    /// Samples by which what was heard comes after what was sent; negative if before.
    pub delay: i64,
    /// Normalized correlation at that delay, -1 to 1: how alike they are.
    pub correlation: f64,
}

/// The delay, among `delays`, at which `heard` is most like `sent`: the peak of the normalized cross-correlation.
///
/// `None` if they never overlap or one is silent. Takes time in proportion to samples times delays: give it a second or two of
/// signal that is not periodic.
#[must_use]
pub fn align(sent: &[f32], heard: &[f32], delays: RangeInclusive<i64>) -> Option<Alignment> {
    let mut best: Option<Alignment> = None;
    for delay in delays {
        let skip = usize::try_from(delay.unsigned_abs()).unwrap_or(usize::MAX);
        let (from_sent, from_heard) = if delay < 0 { (skip, 0) } else { (0, skip) };
        let sent = sent.get(from_sent..).unwrap_or_default();
        let heard = heard.get(from_heard..).unwrap_or_default();
        let Some(correlation) = correlation(sent, heard) else { continue };
        if best.is_none_or(|best| correlation > best.correlation) {
            best = Some(Alignment { delay, correlation });
        }
    }
    best
}

/// Of the part where both are; `None` if either is silent in it.
fn correlation(sent: &[f32], heard: &[f32]) -> Option<f64> {
    let (mut product, mut sent_energy, mut heard_energy) = (0.0, 0.0, 0.0);
    for (sent, heard) in sent.iter().zip(heard) {
        let (sent, heard) = (f64::from(*sent), f64::from(*heard));
        product += sent * heard;
        sent_energy += sent * sent;
        heard_energy += heard * heard;
    }
    let scale = (sent_energy * heard_energy).sqrt();
    (scale > 0.0).then(|| product / scale)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testkit::signal::WhiteNoise;

    #[test]
    fn finds_delays_both_ways() {
        let noise: Vec<f32> = WhiteNoise::new(3, 0.2).take(2_000).collect();
        let quieter: Vec<f32> = noise.iter().map(|sample| 0.1 * sample).collect();
        let found = align(&noise, &quieter[70..], -200..=200).unwrap();
        assert_eq!(found.delay, -70);
        assert!((found.correlation - 1.0).abs() < 1e-6);
        assert_eq!(align(&noise[150..], &quieter, 0..=9_999).unwrap().delay, 150);
    }

    #[test]
    fn silence_lies_nowhere() {
        assert_eq!(align(&[0.0; 10], &[1.0; 10], 0..=5), None);
        assert_eq!(align(&[1.0; 10], &[1.0; 10], 50..=60), None);
    }
}
