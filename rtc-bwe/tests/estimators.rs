//! Properties that hold for all estimators of the role.

use core::time::Duration;

use proptest::collection::vec;
use proptest::prelude::*;
use rtc_bwe::{Gcc, GccConfig, Nada, NadaConfig, Reported, ReportedConfig, Scream, ScreamConfig};
use rtc_core::bwe::{ApplicationLimits, BandwidthEstimator, Ecn, PacketResult, PathEvent, ProbeId, SentPacket};
use rtc_core::time::Instant;
use rtc_core::{Bitrate, DataSize};

const MIN: Bitrate = Bitrate::from_kbps(30);
const MAX: Bitrate = Bitrate::from_kbps(5_000);

type Estimator = Box<dyn BandwidthEstimator>;

fn gcc() -> Estimator {
    let mut config = GccConfig::default();
    (config.min, config.max, config.history) = (MIN, MAX, 1_024);
    Box::new(Gcc::new(config).expect("valid"))
}

fn nada() -> Estimator {
    let mut config = NadaConfig::default();
    (config.min, config.max, config.history) = (MIN, MAX, 1_024);
    Box::new(Nada::new(config).expect("valid"))
}

fn scream() -> Estimator {
    let mut config = ScreamConfig::default();
    (config.min, config.max, config.history) = (MIN, MAX, 1_024);
    Box::new(Scream::new(config).expect("valid"))
}

fn reported() -> Estimator {
    let mut config = ReportedConfig::default();
    (config.min, config.max) = (MIN, MAX);
    Box::new(Reported::new(config).expect("valid"))
}

const ALL: [fn() -> Estimator; 4] = [gcc, nada, scream, reported];

#[derive(Debug, Clone)]
enum Op {
    Wait(Duration),
    Send {
        step: u64,
        size: u64,
    },
    /// Results for packets counted back from the newest; travel time in us, `None` for lost, and the mark.
    Report(Vec<(u64, Option<u64>, bool)>),
    /// A result nobody could have sent.
    Lie(u64, u64, Option<u64>),
    Rtt(Duration),
    Timeout,
    Limits(u64, u64),
    Event(PathEvent),
}

fn event() -> impl Strategy<Value = PathEvent> {
    let rate = || prop_oneof![(0..9_000_000_u64), Just(u64::MAX)].prop_map(Bitrate::from_bps);
    prop_oneof![
        rate().prop_map(|start| PathEvent::RouteChanged { start }),
        rate().prop_map(PathEvent::RemoteLimit),
        (0..50_u32, 0..50_u32).prop_map(|(lost, expected)| PathEvent::Loss { lost, expected }),
    ]
}

fn op() -> impl Strategy<Value = Op> {
    let result = (0..40_u64, proptest::option::weighted(0.8, 20_000..2_000_000_u64), proptest::bool::weighted(0.1));
    prop_oneof![
        4 => (0..200_000_u64).prop_map(|micros| Op::Wait(Duration::from_micros(micros))),
        1 => (0..100_000_u64).prop_map(|millis| Op::Wait(Duration::from_millis(millis))),
        8 => (1..3_u64, 0..2_000_u64).prop_map(|(step, size)| Op::Send { step, size }),
        8 => vec(result, 0..20).prop_map(Op::Report),
        1 => (any::<u64>(), any::<u64>(), any::<Option<u64>>()).prop_map(|(id, sent, at)| Op::Lie(id, sent, at)),
        1 => any::<Duration>().prop_map(Op::Rtt),
        1 => Just(Op::Timeout),
        1 => (0..9_000_000_u64, 0..9_000_000_u64).prop_map(|(min, max)| Op::Limits(min, max)),
        1 => event().prop_map(Op::Event),
    ]
}

/// Where one estimator's session stands.
struct Session {
    estimator: Estimator,
    now: Instant,
    next_id: u64,
    receiver_ahead: Duration,
    sent: Vec<SentPacket>,
}

impl Session {
    fn new(estimator: Estimator) -> Self {
        let (now, receiver_ahead) = (Instant::from_millis(1_000), Duration::from_secs(9));
        Self { estimator, now, next_id: 0, receiver_ahead, sent: Vec::new() }
    }

