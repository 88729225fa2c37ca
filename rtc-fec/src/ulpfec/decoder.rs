use std::collections::VecDeque;

use bytes::{Bytes, BytesMut};
use rtc_core::fec::FecDecoder;
use rtc_core::{ConfigError, Fault, Malformed, PayloadType, RtpPacket, SeqNum, Ssrc};

use super::MAX_GROUP;
use super::header::{FecHeader, RTP_LEN, Recovery};
use super::window::Window;
use crate::POOL_LEN;
use crate::continuity::{Continuity, Run, same_run};
use crate::xor::xor_all;

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
    /// Repair packets held until enough of what they protect is there; the oldest goes first. 64.
    pub max_repairs: usize,
}

impl Default for UlpfecDecoderConfig {
    fn default() -> Self {
        Self { payload_type: PayloadType::new(127), ssrc: None, window: 256, max_repairs: 64 }
    }
}

/// What became of what was inserted.
///
/// `sources = kept + duplicates + old + strays`; `repairs = recovered + unused + incomplete + corrupt + expired + overflowed +
/// forgotten + ` those held.
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
    /// Repair packets that recovered one of media each: the packets recovered.
    pub recovered: u64,
    /// Repair packets that were not needed: all they protect was there (`fecPacketsDiscarded` has these and the following).
    pub unused: u64,
    /// Repair packets that could have recovered only a part, because they do not protect all of the packet missing.
    pub incomplete: u64,
    /// Repair packets that recovered no valid packet.
    pub corrupt: u64,
    /// Repair packets whose packets of media left the window, or were never in it.
    pub expired: u64,
    /// Repair packets given up because too many were held.
    pub overflowed: u64,
    /// Repair packets given up because the sender started anew.
    pub forgotten: u64,
    /// Recovered packets dropped because they were not polled.
    pub unpolled: u64,
    /// Recovered packets not given out because the original came after all, before they were polled.
    pub late: u64,
}

/// Brings back lost packets of media from repair packets (RFC 5109 §9).
///
/// A repair packet recovers the one packet it protects that is missing, and each recovery may enable others. Recovered packets
/// equal the originals to the last byte. What was recovered must not be asked for again nor counted as lost for ever:
/// [`covers`](Self::covers) says what may still come.
#[derive(Debug)]
pub struct UlpfecDecoder {
    config: UlpfecDecoderConfig,
    ssrc: Option<Ssrc>,
    continuity: Continuity,
    window: Window,
    held: VecDeque<Repair>,
    ready: VecDeque<RtpPacket>,
    pool: BytesMut,
    stats: UlpfecDecoderStats,
}

/// A repair packet, all of whose packets of media are in the window.
#[derive(Debug)]
struct Repair {
    header: FecHeader,
    data: Bytes,
    ssrc: Ssrc,
    /// Protected packets that are not there.
    missing: usize,
}

