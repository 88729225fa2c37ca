//! RTCP on the wire, in words of this crate's own.
//!
//! Sender and receiver reports, NACK, PLI and FIR are read and written by the `rtcp` crate, behind length checks where it
//! has none. The rest is written here, each for a reason named at its place.

use bytes::{Buf, Bytes, BytesMut};
use rtc_core::{ConfigError, Fault, Malformed};
use webrtc_util::marshal::{Marshal, Unmarshal};

mod app;
mod bye;
mod compound;
mod congestion_feedback;
mod extended;
mod loss_notification;
mod nack;
mod picture;
mod remb;
mod report;
mod reporting;
mod sdes;
mod transport_feedback;

pub use app::{App, TimedMessage};
pub use bye::Bye;
pub use compound::{Compound, Packets};
pub use congestion_feedback::{ArrivalOffset, CongestionFeedback, MAX_REPORTS, PacketMetric, StreamReport};
pub(crate) use congestion_feedback::{BLOCK_HEAD, FRAME_LEN, block_len, put_block};
pub(crate) use extended::DELAY_LEN;
pub use extended::{
    DelaySinceReport, ExtendedBlock, ExtendedReport, HopField, ReceiptTimes, RunLengths, Spread, StatisticsSummary,
    VoipMetrics,
};
pub use loss_notification::LossNotification;
pub use nack::{Nack, NackPair};
pub use picture::{Fir, FirRequest, Pli};
pub use remb::Remb;
pub(crate) use report::BLOCK_LEN;
pub use report::{ReceiverReport, ReportBlock, SenderReport};
pub use reporting::ReportingSources;
pub use sdes::{Sdes, SdesChunk, SdesItem, SdesType};
pub(crate) use transport_feedback::{Head, Symbol, TICK};
pub use transport_feedback::{PacketStatus, Statuses, TransportFeedback};

/// Most entries the five-bit count of an RTCP header can announce (RFC 3550 §6.4.1).
pub const MAX_COUNT: usize = 31;

const SENDER_REPORT: u8 = 200;
const RECEIVER_REPORT: u8 = 201;
const SDES: u8 = 202;
const BYE: u8 = 203;
const APP: u8 = 204;
/// Transport-layer feedback (RFC 4585 §6.2).
const TRANSPORT_FEEDBACK: u8 = 205;
/// Payload-specific feedback (RFC 4585 §6.3).
const PAYLOAD_FEEDBACK: u8 = 206;
/// Extended reports (RFC 3611 §2).
const EXTENDED_REPORT: u8 = 207;
/// Reporting sources (RFC 8861 §3.2.2).
const REPORTING_SOURCES: u8 = 212;

/// Whether a datagram that arrived where RTP and RTCP share a port is RTCP: version 2, packet type 192 to 223
/// (RFC 5761 §4).
///
/// ```
/// use rtc_transport::rtcp::is_rtcp;
///
/// assert!(is_rtcp(&[0x80, 201, 0, 1]));
/// assert!(!is_rtcp(&[0x80, 96, 0, 1]), "RTP, payload type 96");
/// assert!(!is_rtcp(&[0x16, 0xfe, 0xfd]), "DTLS");
/// ```
#[must_use]
pub const fn is_rtcp(datagram: &[u8]) -> bool {
    matches!(datagram, [first, 192..=223, ..] if *first >> 6 == 2)
}

/// One RTCP packet of a compound or reduced-size datagram.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum RtcpPacket {
    /// What a source sent and heard.
    SenderReport(SenderReport),
    /// What a source that sends nothing heard.
    ReceiverReport(ReceiverReport),
    /// Who the sources are.
    Sdes(Sdes),
    /// Sources that leave.
    Bye(Bye),
    /// Packets asked for again.
    Nack(Nack),
    /// A picture lost.
    Pli(Pli),
    /// A key frame demanded.
    Fir(Fir),
    /// When packets of all streams arrived.
    TransportFeedback(TransportFeedback),
    /// When packets arrived, stream by stream, and with which congestion mark.
    CongestionFeedback(CongestionFeedback),
    /// The rate a receiver believes it can take.
    Remb(Remb),
    /// What a receiver of video can decode.
    LossNotification(LossNotification),
    /// An application's own packet.
    App(App),
    /// Clocks and delays for the round trip, and more.
    ExtendedReport(ExtendedReport),
    /// Who reports for a source.
    ReportingSources(ReportingSources),
    /// Any other packet.
    Unknown(Raw),
}