    fn apply(&mut self, op: &Op) {
        match op {
            Op::Wait(time) => self.now += *time,
            Op::Send { step, size } => {
                self.next_id += step;
                self.send(DataSize::from_bytes(*size));
            }
            Op::Report(results) => {
                let mut results: Vec<_> = results.iter().filter_map(|result| self.result(*result)).collect();
                results.sort_by_key(|result| result.packet.id);
                self.estimator.on_feedback(self.now, &results);
            }
            Op::Lie(id, sent, at) => {
                let (sent, size) = (Instant::from_nanos(*sent), DataSize::from_bytes(77_777));
                let packet = SentPacket { id: *id, sent, size, probe: Some(ProbeId(1)) };
                let received = at.map(Instant::from_nanos);
                self.estimator.on_feedback(self.now, &[PacketResult { packet, received, ecn: Ecn::Ce }]);
            }
            Op::Rtt(rtt) => self.estimator.on_rtt(self.now, *rtt),
            Op::Timeout => self.estimator.handle_timeout(self.now),
            Op::Limits(min, max) => {
                let limits = ApplicationLimits::new(Bitrate::from_bps(*min), Bitrate::from_bps(*max));
                self.estimator.set_application(self.now, limits);
            }
            Op::Event(event) => self.estimator.on_path_event(self.now, *event),
        }
    }

    fn send(&mut self, size: DataSize) -> SentPacket {
        let packet = SentPacket { id: self.next_id, sent: self.now, size, probe: None };
        self.next_id += 1;
        self.sent.push(packet);
        self.estimator.on_sent(packet);
        packet
    }

    fn result(&self, (back, travel, marked): (u64, Option<u64>, bool)) -> Option<PacketResult> {
        let back = usize::try_from(back).ok()?;
        let packet = *self.sent.get(self.sent.len().checked_sub(back + 1)?)?;
        let received = travel.map(|travel| packet.sent + self.receiver_ahead + Duration::from_micros(travel));
        Some(PacketResult { packet, received, ecn: if marked { Ecn::Ce } else { Ecn::Ect1 } })
    }

    /// Sends at the target for so many steps of 50 ms over a link of a rate in kb/s with a queue of 300 ms; a share of packets
    /// in percent is lost. Feedback comes 40 ms later. Gives the bytes delivered in the second half.
    fn transfer(&mut self, steps: u32, link_kbps: u64, loss: u64) -> u64 {
        let size = DataSize::from_bytes(500);
        let (mut free_at, mut credit, mut delivered, mut waiting) = (self.now, DataSize::ZERO, 0, Vec::new());
        let (mut lost_before, mut lost, mut expected) = (0_u64, 0_u32, 0_u32);
        for step in 0..steps {
            let mut results = Vec::new();
            for _ in 0..10 {
                self.now += Duration::from_millis(5);
                credit += self.estimator.estimate().target.size_in(Duration::from_millis(5));
                while credit >= size {
                    credit = credit - size;
                    let packet = self.send(size);
                    lost_before += loss;
                    let drop = lost_before >= 100 || free_at - self.now > Duration::from_millis(300);
                    lost_before %= 100;
                    expected += 1;
                    lost += u32::from(drop);
                    if !drop {
                        free_at = free_at.max(self.now) + Bitrate::from_kbps(link_kbps).time_for(size);
                        delivered += if step >= steps / 2 { size.as_bytes() } else { 0 };
                    }
                    let received = (!drop).then(|| free_at + self.receiver_ahead + Duration::from_millis(20));
                    results.push(PacketResult { packet, received, ecn: Ecn::NotEct });
                }
            }
            waiting.push(results);
            // What waits in the queue is not here yet: some steps more.
            let queued = (free_at - self.now).as_millis() / 50;
            while waiting.len() as u128 > 1 + queued {
                self.estimator.on_feedback(self.now, &waiting.remove(0));
            }
            if step % 20 == 19 {
                self.estimator.on_path_event(self.now, PathEvent::Loss { lost, expected });
                (lost, expected) = (0, 0);
            }
            if self.estimator.poll_timeout().is_some_and(|at| at <= self.now) {
                self.estimator.handle_timeout(self.now);
            }
        }
        delivered
    }
}

fn check(estimator: &Estimator) -> Result<(), TestCaseError> {
    let estimate = estimator.estimate();
    prop_assert!((MIN..=MAX).contains(&estimate.target), "{:?}", estimate);
    prop_assert!((MIN..=MAX).contains(&estimate.stable), "{:?}", estimate);
    prop_assert!(estimate.pacing >= estimate.target && estimate.pacing <= MAX * 10.0, "{:?}", estimate);
    prop_assert!(estimate.padding <= estimate.pacing && estimate.window != Some(DataSize::ZERO), "{:?}", estimate);
    prop_assert!((0.0..=1.0).contains(&estimate.random_loss), "{:?}", estimate);
    Ok(())
}

