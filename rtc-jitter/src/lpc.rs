//! Linear prediction, order 16: the spectrum of a piece of sound as a filter.

use crate::lanes::{correlate, dot};

/// Order of the prediction: two poles for each formant below 8 kHz.
pub(crate) const ORDER: usize = 16;
/// Added to the energy, as by white noise 40 dB below, so that a pure tone gives a stable filter.
const WHITE: f32 = 1e-4;

/// Order of [`prediction_gain`]: two poles for each of five tones.
const TONES: usize = 10;
/// Added to the energy there: 60 dB below, for single precision.
const FAINT: f32 = 1e-6;

/// Samples filtered at a time.
const BLOCK: usize = 4;
/// Samples filtered in one go: a multiple of the block, small enough for the stack.
const PIECE: usize = 64;

/// An all-pole filter y(n) = x(n) − Σ a(k) y(n − 1 − k) with what went through it last.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Synthesis {
    pub(crate) a: [f32; ORDER],
    /// The newest last.
    last: [f32; ORDER],
}

/// Σ x(n) x(n + lag) by lag.
fn autocorrelation<const LAGS: usize>(sound: &[f32]) -> [f32; LAGS] {
    // Up to where all lags end within the sound, then what is left.
    let Some(common) = sound.len().checked_sub(LAGS) else {
        return core::array::from_fn(|lag| dot(sound, sound.get(lag..).unwrap_or(&[])));
    };
    let mut sums = [0.0; LAGS];
    correlate(&sound[..common], sound, &mut sums);
    core::array::from_fn(|lag| sums[lag] + dot(&sound[common..], &sound[common + lag..]))
}

/// The energy of `sound`, which has no ends to speak of, over that of what the ten samples before each do not predict of it. With the least
/// squares of Makhoul too; five tones are predicted wholly.
pub(crate) fn prediction_gain(sound: &[f32]) -> f32 {
    let lags: [f32; TONES + 1] = autocorrelation(sound);
    if lags[0] <= f32::MIN_POSITIVE {
        return 1.0;
    }
    let energy = lags[0] * (1.0 + FAINT);
    let (mut a, mut error) = ([0.0_f32; TONES], energy);
    for order in 0..TONES {
        let sum: f32 = (0..order).map(|k| a[k] * lags[order - k]).sum();
        let reflection = -(lags[order + 1] + sum) / error;
        let before = a;
        for k in 0..order {
            a[k] = before[k] + reflection * before[order - 1 - k];
        }
        a[order] = reflection;
        error *= 1.0 - reflection * reflection;
        if error <= f32::MIN_POSITIVE {
            return f32::MAX;
        }
    }
    energy / error
}

impl Synthesis {
    /// The filter of which `sound` could be the output, by the autocorrelation method (J. Makhoul, "Linear prediction: a tutorial
    /// review", Proc. IEEE 63:4, 1975), and the energy of the input it would need.
    pub(crate) fn of(sound: &[f32]) -> (Self, f32) {
        let lags: [f32; ORDER + 1] = autocorrelation(sound);
        let mut filter = Self::default();
        if lags[0] <= f32::MIN_POSITIVE {
            return (filter, 0.0);
        }
        let mut error = lags[0] * (1.0 + WHITE);
        for order in 0..ORDER {
            let sum: f32 = (0..order).map(|k| filter.a[k] * lags[order - k]).sum();
            let reflection = -(lags[order + 1] + sum) / error;
            filter.lengthen(order, reflection);
            error *= 1.0 - reflection * reflection;
            if error <= f32::MIN_POSITIVE {
                break;
            }
        }
        (filter, error.max(0.0))
    }

    /// The filter with these reflection coefficients; those after the sixteenth are left out.
    pub(crate) fn with_reflections(reflections: impl Iterator<Item = f32>) -> Self {
        let mut filter = Self::default();
        for (order, reflection) in reflections.take(ORDER).enumerate() {
            filter.lengthen(order, reflection);
        }
        filter
    }

