//! Audio made up for what never came.

use alloc::boxed::Box;
use alloc::vec;
use core::fmt;
use core::ops::Range;

use rtc_core::Frequency;
use rtc_core::audio::{AudioMut, AudioRef, MAX_CHANNELS};

use crate::lanes;
use crate::lpc::{ORDER, Synthesis, White};
use crate::noise::ComfortNoise;
use crate::stretch::power;

/// Makes audio up where the decoder does not, or not well: see
/// [`AudioPlayout::set_concealer`](crate::AudioPlayout::set_concealer).
pub trait Concealer: fmt::Debug + Send {
    /// Takes note of audio as it is played, 20 ms at most.
    fn observe(&mut self, played: AudioRef<'_>);

    /// A gap begins behind `heard`, the last 40 ms or so.
    fn begin(&mut self, heard: AudioRef<'_>);

    /// Goes on in all of `out`.
    fn conceal(&mut self, out: AudioMut<'_>);
}

/// Shortest and longest period of a voice looked for: 400 to 62 Hz.
const PERIODS: [u32; 2] = [400, 62];
/// Rate of the search for the period.
const SEARCH_HZ: u32 = 8_000;
/// Periods compared at a time.
const LAGS: usize = 64;
/// Samples of the search: 40 ms.
const COARSE: usize = 320;
/// How long it goes on unchanged, and when only noise is left, in seconds: what a voice does next is not known for longer than
/// a phoneme.
const FADE: [f32; 2] = [0.02, 0.12];
/// Likeness of two periods below which there is no voice, and from which there is nothing else.
const VOICED: [f32; 2] = [0.4, 0.85];
/// Power of a quiet passage over the least heard, below which it is background.
const BACKGROUND: f32 = 2.0;

/// Repeats the last period of what excites the voice and lets the vocal tract shape it, fading to the noise behind the voice.
///
/// Linear prediction splits the last 20 ms into a filter and its excitation (as in E. Gündüzhan and K. Momtahan, "A linear
/// prediction based packet loss concealment algorithm for PCM coded speech", IEEE Trans. Speech and Audio Processing 9:8, 2001).
/// One period and one voicing serve both channels, so that the stereo image stays. As the filter goes on from the last samples
/// heard, there is no seam.
#[derive(Debug)]
pub struct PitchConcealer {
    rate: Frequency,
    filter: [Synthesis; MAX_CHANNELS],
    /// The last period of the excitation.
    period: [Box<[f32]>; MAX_CHANNELS],
    len: usize,
    /// Mean square of the excitation.
    energy: [f32; MAX_CHANNELS],
    voiced: f32,
    place: usize,
    made: usize,
    white: White,
    noise: ComfortNoise,
    floor: f32,
    quiet: usize,
    coarse: [f32; COARSE],
}

impl PitchConcealer {
    /// For audio of this rate.
    #[must_use]
    pub fn new(rate: Frequency) -> Self {
        let longest = (rate.as_hz() / PERIODS[1]) as usize + 1;
        Self {
            rate,
            filter: Default::default(),
            period: [vec![0.0; longest].into(), vec![0.0; longest].into()],
            len: 1,
            energy: [0.0; MAX_CHANNELS],
            voiced: 0.0,
            place: 0,
            made: 0,
            white: White::new(0x51f1),
            noise: ComfortNoise::default(),
            floor: f32::MAX,
            quiet: 0,
            coarse: [0.0; COARSE],
        }
    }

    /// The period of the voice, and how alike its last two periods are: coarse at 8 kHz, then to the sample.
    fn pitch(&mut self, heard: AudioRef<'_>) -> (usize, f32) {
        let hertz = self.rate.as_hz();
        let step = (hertz / SEARCH_HZ).max(1) as usize;
        let least = (hertz / PERIODS[0]) as usize;
        let window = hertz as usize / 100;
        let most = ((hertz / PERIODS[1]) as usize).min(heard.samples().saturating_sub(window));
        let groups = (heard.samples() / step).min(COARSE);
        let skipped = heard.samples() - groups * step;
        self.coarse.fill(0.0);
        for plane in heard.planes() {
            lanes::add_lowered(&plane[skipped..], step, &mut self.coarse);
        }
        let coarse = || core::iter::once(&self.coarse[..groups]);
        let len = (window / step).min(groups);
        let far = (most / step).min(groups - len);
        let (nearest, _) = likest(coarse, least.div_ceil(step)..far, len);
        let around = (nearest * step).saturating_sub(step).max(least)..(nearest * step + step).min(most);
        likest(|| heard.planes(), around, window)
    }
}

/// The lag by which the last `len` samples are most like those before them, and how much; 1 and 0 if they are not.
fn likest<'a, I>(planes: impl Fn() -> I, lags: Range<usize>, len: usize) -> (usize, f32)
where
    I: Iterator<Item = &'a [f32]>,
{
    let (mut best, mut products) = ((1, 0.0), [[0.0; LAGS]; 2]);
    if lags.is_empty() {
        return best;
    }
    let last = |plane: &'a [f32], lag: usize| &plane[plane.len() - len - lag..plane.len() - lag];
    let one: f32 = planes().map(|plane| lanes::squares(last(plane, 0))).sum();
    // All energies by the first of them, and what comes in and goes out with each lag.
    let mut energy: f64 = planes().map(|plane| f64::from(lanes::squares(last(plane, lags.start)))).sum();
    let square = |sample: f32| f64::from(sample) * f64::from(sample);
    for from in lags.clone().step_by(LAGS) {
        let end = (from + LAGS).min(lags.end);
        let [sums, product] = &mut products;
        sums.fill(0.0);
        for plane in planes() {
            // The longest lag is the earliest.
            let earlier = &plane[plane.len() - len + 1 - end..plane.len() - from];
            lanes::correlate(last(plane, 0), earlier, &mut product[..end - from]);
            sums.iter_mut().zip(&*product).for_each(|(sum, product)| *sum += product);
        }
        for lag in from..end {
            #[expect(clippy::cast_possible_truncation, reason = "added up in double precision for it not to drift")]
            let other = energy.max(0.0) as f32;
            let alike = sums[end - 1 - lag] / (one * other).sqrt().max(f32::MIN_POSITIVE);
            if alike > best.1 {
                best = (lag, alike);
            }
            for plane in planes() {
                let first = plane.len() - lag;
                energy +=
                    plane.get(first.wrapping_sub(len + 1)).map_or(0.0, |next| square(*next)) - square(plane[first - 1]);
            }
        }
    }
    best
}

impl Concealer for PitchConcealer {
    fn observe(&mut self, played: AudioRef<'_>) {
        // Each 80 ms or so is enough to know the background.
        self.quiet += played.samples();
        let (long, short) = (self.rate.as_hz() as usize / 12, self.rate.as_hz() as usize / 200);
        if self.quiet < long || played.samples() < short {
            return;
        }
        self.quiet = 0;
        let power = power(played);
        // The floor is up by 3 dB in two seconds.
        self.floor = power.min(self.floor * 1.03);
        if power <= BACKGROUND * self.floor {
            self.noise.learn(played);
        }
    }

    fn begin(&mut self, heard: AudioRef<'_>) {
        (self.place, self.made) = (0, 0);
        let window = (self.rate.as_hz() / 50) as usize;
        if heard.samples() < 2 * ORDER {
            (self.energy, self.voiced) = ([0.0; MAX_CHANNELS], 0.0);
            return;
        }
        let (len, alike) = self.pitch(heard);
        self.len = len.clamp(1, self.period[0].len()).min(heard.samples() - ORDER);
        self.voiced = ((alike - VOICED[0]) / (VOICED[1] - VOICED[0])).clamp(0.0, 1.0);
        for (channel, plane) in heard.planes().enumerate() {
            let (mut filter, _) = Synthesis::of(&plane[plane.len().saturating_sub(window)..]);
            filter.follow(plane);
            let period = &mut self.period[channel][..self.len];
            filter.residual(plane, period);
            self.energy[channel] = lanes::squares(period) / self.len as f32;
            self.filter[channel] = filter;
        }
    }

    fn conceal(&mut self, mut out: AudioMut<'_>) {
        let (len, made) = (out.samples(), self.made);
        let step = 1.0 / ((FADE[1] - FADE[0]) * self.rate.as_hz() as f32);
        let left = FADE[1] / (FADE[1] - FADE[0]) - made as f32 * step;
        let gain = |index: usize| (left - index as f32 * step).clamp(0.0, 1.0);
        let fades = gain(len) < 1.0;
        let unvoiced = (1.0 - self.voiced * self.voiced).max(0.0).sqrt();
        for (channel, plane) in out.planes_mut().enumerate() {
            let noise = unvoiced * self.energy[channel].sqrt();
            if noise > 0.0 {
                self.white.fill(plane);
            } else {
                plane.fill(0.0);
            }
            let period = &self.period[channel][..self.len];
            let (mut place, mut rest) = (self.place, &mut *plane);
            while !rest.is_empty() {
                let (piece, more) = rest.split_at_mut((period.len() - place).min(rest.len()));
                for (sample, excitation) in piece.iter_mut().zip(&period[place..]) {
                    *sample = self.voiced * excitation + noise * *sample;
                }
                (place, rest) = (0, more);
            }
            self.filter[channel].run(plane);
            if fades {
                plane.iter_mut().enumerate().for_each(|(index, sample)| *sample *= gain(index));
            }
        }
        (self.place, self.made) = ((self.place + len) % self.len, made + len);
        if fades {
            self.noise.add(out, |index| 1.0 - gain(index));
        }
    }
}

#[cfg(test)]
mod tests;
