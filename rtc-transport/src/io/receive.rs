use core::net::SocketAddr;
use std::io::{self, ErrorKind, IoSliceMut};
use std::sync::Arc;

use quinn_udp::{EcnCodepoint, RecvMeta};
use rtc_core::bwe::Ecn;
use rtc_core::time::Instant;
use tokio::io::Interest;

use super::pool::Pool;
use super::udp::Shared;
use super::{Clock, Datagram};

/// Buffers filled in one system call. Each holds up to 64 datagrams of one sender.
const SLOTS: usize = 8;
/// The most the kernel puts together in one buffer.
const MAX_RUN: usize = 65_535;

/// The half of a [`UdpIo`](super::UdpIo) that receives.
#[derive(Debug)]
pub struct UdpReceiver {
    shared: Arc<Shared>,
    clock: Clock,
    max_datagram: usize,
    /// What the kernel filled, a slot after another.
    buffer: Box<[u8]>,
    slots: [RecvMeta; SLOTS],
    /// Slots filled, and of them the one to read next, and where.
    filled: usize,
    slot: usize,
    offset: usize,
    /// When the datagrams of the slot arrived.
    at: Instant,
    pool: Pool,
    stats: ReceiveStats,
}

/// What a [`UdpReceiver`] did. Datagrams that arrived = `received` + `too_large`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct ReceiveStats {
    /// Datagrams handed out.
    pub received: u64,
    /// Their bytes.
    pub bytes: u64,
    /// System calls that brought them: fewer than datagrams where they arrive together.
    pub batches: u64,
    /// Datagrams larger than [`UdpConfig::max_datagram`](super::UdpConfig::max_datagram), dropped.
    pub too_large: u64,
    /// What the network told of earlier datagrams: nobody listens at their address, no route leads there.
    pub errors: u64,
    /// The last of it.
    pub last_error: Option<ErrorKind>,
}

impl UdpReceiver {
    pub(super) fn new(shared: Arc<Shared>, clock: Clock, max_datagram: usize) -> Self {
        // A byte more shows what is too large.
        let slot = if shared.state.gro_segments() > 1 { MAX_RUN } else { max_datagram + 1 };
        Self {
            clock,
            max_datagram,
            buffer: vec![0; SLOTS * slot].into(),
            slots: [RecvMeta::default(); SLOTS],
            filled: 0,
            slot: 0,
            offset: 0,
            at: Instant::ZERO,
            pool: Pool::default(),
            stats: ReceiveStats::default(),
            shared,
        }
    }

    /// The next datagram, if there is one already.
    ///
    /// # Errors
    /// If the socket cannot be used any more.
    pub fn try_recv(&mut self) -> io::Result<Option<Datagram>> {
        loop {
            if let Some(datagram) = self.next_filled() {
                return Ok(Some(datagram));
            }
            match self.fill() {
                Ok(()) => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(None),
                Err(error) if is_passing(error.kind()) => {
                    self.stats.errors += 1;
                    self.stats.last_error = Some(error.kind());
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Waits for the next datagram. Dropped half way, nothing is lost.
    ///
    /// # Errors
    /// If the socket cannot be used any more. What a network does to it, such as to be unreachable, is counted instead.
    pub async fn recv(&mut self) -> io::Result<Datagram> {
        loop {
            if let Some(datagram) = self.try_recv()? {
                return Ok(datagram);
            }
            self.shared.socket.readable().await?;
        }
    }

    /// Counters since the beginning.
    #[must_use]
    pub fn stats(&self) -> ReceiveStats {
        self.stats
    }

    /// Asks the kernel for more.
    fn fill(&mut self) -> io::Result<()> {
        let Shared { socket, state, .. } = &*self.shared;
        let mut chunks = self.buffer.chunks_exact_mut(self.buffer.len() / SLOTS);
        let mut slices: [IoSliceMut<'_>; SLOTS] =
            core::array::from_fn(|_| IoSliceMut::new(chunks.next().unwrap_or_default()));
        (self.filled, self.slot, self.offset) = (0, 0, 0);
        self.filled = socket.try_io(Interest::READABLE, || state.recv(socket.into(), &mut slices, &mut self.slots))?;
        self.stats.batches += 1;
        self.stamp();
        Ok(())
    }

    /// The next datagram of what the kernel filled.
    fn next_filled(&mut self) -> Option<Datagram> {
        while self.slot < self.filled {
            let meta = self.slots[self.slot];
            // An empty datagram has one part, too.
            if self.offset >= meta.len.max(1) {
                self.slot += 1;
                self.offset = 0;
                self.stamp();
                continue;
            }
            let start = self.slot * (self.buffer.len() / SLOTS) + self.offset;
            let len = meta.stride.min(meta.len - self.offset);
            self.offset += meta.stride.max(1);
            if len > self.max_datagram {
                self.stats.too_large += 1;
                continue;
            }
            self.stats.received += 1;
            self.stats.bytes += len as u64;
            return Some(Datagram {
                from: plain(meta.addr),
                ecn: mark(meta.ecn),
                at: self.at,
                data: self.pool.copy(&self.buffer[start..start + len]),
            });
        }
        None
    }

    /// Sets the time of the current slot.
    fn stamp(&mut self) {
        if self.slot < self.filled {
            let now = self.clock.now();
            let age = self.slots[self.slot].timestamp.map(Clock::age).unwrap_or_default();
            self.at = self.at.max(now - age);
        }
    }
}

/// An IPv4 address as such, also where the socket is of IPv6.
fn plain(addr: SocketAddr) -> SocketAddr {
    match addr {
        SocketAddr::V6(v6) => match v6.ip().to_ipv4_mapped() {
            Some(ip) => SocketAddr::new(ip.into(), v6.port()),
            None => addr,
        },
        SocketAddr::V4(_) => addr,
    }
}

fn mark(ecn: Option<EcnCodepoint>) -> Ecn {
    match ecn {
        None => Ecn::NotEct,
        Some(EcnCodepoint::Ect1) => Ecn::Ect1,
        Some(EcnCodepoint::Ect0) => Ecn::Ect0,
        Some(EcnCodepoint::Ce) => Ecn::Ce,
    }
}

/// Failures after which the socket still receives.
fn is_passing(kind: ErrorKind) -> bool {
    use ErrorKind::{
        AddrNotAvailable, ConnectionRefused, ConnectionReset, HostUnreachable, Interrupted, NetworkDown,
        NetworkUnreachable,
    };
    matches!(
        kind,
        Interrupted
            | ConnectionRefused
            | ConnectionReset
            | HostUnreachable
            | NetworkUnreachable
            | NetworkDown
            | AddrNotAvailable
    )
}
