//! Opus (RFC 7587): a packet of the codec is a payload, so there is nothing to cut; what a sender must know is here.

use rtc_core::Frequency;

/// The RTP clock, whatever the codec's rate (§4.1).
pub const CLOCK: Frequency = Frequency::KHZ_48;

/// Channels in the SDP, whatever the codec's number of them (§7).
pub const CHANNELS: u8 = 2;

/// Whether a packet is sent at all: not those of one or two bytes, which the codec makes while nobody speaks (§3.1.3, RFC 6716
/// §3.2.1: a frame of length 0 is none). The timestamp goes on, by whole frames.
#[must_use]
pub const fn is_sent(packet: &[u8]) -> bool {
    packet.len() > 2
}

/// The marker bit of a packet that is sent, after `packet_before` was sent or not: set where speech begins (RFC 3551 §4.1).
#[must_use]
pub const fn marker(was_packet_before_sent: bool) -> bool {
    !was_packet_before_sent
}
