//! An RTP session with one remote party: what is sent and received is counted, reported and answered (RFC 3550, RFC 4585).

use core::time::Duration;
use std::collections::VecDeque;

use bytes::{Bytes, BytesMut};
use rtc_core::bwe::{Ecn, ProbeId, SentPacket};
use rtc_core::rtp::HeaderMut;
use rtc_core::rtp::extension::TransportSequence;
use rtc_core::time::{Instant, NtpTime, earliest};
use rtc_core::{ConfigError, DataSize, Malformed, RtpPacket, RtpTime, SeqNum, Ssrc};

use crate::feedback::{CongestionRecorder, FeedbackRecorder, HistoryStats, RecorderStats, SendHistory};
use crate::receiver::ReceiveStream;
use crate::rng::Rng;
use crate::rtcp::{LossNotification, MAX_COUNT, is_rtcp};
use crate::schedule::{Membership, RtcpScheduler};
use crate::sender::SendStream;

mod budget;
mod bundle;
mod collision;
mod config;
mod demux;
mod event;
mod groups;
mod incoming;
mod messages;
mod outgoing;
mod round_trip;
mod sources;
mod stats;

use budget::FeedbackBudget;
pub use bundle::{Bundle, BundleConfig, BundleStats, MediaSection, Route};
use collision::Collisions;
pub use config::SessionConfig;
pub use demux::Protocol;
use event::Queued;
pub use event::{Event, Received};
use messages::Messages;
use outgoing::Requests;
use sources::Sources;
pub use stats::SessionStats;

/// An RTP session with one remote party, on our side any number of streams.
///
/// Packets pass through on their way out ([`send_rtp`](Self::send_rtp)) and in ([`receive`](Self::receive)); RTCP comes out
/// of [`poll_rtcp`](Self::poll_rtcp) when its time has come, and what the remote's RTCP says out of
/// [`poll_event`](Self::poll_event). Encryption, retransmission and rate control are the caller's.
#[derive(Debug)]
pub struct Session {
    config: SessionConfig,
    /// When the session began, and what wall-clock time it was.
    epoch: (Instant, NtpTime),
    senders: Vec<Local>,
    /// Whose turn it is, after the first, to send a report.
    turn: usize,
    sources: Sources,
    scheduler: RtcpScheduler,
    recorder: FeedbackRecorder,
    /// Arrivals by stream, if RFC 8888 was agreed on.
    stream_recorder: Option<CongestionRecorder>,
    /// How often feedback may be sent, if that is limited.
    budget: Option<FeedbackBudget>,
    history: SendHistory,
    /// How often feedback on single packets is wanted, and for how long it is repeated.
    feedback: (Duration, Duration),
    /// Transport-wide identifier of the next packet.
    next_id: u64,
    /// The last source media came from: transport-wide feedback wants to name one.
    last_media: Option<Ssrc>,
    /// When the last two full reports were sent, the older first.
    reports: [Instant; 2],
    requests: Requests,
    messages: Messages,
    collisions: Collisions,
    /// Chooses SSRCs.
    rng: Rng,
    /// The last round trip measured.
    round_trip: Option<Duration>,
    /// Whether a chance to send feedback was asked for and has not come.
    feedback_requested: bool,
    left: bool,
    events: VecDeque<Queued>,
    /// Where datagrams are made.
    pool: BytesMut,
    stats: SessionStats,
}

/// One of our streams.
#[derive(Debug)]
struct Local {
    stream: SendStream,
    /// Who last sent a full intra request for it, and its number.
    last_fir: Option<(Ssrc, u8)>,
}

impl Local {
    fn new(ssrc: Ssrc) -> Self {
        Self { stream: SendStream::new(ssrc), last_fir: None }
    }
}

/// A packet on its way out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outgoing {
    /// What to send.
    pub datagram: Bytes,
    /// What to tell a bandwidth estimator; `None` if no feedback will speak of the packet: it has no place for a transport-wide
    /// sequence number, and RFC 8888 was not agreed on.
    pub sent: Option<SentPacket>,
}

