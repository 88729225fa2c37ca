use rtc_core::bwe::{Ecn, ProbeId};

use super::*;
use crate::stats::Usage;

/// A sender that sends what it may in packets of 5 ms, over a link of `capacity` with 20 ms of delay each way.
struct Path {
    gcc: Gcc,
    now: Instant,
    next_id: u64,
    free_at: Instant,
    capacity: Bitrate,
    probe: Option<ProbeId>,
}

impl Path {
    fn new(config: GccConfig, capacity: u64) -> Self {
        Self {
            gcc: Gcc::new(config).unwrap(),
            now: Instant::ZERO,
            next_id: 0,
            free_at: Instant::ZERO,
            capacity: Bitrate::from_kbps(capacity),
            probe: None,
        }
    }

    /// Runs until `millis`, with feedback each 50 ms.
    fn until(&mut self, millis: u64) -> &mut Self {
        while self.now < Instant::from_millis(millis) {
            let results: Vec<_> = (0..10).map(|_| self.send()).collect();
            self.gcc.handle_timeout(self.now);
            self.gcc.on_feedback(self.now + Duration::from_millis(40), &results);
        }
        self
    }

    fn send(&mut self) -> PacketResult {
        self.now += Duration::from_millis(5);
        let size = self.gcc.estimate().target.size_in(Duration::from_millis(5));
        let packet = SentPacket { id: self.next_id, sent: self.now, size, probe: self.probe };
        self.next_id += 1;
        self.gcc.on_sent(packet);
        self.free_at = self.free_at.max(self.now) + self.capacity.time_for(size);
        let received = Some(self.free_at + Duration::from_millis(20));
        PacketResult { packet, received, ecn: Ecn::NotEct }
    }

    fn target(&self) -> u64 {
        self.gcc.estimate().target.as_bps() / 1_000
    }
}

fn no_probes() -> GccConfig {
    let mut config = GccConfig::default();
    config.probe.enabled = false;
    config
}

#[test]
fn impossible_settings_are_refused_by_name() {
    let refused = |change: fn(&mut GccConfig)| {
        let mut config = GccConfig::default();
        change(&mut config);
        Gcc::new(config).unwrap_err().setting()
    };
    assert_eq!(refused(|config| config.min = Bitrate::ZERO), "min");
    assert_eq!(refused(|config| config.max = Bitrate::from_kbps(10)), "max");
    assert_eq!(refused(|config| config.start = Bitrate::from_kbps(10)), "start");
    assert_eq!(refused(|config| config.pacing_factor = f64::NAN), "pacing_factor");
    assert_eq!(refused(|config| config.history = 0), "history");
    assert_eq!(refused(|config| config.trendline.window = 2), "trendline.window");
    assert_eq!(refused(|config| config.queue.target = Duration::ZERO), "queue.target");
    assert_eq!(refused(|config| config.aimd.headroom = f64::INFINITY), "aimd.headroom");
    assert_eq!(refused(|config| config.loss.growth = 1.0), "loss.growth");
    assert_eq!(refused(|config| config.probe.packets = 1), "probe.packets");
}

#[test]
fn it_begins_at_the_start_rate_and_says_so() {
    let gcc = Gcc::new(GccConfig::default()).unwrap();
    assert_eq!(gcc.estimate().target, Bitrate::from_kbps(300));
    assert_eq!(gcc.estimate().pacing, Bitrate::from_kbps(330));
    assert_eq!(gcc.poll_timeout(), None);
    let snapshot = gcc.snapshot();
    assert_eq!((snapshot.reason, snapshot.state, snapshot.usage), (Reason::Start, State::Increase, Usage::Normal));
    assert_eq!((snapshot.delivered, snapshot.link_capacity, snapshot.loss_limit), (None, None, None));
}

#[test]
fn it_finds_the_capacity_and_follows_it_down() {
    let mut path = Path::new(no_probes(), 2_000);
    path.until(6_000);
    assert!((1_800..2_300).contains(&path.target()), "{}", path.target());
    path.capacity = Bitrate::from_kbps(500);
    path.until(6_250);
    let snapshot = path.gcc.snapshot();
    assert_eq!(snapshot.state, State::Decrease);
    assert!(matches!(snapshot.reason, Reason::Drain | Reason::Overuse | Reason::Queue), "{:?}", snapshot.reason);
    assert!(path.target() < 500, "the queue is drained: {}", path.target());
    let capacity = snapshot.link_capacity.unwrap().as_bps_f64();
    assert!((capacity / 500e3 - 1.0).abs() < 0.03, "{capacity}");
    path.until(8_000);
    assert!((400..600).contains(&path.target()), "{}", path.target());
    assert!(path.gcc.snapshot().queue_delay < Duration::from_millis(60));
}

