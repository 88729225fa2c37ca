//! An hour on a perfect network: nothing may be lost, swapped or put in; and clocks that differ may not be heard.

use core::time::Duration;

use indicatif::ProgressBar;
use rtc_core::audio::AudioMut;
use rtc_core::codec::AudioFormat;
use rtc_core::testkit::naive::{Coding, PcmDecoder};
use rtc_core::testkit::signal::Speech;
use rtc_core::time::Instant;
use rtc_core::{ConfigError, Frequency, PayloadType, RtpPacket, RtpTime, SeqNum, Ssrc};
use rtc_jitter::{AudioPlayout, PlayoutConfig, Pulled, PulledKind};

use crate::Options;
use crate::report::{Metric, Report, Setting, Target};

/// Pulls of 10 ms in an hour.
const PULLS: u64 = 360_000;
/// Of the stereo run, and of the runs with skew, in which it does not matter.
const WIDE: Frequency = Frequency::KHZ_48;
const NARROW: Frequency = Frequency::KHZ_8;
/// Seconds of voice before it repeats.
const SECONDS: usize = 20;
/// Pulls before the estimate of the skew counts: a minute.
const KNOWN: u64 = 6_000;
/// And before the delay counts: it begins at 60 ms, and skew is found after 15 s.
const SETTLED: u64 = 2_000;

/// Adds the rows of an hour each.
pub(super) fn score(options: &Options, bar: &ProgressBar, report: &mut Report) -> Result<(), ConfigError> {
    if !options.wants_subject("ours") {
        return Ok(());
    }
    let setting = |name: &str, input: &str| Setting { scenario: name.into(), input: input.into(), seeds: 1 };
    if options.wants_scenario("hour-stereo") {
        bar.set_message("hour-stereo");
        let setting =
            setting("hour-stereo", "an hour of two voices, one left, one right, at 48 kHz; no jitter, no loss");
        let heard = stereo()?;
        let total = heard.samples.max(1) as f64;
        report.add_targeted(&setting, Metric("heard", "% of media"), heard.share(), Target::AtLeast(100.0));
        report.add_targeted(&setting, Metric("swapped", "samples"), heard.swapped as f64, Target::AtMost(0.0));
        report.add_targeted(&setting, Metric("zeros put in", "samples"), heard.zeros as f64, Target::AtMost(0.0));
        report.add(&setting, "ours", Metric("cut or put in", "% of media"), 100.0 * heard.stretched as f64 / total);
        report.add(&setting, "ours", Metric("concealed", "samples"), heard.concealed as f64);
    }
    for ppm in [500.0, -500.0] {
        let name = format!("hour-skew{ppm:+}");
        if !options.wants_scenario(&name) {
            continue;
        }
        bar.set_message(name.clone());
        let setting = setting(&name, "an hour of a voice from a clock so many ppm slower; no jitter, no loss");
        let drift = drift(ppm)?;
        report.add_targeted(
            &setting,
            Metric("skew off by", "ppm at most from 60 s on"),
            drift.off,
            Target::AtMost(5.0),
        );
        report.add_targeted(&setting, Metric("delay varies", "ms from 20 s on"), drift.varies(), Target::AtMost(10.0));
        report.add_targeted(
            &setting,
            Metric("underruns", "pulls from 20 s on"),
            drift.underruns as f64,
            Target::AtMost(0.0),
        );
        report.add(&setting, "ours", Metric("cuts", "from 20 s on"), drift.cuts as f64);
    }
    Ok(())
}

/// A player of L16, and packets of 20 ms for it.
struct Line {
    playout: AudioPlayout<PcmDecoder>,
    format: AudioFormat,
    payload: Vec<u8>,
}

impl Line {
    fn new(format: AudioFormat) -> Result<Self, ConfigError> {
        let mut config = PlayoutConfig::default();
        config.jitter.clock = format.rate;
        let playout = AudioPlayout::new(config, PcmDecoder::new(Coding::L16, format)?)?;
        Ok(Self { playout, format, payload: Vec::new() })
    }

