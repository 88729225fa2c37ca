use core::net::SocketAddr;
use std::collections::VecDeque;
use std::io::{self, ErrorKind};
use std::sync::Arc;

use rtc_core::bwe::Ecn;

use super::outlet::Outlet;
use super::udp::Shared;
use super::{MAX_DATAGRAM, UdpConfig};

/// The half of a [`UdpIo`](super::UdpIo) that sends.
#[derive(Debug)]
pub struct UdpSender {
    outlet: Outlet,
    config: UdpConfig,
    /// What waits, one datagram after another; its front may have been sent.
    bytes: Vec<u8>,
    runs: VecDeque<Run>,
    stats: SendStats,
}

/// Datagrams that may leave in one system call: of one size, but for the last, which may be shorter.
#[derive(Debug, Clone, Copy)]
struct Run {
    to: SocketAddr,
    ecn: Ecn,
    start: usize,
    len: usize,
    segment: usize,
    count: usize,
}

/// What a [`UdpSender`] did.
///
/// Datagrams offered = `sent` + `overflowed` + `too_large` + `unreachable` + `failed` + those that wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct SendStats {
    /// Datagrams the kernel took.
    pub sent: u64,
    /// Their bytes.
    pub bytes: u64,
    /// System calls that took them: fewer than datagrams where they leave together.
    pub batches: u64,
    /// Datagrams dropped as [`UdpConfig::max_queue`] bytes waited.
    pub overflowed: u64,
    /// Datagrams larger than UDP or the interface carries.
    pub too_large: u64,
    /// Datagrams lost as no network led to their address: a cable pulled, an interface changed. It may come back.
    pub unreachable: u64,
    /// Datagrams the kernel refused for any other reason.
    pub failed: u64,
    /// The last reason for which a datagram was refused.
    pub last_error: Option<ErrorKind>,
}

impl UdpSender {
    pub(super) fn new(shared: Arc<Shared>, config: UdpConfig) -> Self {
        Self {
            outlet: Outlet::new(shared),
            bytes: Vec::with_capacity(config.max_queue),
            runs: VecDeque::new(),
            stats: SendStats::default(),
            config,
        }
    }

    /// Queues a datagram for `to` with congestion mark `ecn`, and sends nothing yet: what is queued together leaves together.
    ///
    /// `false` if it was dropped, as too much waits or it is larger than any datagram; counters tell.
    pub fn send(&mut self, to: SocketAddr, ecn: Ecn, datagram: &[u8]) -> bool {
        if datagram.len() > MAX_DATAGRAM {
            self.stats.too_large += 1;
            return false;
        }
        let Some(to) = self.outlet.reachable(to) else {
            self.stats.failed += 1;
            self.stats.last_error = Some(ErrorKind::InvalidInput);
            return false;
        };
        if self.bytes.len() + datagram.len() > self.config.max_queue && !self.make_room(datagram.len()) {
            self.stats.overflowed += 1;
            return false;
        }
        let (start, len) = (self.bytes.len(), datagram.len());
        self.bytes.extend_from_slice(datagram);
        let most = self.max_segments();
        match self.runs.back_mut().filter(|run| run.takes(to, ecn, len, most)) {
            Some(run) => {
                run.len += len;
                run.count += 1;
            }
            None => {
                // Too large to share, it is full from the start.
                let segment = if len <= self.config.max_segment_size { len } else { 0 };
                self.runs.push_back(Run { to, ecn, start, len, segment, count: 1 });
            }
        }
        true
    }

    /// Sends datagrams that stand one after the other in `contents`, each of `segment` bytes but for the last, which may be
    /// shorter: what [`Egress::poll_transmit`](crate::fanout::Egress::poll_transmit) writes. If nothing waits they leave now,
    /// from where they are; else, and if the socket takes no more, they are queued as [`send`](Self::send) does.
    ///
    /// `false` if some were dropped; counters tell.
    pub fn send_segments(&mut self, to: SocketAddr, ecn: Ecn, contents: &[u8], segment: usize) -> bool {
        let segment = segment.clamp(1, MAX_DATAGRAM);
        let most = if segment <= self.config.max_segment_size { self.max_segments() } else { 1 };
        let run = segment * most.min(MAX_DATAGRAM / segment);
        let mut all = true;
        for run in contents.chunks(run) {
            if !self.send_now(to, ecn, run, segment) {
                for datagram in run.chunks(segment) {
                    all &= self.send(to, ecn, datagram);
                }
            }
        }
        all
    }

