//! The behaviour over many networks as one table to review.

use std::path::PathBuf;

use rtc_core::Bitrate;
use rtc_core::testkit::netem::{Jitter, Loss, NetemConfig, QueueLimit, Spikes};
use rtc_core::testkit::trace::DelayTrace;

use super::sim::{Scene, delayed, millis, ms, stalled};

/// Whether packets may overtake each other.
#[derive(Clone, Copy)]
enum Order {
    Kept,
    Lost,
}

fn jitter(jitter: Jitter, order: Order) -> NetemConfig {
    let mut network = NetemConfig::default();
    (network.jitter, network.reordering) = (jitter, matches!(order, Order::Lost));
    network
}

fn loss(loss: Loss) -> NetemConfig {
    let mut network = NetemConfig::default();
    network.loss = loss;
    network
}

fn spikes() -> NetemConfig {
    let mut network = jitter(Jitter::Uniform { max: ms(5) }, Order::Kept);
    network.spikes = Some(Spikes { every: ms(10_000), shortest: ms(300), longest: ms(1_000) });
    network
}

fn wifi() -> NetemConfig {
    let mut network = NetemConfig::wifi(Bitrate::from_kbps(2_000)).unwrap();
    (network.queue, network.delay) = (QueueLimit::Time(ms(3_000)), ms(0));
    network
}

fn lte() -> NetemConfig {
    let mut network = NetemConfig::lte_drive(1, Bitrate::from_kbps(800)).unwrap();
    network.delay = ms(0);
    network
}

fn scenes() -> Vec<(&'static str, Scene)> {
    let uniform = |max, order| Scene::new(jitter(Jitter::Uniform { max: ms(max) }, order));
    let exponential = |mean, order| Scene::new(jitter(Jitter::Exponential { mean: ms(mean) }, order));
    let mut dtx = uniform(40, Order::Lost);
    dtx.dtx = true;
    let mut fast = Scene::new(NetemConfig::default());
    (fast.ppm, fast.length) = (300.0, ms(120_000));
    let mut slow = Scene::new(NetemConfig::default());
    (slow.ppm, slow.length) = (-300.0, ms(120_000));
    let mut bursts = uniform(40, Order::Lost);
    bursts.burst = 4;
    let mut long = uniform(40, Order::Lost);
    long.ptime = ms(60);
    let mut short = uniform(40, Order::Lost);
    short.ptime = core::time::Duration::from_micros(2_500);
    vec![
        ("perfect", Scene::new(NetemConfig::default())),
        ("uniform 40", uniform(40, Order::Lost)),
        ("uniform 40, 60 ms packets", long),
        ("uniform 40, 2.5 ms packets", short),
        ("uniform 40, pulled by four", bursts),
        ("uniform 100", uniform(100, Order::Lost)),
        ("uniform 100, in order", uniform(100, Order::Kept)),
        ("uniform 1000", uniform(1_000, Order::Lost)),
        ("exponential 30", exponential(30, Order::Lost)),
        ("exponential 30, in order", exponential(30, Order::Kept)),
        ("loss 10 %", Scene::new(loss(Loss::Bernoulli(0.1)))),
        ("loss 30 %", Scene::new(loss(Loss::Bernoulli(0.3)))),
        ("loss 10 % in bursts", Scene::new(loss(Loss::bursts(0.1, 4.0).unwrap()))),
        ("stall 200, once", Scene::new(stalled(30_000, 200))),
        ("stall 1000, once", Scene::new(stalled(30_000, 1_000))),
        ("stalls 300-1000", Scene::new(spikes())),
        ("wifi", Scene::new(wifi())),
        ("lte", Scene::new(lte())),
        ("step to 100", Scene::new(delayed(|sent| if sent >= 30_000 { 100 } else { 0 }))),
        ("step from 100", Scene::new(delayed(|sent| if sent >= 30_000 { 0 } else { 100 }))),
        ("handover", Scene::new(delayed(|sent| if sent / 10_000 % 2 == 1 { 40 } else { 0 }))),
        ("pauses not sent", dtx),
        ("clock +300 ppm", fast),
        ("clock -300 ppm", slow),
    ]
}

const HEAD: &str = "network                     seed   mean    p95 target  concealed %  faster %  slower %  fixed";

fn row(name: &str, scene: &Scene) -> String {
    let heard = scene.run();
    let stats = heard.stats;
    let target = stats.mean_target_delay();
    format!(
        "{name:27} {:4} {:6.0} {:6.0} {:6.0} {:12.2} {:9.2} {:9.2} {:6.0}\n",
        scene.seed,
        heard.mean_delay(),
        heard.percentile_delay(95.0),
        millis(target),
        heard.concealed(),
        heard.percent(stats.removed_samples_for_acceleration),
        heard.percent(stats.inserted_samples_for_deceleration),
        heard.best_fixed_delay(heard.concealed()),
    )
}

/// Mouth-to-ear delays in milliseconds over a network without propagation delay; `fixed` is the least constant delay at which as
/// many packets would have been late or lost, chosen with hindsight.
#[test]
fn behaviour_table() {
    let mut table = format!("{HEAD}\n");
    for (name, mut scene) in scenes() {
        let random = scene.network.trace.is_none() && !matches!(name, "perfect" | "clock +300 ppm" | "clock -300 ppm");
        for seed in 1..=if random { 3 } else { 1 } {
            scene.seed = seed;
            table += &row(name, &scene);
        }
    }
    insta::assert_snapshot!(table);
}

/// The same over recorded networks, where the recordings are at hand.
#[test]
fn recorded_networks() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../shared/data/traces");
    let mut table = String::new();
    for name in ["att-lte-driving-2016-down", "tmobile-umts-driving-down", "verizon-evdo-driving-down"] {
        let Ok(text) = std::fs::read_to_string(folder.join(format!("{name}.delay-ms.txt"))) else {
            println!("skipped: no {name} in {}", folder.display());
            return;
        };
        let mut network = NetemConfig::default();
        network.trace = Some(DelayTrace::parse(&text).unwrap());
        let mut scene = Scene::new(network);
        scene.length = ms(120_000);
        table += &row(name, &scene);
    }
    insta::assert_snapshot!(format!("{HEAD}\n{table}"));
}
