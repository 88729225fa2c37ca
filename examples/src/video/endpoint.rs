use core::time::Duration;

use bytes::Bytes;
use rtc_core::audio::{AudioMut, AudioRef};
use rtc_core::testkit::rng::Rng;
use rtc_core::time::{Instant, NtpTime, earliest};
use rtc_core::video::VideoFrame;
use rtc_core::{Bitrate, ConfigError, RtpTime};
use rtc_jitter::{Pulled, VideoStats};
use rtc_transport::sender::RemoteView;
use rtc_transport::session::{Event, Received, Session, SessionConfig};

use super::conditions::Path;
use super::outgoing::{Kind, Outgoing};
use super::overtaken::Overtaken;
use super::receiver::{Receiver, Shown};
use super::sender::Sender;
use super::{AV1, OPUS, PICTURE, SOUND, Streams, TRANSPORT_SEQUENCE, VideoCallConfig};

/// What the RTCP of both ends may use at most.
const RTCP_RATE: Bitrate = Bitrate::from_kbps(160);
/// How often feedback tells what came, and for how long it repeats it: where all of it arrives, and where much is lost. Each
/// millisecond sooner is one that repair has more.
const ONCE: [Duration; 2] = [Duration::from_millis(10), Duration::ZERO];
const REPEATED: [Duration; 2] = [Duration::from_millis(5), Duration::from_millis(300)];

/// One end of a call with a picture. Told the time and what happened; asked for sound, pictures, and datagrams to send.
#[derive(Debug)]
pub struct Endpoint {
    streams: Streams,
    session: Session,
    overtaken: Overtaken,
    path: Path,
    sender: Sender,
    receiver: Receiver,
    malformed: u64,
}

/// What an endpoint did so far.
#[derive(Debug, Clone, Copy)]
pub struct EndpointStats {
    /// Pictures sent, and of these key frames.
    pub frames: u64,
    /// Key frames sent.
    pub keys: u64,
    /// Copies, retransmissions and repair packets sent.
    pub redundant: u64,
    /// Packets the pacer had no room for.
    pub dropped: u64,
    /// Packets that were not what they claimed.
    pub malformed: u64,
    /// Frames of the peer that the decoder did not take.
    pub undecodable: u64,
    /// The video buffer's own.
    pub video: VideoStats,
}

impl Endpoint {
    /// An endpoint that wakes up at `now`, sends the first `streams` and receives the second. Everything random about it follows
    /// from `seed`.
    ///
    /// # Errors
    /// [`ConfigError`] if a setting is out of range.
    pub fn new(now: Instant, config: VideoCallConfig, streams: [Streams; 2], seed: u64) -> Result<Self, ConfigError> {
        let mut rng = Rng::new(seed);
        let [ours, theirs] = streams;
        let mut session = SessionConfig::default();
        session.cname = format!("{:016x}", rng.next_u64()).into();
        session.clocks = vec![(OPUS, SOUND), (AV1, PICTURE)];
        session.transport_sequence_id = Some(TRANSPORT_SEQUENCE);
        session.reduced_size = true;
        // Before the first feedback nobody knows whether any arrives.
        [session.recorder.interval, session.recorder.repeat] = REPEATED;
        session.receiver.min_sequential = 1;
        session.scheduler.bandwidth = RTCP_RATE;
        session.scheduler.seed = rng.next_u64();
        let local = [ours.voice, ours.video];
        let (path, mut sender) = (Path::new(now)?, Sender::new(config, ours, &mut rng)?);
        // As long as nothing is known, by what is assumed.
        sender.adapt(now, &path.conditions(), &path.estimate());
        Ok(Self {
            streams: ours,
            session: Session::new(now, NtpTime::default(), &local, session)?,
            overtaken: Overtaken::default(),
            path,
            sender,
            receiver: Receiver::new(theirs)?,
            malformed: 0,
        })
    }

    /// Takes sound that was captured until `now`, 48 kHz, any number of samples.
    pub fn capture_sound(&mut self, now: Instant, sound: AudioRef<'_>) {
        if let Some((captured, timestamp)) = self.sender.capture_sound(now, sound) {
            self.session.set_media_time(self.streams.voice, captured, timestamp);
        }
    }

    /// Takes a picture that is captured now.
    pub fn capture_picture(&mut self, now: Instant, picture: VideoFrame<'_>) {
        self.session.set_media_time(self.streams.video, now, picture.timestamp());
        self.sender.capture_picture(now, picture);
    }

