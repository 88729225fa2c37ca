//! What is known of a stream that is sent (RFC 3550 §6.4.1).

use core::time::Duration;

use rtc_core::time::{Instant, NtpTime};
use rtc_core::{Frequency, RtpPacket, RtpTime, Ssrc};

use crate::rtcp::{ReportBlock, SenderReport};

/// What was sent of a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SendStats {
    /// Packets (`packetsSent` of webrtc-stats).
    pub packets: u64,
    /// Bytes of payload (`bytesSent`).
    pub payload_bytes: u64,
    /// Bytes of header and padding (`headerBytesSent`).
    pub header_bytes: u64,
}

/// What the receiver last reported of a stream (`RTCRemoteInboundRtpStreamStats` of webrtc-stats).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RemoteView {
    /// The report as it came.
    pub block: ReportBlock,
    /// When it arrived.
    pub at: Instant,
    /// Time to the receiver and back, if the report answers one of ours (`roundTripTime`).
    pub round_trip: Option<Duration>,
}

/// A stream that is sent.
#[derive(Debug, Clone)]
pub struct SendStream {
    ssrc: Ssrc,
    stats: SendStats,
    last_sent: Option<Instant>,
    /// A moment, and the same on the media clock.
    media: (Instant, RtpTime),
    /// Whether `media` was told, and not guessed from the last packet.
    told: bool,
    clock: Option<Frequency>,
    remote: Option<RemoteView>,
}

impl SendStream {
    /// Nothing sent yet.
    #[must_use]
    pub fn new(ssrc: Ssrc) -> Self {
        Self {
            ssrc,
            stats: SendStats::default(),
            last_sent: None,
            media: (Instant::ZERO, RtpTime(0)),
            told: false,
            clock: None,
            remote: None,
        }
    }

    /// The same stream under another SSRC: nothing sent yet of it (RFC 3550 §6.4.1), on the same media clock.
    #[must_use]
    pub(crate) fn renamed(&self, ssrc: Ssrc) -> Self {
        Self { media: self.media, told: self.told, clock: self.clock, last_sent: self.last_sent, ..Self::new(ssrc) }
    }

    /// Takes note of a packet that leaves. `clock` is that of its payload type.
    pub fn on_packet(&mut self, now: Instant, packet: &RtpPacket, clock: Option<Frequency>) {
        self.stats.packets += 1;
        self.stats.payload_bytes += packet.payload().len() as u64;
        self.stats.header_bytes += (packet.header_len() + usize::from(packet.padding_len())) as u64;
        self.last_sent = Some(now);
        self.clock = clock.or(self.clock);
        if !self.told {
            self.media = (now, packet.timestamp());
        }
    }

    /// Tells that media of `timestamp` was captured at `captured`, which sender reports are then reckoned from.
    ///
    /// Without it they are reckoned from the last packet's departure, so that encoding and pacing shift lip
    /// synchronization.
    pub fn set_media_time(&mut self, captured: Instant, timestamp: RtpTime) {
        self.media = (captured, timestamp);
        self.told = true;
    }

    /// Takes a receiver's report of this stream. `ntp` is `now` on the wall clock of our sender reports.
    pub fn on_report(&mut self, now: Instant, ntp: NtpTime, block: ReportBlock) -> RemoteView {
        let view = RemoteView { block, at: now, round_trip: block.round_trip(ntp) };
        self.remote = Some(view);
        view
    }

    /// The report to send at `now`, which is `ntp` on the wall clock; without blocks.
    #[must_use]
    #[expect(clippy::cast_possible_truncation, reason = "the counts of a report wrap")]
    pub fn report(&self, now: Instant, ntp: NtpTime) -> SenderReport {
        let (at, timestamp) = self.media;
        let ticks = self.clock.map_or(0, |clock| clock.ticks_in(now - at));
        SenderReport {
            ssrc: self.ssrc,
            ntp,
            rtp_time: timestamp + ticks as u32,
            packets: self.stats.packets as u32,
            octets: self.stats.payload_bytes as u32,
            blocks: Vec::new(),
        }
    }

    /// Whether a packet left at `since` or later.
    #[must_use]
    pub fn sent_since(&self, since: Instant) -> bool {
        self.last_sent.is_some_and(|last| last >= since)
    }

    /// The source.
    #[must_use]
    pub fn ssrc(&self) -> Ssrc {
        self.ssrc
    }

    /// What the receiver last reported.
    #[must_use]
    pub fn remote(&self) -> Option<RemoteView> {
        self.remote
    }

    /// Counters since the beginning.
    #[must_use]
    pub fn stats(&self) -> SendStats {
        self.stats
    }
}
