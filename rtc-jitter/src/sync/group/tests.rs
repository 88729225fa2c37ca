use super::*;

const VOICE: Ssrc = Ssrc(1);
const FACE: Ssrc = Ssrc(2);

fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// Both streams, their first reports of one moment.
fn group() -> SyncGroup {
    let mut group = SyncGroup::new(SyncConfig::default()).unwrap();
    group.add(VOICE, MediaKind::Audio, Frequency::KHZ_48).unwrap();
    group.add(FACE, MediaKind::Video, Frequency::KHZ_90).unwrap();
    for ssrc in [VOICE, FACE] {
        assert_eq!(group.on_report(ssrc, NtpTime::from_bits(9 << 32), RtpTime(0)), ReportOutcome::Used);
    }
    group
}

/// What is played at `at` ms, `way` ms after it was captured, of which `delay` in the buffer where `minimum` is needed.
fn play(group: &mut SyncGroup, ssrc: Ssrc, at: u64, way: u64, delay: u64, minimum: u64) {
    let ticks = if ssrc == VOICE { 48 } else { 90 };
    let timestamp = RtpTime(u32::try_from((at - way) * ticks).unwrap());
    let at = Instant::from_millis(70_000 + at);
    // Long enough for a change to be believed.
    for _ in 0..9 {
        group.on_played(ssrc, Played { timestamp, at, delay: ms(delay), minimum: ms(minimum) });
    }
}

fn offset_ms(group: &SyncGroup) -> Option<i64> {
    group.offset_nanos(VOICE, FACE).map(|nanos| (nanos + 500_000).div_euclid(1_000_000))
}

#[test]
fn sound_that_is_early_waits() {
    let mut group = group();
    play(&mut group, VOICE, 1_000, 150, 50, 50);
    play(&mut group, FACE, 1_005, 350, 100, 100);
    assert_eq!(offset_ms(&group), Some(200), "positive: sound is early");
    assert_eq!(group.poll_min_delay(), Some((VOICE, ms(270))));
    assert_eq!(group.poll_min_delay(), None);
}

#[test]
fn a_picture_that_is_early_waits() {
    let mut group = group();
    play(&mut group, VOICE, 1_000, 550, 250, 250);
    play(&mut group, FACE, 1_000, 350, 100, 100);
    assert_eq!(offset_ms(&group), Some(-200));
    assert_eq!(group.poll_min_delay(), Some((FACE, ms(240))), "sound may stay 60 ms behind");
    assert_eq!(group.poll_min_delay(), None);
}

#[test]
fn nobody_waits_while_sound_is_a_little_late() {
    for behind in 20..=60 {
        let mut group = group();
        play(&mut group, VOICE, 1_000, 300 + behind, 100, 100);
        play(&mut group, FACE, 1_000, 300, 100, 100);
        assert_eq!(group.poll_min_delay(), None, "{behind} ms");
    }
}

#[test]
fn delay_that_is_not_needed_any_more_is_taken_away_before_any_is_added() {
    let mut group = group();
    play(&mut group, VOICE, 1_000, 150, 50, 50);
    play(&mut group, FACE, 1_000, 350, 100, 100);
    assert_eq!(group.poll_min_delay(), Some((VOICE, ms(270))));
    // The network of the audio becomes worse, that of the video better: audio alone gives back what it was given.
    play(&mut group, VOICE, 1_500, 370, 270, 240);
    play(&mut group, FACE, 1_500, 300, 50, 50);
    assert_eq!(group.poll_min_delay(), Some((VOICE, ms(0))));
    assert_eq!(group.poll_min_delay(), None, "sound is 40 ms behind by itself");
}

#[test]
fn small_changes_are_left_alone() {
    let mut group = group();
    play(&mut group, VOICE, 1_000, 150, 50, 50);
    play(&mut group, FACE, 1_000, 350, 100, 100);
    assert_eq!(group.poll_min_delay(), Some((VOICE, ms(270))));
    for change in [105, 95, 109, 91] {
        play(&mut group, FACE, 1_000 + change, 350, 100, change);
        assert_eq!(group.poll_min_delay(), None);
    }
    play(&mut group, FACE, 1_300, 350, 100, 110);
    assert_eq!(group.poll_min_delay(), Some((VOICE, ms(280))));
}

#[test]
fn delay_is_added_to_no_more_than_the_limit() {
    let mut group = group();
    play(&mut group, VOICE, 60_000, 150, 50, 50);
    play(&mut group, FACE, 60_000, 50_000, 100, 100);
    assert_eq!(group.poll_min_delay(), Some((VOICE, ms(2_050))));
}

#[test]
fn a_stream_that_stalls_or_is_gone_has_no_say() {
    let mut group = group();
    play(&mut group, VOICE, 1_000, 150, 50, 50);
    play(&mut group, FACE, 1_000, 350, 100, 100);
    assert_eq!(group.poll_min_delay(), Some((VOICE, ms(270))));
    play(&mut group, VOICE, 3_000, 370, 270, 50);
    assert_eq!(group.offset_nanos(VOICE, FACE), None);
    assert_eq!(group.poll_min_delay(), Some((VOICE, ms(0))));
    group.remove(FACE);
    assert_eq!(group.on_report(FACE, NtpTime::from_bits(9 << 32), RtpTime(0)), ReportOutcome::Unknown);
    assert_eq!(group.poll_min_delay(), None);
}

#[test]
fn without_reports_nothing_is_known() {
    let mut group = SyncGroup::new(SyncConfig::default()).unwrap();
    group.add(VOICE, MediaKind::Audio, Frequency::KHZ_48).unwrap();
    group.add(FACE, MediaKind::Video, Frequency::KHZ_90).unwrap();
    play(&mut group, VOICE, 1_000, 150, 50, 50);
    play(&mut group, FACE, 1_000, 350, 100, 100);
    assert_eq!((group.offset_nanos(VOICE, FACE), group.poll_min_delay()), (None, None));
}

#[test]
fn capture_times_are_believed_rather_than_reports_once_all_have_them() {
    let mut group = group();
    let capture =
        |millis: u64| AbsoluteCaptureTime { captured: NtpTime::from_bits(5 << 32) + ms(millis), clock_offset: None };
    // Audio went through a mixer that took 300 ms, which its reports do not tell.
    group.on_capture_time(VOICE, RtpTime(0), capture(0));
    play(&mut group, VOICE, 1_000, 150, 50, 50);
    play(&mut group, FACE, 1_000, 150, 50, 50);
    assert_eq!(offset_ms(&group), Some(0));
    group.on_capture_time(FACE, RtpTime(0), capture(300));
    assert_eq!(offset_ms(&group), Some(-300));
}

#[test]
fn several_streams_of_a_kind_keep_in_step_with_the_slowest() {
    let mut group = group();
    let desk = Ssrc(3);
    group.add(desk, MediaKind::Video, Frequency::KHZ_90).unwrap();
    group.on_report(desk, NtpTime::from_bits(9 << 32), RtpTime(0));
    play(&mut group, VOICE, 1_000, 150, 50, 50);
    play(&mut group, FACE, 1_000, 350, 100, 100);
    play(&mut group, desk, 1_000, 450, 100, 100);
    assert_eq!(group.poll_min_delay(), Some((VOICE, ms(370))));
    assert_eq!(group.poll_min_delay(), Some((FACE, ms(200))));
    assert_eq!(group.poll_min_delay(), None);
}
