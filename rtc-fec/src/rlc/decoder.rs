use std::collections::VecDeque;

use bytes::BytesMut;
use rtc_core::fec::FecDecoder;
use rtc_core::{ConfigError, Fault, Malformed, PayloadType, RtpPacket, SeqNum, Ssrc};

use super::{MAX_WINDOW, coefficients};
use crate::continuity::{Continuity, Run, same_run};
use crate::linear::{
    Code, Common, Header, LENGTH_LEN, MAX_SPAN, MAX_UNKNOWN, Place, Short, Solved, Solver, Window, length_product,
    packet_of,
};
use crate::parity::{Lag, Outlook};
use crate::{POOL_LEN, cauchy};

/// Settings of an [`RlcDecoder`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct RlcDecoderConfig {
    /// Payload type of the repair packets. 126, one before that of ULPFEC.
    pub payload_type: PayloadType,
    /// SSRC of the media; `None`, the default, for that of the packets that arrive. Packets of media of others are foreign.
    pub ssrc: Option<Ssrc>,
    /// Sequence numbers of media remembered, a power of two from 256 to 8192. 512: twice what one repair packet spans.
    pub window: usize,
    /// Repair packets held until enough of what they cover is there, 1 to 128; those with the oldest packets go first. 64, as
    /// many as one repair packet covers.
    pub max_repairs: usize,
    /// Payload type of the media that repair packets in the short form cover
    /// ([`RlcEncoderConfig::short`](super::RlcEncoderConfig::short)). None: such repair packets are refused.
    pub short: Option<PayloadType>,
}

impl Default for RlcDecoderConfig {
    fn default() -> Self {
        Self { payload_type: PayloadType::new(126), ssrc: None, window: 512, max_repairs: 64, short: None }
    }
}

/// What became of what was inserted.
///
/// `sources = kept + duplicates + old + strays`; `repairs = recovered + unused + corrupt + expired + overflowed + forgotten + `
/// those held ([`RlcDecoder::held`]); what was polled or can be is `recovered - unpolled - late`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RlcDecoderStats {
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
    /// Packets recovered, each by one repair packet.
    pub recovered: u64,
    /// Repair packets that said nothing new, or no longer did when what they cover came (`fecPacketsDiscarded` has these and the
    /// following).
    pub unused: u64,
    /// Repair packets that contradict what arrived, and all held when what was recovered turned out to be no valid packet.
    pub corrupt: u64,
    /// Repair packets whose packets of media left the window, were never in it, or were [given
    /// up](RlcDecoder::give_up).
    pub expired: u64,
    /// Repair packets given up because there were too many, or too many unknown packets.
    pub overflowed: u64,
    /// Repair packets given up because the sender started anew.
    pub forgotten: u64,
    /// Recovered packets dropped because they were not polled.
    pub unpolled: u64,
    /// Recovered packets not given out because the original came after all, before they were polled.
    pub late: u64,
}

/// Brings back lost packets of media from repair packets of [`RlcEncoder`](super::RlcEncoder) and
/// [`CauchyEncoder`](crate::cauchy::CauchyEncoder).
///
/// Each repair packet is an equation in the packets it covers. It is worked into those held when it arrives (Gauss-Jordan
/// elimination), so the cost is spread over arrivals, and a packet is recovered as soon as the equations determine it. What is
/// recovered equals the original to the last byte.
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
    stats: RlcDecoderStats,
}

