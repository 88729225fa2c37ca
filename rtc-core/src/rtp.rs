//! RTP packets: a checked view over one buffer, a builder, in-place rewriting, header extensions (RFC 3550, RFC 8285),
//! and what stands before the media in video payloads.

use core::fmt;
use core::ops::Range;

use bytes::{Bytes, BytesMut};

use crate::{Malformed, PayloadType, RtpTime, SeqNum, Ssrc};

mod bits;
mod block;
mod build;
#[cfg(feature = "rtp")]
mod convert;
pub mod dependency;
mod element;
pub mod extension;
mod layout;
pub mod payload;
mod rewrite;

pub use build::RtpBuilder;
#[cfg(feature = "rtp")]
pub use convert::ConvertError;
use element::ElementRanges;
pub use element::Elements;
use extension::HeaderExtension;
use layout::Layout;
pub use rewrite::HeaderMut;

/// An RTP packet: a checked view over one [`Bytes`] (RFC 3550 §5.1).
///
/// The fixed header is kept apart; CSRCs, extensions and payload are ranges of the buffer, never copied. Cloning shares the
/// buffer, and so does [`payload_bytes`](Self::payload_bytes).
#[derive(Clone, PartialEq, Eq)]
pub struct RtpPacket {
    bytes: Bytes,
    layout: Layout,
    /// The fixed header once more: reading a field is then no question to the buffer.
    fixed: [u8; layout::FIXED_LEN],
}

impl RtpPacket {
    /// Checks that `bytes` are one whole RTP packet.
    ///
    /// # Errors
    /// [`Malformed`] if the version is not 2, or CSRCs, extension or padding reach beyond the end.
    #[inline]
    pub fn parse(bytes: Bytes) -> Result<Self, Malformed> {
        let layout = Layout::parse(&bytes)?;
        Ok(Self::from_checked(bytes, layout))
    }

    /// Starts a packet with the four fields every packet has.
    #[must_use]
    pub fn builder<'a>(payload_type: PayloadType, seq: SeqNum, timestamp: RtpTime, ssrc: Ssrc) -> RtpBuilder<'a> {
        RtpBuilder::new(payload_type, seq, timestamp, ssrc)
    }

    /// Changes header fields or extension values, in place if nobody shares the buffer, else in one copy of it.
    ///
    /// ```
    /// use rtc_core::{PayloadType, RtpPacket, RtpTime, SeqNum, Ssrc};
    ///
    /// # fn main() -> Result<(), rtc_core::ConfigError> {
    /// let original = RtpPacket::builder(PayloadType::new(96), SeqNum(7), RtpTime(0), Ssrc(1)).build(b"media")?;
    /// let mut forwarded = original.clone();
    /// forwarded.rewrite(|header| header.set_ssrc(Ssrc(2)));
    /// assert_eq!((original.ssrc(), forwarded.ssrc()), (Ssrc(1), Ssrc(2)));
    /// # Ok(())
    /// # }
    /// ```
    pub fn rewrite(&mut self, edit: impl FnOnce(&mut HeaderMut<'_>)) {
        let bytes = core::mem::take(&mut self.bytes);
        let mut unique = bytes.try_into_mut().unwrap_or_else(|shared| BytesMut::from(&shared[..]));
        edit(&mut HeaderMut::from_checked(&mut unique, self.layout));
        *self = Self::from_checked(unique.freeze(), self.layout);
    }

    /// A packet with this one's header, its CSRCs and extension byte for byte, around another payload and without padding,
    /// in the spare room of `pool`. The payload is the concatenation of `parts`; `edit` may change the header.
    ///
    /// This is what wraps and unwraps packets that travel inside others (RFC 2198, RFC 4588).
    ///
    /// ```
    /// use bytes::BytesMut;
    /// use rtc_core::{PayloadType, RtpPacket, RtpTime, SeqNum, Ssrc};
    ///
    /// # fn main() -> Result<(), rtc_core::ConfigError> {
    /// let media = RtpPacket::builder(PayloadType::new(96), SeqNum(7), RtpTime(0), Ssrc(1))
    ///     .extensions(&[(3, b"x")])
    ///     .padding(4)
    ///     .build(b"media")?;
    /// let wrapped = media.repack_in(&mut BytesMut::new(), &[&[0, 7], media.payload()], |header| {
    ///     header.set_ssrc(Ssrc(2));
    /// });
    /// assert_eq!((wrapped.ssrc(), wrapped.extension(3), wrapped.padding_len()), (Ssrc(2), Some(&b"x"[..]), 0));
    /// assert_eq!(wrapped.payload(), b"\0\x07media");
    /// assert_eq!(RtpPacket::parse(wrapped.as_bytes().clone()), Ok(wrapped));
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn repack_in(&self, pool: &mut BytesMut, parts: &[&[u8]], edit: impl FnOnce(&mut HeaderMut<'_>)) -> Self {
        let layout = self.layout.without_padding();
        pool.clear();
        pool.reserve(layout.header_len() + parts.iter().map(|part| part.len()).sum::<usize>());
        pool.extend_from_slice(&self.bytes[..layout.header_len()]);
        pool[0] &= !layout::PADDING_BIT;
        for part in parts {
            pool.extend_from_slice(part);
        }
        let mut bytes = pool.split();
        edit(&mut HeaderMut::from_checked(&mut bytes, layout));
        Self::from_checked(bytes.freeze(), layout)
    }

    /// A builder holding all of this packet but its payload: fixed fields, CSRCs, header extension and padding.
    #[must_use]
    pub fn to_builder(&self) -> RtpBuilder<'_> {
        let builder = RtpBuilder::new(self.payload_type(), self.seq(), self.timestamp(), self.ssrc())
            .marker(self.marker())
            .copy_csrcs(self.csrcs())
            .padding(self.layout.padding);
        match self.raw_extension() {
            Some((profile, data)) => builder.raw_extension(profile, data),
            None => builder,
        }
    }

    /// The whole packet as it is on the wire.
    #[must_use]
    pub const fn as_bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// The whole packet as it is on the wire, given away.
    #[must_use]
    pub fn into_bytes(self) -> Bytes {
        self.bytes
    }

    /// The marker bit, whose meaning the payload format defines.
    #[must_use]
    pub const fn marker(&self) -> bool {
        self.fixed[1] & 0x80 != 0
    }

    /// The payload type.
    #[must_use]
    pub const fn payload_type(&self) -> PayloadType {
        PayloadType::new(self.fixed[1])
    }

    /// The sequence number.
    #[must_use]
    pub const fn seq(&self) -> SeqNum {
        let [_, _, a, b, ..] = self.fixed;
        SeqNum(u16::from_be_bytes([a, b]))
    }

    /// The timestamp, in ticks of the payload type's clock.
    #[must_use]
    pub const fn timestamp(&self) -> RtpTime {
        let [_, _, _, _, a, b, c, d, ..] = self.fixed;
        RtpTime(u32::from_be_bytes([a, b, c, d]))
    }

    /// The synchronization source.
    #[must_use]
    pub const fn ssrc(&self) -> Ssrc {
        let [.., a, b, c, d] = self.fixed;
        Ssrc(u32::from_be_bytes([a, b, c, d]))
    }

    /// The contributing sources, 15 at most.
    pub fn csrcs(&self) -> impl ExactSizeIterator<Item = Ssrc> + '_ {
        self.bytes[layout::FIXED_LEN..self.layout.csrcs_end()]
            .chunks_exact(4)
            .map(|word| Ssrc(u32::from_be_bytes([word[0], word[1], word[2], word[3]])))
    }

