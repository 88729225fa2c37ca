//! Audio whose packets carry what was said before them, where most of them are lost and nothing is asked for: frames neither
//! received nor covered in time, what goes over the wire, and what it costs the processor.

use core::time::Duration;
use std::path::Path;

use indicatif::ProgressBar;
use rtc_core::audio::{AudioBuffer, AudioRef};
use rtc_core::codec::{AudioDecoder, AudioEncoder, AudioFormat};
use rtc_core::opus::{OpusConfig, OpusDecoder, OpusEncoder, Redundancy};
use rtc_core::testkit::metrics::{dbfs, median};
use rtc_core::testkit::rng::Rng;
use rtc_core::testkit::signal::Speech;
use rtc_core::{Bitrate, Frequency};

use super::scenarios::DEADLINE_MS;
use crate::Options;
use crate::cost::{Cost, Meter};
use crate::report::{Metric, Report, Setting, Target};

const RATE: Frequency = Frequency::KHZ_48;
const SECONDS: usize = 60;
const ONE_WAY_MS: usize = 20;
const LOSSES: [u32; 3] = [50, 70, 80];
/// IPv4, UDP and RTP.
const HEADERS: usize = 20 + 8 + 12;
/// Header of a RED block but the last, which has one byte (RFC 2198 §3).
const RED_BLOCK: usize = 4;
/// Frames so far below the level of the whole are pauses, not speech: the margin of ITU-T P.56, method B. The codec's own
/// verdict is not asked.
const PAUSE_DB: f64 = 15.9;

const UNCOVERED: Metric = Metric("neither received nor covered", "% of frames");
const UNCOVERED_SPEECH: Metric = Metric("neither received nor covered", "% of frames of speech");
const WIRE: Metric = Metric("rate with IP, UDP, RTP headers", "kb/s");

/// A way of sending.
struct Way {
    name: &'static str,
    packet_ms: usize,
    kbps: u64,
    redundancy: Redundancy,
    /// How often each packet is sent, at intervals of half a packet.
    times: usize,
    /// Whole frames of the packets before in each packet (RED).
    copies: usize,
}

fn ways() -> [Way; 6] {
    let dred = Redundancy::Dred { span: Duration::from_millis(300) };
    let way = |name, packet_ms, kbps, redundancy| Way { name, packet_ms, kbps, redundancy, times: 1, copies: 0 };
    [
        way("ours", 10, 72, dred),
        way("ours, 20 ms", 20, 28, dred),
        Way { times: 2, ..way("ours, 20 ms twice", 20, 28, dred) },
        Way { copies: 9, ..way("RED-9, 20 ms", 20, 24, Redundancy::None) },
        way("LBRR, 20 ms", 20, 32, Redundancy::Lbrr),
        way("nothing, 20 ms", 20, 24, Redundancy::None),
    ]
}

/// What was encoded, once for all losses.
struct Encoded {
    packet_ms: usize,
    times: usize,
    kbps: f64,
    /// Of each packet: milliseconds before it that it knows, from the second to the first.
    known: Vec<(f64, f64)>,
    /// Whether each frame is speech.
    speech: Vec<bool>,
}

pub(super) fn run(options: &Options, bar: &ProgressBar, report: &mut Report) {
    let inputs = [
        ("audio", "generated speech", Some(generated())),
        ("recorded", "a recorded talker, over and over", recorded()),
    ];
    for (prefix, what, signal) in inputs {
        let wanted = LOSSES.iter().any(|percent| options.wants_scenario(&name(prefix, *percent)));
        let Some(signal) = signal.filter(|_| wanted) else { continue };
        for way in ways().iter().filter(|way| options.wants_subject(way.name)) {
            bar.set_message(format!("{prefix} {}", way.name));
            let Some(encoded) = encode(way, &signal) else { continue };
            for percent in LOSSES.iter().filter(|percent| options.wants_scenario(&name(prefix, **percent))) {
                let scenario = name(prefix, *percent);
                let input = format!(
                    "{SECONDS} s of {what}, {percent} % lost at random, one way {ONE_WAY_MS} ms, deadline {DEADLINE_MS} ms"
                );
                add(report, &Setting { scenario, input, seeds: options.seeds }, way, &encoded, *percent);
            }
        }
    }
    if options.wants_scenario("dred cost") && options.wants_subject("ours") {
        add_costs(report, &generated()[..RATE.as_hz() as usize * 10]);
    }
}

