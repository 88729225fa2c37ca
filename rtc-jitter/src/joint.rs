//! Where real audio takes over from what was made up for want of it.
//!
//! Made-up audio goes on with the pitch there was, the voice did not: after a gap they are out of step, and crossed over as they are
//! they cancel each other in part. So the place is looked for at which they are most alike, as between the ends of a cut
//! ([`stretch`](crate::stretch), WSOLA): what was made up goes on for a little longer, or what was decoded begins a little
//! later. The delay moves by as much, one way or the other.

use core::time::Duration;

use rtc_core::Frequency;
use rtc_core::audio::AudioRef;

use crate::lanes;

/// Both are heard for so long. Of 2 to 10 ms, 2 and 3 keep the spectrum of voices best.
const OVERLAP: Duration = Duration::from_millis(3);
/// How far either is moved. 6 ms, which together are a period of 83 Hz, gain a tenth more, and move the delay three times as far.
const REACH: Duration = Duration::from_millis(2);
/// Likeness a move of [`REACH`] must be worth: of periods that are alike, the nearest.
const PRICE: f32 = 0.07;
/// Less alike than this it is no voice, and nothing is moved.
const LEAST: f32 = 0.4;
/// Rate of the coarse search.
const SEARCH_HZ: u32 = 8_000;
/// Samples of it: [`REACH`] and [`OVERLAP`] at less than twice that rate.
const COARSE: usize = 80;

/// Finds the place to take over at, coarse at 8 kHz, then to the sample. One place serves all channels, so that the stereo image
/// stays.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Joint {
    ratio: usize,
    overlap: usize,
    reach: usize,
}

/// How far one side is moved, and how alike both are then.
#[derive(Debug, Clone, Copy)]
struct Move {
    by: usize,
    alike: f32,
}

impl Joint {
    pub(crate) fn new(rate: Frequency) -> Self {
        let samples = |time| usize::try_from(rate.ticks_in(time)).unwrap_or(usize::MAX);
        let ratio = (rate / SEARCH_HZ).max(1) as usize;
        Self { ratio, overlap: samples(OVERLAP), reach: samples(REACH) }
    }

    /// Samples of made-up audio that are of use.
    pub(crate) const fn ahead(&self) -> usize {
        self.reach + self.overlap
    }

    /// Samples the two are crossed over in.
    pub(crate) const fn overlap(&self) -> usize {
        self.overlap
    }

    /// How many samples of `new` to leave out so that it goes on where `old` does; if negative, how many of `old` to play before.
    pub(crate) fn align(&self, old: AudioRef<'_>, new: AudioRef<'_>) -> isize {
        let (Some(later), Some(longer)) = (self.slide(old, new), self.slide(new, old)) else { return 0 };
        let best = if later.alike >= longer.alike { later } else { longer };
        match best.by.cast_signed() {
            _ if best.alike < LEAST => 0,
            by if later.alike >= longer.alike => by,
            by => -by,
        }
    }

    /// How far to move `moving` for its beginning to be most like that of `fixed`, the price of it taken off. `None` if there is too
    /// little to tell.
    fn slide(&self, fixed: AudioRef<'_>, moving: AudioRef<'_>) -> Option<Move> {
        let most = moving.samples().checked_sub(self.overlap)?.min(self.reach);
        fixed.samples().checked_sub(self.overlap)?;
        let (mut low_fixed, mut low_moving) = ([0.0; COARSE], [0.0; COARSE]);
        let (len, steps) = (self.overlap / self.ratio, most / self.ratio);
        for (fixed, moving) in fixed.planes().zip(moving.planes()) {
            lanes::add_lowered(fixed, self.ratio, &mut low_fixed[..len]);
            lanes::add_lowered(moving, self.ratio, &mut low_moving[..len + steps]);
        }
        let one = lanes::squares(&low_fixed);
        let coarse = |by: usize| {
            lanes::likeness(|| core::iter::once((&low_fixed[..len], &low_moving[by..by + len])), one)
                - self.price(by * self.ratio)
        };
        let nearest = best(0..steps + 1, coarse).by * self.ratio;
        let around = nearest.saturating_sub(self.ratio - 1)..(nearest + self.ratio).min(most + 1);
        let fixed = fixed.slice(0, self.overlap);
        let one = fixed.planes().map(lanes::squares).sum();
        Some(best(around, |by| {
            let moving = moving.slice(by, self.overlap);
            lanes::likeness(|| fixed.planes().zip(moving.planes()), one) - self.price(by)
        }))
    }

