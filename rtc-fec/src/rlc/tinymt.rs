/// The pseudo-random generator TinyMT32 (RFC 8682): 127 bits of state.
#[derive(Debug, Clone)]
pub(super) struct TinyMt32([u32; 4]);

// The parameter set of RFC 8682 §2.1.
const MAT1: u32 = 0x8f70_11ee;
const MAT2: u32 = 0xfc78_ff1f;
const TMAT: u32 = 0x3793_fdff;

impl TinyMt32 {
    pub(super) fn new(seed: u32) -> Self {
        let mut state = [seed, MAT1, MAT2, TMAT];
        for (round, at) in (1..8_u32).zip([1, 2, 3, 0].into_iter().cycle()) {
            let before = state[(at + 3) % 4];
            let mixed = (before ^ (before >> 30)).wrapping_mul(1_812_433_253);
            state[at] ^= round.wrapping_add(mixed);
        }
        let mut generator = Self(state);
        (0..8).for_each(|_| generator.step());
        generator
    }

    pub(super) fn next_u32(&mut self) -> u32 {
        self.step();
        let [first, _, third, fourth] = self.0;
        let sum = first.wrapping_add(third >> 8);
        fourth ^ sum ^ if sum & 1 == 0 { 0 } else { TMAT }
    }

    fn step(&mut self) {
        let [a, b, c, d] = self.0;
        let x = (a & 0x7fff_ffff) ^ b ^ c;
        let x = x ^ (x << 1);
        let y = d ^ (d >> 1) ^ x;
        let twist = if y & 1 == 0 { [0; 2] } else { [MAT1, MAT2] };
        self.0 = [b, c ^ twist[0], x ^ (y << 10) ^ twist[1], y];
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All 50 values that the RFC gives for the seed 1.
    #[test]
    fn rfc8682_s2_1_the_first_50_values_for_seed_1() {
        let mut generator = TinyMt32::new(1);
        let values: Vec<u32> = (0..50).map(|_| generator.next_u32()).collect();
        #[rustfmt::skip]
        let expected = [
            2_545_341_989, 981_918_433, 3_715_302_833, 2_387_538_352, 3_591_001_365,
            3_820_442_102, 2_114_400_566, 2_196_103_051, 2_783_359_912, 764_534_509,
            643_179_475, 1_822_416_315, 881_558_334, 4_207_026_366, 3_690_273_640,
            3_240_535_687, 2_921_447_122, 3_984_931_427, 4_092_394_160, 44_209_675,
            2_188_315_343, 2_908_663_843, 1_834_519_336, 3_774_670_961, 3_019_990_707,
            4_065_554_902, 1_239_765_502, 4_035_716_197, 3_412_127_188, 552_822_483,
            161_364_450, 353_727_785, 140_085_994, 149_132_008, 2_547_770_827,
            4_064_042_525, 4_078_297_538, 2_057_335_507, 622_384_752, 2_041_665_899,
            2_193_913_817, 1_080_849_512, 33_160_901, 662_956_935, 642_999_063,
            3_384_709_977, 1_723_175_122, 3_866_752_252, 521_822_317, 2_292_524_454,
        ];
        assert_eq!(values, expected);
    }
}
