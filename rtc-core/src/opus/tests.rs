use core::f32::consts::TAU;

use proptest::prelude::*;

use super::packet::OpusPacket;
use super::*;
use crate::audio::{AudioBuffer, AudioMut, AudioRef};
use crate::codec::{AudioDecoder, AudioEncoder, EncodeError, EncodedAudio};
use crate::{Bitrate, Fault};

const RATES: [u32; 5] = [8_000, 12_000, 16_000, 24_000, 48_000];

fn format(hertz: u32, channels: usize) -> AudioFormat {
    AudioFormat { rate: Frequency::new(hertz).unwrap(), channels }
}

fn config(hertz: u32, channels: usize, kbps: u64) -> OpusConfig {
    OpusConfig { format: format(hertz, channels), bitrate: Bitrate::from_kbps(kbps), ..OpusConfig::default() }
}

/// Something like a voice: harmonics under two formants, a gliding pitch, four syllables a second.
pub(super) fn voice(rate: Frequency, samples: usize) -> Vec<f32> {
    let hertz = rate.as_hz() as f32;
    let mut phase = 0.0;
    (0..samples)
        .map(|index| {
            let time = index as f32 / hertz;
            let pitch = 140.0 + 25.0 * (TAU * 0.7 * time).sin();
            phase = (phase + pitch / hertz).fract();
            let syllable = 0.15 + 0.85 * (TAU * 2.0 * time).sin().powi(2);
            let harmonics = (1..=24_u8).map(f32::from).map(|number| {
                let frequency = number * pitch;
                let formant = |centre: f32, width: f32| (-((frequency - centre) / width).powi(2)).exp();
                let gain = formant(600.0, 300.0) + 0.5 * formant(1_500.0, 400.0) + 0.02;
                if frequency < 0.45 * hertz { gain * (TAU * number * phase).sin() } else { 0.0 }
            });
            0.08 * syllable * harmonics.sum::<f32>()
        })
        .collect()
}

/// `samples` of `signal` from `start` on, on every channel; the second is quieter.
fn frame(signal: &[f32], start: usize, samples: usize, format: AudioFormat) -> AudioBuffer {
    let mut buffer = AudioBuffer::new(format.channels, samples, format.rate).unwrap();
    for channel in 0..format.channels {
        let gain = 1.0 / (channel + 1) as f32;
        for (out, sample) in buffer.as_mut().plane_mut(channel).iter_mut().zip(&signal[start..]) {
            *out = gain * sample;
        }
    }
    buffer
}

fn encode_all(encoder: &mut OpusEncoder, signal: &[f32], samples: usize) -> Vec<(Vec<u8>, bool)> {
    let format = encoder.format();
    let mut out = [0; 6 * 1_276];
    (0..signal.len() / samples)
        .map(|index| {
            let encoded = encoder.encode(frame(signal, index * samples, samples, format).as_ref(), &mut out).unwrap();
            (out[..encoded.len].to_vec(), encoded.silent)
        })
        .collect()
}

fn energy(samples: impl IntoIterator<Item = f32>) -> f32 {
    samples.into_iter().map(|sample| sample * sample).sum()
}

/// Signal to noise ratio in dB.
fn snr(reference: &[f32], other: &[f32]) -> f32 {
    let noise = energy(reference.iter().zip(other).map(|(a, b)| a - b));
    10.0 * (energy(reference.iter().copied()) / noise.max(1e-12)).log10()
}

#[test]
fn every_rate_channel_count_and_frame_length_goes_through() {
    for hertz in RATES {
        for channels in [1, 2] {
            for application in [OpusApplication::Voip, OpusApplication::Audio, OpusApplication::LowDelay] {
                let mut config = config(hertz, channels, 64);
                config.application = application;
                config.complexity = 1;
                let mut encoder = OpusEncoder::new(&config).unwrap();
                let mut decoder = OpusDecoder::new(config.format).unwrap();
                let signal = voice(config.format.rate, longest(config.format.rate));
                for units in [1, 2, 4, 8, 16, 24, 32, 40, 48] {
                    let samples = samples(config.format.rate, units);
                    for (payload, _) in encode_all(&mut encoder, &signal, samples) {
                        assert_eq!(decoder.samples_in(&payload), Some(samples));
                        let mut out = AudioBuffer::new(channels, samples, config.format.rate).unwrap();
                        assert_eq!(decoder.decode(&payload, out.as_mut()), Ok(samples), "{config:?} {units}");
                    }
                }
            }
        }
    }
}

