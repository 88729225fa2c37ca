use core::ops::Range;

use crate::{Fault, Malformed};

/// Bytes of the fixed header (RFC 3550 §5.1).
pub(super) const FIXED_LEN: usize = 12;
/// In the first byte: whether padding follows the payload.
pub(super) const PADDING_BIT: u8 = 0x20;

/// Where the parts of a packet lie, once checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Layout {
    csrc_count: u8,
    pub(super) padding: u8,
    /// Profile bits of the header extension, if there is one (RFC 3550 §5.3.1).
    profile: Option<u16>,
    /// 262 216 at most: 12, 15 CSRCs, and an extension of 65 535 words.
    header_len: u32,
}

impl Layout {
    #[expect(clippy::cast_possible_truncation, reason = "both are bounded by their fields on the wire")]
    pub(super) const fn new(csrc_count: usize, profile: Option<u16>, header_len: usize, padding: u8) -> Self {
        Self { csrc_count: csrc_count as u8, padding, profile, header_len: header_len as u32 }
    }

    #[inline]
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, Malformed> {
        let fault = |fault| Malformed::new("RTP", fault);
        if bytes.len() < FIXED_LEN {
            return Err(fault(Fault::Truncated));
        }
        if bytes[0] >> 6 != 2 {
            return Err(fault(Fault::Version));
        }
        let csrc_count = usize::from(bytes[0] & 0x0f);
        let mut header_len = FIXED_LEN + 4 * csrc_count;
        let mut profile = None;
        if bytes[0] & 0x10 != 0 {
            let Some(&[p0, p1, l0, l1]) = bytes.get(header_len..header_len + 4) else {
                return Err(fault(Fault::Truncated));
            };
            profile = Some(u16::from_be_bytes([p0, p1]));
            header_len += 4 + 4 * usize::from(u16::from_be_bytes([l0, l1]));
        }
        if header_len > bytes.len() {
            return Err(fault(Fault::Truncated));
        }
        let mut padding = 0;
        if bytes[0] & PADDING_BIT != 0 {
            padding = bytes[bytes.len() - 1];
            if padding == 0 || usize::from(padding) > bytes.len() - header_len {
                return Err(fault(Fault::Padding));
            }
        }
        Ok(Self::new(csrc_count, profile, header_len, padding))
    }

    pub(super) const fn without_padding(self) -> Self {
        Self { padding: 0, ..self }
    }

    pub(super) const fn header_len(&self) -> usize {
        self.header_len as usize
    }

    pub(super) fn csrcs_end(&self) -> usize {
        FIXED_LEN + 4 * usize::from(self.csrc_count)
    }

    /// The data of the header extension: behind its own four bytes, up to the payload.
    pub(super) fn extension(&self) -> Option<(u16, Range<usize>)> {
        let profile = self.profile?;
        Some((profile, self.csrcs_end() + 4..self.header_len()))
    }

    pub(super) fn payload(&self, packet_len: usize) -> Range<usize> {
        self.header_len()..packet_len - usize::from(self.padding)
    }
}
