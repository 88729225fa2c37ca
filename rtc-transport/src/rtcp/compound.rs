use bytes::{Buf, Bytes};
use rtc_core::{Fault, Malformed};

use super::{RECEIVER_REPORT, Raw, RtcpPacket, SENDER_REPORT};

/// The most a datagram can hold, whatever a caller passes in.
const MAX_DATAGRAM: usize = 65_535;

/// A datagram of RTCP packets whose frames were checked (RFC 3550 §6.1 and A.2; reduced-size, RFC 5506).
///
/// ```
/// use bytes::{Bytes, BytesMut};
/// use rtc_core::Ssrc;
/// use rtc_transport::rtcp::{Compound, Pli, ReceiverReport, RtcpPacket};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let mut out = BytesMut::new();
/// RtcpPacket::ReceiverReport(ReceiverReport { ssrc: Ssrc(1), blocks: Vec::new() }).write(&mut out)?;
/// RtcpPacket::Pli(Pli { sender: Ssrc(1), media: Ssrc(2) }).write(&mut out)?;
///
/// let compound = Compound::parse(out.freeze())?;
/// assert!(!compound.is_reduced_size());
/// assert!(matches!(compound.packets().nth(1), Some(Ok(RtcpPacket::Pli(pli))) if pli.media == Ssrc(2)));
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Compound {
    datagram: Bytes,
}

impl Compound {
    /// Checks that `datagram` is a chain of version 2 RTCP packets that ends where it does.
    ///
    /// What is inside the packets is checked by [`packets`](Self::packets), one by one, so that a bad one does not take the
    /// others along.
    ///
    /// # Errors
    /// [`Malformed`] if it is empty, a version is not 2, or a length or padding count reaches beyond the end.
    pub fn parse(datagram: Bytes) -> Result<Self, Malformed> {
        if datagram.len() > MAX_DATAGRAM {
            return Err(Malformed::new("RTCP", Fault::Length));
        }
        let mut rest = &datagram[..];
        loop {
            let (_, len) = frame(rest)?;
            rest = &rest[len..];
            if rest.is_empty() {
                return Ok(Self { datagram });
            }
        }
    }

    /// The packets, in the order of the datagram.
    #[must_use]
    pub fn packets(&self) -> Packets {
        Packets { rest: self.datagram.clone() }
    }

    /// Whether it does not begin with a report, as RFC 3550 §6.1 demands and RFC 5506 §3.4.2 lifts.
    #[must_use]
    pub fn is_reduced_size(&self) -> bool {
        !matches!(self.datagram[1], SENDER_REPORT | RECEIVER_REPORT)
    }
}

/// Iterator over the packets of a [`Compound`].
#[derive(Debug, Clone)]
pub struct Packets {
    rest: Bytes,
}

impl Iterator for Packets {
    type Item = Result<RtcpPacket, Malformed>;

    fn next(&mut self) -> Option<Self::Item> {
        // The frames were checked, so that they cannot fail here.
        let (body_len, len) = frame(&self.rest).ok()?;
        let mut packet = self.rest.split_to(len);
        let (count, packet_type) = (packet[0] & 0x1f, packet[1]);
        packet.advance(HEADER);
        packet.truncate(body_len);
        Some(RtcpPacket::parse(Raw { packet_type, count, body: packet }))
    }
}

const HEADER: usize = 4;

/// The first packet's length without header and padding, and with both.
fn frame(bytes: &[u8]) -> Result<(usize, usize), Malformed> {
    let fault = |fault| Malformed::new("RTCP", fault);
    let &[first, _, high, low, ..] = bytes else {
        return Err(fault(Fault::Truncated));
    };
    if first >> 6 != 2 {
        return Err(fault(Fault::Version));
    }
    let len = HEADER + 4 * usize::from(u16::from_be_bytes([high, low]));
    let Some(packet) = bytes.get(..len) else {
        return Err(fault(Fault::Truncated));
    };
    let body_len = len - HEADER;
    if first & 0x20 == 0 {
        return Ok((body_len, len));
    }
    // RFC 3550 §6.4.1 asks for a multiple of four, but transport-wide feedback is padded by single bytes in the field.
    match usize::from(packet[len - 1]) {
        padding if (1..=body_len).contains(&padding) => Ok((body_len - padding, len)),
        _ => Err(fault(Fault::Padding)),
    }
}
