//! Lip sync: a talker who is seen, a network each for sound and picture, and a listener who watches.

use core::time::Duration;
use std::collections::VecDeque;

use indicatif::ProgressBar;
use rtc_core::audio::AudioMut;
use rtc_core::bwe::Ecn;
use rtc_core::codec::AudioFormat;
use rtc_core::jitter::{JitterBuffer, Playout};
use rtc_core::testkit::clock::Ticks;
use rtc_core::testkit::metrics::median;
use rtc_core::testkit::naive::{Coding, PcmDecoder, PcmEncoder};
use rtc_core::testkit::netem::{Jitter, Netem, NetemConfig};
use rtc_core::testkit::signal::{Speech, Talker, TalkerConfig};
use rtc_core::time::{Instant, NtpTime};
use rtc_core::{ConfigError, DataSize, Frequency, PayloadType, RtpPacket, RtpTime, SeqNum, Ssrc};
use rtc_jitter::{
    AudioPlayout, MediaKind, Played, PlayoutConfig, PulledKind, SyncConfig, SyncGroup, VideoCodec, VideoConfig,
    VideoJitterBuffer,
};

use crate::Options;
use crate::report::{Metric, Report, Setting, Target};

const RATE: Frequency = Frequency::KHZ_16;
const FORMAT: AudioFormat = AudioFormat { rate: RATE, channels: 1 };
const VIDEO_CLOCK: Frequency = Frequency::KHZ_90;
const VOICE: Ssrc = Ssrc(1);
const FACE: Ssrc = Ssrc(2);
const SCENES: [(&str, u64, u64); 3] =
    [("lip-sync-late-picture", 0, 400), ("lip-sync-late-sound", 600, 0), ("lip-sync-jitter-only", 0, 0)];
const METRICS: [(Metric, Option<Target>); 8] = [
    (Metric("apart at first", "ms, sound early is positive"), None),
    (Metric("in step after", "s"), Some(Target::AtMost(2.0))),
    (Metric("in step", "% of pictures from 2 s on"), Some(Target::AtLeast(99.9))),
    (Metric("apart", "ms, from 2 s on"), None),
    (Metric("sound delay", "ms"), None),
    (Metric("picture delay", "ms"), None),
    (Metric("concealed", "%"), None),
    (Metric("changes", "of delay asked for"), None),
];
const PULL: Duration = Duration::from_millis(10);
const PICTURE: Duration = Duration::from_micros(33_333);
/// Timestamps at the beginning: both wrap soon.
const FIRST_AUDIO: RtpTime = RtpTime(u32::MAX - 50_000);
const FIRST_VIDEO: RtpTime = RtpTime(u32::MAX - 900_000);

/// A call and how it is disturbed.
#[derive(Debug, Clone)]
struct Scene {
    audio: NetemConfig,
    video: NetemConfig,
    /// How long sound and picture take from capture until they are sent.
    audio_late: Duration,
    video_late: Duration,
    /// When the first sender reports arrive; one each second follows.
    reports_from: Duration,
    length: Duration,
    seed: u64,
}

/// How far the picture was behind the sound when it was shown, in milliseconds, and when.
#[derive(Debug, Clone, Copy)]
struct Offset {
    at: Duration,
    ms: f64,
}

/// What the listener noticed.
struct Noticed {
    offsets: Vec<Offset>,
    /// When reports began.
    from: Duration,
    /// Times a least delay was set.
    changes: u64,
    /// Samples made up, in percent.
    concealed: f64,
    /// Mean time from capture to ear and eye, in milliseconds, of the second half.
    delays: [f64; 2],
}

/// A network with up to so much jitter in which packets overtake each other.
fn jittery(max: Duration) -> NetemConfig {
    let mut network = NetemConfig::default();
    (network.delay, network.jitter, network.reordering) = (Duration::from_millis(30), Jitter::Uniform { max }, true);
    network
}

/// Adds the rows of lip sync: with it, and without.
pub(super) fn score(options: &Options, bar: &ProgressBar, report: &mut Report) -> Result<(), ConfigError> {
    for (name, audio_late, video_late) in SCENES.into_iter().filter(|(name, ..)| options.wants_scenario(name)) {
        bar.set_message(name);
        let input = format!(
            "jitter of 200 ms for sound and 400 ms for pictures; sound sent {audio_late} ms late, pictures {video_late}; \
             reports each second from second 10 on, to second 70"
        );
        let setting = Setting { scenario: name.into(), input, seeds: options.seeds };
        for (subject, synced) in [("ours", true), ("ours without sync", false)] {
            if !options.wants_subject(subject) {
                continue;
            }
            let mut values: [Vec<f64>; METRICS.len()] = Default::default();
            for seed in 0..options.seeds {
                let noticed = Scene::new(audio_late, video_late, seed).run(synced)?;
                values.iter_mut().zip(noticed.figures()).for_each(|(values, value)| values.push(value));
                bar.inc(1);
            }
            for ((metric, target), mut values) in METRICS.into_iter().zip(values) {
                let value = median(&mut values);
                match target.filter(|_| synced) {
                    Some(target) => report.add_targeted(&setting, metric, value, target),
                    None => report.add(&setting, subject, metric, value),
                }
            }
        }
    }
    Ok(())
}

