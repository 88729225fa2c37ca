//! SRTP clause by clause: RFC 3711, RFC 7714, and what RFC 5764 says of keys. With every library of ciphers there is.

#![cfg(any(feature = "srtp-aws-lc", feature = "srtp-ring", feature = "srtp-rustcrypto"))]
#![expect(clippy::unwrap_used, reason = "a test ends at the first surprise")]

use rtc_transport::srtp::{Crypto, MasterKey, Profile, Protector, SrtpConfig, Unprotector};

mod forward;
mod rfc3711;
mod rfc7714;

/// All libraries of ciphers, by name.
fn libraries() -> Vec<(&'static str, Box<dyn Crypto>)> {
    vec![
        #[cfg(feature = "srtp-aws-lc")]
        ("aws-lc-rs", Box::new(rtc_transport::srtp::AwsLc)),
        #[cfg(feature = "srtp-ring")]
        ("ring", Box::new(rtc_transport::srtp::Ring)),
        #[cfg(feature = "srtp-rustcrypto")]
        ("RustCrypto", Box::new(rtc_transport::srtp::RustCrypto)),
    ]
}

fn library() -> Box<dyn Crypto> {
    libraries().swap_remove(0).1
}

fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
    digits.chunks(2).map(|pair| u8::from_str_radix(str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
}

fn master(profile: Profile) -> MasterKey {
    MasterKey::new(profile, &vec![0x4b; profile.key_len()], &vec![0x53; profile.salt_len()]).unwrap()
}

/// Both ends of a direction.
fn pair(profile: Profile, config: &SrtpConfig) -> (Protector, Unprotector) {
    let (crypto, key) = (library(), master(profile));
    (Protector::new(&*crypto, &key, config.clone()).unwrap(), Unprotector::new(&*crypto, &key, config.clone()).unwrap())
}

/// An RTP packet of SSRC 7.
fn rtp(seq: u16) -> Vec<u8> {
    let mut packet = vec![0x80, 96, 0, 0, 0, 0, 0, 9, 0, 0, 0, 7];
    packet[2..4].copy_from_slice(&seq.to_be_bytes());
    packet.extend(b"some media of no special length");
    packet
}

/// A receiver report of SSRC 7, without blocks.
const RTCP: [u8; 8] = [0x80, 201, 0, 1, 0, 0, 0, 7];

fn protect_rtp(protector: &mut Protector, packet: &[u8]) -> Vec<u8> {
    let mut buffer = packet.to_vec();
    buffer.resize(packet.len() + protector.rtp_overhead(), 0);
    let len = protector.protect_rtp(&mut buffer, packet.len()).unwrap();
    assert_eq!(len, buffer.len());
    buffer
}

fn protect_rtcp(protector: &mut Protector, packet: &[u8]) -> Vec<u8> {
    let mut buffer = packet.to_vec();
    buffer.resize(packet.len() + protector.rtcp_overhead(), 0);
    let len = protector.protect_rtcp(&mut buffer, packet.len()).unwrap();
    assert_eq!(len, buffer.len());
    buffer
}

/// The packet again, or why not.
fn unprotect_rtp(unprotector: &mut Unprotector, packet: &[u8]) -> Result<Vec<u8>, rtc_transport::srtp::SrtpError> {
    let mut buffer = packet.to_vec();
    let len = unprotector.unprotect_rtp(&mut buffer)?;
    buffer.truncate(len);
    Ok(buffer)
}

/// The packet again, or why not.
fn unprotect_rtcp(unprotector: &mut Unprotector, packet: &[u8]) -> Result<Vec<u8>, rtc_transport::srtp::SrtpError> {
    let mut buffer = packet.to_vec();
    let len = unprotector.unprotect_rtcp(&mut buffer)?;
    buffer.truncate(len);
    Ok(buffer)
}
