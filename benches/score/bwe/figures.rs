//! What is measured of a run, and what nobody can do better than.

use core::time::Duration;

use rtc_core::testkit::metrics::{jain_fairness, median, percentile};
use rtc_core::time::Instant;

use super::metrics;
use super::path::{Packet, Run};
use super::receiver::INTERVAL;
use super::scenarios::{Figure, Scenario};
use super::sender::Kind;
use crate::report::Metric;

/// Names of the times to use a rise, in order.
const REACH: [&str; 3] = ["reach 90 %", "reach 90 %, second rise", "reach 90 %, third rise"];
/// A queue is short again when nothing waits longer, in milliseconds.
const SHORT_QUEUE: f64 = 50.0;
/// Seconds a flow has to begin before it is asked whether it holds its own.
const BEGINNING: u64 = 10;

/// What makes sense in a scenario.
pub(super) fn of(scenario: &Scenario) -> Vec<Figure> {
    let forward = scenario.media.iter().filter(|media| !media.is_backward).count();
    let mut figures = vec![Figure::Utilization, Figure::QueueP50, Figure::QueueP95, Figure::QueueP99, Figure::Loss];
    figures.push(Figure::Padding);
    figures.extend((0..scenario.rises.len()).map(Figure::Reach));
    let has_tcp = !scenario.tcp.is_empty();
    let is_bursty = scenario.tcp_until.is_some();
    let optional = [
        (Figure::Overshoot, scenario.fall.is_some()),
        (Figure::Settle, scenario.fall.is_some()),
        (Figure::Fairness, forward > 1),
        (Figure::Return, scenario.media.iter().any(|media| media.pause.is_some())),
        (Figure::Share, has_tcp),
        (Figure::Least, has_tcp),
        (Figure::Held, is_bursty),
        (Figure::Recovery, is_bursty),
        (Figure::TcpRate, has_tcp),
        (Figure::TcpVariation, has_tcp),
        (Figure::TcpLoss, has_tcp),
        (Figure::TransferP50, is_bursty),
        (Figure::TransferP95, is_bursty),
    ];
    figures.extend(optional.iter().filter(|(_, applies)| *applies).map(|(figure, _)| *figure));
    figures
}

/// What no estimator can do better than: all of the path, and a rise known when the first feedback after it is there.
pub(super) fn bounds(scenario: &Scenario) -> Vec<(Figure, f64)> {
    let fastest = scenario.media.iter().map(|media| media.one_way_ms + media.back_ms).min().unwrap_or(0);
    let known = fastest as f64 / 1e3 + INTERVAL.as_secs_f64();
    let bound = |figure: Figure| match figure {
        Figure::Utilization => Some(100.0),
        Figure::QueueP95 => Some(0.0),
        Figure::Reach(_) => Some(known),
        Figure::Fairness => Some(1.0),
        _ => None,
    };
    of(scenario).into_iter().filter_map(|figure| Some((figure, bound(figure)?))).collect()
}

/// The figure of a run; not a number for never.
pub(super) fn value(figure: Figure, scenario: &Scenario, run: &Run) -> f64 {
    let media =
        |packets: &[Packet]| packets.iter().filter(|packet| packet.is_media()).map(|packet| packet.bytes).sum::<u64>();
    let all = |packets: &[Packet]| packets.iter().map(|packet| packet.bytes).sum::<u64>();
    match figure {
        Figure::Utilization => metrics::utilization(media(&run.delivered), capacity_bytes(scenario)),
        Figure::QueueP50 => queue_percentiles(run)[0],
        Figure::QueueP95 => queue_percentiles(run)[1],
        Figure::QueueP99 => queue_percentiles(run)[2],
        Figure::Loss => 100.0 * run.lost as f64 / run.sent.len().max(1) as f64,
        Figure::Padding => 100.0 * (1.0 - media(&run.sent) as f64 / all(&run.sent).max(1) as f64),
        Figure::Fairness => fairness(scenario, run),
        Figure::Reach(rise) => reach(scenario, run, rise).unwrap_or(f64::NAN),
        Figure::Overshoot => overshoot(scenario, run),
        Figure::Settle => settle(scenario, run).unwrap_or(f64::NAN),
        Figure::Share => share(scenario, run),
        Figure::Least => least(scenario, run),
        Figure::Held => held(scenario, run),
        Figure::Recovery => recovery(scenario, run).unwrap_or(f64::NAN),
        Figure::Return => time_to_return(scenario, run).unwrap_or(f64::NAN),
        Figure::TcpRate => mean(&tcp_rates(scenario, run)) / 1e3,
        Figure::TcpVariation => {
            let rates = tcp_rates(scenario, run);
            let squares: Vec<f64> = rates.iter().map(|rate| (rate - mean(&rates)).powi(2)).collect();
            100.0 * mean(&squares).sqrt() / mean(&rates)
        }
        Figure::TcpLoss => 100.0 * run.tcp_lost as f64 / run.tcp_sent.max(1) as f64,
        Figure::TransferP50 => transfer_percentile(run, 50.0),
        Figure::TransferP95 => transfer_percentile(run, 95.0),
    }
}

