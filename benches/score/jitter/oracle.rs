//! What hindsight could have done with a trace: the least delay for each amount of concealment.
//!
//! The bound of Moon, Kurose and Towsley ("Packet audio playout delay adjustment: performance bounds and algorithms", 1998) is
//! for delays that change between talkspurts. Here the delay may change with every packet, as time-stretching allows: by up
//! to one step of the grid for free, beyond that by concealing, or skipping, as much as the change.

use core::time::Duration;

use super::scenarios::{Delays, PTIME};

/// The grid of delays in milliseconds: of a packet of 20 ms, 20 % may be stretched away or inserted unheard.
const STEP_MS: f64 = STEP.as_millis() as f64;
const STEP: Duration = Duration::from_millis(4);
/// Concealment, in packets, of changing the delay by one step more.
const JUMP: f64 = STEP_MS / 20.0;
/// The longest delay tried, in steps: 5 s, or what the slowest packet took.
const STATES: usize = 1_250;
/// Packets of concealment one millisecond of delay is worth, of all packets: from hardly any to nearly all.
const PRICES: [f64; 14] = [1e-6, 1e-5, 3e-5, 1e-4, 2e-4, 4e-4, 7e-4, 1.2e-3, 2e-3, 3.5e-3, 6e-3, 1e-2, 2e-2, 1e-1];

/// A point that can be reached.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Point {
    /// Mean, in milliseconds.
    pub(super) delay: f64,
    /// Part of the packets.
    pub(super) concealed: f64,
}

/// The least concealment for each mean delay, delays ascending: of hindsight, or of a player at several settings.
#[derive(Debug, Clone)]
pub(super) struct Curve(pub(super) Vec<Point>);

impl Curve {
    /// What hindsight could have done.
    pub(super) fn oracle(delays: &Delays) -> Self {
        Self::of(PRICES.iter().map(|price| best(delays, *price)).collect())
    }

    /// The best of these points.
    pub(super) fn of(mut points: Vec<Point>) -> Self {
        points.sort_by(|a, b| a.delay.total_cmp(&b.delay).then(a.concealed.total_cmp(&b.concealed)));
        let mut least = f64::INFINITY;
        points.retain(|point| {
            let before = least;
            least = before.min(point.concealed);
            point.concealed < before
        });
        Self(points)
    }

    /// The least mean delay for at most this concealment, between points by mixing them; not a number if none is enough.
    pub(super) fn delay_for(&self, concealed: f64) -> f64 {
        let Some(after) = self.0.iter().position(|point| point.concealed <= concealed + 1e-12) else { return f64::NAN };
        let to = self.0[after];
        let Some(from) = after.checked_sub(1).map(|before| self.0[before]) else { return to.delay };
        let share = (from.concealed - concealed) / (from.concealed - to.concealed).max(1e-12);
        from.delay + share.clamp(0.0, 1.0) * (to.delay - from.delay)
    }

    /// The same, or the delay of least concealment where even that is more: a player that plays slower than the network hides part of
    /// what was lost.
    pub(super) fn nearest_for(&self, concealed: f64) -> f64 {
        let least = self.0.last().map_or(0.0, |point| point.concealed);
        self.delay_for(concealed.max(least))
    }
}

/// The least fixed delay in milliseconds, on the same grid, that conceals at most this part of the packets, or what was lost if that
/// is more.
pub(super) fn fixed_delay_for(delays: &Delays, concealed: f64) -> f64 {
    let lost = delays.iter().filter(|delay| delay.is_none()).count() as f64 / delays.len().max(1) as f64;
    let concealed = concealed.max(lost);
    let late = |limit: f64| {
        let count = delays.iter().filter(|delay| delay.is_none_or(|delay| millis(delay) > limit)).count();
        count as f64 / delays.len().max(1) as f64
    };
    let steps = (0..5_000_u32).map(|step| f64::from(step) * STEP_MS);
    steps.into_iter().find(|limit| late(*limit) <= concealed + 1e-12).unwrap_or(f64::NAN)
}

/// The cheapest way through the trace at a price of delay: its mean delay and concealment.
fn best(delays: &Delays, price: f64) -> Point {
    let packets = delays.len().max(1) as f64;
    let slowest = delays.iter().flatten().max().copied().unwrap_or_default();
    let states = usize::try_from(slowest.as_nanos() / STEP.as_nanos()).unwrap_or(usize::MAX).saturating_add(2);
    // Cost so far, and the sum of delays in it, by delay of the packet now.
    let mut ways = vec![(0.0_f64, 0.0_f64); states.min(STATES)];
    let mut jumped = ways.clone();
    for delay in delays {
        with_jumps(&ways, &mut jumped);
        for (state, way) in ways.iter_mut().enumerate() {
            let limit = state as f64 * STEP_MS;
            let missed = delay.is_none_or(|delay| millis(delay) > limit);
            let (cost, sum) = jumped[state];
            *way = (cost + price * limit + f64::from(u8::from(missed)), sum + limit);
        }
    }
    let (cost, sum) = ways.into_iter().min_by(|a, b| a.0.total_cmp(&b.0)).unwrap_or_default();
    Point { delay: sum / packets, concealed: (cost - price * sum) / packets }
}

