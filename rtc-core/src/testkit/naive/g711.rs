//! ITU-T G.711: 8-bit companding of 16-bit samples, whose top 14 (μ-law) or 13 (A-law) bits count.

/// μ-law character signal of a sample (G.711 Table 2a/2b).
pub(super) const fn encode_mu(sample: i16) -> u8 {
    // 14-bit magnitude, raised by 33 so that each segment begins at a power of two; 8159 is the virtual decision value.
    let magnitude = magnitude(sample) >> 2;
    let raised = (if magnitude > 8158 { 8158 } else { magnitude }) + 33;
    let segment = raised.ilog2() - 5;
    let step = (raised >> (segment + 1)) & 0x0f;
    !(sign(sample) | octet(segment, step))
}

/// The sample a μ-law character signal stands for (G.711 Table 2a/2b, column 8, times four).
pub(super) const fn decode_mu(code: u8) -> i16 {
    let code = !code;
    let (segment, step) = ((code >> 4) & 7, (code & 0x0f) as i16);
    let magnitude = (((2 * step + 33) << segment) - 33) * 4;
    if code & 0x80 == 0 { magnitude } else { -magnitude }
}

/// A-law character signal of a sample, even bits inverted (G.711 Table 1a/1b, note 2).
pub(super) const fn encode_a(sample: i16) -> u8 {
    let magnitude = magnitude(sample) >> 4;
    // The two lowest segments have the same step, so the number is the code.
    let segment = if magnitude < 32 { 0 } else { magnitude.ilog2() - 4 };
    let step = magnitude >> segment;
    let code = if segment == 0 { octet(0, step) } else { octet(segment + 1, step & 0x0f) };
    (code | (sign(sample) ^ 0x80)) ^ 0x55
}

/// The sample an A-law character signal stands for (G.711 Table 1a/1b, column 8, times eight).
pub(super) const fn decode_a(code: u8) -> i16 {
    let code = code ^ 0x55;
    let (segment, step) = ((code >> 4) & 7, (code & 0x0f) as i16);
    let magnitude = match segment {
        0 => (2 * step + 1) * 8,
        _ => ((2 * step + 33) << (segment - 1)) * 8,
    };
    if code & 0x80 == 0 { -magnitude } else { magnitude }
}

/// Distance from zero, where -1 is as far as 0, so that both halves have 32768 values.
const fn magnitude(sample: i16) -> u16 {
    (sample ^ (sample >> 15)).cast_unsigned()
}

/// 0x80 for negative samples.
const fn sign(sample: i16) -> u8 {
    if sample < 0 { 0x80 } else { 0 }
}

#[expect(clippy::cast_possible_truncation, reason = "three bits of segment, five of step at most")]
const fn octet(segment: u32, step: u16) -> u8 {
    (segment << 4) as u8 | step as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Decision value x(n) and decoder output y(n) at the beginning of each segment (Table 2a: 14-bit units).
    const MU_SEGMENTS: [(i16, u8, i16); 8] = [
        (31, 0xef, 33),
        (95, 0xdf, 99),
        (223, 0xcf, 231),
        (479, 0xbf, 495),
        (991, 0xaf, 1023),
        (2015, 0x9f, 2079),
        (4063, 0x8f, 4191),
        (7903, 0x80, 8031),
    ];

    /// The same for A-law (Table 1a: 13-bit units), codes with even bits inverted.
    const A_SEGMENTS: [(i16, u8, i16); 8] = [
        (32, 0x90 ^ 0x55, 33),
        (64, 0xa0 ^ 0x55, 66),
        (128, 0xb0 ^ 0x55, 132),
        (256, 0xc0 ^ 0x55, 264),
        (512, 0xd0 ^ 0x55, 528),
        (1024, 0xe0 ^ 0x55, 1056),
        (2048, 0xf0 ^ 0x55, 2112),
        (3968, 0xff ^ 0x55, 4032),
    ];

    #[test]
    fn g711_table_2a_mu_law_segments() {
        for (decision, code, output) in MU_SEGMENTS {
            assert_eq!(encode_mu(decision * 4), code, "at {decision}");
            assert_ne!(encode_mu(decision * 4 - 1), code, "below {decision}");
            assert_eq!(decode_mu(code), output * 4);
        }
        assert_eq!([decode_mu(0xff), decode_mu(0xfe), decode_mu(0x7f), decode_mu(0x00)], [0, 8, 0, -32124]);
        assert_eq!([encode_mu(i16::MAX), encode_mu(i16::MIN), encode_mu(0)], [0x80, 0x00, 0xff]);
    }

    #[test]
    fn g711_table_1a_a_law_segments() {
        for (decision, code, output) in A_SEGMENTS {
            assert_eq!(encode_a(decision * 8), code, "at {decision}");
            assert_ne!(encode_a(decision * 8 - 1), code, "below {decision}");
            assert_eq!(decode_a(code), output * 8);
        }
        assert_eq!([decode_a(0xd5), decode_a(0x55), decode_a(0xaa), decode_a(0x2a)], [8, -8, 32256, -32256]);
        assert_eq!([encode_a(i16::MAX), encode_a(i16::MIN), encode_a(0)], [0xaa, 0x2a, 0xd5]);
    }

    #[test]
    fn every_code_survives_the_round_trip() {
        for code in 0..=u8::MAX {
            assert_eq!(encode_a(decode_a(code)), code);
            // Minus zero is the one code no sample has.
            assert_eq!(encode_mu(decode_mu(code)), if code == 0x7f { 0xff } else { code });
        }
    }

    #[test]
    fn both_laws_are_monotone_and_stay_within_half_a_step() {
        let (mut mu_before, mut a_before) = (i16::MIN, i16::MIN);
        for sample in i16::MIN..=i16::MAX {
            let (mu, a) = (decode_mu(encode_mu(sample)), decode_a(encode_a(sample)));
            assert!(mu >= mu_before && a >= a_before, "at {sample}");
            (mu_before, a_before) = (mu, a);
            // Half a step is a 32nd of the segment's beginning (33 and 32 units), and the last segment clips.
            let room = 8 + sample.unsigned_abs() / 31;
            assert!(mu.abs_diff(sample) <= room.max(if mu.unsigned_abs() == 32124 { 644 } else { 0 }), "mu {sample}");
            assert!(a.abs_diff(sample) <= room.max(16), "A {sample}");
        }
    }
}
