//! Packets through the network emulator: the cost of testing over a network at all.

use core::hint::black_box;
use core::time::Duration;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use rtc_core::bwe::Ecn;
use rtc_core::testkit::netem::{CoDelConfig, Jitter, Link, Loss, Netem, NetemConfig};
use rtc_core::time::Instant;
use rtc_core::{Bitrate, DataSize};

/// Packets in a run: ten seconds of 1.2 Mb/s.
const PACKETS: u64 = 1_250;

fn networks() -> [(&'static str, NetemConfig); 3] {
    let mut lossy = NetemConfig::default();
    lossy.loss = Loss::bursts(0.1, 4.0).expect("possible");
    lossy.delay = Duration::from_millis(50);
    lossy.jitter = Jitter::Exponential { mean: Duration::from_millis(10) };
    let mut reordering = lossy.clone();
    reordering.reordering = true;
    reordering.duplication = 0.01;
    let mut queue = NetemConfig::default();
    queue.link = Link::Rate(Bitrate::from_kbps(1_000));
    queue.codel = Some(CoDelConfig::default());
    [("loss and jitter", lossy), ("loss, reordering, duplicates", reordering), ("overloaded link with CoDel", queue)]
}

fn throughput(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("netem/send and poll, per packet");
    group.throughput(Throughput::Elements(PACKETS));
    for (name, config) in networks() {
        group.bench_function(name, |bencher| {
            let fresh = || Netem::new(config.clone(), 1).expect("possible");
            bencher.iter_batched_ref(fresh, run, BatchSize::LargeInput);
        });
    }
    group.finish();
}

fn run(netem: &mut Netem<u64>) -> u64 {
    let mut delivered = 0;
    for index in 0..PACKETS {
        let now = Instant::from_millis(8 * index);
        netem.send(now, DataSize::from_bytes(1_200), Ecn::Ect0, black_box(index));
        while netem.poll(now).is_some() {
            delivered += 1;
        }
    }
    delivered
}

criterion_group! {
    name = benches;
    config = Criterion::default().warm_up_time(Duration::from_millis(500)).measurement_time(Duration::from_secs(2));
    targets = throughput
}
criterion_main!(benches);
