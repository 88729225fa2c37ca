use core::any::Any;
use core::fmt;
use core::net::SocketAddr;
use core::sync::atomic::{AtomicBool, Ordering};
use std::collections::VecDeque;
use std::io::{self, ErrorKind};
use std::sync::{Arc, PoisonError, RwLock};

use async_trait::async_trait;
use bytes::Bytes;
use rtc_core::bwe::Ecn;
use rtc_core::time::Instant;
use tokio::sync::{Mutex, Notify};
use webrtc_util::conn::Conn;
use webrtc_util::{Error, Result};

use super::pool::Pool;
use super::{Clock, Datagram, UdpIo, UdpReceiver, UdpSender};

/// Datagrams that may wait to be sent.
const MAX_QUEUE: usize = 1_024;
/// No datagram is larger, so that none is cut off without a word.
const BUFFER: usize = 65_535;

/// Datagrams over any `Conn` of `webrtc-util`: a socket, a virtual network, a relay. Used as a [`UdpIo`].
///
/// A `Conn` knows no congestion marks, no batches and no times of arrival: all are sent and received as
/// [`Ecn::NotEct`], one by one, and arrive when they are read.
pub struct ConnIo {
    conn: Arc<dyn Conn + Send + Sync>,
    clock: Clock,
    waiting: VecDeque<(SocketAddr, Bytes)>,
    buffer: Box<[u8]>,
    pool: Pool,
    stats: ConnStats,
}

/// What a [`ConnIo`] did. Datagrams offered = `sent` + `overflowed` + `failed` + those that wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct ConnStats {
    /// Datagrams the `Conn` took.
    pub sent: u64,
    /// Datagrams dropped as 1024 waited.
    pub overflowed: u64,
    /// Datagrams the `Conn` refused.
    pub failed: u64,
    /// Datagrams handed out.
    pub received: u64,
    /// The last reason for which a datagram was refused.
    pub last_error: Option<ErrorKind>,
}

impl ConnIo {
    /// Datagrams over `conn`, with the time by `clock`.
    #[must_use]
    pub fn new(conn: Arc<dyn Conn + Send + Sync>, clock: Clock) -> Self {
        Self {
            conn,
            clock,
            waiting: VecDeque::new(),
            buffer: vec![0; BUFFER].into(),
            pool: Pool::default(),
            stats: ConnStats::default(),
        }
    }

    /// Queues a datagram for `to`; `false` if it was dropped, as too many wait. The congestion mark is lost on the way.
    pub fn send(&mut self, to: SocketAddr, _: Ecn, datagram: &[u8]) -> bool {
        if self.waiting.len() >= MAX_QUEUE {
            self.stats.overflowed += 1;
            return false;
        }
        self.waiting.push_back((to, Bytes::copy_from_slice(datagram)));
        true
    }

    /// Sends what is queued. Dropped half way, at most one datagram is lost.
    ///
    /// # Errors
    /// None today: what the `Conn` refuses is counted.
    pub async fn flush(&mut self) -> io::Result<()> {
        while let Some((to, datagram)) = self.waiting.pop_front() {
            // Some that are connected can do nothing else.
            let sent = if self.conn.remote_addr() == Some(to) {
                self.conn.send(&datagram).await
            } else {
                self.conn.send_to(&datagram, to).await
            };
            match sent {
                Ok(_) => self.stats.sent += 1,
                Err(error) => {
                    self.stats.failed += 1;
                    self.stats.last_error = Some(to_io(error).kind());
                }
            }
        }
        Ok(())
    }

    /// Waits for the next datagram. Whether one is lost if this is dropped half way is the `Conn`'s.
    ///
    /// # Errors
    /// What the `Conn` says, such as that it is closed.
    pub async fn recv(&mut self) -> io::Result<Datagram> {
        let received = match self.conn.remote_addr() {
            Some(from) => self.conn.recv(&mut self.buffer).await.map(|len| (len, from)),
            None => self.conn.recv_from(&mut self.buffer).await,
        };
        let (len, from) = received.map_err(to_io)?;
        self.stats.received += 1;
        let data = self.pool.copy(&self.buffer[..len.min(BUFFER)]);
        Ok(Datagram { from, ecn: Ecn::NotEct, at: self.clock.now(), data })
    }

