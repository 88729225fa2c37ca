use core::fmt;

use aws_lc_rs::aead::{AES_128_GCM, AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::cipher::{AES_128, AES_256, EncryptingKey, EncryptionContext, UnboundCipherKey};
use aws_lc_rs::hmac;
use aws_lc_rs::iv::FixedLength;
use rtc_core::ConfigError;

use super::{Aead, CipherFailure, Crypto, KEY_LENGTH, KeyStream, Mac};

/// The ciphers of [aws-lc-rs](https://docs.rs/aws-lc-rs): AWS-LC, in C and assembly. The fastest of those here.
#[derive(Debug, Clone, Copy, Default)]
pub struct AwsLc;

impl Crypto for AwsLc {
    fn gcm(&self, key: &[u8]) -> Result<Box<dyn Aead>, ConfigError> {
        let algorithm = match key.len() {
            16 => &AES_128_GCM,
            32 => &AES_256_GCM,
            _ => return Err(KEY_LENGTH),
        };
        let key = UnboundKey::new(algorithm, key).map_err(|_| KEY_LENGTH)?;
        Ok(Box::new(Gcm(LessSafeKey::new(key))))
    }

    fn counter_mode(&self, key: &[u8]) -> Result<Box<dyn KeyStream>, ConfigError> {
        let algorithm = match key.len() {
            16 => &AES_128,
            32 => &AES_256,
            _ => return Err(KEY_LENGTH),
        };
        let key = UnboundCipherKey::new(algorithm, key).map_err(|_| KEY_LENGTH)?;
        Ok(Box::new(Counter(EncryptingKey::ctr(key).map_err(|_| KEY_LENGTH)?)))
    }

    fn hmac_sha1(&self, key: &[u8]) -> Box<dyn Mac> {
        Box::new(Hmac(hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, key)))
    }
}

struct Gcm(LessSafeKey);

impl Aead for Gcm {
    fn seal(&self, nonce: [u8; 12], associated: &[u8], data: &mut [u8]) -> Result<[u8; 16], CipherFailure> {
        let nonce = Nonce::assume_unique_for_key(nonce);
        let tag = self.0.seal_in_place_separate_tag(nonce, Aad::from(associated), data).map_err(|_| CipherFailure)?;
        tag.as_ref().try_into().map_err(|_| CipherFailure)
    }

    fn seal_from(
        &self,
        nonce: [u8; 12],
        associated: &[u8],
        plain: &[u8],
        sealed: &mut [u8],
        tag: &mut [u8; 16],
    ) -> Result<(), CipherFailure> {
        let (nonce, associated) = (Nonce::assume_unique_for_key(nonce), Aad::from(associated));
        self.0.seal_out_of_place_scatter(nonce, associated, plain, sealed, &[], tag).map_err(|_| CipherFailure)
    }

    fn open(&self, nonce: [u8; 12], associated: &[u8], data: &mut [u8], tag: &[u8; 16]) -> Result<(), CipherFailure> {
        let nonce = Nonce::assume_unique_for_key(nonce);
        let opened = self.0.open_in_place_separate_tag(nonce, Aad::from(associated), tag, data);
        opened.map(|_| ()).map_err(|_| CipherFailure)
    }
}

struct Counter(EncryptingKey);

impl KeyStream for Counter {
    fn apply(&self, first: [u8; 16], data: &mut [u8]) -> Result<(), CipherFailure> {
        let context = EncryptionContext::Iv128(FixedLength::from(first));
        self.0.less_safe_encrypt(data, context).map(|_| ()).map_err(|_| CipherFailure)
    }
}

struct Hmac(hmac::Key);

impl Mac for Hmac {
    fn sign(&self, message: &[u8], suffix: &[u8]) -> [u8; 20] {
        let mut context = hmac::Context::with_key(&self.0);
        context.update(message);
        context.update(suffix);
        let mut code = [0; 20];
        code.copy_from_slice(context.sign().as_ref());
        code
    }
}

// Nothing of a key is ever printed.
impl fmt::Debug for Gcm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("aws-lc AES-GCM")
    }
}

impl fmt::Debug for Counter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("aws-lc AES-CTR")
    }
}

impl fmt::Debug for Hmac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("aws-lc HMAC-SHA1")
    }
}
