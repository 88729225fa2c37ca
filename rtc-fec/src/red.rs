//! Redundant audio data (RED, RFC 2198): each packet carries older payloads again.
//!
//! [`RedEncoder`] turns packets of media into RED packets, [`RedDecoder`] turns them back and fills in what was lost.
//! [`RedForwarder`] joins a side that speaks RED with one that does not; [`blocks`], [`encapsulate`] and [`decapsulate`] serve
//! those who look into packets themselves.

mod block;
mod decoder;
mod encoder;
mod forwarder;
mod timeline;

pub use block::{Blocks, RedBlock, blocks, decapsulate, encapsulate};
pub use decoder::{RedDecoder, RedDecoderConfig, RedDecoderStats};
pub use encoder::{MAX_DISTANCE, RedEncoder, RedEncoderConfig, RedEncoderStats};
pub use forwarder::{RedForwarder, RedForwarderConfig, RedForwarderStats};

/// Most redundant blocks in one packet. RFC 2198 sets no limit; this one, with the primary, makes 32, as many as common
/// receivers accept.
pub const MAX_COPIES: usize = 31;
/// Most bytes in a redundant block: its length has 10 bits (RFC 2198 §3).
pub const MAX_BLOCK_LEN: usize = 1_023;
/// Most ticks a redundant block can lie before the primary: the offset has 14 bits (RFC 2198 §3).
pub const MAX_OFFSET: u16 = 16_383;
