use core::net::{IpAddr, SocketAddr};
use std::io::{self, Write};

use rtc_core::time::Instant;
use rtc_core::{Fault, Malformed};

use super::take;
use crate::rtcp::is_rtcp;

/// What a file begins with.
const MAGIC: &[u8] = b"#!rtpplay1.0 ";
/// The longest first line to expect: an address and a port.
const MAX_LINE: usize = 256;
/// Bytes before each packet.
const HEADER: usize = 8;

/// Reads an rtpdump file, as `rtpdump -F dump` of the RTP tools and Wireshark write it (layout: `rtpdump.h` of the RTP tools): an iterator over its packets, which
/// ends after the first error.
#[derive(Debug, Clone)]
pub struct RtpDumpReader<'a> {
    rest: &'a [u8],
    address: Option<SocketAddr>,
    start: Instant,
}

/// A packet of an rtpdump file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct RtpDumpPacket<'a> {
    /// When it arrived, to the millisecond: since the Unix epoch, or since the recording began if it does not tell when.
    pub at: Instant,
    /// Whether the file says it is RTCP.
    pub rtcp: bool,
    /// Whether the file keeps only its beginning.
    pub truncated: bool,
    /// What of it is kept.
    pub bytes: &'a [u8],
}

impl<'a> RtpDumpReader<'a> {
    /// Reads the header of `file`.
    ///
    /// # Errors
    /// [`Malformed`] if it is no rtpdump file.
    pub fn new(file: &'a [u8]) -> Result<Self, Malformed> {
        let text = file.strip_prefix(MAGIC).ok_or_else(|| malformed(Fault::Type))?;
        let end =
            text.iter().take(MAX_LINE).position(|byte| *byte == b'\n').ok_or_else(|| malformed(Fault::Truncated))?;
        let (line, mut rest) = (&text[..end], &text[end + 1..]);
        let [a, b, c, d, e, f, g, h, ..]: [u8; 16] = take(&mut rest).ok_or_else(|| malformed(Fault::Truncated))?;
        let seconds = u64::from(u32::from_be_bytes([a, b, c, d]));
        let micros = u64::from(u32::from_be_bytes([e, f, g, h]));
        let start = Instant::from_micros(seconds * 1_000_000 + micros);
        Ok(Self { rest, address: address(line), start })
    }

    /// The address the first line tells, if it tells one: in files of `rtpdump` where the packets arrived.
    #[must_use]
    pub fn address(&self) -> Option<SocketAddr> {
        self.address
    }

    /// When the recording began, since the Unix epoch; zero in many files.
    #[must_use]
    pub fn start(&self) -> Instant {
        self.start
    }

    fn packet(&mut self) -> Result<RtpDumpPacket<'a>, Malformed> {
        let truncated = || malformed(Fault::Truncated);
        let [len_high, len_low, original_high, original_low, a, b, c, d] =
            take(&mut self.rest).ok_or_else(truncated)?;
        let len = usize::from(u16::from_be_bytes([len_high, len_low]));
        let original = usize::from(u16::from_be_bytes([original_high, original_low]));
        let kept = len.checked_sub(HEADER).ok_or_else(|| malformed(Fault::Length))?;
        let (bytes, rest) = self.rest.split_at_checked(kept).ok_or_else(truncated)?;
        self.rest = rest;
        let offset = core::time::Duration::from_millis(u32::from_be_bytes([a, b, c, d]).into());
        // RTCP has no length of its own there, and is never cut.
        Ok(RtpDumpPacket { at: self.start + offset, rtcp: original == 0, truncated: original > kept, bytes })
    }
}

impl<'a> Iterator for RtpDumpReader<'a> {
    type Item = Result<RtpDumpPacket<'a>, Malformed>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let packet = self.packet();
        if packet.is_err() {
            self.rest = &[];
        }
        Some(packet)
    }
}

/// Writes an rtpdump file, which `rtpplay` of the RTP tools plays and Wireshark reads.
#[derive(Debug)]
pub struct RtpDumpWriter<W> {
    out: W,
    start: Instant,
}

impl<W: Write> RtpDumpWriter<W> {
    /// Begins a recording of what arrives at `address`, at `start` since the Unix epoch.
    ///
    /// # Errors
    /// What `out` says.
    pub fn new(mut out: W, start: Instant, address: SocketAddr) -> io::Result<Self> {
        let mut header = MAGIC.to_vec();
        header.extend(format!("{}/{}\n", address.ip(), address.port()).into_bytes());
        // The format ends in the year 2106.
        let seconds = u32::try_from(start.as_micros() / 1_000_000).unwrap_or(u32::MAX);
        let micros = u32::try_from(start.as_micros() % 1_000_000).unwrap_or_default();
        header.extend(seconds.to_be_bytes());
        header.extend(micros.to_be_bytes());
        // The binary header has no room for IPv6.
        match address.ip() {
            IpAddr::V4(ip) => header.extend(ip.octets()),
            IpAddr::V6(_) => header.extend([0; 4]),
        }
        header.extend(address.port().to_be_bytes());
        header.extend([0; 2]);
        out.write_all(&header)?;
        Ok(Self { out, start: Instant::from_micros(start.as_micros()) })
    }

    /// Writes a packet of RTP or RTCP that arrived at `at`, which is kept to the millisecond.
    ///
    /// # Errors
    /// What the output says, or [`InvalidInput`](io::ErrorKind::InvalidInput) if the packet is longer than 65527 bytes, is
    /// empty, or came more than 49 days after the start.
    pub fn write(&mut self, at: Instant, packet: &[u8]) -> io::Result<()> {
        let impossible = || io::Error::new(io::ErrorKind::InvalidInput, "no such packet in rtpdump");
        let len = u16::try_from(packet.len() + HEADER).map_err(|_| impossible())?;
        if packet.is_empty() {
            return Err(impossible());
        }
        let original = if is_rtcp(packet) { 0 } else { u16::try_from(packet.len()).map_err(|_| impossible())? };
        let offset = u32::try_from((at - self.start).as_millis()).map_err(|_| impossible())?;
        let [[a, b], [c, d]] = [len, original].map(u16::to_be_bytes);
        let [e, f, g, h] = offset.to_be_bytes();
        self.out.write_all(&[a, b, c, d, e, f, g, h])?;
        self.out.write_all(packet)
    }

    /// The output; flush it if it has buffers.
    pub fn into_inner(self) -> W {
        self.out
    }
}

/// An address, a stroke and a port.
fn address(line: &[u8]) -> Option<SocketAddr> {
    let (ip, port) = core::str::from_utf8(line).ok()?.trim_end().split_once('/')?;
    Some(SocketAddr::new(ip.parse().ok()?, port.parse().ok()?))
}

const fn malformed(fault: Fault) -> Malformed {
    Malformed::new("rtpdump", fault)
}