impl Scene {
    fn new(audio_late: u64, video_late: u64, seed: u64) -> Self {
        Self {
            audio: jittery(Duration::from_millis(200)),
            video: jittery(Duration::from_millis(400)),
            audio_late: Duration::from_millis(audio_late),
            video_late: Duration::from_millis(video_late),
            reports_from: Duration::from_secs(10),
            length: Duration::from_secs(70),
            seed,
        }
    }

    /// Plays the call; without `synced`, nothing is done about what the group says.
    fn run(&self, synced: bool) -> Result<Noticed, ConfigError> {
        let mut listener = Listener::new(self, synced)?;
        let mut voice = self.voice()?.peekable();
        let mut face = self.face()?.into_iter().peekable();
        let mut audio_path = Netem::new(self.audio.clone(), self.seed)?;
        let mut video_path = Netem::new(self.video.clone(), self.seed + 1_000)?;
        let mut next_report = Instant::ZERO + self.reports_from;
        for now in Ticks::every(Duration::from_millis(1)).take_while(|now| *now < Instant::ZERO + self.length) {
            while let Some((sent, packet)) = voice.next_if(|(sent, _)| *sent + self.audio_late <= now) {
                audio_path.send(sent + self.audio_late, DataSize::of(packet.as_bytes()), Ecn::NotEct, packet);
            }
            while let Some((sent, packet)) = face.next_if(|(sent, _)| *sent + self.video_late <= now) {
                video_path.send(sent + self.video_late, DataSize::of(packet.as_bytes()), Ecn::NotEct, packet);
            }
            while let Some(delivery) = audio_path.poll(now) {
                listener.audio.insert(delivery.delivered, delivery.item);
            }
            while let Some(delivery) = video_path.poll(now) {
                listener.watch(delivery.delivered);
                listener.video.insert(delivery.delivered, delivery.item);
            }
            if next_report <= now {
                listener.report(now);
                next_report += Duration::from_secs(1);
            }
            listener.watch(now);
            if now.as_millis() % 10 == 3 {
                listener.hear(now);
            }
        }
        Ok(listener.noticed())
    }

    fn voice(&self) -> Result<impl Iterator<Item = (Instant, RtpPacket)> + use<>, ConfigError> {
        let mut config = TalkerConfig::default();
        (config.ssrc, config.timestamp) = (VOICE, FIRST_AUDIO);
        let encoder = PcmEncoder::new(Coding::L16, FORMAT)?;
        let speech: Vec<f32> = Speech::new(RATE, self.seed).take(640_000).collect();
        Talker::new(config, encoder, speech.into_iter().cycle())
    }

    /// Pictures of four packets, the first a key frame (RFC 7741), that each need the one before.
    fn face(&self) -> Result<Vec<(Instant, RtpPacket)>, ConfigError> {
        let mut packets = Vec::new();
        let mut seq = SeqNum(65_000);
        for (captured, number) in Ticks::every(PICTURE).zip(0_u32..) {
            if captured >= Instant::ZERO + self.length {
                break;
            }
            for piece in 0..4 {
                let mut payload = [0x5a; 900];
                payload[0] = if piece == 0 { 0x10 } else { 0x00 };
                payload[1] = u8::from(number > 0);
                let time = FIRST_VIDEO + ticks(VIDEO_CLOCK, captured);
                let packet = RtpPacket::builder(PayloadType::new(97), seq, time, FACE).marker(piece == 3);
                packets.push((captured, packet.build(&payload)?));
                seq = seq.next();
            }
        }
        Ok(packets)
    }
}

struct Listener {
    audio: AudioPlayout<PcmDecoder>,
    video: VideoJitterBuffer,
    group: SyncGroup,
    synced: bool,
    /// Since capture, of the sound heard last.
    heard: Option<Duration>,
    /// Pictures to be shown: when, and when they were captured.
    shown: VecDeque<(Instant, Instant)>,
    noticed: Noticed,
    sums: [(f64, f64); 2],
    half: Instant,
}

impl Listener {
    fn new(scene: &Scene, synced: bool) -> Result<Self, ConfigError> {
        let mut config = PlayoutConfig::default();
        config.jitter.clock = RATE;
        let decoder = PcmDecoder::new(Coding::L16, FORMAT)?;
        let mut group = SyncGroup::new(SyncConfig::default())?;
        group.add(VOICE, MediaKind::Audio, RATE)?;
        group.add(FACE, MediaKind::Video, VIDEO_CLOCK)?;
        Ok(Self {
            audio: AudioPlayout::new(config, decoder)?,
            video: VideoJitterBuffer::new(VideoConfig::new(VideoCodec::Vp8))?,
            group,
            synced,
            heard: None,
            shown: VecDeque::new(),
            noticed: Noticed {
                offsets: Vec::new(),
                from: scene.reports_from,
                changes: 0,
                concealed: 0.0,
                delays: [0.0; 2],
            },
            sums: [(0.0, 0.0); 2],
            half: Instant::ZERO + scene.length / 2,
        })
    }

