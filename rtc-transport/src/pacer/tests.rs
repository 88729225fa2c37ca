use rtc_core::bwe::{Estimate, ProbeCluster, ProbeId};

use super::*;

const PACKET: DataSize = DataSize::from_bytes(1_250);

fn pacer(rate_kbps: u64) -> LeakyBucketPacer<u32> {
    LeakyBucketPacer::new(PacerConfig { rate: Bitrate::from_kbps(rate_kbps), ..PacerConfig::default() }).unwrap()
}

fn ms(millis: u64) -> Instant {
    Instant::from_millis(millis)
}

/// Polls at every deadline until nothing is left; returns when each packet left.
fn run_dry(pacer: &mut LeakyBucketPacer<u32>, from: Instant) -> Vec<(Instant, u32)> {
    let mut now = from;
    let mut out = Vec::new();
    while let Some(at) = pacer.poll_timeout() {
        now = now.max(at);
        out.push((now, pacer.poll(now).expect("the deadline was reached")));
    }
    out
}

#[test]
fn one_packet_per_its_time_at_the_rate() {
    // 1250 bytes take 10 ms at 1 Mb/s; a burst of 5 ms lets each leave 5 ms before the bucket is empty.
    let mut pacer = pacer(1_000);
    for name in 0..4 {
        pacer.enqueue(ms(100), Priority::Video, PACKET, name);
    }
    let times: Vec<_> = run_dry(&mut pacer, ms(100)).into_iter().map(|(at, _)| at).collect();
    assert_eq!(times, [ms(100), ms(105), ms(115), ms(125)]);
}

#[test]
fn the_deadline_is_exact_to_the_nanosecond() {
    let mut pacer = pacer(333);
    pacer.enqueue(ms(0), Priority::Video, PACKET, 0);
    pacer.enqueue(ms(0), Priority::Video, PACKET, 1);
    assert_eq!(pacer.poll(ms(0)), Some(0));
    let at = pacer.poll_timeout().unwrap();
    assert_eq!(pacer.poll(at - Duration::from_nanos(1)), None);
    assert_eq!(pacer.poll(at), Some(1));
}

#[test]
fn the_urgent_leave_first_and_in_order() {
    let mut pacer = pacer(1_000);
    for (name, priority) in Priority::ALL.into_iter().rev().enumerate() {
        let name = u32::try_from(name).unwrap();
        pacer.enqueue(ms(0), priority, PACKET, 10 * name);
        pacer.enqueue(ms(0), priority, PACKET, 10 * name + 1);
    }
    let order: Vec<_> = run_dry(&mut pacer, ms(0)).into_iter().map(|(_, name)| name).collect();
    assert_eq!(order, [40, 41, 30, 31, 20, 21, 10, 11, 0, 1]);
}

#[test]
fn audio_overdraws_and_video_pays() {
    let mut pacer = pacer(1_000);
    pacer.enqueue(ms(0), Priority::Video, PACKET, 0);
    assert_eq!(pacer.poll(ms(0)), Some(0));
    pacer.enqueue(ms(1), Priority::Video, PACKET, 1);
    pacer.enqueue(ms(1), Priority::Audio, PACKET, 2);
    assert_eq!(pacer.poll(ms(1)), Some(2), "audio does not wait");
    assert_eq!(pacer.poll_timeout(), Some(ms(15)), "20 ms of data less 5 ms of burst");
}

#[test]
fn audio_waits_no_longer_than_its_setting() {
    let config = PacerConfig { audio_delay: Duration::from_millis(7), ..PacerConfig::default() };
    let mut pacer = LeakyBucketPacer::new(config).unwrap();
    pacer.set_rate(ms(0), Bitrate::from_kbps(100));
    pacer.enqueue(ms(0), Priority::Video, PACKET, 0);
    assert_eq!(pacer.poll(ms(0)), Some(0));
    pacer.enqueue(ms(2), Priority::Audio, PACKET, 1);
    assert_eq!(pacer.poll_timeout(), Some(ms(9)));
}

