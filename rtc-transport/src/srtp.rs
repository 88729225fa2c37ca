//! SRTP and SRTCP (RFC 3711, RFC 7714): RTP and RTCP packets encrypted and authenticated, in place.
//!
//! A [`Protector`] does so for what one endpoint sends, an [`Unprotector`] undoes it for what one endpoint receives; each has
//! the keys of one direction. The ciphers come from a library behind the trait [`Crypto`]: `AwsLc` (feature `srtp`),
//! `Ring` (`srtp-ring`), `RustCrypto` (`srtp-rustcrypto`), or one's own.
//!
//! ```
//! # #[cfg(feature = "srtp-aws-lc")]
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use rtc_core::{PayloadType, RtpPacket, RtpTime, SeqNum, Ssrc};
//! use rtc_transport::srtp::{AwsLc, MasterKey, Profile, Protector, SrtpConfig, SrtpError, Unprotector};
//!
//! let profile = Profile::AeadAes128Gcm;
//! let key = MasterKey::new(profile, &[7; 16], &[1; 12])?; // from DTLS (`MasterKey::from_dtls`) or signalling
//! let mut alice = Protector::new(&AwsLc, &key, SrtpConfig::default())?;
//! let mut bob = Unprotector::new(&AwsLc, &key, SrtpConfig::default())?;
//!
//! let media = RtpPacket::builder(PayloadType::new(111), SeqNum(1), RtpTime(0), Ssrc(1)).build(b"opus")?;
//! let mut buffer = [0; 1500];
//! buffer[..16].copy_from_slice(media.as_bytes());
//! let len = alice.protect_rtp(&mut buffer, 16)?;
//! assert_eq!(len, 16 + profile.rtp_overhead());
//!
//! let mut again = buffer;
//! let plain = bob.unprotect_rtp(&mut buffer[..len])?;
//! assert_eq!(buffer[..plain], media.as_bytes()[..]);
//! assert_eq!(bob.unprotect_rtp(&mut again[..len]), Err(SrtpError::Replayed));
//! # Ok(())
//! # }
//! # #[cfg(not(feature = "srtp-aws-lc"))]
//! # fn main() {}
//! ```
//!
//! # Which profile
//! AES-GCM where the other side has it: on processors with AES instructions it costs a fifth of AES-CM with HMAC-SHA1.
//!
//! # What is not here
//! Key management (DTLS and signalling are the caller's), key derivation rates other than zero (the profiles of DTLS derive
//! once; who wants new session keys changes the master key, [`Protector::set_key`]), encrypted header extensions (RFC 6904, RFC 9335), AES-f8, the null cipher.

use core::fmt;

use rtc_core::ConfigError;

mod context;
mod crypto;
mod index;
mod keys;
mod protect;
mod streams;
#[cfg(test)]
mod tests;
mod transform;
mod unprotect;

#[cfg(feature = "srtp-aws-lc")]
pub use crypto::AwsLc;
#[cfg(feature = "srtp-ring")]
pub use crypto::Ring;
#[cfg(feature = "srtp-rustcrypto")]
pub use crypto::RustCrypto;
pub use crypto::{Aead, CipherFailure, Crypto, KeyStream, Mac};
pub use keys::{MasterKey, SessionKeys};
pub use protect::Protector;
pub use unprotect::{UnprotectStats, Unprotector};

/// Cipher, authentication and lengths: the protection profiles of RFC 5764 §4.1.2 and RFC 7714 §14.2.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Profile {
    /// `SRTP_AES128_CM_HMAC_SHA1_80`: AES-128 in counter mode, HMAC-SHA1 of 80 bits. What every implementation has.
    AesCm128HmacSha1_80,
    /// `SRTP_AES128_CM_HMAC_SHA1_32`: the same with 32 bits for RTP, and 80 for RTCP.
    AesCm128HmacSha1_32,
    /// `SRTP_AEAD_AES_128_GCM`.
    AeadAes128Gcm,
    /// `SRTP_AEAD_AES_256_GCM`.
    AeadAes256Gcm,
}

impl Profile {
    /// All of them, the one to prefer first: AES-GCM, as it is the faster, and 128 bits, for the same reason.
    pub const ALL: [Self; 4] =
        [Self::AeadAes128Gcm, Self::AeadAes256Gcm, Self::AesCm128HmacSha1_80, Self::AesCm128HmacSha1_32];

    /// The number of the profile in DTLS (`use_srtp`).
    #[must_use]
    pub const fn dtls_id(self) -> u16 {
        match self {
            Self::AesCm128HmacSha1_80 => 0x0001,
            Self::AesCm128HmacSha1_32 => 0x0002,
            Self::AeadAes128Gcm => 0x0007,
            Self::AeadAes256Gcm => 0x0008,
        }
    }

    /// The profile of this number in DTLS.
    #[must_use]
    pub fn from_dtls_id(id: u16) -> Option<Self> {
        Self::ALL.into_iter().find(|profile| profile.dtls_id() == id)
    }

    /// Bytes of a master key and of a session key.
    #[must_use]
    pub const fn key_len(self) -> usize {
        match self {
            Self::AesCm128HmacSha1_80 | Self::AesCm128HmacSha1_32 | Self::AeadAes128Gcm => 16,
            Self::AeadAes256Gcm => 32,
        }
    }

    /// Bytes of a master salt and of a session salt.
    #[must_use]
    pub const fn salt_len(self) -> usize {
        if self.is_aead() { 12 } else { 14 }
    }

    /// Bytes that protection adds to an RTP packet, without a master key identifier.
    #[must_use]
    pub const fn rtp_overhead(self) -> usize {
        match self {
            Self::AesCm128HmacSha1_80 => 10,
            Self::AesCm128HmacSha1_32 => 4,
            Self::AeadAes128Gcm | Self::AeadAes256Gcm => 16,
        }
    }

