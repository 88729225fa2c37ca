use alloc::collections::VecDeque;

use crate::pacing::{Enqueued, Pacer, Priority};
use crate::time::Instant;
use crate::{Bitrate, DataSize};

/// Sends a packet, waits for as long as it takes at the rate, sends the next; never more than one packet at a time.
#[derive(Debug)]
pub struct LeakyBucket<P> {
    rate: Bitrate,
    limit: DataSize,
    queues: [VecDeque<(DataSize, P)>; Priority::ALL.len()],
    /// The packet that left last, and when.
    last: Option<(Instant, DataSize)>,
}

impl<P> LeakyBucket<P> {
    /// Holds `limit` bytes of packets at most.
    #[must_use]
    pub fn new(rate: Bitrate, limit: DataSize) -> Self {
        Self { rate, limit, queues: core::array::from_fn(|_| VecDeque::new()), last: None }
    }
}

impl<P: Send> Pacer<P> for LeakyBucket<P> {
    fn enqueue(&mut self, _now: Instant, priority: Priority, size: DataSize, packet: P) -> Enqueued {
        if self.queued() + size > self.limit {
            return Enqueued::Overflow;
        }
        self.queues[priority as usize].push_back((size, packet));
        Enqueued::Accepted
    }

    fn poll(&mut self, now: Instant) -> Option<P> {
        if self.poll_timeout()? > now {
            return None;
        }
        let (size, packet) = self.queues.iter_mut().find_map(VecDeque::pop_front)?;
        self.last = Some((now, size));
        Some(packet)
    }

    fn set_rate(&mut self, _now: Instant, rate: Bitrate) {
        self.rate = rate;
    }

    fn poll_timeout(&self) -> Option<Instant> {
        if self.rate == Bitrate::ZERO || self.queues.iter().all(VecDeque::is_empty) {
            return None;
        }
        Some(self.last.map_or(Instant::ZERO, |(at, size)| at + self.rate.time_for(size)))
    }

    fn queued(&self) -> DataSize {
        self.queues.iter().flatten().map(|(size, _)| *size).sum()
    }
}

#[cfg(test)]
mod tests {
    use core::time::Duration;

    use super::*;

    #[test]
    fn waits_for_as_long_as_the_last_packet_takes() {
        let mut pacer = LeakyBucket::new(Bitrate::from_kbps(800), DataSize::from_bytes(2_000));
        let (now, size) = (Instant::from_millis(5), DataSize::from_bytes(1_000));
        assert_eq!(pacer.enqueue(now, Priority::Video, size, 'v'), Enqueued::Accepted);
        assert_eq!(pacer.enqueue(now, Priority::Audio, size, 'a'), Enqueued::Accepted);
        assert_eq!(pacer.enqueue(now, Priority::Audio, size, 'b'), Enqueued::Overflow);
        assert_eq!((pacer.poll(now), pacer.poll(now)), (Some('a'), None));
        assert_eq!(pacer.poll_timeout(), Some(now + Duration::from_millis(10)));
        pacer.set_rate(now, Bitrate::ZERO);
        assert_eq!(pacer.poll_timeout(), None);
        pacer.set_rate(now, Bitrate::from_kbps(8_000));
        assert_eq!(pacer.poll(now + Duration::from_millis(1)), Some('v'));
        assert_eq!(pacer.queued(), DataSize::ZERO);
    }
}
