//! Counter mode of the `aes` crate, for the libraries that have none of their own.

use core::fmt;

use aes::cipher::{InnerIvInit, KeyInit, StreamCipher, StreamCipherCoreWrapper};
use aes::{Aes128, Aes256};
use ctr::{CtrCore, flavors::Ctr128BE};
use rtc_core::ConfigError;

use super::{CipherFailure, KEY_LENGTH, KeyStream};

pub(super) fn new(key: &[u8]) -> Result<Box<dyn KeyStream>, ConfigError> {
    Ok(match key.len() {
        16 => Box::new(Counter(Aes128::new_from_slice(key).map_err(|_| KEY_LENGTH)?)),
        32 => Box::new(Counter(Aes256::new_from_slice(key).map_err(|_| KEY_LENGTH)?)),
        _ => return Err(KEY_LENGTH),
    })
}

struct Counter<C>(C);

macro_rules! key_stream {
    ($cipher:ty) => {
        impl KeyStream for Counter<$cipher> {
            fn apply(&self, first: [u8; 16], data: &mut [u8]) -> Result<(), CipherFailure> {
                let core = CtrCore::<&$cipher, Ctr128BE>::inner_iv_init(&self.0, &first.into());
                StreamCipherCoreWrapper::from_core(core).try_apply_keystream(data).map_err(|_| CipherFailure)
            }
        }
    };
}

key_stream!(Aes128);
key_stream!(Aes256);

impl<C> fmt::Debug for Counter<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("aes AES-CTR")
    }
}
