use bytes::{BufMut, BytesMut};

use crate::{ConfigError, PayloadType, RtpTime, SeqNum, Ssrc};

use super::RtpPacket;
use super::element::{ONE_BYTE, TWO_BYTE};
use super::layout::{ExtensionBlock, FIXED_LEN, Layout};

/// Most CSRCs a packet can carry: the count has four bits.
const MAX_CSRCS: usize = 15;

/// Builds an [`RtpPacket`].
///
/// ```
/// use rtc_core::{PayloadType, RtpPacket, RtpTime, SeqNum, Ssrc};
///
/// # fn main() -> Result<(), rtc_core::ConfigError> {
/// let packet = RtpPacket::builder(PayloadType::new(111), SeqNum(1), RtpTime(960), Ssrc(0xcafe))
///     .marker(true)
///     .extensions(&[(3, &[0x12, 0x34])])
///     .build(b"opus")?;
/// assert_eq!(packet.extension(3), Some(&[0x12, 0x34][..]));
/// assert_eq!(packet.payload(), b"opus");
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct RtpBuilder<'a> {
    marker: bool,
    payload_type: PayloadType,
    seq: SeqNum,
    timestamp: RtpTime,
    ssrc: Ssrc,
    csrcs: [Ssrc; MAX_CSRCS],
    csrc_count: usize,
    extensions: &'a [(u8, &'a [u8])],
    padding: u8,
}

impl<'a> RtpBuilder<'a> {
    pub(super) fn new(payload_type: PayloadType, seq: SeqNum, timestamp: RtpTime, ssrc: Ssrc) -> Self {
        Self {
            marker: false,
            payload_type,
            seq,
            timestamp,
            ssrc,
            csrcs: [Ssrc(0); MAX_CSRCS],
            csrc_count: 0,
            extensions: &[],
            padding: 0,
        }
    }

    /// Sets the marker bit.
    #[must_use]
    pub fn marker(mut self, marker: bool) -> Self {
        self.marker = marker;
        self
    }

    /// Sets the contributing sources, 15 at most.
    #[must_use]
    pub fn csrcs(self, csrcs: &[Ssrc]) -> Self {
        self.copy_csrcs(csrcs.iter().copied())
    }

    /// Sets the header extension elements: identifier and value.
    ///
    /// The one-byte form is used where all identifiers are 1-14 and all values 1-16 bytes, else the two-byte form.
    #[must_use]
    pub fn extensions(mut self, elements: &'a [(u8, &'a [u8])]) -> Self {
        self.extensions = elements;
        self
    }

    /// Sets the bytes of padding, the count byte included; zero for none.
    #[must_use]
    pub fn padding(mut self, len: u8) -> Self {
        self.padding = len;
        self
    }

    /// The packet, in a buffer of its own.
    ///
    /// # Errors
    /// [`ConfigError`] for more than 15 CSRCs, an extension identifier 0, or an extension value over 255 bytes.
    pub fn build(&self, payload: &[u8]) -> Result<RtpPacket, ConfigError> {
        self.build_in(&mut BytesMut::new(), payload)
    }

    /// The packet, in the spare room of `pool`, which grows only while earlier packets from it are still held.
    ///
    /// # Errors
    /// As [`build`](Self::build).
    pub fn build_in(&self, pool: &mut BytesMut, payload: &[u8]) -> Result<RtpPacket, ConfigError> {
        let form = ExtensionForm::fitting(self.extensions)?;
        if self.csrc_count > MAX_CSRCS {
            return Err(ConfigError::new("csrcs", "must be 15 at most"));
        }
        let csrcs_end = FIXED_LEN + 4 * self.csrc_count;
        let header_len = csrcs_end + form.block_len(self.extensions);
        pool.clear();
        pool.reserve(header_len + payload.len() + usize::from(self.padding));
        self.put_fixed(pool);
        for csrc in &self.csrcs[..self.csrc_count] {
            pool.put_u32(csrc.0);
        }
        form.put(pool, self.extensions, header_len);
        pool.put_slice(payload);
        if self.padding > 0 {
            pool.put_bytes(0, usize::from(self.padding) - 1);
            pool.put_u8(self.padding);
        }
        let extension =
            (header_len > csrcs_end).then_some(ExtensionBlock { profile: form.profile(), start: csrcs_end + 4 });
        #[expect(clippy::cast_possible_truncation, reason = "checked to be 15 at most")]
        let layout = Layout { csrc_count: self.csrc_count as u8, padding: self.padding, extension, header_len };
        Ok(RtpPacket::from_checked(pool.split().freeze(), layout))
    }

    pub(super) fn copy_csrcs(mut self, csrcs: impl ExactSizeIterator<Item = Ssrc>) -> Self {
        self.csrc_count = csrcs.len();
        for (slot, csrc) in self.csrcs.iter_mut().zip(csrcs) {
            *slot = csrc;
        }
        self
    }

    fn put_fixed(&self, out: &mut BytesMut) {
        let flags = (u8::from(self.padding > 0) << 5) | (u8::from(!self.extensions.is_empty()) << 4);
        #[expect(clippy::cast_possible_truncation, reason = "checked to be 15 at most")]
        out.put_u8(0x80 | flags | self.csrc_count as u8);
        out.put_u8((u8::from(self.marker) << 7) | self.payload_type.value());
        out.put_u16(self.seq.0);
        out.put_u32(self.timestamp.0);
        out.put_u32(self.ssrc.0);
    }
}