impl Packet {
    /// Padding is no use to anybody.
    fn is_media(&self) -> bool {
        self.kind != Kind::Padding
    }
}

/// Of media in b/s in each bin, of one flow or all.
pub(super) fn delivered_rates(scenario: &Scenario, run: &Run, flow: Option<usize>) -> Vec<f64> {
    let is_meant = |packet: &&Packet| packet.is_media() && flow.is_none_or(|flow| packet.flow == flow);
    let media = run.delivered.iter().filter(is_meant);
    let bits = media.map(|packet| (packet.at.as_secs_f64(), packet.bytes as f64 * 8.0));
    metrics::binned(bits, scenario.seconds as f64)
}

/// In milliseconds in each bin; `None` where nothing came.
pub(super) fn longest_waits(scenario: &Scenario, run: &Run) -> Vec<Option<f64>> {
    let mut longest = vec![None; delivered_rates(scenario, run, None).len()];
    for packet in &run.delivered {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "seconds of a run, in tenths")]
        let bin = (packet.at.as_secs_f64() / metrics::BIN) as usize;
        if let Some(longest) = longest.get_mut(bin) {
            let wait = packet.queued.as_secs_f64() * 1e3;
            *longest = Some(longest.map_or(wait, |longest: f64| longest.max(wait)));
        }
    }
    longest
}

fn queue_percentiles(run: &Run) -> [f64; 3] {
    metrics::queue_percentiles(run.delivered.iter().map(|packet| packet.queued.as_secs_f64() * 1e3).collect())
}

/// What the path carries from when the first flow begins.
fn capacity_bytes(scenario: &Scenario) -> u64 {
    let step = 0.1;
    let bits = |bin: u64| scenario.capacity(bin as f64 * step) * step;
    let bits: f64 =
        (scenario.seconds * 10).checked_sub(1).map_or(0.0, |last| (scenario.first_start() * 10..=last).map(bits).sum());
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "bytes of a run")]
    let bytes = (bits / 8.0) as u64;
    bytes
}

/// Of media delivered in the last third, when all flows are on.
fn fairness(scenario: &Scenario, run: &Run) -> f64 {
    let from = scenario.seconds as f64 * 2.0 / 3.0;
    let mut shares = vec![0.0; scenario.media.len()];
    for packet in run.delivered.iter().filter(|packet| packet.at.as_secs_f64() >= from && packet.is_media()) {
        shares[packet.flow] += packet.bytes as f64;
    }
    let forward: Vec<f64> =
        shares.iter().zip(scenario.media).filter(|(_, media)| !media.is_backward).map(|(share, _)| *share).collect();
    jain_fairness(&forward)
}

/// Until the capacity after a rise is used, which must be before it changes again.
fn reach(scenario: &Scenario, run: &Run, rise: usize) -> Option<f64> {
    let rise = *scenario.rises.get(rise)?;
    let next = scenario.forward.iter().map(|(second, _)| *second).find(|second| *second > rise);
    let rates = delivered_rates(scenario, run, None);
    let until = bin(next.unwrap_or(scenario.seconds));
    metrics::time_to_reach(rates.get(..until)?, bin(rise), scenario.capacity(rise as f64))
}

/// Until a flow that was silent has its share again.
fn time_to_return(scenario: &Scenario, run: &Run) -> Option<f64> {
    let (flow, resume) = scenario.media.iter().enumerate().find_map(|(flow, media)| Some((flow, media.pause?.1)))?;
    let share = scenario.capacity(resume as f64) / scenario.media.len() as f64;
    let rates = delivered_rates(scenario, run, Some(flow));
    metrics::time_to_reach(&rates, bin(resume), share)
}

/// From when on there is media, and up to when TCP beside it.
fn contest(scenario: &Scenario) -> core::ops::Range<u64> {
    scenario.first_start()..scenario.tcp_until.unwrap_or(scenario.seconds)
}

/// Of what media and TCP together got.
fn share(scenario: &Scenario, run: &Run) -> f64 {
    let contest = contest(scenario);
    let is_meant = |at: &Instant| contest.contains(&(at.as_millis() / 1_000));
    let media: u64 = run.delivered.iter().filter(|packet| is_meant(&packet.at)).map(|packet| packet.bytes).sum();
    let tcp: u64 = run.tcp_delivered.iter().filter(|(at, _)| is_meant(at)).map(|(_, bytes)| bytes).sum();
    100.0 * media as f64 / (media + tcp).max(1) as f64
}

/// The least rate in kb/s that the video of any flow arrived at in any second, from the flow's start to the end.
fn least(scenario: &Scenario, run: &Run) -> f64 {
    let flows = scenario.media.iter().enumerate().filter(|(_, media)| !media.is_backward);
    let worst = flows.map(|(flow, media)| {
        let video = run.delivered.iter().filter(|packet| packet.flow == flow && packet.kind == Kind::Video);
        let bits = video.map(|packet| (packet.at.as_secs_f64(), packet.bytes as f64 * 8.0));
        metrics::least(&metrics::binned(bits, scenario.seconds as f64), bin(media.start))
    });
    worst.fold(f64::INFINITY, f64::min) / 1e3
}

