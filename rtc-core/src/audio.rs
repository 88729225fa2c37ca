//! Audio as planar `f32` in memory the caller owns, and the roles that process it.

use core::ops::Range;

use crate::Frequency;

mod buffer;
mod convert;
mod process;

pub use buffer::AudioBuffer;
pub use process::{AudioProcessor, EchoCanceller};

/// Most channels a view can have: mono or stereo.
pub const MAX_CHANNELS: usize = 2;

/// Shared view of planar audio: one or two channels of equal length, samples nominally in -1.0..=1.0.
#[derive(Debug, Clone, Copy)]
pub struct AudioRef<'a> {
    planes: [&'a [f32]; MAX_CHANNELS],
    channels: usize,
    rate: Frequency,
}

impl<'a> AudioRef<'a> {
    /// One channel.
    #[must_use]
    pub const fn mono(samples: &'a [f32], rate: Frequency) -> Self {
        Self { planes: [samples, &[]], channels: 1, rate }
    }

    /// Two channels; `None` if their lengths differ.
    #[must_use]
    pub const fn stereo(left: &'a [f32], right: &'a [f32], rate: Frequency) -> Option<Self> {
        if left.len() != right.len() {
            return None;
        }
        Some(Self { planes: [left, right], channels: 2, rate })
    }

    /// The samples of one channel.
    ///
    /// # Panics
    /// If there is no such channel.
    #[must_use]
    pub fn plane(&self, channel: usize) -> &'a [f32] {
        self.planes[..self.channels][channel]
    }

    /// All channels.
    #[must_use]
    pub fn planes(&self) -> impl ExactSizeIterator<Item = &'a [f32]> + use<'a> {
        self.planes.into_iter().take(self.channels)
    }

    /// 1 or 2.
    #[must_use]
    pub const fn channels(&self) -> usize {
        self.channels
    }

    /// Samples per channel.
    #[must_use]
    pub const fn samples(&self) -> usize {
        self.planes[0].len()
    }

    /// Sample rate.
    #[must_use]
    pub const fn rate(&self) -> Frequency {
        self.rate
    }

    /// `len` samples per channel from `start` on, cut to what there is.
    #[must_use]
    pub fn slice(&self, start: usize, len: usize) -> Self {
        Self { planes: self.planes.map(|plane| &plane[cut(start, len, plane.len())]), ..*self }
    }
}

/// Exclusive view of planar audio: one or two channels of equal length, samples nominally in -1.0..=1.0.
#[derive(Debug)]
pub struct AudioMut<'a> {
    planes: [&'a mut [f32]; MAX_CHANNELS],
    channels: usize,
    rate: Frequency,
}

impl<'a> AudioMut<'a> {
    /// One channel.
    #[must_use]
    pub fn mono(samples: &'a mut [f32], rate: Frequency) -> Self {
        Self { planes: [samples, &mut []], channels: 1, rate }
    }

    /// Two channels; `None` if their lengths differ.
    #[must_use]
    pub fn stereo(left: &'a mut [f32], right: &'a mut [f32], rate: Frequency) -> Option<Self> {
        if left.len() != right.len() {
            return None;
        }
        Some(Self { planes: [left, right], channels: 2, rate })
    }

    /// The samples of one channel.
    ///
    /// # Panics
    /// If there is no such channel.
    pub fn plane_mut(&mut self, channel: usize) -> &mut [f32] {
        self.planes[..self.channels][channel]
    }

    /// All channels.
    pub fn planes_mut(&mut self) -> impl ExactSizeIterator<Item = &mut [f32]> {
        self.planes.iter_mut().take(self.channels).map(|plane| &mut **plane)
    }

    /// The same view for a shorter time.
    pub fn reborrow(&mut self) -> AudioMut<'_> {
        let [left, right] = &mut self.planes;
        AudioMut { planes: [left, right], channels: self.channels, rate: self.rate }
    }

    /// `len` samples per channel from `start` on, cut to what there is.
    pub fn slice_mut(&mut self, start: usize, len: usize) -> AudioMut<'_> {
        let planes = self.planes.each_mut().map(|plane| {
            let range = cut(start, len, plane.len());
            &mut plane[range]
        });
        AudioMut { planes, channels: self.channels, rate: self.rate }
    }

    /// Sets every sample to zero.
    pub fn silence(&mut self) {
        for plane in self.planes_mut() {
            plane.fill(0.0);
        }
    }

    /// Copies `source` in: as many samples as fit both; mono feeds both channels of stereo, stereo averages into mono.
    ///
    /// Returns the samples per channel copied; the rest is left as it was. Sample rates are not looked at.
    pub fn copy_from(&mut self, source: AudioRef<'_>) -> usize {
        let len = source.samples().min(self.samples());
        if self.channels == 1 && source.channels() == 2 {
            let (left, right) = (source.plane(0), source.plane(1));
            for ((out, l), r) in self.planes[0].iter_mut().zip(left).zip(right) {
                *out = 0.5 * (l + r);
            }
            return len;
        }
        for (channel, plane) in self.planes_mut().enumerate() {
            plane[..len].copy_from_slice(&source.plane(channel.min(source.channels() - 1))[..len]);
        }
        len
    }

    /// A shared view.
    #[must_use]
    pub fn as_ref(&self) -> AudioRef<'_> {
        let [left, right] = &self.planes;
        AudioRef { planes: [left, right], channels: self.channels, rate: self.rate }
    }

    /// 1 or 2.
    #[must_use]
    pub const fn channels(&self) -> usize {
        self.channels
    }

    /// Samples per channel.
    #[must_use]
    pub const fn samples(&self) -> usize {
        self.planes[0].len()
    }

    /// Sample rate.
    #[must_use]
    pub const fn rate(&self) -> Frequency {
        self.rate
    }
}

/// The range of `len` from `start` on, cut to what there is.
fn cut(start: usize, len: usize, available: usize) -> Range<usize> {
    let start = start.min(available);
    start..start.saturating_add(len).min(available)
}
