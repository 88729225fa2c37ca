//! Sliding-window random linear code over GF(256), after RFC 8681: repair packets are random sums of the packets sent last, and
//! any of them brings back any of those lost, as long as there are as many as are lost.
//!
//! [`RlcEncoder`] keeps the packets sent last. It makes repair packets at a rate of its own, as
//! [`FecEncoder`](rtc_core::fec::FecEncoder), or when asked to, over all of them ([`RlcEncoder::repair`]) or over those that are
//! known to be missing ([`RlcEncoder::repair_over`]). [`RlcDecoder`] solves for what is lost with every repair packet that
//! arrives; it takes those of [`cauchy`](crate::cauchy) as well, also in one stream.
//!
//! The wire format is of this crate (RFC 8681 has its own for FECFRAME, without RTP); coefficients, field and density are those
//! of the RFC. Repair packets go in a stream of their own payload type, and SSRC if one wants.

mod coefficients;
mod decoder;
mod encoder;
mod tinymt;

pub use crate::parity::Outlook;
use coefficients::DENSE;
pub(crate) use coefficients::fill as coefficients;
pub use decoder::{RlcDecoder, RlcDecoderConfig, RlcDecoderStats};
pub use encoder::{RlcEncoder, RlcEncoderConfig, RlcEncoderStats};

/// Most packets one repair packet covers.
pub const MAX_WINDOW: usize = crate::linear::MAX_SOURCES;
