use bytes::BytesMut;
use rtc_core::{ConfigError, Malformed, PayloadType, RtpPacket};

use super::{RedDecoder, RedDecoderConfig, RedEncoder, RedEncoderConfig, blocks};
use crate::POOL_LEN;

/// Settings of a [`RedForwarder`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct RedForwarderConfig {
    /// Payload type of RED packets that come in. 63, as browsers offer it.
    pub incoming: PayloadType,
    /// What the subscriber takes: RED made with these settings, or plain packets if `None`, the default.
    pub outgoing: Option<RedEncoderConfig>,
}

impl Default for RedForwarderConfig {
    fn default() -> Self {
        Self { incoming: PayloadType::new(63), outgoing: None }
    }
}

/// What happened so far: `packets = passed + stripped + encoded + unwanted + malformed`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RedForwarderStats {
    /// Packets inserted.
    pub packets: u64,
    /// Packets that left as they came, but for the payload type of RED.
    pub passed: u64,
    /// RED packets that left plain.
    pub stripped: u64,
    /// Plain packets that left as RED.
    pub encoded: u64,
    /// Packets that did not leave: their media had before, or they were padding.
    pub unwanted: u64,
    /// Packets refused with an error.
    pub malformed: u64,
    /// Further packets that left plain: lost on the way here, and brought back from redundancy.
    pub recovered: u64,
}

/// Passes an audio stream on to a subscriber that takes RED where the publisher sends none, or the other way round.
///
/// To a subscriber without RED, a RED packet leaves as its primary, and what was lost on the way here leaves as well, brought
/// back from its redundancy. To one with RED, a plain packet leaves with copies of those before it; RED packets pass with what
/// they carry, so that the subscriber brings back what was lost on either way. The publisher may change from one to the other at
/// any packet. Payload types within RED are left alone.
#[derive(Debug)]
pub struct RedForwarder {
    incoming: PayloadType,
    side: Side,
    pool: BytesMut,
    stats: RedForwarderStats,
}

/// What the subscriber takes.
#[derive(Debug)]
enum Side {
    Plain(RedDecoder),
    Red { encoder: RedEncoder, payload_type: PayloadType, next: Option<RtpPacket> },
}

impl RedForwarder {
    /// A forwarder of one stream to one subscriber, that has seen nothing.
    ///
    /// # Errors
    /// [`ConfigError`] as for [`RedEncoder::new`].
    pub fn new(config: RedForwarderConfig) -> Result<Self, ConfigError> {
        let side = match config.outgoing {
            Some(red) => Side::Red { encoder: RedEncoder::new(red)?, payload_type: red.payload_type, next: None },
            None => {
                let plain = RedDecoderConfig { payload_type: config.incoming, ..RedDecoderConfig::default() };
                Side::Plain(RedDecoder::new(plain))
            }
        };
        let pool = BytesMut::with_capacity(POOL_LEN);
        Ok(Self { incoming: config.incoming, side, pool, stats: RedForwarderStats::default() })
    }

    /// Takes a packet of the publisher, RED or plain, after which all that leaves for it is to be polled.
    ///
    /// # Errors
    /// [`Malformed`] if it is a RED packet with blocks that reach beyond its end, are too many, or, to a subscriber without RED,
    /// are RED again.
    pub fn insert(&mut self, packet: &RtpPacket) -> Result<(), Malformed> {
        self.stats.packets += 1;
        let is_red = packet.payload_type() == self.incoming;
        let Self { side, pool, stats, .. } = self;
        match side {
            Side::Plain(decoder) => {
                let before = decoder.stats();
                decoder.insert(packet).inspect_err(|_| stats.malformed += 1)?;
                let after = decoder.stats();
                stats.recovered += after.recovered - before.recovered;
                match (after.primaries > before.primaries, is_red) {
                    (false, _) => stats.unwanted += 1,
                    (true, true) => stats.stripped += 1,
                    (true, false) => stats.passed += 1,
                }
            }
            Side::Red { encoder, payload_type, next } if is_red => {
                let blocks = blocks(packet.payload()).inspect_err(|_| stats.malformed += 1)?;
                encoder.pass(packet, blocks.primary());
                stats.passed += 1;
                *next =
                    Some(packet.repack_in(pool, &[packet.payload()], |header| header.set_payload_type(*payload_type)));
            }
            Side::Red { encoder, next, .. } => {
                stats.encoded += 1;
                *next = Some(encoder.encode(packet));
            }
        }
        Ok(())
    }

    /// The next packet for the subscriber.
    pub fn poll(&mut self) -> Option<RtpPacket> {
        match &mut self.side {
            Side::Plain(decoder) => decoder.poll(),
            Side::Red { next, .. } => next.take(),
        }
    }

    /// What happened so far.
    #[must_use]
    pub const fn stats(&self) -> RedForwarderStats {
        self.stats
    }
}
