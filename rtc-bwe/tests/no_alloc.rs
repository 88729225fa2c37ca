//! Once it is built, the estimator allocates nothing.

use core::time::Duration;

use rtc_bwe::{Gcc, GccConfig};
use rtc_core::bwe::{BandwidthEstimator, Ecn, PacketResult, SentPacket};
use rtc_core::time::Instant;
use rtc_core::{Bitrate, DataSize};

fn allocations(work: impl FnOnce()) -> u64 {
    allocation_counter::measure(work).count_total
}

/// Two minutes over a link whose capacity falls and rises, with loss, marks, probes, silence and a jump of the clock.
#[test]
fn a_call_allocates_nothing_after_construction() {
    let mut estimator = Gcc::new(GccConfig::default()).expect("the default is valid");
    let mut results = Vec::with_capacity(10_000);
    let (mut now, mut id, mut free_at) = (Instant::ZERO, 0, Instant::ZERO);
    let count = allocations(|| {
        while now < Instant::from_millis(120_000) {
            let capacity = Bitrate::from_kbps(if now.as_millis() / 20_000 % 2 == 0 { 3_000 } else { 700 });
            let clock = Duration::from_secs(if now.as_millis() < 60_000 { 1_000 } else { 5 });
            results.clear();
            for _ in 0..10 {
                now += Duration::from_millis(5);
                let probe = estimator.poll_probe(now).map(|cluster| cluster.id);
                let size = estimator.estimate().pacing.size_in(Duration::from_millis(5));
                let packet = SentPacket { id, sent: now, size: size + DataSize::from_bytes(20), probe };
                estimator.on_sent(packet);
                id += 1;
                free_at = free_at.max(now) + capacity.time_for(packet.size);
                let lost = id % 20 == 0 || free_at - now > Duration::from_millis(300);
                let received = (!lost).then(|| free_at + clock);
                let ecn = if id % 100 == 0 { Ecn::Ce } else { Ecn::Ect0 };
                results.push(PacketResult { packet, received, ecn });
            }
            let is_silent = (30_000..35_000).contains(&now.as_millis());
            if !is_silent {
                estimator.on_feedback(now + Duration::from_millis(100), &results);
            }
            estimator.handle_timeout(now);
        }
    });
    let stats = estimator.stats();
    assert!(stats.backoffs > 5 && stats.feedback_timeouts > 5 && stats.probes > 0, "{stats:?}");
    assert_eq!(stats.clock_jumps, 1, "{stats:?}");
    assert_eq!(count, 0);
}
