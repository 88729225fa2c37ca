use bytes::{Buf, BufMut, BytesMut};
use rtc_core::{Bitrate, ConfigError, Fault, Malformed, Ssrc};

use super::{Raw, write_framed};

/// Feedback message type of application-layer feedback (RFC 4585 §6.4), which this is by its identifier.
pub(super) const FORMAT: u8 = 15;

const IDENTIFIER: &[u8; 4] = b"REMB";
const MANTISSA_BITS: u32 = 18;

/// The total rate a receiver believes it can take (draft-alvestrand-rmcat-remb-03 §2.2).
///
/// Written here because the `rtcp` crate panics when SSRCs are missing, and takes a mantissa of zero for a rate above zero.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remb {
    /// Who tells.
    pub sender: Ssrc,
    /// The rate; on the wire it has 18 significant bits, rounded down.
    pub bitrate: Bitrate,
    /// The sources it is for, 255 at most.
    pub sources: Vec<Ssrc>,
}

impl Remb {
    pub(super) fn parse(raw: Raw) -> Result<Self, Malformed> {
        let truncated = Malformed::new("RTCP REMB", Fault::Truncated);
        let mut body = raw.body;
        if body.len() < 16 {
            return Err(truncated);
        }
        let sender = Ssrc(body.get_u32());
        body.advance(8);
        let word = body.get_u32();
        let (count, exponent, mantissa) = (word >> 24, word >> MANTISSA_BITS & 0x3f, word & ((1 << MANTISSA_BITS) - 1));
        let mut sources = Vec::new();
        for _ in 0..count {
            sources.push(Ssrc(body.try_get_u32().map_err(|_| truncated)?));
        }
        let bps = u64::try_from(u128::from(mantissa) << exponent).unwrap_or(u64::MAX);
        Ok(Self { sender, bitrate: Bitrate::from_bps(bps), sources })
    }

    pub(super) fn write(&self, out: &mut BytesMut) -> Result<(), ConfigError> {
        let Ok(count) = u8::try_from(self.sources.len()) else {
            return Err(ConfigError::new("sources", "must be 255 at most"));
        };
        let bps = self.bitrate.as_bps();
        let exponent = (u64::BITS - bps.leading_zeros()).saturating_sub(MANTISSA_BITS);
        let mantissa = u32::try_from(bps >> exponent).unwrap_or(0);
        write_framed(out, super::PAYLOAD_FEEDBACK, FORMAT, |out| {
            out.put_u32(self.sender.0);
            // "SSRC of media source: Always 0".
            out.put_u32(0);
            out.put_slice(IDENTIFIER);
            out.put_u32(u32::from(count) << 24 | exponent << MANTISSA_BITS | mantissa);
            for source in &self.sources {
                out.put_u32(source.0);
            }
        });
        Ok(())
    }
}

pub(super) fn is_remb(body: &[u8]) -> bool {
    body.get(8..12) == Some(IDENTIFIER)
}
