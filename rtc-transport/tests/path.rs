//! What a path manager does, step by step.

#![expect(clippy::unwrap_used, reason = "a test ends at the first surprise")]

use core::net::SocketAddr;
use core::time::Duration;

use rtc_core::Ssrc;
use rtc_core::testkit::rng::Rng;
use rtc_core::time::Instant;
use rtc_transport::path::{
    Candidate, Copies, Handled, Health, PathChange, PathId, PathManager, PathManagerConfig, PathView, Why,
};

const PATH: PathId = PathId(0);

fn far(host: u8) -> SocketAddr {
    ([192, 0, 2, host], 5_004).into()
}

fn near() -> SocketAddr {
    ([198, 51, 100, 1], 5_004).into()
}

fn manager(key: u8, remote: SocketAddr) -> PathManager {
    let mut manager = PathManager::new(PathManagerConfig::default(), Ssrc(key.into()), [key; 16]).unwrap();
    manager.add(Instant::ZERO, Candidate { id: PATH, remote, bias: Duration::ZERO }).unwrap();
    manager
}

fn at(millis: u64) -> Instant {
    Instant::from_millis(millis)
}

fn view(manager: &PathManager, now: Instant) -> PathView {
    manager.views(now).next().unwrap()
}

/// Probes for so long over a path that takes 20 ms each way and loses these parts of what it carries.
fn probe(seconds: u64, loss: f64, reverse_loss: f64) -> PathView {
    let mut config = PathManagerConfig::default();
    config.standby_interval = config.active_interval;
    let mut asking = PathManager::new(config, Ssrc(1), [1; 16]).unwrap();
    asking.add(Instant::ZERO, Candidate { id: PATH, remote: far(1), bias: Duration::ZERO }).unwrap();
    let mut answering = manager(2, near());
    let mut rng = Rng::new(7);
    let (mut there, mut back) = (Vec::new(), Vec::new());
    for millis in 0..seconds * 1_000 {
        let now = at(millis);
        asking.handle_timeout(now);
        while let Some(probe) = asking.poll_transmit(now) {
            if !rng.bool(loss) {
                there.push((now + Duration::from_millis(20), probe.datagram));
            }
        }
        for (_, datagram) in there.extract_if(.., |(at, _)| *at <= now) {
            answering.handle(now, PATH, near(), &datagram);
        }
        while let Some(answer) = answering.poll_transmit(now) {
            if answer.datagram[0] == 0x81 && !rng.bool(reverse_loss) {
                back.push((now + Duration::from_millis(20), answer.datagram));
            }
        }
        for (_, datagram) in back.extract_if(.., |(at, _)| *at <= now) {
            asking.handle(now, PATH, far(1), &datagram);
        }
    }
    view(&asking, at(seconds * 1_000))
}

#[test]
fn round_trip_and_the_loss_of_each_direction_get_known() {
    let clean = probe(5, 0.0, 0.0);
    let quality = clean.quality.unwrap();
    assert_eq!((clean.health, quality.loss, quality.reverse_loss), (Health::Works, 0.0, 0.0));
    assert!(quality.round_trip.abs_diff(Duration::from_millis(40)) < Duration::from_millis(1));
    assert!(quality.jitter < Duration::from_millis(1));

    let there = probe(60, 0.3, 0.0).quality.unwrap();
    assert!((0.2..0.4).contains(&there.loss) && there.reverse_loss < 0.1, "{there:?}");
    let back = probe(60, 0.0, 0.3).quality.unwrap();
    assert!(back.loss < 0.1 && (0.2..0.4).contains(&back.reverse_loss), "{back:?}");
}

