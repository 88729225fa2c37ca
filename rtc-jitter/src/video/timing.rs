//! When a picture is to be decoded and shown.

use alloc::boxed::Box;
use core::time::Duration;

use rtc_core::ConfigError;
use rtc_core::time::Instant;

use super::VideoConfig;
use crate::arrival::{Arrival, Nanos, nanos};
use crate::delay::{DelayTarget, LeastCost};

/// Decodings remembered.
const DECODINGS: usize = 64;
/// Of which the time is taken that this many in a hundred keep to.
const PERCENT: usize = 95;

/// Media time to moments here, and the delay that goes with it.
#[derive(Debug)]
pub(super) struct Timing {
    arrival: Arrival,
    delay: DelayTarget,
    base_window: Duration,
    max_delay: Nanos,
    max_slew: f64,
    render_time: Nanos,
    min_delay: Nanos,
    decode: DecodeTime,
    /// Delay aimed at and media time of the picture released last.
    current: Option<(Nanos, Nanos)>,
    /// The delay it is shown with: more if it came late.
    shown: Nanos,
    newest_arrival: Instant,
}

impl Timing {
    pub(super) fn new(config: &VideoConfig) -> Result<Self, ConfigError> {
        Ok(Self {
            arrival: Arrival::new(config.delay.base_window),
            delay: DelayTarget::new(config.delay, Box::new(LeastCost::new(config.delay)?))?,
            base_window: config.delay.base_window,
            max_delay: nanos(config.delay.max_delay),
            max_slew: config.max_slew,
            render_time: nanos(config.render_time),
            min_delay: 0,
            decode: DecodeTime::default(),
            current: None,
            shown: 0,
            newest_arrival: Instant::ZERO,
        })
    }

    /// Another stream begins: its clock is another, the network's jitter is not.
    pub(super) fn restart(&mut self) {
        self.arrival = Arrival::new(self.base_window);
        self.current = None;
    }

    /// Learns from a packet of media time `media` that arrived at `now`: how fast the network is at best.
    pub(super) fn observe_packet(&mut self, now: Instant, media: Nanos) {
        let observed = self.arrival.observe(now, media);
        self.delay.rebase(observed.rise);
        if self.arrival.recent() > self.max_delay {
            // No target reaches this far, so it is not jitter: the sender's clock stood still, or the path changed.
            self.arrival.forget_old();
        }
    }

    /// Learns from a frame of media time `media` that was whole at `now`: how late its last packet was.
    pub(super) fn observe_frame(&mut self, now: Instant, media: Nanos) {
        self.delay.observe(now, self.arrival.delay(now, media).max(0), now - self.newest_arrival, false);
        self.newest_arrival = self.newest_arrival.max(now);
    }

    /// Learns from a picture that needed a retransmission.
    pub(super) fn observe_repair(&mut self, now: Instant, media: Nanos) {
        let delay = self.arrival.delay(now, media);
        if self.delay.repair_delay().is_some_and(|limit| delay <= nanos(limit)) {
            self.delay.observe(now, delay, Duration::ZERO, true);
        }
    }

    pub(super) fn set_min_delay(&mut self, min_delay: Duration) {
        self.min_delay = nanos(min_delay);
    }

    pub(super) fn set_repair_delay(&mut self, repair_delay: Option<Duration>) {
        self.delay.set_repair_delay(repair_delay);
    }

    pub(super) fn on_decoded(&mut self, took: Duration) {
        self.decode.add(nanos(took));
    }

    /// The delay, from the fastest recent picture to the screen, the network and the decoder need.
    pub(super) fn minimum(&self) -> Nanos {
        self.delay.minimum(self.newest_arrival, self.arrival.recent()).saturating_add(self.ahead()).min(self.max_delay)
    }

    /// The delay to aim at.
    pub(super) fn target(&self) -> Nanos {
        self.minimum().max(self.min_delay).min(self.max_delay)
    }

    /// The delay the picture released last is shown with.
    pub(super) fn current(&self) -> Nanos {
        self.shown
    }

    /// When the picture of this media time is to be decoded.
    pub(super) fn due(&self, media: Nanos) -> Instant {
        self.arrival.moment(media, self.delay_at(media).saturating_sub(self.ahead()))
    }

    /// A picture is released at `now`; says when it is to be shown.
    pub(super) fn release(&mut self, now: Instant, media: Nanos) -> Instant {
        let delay = self.delay_at(media);
        self.current = Some((delay, media));
        let ahead = Duration::from_nanos(self.ahead().unsigned_abs());
        let render_at = self.arrival.moment(media, delay).max(now + ahead);
        self.shown = self.arrival.delay(render_at, media);
        render_at
    }

    /// Whether a packet of this media time can be of this timeline.
    pub(super) fn lateness(&self, now: Instant, media: Nanos) -> Nanos {
        self.arrival.delay(now, media)
    }

    /// How long before it is shown a picture is given to the decoder.
    fn ahead(&self) -> Nanos {
        self.decode.typical().saturating_add(self.render_time)
    }

    /// The target, come near to by `max_slew` of the media time since the last picture.
    fn delay_at(&self, media: Nanos) -> Nanos {
        let target = self.target();
        let Some((delay, last)) = self.current else {
            return target;
        };
        #[expect(clippy::cast_possible_truncation, reason = "a part of a step")]
        let slew = (media.saturating_sub(last).max(0) as f64 * self.max_slew) as Nanos;
        target.clamp(delay.saturating_sub(slew), delay.saturating_add(slew))
    }
}

/// How long decoding takes, but for the slowest few.
#[derive(Debug)]
struct DecodeTime {
    times: [Nanos; DECODINGS],
    count: usize,
    typical: Nanos,
}

impl Default for DecodeTime {
    fn default() -> Self {
        Self { times: [0; DECODINGS], count: 0, typical: 0 }
    }
}

impl DecodeTime {
    fn add(&mut self, took: Nanos) {
        self.times[self.count % DECODINGS] = took;
        self.count += 1;
        let known = self.count.min(DECODINGS);
        let mut sorted = self.times;
        let rank = (known - 1) * PERCENT / 100;
        self.typical = *sorted[..known].select_nth_unstable(rank).1;
    }

    fn typical(&self) -> Nanos {
        self.typical
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_slow_decoding_is_not_waited_for_each_time() {
        let mut decode = DecodeTime::default();
        for n in 0..200 {
            decode.add(if n % 40 == 39 { 80 } else { 5 });
        }
        assert_eq!(decode.typical(), 5);
        (0..20).for_each(|_| decode.add(30));
        assert_eq!(decode.typical(), 30);
    }
}
