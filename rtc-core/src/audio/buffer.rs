use crate::{ConfigError, Frequency};

use super::{AudioMut, AudioRef, MAX_CHANNELS};

/// Planar audio that owns its samples.
#[derive(Debug, Clone, PartialEq)]
pub struct AudioBuffer {
    planes: [Vec<f32>; MAX_CHANNELS],
    channels: usize,
    rate: Frequency,
}

impl AudioBuffer {
    /// Silence of `samples` per channel.
    ///
    /// # Errors
    /// [`ConfigError`] unless `channels` is 1 or 2.
    pub fn new(channels: usize, samples: usize, rate: Frequency) -> Result<Self, ConfigError> {
        let second = match channels {
            1 => 0,
            2 => samples,
            _ => return Err(ConfigError::new("channels", "must be 1 or 2")),
        };
        Ok(Self { planes: [vec![0.0; samples], vec![0.0; second]], channels, rate })
    }

    /// A copy of some audio.
    #[must_use]
    pub fn copy_of(audio: AudioRef<'_>) -> Self {
        Self { planes: audio.planes.map(<[f32]>::to_vec), channels: audio.channels, rate: audio.rate }
    }

    /// A shared view of all of it.
    #[must_use]
    pub fn as_ref(&self) -> AudioRef<'_> {
        let [left, right] = &self.planes;
        AudioRef { planes: [left, right], channels: self.channels, rate: self.rate }
    }

    /// An exclusive view of all of it.
    pub fn as_mut(&mut self) -> AudioMut<'_> {
        let [left, right] = &mut self.planes;
        AudioMut { planes: [left, right], channels: self.channels, rate: self.rate }
    }
}
