use rtc_core::Ssrc;
use rtc_transport::srtp::{MasterKey, Profile, SessionKeys, SrtpConfig, SrtpError};

use super::{RTCP, hex, libraries, library, pair, protect_rtcp, protect_rtp, rtp, unprotect_rtcp, unprotect_rtp};

#[test]
fn rfc3711_b2_aes_cm_key_stream() {
    const FIRST: [u8; 16] = [0xf0, 0xf1, 0xf2, 0xf3, 0xf4, 0xf5, 0xf6, 0xf7, 0xf8, 0xf9, 0xfa, 0xfb, 0xfc, 0xfd, 0, 0];
    for (name, crypto) in libraries() {
        let stream = crypto.counter_mode(&hex("2B7E151628AED2A6ABF7158809CF4F3C")).unwrap();
        let mut segment = vec![0; 1_044_512];
        stream.apply(FIRST, &mut segment).unwrap();
        for (block, expected) in [
            (0, "E03EAD0935C95E80E166B16DD92B4EB4"),
            (1, "D23513162B02D0F72A43A2FE4A5F97AB"),
            (2, "41E95B3BB0A2E8DD477901E4FCA894C0"),
            (0xfeff, "EC8CDF7398607CB0F2D21675EA9EA1E4"),
            (0xff00, "362B7C3C6773516318A077D7FC5073AE"),
            (0xff01, "6A2CC3787889374FBEB4C81B17BA6C44"),
        ] {
            assert_eq!(segment[16 * block..16 * (block + 1)], hex(expected), "{name}, block {block:x}");
        }
    }
}

/// The salt with the label 1, and the key of 94 bytes that comes of it.
const AUTHENTICATION_BLOCK: [u8; 16] =
    [0x0e, 0xc6, 0x75, 0xad, 0x49, 0x8a, 0xfe, 0xea, 0xb6, 0x96, 0x0b, 0x3a, 0xab, 0xe6, 0, 0];
const AUTHENTICATION_KEY: &str = "CEBE321F6FF7716B6FD4AB49AF256A15 6D38BAA48F0A0ACF3C34E2359E6CDBCE
    E049646C43D9327AD175578EF7227098 6371C10C9A369AC2F94A8C5FBCDDDC25 6D6E919A48B610EF17C2041E47403576
    6B68642C59BBFC2F34DB60DBDFB2";

#[test]
fn rfc3711_b3_key_derivation() {
    let key = hex("E1F97A0D3E018BE0D64FA32C06DE4139");
    let master = MasterKey::new(Profile::AesCm128HmacSha1_80, &key, &hex("0EC675AD498AFEEBB6960B3AABE6")).unwrap();
    for (name, crypto) in libraries() {
        let keys = SessionKeys::derive(&*crypto, &master).unwrap();
        let (cipher, authentication, salt) = keys.rtp();
        assert_eq!(cipher, hex("C61E7A93744F39EE10734AFE3FF7A087"), "{name}");
        assert_eq!(salt, hex("30CBBC08863D8C85D49DB34A9AE1"), "{name}");
        // Of the 94 bytes there, HMAC-SHA1 takes 20.
        let mut all = [0; 94];
        crypto.counter_mode(&key).unwrap().apply(AUTHENTICATION_BLOCK, &mut all).unwrap();
        assert_eq!(all[..], hex(AUTHENTICATION_KEY), "{name}");
        assert_eq!(authentication, &all[..20], "{name}");
        assert!(keys.rtcp().0 != cipher && keys.rtcp().1 != authentication && keys.rtcp().2 != salt);
    }
}

#[test]
fn rfc3711_s3_1_the_master_key_identifier_stands_before_the_tag() {
    let mut config = SrtpConfig::default();
    let (mut bare, _) = pair(Profile::AesCm128HmacSha1_80, &config);
    config.mki = b"mki".to_vec();
    let (mut alice, mut bob) = pair(Profile::AesCm128HmacSha1_80, &config);
    let (without, with) = (protect_rtp(&mut bare, &rtp(1)), protect_rtp(&mut alice, &rtp(1)));
    let tag = without.len() - 10;
    assert_eq!(with, [&without[..tag], b"mki", &without[tag..]].concat());
    assert_eq!(unprotect_rtp(&mut bob, &with), Ok(rtp(1)));
    let (without, with) = (protect_rtcp(&mut bare, &RTCP), protect_rtcp(&mut alice, &RTCP));
    let tag = without.len() - 10;
    assert_eq!(with, [&without[..tag], b"mki", &without[tag..]].concat());
    assert_eq!(unprotect_rtcp(&mut bob, &with), Ok(RTCP.to_vec()));
    let other = [&without[..tag], b"MKI", &without[tag..]].concat();
    assert_eq!(unprotect_rtcp(&mut bob, &other), Err(SrtpError::UnknownKey));
    assert_eq!(bob.stats().unknown_key, 1);
}

