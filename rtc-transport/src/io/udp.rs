use core::net::SocketAddr;
use std::io;
use std::sync::Arc;

use quinn_udp::UdpSocketState;
use rtc_core::bwe::Ecn;
use rtc_core::time::Instant;
use tokio::net::UdpSocket;

use super::{Clock, Datagram, ReceiveStats, SendStats, UdpConfig, UdpReceiver, UdpSender};

/// A UDP socket with batches, congestion marks and times of arrival; see the [module](super).
#[derive(Debug)]
pub struct UdpIo {
    clock: Clock,
    local: SocketAddr,
    sender: UdpSender,
    receiver: UdpReceiver,
}

/// What both halves have in common.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) socket: UdpSocket,
    pub(super) state: UdpSocketState,
    pub(super) ipv4: bool,
}

impl UdpIo {
    /// A socket bound to `addr`, which tells the time by `clock`. To be called where a tokio runtime runs.
    ///
    /// # Errors
    /// What the system says if the address cannot be used, or [`InvalidInput`](io::ErrorKind::InvalidInput) if a setting
    /// cannot.
    pub fn bind(addr: SocketAddr, clock: Clock, config: UdpConfig) -> io::Result<Self> {
        Self::from_std(std::net::UdpSocket::bind(addr)?, clock, config)
    }

    /// Takes over a socket that is bound.
    ///
    /// # Errors
    /// As for [`bind`](Self::bind).
    pub fn from_std(socket: std::net::UdpSocket, clock: Clock, config: UdpConfig) -> io::Result<Self> {
        config.check().map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))?;
        let local = socket.local_addr()?;
        let state = UdpSocketState::new((&socket).into())?;
        keep_marks(&socket);
        leave_unmarked(&socket);
        // Whatever the kernel grants will do.
        let _ = state.set_send_buffer_size((&socket).into(), config.socket_buffer);
        let _ = state.set_recv_buffer_size((&socket).into(), config.socket_buffer);
        let shared = Arc::new(Shared { socket: UdpSocket::from_std(socket)?, state, ipv4: local.is_ipv4() });
        let receiver = UdpReceiver::new(Arc::clone(&shared), clock, config.max_datagram);
        Ok(Self { clock, local, sender: UdpSender::new(shared, config), receiver })
    }

    /// Queues a datagram for `to`; see [`UdpSender::send`].
    pub fn send(&mut self, to: SocketAddr, ecn: Ecn, datagram: &[u8]) -> bool {
        self.sender.send(to, ecn, datagram)
    }

    /// Sends datagrams of one size that stand one after the other; see [`UdpSender::send_segments`].
    pub fn send_segments(&mut self, to: SocketAddr, ecn: Ecn, contents: &[u8], segment: usize) -> bool {
        self.sender.send_segments(to, ecn, contents, segment)
    }

    /// Sends what is queued as far as the socket takes it; whether that was all.
    pub fn try_flush(&mut self) -> bool {
        self.sender.try_flush()
    }

    /// Sends what is queued.
    ///
    /// # Errors
    /// If the runtime is shutting down.
    pub async fn flush(&mut self) -> io::Result<()> {
        self.sender.flush().await
    }

    /// The next datagram, if there is one already.
    ///
    /// # Errors
    /// As for [`recv`](Self::recv).
    pub fn try_recv(&mut self) -> io::Result<Option<Datagram>> {
        self.receiver.try_recv()
    }

    /// Waits for the next datagram.
    ///
    /// # Errors
    /// If the socket cannot be used any more. What a network does to it, such as to be unreachable, is counted instead.
    pub async fn recv(&mut self) -> io::Result<Datagram> {
        self.receiver.recv().await
    }

    /// Two halves that can be used at the same time.
    #[must_use]
    pub fn into_split(self) -> (UdpSender, UdpReceiver) {
        (self.sender, self.receiver)
    }

    /// The address of this socket.
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.local
    }

    /// The time, as datagrams tell it.
    #[must_use]
    pub fn now(&self) -> Instant {
        self.clock.now()
    }

    /// What was sent since the beginning.
    #[must_use]
    pub fn send_stats(&self) -> SendStats {
        self.sender.stats()
    }

    /// What was received since the beginning.
    #[must_use]
    pub fn receive_stats(&self) -> ReceiveStats {
        self.receiver.stats()
    }
}

/// Has the kernel leave out the address a datagram was sent to, which nobody asks for here. In quinn-udp 0.6.3 it would take the
/// room of the congestion mark: the time of arrival, the address, the size of the parts of a batch and the mark are 112 bytes,
/// of which it has the kernel write 96, the mark last.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn keep_marks(socket: &std::net::UdpSocket) {
    use nix::sys::socket::{setsockopt, sockopt};

    // Only one of them is an option of this socket, or both are.
    let _ = setsockopt(socket, sockopt::Ipv4PacketInfo, &false);
    let _ = setsockopt(socket, sockopt::Ipv6RecvPacketInfo, &false);
}

/// Other systems tell neither the time nor batches.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn keep_marks(_: &std::net::UdpSocket) {}

/// Datagrams sent without a word on their mark have none, whatever the socket was set to before.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn leave_unmarked(socket: &std::net::UdpSocket) {
    use nix::sys::socket::{setsockopt, sockopt};

    let _ = setsockopt(socket, sockopt::Ipv4Tos, &0);
    let _ = setsockopt(socket, sockopt::Ipv6TClass, &0);
}

/// Elsewhere each datagram says what its mark is.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn leave_unmarked(_: &std::net::UdpSocket) {}
