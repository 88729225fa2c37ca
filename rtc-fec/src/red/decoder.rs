use std::collections::VecDeque;

use bytes::BytesMut;
use rtc_core::{Fault, Malformed, PayloadType, RtpPacket, SeqNum, Ssrc};

use super::MAX_COPIES;
use super::block::{Blocks, RedBlock, blocks};
use super::timeline::{Admission, Timeline};
use crate::POOL_LEN;
use crate::continuity::{Continuity, Run};

/// Packets held at most until polled; the oldest goes first. One RED packet makes [`MAX_COPIES`] + 1 at most.
const MAX_READY: usize = 128;

/// Settings of a [`RedDecoder`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct RedDecoderConfig {
    /// Payload type of the RED packets. 63, as browsers offer it.
    pub payload_type: PayloadType,
    /// Payload type of blocks that are repair packets, not media (RFC 5109 §14.2). None by default.
    pub repair: Option<PayloadType>,
}

impl Default for RedDecoderConfig {
    fn default() -> Self {
        Self { payload_type: PayloadType::new(63), repair: None }
    }
}

/// What became of what was inserted.
///
/// `packets = malformed + duplicates + late + padding + primaries`; `blocks = recovered + known + unplaced + empty +
/// repairs`; what was polled or still can be is `primaries + recovered + repairs - overflowed`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RedDecoderStats {
    /// Packets inserted.
    pub packets: u64,
    /// Packets refused with an error.
    pub malformed: u64,
    /// Packets whose media was received before, or is too old to know.
    pub duplicates: u64,
    /// Packets whose media had been brought back before they came.
    pub late: u64,
    /// Packets of padding only.
    pub padding: u64,
    /// Packets given out for the primary of what was inserted.
    pub primaries: u64,
    /// Redundant blocks in packets that were neither malformed nor duplicate.
    pub blocks: u64,
    /// Blocks given out as packets that were lost.
    pub recovered: u64,
    /// Blocks of media known already.
    pub known: u64,
    /// Blocks dropped because their sequence number could not be told.
    pub unplaced: u64,
    /// Blocks without data.
    pub empty: u64,
    /// Redundant blocks given out as repair packets.
    pub repairs: u64,
    /// Packets dropped because they were not polled.
    pub overflowed: u64,
    /// Packets given out as recovered that later came under another number.
    pub misplaced: u64,
    /// Times the sender started anew.
    pub restarts: u64,
}

/// Turns RED packets into plain ones, and fills in packets that were lost from copies in later ones (RFC 2198).
///
/// Takes a stream as it arrives: RED packets in any order, and packets of other payload types, which pass. Every primary
/// comes out once, as the packet it would have been without RED. A redundant block comes out if no media of its timestamp
/// was received or brought back before; as the wire format has no sequence number for it (RFC 2198 §3), one is concluded from
/// the packets around it, and a block whose number is uncertain is dropped, because a wrong number would upset whoever
/// counts losses. Brought-back packets have no marker and no header extension, and the CSRCs of the carrier (RFC 2198 §4).
///
/// Repair blocks ([`RedDecoderConfig::repair`]) come out as packets of that payload type, with the sequence number of their
/// carrier: tell them from media by payload type first.
#[derive(Debug)]
pub struct RedDecoder {
    config: RedDecoderConfig,
    ssrc: Option<Ssrc>,
    continuity: Continuity,
    timeline: Timeline,
    ready: VecDeque<RtpPacket>,
    pool: BytesMut,
    stats: RedDecoderStats,
}

impl RedDecoder {
    /// A decoder that has seen nothing.
    #[must_use]
    pub fn new(config: RedDecoderConfig) -> Self {
        Self {
            config,
            ssrc: None,
            continuity: Continuity::default(),
            timeline: Timeline::new(),
            ready: VecDeque::with_capacity(MAX_READY),
            pool: BytesMut::with_capacity(POOL_LEN),
            stats: RedDecoderStats::default(),
        }
    }

    /// Takes a packet as it arrives.
    ///
    /// # Errors
    /// [`Malformed`] if it is a RED packet with blocks that reach beyond its end, are too many, or are RED again.
    pub fn insert(&mut self, packet: &RtpPacket) -> Result<(), Malformed> {
        self.stats.packets += 1;
        let red = packet.payload_type() == self.config.payload_type;
        let padding = red && packet.payload().is_empty();
        let blocks = match (red, padding) {
            (true, false) => Some(self.flat_blocks(packet.payload()).inspect_err(|_| self.stats.malformed += 1)?),
            _ => None,
        };
        let run = self.follow(packet);
        let admission = match run {
            Run::Stray => Admission::New,
            Run::Same | Run::New => self.timeline.admit(packet.seq(), packet.timestamp()),
        };
        if matches!(admission, Admission::Duplicate | Admission::TooOld) {
            self.stats.duplicates += 1;
            return Ok(());
        }
        let Some(blocks) = blocks else {
            if padding {
                self.stats.padding += 1;
            } else {
                self.emit_primary(admission, |_| packet.clone());
            }
            return Ok(());
        };
        // At once, or packets already made keep the memory from being used again for the next.
        self.pool.reserve(packet.payload().len() + blocks.len() * packet.header_len());
        let primary = blocks.primary();
        self.emit_redundant(packet, blocks, run);
        self.emit_primary(admission, |pool| {
            packet.repack_in(pool, &[primary.data], |header| header.set_payload_type(primary.payload_type))
        });
        Ok(())
    }

