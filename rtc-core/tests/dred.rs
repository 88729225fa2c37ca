//! What deep redundancy of Opus brings back, and what it costs. Speech is generated, so all is the same everywhere but for
//! the last digits of libopus.

#![expect(clippy::unwrap_used, reason = "a test ends at the first surprise")]

use core::f32::consts::PI;
use core::time::Duration;

use rtc_core::audio::{AudioBuffer, AudioRef};
use rtc_core::codec::{AudioDecoder, AudioEncoder, AudioFormat};
use rtc_core::opus::{OpusConfig, OpusDecoder, OpusEncoder, Redundancy, dred_bitrate, dred_span};
use rtc_core::testkit::rng::Rng;
use rtc_core::testkit::signal::Speech;
use rtc_core::{Bitrate, Frequency};

const RATE: Frequency = Frequency::KHZ_16;
/// Samples of 20 ms.
const PTIME: usize = 320;
const STEP: usize = 40;
const SECOND: Duration = Duration::from_secs(1);

fn config(kbps: u64, redundancy: Redundancy) -> OpusConfig {
    let mut config = OpusConfig::default();
    config.format = AudioFormat { rate: RATE, channels: 1 };
    config.bitrate = Bitrate::from_kbps(kbps);
    config.redundancy = redundancy;
    config
}

fn speech(seconds: usize) -> Vec<f32> {
    Speech::new(RATE, 1).take(seconds * 16_000).collect()
}

fn encode(config: &OpusConfig, signal: &[f32], ptime: usize) -> Vec<Vec<u8>> {
    let mut encoder = OpusEncoder::new(config).unwrap();
    let mut out = [0; 2_000];
    let frames = signal.chunks_exact(ptime);
    frames
        .map(|frame| {
            let encoded = encoder.encode(AudioRef::mono(frame, RATE), &mut out).unwrap();
            out[..encoded.len].to_vec()
        })
        .collect()
}

fn decoder() -> OpusDecoder {
    OpusDecoder::new(AudioFormat { rate: RATE, channels: 1 }).unwrap()
}

/// A decoder that has played the first `count` payloads.
fn decoder_after(payloads: &[Vec<u8>], count: usize) -> OpusDecoder {
    let mut decoder = decoder();
    let mut out = buffer(PTIME);
    for payload in &payloads[..count] {
        decoder.decode(payload, out.as_mut()).unwrap();
    }
    decoder
}

fn buffer(samples: usize) -> AudioBuffer {
    AudioBuffer::new(1, samples, RATE).unwrap()
}

/// Real bit rate in kb/s, and the median span in milliseconds of packets in the middle of speech.
fn measure(config: &OpusConfig, ptime: usize) -> (f64, usize) {
    let signal = speech(8);
    let payloads = encode(config, &signal, ptime);
    let bytes: usize = payloads.iter().map(Vec::len).sum();
    let mut decoder = decoder();
    let mut spans: Vec<usize> =
        payloads[payloads.len() / 4..].iter().map(|payload| decoder.dred_in(payload).end).collect();
    spans.sort_unstable();
    (bytes as f64 * 8.0 / 8_000.0, spans[spans.len() / 2] / 16)
}

#[test]
fn the_span_is_what_the_table_says() {
    for (ptime, rates) in [(160, &[40, 44, 56, 64, 80][..]), (320, &[20, 24, 28, 36, 44, 64])] {
        let packet = RATE.duration_of(ptime as u64);
        for kbps in rates {
            let (real, span) = measure(&config(*kbps, Redundancy::Dred { span: 2 * SECOND }), ptime);
            let told = dred_span(Bitrate::from_kbps(*kbps), packet).as_millis() as usize;
            assert!(span.abs_diff(told) <= told / 4 + 20, "{kbps} kb/s in {packet:?}: {span} ms, told {told} ms");
            assert!(real < 1.1 * *kbps as f64, "{kbps} kb/s in {packet:?}: {real} kb/s");
        }
    }
}

#[test]
fn what_the_rate_does_not_pay_for_is_not_sent() {
    for (ptime, kbps) in [(40, 64), (80, 64), (160, 28), (160, 34), (320, 16), (320, 19)] {
        let (real, span) = measure(&config(kbps, Redundancy::Dred { span: SECOND }), ptime);
        assert_eq!(span, 0, "{kbps} kb/s, {ptime} samples");
        assert!(real < 1.1 * kbps as f64, "{kbps} kb/s, {ptime} samples: {real} kb/s");
    }
}

