//! TCP senders over a network: what is known of them from theory.

use core::time::Duration;

use rtc_core::testkit::metrics::jain_fairness;
use rtc_core::testkit::netem::{Jitter, Link, Loss, Netem, NetemConfig, QueueLimit};
use rtc_core::testkit::tcp::{CongestionControl, TcpConfig, TcpSender, TcpStats};
use rtc_core::testkit::trace::DelayTrace;
use rtc_core::time::{Instant, earliest};
use rtc_core::{Bitrate, DataSize};

use crate::{MS, config};

/// What one flow did after the time to settle.
#[derive(Debug, Default)]
pub(crate) struct Flow {
    /// Segments that arrived.
    pub(crate) delivered: u64,
    /// How long each waited for the link, in milliseconds.
    pub(crate) waits: Vec<f64>,
    /// The window at each round of 100 ms.
    pub(crate) windows: Vec<f64>,
    pub(crate) stats: TcpStats,
}

impl Flow {
    pub(crate) fn rate(&self, over: Duration) -> f64 {
        self.delivered as f64 * 1_500.0 * 8.0 / over.as_secs_f64()
    }
}

/// Endless flows over a shared path, whose way back takes as long as its way there; flow `i` begins after `i` seconds.
pub(crate) fn flows(path: NetemConfig, senders: &[TcpConfig], settle: Duration, length: Duration) -> Vec<Flow> {
    let back = config(|c| c.delay = path.delay);
    let mut there: Netem<(usize, u64)> = Netem::new(path, 1).unwrap();
    let mut back: Netem<(usize, u64)> = Netem::new(back, 1).unwrap();
    let mut senders: Vec<TcpSender> = senders.iter().map(|config| TcpSender::new(*config).unwrap()).collect();
    let mut flows: Vec<Flow> = senders.iter().map(|_| Flow::default()).collect();
    let starts: Vec<Instant> = (0..).map(|index| Instant::from_millis(1_000 * index)).take(senders.len()).collect();
    let (from, end) = (Instant::ZERO + settle, Instant::ZERO + settle + length);
    let (mut now, mut sample) = (Instant::ZERO, from);
    while now < end {
        while let Some(packet) = there.poll(now) {
            let (flow, _) = packet.item;
            if now >= from {
                flows[flow].delivered += 1;
                flows[flow].waits.push(packet.queued.as_secs_f64() * 1e3);
            }
            back.send(now, DataSize::from_bytes(12), packet.ecn, packet.item);
        }
        while let Some(packet) = back.poll(now) {
            senders[packet.item.0].on_ack(now, packet.item.1, packet.ecn);
        }
        for (index, tcp) in senders.iter_mut().enumerate().filter(|(index, _)| starts[*index] <= now) {
            if starts[index] == now {
                tcp.write(DataSize::from_bytes(u64::MAX));
            }
            tcp.handle_timeout(now);
            while let Some(segment) = tcp.poll_transmit(now) {
                // The overhead of the emulator is part of the segment.
                there.send(now, DataSize::from_bytes(tcp.segment().as_bytes() - 28), tcp.ecn(), (index, segment));
            }
        }
        if now >= sample {
            senders.iter().zip(&mut flows).for_each(|(tcp, flow)| flow.windows.push(tcp.window()));
            sample += 100 * MS;
        }
        let timers = senders.iter().map(TcpSender::poll_timeout);
        let beginnings = starts.iter().map(|start| (*start > now).then_some(*start));
        let next = earliest(timers.chain(beginnings).chain([there.poll_timeout(), back.poll_timeout(), Some(end)]));
        now = next.unwrap_or(end).max(now + Duration::from_nanos(1));
    }
    for (tcp, flow) in senders.iter().zip(&mut flows) {
        flow.stats = tcp.stats();
        assert_eq!(flow.stats.sent, flow.stats.acknowledged + flow.stats.lost + flow.stats.outstanding);
    }
    flows
}

pub(crate) fn tcp(control: CongestionControl) -> TcpConfig {
    let mut config = TcpConfig::default();
    config.control = control;
    config
}

/// A bottleneck of `mbps` with a queue of `queue_ms`, 50 ms there and as much back.
fn bottleneck(mbps: u64, queue_ms: u32) -> NetemConfig {
    config(|c| {
        c.link = Link::Rate(Bitrate::from_kbps(1_000 * mbps));
        c.delay = 50 * MS;
        c.queue = QueueLimit::Time(queue_ms * MS);
    })
}

