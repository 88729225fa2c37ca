use alloc::collections::VecDeque;
use core::time::Duration;

use crate::bwe::{ApplicationLimits, BandwidthEstimator, Ecn, Estimate, PacketResult, PathEvent, ProbeId, SentPacket};
use crate::testkit::rng::Rng;
use crate::time::Instant;
use crate::{Bitrate, DataSize};

use super::assert_same;

const _: () = {
    const fn object_safe_and_send<T: Send + ?Sized>() {}
    object_safe_and_send::<dyn BandwidthEstimator>();
};

const START: Instant = Instant::from_millis(5_000);
/// Above any path of today.
const SANE: Bitrate = Bitrate::from_kbps(100_000_000);

/// The laws of [`BandwidthEstimator`].
///
/// # Panics
/// If a law is broken, naming it.
pub fn bandwidth_estimator<B: BandwidthEstimator>(make: impl Fn() -> B) {
    let usual = run(make(), Setup::default());
    assert_same(&usual, &run(make(), Setup::default()), "the same feedback gives the same estimate");
    let often = Setup { extra_timeouts: true, ..Setup::default() };
    assert_same(&usual, &run(make(), often), "early and repeated timeouts change nothing");
    let later = Setup { start: START + Duration::from_secs(1_000_000), ..Setup::default() };
    assert_same(&usual, &run(make(), later), "the epoch is arbitrary");
    for receiver_ahead in [Duration::ZERO, Duration::from_secs(77_777)] {
        let receiver = Setup { receiver_ahead, ..Setup::default() };
        assert_same(&usual, &run(make(), receiver), "the receiver's epoch is arbitrary");
    }
    let numbered = Setup { first_id: 65_000, ..Setup::default() };
    assert_same(&usual, &run(make(), numbered), "the first number is arbitrary");
    nonsense_does_no_harm(make());
}

/// One run of an estimator in a closed loop: numbers that must not matter, and calls that must not.
#[derive(Debug, Clone, Copy)]
struct Setup {
    start: Instant,
    receiver_ahead: Duration,
    first_id: u64,
    extra_timeouts: bool,
}

impl Default for Setup {
    fn default() -> Self {
        Self { start: START, receiver_ahead: Duration::from_secs(9), first_id: 1, extra_timeouts: false }
    }
}

/// Twenty seconds over a bottleneck of 1 Mb/s with 300 ms of queue; gives the estimate every 50 ms.
fn run<B: BandwidthEstimator>(mut estimator: B, setup: Setup) -> Vec<Estimate> {
    const STEP: Duration = Duration::from_millis(5);
    check(estimator.estimate());
    let mut path = Path { free_at: setup.start, in_flight: VecDeque::new(), next_id: setup.first_id, sent: 0 };
    let (mut estimates, mut now, mut credit) = (Vec::new(), setup.start, DataSize::ZERO);
    let mut probes: Vec<ProbeId> = Vec::new();
    for step in 0..4_000u32 {
        now += STEP;
        timeouts(&mut estimator, now, setup.extra_timeouts);
        let mut clusters = 0;
        while let Some(probe) = estimator.poll_probe(now) {
            assert!(!probes.contains(&probe.id), "each probe has a name of its own");
            assert!(probe.rate > Bitrate::ZERO && probe.rate < SANE, "a probe's rate is sane: {}", probe.rate);
            probes.push(probe.id);
            let size = probe.size.as_bytes().div_ceil(1_000).max(u64::from(probe.packets)).min(100);
            (0..size).for_each(|_| path.send(&mut estimator, now, Some(probe.id), step));
            clusters += 1;
            assert!(clusters < 100, "polling for probes comes to an end");
        }
        credit += estimator.estimate().target.min(Bitrate::from_kbps(3_000)).size_in(STEP);
        while credit >= DataSize::from_bytes(1_000) {
            credit = credit - DataSize::from_bytes(1_000);
            path.send(&mut estimator, now, None, step);
        }
        // For one second no feedback comes through.
        if step.is_multiple_of(10) && !(2_000..2_200).contains(&step) {
            let results = path.feedback(now, setup);
            estimator.on_rtt(now, Duration::from_millis(100));
            estimator.on_feedback(now, &results);
            check(estimator.estimate());
            estimates.push(estimator.estimate());
        }
    }
    estimates
}

fn timeouts<B: BandwidthEstimator>(estimator: &mut B, now: Instant, extra: bool) {
    let due = estimator.poll_timeout().is_some_and(|deadline| deadline <= now);
    if due || extra {
        estimator.handle_timeout(now);
        let next = estimator.poll_timeout();
        assert!(next.is_none_or(|next| next > now), "after a timeout the deadline lies in the future");
    }
    if extra {
        estimator.handle_timeout(now);
    }
}

