use core::time::Duration;

use crate::Frequency;
use crate::testkit::rng::Rng;

use super::narrow;
use super::resonator::Resonator;

/// Formants of ten vowels in hertz, male speakers (Peterson and Barney, "Control methods used in a study of the vowels",
/// JASA 24, 1952, table II).
const VOWELS: [[f64; 3]; 10] = [
    [270.0, 2290.0, 3010.0],
    [390.0, 1990.0, 2550.0],
    [530.0, 1840.0, 2480.0],
    [660.0, 1720.0, 2410.0],
    [730.0, 1090.0, 2440.0],
    [570.0, 840.0, 2410.0],
    [440.0, 1020.0, 2240.0],
    [300.0, 870.0, 2240.0],
    [640.0, 1190.0, 2390.0],
    [490.0, 1350.0, 1690.0],
];
/// Share of each formant in the sound.
const FORMANT_LEVELS: [f64; 3] = [1.0, 0.5, 0.25];
const FORMANT_BANDWIDTHS: [f64; 3] = [70.0, 100.0, 150.0];
/// Brings sound without pauses to -26 dBFS, the nominal level of speech (ITU-T P.56).
const VOICED_LEVEL: f64 = 0.5;
/// As loud at every rate: a wider band spreads the same noise thinner.
const UNVOICED_LEVEL: f64 = 0.3;
/// How often formants move.
const GLIDE: Duration = Duration::from_millis(5);

/// Something like speech: phrases of syllables at about four a second, with voice and its pitch contour, formants that glide
/// from vowel to vowel, hiss and closures before them, and pauses between phrases.
///
/// Active parts are at -26 dBFS. The script (which sound, when, how high) depends on the seed alone, not on the rate.
#[derive(Debug, Clone)]
pub struct Speech {
    rate: Frequency,
    script: Script,
    noise: Rng,
    sound: Sound,
    at: u64,
    end: u64,
    /// When the sound ends.
    clock: Duration,
    voice: Voice,
    hiss: Resonator,
    hiss_level: f64,
}

impl Speech {
    /// The talker of this seed, who begins at once.
    #[must_use]
    pub fn new(rate: Frequency, seed: u64) -> Self {
        let mut structure = Rng::stream(seed, 0);
        let pitch = 95.0 + 125.0 * structure.uniform();
        let script = Script { rng: structure, pitch, left: 0, syllables: 0, queue: [None; 2] };
        Self {
            rate,
            script,
            noise: Rng::stream(seed, 1),
            sound: Sound::Pause,
            at: 0,
            end: 0,
            clock: Duration::ZERO,
            voice: Voice { formants: VOWELS[8], ..Voice::default() },
            hiss: Resonator::default(),
            hiss_level: UNVOICED_LEVEL * (f64::from(rate.as_hz()) / 16_000.0).sqrt(),
        }
    }

    /// Whether the last sample was not in a pause.
    #[must_use]
    pub const fn is_active(&self) -> bool {
        !matches!(self.sound, Sound::Pause)
    }

    fn begin_next_sound(&mut self) {
        let (sound, seconds) = self.script.next_sound();
        self.sound = sound;
        self.at = 0;
        // Counted from the beginning, so that roundings do not add up and all rates keep the same time.
        let begin = self.rate.ticks_in(self.clock);
        self.clock += Duration::from_secs_f64(seconds);
        self.end = self.rate.ticks_in(self.clock) - begin;
        if let Sound::Hiss { centre } = sound {
            self.hiss.tune(self.rate, centre, 900.0);
        }
    }
}

impl Iterator for Speech {
    type Item = f32;

    fn next(&mut self) -> Option<f32> {
        while self.at >= self.end {
            self.begin_next_sound();
        }
        let place = self.at as f64 / self.end as f64;
        self.at += 1;
        let sample = match self.sound {
            Sound::Pause | Sound::Closure => 0.0,
            Sound::Hiss { .. } => {
                let swell = 4.0 * place * (1.0 - place);
                self.hiss_level * swell * self.hiss.next(self.noise.normal())
            }
            Sound::Vowel { formants, pitch, loudness } => {
                // Up in the first sixth, down in the last third.
                let envelope = (6.0 * place).min(3.0 * (1.0 - place)).min(1.0);
                let pitch = pitch[0] + (pitch[1] - pitch[0]) * place;
                VOICED_LEVEL * loudness * envelope * self.voice.next(self.rate, pitch, formants, &mut self.noise)
            }
        };
        Some(narrow(sample.clamp(-1.0, 1.0)))
    }
}

