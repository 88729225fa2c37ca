//! Generic forward error correction (ULPFEC, RFC 5109): repair packets that are the exclusive or of several packets of media,
//! evenly, or with the beginnings of packets protected better than the rest.
//!
//! Repair packets go in a stream of their own, or inside RED between the media, as [`UlpfecInRed`] does it.

mod decoder;
mod encoder;
mod header;
mod in_red;
mod protection;

pub use crate::parity::{DecoderStats as UlpfecDecoderStats, Outlook, Partial};
pub use decoder::{UlpfecDecoder, UlpfecDecoderConfig};
pub use encoder::{UlpfecEncoder, UlpfecEncoderConfig, UlpfecEncoderStats};
pub use in_red::UlpfecInRed;
pub use protection::{Level, Pattern, Protection};

/// Most packets one repair packet protects, and furthest apart in sequence: the long mask has 48 bits (RFC 5109 §7.4).
pub const MAX_GROUP: usize = 48;
/// Most levels of protection in one repair packet. RFC 5109 sets no limit; more than two are of little use.
pub const MAX_LEVELS: usize = 4;