    /// Lets packet `number` arrive, which holds what `sample` says of each place and channel.
    fn insert(&mut self, at: Instant, number: u64, sample: impl Fn(u64, usize) -> i16) -> Result<(), ConfigError> {
        let len = u64::from(self.format.rate / 50);
        self.payload.clear();
        for place in number * len..(number + 1) * len {
            (0..self.format.channels).for_each(|channel| self.payload.extend(sample(place, channel).to_be_bytes()));
        }
        #[expect(clippy::cast_possible_truncation, reason = "numbers wrap")]
        let (sequence, time) = (SeqNum(number as u16), RtpTime((number * len) as u32));
        self.playout
            .insert(at, RtpPacket::builder(PayloadType::new(96), sequence, time, Ssrc(7)).build(&self.payload)?);
        Ok(())
    }
}

/// What was heard of both voices.
#[derive(Default)]
struct Heard {
    /// Samples per channel that were to be heard, and those that were, each in its place.
    samples: u64,
    exact: u64,
    /// Samples taken out or put in by stretching, and what was near enough to be changed by it.
    stretched: u64,
    crossed: u64,
    concealed: u64,
    /// Samples of the left voice on the right, and of the right on the left.
    swapped: u64,
    /// Where both channels are zero and no voice is.
    zeros: u64,
}

impl Heard {
    /// Of the media, what was heard as it was said; what a cut took out or blended was not.
    fn share(&self) -> f64 {
        let accounted = self.exact + self.crossed;
        100.0 * accounted as f64 / self.samples.max(1) as f64
    }

    /// Compares a pull with what was said from `place` on.
    fn compare(&mut self, pulled: Pulled, place: u64, out: [&[f32]; 2], said: impl Fn(u64, usize) -> i16) {
        self.concealed += pulled.concealed as u64;
        if pulled.kind != PulledKind::Normal {
            // Blended by a cut: neither exact nor wrong.
            self.crossed += out[0].len() as u64;
            return;
        }
        for (at, (left, right)) in (place..).zip(out[0].iter().zip(out[1])) {
            let said = [said(at, 0), said(at, 1)].map(|sample| f32::from(sample) / 32_768.0);
            self.exact += u64::from([*left, *right] == said);
            self.swapped += u64::from([*right, *left] == said && said[0] != said[1]);
            self.zeros += u64::from([*left, *right] == [0.0, 0.0] && said != [0.0, 0.0]);
        }
    }
}

fn stereo() -> Result<Heard, ConfigError> {
    let voices = [1, 2].map(|seed| voice(WIDE, seed));
    let said = |place: u64, channel: usize| {
        let voice = &voices[channel];
        // The voice repeats, the dither does not.
        voice[usize::try_from(place).unwrap_or(0) % voice.len()] + dither(place * 2 + channel as u64)
    };
    let mut line = Line::new(AudioFormat { rate: WIDE, channels: 2 })?;
    let mut heard = Heard::default();
    let (mut left, mut right) = ([0.0; 480], [0.0; 480]);
    let mut begun = false;
    for pull in 0..PULLS {
        let now = Instant::from_millis(10 * pull);
        if pull % 2 == 0 {
            line.insert(now, pull / 2, said)?;
        }
        let pulled =
            line.playout.pull(now, AudioMut::stereo(&mut left, &mut right, WIDE).expect("as long as each other"));
        begun |= pulled.timestamp.is_some();
        if let Some(place) = pulled.timestamp.filter(|_| begun) {
            heard.samples += 480;
            heard.compare(pulled, unwrapped(place, pull * 480), [&left, &right], said);
        }
    }
    let stats = line.playout.stats();
    heard.stretched = stats.inserted_samples_for_deceleration + stats.removed_samples_for_acceleration;
    Ok(heard)
}

/// The place near `about` that ends in these 32 bits.
fn unwrapped(place: RtpTime, about: u64) -> u64 {
    #[expect(clippy::cast_possible_truncation, reason = "of the last bits")]
    let distance = place.distance_from(RtpTime(about as u32));
    about.saturating_add_signed(i64::from(distance))
}

