use core::time::Duration;
use std::collections::VecDeque;

use rtc_bwe::{Allocator, AllocatorConfig, Demand, StreamId};
use rtc_core::audio::AudioRef;
use rtc_core::bwe::{Estimate, PacketResult};
use rtc_core::pacing::{Enqueued, Pacer, Priority};
use rtc_core::testkit::rng::Rng;
use rtc_core::time::{Instant, earliest};
use rtc_core::video::VideoFrame;
use rtc_core::{Bitrate, ConfigError, DataSize, RtpTime, SeqNum};
use rtc_fec::controller::{Conditions, VideoConfig, VoiceConfig, plan_video, plan_voice};
use rtc_transport::pacer::{LeakyBucketPacer, PacerConfig};

use super::outgoing::{Kind, Outgoing, Role};
use super::sources::{PICTURE_RESIDUALS, VOICE_RESIDUAL, VideoSource, VoiceSource};
use super::{PICTURE_DEADLINE, Streams, VOICE_DEADLINE, VideoCallConfig};

/// Names the streams have for the allocator.
const VOICE: StreamId = StreamId(1);
const VIDEO: StreamId = StreamId(2);
/// Pictures of less are of no use, protection included.
const LEAST_VIDEO: Bitrate = Bitrate::from_kbps(30);
/// The part of the rate of pictures that protection leaves to them.
const LEAST_MEDIA: f64 = 0.15;
/// What the picture may take with its protection.
const MOST_VIDEO: Bitrate = Bitrate::from_kbps(2_500);
/// How much faster than the estimate packets may leave for a moment: an encoder's frames are not of one size, and what waits here
/// is as late as what waits on the path.
const HURRY: f64 = 1.5;
/// The rate before the first feedback.
pub(super) const START_RATE: Bitrate = Bitrate::from_kbps(500);

/// From microphone and camera to the pacer.
#[derive(Debug)]
pub(super) struct Sender {
    pub(super) voice: VoiceSource,
    pub(super) video: VideoSource,
    allocator: Allocator,
    plans: (VoiceConfig, VideoConfig),
    pacer: LeakyBucketPacer<Outgoing>,
    /// What was made and goes to the pacer next.
    made: VecDeque<Outgoing>,
    /// Repair of pictures that waits in the pacer: what waits for the rate is chosen too early, and comes too late.
    repairs_waiting: usize,
    rtt: Duration,
    /// Packets beyond those of media.
    pub(super) redundant: u64,
    /// Packets the pacer had no room for.
    pub(super) dropped: u64,
}

impl Sender {
    pub(super) fn new(config: VideoCallConfig, streams: Streams, rng: &mut Rng) -> Result<Self, ConfigError> {
        let (mut voice, mut video) = (VoiceConfig::default(), VideoConfig::default());
        (voice.deadline, voice.residual) = (VOICE_DEADLINE, VOICE_RESIDUAL);
        // Repair from feedback and repair packets ahead are all there is: no copies, and packets of one length.
        (voice.max_copies, voice.short_packet_time) = (0, voice.packet_time);
        (video.deadline, video.residuals) = (PICTURE_DEADLINE, PICTURE_RESIDUALS.to_vec());
        video.least_media = LEAST_MEDIA;
        let mut pacer = PacerConfig::default();
        pacer.rate = START_RATE;
        Ok(Self {
            voice: VoiceSource::new(streams, rng)?,
            video: VideoSource::new(config, streams, rng)?,
            allocator: Allocator::new(AllocatorConfig::default())?,
            plans: (voice, video),
            pacer: LeakyBucketPacer::new(pacer)?,
            made: VecDeque::new(),
            repairs_waiting: 0,
            rtt: Duration::from_millis(100),
            redundant: 0,
            dropped: 0,
        })
    }

    /// Takes sound that was captured until `now`; a moment of its media clock.
    pub(super) fn capture_sound(&mut self, now: Instant, sound: AudioRef<'_>) -> Option<(Instant, RtpTime)> {
        let captured = self.voice.capture(now, sound, &mut self.made);
        self.enqueue(now);
        captured
    }

