//! The exclusive or, written so that the compiler turns it into vector instructions.

/// Bytes handled as one: four 16-byte or two 32-byte registers.
const LANE: usize = 64;

/// `acc ^= source`, as far as both reach.
pub(crate) fn xor_into(acc: &mut [u8], source: &[u8]) {
    for (acc, source) in acc.iter_mut().zip(source) {
        *acc ^= source;
    }
}

/// `acc ^= source` for each source, as if the shorter ones were followed by zeros and the longer ones cut.
///
/// Reads and writes each byte of `acc` once, however many sources there are.
pub(crate) fn xor_all(acc: &mut [u8], sources: &[&[u8]]) {
    let mut start = 0;
    for acc in acc.chunks_mut(LANE) {
        let (mut sum, len) = ([0; LANE], acc.len());
        for source in sources {
            match source.get(start..).and_then(<[u8]>::first_chunk::<LANE>) {
                Some(lane) => sum.iter_mut().zip(lane).for_each(|(sum, byte)| *sum ^= byte),
                None => xor_into(&mut sum, source.get(start..).unwrap_or_default()),
            }
        }
        xor_into(acc, &sum[..len]);
        start += LANE;
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
