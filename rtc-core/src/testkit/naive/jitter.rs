use alloc::collections::{BTreeMap, BTreeSet};
use core::time::Duration;

use crate::jitter::{Inserted, JitterBuffer, Playout};
use crate::time::Instant;
use crate::{Frequency, RtpPacket, RtpTime, Ssrc, TimeUnwrapper};

/// Packets kept at most, and remembered as played.
const CAPACITY: usize = 512;
/// Media time further than this from the clock is another stream's.
const HORIZON: Duration = Duration::from_secs(10);

/// Plays the first packet a fixed delay after it came, and every other one as much later as its timestamp says.
///
/// What arrives after its time is late. A unit that is due and not there is missing once a later one is; while nothing is
/// buffered, nothing is due.
#[derive(Debug)]
pub struct FixedDelay {
    clock: Frequency,
    unit: u32,
    delay: Duration,
    stream: Option<Stream>,
    waiting: BTreeMap<u64, RtpPacket>,
    played: BTreeSet<u64>,
}

/// Where the stream stands; begins with the first packet.
#[derive(Debug)]
struct Stream {
    ssrc: Ssrc,
    unwrapper: TimeUnwrapper,
    /// Media time and moment of play-out of the first packet.
    anchor: (u64, Instant),
    /// Media time of the unit to play next.
    next: u64,
}

impl FixedDelay {
    /// For packets of `unit` ticks of `clock` each.
    #[must_use]
    pub fn new(clock: Frequency, unit: u32, delay: Duration) -> Self {
        let (waiting, played) = (BTreeMap::new(), BTreeSet::new());
        Self { clock, unit: unit.max(1), delay, stream: None, waiting, played }
    }

    fn due(&self, stream: &Stream, time: u64) -> Instant {
        let (first, moment) = stream.anchor;
        if time >= first {
            moment + self.clock.duration_of(time - first)
        } else {
            moment - self.clock.duration_of(first - time)
        }
    }

    /// Media time of the next unit, whether it is here, and when it is due; `None` while nothing is buffered.
    fn head(&self) -> Option<(u64, bool, Instant)> {
        let stream = self.stream.as_ref()?;
        let (&first, _) = self.waiting.first_key_value()?;
        let here = first < stream.next + u64::from(self.unit);
        let time = if here { first } else { stream.next };
        Some((time, here, self.due(stream, time)))
    }
}

impl JitterBuffer for FixedDelay {
    type Output = RtpPacket;

    fn insert(&mut self, now: Instant, packet: RtpPacket) -> Inserted {
        let mut stream = self.stream.take().unwrap_or_else(|| {
            let first = TimeUnwrapper::default().unwrap(packet.timestamp());
            let unwrapper = TimeUnwrapper::default();
            Stream { ssrc: packet.ssrc(), unwrapper, anchor: (first, now + self.delay), next: first }
        });
        let time = stream.unwrapper.peek(packet.timestamp());
        let due = self.due(&stream, time);
        let outcome = if packet.ssrc() != stream.ssrc || due > now + self.delay + HORIZON || due + HORIZON < now {
            Inserted::Foreign
        } else if self.waiting.contains_key(&time) || self.played.contains(&time) {
            Inserted::Duplicate
        } else if due < now || (time < stream.next && !self.played.is_empty()) {
            Inserted::Late
        } else if self.waiting.len() == CAPACITY {
            Inserted::Overflow
        } else {
            stream.unwrapper.unwrap(packet.timestamp());
            stream.next = if self.played.is_empty() { stream.next.min(time) } else { stream.next };
            self.waiting.insert(time, packet);
            Inserted::Accepted
        };
        self.stream = Some(stream);
        outcome
    }

    fn poll(&mut self, now: Instant) -> Playout<RtpPacket> {
        let Some((time, here, due)) = self.head() else {
            return Playout::Empty;
        };
        if due > now {
            return Playout::Empty;
        }
        let next = time + u64::from(self.unit);
        if let Some(stream) = &mut self.stream {
            stream.next = next;
        }
        if !here {
            let next = self.waiting.get(&next).cloned();
            return Playout::Missing { timestamp: wrapped(time), next };
        }
        self.played.insert(time);
        if self.played.len() > CAPACITY {
            self.played.pop_first();
        }
        self.waiting.remove(&time).map_or(Playout::Empty, Playout::Ready)
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.head().map(|(.., due)| due)
    }

    fn target_delay(&self) -> Duration {
        self.delay
    }
}

#[expect(clippy::cast_possible_truncation, reason = "the low bits are the timestamp")]
fn wrapped(time: u64) -> RtpTime {
    RtpTime(time as u32)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{PayloadType, SeqNum};

    const UNIT: u32 = 160;

    fn packet(n: u32) -> RtpPacket {
        let seq = SeqNum(0xffff) + u16::try_from(n).unwrap();
        RtpPacket::builder(PayloadType::new(0), seq, RtpTime(u32::MAX - 50) + n * UNIT, Ssrc(1)).build(&[]).unwrap()
    }

    fn at(millis: u64) -> Instant {
        Instant::from_millis(millis)
    }

    fn buffer() -> FixedDelay {
        FixedDelay::new(Frequency::KHZ_8, UNIT, Duration::from_millis(50))
    }

    #[test]
    fn packets_play_in_order_and_in_time() {
        let mut buffer = buffer();
        for (now, n) in [(1_000, 1), (1_001, 0), (1_030, 2)] {
            assert_eq!(buffer.insert(at(now), packet(n)), Inserted::Accepted);
        }
        for (due, n) in [(1_030, 0), (1_050, 1), (1_070, 2)] {
            assert_eq!(buffer.poll_timeout(), Some(at(due)));
            assert_eq!(buffer.poll(at(due - 1)), Playout::Empty);
            assert_eq!(buffer.poll(at(due)), Playout::Ready(packet(n)));
        }
        assert_eq!((buffer.poll(at(1_071)), buffer.poll_timeout()), (Playout::Empty, None));
    }

    #[test]
    fn a_gap_is_missing_and_brings_the_next_along() {
        let mut buffer = buffer();
        buffer.insert(at(0), packet(0));
        buffer.insert(at(40), packet(2));
        assert_eq!(buffer.poll(at(50)), Playout::Ready(packet(0)));
        let missing = Playout::Missing { timestamp: packet(1).timestamp(), next: Some(packet(2)) };
        assert_eq!(buffer.poll(at(70)), missing);
        assert_eq!(buffer.insert(at(70), packet(1)), Inserted::Late);
        assert_eq!(buffer.insert(at(70), packet(0)), Inserted::Duplicate);
        assert_eq!(buffer.poll(at(90)), Playout::Ready(packet(2)));
        assert_eq!(buffer.insert(at(151), packet(5)), Inserted::Late);
    }

    #[test]
    fn other_streams_are_foreign() {
        let mut buffer = buffer();
        buffer.insert(at(0), packet(0));
        let mut other = packet(1);
        other.rewrite(|header| header.set_ssrc(Ssrc(2)));
        assert_eq!(buffer.insert(at(0), other), Inserted::Foreign);
        let mut jump = packet(1);
        jump.rewrite(|header| header.set_timestamp(RtpTime(1 << 30)));
        assert_eq!(buffer.insert(at(0), jump), Inserted::Foreign);
    }
}