#[derive(Debug, Clone, Copy)]
enum Sound {
    Pause,
    /// Silence before a plosive, too short to be a pause.
    Closure,
    Hiss {
        centre: f64,
    },
    Vowel {
        formants: [f64; 3],
        /// At its beginning and its end, in hertz.
        pitch: [f64; 2],
        loudness: f64,
    },
}

/// What is said: makes phrases of syllables of sounds.
#[derive(Debug, Clone)]
struct Script {
    rng: Rng,
    pitch: f64,
    /// Syllables left in the phrase, and in all of it.
    left: u32,
    syllables: u32,
    /// Rest of the syllable.
    queue: [Option<(Sound, f64)>; 2],
}

impl Script {
    fn next_sound(&mut self) -> (Sound, f64) {
        if let Some(sound) = self.queue.iter_mut().find_map(Option::take) {
            return sound;
        }
        if self.left == 0 {
            let first = self.syllables == 0;
            self.syllables = 4 + (self.rng.next_u32() % 9);
            self.left = self.syllables;
            if !first {
                return (Sound::Pause, 0.25 + 0.75 * self.rng.uniform());
            }
        }
        let vowel = self.vowel();
        self.left -= 1;
        let onset = self.rng.uniform();
        if onset < 0.45 {
            self.queue[1] = Some(vowel);
            (Sound::Hiss { centre: 2_200.0 + 3_000.0 * self.rng.uniform() }, 0.05 + 0.06 * self.rng.uniform())
        } else if onset < 0.7 {
            self.queue = [Some((Sound::Hiss { centre: 1_500.0 + 2_000.0 * self.rng.uniform() }, 0.015)), Some(vowel)];
            (Sound::Closure, 0.03 + 0.04 * self.rng.uniform())
        } else {
            vowel
        }
    }

    fn vowel(&mut self) -> (Sound, f64) {
        let rng = &mut self.rng;
        // The pitch falls through the phrase, by a fifth in all, with an accent on every syllable.
        let through = 1.0 - f64::from(self.left) / f64::from(self.syllables);
        let pitch = self.pitch * (1.12 - 0.24 * through) * (1.0 + 0.12 * (rng.uniform() - 0.5));
        let (vowel, turn) = (rng.next_u32() as usize % VOWELS.len(), 0.9 + 0.2 * rng.uniform());
        let loudness = 0.6 + 0.6 * rng.uniform();
        let length = 0.12 + 0.14 * rng.uniform();
        (Sound::Vowel { formants: VOWELS[vowel], pitch: [pitch, pitch * turn], loudness }, length)
    }
}

/// The larynx and what is above it.
#[derive(Debug, Clone, Default)]
struct Voice {
    /// Where in the glottal period, 0 to 1.
    phase: f64,
    jitter: f64,
    formants: [f64; 3],
    bank: [Resonator; 3],
    /// Samples until the formants move.
    until: u64,
}

