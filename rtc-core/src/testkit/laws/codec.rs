use crate::audio::{AudioBuffer, AudioRef};
use crate::codec::{AudioDecoder, AudioEncoder, EncodeError};
use crate::testkit::rng::Rng;
use crate::{Bitrate, Frequency};

use super::assert_same;
use super::sound::{is_finite, level, pattern, silence, speech};

const _: () = {
    const fn object_safe_and_send<T: Send + ?Sized>() {}
    object_safe_and_send::<dyn AudioEncoder>();
    object_safe_and_send::<dyn AudioDecoder>();
};

/// Room for a payload of a second of uncompressed stereo.
const ROOM: usize = 400_000;
/// What no decoder writes: proof that it wrote nothing.
const UNTOUCHED: f32 = 1_234.5;

/// The laws of [`AudioEncoder`] and [`AudioDecoder`] of one codec and format, with frames of `samples` per channel.
///
/// # Panics
/// If a law is broken, naming it.
pub fn audio_codec<E: AudioEncoder, D: AudioDecoder>(encoder: impl Fn() -> E, decoder: impl Fn() -> D, samples: usize) {
    let format = encoder().format();
    assert_eq!(format, decoder().format(), "encoder and decoder are of one format");
    let seconds = |seconds: usize| seconds * format.rate.as_hz() as usize / samples;
    let frames = speech(format, 1, seconds(3), samples);
    let payloads = encode(&mut encoder(), &frames);
    assert_same(&payloads, &encode(&mut encoder(), &frames), "the same audio gives the same payloads");
    let decoded = decode(&mut decoder(), &payloads, samples);
    assert_same(&decoded, &decode(&mut decoder(), &payloads, samples), "the same payloads give the same audio");
    let change = level(&decoded[seconds(1)..]) - level(&frames[seconds(1)..]);
    assert!(change.abs() < 3.0, "sound comes out as loud as it went in: {change:.1} dB");
    other_shapes_are_refused(&mut encoder(), &frames[0]);
    settings_do_no_harm(&mut encoder(), &mut decoder(), &frames);
    concealment_fills(&mut decoder(), &payloads, &decoded, samples);
    redundancy_is_whole_or_none(&mut decoder(), &payloads, samples);
    garbage_does_no_harm(&mut decoder(), &payloads, samples);
}

fn encode<E: AudioEncoder>(encoder: &mut E, frames: &[AudioBuffer]) -> Vec<Vec<u8>> {
    let mut out = vec![0; ROOM];
    let mut encode = |frame: &AudioBuffer| match encoder.encode(frame.as_ref(), &mut out) {
        Ok(encoded) => out[..encoded.len].to_vec(),
        Err(error) => panic!("a frame of the right shape can be encoded: {error}"),
    };
    frames.iter().map(&mut encode).collect()
}

fn decode<D: AudioDecoder>(decoder: &mut D, payloads: &[Vec<u8>], samples: usize) -> Vec<AudioBuffer> {
    let format = decoder.format();
    let mut decode = |payload: &Vec<u8>| {
        assert_eq!(decoder.samples_in(payload), Some(samples), "a payload holds the samples that were encoded");
        let mut out = pattern(format, &[UNTOUCHED], samples + 7);
        assert_eq!(decoder.decode(payload, out.as_mut()), Ok(samples), "a payload decodes to what it holds");
        assert!(untouched(out.as_ref().slice(samples, 7)), "what was not decoded is left alone");
        AudioBuffer::copy_of(out.as_ref().slice(0, samples))
    };
    payloads.iter().map(&mut decode).collect()
}

fn untouched(audio: AudioRef<'_>) -> bool {
    audio.planes().flatten().all(|sample| sample.to_bits() == UNTOUCHED.to_bits())
}

fn other_shapes_are_refused<E: AudioEncoder>(encoder: &mut E, frame: &AudioBuffer) {
    let (format, samples) = (encoder.format(), frame.as_ref().samples());
    let mut out = vec![0; ROOM];
    let mut refused = |audio: &AudioBuffer| encoder.encode(audio.as_ref(), &mut out) == Err(EncodeError::Shape);
    let mut other = format;
    other.channels = 3 - format.channels;
    assert!(refused(&silence(other, samples)), "a frame of other channels is refused");
    other = format;
    other.rate = Frequency::new(format.rate.as_hz() + 1_000).unwrap_or(format.rate);
    assert!(refused(&silence(other, samples)), "a frame of another rate is refused");
    assert_eq!(encoder.encode(frame.as_ref(), &mut []), Err(EncodeError::NoRoom), "a buffer without room is refused");
}