/// Packets every 5 ms over a path with jitter, loss and marks, reported every 50 ms; gives the target after each report.
fn session(
    make: fn() -> Estimator,
    steps: &[(u64, u8)],
    first_id: u64,
    from: Duration,
    ahead: Duration,
) -> Vec<Bitrate> {
    let mut session = Session::new(make());
    (session.now, session.next_id, session.receiver_ahead) = (Instant::ZERO + from, first_id, ahead);
    let (mut results, mut targets) = (Vec::new(), Vec::new());
    for (index, &(travel, chance)) in steps.iter().enumerate() {
        session.now += Duration::from_millis(5);
        if session.estimator.poll_timeout().is_some_and(|at| at <= session.now) {
            session.estimator.handle_timeout(session.now);
        }
        let packet = session.send(DataSize::from_bytes(800));
        let received = (chance >= 10).then(|| session.now + ahead + Duration::from_micros(travel));
        let ecn = if chance > 250 { Ecn::Ce } else { Ecn::Ect1 };
        results.push(PacketResult { packet, received, ecn });
        if index % 10 == 9 {
            session.estimator.on_feedback(session.now + Duration::from_millis(60), &results);
            results.clear();
            let event = PathEvent::Loss { lost: u32::from(chance / 100), expected: 10 };
            session.estimator.on_path_event(session.now, event);
            targets.push(session.estimator.estimate().target);
        }
    }
    targets
}

fn few_cases() -> ProptestConfig {
    let usual = ProptestConfig::default();
    ProptestConfig { cases: usual.cases.div_ceil(16), ..usual }
}

proptest! {
    #[test]
    fn estimates_stay_in_range_whatever_comes(which in 0..ALL.len(), ops in vec(op(), 0..300)) {
        let mut session = Session::new(ALL[which]());
        for op in &ops {
            session.apply(op);
            check(&session.estimator)?;
        }
    }

    #[test]
    fn numbers_and_epochs_do_not_matter(
        which in 0..ALL.len(),
        steps in vec((20_000..120_000_u64, any::<u8>()), 0..600),
        first_id in prop_oneof![0..1_000_000_u64, Just(u64::MAX / 2)],
        from in 0..u64::from(u32::MAX),
        ahead in 0..u64::from(u32::MAX),
    ) {
        let usual = session(ALL[which], &steps, 0, Duration::from_secs(1), Duration::from_secs(9));
        let (from, ahead) = (Duration::from_millis(1_000 + from), Duration::from_micros(ahead));
        prop_assert_eq!(usual, session(ALL[which], &steps, first_id, from, ahead));
    }
}

proptest! {
    #![proptest_config(few_cases())]

    /// Whatever happened before, a good path is made use of within a minute.
    #[test]
    fn no_history_freezes_an_estimate(which in 0..ALL.len(), ops in vec(op(), 0..200)) {
        let mut session = Session::new(ALL[which]());
        ops.iter().for_each(|op| session.apply(op));
        session.estimator.set_application(session.now, ApplicationLimits::new(MIN, MAX));
        session.estimator.on_path_event(session.now, PathEvent::RemoteLimit(Bitrate::MAX));
        let before = session.estimator.estimate().target;
        session.transfer(1_200, 3_000, 0);
        let after = session.estimator.estimate().target;
        // Reports alone raise a rate by 5 % a second.
        prop_assert!(after >= Bitrate::from_kbps(500).min(before * 4.0), "{} {}", before, after);
    }
}

/// More loss never lets more through; so for what takes loss for congestion, much of it costs much.
#[test]
fn more_loss_lets_no_more_through() {
    for (which, make) in [nada, scream, reported].into_iter().enumerate() {
        let delivered = [0, 3, 10, 30].map(|loss| Session::new(make()).transfer(600, 2_000, loss));
        let falls = delivered.windows(2).all(|pair| pair[1] as f64 <= 1.05 * pair[0] as f64);
        assert!(falls && delivered[3] < delivered[0] / 2, "{which}: {delivered:?}");
    }
}

/// A queue that others cause lowers the rate of those that listen to delay, and a longer one no less.
#[test]
fn a_longer_queue_lowers_the_rate_further() {
    for (which, make) in [nada, scream].into_iter().enumerate() {
        let rates = [0, 40, 120].map(|queue_ms| {
            let mut session = Session::new(make());
            session.transfer(200, 2_000, 0);
            session.receiver_ahead += Duration::from_millis(queue_ms);
            session.transfer(40, 2_000, 0);
            session.estimator.estimate().target.as_bps_f64()
        });
        let falls = rates[1] < 1.02 * rates[0] && rates[2] < 1.02 * rates[1];
        assert!(falls && rates[2] < 0.8 * rates[0], "{which}: {rates:?}");
    }
}