/// Why a repair packet with one packet missing does not recover it.
enum Failure {
    Incomplete,
    Corrupt,
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
            held: VecDeque::with_capacity(config.max_repairs + 1),
            ready: VecDeque::with_capacity(config.window),
            pool: BytesMut::with_capacity(POOL_LEN),
            stats: UlpfecDecoderStats::default(),
        })
    }

    /// Whether a repair packet is held that recovers the missing packet once others it protects are there.
    #[must_use]
    pub fn covers(&self, seq: SeqNum) -> bool {
        self.window.get(seq).is_none() && self.held.iter().any(|repair| repair.header.protects(seq))
    }

    /// How many repair packets are held.
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

    /// Lets the window reach up to `seq`, and go of repair packets that it then no longer reaches.
    fn advance(&mut self, seq: SeqNum) {
        if self.window.advance(seq) {
            let before = self.held.len();
            self.held.retain(|repair| self.window.reaches(repair.header.base));
            self.stats.expired += (before - self.held.len()) as u64;
        }
    }

    /// Takes note that a packet is there now, in the repair packets that protect it.
    fn settle(&mut self, seq: SeqNum) {
        for repair in self.held.iter_mut().filter(|repair| repair.header.protects(seq)) {
            repair.missing -= 1;
        }
        let before = self.held.len();
        self.held.retain(|repair| repair.missing > 0);
        self.stats.unused += (before - self.held.len()) as u64;
    }

    /// Recovers what can be, and what can be with that.
    fn recover(&mut self) {
        while let Some(at) = self.held.iter().position(|repair| repair.missing == 1) {
            let Some(repair) = self.held.remove(at) else { return };
            match self.rebuild(&repair) {
                Ok(packet) => {
                    self.stats.recovered += 1;
                    self.window.insert(packet.clone());
                    self.settle(packet.seq());
                    self.emit(packet);
                }
                Err(Failure::Incomplete) => self.stats.incomplete += 1,
                Err(Failure::Corrupt) => self.stats.corrupt += 1,
            }
        }
    }

    /// The one packet missing from what `repair` protects (RFC 5109 §9.1, §9.2).
    fn rebuild(&mut self, repair: &Repair) -> Result<RtpPacket, Failure> {
        let mut sources: [&[u8]; MAX_GROUP] = [&[]; MAX_GROUP];
        let (mut count, mut recovery, mut missing) = (0, repair.header.recovery, repair.header.base);
        for seq in repair.header.seqs() {
            let Some(source) = self.window.get(seq) else {
                missing = seq;
                continue;
            };
            recovery.add(Recovery::of(source.as_bytes()).ok_or(Failure::Corrupt)?);
            sources[count] = &source.as_bytes()[RTP_LEN..];
            count += 1;
        }
        let body = repair.data.get(..recovery.len()).ok_or(Failure::Incomplete)?;
        let ssrc = self.config.ssrc.or(self.ssrc).unwrap_or(repair.ssrc);
        self.pool.clear();
        self.pool.reserve(RTP_LEN + body.len());
        self.pool.extend_from_slice(&recovery.rtp_header(missing, ssrc));
        self.pool.extend_from_slice(body);
        xor_all(&mut self.pool[RTP_LEN..], &sources[..count]);
        RtpPacket::parse(self.pool.split().freeze()).map_err(|_| Failure::Corrupt)
    }

    fn emit(&mut self, packet: RtpPacket) {
        if self.ready.len() == self.config.window {
            self.ready.pop_front();
            self.stats.unpolled += 1;
        }
        self.ready.push_back(packet);
    }
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
        } else if self.window.get(seq).is_some() {
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
            true => FecHeader::parse(packet.payload()),
            false => Err(Malformed::new("ULPFEC", Fault::Type)),
        };
        let (header, data) = parsed.inspect_err(|_| self.stats.malformed += 1)?;
        self.stats.repairs += 1;
        self.stats.repair_bytes += packet.payload().len() as u64;
        let near = |newest| same_run(newest, header.base) && same_run(newest, header.last());
        if self.window.newest().is_some_and(|newest| !near(newest)) {
            self.stats.expired += 1;
            return Ok(());
        }
        self.advance(header.last());
        if !self.window.reaches(header.base) {
            self.stats.expired += 1;
            return Ok(());
        }
        let missing = header.seqs().filter(|seq| self.window.get(*seq).is_none()).count();
        if missing == 0 {
            self.stats.unused += 1;
            return Ok(());
        }
        let data = packet.payload_bytes().slice_ref(data);
        self.held.push_back(Repair { header, data, ssrc: packet.ssrc(), missing });
        self.recover();
        if self.held.len() > self.config.max_repairs {
            self.held.pop_front();
            self.stats.overflowed += 1;
        }
        Ok(())
    }

    fn poll_recovered(&mut self) -> Option<RtpPacket> {
        self.ready.pop_front()
    }
}
