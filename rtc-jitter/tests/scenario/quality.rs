//! What time stretching does to the sound.

use core::time::Duration;

use rtc_core::audio::{AudioMut, AudioRef};
use rtc_core::codec::{AudioEncoder, AudioFormat};
use rtc_core::testkit::naive::{Coding, PcmDecoder, PcmEncoder};
use rtc_core::testkit::signal::{Sine, Speech};
use rtc_core::time::Instant;
use rtc_core::{Frequency, PayloadType, RtpPacket, RtpTime, SeqNum, Ssrc};
use rtc_jitter::{AudioPlayout, PlayoutConfig, PlayoutStats, PulledKind};

const RATE: Frequency = Frequency::KHZ_48;
const PACKET: usize = 960;
const PULL: usize = 480;

/// What is heard of `planes` while the delay is raised by 500 ms after 3 s and lowered again after 8 s, and how each 10 ms of it
/// came about.
fn stretched(planes: &[Vec<f32>]) -> (Vec<Vec<f32>>, Vec<PulledKind>) {
    let (heard, kinds, stats) = delayed_by(Duration::from_millis(500), planes);
    let moved = |samples: u64| samples as f64 / 48.0;
    assert!(moved(stats.inserted_samples_for_deceleration) > 450.0, "slowed down");
    assert!(moved(stats.removed_samples_for_acceleration) > 450.0, "sped up");
    (heard, kinds)
}

/// The same with another delay, and what was counted.
fn delayed_by(delay: Duration, planes: &[Vec<f32>]) -> (Vec<Vec<f32>>, Vec<PulledKind>, PlayoutStats) {
    let format = AudioFormat { rate: RATE, channels: planes.len() };
    let mut encoder = PcmEncoder::new(Coding::L16, format).unwrap();
    let mut playout =
        AudioPlayout::new(PlayoutConfig::default(), PcmDecoder::new(Coding::L16, format).unwrap()).unwrap();
    let mut heard = vec![Vec::new(); planes.len()];
    let mut kinds = Vec::new();
    let mut payload = vec![0; PACKET * 2 * planes.len()];
    for pull in 0..planes[0].len() / PULL {
        let now = Instant::from_millis(pull as u64 * 10);
        if pull % 2 == 0 {
            let n = pull / 2;
            let part = |plane: usize| &planes[plane][n * PACKET..(n + 1) * PACKET];
            let frame = match planes.len() {
                1 => AudioRef::mono(part(0), RATE),
                _ => AudioRef::stereo(part(0), part(1), RATE).unwrap(),
            };
            encoder.encode(frame, &mut payload).unwrap();
            let (seq, time) = (SeqNum(u16::try_from(n).unwrap()), RtpTime(u32::try_from(n * PACKET).unwrap()));
            let packet = RtpPacket::builder(PayloadType::new(96), seq, time, Ssrc(1)).build(&payload).unwrap();
            playout.insert(now, packet);
        }
        match pull {
            300 => playout.set_min_delay(delay),
            800 => playout.set_min_delay(Duration::ZERO),
            _ => {}
        }
        let (mut left, mut right) = ([0.0; PULL], [0.0; PULL]);
        let out = match planes.len() {
            1 => AudioMut::mono(&mut left, RATE),
            _ => AudioMut::stereo(&mut left, &mut right, RATE).unwrap(),
        };
        kinds.push(playout.pull(now, out).kind);
        for (all, plane) in heard.iter_mut().zip([left, right]) {
            all.extend(plane);
        }
    }
    let stats = playout.stats();
    assert_eq!(stats.concealed_samples, 0);
    (heard, kinds, stats)
}

fn sine(hertz: f64) -> Vec<f32> {
    Sine::new(RATE, hertz, 0.5).take(13 * 48_000).collect()
}

/// Frequency by the rising zero crossings, interpolated.
fn pitch(samples: &[f32]) -> f64 {
    let crossings: Vec<f64> = samples
        .windows(2)
        .enumerate()
        .filter(|(_, pair)| pair[0] < 0.0 && pair[1] >= 0.0)
        .map(|(index, pair)| index as f64 + f64::from(pair[0] / (pair[0] - pair[1])))
        .collect();
    let periods = (crossings.len() - 1) as f64;
    periods * 48_000.0 / (crossings[crossings.len() - 1] - crossings[0])
}

