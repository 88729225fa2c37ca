use core::time::Duration;
use std::collections::VecDeque;

use rtc_core::time::Instant;
use rtc_core::{ConfigError, SeqNum};

use crate::continuity::{Continuity, Run, same_run};

/// Furthest behind the newest a missing packet is waited for: well within half a cycle, so that numbers keep their order.
const MAX_AGE: i16 = 10_000;

/// Settings of a [`NackGenerator`].
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct NackConfig {
    /// A packet is missing for good, not merely overtaken, once this many newer ones came, or [`reorder_time`] passed. 0:
    /// asked for at once, because most paths keep order and an unneeded request costs one retransmission.
    ///
    /// [`reorder_time`]: Self::reorder_time
    pub reorder_packets: u16,
    /// See [`reorder_packets`](Self::reorder_packets). 20 ms: what common Wi-Fi aggregation and multi-path reorder.
    pub reorder_time: Duration,
    /// How long after it was found missing a packet is still of use. Requests end when their answer, a round trip later,
    /// would be too late. 500 ms: more than interactive video can wait.
    pub deadline: Duration,
    /// Round-trip time until [`NackGenerator::set_rtt`]. 100 ms: a guess that repeats too late rather than too early.
    pub rtt: Duration,
    /// A request is repeated after this many round trips. 1.25: a round trip, and a quarter for jitter.
    pub repeat_after: f32,
    /// Least time between requests for one packet. 5 ms: for round trips near zero.
    pub min_interval: Duration,
    /// Most packets waited for at once; the oldest are given up. 1000: half a second at 70 % loss of 3000 packets a second.
    pub max_missing: usize,
}

impl Default for NackConfig {
    fn default() -> Self {
        Self {
            reorder_packets: 0,
            reorder_time: Duration::from_millis(20),
            deadline: Duration::from_millis(500),
            rtt: Duration::from_millis(100),
            repeat_after: 1.25,
            min_interval: Duration::from_millis(5),
            max_missing: 1_000,
        }
    }
}

/// What happened so far: `missing = arrived_late + recovered + expired + overflowed + forgotten + ` those still waited for
/// ([`NackGenerator::missing`]).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct NackStats {
    /// Packets found missing.
    pub missing: u64,
    /// Missing packets that came by themselves, before any request.
    pub arrived_late: u64,
    /// Missing packets that came or were recovered after a request, or were recovered without one.
    pub recovered: u64,
    /// Missing packets given up at their deadline.
    pub expired: u64,
    /// Missing packets given up because there were too many.
    pub overflowed: u64,
    /// Missing packets forgotten because the sender started anew.
    pub forgotten: u64,
    /// Packets asked for, each repetition counted.
    pub requests: u64,
    /// Packets asked for again, part of `requests`.
    pub repeats: u64,
    /// Times a request was put off because error correction may still bring the packet.
    pub put_off: u64,
    /// Packets whose number was far off and not confirmed by the one after.
    pub strays: u64,
}

impl NackStats {
    /// Missing packets that nobody will ask for again: expired or overflowed.
    #[must_use]
    pub const fn given_up(&self) -> u64 {
        self.expired + self.overflowed
    }
}

/// What a packet was to the generator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Arrival {
    /// The newest so far; that many packets before it are missing.
    Newest {
        /// How many.
        missing: u16,
    },
    /// One that was missing.
    Filled,
    /// Neither newer than all others nor missing: a duplicate, or given up before.
    Known,
    /// Far off: ignored unless the next packet follows it.
    Stray,
    /// The sender started anew; what was missing is forgotten.
    Restart,
}

/// Finds out which packets of a stream are missing, and when to ask for them.
///
/// Media timestamps play no part: silence has no gap in sequence numbers. After a stray packet, a number far from all others,
/// the stream is believed to have started anew only if the next one follows (RFC 3550 appendix A.1).
#[derive(Debug)]
pub struct NackGenerator {
    config: NackConfig,
    rtt: Duration,
    /// Least time between requests for one packet.
    interval: Duration,
    newest: Option<SeqNum>,
    continuity: Continuity,
    /// Oldest first. What came is marked, and leaves when it is the oldest.
    list: VecDeque<Missing>,
    waiting: usize,
    /// Packets given up that were told of.
    told: u64,
    stats: NackStats,
}

#[derive(Debug, Clone, Copy)]
struct Missing {
    seq: SeqNum,
    state: State,
    found: Instant,
    /// Not to be asked for before.
    withheld: Instant,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Not asked for.
    Found,
    /// Asked for, last at this time.
    Requested(Instant),
    /// No longer missing.
    Done,
}

