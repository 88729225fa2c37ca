use alloc::collections::VecDeque;
use core::time::Duration;

use crate::bwe::{BandwidthEstimator, Estimate, PacketResult, SentPacket};
use crate::time::Instant;
use crate::{Bitrate, DataSize};

/// Believes in one rate whatever happens.
#[derive(Debug, Clone, Copy)]
pub struct FixedRate(pub Bitrate);

impl BandwidthEstimator for FixedRate {
    fn on_sent(&mut self, _packet: SentPacket) {}

    fn on_feedback(&mut self, _now: Instant, _results: &[PacketResult]) {}

    fn estimate(&self) -> Estimate {
        Estimate::new(self.0)
    }
}

/// Time over which [`ReceivedRate`] measures.
const WINDOW: Duration = Duration::from_secs(1);
/// Arrivals remembered at most.
const CAPACITY: usize = 4096;
/// What is tried above what got through, so that the rate can grow.
const HEADROOM: f64 = 1.25;

/// Aims a little above what arrived in the last second of the receiver's clock, never under a floor.
#[derive(Debug)]
pub struct ReceivedRate {
    floor: Bitrate,
    arrivals: VecDeque<(Instant, DataSize)>,
    estimate: Bitrate,
}

impl ReceivedRate {
    /// Begins at `start`, and never goes under `floor`.
    #[must_use]
    pub fn new(start: Bitrate, floor: Bitrate) -> Self {
        Self { floor, arrivals: VecDeque::new(), estimate: start.max(floor) }
    }

    fn arrived(&mut self, at: Instant, size: DataSize) {
        if self.arrivals.len() == CAPACITY || self.arrivals.back().is_some_and(|(last, _)| at + WINDOW < *last) {
            // More than the window can hold, or a receiver clock set back: begin again.
            self.arrivals.clear();
        }
        let place = self.arrivals.partition_point(|(other, _)| *other <= at);
        self.arrivals.insert(place, (at, size));
    }
}

impl BandwidthEstimator for ReceivedRate {
    fn on_sent(&mut self, _packet: SentPacket) {}

    fn on_feedback(&mut self, _now: Instant, results: &[PacketResult]) {
        for result in results {
            if let Some(at) = result.received {
                self.arrived(at, result.packet.size);
            }
        }
        let (Some((first, _)), Some((last, _))) = (self.arrivals.front(), self.arrivals.back()) else {
            return;
        };
        if *last - *first < WINDOW {
            return;
        }
        let begin = *last - WINDOW;
        self.arrivals.retain(|(at, _)| *at >= begin);
        // The packet on the far edge of the window only marks its beginning.
        let received: DataSize = self.arrivals.iter().filter(|(at, _)| *at > begin).map(|(_, size)| *size).sum();
        self.estimate = (received.per(WINDOW) * HEADROOM).max(self.floor);
    }

    fn estimate(&self) -> Estimate {
        Estimate::new(self.estimate)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bwe::Ecn;

    fn arrival(id: u64, received: Option<Instant>) -> PacketResult {
        let packet =
            SentPacket { id, sent: Instant::from_millis(id * 10), size: DataSize::from_bytes(1_000), probe: None };
        PacketResult { packet, received, ecn: Ecn::NotEct }
    }

    #[test]
    fn follows_what_arrives() {
        let mut estimator = ReceivedRate::new(Bitrate::from_kbps(300), Bitrate::from_kbps(50));
        assert_eq!(estimator.estimate().target, Bitrate::from_kbps(300));
        // A kilobyte every 10 ms is 800 kb/s.
        for id in 0..=100 {
            let received = Instant::from_millis(77_000 + id * 10);
            estimator.on_feedback(Instant::ZERO, &[arrival(id, Some(received)), arrival(id + 1, None)]);
        }
        assert_eq!(estimator.estimate().target, Bitrate::from_kbps(1_000));
    }

    #[test]
    fn stops_at_the_floor() {
        let mut estimator = ReceivedRate::new(Bitrate::from_kbps(300), Bitrate::from_kbps(50));
        for (id, second) in [(0, 10), (1, 20), (2, 30)] {
            estimator.on_feedback(Instant::ZERO, &[arrival(id, Some(Instant::from_millis(second * 1_000)))]);
        }
        assert_eq!(estimator.estimate().target, Bitrate::from_kbps(50));
    }
}