/// Several master keys at a time, in any profile: packets say under which they are.
#[test]
fn rfc3711_s3_2_1_packets_name_their_master_key() {
    for profile in Profile::ALL {
        let mut config = SrtpConfig::default();
        config.mki = b"01".to_vec();
        let (mut alice, mut bob) = pair(profile, &config);
        let second = MasterKey::new(profile, &vec![0x77; profile.key_len()], &vec![1; profile.salt_len()]).unwrap();
        bob.add_key(&*library(), &second, b"02").unwrap();
        let early = protect_rtp(&mut alice, &rtp(1));
        let late = protect_rtp(&mut alice, &rtp(2));
        assert_eq!(unprotect_rtp(&mut bob, &early), Ok(rtp(1)));
        alice.set_key(&*library(), &second, b"02").unwrap();
        assert_eq!(unprotect_rtp(&mut bob, &protect_rtp(&mut alice, &rtp(3))), Ok(rtp(3)));
        assert_eq!(unprotect_rtcp(&mut bob, &protect_rtcp(&mut alice, &RTCP)), Ok(RTCP.to_vec()));
        assert_eq!(unprotect_rtp(&mut bob, &late), Ok(rtp(2)), "on its way when the key changed");
        assert!(bob.remove_key(b"01") && !bob.remove_key(b"01") && !bob.remove_key(b"02"));
        assert_eq!(unprotect_rtp(&mut bob, &late), Err(SrtpError::UnknownKey));
    }
}

/// The rollover counter and what came before are of the stream, whatever its master key.
#[test]
fn rfc3711_s3_3_1_rollovers_go_on_under_another_master_key() {
    let mut config = SrtpConfig::default();
    config.mki = vec![1];
    let (mut alice, mut bob) = pair(Profile::AeadAes128Gcm, &config);
    let second = MasterKey::new(Profile::AeadAes128Gcm, &[9; 16], &[8; 12]).unwrap();
    bob.add_key(&*library(), &second, &[2]).unwrap();
    for seq in [65_535, 0] {
        assert_eq!(unprotect_rtp(&mut bob, &protect_rtp(&mut alice, &rtp(seq))), Ok(rtp(seq)));
    }
    alice.set_key(&*library(), &second, &[2]).unwrap();
    let packet = protect_rtp(&mut alice, &rtp(1));
    assert_eq!(unprotect_rtp(&mut bob, &packet), Ok(rtp(1)), "65536 + 1 for both");
    assert_eq!(unprotect_rtp(&mut bob, &packet), Err(SrtpError::Replayed));
    let mut again = rtp(0);
    again.resize(again.len() + alice.rtp_overhead(), 0);
    assert_eq!(alice.protect_rtp(&mut again, rtp(0).len()), Err(SrtpError::Reused));
}

#[test]
fn rfc3711_s3_1_identifiers_are_as_long_as_each_other() {
    let profile = Profile::AeadAes128Gcm;
    let key = |byte| MasterKey::new(profile, &[byte; 16], &[byte; 12]).unwrap();
    let (mut bare, mut listener) = pair(profile, &SrtpConfig::default());
    assert!(bare.set_key(&*library(), &key(1), b"").is_err(), "packets must name their key");
    assert!(listener.add_key(&*library(), &key(1), b"1").is_err());
    let mut config = SrtpConfig::default();
    config.mki = vec![0];
    let (mut alice, mut bob) = pair(profile, &config);
    let other = MasterKey::new(Profile::AeadAes256Gcm, &[1; 32], &[1; 12]).unwrap();
    assert!(alice.set_key(&*library(), &other, &[1]).is_err() && bob.add_key(&*library(), &other, &[1]).is_err());
    assert!(alice.set_key(&*library(), &key(1), &[1, 2]).is_err());
    assert!(bob.add_key(&*library(), &key(1), &[0]).is_err(), "taken");
    for mki in 1..16 {
        bob.add_key(&*library(), &key(mki), &[mki]).unwrap();
    }
    assert!(bob.add_key(&*library(), &key(16), &[16]).is_err(), "16 at most");
}