/// Of seconds beside TCP after the beginning, those in which media had at least half of the path.
fn held(scenario: &Scenario, run: &Run) -> f64 {
    let contest = contest(scenario);
    let rates = delivered_rates(scenario, run, None);
    let rates = &rates[bin(contest.start + BEGINNING)..bin(contest.end)];
    let half = scenario.capacity(contest.start as f64) / 2.0;
    let seconds: Vec<f64> = rates.chunks_exact(10).map(mean).collect();
    100.0 * seconds.iter().filter(|rate| **rate >= half).count() as f64 / seconds.len().max(1) as f64
}

/// From the last of TCP until media has nine tenths of the path again.
fn recovery(scenario: &Scenario, run: &Run) -> Option<f64> {
    let ended = run.tcp_delivered.last()?.0.as_secs_f64();
    let rates = delivered_rates(scenario, run, None);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "seconds of a run, in tenths")]
    let from = (ended / metrics::BIN).ceil() as usize;
    metrics::time_to_reach(&rates, from, scenario.capacity(ended))
}

/// Of TCP in b/s in each second beside media.
fn tcp_rates(scenario: &Scenario, run: &Run) -> Vec<f64> {
    let contest = contest(scenario);
    let bits = run.tcp_delivered.iter().map(|(at, bytes)| (at.as_secs_f64(), *bytes as f64 * 8.0));
    let rates = metrics::binned(bits, scenario.seconds as f64);
    rates[bin(contest.start)..bin(contest.end)].chunks_exact(10).map(mean).collect()
}

/// In seconds.
fn transfer_percentile(run: &Run, percent: f64) -> f64 {
    let mut transfers: Vec<f64> = run.transfers.iter().map(Duration::as_secs_f64).collect();
    percentile(&mut transfers, percent)
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len().max(1) as f64
}

/// Where a second begins in rates over time.
fn bin(second: u64) -> usize {
    usize::try_from(10 * second).unwrap_or(usize::MAX)
}

/// Within ten seconds after the fall.
fn overshoot(scenario: &Scenario, run: &Run) -> f64 {
    let Some(fall) = scenario.fall else { return f64::NAN };
    let since = |packet: &Packet| packet.at.as_secs_f64() - fall as f64;
    let after = run.sent.iter().filter(|packet| (0.0..10.0).contains(&since(packet)));
    let sent: Vec<(f64, f64)> = after.map(|packet| (since(packet), packet.bytes as f64 * 8.0)).collect();
    metrics::overshoot(&sent, scenario.capacity(fall as f64))
}

fn settle(scenario: &Scenario, run: &Run) -> Option<f64> {
    let fall = scenario.fall? as f64;
    let after = run.delivered.iter().filter(|packet| packet.at.as_secs_f64() >= fall);
    let waits: Vec<(f64, f64)> =
        after.map(|packet| (packet.at.as_secs_f64() - fall, packet.queued.as_secs_f64() * 1e3)).collect();
    metrics::time_to_settle(&waits, SHORT_QUEUE)
}

impl Figure {
    /// Of the seeds: the median, and the worst where something must never happen. Not a number for never: worse than any.
    pub(super) fn over_seeds(self, mut values: Vec<f64>) -> f64 {
        let or_never = |value: f64| if value.is_nan() { f64::INFINITY } else { value };
        values.iter_mut().for_each(|value| *value = or_never(*value));
        match self {
            Self::Least => values.into_iter().fold(f64::INFINITY, f64::min),
            Self::Recovery => values.into_iter().fold(0.0, f64::max),
            _ => median(&mut values),
        }
    }

    pub(super) fn metric(self) -> Metric {
        match self {
            Self::Utilization => Metric("utilization", "%"),
            Self::QueueP50 => Metric("queue p50", "ms"),
            Self::QueueP95 => Metric("queue p95", "ms"),
            Self::QueueP99 => Metric("queue p99", "ms"),
            Self::Loss => Metric("loss", "%"),
            Self::Padding => Metric("padding", "% of sent"),
            Self::Fairness => Metric("Jain", "last third"),
            Self::Reach(rise) => Metric(REACH[rise.min(REACH.len() - 1)], "s"),
            Self::Overshoot => Metric("overshoot", "ms of capacity"),
            Self::Settle => Metric("queue below 50 ms", "s after fall"),
            Self::Share => Metric("share", "% beside TCP"),
            Self::Least => Metric("least of a flow", "kb/s in any second, worst seed"),
            Self::Recovery => Metric("90 % of the link again", "s after TCP, worst seed"),
            Self::TcpRate => Metric("TCP", "kb/s"),
            Self::TcpVariation => Metric("TCP varies", "% of it, by seconds"),
            Self::TcpLoss => Metric("TCP loss", "%"),
            Self::TransferP50 => Metric("TCP transfer p50", "s"),
            Self::TransferP95 => Metric("TCP transfer p95", "s"),
            Self::Held => Metric("half of the link", "% of seconds"),
            Self::Return => Metric("back to share", "s"),
        }
    }
}
