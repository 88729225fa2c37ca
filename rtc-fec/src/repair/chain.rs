//! What is likely to become of packets whose repair is shared.
//!
//! Packets are in groups, each with one deadline, in the order of these. A repair packet covers all that is unknown from the
//! oldest group to some other, so that groups 0 to g can be solved once as many packets about them arrived as are missing.
//! The number still needed after group g follows a recursion like that of a queue (D. V. Lindley 1952):
//!
//! ```text
//! need(g) = max(0, need(g - 1) + missing(g) - repair packets that end at g)
//! ```
//!
//! in which packets in the air count with the probability that they arrive. A group is whole if nothing of it is missing, or if
//! the need is zero after it or after any later one.

use super::losses::Losses;

/// Groups looked at together.
pub(super) const MAX_GROUPS: usize = 16;
/// Copies in the air of one packet that are told apart.
pub(super) const MAX_AIR: usize = 8;
/// Highest need that is told apart.
const MAX_NEED: usize = 96;

/// What is needed is a little cheaper now than later, so that it is sent early where none of it can be wasted.
const EARLY: f64 = 1.01;

type Distribution = [f64; MAX_NEED + 1];

/// A group of packets with one deadline.
#[derive(Debug, Clone, Copy)]
pub(super) struct Group {
    /// Packets not known to have arrived, by how many copies of them are in the air.
    pub(super) unknown: [u16; MAX_AIR + 1],
    /// Repair packets that arrived and end here.
    pub(super) held: u16,
    /// Repair packets in the air that end here.
    pub(super) coded: u16,
    /// What it costs if this group is not whole after all in the air has landed.
    pub(super) premium: f64,
    /// Most of the need that stays for the groups after this one: where packets are given up, as many as there are repair packets
    /// over these and later ones, each of which it may take to leave one out. New ones do not cover what is given up.
    pub(super) carry: u16,
}

impl Default for Group {
    fn default() -> Self {
        Self { unknown: [0; MAX_AIR + 1], held: 0, coded: 0, premium: 0.0, carry: u16::MAX }
    }
}

impl Group {
    pub(super) fn missing(&self) -> u16 {
        self.unknown.iter().sum()
    }

    /// A copy more in the air of the packet that has the fewest; whether there is one to be sent.
    pub(super) fn launch_copy(&mut self) -> bool {
        let Some(fewest) = self.unknown[..MAX_AIR].iter().position(|count| *count > 0) else { return false };
        self.unknown[fewest] -= 1;
        self.unknown[fewest + 1] += 1;
        true
    }
}

/// Working memory for [`cost`](Chain::cost).
#[derive(Debug, Clone)]
pub(super) struct Chain {
    losses: Losses,
    before: Box<[Distribution; MAX_GROUPS]>,
}

impl Chain {
    pub(super) fn new() -> Self {
        Self { losses: Losses::random(0.0), before: Box::new([[0.0; MAX_NEED + 1]; MAX_GROUPS]) }
    }

    pub(super) fn set_losses(&mut self, losses: Losses) {
        self.losses = losses;
    }

    /// The cost to go, in packets: what is needed will be sent until it arrives, and for groups that are not whole by then their
    /// premium is paid.
    pub(super) fn cost(&mut self, groups: &[Group]) -> f64 {
        let groups = &groups[..groups.len().min(MAX_GROUPS)];
        self.fill(groups, |_, _| ())
    }

    /// The probability of each group that it is not whole after all in the air has landed.
    pub(super) fn risks(&mut self, groups: &[Group], mut each: impl FnMut(usize, f64)) {
        let groups = &groups[..groups.len().min(MAX_GROUPS)];
        self.fill(groups, &mut each);
    }

