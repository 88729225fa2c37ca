//! Recordings of traffic, read and written: pcap as of tcpdump and Wireshark, and rtpdump as of the RTP tools (feature
//! `capture`).
//!
//! Readers walk bytes that are in memory, copy nothing and trust nothing; writers write to any [`Write`](std::io::Write).
//! Times are those of the recording: since the Unix epoch, 1 January 1970.
//!
//! ```
//! use rtc_core::bwe::Ecn;
//! use rtc_core::time::Instant;
//! use rtc_transport::capture::{LinkType, PcapReader, PcapWriter, RtpDumpReader, RtpDumpWriter};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let (alice, bob) = ("192.0.2.1:5004".parse()?, "192.0.2.2:6004".parse()?);
//! let at = Instant::from_millis(1_795_000_000_123);
//! let packet = [0x80, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 9, 0xff];
//!
//! let mut pcap = PcapWriter::new(Vec::new(), LinkType::RawIp)?;
//! pcap.write_udp(at, alice, bob, Ecn::NotEct, &packet)?;
//! let file = pcap.into_inner();
//!
//! let mut dump = RtpDumpWriter::new(Vec::new(), at, bob)?;
//! for frame in PcapReader::new(&file)? {
//!     let frame = frame?;
//!     let datagram = frame.udp()?;
//!     assert_eq!((frame.at, datagram.from, datagram.to), (at, alice, bob));
//!     dump.write(frame.at, datagram.payload)?;
//! }
//!
//! let dump = dump.into_inner();
//! let read: Result<Vec<_>, _> = RtpDumpReader::new(&dump)?.collect();
//! assert_eq!(read?[0].bytes, packet);
//! # Ok(())
//! # }
//! ```

mod internet;
mod link;
mod pcap;
mod rtpdump;
#[cfg(test)]
mod tests;

pub use internet::{NotUdp, UdpView};
pub use link::LinkType;
pub use pcap::{Frame, PcapReader, PcapWriter};
pub use rtpdump::{RtpDumpPacket, RtpDumpReader, RtpDumpWriter};

/// The first `N` bytes of `rest`, which is left with the others.
fn take<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (taken, others) = rest.split_first_chunk()?;
    *rest = others;
    Some(*taken)
}
