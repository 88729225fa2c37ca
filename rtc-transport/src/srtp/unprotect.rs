use rtc_core::{ConfigError, Ssrc};

use super::context::Context;
use super::streams::Streams;
use super::{
    Crypto, ENCRYPTED, MasterKey, Profile, RTCP_HEADER, SessionKeys, SrtpConfig, SrtpError, rtcp_ssrc, rtp_header,
};

/// What an [`Unprotector`] did, RTP and RTCP together. `received` is the sum of all the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct UnprotectStats {
    /// Packets that came.
    pub received: u64,
    /// Packets that were what their sender made.
    pub accepted: u64,
    /// Packets too short, or of no known form.
    pub malformed: u64,
    /// Packets whose authentication tag was wrong.
    pub forged: u64,
    /// Packets that came before, or were older than the replay window.
    pub replayed: u64,
    /// Packets with another master key identifier.
    pub unknown_key: u64,
    /// Packets of new streams for which there was no room.
    pub refused: u64,
}

/// The most master keys at a time.
const MAX_KEYS: usize = 16;

/// Undoes what a [`Protector`](super::Protector) did, for what one endpoint receives under one master key, or several, in place.
///
/// A stream is known from its first authentic packet on, so that nobody without the key fills its memory.
#[derive(Debug)]
pub struct Unprotector {
    profile: Profile,
    /// One at least; their identifiers are as long as each other.
    contexts: Vec<Context>,
    streams: Streams,
    stats: UnprotectStats,
}

