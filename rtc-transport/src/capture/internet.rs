use core::fmt;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use rtc_core::bwe::Ecn;

use super::take;

const UDP: u8 = 17;
const UDP_HEADER: usize = 8;
/// Extension headers of IPv6 (RFC 8200 §4.1) that may stand before UDP.
const HOP_BY_HOP: u8 = 0;
const ROUTING: u8 = 43;
const FRAGMENT: u8 = 44;
const DESTINATION: u8 = 60;

/// A UDP datagram in a recording.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct UdpView<'a> {
    /// Who sent it.
    pub from: SocketAddr,
    /// To whom.
    pub to: SocketAddr,
    /// Its congestion mark (RFC 3168 §5).
    pub ecn: Ecn,
    /// What it carried.
    pub payload: &'a [u8],
}

/// Why a frame gives no UDP datagram.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum NotUdp {
    /// It is of another protocol.
    Other,
    /// It is a part of a larger packet. Nothing is put together here.
    Fragment,
    /// The recording keeps only its beginning.
    Truncated,
    /// It is not what it claims to be.
    Malformed,
}

impl fmt::Display for NotUdp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Other => "the frame is of another protocol than UDP over IP",
            Self::Fragment => "the frame is a fragment of an IP packet",
            Self::Truncated => "the recording keeps only the beginning of the frame",
            Self::Malformed => "the frame contradicts itself",
        })
    }
}

impl core::error::Error for NotUdp {}

/// The datagram in an IP packet.
pub(super) fn read(packet: &[u8]) -> Result<UdpView<'_>, NotUdp> {
    match packet.first().ok_or(NotUdp::Truncated)? >> 4 {
        4 => read_v4(packet),
        6 => read_v6(packet),
        _ => Err(NotUdp::Malformed),
    }
}

/// RFC 791 §3.1.
fn read_v4(packet: &[u8]) -> Result<UdpView<'_>, NotUdp> {
    let fixed: &[u8; 20] = packet.first_chunk().ok_or(NotUdp::Truncated)?;
    let [first, service, len_high, len_low, _, _, fragment_high, fragment_low, _, protocol, _, _, ..] = *fixed;
    let [.., a, b, c, d, e, f, g, h] = *fixed;
    let header = usize::from(first & 0x0f) * 4;
    let len = match usize::from(u16::from_be_bytes([len_high, len_low])) {
        // Left to the network card, which cuts it into packets.
        0 => packet.len(),
        len => len,
    };
    if header < fixed.len() || len < header {
        return Err(NotUdp::Malformed);
    }
    if protocol != UDP {
        return Err(NotUdp::Other);
    }
    if u16::from_be_bytes([fragment_high, fragment_low]) & 0x3fff != 0 {
        return Err(NotUdp::Fragment);
    }
    // Ethernet pads what is short.
    let data = packet.get(header..).ok_or(NotUdp::Truncated)?;
    let data = &data[..data.len().min(len - header)];
    read_udp(Ipv4Addr::new(a, b, c, d).into(), Ipv4Addr::new(e, f, g, h).into(), mark(service), data)
}

/// RFC 8200 §3, §4.
fn read_v6(packet: &[u8]) -> Result<UdpView<'_>, NotUdp> {
    let mut rest = packet;
    let [first, second, _, _, len_high, len_low, mut next, _] = take(&mut rest).ok_or(NotUdp::Truncated)?;
    let from = Ipv6Addr::from(take::<16>(&mut rest).ok_or(NotUdp::Truncated)?);
    let to = Ipv6Addr::from(take::<16>(&mut rest).ok_or(NotUdp::Truncated)?);
    match usize::from(u16::from_be_bytes([len_high, len_low])) {
        0 => {}
        len => rest = &rest[..rest.len().min(len)],
    }
    loop {
        match next {
            UDP => return read_udp(from.into(), to.into(), mark(first << 4 | second >> 4), rest),
            FRAGMENT => {
                let [after, _, offset_high, offset_low, ..]: [u8; 8] = take(&mut rest).ok_or(NotUdp::Truncated)?;
                // One that holds all there is (RFC 6946) is none.
                if u16::from_be_bytes([offset_high, offset_low]) & 0xfff9 != 0 {
                    return Err(NotUdp::Fragment);
                }
                next = after;
            }
            HOP_BY_HOP | ROUTING | DESTINATION => {
                let [after, len, ..]: [u8; 8] = take(&mut rest).ok_or(NotUdp::Truncated)?;
                rest = rest.get(usize::from(len) * 8..).ok_or(NotUdp::Truncated)?;
                next = after;
            }
            _ => return Err(NotUdp::Other),
        }
    }
}