#[test]
fn no_more_is_sent_than_asked_for() {
    let span = |redundancy| measure(&config(44, redundancy), PTIME).1;
    assert_eq!(span(Redundancy::None), 0);
    assert_eq!(span(Redundancy::Lbrr), 0);
    assert_eq!(span(Redundancy::Dred { span: Duration::ZERO }), 0);
    let part = span(Redundancy::Dred { span: Duration::from_millis(300) });
    assert!((270..=340).contains(&part), "{part} ms");
    assert!(span(Redundancy::Dred { span: SECOND }) > 600);
}

#[test]
fn the_table_answers_both_ways() {
    let packet = Duration::from_millis(20);
    for millis in [10, 100, 300, 900] {
        let rate = dred_bitrate(Duration::from_millis(millis), packet).unwrap();
        assert!(dred_span(rate, packet) >= Duration::from_millis(millis));
    }
    assert_eq!(dred_bitrate(2 * SECOND, packet), None);
    assert_eq!(dred_bitrate(Duration::from_millis(50), Duration::from_millis(5)), None);
    // Between two measured rates the lesser span counts.
    assert_eq!(dred_span(Bitrate::from_kbps(29), packet), dred_span(Bitrate::from_kbps(30), packet));
    assert_eq!(dred_span(Bitrate::from_kbps(19), packet), Duration::ZERO);
    assert_eq!(dred_span(Bitrate::from_kbps(500), packet), dred_span(Bitrate::from_kbps(80), packet));
}

#[test]
fn copies_are_had_at_any_offset_of_the_span_and_nowhere_else() {
    let payloads = encode(&config(44, Redundancy::Dred { span: SECOND }), &speech(4), PTIME);
    let later = payloads.iter().rposition(|payload| decoder().dred_in(payload).len() > 10 * PTIME).unwrap();
    let known = decoder().dred_in(&payloads[later]);
    for offset in (0..known.end + 10 * STEP).step_by(STEP) {
        let mut decoder = decoder_after(&payloads, later - 20);
        let mut out = buffer(PTIME);
        let copied = decoder.decode_redundant(&payloads[later], offset, out.as_mut());
        let there = offset > known.start && offset <= known.end;
        assert_eq!(copied, there.then(|| PTIME.min(offset - known.start)), "offset {offset} of {known:?}");
        if copied.is_none() {
            assert!(out.as_ref().plane(0).iter().all(|sample| *sample == 0.0), "nothing written");
        }
    }
    let mut out = buffer(PTIME);
    let mut decoder = decoder_after(&payloads, later - 20);
    assert_eq!(decoder.decode_redundant(&payloads[later], usize::MAX, out.as_mut()), None);
    // A step that is not whole is not written.
    let mut part = buffer(2 * STEP + 7);
    assert_eq!(decoder.decode_redundant(&payloads[later], PTIME * 2, part.as_mut()), Some(2 * STEP));
    // All at once, too: as much as one packet may hold.
    let mut long = buffer(10 * PTIME);
    assert_eq!(decoder.decode_redundant(&payloads[later], known.end, long.as_mut()), Some(6 * PTIME));
}

#[test]
fn without_a_voice_to_go_on_with_there_are_no_copies() {
    let payloads = encode(&config(44, Redundancy::Dred { span: SECOND }), &speech(4), PTIME);
    let later = payloads.iter().rposition(|payload| decoder().dred_in(payload).len() > 10 * PTIME).unwrap();
    let mut out = buffer(PTIME);
    assert_eq!(decoder().decode_redundant(&payloads[later], 5 * PTIME, out.as_mut()), None, "nothing was played");

    let mut narrow = config(8, Redundancy::None);
    narrow.max_playback_rate = Frequency::KHZ_8;
    let mut decoder = decoder_after(&encode(&narrow, &speech(1), PTIME), 50);
    assert_eq!(decoder.decode_redundant(&payloads[later], 5 * PTIME, out.as_mut()), None, "networks need wideband");
    decoder.decode(&payloads[later], out.as_mut()).unwrap();
    assert!(decoder.decode_redundant(&payloads[later], 5 * PTIME, out.as_mut()).is_some());
}

