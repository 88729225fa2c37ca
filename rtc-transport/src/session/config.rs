use bytes::Bytes;
use rtc_core::{Bitrate, ConfigError, DataSize, Frequency, PayloadType, SeqNum};

use crate::feedback::{HistoryConfig, RecorderConfig};
use crate::receiver::ReceiverConfig;
use crate::schedule::SchedulerConfig;

/// Settings of a [`Session`](super::Session).
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct SessionConfig {
    /// The canonical name of our streams, 1 to 255 bytes (RFC 3550 §6.5.1). Default `anonymous`; RFC 7022 advises 96 random
    /// bits in base 64, new for each call.
    pub cname: Bytes,
    /// The media clock of each payload type, sent or received. Default none: then there is no jitter, and sender reports
    /// tell the timestamp of the last packet. A payload type not listed is carried all the same.
    pub clocks: Vec<(PayloadType, Frequency)>,
    /// Identifier of the header extension element for the transport-wide sequence number
    /// ([`TransportSequence`](rtc_core::rtp::extension::TransportSequence)), both ways. Default `None`: no transport-wide
    /// feedback.
    pub transport_sequence_id: Option<u8>,
    /// Whether congestion control feedback (RFC 8888) was agreed on (`a=rtcp-fb:* ack ccfb`), both ways: it needs no header
    /// extension, tells congestion marks, and costs two bytes for each packet. Default false. With a transport-wide sequence
    /// number as well, both are sent.
    pub congestion_feedback: bool,
    /// The most that feedback on single packets may take, as a part of the media that arrives, headers below and reports in
    /// front included: beyond, it is sent less often, though each 250 ms at least. Default `None`: each
    /// [`RecorderConfig::interval`], whatever arrives. 0.05 suits audio alone, of which the default is a large part.
    pub feedback_share: Option<f64>,
    /// Identifier of the header extension element for the absolute capture time
    /// ([`AbsoluteCaptureTime`](rtc_core::rtp::extension::AbsoluteCaptureTime)) of packets that arrive. Default `None`.
    pub capture_time_id: Option<u8>,
    /// Whether reports tell what the round trip is without sender reports: reference times and answers to them (RFC 3611;
    /// `a=rtcp-xr:rcvr-rtt=all`). Default false. What arrives is understood all the same.
    pub extended_reports: bool,
    /// Name of the group of all our streams, for which the first one reports (RFC 8861; `a=rtcp-rgrp`), 1 to 64 bytes. Default
    /// `None`: the first reports all the same, but does not say so.
    pub reporting_group: Option<Bytes>,
    /// Whether a stream whose SSRC somebody else has gets another one (RFC 3550 §8.2). Default true, as every participant
    /// must. Without authentication a stranger can so make us change an SSRC about once a minute.
    pub resolve_collisions: bool,
    /// How often a message is sent again, as RTCP may be lost. Default 2.
    pub message_repeats: u8,
    /// What messages may take of the bandwidth of RTCP, repetitions included. Default 16 kb/s.
    pub message_bandwidth: Bitrate,
    /// The first transport-wide sequence number. Default 1.
    pub first_transport_sequence: SeqNum,
    /// Whether feedback is sent without a report in front of it (RFC 5506), which must have been agreed on
    /// (`a=rtcp-rsize`). Default false, which every receiver understands.
    pub reduced_size: bool,
    /// Bytes of headers below RTP for each datagram. Default 28, UDP over IPv4; 48 over IPv6. With SRTP, and what that adds to
    /// RTCP, as its share of the bandwidth has to count it (RFC 3711 §3.4).
    pub overhead: DataSize,
    /// The most bytes of an RTCP datagram, from 768 to 65535. Default 1200, which fits any path.
    pub max_rtcp_size: usize,
    /// The most sources kept. Default 64. When more come, those that were never believed make room.
    pub max_sources: usize,
    /// The most events that wait to be polled; more are dropped. Default 256.
    pub max_events: usize,
    /// When sequence numbers are believed.
    pub receiver: ReceiverConfig,
    /// How arrivals are reported.
    pub recorder: RecorderConfig,
    /// How many sent packets are remembered.
    pub history: HistoryConfig,
    /// When RTCP is sent.
    pub scheduler: SchedulerConfig,
}

impl Default for SessionConfig {
    fn default() -> Self {
        Self {
            cname: Bytes::from_static(b"anonymous"),
            clocks: Vec::new(),
            transport_sequence_id: None,
            congestion_feedback: false,
            feedback_share: None,
            capture_time_id: None,
            extended_reports: false,
            reporting_group: None,
            resolve_collisions: true,
            message_repeats: 2,
            message_bandwidth: Bitrate::from_kbps(16),
            first_transport_sequence: SeqNum(1),
            reduced_size: false,
            overhead: DataSize::from_bytes(28),
            max_rtcp_size: 1_200,
            max_sources: 64,
            max_events: 256,
            receiver: ReceiverConfig::default(),
            recorder: RecorderConfig::default(),
            history: HistoryConfig::default(),
            scheduler: SchedulerConfig::default(),
        }
    }
}

impl SessionConfig {
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        if !(1..=255).contains(&self.cname.len()) {
            return Err(ConfigError::new("cname", "must be from 1 to 255 bytes (RFC 3550 §6.5)"));
        }
        if self.transport_sequence_id == Some(0) || self.capture_time_id == Some(0) {
            return Err(ConfigError::new(
                "transport_sequence_id",
                "and capture_time_id must not be 0 (RFC 8285 §4.1.2)",
            ));
        }
        if self.reporting_group.as_ref().is_some_and(|group| !(1..=64).contains(&group.len())) {
            return Err(ConfigError::new("reporting_group", "must be from 1 to 64 bytes"));
        }
        if self.feedback_share.is_some_and(|share| !(share > 0.0 && share <= 1.0)) {
            return Err(ConfigError::new("feedback_share", "must be above 0 and 1 at most"));
        }
        if !(768..=65_535).contains(&self.max_rtcp_size) {
            return Err(ConfigError::new("max_rtcp_size", "must be from 768 to 65535"));
        }
        if self.max_sources == 0 || self.max_events == 0 {
            return Err(ConfigError::new("max_sources", "and max_events must not be zero"));
        }
        Ok(())
    }

    pub(super) fn clock_of(&self, payload_type: PayloadType) -> Option<Frequency> {
        self.clocks.iter().find(|(known, _)| *known == payload_type).map(|(_, clock)| *clock)
    }
}
