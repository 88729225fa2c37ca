use core::mem;
use core::net::SocketAddr;
use std::io::{self, ErrorKind};
use std::sync::Arc;

use quinn_udp::{EcnCodepoint, Transmit};
use rtc_core::bwe::Ecn;
use tokio::io::Interest;
use tokio::net::UdpSocket;

use super::udp::Shared;

/// What a sender has of the socket: a run of datagrams leaves in one system call, with as little said beside it as can be.
///
/// The size of its parts and its mark may be told in a control message. Where the socket itself is set to that size
/// (`UDP_SEGMENT`), and there is no mark, the kernel has nothing to copy, to check and to allocate memory for but the run.
#[derive(Debug)]
pub(super) struct Outlet {
    shared: Arc<Shared>,
    /// Into parts of how many bytes the socket cuts what is longer; 0 for never.
    parts: usize,
    /// That of the last run which was of another size.
    other: usize,
}

impl Outlet {
    pub(super) const fn new(shared: Arc<Shared>) -> Self {
        Self { shared, parts: 0, other: 0 }
    }

    /// Sends `contents` as one datagram, or in parts of `segment` bytes of which the last may be shorter.
    pub(super) fn send(&mut self, to: SocketAddr, ecn: Ecn, contents: &[u8], segment: Option<usize>) -> io::Result<()> {
        if self.needs_no_word(ecn, contents.len(), segment) {
            match self.shared.socket.try_send_to(contents, to) {
                Ok(_) => return Ok(()),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Err(error),
                // Perhaps it was the socket's setting that did not please. The other way finds out what the kernel takes.
                Err(_) => self.set_parts(0),
            }
        }
        let Shared { socket, state, .. } = &*self.shared;
        let transmit = Transmit { destination: to, ecn: codepoint(ecn), contents, segment_size: segment, src_ip: None };
        socket.try_io(Interest::WRITABLE, || state.try_send(socket.into(), &transmit))
    }

    pub(super) async fn writable(&self) -> io::Result<()> {
        self.shared.socket.writable().await
    }

    /// How many datagrams the kernel takes in a run.
    pub(super) fn max_segments(&self) -> usize {
        self.shared.state.max_gso_segments()
    }

    /// `to` as this socket understands it. What no socket understands is not tried: the kernel's answer would be the one that
    /// stands for "no batches, no marks".
    pub(super) fn reachable(&self, to: SocketAddr) -> Option<SocketAddr> {
        match to {
            _ if to.port() == 0 => None,
            SocketAddr::V4(v4) if !self.shared.ipv4 => Some((v4.ip().to_ipv6_mapped(), v4.port()).into()),
            SocketAddr::V6(_) if self.shared.ipv4 => None,
            _ => Some(to),
        }
    }

    /// Whether the socket is set to what is to be sent, and sets it to a size that comes twice in a row: a setting costs about
    /// what it saves a run, and a frame has many receivers.
    fn needs_no_word(&mut self, ecn: Ecn, len: usize, segment: Option<usize>) -> bool {
        match segment {
            // It is to arrive whole.
            None if self.parts > 0 && len > self.parts => self.set_parts(0),
            Some(size) if size != self.parts && ecn == Ecn::NotEct && mem::replace(&mut self.other, size) == size => {
                self.set_parts(size);
            }
            _ => {}
        }
        CAN_BE_SET && ecn == Ecn::NotEct && segment.is_none_or(|size| size == self.parts)
    }

    fn set_parts(&mut self, size: usize) {
        if self.parts != size && set_segment_size(&self.shared.socket, size) {
            self.parts = size;
        }
        self.other = 0;
    }
}

/// Whether a socket can be set to a size, and is without marks of its own ([`UdpIo::from_std`](super::UdpIo::from_std)).
const CAN_BE_SET: bool = cfg!(any(target_os = "linux", target_os = "android"));

/// Has the socket cut what is longer into parts of `size` bytes, or nothing if that is 0; whether it does.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn set_segment_size(socket: &UdpSocket, size: usize) -> bool {
    use nix::sys::socket::{setsockopt, sockopt::UdpGsoSegment};

    i32::try_from(size).is_ok_and(|size| setsockopt(socket, UdpGsoSegment, &size).is_ok())
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn set_segment_size(_: &UdpSocket, _: usize) -> bool {
    false
}

fn codepoint(ecn: Ecn) -> Option<EcnCodepoint> {
    match ecn {
        Ecn::NotEct => None,
        Ecn::Ect1 => Some(EcnCodepoint::Ect1),
        Ecn::Ect0 => Some(EcnCodepoint::Ect0),
        Ecn::Ce => Some(EcnCodepoint::Ce),
    }
}
