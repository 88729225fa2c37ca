//! Groups of packets and how their spacing changes on the way (draft-ietf-rmcat-gcc-02 §5.1 and §5.2).

use core::time::Duration;

use rtc_core::time::Instant;

/// A packet belongs to the current group if it arrives within `burst_time` of the packet before (§5.2)...
const BURST_DELTA: Duration = Duration::from_millis(5);
/// ... while the group's arrivals span no more than this: beyond it a draining queue would be one endless group.
const MAX_BURST: Duration = Duration::from_millis(100);
/// Groups further apart than this say nothing about each other.
const STREAM_TIMEOUT: Duration = Duration::from_secs(2);

/// Change of delay between two groups.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Variation {
    /// `d(i) = t(i) - t(i-1) - (T(i) - T(i-1))` in ms (§5.1).
    pub(crate) delay_ms: f64,
    /// `t(i)`: when the last packet of the later group was received.
    pub(crate) received: Instant,
}

/// Sorts packets into groups and compares each with the one before.
#[derive(Debug)]
pub(crate) struct Arrival {
    burst: Duration,
    previous: Option<Group>,
    current: Option<Group>,
}

#[derive(Debug, Clone, Copy)]
struct Group {
    first_sent: Instant,
    last_sent: Instant,
    first_received: Instant,
    last_received: Instant,
}

impl Arrival {
    pub(crate) const fn new(burst: Duration) -> Self {
        Self { burst, previous: None, current: None }
    }

    /// Takes a received packet; says how the delay changed when it opens a new group and two are complete.
    pub(crate) fn push(&mut self, sent: Instant, received: Instant) -> Option<Variation> {
        let alone = Group { first_sent: sent, last_sent: sent, first_received: received, last_received: received };
        let Some(current) = &mut self.current else {
            self.current = Some(alone);
            return None;
        };
        if sent < current.first_sent {
            return None;
        }
        if sent - current.last_sent > STREAM_TIMEOUT {
            self.previous = None;
            self.current = Some(alone);
            return None;
        }
        if current.includes(sent, received, self.burst) {
            current.last_sent = current.last_sent.max(sent);
            current.last_received = current.last_received.max(received);
            return None;
        }
        let complete = *current;
        self.current = Some(alone);
        let previous = self.previous.replace(complete)?;
        Some(Variation { delay_ms: complete.delay_ms_after(&previous), received: complete.last_received })
    }

    pub(crate) fn reset(&mut self) {
        self.previous = None;
        self.current = None;
    }
}

impl Group {
    fn includes(&self, sent: Instant, received: Instant, burst: Duration) -> bool {
        if sent - self.first_sent <= burst {
            return true;
        }
        let arrival = received.nanos_since(self.last_received);
        let departure = sent.nanos_since(self.last_sent);
        arrival < departure
            && arrival <= nanos(BURST_DELTA)
            && received.nanos_since(self.first_received) < nanos(MAX_BURST)
    }

    fn delay_ms_after(&self, previous: &Self) -> f64 {
        let arrival = self.last_received.nanos_since(previous.last_received);
        let departure = self.last_sent.nanos_since(previous.last_sent);
        arrival.saturating_sub(departure) as f64 / 1e6
    }
}

fn nanos(time: Duration) -> i64 {
    i64::try_from(time.as_nanos()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const BURST: Duration = Duration::from_millis(5);

    fn push(arrival: &mut Arrival, sent: u64, received: u64) -> Option<f64> {
        arrival.push(Instant::from_millis(sent), Instant::from_millis(received)).map(|variation| variation.delay_ms)
    }

    #[test]
    fn gcc02_s5_1_variation_is_the_difference_of_spacings() {
        let mut arrival = Arrival::new(BURST);
        assert_eq!(push(&mut arrival, 0, 100), None);
        assert_eq!(push(&mut arrival, 20, 120), None);
        assert_eq!(push(&mut arrival, 40, 147), Some(0.0));
        assert_eq!(push(&mut arrival, 60, 167), Some(7.0));
        assert_eq!(push(&mut arrival, 80, 187), Some(0.0));
    }

    #[test]
    fn gcc02_s5_2_packets_sent_within_burst_time_are_one_group() {
        let mut arrival = Arrival::new(BURST);
        for (sent, received) in [(0, 100), (3, 104), (5, 106), (20, 121), (40, 141)] {
            push(&mut arrival, sent, received);
        }
        // Groups end at (5, 106), (20, 121), (40, 141): spacing 15 and 15, then 20 and 20.
        assert_eq!(push(&mut arrival, 60, 161), Some(0.0));
    }

    #[test]
    fn gcc02_s5_2_packets_that_arrive_in_a_burst_are_one_group() {
        let mut arrival = Arrival::new(BURST);
        push(&mut arrival, 0, 100);
        push(&mut arrival, 20, 120);
        // The path stalls for 100 ms and lets go of five packets at once.
        for (index, sent) in (40..=120).step_by(20).enumerate() {
            let change = push(&mut arrival, sent, 220 + index as u64);
            assert_eq!(change, (index == 0).then_some(0.0));
        }
        // (120, 224) against (20, 120): 104 - 100.
        assert_eq!(push(&mut arrival, 140, 240), Some(4.0));
    }

    #[test]
    fn gcc02_s5_1_packets_out_of_order_are_ignored() {
        let mut arrival = Arrival::new(BURST);
        push(&mut arrival, 0, 100);
        push(&mut arrival, 20, 120);
        push(&mut arrival, 40, 140);
        assert_eq!(push(&mut arrival, 30, 170), None);
        assert_eq!(push(&mut arrival, 60, 160), Some(0.0));
    }

    #[test]
    fn groups_far_apart_are_not_compared() {
        let mut arrival = Arrival::new(BURST);
        push(&mut arrival, 0, 100);
        push(&mut arrival, 20, 120);
        assert_eq!(push(&mut arrival, 5_000, 9_000), None);
        assert_eq!(push(&mut arrival, 5_020, 9_020), None);
        assert_eq!(push(&mut arrival, 5_040, 9_040), Some(0.0));
    }
}
