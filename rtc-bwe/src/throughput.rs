//! The rate at which packets are delivered.

use std::collections::VecDeque;

use core::time::Duration;

use rtc_core::time::Instant;

/// Spacing that differs by less than this share of it is unchanged.
const UNCHANGED: f64 = 0.02;
/// Deliveries within this time are one point: what is measured over a window of many points loses nothing by it.
const BIN: Duration = Duration::from_millis(5);
/// Points kept: 1.28 s where packets are dense, more where they are sparse.
const POINTS: usize = 256;
/// Shortest span a rate is taken over: arrival times are quantised to 250 us, packets leave in bursts of 5 ms.
const MIN_SPAN: Duration = Duration::from_millis(40);

/// Delivered bytes over time, robust against lost, late and reordered feedback.
///
/// A point says how many bytes were delivered up to a packet, in sending order, and when that packet was received. A rate is
/// the slope between two points, so packets between them whose feedback was lost are counted too.
#[derive(Debug)]
pub(crate) struct Throughput {
    points: VecDeque<Point>,
}

#[derive(Debug, Clone, Copy)]
struct Point {
    /// When the first packet of the bin was received.
    opened: Instant,
    received: Instant,
    sent: Instant,
    delivered: u64,
}

impl Throughput {
    pub(crate) fn new() -> Self {
        Self { points: VecDeque::with_capacity(POINTS) }
    }

    /// Takes a received packet; those that overtook or were overtaken are covered by their neighbours and skipped.
    pub(crate) fn push(&mut self, sent: Instant, received: Instant, delivered: u64) {
        let point = Point { opened: received, received, sent, delivered };
        let merges = self.points.len() > 1;
        let Some(last) = self.points.back_mut() else {
            self.points.push_back(point);
            return;
        };
        if sent < last.sent || received < last.received || delivered < last.delivered {
            return;
        }
        // The first point stays as it is: the rate begins after it, and a merged one would begin too late.
        if merges && received - last.opened < BIN {
            *last = Point { opened: last.opened, ..point };
            return;
        }
        if self.points.len() == POINTS {
            self.points.pop_front();
        }
        self.points.push_back(point);
    }

    pub(crate) fn reset(&mut self) {
        self.points.clear();
    }

    /// Delivered rate in b/s over the last `window`: the lesser of what was sent and what arrived.
    ///
    /// A stalled path that lets go of what it held delivers faster than was sent, which proves nothing about its capacity.
    pub(crate) fn rate(&self, window: Duration) -> Option<f64> {
        let newest = self.points.back()?;
        let oldest = self.points.iter().find(|point| newest.received - point.received <= window)?;
        let span = (newest.received - oldest.received).max(newest.sent - oldest.sent);
        slope(oldest, newest, span)
    }

    /// Rate of arrival in b/s since `since` on the receiver's clock: the capacity, if there was a queue all the time.
    ///
    /// A queue shows in packets further apart, or closer together, than they were sent; if they are not, their rate is that of
    /// the sender.
    pub(crate) fn arrival_rate_since(&self, since: Instant, window: Duration) -> Option<f64> {
        let newest = self.points.back()?;
        let oldest =
            self.points.iter().find(|point| point.received >= since && newest.received - point.received <= window)?;
        let (arrival, departure) = (newest.received - oldest.received, newest.sent - oldest.sent);
        if arrival.abs_diff(departure).as_secs_f64() < UNCHANGED * arrival.as_secs_f64() {
            return None;
        }
        slope(oldest, newest, arrival)
    }
}

fn slope(oldest: &Point, newest: &Point, span: Duration) -> Option<f64> {
    if span < MIN_SPAN {
        return None;
    }
    let bytes = newest.delivered.saturating_sub(oldest.delivered);
    Some(8.0 * bytes as f64 / span.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    const WINDOW: Duration = Duration::from_millis(500);

    /// 100-byte packets every 10 ms for a second: 80 kb/s.
    fn steady() -> Throughput {
        let mut throughput = Throughput::new();
        for index in 0..100 {
            let sent = Instant::from_millis(10 * index);
            throughput.push(sent, sent + Duration::from_secs(1000), 100 * (index + 1));
        }
        throughput
    }

    #[test]
    fn a_steady_flow_has_its_own_rate() {
        let throughput = steady();
        assert_eq!(throughput.rate(WINDOW), Some(80_000.0));
        let since = Instant::from_millis(1_000_500);
        assert_eq!(throughput.arrival_rate_since(since, WINDOW), None, "nothing queued");
    }

    #[test]
    fn a_packet_whose_feedback_was_lost_counts() {
        let mut throughput = Throughput::new();
        for index in (0..100).filter(|index| index % 3 != 1) {
            let sent = Instant::from_millis(10 * index);
            throughput.push(sent, sent, 100 * (index + 1));
        }
        assert_eq!(throughput.rate(WINDOW), Some(80_000.0));
    }

    #[test]
    fn a_burst_after_a_stall_is_no_capacity() {
        let mut throughput = Throughput::new();
        for index in 0..50 {
            let sent = Instant::from_millis(10 * index);
            throughput.push(sent, Instant::from_millis(1_000 + index), 100 * (index + 1));
        }
        assert_eq!(throughput.rate(WINDOW), Some(80_000.0));
    }

    #[test]
    fn an_overload_is_measured_where_it_arrives() {
        let mut throughput = Throughput::new();
        for index in 0..50 {
            throughput.push(Instant::from_millis(index), Instant::from_millis(20 * index), 100 * (index + 1));
        }
        assert_eq!(throughput.rate(WINDOW), Some(40_000.0));
        assert_eq!(throughput.arrival_rate_since(Instant::from_millis(600), WINDOW), Some(40_000.0));
    }

    #[test]
    fn order_of_feedback_does_not_matter_much() {
        let mut throughput = steady();
        throughput.push(Instant::from_millis(500), Instant::from_millis(1_000_500), 5_100);
        assert_eq!(throughput.rate(WINDOW), Some(80_000.0));
    }

    #[test]
    fn too_little_is_nothing() {
        let mut throughput = Throughput::new();
        assert_eq!(throughput.rate(WINDOW), None);
        throughput.push(Instant::ZERO, Instant::ZERO, 100);
        throughput.push(Instant::ZERO, Instant::from_millis(10), 200);
        assert_eq!(throughput.rate(WINDOW), None);
    }
}
