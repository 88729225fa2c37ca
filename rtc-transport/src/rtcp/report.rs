use core::time::Duration;

use bytes::{Bytes, BytesMut};
use rtc_core::time::NtpTime;
use rtc_core::{ConfigError, Fault, Malformed, RtpTime, Ssrc};
use rtcp::reception_report::ReceptionReport;

use super::{MAX_COUNT, Raw, marshal, unmarshal};

/// Bytes of a [`ReportBlock`].
pub(crate) const BLOCK_LEN: usize = 24;

/// A sender report (RFC 3550 §6.4.1). Profile-specific extensions are not kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SenderReport {
    /// The source the report is from.
    pub ssrc: Ssrc,
    /// Wall-clock time of the report.
    pub ntp: NtpTime,
    /// The same moment on the source's media clock.
    pub rtp_time: RtpTime,
    /// RTP packets sent so far.
    pub packets: u32,
    /// Payload bytes sent so far, without headers and padding.
    pub octets: u32,
    /// What the source heard, 31 blocks at most.
    pub blocks: Vec<ReportBlock>,
}

/// A receiver report (RFC 3550 §6.4.2). Profile-specific extensions are not kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReceiverReport {
    /// The source the report is from.
    pub ssrc: Ssrc,
    /// What it heard, 31 blocks at most.
    pub blocks: Vec<ReportBlock>,
}

/// How well a source is received (RFC 3550 §6.4.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReportBlock {
    /// The source reported on.
    pub ssrc: Ssrc,
    /// Packets lost since the report before, in 256ths of those expected.
    pub fraction_lost: u8,
    /// Packets lost since the beginning, 24 bits signed: negative if duplicates outnumber losses.
    pub lost: i32,
    /// Highest sequence number received, with the count of cycles in the high 16 bits.
    pub highest_seq: u32,
    /// Interarrival jitter in ticks of the media clock.
    pub jitter: u32,
    /// Short form of the last sender report's wall-clock time, zero if there was none.
    pub last_sr: u32,
    /// Time from that report's arrival to this block, in 65536ths of a second.
    pub delay_since_last_sr: u32,
}

impl SenderReport {
    pub(super) fn parse(raw: &Raw) -> Result<Self, Malformed> {
        check_len(raw, "RTCP SR", 24)?;
        let report: rtcp::sender_report::SenderReport = unmarshal(raw, "RTCP SR")?;
        Ok(Self {
            ssrc: Ssrc(report.ssrc),
            ntp: NtpTime::from_bits(report.ntp_time),
            rtp_time: RtpTime(report.rtp_time),
            packets: report.packet_count,
            octets: report.octet_count,
            blocks: report.reports.iter().map(ReportBlock::from_wire).collect(),
        })
    }

    pub(super) fn write(&self, out: &mut BytesMut) -> Result<(), ConfigError> {
        check_blocks(&self.blocks)?;
        let report = rtcp::sender_report::SenderReport {
            ssrc: self.ssrc.0,
            ntp_time: self.ntp.to_bits(),
            rtp_time: self.rtp_time.0,
            packet_count: self.packets,
            octet_count: self.octets,
            reports: self.blocks.iter().copied().map(ReportBlock::to_wire).collect(),
            profile_extensions: Bytes::new(),
        };
        marshal(&report, out)
    }
}

impl ReceiverReport {
    pub(super) fn parse(raw: &Raw) -> Result<Self, Malformed> {
        check_len(raw, "RTCP RR", 4)?;
        let report: rtcp::receiver_report::ReceiverReport = unmarshal(raw, "RTCP RR")?;
        Ok(Self { ssrc: Ssrc(report.ssrc), blocks: report.reports.iter().map(ReportBlock::from_wire).collect() })
    }

    pub(super) fn write(&self, out: &mut BytesMut) -> Result<(), ConfigError> {
        check_blocks(&self.blocks)?;
        let report = rtcp::receiver_report::ReceiverReport {
            ssrc: self.ssrc.0,
            reports: self.blocks.iter().copied().map(ReportBlock::to_wire).collect(),
            profile_extensions: Bytes::new(),
        };
        marshal(&report, out)
    }
}

impl ReportBlock {
    /// Time to the receiver and back (RFC 3550 §6.4.1), the block having arrived at `now` on the wall clock of our reports.
    ///
    /// ```text
    /// A  now, in short form
    /// -  last_sr              when our report left
    /// -  delay_since_last_sr  how long the receiver held on to it
    /// =  round trip
    /// ```
    ///
    /// `None` if the block answers no report, or the result would be negative.
    #[must_use]
    pub fn round_trip(&self, now: NtpTime) -> Option<Duration> {
        round_trip(now, self.last_sr, self.delay_since_last_sr)
    }

    fn from_wire(report: &ReceptionReport) -> Self {
        Self {
            ssrc: Ssrc(report.ssrc),
            fraction_lost: report.fraction_lost,
            // The crate hands the 24 bits over as they are; the sign is the topmost of them.
            lost: (report.total_lost << 8).cast_signed() >> 8,
            highest_seq: report.last_sequence_number,
            jitter: report.jitter,
            last_sr: report.last_sender_report,
            delay_since_last_sr: report.delay,
        }
    }

    fn to_wire(self) -> ReceptionReport {
        ReceptionReport {
            ssrc: self.ssrc.0,
            fraction_lost: self.fraction_lost,
            total_lost: self.lost.clamp(-0x80_0000, 0x7f_ffff).cast_unsigned() & 0xff_ffff,
            last_sequence_number: self.highest_seq,
            jitter: self.jitter,
            last_sender_report: self.last_sr,
            delay: self.delay_since_last_sr,
        }
    }
}

/// Time since `last` of our clock, in short form, less `delay` that the other party held it; `None` if there is no `last`.
pub(super) fn round_trip(now: NtpTime, last: u32, delay: u32) -> Option<Duration> {
    if last == 0 {
        return None;
    }
    let units = now.to_short().wrapping_sub(last).wrapping_sub(delay).cast_signed();
    // One unit below zero is rounding on a path that takes no time.
    (units >= -1).then(|| NtpTime::duration_of_short(units.max(0).unsigned_abs()))
}

/// The `rtcp` crate makes room for all blocks announced before it looks whether they are there.
fn check_len(raw: &Raw, format: &'static str, fixed: usize) -> Result<(), Malformed> {
    if raw.body.len() < fixed + BLOCK_LEN * usize::from(raw.count) {
        return Err(Malformed::new(format, Fault::Truncated));
    }
    Ok(())
}

fn check_blocks(blocks: &[ReportBlock]) -> Result<(), ConfigError> {
    if blocks.len() > MAX_COUNT {
        return Err(ConfigError::new("blocks", "must be 31 at most (RFC 3550 §6.4.1)"));
    }
    Ok(())
}
