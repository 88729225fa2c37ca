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
}
