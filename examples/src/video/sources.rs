use core::time::Duration;
use std::collections::VecDeque;

use rtc_core::audio::{AudioBuffer, AudioRef};
use rtc_core::codec::{AudioEncoder, AudioFormat, EncodedFrame, VideoEncoder};
use rtc_core::opus::{OpusConfig, OpusEncoder};
use rtc_core::pacing::Priority;
use rtc_core::testkit::rng::Rng;
use rtc_core::time::Instant;
use rtc_core::video::VideoFrame;
use rtc_core::{ConfigError, RtpTime};
use rtc_fec::controller::{LayerPlan, VideoPlan, VoicePlan};
use rtc_fec::loss::LossModel;
use rtc_transport::payload::{Payloads, av1};

use super::encoder::Av1Encoder;
use super::outgoing::{Kind, Outgoing, OutgoingConfig, OutgoingStream};
use super::{
    AV1_REPAIR, AV1_RTX, LOOK_AHEAD, OPUS_REPAIR, OPUS_RTX, PICTURE_DEADLINE, SOUND, Streams, VOICE_DEADLINE,
    VideoCallConfig,
};

/// Sound in a packet, and samples of it.
const FRAME: Duration = Duration::from_millis(20);
const FRAME_LEN: usize = 960;
/// Largest Opus packet (RFC 6716 §3.4: 1275 bytes for one frame).
const MAX_VOICE: usize = 1_275;
/// Payload of a video packet: with all headers, and those of repair, within 1280 bytes, which every path carries (RFC 8200 §5).
const MAX_VIDEO: usize = 1_120;
/// What may be missing of the voice; of key frames, on which seconds depend; and of other pictures: without layers each is needed
/// by the next, and one that is late holds up several.
pub(super) const VOICE_RESIDUAL: f64 = 0.005;
pub(super) const PICTURE_RESIDUALS: [f64; 2] = [0.0005, 0.001];
/// Least time between two key frames that are asked for: what is lost of one is brought back sooner.
const KEY_INTERVAL: Duration = Duration::from_millis(600);
/// How fast averages over pictures follow.
const FOLLOW: f64 = 0.05;

/// From microphone to packets.
#[derive(Debug)]
pub(super) struct VoiceSource {
    pub(super) stream: OutgoingStream,
    encoder: OpusEncoder,
    frame: AudioBuffer,
    filled: usize,
    pub(super) first_timestamp: RtpTime,
    timestamp: RtpTime,
    payload: Box<[u8]>,
}

impl VoiceSource {
    pub(super) fn new(streams: Streams, rng: &mut Rng) -> Result<Self, ConfigError> {
        let mut opus = OpusConfig::default();
        opus.format = AudioFormat { rate: SOUND, channels: 1 };
        let config = OutgoingConfig {
            kind: Kind::Voice,
            priorities: [Priority::Audio; 2],
            ssrc: streams.voice,
            rtx: (OPUS_RTX, streams.rtx[0]),
            repair: (OPUS_REPAIR, streams.repair[0]),
            residuals: &[VOICE_RESIDUAL],
            pool: 16,
            deadline: VOICE_DEADLINE,
        };
        let first_timestamp = RtpTime(rng.next_u32());
        Ok(Self {
            stream: OutgoingStream::new(config, rng)?,
            encoder: OpusEncoder::new(&opus)?,
            frame: AudioBuffer::new(1, FRAME_LEN, SOUND)?,
            filled: 0,
            first_timestamp,
            timestamp: first_timestamp,
            payload: vec![0; MAX_VOICE].into_boxed_slice(),
        })
    }

    /// Takes sound that was captured until `now`; gives the packets that are full, and says when the sound that is said to be of
    /// a packet's timestamp was captured.
    pub(super) fn capture(
        &mut self,
        now: Instant,
        sound: AudioRef<'_>,
        out: &mut VecDeque<Outgoing>,
    ) -> Option<(Instant, RtpTime)> {
        let (mut done, mut captured) = (0, None);
        while done < sound.samples() {
            let part = sound.slice(done, FRAME_LEN - self.filled);
            self.frame.as_mut().slice_mut(self.filled, part.samples()).copy_from(part);
            (done, self.filled) = (done + part.samples(), self.filled + part.samples());
            if self.filled == FRAME_LEN {
                let rest = SOUND.duration_of((sound.samples() - done) as u64);
                captured = Some((now - rest - FRAME - LOOK_AHEAD, self.timestamp));
                out.extend(self.send(now));
                out.extend(core::iter::from_fn(|| self.stream.poll_ahead()));
            }
        }
        captured
    }

    fn send(&mut self, now: Instant) -> Option<Outgoing> {
        let timestamp = self.timestamp;
        self.timestamp = timestamp + 960;
        self.filled = 0;
        let encoded = self.encoder.encode(self.frame.as_ref(), &mut self.payload).ok()?;
        self.stream.packet(now, 0, (timestamp, false), &self.payload[..encoded.len])
    }