    /// Takes a picture that is captured now.
    pub(super) fn capture_picture(&mut self, now: Instant, picture: VideoFrame<'_>) {
        self.video.capture(now, picture, &mut self.made);
        self.enqueue(now);
    }

    /// Shares what the path carries: the voice first, with its protection; the picture has the rest.
    pub(super) fn adapt(&mut self, now: Instant, conditions: &Conditions, estimate: &Estimate) {
        self.pacer.set_rate(now, estimate.pacing * HURRY);
        let voice = plan_voice(conditions, &self.plans.0);
        self.voice.follow(&voice, conditions.path);
        let demands = [
            (VOICE, Demand::new(voice.wire, voice.wire, 9).always()),
            (VIDEO, Demand::new(LEAST_VIDEO, MOST_VIDEO, 5)),
        ];
        for (stream, demand) in demands {
            // The least rates are below the largest, and two streams are not too many.
            let _ = self.allocator.set(stream, demand);
        }
        self.allocator.allocate(estimate);
        let share = self.allocator.share(VIDEO).filter(|share| *share > Bitrate::ZERO);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a few packets")]
        let packets = self.video.frame_packets().round().max(1.0) as usize;
        self.plans.1.frame_packets = packets;
        let plan = share.map(|share| {
            let mut conditions = *conditions;
            conditions.rate = share;
            plan_video(&conditions, &self.plans.1, &self.video.shares())
        });
        self.video.follow(plan.as_ref(), conditions.path);
    }

    /// Takes what became of packets.
    pub(super) fn on_feedback(&mut self, now: Instant, results: &[PacketResult]) {
        self.voice.stream.on_feedback(now, results);
        self.video.stream.on_feedback(now, results);
    }

    /// Sends again what is asked for.
    pub(super) fn answer(&mut self, now: Instant, kind: Kind, lost: impl Iterator<Item = SeqNum>) {
        for seq in lost {
            let stream = if kind == Kind::Voice { &mut self.voice.stream } else { &mut self.video.stream };
            self.made.extend(stream.answer(now, seq, self.rtt));
        }
        self.enqueue(now);
    }

    pub(super) fn set_rtt(&mut self, rtt: Duration) {
        self.rtt = rtt;
    }

    /// The next packet to put on the wire, its transport-wide number still to be filled in.
    pub(super) fn poll(&mut self, now: Instant) -> Option<Outgoing> {
        self.made.extend(core::iter::from_fn(|| self.voice.stream.poll_repair(now)));
        self.enqueue(now);
        while self.repairs_waiting == 0
            && let Some(repair) = self.video.stream.poll_repair(now)
        {
            self.made.push_back(repair);
            self.enqueue(now);
        }
        let outgoing = self.pacer.poll(now)?;
        self.repairs_waiting -= usize::from(outgoing.priority == Priority::Retransmission);
        Some(outgoing)
    }

    /// A packet left under this transport-wide number.
    pub(super) fn on_sent(&mut self, now: Instant, id: u64, kind: Kind, role: Role) {
        let stream = if kind == Kind::Voice { &mut self.voice.stream } else { &mut self.video.stream };
        stream.on_sent(now, id, role);
    }

    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        // Repair is not asked for while some of it waits.
        let video = self.video.stream.poll_timeout().filter(|_| self.repairs_waiting == 0);
        earliest([self.pacer.poll_timeout(), self.voice.stream.poll_timeout(), video])
    }

    fn enqueue(&mut self, now: Instant) {
        while let Some(outgoing) = self.made.pop_front() {
            let (priority, size) = (outgoing.priority, DataSize::of(outgoing.packet.as_ref()));
            let is_media = matches!(outgoing.role, Some(role) if role.is_media());
            match self.pacer.enqueue(now, priority, size, outgoing) {
                Enqueued::Overflow => self.dropped += 1,
                _ => {
                    self.redundant += u64::from(!is_media);
                    self.repairs_waiting += usize::from(priority == Priority::Retransmission);
                }
            }
        }
    }
}
