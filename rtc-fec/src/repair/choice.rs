//! What is worth sending now.

use core::time::Duration;

use rtc_core::SeqNum;
use rtc_core::time::Instant;

use super::chain::{Group, MAX_AIR, MAX_GROUPS};
use super::{Carried, MAX_COVERED, RepairScheduler, Tracked};

/// Gains smaller than this are rounding.
const LEAST_GAIN: f64 = 1e-9;

/// Groups looked at together, and where they are among the packets tracked.
struct Pool {
    groups: [Group; MAX_GROUPS],
    /// One past the last packet of each group.
    ends: [usize; MAX_GROUPS],
    len: usize,
    /// The first packet.
    first: usize,
    /// The first packet that is not given up.
    live: usize,
    /// Repair packets that arrived over both what is given up and what is not.
    astride: u16,
}

impl RepairScheduler {
    /// The repair with the greatest gain: by how much it lowers the cost to go, less what it costs itself.
    pub(super) fn choose(&mut self, now: Instant) -> Option<Carried> {
        let (mut best, mut first) = (None, 0);
        while first < self.tracked.len() {
            let pool = self.pool(now, first);
            first = pool.ends[pool.len - 1];
            if let Some((gain, carried)) = self.choose_in(&pool)
                && best.is_none_or(|(most, _)| gain > most)
            {
                best = Some((gain, carried));
            }
        }
        best.map(|(_, carried)| carried)
    }

    fn choose_in(&mut self, pool: &Pool) -> Option<(f64, Carried)> {
        let groups = &pool.groups[..pool.len];
        if groups.iter().all(|group| group.premium <= 0.0) {
            return None;
        }
        let before = self.chain.cost(groups);
        let mut best = None;
        let mut offer = |gain: f64, carried| {
            if gain > LEAST_GAIN && best.is_none_or(|(most, _)| gain > most) {
                best = Some((gain, carried));
            }
        };
        let mut changed = pool.groups;
        for at in 0..pool.len {
            if changed[at].premium > 0.0 && changed[at].launch_copy() {
                let gain = before - self.chain.cost(&changed[..pool.len]) - 1.0;
                offer(gain, Carried::Copy(self.least_in_air(pool, at)));
            }
            changed[at] = pool.groups[at];
            // What is given up is not to be solved with the rest.
            let covered = pool.ends[at].saturating_sub(pool.live);
            if covered > 1 {
                changed[at].coded += 1;
                let gain = before - self.chain.cost(&changed[..pool.len]) - self.config.coded_cost;
                let first = self.tracked[pool.ends[at] - covered.min(MAX_COVERED)].seq;
                offer(gain, Carried::Coded { first, last: self.tracked[pool.ends[at] - 1].seq });
                changed[at] = pool.groups[at];
            }
        }
        best
    }

    /// Of the packets of a group, the one with the fewest copies in the air.
    fn least_in_air(&self, pool: &Pool, group: usize) -> SeqNum {
        let first = if group == 0 { pool.first } else { pool.ends[group - 1] };
        let packets = self.tracked.range(first..pool.ends[group]);
        packets.min_by_key(|packet| packet.air).map_or(SeqNum(0), |packet| packet.seq)
    }

    /// The groups from this packet on that are looked at together.
    fn pool(&self, now: Instant, first: usize) -> Pool {
        let (groups, ends) = ([Group::default(); MAX_GROUPS], [first; MAX_GROUPS]);
        let mut pool = Pool { groups, ends, len: 0, first, live: first, astride: 0 };
        let mut deadline = None;
        for (at, packet) in self.tracked.iter().enumerate().skip(first) {
            if deadline != Some(packet.deadline) {
                if pool.len == self.config.pool {
                    break;
                }
                deadline = Some(packet.deadline);
                pool.len += 1;
                pool.groups[pool.len - 1].premium = self.premium_of(now, packet);
            }
            pool.groups[pool.len - 1].unknown[usize::from(packet.air).min(MAX_AIR)] += 1;
            pool.ends[pool.len - 1] = at + 1;
            if packet.over {
                pool.live = at + 1;
            }
        }
        self.add_coded(&mut pool);
        pool
    }

