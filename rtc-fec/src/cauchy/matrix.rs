use super::MAX_BLOCK;
use crate::gf256::{inverse, mul};

/// The coefficients, by column and row.
///
/// A Cauchy matrix, 1 / (x + y) with an x for each row and a y for each column, has no square part without an inverse. Each
/// column is scaled for the first row to be ones, which changes nothing about that: the first repair packet is the plain sum.
static MATRIX: [[u8; MAX_BLOCK]; MAX_BLOCK] = matrix();

/// The x of the first row; those of the columns are below.
const FIRST: u8 = 64;

/// The coefficient of the packet at this place in its block, in this repair packet.
pub(crate) fn coefficient(row: u8, place: u16) -> u8 {
    MATRIX[usize::from(place)][usize::from(row)]
}

/// Its coefficients in all repair packets.
pub(super) fn column(place: u16) -> &'static [u8; MAX_BLOCK] {
    &MATRIX[usize::from(place)]
}

const fn matrix() -> [[u8; MAX_BLOCK]; MAX_BLOCK] {
    let mut matrix = [[0; MAX_BLOCK]; MAX_BLOCK];
    let mut place = 0;
    while place < FIRST {
        let mut row = 0;
        while row < FIRST {
            matrix[place as usize][row as usize] = mul(FIRST ^ place, inverse((FIRST + row) ^ place));
            row += 1;
        }
        place += 1;
    }
    matrix
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use proptest::sample::subsequence;

    use super::*;

    #[test]
    fn the_first_repair_packet_is_the_plain_sum_and_all_cover_all() {
        for place in 0..64 {
            assert_eq!(coefficient(0, place), 1);
            assert!((0..64).all(|row| coefficient(row, place) != 0));
        }
    }

    proptest! {
        /// By elimination, whatever rows and columns are left.
        #[test]
        fn every_square_part_has_an_inverse(
            (rows, places) in (1usize..=64).prop_flat_map(|size| (
                subsequence((0..64).collect::<Vec<u8>>(), size), subsequence((0..64).collect::<Vec<u16>>(), size)
            )),
        ) {
            let mut part: Vec<Vec<u8>> =
                rows.iter().map(|row| places.iter().map(|place| coefficient(*row, *place)).collect()).collect();
            for at in 0..part.len() {
                let pivot = (at..part.len()).find(|row| part[*row][at] != 0);
                prop_assert!(pivot.is_some(), "singular");
                part.swap(at, pivot.unwrap());
                let (done, rest) = part.split_at_mut(at + 1);
                for row in rest {
                    let factor = mul(row[at], inverse(done[at][at]));
                    row.iter_mut().zip(&done[at]).for_each(|(sum, other)| *sum ^= mul(factor, *other));
                }
            }
        }
    }
}