    /// Bytes that protection adds to an RTCP packet, without a master key identifier: the tag and the index.
    #[must_use]
    pub const fn rtcp_overhead(self) -> usize {
        // Reports are few: their tag is never shortened (RFC 3711 §5.2, RFC 5764 §4.1.2).
        4 + if self.is_aead() { 16 } else { 10 }
    }

    const fn is_aead(self) -> bool {
        matches!(self, Self::AeadAes128Gcm | Self::AeadAes256Gcm)
    }
}

/// Settings of a [`Protector`] or [`Unprotector`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SrtpConfig {
    /// How many packets back a stream is known in, to refuse what comes twice; what is older is refused as well. From 64
    /// (RFC 3711 §3.3.2) to 32768. Default 1024: half a second at 20 Mb/s.
    pub replay_window: u32,
    /// The most streams at a time, RTP and RTCP of one SSRC being one. None is ever forgotten: its packets could be replayed,
    /// and its numbers used again. Default 256, which bounds memory to 100 kB.
    pub max_streams: usize,
    /// The identifier of the first master key, which stands in every packet (RFC 3711 §3.1), 128 bytes at most. Default none: WebRTC
    /// does not use it, and there is one master key only then.
    pub mki: Vec<u8>,
    /// Whether RTCP is encrypted, not only authenticated, where a [`Protector`] sends it. Default true.
    pub encrypt_rtcp: bool,
}

impl Default for SrtpConfig {
    fn default() -> Self {
        Self { replay_window: 1_024, max_streams: 256, mki: Vec::new(), encrypt_rtcp: true }
    }
}

impl SrtpConfig {
    fn check(&self) -> Result<(), ConfigError> {
        if !(64..=32_768).contains(&self.replay_window) {
            return Err(ConfigError::new("replay_window", "must be from 64 to 32768"));
        }
        if self.max_streams == 0 {
            return Err(ConfigError::new("max_streams", "must be above zero"));
        }
        if self.mki.len() > 128 {
            return Err(ConfigError::new("mki", "must be of 128 bytes at most"));
        }
        Ok(())
    }
}

/// Why a packet was neither protected nor unprotected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SrtpError {
    /// It is no RTP or RTCP packet, or too short to be a protected one.
    Malformed,
    /// It is not what its sender made: the authentication tag is wrong.
    Forged,
    /// It came before, or is older than the replay window.
    Replayed,
    /// It is under another master key: its identifier is not the one expected.
    UnknownKey,
    /// It is of a new stream, and there are [`max_streams`](SrtpConfig::max_streams) already.
    TooManyStreams,
    /// To be sent: a packet of this stream and number was protected before, or one long after it. To do it again would give
    /// away the key stream (RFC 3711 §9.1) or, in AES-GCM, the authentication key.
    Reused,
    /// To be sent: the buffer has no room behind the packet for what protection adds.
    NoRoom,
    /// To be sent: the stream has had all packets one master key is good for (RFC 3711 §9.2).
    KeyExhausted,
    /// To be sent: the library of ciphers refused.
    Cipher,
}

impl fmt::Display for SrtpError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Malformed => "not an RTP or RTCP packet, or too short to be a protected one",
            Self::Forged => "the authentication tag is wrong",
            Self::Replayed => "the packet came before, or is older than the replay window",
            Self::UnknownKey => "the packet is under another master key",
            Self::TooManyStreams => "there are as many streams as may be",
            Self::Reused => "the number of the packet was used before",
            Self::NoRoom => "the buffer has no room for what protection adds",
            Self::KeyExhausted => "the master key has protected all packets it is good for",
            Self::Cipher => "the library of ciphers refused",
        })
    }
}

impl core::error::Error for SrtpError {}

/// Bytes of the header of an RTP packet, fixed fields, CSRCs and extension, and its SSRC and sequence number; `None` if it is
/// not of version 2 or ends before its header does. The padding count is encrypted and cannot be judged.
#[inline]
fn rtp_header(packet: &[u8]) -> Option<(usize, u32, u16)> {
    let (fixed, rest) = packet.split_first_chunk::<12>()?;
    if fixed[0] >> 6 != 2 {
        return None;
    }
    let csrcs = 4 * usize::from(fixed[0] & 0x0f);
    let extension = if fixed[0] & 0x10 == 0 {
        0
    } else {
        let [_, _, high, low] = *rest.get(csrcs..)?.first_chunk::<4>()?;
        4 + 4 * usize::from(u16::from_be_bytes([high, low]))
    };
    let len = fixed.len() + csrcs + extension;
    let ssrc = u32::from_be_bytes([fixed[8], fixed[9], fixed[10], fixed[11]]);
    (len <= packet.len()).then_some((len, ssrc, u16::from_be_bytes([fixed[2], fixed[3]])))
}

/// The SSRC of an RTCP packet's sender; `None` if it is not of version 2 or has no such field.
fn rtcp_ssrc(packet: &[u8]) -> Option<u32> {
    let header = packet.first_chunk::<RTCP_HEADER>()?;
    (header[0] >> 6 == 2).then(|| u32::from_be_bytes([header[4], header[5], header[6], header[7]]))
}

/// What stays in the clear of RTCP: the header and the SSRC of the first packet (RFC 3711 §3.4).
const RTCP_HEADER: usize = 8;
/// In the last word of SRTCP: whether it is encrypted.
const ENCRYPTED: u32 = 1 << 31;
/// RTCP packets of one stream that one master key is good for (RFC 3711 §9.2). Of RTP it is 2^48, all the indices there are.
const RTCP_LIFETIME: u64 = 1 << 31;
