//! Signals of the scenarios, by seed.

use core::ops::Range;
use core::time::Duration;

use rtc_core::testkit::metrics::erle;
use rtc_core::testkit::rng::Rng;
use rtc_core::testkit::signal::{
    Conversation, DOUBLE_TALK, EchoPath, EchoPathConfig, PinkNoise, Speech, WhiteNoise, add_at_snr, amplitude, scale_to,
};
use rtc_core::{ConfigError, Frequency};

use super::metrics::{Fit, aligned, converged};
use super::scenarios::{Disturbance, Echo, Level, Noisy};
use crate::recorded;

/// Speech of a scene without echo, in seconds.
const SECONDS: usize = 20;

/// What is played, and what the microphone hears of it and of the near end.
pub(super) struct Talk {
    pub(super) far: Vec<f32>,
    pub(super) mic: Vec<f32>,
    /// The microphone without the echo: what an ideal canceller gives.
    pub(super) ideal: Vec<f32>,
    near: Vec<f32>,
    /// Far-end single talk, near-end, double talk, and far-end again.
    turns: [Range<usize>; 4],
    per_second: usize,
}

impl Talk {
    pub(super) fn new(scene: &Echo, seed: u64) -> Result<Self, ConfigError> {
        let talk = Conversation::new(scene.rate, seed, &DOUBLE_TALK);
        let turns: [Range<usize>; 4] = core::array::from_fn(|turn| talk.turns()[turn].1.clone());
        let mut echo = vec![0.0; talk.far.len()];
        room(scene, seed)?.add_echo(&talk.far, &mut echo);
        if scene.moves {
            let (mut other, last): (_, Range<usize>) = (vec![0.0; talk.far.len()], turns[3].clone());
            room(scene, seed + 1_000)?.add_echo(&talk.far, &mut other);
            echo[last.clone()].copy_from_slice(&other[last]);
        }
        let noise = WhiteNoise::new(seed, amplitude(scene.noise));
        let ideal: Vec<f32> = talk.near.iter().zip(noise).map(|(near, noise)| near + noise).collect();
        let mic = ideal.iter().zip(&echo).map(|(ideal, echo)| ideal + echo).collect();
        Ok(Self { far: talk.far, mic, ideal, near: talk.near, turns, per_second: whole(scene.rate) })
    }

    /// ERLE once converged, seconds to 20 dB, ERLE at the end, what was lost of the near end alone and in double talk, and the
    /// near end over all else in double talk.
    pub(super) fn outcome(&self, out: Vec<f32>) -> [f64; 6] {
        let [far, near, both, last] = self.turns.clone();
        let out = aligned(&self.near, out, near.start..near.start + self.per_second, self.per_second);
        let settled = far.start.midpoint(far.end)..far.end;
        let end = last.start + 3 * self.per_second..last.end;
        let fit = |turn: Range<usize>| Fit::of(&self.near[turn.clone()], &out[turn], taps(self.per_second));
        let double = fit(both);
        [
            erle(&self.mic[settled.clone()], &out[settled]),
            converged(&self.mic[far.clone()], &out[far], self.per_second),
            erle(&self.mic[end.clone()], &out[end]),
            -fit(near).gain,
            -double.gain,
            double.sdr,
        ]
    }
}

fn room(scene: &Echo, seed: u64) -> Result<EchoPath, ConfigError> {
    let mut config = EchoPathConfig::default();
    (config.rate, config.delay) = (scene.rate, Duration::from_millis(scene.delay_ms));
    (config.return_loss, config.seed) = (scene.return_loss, seed + 1);
    EchoPath::new(config)
}

/// Speech, and the same in noise; `None` where the recordings are not there.
pub(super) fn noisy(scene: &Noisy, seed: u64) -> Option<(Vec<f32>, Vec<f32>)> {
    let length = SECONDS * whole(scene.rate);
    let mut clean: Vec<f32> = Speech::new(scene.rate, seed).take(length).collect();
    let noise: Vec<f32> = match scene.disturbance {
        Disturbance::White => WhiteNoise::new(seed, 0.1).take(length).collect(),
        Disturbance::Pink => PinkNoise::new(seed, 0.1).take(length).collect(),
        Disturbance::Babble => {
            let mut others: Vec<Speech> =
                (0..6).map(|other| Speech::new(scene.rate, 1_000 + seed * 6 + other)).collect();
            (0..length).map(|_| others.iter_mut().filter_map(Iterator::next).sum()).collect()
        }
        Disturbance::Recorded(name) => {
            let voices = recorded::voices();
            let voice = voices.get(usize::try_from(seed).ok()? % voices.len().max(1))?;
            clean = cycled(voice, 0, length);
            let noise = recorded::wav("noise", name, scene.rate)?;
            let skip = Rng::new(seed).below(noise.len() as u64);
            cycled(&noise, usize::try_from(skip).ok()?, length)
        }
    };
    scale_to(&mut clean, -29.0);
    let mut mic = clean.clone();
    add_at_snr(&mut mic, &noise, scene.snr);
    Some((clean, mic))
}

/// Speech at the level of the scenario, 16 kHz.
pub(super) fn levelled(scene: &Level, seed: u64) -> Vec<f32> {
    let second = whole(Frequency::KHZ_16);
    // Active parts of it are at -26 dBFS.
    #[expect(clippy::cast_possible_truncation, reason = "gains")]
    let [gain, shout] = [scene.level + 26.0, 34.0].map(|db| amplitude(db) as f32);
    let loud = 10 * second..12 * second;
    let speech = Speech::new(Frequency::KHZ_16, seed).take(SECONDS * second).enumerate();
    let level = |at: usize| if scene.shouts && loud.contains(&at) { gain * shout } else { gain };
    // A converter clips.
    speech.map(|(at, sample)| (sample * level(at)).clamp(-1.0, 1.0)).collect()
}

fn cycled<T: Copy + Into<f32>>(samples: &[T], skip: usize, length: usize) -> Vec<f32> {
    samples.iter().cycle().skip(skip).take(length).map(|sample| (*sample).into() / 32_768.0).collect()
}

/// Of 4 ms: the filter that is allowed for.
pub(super) fn taps(per_second: usize) -> usize {
    per_second / 250
}

/// Samples of a second.
pub(super) fn whole(rate: Frequency) -> usize {
    usize::try_from(rate.as_hz()).unwrap_or(0)
}
