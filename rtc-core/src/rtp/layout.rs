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
    pub(super) extension: Option<ExtensionBlock>,
    pub(super) header_len: usize,
}

/// A header extension (RFC 3550 §5.3.1); its data ends where the header does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ExtensionBlock {
    pub(super) profile: u16,
    pub(super) start: usize,
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
        let mut extension = None;
        if bytes[0] & 0x10 != 0 {
            let Some(&[p0, p1, l0, l1]) = bytes.get(header_len..header_len + 4) else {
                return Err(fault(Fault::Truncated));
            };
            let start = header_len + 4;
            extension = Some(ExtensionBlock { profile: u16::from_be_bytes([p0, p1]), start });
            header_len = start + 4 * usize::from(u16::from_be_bytes([l0, l1]));
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
        Ok(Self { csrc_count, padding, extension, header_len })
    }

    pub(super) fn csrcs_end(&self) -> usize {
        FIXED_LEN + 4 * usize::from(self.csrc_count)
    }

    pub(super) fn payload(&self, packet_len: usize) -> Range<usize> {
        self.header_len..packet_len - usize::from(self.padding)
    }
}
