//! RFC 8681: sliding-window random linear codes. The wire format is this crate's own, so clauses are tested by what repair
//! packets hold. (The generator of RFC 8682 is tested where it is, as nothing outside needs it.)

use rtc_core::fec::{FecDecoder, FecEncoder};
use rtc_core::{RtpPacket, RtpTime, SeqNum};
use rtc_fec::rlc::{MAX_WINDOW, RlcDecoder, RlcDecoderConfig, RlcEncoder, RlcEncoderConfig};

use crate::packets::{MEDIA, SSRC, media};

/// Bytes of repair payload before the symbol: header and length.
const SYMBOL: usize = 6 + 2;

fn encoder(density: u8) -> RlcEncoder {
    let mut config = RlcEncoderConfig::default();
    (config.window, config.density, config.overhead) = (MAX_WINDOW, density, 0.0);
    RlcEncoder::new(config).unwrap()
}

/// The coefficients of the repair packet with this key over so many packets, each of which has a 1 where the others have none.
fn coefficients(key: usize, density: u8, count: u16) -> Vec<u8> {
    let mut encoder = encoder(density);
    for seq in 0..count {
        let mut payload = vec![0; usize::from(count)];
        payload[usize::from(seq)] = 1;
        encoder.protect(&RtpPacket::builder(MEDIA, SeqNum(seq), RtpTime(0), SSRC).build(&payload).unwrap());
    }
    (0..key).for_each(|_| drop(encoder.repair()));
    let repair = encoder.repair().unwrap();
    assert_eq!(repair.payload()[4..6], u16::try_from(key).unwrap().to_be_bytes());
    repair.payload()[SYMBOL + 12..].to_vec()
}

/// The low bytes of the generator's output with seed 1 (appendix A, figure 9), none of which is zero.
const RANDOM: [u8; 50] = [
    37, 225, 177, 176, 21, 246, 54, 139, 168, 237, 211, 187, 62, 190, 104, 135, 210, 99, 176, 11, 207, 35, 40, 113,
    179, 214, 254, 101, 212, 211, 226, 41, 234, 232, 203, 29, 194, 211, 112, 107, 217, 104, 197, 135, 23, 89, 210, 252,
    109, 166,
];

#[test]
fn rfc8681_s3_6_dense_coefficients_are_the_random_bytes_but_zero() {
    assert_eq!(coefficients(1, 15, 50), RANDOM);
    assert!((0..200).all(|key| coefficients(key, 15, 64).iter().all(|coefficient| *coefficient != 0)));
}

/// For each coefficient one number below 16 (appendix A, figure 10): up to the threshold it is followed by the coefficient.
#[test]
fn rfc8681_s3_6_the_density_threshold_says_how_many_are_zero() {
    let (mut random, mut expected) = (RANDOM.into_iter(), Vec::new());
    while let Some(number) = random.next() {
        if number % 16 <= 7 {
            expected.extend(random.next());
        } else {
            expected.push(0);
        }
    }
    let count = expected.len();
    assert_eq!(coefficients(1, 7, u16::try_from(count).unwrap()), expected);
    let some: usize = (0..100).map(|key| coefficients(key, 3, 64).iter().filter(|one| **one != 0).count()).sum();
    assert!((1_400..1_800).contains(&some), "a quarter of 6400: {some}");
}

#[test]
fn rfc8681_s3_6_a_key_always_gives_the_same_coefficients() {
    assert_eq!(coefficients(9, 15, 20), coefficients(9, 15, 30)[..20]);
    assert_ne!(coefficients(9, 15, 20), coefficients(10, 15, 20));
}

/// A packet's length goes before it, and zeros after it, so that what comes back is the whole packet and nothing else.
#[test]
fn rfc8681_s3_2_length_and_padding_are_part_of_a_symbol() {
    let mut encoder = encoder(15);
    let long = RtpPacket::builder(MEDIA, SeqNum(1), RtpTime(0), SSRC).build(&[7; 300]).unwrap();
    encoder.protect(&media(0, 0));
    encoder.protect(&long);
    let (repair, mut decoder) = (encoder.repair().unwrap(), RlcDecoder::new(RlcDecoderConfig::default()).unwrap());
    assert_eq!(repair.payload().len(), SYMBOL + long.as_bytes().len());
    decoder.insert_source(&long);
    decoder.insert_repair(&repair).unwrap();
    assert_eq!(decoder.poll_recovered(), Some(media(0, 0)));
}

/// The window slides over the packets, the oldest of which leave it.
#[test]
fn rfc8681_s3_3_the_encoding_window_slides() {
    let mut config = RlcEncoderConfig::default();
    config.window = 5;
    let mut encoder = RlcEncoder::new(config).unwrap();
    for seq in 0..40_u16 {
        let seq = seq.wrapping_sub(20);
        encoder.protect(&media(seq, 0));
        let repair = encoder.repair().unwrap();
        let [_, span, high, low, ..] = repair.payload() else { panic!("a header") };
        let packets = u16::from(*span) + 1;
        assert_eq!(packets, 5.min(seq.wrapping_add(21)));
        assert_eq!(u16::from_be_bytes([*high, *low]).wrapping_add(packets - 1), seq);
    }
}

/// All unknown packets that the equations determine are known.
#[test]
fn rfc8681_s6_2_the_linear_system_is_solved() {
    let mut encoder = encoder(15);
    let packets: Vec<_> = (0..64).map(|seq| media(seq, 0)).collect();
    packets.iter().for_each(|packet| encoder.protect(packet));
    let mut decoder = RlcDecoder::new(RlcDecoderConfig::default()).unwrap();
    for left in (0..64).rev() {
        decoder.insert_repair(&encoder.repair().unwrap()).unwrap();
        assert_eq!(decoder.poll_recovered().is_some(), left == 0, "{left} to go");
    }
    let mut recovered: Vec<_> = core::iter::from_fn(|| decoder.poll_recovered()).collect();
    assert_eq!(recovered.len(), 63);
    recovered.sort_by_key(|packet| packet.seq().0);
    assert!(recovered.iter().all(|packet| packets.contains(packet)));
}
