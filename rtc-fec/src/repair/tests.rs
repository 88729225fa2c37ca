use rtc_core::DataSize;
use rtc_core::bwe::{Ecn, SentPacket};

use super::*;

const MS: Duration = Duration::from_millis(1);

fn scheduler(loss: f64, round_trip_ms: u64) -> RepairScheduler {
    let mut scheduler = RepairScheduler::new(RepairConfig::default()).unwrap();
    scheduler.set_path(LossModel::random(loss, Duration::from_millis(round_trip_ms)));
    scheduler
}

fn at(ms: u64) -> Instant {
    Instant::from_millis(ms)
}

fn media(scheduler: &mut RepairScheduler, ms: u64, seq: u16) {
    scheduler.on_media(at(ms), SeqNum(seq), at(ms + 300));
    scheduler.on_sent(at(ms), u64::from(seq), Carried::Media(SeqNum(seq)));
}

fn result(id: u64, received: bool) -> PacketResult {
    let packet = SentPacket { id, sent: Instant::ZERO, size: DataSize::from_bytes(100), probe: None };
    PacketResult { packet, received: received.then_some(Instant::ZERO), ecn: Ecn::NotEct }
}

fn all(scheduler: &mut RepairScheduler, ms: u64) -> Vec<Carried> {
    core::iter::from_fn(|| scheduler.poll(at(ms))).collect()
}

#[test]
fn what_arrived_is_not_repaired() {
    let mut scheduler = scheduler(0.3, 40);
    media(&mut scheduler, 0, 1);
    scheduler.on_feedback(at(40), &[result(1, true)]);
    for ms in (40..400).step_by(5) {
        assert_eq!(scheduler.poll(at(ms)), None, "{ms}");
    }
    let stats = scheduler.stats();
    assert_eq!((stats.media, stats.delivered, stats.groups_whole, stats.copies), (1, 1, 1, 0));
}

#[test]
fn what_was_reported_lost_is_sent_again_at_once() {
    let mut scheduler = scheduler(0.3, 40);
    media(&mut scheduler, 0, 1);
    scheduler.on_feedback(at(41), &[result(1, false)]);
    assert_eq!(all(&mut scheduler, 41), [Carried::Copy(SeqNum(1))]);
}

/// The deadline is 300 ms after sending, the last chance a way before it.
#[test]
fn without_word_repair_waits_as_long_as_a_round_fits() {
    let mut scheduler = scheduler(0.7, 40);
    media(&mut scheduler, 0, 1);
    let sent: Vec<_> = (0..300).map(|ms| all(&mut scheduler, ms).len()).collect();
    assert!(sent[..100].iter().sum::<usize>() == 0, "{sent:?}");
    assert!(sent[100..276].iter().sum::<usize>() >= 1, "{sent:?}");
    assert_eq!(sent[276..].iter().sum::<usize>(), 0, "after the last chance: {sent:?}");
}

#[test]
fn several_that_are_lost_share_repair_when_time_is_short() {
    let mut scheduler = scheduler(0.5, 200);
    let lost: Vec<_> = (0..6).map(|id| result(id, false)).collect();
    (0..6).for_each(|seq| media(&mut scheduler, u64::from(seq), seq));
    scheduler.on_feedback(at(190), &lost);
    let sent = all(&mut scheduler, 190);
    assert!(sent.iter().any(|carried| matches!(carried, Carried::Coded { .. })), "{sent:?}");
    let coded = sent.iter().find(|carried| matches!(carried, Carried::Coded { .. })).unwrap();
    assert!(scheduler.unknown(*coded).count() > 1);
}

/// Two packets known to be lost, and two coded repair packets over them known to have arrived.
#[test]
fn what_repair_packets_solve_counts_as_delivered() {
    let mut scheduler = scheduler(0.5, 40);
    (0..2).for_each(|seq| media(&mut scheduler, 0, seq));
    scheduler.on_feedback(at(50), &[result(0, false), result(1, false)]);
    let coded = Carried::Coded { first: SeqNum(0), last: SeqNum(1) };
    for id in 10..12 {
        scheduler.flights.push(at(50), coded);
        scheduler.on_sent(at(50), id, coded);
    }
    scheduler.on_feedback(at(100), &[result(10, true)]);
    assert_eq!(scheduler.stats().delivered, 0);
    scheduler.on_feedback(at(101), &[result(11, true)]);
    assert_eq!(scheduler.stats().delivered, 2);
}

/// A packet is lost, but one that arrives carries a copy of it.
#[test]
fn what_the_receiver_has_by_other_means_is_not_sent_again() {
    let mut scheduler = scheduler(0.5, 40);
    (0..2).for_each(|seq| media(&mut scheduler, 0, seq));
    scheduler.on_feedback(at(50), &[result(0, false), result(1, true)]);
    scheduler.on_covered(at(50), SeqNum(0));
    scheduler.on_covered(at(50), SeqNum(7));
    assert_eq!(all(&mut scheduler, 200), []);
    assert_eq!((scheduler.stats().delivered, scheduler.in_doubt()), (2, 0));
}

