use std::collections::VecDeque;

use bytes::BytesMut;
use rtc_core::fec::FecEncoder;
use rtc_core::{ConfigError, PayloadType, RtpPacket, RtpTime, SeqNum, Ssrc};

use super::matrix::column;
use super::{Block, MAX_BLOCK};
use crate::POOL_LEN;
use crate::gf256::mul;
use crate::linear::{Code, Covered, Header, LENGTH_LEN, Rows};
use crate::simd::{spread, spread_fresh};

/// Bytes of a sum at first: as much as common packets have. They grow to what is protected.
const SYMBOL_LEN: usize = 1_536;
/// Repair packets held at most until polled, two blocks of the most; the oldest goes first.
const MAX_DUE: usize = 2 * MAX_BLOCK;

/// Settings of a [`CauchyEncoder`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct CauchyEncoderConfig {
    /// Payload type of the repair packets. 126, one before that of ULPFEC.
    pub payload_type: PayloadType,
    /// SSRC of the repair packets; `None`, the default, for that of the media.
    pub ssrc: Option<Ssrc>,
    /// Sequence number of the first repair packet. 0; a random one protects better (RFC 3550 §5.1).
    pub first_seq: SeqNum,
    /// How much to protect at first; see [`CauchyEncoder::set_block`]. 5 repair packets for 10 of media.
    pub block: Block,
}

impl Default for CauchyEncoderConfig {
    fn default() -> Self {
        Self { payload_type: PayloadType::new(126), ssrc: None, first_seq: SeqNum(0), block: Block::default() }
    }
}

/// What happened so far: `packets = protected + unprotected + duplicates`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct CauchyEncoderStats {
    /// Packets of media seen.
    pub packets: u64,
    /// Packets that repair packets protect, or will when their block ends.
    pub protected: u64,
    /// Packets seen while there was no protection, or too long for the length field.
    pub unprotected: u64,
    /// Packets protected in the same block before.
    pub duplicates: u64,
    /// Repair packets made.
    pub repairs: u64,
    /// Bytes of repair packets made (`fecBytesSent` less the RTP headers).
    pub repair_bytes: u64,
    /// Repair packets dropped because they were not polled.
    pub overflowed: u64,
}

/// Makes repair packets for blocks of media packets.
///
/// Each packet is added to all repair packets of its block as it comes; nothing is read again at the end of the block. A block
/// ends with as many packets as [`Block::media`] says, before a packet older than its first, 64 or more after it or of another
/// source, or when [`flush`](Self::flush) says so.
///
/// A repair packet is 20 bytes longer than the longest packet it covers, and up to 8 more if they are not in sequence: packets
/// of media must leave that room in the path's MTU.
#[derive(Debug)]
pub struct CauchyEncoder {
    config: CauchyEncoderConfig,
    /// A packet without payload, the model of all repair packets.
    model: RtpPacket,
    next_seq: SeqNum,
    open: Option<Open>,
    /// The sums, as far as [`Open::longest`]; what is after it, or there at all if no block is open, means nothing.
    sums: Rows,
    lengths: Lengths,
    due: VecDeque<RtpPacket>,
    pool: BytesMut,
    stats: CauchyEncoderStats,
}

/// The lengths of packets, summed up like their bytes.
///
/// Most packets of a block have one length, so factors are summed up first, and multiplied when another length comes.
#[derive(Debug)]
struct Lengths {
    /// Of each repair packet, less what is in `factors`.
    sums: [[u8; LENGTH_LEN]; MAX_BLOCK],
    length: u16,
    /// Of the packets of that length.
    factors: [u8; MAX_BLOCK],
}

impl Default for Lengths {
    fn default() -> Self {
        Self { sums: [[0; LENGTH_LEN]; MAX_BLOCK], length: 0, factors: [0; MAX_BLOCK] }
    }
}

impl Lengths {
    fn add(&mut self, length: u16, column: &[u8; MAX_BLOCK], repair: usize) {
        if length != self.length {
            self.fold(repair);
            self.length = length;
        }
        self.factors.iter_mut().zip(column).for_each(|(sum, factor)| *sum ^= factor);
    }

    /// Brings the sums of so many repair packets up to date.
    fn fold(&mut self, repair: usize) {
        for (sum, factor) in self.sums.iter_mut().zip(&mut self.factors).take(repair) {
            let product = self.length.to_be_bytes().map(|byte| mul(*factor, byte));
            sum.iter_mut().zip(product).for_each(|(sum, byte)| *sum ^= byte);
            *factor = 0;
        }
    }
}

/// The block in progress.
#[derive(Debug, Clone, Copy)]
struct Open {
    block: Block,
    ssrc: Ssrc,
    base: SeqNum,
    covered: Covered,
    /// Newest timestamp.
    timestamp: RtpTime,
    /// Bytes of the longest packet.
    longest: usize,
}

