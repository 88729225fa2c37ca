use crate::rtcp::is_rtcp;

/// Protocols that share a port with RTP.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Protocol {
    /// STUN, for ICE.
    Stun,
    /// ZRTP.
    Zrtp,
    /// DTLS.
    Dtls,
    /// Data of a TURN channel.
    TurnChannel,
    /// QUIC.
    Quic,
    /// RTP or SRTP.
    Rtp,
    /// RTCP or SRTCP.
    Rtcp,
}

impl Protocol {
    /// Which protocol a datagram is of, by its first byte (RFC 7983 §7 as RFC 9443 §3 updates it) and, for RTP and RTCP, by
    /// the second (RFC 5761 §4). `None` if it is of none, and to be dropped.
    ///
    /// TURN channels share their first bytes with QUIC: `from_turn` is whether it came from a TURN server.
    ///
    /// ```
    /// use rtc_transport::session::Protocol;
    ///
    /// assert_eq!(Protocol::of(&[0x80, 111, 0, 1], false), Some(Protocol::Rtp));
    /// assert_eq!(Protocol::of(&[0x80, 200, 0, 1], false), Some(Protocol::Rtcp));
    /// assert_eq!(Protocol::of(&[0x16, 0xfe, 0xfd], false), Some(Protocol::Dtls));
    /// assert_eq!(Protocol::of(&[], false), None);
    /// ```
    #[must_use]
    pub const fn of(datagram: &[u8], from_turn: bool) -> Option<Self> {
        let Some(first) = datagram.first() else { return None };
        Some(match *first {
            0..=3 => Self::Stun,
            4..=15 => return None,
            16..=19 => Self::Zrtp,
            20..=63 => Self::Dtls,
            64..=79 if from_turn => Self::TurnChannel,
            64..=127 | 192..=255 => Self::Quic,
            128..=191 if is_rtcp(datagram) => Self::Rtcp,
            128..=191 => Self::Rtp,
        })
    }
}