    fn price(&self, by: usize) -> f32 {
        PRICE * by as f32 / self.reach as f32
    }
}

/// The move of the greatest likeness, the least of equals.
fn best(moves: core::ops::Range<usize>, likeness: impl Fn(usize) -> f32) -> Move {
    let compared = moves.map(|by| Move { by, alike: likeness(by) });
    compared
        .reduce(|best, next| if next.alike > best.alike { next } else { best })
        .unwrap_or(Move { by: 0, alike: 0.0 })
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use rtc_core::testkit::signal::{Sine, WhiteNoise};

    use super::*;

    const RATES: [Frequency; 3] = [Frequency::KHZ_8, Frequency::KHZ_16, Frequency::KHZ_48];

    /// Two partials of a voice.
    fn voice(rate: Frequency, len: usize) -> Vec<f32> {
        let partials = Sine::new(rate, 130.0, 0.3).zip(Sine::new(rate, 390.0, 0.2));
        partials.map(|(one, other)| one + other).take(len).collect()
    }

    #[test]
    fn what_is_out_of_step_is_brought_into_step() {
        for rate in RATES {
            let (joint, per_ms) = (Joint::new(rate), (rate.as_hz() / 1_000).cast_signed() as isize);
            let sound = voice(rate, 20_000);
            for ms in -2..=2_isize {
                // The new is ahead of the old by so much.
                let place = (9_000 + ms * per_ms).unsigned_abs();
                let (old, new) =
                    (AudioRef::mono(&sound[9_000..10_000], rate), AudioRef::mono(&sound[place..place + 1_000], rate));
                let found = joint.align(old, new);
                assert!((found + ms * per_ms).abs() <= per_ms / 8, "{rate:?} {ms} ms: {found}");
            }
        }
    }

    #[test]
    fn what_is_in_step_stays_and_noise_is_moved_for_no_reason() {
        for rate in RATES.into_iter().chain([11_025, 15_999, 44_100].into_iter().filter_map(Frequency::new)) {
            let joint = Joint::new(rate);
            let sound = voice(rate, 1_000);
            let sound = AudioRef::mono(&sound, rate);
            assert_eq!(joint.align(sound, sound), 0);
            let silence = [0.0; 1_000];
            assert_eq!(joint.align(AudioRef::mono(&silence, rate), sound), 0);
            assert_eq!(joint.align(sound, AudioRef::mono(&silence, rate)), 0);
        }
        // Of white noise there is no 3 ms in 5 like another, at 48 kHz, where there are 144 samples to compare.
        let (joint, noise) =
            (Joint::new(Frequency::KHZ_48), |seed| WhiteNoise::new(seed, 0.1).take(1_000).collect::<Vec<_>>());
        for seed in 0..50 {
            let (old, new) = (noise(seed), noise(100 + seed));
            let (old, new) = (AudioRef::mono(&old, Frequency::KHZ_48), AudioRef::mono(&new, Frequency::KHZ_48));
            assert_eq!(joint.align(old, new), 0, "{seed}");
        }
    }

    #[test]
    fn too_little_to_tell_is_left_where_it_is() {
        let (joint, sound) = (Joint::new(Frequency::KHZ_16), voice(Frequency::KHZ_16, 1_000));
        for (old, new) in [(0, 0), (0, 1_000), (1_000, 0), (1_000, 47), (47, 1_000), (48, 48)] {
            let part = |len| AudioRef::mono(&sound[..len], Frequency::KHZ_16);
            assert_eq!(joint.align(part(old), part(new)), 0);
        }
        // A decoder makes 5 ms up: 2 ms more of that are all there is.
        let (old, new) =
            (AudioRef::mono(&sound[..80], Frequency::KHZ_16), AudioRef::mono(&sound[24..], Frequency::KHZ_16));
        assert_eq!(joint.align(old, new), -24);
    }
}