impl Voice {
    fn next(&mut self, rate: Frequency, pitch: f64, target: [f64; 3], noise: &mut Rng) -> f64 {
        if self.until == 0 {
            self.until = rate.ticks_in(GLIDE).max(1);
            for ((formant, goal), (resonator, bandwidth)) in
                self.formants.iter_mut().zip(target).zip(self.bank.iter_mut().zip(FORMANT_BANDWIDTHS))
            {
                *formant += 0.2 * (goal - *formant);
                resonator.tune(rate, *formant, bandwidth);
            }
        }
        self.until -= 1;
        self.phase += pitch * (1.0 + self.jitter) / f64::from(rate.as_hz());
        if self.phase >= 1.0 {
            self.phase -= 1.0;
            self.jitter = 0.01 * noise.normal();
        }
        // Derivative of the flow x²(1 - x) through a glottis open for 60 % of the period: its end is the pulse one hears.
        let open = self.phase / 0.6;
        let source = if open < 1.0 { open * (2.0 - 3.0 * open) } else { 0.0 };
        self.bank.iter_mut().zip(FORMANT_LEVELS).map(|(resonator, level)| level * resonator.next(source)).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATES: [Frequency; 3] = [Frequency::KHZ_8, Frequency::KHZ_16, Frequency::KHZ_48];

    fn decibels(samples: &[f32]) -> f64 {
        10.0 * (samples.iter().map(|x| f64::from(x * x)).sum::<f64>() / samples.len() as f64).log10()
    }

    #[test]
    fn level_and_activity_are_those_of_speech() {
        for (rate, seed) in RATES.iter().flat_map(|rate| (0..6).map(move |seed| (*rate, seed))) {
            let mut speech = Speech::new(rate, seed);
            let (mut active, mut all) = (Vec::new(), 0);
            for _ in 0..rate.as_hz() * 20 {
                let sample = speech.next().unwrap();
                all += 1;
                if speech.is_active() {
                    active.push(sample);
                }
            }
            let share = active.len() as f64 / f64::from(all);
            let peak = active.iter().fold(0.0f32, |peak, x| peak.max(x.abs()));
            let level = decibels(&active);
            assert!((-28.5..-24.5).contains(&level), "{rate}, seed {seed}: {level} dB");
            assert!((0.7..0.85).contains(&share), "{rate}, seed {seed}: {share} active");
            assert!((0.35..0.75).contains(&peak), "{rate}, seed {seed}: peak {peak}");
        }
    }

    #[test]
    fn the_script_is_the_same_at_every_rate() {
        let pauses = |rate: Frequency| {
            let mut speech = Speech::new(rate, 3);
            let mut starts = Vec::new();
            let mut active = false;
            for n in 0..u64::from(rate.as_hz()) * 10 {
                speech.next();
                if speech.is_active() != active {
                    active = !active;
                    starts.push(rate.duration_of(n));
                }
            }
            starts
        };
        let [narrow, wide, full] = RATES.map(pauses);
        assert!(narrow.len() > 5 && narrow.len() == wide.len() && wide.len() == full.len());
        for ((narrow, wide), full) in narrow.iter().zip(wide).zip(full) {
            let tick = Duration::from_micros(126);
            assert!(narrow.abs_diff(full) < tick && wide.abs_diff(full) < tick);
        }
    }

    /// The envelope rises as often as there are syllables: about four times in a second of activity.
    #[test]
    fn syllables_come_about_four_times_a_second() {
        let rate = Frequency::KHZ_8;
        let speech: Vec<f32> = Speech::new(rate, 2).take(160_000).collect();
        let envelope: Vec<f64> = speech.chunks(160).map(decibels).collect();
        let rises = envelope.windows(2).filter(|pair| pair[0] < -36.0 && pair[1] >= -36.0).count();
        assert!((50..80).contains(&rises), "{rises} rises in 20 s");
    }

    /// The first peak of the autocorrelation of a voiced stretch lies at the pitch period.
    #[test]
    fn voice_has_a_pitch() {
        let rate = Frequency::KHZ_8;
        let mut speech = Speech::new(rate, 4);
        while !matches!(speech.sound, Sound::Vowel { .. }) {
            speech.next();
        }
        let Sound::Vowel { pitch, .. } = speech.sound else { unreachable!() };
        let vowel: Vec<f32> = (&mut speech).take(960).collect();
        let correlation = |lag: usize| vowel[lag..].iter().zip(&vowel).map(|(a, b)| a * b).sum::<f32>();
        let period = (25..115).max_by(|a, b| correlation(*a).total_cmp(&correlation(*b))).unwrap();
        let expected = 8_000.0 / pitch[0];
        assert!((period as f64 / expected - 1.0).abs() < 0.15, "period {period}, expected {expected}");
    }
}