impl RtcpPacket {
    /// Reads a packet whose frame was checked.
    ///
    /// # Errors
    /// [`Malformed`] if the content contradicts the type or ends too early.
    pub fn parse(raw: Raw) -> Result<Self, Malformed> {
        Ok(match (raw.packet_type, raw.count) {
            (SENDER_REPORT, _) => Self::SenderReport(SenderReport::parse(&raw)?),
            (RECEIVER_REPORT, _) => Self::ReceiverReport(ReceiverReport::parse(&raw)?),
            (SDES, _) => Self::Sdes(Sdes::parse(raw)?),
            (BYE, _) => Self::Bye(Bye::parse(raw)?),
            (TRANSPORT_FEEDBACK, nack::FORMAT) => Self::Nack(Nack::parse(&raw)?),
            (TRANSPORT_FEEDBACK, transport_feedback::FORMAT) => Self::TransportFeedback(TransportFeedback::parse(raw)?),
            (TRANSPORT_FEEDBACK, congestion_feedback::FORMAT) => {
                Self::CongestionFeedback(CongestionFeedback::parse(raw)?)
            }
            (PAYLOAD_FEEDBACK, picture::PLI_FORMAT) => Self::Pli(Pli::parse(&raw)?),
            (PAYLOAD_FEEDBACK, picture::FIR_FORMAT) => Self::Fir(Fir::parse(&raw)?),
            (PAYLOAD_FEEDBACK, remb::FORMAT) if remb::is_remb(&raw.body) => Self::Remb(Remb::parse(raw)?),
            (PAYLOAD_FEEDBACK, remb::FORMAT) if loss_notification::is_loss_notification(&raw.body) => {
                Self::LossNotification(LossNotification::parse(&raw)?)
            }
            (APP, _) => Self::App(App::parse(raw)?),
            (EXTENDED_REPORT, _) => Self::ExtendedReport(ExtendedReport::parse(raw)?),
            (REPORTING_SOURCES, _) => Self::ReportingSources(ReportingSources::parse(&raw)?),
            _ => Self::Unknown(raw),
        })
    }

    /// Appends the packet to `out`, which must hold whole RTCP packets or nothing.
    ///
    /// # Errors
    /// [`ConfigError`] if the packet has more entries, or longer texts, than its format can express; `out` is then as
    /// before.
    pub fn write(&self, out: &mut BytesMut) -> Result<(), ConfigError> {
        match self {
            Self::SenderReport(report) => report.write(out),
            Self::ReceiverReport(report) => report.write(out),
            Self::Sdes(sdes) => sdes.write(out),
            Self::Bye(bye) => bye.write(out),
            Self::Nack(nack) => nack.write(out),
            Self::Pli(pli) => pli.write(out),
            Self::Fir(fir) => fir.write(out),
            Self::TransportFeedback(feedback) => {
                feedback.write(out);
                Ok(())
            }
            Self::CongestionFeedback(feedback) => {
                feedback.write(out);
                Ok(())
            }
            Self::Remb(remb) => remb.write(out),
            Self::LossNotification(notification) => {
                notification.write(out);
                Ok(())
            }
            Self::App(app) => app.write(out),
            Self::ExtendedReport(report) => report.write(out),
            Self::ReportingSources(sources) => sources.write(out),
            Self::Unknown(raw) => raw.write(out),
        }
    }
}

/// An RTCP packet as its header frames it, padding taken off (RFC 3550 §6.4.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Raw {
    /// The packet type, such as 192 for the FIR of RFC 2032.
    pub packet_type: u8,
    /// The five bits after the padding bit: a count, a subtype or a feedback message type.
    pub count: u8,
    /// What follows the four bytes of header.
    pub body: Bytes,
}

impl Raw {
    fn write(&self, out: &mut BytesMut) -> Result<(), ConfigError> {
        if usize::from(self.count) > MAX_COUNT {
            return Err(ConfigError::new("count", "must be 31 at most (RFC 3550 §6.4.1)"));
        }
        if !self.body.len().is_multiple_of(4) || self.body.len() / 4 > usize::from(u16::MAX) {
            return Err(ConfigError::new("body", "must be at most 65535 whole words (RFC 3550 §6.4.1)"));
        }
        write_framed(out, self.packet_type, self.count, |out| out.extend_from_slice(&self.body));
        Ok(())
    }
}

/// Appends a header, what `body` appends, and zeros up to a whole word; then fills the header's length in.
fn write_framed(out: &mut BytesMut, packet_type: u8, count: u8, body: impl FnOnce(&mut BytesMut)) {
    let start = out.len();
    out.extend_from_slice(&[0x80 | count, packet_type, 0, 0]);
    body(out);
    let len = (out.len() - start).next_multiple_of(4);
    out.resize(start + len, 0);
    // Words less one. Every caller has bounded its body to what 16 bits can say.
    let words = u16::try_from(len / 4 - 1).unwrap_or(u16::MAX);
    out[start + 2..start + 4].copy_from_slice(&words.to_be_bytes());
}

/// Reads a packet with the `rtcp` crate, from a header without the padding that was taken off.
fn unmarshal<T: Unmarshal>(raw: &Raw, format: &'static str) -> Result<T, Malformed> {
    let words = u16::try_from(raw.body.len() / 4).unwrap_or(u16::MAX);
    if !raw.body.len().is_multiple_of(4) || words >= LENGTH_LIMIT {
        return Err(Malformed::new(format, Fault::Length));
    }
    let [high, low] = words.to_be_bytes();
    let header = [0x80 | raw.count, raw.packet_type, high, low];
    T::unmarshal(&mut header.as_slice().chain(&*raw.body)).map_err(|_| Malformed::new(format, Fault::Truncated))
}

/// The `rtcp` crate multiplies the length by four in 16 bits, so lengths from here on make it panic or misread.
const LENGTH_LIMIT: u16 = 1 << 14;

/// Writes a packet with the `rtcp` crate. The caller has checked the limits of the format.
fn marshal(packet: &impl Marshal, out: &mut BytesMut) -> Result<(), ConfigError> {
    let start = out.len();
    out.resize(start + packet.marshal_size(), 0);
    packet.marshal_to(&mut out[start..]).map(drop).map_err(|_| {
        out.truncate(start);
        ConfigError::new("packet", "must fit its format")
    })
}
