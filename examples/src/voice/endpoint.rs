use core::fmt;
use core::time::Duration;

use bytes::Bytes;
use rtc_bwe::{Gcc, GccConfig};
use rtc_core::audio::{AudioMut, AudioRef};
use rtc_core::bwe::{BandwidthEstimator, PacketResult};
use rtc_core::testkit::rng::Rng;
use rtc_core::time::{Instant, NtpTime, earliest};
use rtc_core::{Bitrate, ConfigError, DataSize, RtpTime, Ssrc};
use rtc_fec::controller::{Account, Conditions};
use rtc_fec::loss::{LossConfig, LossEstimator};
use rtc_jitter::{PlayoutStats, Pulled};
use rtc_transport::sender::RemoteView;
use rtc_transport::session::{Event, Received, Session, SessionConfig};

use super::protection::ASSUMED_LOSS;
use super::protection::Protection;
use super::receiver::Receiver;
use super::sender::{Outgoing, START_RATE, Sender};
use super::{Arrival, OPUS, RED, Spoken, Streams, TRANSPORT_SEQUENCE, VoiceConfig};
use crate::wav::RATE;

/// Bytes of IPv4 and UDP header of each packet, which take their share of the path as well.
const IP_UDP: DataSize = DataSize::from_bytes(28);
/// What the RTCP of both ends may use at most: 20 times a second 60 bytes, or where much is lost 100 times 120.
const RTCP_RATE: Bitrate = Bitrate::from_kbps(120);
/// Where so much of what is sent is lost, feedback is lost as well, and says everything again.
const REPEAT_FROM: f64 = 0.25;
/// How often it does, and what it tells of.
const REPEATED: [Duration; 2] = [Duration::from_millis(10), Duration::from_millis(350)];
/// How often feedback tells what came since the last.
const ONCE: [Duration; 2] = [Duration::from_millis(50), Duration::ZERO];
/// The same where a limit leaves no room for more, and what it takes of that.
const RARE: [Duration; 2] = [Duration::from_millis(50), Duration::from_millis(350)];
const RARE_RTCP: Bitrate = Bitrate::from_kbps(14);
/// A standing queue beyond this is congestion.
const QUEUED: Duration = Duration::from_millis(60);
/// So long the estimator may take loss for congestion that is none: a queue would show by then.
const GRACE: Duration = Duration::from_secs(5);
/// What may be sent meanwhile if much is lost, and no queue ever stood: what the call began with.
const GRACE_RATE: Bitrate = START_RATE;
/// A voice call never needs more, whatever the path carries: 510 kb/s of Opus, and a copy.
const MAX_RATE: Bitrate = Bitrate::from_kbps(2_000);

/// One end of a voice call. Told the time and what happened; asked for sound and for datagrams to send.
#[derive(Debug)]
pub struct Endpoint {
    /// When it woke up.
    since: Instant,
    fastest: Fastest,
    /// Whether packets were ever held up as by a queue.
    slowed: bool,
    /// Whether feedback came.
    heard: bool,
    sender: Sender,
    receiver: Receiver,
    session: Session,
    estimator: Gcc,
    loss: LossEstimator,
    /// Datagrams nobody could make sense of.
    malformed: u64,
    peer_left: bool,
    /// Most of everything that is sent.
    most: Option<Bitrate>,
    /// Whether that leaves no room for fast feedback.
    rare_feedback: bool,
}

/// What an endpoint did so far.
#[derive(Debug, Clone, Copy)]
pub struct EndpointStats {
    /// Voice packets made.
    pub frames: u64,
    /// Bytes of them, RTP headers included, without anything that protects them.
    pub voice_size: DataSize,
    /// Voice packets made or repaired that the pacer had no room for.
    pub dropped: u64,
    /// Voice packets of the peer that reached the play-out.
    pub received: u64,
    /// Packets that were not what they claimed.
    pub malformed: u64,
    /// Copies, retransmissions and repair packets made for the voice packets.
    pub redundant: u64,
    /// What the protection of late was expected to do, and what it did as far as feedback tells: what ULPFEC brings back, it
    /// does not.
    pub account: Account,
    /// Frames decoded from deep redundancy (DRED) in later packets.
    pub deep_copies: u64,
    /// The play-out's own.
    pub playout: PlayoutStats,
}

