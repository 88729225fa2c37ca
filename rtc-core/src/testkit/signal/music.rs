use core::time::Duration;

use crate::Frequency;
use crate::testkit::rng::{Rng, exp};

use super::narrow;
use super::resonator::Resonator;

/// From onset to onset: 120 beats a minute, two notes a beat.
const STEP: Duration = Duration::from_millis(250);
/// Steps a chord lasts.
const CHORD: u32 = 8;
const HARMONICS: u32 = 8;
/// Notes that ring on at most.
const NOTES: usize = 12;
/// Semitones over the root of a major and of a minor chord, and of the roots of a progression.
const CHORDS: [[i32; 4]; 2] = [[0, 4, 7, 12], [0, 3, 7, 12]];
const ROOTS: [(i32, usize); 6] = [(0, 0), (9, 1), (5, 0), (7, 0), (2, 1), (4, 1)];

/// Something like music, in stereo: plucked chords over a bass, each note with its harmonics and its place between left and
/// right, and a noise on every other beat.
///
/// About -22 dBFS. The score depends on the seed alone, not on the rate.
#[derive(Debug, Clone)]
pub struct Music {
    rate: Frequency,
    score: Rng,
    noise: Rng,
    notes: Vec<Note>,
    step: u32,
    /// Samples until the next step.
    left: u64,
    root: i32,
    chord: usize,
    drum: f64,
}

#[derive(Debug, Clone)]
struct Note {
    strings: [Resonator; HARMONICS as usize],
    /// Loudness on the left and on the right.
    sides: [f64; 2],
    struck: bool,
}

impl Music {
    /// The piece of this seed.
    #[must_use]
    pub fn new(rate: Frequency, seed: u64) -> Self {
        Self {
            rate,
            score: Rng::stream(seed, 0),
            noise: Rng::stream(seed, 1),
            notes: Vec::with_capacity(NOTES),
            step: 0,
            left: 0,
            root: 0,
            chord: 0,
            drum: 0.0,
        }
    }

    fn begin_step(&mut self) {
        if self.step.is_multiple_of(CHORD) {
            (self.root, self.chord) = ROOTS[self.score.next_u32() as usize % ROOTS.len()];
            self.strike(self.root - 12, 0.5, 0.5);
        }
        if self.step.is_multiple_of(4) {
            self.drum = 0.15;
        }
        let tones = if self.step.is_multiple_of(CHORD) { 3 } else { 1 };
        for _ in 0..tones {
            let tone = CHORDS[self.chord][self.score.next_u32() as usize % 4];
            let (loudness, place) = (0.15 + 0.25 * self.score.uniform(), self.score.uniform());
            self.strike(self.root + tone, loudness, place);
        }
        // Steps begin at whole multiples of their length, at any rate.
        let begin = |step: u32| self.rate.ticks_in(STEP * step);
        self.left = begin(self.step + 1) - begin(self.step);
        self.step += 1;
    }

    /// `semitones` over the C below middle C; `place` from 0, left, to 1, right.
    fn strike(&mut self, semitones: i32, loudness: f64, place: f64) {
        let pitch = 130.81 * exp(f64::from(semitones) * core::f64::consts::LN_2 / 12.0);
        let strings = core::array::from_fn(|harmonic| {
            let n = (harmonic + 1) as f64;
            let silent = pitch * n > 0.45 * f64::from(self.rate.as_hz());
            if silent { Resonator::default() } else { Resonator::string(self.rate, pitch * n, 0.8 / n) }
        });
        if self.notes.len() == NOTES {
            self.notes.remove(0);
        }
        let sides = [loudness * (1.0 - place).sqrt(), loudness * place.sqrt()];
        self.notes.push(Note { strings, sides, struck: false });
    }
}

impl Iterator for Music {
    type Item = [f32; 2];

    fn next(&mut self) -> Option<[f32; 2]> {
        if self.left == 0 {
            self.begin_step();
        }
        self.left -= 1;
        let noise = self.drum * self.noise.normal();
        self.drum *= 1.0 - 25.0 / f64::from(self.rate.as_hz());
        let mut sides = [noise; 2];
        for note in &mut self.notes {
            let blow = if note.struck { 0.0 } else { 1.0 };
            note.struck = true;
            let ring: f64 = note.strings.iter_mut().zip(1..).map(|(string, n)| string.next(blow) / f64::from(n)).sum();
            sides = [sides[0] + note.sides[0] * ring, sides[1] + note.sides[1] * ring];
        }
        Some(sides.map(|side| narrow((0.25 * side).clamp(-1.0, 1.0))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn music_is_steady_in_level_and_different_on_both_sides() {
        for rate in [Frequency::KHZ_8, Frequency::KHZ_16, Frequency::KHZ_48] {
            let music: Vec<[f32; 2]> = Music::new(rate, 1).take(rate.as_hz() as usize * 10).collect();
            for side in 0..2 {
                let power = music.iter().map(|x| f64::from(x[side] * x[side])).sum::<f64>() / music.len() as f64;
                let level = 10.0 * power.log10();
                assert!((-27.0..-17.0).contains(&level), "{rate}: {level} dB");
                assert!(music.iter().all(|x| x[side].abs() < 1.0), "clips at {rate}");
            }
            let apart = music.iter().map(|x| f64::from((x[0] - x[1]).powi(2))).sum::<f64>() / music.len() as f64;
            assert!(apart > 1e-4, "{rate}: {apart}");
        }
    }
}
