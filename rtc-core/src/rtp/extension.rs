//! Typed header extension elements.
//!
//! What an element means is agreed on by URI, and a session maps URIs to identifiers (RFC 8285 §5), so types here know their
//! URI and the caller brings the identifier:
//!
//! ```
//! use rtc_core::rtp::extension::{AudioLevel, HeaderExtension, TransportSequence};
//! use rtc_core::{PayloadType, RtpPacket, RtpTime, SeqNum, Ssrc};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let (level, sequence) = (AudioLevel::new(true, 30), TransportSequence(7));
//! let mut packet = RtpPacket::builder(PayloadType::new(111), SeqNum(1), RtpTime(0), Ssrc(1))
//!     .extensions(&[(1, &level.to_value()), (3, &sequence.to_value())])
//!     .build(b"opus")?;
//! assert_eq!(packet.read::<AudioLevel>(1), Some(Ok(level)));
//!
//! packet.rewrite(|header| assert!(header.write(3, &TransportSequence(8))));
//! assert_eq!(packet.read::<TransportSequence>(3), Some(Ok(TransportSequence(8))));
//! # Ok(())
//! # }
//! ```

use core::ops::Deref;

use crate::{Fault, Malformed};

mod capture_time;
mod level;
mod orientation;
mod playout_delay;
mod sdes;
mod send_time;
mod sequence;

pub use capture_time::{AbsoluteCaptureTime, ClockOffset};
pub use level::{AudioLevel, MixerAudioLevels};
pub use orientation::{Rotation, VideoOrientation};
pub use playout_delay::PlayoutDelay;
pub use sdes::{Mid, RepairedRid, Rid};
pub use send_time::{AbsSendTime, TransmissionOffset};
pub use sequence::{FeedbackRequest, TransportSequence, TransportSequenceV2};

/// The meaning of a header extension element. `'a` is the life of the packet, for meanings that borrow from it.
pub trait HeaderExtension<'a>: Sized {
    /// Names the meaning in signalling (`a=extmap`, RFC 8285 §5).
    const URI: &'static str;

    /// The element's value as bytes, kept inline or borrowed: no allocation.
    type Value: AsRef<[u8]>;

    /// Reads an element's value.
    ///
    /// # Errors
    /// [`Malformed`] if the bytes cannot have this meaning.
    fn parse(value: &'a [u8]) -> Result<Self, Malformed>;

    /// Writes the element's value.
    fn to_value(&self) -> Self::Value;
}

/// A value of at most `N` bytes, for elements that come in several lengths.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ShortValue<const N: usize> {
    bytes: [u8; N],
    len: usize,
}

impl<const N: usize> ShortValue<N> {
    /// The first `len` of `bytes`; what follows must be zero for equality to be that of values.
    const fn new(bytes: [u8; N], len: usize) -> Self {
        Self { bytes, len }
    }
}

impl<const N: usize> AsRef<[u8]> for ShortValue<N> {
    fn as_ref(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

impl<const N: usize> Deref for ShortValue<N> {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.as_ref()
    }
}

/// The value as an array, if it has that length.
fn exactly<const N: usize>(format: &'static str, value: &[u8]) -> Result<[u8; N], Malformed> {
    value.try_into().map_err(|_| {
        let fault = if value.len() < N { Fault::Truncated } else { Fault::Length };
        Malformed::new(format, fault)
    })
}
