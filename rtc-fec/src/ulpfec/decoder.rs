use std::collections::VecDeque;

use bytes::BytesMut;
use rtc_core::fec::FecDecoder;
use rtc_core::{ConfigError, Fault, Malformed, PayloadType, RtpPacket, SeqNum, Ssrc};

use super::MAX_LEVELS;
use super::equation::{Equation, Solution};
use super::header::{RTP_LEN, parse};
use super::part::Partial;
use super::window::{Entry, Window};
use crate::POOL_LEN;
use crate::continuity::{Continuity, Run, same_run};

/// Settings of a [`UlpfecDecoder`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct UlpfecDecoderConfig {
    /// Payload type of the repair packets. 127, as in the examples of RFC 5109 §10.
    pub payload_type: PayloadType,
    /// SSRC of the media; `None`, the default, for that of the packets that arrive. Packets of media of others are foreign.
    pub ssrc: Option<Ssrc>,
    /// Sequence numbers of media remembered, a power of two from 64 to 8192. 256: five times what one repair packet spans.
    pub window: usize,
    /// Repair packets, each level by itself, held until enough of what they protect is there; the oldest goes first. 64.
    pub max_repairs: usize,
}

impl Default for UlpfecDecoderConfig {
    fn default() -> Self {
        Self { payload_type: PayloadType::new(127), ssrc: None, window: 256, max_repairs: 64 }
    }
}

/// What became of what was inserted.
///
/// `sources = kept + duplicates + old + strays`; `levels = solved + unused + corrupt + expired + overflowed + forgotten + ` those
/// held ([`UlpfecDecoder::held`]); what was polled or can be is `recovered - unpolled - late`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct UlpfecDecoderStats {
    /// Packets of media inserted.
    pub sources: u64,
    /// Of these, remembered.
    pub kept: u64,
    /// Of these, there already, received or recovered.
    pub duplicates: u64,
    /// Of these, older than the window.
    pub old: u64,
    /// Of these, far off and not confirmed by the next, or foreign.
    pub strays: u64,
    /// Repair packets accepted as such (`fecPacketsReceived`).
    pub repairs: u64,
    /// Bytes of these repair packets (`fecBytesReceived`).
    pub repair_bytes: u64,
    /// Repair packets refused with an error.
    pub malformed: u64,
    /// Levels of these repair packets: one each, unless protection is uneven.
    pub levels: u64,
    /// Levels that recovered a packet, or a part of one.
    pub solved: u64,
    /// Levels that were not needed: all they protect was there (`fecPacketsDiscarded` has these and the following).
    pub unused: u64,
    /// Levels that recovered what is no valid packet.
    pub corrupt: u64,
    /// Levels whose packets of media left the window, or were never in it.
    pub expired: u64,
    /// Levels given up because too many were held.
    pub overflowed: u64,
    /// Levels given up because the sender started anew.
    pub forgotten: u64,
    /// Packets recovered as a whole.
    pub recovered: u64,
    /// Recovered packets dropped because they were not polled.
    pub unpolled: u64,
    /// Recovered packets not given out because the original came after all, before they were polled.
    pub late: u64,
}

/// Brings back lost packets of media from repair packets (RFC 5109 §9).
///
/// A repair packet recovers the one packet it protects that is missing, and each recovery may enable others; with uneven
/// protection, level by level. Recovered packets equal the originals to the last byte. [`covers`](Self::covers) says what may
/// still come and need not be asked for yet.
#[derive(Debug)]
pub struct UlpfecDecoder {
    config: UlpfecDecoderConfig,
    ssrc: Option<Ssrc>,
    continuity: Continuity,
    window: Window,
    held: VecDeque<Equation>,
    ready: VecDeque<RtpPacket>,
    pool: BytesMut,
    stats: UlpfecDecoderStats,
}

