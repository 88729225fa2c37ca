use bytes::{Bytes, BytesMut};
use rtc_core::{RtpPacket, SeqNum, Ssrc};

use super::{MAX_PARTS, RTP_LEN, Recovery};

/// The beginning of a packet whose end is not recovered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Partial {
    /// The packet, cut off after what is known. If it has padding, that is at the end which lacks.
    pub packet: RtpPacket,
    /// Bytes that lack at its end.
    pub lacking: usize,
}

/// What is recovered of a packet, level by level.
#[derive(Debug, Default)]
pub(super) struct Part {
    recovery: Option<Recovery>,
    pieces: [Option<Piece>; MAX_PARTS],
}

#[derive(Debug)]
struct Piece {
    /// Bytes after the fixed header.
    start: usize,
    data: Bytes,
}

impl Part {
    /// Takes note of what a level recovered; false if there is no room for more.
    pub(super) fn add(&mut self, recovery: Option<Recovery>, start: usize, data: Bytes) -> bool {
        self.recovery = self.recovery.or(recovery);
        let free = self.pieces.iter_mut().find(|piece| piece.is_none());
        free.map(|free| *free = Some(Piece { start, data })).is_some()
    }

    pub(super) fn recovery(&self) -> Option<Recovery> {
        self.recovery
    }

    /// Up to where the bytes from `start` on are known; without end if that is all the packet has.
    pub(super) fn known_from(&self, start: usize) -> usize {
        let mut end = start;
        while let Some(piece) = self.piece_with(end) {
            end = piece.start + piece.data.len();
        }
        match self.recovery {
            Some(recovery) if end >= recovery.len() => usize::MAX,
            _ => end,
        }
    }

    /// The known bytes from `start` on, piece by piece.
    pub(super) fn pieces_from(&self, start: usize) -> impl Iterator<Item = &[u8]> {
        let mut at = start;
        core::iter::from_fn(move || {
            let piece = self.piece_with(at)?;
            let bytes = &piece.data[at - piece.start..];
            at += bytes.len();
            Some(bytes)
        })
    }

    /// The bytes of the whole packet, if they are known.
    pub(super) fn assemble(&self, seq: SeqNum, ssrc: Ssrc, pool: &mut BytesMut) -> Option<Bytes> {
        let recovery = self.recovery.filter(|_| self.known_from(0) == usize::MAX)?;
        pool.clear();
        pool.reserve(RTP_LEN + recovery.len());
        pool.extend_from_slice(&recovery.rtp_header(seq, ssrc));
        self.put(recovery.len(), pool);
        Some(pool.split().freeze())
    }

    /// What is known of the beginning, as a packet without padding.
    pub(super) fn beginning(&self, seq: SeqNum, ssrc: Ssrc) -> Option<Partial> {
        let recovery = self.recovery?;
        let known = self.known_from(0).min(recovery.len());
        let mut bytes = BytesMut::with_capacity(RTP_LEN + known);
        bytes.extend_from_slice(&recovery.without_padding().rtp_header(seq, ssrc));
        self.put(known, &mut bytes);
        Some(Partial { packet: RtpPacket::parse(bytes.freeze()).ok()?, lacking: recovery.len() - known })
    }

    fn put(&self, len: usize, out: &mut BytesMut) {
        let end = out.len() + len;
        for bytes in self.pieces_from(0) {
            out.extend_from_slice(&bytes[..bytes.len().min(end - out.len())]);
        }
    }

    fn piece_with(&self, at: usize) -> Option<&Piece> {
        let has = |piece: &&Piece| (piece.start..piece.start + piece.data.len()).contains(&at);
        self.pieces.iter().flatten().find(has)
    }
}
