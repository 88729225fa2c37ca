//! The cryptographic transforms: what is encrypted, what authenticated, and by which initialization vector.

use core::fmt;

use rtc_core::ConfigError;

use super::keys::PacketKeys;
use super::{Aead, Crypto, ENCRYPTED, KeyStream, Mac, Profile, RTCP_HEADER, SrtpError};

/// Protects the packets of either RTP or RTCP under one set of session keys.
///
/// ```text
///            AES-CM and HMAC                           AES-GCM
/// SRTP   header [ payload ] | tag                  header [ payload ] | tag
/// SRTCP  header [ rest ] index | tag               header [ rest ] | tag | index
/// ```
pub(super) struct Transform {
    suite: Suite,
    salt: [u8; 14],
}

enum Suite {
    Counter { stream: Box<dyn KeyStream>, mac: Box<dyn Mac>, tag_len: usize },
    Gcm(Box<dyn Aead>),
}

impl Transform {
    /// One whose tags have `tag_len` bytes.
    pub(super) fn new(
        crypto: &dyn Crypto,
        profile: Profile,
        keys: &PacketKeys,
        tag_len: usize,
    ) -> Result<Self, ConfigError> {
        let suite = if profile.is_aead() {
            Suite::Gcm(crypto.gcm(keys.cipher(profile))?)
        } else {
            let stream = crypto.counter_mode(keys.cipher(profile))?;
            Suite::Counter { stream, mac: crypto.hmac_sha1(&keys.authentication), tag_len }
        };
        Ok(Self { suite, salt: keys.salt })
    }

    pub(super) const fn tag_len(&self) -> usize {
        match self.suite {
            Suite::Counter { tag_len, .. } => tag_len,
            Suite::Gcm(_) => 16,
        }
    }

    /// Encrypts the payload of an RTP packet and fills the tag, which is the end of `packet`.
    pub(super) fn seal_rtp(
        &self,
        packet: &mut [u8],
        header_len: usize,
        ssrc: u32,
        index: u64,
    ) -> Result<(), SrtpError> {
        let (plain, tag) = packet.split_at_mut(packet.len() - self.tag_len());
        match &self.suite {
            Suite::Counter { stream, mac, .. } => {
                let first = self.counter_block(ssrc, index);
                stream.apply(first, &mut plain[header_len..]).map_err(|_| SrtpError::Cipher)?;
                tag.copy_from_slice(&mac.sign(plain, &rollover_counter(index))[..tag.len()]);
            }
            Suite::Gcm(aead) => {
                let (header, payload) = plain.split_at_mut(header_len);
                let sealed = aead.seal(self.rtp_nonce(ssrc, index), header, payload);
                tag.copy_from_slice(&sealed.map_err(|_| SrtpError::Cipher)?);
            }
        }
        Ok(())
    }

    /// As [`seal_rtp`](Self::seal_rtp), the payload being elsewhere: it is encrypted to its place behind the header.
    pub(super) fn seal_rtp_from(
        &self,
        packet: &mut [u8],
        header_len: usize,
        payload: &[u8],
        ssrc: u32,
        index: u64,
    ) -> Result<(), SrtpError> {
        let Suite::Gcm(aead) = &self.suite else {
            packet[header_len..header_len + payload.len()].copy_from_slice(payload);
            return self.seal_rtp(packet, header_len, ssrc, index);
        };
        let (header, rest) = packet.split_at_mut(header_len);
        let (sealed, tag) = rest.split_last_chunk_mut::<16>().ok_or(SrtpError::NoRoom)?;
        aead.seal_from(self.rtp_nonce(ssrc, index), header, payload, sealed, tag).map_err(|_| SrtpError::Cipher)
    }

    /// Checks the tag, which is the end of `packet`, and decrypts the payload.
    pub(super) fn open_rtp(
        &self,
        packet: &mut [u8],
        header_len: usize,
        ssrc: u32,
        index: u64,
    ) -> Result<(), SrtpError> {
        let (sealed, tag) = packet.split_at_mut(packet.len() - self.tag_len());
        match &self.suite {
            Suite::Counter { stream, mac, .. } => {
                verify(&mac.sign(sealed, &rollover_counter(index)), tag)?;
                let first = self.counter_block(ssrc, index);
                stream.apply(first, &mut sealed[header_len..]).map_err(|_| SrtpError::Cipher)
            }
            Suite::Gcm(aead) => {
                let (header, payload) = sealed.split_at_mut(header_len);
                let tag = (&*tag).try_into().map_err(|_| SrtpError::Malformed)?;
                aead.open(self.rtp_nonce(ssrc, index), header, payload, tag).map_err(|_| SrtpError::Forged)
            }
        }
    }

    /// Encrypts RTCP, if `word` says so, and puts tag and `word` behind it: `buffer` ends where they do.
    pub(super) fn seal_rtcp(&self, buffer: &mut [u8], ssrc: u32, word: u32) -> Result<(), SrtpError> {
        let len = buffer.len() - self.tag_len() - 4;
        let word_bytes = word.to_be_bytes();
        let is_encrypted = word & ENCRYPTED != 0;
        match &self.suite {
            Suite::Counter { stream, mac, .. } => {
                if is_encrypted {
                    let first = self.counter_block(ssrc, u64::from(word & !ENCRYPTED));
                    stream.apply(first, &mut buffer[RTCP_HEADER..len]).map_err(|_| SrtpError::Cipher)?;
                }
                buffer[len..len + 4].copy_from_slice(&word_bytes);
                let (message, tag) = buffer.split_at_mut(len + 4);
                tag.copy_from_slice(&mac.sign(message, &[])[..tag.len()]);
            }
            Suite::Gcm(aead) => {
                let nonce = self.rtcp_nonce(ssrc, word & !ENCRYPTED);
                let tag = if is_encrypted {
                    let associated = associated_data(buffer, word_bytes);
                    aead.seal(nonce, &associated, &mut buffer[RTCP_HEADER..len])
                } else {
                    // All of it is associated data, and the word with it: for a moment it stands where the tag will.
                    buffer[len..len + 4].copy_from_slice(&word_bytes);
                    aead.seal(nonce, &buffer[..len + 4], &mut [])
                };
                buffer[len..len + 16].copy_from_slice(&tag.map_err(|_| SrtpError::Cipher)?);
                buffer[len + 16..].copy_from_slice(&word_bytes);
            }
        }
        Ok(())
    }

