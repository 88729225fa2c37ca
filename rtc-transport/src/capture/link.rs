use super::internet::NotUdp;
use super::take;

/// What the frames of a recording begin with; numbers and layouts are of the registry of link types (tcpdump.org).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum LinkType {
    /// Loopback of BSD and macOS: four bytes for the protocol family, in the byte order of either machine (0).
    Null,
    /// Ethernet, with any number of VLAN tags (1).
    Ethernet,
    /// Nothing: IPv4 or IPv6 at once (101; also 12, 14, 228 and 229).
    RawIp,
    /// Loopback of OpenBSD: as [`Null`](Self::Null), in network byte order (108).
    Loop,
    /// Several interfaces on Linux (113).
    LinuxCooked,
    /// Several interfaces on Linux, version 2 (276).
    LinuxCooked2,
    /// One this crate cannot read.
    Other(u16),
}

const IPV4: u16 = 0x0800;
const IPV6: u16 = 0x86dd;
/// IEEE 802.1Q, 802.1ad, and what came before it.
const VLAN: [u16; 3] = [0x8100, 0x88a8, 0x9100];
/// IPv4 in every system.
const AF_INET: u32 = 2;
/// IPv6 in Linux, NetBSD and OpenBSD, FreeBSD, macOS.
const AF_INET6: [u32; 4] = [10, 24, 28, 30];

impl LinkType {
    /// The type of this number.
    #[must_use]
    pub const fn from_number(number: u16) -> Self {
        match number {
            0 => Self::Null,
            1 => Self::Ethernet,
            12 | 14 | 101 | 228 | 229 => Self::RawIp,
            108 => Self::Loop,
            113 => Self::LinuxCooked,
            276 => Self::LinuxCooked2,
            other => Self::Other(other),
        }
    }

    /// Its number; [`RawIp`](Self::RawIp) has several, of which this is the usual one.
    #[must_use]
    pub const fn number(self) -> u16 {
        match self {
            Self::Null => 0,
            Self::Ethernet => 1,
            Self::RawIp => 101,
            Self::Loop => 108,
            Self::LinuxCooked => 113,
            Self::LinuxCooked2 => 276,
            Self::Other(number) => number,
        }
    }

    /// The IP packet in `frame`.
    pub(super) fn packet(self, frame: &[u8]) -> Result<&[u8], NotUdp> {
        let mut rest = frame;
        let kind = match self {
            Self::RawIp => return Ok(frame),
            Self::Null | Self::Loop => {
                let family = take(&mut rest).ok_or(NotUdp::Truncated)?;
                let families = [u32::from_be_bytes(family), u32::from_le_bytes(family)];
                let known = |family: &u32| *family == AF_INET || AF_INET6.contains(family);
                return if families.iter().any(known) { Ok(rest) } else { Err(NotUdp::Other) };
            }
            Self::Ethernet => {
                let _addresses: [u8; 12] = take(&mut rest).ok_or(NotUdp::Truncated)?;
                let mut kind = u16_of(&mut rest)?;
                while VLAN.contains(&kind) {
                    let _tag = u16_of(&mut rest)?;
                    kind = u16_of(&mut rest)?;
                }
                kind
            }
            Self::LinuxCooked => {
                let _interface: [u8; 14] = take(&mut rest).ok_or(NotUdp::Truncated)?;
                u16_of(&mut rest)?
            }
            Self::LinuxCooked2 => {
                let kind = u16_of(&mut rest)?;
                let _interface: [u8; 18] = take(&mut rest).ok_or(NotUdp::Truncated)?;
                kind
            }
            Self::Other(_) => return Err(NotUdp::Other),
        };
        if [IPV4, IPV6].contains(&kind) { Ok(rest) } else { Err(NotUdp::Other) }
    }

    /// Writes what stands before an IP packet; `false` if that is not known.
    pub(super) fn write_header(self, ipv4: bool, out: &mut Vec<u8>) -> bool {
        let kind = if ipv4 { IPV4 } else { IPV6 }.to_be_bytes();
        // macOS's number: the reader is not told which system it was.
        let family = if ipv4 { AF_INET } else { 30 };
        match self {
            Self::RawIp => {}
            Self::Null => out.extend(family.to_le_bytes()),
            Self::Loop => out.extend(family.to_be_bytes()),
            // No addresses are known.
            Self::Ethernet => {
                out.extend([0; 12]);
                out.extend(kind);
            }
            // To us, from Ethernet, address unknown.
            Self::LinuxCooked => {
                out.extend([0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
                out.extend(kind);
            }
            Self::LinuxCooked2 => {
                out.extend(kind);
                out.extend([0, 0, 0, 0, 0, 1, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
            }
            Self::Other(_) => return false,
        }
        true
    }
}

fn u16_of(rest: &mut &[u8]) -> Result<u16, NotUdp> {
    take(rest).map(u16::from_be_bytes).ok_or(NotUdp::Truncated)
}
