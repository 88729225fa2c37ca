//! Playing at another rate than the decoder's: a little faster or slower where clocks differ, or for a device of another rate.
//!
//! Band-limited interpolation with a windowed sinc (J. O. Smith, "Digital Audio Resampling Home Page", CCRMA). With neither skew
//! nor another rate samples are copied as they are.

use alloc::vec::Vec;

use rtc_core::Frequency;
use rtc_core::audio::{AudioMut, AudioRef};

/// Places between two samples that are told apart: 1 kHz in 48 kHz comes out with noise 77 dB below it.
const PHASES: usize = 512;
/// Taps where the rate is not lowered.
const TAPS: usize = 16;
/// Most taps: for 48 to 8 kHz.
const MOST_TAPS: usize = 96;
/// Samples that a piece may need beyond its length: taps, and what skew takes.
pub(crate) const MARGIN: usize = MOST_TAPS + 4;
/// The band kept of a lower rate.
const BAND: f64 = 0.92;

#[derive(Debug)]
pub(crate) struct Resampler {
    input: Frequency,
    output: Frequency,
    /// By how much less media goes into a second than by its own clock.
    slow: f64,
    taps: usize,
    table: Vec<f32>,
    /// Place between two samples of the next one to be made.
    place: f64,
}

impl Resampler {
    pub(crate) fn new(input: Frequency) -> Self {
        let mut resampler =
            Self { input, output: input, slow: 0.0, taps: TAPS, table: Vec::with_capacity(PHASES * TAPS), place: 0.0 };
        resampler.build();
        resampler
    }

    /// The rate of what is made; allocates if it is another than before.
    pub(crate) fn set_output(&mut self, output: Frequency) {
        if self.output != output {
            self.output = output;
            self.build();
        }
    }

    /// The sender's clock takes so much longer for a second.
    pub(crate) fn set_skew(&mut self, skew: f64) {
        self.slow = skew;
    }

    /// Samples beyond the one that is made that it depends on.
    pub(crate) fn ahead(&self) -> usize {
        if self.copies() { 0 } else { self.taps / 2 }
    }

    /// Samples used up by making `len`.
    pub(crate) fn needed(&self, len: usize) -> usize {
        if self.copies() { len } else { whole(self.place + self.step() * len as f64) }
    }

    /// Fills `out` from `audio`, whose sample `at` is the next.
    pub(crate) fn run(&mut self, audio: AudioRef<'_>, at: usize, mut out: AudioMut<'_>) {
        let len = out.samples();
        if self.copies() {
            out.copy_from(audio.slice(at, len));
            return;
        }
        let (half, step) = (self.taps / 2, self.step());
        for (plane, samples) in out.planes_mut().zip(audio.planes()) {
            let mut place = self.place;
            for slot in plane {
                let before = whole(place);
                let phase = whole((place - before as f64) * PHASES as f64).min(PHASES - 1);
                let taps = &self.table[phase * self.taps..(phase + 1) * self.taps];
                // Taps reach from `half - 1` samples before to `half` after.
                let first = (at + before + 1).saturating_sub(half);
                *slot = samples.get(first..first + self.taps).map_or(0.0, |samples| dot(taps, samples));
                place += step;
            }
        }
        let end = self.place + step * len as f64;
        self.place = end - whole(end) as f64;
    }

    /// Whether samples are copied as they are.
    pub(crate) fn copies(&self) -> bool {
        self.input == self.output && self.slow == 0.0 && self.place == 0.0
    }

    /// Samples of the input for one of the output.
    fn step(&self) -> f64 {
        f64::from(self.input.as_hz()) / f64::from(self.output.as_hz().max(1)) / (1.0 + self.slow)
    }

    fn build(&mut self) {
        let lower = (f64::from(self.output.as_hz()) / f64::from(self.input.as_hz().max(1))).min(1.0);
        self.taps = (whole(TAPS as f64 / lower.max(0.01)) / 4 * 4).clamp(TAPS, MOST_TAPS);
        let band = if lower < 1.0 { lower * BAND } else { 1.0 };
        let half = self.taps / 2;
        self.table.clear();
        for phase in 0..PHASES {
            let from = self.table.len();
            // A place stands for those that round down to it.
            let place = phase as f64 / PHASES as f64;
            let tap = |tap: usize| {
                let time = tap as f64 - (half - 1) as f64 - place;
                let window = 0.5 + 0.5 * sin_pi(time / half as f64 + 0.5);
                #[expect(clippy::cast_possible_truncation, reason = "made in double precision, kept in single")]
                let value = (band * sinc(band * time) * window) as f32;
                value
            };
            self.table.extend((0..self.taps).map(tap));
            let sum: f32 = self.table[from..].iter().sum();
            self.table[from..].iter_mut().for_each(|tap| *tap /= sum);
        }
    }
}

