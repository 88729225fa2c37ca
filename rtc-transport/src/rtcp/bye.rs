use bytes::{Buf, BufMut, Bytes, BytesMut};
use rtc_core::{ConfigError, Fault, Malformed, Ssrc};

use super::{MAX_COUNT, Raw, write_framed};

/// Sources that leave (RFC 3550 §6.6).
///
/// Written here because the `rtcp` crate marks the nulls after the reason as padding of the packet, which §6.6 keeps apart,
/// and sends an empty reason where there is none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bye {
    /// Those who leave, 31 at most.
    pub sources: Vec<Ssrc>,
    /// Why, 255 bytes at most; empty if not told.
    pub reason: Bytes,
}

impl Bye {
    pub(super) fn parse(raw: Raw) -> Result<Self, Malformed> {
        let truncated = Malformed::new("RTCP BYE", Fault::Truncated);
        let mut body = raw.body;
        let mut sources = Vec::with_capacity(usize::from(raw.count));
        for _ in 0..raw.count {
            sources.push(Ssrc(body.try_get_u32().map_err(|_| truncated)?));
        }
        let len = usize::from(body.try_get_u8().unwrap_or(0));
        if len > body.len() {
            return Err(truncated);
        }
        Ok(Self { sources, reason: body.split_to(len) })
    }

    #[expect(clippy::cast_possible_truncation, reason = "both lengths are checked first")]
    pub(super) fn write(&self, out: &mut BytesMut) -> Result<(), ConfigError> {
        if self.sources.len() > MAX_COUNT {
            return Err(ConfigError::new("sources", "must be 31 at most (RFC 3550 §6.6)"));
        }
        if self.reason.len() > 255 {
            return Err(ConfigError::new("reason", "must be 255 bytes at most (RFC 3550 §6.6)"));
        }
        write_framed(out, super::BYE, self.sources.len() as u8, |out| {
            for source in &self.sources {
                out.put_u32(source.0);
            }
            if !self.reason.is_empty() {
                out.put_u8(self.reason.len() as u8);
                out.put_slice(&self.reason);
            }
        });
        Ok(())
    }
}