    /// Checks the tag of SRTCP and decrypts it, if `word` says that it is encrypted. What is before tag and word is RTCP then.
    pub(super) fn open_rtcp(&self, buffer: &mut [u8], ssrc: u32, word: u32) -> Result<(), SrtpError> {
        let len = buffer.len() - self.tag_len() - 4;
        let is_encrypted = word & ENCRYPTED != 0;
        match &self.suite {
            Suite::Counter { stream, mac, .. } => {
                let (message, tag) = buffer.split_at_mut(len + 4);
                verify(&mac.sign(message, &[]), tag)?;
                if is_encrypted {
                    let first = self.counter_block(ssrc, u64::from(word & !ENCRYPTED));
                    stream.apply(first, &mut message[RTCP_HEADER..len]).map_err(|_| SrtpError::Cipher)?;
                }
                Ok(())
            }
            Suite::Gcm(aead) => {
                let nonce = self.rtcp_nonce(ssrc, word & !ENCRYPTED);
                let mut tag = [0; 16];
                tag.copy_from_slice(&buffer[len..len + 16]);
                let opened = if is_encrypted {
                    let associated = associated_data(buffer, word.to_be_bytes());
                    aead.open(nonce, &associated, &mut buffer[RTCP_HEADER..len], &tag)
                } else {
                    buffer[len..len + 4].copy_from_slice(&word.to_be_bytes());
                    aead.open(nonce, &buffer[..len + 4], &mut [], &tag)
                };
                opened.map_err(|_| SrtpError::Forged)
            }
        }
    }

    /// The word of SRTCP that says index and whether it is encrypted.
    pub(super) fn rtcp_word(&self, buffer: &[u8]) -> Option<u32> {
        let behind = match self.suite {
            Suite::Counter { tag_len, .. } => tag_len,
            Suite::Gcm(_) => 0,
        };
        let (rest, _) = buffer.split_at_checked(buffer.len().checked_sub(behind)?)?;
        rest.last_chunk::<4>().map(|word| u32::from_be_bytes(*word))
    }

    /// The first counter block: salt × 2^16 XOR SSRC × 2^64 XOR index × 2^16 (RFC 3711 §4.1.1).
    fn counter_block(&self, ssrc: u32, index: u64) -> [u8; 16] {
        let mut block = [0; 16];
        block[..14].copy_from_slice(&self.salt);
        xor(&mut block[4..8], &ssrc.to_be_bytes());
        xor(&mut block[8..14], &index.to_be_bytes()[2..]);
        block
    }

    /// Two zero bytes, SSRC, rollover counter and sequence number XOR salt (RFC 7714 §8.1).
    fn rtp_nonce(&self, ssrc: u32, index: u64) -> [u8; 12] {
        let mut nonce = [0; 12];
        nonce.copy_from_slice(&self.salt[..12]);
        xor(&mut nonce[2..6], &ssrc.to_be_bytes());
        xor(&mut nonce[6..], &index.to_be_bytes()[2..]);
        nonce
    }

    /// Two zero bytes, SSRC, two zero bytes and index XOR salt (RFC 7714 §9.1).
    fn rtcp_nonce(&self, ssrc: u32, index: u32) -> [u8; 12] {
        self.rtp_nonce(ssrc, index.into())
    }
}

/// The header and the word (RFC 7714 §9.2).
fn associated_data(buffer: &[u8], word: [u8; 4]) -> [u8; RTCP_HEADER + 4] {
    let mut associated = [0; RTCP_HEADER + 4];
    associated[..RTCP_HEADER].copy_from_slice(&buffer[..RTCP_HEADER]);
    associated[RTCP_HEADER..].copy_from_slice(&word);
    associated
}

/// The upper 32 bits of a packet index of 48.
fn rollover_counter(index: u64) -> [u8; 4] {
    let bytes = index.to_be_bytes();
    [bytes[2], bytes[3], bytes[4], bytes[5]]
}

fn xor(bytes: &mut [u8], with: &[u8]) {
    for (byte, with) in bytes.iter_mut().zip(with) {
        *byte ^= with;
    }
}

/// Compares in a time that does not tell where they differ.
fn verify(code: &[u8; 20], tag: &[u8]) -> Result<(), SrtpError> {
    let difference = code.iter().zip(tag).fold(0, |sum, (code, tag)| sum | (code ^ tag));
    if core::hint::black_box(difference) == 0 { Ok(()) } else { Err(SrtpError::Forged) }
}

impl fmt::Debug for Transform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.suite {
            Suite::Counter { stream, mac, .. } => f.debug_tuple("Transform").field(stream).field(mac).finish(),
            Suite::Gcm(aead) => f.debug_tuple("Transform").field(aead).finish(),
        }
    }
}