    /// Sends a run of datagrams past the queue; false if that was not possible now.
    fn send_now(&mut self, to: SocketAddr, ecn: Ecn, contents: &[u8], segment: usize) -> bool {
        if !self.runs.is_empty() && !self.try_flush() {
            return false;
        }
        let Some(to) = self.outlet.reachable(to) else { return false };
        let count = contents.len().div_ceil(segment);
        // Whatever is wrong, the queue will meet it again, and count it.
        if self.outlet.send(to, ecn, contents, (count > 1).then_some(segment)).is_err() {
            return false;
        }
        self.stats.sent += count as u64;
        self.stats.bytes += contents.len() as u64;
        self.stats.batches += 1;
        true
    }

    /// Sends what is queued as far as the socket takes it; whether that was all.
    pub fn try_flush(&mut self) -> bool {
        while let Some(run) = self.runs.front().copied() {
            let contents = &self.bytes[run.start..run.start + run.len];
            match self.outlet.send(run.to, run.ecn, contents, (run.count > 1).then_some(run.segment)) {
                Ok(()) => {
                    self.stats.sent += run.count as u64;
                    self.stats.bytes += run.len as u64;
                    self.stats.batches += 1;
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return false,
                Err(error) if run.count > 1 && !is_outage(error.kind()) => {
                    // Perhaps it was only the batch that did not please: each has another chance by itself.
                    self.runs.pop_front();
                    self.split(&run);
                    continue;
                }
                Err(error) => self.count(&run, &error),
            }
            self.runs.pop_front();
        }
        self.bytes.clear();
        true
    }

    /// Sends what is queued, waiting for the socket where it must. Dropped half way, nothing is lost or sent twice.
    ///
    /// # Errors
    /// If the runtime is shutting down.
    pub async fn flush(&mut self) -> io::Result<()> {
        while !self.try_flush() {
            self.outlet.writable().await?;
        }
        Ok(())
    }

    /// How many datagrams may share a system call now: one where the kernel cannot, or once it refused.
    #[must_use]
    pub fn max_segments(&self) -> usize {
        if self.config.gso { self.outlet.max_segments().min(self.config.max_segments) } else { 1 }
    }

    /// Datagrams that wait.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.runs.iter().map(|run| run.count).sum()
    }

    /// Counters since the beginning.
    #[must_use]
    pub fn stats(&self) -> SendStats {
        self.stats
    }

    /// Sends what can be, and forgets what was.
    fn make_room(&mut self, len: usize) -> bool {
        if !self.try_flush() {
            let sent = self.runs.front().map_or(self.bytes.len(), |run| run.start);
            self.bytes.drain(..sent);
            for run in &mut self.runs {
                run.start -= sent;
            }
        }
        self.bytes.len() + len <= self.config.max_queue
    }

    /// Puts the datagrams of `run` in front, one by one.
    fn split(&mut self, run: &Run) {
        for number in (0..run.count).rev() {
            let start = number * run.segment;
            let len = run.segment.min(run.len - start);
            self.runs.push_front(Run { start: run.start + start, len, segment: 0, count: 1, ..*run });
        }
    }

    fn count(&mut self, run: &Run, error: &io::Error) {
        let counter = if is_outage(error.kind()) {
            &mut self.stats.unreachable
        } else if quinn_udp::is_msg_size_err(error) {
            &mut self.stats.too_large
        } else {
            &mut self.stats.failed
        };
        *counter += run.count as u64;
        self.stats.last_error = Some(error.kind());
    }
}

impl Run {
    /// Whether a datagram of `len` bytes may be the next.
    fn takes(&self, to: SocketAddr, ecn: Ecn, len: usize, most: usize) -> bool {
        self.to == to
            && self.ecn == ecn
            && self.count < most
            && (1..=self.segment).contains(&len)
            && self.len == self.count * self.segment
            && self.len + len <= MAX_DATAGRAM
    }
}

/// Failures of the network on this side.
fn is_outage(kind: ErrorKind) -> bool {
    use ErrorKind::{AddrNotAvailable, HostUnreachable, NetworkDown, NetworkUnreachable};
    matches!(kind, NetworkUnreachable | HostUnreachable | NetworkDown | AddrNotAvailable)
}
