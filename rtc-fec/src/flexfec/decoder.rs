use bytes::Bytes;
use rtc_core::fec::FecDecoder;
use rtc_core::{ConfigError, Fault, Malformed, PayloadType, RtpPacket, SeqNum, Ssrc};

use super::header::{Header, parse};
use super::{FlexfecVariant, MAX_SOURCES};
use crate::parity::{DecoderStats, Equation, Limits, Outlook, Solver, Span};

/// Settings of a [`FlexfecDecoder`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct FlexfecDecoderConfig {
    /// Which of the two formats to read. [`FlexfecVariant::Rfc8627`].
    pub variant: FlexfecVariant,
    /// Payload type of the repair packets. 118: any that is negotiated.
    pub payload_type: PayloadType,
    /// SSRC of the repair packets; `None`, the default, for any.
    pub ssrc: Option<Ssrc>,
    /// Sources of media, as they were signalled, [`MAX_SOURCES`] at most; others are foreign. Empty, the default, for those that
    /// come, of which the one silent for the longest time makes room for a sixteenth.
    pub sources: Vec<Ssrc>,
    /// Sequence numbers remembered of each source, a power of two from 64 to 8192. 256: twice what a mask reaches over. A block
    /// of columns and rows must fit it.
    pub window: usize,
    /// Repair packets held until enough of what they protect is there; the oldest goes first. 64.
    pub max_repairs: usize,
}

impl Default for FlexfecDecoderConfig {
    fn default() -> Self {
        Self {
            variant: FlexfecVariant::Rfc8627,
            payload_type: PayloadType::new(118),
            ssrc: None,
            sources: Vec::new(),
            window: 256,
            max_repairs: 64,
        }
    }
}

/// Brings back lost packets of media from repair packets (RFC 8627 §6.3).
///
/// A repair packet recovers the one packet it protects that is missing, of whatever source, and each recovery may enable others:
/// rows and columns by turns (RFC 8627 §6.3.4). Recovered packets equal the originals to the last byte.
/// [`outlook`](Self::outlook) says what may still come and need not be asked for yet.
#[derive(Debug)]
pub struct FlexfecDecoder {
    variant: FlexfecVariant,
    payload_type: PayloadType,
    ssrc: Option<Ssrc>,
    solver: Solver,
}

impl FlexfecDecoder {
    /// A decoder that has seen nothing.
    ///
    /// # Errors
    /// [`ConfigError`] if `window` or `max_repairs` is out of its range, or there are too many `sources`.
    #[expect(clippy::needless_pass_by_value, reason = "as all settings")]
    pub fn new(config: FlexfecDecoderConfig) -> Result<Self, ConfigError> {
        let limits = Limits { window: config.window, held: config.max_repairs, streams: MAX_SOURCES };
        limits.check()?;
        if config.sources.len() > MAX_SOURCES {
            return Err(ConfigError::new("sources", "must be 15 at most"));
        }
        Ok(Self {
            variant: config.variant,
            payload_type: config.payload_type,
            ssrc: config.ssrc,
            solver: Solver::new(limits, &config.sources),
        })
    }

    /// What is to be hoped for a missing packet, before it is asked for again
    /// ([`NackGenerator::poll_unless`](crate::nack::NackGenerator::poll_unless)).
    #[must_use]
    pub fn outlook(&self, source: Ssrc, seq: SeqNum) -> Outlook {
        self.solver.find(source).map_or(Outlook::None, |stream| self.solver.outlook(stream, seq))
    }

    /// How many repair packets are held.
    #[must_use]
    pub fn held(&self) -> usize {
        self.solver.held()
    }

    /// What happened so far.
    #[must_use]
    pub const fn stats(&self) -> DecoderStats {
        self.solver.stats
    }

    /// The header of the repair packet, or the packet it carries whole.
    fn parse(&self, packet: &RtpPacket) -> Result<(Option<Header>, Option<RtpPacket>), Malformed> {
        if packet.payload_type() != self.payload_type || self.ssrc.is_some_and(|ssrc| ssrc != packet.ssrc()) {
            return Err(Malformed::new("FlexFEC", Fault::Type));
        }
        match parse(self.variant, packet.csrcs(), packet.payload())? {
            Some(header) => Ok((Some(header), None)),
            None => Ok((None, Some(RtpPacket::parse(self.original_bytes(packet))?))),
        }
    }

    /// The packet that a retransmission carries: its version is where R and F are, which in RFC 8627 say the same.
    fn original_bytes(&self, packet: &RtpPacket) -> Bytes {
        match self.variant {
            FlexfecVariant::Rfc8627 => packet.payload_bytes(),
            FlexfecVariant::Draft03 => {
                let mut bytes = packet.payload().to_vec();
                bytes[0] &= 0xbf;
                bytes.into()
            }
        }
    }

    /// Where the packets of a repair packet are among those of the solver; `None` if there is no room for one of its sources.
    fn spans(&mut self, header: &Header) -> Option<(Span, Vec<Span>)> {
        let mut spans = self.solver.spare_spans();
        for protected in header.protected() {
            let Some(stream) = self.solver.stream_of(protected.ssrc) else {
                self.solver.give_back(spans);
                return None;
            };
            spans.push(Span { stream, base: protected.base, members: protected.members });
        }
        if !self.solver.reach(&spans) {
            self.solver.give_back(spans);
            return None;
        }
        let first = spans.pop()?;
        Some((first, spans))
    }
}

impl FecDecoder for FlexfecDecoder {
    fn insert_source(&mut self, packet: &RtpPacket) {
        self.solver.insert_source(packet);
    }

    fn insert_repair(&mut self, packet: &RtpPacket) -> Result<(), Malformed> {
        let (header, original) = self.parse(packet).inspect_err(|_| self.solver.stats.malformed += 1)?;
        let stats = &mut self.solver.stats;
        stats.repairs += 1;
        stats.repair_bytes += packet.payload().len() as u64;
        stats.levels += 1;
        if let Some(original) = original {
            self.solver.insert_original(original);
        }
        if let Some(header) = header {
            let Some((first, others)) = self.spans(&header) else {
                self.solver.stats.expired += 1;
                return Ok(());
            };
            let data = packet.payload_bytes().slice(header.len..);
            let mut equation = Equation::new(packet.ssrc(), first, Some(header.recovery), 0, data);
            equation.others = others;
            self.solver.hold(equation);
            self.solver.solve();
        }
        Ok(())
    }

    fn poll_recovered(&mut self) -> Option<RtpPacket> {
        self.solver.poll()
    }
}
