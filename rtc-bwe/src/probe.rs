//! Probing: short bursts above the target, adopted if the path delivers them.

use core::time::Duration;

use rtc_core::Bitrate;
use rtc_core::bwe::{ProbeCluster, ProbeId, SentPacket};
use rtc_core::time::Instant;

use crate::config::ProbeConfig;

mod cluster;
mod schedule;

use cluster::Cluster;
use schedule::Schedule;
pub(crate) use schedule::View;

/// A probe nothing was heard of for this long is given up.
const TIMEOUT: Duration = Duration::from_secs(1);

/// Why there was a probe.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// To find the first rate.
    Initial,
    /// No queue where there was one before, or a probe was delivered: there may be more.
    Growth,
    /// To notice more capacity sooner than by growth.
    Micro,
    /// The application sends too little to show that there is more.
    Idle,
    /// The application wants more than it did.
    Desire,
    /// After a sudden drop.
    Drop,
}

/// What a probe found.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Finding {
    pub(crate) kind: Kind,
    /// A rate the path carries, in b/s.
    pub(crate) rate: f64,
    /// The rate that was asked for.
    pub(crate) probed: f64,
    /// Whether `rate` is all it carries.
    pub(crate) saturated: bool,
}

/// Asks for one probe at a time and evaluates it.
#[derive(Debug)]
pub(crate) struct Prober {
    config: ProbeConfig,
    next_id: u32,
    schedule: Schedule,
    running: Option<Cluster>,
}

impl Prober {
    pub(crate) fn new(config: ProbeConfig, start: Bitrate) -> Self {
        let schedule = Schedule::new(config, start.as_bps_f64());
        Self { config, next_id: 0, schedule, running: None }
    }

    /// Searches again, from another rate.
    pub(crate) fn restart(&mut self, start: Bitrate) {
        *self = Self { next_id: self.next_id, ..Self::new(self.config, start) };
    }

    /// Looks for a reason to probe.
    pub(crate) fn plan(&mut self, view: &View) {
        if self.config.enabled && self.running.is_none() {
            self.schedule.plan(view);
        }
    }

    /// The rate fell at `now`; with a sudden queue if one showed that growth does not make.
    pub(crate) fn on_drop(&mut self, now: Instant, before: f64, after: f64, is_sudden: bool) {
        self.schedule.on_drop(now, before, after, is_sudden);
    }

    /// The rate had to be lowered.
    pub(crate) fn on_congestion(&mut self, now: Instant) {
        self.schedule.on_congestion(now);
    }

    /// The application wants more than it did.
    pub(crate) fn on_desire(&mut self, desired: f64) {
        self.schedule.on_desire(desired);
    }

    /// The next burst to send, at most `max`; only when the one before is done with and there is more than `target` to find.
    pub(crate) fn poll(&mut self, now: Instant, target: f64, max: Bitrate) -> Option<ProbeCluster> {
        if self.running.is_some_and(|cluster| now - cluster.asked >= TIMEOUT) {
            self.running = None;
            self.schedule.on_failure();
        }
        if self.running.is_some() || !self.config.enabled {
            return None;
        }
        let (kind, rate) = self.schedule.take(now, target, max.as_bps_f64())?;
        let id = ProbeId(self.next_id);
        self.next_id = self.next_id.wrapping_add(1);
        self.running = Some(Cluster::new(id, kind, rate, now));
        let rate = Bitrate::from_bps_f64(rate);
        Some(ProbeCluster { id, rate, size: rate.size_in(self.config.duration), packets: self.config.packets })
    }

    /// Takes note of a sent packet, with the bytes sent up to and with it.
    pub(crate) fn on_sent(&mut self, packet: &SentPacket, bytes: u64) {
        if let Some(cluster) = self.running.as_mut().filter(|cluster| Some(cluster.id) == packet.probe) {
            cluster.on_sent(packet, bytes);
        }
    }

    /// Takes note of a received packet of `size`, with the bytes delivered up to and with it.
    pub(crate) fn on_received(&mut self, id: ProbeId, size: u64, bytes: u64, received: Instant) {
        if let Some(cluster) = self.running.as_mut().filter(|cluster| cluster.id == id) {
            cluster.on_received(received, size, bytes);
        }
    }

    /// Evaluates the probe when enough of it has arrived.
    pub(crate) fn finish(&mut self, now: Instant) -> Option<Finding> {
        let cluster = self.running.filter(|cluster| cluster.is_complete(self.config.packets))?;
        self.running = None;
        let finding = cluster.finding();
        match &finding {
            Some(finding) => self.schedule.on_finding(now, finding),
            None => self.schedule.on_failure(),
        }
        finding
    }
}

#[cfg(test)]
mod tests;