fn name(prefix: &str, percent: u32) -> String {
    format!("{prefix}-{percent}")
}

fn generated() -> Vec<f32> {
    Speech::new(RATE, 1).take(SECONDS * RATE.as_hz() as usize).collect()
}

/// VCTK p286 of the data beside the project, where that is.
fn recorded() -> Option<Vec<f32>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data/speech/aud_p286_011.wav");
    let reader = hound::WavReader::open(path).ok()?;
    let samples: Vec<f32> =
        reader.into_samples::<i16>().map_while(Result::ok).map(|code| f32::from(code) / 32_768.0).collect();
    Some(samples.into_iter().cycle().take(SECONDS * RATE.as_hz() as usize).collect())
}

fn format() -> AudioFormat {
    AudioFormat { rate: RATE, channels: 1 }
}

fn config(way: &Way) -> OpusConfig {
    let mut config = OpusConfig::default();
    config.format = format();
    config.bitrate = Bitrate::from_kbps(way.kbps);
    config.redundancy = way.redundancy;
    config.expected_loss = 0.5;
    config
}

fn payloads(way: &Way, signal: &[f32]) -> Option<Vec<Vec<u8>>> {
    let mut encoder = OpusEncoder::new(&config(way)).ok()?;
    let mut out = [0; 1_500];
    let frames = signal.chunks_exact(samples(way.packet_ms));
    frames
        .map(|frame| {
            let encoded = encoder.encode(AudioRef::mono(frame, RATE), &mut out).ok()?;
            Some(out[..encoded.len].to_vec())
        })
        .collect()
}

fn samples(millis: usize) -> usize {
    millis * RATE.as_hz() as usize / 1_000
}

fn encode(way: &Way, signal: &[f32]) -> Option<Encoded> {
    let payloads = payloads(way, signal)?;
    let mut decoder = OpusDecoder::new(format()).ok()?;
    let mut out = AudioBuffer::new(1, samples(way.packet_ms), RATE).ok()?;
    let mut known = Vec::new();
    let mut bytes = 0;
    for (index, payload) in payloads.iter().enumerate() {
        let copied: usize =
            payloads[index.saturating_sub(way.copies)..index].iter().map(|copy| RED_BLOCK + copy.len()).sum();
        bytes += way.times * (HEADERS + payload.len() + copied + usize::from(way.copies > 0));
        let deep = decoder.dred_in(payload);
        let millis = |samples: usize| samples as f64 * 1_000.0 / f64::from(RATE.as_hz());
        let one = way.packet_ms as f64;
        known.push(match way.copies {
            0 if !deep.is_empty() => (millis(deep.start), millis(deep.end)),
            0 => {
                // Asked after the packet before it was played, as in a receiver that lost one frame earlier.
                let lbrr = decoder.decode_redundant(payload, samples(way.packet_ms), out.as_mut());
                (0.0, if lbrr.is_some() { one } else { 0.0 })
            }
            copies => (0.0, one * copies as f64),
        });
        decoder.decode(payload, out.as_mut()).ok()?;
    }
    let seconds = signal.len() as f64 / f64::from(RATE.as_hz());
    let frames = signal.chunks_exact(samples(way.packet_ms));
    let pause = dbfs(signal) - PAUSE_DB;
    Some(Encoded {
        packet_ms: way.packet_ms,
        times: way.times,
        kbps: bytes as f64 * 8.0 / seconds / 1e3,
        known,
        speech: frames.map(|frame| dbfs(frame) > pause).collect(),
    })
}

/// Frames, and frames of speech, that are neither received nor covered in time, in percent of such frames.
fn uncovered(encoded: &Encoded, loss: f64, seed: u64) -> [f64; 2] {
    let mut rng = Rng::new(seed);
    // Which sendings of each packet arrive.
    let arrived: Vec<Vec<bool>> =
        encoded.known.iter().map(|_| (0..encoded.times).map(|_| rng.uniform() >= loss).collect()).collect();
    let step = encoded.packet_ms;
    let in_time = |back: usize, sending: usize| {
        back * step + sending * step / encoded.times + ONE_WAY_MS <= usize::try_from(DEADLINE_MS).unwrap_or(usize::MAX)
    };
    let is_there = |packet: usize, back: usize| {
        arrived[packet].iter().enumerate().any(|(sending, there)| *there && in_time(back, sending))
    };
    let (mut lacking, mut all) = ([0.0; 2], [0.0; 2]);
    // Of the last frames the packets behind are not sent any more.
    for frame in 0..arrived.len().saturating_sub(300 / step) {
        let covers = |back: usize| {
            let (least, most) = encoded.known[frame + back];
            let (from, to) = ((back * step) as f64, ((back - 1) * step) as f64);
            from <= most && to >= least
        };
        let had = is_there(frame, 0) || (1..=300 / step).any(|back| is_there(frame + back, back) && covers(back));
        for kind in [0, 1].into_iter().filter(|kind| *kind == 0 || encoded.speech[frame]) {
            all[kind] += 1.0;
            lacking[kind] += f64::from(u8::from(!had));
        }
    }
    [0, 1].map(|kind| 100.0 * lacking[kind] / f64::max(all[kind], 1.0))
}

