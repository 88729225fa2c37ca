//! Payload formats: frames cut into payloads, and put together again.
//!
//! Functions without state: what a frame is among others (picture numbers, layers) its encoder knows. The payloads of a frame
//! are as long as each other, but for the last, which is not longer: sent together they are one batch for the kernel (GSO),
//! and protected together they waste no padding. None is empty.
//!
//! | format | module | source |
//! |---|---|---|
//! | AV1 | [`av1`] | RTP Payload Format For AV1, version 1.0 |
//! | VP9 | [`vp9`] | RFC 9628 |
//! | VP8 | [`vp8`] | RFC 7741 |
//! | H.264, packetization modes 0 and 1 | [`h264`] | RFC 6184 |
//! | Opus | [`opus`] | RFC 7587 |
//! | PCMU and PCMA | [`g711`] | RFC 3551 §4.5.14, ITU-T G.711 |
//! | L16 | [`l16`] | RFC 3551 §4.5.11 |
//!
//! ```
//! use bytes::BytesMut;
//! use rtc_core::rtp::payload::{PictureId, vp8::Descriptor};
//! use rtc_transport::payload::{Payloads, vp8};
//!
//! let frame = vec![7; 3_000];
//! let descriptor = Descriptor { picture_id: Some(PictureId { value: 17, is_long: true }), ..Descriptor::default() };
//! let mut payloads = Payloads::default();
//! vp8::packetize(&descriptor, &frame, 1_200, &mut payloads)?;
//! assert_eq!(payloads.iter().map(<[u8]>::len).collect::<Vec<_>>(), [1_004, 1_004, 1_004]);
//!
//! let mut again = BytesMut::new();
//! vp8::depacketize(payloads.iter(), &mut again)?;
//! assert_eq!(again, frame);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use core::fmt;
use core::ops::Range;

use bytes::{BufMut, BytesMut};
use rtc_core::{ConfigError, Malformed};

pub mod av1;
pub mod g711;
pub mod h264;
pub mod l16;
pub mod opus;
pub mod vp8;
pub mod vp9;

/// Why a frame was not cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PacketizeError {
    /// The payloads would have to be longer.
    Room(ConfigError),
    /// The frame is not what its codec makes.
    Frame(Malformed),
}

impl fmt::Display for PacketizeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Room(error) => error.fmt(f),
            Self::Frame(error) => error.fmt(f),
        }
    }
}

impl core::error::Error for PacketizeError {}

impl From<ConfigError> for PacketizeError {
    fn from(error: ConfigError) -> Self {
        Self::Room(error)
    }
}

impl From<Malformed> for PacketizeError {
    fn from(error: Malformed) -> Self {
        Self::Frame(error)
    }
}

/// The payloads of a frame, in one buffer that is used again for the next.
#[derive(Debug, Clone, Default)]
pub struct Payloads {
    bytes: BytesMut,
    ends: Vec<usize>,
}

impl Payloads {
    /// The payloads in order.
    #[must_use]
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &[u8]> + Clone {
        self.ends.iter().enumerate().map(|(index, end)| {
            let start = index.checked_sub(1).map_or(0, |before| self.ends[before]);
            &self.bytes[start..*end]
        })
    }

    /// How many there are.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// Forgets them.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.ends.clear();
    }

    /// Ends a payload with what was written since the last.
    fn end(&mut self) {
        self.ends.push(self.bytes.len());
    }
}

/// `len` bytes in as few pieces as there must be of `room` bytes at most, all as long as each other but the last.
fn pieces(len: usize, room: usize) -> impl ExactSizeIterator<Item = Range<usize>> {
    let count = len.div_ceil(room.max(1));
    let size = len.div_ceil(count.max(1));
    // Rounding up may leave nothing for the last.
    let count = if size == 0 { 0 } else { len.div_ceil(size) };
    (0..count).map(move |index| index * size..((index + 1) * size).min(len))
}

/// What is left of a payload after `header` bytes.
fn room(max: usize, header: usize) -> Result<usize, ConfigError> {
    max.checked_sub(header).filter(|room| *room > 0).ok_or(ConfigError::new("max", "leaves no room for media"))
}
