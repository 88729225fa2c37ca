use core::time::Duration;

use crate::testkit::rng::{Rng, exp};
use crate::{ConfigError, Frequency};

use super::level::amplitude;
use super::narrow;

/// The way from loudspeaker to microphone.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct EchoPathConfig {
    /// Sample rate. Default: 16 kHz.
    pub rate: Frequency,
    /// Time until the direct sound arrives: buffers of the device and way through the air. Default: 40 ms.
    pub delay: Duration,
    /// Time in which the reverberation falls by 60 dB. Default: 200 ms, a small office.
    pub rt60: Duration,
    /// Echo return loss: how much weaker white noise comes back, in decibels. Default: 6.
    pub return_loss: f64,
    /// Seed of the reflections. Default: 1.
    pub seed: u64,
}

impl Default for EchoPathConfig {
    fn default() -> Self {
        Self {
            rate: Frequency::KHZ_16,
            delay: Duration::from_millis(40),
            rt60: Duration::from_millis(200),
            return_loss: 6.0,
            seed: 1,
        }
    }
}

/// Reflections that arrive before the tail, and how long they may take.
const EARLY: usize = 8;
const EARLY_TIME: Duration = Duration::from_millis(20);

/// A room: direct sound, a few early reflections, a tail of noise that dies away exponentially.
#[derive(Debug, Clone)]
pub struct EchoPath {
    response: Vec<f32>,
    /// What was played: `delay` and length of the response back, oldest first.
    played: Vec<f32>,
}

impl EchoPath {
    /// A room of this seed.
    ///
    /// # Errors
    /// [`ConfigError`] if delay or reverberation are over ten seconds, or the return loss is not a number.
    pub fn new(config: EchoPathConfig) -> Result<Self, ConfigError> {
        const LIMIT: Duration = Duration::from_secs(10);
        if config.delay > LIMIT || config.rt60 > LIMIT {
            return Err(ConfigError::new("delay and rt60", "must be 10 s at most"));
        }
        if !config.return_loss.is_finite() {
            return Err(ConfigError::new("return_loss", "must be finite"));
        }
        let response = response(config);
        let played = vec![0.0; samples_in(config.rate, config.delay) + response.len() - 1];
        Ok(Self { response, played })
    }

    /// The response from the direct sound on, without the delay.
    #[must_use]
    pub fn response(&self) -> &[f32] {
        &self.response
    }

    /// Adds to `mic` the echo of `far`, which is played in the same moment; returns the samples done, the lesser of both.
    pub fn add_echo(&mut self, far: &[f32], mic: &mut [f32]) -> usize {
        let len = far.len().min(mic.len());
        self.played.extend_from_slice(&far[..len]);
        // Tap by tap: the inner loop is one the compiler can turn into vector instructions.
        for (from, weight) in self.response.iter().rev().enumerate() {
            let played = &self.played[from..from + len];
            for (sample, played) in mic[..len].iter_mut().zip(played) {
                *sample += weight * played;
            }
        }
        self.played.drain(..len);
        len
    }
}

fn response(config: EchoPathConfig) -> Vec<f32> {
    let hertz = f64::from(config.rate.as_hz());
    let rt60 = config.rt60.as_secs_f64();
    let len = samples_in(config.rate, config.rt60).max(1);
    // 60 dB are a factor of 1000 in amplitude.
    let decay = |at: f64| if rt60 > 0.0 { exp(-3.0 * core::f64::consts::LN_10 * at / rt60) } else { 0.0 };
    let mut rng = Rng::new(config.seed);
    let mut response = vec![0.0; len];
    response[0] = 1.0;
    for _ in 0..EARLY {
        let at = EARLY_TIME.mul_f64(rng.uniform());
        let sign = if rng.bool(0.5) { 0.5 } else { -0.5 };
        if let Some(tap) = response.get_mut(samples_in(config.rate, at)) {
            *tap += sign * decay(at.as_secs_f64());
        }
    }
    for (index, tap) in response.iter_mut().enumerate() {
        let at = index as f64 / hertz;
        if at > EARLY_TIME.as_secs_f64() {
            *tap += 0.1 * rng.normal() * decay(at);
        }
    }
    let energy: f64 = response.iter().map(|tap| tap * tap).sum();
    let scale = amplitude(-config.return_loss) / energy.sqrt();
    response.into_iter().map(|tap| narrow(tap * scale)).collect()
}

fn samples_in(rate: Frequency, time: Duration) -> usize {
    usize::try_from(rate.ticks_in(time)).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_impulse_comes_back_as_the_delayed_response() {
        let mut path = EchoPath::new(EchoPathConfig::default()).unwrap();
        let response = path.response().to_vec();
        let mut far = vec![0.0; 5_000];
        far[0] = 1.0;
        let mut mic = vec![0.25; 5_000];
        // In pieces, which must not matter.
        for (far, mic) in far.chunks(160).zip(mic.chunks_mut(160)) {
            assert_eq!(path.add_echo(far, mic), far.len());
        }
        for (n, sample) in mic.iter().enumerate() {
            let echo = n.checked_sub(640).and_then(|n| response.get(n)).unwrap_or(&0.0);
            assert!((sample - 0.25 - echo).abs() < 1e-7, "at {n}");
        }
    }

    #[test]
    fn return_loss_and_reverberation_are_as_told() {
        let rt60 = Duration::from_millis(300);
        let path = EchoPath::new(EchoPathConfig { return_loss: 10.0, rt60, ..EchoPathConfig::default() }).unwrap();
        let energy = |part: &[f32]| part.iter().map(|tap| f64::from(tap * tap)).sum::<f64>();
        assert!((energy(path.response()) - 0.1).abs() < 1e-6);
        // From 50-100 ms to 200-250 ms is half the time: 30 dB.
        let [early, late] = [800, 3_200].map(|from| energy(&path.response()[from..from + 800]));
        assert!((10.0 * (early / late).log10() - 30.0).abs() < 1.5);
    }

    #[test]
    fn impossible_rooms_are_refused() {
        let refused = |config| EchoPath::new(config).is_err();
        assert!(refused(EchoPathConfig { return_loss: f64::NAN, ..EchoPathConfig::default() }));
        assert!(refused(EchoPathConfig { delay: Duration::from_secs(11), ..EchoPathConfig::default() }));
    }
}
