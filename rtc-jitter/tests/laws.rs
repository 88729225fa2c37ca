//! The laws of the jitter-buffer role.

use rtc_core::RtpPacket;
use rtc_core::testkit::laws::{Stream, jitter_buffer};
use rtc_jitter::{AudioJitterBuffer, JitterConfig};

#[test]
fn the_packet_buffer_keeps_the_laws_of_its_role() {
    jitter_buffer(|| AudioJitterBuffer::new(JitterConfig::default()).unwrap(), &Stream::audio(), RtpPacket::timestamp);
}