impl NackGenerator {
    /// A generator that has seen nothing.
    ///
    /// # Errors
    /// [`ConfigError`] if `max_missing` is zero, or `repeat_after` is negative or not a number.
    pub fn new(config: NackConfig) -> Result<Self, ConfigError> {
        if config.max_missing == 0 {
            return Err(ConfigError::new("max_missing", "must not be zero"));
        }
        if !(0.0..=1_000.0).contains(&config.repeat_after) {
            return Err(ConfigError::new("repeat_after", "must be 0 to 1000"));
        }
        let mut generator = Self {
            config,
            rtt: Duration::ZERO,
            interval: Duration::ZERO,
            newest: None,
            continuity: Continuity::default(),
            list: VecDeque::with_capacity(config.max_missing),
            waiting: 0,
            told: 0,
            stats: NackStats::default(),
        };
        generator.set_rtt(config.rtt);
        Ok(generator)
    }

    /// Takes note of a packet that arrived.
    pub fn insert(&mut self, now: Instant, seq: SeqNum) -> Arrival {
        let Some(newest) = self.newest else {
            self.newest = Some(seq);
            return Arrival::Newest { missing: 0 };
        };
        if let Some(at) = self.find(seq) {
            return self.fill(at, false);
        }
        match self.continuity.check(newest, seq) {
            Run::Same => self.advance(now, newest, seq),
            Run::Stray => {
                self.stats.strays += 1;
                Arrival::Stray
            }
            Run::New => {
                // The stray before was this one's predecessor.
                self.stats.strays -= 1;
                self.stats.forgotten += self.waiting as u64;
                self.list.clear();
                (self.waiting, self.newest) = (0, Some(seq));
                Arrival::Restart
            }
        }
    }

    /// Takes note of a packet that did not arrive but is here: retransmitted (by its original number), or brought back by
    /// error correction.
    pub fn on_recovered(&mut self, now: Instant, seq: SeqNum) -> Arrival {
        if let Some(at) = self.find(seq) {
            return self.fill(at, true);
        }
        match self.newest {
            Some(newest) if same_run(newest, seq) => self.advance(now, newest, seq),
            _ => Arrival::Known,
        }
    }

    /// Does not ask for the missing packet before `until`, because it may still be recovered in another way; false if it is
    /// not missing.
    pub fn withhold(&mut self, seq: SeqNum, until: Instant) -> bool {
        let Some(at) = self.find(seq) else { return false };
        self.list[at].withheld = until;
        true
    }