impl Session {
    /// Begins a session at `now`, which is `ntp` on the wall clock of sender reports.
    ///
    /// `local` are the streams we may send; more are added as they are first sent. RTCP comes from the first one. For
    /// streams of several sessions to be played in step, their `ntp` must be of the same clock.
    ///
    /// # Errors
    /// [`ConfigError`] if there is no local stream, there are more than 31, or a setting cannot be used.
    pub fn new(now: Instant, ntp: NtpTime, local: &[Ssrc], config: SessionConfig) -> Result<Self, ConfigError> {
        config.check()?;
        if !(1..=MAX_COUNT).contains(&local.len()) {
            return Err(ConfigError::new("local", "must be from 1 to 31 streams"));
        }
        let alone = Membership { members: 1, senders: 0, we_sent: false };
        Ok(Self {
            epoch: (now, ntp),
            senders: local.iter().copied().map(Local::new).collect(),
            turn: 0,
            sources: Sources::new(config.max_sources, config.receiver)?,
            scheduler: RtcpScheduler::new(now, config.scheduler.clone(), alone)?,
            recorder: FeedbackRecorder::new(config.recorder.clone())?,
            stream_recorder: match config.congestion_feedback {
                true => Some(CongestionRecorder::new(config.recorder.clone(), config.max_sources)?),
                false => None,
            },
            budget: config.feedback_share.map(|share| FeedbackBudget::new(now, share)),
            history: SendHistory::new(&config.history)?,
            feedback: (config.recorder.interval, config.recorder.repeat),
            next_id: u64::from(config.first_transport_sequence.0),
            last_media: None,
            reports: [now; 2],
            requests: Requests::default(),
            messages: Messages::default(),
            collisions: Collisions::default(),
            rng: Rng::new(config.scheduler.seed ^ now.as_nanos().rotate_left(32) ^ ntp.to_bits()),
            round_trip: None,
            feedback_requested: false,
            left: false,
            events: VecDeque::new(),
            pool: BytesMut::new(),
            stats: SessionStats::default(),
            config,
        })
    }

    /// Counts a packet that leaves now, and writes the next transport-wide sequence number into it if it has an element for
    /// one: call it when the packet leaves the pacer.
    ///
    /// The number is written into a copy in pooled memory, so that whoever shares the packet keeps it as it was.
    pub fn send_rtp(&mut self, now: Instant, packet: RtpPacket, probe: Option<ProbeId>) -> Outgoing {
        let packet = self.renamed(packet);
        let clock = self.config.clock_of(packet.payload_type());
        if self.local(packet.ssrc()).is_none() && self.senders.len() < MAX_COUNT {
            self.senders.push(Local::new(packet.ssrc()));
        }
        match self.local(packet.ssrc()) {
            Some(local) => local.stream.on_packet(now, &packet, clock),
            None => self.stats.untracked += 1,
        }
        self.stats.rtp_sent += 1;
        let (ssrc, seq) = (packet.ssrc(), packet.seq());
        let numbered = self.number(&packet);
        if numbered.is_none() && !self.config.congestion_feedback {
            return Outgoing { datagram: packet.into_bytes(), sent: None };
        }
        let datagram = numbered.unwrap_or_else(|| packet.into_bytes());
        let size = DataSize::of(&datagram) + self.config.overhead;
        let sent = SentPacket { id: self.next_id, sent: now, size, probe };
        self.next_id += 1;
        if self.config.congestion_feedback {
            self.history.on_sent_of(sent, ssrc, seq);
        } else {
            self.history.on_sent(sent);
        }
        Outgoing { datagram, sent: Some(sent) }
    }

    /// Tells that media of `timestamp` was captured at `captured`, which the sender reports of `ssrc` are reckoned from; see
    /// [`SendStream::set_media_time`].
    pub fn set_media_time(&mut self, ssrc: Ssrc, captured: Instant, timestamp: RtpTime) {
        if let Some(local) = self.local(self.current(ssrc)) {
            local.stream.set_media_time(captured, timestamp);
        }
    }

    /// Takes a datagram that arrived at `now`, of RTP or RTCP.
    ///
    /// # Errors
    /// [`Malformed`] if it is neither.
    pub fn receive(&mut self, now: Instant, datagram: Bytes) -> Result<Received, Malformed> {
        self.receive_marked(now, datagram, Ecn::NotEct)
    }

    /// As [`receive`](Self::receive), with the congestion mark the datagram arrived with, which RFC 8888 feedback tells.
    ///
    /// # Errors
    /// As [`receive`](Self::receive).
    pub fn receive_marked(&mut self, now: Instant, datagram: Bytes, ecn: Ecn) -> Result<Received, Malformed> {
        self.stats.datagrams += 1;
        let received =
            if is_rtcp(&datagram) { self.receive_rtcp(now, datagram) } else { self.receive_rtp(now, datagram, ecn) };
        if received.is_err() {
            self.stats.malformed += 1;
        }
        received
    }

