use bytes::{Bytes, BytesMut};
use rtc_core::{SeqNum, Ssrc};

use super::stream::Stream;
use super::window::Entry;
use super::{Members, RTP_LEN, Recovery};
use crate::simd::{xor_all, xor_into};

/// Packets added up in one pass over the sum.
const PASS: usize = 48;

/// What an equation has of one stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Span {
    /// By place among the streams of the solver.
    pub(crate) stream: usize,
    pub(crate) base: SeqNum,
    pub(crate) members: Members,
}

/// The exclusive or of several packets, or of a part of each, as a repair packet has it.
#[derive(Debug)]
pub(crate) struct Equation {
    /// Of the repair packet, for what it recovers of a stream whose own is not known.
    pub(crate) ssrc: Ssrc,
    pub(crate) first: Span,
    /// Further streams, rarely any.
    pub(crate) others: Vec<Span>,
    /// Of the header, unless only later bytes are protected.
    pub(crate) recovery: Option<Recovery>,
    /// Bytes after the fixed header below the first protected.
    pub(crate) start: usize,
    pub(crate) data: Bytes,
    /// Packets of which this part is not known, when counted last.
    pub(super) unknown: usize,
}

/// What an equation says of the one packet unknown to it.
pub(super) struct Solution {
    pub(super) stream: usize,
    pub(super) seq: SeqNum,
    pub(super) recovery: Option<Recovery>,
    pub(super) start: usize,
    /// The bytes, after room for a fixed header.
    pub(super) bytes: BytesMut,
}

impl Span {
    pub(super) fn protects(&self, stream: usize, seq: SeqNum) -> bool {
        let offset = u16::try_from(seq.distance_from(self.base));
        self.stream == stream && offset.is_ok_and(|offset| self.members.contains(offset))
    }

    pub(super) fn last(&self) -> SeqNum {
        self.base + self.members.last()
    }

    fn seqs(self) -> impl Iterator<Item = (usize, SeqNum)> {
        self.members.offsets().map(move |offset| (self.stream, self.base + offset))
    }
}

impl Equation {
    /// Of a part of the packets of these spans that begins `start` bytes after the fixed header; all of the header too if
    /// there is a `recovery`.
    pub(crate) fn new(ssrc: Ssrc, first: Span, recovery: Option<Recovery>, start: usize, data: Bytes) -> Self {
        Self { ssrc, first, others: Vec::new(), recovery, start, data, unknown: 0 }
    }

    pub(super) fn spans(&self) -> impl Iterator<Item = &Span> {
        core::iter::once(&self.first).chain(&self.others)
    }

    /// Counts the unknowns.
    pub(super) fn count(&mut self, streams: &[Stream]) {
        self.unknown = self.packets().filter(|(stream, seq)| self.known(streams, *stream, *seq).is_none()).count();
    }

    pub(super) fn protects(&self, stream: usize, seq: SeqNum) -> bool {
        self.spans().any(|span| span.protects(stream, seq))
    }

    /// The unknown part of the only packet of which it is unknown (RFC 5109 §9.1, §9.2; RFC 8627 §6.3). `None` if a packet is
    /// longer than the format allows.
    pub(super) fn solve(&self, streams: &[Stream], pool: &mut BytesMut) -> Option<Solution> {
        pool.clear();
        pool.reserve(RTP_LEN + self.data.len());
        pool.extend_from_slice(&[0; RTP_LEN]);
        pool.extend_from_slice(&self.data);
        let mut bytes = pool.split();
        let (sum, mut recovery) = (&mut bytes[RTP_LEN..], self.recovery);
        let mut unknown = (self.first.stream, self.first.base);
        let (mut wholes, mut count) = ([&[][..]; PASS], 0);
        for (stream, seq) in self.packets() {
            let Some(entry) = self.known(streams, stream, seq) else {
                unknown = (stream, seq);
                continue;
            };
            let known = match entry {
                Entry::Whole(packet) => {
                    if count == PASS {
                        xor_all(sum, &wholes);
                        count = 0;
                    }
                    wholes[count] = packet.as_bytes().get(RTP_LEN + self.start..).unwrap_or_default();
                    count += 1;
                    Recovery::of(packet.as_bytes())?
                }
                Entry::Part(_, part) => {
                    let mut rest = &mut *sum;
                    for piece in part.pieces_from(self.start) {
                        let both = piece.len().min(rest.len());
                        xor_into(&mut rest[..both], &piece[..both]);
                        rest = &mut rest[both..];
                    }
                    part.recovery().unwrap_or_default()
                }
            };
            if let Some(recovery) = &mut recovery {
                recovery.add(known);
            }
        }
        xor_all(sum, &wholes[..count]);
        Some(Solution { stream: unknown.0, seq: unknown.1, recovery, start: self.start, bytes })
    }

    fn packets(&self) -> impl Iterator<Item = (usize, SeqNum)> {
        self.spans().flat_map(|span| span.seqs())
    }

    /// What is known of the packet, if it includes what this protects.
    fn known<'a>(&self, streams: &'a [Stream], stream: usize, seq: SeqNum) -> Option<&'a Entry> {
        streams[stream].window.get(seq).filter(|entry| match entry {
            Entry::Whole(_) => true,
            Entry::Part(_, part) => {
                let header = self.recovery.is_none() || part.recovery().is_some();
                header && part.known_from(self.start) >= self.start + self.data.len()
            }
        })
    }
}