#[test]
fn silence_lowers_the_rate_step_by_step_and_feedback_brings_it_back() {
    let mut path = Path::new(no_probes(), 2_000);
    path.until(6_000);
    let before = path.target();
    // Packets leave, but nothing is heard.
    let lost: Vec<_> = (0..400).map(|_| path.send()).collect();
    let sent = lost[0].packet.sent;
    assert_eq!(path.gcc.poll_timeout(), Some(sent + Duration::from_secs(1)));
    path.gcc.handle_timeout(sent + Duration::from_millis(999));
    assert_eq!(path.target(), before);
    for millis in [1_000, 1_500, 2_000] {
        path.gcc.handle_timeout(sent + Duration::from_millis(millis));
    }
    let factor = 0.7_f64.powi(3);
    assert!((path.gcc.estimate().target.as_bps_f64() / (1e3 * before as f64) - factor).abs() < 0.01);
    assert_eq!(path.gcc.stats().feedback_timeouts, 3);
    assert_eq!(path.gcc.snapshot().reason, Reason::FeedbackTimeout);
    let lost: Vec<_> = lost.into_iter().map(|result| PacketResult { received: None, ..result }).collect();
    path.free_at = path.now;
    path.gcc.on_feedback(path.now, &lost);
    path.until(10_500);
    assert!(path.target() > 1_700, "{}", path.target());
}

#[test]
fn no_timeout_while_nothing_is_sent() {
    let mut path = Path::new(no_probes(), 2_000);
    path.until(1_000);
    assert_eq!(path.gcc.poll_timeout(), None);
}

#[test]
fn limits_can_change_and_impossible_ones_change_nothing() {
    let mut path = Path::new(no_probes(), 2_000);
    path.until(3_000);
    path.gcc.set_limits(Bitrate::from_kbps(100), Bitrate::from_kbps(500)).unwrap();
    assert_eq!(path.target(), 500);
    assert_eq!(path.gcc.snapshot().reason, Reason::Application);
    let error = path.gcc.set_limits(Bitrate::from_kbps(600), Bitrate::from_kbps(500)).unwrap_err();
    assert_eq!(error.setting(), "max");
    assert_eq!(path.until(4_000).target(), 500);
    path.gcc.set_limits(Bitrate::from_kbps(800), Bitrate::from_kbps(5_000)).unwrap();
    assert_eq!(path.target(), 800);
}

#[test]
fn another_route_starts_over_and_is_probed() {
    let mut path = Path::new(GccConfig::default(), 2_000);
    path.until(5_000);
    path.gcc.route_changed(Bitrate::from_kbps(200));
    assert_eq!(path.target(), 200);
    let probe = path.gcc.poll_probe(path.now).unwrap();
    assert_eq!(probe.rate, Bitrate::from_kbps(600));
    let snapshot = path.gcc.snapshot();
    assert_eq!((snapshot.delivered, snapshot.link_capacity), (None, None));
}

#[test]
fn a_probe_that_is_delivered_is_adopted() {
    let mut path = Path::new(GccConfig::default(), 100_000);
    path.until(50);
    let cluster = path.gcc.poll_probe(path.now).unwrap();
    assert_eq!((cluster.rate, cluster.packets), (Bitrate::from_kbps(900), 5));
    let size = DataSize::from_bytes(338);
    let results = [0, 1, 2, 3, 4].map(|index| {
        let sent = path.now + cluster.rate.time_for(size) * index;
        let packet = SentPacket { id: 1_000 + u64::from(index), sent, size, probe: Some(cluster.id) };
        path.gcc.on_sent(packet);
        PacketResult { packet, received: Some(sent + Duration::from_millis(20)), ecn: Ecn::NotEct }
    });
    path.gcc.on_feedback(path.now + Duration::from_millis(60), &results);
    assert!((895..=900).contains(&path.target()), "{}", path.target());
    assert_eq!(path.gcc.snapshot().reason, Reason::Probe);
    assert_eq!((path.gcc.stats().probes, path.gcc.stats().probes_adopted), (1, 1));
}