    /// Fills what the loudspeaker is to play, 48 kHz, any number of samples.
    pub fn play(&mut self, now: Instant, out: AudioMut<'_>) -> Pulled {
        self.receiver.play(now, out)
    }

    /// The next picture to show.
    pub fn poll_picture(&mut self, now: Instant) -> Option<Shown> {
        self.receiver.poll_picture(now)
    }

    /// Takes a datagram as the network delivered it.
    pub fn receive(&mut self, now: Instant, datagram: Bytes) {
        match self.session.receive(now, datagram) {
            Ok(Received::Rtp(packet, _)) => self.receiver.receive(now, packet),
            Ok(_) => self.listen(now),
            Err(_) => self.malformed += 1,
        }
    }

    /// The next datagram to send.
    pub fn poll_transmit(&mut self, now: Instant) -> Option<Bytes> {
        for (ssrc, lost) in self.receiver.poll_nack(now) {
            if !lost.is_empty() {
                self.session.request_retransmission(now, ssrc, lost);
            }
        }
        if let Some(ssrc) = self.receiver.poll_key_frame_request(now) {
            self.session.request_key_frame(now, ssrc);
        }
        if let Some(rtcp) = self.session.poll_rtcp(now) {
            return Some(rtcp);
        }
        let Outgoing { packet, kind, role, .. } = self.sender.poll(now)?;
        let outgoing = self.session.send_rtp(now, packet, None);
        if let Some(sent) = outgoing.sent {
            if let Some(role) = role {
                self.sender.on_sent(now, sent.id, kind, role);
            }
            self.path.on_sent(sent);
        }
        Some(outgoing.datagram)
    }

    /// Lets time pass.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.session.handle_timeout(now);
        self.path.handle_timeout(now);
        self.listen(now);
    }

    /// When to call [`handle_timeout`](Self::handle_timeout), [`poll_picture`](Self::poll_picture) and
    /// [`poll_transmit`](Self::poll_transmit) at the latest.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        let own = [self.session.poll_timeout(), self.path.poll_timeout()];
        earliest([earliest(own), self.sender.poll_timeout(), self.receiver.poll_timeout()])
    }

    /// The timestamp of the first sample of the voice.
    #[must_use]
    pub fn first_timestamp(&self) -> RtpTime {
        self.sender.voice.first_timestamp
    }

    /// The rate the path is believed to carry.
    #[must_use]
    pub fn target(&self) -> Bitrate {
        self.path.estimate().target
    }

    /// Counters since the beginning.
    #[must_use]
    pub fn stats(&self) -> EndpointStats {
        EndpointStats {
            frames: self.sender.video.frames,
            keys: self.sender.video.keys,
            redundant: self.sender.redundant,
            dropped: self.sender.dropped,
            malformed: self.malformed + self.receiver.malformed,
            undecodable: self.receiver.undecodable,
            video: self.receiver.video_stats(),
        }
    }

    /// Hears what the peer's RTCP said, and follows it.
    fn listen(&mut self, now: Instant) {
        let mut heard = false;
        while let Some(event) = self.session.poll_event() {
            match event {
                Event::PacketResults(results) => {
                    heard = true;
                    let results = self.overtaken.settle(results);
                    self.sender.on_feedback(now, results);
                    self.path.on_feedback(now, results);
                }
                Event::Report(RemoteView { round_trip: Some(rtt), .. }) => {
                    self.path.on_rtt(now, rtt);
                    self.sender.set_rtt(rtt);
                    self.receiver.set_rtt(rtt);
                }
                Event::Retransmit(nack) => {
                    let kind = if nack.media == self.streams.voice { Kind::Voice } else { Kind::Video };
                    self.sender.answer(now, kind, nack.lost());
                }
                Event::KeyFrame { ssrc } if ssrc == self.streams.video => self.sender.video.request_key_frame(),
                Event::Sync { ssrc, sync } => self.receiver.on_report(ssrc, sync.ntp, sync.rtp_time),
                _ => {}
            }
        }
        if heard {
            self.sender.adapt(now, &self.path.conditions(), &self.path.estimate());
            let [interval, repeat] = if self.path.is_lossy() { REPEATED } else { ONCE };
            self.session.set_feedback(interval, repeat);
        }
    }
}