    /// One step of the Levinson-Durbin recursion.
    fn lengthen(&mut self, order: usize, reflection: f32) {
        let before = self.a;
        for k in 0..order {
            self.a[k] = before[k] + reflection * before[order - 1 - k];
        }
        self.a[order] = reflection;
    }

    /// Goes on after `sound`.
    pub(crate) fn follow(&mut self, sound: &[f32]) {
        let kept = sound.len().min(ORDER);
        self.last.copy_within(kept.., 0);
        self.last[ORDER - kept..].copy_from_slice(&sound[sound.len() - kept..]);
    }

    /// What must go in for the last `out.len()` of `sound` to come out, if those before them did: there must be [`ORDER`] of them.
    pub(crate) fn residual(&self, sound: &[f32], out: &mut [f32]) {
        let from = sound.len().saturating_sub(out.len());
        for (index, out) in out.chunks_mut(2 * BLOCK).enumerate() {
            let first = from + index * 2 * BLOCK;
            let mut sums = [0.0_f32; 2 * BLOCK];
            sums[..out.len()].copy_from_slice(&sound[first..first + out.len()]);
            for (k, a) in self.a.iter().enumerate() {
                let Some(before) = first.checked_sub(k + 1).and_then(|at| sound.get(at..at + out.len())) else { break };
                for (sum, sample) in sums.iter_mut().zip(before) {
                    *sum += a * sample;
                }
            }
            out.copy_from_slice(&sums[..out.len()]);
        }
    }

    /// Lets `samples` through, in place.
    ///
    /// By blocks: first what earlier output contributes to all samples of the block, side by side, then what they owe to each
    /// other by the first samples of the impulse response h.
    ///
    /// ```text
    /// p(j) = x(n + j) − Σ a(i + j) y(n − 1 − i)      y(n + j) = Σ h(j − m) p(m), m up to j
    /// ```
    pub(crate) fn run(&mut self, samples: &mut [f32]) {
        let mut taps = [0.0; ORDER + BLOCK];
        taps[..ORDER].copy_from_slice(&self.a);
        let response = self.response();
        for piece in samples.chunks_mut(PIECE) {
            // What came out, the oldest first.
            let mut line = [0.0; ORDER + PIECE];
            line[..ORDER].copy_from_slice(&self.last);
            let (blocks, rest) = piece.as_chunks_mut::<BLOCK>();
            let mut at = 0;
            for block in blocks {
                let mut sums = *block;
                for (tap, output) in (0..ORDER).rev().zip(&line[at..at + ORDER]) {
                    for (sum, a) in sums.iter_mut().zip(&taps[tap..tap + BLOCK]) {
                        *sum -= a * output;
                    }
                }
                let mut made = [0.0; BLOCK];
                for (m, sum) in sums.iter().enumerate() {
                    for (made, h) in made[m..].iter_mut().zip(&response) {
                        *made += h * sum;
                    }
                }
                *block = made;
                line[at + ORDER..at + ORDER + BLOCK].copy_from_slice(&made);
                at += BLOCK;
            }
            for sample in rest {
                let before = line[at..at + ORDER].iter().rev();
                *sample -= self.a.iter().zip(before).map(|(a, output)| a * output).sum::<f32>();
                line[at + ORDER] = *sample;
                at += 1;
            }
            self.last.copy_from_slice(&line[at..at + ORDER]);
        }
    }

    /// The first samples that come out when 1 goes in, then nothing.
    fn response(&self) -> [f32; BLOCK] {
        let mut response = [0.0; BLOCK];
        response[0] = 1.0;
        for n in 1..BLOCK {
            response[n] = -(0..n).map(|k| self.a[k] * response[n - 1 - k]).sum::<f32>();
        }
        response
    }
}