fn check(estimate: Estimate) {
    let Estimate { target, stable, pacing, padding, window, random_loss } = estimate;
    assert!(target > Bitrate::ZERO, "the target is never zero");
    assert!(target < SANE && pacing < SANE, "the estimate is a rate of this world: {estimate:?}");
    assert!(pacing >= target, "bursts leave no slower than the target: {estimate:?}");
    assert!(stable > Bitrate::ZERO && stable < SANE, "what lasts is a rate of this world: {estimate:?}");
    assert!(padding <= pacing, "padding leaves no faster than the pacer: {estimate:?}");
    assert!(window != Some(DataSize::ZERO), "the window lets something leave");
    assert!((0.0..=1.0).contains(&random_loss), "random loss is a fraction: {random_loss}");
}

/// The bottleneck, and the packets whose fate is not yet reported.
struct Path {
    free_at: Instant,
    in_flight: VecDeque<PacketResult>,
    next_id: u64,
    sent: u64,
}

impl Path {
    fn send<B: BandwidthEstimator>(&mut self, estimator: &mut B, now: Instant, probe: Option<ProbeId>, step: u32) {
        const CAPACITY: Bitrate = Bitrate::from_kbps(1_000);
        let packet = SentPacket { id: self.next_id, sent: now, size: DataSize::from_bytes(1_000), probe };
        self.next_id += 1;
        self.sent += 1;
        estimator.on_sent(packet);
        let queue = self.free_at - now;
        // Nothing gets through in the sixth second, and every 50th packet is lost in the last five.
        let lost = (1_200..1_400).contains(&step) || (step > 3_000 && self.sent.is_multiple_of(50));
        let received = if lost || queue > Duration::from_millis(300) {
            None
        } else {
            self.free_at = self.free_at.max(now) + CAPACITY.time_for(packet.size);
            Some(self.free_at + Duration::from_millis(20))
        };
        let ecn = if queue > Duration::from_millis(50) { Ecn::Ce } else { Ecn::Ect1 };
        self.in_flight.push_back(PacketResult { packet, received, ecn });
    }

    /// The fate of the packets that had 50 ms to arrive, their times on the receiver's clock.
    fn feedback(&mut self, now: Instant, setup: Setup) -> Vec<PacketResult> {
        let sent_before = now - Duration::from_millis(50);
        let mut results = Vec::new();
        while let Some(result) = self.in_flight.front() {
            if result.packet.sent > sent_before || result.received.is_some_and(|at| at > now) {
                break;
            }
            let received = result.received.map(|at| Instant::ZERO + setup.receiver_ahead + (at - setup.start));
            results.push(PacketResult { received, ..*result });
            self.in_flight.pop_front();
        }
        results
    }
}

/// Feedback no sane peer sends must neither panic nor lead the estimate out of this world.
fn nonsense_does_no_harm<B: BandwidthEstimator>(mut estimator: B) {
    let mut rng = Rng::new(4);
    let mut now = START;
    for _ in 0..2_000 {
        now += Duration::from_millis(rng.below(100));
        let result = |rng: &mut Rng| {
            let sent = Instant::from_nanos(rng.next_u64() >> rng.below(64));
            let received = rng.bool(0.7).then(|| Instant::from_nanos(rng.next_u64() >> rng.below(64)));
            let size = DataSize::from_bytes(rng.below(1_500));
            let packet = SentPacket { id: rng.next_u64() >> rng.below(64), sent, size, probe: Some(ProbeId(7)) };
            PacketResult { packet, received, ecn: Ecn::Ce }
        };
        let mut results: Vec<PacketResult> = (0..rng.below(5)).map(|_| result(&mut rng)).collect();
        results.sort_by_key(|result| result.packet.id);
        if rng.bool(0.3) {
            estimator.on_sent(result(&mut rng).packet);
        }
        estimator.on_rtt(now, Duration::from_nanos(rng.next_u64() >> rng.below(64)));
        estimator.on_feedback(now, &results);
        if rng.bool(0.1) {
            let mut rate = || Bitrate::from_bps(rng.next_u64() >> rng.below(64));
            let limits = ApplicationLimits::new(rate(), rate()).with_desired(rate()).with_produced(rate());
            estimator.set_application(now, limits);
            let mut count = || u32::try_from(rng.below(300)).unwrap_or(u32::MAX);
            estimator.on_path_event(now, PathEvent::Loss { lost: count(), expected: count() });
        }
        estimator.poll_probe(now);
        let due = estimator.poll_timeout();
        if due.is_some_and(|due| due <= now) {
            estimator.handle_timeout(now);
        }
        check(estimator.estimate());
    }
}
