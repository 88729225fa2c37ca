//! Where real audio takes over from what was made up, a voice goes on: neither quieter nor of another sound.
//!
//! Each joint is compared with what was said: its level in 15 ms, its spectrum in 20 ms.

use core::f64::consts::TAU;
use std::path::{Path, PathBuf};

use rtc_core::audio::AudioMut;
use rtc_core::codec::AudioFormat;
use rtc_core::testkit::metrics::{mean, percentile};
use rtc_core::testkit::naive::{Coding, PcmDecoder};
use rtc_core::time::Instant;
use rtc_core::{Frequency, PayloadType, RtpPacket, RtpTime, SeqNum, Ssrc};
use rtc_jitter::{AudioPlayout, ConcealedBy, PlayoutConfig};

const RATE: Frequency = Frequency::KHZ_16;
const PACKET: usize = 320;
const PULL: usize = 160;
/// Samples before and after the moment from which on what is heard is real.
const BEFORE: usize = 80;
const AFTER: usize = 240;

/// A joint as it was heard, and as it was said.
struct Joint {
    heard: Vec<f32>,
    said: Vec<f32>,
}

/// The joints of `voice` where of each 13 packets `lost` in a row never come, but for those where little was said.
fn joints(voice: &[f32], lost: usize) -> Vec<Joint> {
    let format = AudioFormat { rate: RATE, channels: 1 };
    let mut config = PlayoutConfig::default();
    (config.concealed_by, config.jitter.clock) = (ConcealedBy::Playout, RATE);
    let mut playout = AudioPlayout::new(config, PcmDecoder::new(Coding::L16, format).unwrap()).unwrap();
    let (mut heard, mut places, mut made_up) = (Vec::new(), Vec::new(), 0);
    for pull in 0..voice.len() / PACKET * 2 {
        let (now, n) = (Instant::from_millis(10 * pull as u64), pull / 2);
        if pull % 2 == 0 && (n < 50 || n % 13 >= lost) {
            #[expect(clippy::cast_possible_truncation, reason = "within full scale")]
            let coded = |sample: &f32| ((sample * 32_767.0) as i16).to_be_bytes();
            let payload: Vec<u8> = voice[n * PACKET..(n + 1) * PACKET].iter().flat_map(coded).collect();
            let (seq, time) = (SeqNum(u16::try_from(n).unwrap()), RtpTime(u32::try_from(n * PACKET).unwrap()));
            let packet = RtpPacket::builder(PayloadType::new(96), seq, time, Ssrc(1)).build(&payload).unwrap();
            playout.insert(now, packet);
        }
        let mut out = [0.0; PULL];
        let pulled = playout.pull(now, AudioMut::mono(&mut out, RATE));
        let ends = made_up > 0 && pulled.concealed < PULL && (made_up == PULL || pulled.concealed > 0);
        if let Some(time) = pulled.timestamp.filter(|_| ends) {
            places.push((heard.len() + pulled.concealed, time.0 as usize + pulled.concealed));
        }
        made_up = pulled.concealed;
        heard.extend(out);
    }
    let around = |samples: &[f32], at: usize| samples.get(at - BEFORE..at + AFTER).map(<[f32]>::to_vec);
    let joint = |(at, said): (usize, usize)| Some(Joint { heard: around(&heard, at)?, said: around(voice, said)? });
    places.into_iter().filter_map(joint).filter(|joint| power(&joint.said) > 1e-4).collect()
}

fn power(samples: &[f32]) -> f64 {
    samples.iter().map(|sample| f64::from(*sample).powi(2)).sum::<f64>() / samples.len() as f64
}

impl Joint {
    /// By how many decibels it is quieter than what was said.
    fn dip(&self) -> f64 {
        let part = BEFORE / 2..AFTER + BEFORE / 2;
        10.0 * (power(&self.said[part.clone()]) / power(&self.heard[part])).log10()
    }

    /// Root mean square difference of the spectra in decibels, to 4 kHz; what is 40 dB below the strongest counts as that.
    fn distance(&self) -> f64 {
        let (heard, said) = (spectrum(&self.heard), spectrum(&self.said));
        let floor = 1e-4 * said.iter().copied().fold(0.0, f64::max);
        let squares = heard.iter().zip(&said).map(|(a, b)| (10.0 * ((a + floor) / (b + floor)).log10()).powi(2));
        mean(&squares.collect::<Vec<_>>()).sqrt()
    }
}

