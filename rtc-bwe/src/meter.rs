//! The rate of a stream of packets over its last second.

use core::time::Duration;

use rtc_core::DataSize;
use rtc_core::time::Instant;

const SLOT: Duration = Duration::from_millis(50);
/// One second: the upper end of what draft-ietf-rmcat-gcc-02 §5.5 measures over.
const SLOTS: usize = 20;
/// Less than half a second (its lower end) says nothing.
const LEAST: usize = 10;

/// Bytes in slots of 50 ms.
#[derive(Debug)]
pub(crate) struct RateMeter {
    slots: [u64; SLOTS],
    current: usize,
    /// Complete slots, up to all others.
    complete: usize,
    /// When the current slot began; `None` before the first packet.
    began: Option<Instant>,
}

impl RateMeter {
    pub(crate) const fn new() -> Self {
        Self { slots: [0; SLOTS], current: 0, complete: 0, began: None }
    }

    /// Takes a packet; one from before the current slot counts there.
    pub(crate) fn push(&mut self, at: Instant, size: DataSize) {
        self.turn(at);
        self.slots[self.current] = self.slots[self.current].saturating_add(size.as_bytes());
    }

    /// b/s over the complete slots; `None` if they are too few.
    pub(crate) fn rate(&mut self, now: Instant) -> Option<f64> {
        self.turn(now);
        if self.complete < LEAST {
            return None;
        }
        let all = (1..=self.complete).map(|back| self.slots[(self.current + SLOTS - back) % SLOTS]);
        let bytes = all.fold(0, u64::saturating_add);
        Some(8_000.0 * bytes as f64 / (SLOT.as_millis() as f64 * self.complete as f64))
    }

    fn turn(&mut self, now: Instant) {
        let began = self.began.get_or_insert(now);
        for _ in 0..SLOTS {
            if now - *began < SLOT {
                return;
            }
            *began += SLOT;
            self.current = (self.current + 1) % SLOTS;
            self.slots[self.current] = 0;
            self.complete = (self.complete + 1).min(SLOTS - 1);
        }
        // A pause of a second or more left nothing.
        *began = (*began).max(now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_steady_flow_has_its_rate_after_half_a_second() {
        let mut meter = RateMeter::new();
        for index in 0..200 {
            let now = Instant::from_millis(10 * index);
            meter.push(now, DataSize::from_bytes(125));
            assert_eq!(meter.rate(now), (index >= 50).then_some(100_000.0));
        }
    }

    #[test]
    fn a_pause_leaves_nothing() {
        let mut meter = RateMeter::new();
        (0..100).for_each(|index| meter.push(Instant::from_millis(10 * index), DataSize::from_bytes(125)));
        assert_eq!(meter.rate(Instant::from_millis(60_000)), Some(0.0));
        meter.push(Instant::from_millis(59_000), DataSize::from_bytes(125));
        assert!(meter.rate(Instant::from_millis(60_100)).is_some_and(|rate| rate > 0.0));
    }
}
