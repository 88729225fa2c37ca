use rtc_transport::srtp::{MasterKey, Profile, Protector, SessionKeys, SrtpConfig, Unprotector};

use super::{RTCP, hex, libraries, pair, protect_rtcp, protect_rtp, rtp, unprotect_rtcp, unprotect_rtp};

const PROFILES: [Profile; 2] = [Profile::AeadAes128Gcm, Profile::AeadAes256Gcm];

/// "Gallia est omnis divisa in partes tres".
const PLAIN_RTP: &str = "8040f17b 8041f8d3 5501a0b2 47616c6c 69612065 7374206f 6d6e6973 20646976 69736120 696e2070
    61727465 73207472 6573";
const SRTP_128: &str = "8040f17b 8041f8d3 5501a0b2 f24de3a3 fb34de6c acba861c 9d7e4bca be633bd5 0d294e6f 42a5f47a
    51c7d19b 36de3adf 8833899d 7f27beb1 6a9152cf 765ee439 0cce";
const SRTP_256: &str = "8040f17b 8041f8d3 5501a0b2 32b1de78 a822fe12 ef9f78fa 332e33aa b1801238 9a58e2f3 b50b2a02
    76ffae0f 1ba63799 b87b7aa3 db36dfff d6b0f9bb 7878d7a7 6c13";

const PLAIN_RTCP: &str = "81c8000d 4d617273 4e545031 4e545032 52545020 0000042a 0000e930 4c756e61 deadbeef deadbeef
    deadbeef deadbeef deadbeef";
const SRTCP_128: &str = "81c8000d 4d617273 63e94885 dcdab67c a727d766 2f6b7e99 7ff5c0f7 6c06f32d c676a5f1 730d6fda
    4ce09b46 86303ded 0bb9275b c84aa458 96cf4d2f c5abf872 45d9eade 800005d4";
const SRTCP_256: &str = "81c8000d 4d617273 d50ae4d1 f5ce5d30 4ba297e4 7d470c28 2c3ece5d bffe0a50 a2eaa5c1 110555be
    8415f658 c61de047 6f1b6fad 1d1eb30c 4446839f 57ff6f6c b26ac3be 800005d4";
const TAGGED_128: &str = "81c8000d 4d617273 4e545031 4e545032 52545020 0000042a 0000e930 4c756e61 deadbeef deadbeef
    deadbeef deadbeef deadbeef 841dd968 3dd78ec9 2ae58790 125f62b3 000005d4";
const TAGGED_256: &str = "81c8000d 4d617273 4e545031 4e545032 52545020 0000042a 0000e930 4c756e61 deadbeef deadbeef
    deadbeef deadbeef deadbeef 91db4afb feee5a97 8fab4393 ed2615fe 000005d4";

/// Session keys of the vectors: bytes from zero up, and "Quid pro quo".
fn keys(profile: Profile) -> SessionKeys {
    let key: Vec<u8> = (0..32).collect();
    SessionKeys::new(profile, &key[..profile.key_len()], &[], b"Quid pro quo").unwrap()
}

#[test]
fn rfc7714_s16_rtp_vectors() {
    for (name, crypto) in libraries() {
        for (profile, expected) in PROFILES.into_iter().zip([SRTP_128, SRTP_256]) {
            let config = SrtpConfig::default();
            let mut alice = Protector::with_keys(&*crypto, &keys(profile), config.clone()).unwrap();
            let mut bob = Unprotector::with_keys(&*crypto, &keys(profile), config).unwrap();
            let packet = protect_rtp(&mut alice, &hex(PLAIN_RTP));
            assert_eq!(packet, hex(expected), "{name}");
            assert_eq!(unprotect_rtp(&mut bob, &packet), Ok(hex(PLAIN_RTP)), "{name}");
        }
    }
}

#[test]
fn rfc7714_s17_rtcp_vectors() {
    let vectors = [
        (Profile::AeadAes128Gcm, true, SRTCP_128),
        (Profile::AeadAes256Gcm, true, SRTCP_256),
        (Profile::AeadAes128Gcm, false, TAGGED_128),
        (Profile::AeadAes256Gcm, false, TAGGED_256),
    ];
    for (name, crypto) in libraries() {
        for (profile, encrypt, expected) in vectors {
            let mut config = SrtpConfig::default();
            config.encrypt_rtcp = encrypt;
            let mut alice = Protector::with_keys(&*crypto, &keys(profile), config.clone()).unwrap();
            let mut bob = Unprotector::with_keys(&*crypto, &keys(profile), config).unwrap();
            for _ in 0..0x5d4 {
                protect_rtcp(&mut alice, &hex(PLAIN_RTCP));
            }
            let packet = protect_rtcp(&mut alice, &hex(PLAIN_RTCP));
            assert_eq!(packet, hex(expected), "{name}");
            assert_eq!(unprotect_rtcp(&mut bob, &packet), Ok(hex(PLAIN_RTCP)), "{name}");
        }
    }
}

/// Figures 1 to 3: the identifier of the master key is the last.
#[test]
fn rfc7714_s8_and_s9_the_master_key_identifier_is_the_last() {
    for profile in PROFILES {
        let mut config = SrtpConfig::default();
        let (mut bare, _) = pair(profile, &config);
        config.mki = vec![1, 2];
        let (mut alice, mut bob) = pair(profile, &config);
        let packet = protect_rtp(&mut alice, &rtp(1));
        assert_eq!(packet, [&protect_rtp(&mut bare, &rtp(1))[..], &[1, 2]].concat());
        assert_eq!(unprotect_rtp(&mut bob, &packet), Ok(rtp(1)));
        let packet = protect_rtcp(&mut alice, &RTCP);
        assert_eq!(packet, [&protect_rtcp(&mut bare, &RTCP)[..], &[1, 2]].concat());
        assert_eq!(unprotect_rtcp(&mut bob, &packet), Ok(RTCP.to_vec()));
    }
}

/// As corrected by erratum 4938: the salt of 96 bits times 2^16 is that of RFC 3711.
#[test]
fn rfc7714_s11_keys_are_derived_as_in_rfc3711() {
    let (key, salt) = ([7; 16], [9; 12]);
    let long_salt = [&salt[..], &[0, 0]].concat();
    for (name, crypto) in libraries() {
        let derive = |profile, salt: &[u8]| {
            SessionKeys::derive(&*crypto, &MasterKey::new(profile, &key, salt).unwrap()).unwrap()
        };
        let gcm = derive(Profile::AeadAes128Gcm, &salt);
        let counter = derive(Profile::AesCm128HmacSha1_80, &long_salt);
        assert_eq!((gcm.rtp().0, gcm.rtp().2), (counter.rtp().0, &counter.rtp().2[..12]), "{name}");
        assert_eq!((gcm.rtcp().0, gcm.rtcp().2), (counter.rtcp().0, &counter.rtcp().2[..12]), "{name}");
    }
}
