use std::collections::BTreeSet;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use rtc_core::testkit::strategies::rtp_packet;
use rtc_transport::srtp::{Crypto, MasterKey, Profile, Protector, SrtpConfig, SrtpError, Unprotector};

fn libraries() -> Vec<Box<dyn Crypto>> {
    vec![
        #[cfg(feature = "srtp-aws-lc")]
        Box::new(rtc_transport::srtp::AwsLc),
        #[cfg(feature = "srtp-ring")]
        Box::new(rtc_transport::srtp::Ring),
        #[cfg(feature = "srtp-rustcrypto")]
        Box::new(rtc_transport::srtp::RustCrypto),
    ]
}

fn profile() -> impl Strategy<Value = Profile> {
    select(Profile::ALL.to_vec())
}

fn master() -> impl Strategy<Value = MasterKey> {
    (profile(), any::<[u8; 32]>(), any::<[u8; 14]>()).prop_map(|(profile, key, salt)| {
        MasterKey::new(profile, &key[..profile.key_len()], &salt[..profile.salt_len()]).unwrap()
    })
}

fn config() -> impl Strategy<Value = SrtpConfig> {
    (64..300_u32, vec(any::<u8>(), 0..5), any::<bool>()).prop_map(|(window, mki, encrypt)| {
        let mut config = SrtpConfig::default();
        (config.replay_window, config.mki, config.encrypt_rtcp) = (window, mki, encrypt);
        config
    })
}

/// RTCP as far as protection is concerned: a header with an SSRC, and anything.
fn rtcp() -> impl Strategy<Value = Vec<u8>> {
    (any::<u32>(), vec(any::<u8>(), 0..200)).prop_map(|(ssrc, rest)| {
        let mut packet = vec![0x80, 200, 0, 1];
        packet.extend(ssrc.to_be_bytes());
        packet.extend(rest);
        packet
    })
}

/// A short packet of one stream.
fn media(seq: u64) -> [u8; 15] {
    let [.., high, low] = seq.to_be_bytes();
    [0x80, 96, high, low, 0, 0, 0, 0, 0, 0, 0, 7, high, low, 0]
}

fn sealed(len: usize, packet: &[u8], protect: impl FnOnce(&mut [u8]) -> Result<usize, SrtpError>) -> Vec<u8> {
    let mut buffer = packet.to_vec();
    buffer.resize(packet.len() + len, 0);
    assert_eq!(protect(&mut buffer), Ok(buffer.len()));
    buffer
}

fn protect(protector: &mut Protector, packet: &[u8]) -> Vec<u8> {
    sealed(protector.rtp_overhead(), packet, |buffer| protector.protect_rtp(buffer, packet.len()))
}

fn protect_rtcp(protector: &mut Protector, packet: &[u8]) -> Vec<u8> {
    sealed(protector.rtcp_overhead(), packet, |buffer| protector.protect_rtcp(buffer, packet.len()))
}

fn unprotect(unprotector: &mut Unprotector, packet: &[u8]) -> Result<Vec<u8>, SrtpError> {
    let mut buffer = packet.to_vec();
    let len = unprotector.unprotect_rtp(&mut buffer)?;
    Ok(buffer[..len].to_vec())
}

fn unprotect_rtcp(unprotector: &mut Unprotector, packet: &[u8]) -> Result<Vec<u8>, SrtpError> {
    let mut buffer = packet.to_vec();
    let len = unprotector.unprotect_rtcp(&mut buffer)?;
    Ok(buffer[..len].to_vec())
}