fn add(report: &mut Report, setting: &Setting, way: &Way, encoded: &Encoded, percent: u32) {
    let loss = f64::from(percent) / 100.0;
    let runs: Vec<[f64; 2]> = (0..setting.seeds).map(|seed| uncovered(encoded, loss, seed)).collect();
    let [all, speech] = [0, 1].map(|kind| median(&mut runs.iter().map(|run| run[kind]).collect::<Vec<f64>>()));
    report.add(setting, way.name, UNCOVERED, all);
    if way.name == "ours" && percent == 80 {
        report.add_targeted(setting, UNCOVERED_SPEECH, speech, Target::AtMost(1.0));
        report.add_targeted(setting, WIRE, encoded.kbps, Target::AtMost(130.0));
    } else {
        report.add(setting, way.name, UNCOVERED_SPEECH, speech);
        report.add(setting, way.name, WIRE, encoded.kbps);
    }
}

/// What DRED costs the processor.
fn add_costs(report: &mut Report, signal: &[f32]) {
    let setting = Setting {
        scenario: "dred cost".into(),
        input: "generated speech at 48 kHz, packets of 20 ms".into(),
        seeds: 1,
    };
    let ways = ways();
    let deep = &ways[1];
    for way in [&ways[5], deep] {
        let mut meter = Meter::default();
        let encoded = meter.run(|| payloads(way, signal)).map_or(0, |payloads| payloads.len());
        let subject = if way.kbps == deep.kbps { "ours" } else { "ours without DRED" };
        report.add(&setting, subject, Metric("encode cpu", "us/frame"), meter.per(encoded as u64).nanos / 1e3);
    }
    let Some([first, next, concealed]) = payloads(deep, signal).and_then(|payloads| gap_costs(&payloads)) else {
        return;
    };
    report.add(&setting, "ours", Metric("decode cpu, first frame of a packet", "us/frame"), first.nanos / 1e3);
    report.add(&setting, "ours", Metric("decode cpu, further frames", "us/frame"), next.nanos / 1e3);
    report.add(&setting, "ours", Metric("conceal cpu", "us/frame"), concealed.nanos / 1e3);
    let allocations = [first, next, concealed].iter().map(|cost| cost.allocations).sum();
    report.add(&setting, "ours", Metric("allocations", "per unit"), allocations);
}

/// What it costs to bring back a frame with a packet asked for the first time and again, and to conceal one.
fn gap_costs(payloads: &[Vec<u8>]) -> Option<[Cost; 3]> {
    const BURST: usize = 5;
    let mut decoder = OpusDecoder::new(format()).ok()?;
    let mut out = AudioBuffer::new(1, samples(20), RATE).ok()?;
    let mut meters = [Meter::default(); 3];
    let mut counts = [0; 3];
    for (index, group) in payloads.chunks_exact(2 * BURST).enumerate() {
        let (played, later) = (&group[..BURST], &group[2 * BURST - 1]);
        for payload in played {
            decoder.decode(payload, out.as_mut()).ok()?;
        }
        for back in (1..BURST).rev() {
            let kind = if index % 2 == 1 { 2 } else { usize::from(back + 1 < BURST) };
            let done = meters[kind].run(|| match kind {
                2 => Some(decoder.conceal(out.as_mut())),
                _ => decoder.decode_redundant(later, samples(20) * back, out.as_mut()),
            });
            counts[kind] += u64::from(done.is_some());
        }
        decoder.decode(later, out.as_mut()).ok()?;
    }
    Some([0, 1, 2].map(|kind| meters[kind].per(counts[kind])))
}
