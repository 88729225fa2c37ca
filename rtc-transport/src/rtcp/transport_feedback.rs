use core::time::Duration;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use rtc_core::{Fault, Malformed, SeqNum, Ssrc};

use super::{Raw, write_framed};

mod chunk;

pub(crate) use chunk::Symbol;
use chunk::{Chunk, Fates};

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
        Statuses { chunks, deltas, seq: self.base, left: self.status_count, fates: Fates::default(), arrival: 0 }
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
        let (mut covered, mut told) = (0, 0);
        let all = deltas_len(symbols);
        while covered < symbols.len() {
            let rest = &symbols[covered..];
            // Where all that is left fits, there is no need to look how much does.
            let fitting = if 2 + all - told <= room { rest.len() } else { fitting(rest, room) };
            if fitting == 0 {
                break;
            }
            let (chunk, len) = Chunk::first_of(&rest[..fitting]);
            let deltas_len = deltas_len(&rest[..len]);
            room -= 2 + deltas_len;
            pool.put_u16(chunk.to_wire());
            covered += len;
            told += deltas_len;
        }
        let chunks_len = pool.len();
        pool.resize(chunks_len + told, 0);
        put_deltas(&mut pool[chunks_len..], deltas);
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

/// Fills `out` with the first of `deltas`, in one byte each where that is enough, as their symbols say.
fn put_deltas(mut out: &mut [u8], deltas: &[i16]) {
    for delta in deltas {
        let bytes = delta.to_be_bytes();
        out = match (out, u8::try_from(*delta)) {
            ([first, rest @ ..], Ok(small)) => {
                *first = small;
                rest
            }
            ([high, low, rest @ ..], Err(_)) => {
                [*high, *low] = bytes;
                rest
            }
            _ => return,
        };
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
    fates: Fates,
    arrival: i32,
}

impl Iterator for Statuses<'_> {
    type Item = PacketStatus;

    #[inline]
    fn next(&mut self) -> Option<PacketStatus> {
        self.left = self.left.checked_sub(1)?;
        let symbol = loop {
            if let Some(symbol) = self.fates.next() {
                break symbol;
            }
            let (word, rest) = self.chunks.split_first_chunk()?;
            (self.fates, self.chunks) = (Chunk::from_wire(u16::from_be_bytes(*word)).fates(), rest);
        };
        let seq = self.seq;
        self.seq = seq.next();
        let delta = match symbol {
            0 => return Some(PacketStatus { seq, arrival: None }),
            1 => {
                let (delta, rest) = self.deltas.split_first()?;
                self.deltas = rest;
                i32::from(*delta)
            }
            _ => {
                let (delta, rest) = self.deltas.split_first_chunk()?;
                self.deltas = rest;
                i32::from(i16::from_be_bytes(*delta))
            }
        };
        // 65535 deltas of 16 bits add up to less than 32 bits.
        self.arrival += delta;
        Some(PacketStatus { seq, arrival: Some(self.arrival) })
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (usize::from(self.left), Some(usize::from(self.left)))
    }
}