    /// The payload, without padding.
    #[must_use]
    pub fn payload(&self) -> &[u8] {
        &self.bytes[self.layout.payload(self.bytes.len())]
    }

    /// The payload, without padding, sharing this packet's buffer.
    #[must_use]
    pub fn payload_bytes(&self) -> Bytes {
        self.bytes.slice(self.layout.payload(self.bytes.len()))
    }

    /// Bytes of header: fixed fields, CSRCs and extension.
    #[must_use]
    pub const fn header_len(&self) -> usize {
        self.layout.header_len()
    }

    /// Bytes of padding at the end, the count byte included.
    #[must_use]
    pub const fn padding_len(&self) -> u8 {
        self.layout.padding
    }

    /// The 16 profile-defined bits and the data of the header extension, of whatever kind it is.
    #[must_use]
    pub fn raw_extension(&self) -> Option<(u16, &[u8])> {
        let (profile, data) = self.layout.extension()?;
        Some((profile, &self.bytes[data]))
    }

    /// The RFC 8285 header extension elements, identifier and value, in wire order.
    ///
    /// Ends before the first element that reaches beyond the extension.
    #[must_use]
    pub fn extensions(&self) -> Elements<'_> {
        match self.raw_extension() {
            Some((profile, data)) => Elements::new(profile, data),
            None => Elements::default(),
        }
    }

    /// The value of the first extension element with this identifier.
    #[must_use]
    pub fn extension(&self, id: u8) -> Option<&[u8]> {
        self.extensions().find(|(found, _)| *found == id).map(|(_, value)| value)
    }

    /// Where in [`as_bytes`](Self::as_bytes) the value of the first extension element with this identifier stands, for those who
    /// overwrite it in a copy.
    #[must_use]
    pub fn extension_range(&self, id: u8) -> Option<Range<usize>> {
        let (profile, data) = self.layout.extension()?;
        let (start, data) = (data.start, &self.bytes[data]);
        let mut ranges = ElementRanges::new(profile);
        loop {
            let (found, range) = ranges.next_in(data)?;
            if found == id {
                return Some(start + range.start..start + range.end);
            }
        }
    }

    /// The meaning of the first extension element with this identifier; `None` if there is no such element.
    ///
    /// ```
    /// # use rtc_core::rtp::extension::AbsSendTime;
    /// # fn send_time(packet: &rtc_core::RtpPacket) -> Option<AbsSendTime> {
    /// packet.read::<AbsSendTime>(2)?.ok()
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Malformed`] if the element's value cannot have this meaning.
    #[must_use]
    pub fn read<'a, E: HeaderExtension<'a>>(&'a self, id: u8) -> Option<Result<E, Malformed>> {
        self.extension(id).map(E::parse)
    }

    #[inline]
    fn from_checked(bytes: Bytes, layout: Layout) -> Self {
        // There are always as many: that was checked.
        let fixed = bytes.first_chunk().copied().unwrap_or_default();
        Self { bytes, layout, fixed }
    }
}

impl fmt::Debug for RtpPacket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RtpPacket")
            .field("payload_type", &self.payload_type())
            .field("marker", &self.marker())
            .field("seq", &self.seq())
            .field("timestamp", &self.timestamp())
            .field("ssrc", &self.ssrc())
            .field("bytes", &self.bytes)
            .finish_non_exhaustive()
    }
}

impl TryFrom<Bytes> for RtpPacket {
    type Error = Malformed;

    fn try_from(bytes: Bytes) -> Result<Self, Malformed> {
        Self::parse(bytes)
    }
}

impl AsRef<[u8]> for RtpPacket {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}
