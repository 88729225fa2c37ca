use proptest::collection::vec;
use proptest::prelude::*;
use rtc_core::Frequency;
use rtc_core::audio::{AudioBuffer, AudioMut, AudioRef};

fn audio() -> impl Strategy<Value = AudioBuffer> {
    (1..=2_usize, vec(any::<[f32; 2]>(), 0..50)).prop_map(|(channels, samples)| {
        let mut buffer = AudioBuffer::new(channels, samples.len(), Frequency::KHZ_48).unwrap();
        for channel in 0..channels {
            let mut view = buffer.as_mut();
            view.plane_mut(channel).iter_mut().zip(&samples).for_each(|(out, sample)| *out = sample[channel]);
        }
        buffer
    })
}

fn planes(audio: AudioRef<'_>) -> Vec<Vec<u32>> {
    // Compared as bits: not-a-number must survive too.
    audio.planes().map(|plane| plane.iter().map(|sample| sample.to_bits()).collect()).collect()
}

proptest! {
    #[test]
    fn interleaving_and_back_changes_nothing(audio in audio()) {
        let view = audio.as_ref();
        let mut interleaved = vec![0.0; view.channels() * view.samples()];
        prop_assert_eq!(view.write_interleaved(&mut interleaved), view.samples());
        for (index, sample) in interleaved.iter().enumerate() {
            let expected = view.plane(index % view.channels())[index / view.channels()];
            prop_assert_eq!(sample.to_bits(), expected.to_bits());
        }
        let mut back = AudioBuffer::new(view.channels(), view.samples(), view.rate()).unwrap();
        prop_assert_eq!(back.as_mut().read_interleaved(&interleaved), view.samples());
        prop_assert_eq!(planes(back.as_ref()), planes(view));
    }

    #[test]
    fn sixteen_bits_survive_any_number_of_channels(channels in 1..=2_usize, samples in vec(any::<i16>(), 0..100)) {
        let mut buffer = AudioBuffer::new(channels, samples.len() / channels, Frequency::KHZ_16).unwrap();
        let read = buffer.as_mut().read_interleaved_i16(&samples);
        let mut back = vec![0; samples.len()];
        prop_assert_eq!(buffer.as_ref().write_interleaved_i16(&mut back), read);
        prop_assert_eq!(&back[..read * channels], &samples[..read * channels]);
    }

    #[test]
    fn short_output_takes_whole_samples_only(audio in audio(), room in 0..120_usize) {
        let view = audio.as_ref();
        let mut out = vec![9.0; room];
        let written = view.write_interleaved(&mut out);
        prop_assert_eq!(written, view.samples().min(room / view.channels()));
        prop_assert!(out[written * view.channels()..].iter().all(|sample| *sample == 9.0));
    }

    #[test]
    fn slices_are_those_of_the_planes(audio in audio(), start: usize, len: usize, small in any::<[u8; 2]>()) {
        for (start, len) in [(start, len), (usize::from(small[0]), usize::from(small[1])), (0, usize::MAX)] {
            let expected: Vec<Vec<u32>> =
                planes(audio.as_ref()).iter().map(|plane| plane.iter().skip(start).take(len).copied().collect()).collect();
            prop_assert_eq!(&planes(audio.as_ref().slice(start, len)), &expected);
            let mut copy = AudioBuffer::copy_of(audio.as_ref());
            prop_assert_eq!(&planes(copy.as_mut().slice_mut(start, len).as_ref()), &expected);
        }
    }

    #[test]
    fn copying_fits_channels_and_length(source in audio(), channels in 1..=2_usize, samples in 0..60_usize) {
        let mut copy = AudioBuffer::new(channels, samples, Frequency::KHZ_48).unwrap();
        let copied = copy.as_mut().copy_from(source.as_ref());
        prop_assert_eq!(copied, samples.min(source.as_ref().samples()));
        let from = source.as_ref();
        for channel in 0..channels {
            for index in 0..copied {
                let expected = match (from.channels(), channels) {
                    (2, 1) => 0.5 * (from.plane(0)[index] + from.plane(1)[index]),
                    (1, _) => from.plane(0)[index],
                    _ => from.plane(channel)[index],
                };
                prop_assert_eq!(copy.as_ref().plane(channel)[index].to_bits(), expected.to_bits());
            }
            prop_assert!(copy.as_ref().plane(channel)[copied..].iter().all(|sample| *sample == 0.0));
        }
    }

    #[test]
    fn stereo_needs_equal_lengths(left in 0..9_usize, right in 0..9_usize) {
        let (mut l, mut r) = (vec![0.0; left], vec![0.0; right]);
        prop_assert_eq!(AudioRef::stereo(&l, &r, Frequency::KHZ_8).is_some(), left == right);
        prop_assert_eq!(AudioMut::stereo(&mut l, &mut r, Frequency::KHZ_8).is_some(), left == right);
    }
}
