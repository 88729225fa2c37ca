use core::time::Duration;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use rtc_core::{Fault, Malformed, SeqNum, Ssrc};

use super::{Raw, write_framed};

mod chunk;

use chunk::Chunk;
pub(crate) use chunk::Symbol;

/// Feedback message type of transport-wide feedback (draft-holmer-rmcat-transport-wide-cc-extensions-01 §3.1).
pub(super) const FORMAT: u8 = 15;

/// Unit of arrival times (§3.1.5).
pub(crate) const TICK: Duration = Duration::from_micros(250);

/// Bytes before the first chunk, header not counted.
const FIXED_LEN: usize = 16;

/// When packets of all streams arrived: transport-wide feedback
/// (draft-holmer-rmcat-transport-wide-cc-extensions-01 §3.1).
///
/// A checked view over one buffer; reading it allocates nothing. Written here because the `rtcp` crate panics on a status
/// count near 65535, refuses feedback that chunks without arrivals fill to the end, counts arrivals beyond the status count,
/// and allocates two megabytes to read 40 bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TransportFeedback {
    /// Who reports.
    pub sender: Ssrc,
    /// One of the sources reported on, which the format has room for and no use.
    pub media: Ssrc,
    base: SeqNum,
    status_count: u16,
    reference_time: u32,
    number: u8,
    /// Chunks, then deltas; no padding.
    body: Bytes,
    chunks_len: usize,
}

/// The fate of one packet, as a [`TransportFeedback`] tells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PacketStatus {
    /// Transport-wide sequence number.
    pub seq: SeqNum,
    /// Ticks of 250 µs from the feedback's reference time to the arrival; `None` if it did not arrive.
    pub arrival: Option<i32>,
}

impl TransportFeedback {
    /// Transport-wide sequence number of the first packet reported on.
    #[must_use]
    pub const fn base(&self) -> SeqNum {
        self.base
    }

    /// How many packets it reports on, never zero.
    #[must_use]
    pub const fn status_count(&self) -> u16 {
        self.status_count
    }

    /// The moment arrivals are counted from: units of 64 ms since a moment of the reporter's choice, modulo 2²⁴.
    #[must_use]
    pub const fn reference_time(&self) -> u32 {
        self.reference_time
    }

    /// Counts feedback packets, so that a lost one is noticed.
    #[must_use]
    pub const fn number(&self) -> u8 {
        self.number
    }

    /// The fate of each packet, in order of sequence numbers.
    #[must_use]
    pub fn statuses(&self) -> Statuses<'_> {
        let (chunks, deltas) = self.body.split_at(self.chunks_len);
        Statuses {
            chunks,
            deltas,
            seq: self.base,
            left: self.status_count,
            chunk: Chunk::default(),
            at: 0,
            len: 0,
            arrival: 0,
        }
    }

    pub(super) fn parse(raw: Raw) -> Result<Self, Malformed> {
        let fault = |fault| Malformed::new("transport-wide feedback", fault);
        let mut body = raw.body;
        if body.len() < FIXED_LEN {
            return Err(fault(Fault::Truncated));
        }
        let (sender, media) = (Ssrc(body.get_u32()), Ssrc(body.get_u32()));
        let (base, status_count) = (SeqNum(body.get_u16()), body.get_u16());
        let word = body.get_u32();
        if status_count == 0 {
            return Err(fault(Fault::Length));
        }
        let (chunks_len, deltas_len) = lengths(&body, status_count).map_err(fault)?;
        if chunks_len + deltas_len > body.len() {
            return Err(fault(Fault::Truncated));
        }
        body.truncate(chunks_len + deltas_len);
        let (reference_time, [.., number]) = (word >> 8, word.to_be_bytes());
        Ok(Self { sender, media, base, status_count, reference_time, number, body, chunks_len })
    }

    pub(super) fn write(&self, out: &mut BytesMut) {
        // The zeros up to a whole word need no padding bit: the deltas' number tells where they begin.
        write_framed(out, super::TRANSPORT_FEEDBACK, FORMAT, |out| {
            out.put_u32(self.sender.0);
            out.put_u32(self.media.0);
            out.put_u16(self.base.0);
            out.put_u16(self.status_count);
            out.put_u32(self.reference_time << 8 | u32::from(self.number));
            out.put_slice(&self.body);
        });
    }
}

/// What an encoder of feedback knows before it knows how much fits.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Head {
    pub(crate) sender: Ssrc,
    pub(crate) media: Ssrc,
    pub(crate) base: SeqNum,
    pub(crate) reference_time: u32,
    pub(crate) number: u8,
}

