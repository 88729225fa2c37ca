use bytes::{Buf, BufMut, Bytes, BytesMut};
use core::time::Duration;

use rtc_core::time::NtpTime;
use rtc_core::{ConfigError, Fault, Malformed, Ssrc};

use super::{Raw, write_framed};

mod metrics;
mod runs;

pub use metrics::{HopField, Spread, StatisticsSummary, VoipMetrics};
pub use runs::{ReceiptTimes, RunLengths};

const LOSS_RUNS: u8 = 1;
const DUPLICATE_RUNS: u8 = 2;
const RECEIPT_TIMES: u8 = 3;
const REFERENCE_TIME: u8 = 4;
const DLRR: u8 = 5;
const SUMMARY: u8 = 6;
const VOIP: u8 = 7;
const BLOCK_HEAD: usize = 4;
/// Bytes of a [`DelaySinceReport`].
pub(crate) const DELAY_LEN: usize = 12;

/// An extended report (RFC 3611 §2).
///
/// Written here because the `rtcp` crate allocates for each block and trusts lengths.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExtendedReport {
    /// Who reports.
    pub sender: Ssrc,
    /// What it reports.
    pub blocks: Vec<ExtendedBlock>,
}

/// A block of an [`ExtendedReport`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ExtendedBlock {
    /// Which packets came: "Loss RLE" (RFC 3611 §4.1).
    Losses(RunLengths),
    /// Which packets came once: "Duplicate RLE" (RFC 3611 §4.2).
    Duplicates(RunLengths),
    /// When packets came (RFC 3611 §4.3).
    ReceiptTimes(ReceiptTimes),
    /// What the wall clock of a receiver shows (RFC 3611 §4.4), so that who sends nothing learns the round trip as well.
    ReferenceTime(NtpTime),
    /// Answers to such times (RFC 3611 §4.5), one per receiver.
    Delays(Vec<DelaySinceReport>),
    /// Sums over a range of packets (RFC 3611 §4.6).
    Summary(StatisticsSummary),
    /// How a telephone call went (RFC 3611 §4.7).
    Voip(VoipMetrics),
    /// Any other block, and a summary that says what it may not, left as it is.
    Other {
        /// Block type.
        kind: u8,
        /// The octet after it, whose meaning depends on the type.
        specific: u8,
        /// What follows the four bytes of block header, whole words.
        content: Bytes,
    },
}

/// How long a receiver's reference time was held: "DLRR" (RFC 3611 §4.5).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DelaySinceReport {
    /// The receiver answered.
    pub ssrc: Ssrc,
    /// Short form of its last reference time, zero if there was none.
    pub last_rr: u32,
    /// Time from its arrival to this report, in 65536ths of a second.
    pub delay: u32,
}

impl DelaySinceReport {
    /// Time to the other party and back, the answer having arrived at `now` on the wall clock of our reference times.
    ///
    /// `None` if it answers none, or the result would be negative.
    #[must_use]
    pub fn round_trip(&self, now: NtpTime) -> Option<Duration> {
        super::report::round_trip(now, self.last_rr, self.delay)
    }
}

impl ExtendedReport {
    pub(super) fn parse(raw: Raw) -> Result<Self, Malformed> {
        let fault = |fault| Malformed::new("RTCP XR", fault);
        let mut body = raw.body;
        let sender = Ssrc(body.try_get_u32().map_err(|_| fault(Fault::Truncated))?);
        let mut blocks = Vec::new();
        while !body.is_empty() {
            if body.len() < BLOCK_HEAD {
                return Err(fault(Fault::Truncated));
            }
            let (kind, specific, words) = (body.get_u8(), body.get_u8(), body.get_u16());
            let len = 4 * usize::from(words);
            if len > body.len() {
                return Err(fault(Fault::Truncated));
            }
            blocks.push(parse_block(kind, specific, body.split_to(len)).map_err(fault)?);
        }
        Ok(Self { sender, blocks })
    }

