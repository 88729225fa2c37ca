use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::gf256::mul;

/// What all backends are to do, byte by byte.
fn naive(acc: &mut [u8], terms: &[(u8, &[u8])]) {
    for (at, acc) in acc.iter_mut().enumerate() {
        *acc =
            terms.iter().fold(*acc, |sum, (factor, source)| sum ^ mul(*factor, source.get(at).copied().unwrap_or(0)));
    }
}

fn terms() -> impl Strategy<Value = Vec<(u8, Vec<u8>)>> {
    vec((prop_oneof![Just(0), Just(1), any::<u8>()], vec(any::<u8>(), 0..900)), 0..12)
}

#[test]
fn every_factor_times_every_byte() {
    let bytes: Vec<u8> = (0..=255).collect();
    for backend in Backend::available() {
        for factor in 0..=255 {
            let mut acc = [0; 256];
            sum(backend, &mut acc, &[(factor, &bytes[..])]);
            assert!(bytes.iter().zip(acc).all(|(byte, product)| product == mul(factor, *byte)), "{backend:?} {factor}");
        }
    }
}

proptest! {
    /// Lengths and places in memory as they come: a part of `acc` from `start`, of each source from its first factor on.
    #[test]
    fn every_backend_sums_like_the_field(
        acc in vec(any::<u8>(), 0..900), start in 0usize..70, terms in terms(), skips in vec(0usize..70, 12),
    ) {
        let start = start.min(acc.len());
        let skipped = |(skip, (factor, source)): (&usize, &'_ (u8, Vec<u8>))| (*factor, source[(*skip).min(source.len())..].to_vec());
        let terms: Vec<_> = skips.iter().zip(&terms).map(skipped).collect();
        let terms: Vec<(u8, &[u8])> = terms.iter().map(|(factor, source)| (*factor, &source[..])).collect();
        let plain: Vec<&[u8]> = terms.iter().map(|(_, source)| *source).collect();
        let ones: Vec<(u8, &[u8])> = plain.iter().map(|source| (1, *source)).collect();
        let (mut scaled, mut added) = (acc.clone(), acc.clone());
        naive(&mut scaled[start..], &terms);
        naive(&mut added[start..], &ones);
        for backend in Backend::available() {
            let (mut sums, mut xors) = (acc.clone(), acc.clone());
            sum(backend, &mut sums[start..], &terms);
            sum(backend, &mut xors[start..], &plain);
            prop_assert_eq!(&sums, &scaled, "{:?}", backend);
            prop_assert_eq!(&xors, &added, "{:?}", backend);
        }
    }

    #[test]
    fn every_backend_spreads_like_the_field(
        source in vec(any::<u8>(), 0..700), spare in 0usize..70, start in 0usize..70, fill in any::<u8>(),
        factors in vec(prop_oneof![Just(0), Just(1), any::<u8>()], 0..10),
    ) {
        let stride = source.len() + spare;
        let rows: Vec<u8> = (0..start + stride * factors.len()).map(|at| fill.wrapping_add(at.to_le_bytes()[0])).collect();
        let mut expected = rows.clone();
        for (row, factor) in factors.iter().enumerate() {
            naive(&mut expected[start + row * stride..][..source.len()], &[(*factor, &source)]);
        }
        let mut fresh = rows.clone();
        for (row, factor) in factors.iter().enumerate() {
            let row = &mut fresh[start + row * stride..][..source.len()];
            row.fill(0);
            naive(row, &[(*factor, &source)]);
        }
        for backend in Backend::available() {
            let (mut added, mut written) = (rows.clone(), rows.clone());
            spread_with::<false>(backend, &mut added[start..], stride, &factors, &source);
            spread_with::<true>(backend, &mut written[start..], stride, &factors, &source);
            prop_assert_eq!(&added, &expected, "{:?}", backend);
            prop_assert_eq!(&written, &fresh, "{:?}", backend);
        }
    }
}

/// Nobody else chooses, and to the others it makes no difference.
#[cfg(feature = "backends")]
#[test]
fn a_backend_is_used_from_when_it_is_chosen_until_the_next() {
    use super::choice::{available, choose};

    let fastest = Backend::best();
    for (name, backend) in available().zip(Backend::available()) {
        choose(Some(name)).unwrap();
        assert_eq!(Backend::best(), backend);
    }
    assert!(choose(Some("abacus")).is_err());
    choose(None).unwrap();
    assert_eq!(Backend::best(), fastest);
}
