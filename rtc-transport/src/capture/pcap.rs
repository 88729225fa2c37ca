use core::net::SocketAddr;
use std::io::{self, Write};

use rtc_core::bwe::Ecn;
use rtc_core::time::Instant;
use rtc_core::{Fault, Malformed};

use super::internet::{self, NotUdp, UdpView};
use super::link::LinkType;
use super::take;

/// Version 2.4 of the format, the only one there is.
const VERSION: [u16; 2] = [2, 4];
/// Frames are kept whole up to here: the limit of tcpdump and Wireshark.
const SNAPSHOT: u32 = 262_144;
/// The file begins with this if times are in seconds and microseconds.
const MICROS: u32 = 0xa1b2_c3d4;
/// The same for seconds and nanoseconds.
const NANOS: u32 = 0xa1b2_3c4d;

/// Reads a pcap file (draft-ietf-opsawg-pcap): an iterator over its frames, which ends after the first error.
///
/// Microseconds and nanoseconds, either byte order. The newer pcapng is refused: `tshark -F pcap` or `editcap -F pcap` turns it
/// into this. Frames recorded on the sender's machine, or on loopback, may hold what a batch (GSO) sent as one large datagram.
#[derive(Debug, Clone)]
pub struct PcapReader<'a> {
    rest: &'a [u8],
    big_endian: bool,
    nanos_per_tick: u64,
    link: LinkType,
}

/// A frame of a recording.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Frame<'a> {
    /// When it passed, since the Unix epoch.
    pub at: Instant,
    /// How its first header reads.
    pub link: LinkType,
    /// How long it was; more than is kept if the recording was told to keep less.
    pub original_len: u32,
    /// What of it is kept.
    pub bytes: &'a [u8],
}

impl<'a> PcapReader<'a> {
    /// Reads the header of `file`.
    ///
    /// # Errors
    /// [`Malformed`] if it is no pcap file, or of another version.
    pub fn new(file: &'a [u8]) -> Result<Self, Malformed> {
        let mut rest = file;
        let magic: [u8; 4] = take(&mut rest).ok_or_else(|| malformed(Fault::Truncated))?;
        let (big_endian, nanos_per_tick) = match (u32::from_le_bytes(magic), u32::from_be_bytes(magic)) {
            (MICROS, _) => (false, 1_000),
            (NANOS, _) => (false, 1),
            (_, MICROS) => (true, 1_000),
            (_, NANOS) => (true, 1),
            _ => return Err(malformed(Fault::Type)),
        };
        let mut reader = Self { rest, big_endian, nanos_per_tick, link: LinkType::Other(0) };
        let version = [reader.u16(), reader.u16()];
        let _zone = reader.u32();
        let _accuracy = reader.u32();
        let _snapshot = reader.u32();
        let network = reader.u32().ok_or_else(|| malformed(Fault::Truncated))?;
        if version != VERSION.map(Some) {
            return Err(malformed(Fault::Version));
        }
        // The upper half tells of a checksum behind each frame.
        reader.link = LinkType::from_number((network & 0xffff) as u16);
        Ok(reader)
    }

    /// How the first header of all frames reads.
    #[must_use]
    pub fn link(&self) -> LinkType {
        self.link
    }

    fn frame(&mut self) -> Option<Frame<'a>> {
        let (seconds, ticks) = (self.u32()?, self.u32()?);
        let (len, original_len) = (self.u32()?, self.u32()?);
        let (bytes, rest) = self.rest.split_at_checked(usize::try_from(len).ok()?)?;
        self.rest = rest;
        let at = Instant::from_nanos(u64::from(seconds) * 1_000_000_000 + u64::from(ticks) * self.nanos_per_tick);
        Some(Frame { at, link: self.link, original_len, bytes })
    }

    fn u16(&mut self) -> Option<u16> {
        let bytes = take(&mut self.rest)?;
        Some(if self.big_endian { u16::from_be_bytes(bytes) } else { u16::from_le_bytes(bytes) })
    }

    fn u32(&mut self) -> Option<u32> {
        let bytes = take(&mut self.rest)?;
        Some(if self.big_endian { u32::from_be_bytes(bytes) } else { u32::from_le_bytes(bytes) })
    }
}

