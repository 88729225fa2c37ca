use core::time::Duration;
use std::collections::VecDeque;

use rtc_core::DataSize;
use rtc_core::bwe::{ProbeCluster, ProbeId};
use rtc_core::time::Instant;

/// Most probes that wait for the one before to end.
const MAX_WAITING: usize = 8;
/// A probe that is not over after so long is given up: what it would tell is no longer asked.
const PATIENCE: Duration = Duration::from_secs(1);

/// The probes asked for, one at a time.
#[derive(Debug, Default)]
pub(super) struct Probes {
    waiting: VecDeque<ProbeCluster>,
    active: Option<Active>,
}

#[derive(Debug)]
struct Active {
    cluster: ProbeCluster,
    /// When the next packet may leave.
    next: Instant,
    give_up: Instant,
    sent: DataSize,
    packets: u32,
}

/// No packets of a probe are nearer, or one without limits would leave no time between.
const SHORTEST: Duration = Duration::from_micros(1);

/// How a probe ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ended {
    Whole,
    Abandoned,
}

impl Probes {
    /// False if too many wait.
    pub(super) fn push(&mut self, now: Instant, cluster: ProbeCluster) -> bool {
        let room = self.waiting.len() < MAX_WAITING;
        if room {
            self.waiting.push_back(cluster);
            self.begin(now);
        }
        room
    }

    /// The probe that runs: its cluster, and when its next packet may leave.
    pub(super) fn active(&self) -> Option<(&ProbeCluster, Instant)> {
        let active = self.active.as_ref()?;
        (active.next <= active.give_up).then_some((&active.cluster, active.next))
    }

    /// Gives up what took too long, and begins the next.
    pub(super) fn expire(&mut self, now: Instant) -> Option<Ended> {
        let ended = self.active.take_if(|active| active.give_up < now.max(active.next))?;
        self.begin(now);
        // One of which something left, but not all, tells little.
        Some(if ended.is_whole() { Ended::Whole } else { Ended::Abandoned })
    }

    /// Takes note of a packet that left, as part of the probe that runs.
    pub(super) fn on_sent(&mut self, now: Instant, size: DataSize, late: Duration) -> Option<(ProbeId, Option<Ended>)> {
        let active = self.active.as_mut()?;
        // What was late by a timer catches up, what waited for media does not.
        let due = if active.packets == 0 { now } else { active.next.max(now - late) };
        active.next = due + active.cluster.rate.time_for(size).max(SHORTEST);
        active.sent += size;
        active.packets += 1;
        let id = active.cluster.id;
        if !active.is_whole() {
            return Some((id, None));
        }
        self.active = None;
        self.begin(now);
        Some((id, Some(Ended::Whole)))
    }

    fn begin(&mut self, now: Instant) {
        if self.active.is_none()
            && let Some(cluster) = self.waiting.pop_front()
        {
            let give_up = now + PATIENCE;
            self.active = Some(Active { cluster, next: now, give_up, sent: DataSize::ZERO, packets: 0 });
        }
    }
}

impl Active {
    fn is_whole(&self) -> bool {
        self.sent >= self.cluster.size && self.packets >= self.cluster.packets
    }
}
