//! Flexible forward error correction (FlexFEC, RFC 8627, and the draft before it that browsers speak as `flexfec-03`): repair
//! packets in a stream of their own that are the exclusive or of packets of media of one source or of several.
//!
//! [`FlexfecEncoder`] protects rows, columns or both of a block of packets, or packets picked by a mask;
//! [`FlexfecDecoder`] takes all of these, and retransmissions in the same format. The two variants are told apart by what was
//! negotiated, not by their bytes: see [`FlexfecVariant`].
//!
//! Twelve packets in three rows and four columns, of which a burst of four is lost:
//!
//! ```
//! use rtc_core::fec::{FecDecoder, FecEncoder};
//! use rtc_core::{PayloadType, RtpPacket, RtpTime, SeqNum, Ssrc};
//! use rtc_fec::flexfec::{
//!     FlexfecDecoder, FlexfecDecoderConfig, FlexfecEncoder, FlexfecEncoderConfig, FlexfecProtection,
//! };
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let mut sender = FlexfecEncoderConfig::default();
//! (sender.ssrc, sender.protection) = (Ssrc(8), FlexfecProtection::grid(4, 3)?);
//! let mut encoder = FlexfecEncoder::new(sender)?;
//! let mut decoder = FlexfecDecoder::new(FlexfecDecoderConfig::default())?;
//! let mut recovered = Vec::new();
//! for n in 0..12 {
//!     let video = RtpPacket::builder(PayloadType::new(96), SeqNum(n), RtpTime(0), Ssrc(7)).build(&[n as u8; 9])?;
//!     encoder.protect(&video);
//!     if !(5..9).contains(&n) {
//!         decoder.insert_source(&video);
//!     }
//!     while let Some(repair) = encoder.poll_repair() {
//!         decoder.insert_repair(&repair)?;
//!     }
//!     recovered.extend(core::iter::from_fn(|| decoder.poll_recovered()).map(|video| video.seq().0));
//! }
//! recovered.sort_unstable();
//! assert_eq!(recovered, [5, 6, 7, 8]);
//! # Ok(())
//! # }
//! ```

mod decoder;
mod encoder;
mod group;
mod header;
mod protection;

pub use crate::parity::{DecoderStats as FlexfecDecoderStats, Outlook};
pub use crate::ulpfec::Pattern;
pub use decoder::{FlexfecDecoder, FlexfecDecoderConfig};
pub use encoder::{FlexfecEncoder, FlexfecEncoderConfig, FlexfecEncoderStats};
pub use protection::FlexfecProtection;

/// Most sources one repair packet protects: as many as a CSRC list names (RFC 8627 §4.2.1).
pub const MAX_SOURCES: usize = 15;
/// Most columns, and most rows, of a block: each has 8 bits (RFC 8627 §4.2.2.2).
pub const MAX_SIDE: usize = 255;

/// Which of the two formats is spoken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum FlexfecVariant {
    /// RFC 8627: sources in the CSRC list; masks of 15, 46 or 110 packets, or columns and rows.
    #[default]
    Rfc8627,
    /// draft-ietf-payload-flexible-fec-scheme-03, negotiated as `flexfec-03`: sources in the FEC header; masks of 15, 46 or 109
    /// packets. Its columns and rows are neither sent nor taken: the draft contradicts itself on how many packets they are
    /// (figure 14), and nobody sends them.
    Draft03,
}

impl FlexfecVariant {
    /// Packets a mask reaches over.
    #[must_use]
    pub const fn mask_len(self) -> u16 {
        match self {
            Self::Rfc8627 => 110,
            Self::Draft03 => 109,
        }
    }
}
