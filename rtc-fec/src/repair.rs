//! Repair that is driven by the sender, from what feedback says has arrived.
//!
//! Where much is lost, requests fail: a gap is seen by the next packet, which is lost as well, and so is the request. Here the
//! receiver only repeats which packets arrived (transport-wide feedback, RFC 8888), and the sender decides. A
//! [`RepairScheduler`] knows what was sent, what of it is in the air, and how long feedback takes; each time it is asked it says
//! which repair is worth its bandwidth now, and leaves for later what can still wait for the next feedback.
//!
//! It handles numbers, not bytes: copies come from an [`RtxHistory`](crate::rtx::RtxHistory), coded repair from
//! [`RlcEncoder::repair_over`](crate::rlc::RlcEncoder::repair_over).
//!
//! ```
//! use core::time::Duration;
//! use rtc_core::SeqNum;
//! use rtc_core::time::Instant;
//! use rtc_fec::loss::LossModel;
//! use rtc_fec::repair::{Carried, RepairConfig, RepairScheduler};
//!
//! let mut scheduler = RepairScheduler::new(RepairConfig::default())?;
//! scheduler.set_path(LossModel::random(0.5, Duration::from_millis(40)));
//! let now = Instant::from_millis(1_000);
//! scheduler.on_media(now, SeqNum(7), now + Duration::from_millis(300));
//! scheduler.on_sent(now, 100, Carried::Media(SeqNum(7)));
//! // In the air: there is time to learn what became of it.
//! assert_eq!(scheduler.poll(now), None);
//! // Feedback came back, but it does not speak of packet 100.
//! let later = now + Duration::from_millis(70);
//! scheduler.on_feedback(later, &[]);
//! assert_eq!(scheduler.poll(later), Some(Carried::Copy(SeqNum(7))));
//! # Ok::<(), rtc_core::ConfigError>(())
//! ```

use core::time::Duration;
use std::collections::VecDeque;

use rtc_core::bwe::PacketResult;
use rtc_core::time::Instant;
use rtc_core::{ConfigError, SeqNum};

use crate::loss::LossModel;

mod chain;
mod choice;
mod config;
mod flights;
mod losses;
#[cfg(test)]
mod tests;
mod value;

use chain::Chain;
pub use config::{RepairConfig, RepairStats};
use flights::{Fate, Flights};
pub(crate) use losses::Losses;
use value::Value;
pub(crate) use value::outlook;

/// Most packets one coded repair packet covers.
const MAX_COVERED: usize = crate::rlc::MAX_WINDOW;
/// By how much a missed group raises the premium.
const RAISE: f64 = 0.03;
/// What is aimed at, of the residual that is allowed.
const AIM: f64 = 0.9;
/// Loss has to change by this for the schedule to be computed anew.
const LOSS_STEP: f64 = 0.005;

/// What a packet carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Carried {
    /// A packet of media, for the first time.
    Media(SeqNum),
    /// It again.
    Copy(SeqNum),
    /// A sum of all packets from `first` to `last` that are not known to have arrived: those that
    /// [`RepairScheduler::unknown`] names.
    Coded {
        /// The oldest.
        first: SeqNum,
        /// The newest.
        last: SeqNum,
    },
}

/// A packet not known to have arrived.
#[derive(Debug, Clone, Copy)]
struct Tracked {
    seq: SeqNum,
    /// When it must be there. Packets of one deadline are one group.
    deadline: Instant,
    /// Copies of it in the air.
    air: u8,
    /// When the first of them left.
    sent: Instant,
    /// Whether its last chance is over, and its risk accounted for.
    over: bool,
    /// Whether packets behind it tell what is in it as well.
    covered: bool,
}

/// Decides what to send again, and when.
///
/// For packets of one kind: what shares a residual, such as the voice, or one layer of a video. Packets that share a deadline
/// are a group, which is of use as a whole.
#[derive(Debug, Clone)]
pub struct RepairScheduler {
    config: RepairConfig,
    path: LossModel,
    value: Value,
    /// The same of packets that redundancy covers.
    covered_value: Value,
    /// What a missed group is taken to cost above its repair, in packets; follows the residual.
    premium: f64,
    tracked: VecDeque<Tracked>,
    flights: Flights,
    chain: Chain,
    /// Repair packets that may be sent for each packet of media, and those saved up.
    budget: Option<f64>,
    saved: f64,
    /// The deadline of the last group that was missed.
    last_broken: Option<Instant>,
    stats: RepairStats,
}

impl RepairScheduler {
    /// A scheduler that has seen nothing.
    ///
    /// # Errors
    /// [`ConfigError`] if a setting is out of its range.
    pub fn new(config: RepairConfig) -> Result<Self, ConfigError> {
        config.check()?;
        let path = LossModel::random(0.1, Duration::from_millis(100));
        let premium = config.first_premium;
        let mut chain = Chain::new();
        let losses = losses_on(&path);
        chain.set_losses(losses);
        Ok(Self {
            value: Value::new(losses, premium),
            covered_value: Value::new(losses, premium * config.covered_worth),
            path,
            premium,
            tracked: VecDeque::with_capacity(config.max_packets),
            flights: Flights::new(config.max_packets.saturating_mul(4)),
            chain,
            budget: None,
            saved: 0.0,
            last_broken: None,
            stats: RepairStats::default(),
            config,
        })
    }

