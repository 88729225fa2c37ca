use core::time::Duration;

use super::management::CoDelConfig;
use crate::DataSize;
use crate::time::Instant;

/// The controlled-delay law of RFC 8289 §5, told of one packet at a time as it leaves the queue.
#[derive(Debug, Clone)]
pub(super) struct CoDel {
    config: CoDelConfig,
    /// When waits will have been above the target for an interval; `None` while they are below.
    first_above: Option<Instant>,
    dropping: bool,
    drop_next: Instant,
    /// Drops since this dropping state was entered, and what it was when entered.
    count: u32,
    last_count: u32,
    /// The packet before this one was dropped by the schedule, which goes on if this one waited too long as well.
    reschedule: bool,
    /// The largest packet seen, for the MTU of the interface.
    max_packet: DataSize,
}

/// What to do with the packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    Pass,
    Mark,
    Drop,
}

impl CoDel {
    pub(super) fn new(config: CoDelConfig) -> Self {
        Self {
            config,
            first_above: None,
            dropping: false,
            drop_next: Instant::ZERO,
            count: 0,
            last_count: 0,
            reschedule: false,
            max_packet: DataSize::ZERO,
        }
    }

    /// The largest packet decides how short a queue is never too long.
    pub(super) fn on_enqueue(&mut self, size: DataSize) {
        self.max_packet = self.max_packet.max(size);
    }

    /// Judges a packet that leaves the queue at `now` after `sojourn` and leaves `backlog` behind. After [`Verdict::Drop`] the
    /// next packet must be judged at the same `now`.
    pub(super) fn judge(&mut self, now: Instant, sojourn: Duration, backlog: DataSize, ecn_capable: bool) -> Verdict {
        let may_drop = self.is_above_for_long(now, sojourn, backlog);
        if core::mem::take(&mut self.reschedule) && may_drop {
            self.drop_next = self.control_law(self.drop_next);
        }
        if !may_drop {
            self.dropping = false;
            return Verdict::Pass;
        }
        let mark = ecn_capable && self.config.ecn;
        if !self.dropping {
            self.enter(now);
        } else if now < self.drop_next {
            return Verdict::Pass;
        } else {
            self.count = self.count.saturating_add(1);
            if mark {
                self.drop_next = self.control_law(self.drop_next);
            } else {
                self.reschedule = true;
            }
        }
        if mark { Verdict::Mark } else { Verdict::Drop }
    }

    fn is_above_for_long(&mut self, now: Instant, sojourn: Duration, backlog: DataSize) -> bool {
        // A backlog of one packet is no queue that dropping could shorten, however slow the link.
        if sojourn < self.config.target || backlog <= self.max_packet {
            self.first_above = None;
            return false;
        }
        let deadline = *self.first_above.get_or_insert(now + self.config.interval);
        now >= deadline
    }

    fn enter(&mut self, now: Instant) {
        self.dropping = true;
        // If the last dropping state ended recently, its rate of drops was about right: begin near it.
        let delta = self.count.saturating_sub(self.last_count);
        let recent = now.saturating_since(self.drop_next) < self.config.interval.saturating_mul(16);
        self.count = if delta > 1 && recent { delta } else { 1 };
        self.last_count = self.count;
        self.drop_next = self.control_law(now);
    }

    /// The next drop comes after interval / √count, which lets the rate of a sender that halves on loss fall linearly.
    fn control_law(&self, from: Instant) -> Instant {
        from + self.config.interval.div_f64(f64::from(self.count).sqrt())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 8289 §5.5: where the packet after a drop is fine, the time of the next drop stays; 16 intervals after it the old rate
    /// of drops is forgotten.
    #[test]
    fn a_state_that_ends_leaves_its_schedule() {
        let mut codel = CoDel::new(CoDelConfig::default());
        let mut judge = |micros, sojourn| {
            let (now, sojourn) = (Instant::from_micros(micros), Duration::from_millis(sojourn));
            codel.judge(now, sojourn, DataSize::from_bytes(9_000), false)
        };
        assert_eq!([judge(0, 9), judge(100_000, 9), judge(100_000, 9)], [Verdict::Pass, Verdict::Drop, Verdict::Pass]);
        assert_eq!([judge(200_000, 9), judge(200_000, 9)], [Verdict::Drop, Verdict::Pass]);
        // 200 ms + 100 ms / √2 = 270.711 ms is the time that stays.
        assert_eq!([judge(270_711, 9), judge(270_711, 1)], [Verdict::Drop, Verdict::Pass]);
        assert_eq!([judge(1_770_800, 9), judge(1_870_800, 9)], [Verdict::Pass, Verdict::Drop]);
        assert_eq!([judge(1_970_700, 9), judge(1_970_800, 9)], [Verdict::Pass, Verdict::Drop]);
    }
}
