//! Stalls that come at regular intervals, as those of a Wi-Fi station that scans for others.

use core::ops::RangeInclusive;
use core::time::Duration;

use rtc_core::time::Instant;

use crate::arrival::Nanos;

const MS: Nanos = 1_000_000;
/// Lateness that makes a stall, if nothing came meanwhile: three packets of 20 ms, and no more than can be bridged.
const STALLS: RangeInclusive<Nanos> = 60 * MS..=4_000 * MS;
/// Stalls that begin within this are one.
const APART: Nanos = 400 * MS;
/// Periods looked for: what is more frequent is jitter, what is rarer is not learnt in a call.
const PERIODS: RangeInclusive<Nanos> = 500 * MS..=30_000 * MS;
/// How much intervals may differ: a stall is seen when a packet is held, up to a packet time after it began.
const TOLERANCE: Nanos = 40 * MS;
/// Stalls that may stay away before the regularity is forgotten.
const MISSES: i64 = 2;
/// Stalls remembered.
const KEPT: usize = 6;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stall {
    onset: Instant,
    length: Nanos,
}

/// A stall to come.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Forecast {
    pub(super) at: Instant,
    pub(super) length: Nanos,
    /// How far off `at` may be.
    pub(super) spread: Nanos,
    /// How likely it is, from 0 to 1.
    pub(super) confidence: f64,
}

/// Remembers stalls, and finds out whether they are regular.
#[derive(Debug, Default)]
pub(super) struct Stalls {
    /// The newest first.
    known: [Option<Stall>; KEPT],
    last_arrival: Option<Instant>,
}

impl Stalls {
    /// Takes note of a packet; says whether a stall held it.
    pub(super) fn observe(&mut self, now: Instant, late: Nanos) -> bool {
        let silence = self.last_arrival.map_or(0, |last| now.nanos_since(last));
        self.last_arrival = Some(self.last_arrival.map_or(now, |last| last.max(now)));
        let expected = now - Duration::from_nanos(late.max(0).unsigned_abs());
        if let Some(last) = &mut self.known[0] {
            let since = expected.nanos_since(last.onset);
            if (-APART..last.length.max(APART)).contains(&since) {
                // The first packet that is held is the latest; those behind it come with it.
                let held = since < last.length;
                if since < APART && late > last.length && STALLS.contains(&late) && silence >= late / 2 {
                    (last.onset, last.length) = (expected.min(last.onset), late);
                }
                return held;
            }
        }
        if !STALLS.contains(&late) || silence < late / 2 {
            return false;
        }
        self.known.rotate_right(1);
        self.known[0] = Some(Stall { onset: expected, length: late });
        true
    }

    /// Whether the last stall may have held a packet, or one began with it: if not, [`observe`](Self::observe) says so too.
    pub(super) fn concerns(&self, now: Instant, late: Nanos) -> bool {
        let expected = now - Duration::from_nanos(late.max(0).unsigned_abs());
        let near = |last: Stall| (-APART..last.length.max(APART)).contains(&expected.nanos_since(last.onset));
        STALLS.contains(&late) || self.known[0].is_some_and(near)
    }

    /// The next stall, if they are regular.
    pub(super) fn forecast(&self, now: Instant) -> Option<Forecast> {
        let [Some(last), Some(before), ..] = self.known else { return None };
        let period = last.onset.nanos_since(before.onset);
        if !PERIODS.contains(&period) {
            return None;
        }
        // Intervals that are one or two periods long, one after the other.
        let (mut agreeing, mut periods, mut length, mut spread) = (1_i32, 1, last.length.max(before.length), TOLERANCE);
        let mut oldest = before;
        for stall in self.known[2..].iter().flatten() {
            let interval = oldest.onset.nanos_since(stall.onset);
            let count = interval.saturating_add(period / 2) / period.max(1);
            let off = interval.saturating_sub(count.saturating_mul(period)).saturating_abs();
            if !(1..=2).contains(&count) || off > TOLERANCE * 2 || stall.length > 2 * last.length {
                break;
            }
            (agreeing, periods, oldest) = (agreeing + 1, periods + count, *stall);
            (length, spread) = (length.max(stall.length), spread.max(off));
        }
        let period = last.onset.nanos_since(oldest.onset) / periods;
        let alike = last.length < 2 * before.length && before.length < 2 * last.length;
        let missed = now.nanos_since(last.onset).saturating_sub(spread + length).max(0) / period.max(1);
        if !alike || missed > MISSES {
            return None;
        }
        let at = last.onset + Duration::from_nanos((period * (missed + 1)).unsigned_abs());
        // One interval is a guess, two that agree are hardly chance.
        let certain = f64::from(agreeing) / f64::from(agreeing + 2);
        #[expect(clippy::cast_precision_loss, reason = "a handful")]
        let confidence = certain / (missed + 1) as f64;
        Some(Forecast { at, length, spread, confidence })
    }
}

