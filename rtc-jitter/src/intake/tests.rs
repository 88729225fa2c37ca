use rtc_core::{PayloadType, RtpTime, SeqNum, Ssrc};

use super::*;
use crate::delay::{FixedDelay, LeastCost};

const MS: Nanos = 1_000_000;

fn intake(change: impl Fn(&mut JitterConfig)) -> Intake {
    let mut config = JitterConfig::default();
    change(&mut config);
    Intake::new(&config, Box::new(LeastCost::new(config.delay).unwrap())).unwrap()
}

/// Packet `n` of 20 ms of a stream whose numbers wrap soon.
fn packet(n: u16, ssrc: u32) -> RtpPacket {
    let time = RtpTime(u32::MAX - 5_000) + 960 * u32::from(n);
    RtpPacket::builder(PayloadType::new(96), SeqNum(65_530) + n, time, Ssrc(ssrc)).build(&[0; 10]).unwrap()
}

fn at(millis: u64) -> Instant {
    Instant::from_millis(10_000 + millis)
}

fn insert(intake: &mut Intake, n: u16, late: u64) -> Inserted {
    intake.insert(at(u64::from(n) * 20 + late), packet(n, 1), Origin::Network)
}

#[test]
fn copies_and_late_ones_are_told_apart() {
    let mut intake = intake(|_| {});
    for n in [0, 1, 3] {
        assert_eq!(insert(&mut intake, n, 0), Inserted::Accepted);
    }
    assert_eq!(insert(&mut intake, 1, 5), Inserted::Duplicate);
    for _ in 0..3 {
        intake.pop();
    }
    assert_eq!(insert(&mut intake, 3, 5), Inserted::Duplicate);
    assert_eq!(insert(&mut intake, 2, 40), Inserted::Late);
    let stats = intake.stats();
    assert_eq!((stats.packets_received, stats.packets_duplicate, stats.packets_late), (6, 2, 1));
    assert_eq!((stats.packets_missing, stats.packets_discarded()), (1, 1));
}

#[test]
fn another_ssrc_takes_over_after_three_packets_in_a_row() {
    let mut intake = intake(|_| {});
    insert(&mut intake, 0, 0);
    let mut other = |n, late| intake.insert(at(u64::from(n) * 20 + late), packet(n, 2), Origin::Network);
    assert_eq!(other(1, 0), Inserted::Foreign);
    assert_eq!(other(2, 0), Inserted::Foreign);
    assert_eq!(other(3, 0), Inserted::Accepted);
    assert_eq!(insert(&mut intake, 4, 0), Inserted::Foreign, "the old one is the stranger now");
    let stats = intake.stats();
    assert_eq!((stats.restarts, stats.packets_flushed, stats.packets_foreign, stats.packets_buffered), (1, 1, 3, 1));
}

#[test]
fn two_streams_at_once_do_not_take_turns() {
    let mut intake = intake(|_| {});
    for n in 0..100 {
        assert_eq!(insert(&mut intake, n, 0), Inserted::Accepted);
        let other = intake.insert(at(u64::from(n) * 20), packet(n, 2), Origin::Network);
        assert_eq!(other, Inserted::Foreign);
        intake.pop();
    }
}

#[test]
fn a_jump_of_the_timestamps_restarts_the_stream() {
    let mut intake = intake(|_| {});
    insert(&mut intake, 0, 0);
    let jumped = |n: u16| {
        let time = RtpTime(1 << 30) + 960 * u32::from(n);
        RtpPacket::builder(PayloadType::new(96), SeqNum(65_530) + n, time, Ssrc(1)).build(&[]).unwrap()
    };
    let outcomes = [1, 2, 3, 4].map(|n| intake.insert(at(u64::from(n) * 20), jumped(n), Origin::Network));
    assert_eq!(outcomes, [Inserted::Foreign, Inserted::Foreign, Inserted::Accepted, Inserted::Accepted]);
}