impl Unprotector {
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
            contexts: vec![Context::new(crypto, keys, config.mki)?],
            streams: Streams::new(config.max_streams, config.replay_window),
            stats: UnprotectStats::default(),
        })
    }

    /// Takes in packets under another master key as well, those that name it by `mki` (RFC 3711 §3.2.1), 16 keys at a time. What
    /// came before is known under any key: streams go on, and nothing comes twice.
    ///
    /// # Errors
    /// [`ConfigError`] if the key is of another profile, `mki` is empty, taken or not as long as the others, or there are 16.
    pub fn add_key(&mut self, crypto: &dyn Crypto, master: &MasterKey, mki: &[u8]) -> Result<(), ConfigError> {
        if self.contexts.iter().any(|context| context.mki == mki) {
            return Err(ConfigError::new("mki", "must be another than those of the other keys"));
        }
        if self.contexts.len() >= MAX_KEYS {
            return Err(ConfigError::new("key", "must be one of 16 at most"));
        }
        let Some(first) = self.contexts.first() else { return Ok(()) };
        let context = first.beside(crypto, master, self.profile, mki)?;
        self.contexts.push(context);
        Ok(())
    }

    /// Takes in nothing under this master key any more; false if there is none, or it is the last.
    pub fn remove_key(&mut self, mki: &[u8]) -> bool {
        let place = self.contexts.iter().position(|context| context.mki == mki);
        let place = place.filter(|_| self.contexts.len() > 1);
        place.is_some_and(|place| {
            self.contexts.remove(place);
            true
        })
    }

    /// Turns the SRTP packet into the RTP packet it was made of, and returns its length: it begins where `packet` does.
    ///
    /// # Errors
    /// [`SrtpError`], which is counted as well. The packet then holds anything.
    pub fn unprotect_rtp(&mut self, packet: &mut [u8]) -> Result<usize, SrtpError> {
        let result = self.open_rtp(packet);
        self.count(result)
    }

    /// Turns the SRTCP packet into the RTCP packet it was made of, and returns its length: it begins where `packet` does.
    ///
    /// # Errors
    /// [`SrtpError`], which is counted as well. The packet then holds anything.
    pub fn unprotect_rtcp(&mut self, packet: &mut [u8]) -> Result<usize, SrtpError> {
        let result = self.open_rtcp(packet);
        self.count(result)
    }

    /// Says how many rollovers of its sequence number a stream has had of which nothing came yet: who joins late must be told
    /// (RFC 3711 §3.3.1), unless it is none.
    ///
    /// # Errors
    /// [`SrtpError::TooManyStreams`] if it is new and there is no room.
    pub fn set_rollovers(&mut self, ssrc: Ssrc, rollovers: u32) -> Result<(), SrtpError> {
        self.streams.set_rollovers(ssrc.0, rollovers)
    }

    /// Streams that are known.
    #[must_use]
    pub fn streams(&self) -> usize {
        self.streams.len()
    }

    /// Counters since the beginning.
    #[must_use]
    pub const fn stats(&self) -> UnprotectStats {
        self.stats
    }

    fn open_rtp(&mut self, packet: &mut [u8]) -> Result<usize, SrtpError> {
        let tag_len = self.profile.rtp_overhead();
        let (header_len, ssrc, seq) = rtp_header(packet).ok_or(SrtpError::Malformed)?;
        let (context, packet) = take_mki(packet, &self.contexts, self.profile, tag_len, header_len + tag_len)?;
        let known = self.streams.find(ssrc);
        let index = match &known {
            // An index before the first cannot be that of a new packet.
            Some(stream) => stream.index(seq).ok_or(SrtpError::Replayed)?,
            None => seq.into(),
        };
        if known.as_ref().is_some_and(|stream| !stream.rtp.is_fresh(index)) {
            return Err(SrtpError::Replayed);
        }
        if known.is_none() && self.streams.is_full() {
            return Err(SrtpError::TooManyStreams);
        }
        context.rtp.open_rtp(packet, header_len, ssrc, index)?;
        self.streams.find_or_insert(ssrc)?.rtp.insert(index);
        Ok(packet.len() - tag_len)
    }

    fn open_rtcp(&mut self, packet: &mut [u8]) -> Result<usize, SrtpError> {
        let tag_len = self.profile.rtcp_overhead() - 4;
        let ssrc = rtcp_ssrc(packet).ok_or(SrtpError::Malformed)?;
        let (context, packet) = take_mki(packet, &self.contexts, self.profile, tag_len, RTCP_HEADER + tag_len + 4)?;
        let word = context.rtcp.rtcp_word(packet).ok_or(SrtpError::Malformed)?;
        let index = u64::from(word & !ENCRYPTED);
        let known = self.streams.find(ssrc);
        if known.as_ref().is_some_and(|stream| !stream.rtcp.is_fresh(index)) {
            return Err(SrtpError::Replayed);
        }
        if known.is_none() && self.streams.is_full() {
            return Err(SrtpError::TooManyStreams);
        }
        context.rtcp.open_rtcp(packet, ssrc, word)?;
        self.streams.find_or_insert(ssrc)?.rtcp.insert(index);
        Ok(packet.len() - tag_len - 4)
    }

    fn count(&mut self, result: Result<usize, SrtpError>) -> Result<usize, SrtpError> {
        self.stats.received += 1;
        let counter = match result {
            Ok(_) => &mut self.stats.accepted,
            Err(SrtpError::Replayed) => &mut self.stats.replayed,
            Err(SrtpError::UnknownKey) => &mut self.stats.unknown_key,
            Err(SrtpError::TooManyStreams) => &mut self.stats.refused,
            Err(SrtpError::Malformed) => &mut self.stats.malformed,
            Err(_) => &mut self.stats.forged,
        };
        *counter += 1;
        result
    }
}

/// Finds the master key a packet names and takes the name out; what is left must have `least` bytes.
fn take_mki<'p, 'c>(
    packet: &'p mut [u8],
    contexts: &'c [Context],
    profile: Profile,
    tag_len: usize,
    least: usize,
) -> Result<(&'c Context, &'p mut [u8]), SrtpError> {
    let first = contexts.first().ok_or(SrtpError::UnknownKey)?;
    let mki_len = first.mki.len();
    let len = packet.len().checked_sub(mki_len).filter(|len| *len >= least).ok_or(SrtpError::Malformed)?;
    if mki_len == 0 {
        return Ok((first, packet));
    }
    let place = if profile.is_aead() { len } else { len - tag_len };
    let (start, end) = (place, place + mki_len);
    let named = contexts.iter().find(|context| context.mki == packet[start..end]).ok_or(SrtpError::UnknownKey)?;
    packet.copy_within(end.., start);
    Ok((named, &mut packet[..len]))
}