    /// The packets to ask for now, oldest first; each counts as asked for once it was taken from the iterator.
    ///
    /// Feedback gets lost as well: sending one message twice is safe where the sender does not retransmit twice in a round
    /// trip.
    pub fn poll(&mut self, now: Instant) -> Requests<'_> {
        self.expire(now);
        Requests { generator: self, now, at: 0 }
    }

    /// As [`poll`](Self::poll), but a packet that may come without being asked for, because error correction may still bring it
    /// ([`Outlook::may_come`](crate::ulpfec::Outlook::may_come)), is put off by the least interval, and again until its last
    /// chance: when an answer to a later request would be too late.
    ///
    /// ```
    /// # use rtc_core::time::Instant;
    /// # use rtc_core::SeqNum;
    /// # fn ask(nack: &mut rtc_fec::nack::NackGenerator, fec: &rtc_fec::ulpfec::UlpfecDecoder, now: Instant) -> Vec<SeqNum> {
    /// nack.poll_unless(now, |seq| fec.outlook(seq).may_come()).collect()
    /// # }
    /// ```
    pub fn poll_unless(
        &mut self,
        now: Instant,
        mut may_come: impl FnMut(SeqNum) -> bool,
    ) -> impl Iterator<Item = SeqNum> {
        let later = now + self.config.min_interval.max(Duration::from_millis(1));
        let mut requests = self.poll(now);
        core::iter::from_fn(move || {
            while let Some(at) = requests.next_due() {
                let generator = &mut *requests.generator;
                let missing = &mut generator.list[at];
                let last_chance = later + generator.rtt > missing.found + generator.config.deadline;
                if last_chance || !may_come(missing.seq) {
                    return Some(requests.ask(at));
                }
                missing.withheld = later;
                generator.stats.put_off += 1;
            }
            None
        })
    }

    /// When [`poll`](Self::poll) next has something to ask for or to give up; `None` while nothing is missing.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        let give_up = self.list.front().map(|oldest| oldest.found + self.config.deadline);
        self.list.iter().filter_map(|missing| self.due(missing)).chain(give_up).min()
    }

    /// Sets the round-trip time, which paces repetitions.
    pub fn set_rtt(&mut self, rtt: Duration) {
        let interval = Duration::try_from_secs_f64(rtt.as_secs_f64() * f64::from(self.config.repeat_after));
        self.interval = interval.unwrap_or(Duration::MAX).max(self.config.min_interval);
        self.rtt = rtt;
    }

    /// How many packets were given up since this was asked last, for
    /// [`KeyframeRequester::on_given_up`](crate::keyframe::KeyframeRequester::on_given_up).
    pub fn take_given_up(&mut self) -> u64 {
        let told = core::mem::replace(&mut self.told, self.stats.given_up());
        self.stats.given_up() - told
    }

    /// How many packets are missing and waited for.
    #[must_use]
    pub const fn missing(&self) -> usize {
        self.waiting
    }

    /// What happened so far.
    #[must_use]
    pub const fn stats(&self) -> NackStats {
        self.stats
    }

    fn advance(&mut self, now: Instant, newest: SeqNum, seq: SeqNum) -> Arrival {
        let Ok(ahead @ 1..) = u16::try_from(seq.distance_from(newest)) else {
            return Arrival::Known;
        };
        self.newest = Some(seq);
        self.stats.missing += u64::from(ahead - 1);
        for gap in 1..ahead {
            self.push(Missing { seq: newest + gap, state: State::Found, found: now, withheld: now });
        }
        while self.list.front().is_some_and(|oldest| seq.distance_from(oldest.seq) > MAX_AGE) {
            self.give_up_oldest();
        }
        Arrival::Newest { missing: ahead - 1 }
    }

    fn fill(&mut self, at: usize, recovered: bool) -> Arrival {
        if recovered || self.list[at].state != State::Found {
            self.stats.recovered += 1;
        } else {
            self.stats.arrived_late += 1;
        }
        self.list[at].state = State::Done;
        self.waiting -= 1;
        self.trim();
        Arrival::Filled
    }

    fn push(&mut self, missing: Missing) {
        if self.list.len() == self.config.max_missing {
            self.list.retain(|missing| missing.state != State::Done);
        }
        if self.list.len() == self.config.max_missing {
            self.give_up_oldest();
        }
        self.list.push_back(missing);
        self.waiting += 1;
    }

    fn give_up_oldest(&mut self) {
        if self.list.pop_front().is_some_and(|oldest| oldest.state != State::Done) {
            self.waiting -= 1;
            self.stats.overflowed += 1;
        }
    }

    fn expire(&mut self, now: Instant) {
        while self.list.front().is_some_and(|oldest| oldest.found + self.config.deadline <= now) {
            if self.list.pop_front().is_some_and(|oldest| oldest.state != State::Done) {
                self.waiting -= 1;
                self.stats.expired += 1;
            }
        }
        self.trim();
    }

    /// Lets go of what is done at the front.
    fn trim(&mut self) {
        while self.list.front().is_some_and(|oldest| oldest.state == State::Done) {
            self.list.pop_front();
        }
    }

    /// Where the missing packet is in the list.
    fn find(&self, seq: SeqNum) -> Option<usize> {
        let at = self.list.partition_point(|missing| seq.is_newer_than(missing.seq));
        self.list.get(at).is_some_and(|missing| missing.seq == seq && missing.state != State::Done).then_some(at)
    }

    /// When to ask for the packet; `None` if the answer could not be here by the deadline.
    fn due(&self, missing: &Missing) -> Option<Instant> {
        let wanted = match missing.state {
            State::Done => return None,
            State::Found if self.overtaken(missing.seq) => missing.found,
            State::Found => missing.found + self.config.reorder_time,
            State::Requested(last) => last + self.interval,
        };
        let due = wanted.max(missing.withheld);
        (due + self.rtt <= missing.found + self.config.deadline).then_some(due)
    }

    fn overtaken(&self, seq: SeqNum) -> bool {
        let newer = self.newest.map_or(0, |newest| newest.distance_from(seq));
        u16::try_from(newer).is_ok_and(|newer| newer > self.config.reorder_packets)
    }
}

/// Iterator over the packets to ask for.
#[derive(Debug)]
pub struct Requests<'a> {
    generator: &'a mut NackGenerator,
    now: Instant,
    at: usize,
}

impl Requests<'_> {
    /// The place of the next packet to ask for.
    fn next_due(&mut self) -> Option<usize> {
        loop {
            let missing = self.generator.list.get(self.at)?;
            self.at += 1;
            if self.generator.due(missing).is_some_and(|due| due <= self.now) {
                return Some(self.at - 1);
            }
        }
    }

    /// Takes the packet at this place as asked for.
    fn ask(&mut self, at: usize) -> SeqNum {
        let NackGenerator { list, stats, .. } = &mut *self.generator;
        stats.requests += 1;
        stats.repeats += u64::from(list[at].state != State::Found);
        list[at].state = State::Requested(self.now);
        list[at].seq
    }
}

impl Iterator for Requests<'_> {
    type Item = SeqNum;

    fn next(&mut self) -> Option<SeqNum> {
        let at = self.next_due()?;
        Some(self.ask(at))
    }
}