#[test]
fn a_jump_of_the_sequence_numbers_restarts_the_stream() {
    let mut intake = intake(|_| {});
    insert(&mut intake, 0, 0);
    let jumped = |n: u16| {
        let time = RtpTime(u32::MAX - 5_000) + 960 * u32::from(n);
        RtpPacket::builder(PayloadType::new(96), SeqNum(20_000) + n, time, Ssrc(1)).build(&[]).unwrap()
    };
    let outcomes = [1, 2, 3].map(|n| intake.insert(at(u64::from(n) * 20), jumped(n), Origin::Network));
    assert_eq!(outcomes, [Inserted::Foreign, Inserted::Foreign, Inserted::Accepted]);
}

#[test]
fn repairs_start_no_stream_over() {
    let mut intake = intake(|_| {});
    insert(&mut intake, 0, 0);
    for n in 1..10 {
        assert_eq!(intake.insert(at(u64::from(n) * 20), packet(n, 2), Origin::Repair), Inserted::Foreign);
    }
}

#[test]
fn the_oldest_give_way_to_the_newest() {
    let mut intake = intake(|config| config.capacity = 10);
    let overflowed = (0..30).filter(|n| insert(&mut intake, *n, 0) == Inserted::Overflow).count();
    assert_eq!(overflowed, 20);
    assert_eq!((intake.stats().packets_overflowed, intake.stats().packets_buffered), (20, 10));
    assert!(matches!(intake.head(), Head::Next(entry) if entry.packet == packet(20, 1)));
}

/// The target after 20 s in which each tenth packet is lost and comes back 100 ms late.
fn target_with_repairs(repair_delay: Option<u64>) -> Nanos {
    let mut intake = intake(|config| config.delay.repair_delay = repair_delay.map(Duration::from_millis));
    for n in 0..1_000 {
        let origin = if n % 10 == 9 { Origin::Repair } else { Origin::Network };
        let late = if origin == Origin::Repair { 100 } else { 0 };
        intake.insert(at(u64::from(n) * 20 + late), packet(n, 1), origin);
        intake.pop();
    }
    intake.target() / MS
}

#[test]
fn repairs_raise_the_target_only_as_far_as_told() {
    assert_eq!(target_with_repairs(None), 5);
    assert_eq!(target_with_repairs(Some(80)), 5, "too late to be worth waiting for");
    assert_eq!(target_with_repairs(Some(150)), 105);
}

#[test]
fn a_sender_whose_clock_stood_still_is_no_jitter() {
    let mut intake = intake(|_| {});
    for n in 0..500 {
        insert(&mut intake, n, 0);
        intake.pop();
    }
    // Muted for 5 s, then on as if no time had passed.
    for n in 500..600 {
        insert(&mut intake, n, 5_000);
        intake.pop();
    }
    assert!(intake.target() <= 60 * MS, "{}", intake.target() / MS);
    assert!(intake.arrival().delay(at(600 * 20 + 5_000), media_time(600 * 960, Frequency::KHZ_48)) <= MS);
}

#[test]
fn impossible_settings_are_named() {
    let broken = |change: fn(&mut JitterConfig)| {
        let mut config = JitterConfig::default();
        change(&mut config);
        Intake::new(&config, Box::new(FixedDelay(Duration::ZERO))).map(|_| ()).map_err(|error| error.setting())
    };
    assert_eq!(broken(|config| config.capacity = 1), Err("capacity"));
    assert_eq!(broken(|config| config.capacity = 20_000), Err("capacity"));
    assert_eq!(broken(|config| config.restart_after = 0), Err("restart_after"));
    assert_eq!(broken(|config| config.delay.quantile = 2.0), Err("quantile"));
}

/// Each tenth packet is overtaken by five; copies of it, if there are any, come with the next.
#[test]
fn what_copies_cover_asks_for_no_delay() {
    let target = |copies: u64| {
        let mut intake = intake(|_| ());
        let mut packets: Vec<(u64, u16)> =
            (0..1_000_u16).map(|n| (u64::from(n) * 20 + if n % 10 == 9 { 100 } else { 0 }, n)).collect();
        packets.sort_unstable();
        for (arrival, n) in packets {
            if n % 10 == 0 && copies > 0 {
                intake.learn_copies(at(arrival), copies);
            }
            intake.insert(at(arrival), packet(n, 1), Origin::Network);
        }
        intake.target() / MS
    };
    assert_eq!(target(0), 105);
    assert_eq!(target(1), 25, "a packet time, until its copy is here");
}
