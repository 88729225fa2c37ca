//! proptest strategies over the vocabulary: what a property test of a mechanism is fed.
//!
//! All shrink towards the ordinary: no extensions, numbers that do not wrap, a network without faults.
//!
//! ```
//! use proptest::prelude::*;
//! use rtc_core::RtpPacket;
//! use rtc_core::testkit::strategies;
//!
//! proptest!(|(packet in strategies::rtp_packet())| {
//!     prop_assert_eq!(RtpPacket::parse(packet.as_bytes().clone()), Ok(packet));
//! });
//! ```

mod audio;
mod feedback;
mod network;
mod rtp;

pub use audio::{audio, audio_format, wild_audio};
pub use feedback::packet_results;
pub use network::{arrivals, netem};
pub use rtp::{rtp_packet, rtp_stream, rtp_time, seq_num};
