//! Mixing, resampling and metering of audio, and putting pictures together: what it costs and what it does to the signal.

use core::f64::consts::TAU;
use core::hint::black_box;

use indicatif::ProgressBar;
use rtc_core::Frequency;
use rtc_core::audio::{AudioMut, AudioRef};
use rtc_core::mix::Mixer;
use rtc_core::testkit::metrics::dbfs;
use rtc_core::testkit::naive::SaturatingSum;
use rtc_core::testkit::signal::{Speech, amplitude};

use crate::audio3a::Fit;
use crate::cost::measure;
use crate::peers::Element;
use crate::report::{Metric, Report, Setting};
use crate::subject::{MIX_RATE, MakeMeter, MakeMix, MakeResample, Mix, Resample, Subject};
use crate::{Options, peers};

mod scenarios;
mod tones;

use scenarios::{PEAKS, PICTURES, RATES, TALKERS, TONES, Talkers, Tone};
use tones::{delay, fit, sine};

/// Samples of 10 ms and of a second.
const FRAME: usize = 480;
const SECOND: usize = 48_000;
/// Seconds that are mixed.
const SECONDS: usize = 5;
const ROUNDS: u32 = 7;
const CPU: Metric = Metric("cpu", "us/10 ms");
const SDR: Metric = Metric("exact sum over the rest", "dB");
const FULL: Metric = Metric("at full scale or over", "% of samples");

pub(crate) fn run(options: &Options, bar: &ProgressBar) -> Report {
    let mut report = Report::new("mixer");
    report.is_compact = true;
    report.await_ours("rtc-mixer");
    let naive = Subject::peer("naive sum", env!("CARGO_PKG_VERSION"), Box::new(sum) as MakeMix);
    let mixers: Vec<_> = core::iter::once(naive).chain(peers::mixers()).collect();
    let wanted = |name: &str| options.wants_scenario(name);
    let setting = |name: &str, input: String| Setting { scenario: name.into(), input, seeds: 1 };
    bar.set_length((TALKERS.len() + RATES.len() + TONES.len() + PEAKS.len() + PICTURES.len()) as u64);
    for talkers in TALKERS.iter().filter(|talkers| wanted(talkers.name)) {
        let input = format!("{} talkers at 48 kHz, mono, each at {} dBFS", talkers.count, talkers.level);
        score_mix(talkers, &setting(talkers.name, input), &mixers, options, &mut report);
        bar.inc(1);
    }
    let resamplers = peers::resamplers();
    for (name, via) in RATES.into_iter().filter(|(name, _)| wanted(name)) {
        let input = format!("48 kHz to {} Hz and back, mono; costs are of both ways", via.as_hz());
        for subject in resamplers.iter().filter(|subject| options.wants_subject(&subject.name)) {
            score_resample(via, &setting(name, input.clone()), subject, &mut report);
        }
        bar.inc(1);
    }
    score_meters(options, bar, &setting, &mut report);
    for (name, element, inputs) in PICTURES.into_iter().filter(|(name, ..)| wanted(name)) {
        let setting = setting(name, format!("{inputs} pictures of 640x360 into one of 1920x1080, 30 a second"));
        add_element(&mut report, &setting, element, inputs, 30, Metric("cpu", "us/picture"), options);
        let mut copy = vec![0_u8; 1_920 * 1_080 * 3 / 2];
        let picture = vec![1_u8; copy.len()];
        report.add(&setting, "bound", Metric("cpu", "us/picture"), copying(&picture, &mut copy));
        bar.inc(1);
    }
    report
}

/// Talkers that a mixer of rtc-core's role gets, 10 ms at a time.
pub(crate) struct Tracks<M> {
    mixer: M,
    tracks: Vec<Vec<f32>>,
    at: usize,
}

impl<M> Tracks<M> {
    /// Most of them.
    const MOST: usize = 64;

    pub(crate) fn new(mixer: M, tracks: &[Vec<f32>]) -> Self {
        Self { mixer, tracks: tracks[..tracks.len().min(Self::MOST)].to_vec(), at: 0 }
    }
}

impl<M: Mixer> Mix for Tracks<M> {
    fn mix(&mut self, out: &mut [f32]) {
        let mut inputs = [AudioRef::mono(&[], MIX_RATE); 64];
        for (input, track) in inputs.iter_mut().zip(&self.tracks) {
            *input = AudioRef::mono(track.get(self.at..self.at + out.len()).unwrap_or_default(), MIX_RATE);
        }
        self.at += out.len();
        self.mixer.mix(&inputs[..self.tracks.len()], AudioMut::mono(out, MIX_RATE));
    }
}

