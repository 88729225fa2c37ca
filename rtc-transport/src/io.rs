//! Datagrams over real sockets, for programs that run on tokio (feature `udp`).
//!
//! [`UdpIo`] is a UDP socket that does what the kernel offers: what leaves together for one address leaves in one system call
//! (GSO), what arrives together is taken in one (GRO), and both ways packets carry their congestion mark (ECN, RFC 3168).
//! Where the kernel offers none of it, it works all the same. Everything else of this crate is sans-IO and knows nothing of
//! this module: the program reads datagrams here, hands them to a [`Session`](crate::session::Session), and sends what comes
//! out.
//!
//! ```
//! use rtc_core::bwe::Ecn;
//! use rtc_transport::io::{Clock, UdpConfig, UdpIo};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let clock = Clock::new();
//! let mut alice = UdpIo::bind("127.0.0.1:0".parse()?, clock, UdpConfig::default())?;
//! let mut bob = UdpIo::bind("127.0.0.1:0".parse()?, clock, UdpConfig::default())?;
//!
//! // Three of a size and a shorter one: one system call where the kernel can.
//! for datagram in [&[1; 1_200][..], &[2; 1_200], &[3; 1_200], &[4; 700]] {
//!     alice.send(bob.local_addr(), Ecn::Ect1, datagram);
//! }
//! alice.flush().await?;
//!
//! for number in 1..=4 {
//!     let datagram = bob.recv().await?;
//!     assert_eq!((datagram.from, datagram.data[0]), (alice.local_addr(), number));
//!     assert!(datagram.at <= clock.now());
//! }
//! # Ok(())
//! # }
//! ```
//!
//! An event loop waits for a datagram or the next deadline with `tokio::select!`; [`UdpIo::recv`] and [`UdpIo::flush`] may be
//! dropped half way without losing anything.
//!
//! With feature `conn`, [`ConnIo`] does the same over any `Conn` of `webrtc-util`, and [`UdpConn`] offers a [`UdpIo`] as one.

use core::net::SocketAddr;

use bytes::BytesMut;
use rtc_core::bwe::Ecn;
use rtc_core::time::Instant;

mod clock;
mod config;
#[cfg(feature = "conn")]
mod conn;
mod outlet;
mod pool;
mod receive;
mod send;
#[cfg(test)]
mod tests;
mod udp;

pub use clock::Clock;
pub use config::UdpConfig;
#[cfg(feature = "conn")]
pub use conn::{ConnIo, ConnStats, UdpConn};
pub use receive::{ReceiveStats, UdpReceiver};
pub use send::{SendStats, UdpSender};
pub use udp::UdpIo;

/// The largest payload of a UDP datagram over IPv4.
const MAX_DATAGRAM: usize = 65_507;

/// A datagram that arrived.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Datagram {
    /// Who sent it.
    pub from: SocketAddr,
    /// The congestion mark it arrived with.
    pub ecn: Ecn,
    /// When the kernel took it from the network, or, where the system does not tell, when it was read. Never earlier than
    /// that of the datagram before.
    pub at: Instant,
    /// What it carried: to decrypt in place, or to `freeze`.
    pub data: BytesMut,
}
