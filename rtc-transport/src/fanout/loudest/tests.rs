use rtc_core::PayloadType;

use super::*;

const START: Instant = Instant::from_millis(1_000);

fn ms(after: u64) -> Instant {
    START + Duration::from_millis(after)
}

fn loudest(slots: usize) -> Loudest {
    let mut config = LoudestConfig::default();
    (config.slots, config.first) = (slots, Ssrc(50));
    Loudest::new(config).unwrap()
}

/// Packet `seq` of a microphone, of 20 ms.
fn packet(microphone: u32, seq: u16, level: u8) -> RtpPacket {
    let time = RtpTime(u32::from(seq).wrapping_mul(960).wrapping_add(microphone << 16));
    RtpPacket::builder(PayloadType::new(111), SeqNum(seq), time, Ssrc(microphone))
        .extensions(&[(1, &[level])])
        .build(b"opus")
        .unwrap()
}

/// What becomes of it: slot, number and timestamp.
fn heard(loudest: &mut Loudest, now: Instant, mut packet: RtpPacket) -> Option<(usize, u16, u32, bool)> {
    let slot = loudest.select(now, &mut packet)?;
    assert_eq!(packet.ssrc(), loudest.ssrc(slot));
    Some((slot, packet.seq().0, packet.timestamp().0, packet.marker()))
}

#[test]
fn the_loudest_are_heard_and_a_cough_changes_nothing() {
    let mut loudest = loudest(2);
    let mut who = Vec::new();
    for step in 0..100_u16 {
        let now = ms(20 * u64::from(step));
        // The third coughs for 40 ms; the fourth is 3 dB louder than the second, which is not enough.
        let levels = [30, 40, if (50..52).contains(&step) { 20 } else { 70 }, 37];
        for (microphone, level) in (1..).zip(levels) {
            if heard(&mut loudest, now, packet(microphone, step, level)).is_some() {
                who.push(microphone);
            }
        }
    }
    assert_eq!(who.iter().filter(|who| **who == 1).count(), 100);
    assert_eq!(who.iter().filter(|who| **who == 2).count(), 100);
    assert_eq!(who.len(), 200, "nobody else");
    assert_eq!(loudest.speakers().collect::<Vec<_>>(), [Some(Ssrc(1)), Some(Ssrc(2))]);
    let stats = loudest.stats();
    assert_eq!((stats.offered, stats.heard, stats.quiet, stats.switches), (400, 200, 200, 0));
}

#[test]
fn a_slot_goes_on_without_a_gap_when_another_takes_it() {
    let mut loudest = loudest(1);
    for seq in 65_530..65_535_u16 {
        let at = 20 * u64::from(seq - 65_530);
        assert_eq!(heard(&mut loudest, ms(at), packet(1, seq, 30)).map(|(_, seq, ..)| seq), Some(seq));
    }
    // Packet 65534 came at 80 ms; much louder, it takes over at 100 ms.
    let (_, seq, time, marker) = heard(&mut loudest, ms(100), packet(2, 7, 10)).unwrap();
    let before = packet(1, 65_534, 30).timestamp();
    assert_eq!((seq, time, marker), (65_535, (before + 960).0, true));
    // Reordered packets of both find their place, or none.
    assert_eq!(heard(&mut loudest, ms(110), packet(2, 6, 10)), None, "from before it was heard");
    assert_eq!(heard(&mut loudest, ms(110), packet(1, 65_535, 30)), None, "from who is not heard any more");
    let third = heard(&mut loudest, ms(140), packet(2, 9, 10)).unwrap();
    let second = heard(&mut loudest, ms(145), packet(2, 8, 10)).unwrap();
    assert_eq!((second.1, third.1, second.3), (0, 1, false));
    assert_eq!(third.2.wrapping_sub(second.2), 960);
    // The first one, louder still, goes on behind the newest.
    let (_, seq, time, _) = heard(&mut loudest, ms(300), packet(1, 3, 0)).unwrap();
    assert_eq!((seq, time), (2, third.2.wrapping_add(160 * 48)));
    let stats = loudest.stats();
    assert_eq!((stats.late, stats.quiet, stats.switches), (1, 1, 2));
}

#[test]
fn who_is_silent_or_gone_makes_room() {
    let mut loudest = loudest(1);
    assert!(heard(&mut loudest, ms(0), packet(1, 0, 10)).is_some());
    assert!(heard(&mut loudest, ms(1_990), packet(2, 0, 90)).is_none(), "a pause");
    assert!(heard(&mut loudest, ms(2_010), packet(2, 1, 90)).is_some(), "silence");
    assert!(heard(&mut loudest, ms(2_020), packet(3, 1, 90)).is_none());
    loudest.remove(Ssrc(2));
    assert_eq!(loudest.speakers().next(), Some(None));
    assert!(heard(&mut loudest, ms(2_030), packet(3, 2, 90)).is_some());
}

#[test]
fn packets_without_a_level_and_microphones_beyond_the_bound_are_counted() {
    let mut config = LoudestConfig::default();
    (config.slots, config.max_microphones) = (1, 2);
    let mut loudest = Loudest::new(config).unwrap();
    let mut bare = RtpPacket::builder(PayloadType::new(111), SeqNum(0), RtpTime(0), Ssrc(9)).build(b"opus").unwrap();
    assert_eq!(loudest.select(START, &mut bare), None);
    for microphone in 1..=3 {
        heard(&mut loudest, START, packet(microphone, 0, 50));
    }
    assert_eq!(loudest.stats().refused, 1);
    // Those who were silent for long are forgotten where room lacks.
    assert!(heard(&mut loudest, ms(3_000), packet(3, 1, 50)).is_some());
    let stats = loudest.stats();
    assert_eq!(stats.offered, stats.heard + stats.quiet + stats.unjudged + stats.late + stats.refused);
    assert_eq!((stats.unjudged, stats.quiet, stats.heard), (1, 1, 2));
}

#[test]
fn impossible_settings_are_refused() {
    let refused = |change: fn(&mut LoudestConfig)| {
        let mut config = LoudestConfig::default();
        change(&mut config);
        Loudest::new(config).is_err()
    };
    assert!(refused(|config| config.slots = 0) && refused(|config| config.max_microphones = 4));
    assert!(refused(|config| config.margin = -1.0) && refused(|config| config.margin = f32::NAN));
}
