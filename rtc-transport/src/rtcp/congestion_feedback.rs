use bytes::{Buf, BufMut, Bytes, BytesMut};
use rtc_core::bwe::Ecn;
use rtc_core::{Fault, Malformed, SeqNum, Ssrc};

use super::{Raw, write_framed};

/// Feedback message type of congestion control feedback (RFC 8888 §3.1).
pub(super) const FORMAT: u8 = 11;

/// Most packets one block can report on (RFC 8888 §3.1), so that what wraps stays plain.
pub const MAX_REPORTS: usize = 16_384;

/// Bytes of a report block before its metrics: SSRC, `begin_seq`, `num_reports`.
pub(crate) const BLOCK_HEAD: usize = 8;
/// Bytes of everything but report blocks: RTCP header, sender's SSRC, report timestamp.
pub(crate) const FRAME_LEN: usize = 12;

/// The packet arrived more than 8189/1024 s before the report.
const OVER_RANGE: u16 = 0x1ffe;
/// When it arrived is not known, or was after the report's time.
const UNAVAILABLE: u16 = 0x1fff;

/// When packets arrived, stream by stream, and with which congestion mark: congestion control feedback (RFC 8888 §3.1).
///
/// A checked view over one buffer; reading it allocates nothing. Written here because the `rtcp` crate has no such packet.
///
/// ```text
/// sender's SSRC | { SSRC | begin_seq num_reports | R ECN offset, … } … | report timestamp
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CongestionFeedback {
    /// Who reports.
    pub sender: Ssrc,
    /// When it does: the middle 32 bits of the wall clock of its sender reports, units of 1/65536 s.
    pub timestamp: u32,
    /// Report blocks.
    blocks: Bytes,
}

/// What a [`CongestionFeedback`] says of one stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StreamReport<'a> {
    /// The stream.
    pub ssrc: Ssrc,
    /// Sequence number of the first packet reported on.
    pub begin: SeqNum,
    /// Two bytes for each packet.
    metrics: &'a [u8],
}

/// The fate of one packet, as a [`CongestionFeedback`] tells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PacketMetric {
    /// Sequence number of its stream.
    pub seq: SeqNum,
    /// When it arrived, and with which mark; `None` if it did not arrive.
    pub arrival: Option<(ArrivalOffset, Ecn)>,
}

/// How long before the report a packet arrived.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ArrivalOffset {
    /// In units of 1/1024 s, 8189 at most.
    Units(u16),
    /// Longer than can be told.
    OverRange,
    /// Not known.
    Unavailable,
}

impl CongestionFeedback {
    /// The streams reported on, in the order of the packet.
    pub fn streams(&self) -> impl Iterator<Item = StreamReport<'_>> {
        let mut rest = &self.blocks[..];
        core::iter::from_fn(move || {
            let (report, after) = split_block(rest).ok()?;
            rest = after;
            Some(report)
        })
    }

    pub(super) fn parse(raw: Raw) -> Result<Self, Malformed> {
        let fault = |fault| Malformed::new("congestion control feedback", fault);
        let mut body = raw.body;
        if body.len() < FRAME_LEN - 4 || !body.len().is_multiple_of(4) {
            return Err(fault(Fault::Truncated));
        }
        let sender = Ssrc(body.get_u32());
        let blocks = body.split_to(body.len() - 4);
        let mut rest = &blocks[..];
        while !rest.is_empty() {
            (_, rest) = split_block(rest).map_err(fault)?;
        }
        Ok(Self { sender, timestamp: body.get_u32(), blocks })
    }

    pub(super) fn write(&self, out: &mut BytesMut) {
        write_framed(out, super::TRANSPORT_FEEDBACK, FORMAT, |out| {
            out.put_u32(self.sender.0);
            out.put_slice(&self.blocks);
            out.put_u32(self.timestamp);
        });
    }

    /// A packet of blocks that [`put_block`] wrote.
    pub(crate) fn from_blocks(sender: Ssrc, timestamp: u32, blocks: Bytes) -> Self {
        Self { sender, timestamp, blocks }
    }
}

