use core::time::Duration;

use rtc_core::audio::{AudioBuffer, AudioRef};
use rtc_core::testkit::clock::SkewedClock;
use rtc_core::testkit::metrics::percentile;
use rtc_core::testkit::netem::NetemStats;
use rtc_core::time::Instant;
use rtc_core::{Bitrate, ConfigError, DataSize, RtpTime};
use rtc_jitter::{Pulled, PulledKind};

use crate::report::{Protected, STEP, Summary};
use crate::voice::{Arrival, Endpoint, LOOK_AHEAD, Origin, Protection, Spoken};
use crate::wav::RATE;

use super::{FRAME, Heard, Setup};

mod bins;

use bins::Bins;

/// Bytes of IP and UDP header, which count as sent.
const IP_UDP: u64 = 28;
/// Steps in a second, over which rates and losses are averaged.
const SECOND: usize = 10;
/// Frames so far below the level of the whole are pauses: the margin of ITU-T P.56, method B.
const PAUSE_DB: f64 = 15.9;
/// Loudness shown for digital silence.
const SILENCE_DBFS: f64 = -90.0;

/// A voice packet, by its place in all that was said.
#[derive(Debug)]
struct Frame {
    start: u64,
    end: u64,
    /// What brought it, if anything did.
    origin: Option<Origin>,
    /// How likely its talker took it to be missing after repair, percent.
    expected: f64,
}

/// Watches one direction of a call from outside.
#[derive(Debug)]
pub(super) struct Recorder {
    /// The talker's clock, its time at the start of the call, and the timestamp of the first sample.
    clock: SkewedClock,
    base: RtpTime,
    said_samples: u64,
    /// The energy of each frame of the sound card.
    energies: Vec<f64>,
    /// The voice packets made, in order.
    frames: Vec<Frame>,
    /// Copies and repair packets the talker expected to need for them.
    expected_repair: f64,
    /// Why the talker protected them as it did, and how many.
    reasons: Vec<(String, u64)>,
    /// Frames the listener had decoded from deep redundancy before what it plays now.
    deep_copies: u64,
    /// Whether the last copy was one of these.
    deep: bool,
    sound: AudioBuffer,
    played: usize,
    mouth_to_ear: Vec<f64>,
    concealed: u64,
    heard: u64,
    /// From mouth to ear, milliseconds, of what was last played undisturbed.
    last_delay: f64,
    in_gap: bool,
    gaps: u64,
    bins: Bins,
}

impl Recorder {
    pub(super) fn new(setup: &Setup, clock: SkewedClock, talker: &Endpoint) -> Result<Self, ConfigError> {
        let length = setup.length + setup.drain() + FRAME;
        let samples = usize::try_from(RATE.ticks_in(length)).map_err(|_| ConfigError::new("length", "is too long"))?;
        Ok(Self {
            clock,
            base: talker.first_timestamp(),
            said_samples: 0,
            energies: Vec::new(),
            frames: Vec::new(),
            expected_repair: 0.0,
            reasons: Vec::new(),
            deep_copies: 0,
            deep: false,
            sound: AudioBuffer::new(setup.voice.channels, samples, RATE)?,
            played: 0,
            mouth_to_ear: Vec::new(),
            concealed: 0,
            heard: 0,
            last_delay: 0.0,
            in_gap: false,
            gaps: 0,
            bins: Bins::new(setup.length),
        })
    }

    /// The talker said a frame.
    pub(super) fn said(&mut self, frame: AudioRef<'_>) {
        let moment = seconds(self.said_samples);
        self.bins.add(moment, |bin| bin.said.add(frame));
        self.said_samples += frame.samples() as u64;
        self.energies.push(frame.plane(0).iter().map(|sample| f64::from(*sample).powi(2)).sum());
    }

    /// The talker made a voice packet of it.
    pub(super) fn spoken(&mut self, spoken: Spoken, protection: &Protection) {
        if let Some(start) = self.media_sample(spoken.timestamp) {
            let (end, expected) = (start + u64::from(spoken.samples), 100.0 * protection.expected_residual);
            self.frames.push(Frame { start, end, origin: None, expected });
            self.expected_repair += protection.expected_overhead;
            let reason = protection.reason.map_or_else(|| "nothing is known yet".into(), |reason| reason.to_string());
            match self.reasons.iter_mut().find(|(known, _)| *known == reason) {
                Some((_, count)) => *count += 1,
                None => self.reasons.push((reason, 1)),
            }
        }
    }

    /// The talker put a packet on the network.
    pub(super) fn sent(&mut self, now: Instant, size: DataSize, survived: bool) {
        self.bins.add(now.as_secs_f64(), |bin| {
            bin.sent += 1;
            bin.sent_bytes += size.as_bytes() + IP_UDP;
            bin.lost += u64::from(!survived);
        });
    }

