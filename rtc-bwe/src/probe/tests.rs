use rtc_core::DataSize;

use super::*;

const START: Bitrate = Bitrate::from_kbps(300);
const MAX: Bitrate = Bitrate::from_kbps(5_000);
const SIZE: DataSize = DataSize::from_bytes(450);

/// Sends ten packets at the probe's rate, which arrive at no more than `capacity`; the last `lost` do not.
fn run(prober: &mut Prober, cluster: ProbeCluster, capacity: u64, lost: u64) -> Option<Finding> {
    let spacing = cluster.rate.time_for(SIZE);
    let arrival = spacing.max(Bitrate::from_kbps(capacity).time_for(SIZE));
    for index in 0..10 {
        let sent = Instant::from_millis(7) + spacing * u32::try_from(index).unwrap();
        let packet = SentPacket { id: index, sent, size: SIZE, probe: Some(cluster.id) };
        prober.on_sent(&packet, SIZE.as_bytes() * (index + 1));
    }
    for index in 0..10 - lost {
        let received = Instant::from_millis(99) + arrival * u32::try_from(index).unwrap();
        prober.on_received(cluster.id, SIZE.as_bytes(), SIZE.as_bytes() * (index + 1), received);
    }
    prober.finish(Instant::from_millis(200))
}

#[test]
fn probes_double_while_the_path_carries_them() {
    let mut prober = Prober::new(ProbeConfig::default(), START);
    let mut rates = Vec::new();
    let mut found = 300e3;
    while let Some(cluster) = prober.poll(Instant::ZERO, found, MAX) {
        rates.push(cluster.rate.as_bps() / 1_000);
        assert!(cluster.size >= cluster.rate.size_in(Duration::from_millis(15)));
        assert_eq!(prober.poll(Instant::ZERO, found, MAX), None, "one at a time");
        let finding = run(&mut prober, cluster, 100_000, 0).unwrap();
        assert!(!finding.saturated);
        assert!((finding.rate / cluster.rate.as_bps_f64() - 1.0).abs() < 1e-3);
        found = finding.rate.max(found);
    }
    assert_eq!(rates, [900, 1_800, 3_600, 5_000]);
}

#[test]
fn a_saturated_probe_finds_the_capacity_and_ends_the_search() {
    let mut prober = Prober::new(ProbeConfig::default(), START);
    let cluster = prober.poll(Instant::ZERO, 300e3, MAX).unwrap();
    let finding = run(&mut prober, cluster, 500, 0).unwrap();
    assert!(finding.saturated);
    assert!((finding.rate / 475e3 - 1.0).abs() < 1e-3, "{}", finding.rate);
    assert_eq!(prober.poll(Instant::ZERO, finding.rate, MAX), None);
}

#[test]
fn a_probe_must_be_delivered_to_count() {
    let mut prober = Prober::new(ProbeConfig::default(), START);
    let cluster = prober.poll(Instant::ZERO, 300e3, MAX).unwrap();
    assert_eq!(run(&mut prober, cluster, 5_000, 3), None);
    assert_eq!(prober.poll(Instant::from_millis(999), 300e3, MAX), None);
    assert_eq!(prober.poll(Instant::from_millis(1_000), 300e3, MAX), None, "given up");
    assert_eq!(prober.running.map(|cluster| cluster.id), None);
}

#[test]
fn compressed_arrivals_prove_nothing() {
    let mut prober = Prober::new(ProbeConfig::default(), START);
    let cluster = prober.poll(Instant::ZERO, 300e3, MAX).unwrap();
    for index in 0..5 {
        let sent = Instant::from_millis(4 * index);
        let bytes = SIZE.as_bytes() * (index + 1);
        prober.on_sent(&SentPacket { id: index, sent, size: SIZE, probe: Some(cluster.id) }, bytes);
        prober.on_received(cluster.id, SIZE.as_bytes(), bytes, Instant::from_millis(100 + index));
    }
    assert_eq!(prober.finish(Instant::from_millis(200)), None);
}

#[test]
fn no_probe_when_there_is_no_room_or_no_wish() {
    let mut prober = Prober::new(ProbeConfig::default(), MAX);
    assert_eq!(prober.poll(Instant::ZERO, MAX.as_bps_f64(), MAX), None);
    let mut prober = Prober::new(ProbeConfig { enabled: false, ..ProbeConfig::default() }, START);
    assert_eq!(prober.poll(Instant::ZERO, 300e3, MAX), None);
}

/// How long after a fall a probe is asked for, looking each 50 ms, and at what rate in kb/s.
fn probed_after_fall(after: f64, is_sudden: bool) -> Option<(u64, u64)> {
    let mut prober = Prober::new(ProbeConfig { initial: false, micro: false, ..ProbeConfig::default() }, START);
    prober.on_drop(Instant::ZERO, 1e6, after, is_sudden);
    (0..100).map(|step| 50 * step).find_map(|millis| {
        let now = Instant::from_millis(millis);
        let (is_idle, is_clear, is_beyond) = (false, millis > 0, false);
        prober.plan(&View { now, target: after, desired: 5e6, is_idle, is_clear, is_beyond });
        prober.poll(now, after, MAX).map(|cluster| (millis, cluster.rate.as_bps() / 1_000))
    })
}

#[test]
fn a_fall_is_looked_into_soon() {
    assert_eq!(probed_after_fall(0.6e6, false), Some((400, 850)));
    assert_eq!(probed_after_fall(0.2e6, false), Some((400, 400)), "no more than twice the rate");
    assert_eq!(probed_after_fall(0.75e6, false), None, "which is what flows of one kind do to each other");
    assert_eq!(probed_after_fall(0.75e6, true), Some((400, 850)), "but for a queue that others made");
    assert_eq!(probed_after_fall(0.95e6, true), None);
}