/// The parts that were played slower, and faster.
fn parts(heard: &[f32]) -> [&[f32]; 2] {
    [&heard[3 * 48_000..5 * 48_000], &heard[9 * 48_000..10 * 48_000]]
}

fn largest_step(samples: &[f32]) -> f32 {
    samples.windows(2).map(|pair| (pair[1] - pair[0]).abs()).fold(0.0, f32::max)
}

#[test]
fn pitch_stays_within_half_a_percent() {
    for hertz in [80.0, 123.0, 220.0, 440.0, 1_234.5, 3_400.0] {
        let (heard, kinds) = stretched(&[sine(hertz)]);
        assert!(kinds.contains(&PulledKind::Stretched) && kinds.contains(&PulledKind::Accelerated));
        for part in parts(&heard[0]) {
            let pitch = pitch(part);
            assert!((pitch / hertz - 1.0).abs() < 0.005, "{hertz} Hz became {pitch} Hz");
        }
    }
}

#[test]
fn a_tone_stays_a_tone() {
    let (heard, _) = stretched(&[sine(220.0)]);
    for part in parts(&heard[0]) {
        // Each 10 ms against the sine of that frequency that fits it best.
        for frame in part.chunks_exact(PULL) {
            let turn = core::f64::consts::TAU * 220.0 / 48_000.0;
            let wave = |n: usize| (n as f64 * turn).sin_cos();
            let energy: f64 = frame.iter().map(|sample| f64::from(*sample).powi(2)).sum();
            let (mut a, mut b, mut ss, mut cc, mut sc) = (0.0, 0.0, 0.0, 0.0, 0.0);
            for (n, sample) in frame.iter().enumerate() {
                let (sin, cos) = wave(n);
                (a, b) = (a + sin * f64::from(*sample), b + cos * f64::from(*sample));
                (ss, cc, sc) = (ss + sin * sin, cc + cos * cos, sc + sin * cos);
            }
            let explained = (a * a * cc - 2.0 * a * b * sc + b * b * ss) / (ss * cc - sc * sc);
            let snr = 10.0 * (explained / (energy - explained).max(1e-12)).log10();
            assert!(snr > 25.0, "{snr} dB");
        }
    }
}

/// Tones 13 s long.
fn chord(tones: &[f64]) -> Vec<f32> {
    let mut sum = vec![0.0; 13 * 48_000];
    for hertz in tones {
        let tone = Sine::new(RATE, *hertz, 0.2);
        sum.iter_mut().zip(tone).for_each(|(sum, sample)| *sum += sample);
    }
    sum
}

/// The level of a tone in 50 ms, in decibels over what it was made with; other tones must be 80 Hz away.
fn level(samples: &[f32], hertz: f64) -> f64 {
    let turn = core::f64::consts::TAU / samples.len() as f64;
    let (mut re, mut im, mut weights) = (0.0, 0.0, 0.0);
    for (n, sample) in samples.iter().enumerate() {
        let weight = 0.5 - 0.5 * (turn * (n as f64 + 0.5)).cos();
        let (sin, cos) = (core::f64::consts::TAU * hertz / 48_000.0 * n as f64).sin_cos();
        re += weight * cos * f64::from(*sample);
        im += weight * sin * f64::from(*sample);
        weights += weight;
    }
    20.0 * (2.0 * re.hypot(im) / weights / 0.2).log10()
}

/// Of windows of 50 ms, each 10 ms, from 2.5 s on, those in which a tone is more than half a decibel off: such modulation is heard
/// (H. Fastl, E. Zwicker, *Psychoacoustics*, 4.3: from 4 to 6 % on).
fn modulated(heard: &[f32], tones: &[f64]) -> usize {
    let windows = heard[120_000..600_000].windows(2_400).step_by(480);
    windows.filter(|window| tones.iter().any(|hertz| level(window, *hertz).abs() > 0.5)).count()
}

