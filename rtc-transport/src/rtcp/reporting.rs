use bytes::{Buf, BufMut, BytesMut};
use rtc_core::{ConfigError, Fault, Malformed, Ssrc};

use super::{MAX_COUNT, Raw, write_framed};

/// Who reports for a source that does not itself: a reporting-sources packet, "RGRS" (RFC 8861 §3.2.2).
///
/// Both must be of the same reporting group, which the SDES item "RGRP" names
/// ([`SdesType::REPORTING_GROUP`](super::SdesType::REPORTING_GROUP)).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReportingSources {
    /// The source that does not report.
    pub sender: Ssrc,
    /// Those that report for it, 1 to 31.
    pub sources: Vec<Ssrc>,
}

impl ReportingSources {
    pub(super) fn parse(raw: &Raw) -> Result<Self, Malformed> {
        let fault = |fault| Malformed::new("RTCP RGRS", fault);
        let mut body = raw.body.clone();
        let sender = Ssrc(body.try_get_u32().map_err(|_| fault(Fault::Truncated))?);
        if raw.count == 0 {
            return Err(fault(Fault::Length));
        }
        let mut sources = Vec::with_capacity(usize::from(raw.count));
        for _ in 0..raw.count {
            sources.push(Ssrc(body.try_get_u32().map_err(|_| fault(Fault::Truncated))?));
        }
        Ok(Self { sender, sources })
    }

    #[expect(clippy::cast_possible_truncation, reason = "the number is checked first")]
    pub(super) fn write(&self, out: &mut BytesMut) -> Result<(), ConfigError> {
        if !(1..=MAX_COUNT).contains(&self.sources.len()) {
            return Err(ConfigError::new("sources", "must be from 1 to 31 (RFC 8861 §3.2.2)"));
        }
        write_framed(out, super::REPORTING_SOURCES, self.sources.len() as u8, |out| {
            out.put_u32(self.sender.0);
            for source in &self.sources {
                out.put_u32(source.0);
            }
        });
        Ok(())
    }
}
