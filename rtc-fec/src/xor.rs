//! The exclusive or, written so that the compiler turns it into vector instructions.

/// `acc ^= source`, as far as both reach.
pub(crate) fn xor_into(acc: &mut [u8], source: &[u8]) {
    for (acc, source) in acc.iter_mut().zip(source) {
        *acc ^= source;
    }
}

/// `acc ^= source` for each source, as if the shorter ones were followed by zeros and the longer ones cut.
///
/// Four at a time, as far as all four reach: the sum is loaded and stored once for four sources, in half the time.
pub(crate) fn xor_all(acc: &mut [u8], sources: &[&[u8]]) {
    let (quads, rest) = sources.as_chunks::<4>();
    for quad in quads {
        let common = quad.iter().map(|source| source.len()).fold(acc.len(), usize::min);
        let [a, b, c, d] = quad.map(|source| &source[..common]);
        let acc = acc.split_at_mut(common);
        for (at, acc) in acc.0.iter_mut().enumerate() {
            *acc ^= a[at] ^ b[at] ^ c[at] ^ d[at];
        }
        for source in quad {
            xor_into(acc.1, &source[common..]);
        }
    }
    for source in rest {
        xor_into(acc, source);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::collection::vec;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn folding_equals_byte_by_byte(acc in vec(any::<u8>(), 0..300), sources in vec(vec(any::<u8>(), 0..300), 0..8)) {
            let mut expected = acc.clone();
            for (at, byte) in expected.iter_mut().enumerate() {
                *byte = sources.iter().filter_map(|source| source.get(at)).fold(*byte, |sum, byte| sum ^ byte);
            }
            let (mut one_by_one, mut folded) = (acc.clone(), acc);
            sources.iter().for_each(|source| xor_into(&mut one_by_one, source));
            xor_all(&mut folded, &sources.iter().map(Vec::as_slice).collect::<Vec<_>>());
            prop_assert_eq!(&one_by_one, &expected);
            prop_assert_eq!(folded, expected);
        }
    }
}
