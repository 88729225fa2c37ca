use core::ops::Range;

use crate::{Fault, Malformed};

/// Bytes of the fixed header (RFC 3550 §5.1).
pub(super) const FIXED_LEN: usize = 12;
/// In the first byte: whether padding follows the payload.
pub(super) const PADDING_BIT: u8 = 0x20;

/// Where the parts of a packet lie, once checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Layout {
    pub(super) csrc_count: u8,
    pub(super) padding: u8,
    /// Profile bits of the header extension, if there is one (RFC 3550 §5.3.1).
    pub(super) profile: Option<u16>,
    pub(super) header_len: usize,
}

impl Layout {
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, Malformed> {
        let fault = |fault| Malformed::new("RTP", fault);
        if bytes.len() < FIXED_LEN {
            return Err(fault(Fault::Truncated));
        }
        if bytes[0] >> 6 != 2 {
            return Err(fault(Fault::Version));
        }
        let csrc_count = bytes[0] & 0x0f;
        let mut header_len = FIXED_LEN + 4 * usize::from(csrc_count);
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
        Ok(Self { csrc_count, padding, profile, header_len })
    }

    pub(super) fn csrcs_end(&self) -> usize {
        FIXED_LEN + 4 * usize::from(self.csrc_count)
    }

    /// The data of the header extension: behind its own four bytes, up to the payload.
    pub(super) fn extension(&self) -> Option<(u16, Range<usize>)> {
        let profile = self.profile?;
        Some((profile, self.csrcs_end() + 4..self.header_len))
    }

    pub(super) fn payload(&self, packet_len: usize) -> Range<usize> {
        self.header_len..packet_len - usize::from(self.padding)
    }
}
