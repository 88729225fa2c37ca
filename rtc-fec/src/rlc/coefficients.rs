use super::tinymt::TinyMt32;

/// The density threshold at which no coefficient is zero.
pub(crate) const DENSE: u8 = 15;

/// The coefficients of a repair packet, one for each packet it covers in their order, from its key and density threshold
/// (RFC 8681 §3.6): each is one of the 255 that are not zero, with a probability of (`density` + 1) / 16, else zero.
pub(crate) fn fill(key: u16, density: u8, coefficients: &mut [u8]) {
    let mut random = TinyMt32::new(key.into());
    let mut below = |bits: u32| (random.next_u32() & (bits - 1)).to_le_bytes()[0];
    for coefficient in coefficients {
        *coefficient = 0;
        if density >= DENSE || below(16) <= density {
            while *coefficient == 0 {
                *coefficient = below(256);
            }
        }
    }
}