#[test]
fn a_long_queue_speeds_up_to_be_in_time() {
    // 100 packets are 1 s at the rate, twice what is allowed.
    let mut pacer = pacer(1_000);
    for name in 0..100 {
        pacer.enqueue(ms(0), Priority::Video, PACKET, name);
    }
    assert_eq!(pacer.release_rate(), Bitrate::from_kbps(2_000));
    let out = run_dry(&mut pacer, ms(0));
    assert_eq!(out.len(), 100);
    assert!(out[99].0 <= ms(500), "{}", out[99].0);
}

#[test]
fn rate_zero_pauses_and_the_clock_starts_anew() {
    let mut pacer = pacer(0);
    pacer.enqueue(ms(0), Priority::Audio, PACKET, 0);
    assert_eq!((pacer.poll(ms(300)), pacer.poll_timeout()), (None, None));
    assert_eq!(pacer.enqueue(ms(500), Priority::Video, PACKET, 1), Enqueued::Accepted);
    assert_eq!(pacer.enqueue(ms(501), Priority::Video, PACKET, 2), Enqueued::Overflow);
    pacer.set_rate(ms(900), Bitrate::from_kbps(1_000));
    assert_eq!(pacer.release_rate(), Bitrate::from_kbps(1_000), "no rush after a pause");
    assert_eq!(run_dry(&mut pacer, ms(900)), [(ms(900), 0), (ms(905), 1)]);
    let stats = pacer.stats();
    assert_eq!((stats.accepted, stats.released, stats.overflowed), (2, 2, 1));
    assert_eq!(stats.waited, Duration::from_millis(900 + 405));
}

#[test]
fn a_new_rate_counts_from_now_on() {
    let mut pacer = pacer(1_000);
    pacer.enqueue(ms(0), Priority::Video, PACKET, 0);
    pacer.enqueue(ms(0), Priority::Video, PACKET, 1);
    assert_eq!(pacer.poll(ms(0)), Some(0));
    pacer.set_rate(ms(2), Bitrate::from_kbps(500));
    // 8 ms of the packet are left at the old rate, 16 at the new; 5 ms of burst at the new rate.
    assert_eq!(pacer.poll_timeout(), Some(ms(2 + 16 - 5)));
}

#[test]
fn full_queues_refuse() {
    let config = PacerConfig { max_queue: DataSize::from_bytes(2_500), max_packets: 3, ..PacerConfig::default() };
    let mut pacer = LeakyBucketPacer::new(config).unwrap();
    assert_eq!(pacer.enqueue(ms(0), Priority::Video, PACKET, 0), Enqueued::Accepted);
    assert_eq!(pacer.enqueue(ms(0), Priority::Video, DataSize::from_bytes(1_251), 1), Enqueued::Overflow);
    assert_eq!(pacer.enqueue(ms(0), Priority::Video, DataSize::ZERO, 2), Enqueued::Accepted);
    assert_eq!(pacer.enqueue(ms(0), Priority::Video, DataSize::ZERO, 3), Enqueued::Accepted);
    assert_eq!(pacer.enqueue(ms(0), Priority::Video, DataSize::ZERO, 4), Enqueued::Overflow);
    assert_eq!((pacer.len(), pacer.queued()), (3, PACKET));
}

#[test]
fn impossible_settings_are_refused() {
    let refused = |edit: fn(&mut PacerConfig)| {
        let mut config = PacerConfig::default();
        edit(&mut config);
        LeakyBucketPacer::<()>::new(config).unwrap_err().setting()
    };
    assert_eq!(refused(|c| c.max_queue_time = Duration::ZERO), "max_queue_time");
    assert_eq!(refused(|c| c.burst = Duration::from_secs(1)), "burst");
    assert_eq!(refused(|c| c.max_queue = DataSize::ZERO), "max_queue");
    assert_eq!(refused(|c| c.max_packets = 0), "max_queue");
    assert_eq!(refused(|c| c.padding_size = Some(DataSize::ZERO)), "padding_size");
}

fn cluster(id: u32, kbps: u64, packets: u32) -> ProbeCluster {
    let size = DataSize::from_bytes(u64::from(packets) * PACKET.as_bytes());
    ProbeCluster { id: ProbeId(id), rate: Bitrate::from_kbps(kbps), size, packets }
}

fn padded(rate_kbps: u64) -> LeakyBucketPacer<u32> {
    let config = PacerConfig {
        rate: Bitrate::from_kbps(rate_kbps),
        padding_size: Some(PACKET),
        max_queue_time: Duration::from_secs(60),
        ..PacerConfig::default()
    };
    LeakyBucketPacer::new(config).unwrap()
}

