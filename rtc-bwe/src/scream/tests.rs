use std::collections::VecDeque;

use super::*;

const RTT: Duration = Duration::from_millis(50);

/// Packets of 1 kB at the target, over a path whose queue and fates are given, with feedback each 25 ms that is here 50 ms later.
struct Drive {
    scream: Scream,
    now: Instant,
    id: u64,
    credit: f64,
    ecn: Ecn,
    pending: VecDeque<Vec<PacketResult>>,
}

impl Drive {
    fn new(start_kbps: u64) -> Self {
        let start = Bitrate::from_kbps(start_kbps);
        let config = ScreamConfig { start, start_growth: 0.02, ..ScreamConfig::default() };
        let scream = Scream::new(config).unwrap();
        Self { scream, now: Instant::from_millis(1_000), id: 0, credit: 0.0, ecn: Ecn::Ect1, pending: VecDeque::new() }
    }

    /// Runs for so many feedback messages; what becomes of each packet is decided by its number.
    fn run(&mut self, rounds: u32, queue_ms: u64, fate: impl Fn(u64) -> Option<Ecn>) {
        for _ in 0..rounds {
            let mut results = Vec::new();
            for _ in 0..25 {
                self.now += Duration::from_millis(1);
                self.credit += self.scream.estimate().target.as_bps_f64() / 8e6;
                while self.credit >= 1.0 {
                    self.credit -= 1.0;
                    let packet =
                        SentPacket { id: self.id, sent: self.now, size: DataSize::from_bytes(1_000), probe: None };
                    self.id += 1;
                    self.scream.on_sent(packet);
                    let received = Some(self.now + Duration::from_millis(9_000 + queue_ms));
                    let (received, ecn) = match fate(packet.id) {
                        Some(Ecn::NotEct) => (received, self.ecn),
                        Some(ecn) => (received, ecn),
                        None => (None, Ecn::NotEct),
                    };
                    results.push(PacketResult { packet, received, ecn });
                }
            }
            self.pending.push_back(results);
            if self.pending.len() > 2 {
                self.scream.on_feedback(self.now, &self.pending.pop_front().unwrap());
            }
        }
    }

    fn kbps(&self) -> u64 {
        self.scream.estimate().target.as_bps() / 1_000
    }
}

const fn fine(_: u64) -> Option<Ecn> {
    Some(Ecn::NotEct)
}

#[test]
fn the_first_round_trip_opens_the_window_for_the_start_rate() {
    let mut drive = Drive::new(1_000);
    drive.run(3, 0, fine);
    let window = drive.scream.snapshot().window.as_bytes();
    assert!((6_000..9_000).contains(&window), "{window}");
}

#[test]
fn rfc8298bis_without_congestion_the_window_grows_by_more_than_a_packet_each_round_trip() {
    let mut drive = Drive::new(1_000);
    drive.run(2, 0, fine);
    let before = drive.scream.snapshot().window.as_bytes();
    drive.run(40, 0, fine);
    let after = drive.scream.snapshot().window.as_bytes();
    // One second: some 15 to 20 round trips as measured.
    assert!((10_000..30_000).contains(&(after - before)), "{before} {after}");
}

#[test]
fn before_the_first_congestion_the_window_grows_faster() {
    let window = |start_growth: f64| {
        let mut drive = Drive::new(1_000);
        drive.scream.config.start_growth = start_growth;
        drive.run(40, 0, fine);
        drive.scream.window.bytes()
    };
    assert!(window(0.1) > 1.5 * window(0.02));
}

#[test]
fn rfc8298bis_loss_lowers_the_window_by_beta_once_in_a_round_trip() {
    let mut drive = Drive::new(2_000);
    drive.run(20, 0, fine);
    let before = drive.scream.window.bytes();
    drive.run(2, 0, |_| None);
    drive.run(2, 0, fine);
    let after = drive.scream.window.bytes();
    assert!((0.65..0.85).contains(&(after / before)), "{before} {after}");
}

#[test]
fn rfc8298bis_marks_lower_the_window_in_proportion_to_their_share() {
    let after = |every: u64| {
        let mut drive = Drive::new(4_000);
        drive.run(20, 0, fine);
        let before = drive.scream.window.bytes();
        drive.run(16, 0, |id| Some(if id.is_multiple_of(every) { Ecn::Ce } else { Ecn::NotEct }));
        drive.scream.window.bytes() / before
    };
    let (few, many) = (after(20), after(2));
    assert!(many < 0.6 && few > 0.8, "{few} {many}");
}