impl StreamReport<'_> {
    /// How many packets are reported on.
    #[must_use]
    pub fn len(&self) -> usize {
        self.metrics.len() / 2
    }

    /// Whether the stream is named, but no packet of it reported on.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.metrics.is_empty()
    }

    /// The fate of each packet, in order of sequence numbers.
    #[must_use]
    pub fn metrics(&self) -> impl ExactSizeIterator<Item = PacketMetric> + '_ {
        let mut next = self.begin;
        self.metrics.as_chunks::<2>().0.iter().map(move |metric| {
            let seq = next;
            next = seq.next();
            PacketMetric { seq, arrival: from_wire(u16::from_be_bytes(*metric)) }
        })
    }
}

/// Appends a block on `count` packets from `begin` on, [`MAX_REPORTS`] at most, whose metrics `arrival` tells.
pub(crate) fn put_block(
    out: &mut BytesMut,
    ssrc: Ssrc,
    begin: SeqNum,
    count: u16,
    mut arrival: impl FnMut(u16) -> Option<(ArrivalOffset, Ecn)>,
) {
    out.put_u32(ssrc.0);
    out.put_u16(begin.0);
    out.put_u16(count);
    let start = out.len();
    out.resize(start + 2 * usize::from(count).next_multiple_of(2), 0);
    for (metric, index) in out[start..].as_chunks_mut::<2>().0.iter_mut().zip(0..count) {
        *metric = to_wire(arrival(index)).to_be_bytes();
    }
}

/// Bytes of a block on `count` packets.
pub(crate) const fn block_len(count: usize) -> usize {
    BLOCK_HEAD + 2 * count.next_multiple_of(2)
}

fn split_block(bytes: &[u8]) -> Result<(StreamReport<'_>, &[u8]), Fault> {
    let Some((&[a, b, c, d, e, f, g, h], rest)) = bytes.split_first_chunk::<BLOCK_HEAD>() else {
        return Err(Fault::Truncated);
    };
    // The text of §3.1 once calls the range "begin_seq to begin_seq+num_reports inclusive", which would be one more than
    // its name says; implementations, and the padding rule, count packets.
    let count = usize::from(u16::from_be_bytes([g, h]));
    if count > MAX_REPORTS {
        return Err(Fault::Length);
    }
    let Some((metrics, rest)) = rest.split_at_checked(2 * count.next_multiple_of(2)) else {
        return Err(Fault::Truncated);
    };
    let report = StreamReport {
        ssrc: Ssrc(u32::from_be_bytes([a, b, c, d])),
        begin: SeqNum(u16::from_be_bytes([e, f])),
        metrics: &metrics[..2 * count],
    };
    Ok((report, rest))
}

/// `R` in the highest bit, then two bits of ECN, then the offset.
fn from_wire(metric: u16) -> Option<(ArrivalOffset, Ecn)> {
    if metric & 0x8000 == 0 {
        return None;
    }
    let offset = match metric & 0x1fff {
        OVER_RANGE => ArrivalOffset::OverRange,
        UNAVAILABLE => ArrivalOffset::Unavailable,
        units => ArrivalOffset::Units(units),
    };
    let ecn = match metric >> 13 & 3 {
        0 => Ecn::NotEct,
        1 => Ecn::Ect1,
        2 => Ecn::Ect0,
        _ => Ecn::Ce,
    };
    Some((offset, ecn))
}

fn to_wire(arrival: Option<(ArrivalOffset, Ecn)>) -> u16 {
    let Some((offset, ecn)) = arrival else { return 0 };
    let offset = match offset {
        ArrivalOffset::Units(units) => units.min(OVER_RANGE),
        ArrivalOffset::OverRange => OVER_RANGE,
        ArrivalOffset::Unavailable => UNAVAILABLE,
    };
    0x8000 | (ecn as u16) << 13 | offset
}