/// RFC 768.
fn read_udp(from: IpAddr, to: IpAddr, ecn: Ecn, data: &[u8]) -> Result<UdpView<'_>, NotUdp> {
    let mut rest = data;
    let [from_high, from_low, to_high, to_low, len_high, len_low, _, _] = take(&mut rest).ok_or(NotUdp::Truncated)?;
    let from = SocketAddr::new(from, u16::from_be_bytes([from_high, from_low]));
    let to = SocketAddr::new(to, u16::from_be_bytes([to_high, to_low]));
    let len = usize::from(u16::from_be_bytes([len_high, len_low])).checked_sub(UDP_HEADER).ok_or(NotUdp::Malformed)?;
    let payload = rest.get(..len).ok_or(NotUdp::Truncated)?;
    Ok(UdpView { from, to, ecn, payload })
}

/// Appends an IP packet with the datagram; `false` if there is none such.
pub(super) fn write(from: SocketAddr, to: SocketAddr, ecn: Ecn, payload: &[u8], out: &mut Vec<u8>) -> bool {
    let Ok(len) = u16::try_from(UDP_HEADER + payload.len()) else { return false };
    let pseudo = match (from.ip(), to.ip()) {
        (IpAddr::V4(from), IpAddr::V4(to)) => {
            let Some(total) = len.checked_add(20) else { return false };
            write_v4(from, to, ecn, total, out);
            sum(&from.octets()) + sum(&to.octets())
        }
        (IpAddr::V6(from), IpAddr::V6(to)) => {
            let [class_high, class_low] = [bits(ecn) >> 4, bits(ecn) << 4];
            out.extend([0x60 | class_high, class_low, 0, 0]);
            out.extend(len.to_be_bytes());
            out.extend([UDP, 64]);
            out.extend(from.octets());
            out.extend(to.octets());
            sum(&from.octets()) + sum(&to.octets())
        }
        _ => return false,
    };
    let ports = [from.port(), to.port(), len].map(u16::to_be_bytes);
    let [a, b, c] = ports;
    let checksum = fold(pseudo + u64::from(UDP) + u64::from(len) + sum(ports.as_flattened()) + sum(payload));
    out.extend([a, b, c].as_flattened());
    // Zero would mean that there is none.
    out.extend(if checksum == 0 { 0xffff } else { checksum }.to_be_bytes());
    out.extend_from_slice(payload);
    true
}

fn write_v4(from: Ipv4Addr, to: Ipv4Addr, ecn: Ecn, total: u16, out: &mut Vec<u8>) {
    let [high, low] = total.to_be_bytes();
    // Never to be fragmented, 64 hops.
    let mut header = [0x45, bits(ecn), high, low, 0, 0, 0x40, 0, 64, UDP, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    header[12..16].copy_from_slice(&from.octets());
    header[16..].copy_from_slice(&to.octets());
    let checksum = fold(sum(&header)).to_be_bytes();
    header[10..12].copy_from_slice(&checksum);
    out.extend(header);
}

/// The sum of the Internet checksum (RFC 1071) over an even number of bytes, or the last ones.
fn sum(bytes: &[u8]) -> u64 {
    let (pairs, last) = bytes.as_chunks::<2>();
    let sum: u64 = pairs.iter().map(|pair| u64::from(u16::from_be_bytes(*pair))).sum();
    sum + last.first().map_or(0, |last| u64::from(*last) << 8)
}

#[expect(clippy::cast_possible_truncation, reason = "folded until it fits")]
fn fold(mut sum: u64) -> u16 {
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}

/// RFC 3168 §5: the two low bits of the traffic class.
fn mark(class: u8) -> Ecn {
    match class & 3 {
        0 => Ecn::NotEct,
        1 => Ecn::Ect1,
        2 => Ecn::Ect0,
        _ => Ecn::Ce,
    }
}

fn bits(ecn: Ecn) -> u8 {
    match ecn {
        Ecn::NotEct => 0,
        Ecn::Ect1 => 1,
        Ecn::Ect0 => 2,
        Ecn::Ce => 3,
    }
}