    /// Sender reports of this moment for both streams.
    fn report(&mut self, now: Instant) {
        let ntp = NtpTime::from_unix(Duration::from_secs(1_700_000_000)) + (now - Instant::ZERO);
        for (ssrc, first, clock) in [(VOICE, FIRST_AUDIO, RATE), (FACE, FIRST_VIDEO, VIDEO_CLOCK)] {
            self.group.on_report(ssrc, ntp, first + ticks(clock, now));
        }
    }

    fn hear(&mut self, now: Instant) {
        let mut out = [0.0; 160];
        let pulled = self.audio.pull(now, AudioMut::mono(&mut out, RATE));
        let is_real = !matches!(pulled.kind, PulledKind::Silence | PulledKind::Concealed);
        let Some(timestamp) = pulled.timestamp.filter(|_| is_real) else { return };
        self.heard = Some(now - captured(timestamp, FIRST_AUDIO, RATE));
        self.add(now, 0, now - captured(timestamp, FIRST_AUDIO, RATE));
        let (delay, minimum) = (self.audio.current_delay(), self.audio.minimum_delay());
        self.group.on_played(VOICE, Played { timestamp, at: now, delay, minimum });
        self.sync();
    }

    fn watch(&mut self, now: Instant) {
        while let Some(due) = self.video.poll_timeout().filter(|due| *due <= now) {
            let Playout::Ready(picture) = self.video.poll(due.max(now - PULL)) else { break };
            let (timestamp, at) = (picture.frame.timestamp, picture.render_at);
            let (delay, minimum) = (self.video.current_delay(), self.video.minimum_delay());
            self.group.on_played(FACE, Played { timestamp, at, delay, minimum });
            self.shown.push_back((at, captured(timestamp, FIRST_VIDEO, VIDEO_CLOCK)));
        }
        while self.shown.front().is_some_and(|(at, _)| *at <= now) {
            let Some((at, captured)) = self.shown.pop_front() else { return };
            self.add(at, 1, at - captured);
            if let Some(heard) = self.heard.filter(|_| at >= Instant::ZERO + self.noticed.from) {
                let ms = ((at - captured).as_secs_f64() - heard.as_secs_f64()) * 1e3;
                self.noticed.offsets.push(Offset { at: at - Instant::ZERO, ms });
            }
        }
    }

    fn sync(&mut self) {
        while let Some((ssrc, delay)) = self.group.poll_min_delay() {
            self.noticed.changes += 1;
            match ssrc {
                _ if !self.synced => {}
                VOICE => self.audio.set_min_delay(delay),
                _ => self.video.set_min_delay(delay),
            }
        }
    }

    fn add(&mut self, now: Instant, stream: usize, delay: Duration) {
        if now >= self.half {
            self.sums[stream].0 += delay.as_secs_f64() * 1e3;
            self.sums[stream].1 += 1.0;
        }
    }

    fn noticed(mut self) -> Noticed {
        let stats = self.audio.stats();
        self.noticed.concealed = 100.0 * stats.concealed_samples as f64 / stats.total_samples_received as f64;
        self.noticed.delays = self.sums.map(|(sum, count)| sum / count);
        self.noticed
    }
}

/// Media time of a moment since the beginning.
fn ticks(clock: Frequency, at: Instant) -> u32 {
    u32::try_from(clock.ticks_in(at - Instant::ZERO)).unwrap_or(u32::MAX)
}

/// When media of this time was captured.
fn captured(timestamp: RtpTime, first: RtpTime, clock: Frequency) -> Instant {
    Instant::ZERO + clock.duration_of(u64::try_from(timestamp.distance_from(first)).unwrap_or(0))
}

impl Noticed {
    /// One figure for each of [`METRICS`].
    fn figures(&self) -> [f64; METRICS.len()] {
        let apart = self.offsets.first().map_or(f64::NAN, |offset| offset.ms);
        let settled = self.from + Duration::from_secs(2);
        let mut after: Vec<f64> =
            self.offsets.iter().filter(|offset| offset.at >= settled).map(|offset| offset.ms).collect();
        let in_step = after.iter().filter(|ms| is_in_step(**ms)).count() as f64 / after.len().max(1) as f64;
        let middle = median(&mut after);
        let took = self.in_step_after().map_or(f64::NAN, |took| took.as_secs_f64());
        [apart, took, 100.0 * in_step, middle, self.delays[0], self.delays[1], self.concealed, self.changes as f64]
    }

    /// How long it takes until sound and picture are in step for a second; `None` if they never are.
    fn in_step_after(&self) -> Option<Duration> {
        let mut since: Option<Duration> = None;
        for offset in &self.offsets {
            if !is_in_step(offset.ms) {
                since = None;
            } else if offset.at - *since.get_or_insert(offset.at) >= Duration::from_secs(1) {
                return since.map(|since| since - self.from);
            }
        }
        None
    }
}

/// Sound from 100 ms late to 25 ms early: nobody notices (ITU-R BT.1359: 125 ms late, 45 ms early).
fn is_in_step(ms: f64) -> bool {
    (-100.0..=25.0).contains(&ms)
}
