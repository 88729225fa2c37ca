use core::time::Duration;

use rtc_core::Bitrate;
use rtc_core::bwe::Ecn;
use rtc_core::testkit::metrics::percentile;
use rtc_core::testkit::netem::{CoDelConfig, DualPi2Config, Link, Netem, NetemConfig, QueueLimit};
use rtc_core::testkit::tcp::CongestionControl;

use crate::tcp::{Flow, flows, tcp};
use crate::{MS, PACKET, config, drain, run};

const LENGTH: Duration = Duration::from_secs(60);

/// 10 ms there and as much back: a path on which 15 ms of queue do not matter much, so windows show as rates.
fn path(mbps: u64) -> NetemConfig {
    config(|c| {
        c.link = Link::Rate(Bitrate::from_kbps(1_000 * mbps));
        c.delay = 10 * MS;
        c.queue = QueueLimit::Time(250 * MS);
        c.dualpi2 = Some(DualPi2Config::default());
    })
}

fn shared(mbps: u64, controls: &[CongestionControl]) -> Vec<Flow> {
    let senders: Vec<_> = controls.iter().map(|control| tcp(*control)).collect();
    flows(path(mbps), &senders, Duration::from_secs(20), LENGTH)
}

fn mean_wait(flow: &Flow) -> f64 {
    crate::mean(&flow.waits)
}

/// RFC 9332 §2.1: windows are about the same, so rates are as the inverse of round trips, 20 ms with about 1 or 15 ms of queue;
/// and the L queue waits for about the step, the classic one for about the target.
#[test]
fn rfc9332_s2_1_a_scalable_and_a_classic_flow_have_the_same_window() {
    for classic in [CongestionControl::Cubic, CongestionControl::Reno] {
        let shares = shared(40, &[CongestionControl::Scalable, classic]);
        let [scalable, classic] = [0, 1].map(|index| crate::mean(&shares[index].windows));
        let ratio = scalable / classic;
        assert!((0.6..1.7).contains(&ratio), "windows {scalable} and {classic}");
        let rates: Vec<f64> = shares.iter().map(|flow| flow.rate(LENGTH)).collect();
        assert!(rates.iter().sum::<f64>() > 0.95 * 40e6, "{rates:?}");
        assert!((0.2..=0.8).contains(&(rates[0] / 40e6)), "{rates:?}");
        let mut waits = shares[0].waits.clone();
        assert!(mean_wait(&shares[0]) < 1.5 && percentile(&mut waits, 99.0) < 5.0, "{}", mean_wait(&shares[0]));
        assert!((10.0..20.0).contains(&mean_wait(&shares[1])), "{}", mean_wait(&shares[1]));
        assert_eq!(shares[0].stats.lost, 0);
    }
}

/// Alone, a scalable flow uses the link with about the step of queue, and a classic one is held at the target.
#[test]
fn alone_each_queue_is_held_at_its_own_delay() {
    let scalable = &shared(10, &[CongestionControl::Scalable])[0];
    assert!(scalable.rate(LENGTH) > 0.95 * 10e6, "{}", scalable.rate(LENGTH));
    let mut waits = scalable.waits.clone();
    assert!((0.5..2.0).contains(&mean_wait(scalable)) && percentile(&mut waits, 99.0) < 6.0, "{}", mean_wait(scalable));
    assert_eq!(scalable.stats.lost, 0);

    let classic = &shared(10, &[CongestionControl::Reno])[0];
    assert!(classic.rate(LENGTH) > 0.9 * 10e6, "{}", classic.rate(LENGTH));
    assert!((8.0..20.0).contains(&mean_wait(classic)), "{}", mean_wait(classic));
}

/// Classic packets that can be marked are, and lose nothing.
#[test]
fn ect0_is_marked_in_the_classic_queue() {
    let mut capable = tcp(CongestionControl::Cubic);
    capable.ecn = true;
    // After slow start, whose overshoot overflows the queue.
    let flow = &flows(path(10), &[capable], Duration::from_secs(20), LENGTH)[0];
    assert!(flow.stats.reductions > 10, "{:?}", flow.stats);
    assert!(mean_wait(flow) > 8.0);
    let plain = &flows(path(10), &[tcp(CongestionControl::Cubic)], Duration::from_secs(20), LENGTH)[0];
    assert!(flow.stats.lost < plain.stats.lost / 2, "{} {}", flow.stats.lost, plain.stats.lost);
}

/// RFC 9332 §2.3: ECT(1) and CE do not wait behind what is in the classic queue, though it has a share that is its own.
#[test]
fn rfc9332_s2_3_ect1_and_ce_overtake_the_classic_queue() {
    let mut netem = Netem::new(path(10), 1).unwrap();
    let now = rtc_core::time::Instant::ZERO;
    for number in 0..100 {
        let ecn = [Ecn::NotEct, Ecn::Ect0, Ecn::Ect1, Ecn::Ce][usize::try_from(number % 4).unwrap()];
        netem.send(now, PACKET, ecn, number);
    }
    let order: Vec<u64> = drain(&mut netem).iter().map(|packet| packet.item).collect();
    let low: Vec<usize> = (0..order.len()).filter(|place| order[*place] % 4 >= 2).collect();
    // 50 of them, and a tenth of what leaves until the last of them is classic; the first went out before any other came.
    assert_eq!((low.len(), low[49]), (50, 49 + 1 + 50 / 10), "{order:?}");
    assert!(order.windows(2).all(|pair| (pair[0] % 4 >= 2) != (pair[1] % 4 >= 2) || pair[0] < pair[1]));
}

/// At overload by what does not react, drops do in both queues what marks cannot, and the delay stays bounded.
#[test]
fn overload_is_dropped_from_both_queues() {
    for ecn in [Ecn::NotEct, Ecn::Ect0, Ecn::Ect1] {
        // 10 Mb/s carry 1 packet in 1 ms; two come.
        let mut netem = Netem::new(path(10), 1).unwrap();
        let arrived = run(&mut netem, 20_000, MS / 2, ecn);
        let stats = netem.stats();
        assert!(stats.lost_aqm > 8_000, "{ecn:?} {stats:?}");
        let late: Vec<f64> = arrived[5_000..].iter().map(|packet| packet.queued.as_secs_f64()).collect();
        assert!(crate::mean(&late) < 0.05, "{ecn:?} {}", crate::mean(&late));
    }
}

#[test]
fn impossible_queues_are_refused() {
    let refuse = |change: fn(&mut DualPi2Config)| {
        let mut dualpi2 = DualPi2Config::default();
        change(&mut dualpi2);
        Netem::<()>::new(config(|c| c.dualpi2 = Some(dualpi2)), 0).unwrap_err().setting()
    };
    assert_eq!(refuse(|c| c.target = Duration::ZERO), "target");
    assert_eq!(refuse(|c| c.update = Duration::ZERO), "update");
    assert_eq!(refuse(|c| c.alpha = f64::NAN), "alpha");
    assert_eq!(refuse(|c| c.beta = -1.0), "beta");
    assert_eq!(refuse(|c| c.coupling = f64::INFINITY), "coupling");
    assert_eq!(refuse(|c| c.classic_share = 101), "classic_share");
    let mut both = path(1);
    both.codel = Some(CoDelConfig::default());
    assert!(Netem::<()>::new(both, 0).is_err());
}
