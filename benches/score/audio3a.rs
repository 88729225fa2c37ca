//! Echo cancellation, noise suppression and gain control: what they remove, what they leave, and what they cost.

use indicatif::ProgressBar;
use rtc_core::audio::{AudioMut, AudioProcessor, AudioRef, EchoCanceller};
use rtc_core::codec::AudioFormat;
use rtc_core::testkit::metrics::{dbfs, median};
use rtc_core::testkit::naive::{Gain, Nlms};
use rtc_core::{ConfigError, Frequency};

use crate::cost::{measure, state_bytes};
use crate::report::{Metric, Report, Setting};
use crate::subject::{MakeCanceller, MakeProcessor, Subject};
use crate::{Options, peers};

mod metrics;
mod scenarios;
mod scenes;

pub(crate) use metrics::Fit;
use metrics::{active_level, aligned};
use scenarios::{ECHOES, Echo, LEVELS, Level, NOISES, Noisy};
use scenes::{Talk, levelled, noisy, taps, whole};

const ECHO: [Metric; 6] = [
    Metric("ERLE", "dB"),
    Metric("20 dB after", "s"),
    Metric("ERLE at the end", "dB"),
    Metric("near end lost alone", "dB"),
    Metric("in double talk", "dB"),
    Metric("SDR in double talk", "dB"),
];
const NOISE: [Metric; 4] = [
    Metric("noise removed", "dB"),
    Metric("SDR gain", "dB"),
    Metric("speech lost", "dB"),
    Metric("SDR of clean speech", "dB"),
];
const LEVEL: [Metric; 3] =
    [Metric("level at the end", "dBFS"), Metric("peak", "dBFS"), Metric("at full scale", "% of samples")];
/// Frames the cost is measured on, and how often.
const COST_FRAMES: usize = 800;
const ROUNDS: u32 = 3;
/// Taps of the naive canceller: 80 ms at 16 kHz.
const TAPS: usize = 1_280;

pub(crate) fn run(options: &Options, bar: &ProgressBar) -> Report {
    let mut report = Report::new("audio3a");
    report.is_compact = true;
    report.await_ours("rtc-audio3a");
    let cancellers = subjects(options, naive_canceller(), peers::cancellers());
    let suppressors = subjects(options, naive_processor(), peers::suppressors());
    let controls = subjects(options, naive_processor(), peers::gain_controls());
    let wanted = |name: &str| options.wants_scenario(name);
    let echoes: Vec<&Echo> = ECHOES.iter().filter(|scene| wanted(scene.name)).collect();
    let noises: Vec<&Noisy> = NOISES.iter().filter(|scene| wanted(scene.name)).collect();
    let levels: Vec<&Level> = LEVELS.iter().filter(|scene| wanted(scene.name)).collect();
    bar.set_length(
        (echoes.len() * cancellers.len() + noises.len() * suppressors.len() + levels.len() * controls.len()) as u64,
    );
    for scene in echoes {
        let setting = setting(scene.name, scene.input.into(), options);
        if let Err(error) = score_echo(scene, &setting, &cancellers, bar, &mut report) {
            bar.suspend(|| eprintln!("{}: {error}", scene.name));
        }
    }
    for scene in noises {
        let input = format!("{:?} noise, {} dB of SNR, {} Hz", scene.disturbance, scene.snr, scene.rate.as_hz());
        score_noise(scene, &setting(scene.name, input, options), &suppressors, bar, &mut report);
    }
    for scene in levels {
        let shout = if scene.shouts { ", 34 dB more from 10 to 12 s" } else { "" };
        let input = format!("speech of {} dBFS at 16 kHz{shout}", scene.level);
        score_level(scene, &setting(scene.name, input, options), &controls, bar, &mut report);
    }
    report
}

fn setting(name: &str, input: String, options: &Options) -> Setting {
    Setting { scenario: name.into(), input, seeds: options.seeds }
}

fn subjects<M>(options: &Options, naive: Subject<M>, peers: Vec<Subject<M>>) -> Vec<Subject<M>> {
    core::iter::once(naive).chain(peers).filter(|subject| options.wants_subject(&subject.name)).collect()
}