#[test]
fn what_comes_out_is_what_went_in() {
    for (hertz, channels, kbps, least) in [(48_000, 1, 64, 15.0), (48_000, 2, 96, 15.0), (16_000, 1, 32, 10.0)] {
        let mut config = config(hertz, channels, kbps);
        config.application = OpusApplication::Audio;
        let mut encoder = OpusEncoder::new(&config).unwrap();
        let mut decoder = OpusDecoder::new(config.format).unwrap();
        let samples = samples(config.format.rate, 8);
        let signal = voice(config.format.rate, 100 * samples);
        let mut planes = vec![Vec::new(); channels];
        for (payload, _) in encode_all(&mut encoder, &signal, samples) {
            let mut out = AudioBuffer::new(channels, samples, config.format.rate).unwrap();
            decoder.decode(&payload, out.as_mut()).unwrap();
            for (plane, heard) in planes.iter_mut().zip(out.as_ref().planes()) {
                plane.extend_from_slice(heard);
            }
        }
        for (channel, plane) in planes.iter().enumerate() {
            let gain = 1.0 / (channel + 1) as f32;
            let sent: Vec<f32> = signal.iter().map(|sample| gain * sample).collect();
            // The first frames train the encoder.
            let start = 10 * samples;
            let ratio = snr(&sent[start..sent.len() - encoder.lookahead()], &plane[start + encoder.lookahead()..]);
            assert!(ratio > least, "{hertz} Hz, channel {channel}: {ratio} dB");
        }
    }
}