    /// What the network can carry, and what the talker believes it can.
    pub(super) fn rates(&mut self, now: Instant, capacity: Option<Bitrate>, target: Bitrate) {
        self.bins.add(now.as_secs_f64(), |bin| {
            bin.capacity = capacity.map(kbps);
            bin.target = Some(kbps(target));
        });
    }

    /// The listener has a voice packet, by whatever way.
    pub(super) fn arrived(&mut self, arrival: Arrival) {
        if let Some(sample) = self.media_sample(arrival.timestamp) {
            self.mark(sample, arrival.origin);
        }
    }

    /// The listener's loudspeaker played a frame.
    pub(super) fn played(&mut self, now: Instant, pulled: Pulled, frame: AudioRef<'_>, listener: &Endpoint) {
        let room = self.sound.as_ref().samples().saturating_sub(self.played);
        self.sound.as_mut().slice_mut(self.played, room).copy_from(frame);
        self.played += frame.samples();
        let Some(sample) = pulled.timestamp.and_then(|time| self.media_sample(time)) else { return };
        let delay = self.delay(now, sample);
        if pulled.kind == PulledKind::Normal {
            self.last_delay = delay;
        }
        if now.as_secs_f64() >= self.said_seconds() + self.last_delay / 1e3 {
            return; // The talker has hung up; what comes now is only the fading of the last word.
        }
        // What is decoded may be played with the next frame of the sound card.
        let deep = listener.stats().deep_copies;
        let decoded = core::mem::replace(&mut self.deep_copies, deep) < deep;
        self.deep = decoded || (self.deep && pulled.kind == PulledKind::Redundant);
        if pulled.kind == PulledKind::Redundant {
            self.mark(sample, if self.deep { Origin::Deep } else { Origin::InbandFec });
        }
        self.heard += frame.samples() as u64;
        self.concealed += pulled.concealed as u64;
        self.gaps += u64::from(pulled.concealed > 0 && !self.in_gap);
        self.in_gap = pulled.concealed > 0;
        let delay = (pulled.kind != PulledKind::Silence).then_some(delay);
        self.mouth_to_ear.extend(delay);
        let (buffer, target) = (millis(listener.buffer_delay()), millis(listener.buffer_target()));
        self.bins.add(now.as_secs_f64(), |bin| {
            bin.delays.extend(delay);
            bin.buffer = Some(buffer);
            bin.buffer_target = Some(target);
            bin.concealed += pulled.concealed as f64 * 1e3 / f64::from(RATE.as_hz());
        });
        self.bins.add(seconds(sample), |bin| bin.heard.add(frame));
    }

    /// Everything said, sent and played.
    pub(super) fn finish(mut self, talker: &Endpoint, listener: &Endpoint, network: NetemStats) -> Heard {
        let (sent, played) = (talker.stats(), listener.stats().playout.packets);
        // What is late was never taken for arrived.
        let discarded = played.packets_discarded() - played.packets_late + played.packets_undecodable;
        let count = |origin| self.frames.iter().filter(|frame| frame.origin == Some(origin)).count() as u64;
        let missing = self.frames.iter().filter(|frame| frame.origin.is_none()).count() as u64;
        let brought = |origin: Option<Origin>| origin.is_some_and(|by| !matches!(by, Origin::InbandFec | Origin::Deep));
        let unrepaired = self.frames.iter().filter(|frame| !brought(frame.origin)).count() as u64;
        let made = self.frames.len() as u64;
        let expected: f64 = self.frames.iter().map(|frame| frame.expected).sum();
        let mut reasons = self.reasons.clone();
        reasons.sort_by_key(|(_, count)| core::cmp::Reverse(*count));
        let seconds = self.said_seconds().max(STEP);
        let all_bytes = network.sent_size.as_bytes() + IP_UDP * network.sent;
        let voice_bytes = sent.voice_size.as_bytes() + IP_UDP * sent.frames;
        // A call in which nothing was played has no delay to speak of.
        let mut delay_at =
            |percent| if self.mouth_to_ear.is_empty() { 0.0 } else { percentile(&mut self.mouth_to_ear, percent) };
        let summary = Summary {
            mouth_to_ear_p50_ms: delay_at(50.0),
            mouth_to_ear_p95_ms: delay_at(95.0),
            mouth_to_ear_max_ms: delay_at(100.0),
            network_loss_percent: percent(network.lost(), network.sent),
            residual_loss_percent: percent(missing + discarded, sent.frames),
            residual_speech_percent: self.residual_of_speech(),
            unrepaired_percent: percent(unrepaired, made),
            expected_unrepaired_percent: expected / made.max(1) as f64,
            repair_percent: percent(sent.redundant, made),
            expected_repair_percent: 100.0 * self.expected_repair / made.max(1) as f64,
            protection: reasons
                .into_iter()
                .map(|(reason, count)| Protected { reason, percent: percent(count, made) })
                .collect(),
            concealed_percent: percent(self.concealed, self.heard),
            concealment_events: self.gaps,
            overhead_percent: percent(all_bytes.saturating_sub(voice_bytes), voice_bytes),
            sent_kbps: all_bytes as f64 * 8e-3 / seconds,
            voice_kbps: voice_bytes as f64 * 8e-3 / seconds,
            frames_sent: sent.frames,
            frames_received: count(Origin::Direct),
            frames_from_red: count(Origin::Red),
            frames_from_fec: count(Origin::Ulpfec),
            frames_from_rtx: count(Origin::Rtx),
            frames_from_coded: count(Origin::Coded),
            frames_from_inband_fec: count(Origin::InbandFec),
            frames_from_dred: count(Origin::Deep),
            frames_discarded: discarded,
            packets_sent: network.sent,
            packets_received: network.delivered,
        };
        let residual = self.residual_loss();
        let expected = self.expected_loss();
        let timeline = self.bins.timeline(residual, expected);
        Heard { sound: self.sound, summary, timeline }
    }