/// What clocks that differ did.
struct Drift {
    off: f64,
    delays: [f64; 2],
    underruns: u64,
    cuts: u64,
}

impl Drift {
    fn varies(&self) -> f64 {
        self.delays[1] - self.delays[0]
    }
}

/// A second of the sender takes `ppm` longer than one of the listener.
fn drift(ppm: f64) -> Result<Drift, ConfigError> {
    let voice = voice(NARROW, 1);
    let said = |place: u64, _: usize| voice[usize::try_from(place).unwrap_or(0) % voice.len()];
    let mut line = Line::new(AudioFormat { rate: NARROW, channels: 1 })?;
    let mut drift = Drift { off: 0.0, delays: [f64::INFINITY, f64::NEG_INFINITY], underruns: 0, cuts: 0 };
    let sent = |number: u64| Duration::from_secs_f64(number as f64 * 0.02 * (1.0 + ppm * 1e-6));
    let (mut out, mut next) = ([0.0; 80], 0);
    for pull in 0..PULLS {
        let now = Instant::from_millis(10 * pull + 3);
        while Instant::ZERO + sent(next) <= now {
            line.insert(Instant::ZERO + sent(next), next, said)?;
            next += 1;
        }
        let pulled = line.playout.pull(now, AudioMut::mono(&mut out, NARROW));
        if pull >= KNOWN {
            drift.off = drift.off.max((line.playout.clock_skew() - ppm).abs());
        }
        if let Some(place) = pulled.timestamp.filter(|_| pull >= SETTLED) {
            // From when it was said by the sender's clock until it is heard.
            let said = unwrapped(place, pull * 80) as f64 / 8_000.0 * (1.0 + ppm * 1e-6);
            let delay = ((now - Instant::ZERO).as_secs_f64() - said) * 1e3;
            drift.delays = [drift.delays[0].min(delay), drift.delays[1].max(delay)];
            drift.underruns += u64::from(pulled.concealed > 0);
            drift.cuts += u64::from(matches!(pulled.kind, PulledKind::Accelerated | PulledKind::Stretched));
        }
    }
    Ok(drift)
}

fn voice(rate: Frequency, seed: u64) -> Vec<i16> {
    #[expect(clippy::cast_possible_truncation, reason = "within full scale")]
    let narrow = |sample: f32| (sample * 32_000.0) as i16;
    Speech::new(rate, seed).take(SECONDS * rate.as_hz() as usize).map(narrow).collect()
}

/// From -8 to 8, by place (SplitMix64, S. Vigna).
fn dither(place: u64) -> i16 {
    let mixed = (place.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ (place >> 7)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    i16::try_from((mixed >> 33) % 17).unwrap_or(8) - 8
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_found_around_where_they_are_expected() {
        assert_eq!(unwrapped(RtpTime(5), 1 << 32), (1 << 32) + 5);
        assert_eq!(unwrapped(RtpTime(u32::MAX), 1 << 32), (1 << 32) - 1);
    }

    #[test]
    fn swapped_and_missing_samples_are_noticed() {
        let mut pulled = Line::new(AudioFormat { rate: NARROW, channels: 1 }).unwrap();
        let mut out = [0.0; 2];
        let mut pulled = pulled.playout.pull(Instant::ZERO, AudioMut::mono(&mut out, NARROW));
        pulled.kind = PulledKind::Normal;
        let said = |place: u64, channel: usize| match place {
            0 => [100, 200][channel],
            1 => [300, 400][channel],
            _ => [500, 600][channel],
        };
        let at = |sample: i16| f32::from(sample) / 32_768.0;
        let mut heard = Heard { samples: 3, ..Heard::default() };
        let (left, right) = ([at(100), at(400), 0.0], [at(200), at(300), 0.0]);
        heard.compare(pulled, 0, [&left, &right], said);
        assert_eq!((heard.exact, heard.swapped, heard.zeros), (1, 1, 1));
    }
}