#[test]
fn marks_lower_the_rate_once_per_response_time() {
    let mut path = Path::new(no_probes(), 50_000);
    path.until(2_000);
    let before = path.gcc.aimd.rate();
    for _ in 0..3 {
        let marked = PacketResult { ecn: Ecn::Ce, ..path.send() };
        path.gcc.on_feedback(path.now + Duration::from_millis(40), &[marked]);
    }
    let rate = path.gcc.aimd.rate();
    assert!(rate < 0.9 * before && rate > 0.5 * before, "{rate} from {before}");
    assert_eq!((path.gcc.stats().backoffs, path.gcc.stats().congestion_marks), (1, 3));
    assert_eq!(path.gcc.snapshot().reason, Reason::Marks);
}

#[test]
fn a_jump_of_the_receivers_clock_is_counted_and_forgotten() {
    let mut path = Path::new(no_probes(), 2_000);
    path.until(3_000);
    let before = path.target();
    let results: Vec<_> = (0..10)
        .map(|_| {
            let result = path.send();
            PacketResult { received: result.received.map(|at| at + Duration::from_secs(3_600)), ..result }
        })
        .collect();
    path.gcc.on_feedback(path.now + Duration::from_millis(40), &results);
    assert_eq!(path.gcc.stats().clock_jumps, 1);
    assert!(path.target() >= before);
    assert_eq!(path.gcc.snapshot().queue_delay, Duration::ZERO);
}

#[test]
fn a_remote_limit_that_is_lifted_leaves_nothing_behind() {
    let mut path = Path::new(no_probes(), 2_000);
    path.until(5_000);
    path.gcc.on_path_event(path.now, PathEvent::RemoteLimit(Bitrate::from_kbps(200)));
    let limits = ApplicationLimits::new(Bitrate::from_kbps(50), Bitrate::from_kbps(5_000));
    path.gcc.set_application(path.now, limits);
    assert_eq!(path.target(), 200);
    path.until(10_000);
    assert_eq!(path.target(), 200);
    path.gcc.on_path_event(path.now, PathEvent::RemoteLimit(Bitrate::MAX));
    path.until(20_000);
    assert!(path.target() > 1_800, "{}", path.target());
}

#[test]
fn an_application_that_wants_more_is_probed_for() {
    let mut path = Path::new(GccConfig::default(), 20_000);
    let usual = ApplicationLimits::new(Bitrate::from_kbps(50), Bitrate::from_kbps(5_000));
    path.gcc.set_application(path.now, usual.with_desired(Bitrate::from_kbps(300)));
    path.until(1_000);
    while path.gcc.poll_probe(path.now).is_some() {}
    path.gcc.set_application(path.now, usual.with_desired(Bitrate::from_kbps(2_000)));
    let probe = path.gcc.poll_probe(path.now + Duration::from_secs(2)).expect("a probe");
    assert_eq!(probe.rate, Bitrate::from_kbps(2_000));
}

#[test]
fn what_lasts_does_not_dip_with_a_drain() {
    let mut path = Path::new(no_probes(), 2_000);
    path.until(20_000);
    let mut least = (u64::MAX, u64::MAX);
    for millis in (20_000..30_000).step_by(50) {
        path.until(millis);
        let estimate = path.gcc.estimate();
        least = (least.0.min(estimate.target.as_bps()), least.1.min(estimate.stable.as_bps()));
        assert!(estimate.stable <= Bitrate::from_kbps(2_100), "{}", estimate.stable);
    }
    assert!(least.0 < 1_860_000 && least.1 > 1_860_000, "{least:?}");
}

#[test]
fn the_window_holds_a_round_trip_and_a_queue_that_is_borne() {
    let mut path = Path::new(no_probes(), 2_000);
    path.until(20_000);
    let estimate = path.gcc.estimate();
    let window = estimate.window.expect("there is one");
    assert!(window >= estimate.target.size_in(Duration::from_millis(120)), "{window:?}");
    assert!(window <= estimate.target.size_in(Duration::from_millis(400)), "{window:?}");
}
