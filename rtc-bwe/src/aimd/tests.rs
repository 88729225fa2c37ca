use proptest::option;
use proptest::prelude::*;

use super::*;

const MBIT: f64 = 1e6;
const RESPONSE: Duration = Duration::from_millis(250);

fn aimd() -> Aimd {
    Aimd::new(AimdConfig::default(), CompeteConfig::default(), MBIT, 0.05 * MBIT, 20.0 * MBIT)
}

/// An empty path on which everything sent is delivered, `millis` into the run.
fn clear(millis: u64, rate: f64) -> Signals {
    Signals {
        now: Instant::from_millis(millis),
        overuse: false,
        marks: None,
        standing: 0.0,
        recent: 0.0,
        clear: 0.0075,
        target: 0.01,
        limit: 0.03,
        delivered: Some(rate),
        capacity: None,
        response: RESPONSE.as_secs_f64(),
        lost: false,
        round_trip: 0.1,
        progress: (Instant::from_millis(millis), 0),
        in_flight: 0.0,
        arriving: 1.0,
        stale: false,
    }
}

fn queued(millis: u64, capacity: f64, queue: f64) -> Signals {
    Signals { standing: queue, recent: queue, capacity: Some(capacity), ..clear(millis, capacity) }
}

/// With the bytes delivered so far.
fn delivered(signals: Signals, bytes: u64) -> Signals {
    Signals { progress: (signals.progress.0, bytes), ..signals }
}

fn sent_in_50_ms(aimd: &Aimd) -> u64 {
    rtc_core::Bitrate::from_bps_f64(aimd.rate()).size_in(Duration::from_millis(50)).as_bytes()
}

fn assert_rate(aimd: &Aimd, mbit: f64) {
    assert!((aimd.rate() / MBIT - mbit).abs() < 1e-6, "{} is not {mbit} Mb/s", aimd.rate() / MBIT);
}

/// Takes an empty path for a while in steps of 50 ms, on which everything sent is delivered.
fn pass(aimd: &mut Aimd, from: u64, to: u64) {
    for millis in (from..to).step_by(50) {
        aimd.update(&clear(millis, aimd.rate()));
    }
}

#[test]
fn an_unknown_path_is_climbed_in_full_steps() {
    let mut aimd = aimd();
    aimd.update(&clear(0, MBIT));
    assert_rate(&aimd, 1.0);
    // Until there was no queue for a response time, slowly; then a step of 50 ms is 2 * 50 / 250 of the rate.
    pass(&mut aimd, 50, 250);
    assert!(aimd.rate() < 1.03 * MBIT);
    let before = aimd.rate() / MBIT;
    for index in 1..6 {
        aimd.update(&clear(200 + 250 * index, aimd.rate()));
        assert_eq!(aimd.state(), State::Increase);
    }
    assert_rate(&aimd, before * 1.4_f64.powi(5));
}

#[test]
fn the_known_capacity_is_left_behind_slowly_and_then_in_doubling_steps() {
    let mut aimd = aimd();
    aimd.on_probe(MBIT, true);
    pass(&mut aimd, 0, 400);
    // 0.1 per second at 1 Mb/s, less at more.
    assert!((aimd.rate() / MBIT - 1.035).abs() < 1e-3, "{}", aimd.rate());
    // Beyond 1.04, and a response time without a queue, in steps of 3, 6, 12 ms and so on: 1.024, 1.048, 1.096.
    let mut last = aimd.rate();
    let mut growth = Vec::new();
    for index in 0..7 {
        pass(&mut aimd, 400 + 250 * index, 650 + 250 * index);
        growth.push(aimd.rate() / core::mem::replace(&mut last, aimd.rate()));
    }
    assert!(growth[0] < 1.04 && growth[6] > 1.4, "{growth:?}");
    assert!(growth.windows(2).all(|pair| pair[1] > 0.999 * pair[0]), "{growth:?}");
    assert!(aimd.is_far_beyond());
}

#[test]
fn slower_flows_grow_faster_and_give_way_less() {
    let gain = |rate: f64| {
        let mut aimd = aimd();
        aimd.on_probe(rate, true);
        aimd.rate = rate;
        pass(&mut aimd, 0, 300);
        (aimd.rate() / rate - 1.0, aimd.search.margin(rate))
    };
    let [(slow_growth, slow_margin), (fast_growth, fast_margin)] = [gain(0.5 * MBIT), gain(2.0 * MBIT)];
    assert!(slow_growth > 2.0 * fast_growth && slow_margin < 0.5 * fast_margin);
}

#[test]
fn rfc8867_s5_5_a_longer_path_catches_up_after_a_drain() {
    let grown = |response: f64| {
        let mut aimd = aimd();
        aimd.update(&clear(0, MBIT));
        aimd.update(&Signals { response, ..queued(100, MBIT, 0.02) });
        let drained = Signals { response, ..clear(200, MBIT) };
        aimd.update(&drained);
        let resumed = aimd.rate();
        let settled = Signals { response, ..clear(801, MBIT) };
        aimd.update(&settled);
        assert_eq!(aimd.state(), State::Increase);
        aimd.rate() / resumed - 1.0
    };
    // A quarter of a second more of a response counts twice, at a tenth per second.
    let (short, long) = (grown(0.25), grown(0.55));
    assert!((long - short - 0.05).abs() < 0.005, "{short} {long}");
}