    pub(super) fn write(&self, out: &mut BytesMut) -> Result<(), ConfigError> {
        let mut len = 4;
        for block in &self.blocks {
            if !block.len().is_multiple_of(4) || block.len() / 4 > usize::from(u16::MAX) {
                return Err(ConfigError::new("blocks", "must be at most 65535 whole words each (RFC 3611 §3)"));
            }
            len += BLOCK_HEAD + block.len();
        }
        if len / 4 > usize::from(u16::MAX) {
            return Err(ConfigError::new("blocks", "must fit 65535 words (RFC 3550 §6.4.1)"));
        }
        write_framed(out, super::EXTENDED_REPORT, 0, |out| {
            out.put_u32(self.sender.0);
            for block in &self.blocks {
                block.write(out);
            }
        });
        Ok(())
    }
}

impl ExtendedBlock {
    /// Bytes after the block's header.
    fn len(&self) -> usize {
        match self {
            Self::Losses(runs) | Self::Duplicates(runs) => runs.len(),
            Self::ReceiptTimes(times) => times.len(),
            Self::ReferenceTime(_) => 8,
            Self::Delays(delays) => DELAY_LEN * delays.len(),
            Self::Summary(_) => metrics::SUMMARY_LEN,
            Self::Voip(_) => metrics::VOIP_LEN,
            Self::Other { content, .. } => content.len(),
        }
    }

    fn write(&self, out: &mut BytesMut) {
        let (kind, specific) = match self {
            Self::Losses(runs) => (LOSS_RUNS, runs.thinning & 0x0f),
            Self::Duplicates(runs) => (DUPLICATE_RUNS, runs.thinning & 0x0f),
            Self::ReceiptTimes(times) => (RECEIPT_TIMES, times.thinning & 0x0f),
            Self::ReferenceTime(_) => (REFERENCE_TIME, 0),
            Self::Delays(_) => (DLRR, 0),
            Self::Summary(summary) => (SUMMARY, summary.flags()),
            Self::Voip(_) => (VOIP, 0),
            Self::Other { kind, specific, .. } => (*kind, *specific),
        };
        out.put_u8(kind);
        out.put_u8(specific);
        // Checked to fit.
        out.put_u16(u16::try_from(self.len() / 4).unwrap_or(u16::MAX));
        match self {
            Self::Losses(runs) | Self::Duplicates(runs) => runs.write(out),
            Self::ReceiptTimes(times) => times.write(out),
            Self::Summary(summary) => summary.write(out),
            Self::Voip(metrics) => metrics.write(out),
            Self::ReferenceTime(time) => out.put_u64(time.to_bits()),
            Self::Delays(delays) => {
                for delay in delays {
                    out.put_u32(delay.ssrc.0);
                    out.put_u32(delay.last_rr);
                    out.put_u32(delay.delay);
                }
            }
            Self::Other { content, .. } => out.put_slice(content),
        }
    }
}

fn parse_block(kind: u8, specific: u8, mut content: Bytes) -> Result<ExtendedBlock, Fault> {
    match kind {
        LOSS_RUNS => RunLengths::parse(specific, content).map(ExtendedBlock::Losses),
        DUPLICATE_RUNS => RunLengths::parse(specific, content).map(ExtendedBlock::Duplicates),
        RECEIPT_TIMES => ReceiptTimes::parse(specific, content).map(ExtendedBlock::ReceiptTimes),
        SUMMARY => match StatisticsSummary::parse(specific, content.clone())? {
            Some(summary) => Ok(ExtendedBlock::Summary(summary)),
            None => Ok(ExtendedBlock::Other { kind, specific, content }),
        },
        VOIP => VoipMetrics::parse(content).map(ExtendedBlock::Voip),
        REFERENCE_TIME if content.len() != 8 => Err(Fault::Length),
        REFERENCE_TIME => Ok(ExtendedBlock::ReferenceTime(NtpTime::from_bits(content.get_u64()))),
        DLRR if !content.len().is_multiple_of(DELAY_LEN) => Err(Fault::Length),
        DLRR => {
            let mut delays = Vec::with_capacity(content.len() / DELAY_LEN);
            while !content.is_empty() {
                let (ssrc, last_rr, delay) = (Ssrc(content.get_u32()), content.get_u32(), content.get_u32());
                delays.push(DelaySinceReport { ssrc, last_rr, delay });
            }
            Ok(ExtendedBlock::Delays(delays))
        }
        _ => Ok(ExtendedBlock::Other { kind, specific, content }),
    }
}
