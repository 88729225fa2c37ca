//! What SRTP asks of a library of ciphers, and the libraries there are.

use core::fmt;

use rtc_core::ConfigError;

#[cfg(feature = "srtp-aws-lc")]
mod aws_lc;
#[cfg(any(feature = "srtp-ring", feature = "srtp-rustcrypto"))]
mod counter;
#[cfg(feature = "srtp-ring")]
mod ring;
#[cfg(feature = "srtp-rustcrypto")]
mod rust_crypto;

#[cfg(feature = "srtp-aws-lc")]
pub use aws_lc::AwsLc;
#[cfg(feature = "srtp-ring")]
pub use ring::Ring;
#[cfg(feature = "srtp-rustcrypto")]
pub use rust_crypto::RustCrypto;

/// A library of ciphers: what SRTP is made of, each primitive bound to a key.
///
/// Nothing here keeps state from call to call, so that what is made may be shared.
pub trait Crypto {
    /// AES in Galois/counter mode (NIST SP 800-38D), for a key of 16 or 32 bytes.
    ///
    /// # Errors
    /// [`ConfigError`] if the library has none for a key of this length.
    fn gcm(&self, key: &[u8]) -> Result<Box<dyn Aead>, ConfigError>;

    /// AES in counter mode (RFC 3711 §4.1.1), for a key of 16 or 32 bytes.
    ///
    /// # Errors
    /// [`ConfigError`] if the library has none for a key of this length.
    fn counter_mode(&self, key: &[u8]) -> Result<Box<dyn KeyStream>, ConfigError>;

    /// HMAC-SHA1 (RFC 2104).
    fn hmac_sha1(&self, key: &[u8]) -> Box<dyn Mac>;
}

/// Authenticated encryption with associated data under one key, with nonces of 12 bytes and tags of 16.
pub trait Aead: fmt::Debug + Send + Sync {
    /// Encrypts `data` in place and returns the tag over it and `associated`.
    ///
    /// # Errors
    /// [`CipherFailure`] if the library refuses.
    fn seal(&self, nonce: [u8; 12], associated: &[u8], data: &mut [u8]) -> Result<[u8; 16], CipherFailure>;

    /// Encrypts `plain` to `sealed`, which is as long, and writes the tag over it and `associated`.
    ///
    /// What is forwarded to many is read where it came in and never copied, if the library can do so.
    ///
    /// # Errors
    /// [`CipherFailure`] if the library refuses, or the lengths differ.
    fn seal_from(
        &self,
        nonce: [u8; 12],
        associated: &[u8],
        plain: &[u8],
        sealed: &mut [u8],
        tag: &mut [u8; 16],
    ) -> Result<(), CipherFailure> {
        if plain.len() != sealed.len() {
            return Err(CipherFailure);
        }
        sealed.copy_from_slice(plain);
        *tag = self.seal(nonce, associated, sealed)?;
        Ok(())
    }

    /// Decrypts `data` in place if the tag is right.
    ///
    /// # Errors
    /// [`CipherFailure`] if it is not; `data` then holds anything.
    fn open(&self, nonce: [u8; 12], associated: &[u8], data: &mut [u8], tag: &[u8; 16]) -> Result<(), CipherFailure>;
}

/// A key stream under one key.
pub trait KeyStream: fmt::Debug + Send + Sync {
    /// Adds the key stream that begins with the counter block `first` to `data`, bit by bit without carry.
    ///
    /// # Errors
    /// [`CipherFailure`] if the library refuses.
    fn apply(&self, first: [u8; 16], data: &mut [u8]) -> Result<(), CipherFailure>;
}

/// A message authentication code under one key.
pub trait Mac: fmt::Debug + Send + Sync {
    /// The code of `message` and `suffix`, one after the other.
    fn sign(&self, message: &[u8], suffix: &[u8]) -> [u8; 20];
}

/// A library of ciphers refused: a tag is wrong, or data are longer than the cipher takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct CipherFailure;

/// What a key of the wrong length is answered with.
#[cfg(any(feature = "srtp-aws-lc", feature = "srtp-ring", feature = "srtp-rustcrypto"))]
const KEY_LENGTH: ConfigError = ConfigError::new("key", "must be of 16 or 32 bytes");
