#![cfg(any(feature = "srtp-aws-lc", feature = "srtp-ring", feature = "srtp-rustcrypto"))]

use zeroize::ZeroizeOnDrop;

use super::index::estimate;
use super::streams::Streams;
use super::*;

/// The definition, with the numbers of the clause: the one of three candidates that is nearest.
#[test]
fn rfc3711_s3_3_1_the_index_is_the_nearest_to_the_highest() {
    for highest in [0_u64, 1, 5, 0x7fff, 0x8000, 0xffff, 0x1_0000, 0x1_7fff, 0x1_8000, 0x5_1234, 0x5_fedc] {
        for seq in (0..=u16::MAX).step_by(97).chain([0, 1, 0x7fff, 0x8000, 0x8001, 0xffff]) {
            let rollovers = highest >> 16;
            let candidates = [rollovers.checked_sub(1), Some(rollovers), Some(rollovers + 1)];
            let away = |index: u64| index.abs_diff(highest);
            let candidates = candidates.map(|rollovers| rollovers.map(|it| it << 16 | u64::from(seq)));
            let index = estimate(highest, seq);
            match index {
                // As near as any: two may be equally near.
                Some(index) => {
                    assert!(candidates.contains(&Some(index)));
                    let is_nearest = candidates.iter().flatten().all(|other| away(*other) >= away(index));
                    assert!(is_nearest, "{highest:x} {seq:x} {index:x}");
                }
                None => assert!(rollovers == 0 && u64::from(seq) > highest + (1 << 15), "{highest:x} {seq:x}"),
            }
        }
    }
}

/// Appendix A, at the edge: half a cycle away stays in the same.
#[test]
fn rfc3711_a_half_a_cycle_away_is_in_the_same() {
    assert_eq!(estimate(0x1_0005, 0x8005), Some(0x1_8005));
    assert_eq!(estimate(0x1_0005, 0x8006), Some(0x0_8006));
    assert_eq!(estimate(0x1_8005, 0x0005), Some(0x1_0005));
    assert_eq!(estimate(0x1_8005, 0x0004), Some(0x2_0004));
    assert_eq!(estimate((1 << 48) - 1, 0), None, "the last cycle is over");
}

#[test]
fn rfc3711_s9_2_reports_end_with_their_index() {
    let key = MasterKey::new(Profile::AeadAes128Gcm, &[1; 16], &[2; 12]).unwrap();
    let mut protector = Protector::new(&*library(), &key, SrtpConfig::default()).unwrap();
    protector.skip_reports(7, RTCP_LIFETIME - 1);
    let mut buffer = [0; 64];
    buffer[..8].copy_from_slice(&[0x80, 201, 0, 1, 0, 0, 0, 7]);
    let mut again = buffer;
    assert_eq!(protector.protect_rtcp(&mut buffer, 8), Ok(28));
    assert_eq!(buffer[24..28], [0xff; 4]);
    assert_eq!(protector.protect_rtcp(&mut again, 8), Err(SrtpError::KeyExhausted));
}

#[test]
fn no_more_streams_than_may_be() {
    let mut streams = Streams::new(3, 64);
    for ssrc in [9, 1, 5, 1] {
        assert!(streams.find_or_insert(ssrc).is_ok());
    }
    assert_eq!(streams.find_or_insert(2).err(), Some(SrtpError::TooManyStreams));
    assert!(streams.find(2).is_none() && streams.find(5).is_some());
    assert_eq!(streams.len(), 3);
}

#[test]
fn headers_are_measured() {
    let plain = [0x80, 96, 1, 2, 0, 0, 0, 0, 0, 0, 0, 7];
    assert_eq!(rtp_header(&plain), Some((12, 7, 0x0102)));
    let mut full = [0; 32];
    full[..12].copy_from_slice(&plain);
    full[0] = 0x92; // two sources, an extension
    full[22..24].copy_from_slice(&[0, 2]);
    assert_eq!(rtp_header(&full), Some((32, 7, 0x0102)));
    assert_eq!(rtp_header(&full[..31]), None);
    assert_eq!(rtp_header(&full[..22]), None);
    assert_eq!(rtp_header(&plain[..11]), None);
    full[0] = 0x52;
    assert_eq!(rtp_header(&full), None, "version 1");
}

#[test]
fn secrets_are_overwritten_and_never_printed() {
    const fn overwritten<T: ZeroizeOnDrop>() {}
    overwritten::<MasterKey>();
    overwritten::<keys::PacketKeys>();
    let key = MasterKey::new(Profile::AesCm128HmacSha1_80, &[0xab; 16], &[0xcd; 14]).unwrap();
    let keys = SessionKeys::derive(&*library(), &key).unwrap();
    let protector = Protector::with_keys(&*library(), &keys, SrtpConfig::default()).unwrap();
    let printed = format!("{key:?} {keys:?} {protector:?}");
    assert!(!printed.contains("171") && !printed.contains("205"), "{printed}");
}

#[test]
fn impossible_settings_are_refused() {
    let key = MasterKey::new(Profile::AeadAes128Gcm, &[1; 16], &[2; 12]).unwrap();
    let refused = |edit: fn(&mut SrtpConfig)| {
        let mut config = SrtpConfig::default();
        edit(&mut config);
        assert!(Protector::new(&*library(), &key, config.clone()).is_err());
        assert!(Unprotector::new(&*library(), &key, config).is_err());
    };
    refused(|config| config.replay_window = 32_769);
    refused(|config| config.max_streams = 0);
    refused(|config| config.mki = vec![0; 129]);
    assert!(MasterKey::new(Profile::AeadAes256Gcm, &[1; 16], &[2; 12]).is_err());
    assert!(MasterKey::new(Profile::AeadAes128Gcm, &[1; 16], &[2; 14]).is_err());
    assert!(SessionKeys::new(Profile::AeadAes128Gcm, &[1; 16], &[3; 20], &[2; 12]).is_err());
}

fn library() -> Box<dyn Crypto> {
    let all: Vec<Box<dyn Crypto>> = vec![
        #[cfg(feature = "srtp-aws-lc")]
        Box::new(AwsLc),
        #[cfg(feature = "srtp-ring")]
        Box::new(Ring),
        #[cfg(feature = "srtp-rustcrypto")]
        Box::new(RustCrypto),
    ];
    all.into_iter().next().unwrap()
}
