use core::cell::Cell;
use core::time::Duration;

use rtc_core::bwe::{BandwidthEstimator, Estimate, PacketResult, ProbeCluster, ProbeId, SentPacket};
use rtc_core::testkit::laws;
use rtc_core::testkit::naive::{FixedRate, ReceivedRate};
use rtc_core::time::Instant;
use rtc_core::{Bitrate, DataSize};

use crate::assert_caught;

fn naive() -> ReceivedRate {
    ReceivedRate::new(Bitrate::from_kbps(300), Bitrate::from_kbps(30))
}

#[test]
fn the_naive_keep_the_laws() {
    laws::bandwidth_estimator(|| FixedRate(Bitrate::from_kbps(500)));
    laws::bandwidth_estimator(naive);
}

#[test]
fn forwarded_they_hold_as_well() {
    laws::bandwidth_estimator(|| Box::new(naive()) as Box<dyn BandwidthEstimator>);
    laws::bandwidth_estimator(|| Box::leak(Box::new(naive())));
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Fault {
    GivesUp,
    Dreams,
    SlowBursts,
    NegativeLoss,
    Lasting,
    Padded,
    Shut,
    CountsTimeouts,
    StaleDeadline,
    KnowsTheEpoch,
    KnowsTheReceiver,
    SmallNumbers,
    SameProbe,
    EndlessProbes,
    WildProbe,
    Diverges,
}

struct Faulty {
    inner: ReceivedRate,
    fault: Fault,
    factor: f64,
    probes: u32,
    run: u64,
}

impl BandwidthEstimator for Faulty {
    fn on_sent(&mut self, packet: SentPacket) {
        self.inner.on_sent(packet);
    }

    fn on_feedback(&mut self, now: Instant, results: &[PacketResult]) {
        self.inner.on_feedback(now, results);
        self.factor = match (self.fault, results.last()) {
            (Fault::GivesUp, Some(last)) if last.received.is_none() => 0.0,
            (Fault::KnowsTheEpoch, _) => 1.0 + now.as_secs_f64() / 1e3,
            (Fault::KnowsTheReceiver, Some(last)) if last.received > Some(Instant::from_millis(60_000)) => 1.1,
            (Fault::SmallNumbers, Some(last)) if last.packet.id >= 65_536 => 0.9,
            (Fault::Diverges, _) => 1.0 + self.run as f64 / 100.0,
            _ => self.factor,
        };
    }

    fn estimate(&self) -> Estimate {
        let target = self.inner.estimate().target * self.factor;
        match self.fault {
            Fault::Dreams => Estimate::new(Bitrate::MAX),
            Fault::SlowBursts => Estimate::new(target).with_pacing(target * 0.5),
            Fault::NegativeLoss => Estimate::new(target).with_random_loss(-0.1),
            Fault::Lasting => Estimate::new(target).with_stable(Bitrate::ZERO),
            Fault::Padded => Estimate::new(target).with_padding(target * 1.1),
            Fault::Shut => Estimate::new(target).with_window(DataSize::ZERO),
            _ => Estimate::new(target),
        }
    }

    fn poll_probe(&mut self, _now: Instant) -> Option<ProbeCluster> {
        self.probes += 1;
        let (id, kbps) = match self.fault {
            Fault::SameProbe if self.probes.is_multiple_of(100) => (1, 500),
            Fault::EndlessProbes => (self.probes, 500),
            Fault::WildProbe => (self.probes, u64::MAX),
            _ => return None,
        };
        let (rate, size) = (Bitrate::from_kbps(kbps), DataSize::from_bytes(3_000));
        Some(ProbeCluster { id: ProbeId(id), rate, size, packets: 3 })
    }

    fn poll_timeout(&self) -> Option<Instant> {
        (self.fault == Fault::StaleDeadline).then_some(Instant::ZERO)
    }

    fn handle_timeout(&mut self, _now: Instant) {
        if self.fault == Fault::CountsTimeouts {
            self.factor *= 1.001;
        }
    }
}

fn check(fault: Fault) {
    let runs = Cell::new(0);
    let make = || {
        runs.set(runs.get() + 1);
        Faulty { inner: naive(), fault, factor: 1.0, probes: 0, run: runs.get() }
    };
    laws::bandwidth_estimator(make);
}

#[test]
fn a_timer_that_keeps_its_deadline_is_fine() {
    struct Timer(Instant);
    impl BandwidthEstimator for Timer {
        fn on_sent(&mut self, _packet: SentPacket) {}
        fn on_feedback(&mut self, _now: Instant, _results: &[PacketResult]) {}
        fn estimate(&self) -> Estimate {
            Estimate::new(Bitrate::from_kbps(100))
        }
        fn poll_timeout(&self) -> Option<Instant> {
            Some(self.0)
        }
        fn handle_timeout(&mut self, now: Instant) {
            if now >= self.0 {
                self.0 = now + Duration::from_millis(10);
            }
        }
    }
    laws::bandwidth_estimator(|| Timer(Instant::ZERO));
}

#[test]
fn every_breach_is_caught() {
    let breaches = [
        (Fault::GivesUp, "the target is never zero"),
        (Fault::Dreams, "the estimate is a rate of this world"),
        (Fault::SlowBursts, "bursts leave no slower than the target"),
        (Fault::NegativeLoss, "random loss is a fraction"),
        (Fault::Lasting, "what lasts is a rate of this world"),
        (Fault::Padded, "padding leaves no faster than the pacer"),
        (Fault::Shut, "the window lets something leave"),
        (Fault::CountsTimeouts, "early and repeated timeouts change nothing"),
        (Fault::StaleDeadline, "after a timeout the deadline lies in the future"),
        (Fault::KnowsTheEpoch, "the epoch is arbitrary"),
        (Fault::KnowsTheReceiver, "the receiver's epoch is arbitrary"),
        (Fault::SmallNumbers, "the first number is arbitrary"),
        (Fault::SameProbe, "each probe has a name of its own"),
        (Fault::EndlessProbes, "polling for probes comes to an end"),
        (Fault::WildProbe, "a probe's rate is sane"),
        (Fault::Diverges, "the same feedback gives the same estimate"),
    ];
    for (fault, law) in breaches {
        assert_caught(law, || check(fault));
    }
}
