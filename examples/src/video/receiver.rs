use core::time::Duration;

use rtc_core::audio::AudioMut;
use rtc_core::codec::{AudioFormat, VideoDecoder};
use rtc_core::jitter::{JitterBuffer, Playout};
use rtc_core::opus::OpusDecoder;
use rtc_core::time::{Instant, NtpTime, earliest};
use rtc_core::video::VideoBuffer;
use rtc_core::{ConfigError, RtpPacket, RtpTime, SeqNum, Ssrc};
use rtc_jitter::{
    AudioPlayout, MediaKind, Played, PlayoutConfig, Pulled, SyncConfig, SyncGroup, VideoCodec, VideoConfig,
    VideoJitterBuffer, VideoStats,
};

use super::decoder::Av1Decoder;
use super::incoming::IncomingStream;
use super::{AV1_REPAIR, AV1_RTX, OPUS_REPAIR, OPUS_RTX, PICTURE, PICTURE_DEADLINE, SOUND, Streams, VOICE_DEADLINE};

/// Requests end here: what comes later is of no use to the voice, but to pictures that need it.
const PICTURE_REQUESTS: Duration = Duration::from_millis(600);
/// What is missing is waited for so long before a key frame is asked for, in which repair has had its chance.
const BEFORE_KEY: Duration = Duration::from_millis(280);
/// Sound can be delayed within a moment, if need be. The picture has to follow: it stands still for every second picture, then.
const MAX_SLEW: f64 = 0.5;
/// The most that either buffer aims at.
const MAX_DELAY: Duration = Duration::from_millis(500);

/// A picture to be shown.
#[derive(Debug, Clone)]
pub struct Shown {
    /// The picture, decoded.
    pub picture: VideoBuffer,
    /// When it is on the screen.
    pub at: Instant,
    /// Whether it was a key frame.
    pub key: bool,
}

/// From the network to loudspeaker and screen.
#[derive(Debug)]
pub(super) struct Receiver {
    streams: Streams,
    voice: IncomingStream,
    video: IncomingStream,
    playout: AudioPlayout<OpusDecoder>,
    buffer: VideoJitterBuffer,
    decoder: Av1Decoder,
    sync: SyncGroup,
    /// Whether something came that cannot be decoded.
    broken: bool,
    pub(super) malformed: u64,
    pub(super) undecodable: u64,
}

impl Receiver {
    /// A receiver of these streams.
    pub(super) fn new(streams: Streams) -> Result<Self, ConfigError> {
        let mut playout = PlayoutConfig::default();
        let mut video = VideoConfig::new(VideoCodec::Av1);
        for (delay, repair) in [(&mut playout.jitter.delay, VOICE_DEADLINE), (&mut video.delay, PICTURE_DEADLINE)] {
            // What repair brings within its deadline is worth waiting for, as far as it is worth its delay.
            (delay.repair_delay, delay.max_delay) = (Some(repair), MAX_DELAY);
        }
        playout.jitter.delay.ms_per_loss_percent = 80.0;
        (video.round_trip, video.max_slew) = (BEFORE_KEY, MAX_SLEW);
        let opus = OpusDecoder::new(AudioFormat { rate: SOUND, channels: 1 })?;
        let mut sync = SyncGroup::new(SyncConfig::default())?;
        sync.add(streams.voice, MediaKind::Audio, SOUND)?;
        sync.add(streams.video, MediaKind::Video, PICTURE)?;
        Ok(Self {
            streams,
            voice: IncomingStream::new(streams.voice, OPUS_RTX, OPUS_REPAIR, VOICE_DEADLINE)?,
            video: IncomingStream::new(streams.video, AV1_RTX, AV1_REPAIR, PICTURE_REQUESTS)?,
            playout: AudioPlayout::new(playout, opus)?,
            buffer: VideoJitterBuffer::new(video)?,
            decoder: Av1Decoder::new()?,
            sync,
            broken: false,
            malformed: 0,
            undecodable: 0,
        })
    }

