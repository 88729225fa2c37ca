use bytes::BytesMut;
use rtc_core::fec::FecEncoder;
use rtc_core::{ConfigError, PayloadType, RtpPacket, RtpTime, SeqNum, Ssrc};

use super::{MAX_WINDOW, coefficients};
use crate::POOL_LEN;
use crate::linear::{
    Code, Common, Covered, Header, LENGTH_LEN, MAX_SPAN, Place, RTP_LEN, Short, Window, length_product,
};
use crate::simd::dot;

/// Repair packets due at most until polled.
const MAX_DUE: f64 = 64.0;

/// Settings of an [`RlcEncoder`].
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct RlcEncoderConfig {
    /// Payload type of the repair packets. 126, one before that of ULPFEC.
    pub payload_type: PayloadType,
    /// SSRC of the repair packets; `None`, the default, for that of the media.
    pub ssrc: Option<Ssrc>,
    /// Sequence number of the first repair packet. 0; a random one protects better (RFC 3550 §5.1).
    pub first_seq: SeqNum,
    /// Packets one repair packet covers at most, 1 to [`MAX_WINDOW`]. 32: more save bandwidth, but what they bring back may
    /// be as much later, and costs as much more time.
    pub window: usize,
    /// Density threshold of RFC 8681 §3.6, 0 to 15: coefficients are zero with a probability of (15 - `density`) / 16. 15, as
    /// zeros save little here and make repair packets less useful.
    pub density: u8,
    /// Repair packets for each packet of media, 0 to 64, that [`FecEncoder::poll_repair`] gives; see
    /// [`RlcEncoder::set_overhead`]. 0.5.
    pub overhead: f64,
    /// Media of this payload type whose headers are as regular as those of voice is covered in a short form, 15 bytes less or
    /// more: what its headers sum up to is not told. None: of all media everything is covered, which shows damage more often, and
    /// works where repair packets are renumbered on the way. For packets hardly longer than their headers, without header
    /// extensions; the receiver must be told as well ([`RlcDecoderConfig::short`](super::RlcDecoderConfig::short)).
    pub short: Option<PayloadType>,
}

impl Default for RlcEncoderConfig {
    fn default() -> Self {
        Self {
            payload_type: PayloadType::new(126),
            ssrc: None,
            first_seq: SeqNum(0),
            window: 32,
            density: 15,
            overhead: 0.5,
            short: None,
        }
    }
}

/// What happened so far: `packets = kept + duplicates + old + oversized`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RlcEncoderStats {
    /// Packets of media seen.
    pub packets: u64,
    /// Of these, taken into the window.
    pub kept: u64,
    /// Of these, there already.
    pub duplicates: u64,
    /// Of these, older than the newest by more than the history is long.
    pub old: u64,
    /// Of these, longer than a length of 16 bits can say.
    pub oversized: u64,
    /// Repair packets made.
    pub repairs: u64,
    /// Bytes of repair packets made (`fecBytesSent` less the RTP headers).
    pub repair_bytes: u64,
    /// Repair packets that were due and not polled.
    pub overflowed: u64,
}

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
    /// Repair packets due, and the part of the next.
    due: f64,
    symbol: Vec<u8>,
    pool: BytesMut,
    stats: RlcEncoderStats,
}

impl RlcEncoder {
    /// An encoder that has seen nothing.
    ///
    /// # Errors
    /// [`ConfigError`] if `window`, `density` or `overhead` is out of its range.
    pub fn new(config: RlcEncoderConfig) -> Result<Self, ConfigError> {
        if !(1..=MAX_WINDOW).contains(&config.window) {
            return Err(ConfigError::new("window", "must be 1 to 64"));
        }
        if config.density > 15 {
            return Err(ConfigError::new("density", "must be 0 to 15"));
        }
        check_overhead(config.overhead)?;
        Ok(Self {
            config,
            model: RtpPacket::builder(config.payload_type, SeqNum(0), RtpTime(0), Ssrc(0)).build(&[])?,
            next_seq: config.first_seq,
            next_key: 0,
            history: Window::new(MAX_SPAN),
            ssrc: None,
            timestamp: RtpTime(0),
            due: 0.0,
            symbol: Vec::with_capacity(1_500),
            pool: BytesMut::with_capacity(POOL_LEN),
            stats: RlcEncoderStats::default(),
        })
    }

    /// A repair packet over the newest packets that were not released; `None` if there are none.
    ///
    /// Each is another sum of them: as many as arrive bring as many back.
    pub fn repair(&mut self) -> Option<RtpPacket> {
        let (newest, history) = (self.history.newest()?, &self.history);
        let back = (0..MAX_SPAN).map(|back| newest - u16::try_from(back).unwrap_or(u16::MAX));
        let mut seqs = [SeqNum(0); MAX_WINDOW];
        let mut count = 0;
        for (place, seq) in seqs[..self.config.window].iter_mut().zip(back.filter(|seq| history.packet(*seq).is_some()))
        {
            *place = seq;
            count += 1;
        }
        self.make(&seqs[..count])
    }

