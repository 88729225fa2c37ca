use alloc::vec;
use alloc::vec::Vec;

use rtc_core::ConfigError;
use rtc_core::audio::{AudioBuffer, AudioMut, AudioRef};
use rtc_core::codec::AudioFormat;

/// Where a sample came from; the higher, the more it says about a piece it is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Origin {
    /// Silence before the first packet.
    Nothing = 1,
    /// Silence for want of packets.
    Silence = 2,
    /// Comfort noise that the sender described.
    Noise = 4,
    Packet = 8,
    /// A redundant copy in another packet.
    Copy = 16,
    Concealment = 32,
}

/// Which origins a piece has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Origins(u8);

impl Origins {
    fn of(samples: &[Origin]) -> Self {
        Self(samples.iter().fold(0, |all, origin| all | *origin as u8))
    }

    pub(super) fn has(self, origin: Origin) -> bool {
        self.0 & origin as u8 > 0
    }
}

/// Decoded audio: what was played last, for the time stretch to repeat, and what is to be played.
#[derive(Debug)]
pub(super) struct Held {
    audio: AudioBuffer,
    origins: Vec<Origin>,
    /// The side of a splice that is left.
    outgoing: Vec<f32>,
    samples: usize,
    history: usize,
    /// The next sample to play, and the end of the samples to play.
    start: usize,
    end: usize,
}

impl Held {
    /// Room for `history` played samples and `pending` samples to play.
    pub(super) fn new(format: AudioFormat, history: usize, pending: usize) -> Result<Self, ConfigError> {
        // Twice the need: samples are moved to the front once per `history + pending`, not each time.
        let samples = 2 * (history + pending);
        let audio = AudioBuffer::new(format.channels, samples, format.rate)?;
        let origins = vec![Origin::Nothing; samples];
        let outgoing = Vec::with_capacity(history + pending);
        Ok(Self { audio, origins, outgoing, samples, history, start: history, end: history })
    }

    /// Lets `write` fill up to `len` samples behind the end and say how many it wrote; returns that.
    ///
    /// `write` is not asked if there is no such room.
    pub(super) fn append(&mut self, origin: Origin, len: usize, write: impl FnOnce(AudioMut<'_>) -> usize) -> usize {
        if self.samples - self.end < len {
            self.compact();
        }
        if self.samples - self.end < len {
            return 0;
        }
        let written = write(self.audio.as_mut().slice_mut(self.end, len)).min(len);
        self.origins[self.end..self.end + written].fill(origin);
        self.end += written;
        written
    }

    /// Removes `count` samples at `offset` from the first sample to play.
    pub(super) fn cut(&mut self, offset: usize, count: usize) {
        let at = (self.start + offset).min(self.end);
        let count = count.min(self.end - at);
        for plane in self.audio.as_mut().planes_mut() {
            plane.copy_within(at + count..self.end, at);
        }
        self.origins.copy_within(at + count..self.end, at);
        self.end -= count;
    }

    /// Puts made-up audio before the samples to play that begin at `offset`; how many samples, all of them or none.
    pub(super) fn insert(&mut self, offset: usize, made_up: AudioRef<'_>) -> usize {
        let len = self.append(Origin::Concealment, made_up.samples(), |out| out.samples());
        let (at, end) = (self.start + offset, self.end - len);
        for (plane, made_up) in self.audio.as_mut().planes_mut().zip(made_up.planes()) {
            plane.copy_within(at..end, at + len);
            plane[at..at + len].copy_from_slice(&made_up[..len]);
        }
        self.origins.copy_within(at..end, at + len);
        self.origins[at..at + len].fill(Origin::Concealment);
        len
    }

    /// Blends `from` into the samples to play that begin at `offset`.
    pub(super) fn cross_fade(&mut self, offset: usize, from: AudioRef<'_>) {
        let len = from.samples().min(self.pending().saturating_sub(offset));
        let start = self.start + offset;
        for (plane, old) in self.audio.as_mut().planes_mut().zip(from.planes()) {
            blend(&old[..len], &mut plane[start..start + len]);
        }
    }

    /// `samples` were played.
    pub(super) fn advance(&mut self, samples: usize) {
        self.start += samples.min(self.pending());
    }

    /// Goes on from `jump` samples further on (or back, if negative), crossing over within `overlap` samples.
    ///
    /// The caller makes sure that there is history, or are pending samples, enough.
    pub(super) fn splice(&mut self, jump: isize, overlap: usize) {
        let Some(target) = self.start.checked_add_signed(jump) else {
            return;
        };
        if target + overlap > self.end || self.start + overlap > self.end {
            return;
        }
        for plane in self.audio.as_mut().planes_mut() {
            self.outgoing.clear();
            self.outgoing.extend_from_slice(&plane[self.start..self.start + overlap]);
            blend(&self.outgoing, &mut plane[target..target + overlap]);
        }
        self.start = target;
    }

    /// Where the next `len` samples to play came from, and how many of them were made up.
    pub(super) fn origins(&self, len: usize) -> (Origins, usize) {
        let next = &self.origins[self.start..(self.start + len).min(self.end)];
        let origins = Origins::of(next);
        let made_up = |origin: &&Origin| matches!(origin, Origin::Concealment | Origin::Silence);
        let any = origins.has(Origin::Concealment) || origins.has(Origin::Silence);
        (origins, if any { next.iter().filter(made_up).count() } else { 0 })
    }

    /// The next `len` samples to play.
    pub(super) fn next(&self, len: usize) -> AudioRef<'_> {
        self.audio.as_ref().slice(self.start, len.min(self.pending()))
    }

    /// Samples to play.
    pub(super) fn pending(&self) -> usize {
        self.end - self.start
    }

    /// All samples, and the place of the next to play.
    pub(super) fn around(&self) -> (AudioRef<'_>, usize) {
        (self.audio.as_ref().slice(0, self.end), self.start)
    }

    fn compact(&mut self) {
        let from = self.start.saturating_sub(self.history);
        for plane in self.audio.as_mut().planes_mut() {
            plane.copy_within(from..self.end, 0);
        }
        self.origins.copy_within(from..self.end, 0);
        self.start -= from;
        self.end -= from;
    }
}

/// Goes over from `old` to what is in `samples`, which are as many.
fn blend(old: &[f32], samples: &mut [f32]) {
    let len = samples.len();
    for (index, (sample, old)) in samples.iter_mut().zip(old).enumerate() {
        let weight = ramp(index, len);
        *sample = old * (1.0 - weight) + *sample * weight;
    }
}

/// Weight of the incoming side at `index` of a cross-fade over `len` samples: a smooth step without transcendental
/// functions, so the same on every machine.
pub(super) fn ramp(index: usize, len: usize) -> f32 {
    let x = (index as f32 + 0.5) / len as f32;
    x * x * (3.0 - 2.0 * x)
}

#[cfg(test)]
mod tests;
