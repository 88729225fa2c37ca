use super::*;

const fn kbps(kbps: u64) -> Bitrate {
    Bitrate::from_kbps(kbps)
}

fn demand(min: u64, max: u64, priority: u8) -> Demand {
    Demand::new(kbps(min), kbps(max), priority)
}

fn allocator(demands: &[Demand]) -> Allocator {
    let mut allocator = Allocator::new(AllocatorConfig::default()).unwrap();
    for (id, demand) in (0..).zip(demands) {
        allocator.set(StreamId(id), *demand).unwrap();
    }
    allocator
}

/// The shares in kb/s in the order the streams were added.
fn shares(allocator: &mut Allocator, rate: u64) -> Vec<u64> {
    allocator.allocate(&Estimate::new(kbps(rate)));
    let count = u32::try_from(allocator.streams.len()).unwrap();
    (0..count).map(|id| allocator.share(StreamId(id)).unwrap().as_bps() / 1_000).collect()
}

#[test]
fn least_rates_come_first_then_the_highest_priority() {
    let mut allocator = allocator(&[demand(100, 500, 1), demand(50, 200, 2)]);
    assert_eq!(shares(&mut allocator, 300), [100, 200]);
    assert_eq!(shares(&mut allocator, 260), [100, 160]);
    assert_eq!(shares(&mut allocator, 5_000), [500, 200]);
}

#[test]
fn weights_divide_within_a_priority() {
    let mut allocator = allocator(&[demand(100, 1_000, 1).with_weight(3), demand(100, 1_000, 1)]);
    assert_eq!(shares(&mut allocator, 600), [400, 200]);
}

#[test]
fn a_stream_needs_something_to_spare_to_be_switched_on_and_stays_while_it_fits() {
    let mut allocator = allocator(&[demand(100, 100, 2), demand(100, 900, 1)]);
    assert_eq!(shares(&mut allocator, 220), [100, 0]);
    assert_eq!(shares(&mut allocator, 230), [100, 130]);
    assert_eq!(shares(&mut allocator, 200), [100, 100]);
    assert_eq!(shares(&mut allocator, 199), [100, 0]);
    let stats = allocator.stats();
    assert_eq!((stats.allocations, stats.switched_on, stats.switched_off), (4, 2, 1));
}

#[test]
fn only_what_lasts_switches_a_stream_on() {
    let mut allocator = allocator(&[demand(100, 100, 2), demand(100, 900, 1)]);
    let shaky = Estimate::new(kbps(400)).with_stable(kbps(150));
    allocator.allocate(&shaky);
    assert_eq!(allocator.share(StreamId(1)), Some(kbps(0)));
    allocator.allocate(&Estimate::new(kbps(400)));
    allocator.allocate(&shaky);
    assert_eq!(allocator.share(StreamId(1)), Some(kbps(300)), "what is on is not switched off for it");
}

#[test]
fn nobody_is_on_behind_one_who_is_off() {
    let mut allocator = allocator(&[demand(500, 900, 3), demand(20, 100, 2), demand(10, 50, 1).always()]);
    assert_eq!(shares(&mut allocator, 300), [0, 0, 50]);
    assert_eq!(shares(&mut allocator, 700), [670, 20, 10]);
}

#[test]
fn who_is_always_on_keeps_the_least_rate_whatever_there_is() {
    let mut allocator = allocator(&[demand(20, 60, 1).always(), demand(100, 900, 9)]);
    assert_eq!(shares(&mut allocator, 5), [20, 0]);
    assert_eq!(allocator.stats().insufficient, 1);
    assert_eq!(shares(&mut allocator, 200), [20, 180]);
}

#[test]
fn demands_change_and_streams_come_and_go() {
    let mut allocator = allocator(&[demand(100, 900, 1), demand(0, 50, 0)]);
    assert_eq!(shares(&mut allocator, 300), [300, 0]);
    allocator.set(StreamId(0), demand(100, 200, 1)).unwrap();
    assert_eq!(shares(&mut allocator, 300), [200, 50]);
    assert!(allocator.remove(StreamId(0)));
    assert!(!allocator.remove(StreamId(0)));
    allocator.allocate(&Estimate::new(kbps(300)));
    assert_eq!((allocator.share(StreamId(0)), allocator.share(StreamId(1))), (None, Some(kbps(50))));
}

#[test]
fn impossible_demands_are_refused() {
    let config = AllocatorConfig { streams: 1, ..AllocatorConfig::default() };
    let mut allocator = Allocator::new(config).unwrap();
    assert!(allocator.set(StreamId(0), demand(2, 1, 0)).is_err());
    assert!(allocator.set(StreamId(0), demand(1, 2, 0).with_weight(0)).is_err());
    allocator.set(StreamId(0), demand(1, 2, 0)).unwrap();
    assert!(allocator.set(StreamId(1), demand(1, 2, 0)).is_err());
    assert!(Allocator::new(AllocatorConfig { margin: f64::NAN, ..config }).is_err());
}