    /// Percent of the frames of speech that never came: of those that are not so far below the level of the whole as pauses are.
    fn residual_of_speech(&self) -> f64 {
        let card = RATE.ticks_in(FRAME).max(1);
        let mean = |energies: &[f64]| energies.iter().sum::<f64>() / energies.len().max(1) as f64;
        let pause = mean(&self.energies) * 10_f64.powf(-PAUSE_DB / 10.0);
        let place = |sample: u64| usize::try_from(sample / card).map_or(0, |at| at.min(self.energies.len()));
        let speech =
            self.frames.iter().filter(|frame| mean(&self.energies[place(frame.start)..place(frame.end)]) > pause);
        let missing = speech.clone().filter(|frame| frame.origin.is_none()).count();
        percent(missing as u64, speech.count() as u64)
    }

    /// Notes what brought the frame that holds a sample; the first to bring it counts.
    fn mark(&mut self, sample: u64, origin: Origin) {
        let after = self.frames.partition_point(|frame| frame.start <= sample);
        if let Some(frame) = after.checked_sub(1).map(|at| &mut self.frames[at])
            && sample < frame.end
        {
            frame.origin.get_or_insert(origin);
        }
    }

    /// The place of a timestamp in all that was said, `None` before the first word.
    fn media_sample(&self, time: RtpTime) -> Option<u64> {
        u64::try_from(time.distance_from(self.base)).ok()
    }

    /// From the mouth to the ear, milliseconds.
    ///
    /// ```text
    /// mouth   |<-frame->|  the sound card hands a frame over once it is full
    /// capture           |-- timestamp --> ... network ... --> played from `now` on
    ///         the decoder's output lags its timestamps by the encoder's look-ahead
    /// ```
    fn delay(&self, now: Instant, sample: u64) -> f64 {
        let start = self.clock.local(Instant::ZERO);
        let captured = self.clock.true_time(start + RATE.duration_of(sample));
        now.nanos_since(captured) as f64 / 1e6 + millis(FRAME) + millis(LOOK_AHEAD)
    }

    fn said_seconds(&self) -> f64 {
        seconds(self.said_samples)
    }

    /// For each step of media time, percent of the frames of the second before that never came.
    fn residual_loss(&self) -> Vec<Option<f64>> {
        self.over_a_second(|window| {
            let missing = window.iter().filter(|frame| frame.origin.is_none()).count();
            percent(missing as u64, window.len() as u64)
        })
    }

    /// The same as their talker expected it, before what the codec's own redundancy brings back.
    fn expected_loss(&self) -> Vec<Option<f64>> {
        self.over_a_second(|window| window.iter().map(|frame| frame.expected).sum::<f64>() / window.len() as f64)
    }

    fn over_a_second(&self, value: impl Fn(&[Frame]) -> f64) -> Vec<Option<f64>> {
        let place = |second: f64| self.frames.partition_point(|frame| seconds(frame.start) < second);
        (1..=self.bins.len())
            .map(|step| {
                let end = step as f64 * STEP;
                let window = &self.frames[place(end - 1.0)..place(end)];
                (!window.is_empty()).then(|| value(window))
            })
            .collect()
    }
}

fn seconds(samples: u64) -> f64 {
    samples as f64 / f64::from(RATE.as_hz())
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

fn kbps(rate: Bitrate) -> f64 {
    rate.as_bps_f64() / 1e3
}

fn percent(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { 100.0 * part as f64 / whole as f64 }
}
