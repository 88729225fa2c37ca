//! Video over networks that lose, delay and reorder: what is shown, when, and how often a key frame is asked for.

use core::time::Duration;
use std::collections::{BTreeMap, HashMap, HashSet};

use indicatif::ProgressBar;
use rtc_core::bwe::Ecn;
use rtc_core::jitter::{JitterBuffer, Playout};
use rtc_core::testkit::clock::Ticks;
use rtc_core::testkit::metrics::{mean, median, percentile};
use rtc_core::testkit::netem::{Jitter, Loss, Netem, NetemConfig, Spikes};
use rtc_core::time::Instant;
use rtc_core::{ConfigError, DataSize, PayloadType, RtpPacket, RtpTime, SeqNum, Ssrc};
use rtc_jitter::{VideoCodec, VideoConfig, VideoJitterBuffer};

use crate::Options;
use crate::report::{Metric, Report, Setting};

const PICTURES: usize = 3_600;
const STEP: u32 = 3_000;
const PICTURE: Duration = Duration::from_micros(33_333);
const MILLI: Duration = Duration::from_millis(1);
/// One way, and there and back.
const DELAY: Duration = Duration::from_millis(30);
const ROUND_TRIP: Duration = Duration::from_millis(60);
const SHOWN: Metric = Metric("shown", "% of pictures");
const METRICS: [Metric; 6] = [
    SHOWN,
    Metric("delay mean", "ms"),
    Metric("delay p95", "ms"),
    Metric("frozen", "ms a minute"),
    Metric("longest freeze", "ms"),
    Metric("key frames asked for", "a minute"),
];

/// A network and whether lost packets are sent again.
struct Scene {
    name: &'static str,
    input: &'static str,
    change: fn(&mut NetemConfig) -> Result<(), ConfigError>,
    repairs: bool,
}

const SCENES: [Scene; 4] = [
    Scene {
        name: "video-reordering",
        input: "up to 80 ms of jitter, packets overtake each other",
        change: |network| {
            (network.jitter, network.reordering) = (Jitter::Uniform { max: Duration::from_millis(80) }, true);
            Ok(())
        },
        repairs: true,
    },
    Scene {
        name: "video-loss-repaired",
        input: "3 % lost in bursts of 2, sent again after a round trip",
        change: |network| {
            network.loss = Loss::bursts(0.03, 2.0)?;
            Ok(())
        },
        repairs: true,
    },
    Scene {
        name: "video-loss",
        input: "1 % lost in bursts of 2, nothing sent again",
        change: |network| {
            network.loss = Loss::bursts(0.01, 2.0)?;
            Ok(())
        },
        repairs: false,
    },
    Scene {
        name: "video-stalls",
        input: "a stall of 300 to 600 ms each 5 s",
        change: |network| {
            let [shortest, longest] = [300, 600].map(Duration::from_millis);
            network.spikes = Some(Spikes { every: Duration::from_secs(5), shortest, longest });
            Ok(())
        },
        repairs: true,
    },
];

/// Adds the rows of video.
pub(super) fn score(options: &Options, bar: &ProgressBar, report: &mut Report) -> Result<(), ConfigError> {
    for scene in SCENES.iter().filter(|scene| options.wants_scenario(scene.name)) {
        bar.set_message(scene.name);
        let input = format!("VP8 in three temporal layers, 30 a second, 60 ms there and back; {}", scene.input);
        let setting = Setting { scenario: scene.name.into(), input, seeds: options.seeds };
        let mut bound = Vec::new();
        for (subject, waits) in [("ours", false), ("ours, waits for repairs", true)] {
            if (waits && !scene.repairs) || !options.wants_subject(subject) {
                continue;
            }
            let mut values: [Vec<f64>; METRICS.len()] = Default::default();
            for seed in 0..options.seeds {
                let seen = scene.run(seed, waits)?;
                values.iter_mut().zip(seen.figures()).for_each(|(values, value)| values.push(value));
                bound.push(seen.bound);
                bar.inc(1);
            }
            for (metric, mut values) in METRICS.into_iter().zip(values) {
                report.add(&setting, subject, metric, median(&mut values));
            }
        }
        report.add(&setting, "bound", SHOWN, median(&mut bound));
    }
    Ok(())
}