impl UlpfecDecoder {
    /// A decoder that has seen nothing.
    ///
    /// # Errors
    /// [`ConfigError`] if `window` or `max_repairs` is out of its range.
    pub fn new(config: UlpfecDecoderConfig) -> Result<Self, ConfigError> {
        if !(64..=8_192).contains(&config.window) || !config.window.is_power_of_two() {
            return Err(ConfigError::new("window", "must be a power of two from 64 to 8192"));
        }
        if config.max_repairs == 0 {
            return Err(ConfigError::new("max_repairs", "must not be zero"));
        }
        Ok(Self {
            config,
            ssrc: None,
            continuity: Continuity::default(),
            window: Window::new(config.window),
            held: VecDeque::with_capacity(config.max_repairs + MAX_LEVELS),
            ready: VecDeque::with_capacity(config.window),
            pool: BytesMut::with_capacity(POOL_LEN),
            stats: UlpfecDecoderStats::default(),
        })
    }

    /// Whether a repair packet is held that recovers the missing packet once others it protects are there.
    #[must_use]
    pub fn covers(&self, seq: SeqNum) -> bool {
        !self.window.has(seq) && self.held.iter().any(|level| level.protects(seq))
    }

    /// What was recovered of a packet, if it is its beginning but not the whole: codecs may have use for that. It is not
    /// polled, and may yet become whole.
    #[must_use]
    pub fn partial(&self, seq: SeqNum) -> Option<Partial> {
        match self.window.get(seq) {
            Some(Entry::Part(_, part)) => part.beginning(seq, self.config.ssrc.or(self.ssrc)?),
            _ => None,
        }
    }

    /// How many levels of repair packets are held.
    #[must_use]
    pub fn held(&self) -> usize {
        self.held.len()
    }

    /// What happened so far.
    #[must_use]
    pub const fn stats(&self) -> UlpfecDecoderStats {
        self.stats
    }

    /// How the packet goes with those before; forgets them if the sender started anew.
    fn follow(&mut self, packet: &RtpPacket) -> Run {
        let same_source = *self.ssrc.get_or_insert_with(|| packet.ssrc()) == packet.ssrc();
        let run = match self.window.newest() {
            _ if !same_source => Run::New,
            Some(newest) => self.continuity.check(newest, packet.seq()),
            None => Run::Same,
        };
        if run == Run::New {
            self.stats.forgotten += self.held.len() as u64;
            self.held.clear();
            self.window.clear();
            self.continuity = Continuity::default();
            self.ssrc = Some(packet.ssrc());
        }
        run
    }

    /// The packet came though it is there; if it was recovered and not yet polled, it no longer needs to be.
    fn came_again(&mut self, seq: SeqNum) {
        self.stats.duplicates += 1;
        if let Some(at) = self.ready.iter().position(|recovered| recovered.seq() == seq) {
            self.ready.remove(at);
            self.stats.late += 1;
        }
    }

    /// Lets the window reach up to `seq`, and go of what is held for packets it then no longer reaches.
    fn advance(&mut self, seq: SeqNum) {
        if self.window.advance(seq) {
            let before = self.held.len();
            self.held.retain(|level| self.window.reaches(level.base));
            self.stats.expired += (before - self.held.len()) as u64;
        }
    }

    /// Counts anew what is unknown where the packet is protected, of which more is known now.
    fn settle(&mut self, seq: SeqNum) {
        for level in self.held.iter_mut().filter(|level| level.protects(seq)) {
            level.count(&self.window);
        }
        let before = self.held.len();
        self.held.retain(|level| level.unknown > 0);
        self.stats.unused += (before - self.held.len()) as u64;
    }

    /// Recovers what can be, and what can be with that.
    fn recover(&mut self) {
        while let Some(at) = self.held.iter().position(|level| level.unknown == 1) {
            let Some(level) = self.held.remove(at) else { return };
            let ssrc = self.config.ssrc.or(self.ssrc).unwrap_or(level.ssrc);
            let solution = level.solve(&self.window, &mut self.pool);
            let Some((seq, learnt)) = solution.map(|solution| (solution.seq, self.learn(solution, ssrc))) else {
                self.stats.corrupt += 1;
                continue;
            };
            match learnt {
                Learnt::Whole(packet) => {
                    self.stats.solved += 1;
                    self.stats.recovered += 1;
                    self.window.insert(packet.clone());
                    self.emit(packet);
                }
                Learnt::Part => self.stats.solved += 1,
                Learnt::Nothing => self.stats.corrupt += 1,
            }
            self.settle(seq);
        }
    }