    /// Adds the repair packets over more than one packet that are not lost.
    fn add_coded(&self, pool: &mut Pool) {
        // Packets of one deadline are given up together, the oldest first.
        let given_up = pool.ends[..pool.len].iter().position(|end| *end == pool.live);
        let given_up = given_up.map(|group| (group, self.tracked[pool.live - 1].seq));
        let mut carry = 0;
        for (first, last, held) in self.flights.coded() {
            let Some(end) = self.end_of(pool, first, last) else { continue };
            if given_up.is_some_and(|(group, seq)| end > group && !first.is_newer_than(seq)) {
                carry += 1;
                pool.astride += u16::from(held);
            }
            let group = &mut pool.groups[end];
            *(if held { &mut group.held } else { &mut group.coded }) += 1;
        }
        if let Some((group, _)) = given_up {
            pool.groups[group].carry = carry;
        }
    }

    /// The group that a repair packet ends at: that of the newest unknown packet it covers.
    fn end_of(&self, pool: &Pool, first: SeqNum, last: SeqNum) -> Option<usize> {
        let end = match self.position(last) {
            Ok(at) => at,
            Err(at) => at.checked_sub(1)?,
        };
        if end < pool.first || first.is_newer_than(self.tracked[end].seq) {
            return None;
        }
        pool.ends[..pool.len].iter().position(|one_past| end < *one_past)
    }

    /// What it costs if this packet does not arrive by what is in the air, beyond its repair.
    fn premium_of(&self, now: Instant, packet: &Tracked) -> f64 {
        if packet.over {
            return 0.0;
        }
        let (last, round) = (self.last_chance(packet), self.path.round());
        let value = if packet.covered { &self.covered_value } else { &self.value };
        // The last round begins somewhere within the round, on average in its middle.
        let rounds = last.saturating_since(now).as_secs_f64() / round.as_secs_f64().max(1e-3) - 0.5;
        if self.config.pool > 1 {
            return value.shared_premium_at(rounds);
        }
        // Word of what is in the air already comes sooner than of what is sent now: if in time, there is a round more. Where groups
        // share repair packets, what one turns out not to need is not in vain, and not worth waiting for.
        let word = packet.sent + round;
        let is_awaited = packet.air > 0 && now < word && word <= last;
        value.premium_at(if is_awaited { rounds.max(1.0) } else { rounds })
    }

    /// Takes as delivered what the repair packets that arrived solve.
    pub(super) fn settle(&mut self, now: Instant) {
        let mut first = 0;
        while first < self.tracked.len() {
            let pool = self.pool(now, first);
            let (mut need, mut from, mut solved) = (0_i32, first, first);
            for (group, end) in pool.groups[..pool.len].iter().zip(pool.ends) {
                need = (need + i32::from(group.missing()) - i32::from(group.held)).max(0);
                if end == pool.live && need > i32::from(pool.astride) {
                    // There are too few over what is given up to solve it; those there are must leave it out.
                    (need, from, solved) = (pool.astride.into(), end, end);
                } else if need == 0 {
                    solved = end;
                }
            }
            let known = solved - from;
            (0..known).for_each(|_| self.arrived(now, from));
            first = pool.ends[pool.len - 1] - known;
        }
    }

    /// Gives up what is too late: it is kept as long as repair packets over it may still be of use for others.
    pub(super) fn expire(&mut self, now: Instant) {
        let round = self.path.round();
        if self.tracked.iter().any(|packet| !packet.over && self.last_chance(packet) < now) {
            self.account(now);
        }
        let mut at = 0;
        while let Some(packet) = self.tracked.get(at).filter(|packet| packet.over) {
            let (seq, last) = (packet.seq, self.last_chance(packet));
            let kept = now <= last + round
                || (now <= packet.deadline + 2 * round.max(self.config.margin * 30) && self.flights.about(seq));
            if kept {
                at += 1;
                continue;
            }
            let packet = *packet;
            self.tracked.remove(at);
            self.flights.spend(seq);
            self.stats.missed += 1;
            self.broken(&packet);
        }
        let oldest = self.tracked.front().map_or(now, |packet| packet.deadline.min(now));
        self.flights.forget_before(oldest - round * 4 - Duration::from_secs(1));
    }

    /// Marks what has had its last chance, and adds up its risk.
    fn account(&mut self, now: Instant) {
        let mut first = 0;
        while first < self.tracked.len() {
            let pool = self.pool(now, first);
            let mut risks = [0.0; MAX_GROUPS];
            self.chain.risks(&pool.groups[..pool.len], |group, risk| risks[group] = risk);
            for (end, risk) in pool.ends[..pool.len].iter().zip(risks) {
                // All of a group have the same last chance.
                if !self.tracked[first].over && self.last_chance(&self.tracked[first]) < now {
                    self.tracked.range_mut(first..*end).for_each(|packet| packet.over = true);
                    self.stats.expected_broken += risk;
                }
                first = *end;
            }
        }
    }
}