/// Powers of 20 bands of 400 Hz of 20 ms, in dB over what is not heard.
fn bands(frame: &[f32]) -> Vec<f32> {
    let window = |index: usize| 0.5 - 0.5 * (2.0 * PI * (index as f32 + 0.5) / PTIME as f32).cos();
    let power = |bin: usize| {
        let (mut re, mut im) = (0.0, 0.0);
        for (index, sample) in frame.iter().enumerate() {
            let (sin, cos) = (2.0 * PI * ((bin * index) % PTIME) as f32 / PTIME as f32).sin_cos();
            re += window(index) * sample * cos;
            im += window(index) * sample * sin;
        }
        re * re + im * im
    };
    (0..20).map(|band| 10.0 * ((8 * band..8 * band + 8).map(power).sum::<f32>() + 1e-2).log10()).collect()
}

/// Root mean square distance of two spectra in dB (log-spectral distance).
fn distance(one: &[f32], other: &[f32]) -> f64 {
    let (one, other) = (bands(one), bands(other));
    let squares: f32 = one.iter().zip(&other).map(|(one, other)| (one - other).powi(2)).sum();
    f64::from(squares / one.len() as f32).sqrt()
}

/// Loses payloads at random and plays the rest 300 ms later, with the nearest later one's help or without; returns the mean
/// distance of what was lost to what it would have been, of loud frames, and the part that was covered.
fn play_with_loss(payloads: &[Vec<u8>], loss: f64, deep: bool) -> (f64, f64) {
    let mut out = buffer(PTIME);
    let mut whole = decoder();
    let (mut decoder, mut rng) = (decoder(), Rng::new(7));
    let arrived: Vec<bool> = payloads.iter().map(|_| rng.uniform() >= loss).collect();
    let (mut distances, mut lost, mut covered) = (0.0, 0.0, 0.0);
    for (index, payload) in payloads.iter().enumerate() {
        whole.decode(payload, out.as_mut()).unwrap();
        let real = out.as_ref().plane(0).to_vec();
        if arrived[index] {
            decoder.decode(payload, out.as_mut()).unwrap();
            continue;
        }
        let later = (index + 1..payloads.len().min(index + 15)).find(|later| arrived[*later]).filter(|_| deep);
        let copy = later.and_then(|later| {
            decoder
                .decode_redundant(&payloads[later], (later - index) * PTIME, out.as_mut())
                .filter(|len| *len == PTIME)
        });
        if copy.is_none() {
            decoder.conceal(out.as_mut());
        }
        // What nobody hears cannot be unlike.
        if real.iter().map(|sample| sample * sample).sum::<f32>() > 1e-4 * PTIME as f32 {
            lost += 1.0;
            covered += f64::from(u8::from(copy.is_some()));
            distances += distance(&real, out.as_ref().plane(0));
        }
    }
    (distances / lost, covered / lost)
}

#[test]
fn what_comes_back_resembles_what_was_said() {
    let payloads = encode(&config(28, Redundancy::Dred { span: SECOND }), &speech(20), PTIME);
    for (loss, cover, gain) in [(0.3, 0.9, 1.2), (0.7, 0.8, 1.5)] {
        let (copied, covered) = play_with_loss(&payloads, loss, true);
        let (concealed, none) = play_with_loss(&payloads, loss, false);
        println!("{loss}: {copied:.2} dB with DRED ({covered:.3} covered), {concealed:.2} dB concealed");
        assert_eq!(none, 0.0);
        assert!(covered > cover, "{loss}: {covered}");
        assert!(concealed > gain * copied, "{loss}: {copied} dB with DRED, {concealed} dB concealed");
    }
}

#[test]
fn no_bytes_do_harm() {
    let payloads = encode(&config(44, Redundancy::Dred { span: SECOND }), &speech(3), PTIME);
    let mut decoder = decoder_after(&payloads, 50);
    let mut rng = Rng::new(3);
    let mut copied = 0;
    for round in 0..2_000 {
        let mut payload = payloads[100 + round % 50].clone();
        // The redundancy is at the end, behind the audio.
        for _ in 0..=rng.next_u32() % 4 {
            let from = if round % 2 == 0 { payload.len() / 2 } else { 0 };
            let at = from + rng.next_u32() as usize % (payload.len() - from);
            payload[at] = rng.next_u32().to_le_bytes()[0];
        }
        let mut out = buffer(PTIME);
        let known = decoder.dred_in(&payload);
        assert!(known.start <= known.end);
        for offset in [PTIME, 5 * PTIME, known.end] {
            copied += decoder.decode_redundant(&payload, offset, out.as_mut()).unwrap_or(0);
            assert!(out.as_ref().plane(0).iter().all(|sample| sample.is_finite()));
        }
    }
    assert!(copied > 0);
}