    fn learn(&mut self, mut solution: Solution, ssrc: Ssrc) -> Learnt {
        let Solution { seq, recovery, start, .. } = solution;
        let bytes = match recovery {
            Some(recovery) if recovery.len() + RTP_LEN <= solution.bytes.len() => {
                solution.bytes[..RTP_LEN].copy_from_slice(&recovery.rtp_header(seq, ssrc));
                solution.bytes.truncate(RTP_LEN + recovery.len());
                solution.bytes.freeze()
            }
            _ => {
                let Some(part) = self.window.part_mut(seq) else { return Learnt::Nothing };
                if !part.add(recovery, start, solution.bytes.freeze().slice(RTP_LEN..)) {
                    return Learnt::Nothing;
                }
                let Some(bytes) = part.assemble(seq, ssrc, &mut self.pool) else { return Learnt::Part };
                bytes
            }
        };
        match RtpPacket::parse(bytes) {
            Ok(packet) => Learnt::Whole(packet),
            Err(_) => {
                self.window.remove(seq);
                Learnt::Nothing
            }
        }
    }

    fn emit(&mut self, packet: RtpPacket) {
        if self.ready.len() == self.config.window {
            self.ready.pop_front();
            self.stats.unpolled += 1;
        }
        self.ready.push_back(packet);
    }
}

/// What a solution came to.
enum Learnt {
    Whole(RtpPacket),
    Part,
    /// No valid packet, or more parts than can be kept.
    Nothing,
}

impl FecDecoder for UlpfecDecoder {
    fn insert_source(&mut self, packet: &RtpPacket) {
        self.stats.sources += 1;
        let foreign = self.config.ssrc.is_some_and(|ssrc| ssrc != packet.ssrc());
        if foreign || self.follow(packet) == Run::Stray {
            self.stats.strays += 1;
            return;
        }
        let seq = packet.seq();
        self.advance(seq);
        if !self.window.reaches(seq) {
            self.stats.old += 1;
        } else if self.window.has(seq) {
            self.came_again(seq);
        } else {
            self.stats.kept += 1;
            self.window.insert(packet.clone());
            self.settle(seq);
            self.recover();
        }
    }

    fn insert_repair(&mut self, packet: &RtpPacket) -> Result<(), Malformed> {
        let parsed = match packet.payload_type() == self.config.payload_type {
            true => parse(packet.payload()),
            false => Err(Malformed::new("ULPFEC", Fault::Type)),
        };
        let (header, levels) = parsed.inspect_err(|_| self.stats.malformed += 1)?;
        let levels = levels.iter().flatten();
        let last = levels.clone().map(|level| level.mask.last()).max().unwrap_or_default();
        self.stats.repairs += 1;
        self.stats.repair_bytes += packet.payload().len() as u64;
        self.stats.levels += levels.clone().count() as u64;
        let near = |newest| same_run(newest, header.base) && same_run(newest, header.base + last);
        if self.window.newest().is_none_or(near) {
            self.advance(header.base + last);
        }
        if !self.window.reaches(header.base) || !self.window.reaches(header.base + last) {
            self.stats.expired += levels.count() as u64;
            return Ok(());
        }
        let payload = packet.payload_bytes();
        for level in levels {
            let level = Equation::new(header, *level, &payload, packet.ssrc(), &self.window);
            if level.unknown == 0 {
                self.stats.unused += 1;
            } else {
                self.held.push_back(level);
            }
        }
        self.recover();
        while self.held.len() > self.config.max_repairs {
            self.held.pop_front();
            self.stats.overflowed += 1;
        }
        Ok(())
    }

    fn poll_recovered(&mut self) -> Option<RtpPacket> {
        self.ready.pop_front()
    }
}
