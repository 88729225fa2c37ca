use rtc_core::{ConfigError, Ssrc};

use super::context::Context;
use super::streams::Streams;
use super::{
    Crypto, ENCRYPTED, MasterKey, Profile, RTCP_LIFETIME, SessionKeys, SrtpConfig, SrtpError, rtcp_ssrc, rtp_header,
};

/// Protects what one endpoint sends, under one master key: RTP becomes SRTP, RTCP becomes SRTCP, in place.
///
/// The number of a packet, which is that of its SSRC, sequence number and rollovers, is protected once only. Two protectors
/// of one master key must have no SSRC in common (RFC 3711 §9.1).
#[derive(Debug)]
pub struct Protector {
    profile: Profile,
    context: Context,
    encrypt_rtcp: bool,
    streams: Streams,
    protected: u64,
}

impl Protector {
    /// One that derives its session keys from `master`.
    ///
    /// # Errors
    /// [`ConfigError`] if a setting is out of range, or `crypto` has no cipher for keys of this length.
    pub fn new(crypto: &dyn Crypto, master: &MasterKey, config: SrtpConfig) -> Result<Self, ConfigError> {
        Self::with_keys(crypto, &SessionKeys::derive(crypto, master)?, config)
    }

    /// One with these session keys.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn with_keys(crypto: &dyn Crypto, keys: &SessionKeys, config: SrtpConfig) -> Result<Self, ConfigError> {
        config.check()?;
        Ok(Self {
            profile: keys.profile(),
            context: Context::new(crypto, keys, config.mki)?,
            encrypt_rtcp: config.encrypt_rtcp,
            streams: Streams::new(config.max_streams, config.replay_window),
            protected: 0,
        })
    }

    /// Protects from now on with the session keys of another master key, which packets name by `mki`. Streams go on: their
    /// numbers and rollovers are the same under any key (RFC 3711 §3.3.1).
    ///
    /// # Errors
    /// [`ConfigError`] if the key is of another profile, or `mki` is empty or not as long as that of the key before.
    pub fn set_key(&mut self, crypto: &dyn Crypto, master: &MasterKey, mki: &[u8]) -> Result<(), ConfigError> {
        self.context = self.context.beside(crypto, master, self.profile, mki)?;
        Ok(())
    }

    /// Protects the RTP packet that `buffer` begins with, `len` bytes of it, and returns its new length: the buffer must have
    /// room for [`rtp_overhead`](Self::rtp_overhead) more.
    ///
    /// A packet sent again needs an SSRC and a number of its own (RFC 4588).
    ///
    /// # Errors
    /// [`SrtpError`], the buffer being as it was, but for [`SrtpError::Cipher`].
    pub fn protect_rtp(&mut self, buffer: &mut [u8], len: usize) -> Result<usize, SrtpError> {
        let packet = buffer.get(..len).ok_or(SrtpError::Malformed)?;
        let header = rtp_header(packet).ok_or(SrtpError::Malformed)?;
        self.seal(buffer, header, len, None)
    }

    /// As [`protect_rtp`](Self::protect_rtp), where only the header stands in `buffer`, `header_len` bytes of it: the rest of the
    /// packet, `payload` and whatever padding it has, is elsewhere, and copied no more than the cipher must. Returns the
    /// length of the protected packet, which `buffer` begins with.
    ///
    /// # Errors
    /// As for `protect_rtp`; [`SrtpError::Malformed`] as well if the header is not of `header_len` bytes.
    #[inline]
    pub fn protect_rtp_from(
        &mut self,
        buffer: &mut [u8],
        header_len: usize,
        payload: &[u8],
    ) -> Result<usize, SrtpError> {
        let header = buffer.get(..header_len).and_then(rtp_header).ok_or(SrtpError::Malformed)?;
        if header.0 != header_len {
            return Err(SrtpError::Malformed);
        }
        self.seal(buffer, header, header_len + payload.len(), Some(payload))
    }

    /// Protects what `buffer` begins with, `len` bytes of it with this header; the payload stands there, or is given.
    #[inline]
    fn seal(
        &mut self,
        buffer: &mut [u8],
        (header_len, ssrc, seq): (usize, u32, u16),
        len: usize,
        payload: Option<&[u8]>,
    ) -> Result<usize, SrtpError> {
        let sealed_len = len + self.context.rtp.tag_len();
        let protected_len = sealed_len + self.context.mki.len();
        let buffer = buffer.get_mut(..protected_len).ok_or(SrtpError::NoRoom)?;
        let stream = self.streams.find_or_insert(ssrc)?;
        let index = stream.index(seq).ok_or_else(|| out_of_range(stream.rtp.highest()))?;
        if !stream.rtp.is_fresh(index) {
            return Err(SrtpError::Reused);
        }
        let packet = &mut buffer[..sealed_len];
        match payload {
            Some(payload) => self.context.rtp.seal_rtp_from(packet, header_len, payload, ssrc, index)?,
            None => self.context.rtp.seal_rtp(packet, header_len, ssrc, index)?,
        }
        stream.rtp.insert(index);
        self.insert_mki(buffer, sealed_len, self.context.rtp.tag_len());
        self.protected += 1;
        Ok(protected_len)
    }

    /// Protects the RTCP packet, compound or not, that `buffer` begins with, `len` bytes of it, and returns its new length: the
    /// buffer must have room for [`rtcp_overhead`](Self::rtcp_overhead) more.
    ///
    /// # Errors
    /// [`SrtpError`], the buffer being as it was, but for [`SrtpError::Cipher`].
    pub fn protect_rtcp(&mut self, buffer: &mut [u8], len: usize) -> Result<usize, SrtpError> {
        let ssrc = buffer.get(..len).and_then(rtcp_ssrc).ok_or(SrtpError::Malformed)?;
        let sealed_len = len + self.context.rtcp.tag_len() + 4;
        let protected_len = sealed_len + self.context.mki.len();
        let buffer = buffer.get_mut(..protected_len).ok_or(SrtpError::NoRoom)?;
        let stream = self.streams.find_or_insert(ssrc)?;
        let index = u32::try_from(stream.next_rtcp).ok().filter(|index| u64::from(*index) < RTCP_LIFETIME);
        let index = index.ok_or(SrtpError::KeyExhausted)?;
        let word = if self.encrypt_rtcp { index | ENCRYPTED } else { index };
        self.context.rtcp.seal_rtcp(&mut buffer[..sealed_len], ssrc, word)?;
        stream.next_rtcp += 1;
        self.insert_mki(buffer, sealed_len, self.context.rtcp.tag_len());
        self.protected += 1;
        Ok(protected_len)
    }

    /// Says that the stream goes on from so many rollovers of its sequence number, in a session that is resumed.
    ///
    /// # Errors
    /// [`SrtpError::TooManyStreams`] if it is new and there is no room; [`SrtpError::Reused`] if packets of it were protected.
    pub fn set_rollovers(&mut self, ssrc: Ssrc, rollovers: u32) -> Result<(), SrtpError> {
        if self.streams.find(ssrc.0).is_some_and(|stream| stream.rtp.highest().is_some()) {
            return Err(SrtpError::Reused);
        }
        self.streams.set_rollovers(ssrc.0, rollovers)
    }

    /// Bytes that protection adds to an RTP packet.
    #[must_use]
    pub fn rtp_overhead(&self) -> usize {
        self.profile.rtp_overhead() + self.context.mki.len()
    }

    /// Bytes that protection adds to an RTCP packet.
    #[must_use]
    pub fn rtcp_overhead(&self) -> usize {
        self.profile.rtcp_overhead() + self.context.mki.len()
    }

    /// Packets that were protected.
    #[must_use]
    pub const fn protected(&self) -> u64 {
        self.protected
    }

    #[cfg(all(test, any(feature = "srtp-aws-lc", feature = "srtp-ring", feature = "srtp-rustcrypto")))]
    pub(super) fn skip_reports(&mut self, ssrc: u32, next: u64) {
        self.streams.find_or_insert(ssrc).expect("there is room").next_rtcp = next;
    }

    /// Puts the identifier of the master key in: before the tag of HMAC (RFC 3711 §3.1), behind all that AES-GCM makes
    /// (RFC 7714 §8, §9).
    fn insert_mki(&self, buffer: &mut [u8], sealed_len: usize, tag_len: usize) {
        let mki = &self.context.mki;
        if mki.is_empty() {
            return;
        }
        let place = if self.profile.is_aead() { sealed_len } else { sealed_len - tag_len };
        buffer.copy_within(place..sealed_len, place + mki.len());
        buffer[place..place + mki.len()].copy_from_slice(mki);
    }
}

/// Why a number has no index: before the first there can be, or behind the last.
fn out_of_range(highest: Option<u64>) -> SrtpError {
    let is_end = highest.is_some_and(|highest| highest >> 47 != 0);
    if is_end { SrtpError::KeyExhausted } else { SrtpError::Reused }
}
