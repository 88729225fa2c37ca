//! Seeded chance: the same numbers on every machine, forever.
//!
//! The generator is xoshiro256++ (Blackman and Vigna, "Scrambled linear pseudorandom number generators", 2021), its state filled
//! by SplitMix64 (Steele, Lea and Flood, "Fast splittable pseudorandom number generators", 2014). Distributions use nothing but
//! the IEEE 754 operations that are exact to the last bit everywhere (`+ - * /` and square root): no `ln`, `exp` or `sin` of the
//! platform's mathematics library, which may differ in the last bit and so decide the fate of a packet.

mod math;

pub(crate) use math::{cos_turns, exp, sin_turns};

/// A small deterministic generator. Not for secrets.
///
/// ```
/// use rtc_core::testkit::rng::Rng;
///
/// let mut rng = Rng::new(1);
/// let heads = (0..1_000).filter(|_| rng.bool(0.5)).count();
/// assert!((450..550).contains(&heads));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rng {
    state: [u64; 4],
}

impl Rng {
    /// The generator of this seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        let mut seeder = seed;
        Self { state: core::array::from_fn(|_| split_mix(&mut seeder)) }
    }

    /// The generator numbered `stream` of this seed, unrelated to the others: one per stage of a model, so that a change in one
    /// stage leaves the chance of the others alone.
    #[must_use]
    pub fn stream(seed: u64, stream: u64) -> Self {
        Self::new(hash(seed, stream))
    }

    /// 64 random bits.
    pub fn next_u64(&mut self) -> u64 {
        let [a, b, c, d] = self.state;
        let result = a.wrapping_add(d).rotate_left(23).wrapping_add(a);
        let (c, d) = (c ^ a, d ^ b);
        self.state = [a ^ d, b ^ c, c ^ (b << 17), d.rotate_left(45)];
        result
    }

    /// 32 random bits.
    pub fn next_u32(&mut self) -> u32 {
        // The upper half: the better bits of this family.
        (self.next_u64() >> 32) as u32
    }

    /// Uniform over the 2^53 multiples of 2^-53 in [0, 1).
    pub fn uniform(&mut self) -> f64 {
        (self.next_u64() >> 11) as f64 * (1.0 / (1_u64 << 53) as f64)
    }

    /// True with probability `p`; never for zero or less, always for one or more.
    pub fn bool(&mut self, p: f64) -> bool {
        self.uniform() < p
    }

    /// Uniform over the integers below `bound`; zero if `bound` is zero.
    pub fn below(&mut self, bound: u64) -> u64 {
        // Multiply-shift; the bias is bound / 2^64, unseen in any test that ends.
        ((u128::from(self.next_u64()) * u128::from(bound)) >> 64) as u64
    }

    /// Normal with mean 0 and standard deviation 1, by the polar method (Marsaglia and Bray, 1964).
    pub fn normal(&mut self) -> f64 {
        loop {
            let x = 2.0 * self.uniform() - 1.0;
            let y = 2.0 * self.uniform() - 1.0;
            let square = x * x + y * y;
            if square > 0.0 && square < 1.0 {
                return x * (-2.0 * math::ln(square) / square).sqrt();
            }
        }
    }

    /// Exponential with mean 1; at most 37.
    pub fn exponential(&mut self) -> f64 {
        -math::ln(1.0 - self.uniform())
    }

    /// Fills `bytes`.
    pub fn fill(&mut self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(8) {
            let random = self.next_u64().to_le_bytes();
            chunk.copy_from_slice(&random[..chunk.len()]);
        }
    }
}

/// 64 bits that look random and depend on nothing but `seed` and `index`: chance with random access.
#[must_use]
pub fn hash(seed: u64, index: u64) -> u64 {
    let mut state = seed;
    state = split_mix(&mut state) ^ index;
    split_mix(&mut state)
}

