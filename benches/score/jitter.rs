//! Audio play-out: delay against concealment, how far both are from what hindsight could have done, and what it costs.

use core::time::Duration;

use indicatif::ProgressBar;
use rtc_core::audio::AudioMut;
use rtc_core::codec::AudioFormat;
use rtc_core::testkit::metrics::{mean, median};
use rtc_core::testkit::naive::{Coding, PcmDecoder};
use rtc_core::testkit::signal::Speech;
use rtc_core::time::Instant;
use rtc_core::{ConfigError, RtpPacket};
use rtc_jitter::{AudioPlayout, PlayoutConfig};

use crate::report::{Metric, Report, Setting, Target};
use crate::subject::{Heard, MakePlayer, PLAYER_RATE, Player, Subject};
use crate::{Options, peers};

mod cost;
mod curves;
mod hour;
mod oracle;
mod recorded;
mod replay;
mod scenarios;
mod sync;
mod video;
mod video_cost;

use curves::Page;
use oracle::{Curve, Point, fixed_delay_for};
use replay::{Outcome, Stream};
use scenarios::{Delays, PACKETS, SYNTHETIC, TRACE_STEP};

const DELAY: Metric = Metric("delay mean", "ms");
const CONCEALED: Metric = Metric("concealed", "%");
const METRICS: [Metric; 6] = [
    DELAY,
    Metric("delay p95", "ms"),
    CONCEALED,
    Metric("over oracle", "ms at equal concealment"),
    Metric("best fixed delay", "ms at equal concealment"),
    Metric("unlike the speech", "% of real blocks"),
];
/// Ours beside the peer whose name begins so, at all its settings.
const BESIDE: [Metric; 2] =
    [Metric("delay beside NetEq's", "% at equal concealment"), Metric("p95 beside NetEq's", "% at equal concealment")];
/// After the one stall of [`STALL`]: until the delay is back within 20 ms of what it was, and what is made up from then on.
const RECOVERY: [(Metric, f64); 2] =
    [(Metric("back after the stall", "s"), 4.0), (Metric("concealed after the stall", "ms"), 0.0)];
const STALL: &str = "stall-1000";
/// When that stall begins and ends.
const STALLED: [Duration; 2] = [Duration::from_secs(30), Duration::from_secs(31)];
const REGULAR_STALLS: &str = "stalls-160";
const REFERENCE: &str = "libwebrtc NetEq";
/// Seconds of generated speech before it repeats.
const SPEECH_SECONDS: usize = 40;

/// A network, by seed.
struct Scenario {
    name: String,
    input: String,
    skew_ppm: f64,
    delays: Box<dyn Fn(u64) -> Result<Delays, ConfigError>>,
}

pub(crate) fn run(options: &Options, bar: &ProgressBar) -> Report {
    let mut report = Report::new("jitter");
    let mut subjects = vec![Subject::ours(Box::new(ours) as MakePlayer)];
    subjects.extend(peers::players());
    subjects.retain(|subject| options.wants_subject(&subject.name));
    let scenarios: Vec<Scenario> =
        scenarios().into_iter().filter(|scenario| options.wants_scenario(&scenario.name)).collect();
    let voices = crate::recorded::voices();
    bar.set_length(scenarios.len() as u64 * options.seeds);
    let mut beside: [Vec<f64>; 2] = Default::default();
    for scenario in scenarios {
        bar.set_message(scenario.name.clone());
        match score(&scenario, &subjects, &voices, options, bar, &mut report) {
            Ok(values) => beside.iter_mut().zip(values).for_each(|(all, value)| all.extend(value)),
            Err(error) => bar.suspend(|| eprintln!("{}: {error}", scenario.name)),
        }
    }
    for ((metric, values), most) in
        BESIDE.into_iter().zip(beside).zip([80.0, 100.0]).filter(|((_, all), _)| all.len() > 1)
    {
        let input = format!("geometric mean over the {} above", values.len());
        let setting = Setting { scenario: "all".into(), input, seeds: options.seeds };
        let logarithms: Vec<f64> = values.into_iter().map(f64::ln).collect();
        report.add_targeted(&setting, metric, mean(&logarithms).exp(), Target::AtMost(most));
    }
    for score in [hour::score, cost::score, video_cost::score, sync::score, video::score] {
        if let Err(error) = score(options, bar, &mut report) {
            bar.suspend(|| eprintln!("{error}"));
        }
    }
    report
}

