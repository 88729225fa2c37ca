use core::time::Duration;

use bytes::Bytes;
use rtc_core::bwe::PacketResult;
use rtc_core::time::NtpTime;
use rtc_core::{RtpPacket, Ssrc};

use crate::receiver::Arrival;
use crate::rtcp::{
    App, CongestionFeedback, ExtendedReport, LossNotification, Nack, Raw, Remb, TimedMessage, TransportFeedback,
};
use crate::sender::RemoteView;
use crate::sync::SyncPoint;

/// What a datagram was.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Received {
    /// A packet of media, and what its sequence number says of it.
    ///
    /// It is given out whatever that is: a jitter buffer may judge otherwise. One that is [`Arrival::Implausible`] or in
    /// [`Arrival::Probation`] may be a stray.
    Rtp(RtpPacket, Arrival),
    /// RTCP: see [`poll_event`](super::Session::poll_event).
    Rtcp,
    /// A packet of one of our own sources: a loop, or a collision (RFC 3550 §8.2). Dropped.
    Collision(Ssrc),
    /// A packet of one source too many. Dropped.
    TooManySources(Ssrc),
}

/// What the remote party's RTCP said.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event<'a> {
    /// The fate of packets we sent, for a bandwidth estimator. Comes with every feedback on single packets, also one that tells
    /// nothing new, with nothing in it: who waits for a packet's fate learns that it was not in this one either.
    PacketResults(&'a [PacketResult]),
    /// How one of our streams is received; its source is in the block.
    Report(RemoteView),
    /// Packets of one of our streams are asked for again.
    Retransmit(Nack),
    /// A key frame of one of our streams is asked for, by PLI or FIR.
    KeyFrame {
        /// The stream.
        ssrc: Ssrc,
    },
    /// A sender told what its wall clock and its media clock show.
    Sync {
        /// The stream.
        ssrc: Ssrc,
        /// The two clocks.
        sync: SyncPoint,
    },
    /// The receiver's own estimate of what the path carries.
    MaxBitrate(Remb),
    /// A source left.
    Bye {
        /// The stream.
        ssrc: Ssrc,
        /// Why, empty if not told.
        reason: Bytes,
    },
    /// A source has been silent for too long, and was dropped.
    TimedOut {
        /// The stream.
        ssrc: Ssrc,
    },
    /// Time to the remote party and back, as an extended report told it (RFC 3611 §4.5).
    RoundTrip {
        /// Who answered.
        ssrc: Ssrc,
        /// The round trip.
        round_trip: Duration,
    },
    /// An extended report with more than what tells the round trip.
    ExtendedReport(ExtendedReport),
    /// A source does not report itself; others do so for it (RFC 8861).
    ReportedBy {
        /// The source.
        ssrc: Ssrc,
        /// Who reports for it.
        by: Vec<Ssrc>,
    },
    /// What of one of our videos can be decoded.
    LossNotification(LossNotification),
    /// A message that belongs to a moment of a stream.
    Message {
        /// The message.
        message: TimedMessage,
        /// The moment on the wall clock of the stream's sender, if it is known.
        ntp: Option<NtpTime>,
    },
    /// A packet of some application.
    App(App),
    /// Somebody else had the SSRC of one of our streams, which goes on under another (RFC 3550 §8.2). Packets made for the
    /// old one are renamed as they leave; signalling, if it named the old one, should tell the new.
    SsrcChanged {
        /// What it was.
        old: Ssrc,
        /// What it is now.
        new: Ssrc,
    },
    /// RTCP of a kind not known here.
    Other(Raw),
}

/// An event that waits to be polled.
#[derive(Debug)]
pub(super) enum Queued {
    Event(Event<'static>),
    /// Matched with what was sent when it is polled, so that the results can be lent.
    Feedback(TransportFeedback),
    CongestionFeedback(CongestionFeedback),
}