/// The cheapest way to each delay for the next packet: from the neighbours for free, from others by jumps.
fn with_jumps(ways: &[(f64, f64)], reached: &mut [(f64, f64)]) {
    let cheaper = |a: (f64, f64), b: (f64, f64)| if b.0 < a.0 { b } else { a };
    let jump = |way: (f64, f64)| (way.0 + JUMP, way.1);
    reached.copy_from_slice(ways);
    for state in 1..reached.len() {
        reached[state] = cheaper(reached[state], jump(reached[state - 1]));
    }
    for state in (1..reached.len()).rev() {
        reached[state - 1] = cheaper(reached[state - 1], jump(reached[state]));
    }
    for (state, way) in reached.iter_mut().enumerate() {
        let below = state.checked_sub(1).and_then(|below| ways.get(below));
        for neighbour in [below, ways.get(state + 1)].into_iter().flatten() {
            *way = cheaper(*way, *neighbour);
        }
    }
}

fn millis(delay: Duration) -> f64 {
    delay.as_secs_f64() * 1e3
}

/// The packet time the prices are for.
const _: () = assert!(PTIME.as_millis() == 20);

#[cfg(test)]
mod tests {
    use super::*;

    fn trace(millis: impl IntoIterator<Item = u64>) -> Delays {
        millis.into_iter().map(|ms| Some(Duration::from_millis(ms))).collect()
    }

    #[test]
    fn a_constant_delay_is_waited_for_or_not_at_all() {
        let delays = trace([50; 500]);
        let oracle = Curve::oracle(&delays);
        assert!((oracle.delay_for(0.0) - 52.0).abs() < 1e-9);
        assert_eq!(oracle.delay_for(1.0), 0.0);
        assert_eq!(fixed_delay_for(&delays, 0.0), 52.0);
    }

    #[test]
    fn what_the_network_lost_is_concealed_at_any_delay() {
        let mut delays = trace([0; 1_000]);
        delays.iter_mut().step_by(10).for_each(|delay| *delay = None);
        let oracle = Curve::oracle(&delays);
        assert_eq!(oracle.delay_for(0.1), 0.0);
        assert!(oracle.delay_for(0.09).is_nan());
        assert_eq!((oracle.nearest_for(0.09), fixed_delay_for(&delays, 0.09)), (0.0, 0.0), "as if nothing was hidden");
    }

    #[test]
    fn only_the_best_points_count_and_between_them_is_a_line() {
        let point = |(delay, concealed)| Point { delay, concealed };
        let curve =
            Curve::of([(90.0, 0.01), (100.0, 0.02), (50.0, 0.05), (60.0, 0.05), (95.0, 0.01)].map(point).into());
        assert_eq!(curve.0, [(50.0, 0.05), (90.0, 0.01)].map(point));
        assert!((curve.delay_for(0.03) - 70.0).abs() < 1e-9 && curve.delay_for(0.005).is_nan());
        assert_eq!(curve.delay_for(0.2), 50.0);
    }

    /// A spike of 100 ms on one packet of a thousand: free steps of 4 ms go up 25 packets before and down after, so that
    /// nothing is concealed at 4 x (1 + ... + 25 + ... + 1) ms in all.
    #[test]
    fn a_spike_is_met_by_a_slope() {
        let mut delays = trace([0; 1_000]);
        delays[500] = Some(Duration::from_millis(100));
        let all = 4.0 * 25.0 * 25.0 / 1_000.0;
        assert!((Curve::oracle(&delays).delay_for(0.0) - all).abs() < 1e-9);
        assert_eq!(fixed_delay_for(&delays, 0.0), 100.0);
        assert_eq!(Curve::oracle(&delays).delay_for(0.001), 0.0);
    }

    /// Every way through a short trace, one by one.
    #[test]
    fn is_the_best_of_all_ways() {
        let delays = trace([0, 12, 3, 8]);
        let price = 0.004;
        let mut least = f64::INFINITY;
        for way in 0..5_u32.pow(4) {
            let states: Vec<f64> = (0..4).map(|place| f64::from(way / 5_u32.pow(place) % 5)).collect();
            let mut cost = 0.0;
            for (place, state) in states.iter().enumerate() {
                cost += price * state * STEP_MS;
                cost += if millis(delays[place].unwrap()) > state * STEP_MS { 1.0 } else { 0.0 };
                let change = if place > 0 { (state - states[place - 1]).abs() } else { 0.0 };
                cost += if change > 1.0 { change * JUMP } else { 0.0 };
            }
            least = least.min(cost);
        }
        let found = best(&delays, price);
        assert!((4.0 * (found.concealed + price * found.delay) - least).abs() < 1e-9);
    }
}
