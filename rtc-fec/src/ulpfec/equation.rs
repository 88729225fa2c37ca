use bytes::{Bytes, BytesMut};
use rtc_core::{SeqNum, Ssrc};

use super::MAX_GROUP;
use super::header::{FecHeader, LevelData, RTP_LEN, Recovery};
use super::mask::Mask;
use super::window::{Entry, Window};
use crate::simd::{xor_all, xor_into};

/// One level of a repair packet: the exclusive or of a part of several packets.
#[derive(Debug)]
pub(super) struct Equation {
    /// Of the repair packet.
    pub(super) ssrc: Ssrc,
    pub(super) base: SeqNum,
    mask: Mask,
    /// Level 0 recovers the header too.
    recovery: Option<Recovery>,
    /// Bytes after the fixed header below the first protected.
    start: usize,
    data: Bytes,
    /// Packets of which this part is not known, when counted last.
    pub(super) unknown: usize,
}

/// What an equation says of the one packet unknown to it.
pub(super) struct Solution {
    pub(super) seq: SeqNum,
    pub(super) recovery: Option<Recovery>,
    pub(super) start: usize,
    /// The bytes, after room for a fixed header.
    pub(super) bytes: BytesMut,
}

impl Equation {
    pub(super) fn new(header: FecHeader, level: LevelData<'_>, payload: &Bytes, ssrc: Ssrc, window: &Window) -> Self {
        let mut equation = Self {
            ssrc,
            base: header.base,
            mask: level.mask,
            recovery: (level.start == 0).then_some(header.recovery),
            start: level.start,
            data: payload.slice_ref(level.data),
            unknown: 0,
        };
        equation.count(window);
        equation
    }

    /// Counts the unknowns.
    pub(super) fn count(&mut self, window: &Window) {
        self.unknown = self.seqs().filter(|seq| !window.get(*seq).is_some_and(|entry| self.knows(entry))).count();
    }

    pub(super) fn protects(&self, seq: SeqNum) -> bool {
        u16::try_from(seq.distance_from(self.base)).is_ok_and(|offset| self.mask.contains(offset))
    }

    /// The unknown part of the only packet of which it is unknown (RFC 5109 §9.1, §9.2). `None` if a packet is longer than
    /// the format allows.
    pub(super) fn solve(&self, window: &Window, pool: &mut BytesMut) -> Option<Solution> {
        pool.clear();
        pool.reserve(RTP_LEN + self.data.len());
        pool.extend_from_slice(&[0; RTP_LEN]);
        pool.extend_from_slice(&self.data);
        let mut bytes = pool.split();
        let (sum, mut recovery, mut unknown) = (&mut bytes[RTP_LEN..], self.recovery, self.base);
        let mut wholes: [&[u8]; MAX_GROUP] = [&[]; MAX_GROUP];
        let mut count = 0;
        for seq in self.seqs() {
            let Some(entry) = window.get(seq).filter(|entry| self.knows(entry)) else {
                unknown = seq;
                continue;
            };
            let known = match entry {
                Entry::Whole(packet) => {
                    wholes[count] = packet.as_bytes().get(RTP_LEN + self.start..).unwrap_or_default();
                    count += 1;
                    Recovery::of(packet.as_bytes())?
                }
                Entry::Part(_, part) => {
                    let mut rest = &mut *sum;
                    for piece in part.pieces_from(self.start) {
                        xor_into(rest, piece);
                        rest = rest.split_at_mut(piece.len().min(rest.len())).1;
                    }
                    part.recovery().unwrap_or_default()
                }
            };
            if let Some(recovery) = &mut recovery {
                recovery.add(known);
            }
        }
        xor_all(sum, &wholes[..count]);
        Some(Solution { seq: unknown, recovery, start: self.start, bytes })
    }

    fn seqs(&self) -> impl Iterator<Item = SeqNum> + use<> {
        let base = self.base;
        self.mask.offsets().map(move |offset| base + offset)
    }

    /// Whether what is known of the packet includes what this protects.
    fn knows(&self, entry: &Entry) -> bool {
        match entry {
            Entry::Whole(_) => true,
            Entry::Part(_, part) => {
                let header = self.recovery.is_none() || part.recovery().is_some();
                header && part.known_from(self.start) >= self.start + self.data.len()
            }
        }
    }
}
