//! What an undelivered packet costs from now on, by the feedback rounds its deadline leaves.

use super::losses::Losses;

/// More rounds than this change nothing.
pub(super) const MAX_ROUNDS: usize = 16;
/// Copies sent at once at most.
const MAX_COPIES: i32 = 64;
/// How much faster the premium falls with the time left, in its logarithm, where repair is shared: what older packets need sooner
/// brings newer ones as well. Found by search in a model of the path; 1.3 to 2 differ by less than 1 % in what is sent.
const SHARED: f64 = 1.5;

/// The cost to go, in packets, of one packet that is known to be lost.
///
/// With `r` more rounds one may send `n` copies now, and if all are lost go on with a round less:
///
/// ```text
/// V(0) = price                        the packet is given up
/// V(r) = min over n of  n + P(all n lost) V(r - 1)
/// ```
///
/// where `P(all n lost) = p q^(n-1)` with the probability `q` that a packet after a lost one is lost as well; `q = p` if losses do
/// not cluster. This is dynamic programming over a single packet (R. Bellman 1957). With many rounds one copy at a time is best, and V is
/// 1 / (1 - p): the mean number of packets until one arrives. What V is above that is the premium for being in a hurry.
#[derive(Debug, Clone)]
pub(super) struct Value {
    losses: Losses,
    price: f64,
    cost: [f64; MAX_ROUNDS + 1],
}

impl Value {
    pub(super) fn new(losses: Losses, premium: f64) -> Self {
        let price = premium + 1.0 / (1.0 - losses.loss);
        let mut cost = [price; MAX_ROUNDS + 1];
        for round in 1..=MAX_ROUNDS {
            let after = cost[round - 1];
            cost[round] = (0..=MAX_COPIES).map(|n| f64::from(n) + losses.all(n) * after).fold(f64::INFINITY, f64::min);
        }
        Self { losses, price, cost }
    }

    pub(super) fn losses(&self) -> Losses {
        self.losses
    }

    /// The part of the cost that is due to the deadline.
    pub(super) fn premium(&self, rounds: usize) -> f64 {
        (self.cost[rounds.min(MAX_ROUNDS)] - 1.0 / (1.0 - self.losses.loss)).max(0.0)
    }

    /// The same between rounds: evenly in its logarithm.
    pub(super) fn premium_at(&self, rounds: f64) -> f64 {
        let rounds = rounds.clamp(0.0, MAX_ROUNDS as f64);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a few rounds")]
        let whole = rounds as usize;
        let (this, next) = (self.premium(whole), self.premium(whole + 1));
        // Nothing is free: the last copy is sent some time.
        this * (next.max(1e-6) / this.max(1e-6)).powf(rounds - whole as f64)
    }

    /// The same of a packet that shares its repair with others: see [`SHARED`].
    pub(super) fn shared_premium_at(&self, rounds: f64) -> f64 {
        let price = self.premium(0);
        price * (self.premium_at(rounds) / price).powf(SHARED)
    }

    /// Copies to send now of a packet known to be lost, when `rounds` more follow: the schedule of repetition alone.
    pub(super) fn copies(&self, rounds: usize) -> u32 {
        let after = if rounds == 0 { self.price } else { self.cost[rounds.min(MAX_ROUNDS) - 1] };
        let total = |n: i32| f64::from(n) + self.losses.all(n) * after;
        let best = (0..=MAX_COPIES).min_by(|a, b| total(*a).total_cmp(&total(*b)));
        best.map_or(0, i32::unsigned_abs)
    }
}

/// What repetition by the schedule of a single packet leaves missing, at most `residual` if it can be had for no more than `most`
/// copies, and what it costs in copies, with so many feedback rounds before the deadline. Repair that is shared between packets
/// does better.
pub(crate) fn outlook(losses: Losses, rounds: usize, residual: f64, most: f64) -> (f64, f64) {
    let mut best = (losses.loss, 0.0);
    // The premium is raised until it is enough.
    let mut premium = 0.01;
    while best.0 > residual && premium < 1e4 && rounds > 0 {
        let value = Value::new(losses, premium);
        let (mut missing, mut copies) = (losses.loss, 0.0);
        for left in (1..=rounds.min(MAX_ROUNDS)).rev() {
            let sent = value.copies(left);
            copies += missing * f64::from(sent);
            missing *= losses.all(sent.cast_signed());
        }
        if copies > most {
            // A part of the packets gets what the next schedule has for all.
            let part = ((most - best.1) / (copies - best.1).max(1e-9)).clamp(0.0, 1.0);
            return (best.0 + (missing - best.0) * part, most);
        }
        best = (missing, copies);
        premium *= 1.25;
    }
    best
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 70 % lost, six rounds after the first sending, and a price at which 0.7^13, 1 %, is given up.
    #[test]
    fn the_schedule_of_a_single_packet_grows_towards_its_deadline() {
        let value = Value::new(Losses::random(0.7), 10.0);
        let schedule: Vec<_> = (1..=6).rev().map(|rounds| value.copies(rounds)).collect();
        assert_eq!(schedule, [1, 1, 1, 2, 3, 4]);
    }

    /// Copies sent together are lost together: the first one helps, the others little.
    #[test]
    fn in_bursts_several_copies_at_once_are_worth_less() {
        let last = |losses| Value::new(losses, 10.0).copies(1);
        assert!(last(Losses { loss: 0.3, again: 0.85 }) < last(Losses { loss: 0.85, again: 0.85 }));
        let residual = |again| outlook(Losses { loss: 0.3, again }, 1, 0.001, 1.5).0;
        assert!(residual(0.75) > 3.0 * residual(0.3), "{} {}", residual(0.75), residual(0.3));
    }

    #[test]
    fn what_may_be_spent_decides_what_is_missing() {
        let losses = Losses::random(0.7);
        let outlooks = [0.0, 1.0, 2.0, 3.0, 9.0].map(|most| outlook(losses, 3, 0.01, most));
        assert_eq!(outlooks[0], (0.7, 0.0));
        assert!(outlooks.windows(2).all(|pair| pair[1].0 < pair[0].0 && pair[1].1 > pair[0].1), "{outlooks:?}");
        assert!(outlooks[4].0 <= 0.01 && outlooks[4].1 < 9.0, "{outlooks:?}");
    }

    #[test]
    fn with_time_the_cost_is_that_of_asking_until_it_comes() {
        for loss in [0.1, 0.3, 0.7] {
            let value = Value::new(Losses::random(loss), 10.0);
            assert!(value.premium(MAX_ROUNDS) < 0.05, "{loss}: {}", value.premium(MAX_ROUNDS));
            assert!((1..MAX_ROUNDS).all(|rounds| value.premium(rounds) <= value.premium(rounds - 1)));
        }
    }
}