/// What was seen.
struct Seen {
    /// When each picture was shown, and when it was taken.
    shown: Vec<(Instant, Instant)>,
    requests: usize,
    /// Percent of pictures of which all packets came, and of those they need.
    bound: f64,
}

impl Scene {
    /// With `waits`, delay may grow to wait for what is sent again, as the documentation has it.
    fn run(&self, seed: u64, waits: bool) -> Result<Seen, ConfigError> {
        let mut network = NetemConfig::default();
        network.delay = DELAY;
        (self.change)(&mut network)?;
        let mut path = Netem::new(network, seed)?;
        let mut buffer = VideoJitterBuffer::new(VideoConfig::new(VideoCodec::Vp8))?;
        buffer.set_round_trip(ROUND_TRIP);
        buffer.set_repair_delay(waits.then_some(ROUND_TRIP * 3 / 2));
        let (mut camera, mut receiver) = (Camera::default(), Receiver::default());
        let mut seen = Seen { shown: Vec::new(), requests: 0, bound: 0.0 };
        let mut key_at: Option<Instant> = None;
        let mut next = Instant::ZERO;
        let end = Instant::ZERO + PICTURE * 3_600 + Duration::from_secs(1);
        for now in Ticks::every(MILLI).take_while(|now| *now < end) {
            if next <= now && camera.taken.len() < PICTURES {
                let wants_key = key_at.is_some_and(|at| at <= now);
                for packet in camera.take(now, wants_key)? {
                    path.send(now, DataSize::of(packet.as_bytes()), Ecn::NotEct, packet);
                }
                key_at = key_at.filter(|_| !camera.taken.last().is_some_and(|picture| picture.key));
                next += PICTURE;
            }
            while let Some(delivery) = path.poll(now) {
                receiver.note(now, &delivery.item);
                buffer.insert(delivery.delivered, delivery.item);
            }
            for seq in receiver.again(now).into_iter().filter(|_| self.repairs) {
                if let Some(packet) = camera.sent.get(&seq) {
                    receiver.arrived(packet);
                    buffer.insert_repaired(now, packet.clone());
                }
            }
            while let Playout::Ready(picture) = buffer.poll(now) {
                let index = (picture.frame.timestamp.0 / STEP) as usize;
                seen.shown.extend(camera.taken.get(index).map(|taken| (picture.render_at, taken.at)));
            }
            if buffer.poll_key_frame_request(now).is_some() {
                seen.requests += 1;
                key_at = key_at.or(Some(now + DELAY));
            }
        }
        seen.bound = 100.0 * camera.decodable(&receiver) as f64 / PICTURES as f64;
        Ok(seen)
    }
}

/// Pictures of three temporal layers, 0 2 1 2; a key frame where one is asked for, on the base layer.
#[derive(Default)]
struct Camera {
    taken: Vec<Taken>,
    sent: HashMap<u16, RtpPacket>,
    seq: SeqNum,
    base: u8,
}

struct Taken {
    at: Instant,
    key: bool,
    packets: usize,
}