impl Endpoint {
    /// An endpoint that wakes up at `now`. Everything random about it follows from `seed`.
    ///
    /// # Errors
    /// [`ConfigError`] if a setting is out of range.
    pub fn new(now: Instant, config: VoiceConfig, seed: u64) -> Result<Self, ConfigError> {
        let mut rng = Rng::new(seed);
        let mut ssrc = || Ssrc(rng.next_u32());
        let streams = Streams { voice: ssrc(), repair: ssrc(), rtx: ssrc(), coded: ssrc() };
        let mut gcc = GccConfig::default();
        (gcc.start, gcc.max) = (config.limits.start(), config.limits.all.unwrap_or(MAX_RATE));
        // Networks that lose most packets at random are what the protection is for.
        gcc.loss.max_random = 0.9;
        // A voice has a least rate: on a link that does not carry it, the queue that stays is its own and nobody else's.
        gcc.compete.enabled = false;
        let mut loss = LossConfig::default();
        loss.assumed = ASSUMED_LOSS;
        // The estimator deals with queues; here only what never comes is loss.
        loss.late_after = Duration::from_secs(1);
        Ok(Self {
            since: now,
            fastest: Fastest::default(),
            slowed: false,
            heard: false,
            sender: Sender::new(config, streams, &mut rng)?,
            receiver: Receiver::new(config)?,
            session: Session::new(
                now,
                NtpTime::default(),
                &[streams.voice],
                session_config(&mut rng, config.limits.encryption),
            )?,
            estimator: Gcc::new(gcc)?,
            loss: LossEstimator::new(loss)?,
            malformed: 0,
            peer_left: false,
            most: config.limits.all,
            rare_feedback: config.limits.without_feedback(),
        })
    }

    /// Takes what the microphone captured, 48 kHz, any number of samples.
    pub fn capture(&mut self, now: Instant, sound: AudioRef<'_>) {
        self.sender.capture(now, sound);
    }

    /// Nothing more will be captured: the last words are protected as those before them were.
    pub fn close_microphone(&mut self, now: Instant) {
        self.sender.close(now);
    }

    /// Fills what the loudspeaker is to play, 48 kHz, any number of samples.
    pub fn play(&mut self, now: Instant, out: AudioMut<'_>) -> Pulled {
        self.receiver.play(now, out)
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
        if let Some(voice) = self.receiver.voice() {
            let mut lost = self.receiver.poll_nack(now).peekable();
            if self.sender.is_deep() {
                // A peer of whom as much is lost would not answer.
                lost.for_each(drop);
            } else if lost.peek().is_some() {
                self.session.request_retransmission(now, voice, lost);
            }
        }
        if let Some(rtcp) = self.session.poll_rtcp(now) {
            return Some(rtcp);
        }
        let Outgoing { packet, carried, brings } = self.sender.poll(now)?;
        let outgoing = self.session.send_rtp(now, packet, None);
        if let Some(sent) = outgoing.sent {
            self.sender.on_sent(now, sent.id, carried, brings);
            self.estimator.on_sent(sent);
        }
        Some(outgoing.datagram)
    }