/// Their common period is longer than any cut, so that no cut is of whole periods of all.
#[test]
fn a_chord_is_spared_while_there_is_time() {
    for tones in [&[220.0, 310.3, 397.9][..], &[110.0, 197.3, 290.9, 386.7]] {
        let (heard, kinds, stats) = delayed_by(Duration::from_millis(65), &[chord(tones)]);
        let (inserted, removed) = (stats.inserted_samples_for_deceleration, stats.removed_samples_for_acceleration);
        assert!(inserted > 0 && removed > 0, "it has to be cut at last: {inserted}, {removed}");
        // From 2.5 s on a cut each 2 s at most, of which five windows know.
        let cuts = kinds[250..].iter().filter(|kind| **kind != PulledKind::Normal).count();
        let flaws = modulated(&heard[0], tones);
        assert!(cuts <= 6 && flaws <= 5 * cuts, "{cuts} cuts, {flaws} windows");
    }
}

#[test]
fn harmonics_are_cut_by_whole_periods_of_all() {
    let tones = [200.0, 300.0, 400.0];
    let (heard, _) = stretched(&[chord(&tones)]);
    assert_eq!(modulated(&heard[0], &tones), 0);
}

#[test]
fn channels_stay_in_phase() {
    let left: Vec<f32> = Speech::new(RATE, 3).take(13 * 48_000).collect();
    let right: Vec<f32> = left.iter().map(|sample| -0.5 * sample).collect();
    let (heard, kinds) = stretched(&[left, right]);
    assert!(kinds.contains(&PulledKind::Stretched) && kinds.contains(&PulledKind::Accelerated));
    for (left, right) in heard[0].iter().zip(&heard[1]) {
        // 16-bit samples round each channel by half a step.
        assert!((right + 0.5 * left).abs() < 3e-5, "{left} {right}");
    }
}

#[test]
fn channels_that_have_nothing_in_common_are_cut_together() {
    let left: Vec<f32> = Speech::new(RATE, 3).take(13 * 48_000).collect();
    let right: Vec<f32> = Speech::new(RATE, 4).take(13 * 48_000).collect();
    let (heard, kinds) = stretched(&[left.clone(), right.clone()]);
    // Where 10 ms were untouched, they come from the same place of both.
    let mut compared = 0;
    let mut place = 0;
    for (index, _) in kinds.iter().enumerate().filter(|(_, kind)| **kind == PulledKind::Normal) {
        let frame = |plane: usize| &heard[plane][index * PULL + 200..index * PULL + 248];
        if frame(0).iter().all(|sample| sample.abs() < 0.01) {
            continue;
        }
        let matches = |place: usize, plane: &[f32], frame: &[f32]| {
            plane.get(place..place + 48).is_some_and(|part| part.iter().zip(frame).all(|(a, b)| (a - b).abs() < 4e-5))
        };
        let found = (place..left.len()).find(|place| matches(*place, &left, frame(0)));
        if let Some(found) = found {
            assert!(matches(found, &right, frame(1)), "{index}");
            (place, compared) = (found.saturating_sub(960), compared + 1);
        }
    }
    assert!(compared > 300, "{compared}");
}

#[test]
fn there_are_no_clicks() {
    for seed in 0..4 {
        let voice: Vec<f32> = Speech::new(RATE, seed).take(13 * 48_000).collect();
        let (heard, _) = stretched(core::slice::from_ref(&voice));
        let (before, after) = (largest_step(&voice), largest_step(&heard[0]));
        assert!(after <= before * 1.05, "seed {seed}: {after} after {before}");
    }
    let (heard, _) = stretched(&[sine(220.0)]);
    assert!(largest_step(&heard[0]) <= largest_step(&sine(220.0)) * 1.1);
}

#[test]
fn what_is_in_one_channel_is_not_heard_in_the_other() {
    let left: Vec<f32> = Speech::new(RATE, 3).take(13 * 48_000).collect();
    let silent = vec![0.0; left.len()];
    for (planes, quiet) in [([left.clone(), silent.clone()], 1), ([silent, left], 0)] {
        let (heard, _) = stretched(&planes);
        let power = |samples: &[f32]| samples.iter().map(|sample| f64::from(*sample).powi(2)).sum::<f64>();
        assert!(power(&heard[quiet]) <= 1e-8 * power(&heard[1 - quiet]), "80 dB of separation");
    }
}

