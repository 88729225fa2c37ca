//! The hot paths allocate nothing once they run.

#![expect(clippy::unwrap_used, reason = "a test ends at the first surprise")]

use bytes::{Bytes, BytesMut};
use rtc_core::rtp::extension::{AbsSendTime, AudioLevel, HeaderExtension, Mid, TransportSequence};
use rtc_core::time::Instant;
use rtc_core::{PayloadType, RtpPacket, RtpTime, SeqNum, Ssrc};

/// Allocations on this thread while `work` runs.
fn allocations(work: impl FnOnce()) -> u64 {
    allocation_counter::measure(work).count_total
}

fn build(pool: &mut BytesMut, seq: u16) -> RtpPacket {
    let sent = AbsSendTime::from_instant(Instant::from_millis(u64::from(seq)));
    RtpPacket::builder(PayloadType::new(96), SeqNum(seq), RtpTime(0), Ssrc(1))
        .csrcs(&[Ssrc(2)])
        .extensions(&[(1, b"mid"), (2, &sent.to_value()), (3, &TransportSequence(seq).to_value())])
        .build_in(pool, &[7; 1_100])
        .unwrap()
}

/// A buffer that was shared once: what every packet of a receive buffer is, and cheap to share from then on.
fn shared(pool: &mut BytesMut) -> Bytes {
    build(pool, 0).into_bytes()
}

#[test]
fn counting_counts() {
    assert_eq!(allocations(|| drop(vec![0_u8; 100])), 1);
}

#[test]
fn parsing_and_reading_allocate_nothing() {
    let bytes = shared(&mut BytesMut::with_capacity(4_096));
    let count = allocations(|| {
        for _ in 0..100 {
            let packet = RtpPacket::parse(bytes.clone()).unwrap();
            assert_eq!(packet.csrcs().next(), Some(Ssrc(2)));
            assert_eq!(packet.extensions().count(), 3);
            assert_eq!(packet.read::<Mid<'_>>(1).unwrap().unwrap().as_str(), "mid");
            assert!(packet.read::<AudioLevel>(2).unwrap().is_err());
            assert_eq!(packet.payload_bytes().len(), 1_100);
            assert_eq!(packet.clone().into_bytes(), bytes);
        }
    });
    assert_eq!(count, 0);
}

#[test]
fn building_in_a_pool_allocates_nothing() {
    let mut pool = BytesMut::with_capacity(4_096);
    drop(build(&mut pool, 0));
    let count = allocations(|| {
        for seq in 0..1_000 {
            let packet = build(&mut pool, seq);
            assert_eq!(packet.seq(), SeqNum(seq));
        }
    });
    assert_eq!(count, 0);
}

#[test]
fn rewriting_an_unshared_packet_allocates_nothing() {
    let mut packet = build(&mut BytesMut::with_capacity(4_096), 0);
    let count = allocations(|| {
        for seq in 0..1_000 {
            packet.rewrite(|header| {
                header.set_seq(SeqNum(seq));
                assert!(header.write(3, &TransportSequence(seq)));
            });
            assert_eq!(packet.read::<TransportSequence>(3), Some(Ok(TransportSequence(seq))));
        }
    });
    assert_eq!(count, 0);
}

#[test]
fn rebuilding_and_repacking_in_a_pool_allocate_nothing() {
    let packet = build(&mut BytesMut::new(), 0);
    let mut pool = BytesMut::with_capacity(4_096);
    drop(packet.to_builder().build_in(&mut pool, b"payload").unwrap());
    let count = allocations(|| {
        for _ in 0..1_000 {
            drop(packet.to_builder().build_in(&mut pool, b"payload").unwrap());
            drop(packet.repack_in(&mut pool, &[b"pay", b"load"], |header| header.set_ssrc(Ssrc(9))));
        }
    });
    assert_eq!(count, 0);
}

#[cfg(feature = "opus")]
#[test]
fn opus_allocates_nothing_after_construction() {
    use rtc_core::audio::AudioBuffer;
    use rtc_core::codec::{AudioDecoder, AudioEncoder};
    use rtc_core::opus::{OpusConfig, OpusDecoder, OpusEncoder};

    for channels in [1, 2] {
        let mut config = OpusConfig::default();
        config.format.channels = channels;
        config.expected_loss = 0.2;
        config.dtx = true;
        let mut encoder = OpusEncoder::new(&config).unwrap();
        let mut decoder = OpusDecoder::new(config.format).unwrap();
        let mut frame = AudioBuffer::new(channels, 960, config.format.rate).unwrap();
        let mut payload = [0; 1_275];
        let count = allocations(|| {
            for index in 0..100_u16 {
                let pitch = 0.02 + 0.0001 * f32::from(index);
                for plane in frame.as_mut().planes_mut() {
                    plane
                        .iter_mut()
                        .zip(0_u16..)
                        .for_each(|(sample, at)| *sample = (pitch * f32::from(at)).sin() * 0.5);
                }
                let encoded = encoder.encode(frame.as_ref(), &mut payload).unwrap();
                let payload = &payload[..encoded.len];
                if index % 3 == 1 {
                    decoder.conceal(frame.as_mut());
                }
                decoder.decode_redundant(payload, 960, frame.as_mut());
                assert_eq!(decoder.decode(payload, frame.as_mut()), Ok(960));
                assert!(decoder.decode(&[], frame.as_mut()).is_err());
                encoder.set_expected_loss(0.1);
            }
        });
        assert_eq!(count, 0, "{channels} channels");
    }
}

#[cfg(feature = "dred")]
#[test]
fn deep_redundancy_allocates_nothing_after_construction() {
    use rtc_core::audio::AudioBuffer;
    use rtc_core::codec::{AudioDecoder, AudioEncoder};
    use rtc_core::opus::{OpusConfig, OpusDecoder, OpusEncoder, Redundancy};

    let mut config = OpusConfig::default();
    config.bitrate = rtc_core::Bitrate::from_kbps(64);
    config.redundancy = Redundancy::Dred { span: core::time::Duration::from_secs(1) };
    let mut encoder = OpusEncoder::new(&config).unwrap();
    let mut decoder = OpusDecoder::new(config.format).unwrap();
    let mut frame = AudioBuffer::new(1, 960, config.format.rate).unwrap();
    let mut payload = [0; 1_275];
    let mut copied = 0;
    let count = allocations(|| {
        for index in 0..100_usize {
            for (sample, at) in frame.as_mut().plane_mut(0).iter_mut().zip(index * 960..) {
                *sample = (at as f32 * 0.02).sin() * (at as f32 * 3e-4).sin() * 0.5;
            }
            let encoded = encoder.encode(frame.as_ref(), &mut payload).unwrap();
            let payload = &payload[..encoded.len];
            for back in [5, 4, 3] {
                copied += decoder.decode_redundant(payload, back * 960, frame.as_mut()).unwrap_or(0);
            }
            assert_eq!(decoder.decode(payload, frame.as_mut()), Ok(960));
        }
    });
    assert_eq!(count, 0);
    assert!(copied > 0);
}
