//! What became of a signal.

use core::ops::Range;

use rtc_core::testkit::metrics::{align, dbfs, erle};

/// How much of a signal is in what was heard, and how much else.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Fit {
    /// Gain of the signal in decibels.
    pub(crate) gain: f64,
    /// The signal over the rest, in decibels, 150 at most: more cannot be told from rounding.
    pub(crate) sdr: f64,
}

impl Fit {
    /// What a filter of so many taps about zero can make of `meant` counts as signal, so that neither a phase nor a colour is
    /// taken for distortion: the signal-to-distortion ratio of Vincent, Gribonval and Fevotte ("Performance measurement in blind
    /// audio source separation", 2006), without its interference. Both aligned.
    pub(crate) fn of(meant: &[f32], heard: &[f32], taps: usize) -> Self {
        let meant = meant.get(taps / 2..).unwrap_or_default();
        let len = meant.len().min(heard.len()).saturating_sub(taps);
        let own: Vec<f64> = (0..taps).map(|lag| dot(&meant[lag..], &meant[..len])).collect();
        let shared: Vec<f64> = (0..taps).map(|lag| dot(&meant[taps - 1 - lag..][..len], &heard[taps - 1..])).collect();
        let filter = solve(&own, &shared);
        let signal: f64 = filter.iter().zip(&shared).map(|(tap, shared)| tap * shared).sum();
        let rest = rest(&filter, meant, &heard[taps - 1..][..len]).max(1e-15 * signal);
        Self { gain: 10.0 * (signal / own[0]).log10(), sdr: 10.0 * (signal / rest).log10() }
    }
}

/// Of as much as both have, fast enough for minutes of audio.
fn dot(a: &[f32], b: &[f32]) -> f64 {
    const LANES: usize = 16;
    let mut total = 0.0;
    for (a, b) in a.chunks(LANES * 64).zip(b.chunks(LANES * 64)) {
        let mut sums = [0.0_f32; LANES];
        for (a, b) in a.chunks(LANES).zip(b.chunks(LANES)) {
            sums.iter_mut().zip(a.iter().zip(b)).for_each(|(sum, (a, b))| *sum += a * b);
        }
        total += sums.iter().map(|sum| f64::from(*sum)).sum::<f64>();
    }
    total
}

/// The energy of what `filter` cannot make of `meant`, which begins as long before `heard` as the filter is.
fn rest(filter: &[f64], meant: &[f32], heard: &[f32]) -> f64 {
    const BLOCK: usize = 2_048;
    let mut energy = 0.0;
    for (block, heard) in heard.chunks(BLOCK).enumerate() {
        let mut left = heard.to_vec();
        for (lag, tap) in filter.iter().enumerate() {
            let from = &meant[block * BLOCK + filter.len() - 1 - lag..];
            #[expect(clippy::cast_possible_truncation, reason = "samples")]
            let tap = *tap as f32;
            left.iter_mut().zip(from).for_each(|(left, meant)| *left -= tap * meant);
        }
        energy += dot(&left, &left);
    }
    energy
}

/// Solves the equations of a symmetric Toeplitz matrix with this first row (Levinson 1947).
fn solve(row: &[f64], right: &[f64]) -> Vec<f64> {
    // A little white noise, 90 dB below, keeps narrow signals solvable.
    let first = row[0] * (1.0 + 1e-9) + f64::MIN_POSITIVE;
    let (mut predictor, mut solution, mut error) = (vec![1.0], vec![right[0] / first], first);
    for order in 1..row.len() {
        let ahead: f64 = predictor.iter().enumerate().map(|(at, tap)| tap * row[order - at]).sum();
        let reflection = -ahead / error;
        predictor.push(0.0);
        let turned: Vec<f64> = predictor.iter().rev().copied().collect();
        predictor.iter_mut().zip(&turned).for_each(|(tap, turned)| *tap += reflection * turned);
        error *= 1.0 - reflection * reflection;
        let missing = right[order] - solution.iter().enumerate().map(|(at, tap)| tap * row[order - at]).sum::<f64>();
        solution.push(0.0);
        let step = missing / error;
        solution.iter_mut().zip(predictor.iter().rev()).for_each(|(tap, turned)| *tap += step * turned);
    }
    solution
}

/// What came out, moved to where it was meant: the delay at which it is most like `meant` in `part`, up to 30 ms.
pub(super) fn aligned(meant: &[f32], mut heard: Vec<f32>, part: Range<usize>, per_second: usize) -> Vec<f32> {
    let most = i64::try_from(per_second * 3 / 100).unwrap_or(0);
    let found = align(&meant[part.clone()], &heard[part], 0..=most);
    let delay = found.and_then(|found| usize::try_from(found.delay).ok()).unwrap_or(0);
    heard.drain(..delay);
    heard.resize(meant.len(), 0.0);
    heard
}

