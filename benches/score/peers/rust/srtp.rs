//! `webrtc-srtp` and `rtc-srtp`, and ours with other libraries of ciphers.

use bytes::{Bytes, BytesMut};
use rtc_transport::srtp::{Profile, Ring, RustCrypto};

use crate::subject::{MakeProtection, Protection, Subject};
use crate::transport::Ours;

pub(super) fn protections() -> Vec<Subject<MakeProtection>> {
    let ours = |name: &str, maker| Subject { name: name.into(), is_variant: true, ..Subject::ours(maker) };
    let aws_lc = || Box::new(rtc_crypto::providers::AwsLcRsProvider::new()) as Box<dyn rtc_crypto::RTCCryptoProvider>;
    let ring = || Box::new(rtc_crypto::providers::RingProvider::new()) as Box<dyn rtc_crypto::RTCCryptoProvider>;
    vec![
        ours("ours, ring", Ours::maker(Ring)),
        ours("ours, RustCrypto", Ours::maker(RustCrypto)),
        Subject::peer(
            "webrtc-srtp",
            "0.17",
            Box::new(|profile, key, salt| Box::new(WebrtcSrtp::new(profile, key, salt))),
        ),
        Subject::peer("rtc-srtp, ring", "0.21", RtcSrtp::maker(ring)),
        Subject::peer("rtc-srtp, aws-lc-rs", "0.21", RtcSrtp::maker(aws_lc)),
    ]
}

struct WebrtcSrtp {
    sender: webrtc_srtp::context::Context,
    receiver: webrtc_srtp::context::Context,
    last: Bytes,
}

impl WebrtcSrtp {
    fn new(profile: Profile, key: &[u8], salt: &[u8]) -> Self {
        use webrtc_srtp::context::Context;
        use webrtc_srtp::option::{srtcp_replay_protection, srtp_replay_protection};
        use webrtc_srtp::protection_profile::ProtectionProfile;
        let profile = match profile {
            Profile::AesCm128HmacSha1_32 => ProtectionProfile::Aes128CmHmacSha1_32,
            Profile::AeadAes128Gcm => ProtectionProfile::AeadAes128Gcm,
            Profile::AeadAes256Gcm => ProtectionProfile::AeadAes256Gcm,
            _ => ProtectionProfile::Aes128CmHmacSha1_80,
        };
        // As its sessions do: the receiver alone looks out for replays.
        let sender = Context::new(key, salt, profile, None, None);
        let (rtp, rtcp) = (srtp_replay_protection(1_024), srtcp_replay_protection(1_024));
        let receiver = Context::new(key, salt, profile, Some(rtp), Some(rtcp));
        Self {
            sender: sender.expect("key and salt are as long as they must be"),
            receiver: receiver.expect("as above"),
            last: Bytes::new(),
        }
    }
}

impl Protection for WebrtcSrtp {
    fn protect<'a>(&'a mut self, buffer: &'a mut [u8], len: usize) -> &'a [u8] {
        self.last = self.sender.encrypt_rtp(&buffer[..len]).unwrap_or_default();
        &self.last
    }

    fn unprotect<'a>(&'a mut self, packet: &'a mut [u8]) -> &'a [u8] {
        self.last = self.receiver.decrypt_rtp(packet).unwrap_or_default();
        &self.last
    }

    fn protect_rtcp(&mut self, packet: &[u8]) -> Vec<u8> {
        self.sender.encrypt_rtcp(packet).unwrap_or_default().to_vec()
    }

    fn unprotect_rtcp(&mut self, packet: &[u8]) -> Vec<u8> {
        self.receiver.decrypt_rtcp(packet).unwrap_or_default().to_vec()
    }
}

struct RtcSrtp {
    sender: rtc_srtp::context::Context,
    receiver: rtc_srtp::context::Context,
    last: BytesMut,
}

impl RtcSrtp {
    fn maker(provider: impl Fn() -> Box<dyn rtc_crypto::RTCCryptoProvider> + 'static) -> MakeProtection {
        Box::new(move |profile, key, salt| Box::new(Self::new(profile, key, salt, &*provider())))
    }

    fn new(profile: Profile, key: &[u8], salt: &[u8], provider: &dyn rtc_crypto::RTCCryptoProvider) -> Self {
        use rtc_srtp::context::Context;
        use rtc_srtp::option::{srtcp_replay_protection, srtp_replay_protection};
        use rtc_srtp::protection_profile::ProtectionProfile;
        let profile = match profile {
            Profile::AesCm128HmacSha1_32 => ProtectionProfile::Aes128CmHmacSha1_32,
            Profile::AeadAes128Gcm => ProtectionProfile::AeadAes128Gcm,
            Profile::AeadAes256Gcm => ProtectionProfile::AeadAes256Gcm,
            _ => ProtectionProfile::Aes128CmHmacSha1_80,
        };
        let sender = Context::new(key, salt, profile, None, None, provider.crypto());
        let (rtp, rtcp) = (srtp_replay_protection(1_024), srtcp_replay_protection(1_024));
        let receiver = Context::new(key, salt, profile, Some(rtp), Some(rtcp), provider.crypto());
        Self {
            sender: sender.expect("key and salt are as long as they must be"),
            receiver: receiver.expect("as above"),
            last: BytesMut::new(),
        }
    }
}

impl Protection for RtcSrtp {
    fn protect<'a>(&'a mut self, buffer: &'a mut [u8], len: usize) -> &'a [u8] {
        self.last = self.sender.encrypt_rtp(&buffer[..len]).unwrap_or_default();
        &self.last
    }

    fn unprotect<'a>(&'a mut self, packet: &'a mut [u8]) -> &'a [u8] {
        self.last = self.receiver.decrypt_rtp(packet).unwrap_or_default();
        &self.last
    }

    fn protect_rtcp(&mut self, packet: &[u8]) -> Vec<u8> {
        self.sender.encrypt_rtcp(packet).unwrap_or_default().to_vec()
    }

    fn unprotect_rtcp(&mut self, packet: &[u8]) -> Vec<u8> {
        self.receiver.decrypt_rtcp(packet).unwrap_or_default().to_vec()
    }
}
