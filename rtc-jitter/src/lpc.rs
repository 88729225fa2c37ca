//! Linear prediction, order 16: the spectrum of a piece of sound as a filter.

/// Order of the prediction: two poles for each formant below 8 kHz.
pub(crate) const ORDER: usize = 16;
/// Added to the energy, as by white noise 40 dB below, so that a pure tone gives a stable filter.
const WHITE: f32 = 1e-4;

/// An all-pole filter y(n) = x(n) − Σ a(k) y(n − k) with what went through it last.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Synthesis {
    pub(crate) a: [f32; ORDER],
    last: [f32; ORDER],
}

impl Synthesis {
    /// The filter of which `sound` could be the output, by the autocorrelation method (J. Makhoul, "Linear prediction: a tutorial
    /// review", Proc. IEEE 63:4, 1975).
    pub(crate) fn of(sound: &[f32]) -> Self {
        let mut lags = [0.0_f32; ORDER + 1];
        for (lag, sum) in lags.iter_mut().enumerate() {
            *sum = sound.iter().zip(sound.get(lag..).unwrap_or(&[])).map(|(x, y)| x * y).sum();
        }
        let mut filter = Self::default();
        if lags[0] <= f32::MIN_POSITIVE {
            return filter;
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
        filter
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
        for (slot, sample) in self.last.iter_mut().zip(sound.iter().rev()) {
            *slot = *sample;
        }
    }

    /// What must go in for the next of `sound`, whose samples before `at` went out.
    pub(crate) fn residual(&self, sound: &[f32], at: usize) -> f32 {
        let predicted: f32 = (0..ORDER.min(at)).map(|k| self.a[k] * sound[at - 1 - k]).sum();
        sound[at] + predicted
    }

    /// Lets `samples` through, in place.
    pub(crate) fn run(&mut self, samples: &mut [f32]) {
        // The newest last, as they lie in memory.
        let mut taps = self.a;
        taps.reverse();
        for n in 0..samples.len() {
            let output = match n.checked_sub(ORDER) {
                Some(first) => samples[n] - dot(&taps, &samples[first..n]),
                None => {
                    let before = (0..ORDER).map(|k| if k < n { samples[n - 1 - k] } else { self.last[k - n] });
                    samples[n] - self.a.iter().zip(before).map(|(a, y)| a * y).sum::<f32>()
                }
            };
            samples[n] = output;
        }
        let kept = samples.len().min(ORDER);
        self.last.copy_within(..ORDER - kept, kept);
        for (slot, sample) in self.last.iter_mut().zip(samples.iter().rev()).take(kept) {
            *slot = *sample;
        }
    }
}

/// Four sums side by side, for the compiler to make vectors of.
fn dot(taps: &[f32; ORDER], samples: &[f32]) -> f32 {
    let mut sums = [0.0_f32; 4];
    for (taps, samples) in taps.chunks_exact(4).zip(samples.chunks_exact(4)) {
        for ((sum, tap), sample) in sums.iter_mut().zip(taps).zip(samples) {
            *sum += tap * sample;
        }
    }
    sums.iter().sum()
}

/// White noise of mean square 1 (xorshift, G. Marsaglia 2003).
#[derive(Debug, Clone, Copy)]
pub(crate) struct White(u32);

impl White {
    pub(crate) const fn new(seed: u32) -> Self {
        Self(seed | 1)
    }

    pub(crate) fn next(&mut self) -> f32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 17;
        self.0 ^= self.0 << 5;
        // Uniform, of variance 1.
        (self.0 as f32 / 4_294_967_296.0 - 0.5) * 12.0_f32.sqrt()
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::*;

    #[test]
    fn the_filter_of_a_filtered_noise_is_found_again() {
        let mut white = White::new(7);
        let mut made = Synthesis::with_reflections([-0.8, 0.5].into_iter());
        let mut sound: Vec<f32> = (0..20_000).map(|_| white.next()).collect();
        // In pieces, as it is played.
        sound.chunks_mut(7).for_each(|piece| made.run(piece));
        let found = Synthesis::of(&sound);
        for (a, b) in found.a.iter().zip(&made.a) {
            assert!((a - b).abs() < 0.05, "{:?} {:?}", found.a, made.a);
        }
        let power = sound.iter().map(|x| x * x).sum::<f32>();
        let residual: f32 = (ORDER..sound.len()).map(|at| found.residual(&sound, at).powi(2)).sum();
        assert!((residual / 20_000.0 - 1.0).abs() < 0.1 && power > 2.0 * residual);
    }

    #[test]
    fn noise_has_a_mean_square_of_one() {
        let mut white = White::new(1);
        let power: f32 = (0..50_000).map(|_| white.next().powi(2)).sum::<f32>() / 50_000.0;
        assert!((power - 1.0).abs() < 0.02, "{power}");
    }
}