fn naive_canceller() -> Subject<MakeCanceller> {
    let make: MakeCanceller =
        Box::new(|rate| (rate == Frequency::KHZ_16).then(|| Box::new(Nlms::new(rate, TAPS)) as Box<dyn EchoCanceller>));
    Subject::peer("naive NLMS", env!("CARGO_PKG_VERSION"), make)
}

/// Does nothing: what the others' figures are to be seen against.
fn naive_processor() -> Subject<MakeProcessor> {
    let make: MakeProcessor = Box::new(|rate| Some(Box::new(Gain::new(AudioFormat { rate, channels: 1 }, 1.0))));
    Subject::peer("naive gain of 1", env!("CARGO_PKG_VERSION"), make)
}

fn score_echo(
    scene: &Echo,
    setting: &Setting,
    subjects: &[Subject<MakeCanceller>],
    bar: &ProgressBar,
    report: &mut Report,
) -> Result<(), ConfigError> {
    let talks: Vec<Talk> = (0..setting.seeds).map(|seed| Talk::new(scene, seed)).collect::<Result<_, _>>()?;
    for subject in subjects {
        bar.inc(1);
        let Some(make) = report.admit(subject) else { continue };
        let make = || make(scene.rate);
        let outcome = |talk: &Talk| {
            let mut out = talk.mic.clone();
            cancel(&mut *make()?, &talk.far, &mut out, scene.rate);
            Some(talk.outcome(out))
        };
        let outcomes: Option<Vec<_>> = talks.iter().map(outcome).collect();
        let (Some(outcomes), Some(talk)) = (outcomes, talks.first()) else { continue };
        add_medians(report, setting, &subject.name, ECHO, &outcomes);
        add_cost(report, setting, subject, make, (&talk.mic, scene.rate), |canceller, mic| {
            cancel(&mut **canceller, &talk.far, mic, scene.rate);
        });
    }
    let ideal: Vec<_> = talks.iter().map(|talk| talk.outcome(talk.ideal.clone())).collect();
    add_medians(report, setting, "bound", ECHO, &ideal);
    Ok(())
}

fn score_noise(
    scene: &Noisy,
    setting: &Setting,
    subjects: &[Subject<MakeProcessor>],
    bar: &ProgressBar,
    report: &mut Report,
) {
    let Some(talks) = (0..setting.seeds).map(|seed| noisy(scene, seed)).collect::<Option<Vec<_>>>() else {
        report.note(setting.scenario.as_str(), "recordings of ../shared/data are not there");
        return;
    };
    let frame = whole(scene.rate) / 100;
    for subject in subjects {
        bar.inc(1);
        let Some(make) = report.admit(subject) else { continue };
        let make = || make(scene.rate);
        let outcome = |(clean, mic): &(Vec<f32>, Vec<f32>)| {
            let done = |input: &[f32]| {
                let part = 2 * whole(scene.rate)..3 * whole(scene.rate);
                Some(aligned(clean, processed(make, input, scene.rate)?, part, whole(scene.rate)))
            };
            let (out, alone) = (done(mic)?, done(clean)?);
            // The first seconds are for getting used to the noise.
            let from = 5 * whole(scene.rate);
            let (clean, mic, out, alone) = (&clean[from..], &mic[from..], &out[from..], &alone[from..]);
            let fit = |heard| Fit::of(clean, heard, taps(whole(scene.rate)));
            let after = fit(out);
            let removed = pause_level(clean, mic, frame) - pause_level(clean, out, frame);
            Some([removed, after.sdr - fit(mic).sdr, -after.gain, fit(alone).sdr])
        };
        let outcomes: Option<Vec<_>> = talks.iter().map(outcome).collect();
        let Some(outcomes) = outcomes else { continue };
        add_medians(report, setting, &subject.name, NOISE, &outcomes);
        add_cost(report, setting, subject, make, (&talks[0].1, scene.rate), |processor, audio| {
            process(&mut **processor, audio, scene.rate);
        });
    }
}

/// The level where the talker is 30 dB below the level of all of it, or more.
fn pause_level(talker: &[f32], heard: &[f32], frame: usize) -> f64 {
    let silent = dbfs(talker) - 30.0;
    let frames = talker.chunks_exact(frame).zip(heard.chunks_exact(frame));
    let pauses = frames.filter(|(talker, _)| dbfs(talker) < silent);
    let pauses: Vec<f32> = pauses.flat_map(|(_, heard)| heard.iter().copied()).collect();
    dbfs(&pauses)
}