    /// Takes note of a packet of media about to be sent, which is of use until `deadline`. In order of sequence numbers.
    pub fn on_media(&mut self, now: Instant, seq: SeqNum, deadline: Instant) {
        self.stats.media += 1;
        if let Some(budget) = self.budget {
            self.saved = (self.saved + budget).min(self.config.burst);
        }
        let newest = self.tracked.back();
        if newest.is_some_and(|newest| !seq.is_newer_than(newest.seq) || deadline < newest.deadline) {
            // Numbers or deadlines that go back: a sender that began anew.
            self.stats.forgotten += self.tracked.len() as u64;
            self.tracked.clear();
        }
        if self.tracked.len() == self.config.max_packets {
            self.stats.forgotten += 1;
            self.tracked.pop_front();
        }
        self.tracked.push_back(Tracked { seq, deadline, air: 1, sent: now, over: false, covered: false });
        self.flights.push(now, Carried::Media(seq));
    }

    /// Takes note of a packet that left, by its transport-wide number ([`SentPacket::id`](rtc_core::bwe::SentPacket::id)):
    /// of media, or what [`poll`](Self::poll) gave.
    pub fn on_sent(&mut self, now: Instant, id: u64, carried: Carried) {
        if !self.flights.leave(now, id, carried) {
            self.stats.unknown += 1;
        }
    }

    /// Takes the fate of packets. To be called for every feedback, also one that tells nothing new: what left so long ago
    /// that it should be in it, and is not, is lost.
    pub fn on_feedback(&mut self, now: Instant, results: &[PacketResult]) {
        for result in results {
            let fate = if result.received.is_some() { Fate::Arrived } else { Fate::Lost };
            match self.flights.settle(result.packet.id, fate) {
                Some((carried, before)) => self.landed(now, carried, before, fate),
                None => self.stats.unknown += 1,
            }
        }
        // Nothing to spare: what was only late is taken for arrived when word of it comes.
        let then = now - (self.path.rtt + self.path.jitter);
        while let Some(carried) = self.flights.lose_until(then) {
            self.landed(now, carried, Fate::Air, Fate::Lost);
        }
        self.settle(now);
        self.expire(now);
    }

    /// Takes note that the receiver has a packet by other means: a copy inside a packet that arrived, or an answer to a request.
    pub fn on_covered(&mut self, now: Instant, seq: SeqNum) {
        if let Ok(at) = self.position(seq) {
            self.arrived(now, at);
        }
    }

    /// Takes note that redundancy inside packets behind this one tells what is in it, in less quality
    /// ([`RepairConfig::covered_worth`]): what the budget does not give to all then goes to those that nothing else tells.
    pub fn on_redundant(&mut self, seq: SeqNum) {
        if let Ok(at) = self.position(seq) {
            self.tracked[at].covered = true;
        }
    }

    /// Takes the path as it is now.
    pub fn set_path(&mut self, path: LossModel) {
        let (new, old) = (losses_on(&path), self.value.losses());
        let changed = (new.loss - old.loss).abs().max((new.again - old.again).abs()) > LOSS_STEP;
        self.path = path;
        if changed {
            self.reprice();
        }
    }

    /// Limits repair to so many packets per packet of media, on average; `None`, which is how it begins, for no limit.
    pub fn set_budget(&mut self, budget: Option<f64>) {
        self.budget = budget.map(|budget| budget.max(0.0));
        self.saved = self.saved.min(self.config.burst);
    }

    /// The next repair worth sending now; ask until there is none. It counts as sent: give it to the network, and tell
    /// [`on_sent`](Self::on_sent) when it leaves.
    pub fn poll(&mut self, now: Instant) -> Option<Carried> {
        self.expire(now);
        if self.budget.is_some() && self.saved < 1.0 {
            return None;
        }
        let carried = self.choose(now)?;
        match carried {
            Carried::Copy(seq) | Carried::Media(seq) => {
                self.stats.copies += 1;
                if let Ok(at) = self.position(seq) {
                    let packet = &mut self.tracked[at];
                    packet.sent = if packet.air == 0 { now } else { packet.sent };
                    packet.air = packet.air.saturating_add(1);
                }
            }
            Carried::Coded { .. } => self.stats.coded += 1,
        }
        if self.budget.is_some() {
            self.saved -= 1.0;
        }
        self.flights.push(now, carried);
        Some(carried)
    }