/// As RFC 9000 §9.3 asks of a new address: it proves that it is one before media go there.
#[test]
fn a_new_address_is_used_once_it_has_answered() {
    let mut manager = manager(1, far(1));
    while manager.poll_transmit(at(0)).is_some() {}
    let to = |manager: &PathManager| manager.routes(at(100), Copies::AsNeeded).first.unwrap().to;

    manager.on_received(at(10), PATH, far(9));
    let probe = manager.poll_transmit(at(10)).unwrap();
    assert_eq!((probe.to, to(&manager)), (far(9), far(1)));

    let mut answer = probe.datagram;
    answer[0] |= 1;
    let mut guess = answer;
    guess[15] ^= 1;
    for (from, datagram) in [(far(9), guess), (far(8), answer)] {
        assert_eq!(manager.handle(at(50), PATH, from, &datagram), Handled::Probe);
        assert_eq!(to(&manager), far(1), "not proven by {from}");
    }
    manager.handle(at(60), PATH, far(9), &answer);
    assert_eq!(to(&manager), far(9));
    let changes: Vec<_> = core::iter::from_fn(|| manager.poll_change()).collect();
    assert_eq!(changes[1], PathChange::Rebound { path: PATH, from: far(1), to: far(9) });
}

#[test]
fn an_address_that_never_answers_is_asked_three_times() {
    let mut manager = manager(1, far(1));
    let mut asked = 0;
    for millis in 0..3_000 {
        if millis < 500 {
            manager.on_received(at(millis), PATH, far(if millis % 2 == 0 { 8 } else { 9 }));
        }
        manager.handle_timeout(at(millis));
        while let Some(probe) = manager.poll_transmit(at(millis)) {
            asked += u32::from(probe.to != far(1));
        }
    }
    assert_eq!(asked, 3, "one address at a time");
    assert_eq!(manager.routes(at(3_000), Copies::Two).first.unwrap().to, far(1));
}

#[test]
fn a_flood_of_requests_is_answered_so_often_and_no_more() {
    let mut manager = manager(1, far(1));
    let request = *b"\x80\xcc\x00\x05\x00\x00\x00\x01PATHnonce---\x00\x00\x00\x00";
    let mut answers = 0;
    for number in 0..20_000 {
        let now = at(number / 10);
        manager.handle(now, PATH, far(7), &request);
        while let Some(sent) = manager.poll_transmit(now) {
            answers += u64::from(sent.datagram[0] == 0x81);
            assert_eq!(sent.datagram.len(), request.len(), "nothing is amplified");
        }
    }
    let stats = view(&manager, at(2_000)).stats;
    assert_eq!((stats.answers, stats.answers + stats.refused), (answers, 20_000));
    assert!((290..=300).contains(&answers), "a hundred at once, and a hundred a second: {answers}");
}

#[test]
fn removing_the_path_in_use_takes_the_next() {
    let mut manager = manager(1, far(1));
    let other = Candidate { id: PathId(1), remote: far(2), bias: Duration::ZERO };
    manager.add(at(0), other).unwrap();
    manager.remove(at(5), PATH);
    let first = manager.routes(at(5), Copies::Two).first.unwrap();
    assert_eq!((first.path, first.to), (other.id, other.remote));
    manager.remove(at(6), other.id);
    assert_eq!(manager.routes(at(6), Copies::Two).first, None);
    let why: Vec<_> = core::iter::from_fn(|| manager.poll_change()).collect();
    let switched = |from, to, why| PathChange::Switched { from, to, why };
    assert_eq!(why, [switched(None, PATH, Why::First), switched(Some(PATH), other.id, Why::Removed)]);
}

#[test]
fn settings_out_of_range_are_refused() {
    let refused = |edit: fn(&mut PathManagerConfig)| {
        let mut config = PathManagerConfig::default();
        edit(&mut config);
        PathManager::new(config, Ssrc(1), [0; 16]).err().map(|error| error.setting())
    };
    assert_eq!(refused(|_| ()), None);
    assert_eq!(refused(|config| config.active_interval = Duration::ZERO), Some("active_interval"));
    assert_eq!(refused(|config| config.standby_interval = Duration::from_millis(1)), Some("standby_interval"));
    assert_eq!(refused(|config| config.weights.jitter = f64::NAN), Some("weights"));
    assert_eq!(refused(|config| config.hold = Duration::MAX), Some("margin"));
    assert_eq!(refused(|config| config.max_paths = 0), Some("max_paths"));
    assert_eq!(refused(|config| config.max_answers = 0), Some("max_answers"));
}