/// What leaves until `end`: when, whether it is padding, and of which probe.
fn released(pacer: &mut LeakyBucketPacer<u32>, from: Instant, end: Instant) -> Vec<(Instant, bool, Option<u32>)> {
    let mut out = Vec::new();
    while let Some(at) = pacer.poll_timeout().map(|at| at.max(from)).filter(|at| *at <= end) {
        let release = pacer.poll_release(at).expect("the deadline was reached");
        out.push((at, matches!(release, Release::Padding { .. }), release.probe().map(|id| id.0)));
    }
    out
}

#[test]
fn a_probe_sets_the_pace_and_tags_its_packets() {
    let mut pacer = padded(1_000);
    for name in 0..8 {
        pacer.enqueue(ms(0), Priority::Video, PACKET, name);
    }
    assert!(pacer.probe(ms(0), cluster(7, 4_000, 5)));
    // 1250 bytes take 2.5 ms at 4 Mb/s.
    let out = released(&mut pacer, ms(0), ms(1_000));
    let probe: Vec<_> = out.iter().filter(|(.., id)| *id == Some(7)).map(|(at, ..)| at.as_micros()).collect();
    assert_eq!(probe, [0, 2_500, 5_000, 7_500, 10_000]);
    assert_eq!(out.len(), 8, "media was there, so that no padding is needed");
    // The bucket leaked for 10 ms: 40 ms of data are left, of which 5 ms are the burst.
    assert_eq!(out[5], (ms(45), false, None), "media paid for what left early");
    assert_eq!((pacer.stats().probes, pacer.stats().padding), (1, 0));
}

#[test]
fn a_probe_is_padded_where_media_lacks_and_media_does_not_pay() {
    let mut pacer = padded(1_000);
    pacer.enqueue(ms(0), Priority::Video, PACKET, 0);
    pacer.probe(ms(0), cluster(1, 4_000, 4));
    pacer.probe(ms(0), cluster(2, 8_000, 2));
    let out = released(&mut pacer, ms(0), ms(100));
    let told: Vec<_> = out.iter().map(|(at, padding, id)| (at.as_micros(), *padding, id.unwrap())).collect();
    let expected =
        [(0, false, 1), (2_500, true, 1), (5_000, true, 1), (7_500, true, 1), (7_500, true, 2), (8_750, true, 2)];
    assert_eq!(told, expected, "one probe after the other");
    pacer.enqueue(ms(9), Priority::Video, PACKET, 1);
    assert_eq!(pacer.poll_timeout().map(|at| at.max(ms(9))), Some(ms(9)), "the bucket holds but the first packet");
}

#[test]
fn without_padding_a_probe_waits_for_media_for_a_second() {
    let mut pacer = pacer(1_000);
    pacer.probe(ms(0), cluster(1, 4_000, 3));
    assert_eq!((pacer.poll_timeout(), pacer.poll_release(ms(500))), (None, None));
    for name in 0..3 {
        pacer.enqueue(ms(900), Priority::Video, PACKET, name);
    }
    let out = released(&mut pacer, ms(900), ms(2_000));
    let expected =
        [(ms(900), false, Some(1)), (Instant::from_micros(902_500), false, Some(1)), (ms(905), false, Some(1))];
    assert_eq!(out, expected, "not all at once, though it is late");
    pacer.probe(ms(3_000), cluster(2, 4_000, 3));
    pacer.enqueue(ms(4_001), Priority::Video, PACKET, 9);
    assert_eq!(released(&mut pacer, ms(4_001), ms(5_000)), [(ms(4_001), false, None)], "nobody asks any more");
    let stats = pacer.stats();
    assert_eq!((stats.probes, stats.probes_abandoned), (1, 1));
}

#[test]
fn probes_that_wait_are_bounded() {
    let mut pacer = padded(1_000);
    assert_eq!((0..12).filter(|id| pacer.probe(ms(0), cluster(*id, 1_000, 1))).count(), 9, "one runs, eight wait");
}