impl<'a> Iterator for PcapReader<'a> {
    type Item = Result<Frame<'a>, Malformed>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let frame = self.frame();
        if frame.is_none() {
            self.rest = &[];
        }
        Some(frame.ok_or_else(|| malformed(Fault::Truncated)))
    }
}

impl<'a> Frame<'a> {
    /// The UDP datagram in it.
    ///
    /// # Errors
    /// [`NotUdp`] says why there is none.
    pub fn udp(&self) -> Result<UdpView<'a>, NotUdp> {
        internet::read(self.link.packet(self.bytes)?)
    }
}

/// Writes a pcap file, in nanoseconds.
#[derive(Debug)]
pub struct PcapWriter<W> {
    out: W,
    link: LinkType,
    /// Where frames are made.
    frame: Vec<u8>,
}

impl<W: Write> PcapWriter<W> {
    /// Begins a file whose frames are of `link`.
    ///
    /// # Errors
    /// What `out` says.
    pub fn new(mut out: W, link: LinkType) -> io::Result<Self> {
        let mut header = Vec::with_capacity(24);
        header.extend(NANOS.to_le_bytes());
        header.extend(VERSION.into_iter().flat_map(u16::to_le_bytes));
        header.extend([0; 8]);
        header.extend(SNAPSHOT.to_le_bytes());
        header.extend(u32::from(link.number()).to_le_bytes());
        out.write_all(&header)?;
        Ok(Self { out, link, frame: Vec::new() })
    }

    /// Writes a UDP datagram that passed at `at`, with headers as they may have been.
    ///
    /// # Errors
    /// What the output says, or [`InvalidInput`](io::ErrorKind::InvalidInput) if one address is of IPv4 and one of IPv6, the
    /// payload is larger than any, or [`LinkType::Other`] is to be written.
    pub fn write_udp(
        &mut self,
        at: Instant,
        from: SocketAddr,
        to: SocketAddr,
        ecn: Ecn,
        payload: &[u8],
    ) -> io::Result<()> {
        self.frame.clear();
        let possible = self.link.write_header(to.is_ipv4(), &mut self.frame)
            && internet::write(from, to, ecn, payload, &mut self.frame);
        if !possible {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "addresses, payload and link do not fit together"));
        }
        let frame = core::mem::take(&mut self.frame);
        let written = self.write_frame(at, &frame);
        self.frame = frame;
        written
    }

    /// Writes a frame as it is.
    ///
    /// # Errors
    /// What the output says, or [`InvalidInput`](io::ErrorKind::InvalidInput) if the frame is longer than 262144 bytes or the
    /// time is after the year 2106, where the format ends.
    pub fn write_frame(&mut self, at: Instant, frame: &[u8]) -> io::Result<()> {
        let impossible = || io::Error::new(io::ErrorKind::InvalidInput, "no such frame in pcap");
        let seconds = u32::try_from(at.as_nanos() / 1_000_000_000).map_err(|_| impossible())?;
        let nanos = u32::try_from(at.as_nanos() % 1_000_000_000).map_err(|_| impossible())?;
        let len = u32::try_from(frame.len()).ok().filter(|len| *len <= SNAPSHOT).ok_or_else(impossible)?;
        let mut header = [0; 16];
        for (field, value) in header.chunks_exact_mut(4).zip([seconds, nanos, len, len]) {
            field.copy_from_slice(&value.to_le_bytes());
        }
        self.out.write_all(&header)?;
        self.out.write_all(frame)
    }

    /// The output; flush it if it has buffers.
    pub fn into_inner(self) -> W {
        self.out
    }
}

const fn malformed(fault: Fault) -> Malformed {
    Malformed::new("pcap", fault)
}