impl RlcDecoder {
    /// A decoder that has seen nothing.
    ///
    /// # Errors
    /// [`ConfigError`] if `window` or `max_repairs` is out of its range.
    pub fn new(config: RlcDecoderConfig) -> Result<Self, ConfigError> {
        if !(MAX_SPAN..=8_192).contains(&config.window) || !config.window.is_power_of_two() {
            return Err(ConfigError::new("window", "must be a power of two from 256 to 8192"));
        }
        if !(1..=MAX_UNKNOWN).contains(&config.max_repairs) {
            return Err(ConfigError::new("max_repairs", "must be 1 to 128"));
        }
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

    /// Lets the window reach up to `seq`, and lets go of the unknown packets it then no longer reaches.
    fn advance(&mut self, seq: SeqNum) {
        let before = self.solver.len();
        let (solver, columns) = (&mut self.solver, &mut self.columns);
        self.window.advance(seq, |gone| {
            if let Place::Unknown(_, column) = gone {
                columns[column] = None;
                solver.forget(column);
            }
        });
        if solver.len() < before {
            self.stats.expired += (before - solver.len()) as u64;
            self.free_columns();
        }
    }

    /// Frees the columns of packets that no repair packet covers any more.
    fn free_columns(&mut self) {
        for (column, of) in self.columns.iter_mut().enumerate() {
            if let Some(seq) = of.take_if(|_| !self.solver.has(column)) {
                self.window.put(seq, Place::Empty);
            }
        }
    }

    /// Gives up an unknown packet, and so one repair packet if there is any that covers it.
    fn forget(&mut self, column: usize) {
        if let Some(seq) = self.columns[column].take() {
            self.window.put(seq, Place::Empty);
            self.stats.expired += u64::from(self.solver.forget(column));
        }
    }

    /// Drops all repair packets held; says how many.
    fn drop_all(&mut self) -> u64 {
        let held = self.solver.len() as u64;
        self.solver.clear();
        for column in 0..MAX_UNKNOWN {
            self.forget(column);
        }
        held
    }

    /// Makes room for a repair packet that covers these packets, at the cost of the oldest.
    fn make_room(&mut self, covered: &[(SeqNum, u8)]) {
        let is_new = |this: &Self, seq: SeqNum| this.window.packet(seq).is_none() && this.window.column(seq).is_none();
        let new = |this: &Self| covered.iter().filter(|(seq, _)| is_new(this, *seq)).count();
        let fits = |this: &Self| {
            let unknown = this.unknown();
            unknown + covered.len() <= MAX_UNKNOWN || unknown + new(this) <= MAX_UNKNOWN
        };
        let before = self.stats.expired;
        while self.solver.len() == self.config.max_repairs || !fits(self) {
            let newest = self.window.newest().unwrap_or_default();
            let known = self.columns.iter().enumerate().filter_map(|(column, seq)| Some((column, (*seq)?)));
            let Some((oldest, _)) = known.max_by_key(|(_, seq)| newest.distance_from(*seq)) else { break };
            self.forget(oldest);
            self.free_columns();
        }
        self.stats.overflowed += self.stats.expired - before;
        self.stats.expired = before;
    }

    /// Gives a column to a packet that is not known, if it has none and there is one.
    fn give_column(&mut self, seq: SeqNum) {
        if self.window.column(seq).is_none()
            && let Some(column) = self.columns.iter().position(Option::is_none)
        {
            self.columns[column] = Some(seq);
            self.window.put(seq, Place::Unknown(seq, column));
        }
    }

    /// A repair packet in the short form: works out what is not in it.
    fn insert_short(&mut self, packet: &RtpPacket, media: PayloadType) -> Result<(), Malformed> {
        let ssrc = self.config.ssrc.or(self.ssrc);
        let (short, rest) =
            Short::parse(packet, media, ssrc.unwrap_or_default()).inspect_err(|_| self.stats.malformed += 1)?;
        let (header, common) = (short.header, short.common);
        let mut covered = [(SeqNum(0), 0); MAX_WINDOW];
        let covered = covered_by(&header, &mut covered);
        let parts = match common.equal {
            true => Common::length_sum(covered, rest.len()).map(|length| (length, rest)),
            false => rest.split_first_chunk().map(|(length, symbol)| (*length, symbol)),
        };
        let Some((length, symbol)) = parts else {
            self.stats.malformed += 1;
            return Err(Malformed::new("short linear repair", Fault::Length));
        };
        self.count(packet);
        // Of which stream it is has to be known.
        if ssrc.is_none() {
            self.stats.expired += 1;
            return Ok(());
        }
        if !self.reach(&header) {
            return Ok(());
        }
        let last = header.last();
        let as_told =
            |packet: &RtpPacket| common.fits(packet, last) && (!common.equal || packet.payload().len() == symbol.len());
        if covered.iter().any(|(seq, _)| self.window.packet(*seq).is_some_and(|packet| !as_told(packet))) {
            self.stats.corrupt += 1;
            return Ok(());
        }
        let mut full = core::mem::take(&mut self.full);
        full.clear();
        full.extend_from_slice(&common.sum(covered, last));
        full.extend_from_slice(symbol);
        self.work_in(&header, length, &full);
        self.full = full;
        self.recover();
        Ok(())
    }

    fn count(&mut self, packet: &RtpPacket) {
        self.stats.repairs += 1;
        self.stats.repair_bytes += packet.payload().len() as u64;
    }

    /// Lets the window reach over what a repair packet covers; whether it does.
    fn reach(&mut self, header: &Header) -> bool {
        let last = header.last();
        let near = |newest| same_run(newest, header.base) && same_run(newest, last);
        if self.window.newest().is_none_or(near) {
            self.advance(last);
        }
        if !self.window.reaches(header.base) || !self.window.reaches(last) {
            self.stats.expired += 1;
            return false;
        }
        self.lag.learn(self.window.newest().unwrap_or(last), header.base);
        true
    }

    /// Works in a repair packet all of whose packets the window reaches.
    fn work_in(&mut self, header: &Header, length: [u8; LENGTH_LEN], symbol: &[u8]) {
        let mut covered = [(SeqNum(0), 0); MAX_WINDOW];
        let covered = covered_by(header, &mut covered);
        let too_long = |packet: &RtpPacket| packet.as_bytes().len() > symbol.len();
        if covered.iter().any(|(seq, _)| self.window.packet(*seq).is_some_and(too_long)) {
            self.stats.corrupt += 1;
            return;
        }
        self.make_room(covered);
        for (seq, _) in covered {
            if self.window.packet(*seq).is_none() {
                self.give_column(*seq);
            }
        }
        let window = &self.window;
        let unknown = covered.iter().filter_map(|(seq, factor)| Some((window.column(*seq)?, *factor)));
        if !self.solver.begin(unknown) {
            self.stats.unused += 1;
            return;
        }
        let known = covered.iter().filter_map(|(seq, factor)| Some((*factor, window.packet(*seq)?)));
        let mut length = length;
        for (factor, packet) in known.clone() {
            let product = length_product(factor, packet).unwrap_or_default();
            length.iter_mut().zip(product).for_each(|(sum, byte)| *sum ^= byte);
        }
        self.solver.finish(length, symbol, known.map(|(factor, packet)| (factor, &packet.as_bytes()[..])));
    }

    /// Takes out what the equations say, in the order it was sent.
    fn recover(&mut self) {
        let before = self.stats.recovered;
        while let Some(Solved { row, column, length, symbol }) = self.solver.solved() {
            let (seq, ssrc) = (self.columns[column].take().unwrap_or_default(), self.config.ssrc.or(self.ssrc));
            let packet = packet_of(length, symbol, seq, ssrc, &mut self.pool);
            self.solver.drop_row(row);
            let Some(packet) = packet else {
                self.window.put(seq, Place::Empty);
                self.stats.corrupt += 1 + self.drop_all();
                break;
            };
            self.stats.recovered += 1;
            self.window.put(seq, Place::Known(packet.clone()));
            if self.ready.len() == self.config.window {
                self.ready.pop_front();
                self.stats.unpolled += 1;
            }
            self.ready.push_back(packet);
        }
        let new = usize::try_from(self.stats.recovered - before).unwrap_or(usize::MAX);
        if let (2.., Some(newest)) = (new, self.window.newest()) {
            let ready = self.ready.make_contiguous();
            let first = ready.len().saturating_sub(new);
            ready[first..].sort_unstable_by_key(|packet| packet.seq().distance_from(newest));
        }
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
            self.window.put(seq, Place::Known(packet.clone()));
            if let Some(column) = column {
                self.columns[column] = None;
                let before = self.solver.len();
                let length = |factor| length_product(factor, packet).unwrap_or_default();
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
/// The packets a repair packet covers and their coefficients, but those that are zero.
fn covered_by<'a>(header: &Header, covered: &'a mut [(SeqNum, u8); MAX_WINDOW]) -> &'a [(SeqNum, u8)] {
    let mut factors = [0; MAX_WINDOW];
    if let Code::Rlc { key, density } = header.code {
        coefficients(key, density, &mut factors[..header.covered.count()]);
    }
    let mut count = 0;
    for (offset, factor) in header.covered.offsets().zip(factors) {
        let factor = match header.code {
            Code::Rlc { .. } => factor,
            Code::Cauchy { row } => cauchy::coefficient(row, offset),
        };
        covered[count] = (header.base + offset, factor);
        count += usize::from(factor != 0);
    }
    &covered[..count]
}

/// The header of a repair packet, its length field and its symbol.
fn parse(payload: &[u8]) -> Result<(Header, [u8; LENGTH_LEN], &[u8]), Malformed> {
    let (header, rest) = Header::parse(payload)?;
    let (length, symbol) = rest.split_first_chunk().ok_or(Malformed::new("linear repair", Fault::Truncated))?;
    Ok((header, *length, symbol))
}