/// Seconds until, for two seconds with an echo in them, half a second after the other is 20 dB weaker than at the microphone; not
/// a number for never.
pub(super) fn converged(mic: &[f32], heard: &[f32], per_second: usize) -> f64 {
    const AUDIBLE: f64 = -50.0;
    let half = per_second / 2;
    let windows = mic.chunks_exact(half).zip(heard.chunks_exact(half)).enumerate();
    let audible: Vec<(usize, bool)> = windows
        .filter(|(_, (mic, _))| dbfs(mic) > AUDIBLE)
        .map(|(at, (mic, heard))| (at, erle(mic, heard) >= 20.0))
        .collect();
    let run = audible.windows(4).find(|run| run.iter().all(|(_, is_weak)| *is_weak));
    run.map_or(f64::NAN, |run| 0.5 * run[0].0 as f64)
}

/// The level of those 10 ms in which the talker is at most 20 dB below the level of all of it (much as ITU-T P.56 does).
pub(super) fn active_level(talker: &[f32], heard: &[f32], frame: usize) -> f64 {
    let (mut energy, mut frames) = (0.0, 0);
    let floor = dbfs(talker) - 20.0;
    for (talker, heard) in talker.chunks_exact(frame).zip(heard.chunks_exact(frame)) {
        if dbfs(talker) > floor {
            energy += heard.iter().map(|sample| f64::from(sample * sample)).sum::<f64>();
            frames += 1;
        }
    }
    10.0 * (energy / (frames * frame) as f64).log10()
}

#[cfg(test)]
mod tests {
    use rtc_core::testkit::signal::{WhiteNoise, amplitude};

    use super::*;

    fn noise(seed: u64, db: f64, seconds: usize) -> Vec<f32> {
        WhiteNoise::new(seed, amplitude(db)).take(16_000 * seconds).collect()
    }

    #[test]
    fn gain_and_distortion_are_told_apart() {
        let (signal, other) = (noise(1, -20.0, 4), noise(2, -46.0, 4));
        let heard: Vec<f32> = signal.iter().zip(&other).map(|(signal, other)| 0.5 * signal + other).collect();
        for taps in [1, 64] {
            let fit = Fit::of(&signal, &heard, taps);
            assert!((fit.gain + 6.02).abs() < 0.1 && (fit.sdr - 20.0).abs() < 0.1, "{fit:?}");
        }
        assert!(Fit::of(&signal, &signal, 1).sdr > 80.0 && Fit::of(&signal, &other, 64).sdr < -20.0);
    }

    /// 5 samples late, and an all-pass filter: the same sound.
    #[test]
    fn a_phase_is_no_distortion_but_for_the_simple_fit() {
        let (signal, mut past) = (noise(1, -20.0, 4), [0.0; 2]);
        let mut heard = vec![0.0; 5];
        heard.extend(signal.iter().map(|sample| {
            past = [*sample, 0.5 * sample + past[0] - 0.5 * past[1]];
            past[1]
        }));
        assert!(Fit::of(&signal, &heard, 64).sdr > 60.0 && Fit::of(&signal, &heard, 1).sdr < 0.0);
    }

    #[test]
    fn toeplitz_equations_are_solved() {
        let solution = solve(&[4.0, 1.0, 0.5], &[6.5 + 1.0, 9.0 + 3.0, 2.5 + 12.0]);
        let rows = [[4.0, 1.0, 0.5], [1.0, 4.0, 1.0], [0.5, 1.0, 4.0]];
        for (row, right) in rows.iter().zip([7.5, 12.0, 14.5]) {
            let left: f64 = row.iter().zip(&solution).map(|(a, b)| a * b).sum();
            assert!((left - right).abs() < 1e-6, "{solution:?}");
        }
    }

    #[test]
    fn what_comes_late_is_moved_back() {
        let signal = noise(3, -20.0, 2);
        let mut late = vec![0.0; 123];
        late.extend(&signal);
        assert_eq!(aligned(&signal, late, 8_000..16_000, 16_000), signal);
    }

    /// Nothing happens for 1.5 s, then 26 dB; in the first second there is no echo to remove, and one window is not enough.
    #[test]
    fn convergence_begins_where_20_db_are_reached() {
        let mut mic = noise(4, -20.0, 4);
        mic[..16_000].fill(0.0);
        let heard: Vec<f32> =
            mic.iter().enumerate().map(|(at, sample)| if at < 24_000 { *sample } else { 0.05 * sample }).collect();
        assert_eq!(converged(&mic, &heard, 16_000), 1.5);
        assert!(converged(&mic, &mic, 16_000).is_nan());
        assert!(converged(&mic[..40_000], &heard[..40_000], 16_000).is_nan());
    }

    #[test]
    fn pauses_do_not_count_in_the_level() {
        let mut talker = noise(5, -20.0, 4);
        talker[..32_000].fill(0.0);
        let heard: Vec<f32> = talker.iter().map(|sample| 2.0 * sample).collect();
        assert!((active_level(&talker, &heard, 160) + 13.98).abs() < 0.1);
    }
}