fn split_mix(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Published test vector of SplitMix64, seed 1234567.
    #[test]
    fn split_mix_gives_the_published_numbers() {
        let mut state = 1_234_567;
        let numbers: [u64; 3] = core::array::from_fn(|_| split_mix(&mut state));
        assert_eq!(numbers, [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423]);
    }

    /// Output of the authors' reference program from state 1, 2, 3, 4.
    #[test]
    fn xoshiro_gives_the_published_numbers() {
        let mut rng = Rng { state: [1, 2, 3, 4] };
        let numbers: [u64; 5] = core::array::from_fn(|_| rng.next_u64());
        let published =
            [41_943_041, 58_720_359, 3_588_806_011_781_223, 3_591_011_842_654_386, 9_228_616_714_210_784_205];
        assert_eq!(numbers, published);
    }

    /// Frozen: a change here changes every seeded run of the workspace.
    #[test]
    fn distributions_are_the_same_bits_everywhere() {
        let mut rng = Rng::new(7);
        let bits = [rng.uniform(), rng.normal(), rng.exponential(), rng.normal()].map(f64::to_bits);
        assert_eq!(bits, [0x3fac_5834_0055_5d20, 0xbfea_1924_2932_c5db, 0x3fe1_d4e0_2f6b_93d8, 0x3fe1_3676_381f_c58b]);
    }

    #[test]
    fn streams_differ_from_each_other_and_from_the_seed() {
        let first = |mut rng: Rng| rng.next_u64();
        let numbers =
            [first(Rng::new(1)), first(Rng::stream(1, 0)), first(Rng::stream(1, 1)), first(Rng::stream(0, 1))];
        for (i, number) in numbers.iter().enumerate() {
            assert!(!numbers[..i].contains(number));
        }
    }

    /// Sample moments within 5 standard errors: with 200 000 draws a correct generator fails one seed in a million.
    #[test]
    fn moments_are_those_of_the_distributions() {
        const N: usize = 200_000;
        // (draw, mean, variance, fourth central moment)
        type Case = (fn(&mut Rng) -> f64, f64, f64, f64);
        let cases: [Case; 3] = [
            (Rng::uniform, 0.5, 1.0 / 12.0, 1.0 / 80.0),
            (Rng::normal, 0.0, 1.0, 3.0),
            (Rng::exponential, 1.0, 1.0, 9.0),
        ];
        for (draw, mean, variance, fourth) in cases {
            let mut rng = Rng::new(42);
            let draws: Vec<f64> = (0..N).map(|_| draw(&mut rng)).collect();
            let n = N as f64;
            let sample_mean = draws.iter().sum::<f64>() / n;
            let sample_variance = draws.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / n;
            assert!((sample_mean - mean).abs() < 5.0 * (variance / n).sqrt(), "mean {sample_mean}");
            let variance_error = ((fourth - variance * variance) / n).sqrt();
            assert!((sample_variance - variance).abs() < 5.0 * variance_error, "variance {sample_variance}");
        }
    }

    #[test]
    fn probability_zero_and_one_are_certain() {
        let mut rng = Rng::new(3);
        assert!((0..1_000).all(|_| !rng.bool(0.0) && rng.bool(1.0) && !rng.bool(f64::NAN)));
    }

    #[test]
    fn below_reaches_every_value_and_no_other() {
        let mut rng = Rng::new(3);
        let mut seen = [false; 7];
        for _ in 0..1_000 {
            seen[usize::try_from(rng.below(7)).unwrap()] = true;
        }
        assert_eq!(seen, [true; 7]);
        assert_eq!(rng.below(0), 0);
    }

    #[test]
    fn fill_fills_odd_lengths() {
        let mut bytes = [0; 21];
        Rng::new(5).fill(&mut bytes);
        assert!(bytes[16..].iter().any(|&byte| byte != 0));
        let mut prefix = [0; 8];
        Rng::new(5).fill(&mut prefix);
        assert_eq!(bytes[..8], prefix);
    }
}