/// Decodes all payloads but the lost one, which `recover` fills in with the one after it at hand.
fn decode_with_loss(
    payloads: &[(Vec<u8>, bool)],
    lost: usize,
    samples: usize,
    format: AudioFormat,
    recover: impl Fn(&mut OpusDecoder, &[u8], AudioMut<'_>),
) -> Vec<f32> {
    let mut decoder = OpusDecoder::new(format).unwrap();
    let mut heard = AudioBuffer::new(format.channels, samples, format.rate).unwrap();
    let mut all = Vec::new();
    for (index, (payload, _)) in payloads.iter().enumerate() {
        if index == lost {
            recover(&mut decoder, &payloads[index + 1].0, heard.as_mut());
        } else {
            decoder.decode(payload, heard.as_mut()).unwrap();
        }
        all.extend_from_slice(heard.as_ref().plane(0));
    }
    all
}

#[test]
fn redundancy_brings_back_what_concealment_cannot() {
    let shapes = [(48_000, 1, 4, 40), (48_000, 1, 8, 32), (48_000, 2, 8, 48), (16_000, 1, 16, 24), (16_000, 1, 24, 24)];
    for (hertz, channels, units, kbps) in shapes {
        let mut config = config(hertz, channels, kbps);
        config.expected_loss = 0.2;
        let mut encoder = OpusEncoder::new(&config).unwrap();
        let samples = samples(config.format.rate, units);
        let payloads = encode_all(&mut encoder, &voice(config.format.rate, 3 * hertz as usize), samples);
        let whole = decode_with_loss(&payloads, usize::MAX, samples, config.format, |_, _, _| ());
        let (mut better, mut ratios, mut tried) = (0, 0.0, 0);
        for lost in (payloads.len() / 4..payloads.len() - 1).step_by(3) {
            // Only speech is worth a copy.
            if !OpusPacket::parse(&payloads[lost + 1].0).unwrap().has_lbrr() {
                continue;
            }
            let recovered = decode_with_loss(&payloads, lost, samples, config.format, |decoder, next, out| {
                assert_eq!(decoder.decode_redundant(next, samples, out), Some(samples));
            });
            let concealed = decode_with_loss(&payloads, lost, samples, config.format, |decoder, _, out| {
                assert_eq!(decoder.conceal(out), samples);
            });
            let here = lost * samples..(lost + 1) * samples;
            let recovered = snr(&whole[here.clone()], &recovered[here.clone()]);
            let concealed = snr(&whole[here.clone()], &concealed[here]);
            better += usize::from(recovered > concealed);
            ratios += recovered - concealed;
            tried += 1;
        }
        let gain = ratios / tried as f32;
        // The networks of feature `dred` now and then guess as well.
        assert!(
            10 * better >= 9 * tried && gain > 6.0,
            "{hertz} Hz, {channels}, {units}: {better} of {tried}, {gain} dB"
        );
    }
}

#[test]
fn no_redundancy_is_said_to_be_none() {
    let mut config = config(48_000, 1, 32);
    let samples = samples(config.format.rate, 8);
    let signal = voice(config.format.rate, 50 * samples);
    let mut out = AudioBuffer::new(1, samples, config.format.rate).unwrap();

    // No loss expected, so no copy is sent.
    let plain = encode_all(&mut OpusEncoder::new(&config).unwrap(), &signal, samples);
    let mut decoder = OpusDecoder::new(config.format).unwrap();
    for (payload, _) in &plain {
        assert_eq!(decoder.decode_redundant(payload, samples, out.as_mut()), None);
    }

    // Only one frame back, and only in SILK and hybrid mode.
    config.expected_loss = 0.2;
    let protected = encode_all(&mut OpusEncoder::new(&config).unwrap(), &signal, samples);
    config.application = OpusApplication::LowDelay;
    let celt = encode_all(&mut OpusEncoder::new(&config).unwrap(), &signal, samples);
    let (last, _) = protected.iter().rfind(|(payload, _)| OpusPacket::parse(payload).unwrap().has_lbrr()).unwrap();
    for offset in [0, 1, samples - 1, samples + 1, 2 * samples, usize::MAX] {
        assert_eq!(decoder.decode_redundant(last, offset, out.as_mut()), None);
    }
    assert_eq!(decoder.decode_redundant(&celt[49].0, samples, out.as_mut()), None);
    assert_eq!(decoder.decode_redundant(&[], samples, out.as_mut()), None);
    assert!(out.as_ref().plane(0).iter().all(|sample| *sample == 0.0), "nothing written");

    decoder.decode(&celt[49].0, out.as_mut()).unwrap();
    assert_eq!(decoder.decode_redundant(last, samples, out.as_mut()), None);
    decoder.decode(last, out.as_mut()).unwrap();
    assert_eq!(decoder.decode_redundant(last, samples, out.as_mut()), Some(samples));
    let mut half = AudioBuffer::new(1, samples / 2, config.format.rate).unwrap();
    assert_eq!(decoder.decode_redundant(last, samples, half.as_mut()), Some(samples / 2));
}

#[test]
fn silence_need_not_be_sent() {
    for (hertz, channels, complexity) in [(48_000, 1, 9), (48_000, 2, 9), (16_000, 1, 3)] {
        let mut config = config(hertz, channels, 32);
        config.dtx = true;
        config.complexity = complexity;
        let samples = samples(config.format.rate, 8);
        let mut encoder = OpusEncoder::new(&config).unwrap();
        let speech = encode_all(&mut encoder, &voice(config.format.rate, 100 * samples), samples);
        assert!(speech.iter().all(|(_, silent)| !silent), "{hertz} Hz: speech is sent");
        let silence = encode_all(&mut encoder, &vec![0.0; 200 * samples], samples);
        let silent = silence.iter().filter(|(_, silent)| *silent).count();
        assert!(silent > 150, "{hertz} Hz: {silent} of 200");
        let mut decoder = OpusDecoder::new(config.format).unwrap();
        let mut out = AudioBuffer::new(channels, samples, config.format.rate).unwrap();
        for (payload, _) in speech.iter().chain(&silence) {
            assert_eq!(decoder.decode(payload, out.as_mut()), Ok(samples));
        }
        assert!(energy(out.as_ref().plane(0).iter().copied()) < 1e-3);
    }
}

#[test]
fn packets_are_as_large_as_the_bitrate_says() {
    let rate = Frequency::KHZ_48;
    let samples = samples(rate, 8);
    let signal = voice(rate, 200 * samples);
    let mut last = 0.0;
    for kbps in [8, 16, 32, 64, 128] {
        let mut encoder = OpusEncoder::new(&config(48_000, 1, 32)).unwrap();
        encoder.set_bitrate(Bitrate::from_kbps(kbps));
        let bytes: usize = encode_all(&mut encoder, &signal, samples).iter().map(|(payload, _)| payload.len()).sum();
        let real = bytes as f64 * 8.0 / 4.0;
        assert!((0.7..1.3).contains(&(real / (kbps * 1_000) as f64)), "{kbps} kb/s gave {real}");
        assert!(real > last);
        last = real;
    }

    let mut constant = config(48_000, 1, 24);
    constant.vbr = false;
    for (payload, _) in encode_all(&mut OpusEncoder::new(&constant).unwrap(), &signal, samples) {
        assert_eq!(payload.len(), 60);
    }
}

#[test]
fn the_lowest_rate_still_sounds_in_the_shortest_frames() {
    let mut encoder = OpusEncoder::new(&config(48_000, 1, 6)).unwrap();
    for (payload, silent) in encode_all(&mut encoder, &voice(Frequency::KHZ_48, 4_800), 120) {
        assert!(!silent && payload.len() >= 3);
    }
    encoder.set_bitrate(Bitrate::ZERO);
    assert_eq!(encoder.bitrate(), Bitrate::from_kbps(6));
    encoder.set_bitrate(Bitrate::MAX);
    assert_eq!(encoder.bitrate(), Bitrate::from_kbps(510));
    encoder.set_expected_loss(f32::NAN);
    encoder.set_expected_loss(7.0);
}

#[test]
fn frames_of_another_shape_are_refused() {
    let mut encoder = OpusEncoder::new(&config(48_000, 1, 32)).unwrap();
    let mut out = [0; 1_275];
    for (hertz, channels, samples) in
        [(48_000, 1, 959), (48_000, 1, 0), (48_000, 2, 960), (16_000, 1, 320), (48_000, 1, 7_200)]
    {
        let frame = AudioBuffer::new(channels, samples, Frequency::new(hertz).unwrap()).unwrap();
        assert_eq!(encoder.encode(frame.as_ref(), &mut out), Err(EncodeError::Shape));
    }
    let frame = AudioBuffer::new(1, 960, Frequency::KHZ_48).unwrap();
    assert_eq!(encoder.encode(frame.as_ref(), &mut out[..2]), Err(EncodeError::NoRoom));
    let long = AudioBuffer::new(1, 5_760, Frequency::KHZ_48).unwrap();
    assert_eq!(encoder.encode(long.as_ref(), &mut out[..37]), Err(EncodeError::NoRoom));
    for (frame, room) in [(frame, 3), (long, 38)] {
        let voice = voice(Frequency::KHZ_48, frame.as_ref().samples());
        let encoded = encoder.encode(AudioRef::mono(&voice, Frequency::KHZ_48), &mut out[..room]);
        assert!(matches!(encoded, Ok(EncodedAudio { len, silent: false }) if len <= room), "{encoded:?}");
    }
}

#[test]
fn impossible_settings_are_refused() {
    let refused = |change: fn(&mut OpusConfig)| {
        let mut config = OpusConfig::default();
        change(&mut config);
        OpusEncoder::new(&config).err().map(|error| error.setting())
    };
    assert_eq!(refused(|_| ()), None);
    assert_eq!(refused(|config| config.format.rate = Frequency::new(44_100).unwrap()), Some("rate"));
    assert_eq!(refused(|config| config.format.channels = 3), Some("channels"));
    assert_eq!(refused(|config| config.bitrate = Bitrate::from_kbps(5)), Some("bitrate"));
    assert_eq!(refused(|config| config.complexity = 11), Some("complexity"));
    assert_eq!(refused(|config| config.expected_loss = f32::NAN), Some("expected_loss"));
    assert!(OpusDecoder::new(format(44_100, 1)).is_err());
    assert!(OpusDecoder::new(format(48_000, 0)).is_err());
}

#[test]
fn concealment_fills_any_length_and_nothing_beyond() {
    let config = config(48_000, 2, 64);
    let payloads = encode_all(&mut OpusEncoder::new(&config).unwrap(), &voice(Frequency::KHZ_48, 48_000), 960);
    for samples in [1, 119, 120, 121, 480, 960, 1_000, 2_880, 5_760, 5_761, 20_000] {
        let mut decoder = OpusDecoder::new(config.format).unwrap();
        let mut out = AudioBuffer::new(2, samples.max(960), config.format.rate).unwrap();
        for (payload, _) in &payloads {
            decoder.decode(payload, out.as_mut()).unwrap();
        }
        let mut planes = [vec![9.0; samples + 1], vec![9.0; samples + 1]];
        let [left, right] = &mut planes;
        let view = AudioMut::stereo(&mut left[..samples], &mut right[..samples], config.format.rate).unwrap();
        assert_eq!(decoder.conceal(view), samples);
        for plane in &planes {
            assert!(plane[..samples].iter().all(|sample| sample.abs() < 2.0), "{samples}: all filled");
            assert_eq!(plane[samples], 9.0, "{samples}: nothing beyond");
        }
        assert!(samples < 100 || energy(planes[0][..samples].iter().copied()) > 0.0, "{samples}: continues");
    }
}

#[test]
fn output_of_another_format_is_left_alone() {
    let config = config(48_000, 1, 32);
    let payload = &encode_all(&mut OpusEncoder::new(&config).unwrap(), &voice(Frequency::KHZ_48, 960), 960)[0].0;
    let mut decoder = OpusDecoder::new(config.format).unwrap();
    for mut out in
        [AudioBuffer::new(2, 960, Frequency::KHZ_48), AudioBuffer::new(1, 960, Frequency::KHZ_16)].map(Result::unwrap)
    {
        assert_eq!(decoder.decode(payload, out.as_mut()).map_err(|error| error.fault()), Err(Fault::Inconsistent));
        assert_eq!(decoder.conceal(out.as_mut()), 0);
    }
    let mut short = AudioBuffer::new(1, 959, Frequency::KHZ_48).unwrap();
    assert_eq!(decoder.decode(payload, short.as_mut()).map_err(|error| error.fault()), Err(Fault::Length));
    assert_eq!(short, AudioBuffer::new(1, 959, Frequency::KHZ_48).unwrap());
}

/// A payload that may be taken for Opus: any TOC, frame counts and lengths that often fit.
fn payload() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        proptest::collection::vec(any::<u8>(), 0..64),
        (any::<u8>(), 0..8_u8, proptest::collection::vec(0..40_u8, 0..1_400))
            .prop_map(|(toc, head, body)| { [vec![toc, head | (toc & 0xc0)], body].concat() }),
    ]
}

