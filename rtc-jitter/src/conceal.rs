//! Audio made up for what never came.

use alloc::boxed::Box;
use alloc::vec;
use core::fmt;

use rtc_core::Frequency;
use rtc_core::audio::{AudioMut, AudioRef, MAX_CHANNELS};

use crate::lpc::{ORDER, Synthesis, White};
use crate::noise::ComfortNoise;

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
            for (slot, group) in self.coarse.iter_mut().zip(plane[skipped..].chunks_exact(step)) {
                *slot += group.iter().sum::<f32>();
            }
        }
        let coarse = &self.coarse[..groups];
        let len = (window / step).min(groups);
        let far = (most / step).min(groups - len);
        let (nearest, _) = best(least.div_ceil(step)..far, |lag| likeness(core::iter::once(coarse), lag, len));
        let around = (nearest * step).saturating_sub(step).max(least)..(nearest * step + step).min(most);
        best(around, |lag| likeness(heard.planes(), lag, window))
    }
}

/// The lag of the greatest likeness; 1 if there is none.
fn best(lags: core::ops::Range<usize>, likeness: impl Fn(usize) -> f32) -> (usize, f32) {
    let compared = lags.map(|lag| (lag, likeness(lag)));
    compared.fold((1, 0.0), |best, next| if next.1 > best.1 { next } else { best })
}

/// Normalised correlation of the last `len` samples with those `lag` before.
fn likeness<'a>(planes: impl Iterator<Item = &'a [f32]>, lag: usize, len: usize) -> f32 {
    let (mut both, mut one, mut other) = ([0.0_f32; 4], [0.0_f32; 4], [0.0_f32; 4]);
    for plane in planes {
        let end = plane.len();
        let (now, before) = (&plane[end - len..], &plane[end - len - lag..end - lag]);
        for (xs, ys) in now.chunks_exact(4).zip(before.chunks_exact(4)) {
            for k in 0..4 {
                both[k] += xs[k] * ys[k];
                one[k] += xs[k] * xs[k];
                other[k] += ys[k] * ys[k];
            }
        }
    }
    let sum = |sums: [f32; 4]| sums.iter().sum::<f32>();
    let energy = sum(one) * sum(other);
    if energy > f32::MIN_POSITIVE { sum(both) / energy.sqrt() } else { 0.0 }
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
        let squares: f32 = played.planes().flatten().map(|sample| sample * sample).sum();
        let power = squares / (played.samples() * played.channels()) as f32;
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
            let mut filter = Synthesis::of(&plane[plane.len().saturating_sub(window)..]);
            filter.follow(plane);
            let first = plane.len() - self.len;
            for (index, slot) in self.period[channel][..self.len].iter_mut().enumerate() {
                *slot = filter.residual(plane, first + index);
            }
            let energy: f32 = self.period[channel][..self.len].iter().map(|sample| sample * sample).sum();
            self.energy[channel] = energy / self.len as f32;
            self.filter[channel] = filter;
        }
    }

    fn conceal(&mut self, mut out: AudioMut<'_>) {
        let hertz = self.rate.as_hz() as f32;
        let (from, made) = (self.place, self.made);
        let gain = |index: usize| {
            let time = (made + index) as f32 / hertz;
            ((FADE[1] - time) / (FADE[1] - FADE[0])).clamp(0.0, 1.0)
        };
        let unvoiced = (1.0 - self.voiced * self.voiced).max(0.0).sqrt();
        for (channel, plane) in out.planes_mut().enumerate() {
            let (filter, period) = (&mut self.filter[channel], &self.period[channel][..self.len]);
            let noise = unvoiced * self.energy[channel].sqrt();
            let mut place = from;
            for sample in plane.iter_mut() {
                *sample = self.voiced * period[place] + noise * self.white.next();
                place = if place + 1 == period.len() { 0 } else { place + 1 };
            }
            filter.run(plane);
            for (index, sample) in plane.iter_mut().enumerate() {
                *sample *= gain(index);
            }
        }
        let len = out.samples();
        (self.place, self.made) = ((from + len) % self.len, made + len);
        if gain(len) < 1.0 {
            self.noise.add(out, |index| 1.0 - gain(index));
        }
    }
}

#[cfg(test)]
mod tests;