#[test]
fn below_a_known_capacity_steps_are_full() {
    let mut aimd = aimd();
    aimd.on_probe(4.0 * MBIT, true);
    aimd.on_silence(0.25);
    aimd.update(&clear(0, MBIT));
    aimd.update(&clear(250, MBIT));
    assert_rate(&aimd, 1.4);
}

#[test]
fn gcc02_s5_5_a_capacity_that_is_exceeded_is_forgotten() {
    let mut aimd = aimd();
    aimd.on_probe(MBIT, true);
    for index in 0..60 {
        let delivered = aimd.rate();
        aimd.update(&clear(50 * index, delivered));
        assert_eq!(aimd.capacity().is_some(), delivered <= 1.1 * MBIT, "{delivered}");
    }
    assert_eq!(aimd.capacity(), None);
}

#[test]
fn gcc02_s5_5_an_application_that_sends_less_lets_it_grow_to_one_and_a_half_of_that() {
    let mut aimd = aimd();
    for index in 0..100 {
        aimd.update(&clear(100 * index, 0.8 * MBIT));
        assert!(aimd.rate() <= 1.2 * MBIT + 1.0);
    }
    assert_rate(&aimd, 1.2);
    assert_eq!(aimd.state(), State::Hold);
    // What was once proven stays.
    for index in 100..200 {
        aimd.update(&clear(100 * index, 0.1 * MBIT));
    }
    assert_rate(&aimd, 1.2);
}

#[test]
fn a_queue_that_ends_a_growth_takes_back_what_did_not_arrive() {
    let mut aimd = aimd();
    pass(&mut aimd, 0, 1_500);
    assert!(aimd.rate() > 1.9 * MBIT);
    aimd.update(&queued(1_500, 1.5 * MBIT, 0.011));
    assert_eq!(aimd.state(), State::Decrease);
    assert!(aimd.rate() < 1.5 * MBIT, "{}", aimd.rate());
}

#[test]
fn congestion_drains_at_half_the_capacity_for_a_queue_of_100_ms() {
    let mut aimd = aimd();
    aimd.update(&clear(0, MBIT));
    let change = aimd.update(&queued(100, 0.4 * MBIT, 0.1));
    assert_eq!((change, aimd.state()), (Change::Rate(Reason::Queue), State::Decrease));
    assert_rate(&aimd, 0.2);
    // 50 ms of queue are drained at two thirds.
    let half = delivered(queued(200, 0.4 * MBIT, 0.05), 2_500);
    assert_eq!(aimd.update(&half), Change::Rate(Reason::Drain));
    assert_rate(&aimd, 0.4 * 2.0 / 3.0);
    // Drained: back to nearly the capacity, and nothing more until that shows.
    aimd.update(&delivered(clear(300, 0.4 * MBIT), 5_000));
    assert_rate(&aimd, 0.4 * (1.0 - 0.03 * 0.4));
    assert_eq!(aimd.state(), State::Hold);
    assert_eq!(aimd.update(&delivered(clear(400, 0.4 * MBIT), 10_000)), Change::None);
}

#[test]
fn a_delay_that_does_not_drain_is_the_path() {
    let mut aimd = aimd();
    aimd.update(&clear(0, MBIT));
    let (mut millis, mut bytes) = (100, 12_500);
    let mut changes = Vec::new();
    while changes.last() != Some(&Change::Rebase) {
        changes.push(aimd.update(&delivered(queued(millis, MBIT, 0.1), bytes)));
        millis += 50;
        bytes += sent_in_50_ms(&aimd);
        assert!(millis < 2_000, "{changes:?}");
    }
    assert_rate(&aimd, 1.0);
    // 100 ms at half the capacity take 200 ms to drain, and once more in doubt, found out in steps of 50 ms.
    assert!(changes.len() <= 11, "{}", changes.len());
}

#[test]
fn a_queue_that_drains_slowly_is_one() {
    let mut aimd = aimd();
    aimd.update(&clear(0, MBIT));
    // The link carries 0.7 Mb/s, but 0.8 was measured.
    let (mut millis, mut bytes, mut queue) = (100, 12_500, 0.1);
    while aimd.state() == State::Decrease || millis == 100 {
        assert_ne!(aimd.update(&delivered(queued(millis, 0.8 * MBIT, queue), bytes)), Change::Rebase);
        millis += 50;
        bytes += sent_in_50_ms(&aimd);
        queue = (queue + 0.05 * (aimd.rate() / (0.7 * MBIT) - 1.0)).max(0.0);
        assert!(millis < 3_000);
    }
}