#[test]
fn rfc3711_s3_3_1_rollovers_are_counted_and_may_be_told() {
    let (mut alice, mut bob) = pair(Profile::AeadAes128Gcm, &SrtpConfig::default());
    for seq in [40_000, 65_535, 20_000, 40_000] {
        assert_eq!(unprotect_rtp(&mut bob, &protect_rtp(&mut alice, &rtp(seq))), Ok(rtp(seq)));
    }
    let packet = protect_rtp(&mut alice, &rtp(40_001));
    // Who joins now is told that there was one.
    let (_, mut late) = pair(Profile::AeadAes128Gcm, &SrtpConfig::default());
    assert_eq!(unprotect_rtp(&mut late, &packet), Err(SrtpError::Forged));
    late.set_rollovers(Ssrc(7), 1).unwrap();
    assert_eq!(unprotect_rtp(&mut late, &packet), Ok(rtp(40_001)));
}

#[test]
fn rfc3711_s3_3_2_packets_come_once_and_within_the_window() {
    let mut config = SrtpConfig::default();
    config.replay_window = 64;
    let (mut alice, mut bob) = pair(Profile::AesCm128HmacSha1_80, &config);
    let packets: Vec<_> = (0..=100).map(|seq| protect_rtp(&mut alice, &rtp(seq))).collect();
    assert!(unprotect_rtp(&mut bob, &packets[0]).is_ok());
    assert!(unprotect_rtp(&mut bob, &packets[100]).is_ok());
    assert!(unprotect_rtp(&mut bob, &packets[37]).is_ok(), "63 back is within a window of 64");
    for replayed in [0, 36, 37, 100] {
        assert_eq!(unprotect_rtp(&mut bob, &packets[replayed]), Err(SrtpError::Replayed));
    }
    assert_eq!((bob.stats().replayed, bob.stats().accepted), (4, 3));
}

#[test]
fn rfc3711_s3_3_2_the_window_has_64_packets_at_least() {
    let mut config = SrtpConfig::default();
    config.replay_window = 63;
    let key = super::master(Profile::AeadAes128Gcm);
    assert!(rtc_transport::srtp::Protector::new(&*library(), &key, config).is_err());
}

#[test]
fn rfc3711_s3_3_a_forged_packet_changes_nothing() {
    let (mut alice, mut bob) = pair(Profile::AesCm128HmacSha1_80, &SrtpConfig::default());
    let (first, second) = (protect_rtp(&mut alice, &rtp(1)), protect_rtp(&mut alice, &rtp(2)));
    let mut forged = first.clone();
    forged[2] = 0x7f; // far ahead
    assert_eq!(unprotect_rtp(&mut bob, &forged), Err(SrtpError::Forged));
    assert_eq!(bob.streams(), 0, "a stream is begun by an authentic packet only");
    assert!(unprotect_rtp(&mut bob, &first).is_ok() && unprotect_rtp(&mut bob, &second).is_ok());
}

#[test]
fn rfc3711_s3_4_the_index_is_in_the_packet_and_counts_from_zero() {
    let (mut alice, mut bob) = pair(Profile::AesCm128HmacSha1_80, &SrtpConfig::default());
    for index in 0..3_u32 {
        let packet = protect_rtcp(&mut alice, &RTCP);
        let word = u32::from_be_bytes(packet[8..12].try_into().unwrap());
        assert_eq!(word, 0x8000_0000 | index, "encrypted, and the index of 31 bits");
        assert_eq!(unprotect_rtcp(&mut bob, &packet), Ok(RTCP.to_vec()));
        assert_eq!(unprotect_rtcp(&mut bob, &packet), Err(SrtpError::Replayed));
    }
}

#[test]
fn rfc3711_s3_4_reports_are_authenticated_even_if_not_encrypted() {
    let mut config = SrtpConfig::default();
    config.encrypt_rtcp = false;
    let report = [&RTCP[..], b"more"].concat();
    for profile in Profile::ALL {
        let (mut alice, mut bob) = pair(profile, &config);
        let packet = protect_rtcp(&mut alice, &report);
        assert_eq!(packet[..report.len()], report);
        let mut forged = packet.clone();
        forged[9] ^= 1;
        assert_eq!(unprotect_rtcp(&mut bob, &forged), Err(SrtpError::Forged));
        assert_eq!(unprotect_rtcp(&mut bob, &packet), Ok(report.clone()));
    }
}

