use core::iter::Peekable;

use rtc_core::SeqNum;

/// The feedback control information of a generic NACK: up to 17 lost packets (RFC 4585 §6.2.1).
///
/// ```
/// use rtc_core::SeqNum;
/// use rtc_fec::nack::{NackPair, pack};
///
/// let lost = [65_534, 65_535, 14, 15].map(SeqNum);
/// let pairs: Vec<NackPair> = pack(lost).collect();
/// assert_eq!(pairs, [NackPair { pid: SeqNum(65_534), blp: 0b1000_0000_0000_0001 }, NackPair { pid: SeqNum(15), blp: 0 }]);
/// assert!(pairs.iter().flat_map(|pair| pair.seqs()).eq(lost));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct NackPair {
    /// Packet ID: the first lost packet.
    pub pid: SeqNum,
    /// Bitmask of following lost packets: bit `i`, counted from the least significant, stands for packet `pid + i + 1`.
    pub blp: u16,
}

impl NackPair {
    /// The lost packets, first to last.
    pub fn seqs(self) -> impl Iterator<Item = SeqNum> {
        let following = (0..16).filter(move |bit| self.blp >> bit & 1 == 1).map(move |bit| self.pid + bit + 1);
        core::iter::once(self.pid).chain(following)
    }
}

/// The fewest pairs for these packets, which should come oldest first: a pair ends before one that is not among the 16 after
/// its first.
pub fn pack(lost: impl IntoIterator<Item = SeqNum>) -> impl Iterator<Item = NackPair> {
    let mut lost = lost.into_iter().peekable();
    core::iter::from_fn(move || {
        let mut pair = NackPair { pid: lost.next()?, blp: 0 };
        while let Some(bit) = following_bit(&mut lost, pair.pid) {
            pair.blp |= bit;
        }
        Some(pair)
    })
}

fn following_bit(lost: &mut Peekable<impl Iterator<Item = SeqNum>>, pid: SeqNum) -> Option<u16> {
    let distance = lost.peek()?.distance_from(pid);
    let bit = u32::try_from(distance).ok().filter(|distance| (1..=16).contains(distance))?;
    lost.next();
    Some(1 << (bit - 1))
}