/// Four sums side by side, for the compiler to make vectors of.
fn dot(taps: &[f32], samples: &[f32]) -> f32 {
    let mut sums = [0.0_f32; 4];
    for (taps, samples) in taps.chunks_exact(4).zip(samples.chunks_exact(4)) {
        for ((sum, tap), sample) in sums.iter_mut().zip(taps).zip(samples) {
            *sum += tap * sample;
        }
    }
    sums.iter().sum()
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a place in a buffer, never negative")]
fn whole(value: f64) -> usize {
    value as usize
}

fn sinc(x: f64) -> f64 {
    if x.abs() < 1e-9 { 1.0 } else { sin_pi(x) / (core::f64::consts::PI * x) }
}

/// sin(πx) by its series, so the same on every machine.
fn sin_pi(x: f64) -> f64 {
    let turns = (x / 2.0).round() * 2.0;
    let x = x - turns;
    let x = if x > 0.5 {
        1.0 - x
    } else if x < -0.5 {
        -1.0 - x
    } else {
        x
    };
    let angle = core::f64::consts::PI * x;
    let square = angle * angle;
    let mut term = angle;
    let mut sum = angle;
    for n in 1..9_u32 {
        term *= -square / f64::from(2 * n * (2 * n + 1));
        sum += term;
    }
    sum
}

#[cfg(test)]
mod tests {
    use rtc_core::testkit::signal::Sine;

    use super::*;

    const IN: Frequency = Frequency::KHZ_48;

    /// A tone through the resampler in pieces, and how far it is from the tone it should be, in dB.
    fn snr(hertz: f64, output: Frequency, skew: f64) -> f64 {
        let source: Vec<f32> = Sine::new(IN, hertz, 0.5).take(60_000).collect();
        let mut resampler = Resampler::new(IN);
        resampler.set_output(output);
        resampler.set_skew(skew);
        let (mut at, mut heard) = (100, Vec::new());
        for piece in [480, 441, 7, 960, 1, 333].iter().cycle().take(24) {
            let needed = resampler.needed(*piece);
            let mut out = alloc::vec![0.0; *piece];
            resampler.run(AudioRef::mono(&source, IN), at, AudioMut::mono(&mut out, output));
            at += needed;
            heard.extend(out);
        }
        let step = f64::from(IN.as_hz()) / f64::from(output.as_hz()) / (1.0 + skew);
        let (mut wanted, mut noise) = (0.0, 0.0);
        for (n, sample) in heard.iter().enumerate() {
            let exact = 0.5 * sin_pi(2.0 * hertz * (100.0 + n as f64 * step) / 48_000.0);
            (wanted, noise) = (wanted + exact * exact, noise + (exact - f64::from(*sample)).powi(2));
        }
        10.0 * (wanted / noise).log10()
    }

    #[test]
    fn tones_stay_where_they_are() {
        for skew in [-500e-6, 0.0, 300e-6] {
            for output in [48_000, 44_100, 32_000, 16_000] {
                let output = Frequency::new(output).unwrap();
                let found = snr(997.0, output, skew);
                assert!(found > 55.0, "{output:?} {skew}: {found} dB");
            }
        }
        assert!(snr(10_000.0, IN, 300e-6) > 40.0);
        let found = snr(2_000.0, Frequency::KHZ_8, 0.0);
        assert!(found > 40.0, "{found}");
    }

    #[test]
    fn what_does_not_fit_the_lower_rate_is_left_out() {
        let source: Vec<f32> = Sine::new(IN, 7_000.0, 0.5).take(10_000).collect();
        let mut resampler = Resampler::new(IN);
        resampler.set_output(Frequency::KHZ_8);
        let mut out = [0.0; 1_000];
        resampler.run(AudioRef::mono(&source, IN), 200, AudioMut::mono(&mut out, Frequency::KHZ_8));
        assert!(out.iter().all(|sample| sample.abs() < 0.02), "34 dB down");
    }

    #[test]
    fn nothing_is_changed_without_need() {
        let source: Vec<f32> = Sine::new(IN, 997.0, 0.5).take(1_000).collect();
        let mut resampler = Resampler::new(IN);
        let mut out = [0.0; 480];
        assert_eq!((resampler.needed(480), resampler.ahead()), (480, 0));
        resampler.run(AudioRef::mono(&source, IN), 100, AudioMut::mono(&mut out, IN));
        assert_eq!(out[..], source[100..580]);
        // Where skew begins to be taken out, nothing jumps.
        resampler.set_skew(200e-6);
        resampler.run(AudioRef::mono(&source, IN), 500, AudioMut::mono(&mut out, IN));
        assert!((out[0] - source[500]).abs() < 1e-6);
    }
}