fn scenarios() -> Vec<Scenario> {
    let synthetic = SYNTHETIC.iter().map(|network| Scenario {
        name: network.name.into(),
        input: network.input.into(),
        skew_ppm: network.skew_ppm,
        delays: Box::new(|seed| network.delays(seed)),
    });
    let recorded = recorded::traces().into_iter().map(|(name, delays)| Scenario {
        name,
        input: format!("recorded, from packet {TRACE_STEP} x seed of {}", delays.len()),
        skew_ppm: 0.0,
        delays: Box::new(move |seed| {
            let skip = usize::try_from(seed).unwrap_or(0) * TRACE_STEP % delays.len().max(1);
            Ok(scenarios::relative(delays.iter().copied().cycle().skip(skip).take(PACKETS.min(delays.len())).collect()))
        }),
    });
    synthetic.chain(recorded).collect()
}

/// All subjects over one network. Each seed is another network, voice and phase of the pulls. Returns how long ours waits
/// beside the reference.
fn score(
    scenario: &Scenario,
    subjects: &[Subject<MakePlayer>],
    voices: &[Vec<i16>],
    options: &Options,
    bar: &ProgressBar,
    report: &mut Report,
) -> Result<[Option<f64>; 2], ConfigError> {
    let recorded = voices.len().min(usize::try_from(options.seeds / 2).unwrap_or(0));
    let input = format!("{}; voices: {recorded} recorded, others synthetic", scenario.input);
    let setting = Setting { scenario: scenario.name.clone(), input, seeds: options.seeds };
    let admitted: Vec<(&Subject<MakePlayer>, &MakePlayer)> =
        subjects.iter().filter_map(|subject| Some((subject, report.admit(subject)?))).collect();
    let mut figures: Vec<[Vec<f64>; METRICS.len()]> = vec![Default::default(); admitted.len()];
    let (mut bounds, mut beside): ([Vec<f64>; 2], [Vec<f64>; 2]) = Default::default();
    let mut recoveries: Vec<[Vec<f64>; 2]> = vec![Default::default(); admitted.len()];
    let mut page = Page::new(&setting);
    for seed in 0..options.seeds {
        let delays = (scenario.delays)(seed)?;
        let stream = Stream::new(&delays, &voice(seed, voices), scenario.skew_ppm, phase(seed, options.seeds))?;
        let oracle = Curve::oracle(&delays);
        let mut points = Vec::new();
        for (((subject, make), figures), recoveries) in admitted.iter().zip(&mut figures).zip(&mut recoveries) {
            let pulls = stream.run(&mut *make(), !subject.is_variant);
            let outcome = stream.outcome(&pulls);
            points.push([outcome.delay, outcome.delay_p95].map(|delay| Point { delay, concealed: outcome.concealed }));
            if scenario.name == STALL {
                recoveries.iter_mut().zip(stream.recovery(&pulls, STALLED)).for_each(|(all, value)| all.push(value));
            }
            figures.iter_mut().zip(values(&outcome, &oracle, &delays)).for_each(|(figure, value)| figure.push(value));
            if seed == 0 && !subject.is_variant {
                page.add_delays(&subject.name, &stream, &pulls, &delays);
            }
        }
        bounds[0].extend(points.first().map(|[first, _]| oracle.nearest_for(first.concealed)));
        bounds[1].extend(points.first().map(|[first, _]| 100.0 * first.concealed));
        for (index, all) in beside.iter_mut().enumerate() {
            let points: Vec<Point> = points.iter().map(|both| both[index]).collect();
            all.extend(beside_reference(&admitted, &points));
        }
        if seed == 0 {
            page.set_oracle(&oracle);
        }
        bar.inc(1);
    }
    for (((subject, _), figures), recoveries) in admitted.iter().zip(figures).zip(recoveries) {
        let medians = figures.map(|mut values| median(&mut values));
        page.add_point(subject, (medians[0], medians[2]));
        for (metric, value) in METRICS.into_iter().zip(medians) {
            if !subject.is_variant || [DELAY, CONCEALED].contains(&metric) {
                let target = targets(&scenario.name, &subject.name, metric);
                report.add_judged(&setting, &subject.name, metric, value, target);
            }
        }
        for ((metric, most), mut values) in RECOVERY.into_iter().zip(recoveries).filter(|(_, all)| !all.is_empty()) {
            let target = (subject.name == "ours").then_some(Target::AtMost(most));
            if !subject.is_variant {
                report.add_judged(&setting, &subject.name, metric, median(&mut values), target);
            }
        }
    }
    let beside = beside.map(|mut values| (!values.is_empty()).then(|| median(&mut values)));
    for (metric, value) in BESIDE.into_iter().zip(beside) {
        if let Some(value) = value {
            report.add_targeted(&setting, metric, value, Target::AtMost(100.0));
        }
    }
    for (metric, mut values) in [DELAY, CONCEALED].into_iter().zip(bounds) {
        report.add(&setting, "bound", metric, median(&mut values));
    }
    report.figures.push((scenario.name.clone(), page.to_html()));
    Ok(beside)
}

