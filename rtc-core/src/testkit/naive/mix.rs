use crate::audio::{AudioMut, AudioRef};
use crate::mix::Mixer;

/// Adds samples up and clips at full scale.
#[derive(Debug, Clone, Copy, Default)]
pub struct SaturatingSum;

impl Mixer for SaturatingSum {
    fn mix(&mut self, inputs: &[AudioRef<'_>], mut out: AudioMut<'_>) {
        out.silence();
        let (rate, channels) = (out.rate(), out.channels());
        for input in inputs.iter().filter(|input| input.rate() == rate) {
            for (channel, plane) in out.planes_mut().enumerate() {
                for (index, sample) in plane.iter_mut().enumerate().take(input.samples()) {
                    *sample += match (input.channels(), channels) {
                        (2, 1) => 0.5 * (input.plane(0)[index] + input.plane(1)[index]),
                        (1, _) => input.plane(0)[index],
                        _ => input.plane(channel)[index],
                    };
                }
            }
        }
        for sample in out.planes_mut().flatten() {
            *sample = sample.clamp(-1.0, 1.0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Frequency;

    #[test]
    fn sums_clips_and_spreads() {
        let rate = Frequency::KHZ_16;
        let (mono, left, right) = ([0.5, 0.75], [0.25, 0.5], [-0.25, 0.0]);
        let stereo = AudioRef::stereo(&left, &right, rate).unwrap();
        let inputs = [AudioRef::mono(&mono, rate), stereo, AudioRef::mono(&mono, Frequency::KHZ_8)];
        let (mut l, mut r) = ([9.0; 3], [9.0; 3]);
        SaturatingSum.mix(&inputs, AudioMut::stereo(&mut l, &mut r, rate).unwrap());
        assert_eq!((l, r), ([0.75, 1.0, 0.0], [0.25, 0.75, 0.0]));
        SaturatingSum.mix(&inputs, AudioMut::mono(&mut l, rate));
        assert_eq!(l, [0.5, 1.0, 0.0]);
    }
}
