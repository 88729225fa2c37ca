use std::collections::VecDeque;

use bytes::BytesMut;
use rtc_core::fec::FecDecoder;
use rtc_core::{ConfigError, Fault, Malformed, RtpPacket, SeqNum, Ssrc};

use crate::POOL_LEN;
use crate::continuity::{Continuity, Run};
use crate::linear::{Coverage, Header, LENGTH_LEN, MAX_UNKNOWN, Place, Short, Solver, Window, length_product};
use crate::parity::{Lag, Outlook};

mod config;
mod equations;
mod short;

pub use config::{RlcDecoderConfig, RlcDecoderStats};

/// Brings back lost packets of media from repair packets of [`RlcEncoder`](super::RlcEncoder) and
/// [`CauchyEncoder`](crate::cauchy::CauchyEncoder).
///
/// Each repair packet is an equation in the packets it covers. It is worked into those held when it arrives (Gauss-Jordan
/// elimination), so the cost is spread over arrivals, and a packet is recovered as soon as the equations determine it. What is
/// recovered equals the original to the last byte; with [`RlcDecoderConfig::extensions`] off, without its header extension.
///
/// A damaged repair packet cannot be told from a good one, but what comes of it can: a recovered packet must have the number
/// it was missing under, the version and SSRC of the media, and zeros after its length. If one has not, all equations held are
/// dropped, as what is wrong has been worked into them. A repair packet of another stream is found this way, and a wrong header but
/// about once in 2^16 times, as packets of a stream differ in little but the low byte of their number; single bytes wrong in the symbol or its length are not: they are for UDP's checksum or SRTP to find, as in media.
#[derive(Debug)]
pub struct RlcDecoder {
    config: RlcDecoderConfig,
    ssrc: Option<Ssrc>,
    continuity: Continuity,
    window: Window,
    lag: Lag,
    solver: Solver,
    /// Which packet each column is.
    columns: Vec<Option<SeqNum>>,
    ready: VecDeque<RtpPacket>,
    /// The symbol of a repair packet in the short form, in full.
    full: Vec<u8>,
    pool: BytesMut,
    coverage: Coverage,
    stats: RlcDecoderStats,
}

impl RlcDecoder {
    /// A decoder that has seen nothing.
    ///
    /// # Errors
    /// [`ConfigError`] if `window` or `max_repairs` is out of its range.
    pub fn new(config: RlcDecoderConfig) -> Result<Self, ConfigError> {
        config.check()?;
        Ok(Self {
            config,
            ssrc: None,
            continuity: Continuity::default(),
            window: Window::new(config.window),
            lag: Lag::default(),
            solver: Solver::new(config.max_repairs),
            columns: vec![None; MAX_UNKNOWN],
            ready: VecDeque::with_capacity(config.window),
            full: Vec::with_capacity(1_500),
            pool: BytesMut::with_capacity(POOL_LEN),
            coverage: Coverage::new(config.extensions),
            stats: RlcDecoderStats::default(),
        })
    }

    /// Gives up this packet and all before it that are missing: their play-out is over. What repair packets say of others is
    /// kept, as far as it can be told apart.
    pub fn give_up(&mut self, up_to: SeqNum) {
        for column in 0..MAX_UNKNOWN {
            if self.columns[column].is_some_and(|seq| !seq.is_newer_than(up_to)) {
                self.forget(column);
            }
        }
        self.free_columns();
    }

    /// Forgets everything but the statistics: what comes next is another stream, which may have the same numbers.
    pub fn reset(&mut self) {
        self.stats.forgotten += self.drop_all();
        self.stats.unpolled += self.ready.len() as u64;
        self.ready.clear();
        self.window.clear();
        self.continuity = Continuity::default();
        self.lag = Lag::default();
        self.ssrc = None;
    }

    /// Whether repair packets are held that recover the missing packet once more of them are there, or others they cover.
    #[must_use]
    pub fn covers(&self, seq: SeqNum) -> bool {
        self.window.column(seq).is_some()
    }

    /// What is to be hoped for a missing packet, before it is asked for again
    /// ([`NackGenerator::poll_unless`](crate::nack::NackGenerator::poll_unless)). Repair packets are expected on top of those held
    /// as long as they go on coming.
    #[must_use]
    pub fn outlook(&self, seq: SeqNum) -> Outlook {
        if self.window.packet(seq).is_some() {
            return Outlook::Here;
        }
        if self.covers(seq) {
            // The rows are independent: so many more, or packets they cover, solve all of them, or else fewer.
            return Outlook::Held { lacking: self.unknown().saturating_sub(self.held()) };
        }
        match self.window.newest() {
            Some(newest) if self.lag.expects(newest, seq) => Outlook::Expected,
            _ => Outlook::None,
        }
    }

    /// How many repair packets are held.
    #[must_use]
    pub fn held(&self) -> usize {
        self.solver.len()
    }

    /// How many missing packets the repair packets held cover: so many more than are [held](Self::held) bring all of them back.
    #[must_use]
    pub fn unknown(&self) -> usize {
        self.columns.iter().flatten().count()
    }

    /// What happened so far.
    #[must_use]
    pub const fn stats(&self) -> RlcDecoderStats {
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
            self.stats.forgotten += self.drop_all();
            self.window.clear();
            self.continuity = Continuity::default();
            self.lag = Lag::default();
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

    fn count(&mut self, packet: &RtpPacket) {
        self.stats.repairs += 1;
        self.stats.repair_bytes += packet.payload().len() as u64;
    }
}

impl FecDecoder for RlcDecoder {
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
        } else if self.window.packet(seq).is_some() {
            self.came_again(seq);
        } else {
            self.stats.kept += 1;
            let column = self.window.column(seq);
            let packet = self.coverage.of(packet);
            self.window.put(seq, Place::Known(packet.clone()));
            if let Some(column) = column {
                self.columns[column] = None;
                let before = self.solver.len();
                let length = |factor| length_product(factor, &packet).unwrap_or_default();
                self.solver.substitute(column, packet.as_bytes(), length);
                self.stats.unused += (before - self.solver.len()) as u64;
                self.recover();
            }
        }
    }

    fn insert_repair(&mut self, packet: &RtpPacket) -> Result<(), Malformed> {
        let parsed = match packet.payload_type() == self.config.payload_type {
            true if Short::is(packet.payload()) => match self.config.short {
                Some(media) => return self.insert_short(packet, media),
                None => Err(Malformed::new("linear repair", Fault::Version)),
            },
            true => parse(packet.payload()),
            false => Err(Malformed::new("linear repair", Fault::Type)),
        };
        let (header, length, symbol) = parsed.inspect_err(|_| self.stats.malformed += 1)?;
        self.count(packet);
        if self.reach(&header) {
            self.work_in(&header, length, symbol);
            self.recover();
        }
        Ok(())
    }

    fn poll_recovered(&mut self) -> Option<RtpPacket> {
        self.ready.pop_front()
    }
}

/// The header of a repair packet, its length field and its symbol.
fn parse(payload: &[u8]) -> Result<(Header, [u8; LENGTH_LEN], &[u8]), Malformed> {
    let (header, rest) = Header::parse(payload)?;
    let (length, symbol) = rest.split_first_chunk().ok_or(Malformed::new("linear repair", Fault::Truncated))?;
    Ok((header, *length, symbol))
}