/// What is asked of ours on this network, beside being better than others.
fn targets(scenario: &str, subject: &str, metric: Metric) -> Option<Target> {
    if (scenario, subject) != (REGULAR_STALLS, "ours") {
        return None;
    }
    match metric {
        DELAY => Some(Target::AtMost(60.0)),
        CONCEALED => Some(Target::AtMost(0.35)),
        _ => None,
    }
}

/// Our delay, in percent of the delay at which the best of the reference's settings, or a mix of two, conceals as much.
///
/// In doubt for the reference: one packet more concealed is the same, and beyond its curve the end of it counts.
fn beside_reference(subjects: &[(&Subject<MakePlayer>, &MakePlayer)], points: &[Point]) -> Option<f64> {
    let ours = points.first().filter(|_| subjects.first().is_some_and(|(subject, _)| subject.name == "ours"))?;
    let theirs = subjects.iter().zip(points).filter(|((subject, _), _)| subject.name.starts_with(REFERENCE));
    let curve = Curve::of(theirs.map(|(_, point)| *point).collect());
    let concealed = (ours.concealed + 1.0 / PACKETS as f64).max(curve.0.last()?.concealed);
    Some(100.0 * ours.delay / curve.delay_for(concealed))
}

fn values(outcome: &Outcome, oracle: &Curve, delays: &Delays) -> [f64; METRICS.len()] {
    [
        outcome.delay,
        outcome.delay_p95,
        100.0 * outcome.concealed,
        outcome.delay - oracle.nearest_for(outcome.concealed),
        fixed_delay_for(delays, outcome.concealed),
        100.0 * outcome.unlike,
    ]
}

/// Synthetic speech for even seeds, recordings for odd ones as far as there are any.
fn voice(seed: u64, voices: &[Vec<i16>]) -> Vec<i16> {
    let recorded = usize::try_from(seed / 2).unwrap_or(0);
    match voices.get(recorded) {
        Some(voice) if seed % 2 == 1 => voice.clone(),
        _ => speech(seed, SPEECH_SECONDS),
    }
}

fn speech(seed: u64, seconds: usize) -> Vec<i16> {
    let samples = Speech::new(PLAYER_RATE, seed).take(seconds * PLAYER_RATE.as_hz() as usize);
    #[expect(clippy::cast_possible_truncation, reason = "within full scale")]
    let narrow = |sample: f32| (sample * 32_767.0) as i16;
    samples.map(narrow).collect()
}

/// Spreads the pulls over the 10 ms between them.
fn phase(seed: u64, seeds: u64) -> Duration {
    Duration::from_micros(10_000 * seed / seeds.max(1))
}

fn ours() -> Box<dyn Player> {
    let format = AudioFormat { rate: PLAYER_RATE, channels: 1 };
    let mut config = PlayoutConfig::default();
    config.jitter.clock = PLAYER_RATE;
    let decoder = PcmDecoder::new(Coding::L16, format).expect("one channel");
    Box::new(Ours(AudioPlayout::new(config, decoder).expect("the default differs only in its clock")))
}

struct Ours(AudioPlayout<PcmDecoder>);

impl Player for Ours {
    fn insert(&mut self, now: Instant, packet: &RtpPacket) {
        self.0.insert(now, packet.clone());
    }

    fn pull(&mut self, now: Instant, out: &mut [f32]) -> Heard {
        let pulled = self.0.pull(now, AudioMut::mono(out, PLAYER_RATE));
        Heard { position: pulled.timestamp, concealed: pulled.concealed }
    }
}