impl CauchyEncoder {
    /// An encoder that has seen nothing.
    ///
    /// # Errors
    /// Never with the settings there are now.
    pub fn new(config: CauchyEncoderConfig) -> Result<Self, ConfigError> {
        Ok(Self {
            config,
            model: RtpPacket::builder(config.payload_type, SeqNum(0), RtpTime(0), Ssrc(0)).build(&[])?,
            next_seq: config.first_seq,
            open: None,
            sums: Rows::new(config.block.repair(), SYMBOL_LEN),
            lengths: Lengths::default(),
            due: VecDeque::with_capacity(MAX_DUE),
            pool: BytesMut::with_capacity(POOL_LEN),
            stats: CauchyEncoderStats::default(),
        })
    }

    /// Sets how much to protect, from the next block on.
    pub fn set_block(&mut self, block: Block) {
        self.config.block = block;
        self.sums.reserve(block.repair(), 0);
    }

    /// Ends the block in progress, such as after a picture. It has as many repair packets for its packets as a whole one, rounded
    /// up.
    pub fn flush(&mut self) {
        let Some(open) = self.open.take() else { return };
        let repair = open.block.repair_of(open.covered.count());
        self.lengths.fold(open.block.repair());
        let header = Header { code: Code::Cauchy { row: 0 }, base: open.base, covered: open.covered }.to_bytes();
        // At once, or repair packets already made keep the memory from being used again for the next.
        self.pool.reserve(repair * (12 + Header::MAX_LEN + LENGTH_LEN + open.longest));
        for row in 0..repair {
            self.emit(&open, header, row);
        }
        self.lengths = Lengths::default();
    }

    /// What happened so far.
    #[must_use]
    pub const fn stats(&self) -> CauchyEncoderStats {
        self.stats
    }

    /// The packet's place in its block, which is begun if need be, and how long the sums were before; `None` if it has it already.
    fn join(&mut self, packet: &RtpPacket) -> Option<(u16, usize)> {
        let place = |open: &Open| usize::try_from(packet.seq().distance_from(open.base)).ok();
        let fits = |open: &Open| packet.ssrc() == open.ssrc && place(open).is_some_and(|place| place < MAX_BLOCK);
        if self.open.as_ref().is_some_and(|open| !fits(open)) {
            self.flush();
        }
        let open = self.open.get_or_insert_with(|| Open {
            block: self.config.block,
            ssrc: packet.ssrc(),
            base: packet.seq(),
            covered: Covered::default(),
            timestamp: packet.timestamp(),
            longest: 0,
        });
        let place = packet.seq().distance_from(open.base).unsigned_abs();
        if open.covered.contains(usize::from(place)) {
            return None;
        }
        open.covered.insert(usize::from(place));
        if packet.timestamp().is_newer_than(open.timestamp) {
            open.timestamp = packet.timestamp();
        }
        let summed = open.longest;
        open.longest = summed.max(packet.as_bytes().len());
        Some((place, summed))
    }

    /// Makes the repair packet of this row.
    fn emit(&mut self, open: &Open, (mut header, len): ([u8; Header::MAX_LEN], usize), row: usize) {
        header[Header::ROW] = row.to_le_bytes()[0];
        let sum = &self.sums.row(row)[..open.longest];
        let (seq, ssrc) = (self.next_seq, self.config.ssrc.unwrap_or(open.ssrc));
        let repair = self.model.repack_in(&mut self.pool, &[&header[..len], &self.lengths.sums[row], sum], |header| {
            header.set_seq(seq);
            header.set_timestamp(open.timestamp);
            header.set_ssrc(ssrc);
        });
        self.next_seq = seq.next();
        self.stats.repairs += 1;
        self.stats.repair_bytes += (len + LENGTH_LEN + open.longest) as u64;
        if self.due.len() == MAX_DUE {
            self.due.pop_front();
            self.stats.overflowed += 1;
        }
        self.due.push_back(repair);
    }
}

impl FecEncoder for CauchyEncoder {
    fn protect(&mut self, packet: &RtpPacket) {
        self.stats.packets += 1;
        let block = self.open.map_or(self.config.block, |open| open.block);
        let Some(length) = u16::try_from(packet.as_bytes().len()).ok().filter(|_| block.repair() > 0) else {
            self.stats.unprotected += 1;
            return;
        };
        let Some((place, summed)) = self.join(packet) else {
            self.stats.duplicates += 1;
            return;
        };
        let Some(open) = self.open else { return };
        let len = packet.as_bytes().len();
        self.sums.reserve(0, len);
        let repair = open.block.repair();
        self.lengths.add(length, column(place), repair);
        let factors = &column(place)[..repair];
        let stride = self.sums.stride();
        if summed == 0 {
            spread_fresh(self.sums.all_mut(), stride, factors, packet.as_bytes());
        } else {
            if len > summed {
                self.sums.first_mut(repair).for_each(|sum| sum[summed..len].fill(0));
            }
            spread(self.sums.all_mut(), stride, factors, packet.as_bytes());
        }
        self.stats.protected += 1;
        if open.covered.count() == open.block.media() {
            self.flush();
        }
    }

    fn poll_repair(&mut self) -> Option<RtpPacket> {
        self.due.pop_front()
    }
}
