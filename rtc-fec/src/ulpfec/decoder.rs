use rtc_core::fec::FecDecoder;
use rtc_core::{ConfigError, Fault, Malformed, PayloadType, RtpPacket, SeqNum, Ssrc};

use super::header::parse;
use crate::parity::{DecoderStats, Equation, Limits, Members, Outlook, Partial, Solver, Span};

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

/// Brings back lost packets of media from repair packets (RFC 5109 §9).
///
/// A repair packet recovers the one packet it protects that is missing, and each recovery may enable others; with uneven
/// protection, level by level. Recovered packets equal the originals to the last byte. [`covers`](Self::covers) says what may
/// still come and need not be asked for yet.
#[derive(Debug)]
pub struct UlpfecDecoder {
    payload_type: PayloadType,
    solver: Solver,
}

impl UlpfecDecoder {
    /// A decoder that has seen nothing.
    ///
    /// # Errors
    /// [`ConfigError`] if `window` or `max_repairs` is out of its range.
    pub fn new(config: UlpfecDecoderConfig) -> Result<Self, ConfigError> {
        let limits = Limits { window: config.window, held: config.max_repairs, streams: 1 };
        limits.check()?;
        Ok(Self { payload_type: config.payload_type, solver: Solver::new(limits, config.ssrc.as_slice()) })
    }

    /// Whether a repair packet is held that recovers the missing packet once others it protects are there.
    #[must_use]
    pub fn covers(&self, seq: SeqNum) -> bool {
        matches!(self.outlook(seq), Outlook::Held { .. })
    }

    /// What is to be hoped for a missing packet, before it is asked for again
    /// ([`NackGenerator::poll_unless`](crate::nack::NackGenerator::poll_unless)).
    #[must_use]
    pub fn outlook(&self, seq: SeqNum) -> Outlook {
        self.solver.outlook(0, seq)
    }

    /// What was recovered of a packet, if it is its beginning but not the whole: codecs may have use for that. It is not
    /// polled, and may yet become whole.
    #[must_use]
    pub fn partial(&self, seq: SeqNum) -> Option<Partial> {
        self.solver.partial(0, seq)
    }

    /// How many levels of repair packets are held.
    #[must_use]
    pub fn held(&self) -> usize {
        self.solver.held()
    }

    /// What happened so far.
    #[must_use]
    pub const fn stats(&self) -> DecoderStats {
        self.solver.stats
    }
}

impl FecDecoder for UlpfecDecoder {
    fn insert_source(&mut self, packet: &RtpPacket) {
        self.solver.insert_source(packet);
    }

    fn insert_repair(&mut self, packet: &RtpPacket) -> Result<(), Malformed> {
        let parsed = match packet.payload_type() == self.payload_type {
            true => parse(packet.payload()),
            false => Err(Malformed::new("ULPFEC", Fault::Type)),
        };
        let (header, levels) = parsed.inspect_err(|_| self.solver.stats.malformed += 1)?;
        let levels = levels.iter().flatten();
        let stats = &mut self.solver.stats;
        stats.repairs += 1;
        stats.repair_bytes += packet.payload().len() as u64;
        stats.levels += levels.clone().count() as u64;
        let stream = self.solver.only_stream();
        let span = |mask| Span { stream, base: header.base, members: Members::Mask(mask) };
        let widest = levels.clone().map(|level| level.mask).max_by_key(|mask| mask.last()).unwrap_or_default();
        if !self.solver.reach(&[span(widest)]) {
            self.solver.stats.expired += levels.count() as u64;
            return Ok(());
        }
        let payload = packet.payload_bytes();
        for level in levels {
            let recovery = (level.start == 0).then_some(header.recovery);
            let data = payload.slice_ref(level.data);
            self.solver.hold(Equation::new(packet.ssrc(), span(level.mask), recovery, level.start, data));
        }
        self.solver.solve();
        Ok(())
    }

    fn poll_recovered(&mut self) -> Option<RtpPacket> {
        self.solver.poll()
    }
}
