//! What a factor does, in the forms that instructions want it.

use crate::gf256::mul;

/// By factor: its products with 0 to 15, then with 0, 16 to 240. The product with a byte is the sum of one of each.
pub(super) static NIBBLES: [[u8; 32]; 256] = nibbles();

/// By factor: the matrix of bits that multiplies with it. Of the bytes of the word, the most significant gives the least
/// significant bit of the product, and each bit of a byte says whether it has that of the source in its sum.
#[cfg(target_arch = "x86_64")]
pub(super) static MATRICES: [u64; 256] = matrices();

const fn nibbles() -> [[u8; 32]; 256] {
    let mut table = [[0; 32]; 256];
    let mut factor = 0_u8;
    loop {
        let mut nibble = 0_u8;
        while nibble < 16 {
            table[factor as usize][nibble as usize] = mul(factor, nibble);
            table[factor as usize][nibble as usize + 16] = mul(factor, nibble << 4);
            nibble += 1;
        }
        if factor == u8::MAX {
            return table;
        }
        factor += 1;
    }
}

#[cfg(target_arch = "x86_64")]
const fn matrices() -> [u64; 256] {
    let mut table = [0; 256];
    let mut factor = 0_u8;
    loop {
        let (mut matrix, mut source) = (0_u64, 0);
        while source < 8 {
            let product = mul(factor, 1 << source);
            let mut bit = 0;
            while bit < 8 {
                if product & (1 << bit) != 0 {
                    matrix |= 1 << (8 * (7 - bit) + source);
                }
                bit += 1;
            }
            source += 1;
        }
        table[factor as usize] = matrix;
        if factor == u8::MAX {
            return table;
        }
        factor += 1;
    }
}
