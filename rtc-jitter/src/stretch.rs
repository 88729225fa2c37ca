//! Finding places where audio can be cut or repeated unheard.
//!
//! Time-domain pitch-synchronous overlap-add after W. Verhelst and M. Roelands, "An overlap-add technique based on waveform
//! similarity (WSOLA) for high quality time-scale modification of speech", ICASSP 1993: what follows a cut must look like
//! what would have followed without it. One lag serves all channels, so that the stereo image stays.

use alloc::vec;
use alloc::vec::Vec;
use core::ops::RangeInclusive;

use rtc_core::Frequency;
use rtc_core::audio::{AudioRef, MAX_CHANNELS};

use crate::lanes;
use crate::lpc::prediction_gain;

/// Rate of the coarse search: enough for the waveform of a voice.
const COARSE_HZ: u32 = 8_000;
/// Mean square below which audio is quiet whatever went before: -70 dB of full scale.
const INAUDIBLE: f32 = 1e-7;

/// Energy over what is left of it once the future is predicted from the past, beyond which sound is made of tones: 35 dB. Tones and chords
/// have 37 to 50 dB, of voiced speech one piece in a hundred has 34, and hardly any more.
const TONAL: f32 = 3_162.0;

/// Peak over those to both sides that makes a transient: 6 dB. The periods of a voice differ by less.
const TRANSIENT: f32 = 2.0;
/// Peaks below it are heard by nobody: -54 dB of full scale.
const AUDIBLE: f32 = 2e-3;

/// Finds lags by normalised correlation, coarse at 8 kHz, then to the sample.
#[derive(Debug)]
pub(crate) struct Stretch {
    ratio: usize,
    least: usize,
    most: usize,
    overlap: usize,
    coarse: [Vec<f32>; MAX_CHANNELS],
    /// Samples searched last, and their channels.
    searched: (usize, usize),
    window: Vec<f32>,
}

/// A place to cut to.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Cut {
    /// Samples to go forward, or back if negative.
    pub(crate) jump: isize,
    /// Normalised correlation of the two ends over all channels, 1 for the same.
    pub(crate) likeness: f32,
}

impl Stretch {
    pub(crate) fn new(rate: Frequency) -> Self {
        let per_ms = rate.as_hz() as usize;
        let ratio = (rate / COARSE_HZ).max(1) as usize;
        // Pitch of 67 to 400 Hz; the ends are compared and crossed over within 10 ms.
        let (least, most, overlap) = (per_ms * 5 / 2_000, (per_ms * 15 / 1_000).next_multiple_of(ratio), per_ms / 100);
        let coarse = (most + overlap) / ratio + 1;
        let (window, searched) = (Vec::with_capacity(coarse), (0, 0));
        Self { ratio, least, most, overlap, coarse: [vec![0.0; coarse], vec![0.0; coarse]], searched, window }
    }

    /// Least samples a cut takes out.
    pub(crate) fn least(&self) -> usize {
        self.least
    }

    /// Most samples a cut takes out.
    pub(crate) fn most(&self) -> usize {
        self.most
    }

    /// Samples the two ends are crossed over in.
    pub(crate) fn overlap(&self) -> usize {
        self.overlap
    }

    /// The best place to go on from instead of `at`, up to `most` samples later.
    pub(crate) fn find_later(&mut self, audio: AudioRef<'_>, at: usize, most: usize) -> Option<Cut> {
        let most = most.min(self.most).min(audio.samples().checked_sub(at + self.overlap)?);
        self.find(audio, at, most, |at, lag| at + lag).map(|(lag, likeness)| Cut { jump: lag.cast_signed(), likeness })
    }

    /// The best place to go on from instead of `at`, up to `most` samples earlier.
    pub(crate) fn find_earlier(&mut self, audio: AudioRef<'_>, at: usize, most: usize) -> Option<Cut> {
        audio.samples().checked_sub(at + self.overlap)?;
        let most = most.min(self.most).min(at);
        self.find(audio, at, most, |at, lag| at - lag).map(|(lag, likeness)| Cut { jump: -lag.cast_signed(), likeness })
    }

    /// Whether what was searched last is made of tones, in any of its channels: then the ear hears a cut that is not of whole periods
    /// of all of them as a flutter, however smooth it is.
    pub(crate) fn is_tonal(&mut self) -> bool {
        let (len, channels) = self.searched;
        let window = &mut self.window;
        self.coarse[..channels].iter().any(|plane| {
            window.clear();
            // A parabola: without, what is cut off at the ends would count as unpredictable.
            let weight = |index: usize| (index as f32 + 0.5) / len as f32;
            window.extend(plane[..len].iter().enumerate().map(|(n, x)| 4.0 * weight(n) * (1.0 - weight(n)) * x));
            prediction_gain(window) > TONAL
        })
    }

