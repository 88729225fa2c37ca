use super::{AudioMut, AudioRef};

/// Full scale of 16-bit samples.
const SCALE: f32 = 32_768.0;

impl AudioRef<'_> {
    /// Writes interleaved samples into `out`; returns the samples per channel written.
    pub fn write_interleaved(&self, out: &mut [f32]) -> usize {
        self.write_as(out, |sample| sample)
    }

    /// Writes interleaved 16-bit samples into `out`, rounded and clipped; returns the samples per channel written.
    pub fn write_interleaved_i16(&self, out: &mut [i16]) -> usize {
        self.write_as(out, to_i16)
    }

    fn write_as<T>(&self, out: &mut [T], convert: impl Fn(f32) -> T) -> usize {
        let channels = self.channels();
        let len = self.samples().min(out.len() / channels);
        for (channel, plane) in self.planes().enumerate() {
            let slots = out.iter_mut().skip(channel).step_by(channels);
            for (slot, sample) in slots.zip(&plane[..len]) {
                *slot = convert(*sample);
            }
        }
        len
    }
}

impl AudioMut<'_> {
    /// Reads interleaved samples of as many channels as this view has; returns the samples per channel read.
    pub fn read_interleaved(&mut self, samples: &[f32]) -> usize {
        self.read_as(samples, |sample| sample)
    }

    /// Reads interleaved 16-bit samples of as many channels as this view has; returns the samples per channel read.
    pub fn read_interleaved_i16(&mut self, samples: &[i16]) -> usize {
        self.read_as(samples, |sample| f32::from(sample) / SCALE)
    }

    fn read_as<T: Copy>(&mut self, samples: &[T], convert: impl Fn(T) -> f32) -> usize {
        let channels = self.channels();
        let len = self.samples().min(samples.len() / channels);
        for (channel, plane) in self.planes_mut().enumerate() {
            let slots = plane[..len].iter_mut();
            if channels == 2 {
                slots.zip(samples.as_chunks::<2>().0).for_each(|(slot, pair)| *slot = convert(pair[channel]));
            } else {
                slots.zip(samples).for_each(|(slot, sample)| *slot = convert(*sample));
            }
        }
        len
    }
}

#[expect(clippy::cast_possible_truncation, reason = "float casts saturate, which is the clipping")]
fn to_i16(sample: f32) -> i16 {
    (sample * SCALE).round_ties_even() as i16
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Frequency;

    #[test]
    fn every_i16_survives_the_round_trip() {
        let all: Vec<i16> = (i16::MIN..=i16::MAX).collect();
        let mut plane = vec![0.0; all.len()];
        AudioMut::mono(&mut plane, Frequency::KHZ_48).read_interleaved_i16(&all);
        let mut back = vec![0; all.len()];
        AudioRef::mono(&plane, Frequency::KHZ_48).write_interleaved_i16(&mut back);
        assert_eq!(back, all);
    }

    #[test]
    fn stereo_interleaves_left_first() {
        let (left, right) = ([0.25, 0.5], [-0.25, -0.5]);
        let view = AudioRef::stereo(&left, &right, Frequency::KHZ_48).unwrap();
        let mut out = [0.0; 4];
        assert_eq!(view.write_interleaved(&mut out), 2);
        assert_eq!(out, [0.25, -0.25, 0.5, -0.5]);
    }

    #[test]
    fn out_of_range_samples_clip() {
        let mut out = [0; 3];
        AudioRef::mono(&[2.0, -2.0, f32::NAN], Frequency::KHZ_48).write_interleaved_i16(&mut out);
        assert_eq!(out, [i16::MAX, i16::MIN, 0]);
    }
}