    /// Takes a packet as the network brought it.
    pub(super) fn receive(&mut self, now: Instant, packet: RtpPacket) {
        let is_video = self.video.takes(packet.payload_type());
        let stream = if is_video { &mut self.video } else { &mut self.voice };
        if stream.receive(now, packet).is_err() {
            self.malformed += 1;
        }
        while let Some((packet, is_repaired)) = stream.poll() {
            match (is_video, is_repaired) {
                (true, true) => self.buffer.insert_repaired(now, packet),
                (true, false) => self.buffer.insert(now, packet),
                (false, true) => self.playout.insert_repaired(now, packet),
                (false, false) => self.playout.insert(now, packet),
            };
        }
    }

    /// Plays a frame of any length.
    pub(super) fn play(&mut self, now: Instant, out: AudioMut<'_>) -> Pulled {
        let pulled = self.playout.pull(now, out);
        if let Some(timestamp) = pulled.timestamp {
            let (delay, minimum) = (self.playout.current_delay(), self.playout.minimum_delay());
            self.sync.on_played(self.streams.voice, Played { timestamp, at: now, delay, minimum });
        }
        self.synchronize();
        pulled
    }

    /// The next picture to show.
    pub(super) fn poll_picture(&mut self, now: Instant) -> Option<Shown> {
        while let Playout::Ready(timed) = self.buffer.poll(now) {
            let (delay, minimum) = (self.buffer.current_delay(), self.buffer.minimum_delay());
            let played = Played { timestamp: timed.frame.timestamp, at: timed.render_at, delay, minimum };
            self.sync.on_played(self.streams.video, played);
            if self.decoder.decode(&timed.frame).is_err() {
                (self.broken, self.undecodable) = (true, self.undecodable + 1);
            } else if let Some(picture) = self.decoder.poll_picture() {
                return Some(Shown {
                    picture: VideoBuffer::copy_of(picture),
                    at: timed.render_at,
                    key: timed.frame.key,
                });
            }
        }
        None
    }

    /// Takes the two clocks of a sender report.
    pub(super) fn on_report(&mut self, ssrc: Ssrc, ntp: NtpTime, timestamp: RtpTime) {
        self.sync.on_report(ssrc, ntp, timestamp);
    }

    /// The streams to ask for packets again, and which.
    pub(super) fn poll_nack(&mut self, now: Instant) -> [(Ssrc, Vec<SeqNum>); 2] {
        let lost = [&mut self.voice, &mut self.video].map(|stream| stream.poll_nack(now).collect());
        let [voice, video] = lost;
        [(self.streams.voice, voice), (self.streams.video, video)]
    }

    /// The stream to ask for a key frame.
    pub(super) fn poll_key_frame_request(&mut self, now: Instant) -> Option<Ssrc> {
        let asked = self.buffer.poll_key_frame_request(now);
        if core::mem::take(&mut self.broken) { Some(self.streams.video) } else { asked }
    }

    pub(super) fn set_rtt(&mut self, rtt: Duration) {
        self.voice.set_rtt(rtt);
        self.video.set_rtt(rtt);
        self.buffer.set_round_trip(rtt.max(BEFORE_KEY));
    }

    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        let streams = earliest([self.voice.poll_timeout(), self.video.poll_timeout()]);
        earliest([streams, self.buffer.poll_timeout(), self.buffer.key_frame_timeout()])
    }

    pub(super) fn video_stats(&self) -> VideoStats {
        self.buffer.stats()
    }

    /// Lets both buffers wait for each other.
    fn synchronize(&mut self) {
        while let Some((ssrc, min_delay)) = self.sync.poll_min_delay() {
            if ssrc == self.streams.voice {
                self.playout.set_min_delay(min_delay);
            } else {
                self.buffer.set_min_delay(min_delay);
            }
        }
    }
}