#[test]
fn each_click_is_heard_once() {
    // Behind a voice that would be cut anywhere: a click each 70 ms that is nothing like what is around it.
    for hum in [0.0, 0.05] {
        let mut sound: Vec<f32> = Sine::new(RATE, 150.0, hum).take(13 * 48_000).collect();
        let clicks: Vec<usize> = (1..180).map(|n| n * 3_360 + n % 7 * 11).collect();
        for click in &clicks {
            for (index, sample) in sound[*click..click + 48].iter_mut().enumerate() {
                *sample += if index % 2 == 0 { 0.6 } else { -0.6 };
            }
        }
        let (heard, kinds) = stretched(&[sound]);
        assert!(kinds.contains(&PulledKind::Stretched) && kinds.contains(&PulledKind::Accelerated));
        let loud: Vec<usize> = heard[0].iter().enumerate().filter(|(_, x)| x.abs() > 0.3).map(|(at, _)| at).collect();
        let count = 1 + loud.windows(2).filter(|pair| pair[1] - pair[0] > 480).count();
        let played = clicks.iter().filter(|click| **click < 13 * 48_000 - 2_400).count();
        assert!(count.abs_diff(played) <= 1, "{count} of {played} clicks beside a hum of {hum}");
    }
}

/// Five minutes of stereo on a perfect network, over which numbers and timestamps wrap: each channel is where it belongs, nothing is
/// put in, and all of it is heard but for what the delay before the jitter was known is worth. `score jitter` listens for an hour.
#[test]
fn stereo_on_a_perfect_network_is_heard_as_it_was_said() {
    const PULLS: usize = 30_000;
    let format = AudioFormat { rate: RATE, channels: 2 };
    let mut encoder = PcmEncoder::new(Coding::L16, format).unwrap();
    let mut playout =
        AudioPlayout::new(PlayoutConfig::default(), PcmDecoder::new(Coding::L16, format).unwrap()).unwrap();
    // A minute that repeats; never zero for long in either channel, and of another sign in each.
    let voice: Vec<f32> = Speech::new(RATE, 3).take(60 * 48_000).map(|sample| 0.4 * sample + 0.1).collect();
    let other: Vec<f32> = voice.iter().map(|sample| -0.5 * sample).collect();
    let mut payload = vec![0; PACKET * 4];
    let (mut swapped, mut zeros, mut real) = (0_u64, 0_u64, 0_u64);
    for pull in 0..PULLS {
        let now = Instant::from_millis(pull as u64 * 10);
        if pull % 2 == 0 {
            let n = pull / 2;
            let at = n * PACKET % voice.len();
            let frame = AudioRef::stereo(&voice[at..at + PACKET], &other[at..at + PACKET], RATE).unwrap();
            encoder.encode(frame, &mut payload).unwrap();
            let seq = SeqNum(65_000_u16.wrapping_add(u16::try_from(n).unwrap()));
            let time = RtpTime(4_290_000_000_u32.wrapping_add(u32::try_from(n * PACKET).unwrap()));
            let packet = RtpPacket::builder(PayloadType::new(96), seq, time, Ssrc(1));
            playout.insert(now, packet.build(&payload).unwrap());
        }
        let (mut left, mut right) = ([0.0; PULL], [0.0; PULL]);
        playout.pull(now, AudioMut::stereo(&mut left, &mut right, RATE).unwrap());
        if pull > 100 {
            real += PULL as u64;
            swapped +=
                left.iter().zip(&right).filter(|(left, right)| (**right + 0.5 * **left).abs() > 4e-5).count() as u64;
            zeros += left.chunks(48).filter(|part| part.iter().all(|sample| *sample == 0.0)).count() as u64;
        }
    }
    let stats = playout.stats();
    assert_eq!((swapped, zeros, stats.concealed_samples, stats.inserted_samples_for_deceleration), (0, 0, 0, 0));
    assert_eq!(stats.packets.packets_played + stats.packets.packets_buffered, PULLS as u64 / 2);
    // The 60 ms before anything is known, less the least delay.
    assert!(stats.removed_samples_for_acceleration <= 55 * 48, "{}", stats.removed_samples_for_acceleration);
    assert_eq!(real, (PULLS - 101) as u64 * PULL as u64);
}