/// Power by frequency, to a quarter of the rate (Hann window).
fn spectrum(samples: &[f32]) -> Vec<f64> {
    let len = samples.len();
    let turn: Vec<(f64, f64)> = (0..len).map(|n| (TAU * n as f64 / len as f64).sin_cos()).collect();
    let windowed: Vec<f64> =
        samples.iter().zip(&turn).map(|(sample, (_, cos))| f64::from(*sample) * (1.0 - cos)).collect();
    let bin = |bin: usize| {
        let turned = windowed.iter().enumerate().map(|(n, sample)| (sample, turn[bin * n % len]));
        let (re, im) = turned.fold((0.0, 0.0), |(re, im), (sample, (sin, cos))| (re + cos * sample, im + sin * sample));
        re * re + im * im
    };
    (1..len / 4).map(bin).collect()
}

/// Ten seconds of a vowel whose pitch glides up and down by 15 %, as in speech: in 20 ms by up to 1.5 %.
fn vowel(hertz: f64) -> Vec<f32> {
    const FORMANTS: [(f64, f64); 3] = [(650.0, 1.0), (1_100.0, 0.5), (2_500.0, 0.2)];
    let level =
        |hertz: f64| FORMANTS.map(|(at, peak)| peak / (1.0 + ((hertz - at) / 120.0).powi(2))).iter().sum::<f64>();
    let mut phase = 0.0;
    let sample = |n: u32| {
        let pitch = hertz * (1.0 + 0.15 * (TAU * 0.8 * f64::from(n) / 16_000.0).sin());
        phase += TAU * pitch / 16_000.0;
        let partials = (1..).map(f64::from).map(|k| (k, k * pitch)).take_while(|(_, hertz)| *hertz < 3_500.0);
        let sum: f64 = partials.map(|(k, hertz)| (level(hertz) + 0.02) * (phase * k).sin()).sum();
        #[expect(clippy::cast_possible_truncation, reason = "a sample")]
        let sample = (0.15 * sum) as f32;
        sample
    };
    (0..160_000).map(sample).collect()
}

/// Mean distance and mean deviation of the level, over all joints of all voices, and the dip that one in twenty exceeds.
fn judge(voices: &[Vec<f32>], lost: usize) -> [f64; 3] {
    let joints: Vec<_> = voices.iter().flat_map(|voice| joints(voice, lost)).collect();
    assert!(joints.len() > 50, "{}", joints.len());
    let mut dips: Vec<f64> = joints.iter().map(Joint::dip).collect();
    let distances: Vec<f64> = joints.iter().map(Joint::distance).collect();
    let deviations: Vec<f64> = dips.iter().map(|dip| dip.abs()).collect();
    let result = [mean(&distances), mean(&deviations), percentile(&mut dips, 95.0)];
    println!(
        "{lost} lost, {} joints: distance {:.2} dB, level {:.2} dB, dip {:.2} dB",
        joints.len(),
        result[0],
        result[1],
        result[2]
    );
    result
}

/// Crossed over where they are, in 5 ms, it is 4.1, 0.79 and 2.5 dB with one packet lost, 4.8, 1.4 and 2.9 dB with three.
#[test]
fn a_vowel_goes_on_behind_a_gap_as_it_was() {
    let vowels = [85.0, 110.0, 150.0, 200.0, 260.0].map(vowel);
    for (lost, most) in [(1, [2.5, 0.65, 2.4]), (3, [4.0, 1.1, 2.7])] {
        let found = judge(&vowels, lost);
        assert!(found.iter().zip(most).all(|(found, most)| *found <= most), "{lost} lost: {found:?}, at most {most:?}");
    }
}

/// Of recorded voices 5.7, 1.85 and 4.2 dB, 7.0, 3.7 and 12.2 dB; much of it is what was made up.
#[test]
fn recorded_voices_go_on_behind_a_gap() {
    let dir = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../shared/data/speech");
    let Ok(files) = std::fs::read_dir(&dir) else {
        println!("skipped: no {}", dir.display());
        return;
    };
    let voices: Vec<_> = files.flatten().filter_map(|file| recording(&file.path())).collect();
    for (lost, most) in [(1, [5.4, 1.84, 3.0]), (3, [6.85, 3.5, 12.0])] {
        let found = judge(&voices, lost);
        assert!(found.iter().zip(most).all(|(found, most)| *found <= most), "{lost} lost: {found:?}, at most {most:?}");
    }
}

/// The samples of a voice in a file, if it is of one channel at [`RATE`].
fn recording(path: &Path) -> Option<Vec<f32>> {
    let name = path.file_name()?.to_str()?;
    let bytes = std::fs::read(path).ok().filter(|_| name.ends_with(".wav") && !name.contains("music"))?;
    let is_ours = bytes.get(22..28)? == [1, 0, 0x80, 0x3e, 0, 0] && bytes.get(34..36)? == [16, 0];
    let data = bytes.windows(4).position(|name| name == b"data").filter(|_| is_ours)? + 8;
    let sample = |pair: &[u8; 2]| f32::from(i16::from_le_bytes(*pair)) / 32_768.0;
    Some(bytes[data..].as_chunks().0.iter().map(sample).collect())
}