proptest! {
    /// Whatever the library at either end, a packet comes out as it went in, once; and all libraries make the same of it.
    #[test]
    fn packets_come_out_as_they_went_in(master in master(), config in config(), rtp in rtp_packet(), rtcp in rtcp()) {
        let mut first = None;
        for crypto in libraries() {
            let mut alice = Protector::new(&*crypto, &master, config.clone()).unwrap();
            let packets = (protect(&mut alice, rtp.as_bytes()), protect_rtcp(&mut alice, &rtcp));
            let expected = first.get_or_insert_with(|| packets.clone());
            prop_assert_eq!(&packets, expected);
            let mut bob = Unprotector::new(&*crypto, &master, config.clone()).unwrap();
            prop_assert_eq!(&unprotect(&mut bob, &packets.0).unwrap(), rtp.as_bytes());
            prop_assert_eq!(unprotect_rtcp(&mut bob, &packets.1).unwrap(), &*rtcp);
            prop_assert_eq!(unprotect(&mut bob, &packets.0), Err(SrtpError::Replayed));
            prop_assert_eq!(unprotect_rtcp(&mut bob, &packets.1), Err(SrtpError::Replayed));
            prop_assert_eq!((bob.stats().accepted, bob.stats().replayed), (2, 2));
        }
    }

    /// Read where it is, a payload becomes the same packet as in place, and is refused for the same reasons.
    #[test]
    fn a_payload_may_be_elsewhere(master in master(), config in config(), rtp in rtp_packet(), room in 0..3_usize) {
        for crypto in libraries() {
            let mut here = Protector::new(&*crypto, &master, config.clone()).unwrap();
            let mut there = Protector::new(&*crypto, &master, config.clone()).unwrap();
            let (bytes, header) = (rtp.as_bytes(), rtp.header_len());
            let expected = protect(&mut here, bytes);
            let mut buffer = vec![0xee; expected.len() + room];
            buffer[..header].copy_from_slice(&bytes[..header]);
            prop_assert_eq!(there.protect_rtp_from(&mut buffer[..expected.len() - 1], header, &bytes[header..]), Err(SrtpError::NoRoom));
            prop_assert_eq!(there.protect_rtp_from(&mut buffer, header - 1, &bytes[header - 1..]), Err(SrtpError::Malformed));
            prop_assert_eq!(there.protect_rtp_from(&mut buffer, header, &bytes[header..]), Ok(expected.len()));
            prop_assert_eq!(&buffer[..expected.len()], &expected[..]);
            prop_assert!(buffer[expected.len()..].iter().all(|byte| *byte == 0xee));
            prop_assert_eq!(there.protect_rtp_from(&mut buffer, header, &bytes[header..]), Err(SrtpError::Reused));
            prop_assert_eq!((here.protected(), there.protected()), (1, 1));
        }
    }

    #[test]
    fn a_bit_turned_is_found(master in master(), config in config(), rtp in rtp_packet(), rtcp in rtcp(), at in any::<Index>()) {
        let crypto = libraries().swap_remove(0);
        let mut alice = Protector::new(&*crypto, &master, config.clone()).unwrap();
        let mut bob = Unprotector::new(&*crypto, &master, config).unwrap();
        let (mut rtp, mut rtcp) = (protect(&mut alice, rtp.as_bytes()), protect_rtcp(&mut alice, &rtcp));
        for packet in [&mut rtp, &mut rtcp] {
            let bit = at.index(8 * packet.len());
            packet[bit / 8] ^= 1 << (bit % 8);
        }
        prop_assert!(unprotect(&mut bob, &rtp).is_err());
        prop_assert!(unprotect_rtcp(&mut bob, &rtcp).is_err());
        prop_assert_eq!((bob.stats().accepted, bob.stats().received, bob.streams()), (0, 2, 0));
    }

    /// Packets of more than three cycles, of which some are lost and some come late or twice: each is let in once, if it is
    /// not behind by more than the window.
    #[test]
    fn rollovers_are_followed_and_packets_come_once(
        master in master(),
        begin in 0..30_000_u64,
        steps in vec((1..9_000_u64, any::<bool>(), 0..6_usize), 60..80),
    ) {
        let crypto = libraries().swap_remove(0);
        let config = SrtpConfig::default();
        let window = u64::from(config.replay_window);
        let mut alice = Protector::new(&*crypto, &master, config.clone()).unwrap();
        let mut bob = Unprotector::new(&*crypto, &master, config).unwrap();
        let (mut index, mut highest, mut seen) = (begin, 0, BTreeSet::new());
        let mut sent = vec![(begin, protect(&mut alice, &media(begin)))];
        let mut arrivals = vec![0];
        for (step, is_lost, back) in steps {
            // One in three is near the one before, so that there is something within the window.
            index += if step % 3 == 0 { step % 100 + 1 } else { step };
            sent.push((index, protect(&mut alice, &media(index))));
            if !is_lost {
                arrivals.push(sent.len() - 1);
            }
            arrivals.push(sent.len() - 1 - back.min(sent.len() - 1));
        }
        for arrival in arrivals {
            let (index, packet) = &sent[arrival];
            let fresh = !seen.contains(index) && index + window > highest;
            // Half a cycle ahead is too far, but for the very half in the first half of a cycle (RFC 3711 appendix A).
            let reach = if highest & 0x8000 == 0 { 1 << 15 } else { (1 << 15) - 1 };
            let is_near = *index <= highest + reach;
            prop_assert_eq!(unprotect(&mut bob, packet).is_ok(), fresh && is_near);
            if fresh && is_near {
                highest = highest.max(*index);
                seen.insert(*index);
            }
        }
    }

    #[test]
    fn any_bytes_are_borne(master in master(), config in config(), packets in vec(vec(any::<u8>(), 0..80), 1..20)) {
        let crypto = libraries().swap_remove(0);
        let mut alice = Protector::new(&*crypto, &master, config.clone()).unwrap();
        let mut bob = Unprotector::new(&*crypto, &master, config).unwrap();
        for packet in &packets {
            let _ = (alice.protect_rtp(&mut packet.clone(), packet.len()), alice.protect_rtcp(&mut packet.clone(), packet.len()));
            let mut roomy = [&packet[..], &[0; 200]].concat();
            let _ = (alice.protect_rtp(&mut roomy.clone(), packet.len()), alice.protect_rtcp(&mut roomy, packet.len()));
            prop_assert!(unprotect(&mut bob, packet).is_err());
            prop_assert!(unprotect_rtcp(&mut bob, packet).is_err());
            // With a header that is one, so that the tag is looked at.
            let like_media = [&media(1)[..], packet].concat();
            prop_assert!(unprotect(&mut bob, &like_media).is_err());
        }
        let stats = bob.stats();
        let lost = stats.malformed + stats.forged + stats.replayed + stats.unknown_key + stats.refused;
        prop_assert_eq!(stats.received, 3 * packets.len() as u64);
        prop_assert_eq!(stats.received, stats.accepted + lost);
        prop_assert_eq!(bob.streams(), 0, "nothing authentic came");
    }

    /// Whoever has the key opens no more streams than may be.
    #[test]
    fn streams_are_bounded(master in master(), ssrcs in vec(0..40_u32, 1..80)) {
        let crypto = libraries().swap_remove(0);
        let mut config = SrtpConfig::default();
        let mut alice = Protector::new(&*crypto, &master, config.clone()).unwrap();
        config.max_streams = 10;
        let mut bob = Unprotector::new(&*crypto, &master, config).unwrap();
        let mut known = BTreeSet::new();
        for (seq, ssrc) in (0..).zip(ssrcs) {
            let mut packet = media(seq);
            packet[8..12].copy_from_slice(&ssrc.to_be_bytes());
            let result = unprotect(&mut bob, &protect(&mut alice, &packet));
            if known.len() < 10 {
                known.insert(ssrc);
            }
            prop_assert_eq!(result.is_ok(), known.contains(&ssrc));
        }
        prop_assert_eq!(bob.streams(), known.len());
    }
}