    /// A repair packet over these packets, the newest [`window`](RlcEncoderConfig::window) of them if they are more; `None` if
    /// none of them is remembered.
    ///
    /// For a sender that knows what the receiver lacks: fewer unknown packets need fewer repair packets, and nothing that
    /// arrived is paid for again.
    pub fn repair_over(&mut self, missing: impl IntoIterator<Item = SeqNum>) -> Option<RtpPacket> {
        let newest = self.history.newest()?;
        let mut wanted = Covered::default();
        for seq in missing.into_iter().filter(|seq| self.history.packet(*seq).is_some()) {
            wanted.insert(usize::from(newest.distance_from(seq).unsigned_abs()));
        }
        let mut seqs = [SeqNum(0); MAX_WINDOW];
        let mut count = 0;
        for (place, back) in seqs[..self.config.window].iter_mut().zip(wanted.offsets()) {
            *place = newest - back;
            count += 1;
        }
        self.make(&seqs[..count])
    }

    /// Forgets this packet and all before it: the receiver has them, or has no more use for them.
    pub fn release(&mut self, up_to: SeqNum) {
        let Some(newest) = self.history.newest() else { return };
        let keep = u16::try_from(newest.distance_from(up_to).max(0)).unwrap_or(0);
        for back in keep..u16::try_from(MAX_SPAN).unwrap_or(u16::MAX) {
            self.history.put(newest - back, Place::Empty);
        }
    }

    /// Forgets one packet: the receiver has it.
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
        if !(1..=MAX_WINDOW).contains(&window) {
            return Err(ConfigError::new("window", "must be 1 to 64"));
        }
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

    /// What the headers of these packets have in common, newest first, if that is enough for the short form.
    fn common(&self, seqs: &[SeqNum]) -> Option<Common> {
        // Zeros among the factors would be told by the density, for which there is no room.
        let payload_type = self.config.short.filter(|_| self.config.density == 15)?;
        let packets = seqs.iter().rev().filter_map(|seq| self.history.packet(*seq));
        Common::of(packets).filter(|common| common.payload_type == payload_type)
    }

    /// A repair packet over these packets, newest first, all of which are remembered.
    fn make(&mut self, seqs: &[SeqNum]) -> Option<RtpPacket> {
        let base = *seqs.last()?;
        let mut covered = Covered::default();
        let mut factors = [0; MAX_WINDOW];
        let common = self.common(seqs);
        let key = if common.is_some() { self.next_seq.0 } else { self.next_key };
        coefficients(key, self.config.density, &mut factors[..seqs.len()]);
        let (mut terms, mut length, mut longest) = ([(0, &[][..]); MAX_WINDOW], [0; LENGTH_LEN], 0);
        for ((term, seq), factor) in terms.iter_mut().zip(seqs.iter().rev()).zip(factors) {
            let packet = self.history.packet(*seq)?;
            covered.insert(usize::from(seq.distance_from(base).unsigned_abs()));
            length.iter_mut().zip(length_product(factor, packet)?).for_each(|(sum, byte)| *sum ^= byte);
            longest = longest.max(packet.as_bytes().len());
            *term = (factor, packet.as_bytes());
        }
        self.symbol.clear();
        self.symbol.resize(longest, 0);
        dot(&mut self.symbol, &terms[..seqs.len()]);
        let header = Header { code: Code::Rlc { key, density: self.config.density }, base, covered };
        let (seq, ssrc) = (self.next_seq, self.config.ssrc.or(self.ssrc)?);
        let timestamp = common.map_or(self.timestamp, |common| common.timestamp);
        let (full, short);
        let parts: [&[u8]; 3] = match common {
            Some(common) => {
                short = Short { header, common }.to_bytes();
                let lengths = if common.equal { &[][..] } else { &length };
                [&short.0[..short.1], lengths, &self.symbol[RTP_LEN..]]
            }
            None => {
                full = header.to_bytes();
                [&full.0[..full.1], &length, &self.symbol]
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
        }
        self.ssrc = Some(packet.ssrc());
        if self.history.newest().is_none_or(|newest| seq.is_newer_than(newest)) {
            self.timestamp = packet.timestamp();
        }
        self.history.advance(seq, |_| ());
        if !self.history.reaches(seq) {
            self.stats.old += 1;
        } else if self.history.packet(seq).is_some() {
            self.stats.duplicates += 1;
        } else {
            self.stats.kept += 1;
            self.history.put(seq, Place::Known(packet.clone()));
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

fn check_overhead(overhead: f64) -> Result<(), ConfigError> {
    match (0.0..=MAX_DUE).contains(&overhead) {
        true => Ok(()),
        false => Err(ConfigError::new("overhead", "must be 0 to 64")),
    }
}
