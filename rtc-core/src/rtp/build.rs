use bytes::{BufMut, BytesMut};

use crate::{ConfigError, PayloadType, RtpTime, SeqNum, Ssrc};

use super::RtpPacket;
use super::block::{Block, Extension};
use super::layout::{FIXED_LEN, Layout};

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
    extension: Extension<'a>,
    two_byte: bool,
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
            extension: Extension::Elements(&[]),
            two_byte: false,
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

    /// Sets the header extension elements: identifier and value. None leave the header extension away.
    ///
    /// The one-byte form is used where all identifiers are 1-14 and all values 1-16 bytes, else the two-byte form.
    #[must_use]
    pub fn extensions(mut self, elements: &'a [(u8, &'a [u8])]) -> Self {
        self.extension = Extension::Elements(elements);
        self
    }

    /// Uses the two-byte form for header extension elements even where the one-byte form would do: for streams that need it
    /// now and then, towards receivers that cannot take both in one stream (`a=extmap-allow-mixed`, RFC 8285 §4.1.2).
    #[must_use]
    pub fn always_two_byte(mut self) -> Self {
        self.two_byte = true;
        self
    }

    /// Sets the header extension as it is on the wire: the 16 bits the profile defines, and whole words of data.
    #[must_use]
    pub fn raw_extension(mut self, profile: u16, data: &'a [u8]) -> Self {
        self.extension = Extension::Raw { profile, data };
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
    /// [`ConfigError`] for more than 15 CSRCs, an extension identifier 0, an extension value over 255 bytes, or raw extension
    /// data that is not of whole words.
    pub fn build(&self, payload: &[u8]) -> Result<RtpPacket, ConfigError> {
        self.build_in(&mut BytesMut::new(), payload)
    }

    /// The packet, in the spare room of `pool`, which grows only while earlier packets from it are still held. Bytes that are in
    /// `pool` already are dropped.
    ///
    /// # Errors
    /// As [`build`](Self::build).
    pub fn build_in(&self, pool: &mut BytesMut, payload: &[u8]) -> Result<RtpPacket, ConfigError> {
        let block = Block::of(self.extension, self.two_byte)?;
        if self.csrc_count > MAX_CSRCS {
            return Err(ConfigError::new("csrcs", "must be 15 at most"));
        }
        let csrcs_end = FIXED_LEN + 4 * self.csrc_count;
        let header_len = csrcs_end + block.as_ref().map_or(0, Block::len);
        pool.clear();
        pool.reserve(header_len + payload.len() + usize::from(self.padding));
        self.put_fixed(pool, block.is_some());
        for csrc in &self.csrcs[..self.csrc_count] {
            pool.put_u32(csrc.0);
        }
        if let Some(block) = &block {
            block.put(pool);
        }
        pool.put_slice(payload);
        if self.padding > 0 {
            pool.put_bytes(0, usize::from(self.padding) - 1);
            pool.put_u8(self.padding);
        }
        let profile = block.map(|block| block.profile());
        let layout = Layout::new(self.csrc_count, profile, header_len, self.padding);
        Ok(RtpPacket::from_checked(pool.split().freeze(), layout))
    }

    pub(super) fn copy_csrcs(mut self, csrcs: impl ExactSizeIterator<Item = Ssrc>) -> Self {
        self.csrc_count = csrcs.len();
        for (slot, csrc) in self.csrcs.iter_mut().zip(csrcs) {
            *slot = csrc;
        }
        self
    }

    fn put_fixed(&self, out: &mut BytesMut, has_extension: bool) {
        let flags = (u8::from(self.padding > 0) << 5) | (u8::from(has_extension) << 4);
        #[expect(clippy::cast_possible_truncation, reason = "checked to be 15 at most")]
        out.put_u8(0x80 | flags | self.csrc_count as u8);
        out.put_u8((u8::from(self.marker) << 7) | self.payload_type.value());
        out.put_u16(self.seq.0);
        out.put_u32(self.timestamp.0);
        out.put_u32(self.ssrc.0);
    }
}
