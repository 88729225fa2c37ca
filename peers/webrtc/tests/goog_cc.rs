//! goog_cc in a closed loop behaves as it is known to.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use core::time::Duration;

use peer_webrtc::{GoogCc, GoogCcLimits, GoogCcTrials};
use rtc_core::bwe::{BandwidthEstimator, Ecn, PacketResult, SentPacket};
use rtc_core::testkit::netem::{Netem, NetemConfig};
use rtc_core::time::Instant;
use rtc_core::{Bitrate, DataSize};

const PACKET: DataSize = DataSize::from_bytes(1_200);
const STEP: Duration = Duration::from_millis(1);
const FEEDBACK_MS: u64 = 50;

fn make(trials: GoogCcTrials) -> GoogCc {
    let limits =
        GoogCcLimits { start: Bitrate::from_kbps(300), min: Bitrate::from_kbps(30), max: Bitrate::from_kbps(20_000) };
    GoogCc::new(limits, trials)
}

/// Share of a link of `capacity` that is used from 20 to 60 s, and the 95th percentile of the queue in milliseconds, when
/// a source sends just what the controller says.
fn steady(mut controller: GoogCc, capacity: Bitrate) -> (f64, f64) {
    let mut path: Netem<SentPacket> = Netem::new(NetemConfig::wired(capacity), 1).unwrap();
    let (mut id, mut credit, mut pending) = (0, DataSize::ZERO, Vec::new());
    let (mut delivered, mut queues) = (0, Vec::new());
    let mut now = Instant::ZERO;
    let mut send = |controller: &mut GoogCc, path: &mut Netem<SentPacket>, now, probe| {
        let packet = SentPacket { id, sent: now, size: PACKET, probe };
        id += 1;
        controller.on_sent(packet);
        path.send(now, PACKET, Ecn::NotEct, packet);
    };
    while now < Instant::from_millis(60_000) {
        now += STEP;
        controller.handle_timeout(now);
        while let Some(probe) = controller.poll_probe(now) {
            let packets = probe.size.as_bytes().div_ceil(PACKET.as_bytes()).max(u64::from(probe.packets));
            (0..packets).for_each(|_| send(&mut controller, &mut path, now, Some(probe.id)));
        }
        credit += controller.estimate().target.size_in(STEP);
        while credit >= PACKET {
            credit = credit - PACKET;
            send(&mut controller, &mut path, now, None);
        }
        while let Some(packet) = path.poll(now) {
            if now > Instant::from_millis(20_000) {
                delivered += packet.size.as_bits();
                queues.push(packet.queued);
            }
            pending.push(PacketResult { packet: packet.item, received: Some(packet.delivered), ecn: packet.ecn });
        }
        if now.as_millis().is_multiple_of(FEEDBACK_MS) && !pending.is_empty() {
            controller.on_feedback(now, &pending);
            pending.clear();
        }
    }
    queues.sort();
    (delivered as f64 / 40.0 / capacity.as_bps_f64(), queues[queues.len() * 95 / 100].as_secs_f64() * 1e3)
}

#[test]
fn a_steady_link_is_used_with_a_short_queue() {
    for (trials, kbps) in [(GoogCcTrials::V1, 1_000), (GoogCcTrials::V2, 1_000), (GoogCcTrials::V1, 3_000)] {
        let (used, queue) = steady(make(trials), Bitrate::from_kbps(kbps));
        println!("{trials:?} {kbps} kb/s: {:.1} % used, queue p95 {queue:.1} ms", used * 100.0);
        assert!((0.7..1.0).contains(&used), "{used}");
        assert!(queue < 100.0, "{queue}");
    }
}

#[test]
fn a_run_can_be_repeated_and_trials_make_a_difference() {
    let capacity = Bitrate::from_kbps(1_000);
    assert_eq!(steady(make(GoogCcTrials::V2), capacity), steady(make(GoogCcTrials::V2), capacity));
    assert_ne!(steady(make(GoogCcTrials::V1), capacity), steady(make(GoogCcTrials::V2), capacity));
}