    /// Lets time pass.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.session.handle_timeout(now);
        self.estimator.handle_timeout(now);
        self.sender.trail(now);
        self.listen(now);
    }

    /// When to call [`handle_timeout`](Self::handle_timeout) and [`poll_transmit`](Self::poll_transmit) at the latest.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        earliest([
            self.sender.poll_timeout(),
            self.receiver.poll_timeout(),
            self.session.poll_timeout(),
            self.estimator.poll_timeout(),
        ])
    }

    /// Says goodbye; the datagram to send, if it may leave now.
    pub fn hang_up(&mut self, now: Instant) -> Option<Bytes> {
        self.session.leave(now, "");
        self.session.poll_rtcp(now)
    }

    /// The next voice packet that was made, for whoever keeps count.
    pub fn poll_spoken(&mut self) -> Option<Spoken> {
        self.sender.poll_spoken()
    }

    /// The next voice packet that reached the play-out, for whoever keeps count.
    pub fn poll_arrival(&mut self) -> Option<Arrival> {
        self.receiver.poll_arrival()
    }

    /// Whether the peer said goodbye.
    #[must_use]
    pub fn peer_left(&self) -> bool {
        self.peer_left
    }

    /// The timestamp of the first sample captured.
    #[must_use]
    pub fn first_timestamp(&self) -> RtpTime {
        self.sender.first_timestamp
    }

    /// The rate the path is believed to carry.
    #[must_use]
    pub fn target(&self) -> Bitrate {
        self.estimator.estimate().target
    }

    /// What is done about the loss.
    #[must_use]
    pub fn protection(&self) -> Protection {
        self.sender.protection()
    }

    /// The delay the jitter buffer adds now.
    #[must_use]
    pub fn buffer_delay(&self) -> Duration {
        self.receiver.buffer_delay()
    }

    /// The delay the jitter buffer aims at.
    #[must_use]
    pub fn buffer_target(&self) -> Duration {
        self.receiver.buffer_target()
    }

    /// Counters since the beginning.
    #[must_use]
    pub fn stats(&self) -> EndpointStats {
        EndpointStats {
            frames: self.sender.frames,
            voice_size: self.sender.voice_size,
            dropped: self.sender.dropped,
            received: self.receiver.received,
            malformed: self.malformed + self.receiver.malformed,
            redundant: self.sender.redundant,
            account: self.sender.account,
            deep_copies: self.receiver.deep_copies(),
            playout: self.receiver.playout_stats(),
        }
    }

    /// What is left for media of a rate, RTCP being what it is.
    fn limited(&self, rate: Bitrate) -> Bitrate {
        let rtcp = if self.rare_feedback { RARE_RTCP } else { RTCP_RATE };
        self.most.map_or(rate, |most| rate.min(most - rtcp))
    }

    /// Hears what the peer's RTCP said, and follows it.
    fn listen(&mut self, now: Instant) {
        // Before word comes back: a peer of which little arrives hears little of us.
        let mut repeat = (!self.heard && self.receiver.misses_much()).then_some(true);
        while let Some(event) = self.session.poll_event() {
            match event {
                Event::PacketResults(results) => {
                    self.heard = true;
                    self.loss.on_feedback(now, results);
                    self.sender.on_feedback(now, results);
                    self.slowed |= self.fastest.is_slower(results);
                    self.estimator.on_feedback(now, results);
                    let estimate = self.estimator.estimate();
                    // Loss with a queue is congestion: less helps, redundancy would not.
                    let queued = self.estimator.snapshot().queue_delay > QUEUED;
                    let path = self.loss.model();
                    let grace = now < self.since + GRACE && path.loss >= REPEAT_FROM && !queued && !self.slowed;
                    let least = if grace { GRACE_RATE } else { Bitrate::ZERO };
                    let mut conditions = Conditions::new(path, self.limited(estimate.target.max(least)));
                    if queued {
                        conditions = conditions.congested(f64::from(estimate.random_loss));
                    }
                    self.sender.adapt(now, &conditions, estimate.pacing.max(least));
                    repeat = Some(!queued && path.loss >= REPEAT_FROM);
                }
                Event::Report(RemoteView { round_trip: Some(rtt), .. }) => {
                    self.estimator.on_rtt(now, rtt);
                    self.loss.on_rtt(rtt);
                    self.sender.set_rtt(rtt);
                    self.receiver.set_rtt(rtt);
                }
                Event::Retransmit(nack) => self.sender.retransmit(now, nack.lost()),
                Event::Bye { .. } => self.peer_left = true,
                _ => {}
            }
        }
        if let Some(repeat) = repeat {
            let [interval, repeated] = match repeat {
                true if self.rare_feedback => RARE,
                true => REPEATED,
                false => ONCE,
            };
            self.session.set_feedback(interval, repeated);
        }
    }
}

/// The shortest time a packet took, by the difference of both clocks in nanoseconds.
#[derive(Debug, Clone, Copy, Default)]
struct Fastest(Option<i64>);

impl Fastest {
    /// Whether even the fastest of these packets was held up.
    fn is_slower(&mut self, results: &[PacketResult]) -> bool {
        let way = |result: &PacketResult| {
            let received = result.received?.as_nanos().cast_signed();
            Some(received.wrapping_sub(result.packet.sent.as_nanos().cast_signed()))
        };
        let Some(way) = results.iter().filter_map(way).min() else { return false };
        let fastest = self.0.map_or(way, |fastest| fastest.min(way));
        self.0 = Some(fastest);
        i128::from(way) - i128::from(fastest) > i128::try_from(QUEUED.as_nanos()).unwrap_or(i128::MAX)
    }
}

impl fmt::Display for EndpointStats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let playout = &self.playout;
        let concealed = 100.0 * playout.concealed_samples as f64 / playout.total_samples_received.max(1) as f64;
        write!(
            f,
            "{} voice packets sent, {:.0} % repair, of late {:.1} % unrepaired ({:.1} % expected); {} received, {concealed:.1} % of \
             the sound made up, {:.0} ms in the jitter buffer",
            self.frames,
            100.0 * self.redundant as f64 / self.frames.max(1) as f64,
            100.0 * self.account.residual,
            100.0 * self.account.expected_residual,
            self.received,
            playout.mean_delay().as_secs_f64() * 1e3
        )
    }
}

fn session_config(rng: &mut Rng, encryption: usize) -> SessionConfig {
    let mut config = SessionConfig::default();
    config.cname = format!("{:016x}", rng.next_u64()).into();
    config.clocks = vec![(OPUS, RATE), (RED, RATE)];
    config.transport_sequence_id = Some(TRANSPORT_SEQUENCE);
    config.reduced_size = true;
    // Before the first feedback nobody knows whether any arrives.
    config.recorder.repeat = REPEATED[1];
    config.overhead = IP_UDP + DataSize::from_bytes(encryption as u64);
    // Streams are not signalled here, so the first packet must be believed.
    config.receiver.min_sequential = 1;
    config.scheduler.bandwidth = RTCP_RATE;
    config.scheduler.seed = rng.next_u64();
    config
}