fn sum(tracks: &[Vec<f32>]) -> Box<dyn Mix> {
    Box::new(Tracks::new(SaturatingSum, tracks))
}

fn score_mix(
    talkers: &Talkers,
    setting: &Setting,
    mixers: &[Subject<MakeMix>],
    options: &Options,
    report: &mut Report,
) {
    // Active parts are at -26 dBFS.
    #[expect(clippy::cast_possible_truncation, reason = "a gain")]
    let gain = amplitude(talkers.level + 26.0) as f32;
    let talk = |seed| Speech::new(MIX_RATE, seed).take(SECONDS * SECOND).map(|sample| gain * sample).collect();
    let tracks: Vec<Vec<f32>> = (0..talkers.count as u64).map(talk).collect();
    let exact: Vec<f32> = (0..SECONDS * SECOND).map(|at| tracks.iter().map(|track| track[at]).sum()).collect();
    for subject in mixers.iter().filter(|subject| options.wants_subject(&subject.name)) {
        let Some(make) = report.admit(subject) else { continue };
        let mut out = vec![0.0; exact.len()];
        let mut mixer = make(&tracks);
        out.chunks_exact_mut(FRAME).for_each(|out| mixer.mix(out));
        let mut mixers: Vec<_> = (0..ROUNDS).map(|_| make(&tracks)).collect();
        let mut frame = [0.0; FRAME];
        let cost = measure(ROUNDS, || {
            let frames = (SECONDS * 100) as u64;
            let mixer = mixers.last_mut();
            mixer.into_iter().for_each(|mixer| (0..frames).for_each(|_| mixer.mix(black_box(&mut frame))));
            mixers.pop();
            frames
        });
        let full = out.iter().filter(|sample| sample.abs() >= 32_766.0 / 32_768.0).count();
        report.add(setting, &subject.name, CPU, cost.nanos / 1e3);
        report.add(setting, &subject.name, Metric("allocations", "per 10 ms"), cost.allocations);
        report.add(setting, &subject.name, SDR, Fit::of(&exact, &out, 1).sdr);
        report.add(setting, &subject.name, FULL, 100.0 * full as f64 / out.len() as f64);
    }
    // Clipping costs nothing extra.
    if !setting.scenario.ends_with("loud") {
        add_element(report, setting, Element::AudioMixer, talkers.count, 100, CPU, options);
    }
    let mut copy = vec![0.0; talkers.count * FRAME];
    report.add(setting, "bound", CPU, copying(&vec![1.0; copy.len()], &mut copy));
}

/// Microseconds to copy what is read or written at least.
fn copying<T: Copy>(from: &[T], to: &mut [T]) -> f64 {
    const TIMES: u64 = 200;
    let cost = measure(ROUNDS, || {
        (0..TIMES).for_each(|_| black_box(&mut *to).copy_from_slice(black_box(from)));
        TIMES
    });
    cost.nanos / 1e3
}

/// The cost of an element of GStreamer, per unit of which there are so many in a second.
fn add_element(
    report: &mut Report,
    setting: &Setting,
    element: Element,
    inputs: usize,
    rate: u32,
    metric: Metric,
    options: &Options,
) {
    const MEDIA: u32 = 20;
    if !options.wants_subject("GStreamer") {
        return;
    }
    match peers::element_cost(element, inputs, MEDIA) {
        Ok((name, seconds)) => {
            report.admit(&Subject { name: name.clone(), ..Subject::ours(()) });
            report.add(setting, &name, metric, seconds * 1e6 / f64::from(MEDIA * rate));
        }
        Err(why) => report.note("GStreamer", &why),
    }
}