    fn fill(&mut self, groups: &[Group], mut each: impl FnMut(usize, f64)) -> f64 {
        // No more can be needed than is missing.
        let most = groups.iter().map(|group| usize::from(group.missing())).sum::<usize>().min(MAX_NEED);
        let mut need = [0.0; MAX_NEED + 1];
        let need = &mut need[..=most];
        need[0] = 1.0;
        for (group, before) in groups.iter().zip(self.before.iter_mut()) {
            before[..=most].copy_from_slice(need);
            add_missing(need, group, self.losses);
            take(need, group, self.losses.loss);
            cap(need, group);
        }
        let mut cost =
            need.iter().zip(0_u32..).map(|(p, n)| p * f64::from(n)).sum::<f64>() * EARLY / (1.0 - self.losses.loss);
        // The probability that the need never becomes zero from here on, by the need so far.
        let mut never = [1.0; MAX_NEED + 1];
        let never = &mut never[..=most];
        for (index, (group, before)) in groups.iter().zip(self.before.iter()).enumerate().rev() {
            never[0] = 0.0;
            uncap(never, group);
            untake(never, group, self.losses.loss);
            let risk = not_whole(group, &before[..=most], never, self.losses);
            each(index, risk);
            cost += group.premium * risk;
            unadd(never, group, self.losses);
        }
        cost
    }
}

/// The probability that something of `group` is missing, and stays so: `never` by the need with what is missing.
fn not_whole(group: &Group, before: &[f64], never: &[f64], losses: Losses) -> f64 {
    let mut all = [0.0; MAX_NEED + 1];
    let all = &mut all[..before.len()];
    all.copy_from_slice(before);
    add_missing(all, group, losses);
    let stays = |need: &[f64]| need.iter().zip(never).map(|(p, q)| p * q).sum::<f64>();
    if group.unknown[0] > 0 {
        return stays(all);
    }
    let none_missing: f64 =
        (1_i32..).zip(&group.unknown[1..]).map(|(air, n)| (1.0 - losses.all(air)).powi((*n).into())).product();
    (stays(all) - none_missing * stays(before)).max(0.0)
}

/// Adds the missing packets of the group to the need.
fn add_missing(need: &mut [f64], group: &Group, losses: Losses) {
    for (air, count) in (0_i32..).zip(group.unknown) {
        let missing = losses.all(air);
        for _ in 0..count {
            for n in (1..need.len()).rev() {
                // What cannot be told apart counts as the most.
                let full = if n + 1 == need.len() { need[n] * missing } else { 0.0 };
                need[n] = need[n] * (1.0 - missing) + need[n - 1] * missing + full;
            }
            if need.len() > 1 {
                need[0] *= 1.0 - missing;
            }
        }
    }
}

/// Takes the repair packets that end at the group from the need.
fn take(need: &mut [f64], group: &Group, loss: f64) {
    let arrives = (0..group.held).map(|_| 1.0).chain((0..group.coded).map(|_| 1.0 - loss));
    for arrives in arrives {
        for n in 0..need.len() {
            let stays = if n == 0 { 1.0 } else { 1.0 - arrives };
            let falls = need.get(n + 1).map_or(0.0, |above| above * arrives);
            need[n] = need[n] * stays + falls;
        }
    }
}

/// Drops what of the need is not carried on.
fn cap(need: &mut [f64], group: &Group) {
    if let Some((most, above)) = need.get_mut(usize::from(group.carry)..).and_then(<[f64]>::split_first_mut) {
        *most += above.iter().sum::<f64>();
        above.fill(0.0);
    }
}

/// A function of the need after [`cap`] as one of the need before.
fn uncap(function: &mut [f64], group: &Group) {
    if let Some((most, above)) = function.get_mut(usize::from(group.carry)..).and_then(<[f64]>::split_first_mut) {
        above.fill(*most);
    }
}

/// A function of the need after [`take`] as one of the need before.
fn untake(function: &mut [f64], group: &Group, loss: f64) {
    let arrives = (0..group.held).map(|_| 1.0).chain((0..group.coded).map(|_| 1.0 - loss));
    for arrives in arrives {
        for n in (1..function.len()).rev() {
            function[n] = function[n] * (1.0 - arrives) + function[n - 1] * arrives;
        }
    }
}

