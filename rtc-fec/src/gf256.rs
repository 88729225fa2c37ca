//! The field of 256 elements, GF(2)[x] / (x^8 + x^4 + x^3 + x^2 + 1), as RFC 8681 §3.7.1 and RFC 5510 §8.1 have it. Addition is
//! the exclusive or.

/// The polynomial without x^8. The element x, 2, generates all but zero.
const POLYNOMIAL: u8 = 0x1d;

static TABLES: Tables = Tables::new();

struct Tables {
    /// Powers of 2, twice over so that the sum of two logarithms needs no remainder.
    exp: [u8; 510],
    /// Logarithms to base 2; that of zero means nothing.
    log: [u8; 256],
}

impl Tables {
    const fn new() -> Self {
        let mut tables = Self { exp: [0; 510], log: [0; 256] };
        let (mut element, mut power) = (1, 0_u8);
        while power < 255 {
            let at = power as usize;
            (tables.exp[at], tables.exp[at + 255]) = (element, element);
            tables.log[element as usize] = power;
            (element, power) = (double(element), power + 1);
        }
        tables
    }
}

/// The product.
pub(crate) const fn mul(a: u8, b: u8) -> u8 {
    if a == 0 || b == 0 {
        return 0;
    }
    TABLES.exp[TABLES.log[a as usize] as usize + TABLES.log[b as usize] as usize]
}

/// What gives 1 when multiplied with `a`, which must not be zero.
pub(crate) const fn inverse(a: u8) -> u8 {
    debug_assert!(a != 0);
    TABLES.exp[255 - TABLES.log[a as usize] as usize]
}

/// The product, bit by bit.
#[cfg(test)]
const fn slow_mul(mut a: u8, mut b: u8) -> u8 {
    let mut product = 0;
    while b != 0 {
        if b & 1 != 0 {
            product ^= a;
        }
        (a, b) = (double(a), b >> 1);
    }
    product
}

const fn double(element: u8) -> u8 {
    (element << 1) ^ if element & 0x80 == 0 { 0 } else { POLYNOMIAL }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc8681_s3_7_1_the_field_is_that_of_x8_x4_x3_x2_1() {
        // x^8 is the rest of the polynomial.
        assert_eq!(mul(0x80, 2), 0b1_1101);
        for a in 0..=255 {
            for b in 0..=255 {
                assert_eq!(mul(a, b), slow_mul(a, b), "{a} x {b}");
            }
        }
    }

    #[test]
    fn it_is_a_field() {
        for a in 1..=255 {
            assert_eq!((mul(a, inverse(a)), mul(a, 1), mul(a, 0)), (1, a, 0));
            for (b, c) in [(3, 7), (0x80, 0xff), (a, 91)] {
                assert_eq!(mul(a, b ^ c), mul(a, b) ^ mul(a, c));
                assert_eq!(mul(mul(a, b), c), mul(a, mul(b, c)));
            }
        }
    }
}