impl Head {
    /// The feedback of as many of `symbols` as fit `room` bytes on the wire, at least one if there is room for 24 bytes.
    ///
    /// `deltas` are those of the symbols that have one, in ticks.
    pub(crate) fn encode(
        self,
        symbols: &[Symbol],
        deltas: &[i16],
        room: usize,
        pool: &mut BytesMut,
    ) -> TransportFeedback {
        pool.clear();
        // Cut to whole words, as padding will extend what is written to them.
        let mut room = (room & !3).saturating_sub(4 + FIXED_LEN);
        let mut covered = 0;
        while covered < symbols.len() {
            let fitting = fitting(&symbols[covered..], room);
            if fitting == 0 {
                break;
            }
            let (chunk, len) = Chunk::first_of(&symbols[covered..covered + fitting]);
            room -= 2 + deltas_len(&symbols[covered..covered + len]);
            pool.put_u16(chunk.to_wire());
            covered += len;
        }
        let chunks_len = pool.len();
        let with_delta = symbols[..covered].iter().filter(|symbol| **symbol != Symbol::Lost);
        for (symbol, delta) in with_delta.zip(deltas) {
            let [high, low] = delta.to_be_bytes();
            match symbol {
                Symbol::Large => pool.put_slice(&[high, low]),
                _ => pool.put_u8(low),
            }
        }
        TransportFeedback {
            sender: self.sender,
            media: self.media,
            base: self.base,
            status_count: u16::try_from(covered).unwrap_or(u16::MAX),
            reference_time: self.reference_time,
            number: self.number,
            body: pool.split().freeze(),
            chunks_len,
        }
    }
}

/// How many of `symbols` one chunk could cover so that it and its deltas fit `room`.
fn fitting(symbols: &[Symbol], room: usize) -> usize {
    let Some(mut room) = room.checked_sub(2) else { return 0 };
    let fits = |symbol: &&Symbol| match room.checked_sub(symbol.delta_len()) {
        Some(left) => {
            room = left;
            true
        }
        None => false,
    };
    symbols.iter().take(Chunk::MAX_RUN).take_while(fits).count()
}

fn deltas_len(symbols: &[Symbol]) -> usize {
    symbols.iter().map(|symbol| symbol.delta_len()).sum()
}

/// Bytes of chunks that tell `status_count` fates, and bytes of deltas that belong to them.
fn lengths(chunks: &[u8], status_count: u16) -> Result<(usize, usize), Fault> {
    let (mut left, mut chunks_len, mut deltas_len) = (usize::from(status_count), 0, 0);
    while left > 0 {
        let Some(&[high, low]) = chunks.get(chunks_len..chunks_len + 2) else {
            return Err(Fault::Truncated);
        };
        let chunk = Chunk::from_wire(u16::from_be_bytes([high, low]));
        let len = chunk.len().min(left);
        deltas_len += chunk.deltas_len(len).ok_or(Fault::Reserved)?;
        chunks_len += 2;
        left -= len;
    }
    Ok((chunks_len, deltas_len))
}

/// Iterator over the fates a [`TransportFeedback`] tells.
#[derive(Debug, Clone)]
pub struct Statuses<'a> {
    chunks: &'a [u8],
    deltas: &'a [u8],
    seq: SeqNum,
    left: u16,
    chunk: Chunk,
    at: usize,
    len: usize,
    arrival: i32,
}

impl Iterator for Statuses<'_> {
    type Item = PacketStatus;

    fn next(&mut self) -> Option<PacketStatus> {
        self.left = self.left.checked_sub(1)?;
        // `while`, because a run may have length zero.
        while self.at == self.len {
            let word = self.chunks.try_get_u16().ok()?;
            self.chunk = Chunk::from_wire(word);
            (self.at, self.len) = (0, self.chunk.len());
        }
        let delta = match self.chunk.symbol(self.at)? {
            Symbol::Lost => None,
            Symbol::Small => Some(i32::from(self.deltas.try_get_u8().ok()?)),
            Symbol::Large => Some(i32::from(self.deltas.try_get_i16().ok()?)),
        };
        let seq = self.seq;
        (self.at, self.seq) = (self.at + 1, seq.next());
        // 65535 deltas of 16 bits add up to less than 32 bits.
        let arrival = delta.map(|delta| {
            self.arrival += delta;
            self.arrival
        });
        Some(PacketStatus { seq, arrival })
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (usize::from(self.left), Some(usize::from(self.left)))
    }
}