    /// The next thing the remote party's RTCP said.
    pub fn poll_event(&mut self) -> Option<Event<'_>> {
        // Feedback that tells nothing new is an event as well: what left long ago and is not in it either was lost.
        Some(match self.events.pop_front()? {
            Queued::Event(event) => event,
            Queued::Feedback(feedback) => Event::PacketResults(self.history.on_feedback(&feedback)),
            Queued::CongestionFeedback(feedback) => {
                Event::PacketResults(self.history.on_congestion_feedback(&feedback))
            }
        })
    }

    /// The RTCP datagram to send now: ask until there is none.
    pub fn poll_rtcp(&mut self, now: Instant) -> Option<Bytes> {
        self.handle_timeout(now);
        let membership = self.membership();
        let slot = self.scheduler.handle_timeout(now, membership)?;
        let datagram = self.build(now, slot);
        let size = DataSize::of(&datagram) + self.config.overhead;
        self.scheduler.on_sent(now, size, membership);
        self.feedback_requested = false;
        self.request_rest(now);
        if let Some(budget) = &mut self.budget {
            budget.on_feedback(size);
            let interval = budget.interval(self.feedback.0);
            self.set_recorders(interval, self.feedback.1);
        }
        self.stats.rtcp_sent += 1;
        self.stats.rtcp_bytes_sent += datagram.len() as u64;
        Some(datagram)
    }

    /// Asks the remote party to send packets of `ssrc` again (RFC 4585 §6.2.1); give them in order.
    ///
    /// Returns when the request will leave.
    pub fn request_retransmission(
        &mut self,
        now: Instant,
        ssrc: Ssrc,
        lost: impl IntoIterator<Item = SeqNum>,
    ) -> Instant {
        for seq in lost {
            if !self.requests.retransmission(ssrc, seq) {
                self.stats.requests_dropped += 1;
            }
        }
        self.request_feedback(now)
    }

    /// Changes how often transport-wide feedback says what arrived, and for how long it repeats it
    /// ([`RecorderConfig::repeat`](crate::feedback::RecorderConfig::repeat)): short and long where feedback is lost as well.
    pub fn set_feedback(&mut self, interval: Duration, repeat: Duration) {
        self.feedback = (interval, repeat);
        let interval = self.budget.as_ref().map_or(interval, |budget| budget.interval(interval));
        self.set_recorders(interval, repeat);
    }

    /// Asks the remote party for a picture that can be decoded without what was lost (RFC 4585 §6.3.1).
    ///
    /// Returns when the request will leave.
    pub fn request_key_frame(&mut self, now: Instant, ssrc: Ssrc) -> Instant {
        if !self.requests.key_frame(ssrc) {
            self.stats.requests_dropped += 1;
        }
        self.request_feedback(now)
    }

    /// Tells the remote party what of its video `ssrc` could be decoded, at the first loss: up to the frame that begins with
    /// `last_decoded`, and whether that of `last_received` can be ([`LossNotification`]).
    ///
    /// Returns when it will leave.
    pub fn notify_loss(
        &mut self,
        now: Instant,
        ssrc: Ssrc,
        last_decoded: SeqNum,
        last_received: SeqNum,
        decodable: bool,
    ) -> Instant {
        let sender = self.senders[0].stream.ssrc();
        let notification = LossNotification { sender, media: ssrc, last_decoded, last_received, decodable };
        if !self.requests.notification(notification) {
            self.stats.requests_dropped += 1;
        }
        self.request_feedback(now)
    }

    /// Says goodbye for all our streams (RFC 3550 §6.6): the last RTCP datagram is ready, unless nothing was ever sent
    /// (RFC 3550 §6.3.7).
    pub fn leave(&mut self, now: Instant, reason: &str) {
        if self.left {
            return;
        }
        self.left = true;
        if self.stats.rtp_sent == 0 && self.stats.rtcp_sent == 0 {
            self.scheduler.leave_silently();
            return;
        }
        self.requests.set_reason(reason);
        let size = DataSize::from_bytes(64) + self.config.overhead;
        let members = self.membership().members;
        self.scheduler.leave(now, size, members);
    }

    /// Lets time pass: sources that have been silent for too long are dropped.
    pub fn handle_timeout(&mut self, now: Instant) {
        let timeout = self.scheduler.timeout(self.membership());
        while let Some(ssrc) = self.sources.take_silent(now, timeout) {
            self.forget(ssrc);
            self.push_event(Event::TimedOut { ssrc });
        }
        if !self.feedback_requested && self.feedback_due().is_some_and(|due| due <= now) {
            self.request_feedback(now);
        }
    }

    /// When [`handle_timeout`](Self::handle_timeout) or [`poll_rtcp`](Self::poll_rtcp) will have something to do.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        let feedback = self.feedback_due().filter(|_| !self.feedback_requested && !self.left);
        let silence = self.sources.next_silent(self.scheduler.timeout(self.membership()));
        earliest([self.scheduler.poll_timeout(), feedback, silence])
    }

    /// The streams we send.
    pub fn senders(&self) -> impl ExactSizeIterator<Item = &SendStream> {
        self.senders.iter().map(|local| &local.stream)
    }

    /// The streams that arrive.
    pub fn receivers(&self) -> impl ExactSizeIterator<Item = &ReceiveStream> {
        self.sources.iter().map(|source| &source.stream)
    }

    /// The stream that arrives from `ssrc`.
    #[must_use]
    pub fn receiver(&self, ssrc: Ssrc) -> Option<&ReceiveStream> {
        self.sources.find(ssrc).map(|source| &source.stream)
    }

    /// The canonical name of `ssrc`, the same for all streams to be played in step (RFC 3550 §6.5.1).
    #[must_use]
    pub fn cname(&self, ssrc: Ssrc) -> Option<&[u8]> {
        self.sources.find(ssrc).and_then(|source| source.cname.as_deref())
    }

    /// `now` on the wall clock of our sender reports.
    #[must_use]
    pub fn ntp(&self, now: Instant) -> NtpTime {
        let (epoch, ntp) = self.epoch;
        ntp + (now - epoch)
    }

    /// The last round trip measured, from reports on what we send or from extended reports.
    #[must_use]
    pub fn round_trip(&self) -> Option<Duration> {
        self.round_trip
    }

    /// Who reports for the source `ssrc` of the remote party, if it does not itself (RFC 8861).
    #[must_use]
    pub fn reported_by(&self, ssrc: Ssrc) -> &[Ssrc] {
        self.sources.find(ssrc).map_or(&[], |source| &source.reported_by)
    }

    /// Data sent that feedback on single packets will tell of, and has not yet.
    #[must_use]
    pub fn in_flight(&self) -> DataSize {
        self.history.in_flight()
    }

    /// Counters since the beginning.
    #[must_use]
    pub fn stats(&self) -> SessionStats {
        self.stats
    }

    /// Counters of transport-wide feedback on what arrived.
    #[must_use]
    pub fn recorder_stats(&self) -> RecorderStats {
        self.recorder.stats()
    }

    /// Counters of congestion control feedback (RFC 8888) on what arrived.
    #[must_use]
    pub fn stream_recorder_stats(&self) -> RecorderStats {
        self.stream_recorder.as_ref().map(CongestionRecorder::stats).unwrap_or_default()
    }

    /// Counters of feedback on what was sent.
    #[must_use]
    pub fn history_stats(&self) -> HistoryStats {
        self.history.stats()
    }

    /// A copy of `packet` with the next transport-wide sequence number; `None` if it has no place for one.
    fn number(&mut self, packet: &RtpPacket) -> Option<Bytes> {
        let id = self.config.transport_sequence_id?;
        self.pool.clear();
        self.pool.extend_from_slice(packet.as_bytes());
        #[expect(clippy::cast_possible_truncation, reason = "the sequence number is the low 16 bits")]
        let number = TransportSequence(self.next_id as u16);
        let written = HeaderMut::parse(&mut self.pool).is_ok_and(|mut header| header.write(id, &number));
        written.then(|| self.pool.split().freeze())
    }

    /// When feedback on single packets will be due.
    fn feedback_due(&self) -> Option<Instant> {
        earliest([
            self.recorder.poll_timeout(),
            self.stream_recorder.as_ref().and_then(CongestionRecorder::poll_timeout),
        ])
    }

    fn set_recorders(&mut self, interval: Duration, repeat: Duration) {
        self.recorder.set_interval(interval, repeat);
        if let Some(recorder) = &mut self.stream_recorder {
            recorder.set_interval(interval, repeat);
        }
    }

    fn local(&mut self, ssrc: Ssrc) -> Option<&mut Local> {
        self.senders.iter_mut().find(|local| local.stream.ssrc() == ssrc)
    }

    fn request_feedback(&mut self, now: Instant) -> Instant {
        self.feedback_requested = true;
        self.scheduler.request_feedback(now).max(now)
    }

    /// One endpoint is one member, whatever its number of streams; see [`RtcpScheduler`].
    fn membership(&self) -> Membership {
        let we_sent = self.senders.iter().any(|local| local.stream.sent_since(self.reports[0]));
        let they_sent = self.sources.iter().any(|source| source.sent_since(self.reports[0]));
        Membership {
            members: 1 + u32::from(self.sources.is_heard()),
            senders: u32::from(we_sent) + u32::from(they_sent),
            we_sent,
        }
    }

    fn push_event(&mut self, event: Event<'static>) {
        self.push(Queued::Event(event));
    }

    fn push(&mut self, event: Queued) {
        if self.events.len() >= self.config.max_events {
            self.stats.events_dropped += 1;
            return;
        }
        self.events.push_back(event);
    }
}