#[test]
fn padding_fills_pauses_up_to_its_rate() {
    let mut pacer = padded(2_000);
    pacer.set_padding(ms(0), Bitrate::from_kbps(1_000));
    let alone = released(&mut pacer, ms(0), ms(1_000));
    assert_eq!(alone.len(), 101, "each 10 ms");
    assert!(alone.iter().all(|(_, padding, _)| *padding));
    // Media of half the rate: padding is the other half.
    let (mut media, mut padding) = (0, 0);
    for tick in 0..100 {
        let now = ms(2_000 + 20 * tick);
        pacer.enqueue(now, Priority::Video, PACKET, 0);
        for (_, is_padding, _) in released(&mut pacer, now, now + Duration::from_millis(19)) {
            *(if is_padding { &mut padding } else { &mut media }) += 1;
        }
    }
    assert_eq!(media, 100);
    assert!((98..=102).contains(&padding), "{padding}");
    pacer.set_padding(ms(5_000), Bitrate::ZERO);
    assert_eq!(pacer.poll_timeout(), None);
}

#[test]
fn a_full_window_holds_all_but_audio_and_the_overdue() {
    let mut pacer = pacer(10_000);
    pacer.set_window(Some(DataSize::from_bytes(10_000)));
    pacer.set_in_flight(DataSize::from_bytes(10_000));
    pacer.enqueue(ms(0), Priority::Video, PACKET, 0);
    pacer.enqueue(ms(100), Priority::Retransmission, PACKET, 1);
    pacer.enqueue(ms(100), Priority::Audio, PACKET, 2);
    assert_eq!(pacer.poll(ms(100)), Some(2));
    assert_eq!(pacer.poll(ms(499)), None);
    pacer.set_in_flight(DataSize::from_bytes(9_999));
    assert_eq!(pacer.poll(ms(499)), Some(1), "there is room");
    pacer.set_in_flight(DataSize::from_bytes(12_000));
    pacer.enqueue(ms(499), Priority::Retransmission, PACKET, 3);
    assert_eq!(pacer.poll_timeout(), Some(ms(500)), "who waits longest sets the time for those before it as well");
    assert_eq!((pacer.poll(ms(500)), pacer.poll(ms(500))), (Some(3), Some(0)));
    pacer.set_window(None);
    pacer.enqueue(ms(501), Priority::Video, PACKET, 4);
    assert_eq!(pacer.poll(ms(510)), Some(4));
}

#[test]
fn estimates_are_followed() {
    let mut pacer = padded(100);
    let estimate = Estimate::new(Bitrate::from_kbps(800))
        .with_pacing(Bitrate::from_kbps(1_000))
        .with_padding(Bitrate::from_kbps(500))
        .with_window(DataSize::from_bytes(5_000));
    pacer.set_estimate(ms(0), &estimate);
    assert_eq!(pacer.release_rate(), Bitrate::from_kbps(1_000));
    assert_eq!(released(&mut pacer, ms(0), ms(100)).len(), 6, "a packet each 20 ms");
    pacer.set_in_flight(DataSize::from_bytes(5_000));
    assert_eq!(pacer.poll_timeout(), None, "no padding into a full window");
}

#[test]
fn a_batch_is_a_run_of_one_size_and_a_shorter_last() {
    let config = PacerConfig { burst: Duration::from_millis(50), ..PacerConfig::default() };
    let mut pacer = LeakyBucketPacer::new(config).unwrap();
    pacer.set_rate(ms(0), Bitrate::from_kbps(10_000));
    let sizes = [1_250, 1_250, 1_250, 700, 1_250, 1_250, 1_300, 1_300];
    for (name, size) in sizes.into_iter().enumerate() {
        pacer.enqueue(ms(0), Priority::Video, DataSize::from_bytes(size), name);
    }
    let mut batch = Vec::new();
    let mut told = Vec::new();
    while let Some(segment) = pacer.poll_batch(ms(0), 64, &mut batch) {
        told.push((segment.as_bytes(), batch.len()));
    }
    assert_eq!(told, [(1_250, 4), (1_250, 2), (1_300, 2)]);
    pacer.enqueue(ms(1), Priority::Video, PACKET, 0);
    pacer.enqueue(ms(1), Priority::Video, PACKET, 1);
    assert_eq!(pacer.poll_batch(ms(1), 1, &mut batch), Some(PACKET));
    assert_eq!(batch.len(), 1);
}