/// One repair packet is left, for two packets: it is for the older as its time is up sooner, unless that is told elsewhere.
#[test]
fn what_nothing_else_tells_comes_first() {
    for (covered, expected) in [(false, 1), (true, 2)] {
        let mut scheduler = scheduler(0.8, 40);
        scheduler.set_budget(Some(0.5));
        media(&mut scheduler, 0, 1);
        media(&mut scheduler, 20, 2);
        if covered {
            scheduler.on_redundant(SeqNum(1));
        }
        scheduler.on_redundant(SeqNum(7));
        scheduler.on_feedback(at(270), &[result(1, false), result(2, false)]);
        assert_eq!(all(&mut scheduler, 270), [Carried::Copy(SeqNum(expected))], "{covered}");
    }
}

#[test]
fn a_missed_packet_is_counted_and_was_expected_to_be() {
    let mut scheduler = scheduler(0.7, 40);
    scheduler.set_budget(Some(0.0));
    media(&mut scheduler, 0, 1);
    scheduler.on_feedback(at(50), &[result(1, false)]);
    (0..600).for_each(|ms| assert_eq!(scheduler.poll(at(ms)), None));
    let stats = scheduler.stats();
    assert_eq!((stats.missed, stats.groups_broken), (1, 1));
    assert!((stats.expected_broken - 1.0).abs() < 1e-9);
}

#[test]
fn a_sender_that_began_anew_is_followed() {
    let mut scheduler = scheduler(0.3, 40);
    media(&mut scheduler, 0, 1_000);
    media(&mut scheduler, 20, 10);
    assert_eq!(scheduler.stats().forgotten, 1);
    scheduler.on_feedback(at(70), &[result(10, false)]);
    assert_eq!(all(&mut scheduler, 70), [Carried::Copy(SeqNum(10))]);
}

#[test]
fn the_next_wake_up_is_when_a_quarter_of_a_round_less_is_left() {
    let mut scheduler = scheduler(0.5, 40);
    assert_eq!(scheduler.poll_timeout(at(0)), None);
    media(&mut scheduler, 0, 1);
    // 300 ms less a way of 20 and a reserve of 5; rounds of 40 + 20.
    let left = 275 % 15;
    assert_eq!(scheduler.poll_timeout(at(0)), Some(at(left) + Duration::from_nanos(1)));
    assert_eq!(scheduler.poll_timeout(at(276) + MS), None);
}

#[test]
fn settings_out_of_range_are_refused() {
    let with = |change: fn(&mut RepairConfig)| {
        let mut config = RepairConfig::default();
        change(&mut config);
        RepairScheduler::new(config).err().map(|error| error.to_string())
    };
    assert!(with(|config| config.residual = 0.0).is_some());
    assert!(with(|config| config.pool = 0).is_some());
    assert!(with(|config| config.pool = 17).is_some());
    assert!(with(|config| config.coded_cost = f64::NAN).is_some());
    assert!(with(|config| config.max_packets = 1).is_some());
    assert!(with(|config| config.burst = 0.0).is_some());
    assert!(with(|config| config.covered_worth = 1.1).is_some());
    assert_eq!(with(|_| ()), None);
}

fn strict(loss: f64) -> RepairScheduler {
    let mut config = RepairConfig::default();
    (config.residual, config.first_premium, config.pool) = (0.001, 1_000.0, 1);
    let mut scheduler = RepairScheduler::new(config).unwrap();
    scheduler.set_path(LossModel::random(loss, Duration::from_millis(100)));
    scheduler
}

/// Word of the packet comes after 100 ms and some, and its last chance is at 175: a copy before is in vain if it arrived.
#[test]
fn what_is_in_the_air_is_waited_for_if_word_of_it_comes_in_time() {
    let mut scheduler = strict(0.05);
    scheduler.on_media(at(0), SeqNum(1), at(230));
    scheduler.on_sent(at(0), 1, Carried::Media(SeqNum(1)));
    for ms in (0..105).step_by(5) {
        assert_eq!(scheduler.poll(at(ms)), None, "{ms}");
    }
    scheduler.on_feedback(at(105), &[result(1, false)]);
    // There is no chance after this one.
    let copies = all(&mut scheduler, 105);
    assert!(copies.len() >= 2, "{copies:?}");
}

/// Of ten copies one in a thousand arrives not even once: the price must be able to rise that far.
#[test]
fn a_small_residual_is_worth_many_copies_at_last() {
    let mut scheduler = strict(0.5);
    for seq in 0..300_u16 {
        let ms = 400 * u64::from(seq);
        scheduler.on_media(at(ms), SeqNum(seq), at(ms + 20));
        scheduler.on_feedback(at(ms + 399), &[]);
    }
    assert_eq!(scheduler.stats().groups_broken, 300 - scheduler.in_doubt() as u64);
    assert!(scheduler.schedule(1).next() >= Some(9), "{:?}", scheduler.schedule(1).next());
}