#[test]
fn a_stale_base_is_refreshed_by_a_short_dip() {
    let mut aimd = aimd();
    aimd.update(&clear(0, MBIT));
    let (mut millis, mut bytes) = (100, 12_500);
    let stale = Signals { stale: true, ..delivered(queued(100, MBIT, 0.009), 12_500) };
    assert_eq!(aimd.update(&stale), Change::Rate(Reason::Refresh));
    let dip = aimd.rate();
    assert!(dip < 0.95 * MBIT && dip > 0.9 * MBIT);
    while aimd.state() == State::Decrease {
        millis += 50;
        bytes += sent_in_50_ms(&aimd);
        aimd.update(&delivered(queued(millis, MBIT, 0.005), bytes));
    }
    assert!(millis < 600);
    assert!(aimd.rate() > dip / 0.95);
}

#[test]
fn a_refresh_without_room_for_a_dip_ends() {
    let mut aimd = aimd();
    aimd.set_limits(MBIT, MBIT);
    aimd.update(&Signals { stale: true, ..clear(100, MBIT) });
    assert_eq!(aimd.state(), State::Decrease);
    aimd.set_limits(0.05 * MBIT, 20.0 * MBIT);
    pass(&mut aimd, 150, 3_000);
    assert!(aimd.rate() > 1.5 * MBIT, "{}", aimd.rate());
}

#[test]
fn marks_lower_the_rate_to_a_part_of_what_arrives() {
    let mut aimd = aimd();
    aimd.update(&clear(0, MBIT));
    let marked = Signals { marks: Some(0.85), ..clear(100, 0.9 * MBIT) };
    assert_eq!(aimd.update(&marked), Change::Rate(Reason::Marks));
    assert_rate(&aimd, 0.85 * 0.9);
}

#[test]
fn a_probe_raises_the_rate_but_never_lowers_it() {
    let mut aimd = aimd();
    assert!(aimd.on_probe(3.0 * MBIT, false));
    assert_rate(&aimd, 3.0);
    assert!(!aimd.on_probe(2.0 * MBIT, true));
    assert_rate(&aimd, 3.0);
    assert!(aimd.on_probe(90.0 * MBIT, false));
    assert_rate(&aimd, 20.0);
}

#[test]
fn the_rate_stays_within_its_limits() {
    let mut aimd = aimd();
    for _ in 0..100 {
        aimd.on_silence(0.7);
    }
    assert_rate(&aimd, 0.05);
    aimd.set_limits(MBIT, 2.0 * MBIT);
    assert_rate(&aimd, 1.0);
    for index in 0..100 {
        aimd.update(&clear(250 * index, aimd.rate()));
    }
    assert_rate(&aimd, 2.0);
    aimd.update(&queued(30_000, 0.1 * MBIT, 0.3));
    assert_rate(&aimd, 1.0);
}

/// The rate after an update of the same state: an empty path for a while, with the capacity known or not.
fn rate_after(known: Option<f64>, millis: u64, signals: &Signals) -> f64 {
    let mut aimd = aimd();
    if let Some(capacity) = known {
        aimd.on_probe(capacity, true);
    }
    pass(&mut aimd, 0, millis);
    aimd.update(signals);
    aimd.rate()
}

proptest! {
    /// Where a queue or the gradient shows congestion, a longer queue, less that arrives and a steeper gradient never lead to more.
    /// Not so where a drain is doubted or others are competed with: there a queue that stays is a reason for the rate before.
    #[test]
    fn more_congestion_never_means_more_rate(
        known in option::of(0.2..4.0_f64),
        millis in 0..4_000_u64,
        queues in (0.0..0.5_f64, 0.0..0.5_f64),
        arriving in (0.1..6.0_f64, 0.1..6.0_f64),
        over in (any::<bool>(), any::<bool>()),
    ) {
        let signals = |queue: f64, arriving: f64, overuse: bool| {
            let busy = queued(millis, arriving * MBIT, queue);
            Signals { overuse, capacity: busy.capacity.filter(|_| queue > busy.target), ..busy }
        };
        let less = signals(queues.0.min(queues.1), arriving.0.max(arriving.1), over.0 && over.1);
        let more = signals(queues.0.max(queues.1), arriving.0.min(arriving.1), over.0 || over.1);
        prop_assume!(more.capacity.is_some() && (more.standing > more.limit || more.overuse));
        prop_assume!(!less.overuse || less.capacity.is_some());
        let known = known.map(|known| known * MBIT);
        let (less, more) = (rate_after(known, millis, &less), rate_after(known, millis, &more));
        prop_assert!(more <= less + 1e-6, "{more} after more, {less} after less");
    }

    /// Congestion marks on a path without a queue never lead to more than none, nor more of them to more than less.
    #[test]
    fn more_marks_never_mean_more_rate(
        known in option::of(0.2..4.0_f64),
        millis in 0..4_000_u64,
        arriving in 0.1..6.0_f64,
        factors in (0.5..1.0_f64, 0.5..1.0_f64),
    ) {
        let known = known.map(|known| known * MBIT);
        let rate = |marks| rate_after(known, millis, &Signals { marks, ..clear(millis, arriving * MBIT) });
        let [none, less, more] = [None, Some(factors.0.max(factors.1)), Some(factors.0.min(factors.1))].map(rate);
        prop_assert!(more <= less + 1e-6 && less <= none + 1e-6, "{more} {less} {none}");
    }
}