#[test]
fn rfc8298bis_a_mark_of_classic_ecn_counts_in_full() {
    let mut drive = Drive::new(4_000);
    drive.ecn = Ecn::Ect0;
    drive.run(20, 0, fine);
    let before = drive.scream.window.bytes();
    let first = drive.id;
    drive.run(3, 0, |id| Some(if id == first { Ecn::Ce } else { Ecn::NotEct }));
    let after = drive.scream.window.bytes() / before;
    assert!((0.79..0.85).contains(&after), "{after}");
}

#[test]
fn rfc8298bis_a_queue_above_half_the_target_lowers_the_rate() {
    let mut drive = Drive::new(4_000);
    drive.run(20, 0, fine);
    drive.run(20, 25, fine);
    let allowed = drive.scream.window.bytes();
    drive.run(40, 80, fine);
    let after = drive.scream.window.bytes();
    assert!(after < 0.9 * allowed, "{allowed} {after}");
}

#[test]
fn the_window_of_the_estimate_holds_what_is_in_flight_at_the_target() {
    let mut drive = Drive::new(2_000);
    drive.run(40, 0, fine);
    let estimate = drive.scream.estimate();
    let needed = estimate.target.size_in(RTT + Duration::from_millis(25));
    assert!(estimate.window.is_some_and(|window| window > needed), "{estimate:?}");
    assert!(estimate.stable <= estimate.target && estimate.pacing > estimate.target);
}

#[test]
fn an_application_that_sends_less_does_not_open_the_window_further() {
    let mut drive = Drive::new(1_000);
    drive.run(20, 0, fine);
    let limits = ApplicationLimits::new(Bitrate::from_kbps(16), Bitrate::from_kbps(500));
    drive.scream.set_application(drive.now, limits);
    let before = drive.scream.window.bytes();
    drive.run(400, 0, fine);
    assert_eq!(drive.kbps(), 500);
    assert!(drive.scream.window.bytes() <= before);
}

#[test]
fn another_route_begins_at_its_own_rate() {
    let mut drive = Drive::new(1_000);
    drive.run(40, 0, fine);
    drive.scream.on_path_event(
        drive.now + Duration::from_micros(1),
        PathEvent::RouteChanged { start: Bitrate::from_kbps(400) },
    );
    assert_eq!(drive.kbps(), 400);
    drive.run(2, 0, fine);
    assert_eq!(drive.kbps(), 400, "what is reported of the old route says nothing");
    drive.run(2, 300, fine);
    assert!((300..500).contains(&drive.kbps()), "{}", drive.kbps());
    assert_eq!(drive.scream.snapshot().queue_delay, Duration::ZERO, "the delay of the new route is its base");
}

#[test]
fn silence_lowers_the_rate() {
    let mut drive = Drive::new(1_000);
    drive.run(40, 0, fine);
    let before = drive.kbps();
    drive.scream.on_sent(SentPacket { id: 1 << 40, sent: drive.now, size: DataSize::from_bytes(9), probe: None });
    drive.scream.handle_timeout(drive.now + Duration::from_millis(1_000));
    assert!(drive.kbps() < before * 3 / 4);
    assert_eq!(drive.scream.stats().feedback_timeouts, 1);
}

#[test]
fn a_path_that_swallowed_a_whole_window_is_tried_again() {
    let mut drive = Drive::new(1_000);
    drive.run(40, 0, fine);
    let in_flight = |drive: &Drive| drive.scream.snapshot().in_flight;
    let window = |drive: &Drive| drive.scream.estimate().window.unwrap();
    while in_flight(&drive) <= window(&drive) {
        let packet = SentPacket { id: drive.id, sent: drive.now, size: DataSize::from_bytes(1_000), probe: None };
        drive.id += 1;
        drive.scream.on_sent(packet);
    }
    drive.scream.handle_timeout(drive.now + Duration::from_millis(1_000));
    assert!(window(&drive) >= in_flight(&drive) + DataSize::from_bytes(3_000));
    // Feedback, even of nothing, is a path that works: what it settles is no longer in flight.
    drive.scream.on_feedback(drive.now, &[]);
    assert!(window(&drive) < in_flight(&drive));
}

#[test]
fn impossible_settings_are_refused() {
    let refuses = |change: fn(&mut ScreamConfig)| {
        let mut config = ScreamConfig::default();
        change(&mut config);
        Scream::new(config).is_err()
    };
    assert!(refuses(|config| config.packet = DataSize::ZERO));
    assert!(refuses(|config| config.max_queue_target = Duration::from_millis(1)));
    assert!(refuses(|config| config.beta_loss = f64::NAN));
    assert!(refuses(|config| config.start = Bitrate::from_kbps(1)));
}