/// White noise of mean square 1 (xorshift, G. Marsaglia 2003), four streams of it in turn.
#[derive(Debug, Clone, Copy)]
pub(crate) struct White([u32; BLOCK]);

impl White {
    pub(crate) const fn new(seed: u32) -> Self {
        // Any places of the one cycle there is that are far apart; never 0.
        Self([seed | 1, seed ^ 0x9e37_79b8 | 1, seed ^ 0x3c6e_f372 | 1, seed ^ 0xdaa6_6d2a | 1])
    }

    pub(crate) fn fill(&mut self, out: &mut [f32]) {
        // Uniform, of variance 1.
        const SCALE: f32 = 3.464_101_6 / 4_294_967_296.0;
        for out in out.chunks_mut(BLOCK) {
            for state in &mut self.0 {
                *state ^= *state << 13;
                *state ^= *state >> 17;
                *state ^= *state << 5;
            }
            for (sample, state) in out.iter_mut().zip(self.0) {
                *sample = state.cast_signed() as f32 * SCALE;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec;
    use alloc::vec::Vec;

    use super::*;
    use crate::lanes::squares;

    #[test]
    fn the_filter_of_a_filtered_noise_is_found_again() {
        let mut white = White::new(7);
        let mut made = Synthesis::with_reflections([-0.8, 0.5].into_iter());
        let mut sound = vec![0.0; 20_000];
        white.fill(&mut sound);
        // In pieces, as it is played.
        sound.chunks_mut(7).for_each(|piece| made.run(piece));
        let (found, energy) = Synthesis::of(&sound);
        for (a, b) in found.a.iter().zip(&made.a) {
            assert!((a - b).abs() < 0.05, "{:?} {:?}", found.a, made.a);
        }
        let power = squares(&sound);
        let mut input = vec![0.0; sound.len() - ORDER];
        found.residual(&sound, &mut input);
        let residual = squares(&input);
        assert!((residual / 20_000.0 - 1.0).abs() < 0.1 && power > 2.0 * residual);
        assert!((energy / residual - 1.0).abs() < 0.01, "{energy} {residual}");
    }

    #[test]
    fn blocks_give_what_the_recursion_gives() {
        let reflections = [-0.9, 0.7, -0.3, 0.5, 0.2, -0.6, 0.1, 0.4, -0.2, 0.3, 0.1, -0.1, 0.2, 0.05, -0.15, 0.25];
        let filter = Synthesis::with_reflections(reflections.into_iter());
        let mut input = vec![0.0; 1_000];
        White::new(3).fill(&mut input);
        let mut expected: Vec<f64> = Vec::new();
        for (n, x) in input.iter().enumerate() {
            let past = |k: usize| n.checked_sub(k + 1).map_or(0.0, |at| expected[at]);
            let y = f64::from(*x) - (0..ORDER).map(|k| f64::from(filter.a[k]) * past(k)).sum::<f64>();
            expected.push(y);
        }
        for len in [1_000, 480, 64, 13, 3, 1] {
            let (mut filter, mut sound) = (filter, input.clone());
            sound.chunks_mut(len).for_each(|piece| filter.run(piece));
            for (found, expected) in sound.iter().zip(&expected) {
                assert!((f64::from(*found) - expected).abs() < 1e-3 * (1.0 + expected.abs()), "{len}");
            }
            // And back.
            let mut back = vec![0.0; 900];
            filter.residual(&sound, &mut back);
            assert!(back.iter().zip(&input[100..]).all(|(a, b)| (a - b).abs() < 1e-3), "{len}");
        }
    }

    #[test]
    fn noise_has_a_mean_square_of_one_and_no_colour() {
        let mut noise = vec![0.0; 50_000];
        White::new(1).fill(&mut noise);
        assert!((squares(&noise) / 50_000.0 - 1.0).abs() < 0.02);
        for lag in 1..10 {
            assert!(dot(&noise, &noise[lag..]).abs() / 50_000.0 < 0.02, "{lag}");
        }
    }
}