    /// The lag up to `most` at which the audio at `place(at, lag)` is most like that at `at`.
    fn find(
        &mut self,
        audio: AudioRef<'_>,
        at: usize,
        most: usize,
        place: impl Fn(usize, usize) -> usize,
    ) -> Option<(usize, f32)> {
        if most < self.least {
            return None;
        }
        let nearest = self.find_coarse(audio, at, most, &place);
        let around = (nearest + 1).saturating_sub(self.ratio).max(self.least)..=(nearest + self.ratio - 1).min(most);
        let one = energy(audio.planes(), at, self.overlap);
        best(around, |lag| likeness(|| audio.planes(), one, at, place(at, lag), self.overlap))
    }

    fn find_coarse(
        &mut self,
        audio: AudioRef<'_>,
        at: usize,
        most: usize,
        place: &impl Fn(usize, usize) -> usize,
    ) -> usize {
        let (ratio, overlap) = (self.ratio, self.overlap / self.ratio);
        let lags = self.least.div_ceil(ratio)..=most / ratio;
        let farthest = *lags.end();
        let first = at.min(place(at, farthest * ratio));
        let from = (at - first) / ratio;
        let groups = farthest + overlap;
        for (coarse, plane) in self.coarse.iter_mut().zip(audio.planes()) {
            let coarse = &mut coarse[..groups];
            coarse.fill(0.0);
            lanes::add_lowered(&plane[first..], ratio, coarse);
        }
        self.searched = (groups, audio.channels());
        let coarse = &self.coarse[..audio.channels()];
        let planes = || coarse.iter().map(|plane| &plane[..groups]);
        let one = energy(planes(), from, overlap);
        best(lags, |lag| likeness(planes, one, from, place(from, lag), overlap)).map_or(most, |(lag, _)| lag * ratio)
    }
}

/// The lag of the greatest likeness, the shortest of equals.
fn best(lags: RangeInclusive<usize>, mut likeness: impl FnMut(usize) -> f32) -> Option<(usize, f32)> {
    lags.map(|lag| (lag, likeness(lag))).reduce(|best, next| if next.1 > best.1 { next } else { best })
}

/// Squares of `len` samples at `at`, over all channels.
fn energy<'a>(planes: impl Iterator<Item = &'a [f32]>, at: usize, len: usize) -> f32 {
    planes.map(|plane| lanes::squares(&plane[at..at + len])).sum()
}

/// How alike `len` samples at `a`, whose squares add up to `one`, and at `b` are.
fn likeness<'a, I>(planes: impl Fn() -> I, one: f32, a: usize, b: usize, len: usize) -> f32
where
    I: Iterator<Item = &'a [f32]>,
{
    lanes::likeness(|| planes().map(|plane| (&plane[a..a + len], &plane[b..b + len])), one)
}

/// Follows the level of what is played, to know quiet passages.
#[derive(Debug, Default)]
pub(crate) struct Level {
    floor: f32,
    peak: f32,
}

impl Level {
    /// Takes note of played audio of this power.
    pub(crate) fn update(&mut self, power: f32, audio: AudioRef<'_>) {
        let time = audio.samples() as f32 / audio.rate().as_hz() as f32;
        // The floor is up by 3 dB in 1.4 s of louder sound, the peak down by 3 dB in 4 s of softer.
        self.floor = power.min(self.floor.max(INAUDIBLE) * (1.0 + 0.5 * time));
        self.peak = power.max(self.peak * (1.0 - 0.17 * time).max(0.0));
    }

    /// Whether audio is background between words: near the floor, and far below the words.
    pub(crate) fn is_quiet(&self, audio: AudioRef<'_>) -> bool {
        let power = power(audio);
        power < INAUDIBLE || (power < 8.0 * self.floor && power < 0.01 * self.peak)
    }
}

/// Whether `len` samples at `at` hold something short and loud that neither side of them has: cut out it would be missing,
/// repeated it would be heard twice.
pub(crate) fn is_transient(audio: AudioRef<'_>, at: usize, len: usize) -> bool {
    let peak = |from: usize, to: usize| {
        let of = |plane: &[f32]| lanes::peak(&plane[from.min(plane.len())..to.min(plane.len())]);
        audio.planes().map(of).fold(0.0, f32::max)
    };
    let inside = peak(at, at + len);
    let around = peak(at.saturating_sub(len), at).max(peak(at + len, at + 2 * len));
    inside > AUDIBLE && inside > TRANSIENT * around
}

/// Mean square over all channels.
pub(crate) fn power(audio: AudioRef<'_>) -> f32 {
    audio.planes().map(lanes::squares).sum::<f32>() / (audio.samples() * audio.channels()).max(1) as f32
}

#[cfg(test)]
mod tests;