/// A function of the need after [`add_missing`] as one of the need before.
fn unadd(function: &mut [f64], group: &Group, losses: Losses) {
    for (air, count) in (0_i32..).zip(group.unknown) {
        let missing = losses.all(air);
        for _ in 0..count {
            for n in 0..function.len() - 1 {
                function[n] = function[n] * (1.0 - missing) + function[n + 1] * missing;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn group(unknown: &[u16], held: u16, coded: u16) -> Group {
        let mut group = Group { held, coded, premium: 1.0, ..Group::default() };
        group.unknown[..unknown.len()].copy_from_slice(unknown);
        group
    }

    /// Of the cost, what is due to groups that are not whole.
    fn risk(groups: &[Group], loss: f64) -> f64 {
        let mut chain = Chain::new();
        chain.set_losses(Losses::random(loss));
        let free: Vec<_> = groups.iter().map(|group| Group { premium: 0.0, ..*group }).collect();
        chain.cost(groups) - chain.cost(&free)
    }

    #[test]
    fn copies_of_a_packet_are_all_lost_or_it_is_whole() {
        for (air, risk_of_air) in [(0, 1.0), (1, 0.7), (2, 0.49), (3, 0.343)] {
            let mut unknown = [0; 4];
            unknown[air] = 1;
            assert!((risk(&[group(&unknown, 0, 0)], 0.7) - risk_of_air).abs() < 1e-12);
        }
    }

    /// Two lost and three repair packets in the air: at least two must arrive.
    #[test]
    fn repair_is_as_good_as_how_much_arrives() {
        let expected = 0.5_f64.powi(3) + 3.0 * 0.5_f64.powi(3);
        assert!((risk(&[group(&[2], 0, 3)], 0.5) - expected).abs() < 1e-12);
        assert!((risk(&[group(&[2], 1, 1)], 0.5) - 0.5).abs() < 1e-12);
        assert!(risk(&[group(&[2], 2, 0)], 0.5).abs() < 1e-12);
    }

    /// A repair packet over both, and one of two lost for sure: both are whole if it and the packet in the air arrive, and the
    /// second also by that alone.
    #[test]
    fn later_groups_are_part_of_what_repair_covers() {
        let groups = [group(&[1], 0, 0), group(&[0, 1], 0, 1)];
        let both = 0.25;
        let second = 0.5;
        assert!((risk(&groups, 0.5) - ((1.0 - both) + (1.0 - second))).abs() < 1e-12);
    }

    /// One is given up, and no repair packet is over it: a new one over the next does not have to solve it. With one over both, it
    /// takes that one.
    #[test]
    fn what_is_given_up_is_not_needed() {
        let given_up = |carry| Group { premium: 0.0, carry, ..group(&[1], 0, 0) };
        let next = |held, coded| group(&[1], held, coded);
        assert!((risk(&[given_up(0), next(0, 1)], 0.5) - 0.5).abs() < 1e-12);
        assert!((risk(&[given_up(1), next(1, 1)], 0.5) - 0.5).abs() < 1e-12);
        assert!((risk(&[given_up(u16::MAX), next(0, 1)], 0.5) - 1.0).abs() < 1e-12);
    }

    #[test]
    fn what_is_needed_is_paid_until_it_arrives() {
        let mut chain = Chain::new();
        chain.set_losses(Losses::random(0.5));
        let lost = Group { premium: 0.0, ..group(&[3], 1, 0) };
        assert!((chain.cost(&[lost]) - 4.0 * EARLY).abs() < 1e-12);
    }

    #[test]
    fn a_copy_goes_to_the_packet_with_the_fewest_in_the_air() {
        let mut one = group(&[0, 2, 1], 0, 0);
        assert!(one.launch_copy());
        assert_eq!(one.unknown[..4], [0, 1, 2, 0]);
        assert!(!group(&[], 0, 0).launch_copy());
    }
}
