//! The reference: byte by byte.

use super::Term;
use super::table::NIBBLES;

pub(super) fn sum<T: Term>(acc: &mut [u8], terms: &[T]) {
    for term in terms {
        if T::SCALED {
            mul_add(acc, term.factor(), term.bytes());
        } else {
            acc.iter_mut().zip(term.bytes()).for_each(|(acc, source)| *acc ^= source);
        }
    }
}

pub(super) fn spread<const FRESH: bool>(rows: &mut [u8], stride: usize, factors: &[u8], source: &[u8]) {
    for (at, factor) in factors.iter().enumerate() {
        let row = &mut rows[at * stride..][..source.len()];
        if FRESH {
            row.fill(0);
        }
        mul_add(row, *factor, source);
    }
}

fn mul_add(acc: &mut [u8], factor: u8, source: &[u8]) {
    let (low, high) = NIBBLES[usize::from(factor)].split_at(16);
    for (acc, source) in acc.iter_mut().zip(source) {
        *acc ^= low[usize::from(source & 15)] ^ high[usize::from(source >> 4)];
    }
}
