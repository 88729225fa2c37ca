use core::fmt;

use aes_gcm::aead::{AeadInOut, KeyInit};
use aes_gcm::{Aes128Gcm, Aes256Gcm};
use hmac::{Hmac, Mac as _};
use rtc_core::ConfigError;
use sha1::Sha1;

use super::{Aead, CipherFailure, Crypto, KEY_LENGTH, KeyStream, Mac, counter};

/// The ciphers of [RustCrypto](https://docs.rs/aes-gcm): Rust throughout, for where no C compiler is.
#[derive(Debug, Clone, Copy, Default)]
pub struct RustCrypto;

impl Crypto for RustCrypto {
    fn gcm(&self, key: &[u8]) -> Result<Box<dyn Aead>, ConfigError> {
        Ok(match key.len() {
            16 => Box::new(Gcm(Aes128Gcm::new_from_slice(key).map_err(|_| KEY_LENGTH)?)),
            32 => Box::new(Gcm(Aes256Gcm::new_from_slice(key).map_err(|_| KEY_LENGTH)?)),
            _ => return Err(KEY_LENGTH),
        })
    }

    fn counter_mode(&self, key: &[u8]) -> Result<Box<dyn KeyStream>, ConfigError> {
        counter::new(key)
    }

    fn hmac_sha1(&self, key: &[u8]) -> Box<dyn Mac> {
        #[expect(clippy::expect_used, reason = "HMAC takes keys of any length (RFC 2104 §2)")]
        let mac = Hmac::<Sha1>::new_from_slice(key).expect("HMAC takes keys of any length");
        Box::new(HmacSha1(mac))
    }
}

struct Gcm<C>(C);

impl<C: AeadInOut<NonceSize = aes_gcm::aead::consts::U12, TagSize = aes_gcm::aead::consts::U16> + Send + Sync> Aead
    for Gcm<C>
{
    fn seal(&self, nonce: [u8; 12], associated: &[u8], data: &mut [u8]) -> Result<[u8; 16], CipherFailure> {
        let tag = self.0.encrypt_inout_detached(&nonce.into(), associated, data.into());
        tag.map(Into::into).map_err(|_| CipherFailure)
    }

    fn open(&self, nonce: [u8; 12], associated: &[u8], data: &mut [u8], tag: &[u8; 16]) -> Result<(), CipherFailure> {
        let opened = self.0.decrypt_inout_detached(&nonce.into(), associated, data.into(), &(*tag).into());
        opened.map_err(|_| CipherFailure)
    }
}

struct HmacSha1(Hmac<Sha1>);

impl Mac for HmacSha1 {
    fn sign(&self, message: &[u8], suffix: &[u8]) -> [u8; 20] {
        let mut mac = self.0.clone();
        mac.update(message);
        mac.update(suffix);
        mac.finalize().into_bytes().into()
    }
}

impl<C> fmt::Debug for Gcm<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RustCrypto AES-GCM")
    }
}

impl fmt::Debug for HmacSha1 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RustCrypto HMAC-SHA1")
    }
}
