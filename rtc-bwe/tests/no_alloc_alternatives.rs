//! Once they are built, the alternatives to `Gcc`, the allocator and the flow group allocate nothing.

use core::time::Duration;

use rtc_bwe::{
    Allocator, AllocatorConfig, Demand, FlowGroup, FlowGroupConfig, FlowId, Nada, NadaConfig, ReceiverEstimator,
    ReceiverEstimatorConfig, Reported, ReportedConfig, Scream, ScreamConfig, StreamId,
};
use rtc_core::bwe::{BandwidthEstimator, Ecn, Estimate, PacketResult, PathEvent, SentPacket};
use rtc_core::rtp::extension::AbsSendTime;
use rtc_core::time::Instant;
use rtc_core::{Bitrate, DataSize};

fn allocations(work: impl FnOnce()) -> u64 {
    allocation_counter::measure(work).count_total
}

/// Two minutes over a link whose capacity falls and rises, with loss, marks, silence and a jump of the clock.
fn call(estimator: &mut dyn BandwidthEstimator) -> u64 {
    let mut results = Vec::with_capacity(10_000);
    let (mut now, mut id, mut free_at) = (Instant::ZERO, 0, Instant::ZERO);
    allocations(|| {
        while now < Instant::from_millis(120_000) {
            let capacity = Bitrate::from_kbps(if now.as_millis() / 20_000 % 2 == 0 { 3_000 } else { 700 });
            let clock = Duration::from_secs(if now.as_millis() < 60_000 { 1_000 } else { 5 });
            results.clear();
            for _ in 0..10 {
                now += Duration::from_millis(5);
                let size = estimator.estimate().pacing.size_in(Duration::from_millis(5));
                let packet = SentPacket { id, sent: now, size: size + DataSize::from_bytes(20), probe: None };
                estimator.on_sent(packet);
                id += 1;
                free_at = free_at.max(now) + capacity.time_for(packet.size);
                let lost = id % 20 == 0 || free_at - now > Duration::from_millis(300);
                let received = (!lost).then(|| free_at + clock);
                let ecn = if id % 100 == 0 { Ecn::Ce } else { Ecn::Ect0 };
                results.push(PacketResult { packet, received, ecn });
            }
            if !(30_000..35_000).contains(&now.as_millis()) {
                estimator.on_feedback(now + Duration::from_millis(100), &results);
                estimator.on_path_event(now, PathEvent::Loss { lost: 1, expected: 10 });
            }
            estimator.handle_timeout(now);
        }
    })
}

#[test]
fn estimators_allocate_nothing_after_construction() {
    let mut nada = Nada::new(NadaConfig::default()).expect("the default is valid");
    assert_eq!(call(&mut nada), 0);
    assert!(nada.stats().feedback_timeouts > 5 && nada.stats().clock_jumps == 1, "{:?}", nada.stats());
    let mut scream = Scream::new(ScreamConfig::default()).expect("the default is valid");
    assert_eq!(call(&mut scream), 0);
    assert!(scream.stats().feedback_timeouts > 5 && scream.stats().clock_jumps == 1, "{:?}", scream.stats());
    let mut reported = Reported::new(ReportedConfig::default()).expect("the default is valid");
    assert_eq!(call(&mut reported), 0);
    assert!(reported.stats().reports > 1_000, "{:?}", reported.stats());
}

#[test]
fn the_receiver_allocates_nothing_after_construction() {
    let mut estimator = ReceiverEstimator::new(ReceiverEstimatorConfig::default()).expect("the default is valid");
    let count = allocations(|| {
        for index in 0..60_000_u64 {
            let sent = Instant::from_millis(5 * index);
            let queue = Duration::from_millis(index % 400 / 2);
            let time = AbsSendTime::from_instant(sent);
            estimator.on_abs_send_time(sent + queue, time, DataSize::from_bytes(800));
            estimator.poll_remb(sent);
        }
    });
    assert!(estimator.stats().decreases > 5 && estimator.stats().messages > 100, "{:?}", estimator.stats());
    assert_eq!(count, 0);
}

#[test]
fn sharing_allocates_nothing_after_construction() {
    let mut allocator = Allocator::new(AllocatorConfig::default()).expect("the default is valid");
    let mut group = FlowGroup::new(FlowGroupConfig::default()).expect("the default is valid");
    let kbps = Bitrate::from_kbps;
    let count = allocations(|| {
        for round in 0..1_000_u64 {
            for id in 0..20_u32 {
                let demand = Demand::new(kbps(50), kbps(500 + round), (id % 5) as u8);
                assert!(allocator.set(StreamId(id), demand).is_ok());
                group.join(FlowId(id), kbps(300), id + 1).ok();
            }
            allocator.allocate(&Estimate::new(kbps(10 * (round % 100))));
            let flow = FlowId((round % 20) as u32);
            group.update(Instant::from_millis(10 * round), flow, kbps(round), Duration::from_millis(2));
            allocator.remove(StreamId((round % 20) as u32));
            group.leave(flow);
        }
    });
    assert!(allocator.stats().switched_off > 0);
    assert_eq!(count, 0);
}
