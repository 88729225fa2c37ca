use alloc::collections::VecDeque;
use core::time::Duration;

use super::codel::{CoDel, Verdict};
use super::config::NetemConfig;
use super::dualpi2::DualPi2;
use super::stats::NetemStats;
use crate::DataSize;
use crate::bwe::Ecn;
use crate::time::{Instant, earliest};

/// What waits for the link, and what manages it.
#[derive(Debug, Clone)]
pub(super) struct Queue<T> {
    /// What came; with two queues, the classic part of it.
    packets: VecDeque<Waiting<T>>,
    /// L4S packets, where they have a queue of their own.
    low_latency: VecDeque<Waiting<T>>,
    /// On the wire, of both.
    size: DataSize,
    management: Management,
    mark_above: Option<Duration>,
}

#[derive(Debug, Clone)]
enum Management {
    None,
    CoDel(CoDel),
    DualPi2(DualPi2),
}

#[derive(Debug, Clone)]
pub(super) struct Waiting<T> {
    pub(super) item: T,
    pub(super) size: DataSize,
    /// Overhead included.
    pub(super) wire_size: DataSize,
    pub(super) sent: Instant,
    pub(super) ecn: Ecn,
    pub(super) travel_time: Duration,
    /// The same of its copy, if it will have one.
    pub(super) copy_travel_time: Option<Duration>,
}

impl<T> Queue<T> {
    pub(super) fn new(config: &NetemConfig) -> Self {
        let management = match (config.codel, config.dualpi2) {
            (_, Some(dualpi2)) => Management::DualPi2(DualPi2::new(dualpi2, config.origin)),
            (Some(codel), None) => Management::CoDel(CoDel::new(codel)),
            (None, None) => Management::None,
        };
        Self {
            packets: VecDeque::new(),
            low_latency: VecDeque::new(),
            size: DataSize::ZERO,
            management,
            mark_above: config.mark_above,
        }
    }

    pub(super) fn push(&mut self, packet: Waiting<T>) {
        self.size += packet.wire_size;
        match &mut self.management {
            // RFC 9332 §2.3: ECT(1) and CE identify L4S.
            Management::DualPi2(_) if matches!(packet.ecn, Ecn::Ect1 | Ecn::Ce) => {
                self.low_latency.push_back(packet);
                return;
            }
            Management::CoDel(codel) => codel.on_enqueue(packet.wire_size),
            Management::DualPi2(_) | Management::None => {}
        }
        self.packets.push_back(packet);
    }

    /// When the packet came that has waited longest.
    pub(super) fn oldest(&self) -> Option<Instant> {
        earliest([self.packets.front(), self.low_latency.front()].map(|packet| packet.map(|packet| packet.sent)))
    }

    pub(super) fn len(&self) -> usize {
        self.packets.len() + self.low_latency.len()
    }

    pub(super) fn size(&self) -> DataSize {
        self.size
    }

    /// The next packet its management lets out at `start`, marked if it says so; counts what it drops and marks.
    pub(super) fn pop(&mut self, start: Instant, stats: &mut NetemStats) -> Option<Waiting<T>> {
        loop {
            let (mut packet, verdict) = self.next(start)?;
            if verdict == Verdict::Drop {
                stats.lost_aqm += 1;
                continue;
            }
            let wait = start.saturating_since(packet.sent);
            let above_step = packet.ecn != Ecn::NotEct && self.mark_above.is_some_and(|step| wait > step);
            if (above_step || verdict == Verdict::Mark) && packet.ecn != Ecn::Ce {
                packet.ecn = Ecn::Ce;
                stats.marked += 1;
            }
            return Some(packet);
        }
    }

    fn next(&mut self, start: Instant) -> Option<(Waiting<T>, Verdict)> {
        let heads = [self.low_latency.front(), self.packets.front()];
        let takes_low = match &mut self.management {
            Management::DualPi2(dualpi2) => {
                dualpi2.update(start, heads.map(|head| head.map(|packet| packet.sent)));
                let [low, classic] = heads.map(|head| head.map(|packet| packet.wire_size));
                dualpi2.takes_low(low, classic)
            }
            Management::None | Management::CoDel(_) => false,
        };
        let packet = if takes_low { self.low_latency.pop_front()? } else { self.packets.pop_front()? };
        self.size = self.size - packet.wire_size;
        let wait = start.saturating_since(packet.sent);
        let is_capable = packet.ecn != Ecn::NotEct;
        let verdict = match &mut self.management {
            Management::None => Verdict::Pass,
            Management::CoDel(codel) => codel.judge(start, wait, self.size, is_capable),
            Management::DualPi2(dualpi2) if takes_low => dualpi2.judge_low(wait, self.low_latency.is_empty()),
            Management::DualPi2(dualpi2) => dualpi2.judge_classic(is_capable),
        };
        Some((packet, verdict))
    }
}
