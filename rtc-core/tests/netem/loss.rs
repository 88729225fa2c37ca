use rtc_core::bwe::Ecn;
use rtc_core::testkit::netem::{Loss, Netem, Sent};
use rtc_core::time::Instant;

use crate::{MS, PACKET, assert_near, config};

const N: u64 = 400_000;

/// The fate of `N` packets, true for lost.
fn pattern(loss: Loss, seed: u64) -> Vec<bool> {
    let mut netem = Netem::new(config(|c| c.loss = loss), seed).unwrap();
    let mut now = Instant::ZERO;
    let mut lost = Vec::new();
    for number in 0..N {
        lost.push(netem.send(now, PACKET, Ecn::NotEct, number) == Sent::LostRandom);
        while netem.poll(now).is_some() {}
        now += MS;
    }
    assert_eq!(netem.stats().lost_random, lost.iter().filter(|lost| **lost).count() as u64);
    lost
}

fn fraction(lost: &[bool]) -> f64 {
    lost.iter().filter(|lost| **lost).count() as f64 / lost.len() as f64
}

/// Lengths of the complete runs of losses.
fn bursts(lost: &[bool]) -> Vec<usize> {
    lost.split(|lost| !lost).map(<[bool]>::len).filter(|&length| length > 0).collect()
}

/// Pearson's statistic of burst lengths against the geometric distribution with success probability `p`, in ten cells.
fn chi_square_geometric(bursts: &[usize], p: f64) -> f64 {
    const CELLS: usize = 10;
    let n = bursts.len() as f64;
    let cell = |k: usize| {
        let observed =
            bursts.iter().filter(|&&length| if k < CELLS { length == k } else { length >= k }).count() as f64;
        let survives = (1.0 - p).powi(i32::try_from(k).unwrap() - 1);
        let expected = n * if k < CELLS { survives * p } else { survives };
        assert!(expected >= 5.0, "cell {k} is too small for the test");
        (observed - expected).powi(2) / expected
    };
    (1..=CELLS).map(cell).sum()
}

/// The 1 - 10^-6 quantile of chi-square with nine degrees of freedom.
const CHI_SQUARE_LIMIT: f64 = 46.7;

#[test]
fn bernoulli_loses_its_share_in_geometric_runs() {
    for p in [0.01, 0.1, 0.4] {
        let lost = pattern(Loss::Bernoulli(p), 1);
        assert_near(fraction(&lost), p, (p * (1.0 - p) / N as f64).sqrt());
    }
    let lost = pattern(Loss::Bernoulli(0.4), 2);
    let statistic = chi_square_geometric(&bursts(&lost), 0.6);
    assert!(statistic < CHI_SQUARE_LIMIT, "{statistic}");
}

/// The loss of a two-state chain is that of independent packets with its variance times (1 + ρ) / (1 - ρ), ρ its second eigenvalue.
#[test]
fn gilbert_loses_the_mean_in_bursts_of_the_mean_length() {
    for (mean, burst) in [(0.02, 4.0), (0.1, 8.0), (0.2, 2.0)] {
        let loss = Loss::bursts(mean, burst).unwrap();
        let lost = pattern(loss, 3);
        let Loss::GilbertElliott { p_good_to_bad, p_bad_to_good, .. } = loss else { panic!("{loss:?}") };
        let rho = 1.0 - p_good_to_bad - p_bad_to_good;
        let inflation = (1.0 + rho) / (1.0 - rho);
        assert_near(fraction(&lost), mean, (mean * (1.0 - mean) * inflation / N as f64).sqrt());

        let bursts = bursts(&lost);
        let mean_burst = bursts.iter().sum::<usize>() as f64 / bursts.len() as f64;
        // A geometric variable with mean B has variance B² - B.
        assert_near(mean_burst, burst, ((burst * burst - burst) / bursts.len() as f64).sqrt());
        if burst >= 4.0 {
            let statistic = chi_square_geometric(&bursts, 1.0 / burst);
            assert!(statistic < CHI_SQUARE_LIMIT, "{statistic}");
        }
    }
}

/// Elliott's general case: P(lost) = π·e and P(lost, next lost) = π·diag(e)·P·e.
#[test]
fn gilbert_elliott_has_the_joint_probabilities_of_its_chain() {
    let (p, r, good, bad) = (0.05, 0.2, 0.02, 0.5);
    let loss = Loss::GilbertElliott { p_good_to_bad: p, p_bad_to_good: r, loss_good: good, loss_bad: bad };
    let share = p / (p + r);
    let single = (1.0 - share) * good + share * bad;
    let pair = (1.0 - share) * good * ((1.0 - p) * good + p * bad) + share * bad * (r * good + (1.0 - r) * bad);
    assert!((loss.mean() - single).abs() < 1e-12);

    let lost = pattern(loss, 4);
    let pairs: Vec<bool> = lost.windows(2).map(|pair| pair[0] && pair[1]).collect();
    // Correlation lives for 1 / (p + r) = 4 packets: take blocks of 200 as independent.
    for (series, expected) in [(&lost, single), (&pairs, pair)] {
        let blocks: Vec<f64> = series.chunks_exact(200).map(fraction).collect();
        assert_near(crate::mean(&blocks), expected, (crate::variance(&blocks) / blocks.len() as f64).sqrt());
    }
}

#[test]
fn the_first_packet_is_lost_as_often_as_any() {
    let loss = Loss::bursts(0.25, 10.0).unwrap();
    let first = |seed| {
        let mut netem = Netem::new(config(|c| c.loss = loss), seed).unwrap();
        netem.send(Instant::ZERO, PACKET, Ecn::NotEct, 0) == Sent::LostRandom
    };
    let lost = (0..10_000).filter(|&seed| first(seed)).count() as f64;
    assert_near(lost / 1e4, 0.25, (0.25_f64 * 0.75 / 1e4).sqrt());
}

#[test]
fn impossible_loss_is_refused() {
    let refused = |loss| Netem::<()>::new(config(|c| c.loss = loss), 0).is_err();
    assert!(refused(Loss::Bernoulli(-0.1)) && refused(Loss::Bernoulli(1.1)) && refused(Loss::Bernoulli(f64::NAN)));
    for field in 0..4 {
        let p = |index| if index == field { 2.0 } else { 0.5 };
        let loss = Loss::GilbertElliott { p_good_to_bad: p(0), p_bad_to_good: p(1), loss_good: p(2), loss_bad: p(3) };
        assert!(refused(loss));
    }
    assert_eq!(Loss::bursts(1.0, 4.0).unwrap_err().setting(), "mean");
    assert_eq!(Loss::bursts(0.1, 0.5).unwrap_err().setting(), "burst");
    assert_eq!(Loss::bursts(0.9, 1.5).unwrap_err().to_string(), "burst is too short for so much loss");
    assert!(Loss::bursts(0.6, 1.5).is_ok());
}