fn settings_do_no_harm<E: AudioEncoder, D: AudioDecoder>(encoder: &mut E, decoder: &mut D, frames: &[AudioBuffer]) {
    let rates = [Bitrate::ZERO, Bitrate::from_kbps(32), Bitrate::MAX];
    let losses = [0.0, 0.2, 1.0, -1.0, f32::INFINITY, f32::NAN];
    for (setting, frame) in frames.chunks_exact(5).enumerate().take(30) {
        encoder.set_bitrate(rates[setting % rates.len()]);
        encoder.set_expected_loss(losses[setting % losses.len()]);
        let payloads = encode(encoder, frame);
        decode(decoder, &payloads, frame[0].as_ref().samples());
    }
}

fn concealment_fills<D: AudioDecoder>(decoder: &mut D, payloads: &[Vec<u8>], decoded: &[AudioBuffer], samples: usize) {
    let format = decoder.format();
    let conceal = |decoder: &mut D, len: usize| {
        let mut out = pattern(format, &[f32::NAN], len);
        assert_eq!(decoder.conceal(out.as_mut()), len, "concealment fills all it is given");
        assert!(is_finite(&out), "concealment fills all it is given");
        out
    };
    for len in [samples, 1, 0] {
        conceal(decoder, len);
    }
    decode(decoder, payloads, samples);
    let made: Vec<AudioBuffer> = (0..100).map(|_| conceal(decoder, samples)).collect();
    let louder = level(&made) - level(decoded);
    assert!(louder < 6.0, "concealment is not louder than what it follows: {louder:.1} dB more");
    for len in [1, samples / 3, samples - 1, samples + 1, 5 * samples] {
        conceal(decoder, len);
        decode(decoder, &payloads[..1], samples);
    }
}

fn redundancy_is_whole_or_none<D: AudioDecoder>(decoder: &mut D, payloads: &[Vec<u8>], samples: usize) {
    let format = decoder.format();
    for (payload, offset) in payloads.iter().zip([0, 1, samples, 2 * samples, usize::MAX].iter().cycle()).take(50) {
        let mut out = pattern(format, &[UNTOUCHED], samples);
        match decoder.decode_redundant(payload, *offset, out.as_mut()) {
            None => assert!(untouched(out.as_ref()), "without redundancy nothing is written"),
            Some(len) => {
                let (made, rest) = (out.as_ref().slice(0, len), out.as_ref().slice(len, samples));
                assert!(
                    len <= samples && made.planes().flatten().all(|sample| sample.is_finite()),
                    "redundancy is sound"
                );
                assert!(untouched(rest), "what was not decoded is left alone");
            }
        }
    }
}

fn garbage_does_no_harm<D: AudioDecoder>(decoder: &mut D, payloads: &[Vec<u8>], samples: usize) {
    let format = decoder.format();
    let mut short = pattern(format, &[UNTOUCHED], samples - 1);
    assert!(decoder.decode(&payloads[0], short.as_mut()).is_err(), "a payload that does not fit is refused");
    let mut rng = Rng::new(1);
    for round in 0..500 {
        let mut payload = payloads[round % payloads.len()].clone();
        payload.truncate(rng.next_u32() as usize % (payload.len() + 1));
        let start = rng.next_u32() as usize % (payload.len() + 1);
        rng.fill(&mut payload[start..]);
        let held = decoder.samples_in(&payload);
        let mut out = pattern(format, &[UNTOUCHED], samples);
        if let Ok(len) = decoder.decode(&payload, out.as_mut()) {
            assert_eq!(held, Some(len), "a payload decodes to what it holds");
            assert!(is_finite(&out), "whatever is decoded is finite");
            assert!(untouched(out.as_ref().slice(len, samples)), "what was not decoded is left alone");
        }
        decoder.decode_redundant(&payload, samples, out.as_mut());
        assert_eq!(decoder.conceal(out.as_mut()), samples, "concealment fills all it is given");
    }
    decode(decoder, &payloads[..1], samples);
}