impl Camera {
    fn take(&mut self, at: Instant, wants_key: bool) -> Result<Vec<RtpPacket>, ConfigError> {
        let number = self.taken.len();
        let (temporal, is_sync) = [(0, false), (2, true), (1, true), (2, false)][number % 4];
        let key = number == 0 || (wants_key && temporal == 0);
        self.base = self.base.wrapping_add(u8::from(temporal == 0));
        let count = if key { 10 } else { 3 };
        let mut packets = Vec::with_capacity(count);
        for piece in 0..count {
            #[expect(clippy::cast_possible_truncation, reason = "numbers wrap")]
            let (picture, time) = ((number as u16) | 0x8000, number as u32 * STEP);
            let [high, low] = picture.to_be_bytes();
            let mut payload = [0x5a; 1_000];
            let start = if piece == 0 { 0x90 } else { 0x80 };
            payload[..7].copy_from_slice(&[
                start,
                0xe0,
                high,
                low,
                self.base,
                temporal << 6 | u8::from(is_sync) << 5,
                u8::from(!key),
            ]);
            let packet = RtpPacket::builder(PayloadType::new(96), self.seq, RtpTime(time), Ssrc(1))
                .marker(piece + 1 == count)
                .build(&payload)?;
            self.sent.insert(self.seq.0, packet.clone());
            self.seq = self.seq.next();
            packets.push(packet);
        }
        self.taken.push(Taken { at, key, packets: count });
        Ok(packets)
    }

    /// Pictures of which all packets came, at whatever time, and all those they need.
    fn decodable(&self, receiver: &Receiver) -> usize {
        let needs: [&[usize]; 4] = [&[4], &[1], &[2], &[1, 3]];
        let mut decodable: Vec<bool> = Vec::with_capacity(self.taken.len());
        for (index, picture) in self.taken.iter().enumerate() {
            let is_whole = receiver.came.get(&index).is_some_and(|came| *came >= picture.packets);
            let needed = needs[index % 4].iter().all(|back| index.checked_sub(*back).is_some_and(|at| decodable[at]));
            decodable.push(is_whole && (picture.key || needed));
        }
        decodable.into_iter().filter(|decodable| *decodable).count()
    }
}

/// Asks for what is missing once, a round trip before it comes.
#[derive(Default)]
struct Receiver {
    newest: Option<SeqNum>,
    missing: BTreeMap<Instant, Vec<u16>>,
    /// Packets that came of each picture.
    came: HashMap<usize, usize>,
    known: HashSet<(u32, u16)>,
}

impl Receiver {
    fn note(&mut self, now: Instant, packet: &RtpPacket) {
        self.arrived(packet);
        let seq = packet.seq();
        let missed = self.newest.map_or(0, |newest| seq.distance_from(newest) - 1);
        for back in 1..=missed {
            self.missing.entry(now + ROUND_TRIP).or_default().push((seq - back.unsigned_abs()).0);
        }
        if self.newest.is_none_or(|newest| seq.is_newer_than(newest)) {
            self.newest = Some(seq);
        }
    }

    fn arrived(&mut self, packet: &RtpPacket) {
        if self.known.insert((packet.timestamp().0, packet.seq().0)) {
            *self.came.entry((packet.timestamp().0 / STEP) as usize).or_default() += 1;
        }
    }

    /// What was sent again and comes by now.
    fn again(&mut self, now: Instant) -> Vec<u16> {
        let later = self.missing.split_off(&(now + Duration::from_nanos(1)));
        core::mem::replace(&mut self.missing, later).into_values().flatten().collect()
    }
}

impl Seen {
    /// One figure for each of [`METRICS`].
    fn figures(&self) -> [f64; METRICS.len()] {
        let minutes = PICTURE.as_secs_f64() * PICTURES as f64 / 60.0;
        let ms = |time: Duration| time.as_secs_f64() * 1e3;
        let mut delays: Vec<f64> = self.shown.iter().map(|(at, taken)| ms(*at - *taken)).collect();
        let steps: Vec<f64> = self.shown.windows(2).map(|pair| ms(pair[1].0 - pair[0].0)).collect();
        // W3C webrtc-stats, freezeCount: longer than three times the mean, or than that and 150 ms.
        let usual = mean(&steps);
        let frozen = steps.iter().filter(|step| **step > (3.0 * usual).max(usual + 150.0)).map(|step| step - usual);
        let frozen: f64 = frozen.sum();
        [
            100.0 * self.shown.len() as f64 / PICTURES as f64,
            mean(&delays),
            percentile(&mut delays, 95.0),
            frozen / minutes,
            steps.iter().copied().fold(0.0, f64::max),
            self.requests as f64 / minutes,
        ]
    }
}