    pub(super) fn follow(&mut self, plan: &VoicePlan, path: LossModel) {
        self.encoder.set_bitrate(plan.bitrate);
        #[expect(clippy::cast_possible_truncation, reason = "a fraction")]
        self.encoder.set_expected_loss(plan.expected_loss as f32);
        let budget = if plan.repair { repair_budget(plan.expected_overhead) } else { 0.0 };
        self.stream.protect(path, &[(plan.ahead, budget)]);
    }
}

/// From camera to packets.
#[derive(Debug)]
pub(super) struct VideoSource {
    pub(super) stream: OutgoingStream,
    encoder: Av1Encoder,
    payloads: Payloads,
    config: VideoCallConfig,
    /// Whether the next picture is to be a key frame, and when the last one was.
    key_wanted: bool,
    last_key: Option<Instant>,
    /// Whether the rate has room for pictures.
    on: bool,
    /// Packets of a frame, and the part of them that is of key frames.
    packets: f64,
    key_share: f64,
    pub(super) frames: u64,
    pub(super) keys: u64,
}

impl VideoSource {
    pub(super) fn new(config: VideoCallConfig, streams: Streams, rng: &mut Rng) -> Result<Self, ConfigError> {
        let outgoing = OutgoingConfig {
            kind: Kind::Video,
            priorities: [Priority::Video, Priority::Retransmission],
            ssrc: streams.video,
            rtx: (AV1_RTX, streams.rtx[1]),
            repair: (AV1_REPAIR, streams.repair[1]),
            residuals: &PICTURE_RESIDUALS,
            pool: 1,
            deadline: PICTURE_DEADLINE,
        };
        Ok(Self {
            stream: OutgoingStream::new(outgoing, rng)?,
            encoder: Av1Encoder::new(config.size, config.fps, config.max_bitrate * 0.4)?,
            payloads: Payloads::default(),
            config,
            key_wanted: false,
            last_key: None,
            on: true,
            packets: 2.0,
            key_share: 0.1,
            frames: 0,
            keys: 0,
        })
    }

    /// Takes a picture as it is captured; gives the packets of the frames that are ready.
    pub(super) fn capture(&mut self, now: Instant, picture: VideoFrame<'_>, out: &mut VecDeque<Outgoing>) {
        if !self.on {
            // What comes after a pause must not need what was before.
            self.key_wanted = true;
            return;
        }
        let key = self.key_wanted && self.last_key.is_none_or(|last| now >= last + KEY_INTERVAL);
        if key {
            (self.key_wanted, self.last_key) = (false, Some(now));
        }
        // A picture the encoder cannot take is left out.
        if self.encoder.encode(picture, key).is_err() {
            return;
        }
        while let Some(frame) = self.encoder.poll_frame() {
            self.send(now, &frame, out);
        }
    }

    fn send(&mut self, now: Instant, frame: &EncodedFrame, out: &mut VecDeque<Outgoing>) {
        if av1::packetize(&frame.payload, MAX_VIDEO, &mut self.payloads).is_err() {
            return;
        }
        let count = self.payloads.len();
        (self.frames, self.keys) = (self.frames + 1, self.keys + u64::from(frame.key));
        self.packets += (count as f64 - self.packets) * FOLLOW;
        let share = if frame.key { 1.0 } else { 0.0 };
        self.key_share += (share - self.key_share) * FOLLOW * count as f64 / self.packets.max(1.0);
        for (index, payload) in self.payloads.iter().enumerate() {
            let (class, last) = (usize::from(!frame.key), index + 1 == count);
            out.extend(self.stream.packet(now, class, (frame.timestamp, last), payload));
        }
        out.extend(core::iter::from_fn(|| self.stream.poll_ahead()));
    }

    /// Makes the next picture a key frame, if the last is not too near.
    pub(super) fn request_key_frame(&mut self) {
        self.key_wanted = true;
    }

    /// Packets of a frame on average.
    pub(super) fn frame_packets(&self) -> f64 {
        self.packets
    }

    /// Parts of the packets that are of key frames, and of others.
    pub(super) fn shares(&self) -> [f64; 2] {
        let key = self.key_share.clamp(0.01, 1.0);
        [key, 1.0 - key]
    }

    /// Follows a plan; `None` if there is no room for pictures.
    pub(super) fn follow(&mut self, plan: Option<&VideoPlan>, path: LossModel) {
        self.on = plan.is_some();
        let Some(plan) = plan else { return };
        // Headers of packets take their part.
        let media = plan.media * (MAX_VIDEO as f64 / (MAX_VIDEO as f64 + 48.0));
        self.encoder.set_bitrate(media.min(self.config.max_bitrate));
        let budget = |layer: &LayerPlan| if plan.repair { repair_budget(layer.overhead) } else { 0.0 };
        let classes: Vec<_> = plan.layers.iter().map(|layer| (layer.ahead, budget(layer))).collect();
        self.stream.protect(path, &classes);
    }
}

/// What repair may take, in packets per packet: what the plan expects, and some more for when chance is against it. What is far beyond
/// the plan has no place in the rate: it would wait for it, and keep what comes next waiting.
fn repair_budget(expected: f64) -> f64 {
    1.25 * expected + 0.1
}