proptest! {
    #[test]
    fn framing_is_read_as_the_library_reads_it(payload in payload()) {
        let ours = OpusPacket::parse(&payload).ok().map(|packet| packet.samples(Frequency::KHZ_48));
        // The parser has no limit of 120 ms and the counter does not look at lengths: both must agree.
        let parsed = ::opus::packet::parse(&payload).is_ok();
        let counted = ::opus::packet::get_nb_samples(&payload, 48_000).ok();
        prop_assert_eq!(ours, counted.filter(|_| parsed));
    }

    #[test]
    fn no_payload_panics_or_writes_beyond_the_output(
        payloads in proptest::collection::vec(payload(), 1..6),
        room in 0..3_000_usize,
        channels in 1..=2_usize,
        hertz in proptest::sample::select(&RATES[..]),
    ) {
        let mut decoder = OpusDecoder::new(format(hertz, channels)).unwrap();
        for payload in payloads {
            let mut planes = vec![vec![9.0; room + 8]; channels];
            let mut views = planes.iter_mut().map(|plane| &mut plane[..room]);
            let rate = decoder.format().rate;
            let view = match (views.next(), views.next()) {
                (Some(left), Some(right)) => AudioMut::stereo(left, right, rate),
                (Some(only), _) => Some(AudioMut::mono(only, rate)),
                _ => None,
            };
            let mut view = view.unwrap();
            let holds = decoder.samples_in(&payload);
            decoder.decode_redundant(&payload, holds.unwrap_or(0), view.reborrow());
            match decoder.decode(&payload, view.reborrow()) {
                Ok(samples) => prop_assert_eq!(Some(samples), holds),
                Err(error) => prop_assert_eq!(error.format(), "Opus"),
            }
            prop_assert_eq!(decoder.conceal(view), room);
            for plane in planes {
                prop_assert!(plane[room..].iter().all(|sample| *sample == 9.0));
            }
        }
    }
}