    /// When [`poll`](Self::poll) may have something without anything else happening: as deadlines come nearer, a quarter of a
    /// feedback round at a time.
    #[must_use]
    pub fn poll_timeout(&self, now: Instant) -> Option<Instant> {
        let step = (self.path.round() / 4).max(Duration::from_millis(1));
        let waits = self.tracked.iter().filter(|packet| !packet.over).filter_map(|packet| {
            let left = self.last_chance(packet).saturating_since(now);
            let rest = Duration::from_nanos(u64::try_from(left.as_nanos() % step.as_nanos()).unwrap_or(0));
            (left > Duration::ZERO).then(|| now + rest + Duration::from_nanos(1))
        });
        waits.min()
    }

    /// The packets that a repair packet is to cover.
    pub fn unknown(&self, carried: Carried) -> impl Iterator<Item = SeqNum> + '_ {
        let (first, last) = match carried {
            Carried::Media(seq) | Carried::Copy(seq) => (seq, seq),
            Carried::Coded { first, last } => (first, last),
        };
        let within = move |seq: &SeqNum| !first.is_newer_than(*seq) && !seq.is_newer_than(last);
        self.tracked.iter().map(|packet| packet.seq).filter(within)
    }

    /// Copies that would be sent of a lost packet by repetition alone: now, after one feedback round, and so on to its
    /// deadline, `rounds` from now. For whoever wants to see the schedule.
    pub fn schedule(&self, rounds: usize) -> impl Iterator<Item = u32> + '_ {
        (1..=rounds).rev().map(|left| self.value.copies(left))
    }

    /// How many packets of media are not known to have arrived, and not given up.
    #[must_use]
    pub fn in_doubt(&self) -> usize {
        self.tracked.len()
    }

    /// What happened so far.
    #[must_use]
    pub const fn stats(&self) -> RepairStats {
        self.stats
    }

    /// When a repair of this packet must leave at the latest.
    fn last_chance(&self, packet: &Tracked) -> Instant {
        let way = self.path.rtt / 2 + self.path.jitter + self.config.margin;
        packet.deadline - way
    }

    fn position(&self, seq: SeqNum) -> Result<usize, usize> {
        self.tracked.binary_search_by(|packet| packet.seq.distance_from(seq).cmp(&0))
    }

    /// A packet's fate changed.
    fn landed(&mut self, now: Instant, carried: Carried, before: Fate, fate: Fate) {
        let (Carried::Media(seq) | Carried::Copy(seq)) = carried else { return };
        let Ok(at) = self.position(seq) else {
            self.stats.wasted +=
                u64::from(fate == Fate::Arrived && before != Fate::Arrived && carried == Carried::Copy(seq));
            return;
        };
        if before == Fate::Air {
            self.tracked[at].air = self.tracked[at].air.saturating_sub(1);
        }
        if fate == Fate::Arrived {
            self.arrived(now, at);
        }
    }

    /// The packet at this place is known to be there.
    fn arrived(&mut self, now: Instant, at: usize) {
        let Some(packet) = self.tracked.remove(at) else { return };
        // Word of what arrived in time comes a round after the last chance at the latest.
        if now > self.last_chance(&packet) + self.path.round() + self.config.margin {
            self.stats.missed += 1;
            self.broken(&packet);
            return;
        }
        self.stats.delivered += 1;
        let same = |at: Option<&Tracked>| at.is_some_and(|other| other.deadline == packet.deadline);
        let others =
            same(self.tracked.get(at)) || at.checked_sub(1).is_some_and(|before| same(self.tracked.get(before)));
        if !others && self.last_broken != Some(packet.deadline) {
            self.stats.groups_whole += 1;
            self.set_premium(self.premium * (1.0 - RAISE * AIM * self.config.residual));
        }
    }

    /// What it is worth to bring this packet back, of one that nothing else tells of.
    fn worth(&self, packet: &Tracked) -> f64 {
        if packet.covered { self.config.covered_worth } else { 1.0 }
    }

    /// The group of this packet will not be whole in time.
    fn broken(&mut self, packet: &Tracked) {
        if self.last_broken.replace(packet.deadline) != Some(packet.deadline) {
            self.stats.groups_broken += 1;
            self.set_premium(self.premium * (1.0 + RAISE * self.worth(packet)));
        }
    }

    fn set_premium(&mut self, premium: f64) {
        // The last copy of a packet is worth the price times what the residual allows (`Value`): less can be missing only for more.
        let most = (0.6 / self.config.residual).max(60.0) / (1.0 - self.path.loss);
        self.premium = premium.clamp(0.05, most);
        // The value of a packet follows where it has changed enough to matter.
        if !(0.9..1.1).contains(&(self.premium / self.value.premium(0).max(1e-9))) {
            self.reprice();
        }
    }

    fn reprice(&mut self) {
        let losses = losses_on(&self.path);
        self.value = Value::new(losses, self.premium);
        self.covered_value = Value::new(losses, self.premium * self.config.covered_worth);
        self.chain.set_losses(losses);
    }
}

fn losses_on(path: &LossModel) -> Losses {
    Losses { loss: path.loss, again: path.again() }
}