/// When and how far a forecast raises the delay above `base`: what is aimed at by `now`.
pub(super) fn raised(forecast: &Forecast, now: Instant, base: Nanos, rate: f64) -> Nanos {
    let top = forecast.length.saturating_add(forecast.spread / 4);
    let until = forecast.at.nanos_since(now).saturating_sub(forecast.spread);
    let after = now.nanos_since(forecast.at).saturating_sub(forecast.spread);
    if after > 0 {
        // It is late, or it is going on and nothing came yet.
        return if after < forecast.length { top } else { base };
    }
    #[expect(clippy::cast_possible_truncation, reason = "a part of a time")]
    let to_go = (until.max(0) as f64 * rate) as Nanos;
    top.saturating_sub(to_go).max(base)
}

/// Whether it is cheaper to raise the delay for a stall than to conceal it.
pub(super) fn pays(forecast: &Forecast, base: Nanos, ms_per_late: f64, rate: f64) -> bool {
    let ms = |time: Nanos| time as f64 / MS as f64;
    let rise = ms(forecast.length - base);
    // Delay over time: a slope up, a while on top, a slope down, each twice as steep as the area counts.
    let cost = rise * (rise / rate / 2.0 + rise / (2.0 * rate) / 2.0 + 2.0 * ms(forecast.spread));
    rise > 0.0 && cost < ms_per_late * rise * forecast.confidence
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::*;

    fn at(millis: i64) -> Instant {
        Instant::from_millis(100_000 + millis.cast_unsigned())
    }

    /// Packets each 20 ms, held by stalls of `length` ms that begin at these milliseconds.
    fn run(onsets: &[i64], length: i64, until: i64) -> (Stalls, usize) {
        let mut stalls = Stalls::default();
        let mut held = 0;
        for sent in (0..until).step_by(20) {
            let end =
                onsets.iter().find(|onset| (**onset..**onset + length).contains(&sent)).map(|onset| onset + length);
            let arrival = end.unwrap_or(sent);
            if arrival < until {
                held += usize::from(stalls.observe(at(arrival), (arrival - sent) * MS));
            }
        }
        (stalls, held)
    }

    #[test]
    fn regular_stalls_are_foreseen_after_two_and_surely_after_four() {
        let onsets = [3_005, 13_005, 23_005, 33_005];
        let (stalls, _) = run(&onsets[..1], 160, 13_000);
        assert_eq!(stalls.forecast(at(13_000)), None);
        let (stalls, held) = run(&onsets[..2], 160, 20_000);
        let guess = stalls.forecast(at(20_000)).unwrap();
        assert!((guess.at.nanos_since(at(23_005))).abs() <= 40 * MS, "{guess:?}");
        assert!((120 * MS..=160 * MS).contains(&guess.length) && guess.confidence < 0.5);
        assert_eq!(held, 16);
        let (stalls, _) = run(&onsets, 160, 40_000);
        assert!(stalls.forecast(at(40_000)).unwrap().confidence > 0.55);
    }

    #[test]
    fn a_stall_that_stays_away_is_expected_a_period_later_and_then_forgotten() {
        let (stalls, _) = run(&[3_000, 13_000, 23_000], 160, 60_000);
        assert!(stalls.forecast(at(34_000)).is_some_and(|next| (next.at.nanos_since(at(43_000))).abs() <= 40 * MS));
        assert_eq!(stalls.forecast(at(54_000)), None);
    }

    #[test]
    fn irregular_stalls_are_hardly_believed() {
        let (stalls, _) = run(&[3_000, 9_000, 23_000, 26_500], 300, 28_000);
        let guess = stalls.forecast(at(28_000)).unwrap();
        assert!(guess.confidence < 0.35, "{guess:?}");
        assert!(!pays(&guess, 20 * MS, 1_500.0, 0.15));
    }

    #[test]
    fn losses_and_late_packets_are_no_stalls() {
        let mut stalls = Stalls::default();
        // One in fifty comes 100 ms late, overtaken by five.
        let late = |n: i64| if n % 50 == 49 { 100 } else { 0 };
        let mut packets: Vec<(i64, i64)> = (0..490).map(|n| (n * 20 + late(n), late(n))).collect();
        packets.sort_unstable();
        for (arrival, late) in packets {
            assert!(!stalls.observe(at(arrival), late * MS));
        }
        assert_eq!(stalls.forecast(at(10_000)), None);
    }

    #[test]
    fn the_delay_rises_in_time_and_falls_when_it_is_over() {
        let forecast = Forecast { at: at(10_000), length: 160 * MS, spread: 40 * MS, confidence: 0.5 };
        let aim = |millis| raised(&forecast, at(millis), 20 * MS, 0.2) / MS;
        assert_eq!([aim(9_000), aim(9_460), aim(9_960), aim(10_100), aim(10_300)], [20, 70, 170, 170, 20]);
    }
}