/// A path without limit that loses every `period`-th packet.
fn lossy(period: usize) -> NetemConfig {
    let fates = (0..period).map(|index| (index + 1 < period).then_some(Duration::ZERO));
    let trace = DelayTrace::new(fates.collect::<Vec<_>>()).unwrap();
    config(|c| {
        c.trace = Some(trace);
        c.delay = 50 * MS;
    })
}

/// The mean window over ten or so losses, in segments: what arrives in a round trip.
fn mean_window(control: CongestionControl, period: usize, length: Duration) -> f64 {
    let flow = &flows(lossy(period), &[tcp(control)], 30_000 * MS, length)[0];
    flow.delivered as f64 / length.as_secs_f64() * 0.1
}

/// Mathis et al. 1997: each loss is followed by growth from W/2 to W, so W²·3/8 segments are sent per loss and the mean window
/// is √(3 / 2p), where windows are so large that whole segments and the round trip of recovery do not show.
#[test]
fn reno_obeys_the_law_of_the_square_root() {
    for period in [400, 2_500, 10_000] {
        let expected = (1.5 * period as f64).sqrt();
        let window = mean_window(CongestionControl::Reno, period, 300_000 * MS);
        assert!((window / expected - 1.0).abs() < 0.08, "1/{period}: {window}, not {expected}");
    }
}

/// RFC 9438 §5.1, eq. 5: with losses evenly spaced the mean window is (C (3 + β) / (4 (1 − β)))^¼ · (RTT / p)^¾, where that is
/// more than Reno's, and §4.3: as large as Reno's where it is not.
#[test]
fn rfc9438_s5_1_cubic_obeys_its_law() {
    let expected = (0.4_f64 * 3.7 / 1.2).powf(0.25) * (0.1 * 20_000.0_f64).powf(0.75);
    let window = mean_window(CongestionControl::Cubic, 20_000, 400_000 * MS);
    assert!((window / expected - 1.0).abs() < 0.08, "{window}, not {expected}");

    let reno = (1.5 * 400.0_f64).sqrt();
    let window = mean_window(CongestionControl::Cubic, 400, 300_000 * MS);
    assert!((window / reno - 1.0).abs() < 0.15, "{window}, not {reno}");
}

/// A saw between all that path and queue hold, which is 5 Mb/s for 100 + 100 ms or 83 segments, and half of it: the link is
/// always busy.
#[test]
fn reno_saws_between_a_full_queue_and_half_of_it() {
    let path = bottleneck(5, 100);
    let flow = &flows(path, &[tcp(CongestionControl::Reno)], 30_000 * MS, 120_000 * MS)[0];
    let (low, high) = flow.windows.iter().fold((f64::MAX, 0.0_f64), |(low, high), w| (low.min(*w), high.max(*w)));
    assert!((83.0..88.0).contains(&high), "{high}");
    assert!((low / high - 0.5).abs() < 0.03, "{low} of {high}");
    assert!(flow.rate(120_000 * MS) > 0.99 * 5e6, "{}", flow.rate(120_000 * MS));
    // From 42 to 84 at one each round trip of 100 to 200 ms takes about 6 s.
    let teeth = flow.windows.windows(2).filter(|pair| pair[1] < 0.7 * pair[0]).count();
    assert!((16..=24).contains(&teeth), "{teeth}");
    assert_eq!(flow.stats.timeouts, 0);
}

/// Two of a kind get the same, with 2 ms of jitter that keeps their drops from falling into step.
#[test]
fn equal_flows_share_equally() {
    for control in [CongestionControl::Reno, CongestionControl::Cubic] {
        let mut path = bottleneck(10, 100);
        path.jitter = Jitter::Uniform { max: 2 * MS };
        let shares = flows(path, &[tcp(control); 2], 60_000 * MS, 240_000 * MS);
        let rates: Vec<f64> = shares.iter().map(|flow| flow.rate(240_000 * MS)).collect();
        assert!(jain_fairness(&rates) > 0.97, "{control:?}: {rates:?}");
        assert!(rates.iter().sum::<f64>() > 0.98 * 10e6, "{control:?}: {rates:?}");
    }
}

#[test]
fn the_same_seed_gives_the_same_flow() {
    let run = || {
        let mut path = bottleneck(5, 100);
        path.loss = Loss::Bernoulli(0.01);
        let flow = flows(path, &[tcp(CongestionControl::Cubic)], Duration::ZERO, 20_000 * MS).remove(0);
        (flow.stats, flow.windows)
    };
    assert_eq!(run(), run());
}
