use bytes::{Buf, BufMut, Bytes, BytesMut};
use rtc_core::{Fault, SeqNum, Ssrc};

/// Most packets a run length chunk tells of (RFC 3611 §4.1.1).
const MAX_RUN: u16 = (1 << 14) - 1;
/// Packets a bit vector chunk tells of (RFC 3611 §4.1.2).
const VECTOR: u16 = 15;

/// A yes or no for each packet of a range, in runs: the form of loss and of duplicate reports (RFC 3611 §4.1, §4.2).
///
/// A one stands for a packet that arrived in the former, and for one of which no duplicate came in the latter; what was lost is a
/// one in the latter as well.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunLengths {
    /// The stream.
    pub ssrc: Ssrc,
    /// Only numbers that are multiples of two to the power of this are told of: four bits, more are cut off.
    pub thinning: u8,
    /// The first number of the range.
    pub begin: SeqNum,
    /// The number behind the range.
    pub end: SeqNum,
    /// Chunks as they are on the wire, two of them to a word.
    chunks: Bytes,
}

impl RunLengths {
    /// Most numbers a report is on (RFC 3611 §4.1).
    pub const MAX_RANGE: u16 = 65_533;

    /// A report on the range from `begin` to before `end`, but [`MAX_RANGE`](Self::MAX_RANGE) numbers at most, with what `bit`
    /// says of each number that is a multiple of two to the power of `thinning`, of which the four lowest bits count.
    #[must_use]
    pub fn new(ssrc: Ssrc, thinning: u8, begin: SeqNum, end: SeqNum, mut bit: impl FnMut(SeqNum) -> bool) -> Self {
        let end = begin + end.0.wrapping_sub(begin.0).min(Self::MAX_RANGE);
        let mut report = Self { ssrc, thinning: thinning & 0x0f, begin, end, chunks: Bytes::new() };
        let bits: Vec<bool> = report.seqs().map(&mut bit).collect();
        let mut chunks = BytesMut::new();
        let mut rest = &bits[..];
        while let Some(first) = rest.first() {
            let run = rest.iter().take(MAX_RUN.into()).take_while(|bit| *bit == first).count();
            let (chunk, taken) = if run > usize::from(VECTOR) || run == rest.len() {
                (u16::from(*first) << 14 | u16::try_from(run).unwrap_or(MAX_RUN), run)
            } else {
                let taken = rest.len().min(VECTOR.into());
                // From left to right; what is beyond the range is ignored.
                let vector = rest[..taken].iter().fold(0, |vector, bit| vector << 1 | u16::from(*bit));
                (0x8000 | vector << (usize::from(VECTOR) - taken), taken)
            };
            chunks.put_u16(chunk);
            rest = &rest[taken..];
        }
        if !chunks.len().is_multiple_of(4) {
            // The terminating null chunk (§4.1.3).
            chunks.put_u16(0);
        }
        report.chunks = chunks.freeze();
        report
    }

    /// Each number that is told of, and what of it. Ends with the range, or before if the chunks do.
    pub fn iter(&self) -> impl Iterator<Item = (SeqNum, bool)> + '_ {
        let chunks = self.chunks.chunks_exact(2).map(|chunk| u16::from_be_bytes([chunk[0], chunk[1]]));
        let bits = chunks.take_while(|chunk| *chunk != 0).flat_map(|chunk| {
            let is_vector = chunk & 0x8000 != 0;
            let count = if is_vector { VECTOR } else { chunk & MAX_RUN };
            (0..count).map(move |at| if is_vector { chunk << at & 0x4000 != 0 } else { chunk & 0x4000 != 0 })
        });
        self.seqs().zip(bits)
    }

    /// The numbers of the range that are told of.
    fn seqs(&self) -> impl Iterator<Item = SeqNum> + use<> {
        let (begin, step) = (self.begin, 1_u16 << (self.thinning & 0x0f));
        let count = self.end.0.wrapping_sub(begin.0);
        let first = begin.0.wrapping_neg() & (step - 1);
        (first..count).step_by(step.into()).map(move |at| begin + at)
    }

    pub(super) fn parse(specific: u8, mut content: Bytes) -> Result<Self, Fault> {
        let (ssrc, begin, end) = range(&mut content)?;
        Ok(Self { ssrc, thinning: specific & 0x0f, begin, end, chunks: content })
    }

    /// Bytes after the block's header.
    pub(super) fn len(&self) -> usize {
        8 + self.chunks.len()
    }

    pub(super) fn write(&self, out: &mut BytesMut) {
        put_range(self.ssrc, self.begin, self.end, out);
        out.put_slice(&self.chunks);
    }
}

/// When packets of a range arrived (RFC 3611 §4.3).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReceiptTimes {
    /// The stream.
    pub ssrc: Ssrc,
    /// Only numbers that are multiples of two to the power of this are told of; 15 at most.
    pub thinning: u8,
    /// The first number of the range.
    pub begin: SeqNum,
    /// The number behind the range.
    pub end: SeqNum,
    /// Of each packet that is told of, in the ticks of its RTP timestamps.
    pub times: Vec<u32>,
}

impl ReceiptTimes {
    pub(super) fn parse(specific: u8, mut content: Bytes) -> Result<Self, Fault> {
        let (ssrc, begin, end) = range(&mut content)?;
        let times = content.chunks_exact(4).map(|time| u32::from_be_bytes([time[0], time[1], time[2], time[3]]));
        Ok(Self { ssrc, thinning: specific & 0x0f, begin, end, times: times.collect() })
    }

    /// Bytes after the block's header.
    pub(super) fn len(&self) -> usize {
        8 + 4 * self.times.len()
    }

    pub(super) fn write(&self, out: &mut BytesMut) {
        put_range(self.ssrc, self.begin, self.end, out);
        self.times.iter().for_each(|time| out.put_u32(*time));
    }
}

/// What the blocks on a range begin with: its stream, its first number, the number behind it.
pub(super) fn range(content: &mut Bytes) -> Result<(Ssrc, SeqNum, SeqNum), Fault> {
    if content.len() < 8 {
        return Err(Fault::Length);
    }
    Ok((Ssrc(content.get_u32()), SeqNum(content.get_u16()), SeqNum(content.get_u16())))
}

pub(super) fn put_range(ssrc: Ssrc, begin: SeqNum, end: SeqNum, out: &mut BytesMut) {
    out.put_u32(ssrc.0);
    out.put_u16(begin.0);
    out.put_u16(end.0);
}
