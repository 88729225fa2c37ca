use core::fmt::Debug;
use core::time::Duration;

use proptest::collection::vec;
use proptest::prelude::*;
use rtc_core::rtp::extension::{
    AbsSendTime, AbsoluteCaptureTime, AudioLevel, ClockOffset, FeedbackRequest, HeaderExtension, Mid, MixerAudioLevels,
    PlayoutDelay, RepairedRid, Rid, Rotation, TransmissionOffset, TransportSequence, TransportSequenceV2,
    VideoOrientation,
};
use rtc_core::time::{Instant, NtpTime};
use rtc_core::{Malformed, PayloadType, RtpPacket, RtpTime, SeqNum, Ssrc};

/// Carries `extension` in a packet beside another element, and reads it back.
fn carry<'a, E: HeaderExtension<'a>>(extension: &E) -> RtpPacket {
    RtpPacket::builder(PayloadType::new(96), SeqNum(0), RtpTime(0), Ssrc(0))
        .extensions(&[(1, &[0xff]), (5, extension.to_value().as_ref()), (14, &[0xff; 3])])
        .build(b"media")
        .unwrap()
}

fn assert_carried<E>(extension: E)
where
    E: for<'a> HeaderExtension<'a> + PartialEq + Debug + Copy,
{
    let mut packet = carry(&extension);
    assert_eq!(packet.read::<E>(5), Some(Ok(extension)));
    assert_eq!(packet.read::<E>(6), None);
    let before = packet.clone();
    packet.rewrite(|header| assert!(header.write(5, &extension)));
    assert_eq!(packet, before, "writing what is there changes nothing");
}

/// Bytes that are read once are read the same again after writing.
fn assert_stable<'a, E: HeaderExtension<'a> + PartialEq + Debug>(bytes: &'a [u8], reread: impl Fn(&[u8]) -> bool) {
    let parsed: Result<E, Malformed> = E::parse(bytes);
    if let Ok(parsed) = parsed {
        assert!(reread(parsed.to_value().as_ref()), "{parsed:?}");
    }
}

proptest! {
    #[test]
    fn fixed_values_survive_a_packet(bits: u32, ticks: i32, seq: u16, request: Option<(u16, bool)>, voice: bool, level: u8) {
        assert_carried(AbsSendTime::from_bits(bits));
        assert_carried(TransmissionOffset::new(ticks));
        assert_carried(TransportSequence(seq));
        let request = request.map(|(count, timing)| FeedbackRequest::new(count, timing));
        assert_carried(TransportSequenceV2 { seq: SeqNum(seq), request });
        assert_carried(AudioLevel::new(voice, level));
    }

    #[test]
    fn times_and_orientations_survive_a_packet(
        min in 0..=40_950_u64, more in 0..=40_950_u64, bits: u64, offset: Option<i64>, flags: [bool; 2], turn in 0..4_u8,
    ) {
        let range = PlayoutDelay::new(Duration::from_millis(min), Duration::from_millis((min + more).min(40_950)));
        assert_carried(range.unwrap());
        let clock_offset = offset.map(ClockOffset::from_bits);
        assert_carried(AbsoluteCaptureTime { captured: NtpTime::from_bits(bits), clock_offset });
        let rotation = [Rotation::None, Rotation::Quarter, Rotation::Half, Rotation::ThreeQuarters][usize::from(turn)];
        assert_carried(VideoOrientation { back_camera: flags[0], flipped: flags[1], rotation });
    }

    #[test]
    fn borrowed_values_survive_a_packet(text in "[a-zA-Z0-9_-]{1,255}", levels in vec(0..=127_u8, 1..=15)) {
        let packet = carry(&Mid::new(&text).unwrap());
        prop_assert_eq!(packet.read::<Mid<'_>>(5).unwrap().unwrap().as_str(), &text);
        prop_assert_eq!(packet.read::<Rid<'_>>(5).unwrap().unwrap().as_str(), &text);
        prop_assert_eq!(packet.read::<RepairedRid<'_>>(5).unwrap().unwrap().as_str(), &text);
        let packet = carry(&MixerAudioLevels::new(&levels).unwrap());
        let read = packet.read::<MixerAudioLevels<'_>>(5).unwrap().unwrap();
        prop_assert_eq!(read.levels().collect::<Vec<_>>(), levels);
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes in vec(any::<u8>(), 0..20)) {
        assert_stable::<AbsSendTime>(&bytes, |again| again == bytes);
        assert_stable::<TransmissionOffset>(&bytes, |again| again == bytes);
        assert_stable::<TransportSequence>(&bytes, |again| again == bytes);
        assert_stable::<TransportSequenceV2>(&bytes, |again| again == bytes);
        assert_stable::<AudioLevel>(&bytes, |again| again == bytes);
        assert_stable::<MixerAudioLevels<'_>>(&bytes, |again| again == bytes);
        assert_stable::<PlayoutDelay>(&bytes, |again| again == bytes);
        assert_stable::<AbsoluteCaptureTime>(&bytes, |again| again == bytes);
        assert_stable::<Mid<'_>>(&bytes, |again| again == bytes);
        assert_stable::<Rid<'_>>(&bytes, |again| again == bytes);
        // The four high bits are reserved.
        assert_stable::<VideoOrientation>(&bytes, |again| again == [bytes[0] & 0x0f]);
    }

    #[test]
    fn send_times_differ_by_what_the_clock_does(start: u64, step in -31_000_000_000_i64..31_000_000_000) {
        let start = start / 2 + 32_000_000_000;
        let later = Instant::from_nanos(start.saturating_add_signed(step));
        let step = later.nanos_since(Instant::from_nanos(start));
        let measured = AbsSendTime::from_instant(later).nanos_since(AbsSendTime::from_instant(Instant::from_nanos(start)));
        // Both times are rounded down to 2^-18 s.
        prop_assert!((measured - step).abs() <= 3_815, "{measured} for {step}");
    }
}
