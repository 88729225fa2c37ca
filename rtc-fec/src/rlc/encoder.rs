use bytes::BytesMut;
use rtc_core::fec::FecEncoder;
use rtc_core::{ConfigError, RtpPacket, RtpTime, SeqNum, Ssrc};

use super::{DENSE, MAX_WINDOW, coefficients};
use crate::POOL_LEN;
use crate::linear::{
    Cadence, Code, Coverage, Covered, Header, LENGTH_LEN, MAX_SPAN, Place, RTP_LEN, Regular, Short, Window,
    length_product,
};
use crate::simd::dot;

mod config;

use config::{MAX_DUE, check_overhead, check_window};
pub use config::{RlcEncoderConfig, RlcEncoderStats};

/// Makes repair packets over the packets sent last.
///
/// It remembers the 256 newest sequence numbers. A repair packet covers the newest [`window`](RlcEncoderConfig::window) of these
/// that were not released. As the window slides there is no end of a group, and no sum can be kept: each repair packet reads what
/// it covers, once.
///
/// A repair packet is 20 bytes longer than the longest packet it covers, and up to 32 more if they are not in sequence: packets
/// of media must leave that room in the path's MTU. Packets should come in the order they are sent.
#[derive(Debug)]
pub struct RlcEncoder {
    config: RlcEncoderConfig,
    /// A packet without payload, the model of all repair packets.
    model: RtpPacket,
    next_seq: SeqNum,
    next_key: u16,
    history: Window,
    ssrc: Option<Ssrc>,
    /// Of the newest packet.
    timestamp: RtpTime,
    cadence: Cadence,
    /// Repair packets due, and the part of the next.
    due: f64,
    symbol: Vec<u8>,
    pool: BytesMut,
    coverage: Coverage,
    stats: RlcEncoderStats,
}