/// The two element forms of RFC 8285.
#[derive(Clone, Copy, PartialEq, Eq)]
enum ExtensionForm {
    OneByte,
    TwoByte,
}

impl ExtensionForm {
    fn fitting(elements: &[(u8, &[u8])]) -> Result<Self, ConfigError> {
        let mut form = Self::OneByte;
        let mut total = 0;
        for (id, value) in elements {
            if *id == 0 {
                return Err(ConfigError::new("extensions", "must not use identifier 0 (RFC 8285 §4.1.2)"));
            }
            if value.len() > 255 {
                return Err(ConfigError::new("extensions", "must have values of 255 bytes at most (RFC 8285 §4.3)"));
            }
            if *id > 14 || !(1..=16).contains(&value.len()) {
                form = Self::TwoByte;
            }
            total += 2 + value.len();
        }
        if total > 4 * usize::from(u16::MAX) {
            return Err(ConfigError::new("extensions", "must fit 65535 words (RFC 3550 §5.3.1)"));
        }
        Ok(form)
    }

    fn profile(self) -> u16 {
        match self {
            Self::OneByte => ONE_BYTE,
            Self::TwoByte => TWO_BYTE,
        }
    }

    /// Bytes of the extension with its four-byte head, padded to a word; zero without elements.
    fn block_len(self, elements: &[(u8, &[u8])]) -> usize {
        if elements.is_empty() {
            return 0;
        }
        let head = if self == Self::OneByte { 1 } else { 2 };
        let data: usize = elements.iter().map(|(_, value)| head + value.len()).sum();
        4 + data.next_multiple_of(4)
    }

    #[expect(clippy::cast_possible_truncation, reason = "lengths were checked by `fitting`")]
    fn put(self, out: &mut BytesMut, elements: &[(u8, &[u8])], header_len: usize) {
        if elements.is_empty() {
            return;
        }
        out.put_u16(self.profile());
        out.put_u16(((header_len - out.len() - 2) / 4) as u16);
        for (id, value) in elements {
            match self {
                Self::OneByte => out.put_u8((id << 4) | (value.len() as u8 - 1)),
                Self::TwoByte => {
                    out.put_u8(*id);
                    out.put_u8(value.len() as u8);
                }
            }
            out.put_slice(value);
        }
        out.put_bytes(0, header_len - out.len());
    }
}