fn score_resample(via: Frequency, setting: &Setting, subject: &Subject<MakeResample>, report: &mut Report) {
    const AMPLITUDE: f64 = 0.5;
    let Some(make) = report.admit(subject) else { return };
    let there_and_back = || (make(MIX_RATE, via), make(via, MIX_RATE));
    let change = |input: &[f32]| {
        let (mut out, mut pair) = (Vec::new(), there_and_back());
        let mut back = vec![0.0; 4 * FRAME];
        for frame in input.chunks_exact(FRAME) {
            let written = pass(&mut pair, frame, &mut back);
            out.extend_from_slice(&back[..written]);
        }
        out
    };
    // The second second: filters are full, and all tones have whole periods.
    let tone = |hz: f64| {
        let out = change(&sine(hz / 48_000.0, 0.0, AMPLITUDE, 2 * SECOND + FRAME * 10));
        out.get(SECOND..2 * SECOND).map_or((f64::NAN, f64::NAN), |out| fit(hz / 48_000.0, AMPLITUDE, out))
    };
    let nyquist = f64::from(via.as_hz()) / 2.0;
    let alias = 1.2 * nyquist;
    let leaked =
        if alias < 24_000.0 { level(&change(&sine(alias / 48_000.0, 0.0, 1.0, 2 * SECOND))) } else { f64::NAN };
    let name = &subject.name;
    report.add(setting, name, Metric("SNR of 1 kHz", "dB"), tone(1_000.0).1);
    report.add(setting, name, Metric("gain at 0.85 of half the rate", "dB"), tone((0.85 * nyquist).round()).0);
    report.add(setting, name, Metric("left of 1.2 of it", "dB"), leaked);
    report.add(setting, name, Metric("delay", "ms"), delay(change));
    let (mut pair, mut back) = (there_and_back(), vec![0.0; 4 * FRAME]);
    let input = sine(1.0 / 48.0, 0.0, AMPLITUDE, FRAME);
    let cost = measure(ROUNDS, || {
        for _ in 0..200 {
            black_box(pass(&mut pair, black_box(&input), &mut back));
        }
        200
    });
    report.add(setting, name, CPU, cost.nanos / 1e3);
    report.add(setting, name, Metric("allocations", "per 10 ms"), cost.allocations);
}

/// 10 ms through both; returns how much came out.
fn pass(pair: &mut (Box<dyn Resample>, Box<dyn Resample>), frame: &[f32], out: &mut [f32]) -> usize {
    let mut between = [0.0; 4 * FRAME];
    let written = pair.0.process(frame, &mut between);
    pair.1.process(&between[..written], out)
}

/// Of the second half, over that of a full sine.
fn level(samples: &[f32]) -> f64 {
    dbfs(&samples[samples.len() / 2..]) - 10.0 * 0.5_f64.log10()
}

fn score_meters(options: &Options, bar: &ProgressBar, setting: &dyn Fn(&str, String) -> Setting, report: &mut Report) {
    let meters = peers::meters();
    let read = |make: &MakeMeter, samples: &[f32]| {
        let mut meter = make();
        samples.chunks(FRAME).for_each(|frame| meter.add(frame, frame));
        meter.read()
    };
    for (name, tone, expected) in TONES.into_iter().filter(|(name, ..)| options.wants_scenario(name)) {
        let setting = setting(name, format!("EBU Tech 3341: 1 kHz, dBFS and seconds {tone:?}, {expected} LUFS"));
        let samples = tone_of(tone);
        for subject in meters.iter().filter(|subject| options.wants_subject(&subject.name)) {
            let Some(make) = report.admit(subject) else { continue };
            report.add(&setting, &subject.name, Metric("error", "LU or dB"), read(make, &samples).0 - expected);
            let mut meter = make();
            let cost = measure(ROUNDS, || {
                samples[..5 * SECOND].chunks(FRAME).for_each(|frame| meter.add(frame, frame));
                500
            });
            report.add_cost(&setting, &subject.name, "ns/10 ms", cost, subject.counted);
        }
        report.add(&setting, "bound", Metric("error", "LU or dB"), 0.0);
        bar.inc(1);
    }
    for (name, part, degrees) in PEAKS.into_iter().filter(|(name, ..)| options.wants_scenario(name)) {
        let setting =
            setting(name, format!("EBU Tech 3341: half of full scale, {part} of the rate, {degrees} degrees"));
        let mut samples = sine(part, degrees / 360.0 * TAU, 0.5, 2 * SECOND);
        // A tone that begins at once has a higher peak there.
        samples
            .iter_mut()
            .take(SECOND / 10)
            .enumerate()
            .for_each(|(at, sample)| *sample *= 10.0 * at as f32 / SECOND as f32);
        for subject in meters.iter().filter(|subject| options.wants_subject(&subject.name)) {
            let Some(make) = report.admit(subject) else { continue };
            let expected = 20.0 * 0.5_f64.log10();
            report.add(&setting, &subject.name, Metric("error", "LU or dB"), read(make, &samples).1 - expected);
        }
        report.add(&setting, "bound", Metric("error", "LU or dB"), 0.0);
        bar.inc(1);
    }
}

fn tone_of(tone: Tone) -> Vec<f32> {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "seconds of audio")]
    let part =
        |(level, seconds): &(f64, f64)| sine(1.0 / 48.0, 0.0, amplitude(*level), (seconds * SECOND as f64) as usize);
    tone.iter().flat_map(part).collect()
}
