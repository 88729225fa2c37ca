//! RTCP timing of whole sessions in virtual time: members that hear each other, join and leave (RFC 3550 §6.2, §6.3, A.7).

#![expect(clippy::unwrap_used, reason = "a test ends at the first surprise")]

use core::cmp::Reverse;
use core::time::Duration;
use std::collections::BinaryHeap;

use rtc_core::time::Instant;
use rtc_core::{Bitrate, DataSize};
use rtc_transport::schedule::{Membership, Profile, RtcpScheduler, SchedulerConfig, Slot};

/// RTCP has 5 % of a session of 2 Mb/s.
const RTCP: Bitrate = Bitrate::from_kbps(100);
const SESSION_BPS: f64 = 2_000_000.0;
const SIZE: DataSize = DataSize::from_bytes(128);
/// A goodbye alone.
const BYE: DataSize = DataSize::from_bytes(64);

struct Member {
    scheduler: RtcpScheduler,
    heard: Vec<bool>,
    members: u32,
    senders: u32,
    sends: bool,
    is_here: bool,
}

/// A session all members of which hear each other at once.
struct Crowd {
    members: Vec<Member>,
    events: BinaryHeap<Reverse<(Instant, usize)>>,
    /// Bytes and when they were sent.
    sent: Vec<(Instant, u64)>,
}

impl Crowd {
    /// All join in the first second, of which the first `senders` send media.
    fn new(count: usize, senders: usize, profile: Profile) -> Self {
        let mut crowd = Self { members: Vec::new(), events: BinaryHeap::new(), sent: Vec::new() };
        for index in 0..count {
            let mut config = SchedulerConfig::default();
            config.bandwidth = RTCP;
            config.profile = profile;
            config.first_size = SIZE;
            config.seed = index as u64 + 1;
            let joins = Instant::from_millis(index as u64 * 1_000 / count as u64);
            let sends = index < senders;
            let alone = Membership { members: 1, senders: u32::from(sends), we_sent: sends };
            let scheduler = RtcpScheduler::new(joins, config, alone).unwrap();
            let heard = (0..count).map(|other| other == index).collect();
            let senders = u32::from(sends);
            crowd.members.push(Member { scheduler, heard, members: 1, senders, sends, is_here: true });
            crowd.expect(index);
        }
        crowd
    }

    fn expect(&mut self, index: usize) {
        self.events.extend(self.members[index].scheduler.poll_timeout().map(|at| Reverse((at, index))));
    }

    fn run(&mut self, until: Instant) {
        while self.events.peek().is_some_and(|event| event.0.0 <= until) {
            let Some(Reverse((now, index))) = self.events.pop() else { break };
            let member = &mut self.members[index];
            if !member.is_here || member.scheduler.poll_timeout() != Some(now) {
                continue;
            }
            let membership = member.membership();
            let slot = member.scheduler.handle_timeout(now, membership);
            if let Some(slot) = slot {
                let size = if slot == Slot::Bye { BYE } else { SIZE };
                member.scheduler.on_sent(now, size, membership);
                member.is_here = slot != Slot::Bye;
                self.sent.push((now, size.as_bytes()));
                self.deliver(now, index, slot, size);
            }
            self.expect(index);
        }
    }

    fn deliver(&mut self, now: Instant, from: usize, slot: Slot, size: DataSize) {
        let sends = self.members[from].sends;
        for (index, member) in
            self.members.iter_mut().enumerate().filter(|(index, member)| *index != from && member.is_here)
        {
            member.scheduler.on_received(size);
            if slot == Slot::Bye {
                if core::mem::take(&mut member.heard[from]) {
                    member.members -= 1;
                    member.senders -= u32::from(sends);
                }
                member.scheduler.on_departure(now, member.members);
                let next = member.scheduler.poll_timeout();
                self.events.extend(next.map(|at| Reverse((at.max(now), index))));
            } else if !core::mem::replace(&mut member.heard[from], true) {
                member.members += 1;
                member.senders += u32::from(sends);
            }
        }
    }

    /// The part of the session's bandwidth that RTCP took, in percent.
    fn share(&self, from: Instant, to: Instant) -> f64 {
        let bytes: u64 = self.sent.iter().filter(|(at, _)| (from..to).contains(at)).map(|(_, bytes)| bytes).sum();
        100.0 * bytes as f64 * 8.0 / (to - from).as_secs_f64() / SESSION_BPS
    }
}

impl Member {
    fn membership(&self) -> Membership {
        Membership { members: self.members, senders: self.senders, we_sent: self.sends }
    }
}

const AVPF: Profile = Profile::Avpf { report_interval: Duration::ZERO, point_to_point: false };

fn secs(secs: u64) -> Instant {
    Instant::from_millis(1_000 * secs)
}

#[test]
fn rfc3550_s6_2_a7_rtcp_takes_five_percent_of_1_to_1000_members() {
    for (count, senders) in [(1, 1), (2, 1), (3, 3), (10, 2), (50, 5), (200, 60), (1_000, 100)] {
        let mut crowd = Crowd::new(count, senders, AVPF);
        // Some intervals until all know of all, then some to measure: 16 s each with 1000 members.
        let (from, to) = if count > 100 { (secs(60), secs(200)) } else { (secs(30), secs(90)) };
        crowd.run(to);
        let share = crowd.share(from, to);
        assert!((4.5..5.5).contains(&share), "{count} members take {share:.2} %");
    }
}

/// With the minimum interval of RTP/AVP few members take less, and none more.
#[test]
fn rfc3550_s6_2_a7_the_minimum_interval_only_ever_saves() {
    for (count, least) in [(1, 0.0), (10, 0.0), (100, 0.0), (1_000, 4.5)] {
        let profile = Profile::Avp { minimum_interval: Duration::from_secs(5) };
        let mut crowd = Crowd::new(count, count / 10, profile);
        crowd.run(secs(200));
        let share = crowd.share(secs(60), secs(200));
        assert!((least..5.5).contains(&share), "{count} members take {share:.2} %");
    }
}

/// All join within a second, when each believes to be alone: reconsideration keeps the flood within bounds (§6.3.6).
#[test]
fn rfc3550_s6_3_6_a_thousand_who_join_at_once_are_held_back() {
    let mut crowd = Crowd::new(1_000, 100, AVPF);
    crowd.run(secs(20));
    for second in 0..20 {
        let share = crowd.share(secs(second), secs(second + 1));
        assert!(share < 25.0, "{share:.1} % in second {second}; without it all 1000 would send in the second, 51 %");
    }
    let settled = crowd.share(secs(10), secs(20));
    assert!(settled < 8.0, "{settled:.1} %");
}

/// Most leave at once: their goodbyes are spread (§6.3.7), and who stays reports more often soon (§6.3.4).
#[test]
fn rfc3550_s6_3_7_goodbyes_of_many_keep_to_the_share_and_the_rest_speeds_up() {
    let mut crowd = Crowd::new(500, 50, AVPF);
    crowd.run(secs(60));
    for index in 100..500 {
        let members = crowd.members[index].members;
        crowd.members[index].scheduler.leave(secs(60), BYE, members);
        crowd.expect(index);
    }
    crowd.run(secs(160));
    for second in 60..70 {
        let share = crowd.share(secs(second), secs(second + 1));
        assert!(share < 8.0, "{share:.1} % in second {second}");
    }
    assert!(crowd.members[100..].iter().all(|member| !member.is_here), "all have said goodbye");
    let share = crowd.share(secs(100), secs(160));
    assert!((4.5..5.5).contains(&share), "the hundred who stayed take {share:.2} %");
}