/// One packet put together by hand, from the definitions.
#[test]
fn rfc3711_s4_1_1_and_s4_2_encryption_and_tag() {
    let crypto = library();
    let salt: Vec<u8> = (1..=14).collect();
    let keys = SessionKeys::new(Profile::AesCm128HmacSha1_80, &[3; 16], &[4; 20], &salt).unwrap();
    let mut alice = rtc_transport::srtp::Protector::with_keys(&*crypto, &keys, SrtpConfig::default()).unwrap();
    alice.set_rollovers(Ssrc(7), 0x0102_0304).unwrap();
    let plain = rtp(0x0506);
    // IV = (k_s * 2^16) XOR (SSRC * 2^64) XOR (i * 2^16)
    let iv =
        u128::from_be_bytes([vec![0; 2], salt].concat().try_into().unwrap()) << 16 ^ 7 << 64 ^ 0x0102_0304_0506 << 16;
    let mut expected = plain.clone();
    crypto.counter_mode(&[3; 16]).unwrap().apply(iv.to_be_bytes(), &mut expected[12..]).unwrap();
    // M = authenticated portion || ROC
    let tag = crypto.hmac_sha1(&[4; 20]).sign(&expected, &[1, 2, 3, 4]);
    expected.extend(&tag[..10]);
    assert_eq!(protect_rtp(&mut alice, &plain), expected);
}

#[test]
fn rfc3711_s5_2_tags_of_80_and_32_bits() {
    for (profile, tag) in [(Profile::AesCm128HmacSha1_80, 10), (Profile::AesCm128HmacSha1_32, 4)] {
        let (mut alice, mut bob) = pair(profile, &SrtpConfig::default());
        let packet = protect_rtp(&mut alice, &rtp(1));
        assert_eq!(packet.len(), rtp(1).len() + tag);
        assert_eq!(unprotect_rtp(&mut bob, &packet), Ok(rtp(1)));
        // Those of reports are never shorter than 80 bits.
        assert_eq!(protect_rtcp(&mut alice, &RTCP).len(), RTCP.len() + 4 + 10);
    }
}

#[test]
fn rfc3711_s9_1_no_number_is_used_twice() {
    let (mut alice, _) = pair(Profile::AeadAes128Gcm, &SrtpConfig::default());
    protect_rtp(&mut alice, &rtp(9));
    let mut buffer = [rtp(9), vec![0; 16]].concat();
    let before = buffer.clone();
    let len = rtp(9).len();
    assert_eq!(alice.protect_rtp(&mut buffer, len), Err(SrtpError::Reused));
    assert_eq!(buffer, before, "what is not protected is left alone");
    assert_eq!(alice.set_rollovers(Ssrc(7), 3), Err(SrtpError::Reused));
}

#[test]
fn rfc3711_s9_2_the_last_index_ends_the_key() {
    let (mut alice, _) = pair(Profile::AeadAes128Gcm, &SrtpConfig::default());
    alice.set_rollovers(Ssrc(7), u32::MAX).unwrap();
    protect_rtp(&mut alice, &rtp(65_535));
    let mut buffer = [rtp(0), vec![0; 16]].concat();
    let len = rtp(0).len();
    assert_eq!(alice.protect_rtp(&mut buffer, len), Err(SrtpError::KeyExhausted));
}

#[test]
fn rfc5764_s4_2_keys_then_salts_the_clients_first() {
    let material: Vec<u8> = (0..60).collect();
    let (client, server) = MasterKey::from_dtls(Profile::AesCm128HmacSha1_80, &material).unwrap();
    let crypto = library();
    for (master, key, salt) in [(client, 0..16, 32..46), (server, 16..32, 46..60)] {
        let expected = MasterKey::new(Profile::AesCm128HmacSha1_80, &material[key], &material[salt]).unwrap();
        let keys = [master, expected].map(|master| SessionKeys::derive(&*crypto, &master).unwrap());
        assert_eq!(keys[0].rtp(), keys[1].rtp());
    }
    assert!(MasterKey::from_dtls(Profile::AeadAes128Gcm, &material).is_err(), "that takes 56 bytes");
}

#[test]
fn rfc5764_s4_1_2_and_rfc7714_s14_2_profiles() {
    let ids = [
        (1, Profile::AesCm128HmacSha1_80),
        (2, Profile::AesCm128HmacSha1_32),
        (7, Profile::AeadAes128Gcm),
        (8, Profile::AeadAes256Gcm),
    ];
    for (id, profile) in ids {
        assert_eq!((profile.dtls_id(), Profile::from_dtls_id(id)), (id, Some(profile)));
    }
    assert_eq!(Profile::from_dtls_id(5), None, "the null cipher is not here");
}
