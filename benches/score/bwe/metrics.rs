//! What is measured of a run.

use rtc_core::testkit::metrics::percentile;

/// Seconds of a bin of a rate over time.
pub(crate) const BIN: f64 = 0.1;
/// Bins a rate is averaged over to tell whether capacity is used: five, or 15 frames.
const WINDOW: usize = 5;
/// Bins of a second.
const SECOND: usize = 10;

/// What of the capacity carried media, in percent. Padding does not count: it is no use to anybody.
pub(crate) fn utilization(media_bytes: u64, capacity_bytes: u64) -> f64 {
    100.0 * media_bytes as f64 / capacity_bytes as f64
}

/// The 50th, 95th and 99th percentile of waits in the queue, all in milliseconds.
pub(crate) fn queue_percentiles(mut waits: Vec<f64>) -> [f64; 3] {
    [50.0, 95.0, 99.0].map(|percent| percentile(&mut waits, percent))
}

/// Seconds from bin `from` until the rate over the last half second is at least 90 % of `capacity`; `None` for never.
pub(crate) fn time_to_reach(rates: &[f64], from: usize, capacity: f64) -> Option<f64> {
    let windows = rates.get(from..)?.windows(WINDOW);
    let mut means = windows.map(|window| window.iter().sum::<f64>() / window.len() as f64);
    let reached = means.position(|mean| mean >= 0.9 * capacity)?;
    Some((reached + WINDOW) as f64 * BIN)
}

/// The least rate over any second from bin `from` on.
pub(crate) fn least(rates: &[f64], from: usize) -> f64 {
    let windows = rates.get(from..).unwrap_or_default().windows(SECOND);
    windows.map(|window| window.iter().sum::<f64>() / window.len() as f64).fold(f64::INFINITY, f64::min)
}

/// Seconds until no packet waited longer than `limit` for half a second; `None` for never. `waits` are seconds since the fall with
/// the wait then.
pub(crate) fn time_to_settle(waits: &[(f64, f64)], limit: f64) -> Option<f64> {
    let mut calm_since = 0.0;
    for (seconds, wait) in waits {
        if seconds - calm_since >= WINDOW as f64 * BIN {
            return Some(calm_since);
        }
        if *wait > limit {
            calm_since = *seconds;
        }
    }
    None
}

/// The most that was sent beyond `capacity` (b/s) since capacity fell, in milliseconds of it: the queue it makes, or would if
/// there were room. `sent` are bits with seconds since the fall, in order.
pub(crate) fn overshoot(sent: &[(f64, f64)], capacity: f64) -> f64 {
    let mut total = 0.0;
    let mut worst: f64 = 0.0;
    for (seconds, bits) in sent {
        total += bits;
        worst = worst.max(total - capacity * seconds);
    }
    1e3 * worst / capacity
}

/// Adds up `amounts` with their times in seconds in bins of [`BIN`], as rates per second.
pub(crate) fn binned(amounts: impl IntoIterator<Item = (f64, f64)>, seconds: f64) -> Vec<f64> {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "seconds of a run, in tenths")]
    let index = |time: f64| (time / BIN + 1e-9) as usize;
    let mut bins = vec![0.0; index(seconds)];
    for (time, amount) in amounts {
        if let Some(bin) = bins.get_mut(index(time)) {
            *bin += amount / BIN;
        }
    }
    bins
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn utilization_is_media_over_capacity() {
        assert_eq!(utilization(75, 100), 75.0);
    }

    #[test]
    fn percentiles_of_a_ramp_are_on_it() {
        let waits = (0..=100).map(f64::from).rev().collect();
        assert_eq!(queue_percentiles(waits), [50.0, 95.0, 99.0]);
    }

    /// 1 Mb/s for 2 s, then a ramp of 1 Mb/s in each second on a capacity of 2 Mb/s: 1.8 Mb/s are sent from 0.8 s after the
    /// ramp began, and the mean of half a second gets there a quarter of a second later.
    #[test]
    fn reach_of_a_ramp_is_where_its_mean_crosses() {
        let rates: Vec<f64> = (0..50).map(|bin| 1e6 + 1e6 * f64::max(0.0, f64::from(bin) * BIN - 2.0)).collect();
        let reach = time_to_reach(&rates, 20, 2e6).unwrap();
        assert!((reach - 1.05).abs() <= 0.1, "{reach}");
        assert_eq!(time_to_reach(&rates, 20, 9e6), None);
        assert_eq!(time_to_reach(&rates, 99, 1.0), None);
    }

    /// 1 Mb/s with a gap of 0.4 s: in any second 0.6 Mb/s, wherever it begins.
    #[test]
    fn the_least_second_may_begin_anywhere() {
        let rates: Vec<f64> = (0..50).map(|bin| if (27..31).contains(&bin) { 0.0 } else { 1e6 }).collect();
        assert_eq!(least(&rates, 0), 0.6e6);
        assert_eq!(least(&rates, 30), 0.9e6);
        assert_eq!(least(&rates, 31), 1e6);
    }

    /// A queue that falls from 300 ms by 100 ms each second is below 50 ms after 2.5 s, but for a spike at 2.8 s.
    #[test]
    fn a_queue_has_settled_when_it_stays_short() {
        let queue = |spike: f64| {
            let wait = |at: f64| if (at - spike).abs() < 5e-3 { 99.0 } else { f64::max(0.0, 300.0 - 100.0 * at) };
            let waits: Vec<(f64, f64)> =
                (0..400).map(|step| f64::from(step) / 100.0).map(|at| (at, wait(at))).collect();
            time_to_settle(&waits, 50.0)
        };
        assert!((queue(9.0).unwrap() - 2.49).abs() < 0.011);
        assert!((queue(2.8).unwrap() - 2.8).abs() < 0.011);
        assert_eq!(time_to_settle(&[(0.0, 99.0), (9.0, 99.0)], 50.0), Some(0.0));
        assert_eq!(time_to_settle(&[(0.0, 99.0), (0.4, 99.0)], 50.0), None);
    }

    /// 2.5 Mb/s for 0.2 s after the fall to 0.6 Mb/s, then less than that: 1.9 Mb/s x 0.2 s too much.
    #[test]
    fn overshoot_is_the_backlog_in_time() {
        let sent: Vec<(f64, f64)> =
            (0..2_000).map(|ms| (f64::from(ms) / 1e3, if ms < 200 { 2_500.0 } else { 500.0 })).collect();
        assert!((overshoot(&sent, 600e3) - 1e3 * 1.9 * 0.2 / 0.6).abs() < 5.0);
        assert_eq!(overshoot(&sent[1_000..], 600e3), 0.0);
    }

    #[test]
    fn bins_are_rates() {
        let amounts = [(0.0, 10.0), (0.05, 10.0), (0.1, 5.0), (0.99, 1.0), (1.0, 99.0)];
        let bins = binned(amounts, 1.0);
        assert_eq!((bins.len(), bins[0].round(), bins[1].round(), bins[9].round()), (10, 200.0, 50.0, 10.0));
    }
}
