//! Generic forward error correction (ULPFEC, RFC 5109) at protection level 0: repair packets that are the exclusive or of
//! several packets of media.
//!
//! Repair packets go in a stream of their own, or inside RED between the media ([`red::encapsulate`](crate::red::encapsulate)
//! with the next sequence number of the media stream; media sent after it then counts on from there).

mod decoder;
mod encoder;
mod header;
mod mask;
mod window;

pub use decoder::{UlpfecDecoder, UlpfecDecoderConfig, UlpfecDecoderStats};
pub use encoder::{UlpfecEncoder, UlpfecEncoderConfig, UlpfecEncoderStats};
pub use mask::{Pattern, Protection};

/// Most packets one repair packet protects, and furthest apart in sequence: the long mask has 48 bits (RFC 5109 §7.4).
pub const MAX_GROUP: usize = 48;
