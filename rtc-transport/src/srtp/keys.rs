use core::fmt;

use rtc_core::ConfigError;
use zeroize::{Zeroize, ZeroizeOnDrop};

use super::{Crypto, Profile};

/// The secret one direction is keyed with: a master key and a master salt (RFC 3711 §3.2.1). Overwritten when dropped.
#[derive(Clone)]
pub struct MasterKey {
    profile: Profile,
    key: [u8; 32],
    salt: [u8; 14],
}

impl MasterKey {
    /// A master key for `profile`.
    ///
    /// # Errors
    /// [`ConfigError`] if key or salt are not of the lengths of the profile.
    pub fn new(profile: Profile, key: &[u8], salt: &[u8]) -> Result<Self, ConfigError> {
        if key.len() != profile.key_len() {
            return Err(ConfigError::new("key", "must be as long as the profile says"));
        }
        if salt.len() != profile.salt_len() {
            return Err(ConfigError::new("salt", "must be as long as the profile says"));
        }
        let mut master = Self { profile, key: [0; 32], salt: [0; 14] };
        master.key[..key.len()].copy_from_slice(key);
        master.salt[..salt.len()].copy_from_slice(salt);
        Ok(master)
    }

    /// The master keys of what the DTLS client and of what the DTLS server sends, from the keying material exported with the
    /// label `EXTRACTOR-dtls_srtp` (RFC 5764 §4.2): both keys, then both salts, the client's first.
    ///
    /// # Errors
    /// [`ConfigError`] if the material is not twice as long as key and salt of the profile.
    pub fn from_dtls(profile: Profile, material: &[u8]) -> Result<(Self, Self), ConfigError> {
        let (key, salt) = (profile.key_len(), profile.salt_len());
        if material.len() != 2 * (key + salt) {
            return Err(ConfigError::new("material", "must be two keys and two salts of the profile"));
        }
        let (keys, salts) = material.split_at(2 * key);
        let client = Self::new(profile, &keys[..key], &salts[..salt])?;
        Ok((client, Self::new(profile, &keys[key..], &salts[salt..])?))
    }

    /// The profile it is for.
    #[must_use]
    pub const fn profile(&self) -> Profile {
        self.profile
    }

    fn key(&self) -> &[u8] {
        &self.key[..self.profile.key_len()]
    }
}

/// The keys packets are protected with (RFC 3711 §4.3). Overwritten when dropped.
///
/// [`Protector::new`](super::Protector::new) derives them; those who derive keys otherwise make them here.
#[derive(Clone)]
pub struct SessionKeys {
    profile: Profile,
    pub(super) rtp: PacketKeys,
    pub(super) rtcp: PacketKeys,
}

/// What either RTP or RTCP is protected with.
#[derive(Clone)]
pub(super) struct PacketKeys {
    cipher: [u8; 32],
    pub(super) authentication: [u8; 20],
    /// With AES-GCM, twelve bytes of it.
    pub(super) salt: [u8; 14],
}

impl SessionKeys {
    /// Derives them from a master key (RFC 3711 §4.3.1, §4.3.2, with a key derivation rate of zero).
    ///
    /// # Errors
    /// [`ConfigError`] if `crypto` has no cipher for keys of this length.
    pub fn derive(crypto: &dyn Crypto, master: &MasterKey) -> Result<Self, ConfigError> {
        let stream = crypto.counter_mode(master.key())?;
        let derive = |label: u8, out: &mut [u8]| {
            // x = (label || index DIV rate) XOR salt, then 16 bits that count blocks. A salt of 12 bytes ends with two of
            // zero (RFC 7714 §11).
            let mut first = [0; 16];
            first[..14].copy_from_slice(&master.salt);
            first[7] ^= label;
            stream.apply(first, out).map_err(|_| ConfigError::new("key", "is refused by the library of ciphers"))
        };
        let mut keys = Self { profile: master.profile, rtp: PacketKeys::zero(), rtcp: PacketKeys::zero() };
        for (packets, label) in [(&mut keys.rtp, 0), (&mut keys.rtcp, 3)] {
            derive(label, &mut packets.cipher[..master.profile.key_len()])?;
            derive(label + 1, &mut packets.authentication)?;
            derive(label + 2, &mut packets.salt[..master.profile.salt_len()])?;
        }
        Ok(keys)
    }

    /// The same cipher key, authentication key and salt for RTP and RTCP. The authentication key is empty with AES-GCM.
    ///
    /// # Errors
    /// [`ConfigError`] if one of them is not of the length of the profile.
    pub fn new(profile: Profile, cipher: &[u8], authentication: &[u8], salt: &[u8]) -> Result<Self, ConfigError> {
        let master = MasterKey::new(profile, cipher, salt)?;
        if authentication.len() != if profile.is_aead() { 0 } else { 20 } {
            return Err(ConfigError::new("authentication", "must be of 20 bytes, or empty with AES-GCM"));
        }
        let mut keys = PacketKeys { cipher: master.key, authentication: [0; 20], salt: master.salt };
        keys.authentication[..authentication.len()].copy_from_slice(authentication);
        Ok(Self { profile, rtp: keys.clone(), rtcp: keys })
    }

    /// The profile they are for.
    #[must_use]
    pub const fn profile(&self) -> Profile {
        self.profile
    }

    /// Cipher key, authentication key and salt of RTP.
    #[must_use]
    pub fn rtp(&self) -> (&[u8], &[u8], &[u8]) {
        self.parts(&self.rtp)
    }

    /// Cipher key, authentication key and salt of RTCP.
    #[must_use]
    pub fn rtcp(&self) -> (&[u8], &[u8], &[u8]) {
        self.parts(&self.rtcp)
    }

    fn parts<'a>(&self, keys: &'a PacketKeys) -> (&'a [u8], &'a [u8], &'a [u8]) {
        let authentication = if self.profile.is_aead() { 0 } else { 20 };
        (
            &keys.cipher[..self.profile.key_len()],
            &keys.authentication[..authentication],
            &keys.salt[..self.profile.salt_len()],
        )
    }
}

impl PacketKeys {
    const fn zero() -> Self {
        Self { cipher: [0; 32], authentication: [0; 20], salt: [0; 14] }
    }

    pub(super) fn cipher(&self, profile: Profile) -> &[u8] {
        &self.cipher[..profile.key_len()]
    }
}

impl Drop for MasterKey {
    fn drop(&mut self) {
        self.key.zeroize();
        self.salt.zeroize();
    }
}

impl ZeroizeOnDrop for MasterKey {}

impl Drop for PacketKeys {
    fn drop(&mut self) {
        self.cipher.zeroize();
        self.authentication.zeroize();
        self.salt.zeroize();
    }
}

impl ZeroizeOnDrop for PacketKeys {}

// Secrets are never printed.
impl fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MasterKey").field("profile", &self.profile).finish_non_exhaustive()
    }
}

impl fmt::Debug for SessionKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionKeys").field("profile", &self.profile).finish_non_exhaustive()
    }
}