/// What a repair packet sums up.
struct Sum<'a> {
    /// Packets and their factors, those in use first.
    terms: [(u8, &'a [u8]); MAX_WINDOW],
    count: usize,
    /// Of the lengths, byte by byte.
    length: [u8; LENGTH_LEN],
    longest: usize,
    /// Whether all are as long.
    equal: bool,
}

impl<'a> Sum<'a> {
    /// The sum of these packets with factors from a key and a density; `None` if one is not remembered.
    fn over(history: &'a Window, base: SeqNum, covered: Covered, (key, density): (u16, u8)) -> Option<Self> {
        let mut factors = [0; MAX_WINDOW];
        let count = covered.count();
        coefficients(key, density, &mut factors[..count]);
        let terms = [(0, &[][..]); MAX_WINDOW];
        let mut sum = Self { terms, count, length: [0; LENGTH_LEN], longest: 0, equal: true };
        for ((term, factor), offset) in sum.terms.iter_mut().zip(factors).zip(covered.offsets()) {
            let packet = history.packet(base + offset)?;
            let (bytes, product) = (&packet.as_bytes()[..], length_product(factor, packet)?);
            sum.length.iter_mut().zip(product).for_each(|(sum, byte)| *sum ^= byte);
            sum.equal &= bytes.len() == sum.longest || offset == 0;
            sum.longest = sum.longest.max(bytes.len());
            *term = (factor, bytes);
        }
        Some(sum)
    }

    fn terms(&self) -> &[(u8, &'a [u8])] {
        &self.terms[..self.count]
    }
}

impl RlcEncoder {
    /// An encoder that has seen nothing.
    ///
    /// # Errors
    /// [`ConfigError`] if `window`, `density` or `overhead` is out of its range.
    pub fn new(config: RlcEncoderConfig) -> Result<Self, ConfigError> {
        config.check()?;
        Ok(Self {
            config,
            model: RtpPacket::builder(config.payload_type, SeqNum(0), RtpTime(0), Ssrc(0)).build(&[])?,
            next_seq: config.first_seq,
            next_key: 0,
            history: Window::new(MAX_SPAN),
            ssrc: None,
            timestamp: RtpTime(0),
            cadence: Cadence::default(),
            due: 0.0,
            symbol: Vec::with_capacity(1_500),
            pool: BytesMut::with_capacity(POOL_LEN),
            coverage: Coverage::new(config.extensions),
            stats: RlcEncoderStats::default(),
        })
    }

    /// A repair packet over the newest packets that were not released; `None` if there are none.
    ///
    /// Each is another sum of them: as many as arrive bring as many back.
    pub fn repair(&mut self) -> Option<RtpPacket> {
        let (newest, history) = (self.history.newest()?, &self.history);
        let backs =
            (0..u16::try_from(MAX_SPAN).unwrap_or(u16::MAX)).filter(|back| history.packet(newest - *back).is_some());
        let (base, covered) = self.nearest(newest, backs)?;
        self.make(base, covered)
    }

    /// A repair packet over these packets, the newest [`window`](RlcEncoderConfig::window) of them if they are more; `None` if
    /// none of them is remembered.
    ///
    /// For a sender that knows what the receiver lacks: fewer unknown packets need fewer repair packets, and nothing that
    /// arrived is paid for again. What is between these packets the receiver is taken to have: in the
    /// [short form](RlcEncoderConfig::short) it is covered as well where that takes fewer bytes than to leave it out. What the
    /// receiver neither has nor needs is to be [released](Self::release) or [forgotten](Self::acknowledge).
    pub fn repair_over(&mut self, missing: impl IntoIterator<Item = SeqNum>) -> Option<RtpPacket> {
        let newest = self.history.newest()?;
        let mut wanted = Covered::default();
        for seq in missing.into_iter().filter(|seq| self.history.packet(*seq).is_some()) {
            wanted.insert(usize::from(newest.distance_from(seq).unsigned_abs()));
        }
        let (base, covered) = self.nearest(newest, wanted.offsets())?;
        self.make(base, covered)
    }

    /// Forgets this packet and all before it: the receiver has them, or has no more use for them.
    pub fn release(&mut self, up_to: SeqNum) {
        let Some(newest) = self.history.newest() else { return };
        let keep = u16::try_from(newest.distance_from(up_to).max(0)).unwrap_or(0);
        for back in keep..u16::try_from(MAX_SPAN).unwrap_or(u16::MAX) {
            self.history.put(newest - back, Place::Empty);
        }
    }

    /// Forgets one packet: the receiver has it, or has no use for it. It is covered no more.
    pub fn acknowledge(&mut self, seq: SeqNum) {
        if self.history.packet(seq).is_some() {
            self.history.put(seq, Place::Empty);
        }
    }

    /// Sets how many repair packets are due for each packet of media from now on, 0 to 64.
    ///
    /// # Errors
    /// [`ConfigError`] if it is out of its range; nothing changes then.
    pub fn set_overhead(&mut self, overhead: f64) -> Result<(), ConfigError> {
        check_overhead(overhead)?;
        self.config.overhead = overhead;
        Ok(())
    }

    /// Sets how many packets a repair packet covers at most from now on, 1 to [`MAX_WINDOW`].
    ///
    /// # Errors
    /// [`ConfigError`] if it is out of its range; nothing changes then.
    pub fn set_window(&mut self, window: usize) -> Result<(), ConfigError> {
        check_window(window)?;
        self.config.window = window;
        Ok(())
    }

    /// Whether the packet is remembered and not released.
    #[must_use]
    pub fn holds(&self, seq: SeqNum) -> bool {
        self.history.packet(seq).is_some()
    }

    /// What happened so far.
    #[must_use]
    pub const fn stats(&self) -> RlcEncoderStats {
        self.stats
    }

    /// Of the packets that are so far behind the newest, in this order, as many as a repair packet may cover.
    fn nearest(&self, newest: SeqNum, backs: impl Iterator<Item = u16>) -> Option<(SeqNum, Covered)> {
        let mut chosen = [0; MAX_WINDOW];
        let mut count = 0;
        for (place, back) in chosen[..self.config.window].iter_mut().zip(backs) {
            *place = back;
            count += 1;
        }
        let chosen = &chosen[..count];
        let oldest = *chosen.last()?;
        let mut covered = Covered::default();
        chosen.iter().for_each(|back| covered.insert(usize::from(oldest - back)));
        Some((newest - oldest, covered))
    }

    /// What the short form has to say of these packets, or of all from the first to the last if that is shorter, and the timestamp
    /// of the newest; `None` if it cannot.
    fn short(&self, base: SeqNum, covered: Covered) -> Option<(Short, RtpTime)> {
        // Zeros among the factors would be told by the density, for which there is no room.
        let payload_type = self.config.short.filter(|_| self.config.density == DENSE)?;
        let say = |covered: Covered| {
            let sum = Sum::over(&self.history, base, covered, (self.next_seq.0, DENSE))?;
            let packets = covered.offsets().filter_map(|offset| self.history.packet(base + offset));
            let regular = Regular::of(packets, self.cadence.step())?;
            let told = self.cadence.is_steady_at(regular.last) && regular.step == self.cadence.step();
            let short = Short {
                covered,
                step: regular.step,
                base: (!told).then_some((base, regular.ssrc)),
                length: (!sum.equal).then_some(sum.length),
            };
            let len = short.to_bytes().1 + sum.longest;
            (regular.payload_type == payload_type).then_some((len, short, regular.timestamp))
        };
        let (len, some, timestamp) = say(covered)?;
        let span = Some(covered.span()).filter(|span| covered.has_holes() && *span <= self.config.window);
        let whole = span.and_then(|span| say(Covered::all(span)));
        Some(whole.filter(|whole| whole.0 < len).map_or((some, timestamp), |(_, whole, _)| (whole, timestamp)))
    }

    /// A repair packet over packets that are all remembered.
    fn make(&mut self, base: SeqNum, covered: Covered) -> Option<RtpPacket> {
        let short = self.short(base, covered);
        let (key, density) = (if short.is_some() { self.next_seq.0 } else { self.next_key }, self.config.density);
        let sum = Sum::over(&self.history, base, short.map_or(covered, |(short, _)| short.covered), (key, density))?;
        self.symbol.clear();
        self.symbol.resize(sum.longest, 0);
        dot(&mut self.symbol, sum.terms());
        let (seq, ssrc) = (self.next_seq, self.config.ssrc.or(self.ssrc)?);
        let mut timestamp = self.timestamp;
        let (full, brief);
        let parts: [&[u8]; 3] = match short {
            Some((short, newest)) => {
                (brief, timestamp) = (short.to_bytes(), newest);
                [&brief.0[..brief.1], &[], &self.symbol[RTP_LEN..]]
            }
            None => {
                full = Header { code: Code::Rlc { key, density }, base, covered }.to_bytes();
                [&full.0[..full.1], &sum.length, &self.symbol]
            }
        };
        let repair = self.model.repack_in(&mut self.pool, &parts, |header| {
            header.set_seq(seq);
            header.set_timestamp(timestamp);
            header.set_ssrc(ssrc);
        });
        (self.next_seq, self.next_key) = (seq.next(), self.next_key.wrapping_add(1));
        self.stats.repairs += 1;
        self.stats.repair_bytes += repair.payload().len() as u64;
        Some(repair)
    }
}

impl FecEncoder for RlcEncoder {
    fn protect(&mut self, packet: &RtpPacket) {
        self.stats.packets += 1;
        if length_product(1, packet).is_none() {
            self.stats.oversized += 1;
            return;
        }
        let seq = packet.seq();
        // A source that began anew has nothing to do with what was sent before.
        let far = |newest: SeqNum| seq.distance_from(newest).unsigned_abs() > 1_000;
        if self.ssrc.is_some_and(|ssrc| ssrc != packet.ssrc()) || self.history.newest().is_some_and(far) {
            self.history.clear();
            self.cadence = Cadence::default();
        }
        self.cadence.observe(seq, packet.timestamp());
        self.ssrc = Some(packet.ssrc());
        if self.history.newest().is_none_or(|newest| seq.is_newer_than(newest)) {
            self.timestamp = packet.timestamp();
        }
        self.history.advance(seq, |gone| self.coverage.reclaim(gone));
        if !self.history.reaches(seq) {
            self.stats.old += 1;
        } else if self.history.packet(seq).is_some() {
            self.stats.duplicates += 1;
        } else {
            self.stats.kept += 1;
            self.history.put(seq, Place::Known(self.coverage.of(packet)));
            self.due += self.config.overhead;
            while self.due >= MAX_DUE + 1.0 {
                self.due -= 1.0;
                self.stats.overflowed += 1;
            }
        }
    }

    fn poll_repair(&mut self) -> Option<RtpPacket> {
        if self.due < 1.0 {
            return None;
        }
        self.due -= 1.0;
        self.repair()
    }
}