fn score_level(
    scene: &Level,
    setting: &Setting,
    subjects: &[Subject<MakeProcessor>],
    bar: &ProgressBar,
    report: &mut Report,
) {
    const RATE: Frequency = Frequency::KHZ_16;
    let talks: Vec<Vec<f32>> = (0..setting.seeds).map(|seed| levelled(scene, seed)).collect();
    for subject in subjects {
        bar.inc(1);
        let Some(make) = report.admit(subject) else { continue };
        let make = || make(RATE);
        let outcome = |talk: &Vec<f32>| {
            let out = processed(make, talk, RATE)?;
            let end = out.len() - 4 * whole(RATE)..;
            let peak = out.iter().fold(0.0, |peak: f32, sample| peak.max(sample.abs()));
            let full = out.iter().filter(|sample| sample.abs() >= 32_766.0 / 32_768.0).count();
            let level = active_level(&talk[end.clone()], &out[end], whole(RATE) / 100);
            Some([level, 20.0 * f64::from(peak).log10(), 100.0 * full as f64 / out.len() as f64])
        };
        let Some(outcomes) = talks.iter().map(outcome).collect::<Option<Vec<_>>>() else { continue };
        add_medians(report, setting, &subject.name, LEVEL, &outcomes);
        add_cost(report, setting, subject, make, (&talks[0], RATE), |processor, audio| {
            process(&mut **processor, audio, RATE);
        });
    }
}

/// Plays what is far and takes the echo out of the microphone, frame by frame.
fn cancel(canceller: &mut dyn EchoCanceller, far: &[f32], mic: &mut [f32], rate: Frequency) {
    let frame = whole(rate) / 100;
    for (far, near) in far.chunks_exact(frame).zip(mic.chunks_exact_mut(frame)) {
        canceller.render(AudioRef::mono(far, rate));
        canceller.capture(AudioMut::mono(near, rate));
    }
}

fn process(processor: &mut dyn AudioProcessor, audio: &mut [f32], rate: Frequency) {
    for frame in audio.chunks_exact_mut(whole(rate) / 100) {
        processor.process(AudioMut::mono(frame, rate));
    }
}

fn processed(make: impl Fn() -> Option<Box<dyn AudioProcessor>>, input: &[f32], rate: Frequency) -> Option<Vec<f32>> {
    let mut out = input.to_vec();
    process(&mut *make()?, &mut out, rate);
    Some(out)
}

fn add_medians<const N: usize>(
    report: &mut Report,
    setting: &Setting,
    subject: &str,
    metrics: [Metric; N],
    outcomes: &[[f64; N]],
) {
    for (index, metric) in metrics.into_iter().enumerate() {
        // Not a number for never: worse than any, so never is what comes out if it was so in most runs.
        let value = |outcome: &[f64; N]| if outcome[index].is_nan() { f64::INFINITY } else { outcome[index] };
        let mut values: Vec<f64> = outcomes.iter().map(value).collect();
        report.add(setting, subject, metric, median(&mut values));
    }
}

/// Adds what `work` on the first [`COST_FRAMES`] frames of the input takes, and what is kept at first.
fn add_cost<M, T>(
    report: &mut Report,
    setting: &Setting,
    subject: &Subject<M>,
    make: impl Fn() -> Option<T>,
    (input, rate): (&[f32], Frequency),
    work: impl Fn(&mut T, &mut [f32]),
) {
    let (Some(mut made), state) = state_bytes(make) else { return };
    let input = &input[..COST_FRAMES * whole(rate) / 100];
    let mut audio = input.to_vec();
    let cost = measure(ROUNDS, || {
        audio.copy_from_slice(input);
        work(&mut made, &mut audio);
        COST_FRAMES as u64
    });
    report.add(setting, &subject.name, Metric("cpu", "us/10 ms"), cost.nanos / 1e3);
    if subject.counted {
        report.add(setting, &subject.name, Metric("allocations", "per 10 ms"), cost.allocations);
        report.add(setting, &subject.name, Metric("state", "KiB"), state as f64 / 1024.0);
    }
}