    /// The next plain packet: of one RED packet first what it brought back, oldest first, then its primary.
    pub fn poll(&mut self) -> Option<RtpPacket> {
        self.ready.pop_front()
    }

    /// What happened so far.
    #[must_use]
    pub const fn stats(&self) -> RedDecoderStats {
        self.stats
    }

    fn flat_blocks<'p>(&self, payload: &'p [u8]) -> Result<Blocks<'p>, Malformed> {
        let blocks = blocks(payload)?;
        if blocks.clone().any(|block| block.payload_type == self.config.payload_type) {
            return Err(Malformed::new("RED", Fault::Inconsistent));
        }
        Ok(blocks)
    }

    /// How the packet goes with those before; forgets them if the sender started anew.
    fn follow(&mut self, packet: &RtpPacket) -> Run {
        let same_source = *self.ssrc.get_or_insert_with(|| packet.ssrc()) == packet.ssrc();
        let run = match self.timeline.newest() {
            _ if !same_source => Run::New,
            Some(newest) => self.continuity.check(newest, packet.seq()),
            None => Run::Same,
        };
        if run == Run::New {
            self.stats.restarts += 1;
            self.ssrc = Some(packet.ssrc());
            self.continuity = Continuity::default();
            self.timeline = Timeline::new();
        }
        run
    }

    fn emit_redundant(&mut self, carrier: &RtpPacket, blocks: Blocks<'_>, run: Run) {
        let mut nearest_first = [blocks.primary(); MAX_COPIES];
        let mut count = 0;
        for block in blocks.filter(|block| !block.primary) {
            self.stats.blocks += 1;
            if Some(block.payload_type) == self.config.repair {
                self.stats.repairs += 1;
                self.emit_block(carrier, carrier.seq(), block);
            } else {
                nearest_first[count] = block;
                count += 1;
            }
        }
        let media = &mut nearest_first[..count];
        media.sort_unstable_by_key(|block| block.timestamp_offset);
        let numbers = if run == Run::Stray {
            self.stats.unplaced += count as u64;
            [None; MAX_COPIES]
        } else {
            self.number(carrier, media)
        };
        for (block, seq) in media.iter().zip(numbers).rev() {
            if let Some(seq) = seq {
                self.stats.recovered += 1;
                self.emit_block(carrier, seq, *block);
            }
        }
    }

    /// The sequence numbers of those blocks that are to be given out.
    fn number(&mut self, carrier: &RtpPacket, nearest_first: &[RedBlock<'_>]) -> [Option<SeqNum>; MAX_COPIES] {
        let time_of = |block: &RedBlock<'_>| carrier.timestamp() - u32::from(block.timestamp_offset);
        let mut unknown = [None; MAX_COPIES];
        for (rank, block) in nearest_first.iter().enumerate() {
            let repeated = rank > 0 && nearest_first[rank - 1].timestamp_offset == block.timestamp_offset;
            if block.data.is_empty() {
                self.stats.empty += 1;
            } else if let Some(seq) = self.timeline.find(carrier.seq(), time_of(block)) {
                self.stats.known += 1;
                self.timeline.learn_distance(rank, carrier.seq(), seq);
            } else if repeated {
                self.stats.known += 1;
            } else {
                unknown[rank] = Some(time_of(block));
            }
        }
        let mut numbers = [None; MAX_COPIES];
        for rank in 0..nearest_first.len() {
            let Some(timestamp) = unknown[rank] else { continue };
            match self.timeline.place(carrier.seq(), timestamp, rank, unknown.iter().flatten()) {
                Some(seq) => {
                    self.timeline.conclude(seq, timestamp);
                    unknown[rank] = None;
                    numbers[rank] = Some(seq);
                }
                None => self.stats.unplaced += 1,
            }
        }
        numbers
    }

    fn emit_primary(&mut self, admission: Admission, plain: impl FnOnce(&mut BytesMut) -> RtpPacket) {
        if let Admission::Recovered { misplaced } = admission {
            self.stats.late += 1;
            self.stats.misplaced += u64::from(misplaced);
            return;
        }
        self.stats.primaries += 1;
        let plain = plain(&mut self.pool);
        self.emit(plain);
    }

    fn emit_block(&mut self, carrier: &RtpPacket, seq: SeqNum, block: RedBlock<'_>) {
        let timestamp = carrier.timestamp() - u32::from(block.timestamp_offset);
        let plain = RtpPacket::builder(block.payload_type, seq, timestamp, carrier.ssrc());
        let mut csrcs = [Ssrc::default(); 15];
        let count = carrier.csrcs().len();
        for (slot, csrc) in csrcs.iter_mut().zip(carrier.csrcs()) {
            *slot = csrc;
        }
        // Fails only for more CSRCs than any packet has.
        if let Ok(plain) = plain.csrcs(&csrcs[..count]).build_in(&mut self.pool, block.data) {
            self.emit(plain);
        }
    }

    fn emit(&mut self, plain: RtpPacket) {
        if self.ready.len() == MAX_READY {
            self.ready.pop_front();
            self.stats.overflowed += 1;
        }
        self.ready.push_back(plain);
    }
}
