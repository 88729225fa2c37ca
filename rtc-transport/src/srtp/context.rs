use rtc_core::ConfigError;

use super::transform::Transform;
use super::{Crypto, MasterKey, Profile, SessionKeys};

/// One master key in use: what RTP and what RTCP is protected with, and the identifier packets name it by.
#[derive(Debug)]
pub(super) struct Context {
    pub(super) mki: Vec<u8>,
    pub(super) rtp: Transform,
    pub(super) rtcp: Transform,
}

impl Context {
    pub(super) fn new(crypto: &dyn Crypto, keys: &SessionKeys, mki: Vec<u8>) -> Result<Self, ConfigError> {
        let profile = keys.profile();
        Ok(Self {
            mki,
            rtp: Transform::new(crypto, profile, &keys.rtp, profile.rtp_overhead())?,
            rtcp: Transform::new(crypto, profile, &keys.rtcp, profile.rtcp_overhead() - 4)?,
        })
    }

    /// One for another master key beside this one: of the same profile, by an identifier as long as this one's.
    pub(super) fn beside(
        &self,
        crypto: &dyn Crypto,
        master: &MasterKey,
        profile: Profile,
        mki: &[u8],
    ) -> Result<Self, ConfigError> {
        if master.profile() != profile {
            return Err(ConfigError::new("key", "must be of the profile of the others"));
        }
        if mki.is_empty() || mki.len() != self.mki.len() {
            return Err(ConfigError::new("mki", "must be as long as that of the first key, and not empty"));
        }
        Self::new(crypto, &SessionKeys::derive(crypto, master)?, mki.to_vec())
    }
}
