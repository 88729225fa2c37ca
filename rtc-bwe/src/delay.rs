//! Queue delay above the least one-way delay of some minutes, as LEDBAT keeps it (RFC 6817 §2.4.2, §3.1).

use core::time::Duration;

use rtc_core::time::Instant;

/// Parts of the window, each with its own least delay (`BASE_HISTORY` of RFC 6817 §2.5).
const PARTS: usize = 10;
/// A change of the delay from one packet to the next that only a clock makes.
const JUMP: i64 = 10_000_000_000;

/// The least one-way delay of a window, and how far a packet is above it. Clocks have any offset; their drift is not
/// corrected, as in RFC 6817: it is taken up when the window moves on.
#[derive(Debug)]
pub(crate) struct BaseDelay {
    part: Duration,
    least: [f64; PARTS],
    newest: usize,
    began: Instant,
    /// The delay of the first packet, from which all others are counted, so that the offset of the clocks cancels.
    reference: Option<i64>,
    last: i64,
}

impl BaseDelay {
    pub(crate) fn new(window: Duration) -> Self {
        Self {
            part: window / 10,
            least: [f64::INFINITY; PARTS],
            newest: 0,
            began: Instant::ZERO,
            reference: None,
            last: 0,
        }
    }

    /// The queue delay of a packet in seconds, and whether a clock jumped.
    pub(crate) fn push(&mut self, sent: Instant, received: Instant) -> (f64, bool) {
        let nanos = received.nanos_since(sent);
        let jumped = self.reference.is_some() && nanos.wrapping_sub(self.last).unsigned_abs() > JUMP.unsigned_abs();
        if jumped || self.reference.is_none() {
            self.reset();
            self.reference = Some(nanos);
            self.began = sent;
        }
        self.last = nanos;
        let delay = nanos.wrapping_sub(self.reference.unwrap_or(nanos)) as f64 / 1e9;
        self.turn(sent);
        let least = &mut self.least[self.newest];
        *least = least.min(delay);
        let base = self.least.iter().copied().fold(f64::INFINITY, f64::min);
        (delay - base, jumped)
    }

    pub(crate) fn reset(&mut self) {
        self.least = [f64::INFINITY; PARTS];
        self.reference = None;
    }

    /// Opens new parts up to `sent`.
    fn turn(&mut self, sent: Instant) {
        for _ in 0..PARTS {
            if sent - self.began < self.part {
                return;
            }
            self.began += self.part;
            self.newest = (self.newest + 1) % PARTS;
            self.least[self.newest] = f64::INFINITY;
        }
        // All are of this packet now, however long the pause was.
        self.began = self.began.max(sent);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Pushes packets a second apart with a delay in ms each, on a receiver's clock that is ahead.
    fn queues(base: &mut BaseDelay, from: u64, delays_ms: impl IntoIterator<Item = u64>) -> Vec<f64> {
        let push = |(second, delay): (u64, u64)| {
            let sent = Instant::from_millis(1_000 * second);
            (base.push(sent, sent + Duration::from_millis(7_000_000 + delay)).0 * 1e3).round()
        };
        (from..).zip(delays_ms).map(push).collect()
    }

    #[test]
    fn the_queue_is_what_exceeds_the_least() {
        let mut base = BaseDelay::new(Duration::from_secs(600));
        assert_eq!(queues(&mut base, 0, [50, 60, 50, 40, 70]), [0.0, 10.0, 0.0, 0.0, 30.0]);
    }

    #[test]
    fn a_longer_path_is_believed_when_the_window_moved_on() {
        let mut base = BaseDelay::new(Duration::from_secs(100));
        queues(&mut base, 0, [50]);
        let seen = queues(&mut base, 1, vec![150; 120]);
        assert_eq!((seen[0], seen[80], seen[119]), (100.0, 100.0, 0.0));
    }

    #[test]
    fn a_pause_beyond_the_window_forgets_all() {
        let mut base = BaseDelay::new(Duration::from_secs(10));
        queues(&mut base, 0, [50]);
        assert_eq!(queues(&mut base, 1_000, [90, 95]), [0.0, 5.0]);
    }

    #[test]
    fn a_clock_that_jumps_begins_anew() {
        let mut base = BaseDelay::new(Duration::from_secs(10));
        queues(&mut base, 0, [50]);
        let sent = Instant::from_millis(1_000);
        assert_eq!(base.push(sent, sent + Duration::from_secs(1)), (0.0, true));
    }
}
