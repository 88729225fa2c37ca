use rtc_core::ConfigError;

use super::MAX_DATAGRAM;

/// Settings of a [`UdpIo`](super::UdpIo).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct UdpConfig {
    /// Whether datagrams of a size for one address leave in one system call where the kernel can. Default true.
    pub gso: bool,
    /// The most datagrams in one system call. Default 64, the most any kernel takes; fewer for a path whose queues do not
    /// like bursts and where no pacer spaces them.
    pub max_segments: usize,
    /// The largest datagram, in bytes, that may share a system call: one larger than the interface carries has the kernel
    /// refuse them all. Default 1452: what fits 1500 bytes of Ethernet over IPv6.
    pub max_segment_size: usize,
    /// The most bytes that wait to be sent. Beyond it datagrams are dropped and counted. Default 256 kB: 40 ms at 50 Mb/s;
    /// what waits longer in a socket is better dropped by its pacer.
    pub max_queue: usize,
    /// The largest datagram to receive, in bytes; larger ones are dropped and counted. Default 2048.
    pub max_datagram: usize,
    /// What to ask the kernel for as the socket's buffers, in bytes; it may grant less. Default 1 MB each: a stall of the
    /// program of 80 ms at 100 Mb/s.
    pub socket_buffer: usize,
}

impl Default for UdpConfig {
    fn default() -> Self {
        Self {
            gso: true,
            max_segments: 64,
            max_segment_size: 1_452,
            max_queue: 256 << 10,
            max_datagram: 2_048,
            socket_buffer: 1 << 20,
        }
    }
}

impl UdpConfig {
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        if !(1..=64).contains(&self.max_segments) {
            return Err(ConfigError::new("max_segments", "must be from 1 to 64"));
        }
        if !(1..=MAX_DATAGRAM).contains(&self.max_segment_size) {
            return Err(ConfigError::new("max_segment_size", "must be from 1 to 65507"));
        }
        if !(MAX_DATAGRAM..=1 << 30).contains(&self.max_queue) {
            return Err(ConfigError::new("max_queue", "must be from 65507 bytes to 1 GB"));
        }
        if !(1..=MAX_DATAGRAM).contains(&self.max_datagram) {
            return Err(ConfigError::new("max_datagram", "must be from 1 to 65507"));
        }
        Ok(())
    }
}