    /// The address of this end.
    ///
    /// # Errors
    /// What the `Conn` says if it has none.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.conn.local_addr().map_err(to_io)
    }

    /// The time, as datagrams tell it.
    #[must_use]
    pub fn now(&self) -> Instant {
        self.clock.now()
    }

    /// Counters since the beginning.
    #[must_use]
    pub fn stats(&self) -> ConnStats {
        self.stats
    }
}

impl fmt::Debug for ConnIo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConnIo").field("stats", &self.stats).finish_non_exhaustive()
    }
}

/// A [`UdpIo`] as a `Conn` of `webrtc-util`, for its ICE, DTLS and the like.
///
/// Each datagram leaves at once, by itself and without a mark, as a `Conn` knows neither batches nor marks; but what arrives
/// together is still taken in one system call, and a network that is unreachable does not end it.
#[derive(Debug)]
pub struct UdpConn {
    local: SocketAddr,
    remote: RwLock<Option<SocketAddr>>,
    sender: Mutex<UdpSender>,
    receiver: Mutex<UdpReceiver>,
    closed: AtomicBool,
    closing: Notify,
}

impl UdpConn {
    /// Offers `io` as a `Conn`.
    #[must_use]
    pub fn new(io: UdpIo) -> Self {
        let local = io.local_addr();
        let (sender, receiver) = io.into_split();
        Self {
            local,
            remote: RwLock::new(None),
            sender: Mutex::new(sender),
            receiver: Mutex::new(receiver),
            closed: AtomicBool::new(false),
            closing: Notify::new(),
        }
    }

    /// Waits for a datagram of whoever this is connected to, or of anybody.
    async fn next(&self) -> Result<Datagram> {
        let closing = self.closing.notified();
        if self.closed.load(Ordering::Acquire) {
            return Err(Error::ErrUseClosedNetworkConn);
        }
        let receive = async {
            let mut receiver = self.receiver.lock().await;
            loop {
                let datagram = receiver.recv().await?;
                if self.remote_addr().is_none_or(|remote| remote == datagram.from) {
                    return Ok(datagram);
                }
            }
        };
        tokio::select! {
            () = closing => Err(Error::ErrUseClosedNetworkConn),
            received = receive => received,
        }
    }
}

#[async_trait]
impl Conn for UdpConn {
    async fn connect(&self, addr: SocketAddr) -> Result<()> {
        *self.remote.write().unwrap_or_else(PoisonError::into_inner) = Some(addr);
        Ok(())
    }

    async fn recv(&self, buf: &mut [u8]) -> Result<usize> {
        self.recv_from(buf).await.map(|(len, _)| len)
    }

    async fn recv_from(&self, buf: &mut [u8]) -> Result<(usize, SocketAddr)> {
        let datagram = self.next().await?;
        let room = buf.get_mut(..datagram.data.len()).ok_or(Error::ErrBufferShort)?;
        room.copy_from_slice(&datagram.data);
        Ok((datagram.data.len(), datagram.from))
    }

    async fn send(&self, buf: &[u8]) -> Result<usize> {
        self.send_to(buf, self.remote_addr().ok_or(Error::ErrNoRemAddr)?).await
    }

    async fn send_to(&self, buf: &[u8], target: SocketAddr) -> Result<usize> {
        if self.closed.load(Ordering::Acquire) {
            return Err(Error::ErrUseClosedNetworkConn);
        }
        let mut sender = self.sender.lock().await;
        let before = sender.stats().sent;
        if sender.send(target, Ecn::NotEct, buf) {
            sender.flush().await?;
        }
        let after = sender.stats();
        if after.sent == before {
            let kind = after.last_error.unwrap_or(ErrorKind::InvalidInput);
            return Err(io::Error::new(kind, "the datagram was not sent").into());
        }
        Ok(buf.len())
    }

    fn local_addr(&self) -> Result<SocketAddr> {
        Ok(self.local)
    }

    fn remote_addr(&self) -> Option<SocketAddr> {
        *self.remote.read().unwrap_or_else(PoisonError::into_inner)
    }

    async fn close(&self) -> Result<()> {
        self.closed.store(true, Ordering::Release);
        self.closing.notify_waiters();
        Ok(())
    }

    fn as_any(&self) -> &(dyn Any + Send + Sync) {
        self
    }
}

fn to_io(error: Error) -> io::Error {
    match error {
        Error::Io(error) => error.0,
        other => io::Error::other(other),
    }
}
